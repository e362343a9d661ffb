// What runs in the page at `/`: the query box. It is text here because it is the browser's.

export const welcomeScript = `
"use strict";
const byId = (id) => document.getElementById(id);
const [form, box, button, note, out] = ["form", "sql", "run", "note", "out"].map(byId);
const rowsMax = 500;
let running = null;

const element = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const exact = (key, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^-?\\d+$/.test(context?.source ?? "")
    ? context.source : value;
const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
const count = (number, one) => number.toLocaleString("en") + " " + one + (number === 1 ? "" : "s");

function table({ columns, rows }) {
  const made = element("table");
  const kinds = columns.map(({ type }) => (type === "number" ? "number" : ""));
  const head = made.createTHead().insertRow();
  columns.forEach(({ name, type }, i) => {
    const cell = element("th", name, kinds[i]);
    cell.title = type;
    head.append(cell);
  });
  const body = made.createTBody();
  for (const row of rows.slice(0, rowsMax)) {
    const line = body.insertRow();
    row.forEach((value, i) =>
      line.append(value === null
        ? element("td", "NULL", ("null " + kinds[i]).trim())
        : element("td", shown(value), kinds[i])));
  }
  return made;
}

function refusal(problem, sql) {
  const lines = [problem.detail ?? problem.title];
  if (problem.position > 0) {
    const before = [...sql].slice(0, problem.position - 1).join("");
    const start = before.lastIndexOf("\\n") + 1;
    lines.push("", sql.slice(start).split("\\n")[0], " ".repeat([...before.slice(start)].length) + "^");
  }
  return element("pre", lines.join("\\n"), "error");
}

async function run() {
  if (running) return running.abort();
  const sql = box.value;
  running = new AbortController();
  button.textContent = "Stop";
  note.textContent = "";
  try {
    const answer = await fetch("/api/v1/analytics/custom-query", {
      method: "POST", body: JSON.stringify({ sql }), signal: running.signal,
      headers: { "content-type": "application/json" },
    });
    const body = JSON.parse(await answer.text(), exact);
    if (answer.ok) {
      const us = body.stats.execution_us;
      note.textContent = count(body.rows.length, "row") + " in "
        + (us < 1000 ? us + " µs" : (us / 1000).toFixed(1) + " ms")
        + (body.rows.length > rowsMax ? ", the first " + rowsMax + " shown" : "");
    }
    out.replaceChildren(answer.ok ? table(body) : refusal(body, sql));
  } catch (error) {
    out.replaceChildren(element("pre", error.name === "AbortError" ? "stopped" : String(error), "error"));
  } finally {
    running = null;
    button.textContent = "Run";
  }
}
form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
});
`;

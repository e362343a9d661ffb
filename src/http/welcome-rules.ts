import { createHash } from "node:crypto";
import { type ShownRule, shownRule } from "../api/rule-text.ts";
import type { RuleBook } from "../stream/rule-book.ts";
import { escapeHtml } from "./escape.ts";
import { welcomeScript } from "./welcome-script.ts";

// The rules on the page at `/`: a list, of which one can be opened to watch its newest windows.

/** Rules that are listed. */
const listedMax = 50;

/** Nothing where there are no rules. */
export function rulesSection(book: RuleBook): string {
  const records = book.list();
  if (records.length === 0) return "";
  const items = records.slice(0, listedMax).map((record) => item(shownRule(book, record)));
  const rest = records.length - items.length;
  if (rest > 0) items.push(`<p>and ${rest} more: <code>millrace rules</code> lists them</p>`);
  return `<h2>Rules</h2>\n<div id="rules">\n${items.join("\n")}\n</div>\n`;
}

function item(rule: ShownRule): string {
  const { name, version, window, paused, backfill } = rule;
  const words = [window.type, window.size ?? `with a gap of ${window.gap}`];
  if (window.slide !== undefined) words.push(`every ${window.slide}`);
  if (window.time_zone !== undefined) words.push(`in ${window.time_zone}`);
  const state = paused ? ", paused" : backfill === null ? "" : ", reading what is stored";
  return (
    `<details name="rule" data-rule="${escapeHtml(name)}"><summary>${escapeHtml(name)}` +
    ` <small>version ${version}, ${escapeHtml(words.join(" "))}${state}</small></summary></details>`
  );
}

/** Follows the script of the query box, whose functions it uses. */
export const rulesScript = `
{
  const shownMax = 20, keptMax = 500;
  const keyOf = (start, { group, other }) => JSON.stringify([start, group, other ?? false]);
  const clock = (time) => time.replace("T", " ").replace(/(\\.0+)?Z$/, "");
  const newest = (a, b) => (a.start < b.start ? 1 : a.start > b.start ? -1 : 0);

  function windowsTable(windows) {
    const named = (member) => [...new Set(windows.flatMap((one) => Object.keys(one[member])))];
    const [keys, values] = [named("group"), named("values")];
    const isNumber = (name) => windows.some((one) => typeof one.values[name] === "number");
    const columns = [
      ...["from", "to", "state", ...keys].map((name) => ({ name, type: "string" })),
      ...values.map((name) => ({ name, type: isNumber(name) ? "number" : "string" })),
      ...["events", "late", "too late"].map((name) => ({ name, type: "number" })),
    ];
    const rows = windows.map((one) => [
      clock(one.start), clock(one.end), one.state.replace("_", " "),
      ...keys.map((name) => (one.other ? "other" : one.group[name] ?? null)),
      ...values.map((name) => one.values[name] ?? null),
      one.count, one.late, one.too_late,
    ]);
    return table({ columns, rows });
  }

  function watch(rule) {
    const box = element("div", "", "windows");
    const say = (text) => box.replaceChildren(element("p", text, "null"));
    rule.append(box);
    let windows = new Map(), goesOn = false;
    const address = "/api/v1/stream/metrics?pace=500ms&groups=200&rule=" + encodeURIComponent(rule.dataset.rule);
    const source = new EventSource(address);
    source.addEventListener("metrics", ({ data }) => {
      const update = JSON.parse(data, exact);
      if (update.snapshot && !goesOn) windows = new Map();
      goesOn = update.more === true;
      for (const one of update.windows) {
        for (const start of one.replaces ?? []) windows.delete(keyOf(start, one));
        windows.set(keyOf(one.start, one), one);
      }
      if (goesOn) return;
      const sorted = [...windows.values()].sort(newest);
      for (const one of sorted.slice(keptMax)) windows.delete(keyOf(one.start, one));
      if (sorted.length === 0) say("no windows yet: they come with events");
      else box.replaceChildren(windowsTable(sorted.slice(0, shownMax)));
    });
    source.addEventListener("failed", ({ data }) => {
      source.close();
      say(JSON.parse(data).error?.detail ?? "it can't be watched");
    });
    source.addEventListener("ended", () => { source.close(); say("the rule is gone"); });
    source.addEventListener("error", () => { if (windows.size === 0) say("no answer; trying again"); });
    return () => { source.close(); box.remove(); };
  }

  const rules = [...document.querySelectorAll("#rules details")];
  for (const rule of rules) {
    let stop = null;
    rule.addEventListener("toggle", () => {
      stop?.();
      stop = rule.open ? watch(rule) : null;
    });
  }
  if (rules.length > 0) rules[0].open = true;
}
`;

export const pageScript = welcomeScript + rulesScript;

/** The page's policy names the script by what it is, so that nothing else runs in it. */
export const scriptSource = `'sha256-${createHash("sha256").update(pageScript).digest("base64")}'`;

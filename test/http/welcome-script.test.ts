import { createContext, Script } from "node:vm";
import { beforeEach, expect, test } from "vitest";
import { welcomeScript } from "../../src/http/welcome-script.ts";
import { FakeElement } from "../support/fake-element.ts";
import { until } from "../support/server.ts";

// The query box of the page at `/`, run over as much of a document as it needs.

let elements: Record<string, FakeElement>;
let asked: { address: string; body: string }[];
let answer: { ok: boolean; text: string };

beforeEach(() => {
  elements = Object.fromEntries(
    ["form", "sql", "run", "note", "out"].map((id) => [id, new FakeElement(id)]),
  );
  asked = [];
  const document = {
    getElementById: (id: string) => elements[id],
    createElement: (name: string) => new FakeElement(name),
  };
  const fetch = async (address: string, { body }: { body: string }) => {
    asked.push({ address, body });
    return { ok: answer.ok, text: async () => answer.text };
  };
  new Script(welcomeScript).runInContext(createContext({ document, fetch, AbortController }));
});

async function run(sql: string): Promise<FakeElement> {
  const { sql: box, form, run: button, out } = elements as Record<string, FakeElement>;
  (box as FakeElement).value = sql;
  (form as FakeElement).listeners.submit?.({ preventDefault: () => {} });
  await until("the answer", () => button?.textContent === "Run");
  return out?.children[0] as FakeElement;
}

test("shows a result, its count and its time", async () => {
  const columns = [
    { name: "a", type: "string" },
    { name: "n", type: "number" },
  ];
  const rows = [
    ["<b>", 1.5],
    [null, 2],
  ];
  answer = { ok: true, text: JSON.stringify({ columns, rows, stats: { execution_us: 1250 } }) };
  const table = await run("SELECT 1");
  expect(asked).toEqual([
    { address: "/api/v1/analytics/custom-query", body: '{"sql":"SELECT 1"}' },
  ]);
  expect(table.rows()).toEqual([
    ["a", "n"],
    ["<b>", "1.5"],
    ["NULL", "2"],
  ]);
  expect(elements.note?.textContent).toBe("2 rows in 1.3 ms");
});

test("shows where a statement is wrong", async () => {
  answer = { ok: false, text: '{"detail":"no column b","position":12}' };
  const shown = await run("SELECT a,\n b FROM events");
  expect(shown.textContent).toBe("no column b\n\n b FROM events\n ^");
  answer = { ok: false, text: '{"title":"Service Unavailable"}' };
  expect((await run("SELECT 1")).textContent).toBe("Service Unavailable");
});

test("says when there is no answer", async () => {
  answer = { ok: true, text: "<html>" };
  expect((await run("SELECT 1")).textContent).toMatch(/SyntaxError/);
});

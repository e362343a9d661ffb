// SELECT from a rule's name: what is read, and what becomes of it.

import { expect, test } from "vitest";
import { parseText, prepareParsed } from "../../src/query/sql/prepare.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import { exampleRule } from "../support/example-rule.ts";

const minute = 60_000_000n;
const start = 1_767_225_600_000_000n;
const rule = exampleRule(
  "SELECT source, sum(properties.amount) AS revenue, count(*) AS n FROM events GROUP BY source",
  { name: "sold" },
);

function row(i: number, source: string, revenue: number): WindowRow {
  const startUs = start + BigInt(i) * minute;
  return {
    startUs,
    endUs: startUs + minute,
    group: [source],
    other: false,
    values: [revenue, i + 1],
    count: i + 1,
    late: 0,
    revised: 0,
    tooLate: i % 2,
    duplicate: 0,
    revision: 0,
    state: i === 0 ? "final" : "early",
    changedAt: 1n,
  };
}

const rows = [row(0, "web", 10), row(0, "shop", 2.5), row(1, "web", 7), row(2, "web", 1)];

function ask(sql: string) {
  const prepared = prepareParsed(parseText(sql), [], (name) => (name === "sold" ? rule : null));
  if (prepared.kind !== "windows") throw new Error(`got ${prepared.kind}`);
  return prepared.select.at(start + 2n * minute);
}

function answer(sql: string) {
  return ask(sql).answer({ rows, more: false, asOf: 5n, executionUs: 1 }).rows;
}

test("its columns are the window, the groups, the values and the ledger", () => {
  const prepared = prepareParsed(parseText("DESCRIBE sold"), [], () => rule);
  if (prepared.kind !== "rows") throw new Error(prepared.kind);
  const context = { catalog: () => [], rules: () => [rule], nowUs: () => 0n };
  expect(prepared.read(context).rows.map(([name, type]) => `${name} ${type}`)).toEqual([
    ...["window_start timestamp with time zone", "window_end timestamp with time zone"],
    ...["source text", "revenue numeric", "n numeric", "events numeric", "late numeric"],
    ...["revised numeric", "too_late numeric", "duplicate numeric", "revision numeric"],
    ...["state text", "final boolean", "other boolean"],
  ]);
});

test("rows are chosen, ordered and grouped", () => {
  expect(
    answer("SELECT source, revenue FROM sold WHERE revenue > 2 ORDER BY revenue DESC"),
  ).toEqual([
    ["web", 10],
    ["web", 7],
    ["shop", 2.5],
  ]);
  expect(
    answer("SELECT source, sum(n) AS n, max(revenue) FROM sold GROUP BY source ORDER BY n DESC"),
  ).toEqual([
    ["web", 6, 10],
    ["shop", 1, 2.5],
  ]);
  expect(
    answer(
      "SELECT time_bucket('2 minutes', window_start) AS t, sum(revenue) FROM sold GROUP BY t ORDER BY t",
    ),
  ).toEqual([
    ["2026-01-01T00:00:00.000Z", 19.5],
    ["2026-01-01T00:02:00.000Z", 1],
  ]);
  expect(answer("SELECT count(*) FROM sold WHERE final AND too_late = 0")).toEqual([[2]]);
});

test("what the condition says plainly is all that is read", () => {
  const sql = `SELECT * FROM sold WHERE source = 'web' AND window_start >= now() - interval '1 minute'
    AND '2026-01-01T00:05:00Z' > window_start ORDER BY window_start DESC LIMIT 3`;
  expect(ask(sql).request).toMatchObject({
    rule: 1,
    fromUs: start + minute,
    toUs: start + 5n * minute,
    groups: [{ key: 0, value: "web" }],
    descending: true,
  });
  expect(ask("SELECT * FROM sold ORDER BY window_start DESC LIMIT 3").request.limit).toBe(3);
  expect(
    ask("SELECT * FROM sold WHERE n > 1 ORDER BY window_start LIMIT 3").request.limit,
  ).toBeGreaterThan(1000);
});

test.each([
  ["SELECT reveue FROM sold", "unknown_column"],
  ["SELECT topk(source, 3) FROM sold", "not_implemented"],
  ["SELECT * FROM slod", "unknown_table"],
])("refuses %s", (sql, code) => {
  let got: unknown;
  try {
    ask(sql);
  } catch (error) {
    got = error;
  }
  expect(got).toMatchObject({ code });
});

test("more windows than one statement may read is an error", () => {
  const many = {
    rows: Array.from({ length: 200_000 }, () => rows[0] as WindowRow),
    more: true,
    asOf: 1n,
    executionUs: 1,
  };
  expect(() => ask("SELECT count(*) FROM sold").answer(many)).toThrow(
    "more than 200000 windows of sold",
  );
});

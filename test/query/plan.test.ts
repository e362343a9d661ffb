// What a plan says, and that no row is lost to what it leaves out.

import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import type { Expression, ScalarFunction } from "../../src/query/expression/expression.ts";
import { barePath } from "../../src/query/expression/expression.ts";
import { describeExpression, describeFilter } from "../../src/query/plan/describe.ts";
import { explainPlan } from "../../src/query/plan/explain.ts";
import { bind, planFilter } from "../../src/query/plan/filter.ts";
import { impliedFilter } from "../../src/query/plan/implied.ts";
import { mayMatch, pruneReason } from "../../src/query/plan/prune.ts";
import { noRollup } from "../../src/query/plan/rollup.ts";
import { selectivity } from "../../src/query/plan/selectivity.ts";
import type { Literal, Predicate, Query } from "../../src/query/query.ts";
import { executeQuery } from "../../src/query/run/execute.ts";
import type { Segment, Zone } from "../../src/query/segments/source.ts";
import { parseSql, parseWhere } from "../../src/query/sql/statement.ts";
import { evaluate } from "../oracle/query.ts";
import { QueryBed, snapshotOf } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { makePredicate, makeRows, pick } from "../support/random-queries.ts";

const hour = 3_600_000_000n;

function segment(id: number, zones: Readonly<Record<string, Zone>>): Segment {
  return {
    id,
    hot: false,
    rows: 1000,
    firstSequence: BigInt(id) * 1000n,
    timeMinUs: BigInt(id) * hour,
    timeMaxUs: BigInt(id + 1) * hour - 1n,
    enter: () => {},
    column: () => 0,
    has: (path, lane) => zones[`${lane} ${path}`] !== undefined,
    zone: (path, lane) => zones[`${lane} ${path}`] ?? null,
    mayHaveText: (_, text) => Buffer.from(text).toString() !== "never",
    columns: () => [],
    received: () => [{ firstRow: 0, receivedAtUs: 0n }],
  };
}

const segments = [0, 1, 2, 3].map((id) =>
  segment(id, {
    [`${layout.LANE_STRING} event_type`]: { min: "a", max: "z" },
    [`${layout.LANE_STRING} source`]: { min: "a", max: "m" },
    ...(id > 0 && {
      [`${layout.LANE_NUMBER} properties.n`]: { min: id * 100, max: id * 100 + 99 },
    }),
  }),
);
const snapshot = { segments, asOf: 4000n, release: () => {} };

test("a plan names segments and why they are left out, rows, columns, keys and order", () => {
  const sql = `SELECT source, time_bucket('1 hour', timestamp) AS h, count(*) AS n, sum(properties.m)
    FROM events WHERE properties.n > 150 AND source = 'b' AND timestamp < timestamptz '1970-01-01T03:00:00Z'
    GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY n DESC LIMIT 5`;
  expect(explainPlan(parseSql(sql), snapshot, noRollup)).toMatchObject({
    segments: { total: 4, hot: 0, read: 2, pruned: { column: 1, time: 1 } },
    rows: { total: 4000, read: 2000 },
    columns: [
      { path: "source", uses: ["filter", "group"], segments: 2 },
      { path: "timestamp", uses: ["filter", "group"], segments: 2 },
      { path: "properties.n", uses: ["filter"], segments: 2 },
      { path: "properties.m", uses: ["aggregate"], segments: 0 },
    ],
    groupBy: [{ text: "source", strategy: "dictionary" }, { strategy: "buckets" }],
    aggregates: ["count(*)", "sum(properties.m)"],
    having: expect.stringContaining("count(*)"),
    order: { strategy: "top", by: ["count(*) DESC"] },
    limit: 5,
    rollup: { rollup: null },
  });
  const { rows, filter } = explainPlan(parseSql(sql), snapshot, noRollup);
  expect(rows.estimated).toBeGreaterThan(0);
  expect(rows.estimated).toBeLessThan(500);
  expect(filter.map(({ text }) => text)).toContain("properties.n > 150");
});

test.each([
  ["event_type = 'never'", "texts"],
  ["event_type = '~'", "zone"],
  ["source IN ('x', 'y')", "zone"],
  ["properties.n > 1000", "zone"],
  ["properties.other = 1", "column"],
  ["sequence < 1000", "rows"],
  ["timestamp < timestamptz '1970-01-01T00:00:01Z'", "time"],
  ["time_bucket('1 hour', timestamp) = timestamptz '1970-01-01T01:00:00Z'", "time"],
  ["properties.n + 10 < 100", "zone"],
])("%s leaves a segment out by its %s", (where, reason) => {
  expect(pruneReason(bind(parseWhere(where), false), segments[2] as Segment)).toBe(reason);
});

test.each([
  "time_bucket('1 hour', timestamp) >= timestamptz '1970-01-01T02:00:00Z'",
  "time_bucket('1 hour', timestamp) < timestamptz '1970-01-01T02:00:01Z'",
  "properties.n + 10 >= 300",
  "properties.n - 10 > 280.5",
  "300 > properties.n",
])("%s may hold in the third segment", (where) => {
  expect(mayMatch(bind(parseWhere(where), false), segments[2] as Segment)).toBe(true);
});

test("zone maps leave out no segment with a row that passes", () => {
  const random = mulberry32(5);
  for (let round = 0; round < 30; round++) {
    const bed = new QueryBed();
    const rows = makeRows(random, 60);
    const { segments: stored } = snapshotOf(bed, rows, [20, 40], 3);
    for (let i = 0; i < 40; i++) {
      const predicate = makePredicate(random, rows);
      const filter = bind(predicate, false);
      for (const one of stored) {
        const first = Number(one.firstSequence);
        const own = rows.slice(first, first + one.rows);
        const passes = own.some((row) => evaluate(predicate, row) === true);
        const part = selectivity(filter, one);
        expect(part).toBeGreaterThanOrEqual(0);
        expect(part).toBeLessThanOrEqual(1);
        if (passes) {
          expect(mayMatch(filter, one), describeFilter(filter)).toBe(true);
          expect(pruneReason(filter, one)).toBe(null);
        } else if (!mayMatch(filter, one)) expect(pruneReason(filter, one)).not.toBe(null);
      }
    }
  }
});

const literal = (value: Literal, type: Expression["type"] = "number"): Expression => ({
  kind: "literal",
  type,
  value,
});
const call = (fn: ScalarFunction, ...args: Expression[]): Expression => ({
  kind: "call",
  type: fn === "+" || fn === "-" ? "number" : "boolean",
  fn,
  args,
});

test("what a condition implies passes every row that the condition passes", () => {
  const random = mulberry32(9);
  const rows = makeRows(random, 400);
  const values = [0, 1, -1, 0.1, 3, 2n ** 53n + 1n, -5.5, 1e15, 1e-9, 2.5];
  let known = 0;
  for (let i = 0; i < 300; i++) {
    const path = `properties.${pick(random, ["small", "wide", "price", "float", "edge"])}`;
    const sum = call(
      pick(random, ["+", "-"] as const),
      { kind: "path", type: "number", path },
      literal(pick(random, values)),
    );
    const bucket: Expression = {
      kind: "bucket",
      type: "timestamp",
      of: barePath("timestamp"),
      width: pick(random, [
        { months: 0, days: 0, us: 7777n },
        { months: 0, days: 1, us: 0n },
        { months: 1, days: 0, us: 0n },
      ]),
      originUs: null,
      zone: pick(random, ["UTC", "Asia/Kolkata"]),
    };
    const isTime = random() < 0.4;
    const of = isTime ? bucket : sum;
    const own = pick(random, rows).cells.get(path);
    const near = typeof own === "number" || typeof own === "bigint" ? own : 0n;
    const bound = isTime
      ? literal(pick(random, rows).timestampUs, "timestamp")
      : literal(random() < 0.6 ? near : pick(random, values));
    const op = pick(random, ["=", "<", "<=", ">", ">="] as const);
    const condition = random() < 0.5 ? call(op, of, bound) : call(op, bound, of);
    const implied = impliedFilter(condition);
    if (implied === null) continue;
    known++;
    const predicate: Predicate = { kind: "test", of: condition };
    for (const row of rows) {
      let isTrue = false;
      try {
        isTrue = evaluate(predicate, row) === true;
      } catch {
        // Beyond 64 bits: nothing is implied about an error.
      }
      if (!isTrue) continue;
      const bed = beds.at(0) as QueryBed;
      bed.clear();
      const { segments: one } = snapshotOf(bed, [row], [], 1);
      expect(mayMatch(implied, one[0] as Segment), describeExpression(condition)).toBe(true);
      break;
    }
  }
  expect(known).toBeGreaterThan(200);
});

const beds = [new QueryBed()];

describe("conditions", () => {
  test("find the same rows in whatever order they come to be tested", () => {
    const bed = new QueryBed();
    const random = mulberry32(12);
    const rows = makeRows(random, 3000);
    const { segments: all, asOf } = snapshotOf(bed, rows, [500, 1000, 1500, 2000], 3);
    for (let i = 0; i < 20; i++) {
      const of = Array.from({ length: 4 }, () => makePredicate(random, rows, 1));
      const where: Predicate = { kind: "and", of };
      const query: Query = {
        ...parseSql("SELECT count(*) FROM events"),
        where,
      };
      const n = rows.filter((row) => evaluate(where, row) === true).length;
      const found = executeQuery(query, { segments: all, asOf, release: () => {} }, bed.state);
      expect(found.rows, describeFilter(planFilter(query))).toEqual([[n]]);
    }
  });
});

test.each([
  ["properties.n > 10", "properties.n > 10"],
  ["properties.n >= 10.5", "properties.n >= 10.5"],
  ["properties.n < 0.1", "properties.n < 0.1"],
  ["properties.n = 3", "properties.n = 3"],
  ["properties.n != 3", "NOT properties.n = 3"],
  ["source LIKE 'ab%'", "source LIKE 'ab%'"],
  ["source IS NULL", "source IS NULL"],
  ["source = 'it''s'", "source = 'it''s'"],
])("%s is described as %s", (where, text) => {
  expect(describeFilter(bind(parseWhere(where), false))).toBe(text);
});

import { expect, test } from "vitest";
import type { Expression } from "../../src/query/expression/expression.ts";
import { resolveNow } from "../../src/query/expression/now.ts";
import type { Predicate, Query } from "../../src/query/query.ts";
import { call, literal, number, path } from "../support/random-expressions.ts";

const nowUs = 1_764_000_000_000_000n;
const now = call("now", "timestamp");
const hour = literal("interval", { months: 0, days: 0, us: -3_600_000_000n });

function query(where: Predicate | null, of: Expression = number(1)): Query {
  return {
    select: [{ of, as: "x" }],
    where,
    fromUs: null,
    toUs: null,
    groupBy: [],
    aggregates: [],
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
  };
}

const test_ = (of: Expression): Predicate => ({ kind: "test", of });
const recent = call(
  ">=",
  "boolean",
  path("timestamp", "timestamp"),
  call("add_interval", "timestamp", now, hour),
);

test("a query without now() stays the same", () => {
  const plain = query(
    test_(call("=", "boolean", path("source", "string"), literal("string", "a"))),
  );
  expect(resolveNow(plain, nowUs)).toBe(plain);
});

test("now() is the instant, and what is constant then is computed", () => {
  const of = call("extract", "number", literal("string", "epoch"), now);
  expect(resolveNow(query(null, of), nowUs).select[0]?.of).toEqual(
    literal("number", Number(nowUs / 1_000_000n)),
  );
  const later = call("add_interval", "timestamp", now, hour);
  expect(resolveNow(query(null, later), nowUs).select[0]?.of).toEqual(
    literal("timestamp", nowUs - 3_600_000_000n),
  );
});

test("a time since now() is the query's range", () => {
  const resolved = resolveNow(query(test_(recent)), nowUs);
  expect(resolved.where).toBe(null);
  expect(resolved.fromUs).toBe(nowUs - 3_600_000_000n);
  const source = test_(call("=", "boolean", path("source", "string"), literal("string", "a")));
  const both = resolveNow(query({ kind: "and", of: [test_(recent), source] }), nowUs);
  expect(both.fromUs).toBe(nowUs - 3_600_000_000n);
  expect(both.where).toEqual({ kind: "compare", path: "source", op: "=", value: "a" });
});

test("what can't be computed stays for the rows that ask for it", () => {
  const age = call("time_difference", "interval", now, path("timestamp", "timestamp"));
  const [selected] = resolveNow(query(null, age), nowUs).select;
  expect(selected?.of).toEqual(
    call(
      "time_difference",
      "interval",
      literal("timestamp", nowUs),
      path("timestamp", "timestamp"),
    ),
  );
});

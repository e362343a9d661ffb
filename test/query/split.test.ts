// How many threads a query over high-cardinality texts is given.

import { describe, expect, test } from "vitest";
import { threadsFor, valuesOf } from "../../src/query/plan/split.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import { parseSql } from "../../src/query/sql/statement.ts";

const segments = (count: number, entries: number): readonly Segment[] =>
  Array.from(
    { length: count },
    () => ({ texts: () => ({ entries, count: 100_000 }) }) as unknown as Segment,
  );
const byUser = parseSql("SELECT user_id, count(*) AS n FROM events GROUP BY user_id");
const users = parseSql("SELECT count(DISTINCT user_id) AS n FROM events");

describe("threads of a query", () => {
  test("are few where merging texts costs more than finding them", () => {
    expect(threadsFor(byUser, segments(8, 63_000), 20e6)).toBe(1);
    expect(threadsFor(users, segments(8, 100_000), 20e6)).toBe(1);
  });

  test("are many where texts are few, or come again in many segments", () => {
    expect(threadsFor(byUser, segments(8, 200), 100e6)).toBeGreaterThan(8);
    expect(threadsFor(byUser, segments(800, 63_000), 2e9)).toBeGreaterThan(2);
    expect(threadsFor(parseSql("SELECT count(*) AS n FROM events"), segments(8, 9), 1)).toBe(1024);
  });

  test("are as many as other work is worth", () => {
    expect(threadsFor(byUser, segments(8, 63_000), 2e9)).toBeGreaterThan(1);
  });

  test("the number of values is found again", () => {
    for (const values of [1000, 50_000, 400_000]) {
      const seen = values * (1 - Math.exp(-100_000 / values));
      expect(valuesOf(seen, 100_000) / values).toBeCloseTo(1, 3);
    }
    expect(valuesOf(100_000, 100_000)).toBe(Number.POSITIVE_INFINITY);
  });
});

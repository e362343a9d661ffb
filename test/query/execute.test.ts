import { describe, expect, test } from "vitest";
import type { Expression } from "../../src/query/expression/expression.ts";
import { barePath, typeOfAggregate } from "../../src/query/expression/expression.ts";
import type { Aggregate, Query } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { executeQuery } from "../../src/query/run/execute.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";
import { QueryBed, snapshotOf } from "../support/query-rows.ts";

const count: Aggregate = { fn: "count", of: null, filter: null, type: "number", parameters: [] };
const base: Query = {
  select: [{ of: { kind: "aggregate", type: "number", aggregate: 0 }, as: "n" }],
  where: null,
  fromUs: null,
  toUs: null,
  groupBy: [],
  aggregates: [count],
  having: null,
  orderBy: [],
  limit: null,
  offset: 0,
  fill: null,
};

/** A query for keys and aggregates, in this order. */
function grouped(
  keys: readonly Expression[],
  aggregates: readonly Aggregate[],
  more: Partial<Query> = {},
): Query {
  return {
    ...base,
    select: [
      ...keys.map(({ type }, key) => ({ of: { kind: "key", type, key } as const, as: `k${key}` })),
      ...aggregates.map(({ type }, aggregate) => {
        return { of: { kind: "aggregate", type, aggregate } as const, as: `a${aggregate}` };
      }),
    ],
    groupBy: keys.map((of, i) => ({ of, as: `k${i}` })),
    aggregates,
    ...more,
  };
}

function aggregate(fn: Aggregate["fn"], path: string): Aggregate {
  const of = barePath(path);
  return { fn, of, filter: null, type: typeOfAggregate(fn, of), parameters: [] };
}

function rowsOf(cells: readonly (OracleCell | undefined)[], path = "properties.x"): OracleRow[] {
  return cells.map((cell, i) => ({
    sequence: BigInt(i),
    timestampUs: BigInt(i),
    receivedAtUs: 0n,
    latenessUs: 0n,
    id: "00000000-0000-4000-8000-000000000000",
    cells: new Map(cell === undefined ? [] : [[path, cell]]),
  }));
}

describe("execution", () => {
  test("nothing stored: counts are 0, other aggregates NULL, groups none", () => {
    const bed = new QueryBed();
    const empty = snapshotOf(bed, [], [], 0);
    const all = [count, aggregate("sum", "properties.x"), aggregate("max", "properties.x")];
    expect(executeQuery(grouped([], all), empty, bed.state).rows).toEqual([[0, null, null]]);
    const query = grouped([barePath("source")], [count]);
    expect(executeQuery(query, empty, bed.state).rows).toEqual([]);
  });

  test("numbers of both kinds are compared without rounding", () => {
    const bed = new QueryBed();
    const rows = rowsOf([9007199254740993n, 9007199254740992, 9007199254740992n]);
    const snapshot = snapshotOf(bed, rows, [], 0);
    const matched = (op: "=" | ">", value: number | bigint): Value | undefined => {
      const where = { kind: "compare" as const, path: "properties.x", op, value };
      return executeQuery({ ...base, where }, snapshot, bed.state).rows[0]?.[0];
    };
    expect(matched("=", 9007199254740993n)).toBe(1);
    expect(matched("=", 9007199254740992)).toBe(2);
    expect(matched(">", 9007199254740992)).toBe(1);
    expect(matched(">", 9007199254740993n)).toBe(0);
  });

  test("an integer sum beyond 64 bits is an error, unless it comes back", () => {
    const bed = new QueryBed();
    const most = 2n ** 63n - 1n;
    const query = grouped([], [aggregate("sum", "properties.x")]);
    const sum = (cells: OracleCell[], cuts: number[]): Value | undefined => {
      const snapshot = snapshotOf(bed, rowsOf(cells), cuts, 0);
      return executeQuery(query, snapshot, bed.state).rows[0]?.[0];
    };
    expect(() => sum([most, 1n], [])).toThrow(/adds up to 9223372036854775808/);
    expect(sum([most, 1n, -1n], [1, 2])).toBe(most);
    expect(sum([most, most, 0.5], [])).toBe(2 ** 64);
  });

  test("a set cancel word ends the query", () => {
    const bed = new QueryBed();
    const snapshot = snapshotOf(bed, rowsOf([1n, 2n]), [], 0);
    const where = { kind: "compare" as const, path: "properties.x", op: ">" as const, value: 1 };
    bed.core.u32[bed.cancel >>> 2] = 1;
    const before = bed.state.run.scratch.left;
    expect(() => executeQuery({ ...base, where }, snapshot, bed.state)).toThrow(
      expect.objectContaining({ code: "query_cancelled" }),
    );
    expect(bed.state.run.scratch.left).toBe(before);
  });

  test("a query whose time is up ends before the next segment", () => {
    const bed = new QueryBed();
    const snapshot = snapshotOf(bed, rowsOf([1n, 2n]), [], 0);
    const now = bed.state.clock.monotonicMs();
    const ask = (deadlineMs: number) => executeQuery(base, snapshot, bed.state, { deadlineMs });
    expect(() => ask(now)).toThrow(expect.objectContaining({ code: "query_timeout", status: 504 }));
    expect(ask(now + 60_000).rows).toEqual([[2]]);
  });

  test("the newest rows are found without a look at older segments", () => {
    const bed = new QueryBed();
    const rows = rowsOf(Array.from({ length: 100 }, (_, i) => BigInt(i)));
    const snapshot = snapshotOf(bed, rows, [20, 40, 60, 80], 0);
    const query: Query = {
      ...base,
      aggregates: [],
      select: [{ of: barePath("properties.x"), as: "x" }],
      orderBy: [{ of: barePath("timestamp"), descending: true, nullsFirst: false }],
      limit: 3,
    };
    const { rows: got, stats } = executeQuery(query, snapshot, bed.state);
    expect(got).toEqual([[99], [98], [97]]);
    expect(stats.rowsScanned).toBe(20);
    expect(stats.segmentsPruned).toBe(4);
  });

  test("keys of one number in both kinds are one group", () => {
    const bed = new QueryBed();
    const cells = [
      1n,
      1,
      1.5,
      "1",
      true,
      null,
      undefined,
      { json: "[1]" },
      2n ** 60n,
      2 ** 60,
      -0,
      0n,
    ];
    const snapshot = snapshotOf(bed, rowsOf(cells), [1, 9], 0);
    const of: Expression = { kind: "key", type: "variant", key: 0 };
    const query = grouped([barePath("properties.x")], [count], {
      orderBy: [{ of, descending: false, nullsFirst: true }],
    });
    expect(executeQuery(query, snapshot, bed.state).rows).toEqual([
      [null, 2],
      [true, 1],
      [0, 2],
      [1, 2],
      [1.5, 1],
      [2n ** 60n, 2],
      ["1", 1],
      [new JsonText("[1]"), 1],
    ]);
  });

  test("the ends of 64 bits are groups, in memory and stored", () => {
    const bed = new QueryBed();
    const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
    const query = grouped([barePath("properties.x")], [count]);
    for (const cells of [[most], [most, most], [least], [least, most], [least, 0.5, most]]) {
      for (const stored of [0, 1]) {
        const snapshot = snapshotOf(bed, rowsOf(cells), [], stored);
        const values = [...new Set(cells)];
        expect(executeQuery(query, snapshot, bed.state).rows).toEqual(
          values.map((value) => [value, cells.filter((one) => one === value).length]),
        );
      }
    }
  });
});

import { describe, expect, test } from "vitest";
import { fromLegacy, type LegacyQuery as Query } from "../../src/query/legacy.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { executeQuery } from "../../src/query/run/execute.ts";
import { formatTime } from "../../src/query/time.ts";
import {
  aggregate,
  cellAt,
  compareBytes,
  groupsOf,
  keyText,
  type OracleCell,
  type OracleRow,
  type OracleValue,
  passes,
} from "../oracle/query.ts";
import { QueryBed, snapshotOf } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import {
  makeAggregateQuery,
  makeRowQuery,
  makeRows,
  type Random,
} from "../support/random-queries.ts";

const times = new Set(["timestamp", "received_at"]);

/** A cell as results show it; -0 keeps its sign only where a cell is shown as it is. */
function shownCell(cell: OracleCell | undefined, path: string | null): Value {
  if (cell == null) return null;
  if (typeof cell === "object") return new JsonText(cell.json);
  if (typeof cell !== "bigint") return cell;
  if (path !== null && times.has(path)) return formatTime(cell);
  if (path === "sequence") return String(cell);
  return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
}

/** Text in which equal values are equal, and doubles that differ in their last bits too. */
function text(value: Value | undefined, loose = false): string {
  if (value instanceof JsonText) return `json ${value.text}`;
  if (typeof value === "number" && loose && !Number.isInteger(value)) return value.toPrecision(12);
  if (typeof value === "number" && Number.isInteger(value)) return `number ${BigInt(value)}`;
  if (typeof value === "bigint") return `number ${value}`;
  return `${typeof value} ${value}`;
}

function cutsOf(random: Random, rows: number): number[] {
  const count = Math.floor(random() * 5);
  return Array.from({ length: count }, () => Math.floor(random() * rows)).sort((a, b) => a - b);
}

function expectedRows(query: Query, rows: readonly OracleRow[]): OracleValue[][] {
  return [...groupsOf(query, rows).values()].map((group) =>
    query.select.map((item) => {
      if (item.kind === "aggregate") return aggregate(item, group.rows);
      return item.kind === "key" ? (group.keys[item.key] ?? null) : null;
    }),
  );
}

function pathOf(query: Query, index: number): string | null {
  const item = query.select[index];
  if (item?.kind === "field") return item.path;
  if (item?.kind === "aggregate") return item.fn === "min" || item.fn === "max" ? item.path : null;
  const key = item && query.groupBy[item.key];
  return key?.kind === "field" ? key.path : "timestamp";
}

/** Group keys that are doubles without a fraction are shown as the integer that they equal. */
function shownKey(value: OracleValue): OracleValue {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 63
    ? BigInt(value)
    : value;
}

function checkAggregates(query: Query, rows: readonly OracleRow[], run: () => Value[][]): void {
  const expected = expectedRows(query, rows);
  if (expected.some((row) => row.includes("overflow"))) {
    expect(run).toThrow(/beyond 64 bits/);
    return;
  }
  const lines = (list: readonly (readonly Value[])[]): string[] =>
    list.map((row) => row.map((value) => text(value, true)).join(" | ")).sort();
  const want = expected.map((row) =>
    row.map((value, i) => {
      const isKey = query.select[i]?.kind === "key";
      return shownCell((isKey ? shownKey(value) : value) as OracleCell, pathOf(query, i));
    }),
  );
  expect(lines(run())).toEqual(lines(want));
}

const seeds = Array.from({ length: 8 }, (_, i) => i + 1);

describe("aggregates over random rows equal the plain way", () => {
  test.each(seeds)("seed %i", (seed) => {
    const random = mulberry32(seed);
    const bed = new QueryBed();
    const rows = makeRows(random, 1 + Math.floor(random() ** 3 * 9000), BigInt(seed) * 1000n);
    const cuts = cutsOf(random, rows.length);
    const snapshot = snapshotOf(bed, rows, cuts, Math.floor(random() * (cuts.length + 2)));
    const before = bed.state.run.scratch.left;
    for (let i = 0; i < 60; i++) {
      const query = makeAggregateQuery(random, rows);
      try {
        checkAggregates(query, rows, () =>
          executeQuery(fromLegacy(query), snapshot, bed.state).rows.map((row) => [...row]),
        );
      } catch (error) {
        const shown = JSON.stringify(query, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
        throw new Error(`seed ${seed}, query ${i}: ${shown}`, { cause: error });
      }
      expect(bed.state.run.scratch.left).toBe(before);
    }
  });
});

function laneOrder(cell: OracleCell): number {
  if (typeof cell === "boolean") return 0;
  if (typeof cell === "string") return 2;
  return typeof cell === "object" ? 3 : 1;
}

function compareCells(a: OracleCell, b: OracleCell): number {
  if (laneOrder(a) !== laneOrder(b)) return laneOrder(a) - laneOrder(b);
  if (typeof a === "string") return compareBytes(a, b as string);
  if (typeof a === "object") {
    return compareBytes((a as { json: string }).json, (b as { json: string }).json);
  }
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : x > y ? 1 : 0;
}

function orderedCells(query: Query, rows: readonly OracleRow[]): OracleRow[] {
  return rows
    .filter((row) => passes(query, row))
    .sort((a, b) => {
      for (const order of query.orderBy) {
        const path = "path" in order ? order.path : "";
        const [x, y] = [cellAt(a, path), cellAt(b, path)];
        if (x == null && y == null) continue;
        if (x == null || y == null) return (x == null) === order.nullsFirst ? -1 : 1;
        const result = compareCells(x, y);
        if (result !== 0) return order.descending ? -result : result;
      }
      return 0;
    })
    .slice(query.offset, query.limit === null ? rows.length : query.offset + query.limit);
}

describe("rows in order equal the plain way", () => {
  test.each(seeds)("seed %i", (seed) => {
    const random = mulberry32(seed + 1000);
    const bed = new QueryBed();
    const rows = makeRows(random, 1 + Math.floor(random() ** 3 * 9000), 5n);
    const cuts = cutsOf(random, rows.length);
    const snapshot = snapshotOf(bed, rows, cuts, Math.floor(random() * (cuts.length + 2)));
    for (let i = 0; i < 40; i++) {
      const query = makeRowQuery(random, rows);
      const want = orderedCells(query, rows).map((row) =>
        query.select.map((item) =>
          item.kind === "field" ? text(shownCell(cellAt(row, item.path), item.path)) : "",
        ),
      );
      const got = executeQuery(fromLegacy(query), snapshot, bed.state).rows.map((row) =>
        row.map((value) => text(value)),
      );
      const shown = JSON.stringify(query, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
      expect(got, `seed ${seed}, query ${i}: ${shown}`).toEqual(want);
    }
  });
});

const count: Query["select"] = [{ kind: "aggregate", fn: "count", path: null, as: "n" }];
const base: Query = {
  select: count,
  where: null,
  fromUs: null,
  toUs: null,
  groupBy: [],
  orderBy: [],
  limit: null,
  offset: 0,
};

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
    const select: Query["select"] = [
      ...count,
      { kind: "aggregate", fn: "sum", path: "properties.x", as: "s" },
      { kind: "aggregate", fn: "max", path: "properties.x", as: "m" },
    ];
    expect(executeQuery(fromLegacy({ ...base, select }), empty, bed.state).rows).toEqual([
      [0, null, null],
    ]);
    const groupBy: Query["groupBy"] = [{ kind: "field", path: "source", as: "s" }];
    expect(executeQuery(fromLegacy({ ...base, groupBy }), empty, bed.state).rows).toEqual([]);
  });

  test("numbers of both kinds are compared without rounding", () => {
    const bed = new QueryBed();
    const rows = rowsOf([9007199254740993n, 9007199254740992, 9007199254740992n]);
    const snapshot = snapshotOf(bed, rows, [], 0);
    const matched = (op: "=" | ">", value: number | bigint): Value | undefined => {
      const where = { kind: "compare" as const, path: "properties.x", op, value };
      return executeQuery(fromLegacy({ ...base, where }), snapshot, bed.state).rows[0]?.[0];
    };
    expect(matched("=", 9007199254740993n)).toBe(1);
    expect(matched("=", 9007199254740992)).toBe(2);
    expect(matched(">", 9007199254740992)).toBe(1);
    expect(matched(">", 9007199254740993n)).toBe(0);
  });

  test("an integer sum beyond 64 bits is an error, unless it comes back", () => {
    const bed = new QueryBed();
    const most = 2n ** 63n - 1n;
    const select: Query["select"] = [
      { kind: "aggregate", fn: "sum", path: "properties.x", as: "total" },
    ];
    const sum = (cells: OracleCell[], cuts: number[]): Value | undefined => {
      const snapshot = snapshotOf(bed, rowsOf(cells), cuts, 0);
      return executeQuery(fromLegacy({ ...base, select }), snapshot, bed.state).rows[0]?.[0];
    };
    expect(() => sum([most, 1n], [])).toThrow(/ adds up to 9223372036854775808/);
    expect(sum([most, 1n, -1n], [1, 2])).toBe(most);
    expect(sum([most, most, 0.5], [])).toBe(2 ** 64);
  });

  test("a set cancel word ends the query", () => {
    const bed = new QueryBed();
    const snapshot = snapshotOf(bed, rowsOf([1n, 2n]), [], 0);
    const where = { kind: "compare" as const, path: "properties.x", op: ">" as const, value: 1 };
    bed.core.u32[bed.cancel >>> 2] = 1;
    const before = bed.state.run.scratch.left;
    expect(() => executeQuery(fromLegacy({ ...base, where }), snapshot, bed.state)).toThrow(
      expect.objectContaining({ code: "query_cancelled" }),
    );
    expect(bed.state.run.scratch.left).toBe(before);
  });

  test("the newest rows are found without a look at older segments", () => {
    const bed = new QueryBed();
    const rows = rowsOf(Array.from({ length: 100 }, (_, i) => BigInt(i)));
    const snapshot = snapshotOf(bed, rows, [20, 40, 60, 80], 0);
    const query: Query = {
      ...base,
      select: [{ kind: "field", path: "properties.x", as: "x" }],
      orderBy: [{ path: "timestamp", descending: true, nullsFirst: false }],
      limit: 3,
    };
    const { rows: got, stats } = executeQuery(fromLegacy(query), snapshot, bed.state);
    expect(got).toEqual([[99], [98], [97]]);
    expect(stats.rowsScanned).toBe(20);
  });

  test("keys of one number in both kinds are one group", () => {
    const bed = new QueryBed();
    const cells = [1n, 1, 1.5, "1", true, null, undefined, { json: "[1]" }, 2n ** 60n, 2 ** 60];
    const snapshot = snapshotOf(bed, rowsOf(cells), [1, 9], 0);
    const query: Query = {
      ...base,
      select: [{ kind: "key", key: 0, as: "x" }, ...count],
      groupBy: [{ kind: "field", path: "properties.x", as: "x" }],
      orderBy: [{ item: 0, descending: false, nullsFirst: true }],
    };
    expect(executeQuery(fromLegacy(query), snapshot, bed.state).rows).toEqual([
      [null, 2],
      [true, 1],
      [1, 2],
      [1.5, 1],
      [2n ** 60n, 2],
      ["1", 1],
      [new JsonText("[1]"), 1],
    ]);
    expect(keyText(1)).toBe(keyText(1n));
  });
});

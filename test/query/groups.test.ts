// What groups are made of: every mix of lanes, many of them, their order, gaps and limits.

import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import type { Expression } from "../../src/query/expression/expression.ts";
import { barePath } from "../../src/query/expression/expression.ts";
import type { Aggregate, Query } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { executeQuery, startQuery } from "../../src/query/run/execute.ts";
import type { Segment, Snapshot } from "../../src/query/segments/source.ts";
import { compareValues, type OracleCell, type OracleRow, valueText } from "../oracle/query.ts";
import { QueryBed, snapshotOf, writeColumn } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";

const mib = 1024 * 1024;
const count: Aggregate = { fn: "count", of: null, filter: null, type: "number", parameters: [] };
const counted: Expression = { kind: "aggregate", type: "number", aggregate: 0 };
const most = { of: counted, descending: true, nullsFirst: true };

function query(keys: readonly Expression[], more: Partial<Query> = {}): Query {
  return {
    select: [
      ...keys.map(({ type }, key) => ({ of: { kind: "key", type, key } as const, as: `k${key}` })),
      { of: counted, as: "n" },
    ],
    where: null,
    fromUs: null,
    toUs: null,
    groupBy: keys.map((of, i) => ({ of, as: `k${i}` })),
    aggregates: [count],
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
    ...more,
  };
}

function rowsOf(cells: readonly ReadonlyMap<string, OracleCell>[]): OracleRow[] {
  return cells.map((own, i) => ({
    sequence: BigInt(i),
    timestampUs: BigInt(i) * 1_000_000n,
    receivedAtUs: 0n,
    latenessUs: 0n,
    id: `00000000-0000-4000-8000-${String(i % 50).padStart(12, "0")}`,
    cells: own,
  }));
}

/** A value of each lane, some of them often and some of them far apart. */
const lanes: Readonly<Record<string, (i: number) => OracleCell | undefined>> = {
  absent: () => undefined,
  null: () => null,
  boolean: (i) => i % 3 === 0,
  small: (i) => BigInt(i % 7),
  far: (i) => BigInt(i % 11) * 10n ** 14n,
  double: (i) => (i % 5) / 4,
  string: (i) => `text ${i % 13}`,
  json: (i) => ({ json: `[${i % 3}]` }),
};

function shown(cell: OracleCell | undefined): Value {
  if (cell == null) return null;
  if (typeof cell === "object") return new JsonText(cell.json);
  return typeof cell === "bigint" ? Number(cell) : cell;
}

describe("keys of every mix of lanes", () => {
  const names = Object.keys(lanes);
  const pairs = names.flatMap((a, i) => names.slice(i).map((b) => [a, b] as const));
  test.each(pairs)("%s and %s", (a, b) => {
    const bed = new QueryBed();
    const cells = Array.from({ length: 300 }, (_, i) => {
      const cell = lanes[i % 2 === 0 ? a : b]?.(i);
      const second = lanes[i % 3 === 0 ? b : a]?.(i >> 2);
      return new Map([
        ...(cell === undefined ? [] : ([["properties.x", cell]] as const)),
        ...(second === undefined ? [] : ([["properties.y", second]] as const)),
      ]);
    });
    const snapshot = snapshotOf(bed, rowsOf(cells), [70, 200], 1);
    const keys = [barePath("properties.x"), barePath("properties.y")];
    for (const paths of [["properties.x"], ["properties.x", "properties.y"]]) {
      const wanted = new Map<string, { keys: Value[]; n: number }>();
      for (const own of cells) {
        const values = paths.map((path) => shown(new Map<string, OracleCell>(own).get(path)));
        const name = values.map(valueText).join("\0");
        const group = wanted.get(name) ?? { keys: values, n: 0 };
        group.n++;
        wanted.set(name, group);
      }
      const want = [...wanted.values()].sort((x, y) => {
        const k = x.keys.findIndex((one, i) => compareValues(one, y.keys[i] ?? null) !== 0);
        return compareValues(x.keys[k] ?? null, y.keys[k] ?? null);
      });
      const { rows } = executeQuery(query(keys.slice(0, paths.length)), snapshot, bed.state);
      expect(rows).toEqual(want.map((group) => [...group.keys, group.n]));
    }
  });
});

/** Segments with a text column of `distinct` texts and a number column, as few JavaScript values as possible. */
function manyRows(
  bed: QueryBed,
  rows: number,
  text: ((row: number) => string) | null,
  number = (row: number): bigint => BigInt(row % 1000),
): Snapshot {
  const segments: Segment[] = [];
  for (let first = 0, id = 0; first < rows; first += layout.SEGMENT_ROWS_MAX, id++) {
    const length = Math.min(layout.SEGMENT_ROWS_MAX, rows - first);
    const stored = id % 2 === 0;
    const numbers = Array.from({ length }, (_, i) => number(first + i));
    const columns = new Map([
      ["0 properties.n", writeColumn(bed, layout.LANE_NUMBER, numbers, { stored })],
    ]);
    if (text !== null) {
      const cells = Array.from({ length }, (_, i) => text(first + i));
      columns.set("1 user_id", writeColumn(bed, layout.LANE_STRING, cells, { stored }));
    }
    segments.push({
      id,
      hot: !stored,
      rows: length,
      firstSequence: BigInt(first),
      timeMinUs: 0n,
      timeMaxUs: 0n,
      enter: () => {},
      column: (path, lane) => columns.get(`${lane} ${path}`) ?? 0,
      has: (path, lane) => columns.has(`${lane} ${path}`),
      zone: () => null,
      mayHaveText: () => true,
      columns: () => [],
      received: () => [{ firstRow: 0, receivedAtUs: 0n }],
    });
  }
  return { segments, asOf: BigInt(rows), release: () => {} };
}

describe("many groups", () => {
  test("a million, in parts, by their count and by their key", () => {
    const bed = new QueryBed(512 * mib, 512 * mib);
    const rows = 1_000_000;
    const far = 10n ** 9n;
    const number = (row: number): bigint => BigInt((row * 7919) % rows) * far;
    const snapshot = manyRows(bed, rows, null, number);
    const one = { of: barePath("properties.n"), as: "n" };
    const byKey = query([one.of], { limit: 3, offset: 1 });
    expect(executeQuery(byKey, snapshot, bed.state).rows).toEqual([
      [1e9, 1],
      [2e9, 1],
      [3e9, 1],
    ]);
    const { scratch } = bed.state.run;
    const parts = [0, 1].map((half) => {
      scratch.reset();
      const execution = startQuery(query([one.of]), bed.state);
      for (let i = half; i < 8; i += 2) {
        const from = BigInt(i) * 125_000n;
        execution.run(snapshot, { from, to: from + 125_000n });
      }
      return execution.partial();
    });
    scratch.reset();
    const whole = startQuery(query([one.of], { orderBy: [most], limit: 2 }), bed.state);
    for (const part of parts) whole.merge(part);
    const { rows: top, stats } = whole.finish();
    expect(stats.groups).toBe(rows);
    expect(top).toEqual([
      [0, 1],
      [1e9, 1],
    ]);
    scratch.reset();
  });

  test("more than are allowed, or than there is memory for, is an error that says so", () => {
    const bed = new QueryBed(256 * mib, 64 * mib);
    const snapshot = manyRows(bed, 300_000, (row) => `user ${row % 150_000}`);
    const keys = [barePath("user_id")];
    expect(() => executeQuery(query(keys), snapshot, bed.state, { groups: 100_000 })).toThrow(
      /at least \d+ groups, 100000 are allowed/,
    );
    bed.state.run.scratch.reset(4 * mib);
    const execution = startQuery(query(keys), bed.state);
    expect(() => execution.run(snapshot)).toThrow(
      expect.objectContaining({ code: "query_memory", status: 413 }),
    );
    bed.state.run.scratch.reset();
  });

  test("two keys whose combinations are too many to be numbered", () => {
    const bed = new QueryBed(256 * mib, 128 * mib);
    const random = mulberry32(3);
    const users = Array.from({ length: 150_000 }, () => Math.floor(random() * 20_000));
    const snapshot = manyRows(bed, users.length, (row) => `user ${users[row]}`);
    const wanted = new Map<string, number>();
    users.forEach((user, row) => {
      const name = `${user} ${row % 1000}`;
      wanted.set(name, (wanted.get(name) ?? 0) + 1);
    });
    const keys = [barePath("user_id"), barePath("properties.n")];
    const { rows, stats } = executeQuery(query(keys), snapshot, bed.state);
    expect(stats.groups).toBe(wanted.size);
    const wrong = rows.filter(([user, n, rowsOfGroup]) => {
      return wanted.get(`${String(user).slice(5)} ${n}`) !== rowsOfGroup;
    });
    expect(wrong).toEqual([]);
  });
});

const bucket: Expression = {
  kind: "bucket",
  type: "timestamp",
  of: barePath("timestamp"),
  width: { months: 0, days: 0, us: 10_000_000n },
  originUs: 0n,
  zone: "UTC",
};

describe("gaps", () => {
  const cells = [0, 1, 2, 35, 41, 42].map((second) => ({
    second,
    source: second < 40 ? "a" : "b",
  }));
  const rows = (bed: QueryBed): Snapshot =>
    snapshotOf(
      bed,
      cells.map(({ second, source }, i) => ({
        ...(rowsOf([new Map([["source", source]])])[0] as OracleRow),
        sequence: BigInt(i),
        timestampUs: BigInt(second) * 1_000_000n,
      })),
      [],
      0,
    );
  const at = (second: number): string => new Date(second * 1000).toISOString();

  test("are filled with 0, NULL or what was before, for each of the other keys", () => {
    const bed = new QueryBed();
    const keys = [bucket, barePath("source")];
    const filled = (fill: Query["fill"]): (readonly Value[])[] => [
      ...executeQuery(query(keys, { fill }), rows(bed), bed.state).rows,
    ];
    const line = (source: string, values: (number | null)[]): Value[][] =>
      values.map((value, i) => [at(i * 10), source, value]);
    const merged = (a: (number | null)[], b: (number | null)[]): Value[][] => {
      const [x, y] = [line("a", a), line("b", b)];
      return x.flatMap((row, i) => [row, y[i] as Value[]]);
    };
    expect(filled("zero")).toEqual(merged([3, 0, 0, 1, 0], [0, 0, 0, 0, 2]));
    expect(filled("null")).toEqual(merged([3, null, null, 1, null], [null, null, null, null, 2]));
    expect(filled("previous")).toEqual(merged([3, 3, 3, 1, 1], [null, null, null, null, 2]));
  });

  test("reach over the query's range, are ordered and cut with the rest", () => {
    const bed = new QueryBed();
    const more = { fill: "zero" as const, fromUs: -20_000_000n, toUs: 60_000_001n };
    const { rows: all } = executeQuery(query([bucket], more), rows(bed), bed.state);
    expect(all.map(([start]) => start)).toEqual([-20, -10, 0, 10, 20, 30, 40, 50, 60].map(at));
    const top = { ...more, orderBy: [most], limit: 3, offset: 1 };
    const cut = executeQuery(query([bucket], top), rows(bed), bed.state);
    expect(cut.rows).toEqual([
      [at(40), 2],
      [at(30), 1],
      [at(-20), 0],
    ]);
    const none = { ...more, where: { kind: "constant" as const, value: false } };
    expect(executeQuery(query([bucket], none), rows(bed), bed.state).rows).toHaveLength(9);
  });

  test("that would be too many are refused with their number", () => {
    const bed = new QueryBed();
    const more = { fill: "zero" as const, toUs: 10n ** 15n };
    expect(() => executeQuery(query([bucket], more), rows(bed), bed.state, { rows: 1000 })).toThrow(
      /about 100000000 rows, 1000 are allowed/,
    );
  });
});

test("HAVING chooses, ORDER BY of equal groups goes by their keys", () => {
  const bed = new QueryBed();
  const sources = ["b", "a", "c", "a", "d", "c", "a"];
  const cells = sources.map((source) => new Map([["source", source]]));
  const snapshot = snapshotOf(bed, rowsOf(cells), [3], 1);
  const one: Expression = { kind: "literal", type: "number", value: 2 };
  const having: Expression = { kind: "call", type: "boolean", fn: "<=", args: [counted, one] };
  const answer = executeQuery(
    query([barePath("source")], { having, orderBy: [{ ...most, descending: false }] }),
    snapshot,
    bed.state,
  );
  expect(answer.rows).toEqual([
    ["b", 1],
    ["d", 1],
    ["c", 2],
  ]);
  expect(answer.stats.groups).toBe(4);
});

test("a part of another query, or with a flipped bit, is refused", () => {
  const bed = new QueryBed();
  const snapshot = snapshotOf(bed, rowsOf([new Map([["source", "a"]])]), [], 0);
  const execution = startQuery(query([barePath("source")]), bed.state);
  execution.run(snapshot);
  const bytes = execution.partial();
  for (const at of [0, 4, 6, 9, 13, 20, bytes.length - 1]) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] as number) ^ 4;
    expect(() => execution.merge(damaged)).toThrow(
      expect.objectContaining({ code: "partial_corrupt" }),
    );
  }
  expect(() => execution.merge(bytes.subarray(0, 10))).toThrow(/10 bytes/);
  const rows = startQuery(
    { ...query([]), aggregates: [], select: [{ of: barePath("source"), as: "s" }] },
    bed.state,
  );
  expect(() => rows.merge(bytes)).toThrow(/another kind/);
  bed.state.run.scratch.reset();
});

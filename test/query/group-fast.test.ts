// What groups rows without a group for each row: runs of rows in one bucket, counts of codes, texts that are kept
// between queries; and what orders groups without a value for each group. All against plain loops.

import { afterAll, describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { PathTexts } from "../../src/query/columns/path-texts.ts";
import { executeQuery } from "../../src/query/run/execute.ts";
import type { QueryThreadState } from "../../src/query/run/scan.ts";
import type { Segment, Snapshot } from "../../src/query/segments/source.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { OracleCell } from "../oracle/query.ts";
import { QueryBed, writeColumn } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";

type Random = () => number;

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

const mib = 1024 * 1024;
const startUs = 1_790_000_000_000_000n;

interface Row {
  readonly time: bigint;
  readonly n: bigint | number | undefined;
  readonly text: string | undefined;
  readonly json: string | undefined;
  readonly flag: boolean | undefined;
}

/** What an event stream may look like: how far rows lie apart, and how far each is from its place. */
interface Shape {
  readonly rows: number;
  readonly stepUs: number;
  readonly jitterUs: number;
  readonly texts: number;
  readonly number: (random: Random) => bigint | number;
  readonly present: number;
}

function shapeOf(random: Random): Shape {
  return {
    rows: 1 + Math.floor(random() * 12_000),
    stepUs: pick(random, [0, 500, 20_000, 5_000_000]),
    jitterUs: pick(random, [0, 0, 3_000_000, 400_000_000]),
    texts: pick(random, [1, 3, 200, 1500, 8000]),
    number: pick(random, [
      (draw: Random) => BigInt(Math.floor(draw() * 200)) - 50n,
      (draw: Random) => BigInt(Math.floor(draw() * 60_000)) + 2n ** 48n,
      (draw: Random) => BigInt(Math.floor(draw() * 2 ** 32)) - 2n ** 49n,
      (draw: Random) => Math.floor(draw() * 50_000) / 4,
      (draw: Random) => BigInt(Math.floor(draw() * 1e9)) * 4096n,
      (draw: Random) => (draw() < 0.5 ? draw() * 100 : BigInt(Math.floor(draw() * 100))),
    ]),
    present: pick(random, [1, 1, 0.9, 0.1]),
  };
}

function rowsOf(random: Random, shape: Shape, first: number): Row[] {
  const some = <T>(value: T): T | undefined => (random() < shape.present ? value : undefined);
  return Array.from({ length: shape.rows }, (_, i) => {
    const at = (first + i) * shape.stepUs + random() * shape.jitterUs;
    const text = some(`text ${Math.floor(random() ** 2 * shape.texts)}`);
    return {
      time: startUs + BigInt(Math.floor(at)),
      n: some(shape.number(random)),
      text,
      json: text === undefined && random() < 0.5 ? `[${i % 3}]` : undefined,
      flag: some(random() < 0.3),
    };
  });
}

function segmentOf(bed: QueryBed, rows: readonly Row[], id: number, first: number): Segment {
  const stored = id % 2 === 0;
  const columns = new Map<string, number>();
  const add = (path: string, lane: number, cells: (OracleCell | undefined)[]): void => {
    if (cells.every((cell) => cell === undefined)) return;
    columns.set(`${lane} ${path}`, writeColumn(bed, lane, cells, { stored }));
  };
  const { LANE_NUMBER, LANE_STRING, LANE_BOOLEAN, LANE_JSON } = layout;
  add(
    "timestamp",
    LANE_NUMBER,
    rows.map(({ time }) => time),
  );
  add(
    "properties.n",
    LANE_NUMBER,
    rows.map(({ n }) => n),
  );
  add(
    "properties.t",
    LANE_STRING,
    rows.map(({ text }) => text),
  );
  add(
    "properties.t",
    LANE_JSON,
    rows.map(({ json }) => (json === undefined ? undefined : { json })),
  );
  add(
    "properties.f",
    LANE_BOOLEAN,
    rows.map(({ flag }) => flag),
  );
  const times = rows.map(({ time }) => time);
  return {
    id,
    hot: !stored,
    rows: rows.length,
    firstSequence: BigInt(first),
    timeMinUs: times.reduce((a, b) => (a < b ? a : b)),
    timeMaxUs: times.reduce((a, b) => (a > b ? a : b)),
    enter: () => {},
    column: (path, lane) => columns.get(`${lane} ${path}`) ?? 0,
    has: (path, lane) => columns.has(`${lane} ${path}`),
    zone: () => null,
    mayHaveText: () => true,
    columns: () => [],
    received: () => [{ firstRow: 0, receivedAtUs: 0n }],
  };
}

function snapshotOf(bed: QueryBed, random: Random): { rows: Row[]; snapshot: Snapshot } {
  const rows: Row[] = [];
  const shape = shapeOf(random);
  const segments = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, id) => {
    const own = rowsOf(random, { ...shape, rows: Math.ceil(shape.rows * random()) }, rows.length);
    const segment = segmentOf(bed, own, id, rows.length);
    rows.push(...own);
    return segment;
  });
  return { rows, snapshot: { segments, asOf: BigInt(rows.length), release: () => {} } };
}

function groupsOf<K>(rows: readonly Row[], key: (row: Row) => K): Map<K, Row[]> {
  const groups = new Map<K, Row[]>();
  for (const row of rows) {
    const own = groups.get(key(row));
    if (own) own.push(row);
    else groups.set(key(row), [row]);
  }
  return groups;
}

/** How often each kernel of these had something to do. */
const taken = new Map<string, number>();

/** The state of a thread that says which kernels it calls. */
function watchedState(bed: QueryBed, texts?: PathTexts): QueryThreadState {
  const kernels = { ...bed.state.run.kernels };
  for (const name of ["groupRuns", "groupCounted", "groupNumbered"] as const) {
    const kernel = kernels[name] as (...parts: unknown[]) => number;
    Object.assign(kernels, {
      [name]: (...parts: unknown[]): number => {
        const answer = kernel(...parts);
        if (answer > 0) taken.set(name, (taken.get(name) ?? 0) + 1);
        return answer;
      },
    });
  }
  return { ...bed.state, run: { ...bed.state.run, kernels, ...(texts && { texts }) } };
}

/** As `watchedState`, of a thread that keeps texts between its queries. */
function keepingState(bed: QueryBed): QueryThreadState {
  const texts = new PathTexts(bed.core, bed.take(8 * mib), 8 * mib);
  texts.begin();
  return watchedState(bed, texts);
}

afterAll(() => {
  expect([...taken.keys()].sort()).toEqual(["groupCounted", "groupNumbered", "groupRuns"]);
});

const iso = (us: bigint): string => new Date(Number(us / 1000n)).toISOString();

/** Rows with n in a range, all of them, or those of a text: masks with holes and without. */
const filters: readonly (readonly [sql: string, passes: (row: Row) => boolean])[] = [
  ["", () => true],
  ["WHERE properties.n > 20", ({ n }) => n !== undefined && n > 20],
  ["WHERE properties.f", ({ flag }) => flag === true],
];

function firstOf(rows: readonly Row[], name: "text" | "json"): string | null {
  return rows.flatMap((row) => row[name] ?? []).sort()[0] ?? null;
}

describe("runs of rows in one bucket", () => {
  for (let seed = 1; seed <= 24; seed++) {
    test(`seed ${seed}`, () => {
      const random = mulberry32(seed);
      const bed = new QueryBed();
      const { rows, snapshot } = snapshotOf(bed, random);
      const [where, passes] = pick(random, filters);
      const [name, widthUs] = pick(random, [
        ["10 seconds", 10_000_000n],
        ["1 minute", 60_000_000n],
        ["1 day", 86_400_000_000n],
      ] as const);
      const sql = `SELECT time_bucket('${name}', timestamp) AS b, count(*), count(properties.n),
        sum(properties.n), avg(properties.n), min(properties.n), max(properties.n),
        min(properties.t), max(properties.f) FROM events ${where} GROUP BY b ORDER BY b`;
      const answer = executeQuery(parseSql(sql), snapshot, watchedState(bed)).rows;
      const groups = [...groupsOf(rows.filter(passes), ({ time }) => time / widthUs)];
      groups.sort(([a], [b]) => Number(a - b));
      expect(answer.map(([b, all, some]) => [b, all, some])).toEqual(
        groups.map(([bucket, own]) => [
          iso(bucket * widthUs),
          own.length,
          own.filter(({ n }) => n !== undefined).length,
        ]),
      );
      for (const [i, [, own]] of groups.entries()) {
        const numbers = own.flatMap(({ n }) => (n === undefined ? [] : [n]));
        const [sum, avg, least, most, firstText, anyFlag] = (answer[i] as unknown[]).slice(3);
        const flags = own.flatMap(({ flag }) => (flag === undefined ? [] : [flag]));
        expect(asKey(firstText)).toBe(firstOf(own, "text") ?? firstOf(own, "json"));
        expect(anyFlag).toBe(flags.length === 0 ? null : flags.includes(true));
        if (numbers.length === 0) {
          expect([sum, avg, least, most]).toEqual([null, null, null, null]);
          continue;
        }
        const sorted = numbers.slice().sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        expect(Number(least)).toBe(Number(sorted[0]));
        expect(Number(most)).toBe(Number(sorted.at(-1)));
        const whole = numbers.every((one) => typeof one === "bigint");
        if (whole) {
          const want = (numbers as bigint[]).reduce((a, b) => a + b);
          expect(BigInt(sum as number | bigint)).toBe(want);
          expect(avg).toBe(Number(want) / numbers.length);
        } else {
          const want = numbers.reduce<number>((a, b) => a + Number(b), 0);
          expect(sum).toBeCloseTo(want, 3);
          expect(avg).toBeCloseTo(want / numbers.length, 6);
        }
      }
    });
  }
});

describe("counts of codes", () => {
  for (let seed = 101; seed <= 124; seed++) {
    test(`seed ${seed}`, () => {
      const random = mulberry32(seed);
      const bed = new QueryBed();
      const { rows, snapshot } = snapshotOf(bed, random);
      const [where, passes] = pick(random, filters);
      const state = random() < 0.5 ? watchedState(bed) : keepingState(bed);
      const keys: [string, (row: Row) => string | boolean | null][] = [
        ["properties.t", (row) => row.text ?? row.json ?? null],
        ["properties.f", (row) => row.flag ?? null],
      ];
      for (const [path, key] of keys) {
        const sql = `SELECT ${path}, count(*) FROM events ${where} GROUP BY 1`;
        const answer = executeQuery(parseSql(sql), snapshot, state).rows;
        const want = groupsOf(rows.filter(passes), key);
        const got = new Map(answer.map(([value, n]) => [asKey(value), n]));
        expect(got).toEqual(new Map([...want].map(([value, own]) => [value, own.length])));
        expect(answer.length).toBe(want.size);
      }
    });
  }
});

/** JSON values as their text. */
function asKey(value: unknown): unknown {
  return typeof value === "object" && value !== null
    ? String((value as { text: string }).text)
    : value;
}

describe("texts that are kept, and groups in the order of their numbers", () => {
  for (let seed = 201; seed <= 216; seed++) {
    test(`seed ${seed}`, () => {
      const random = mulberry32(seed);
      const bed = new QueryBed(96 * mib);
      const { rows, snapshot } = snapshotOf(bed, random);
      const state = keepingState(bed);
      const [where, passes] = pick(random, filters);
      const order = pick(random, ["DESC", "ASC"]);
      const sql = `SELECT properties.t, extract(epoch FROM max(timestamp) - min(timestamp)) AS span, count(*),
        max(timestamp) FROM events ${where} GROUP BY 1 ORDER BY span ${order}, 1 LIMIT 40`;
      const spans = [...groupsOf(rows.filter(passes), (row) => row.text ?? row.json ?? null)].map(
        ([key, own]) => {
          const times = own.map(({ time }) => time).sort((a, b) => Number(a - b));
          const last = times.at(-1) as bigint;
          return { key, span: Number(last - (times[0] as bigint)) / 1e6, n: own.length, last };
        },
      );
      spans.sort((a, b) => (order === "DESC" ? b.span - a.span : a.span - b.span));
      for (let round = 0; round < 2; round++) {
        const answer = executeQuery(parseSql(sql), snapshot, state).rows;
        expect(answer.map(([, span]) => span)).toEqual(spans.slice(0, 40).map(({ span }) => span));
        const byKey = new Map(spans.map((one) => [one.key, one]));
        for (const [key, span, n, last] of answer) {
          const want = byKey.get(asKey(key) as string | null);
          const time = Number(Date.parse(last as string));
          expect([span, n, time]).toEqual([
            want?.span,
            want?.n,
            Math.floor(Number(want?.last) / 1000),
          ]);
        }
      }
    });
  }
});

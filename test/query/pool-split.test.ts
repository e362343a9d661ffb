// A query that several workers read has the answer of one that a single thread reads, whatever happens to the
// segments meanwhile: rows stream in, slots are sealed and freed, segments are merged and dropped.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QueryPool } from "../../src/engine/query-pool.ts";
import type { QueryResult, Value } from "../../src/query/result.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { OracleRow } from "../oracle/query.ts";
import { type PoolBed, PoolStand } from "../support/pool-bed.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";

const small = (row: OracleRow): bigint => (row.cells.get("properties.small") as bigint) ?? 0n;
const text = (row: OracleRow, path: string): string | null =>
  (row.cells.get(path) as string | undefined) ?? null;

interface Question {
  readonly sql: string;
  /** The rows that are to come out. */
  readonly answer: (rows: readonly OracleRow[]) => Value[][];
}

function counted(
  rows: readonly OracleRow[],
  key: (row: OracleRow) => string | null,
): [string | null, number][] {
  const counts = new Map<string | null, number>();
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  return [...counts];
}

const byText = (a: string | null, b: string | null): number =>
  a === null || b === null
    ? Number(a === null) - Number(b === null)
    : Buffer.compare(Buffer.from(a), Buffer.from(b));

const questions: readonly Question[] = [
  {
    sql: "SELECT count(*) AS n, sum(properties.small) AS s, max(sequence) AS last FROM events",
    answer: (rows) => [
      [
        rows.length,
        rows.length === 0 ? null : Number(rows.reduce((sum, row) => sum + small(row), 0n)),
        rows.length === 0 ? null : String(rows.at(-1)?.sequence),
      ],
    ],
  },
  {
    sql: "SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY event_type",
    answer: (rows) =>
      counted(rows, (row) => text(row, "event_type")).sort(([a], [b]) => byText(a, b)),
  },
  {
    sql:
      "SELECT user_id, count(*) AS n FROM events WHERE properties.small > 0 GROUP BY user_id " +
      "ORDER BY n DESC, user_id LIMIT 5",
    answer: (rows) =>
      counted(
        rows.filter((row) => small(row) > 0n),
        (row) => text(row, "user_id"),
      )
        .sort(([a, n], [b, m]) => m - n || byText(a, b))
        .slice(0, 5),
  },
  {
    sql: "SELECT sequence, properties.small FROM events ORDER BY properties.small DESC, sequence LIMIT 4",
    answer: (rows) =>
      [...rows]
        .sort((a, b) => Number(small(b) - small(a)) || Number(a.sequence - b.sequence))
        .slice(0, 4)
        .map((row) => [String(row.sequence), Number(small(row))]),
  },
];

describe("queries in parts", () => {
  let stand: PoolStand;
  let bed: PoolBed;
  let pool: QueryPool;
  /** Where the kept rows began and begin, and how many of these the pool has been told. */
  const begins = [0];
  let told = 0;
  const late: (() => void)[] = [];

  beforeAll(() => {
    stand = new PoolStand();
    bed = stand.bed;
    pool = stand.open({ ownCells: 0, helperCells: 1 });
  });

  afterAll(() => stand.close());

  /** Asks, and compares the answer with that over the rows that it says it has seen. */
  async function ask({ sql, answer }: Question): Promise<QueryResult> {
    const known = told;
    const result = await pool.query(parseSql(sql));
    const rows = bed.rows.slice(0, Number(result.asOf));
    // Whole segments are dropped: the answer is that before or after it, for as long as the pool was not told.
    const wanted = begins.slice(known).map((from) => answer(rows.slice(from)));
    const match = wanted.find((one) => JSON.stringify(one) === JSON.stringify(result.rows));
    if (match === undefined) expect(result.rows, sql).toEqual(wanted[0]);
    return result;
  }

  test("are read by several workers", async () => {
    const random = mulberry32(1);
    for (let i = 0; i < 6; i++) {
      bed.append(makeRows(random, 1500, BigInt(bed.rows.length)));
      if (i < 5) pool.segments([await bed.seal(true)], []);
    }
    for (const question of questions) await ask(question);
    for (let i = 0; i < 20; i++) await ask(questions[i % questions.length] as Question);
    expect(pool.figures().split).toBeGreaterThan(0);
    expect(pool.figures().repeated).toBe(0);
  });

  test("see one state of the rows, whatever becomes of the segments", async () => {
    const seed = Number(process.env.MILLRACE_POOL_SEED ?? 7);
    const random = mulberry32(seed);
    const chance = (below: number): number => Math.floor(random() * below);
    const asked: Promise<unknown>[] = [];
    for (let step = 0; step < 80; step++) {
      for (let i = chance(4); i > 0; i--)
        asked.push(ask(questions[chance(questions.length)] as Question));
      const what = chance(10);
      if (what < 5) bed.append(makeRows(random, 1 + chance(600), BigInt(bed.rows.length)));
      else if (what < 7) await sealSome();
      else if (what === 7) await compactSome(chance);
      else if (what === 8 && bed.store.segments().length > 3) await dropOne();
      else late.splice(0, 1 + chance(late.length)).forEach((tell) => tell());
      if (chance(2) === 0) await Promise.all(asked.splice(0));
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(asked);
    expect(pool.figures().answered).toBeGreaterThan(100);
  });

  /** The pool may hear of a change much later than the store has it. */
  function tell(message: () => void): void {
    if (bed.rows.length % 2 === 0) message();
    else late.push(message);
  }

  async function sealSome(): Promise<void> {
    if ((bed.slots.list().at(-1)?.rows ?? 0) === 0) return;
    const meta = await bed.seal(true);
    tell(() => pool.segments([meta], []));
  }

  async function compactSome(chance: (below: number) => number): Promise<void> {
    const stored = bed.store.segments().length;
    if (stored < 3) return;
    const from = chance(stored - 1);
    const { added, dropped: sources } = await bed.compact(from, from + 2);
    tell(() => pool.segments([added], sources));
  }

  async function dropOne(): Promise<void> {
    // Workers may see it as soon as it is committed, before this thread is told that it is.
    const id = await bed.dropOldest((end) => begins.push(end));
    const index = begins.length - 1;
    tell(() => {
      pool.segments([], [id]);
      told = Math.max(told, index);
    });
  }
});

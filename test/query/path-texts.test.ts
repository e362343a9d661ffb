// Queries over texts that are kept from query to query have the answers of the plain way, whatever becomes of the
// segments and however little room there is for texts.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { leaveWord, type Partial, Reader } from "../../src/query/read/reader.ts";
import { SharedScan } from "../../src/query/read/shared-scan.ts";
import type { QueryResult, Value } from "../../src/query/result.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";
import { type PoolBed, PoolStand } from "../support/pool-bed.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";

const typed = (cell: OracleCell | undefined): string =>
  cell === undefined || cell === null ? "" : `${typeof cell} ${cell}`;
const user = (row: OracleRow): string | null => (row.cells.get("user_id") as string) ?? null;
const kind = (row: OracleRow): string | null => (row.cells.get("event_type") as string) ?? null;
const byText = (a: string | null, b: string | null): number =>
  a === null || b === null
    ? Number(a === null) - Number(b === null)
    : Buffer.compare(Buffer.from(a), Buffer.from(b));

function grouped<K>(rows: readonly OracleRow[], of: (row: OracleRow) => K): Map<K, OracleRow[]> {
  const groups = new Map<K, OracleRow[]>();
  for (const row of rows) {
    const group = groups.get(of(row));
    if (group) group.push(row);
    else groups.set(of(row), [row]);
  }
  return groups;
}

const distinct = (rows: readonly OracleRow[], path: string): number =>
  new Set(rows.map(({ cells }) => typed(cells.get(path))).filter((one) => one !== "")).size;

const questions: readonly { sql: string; answer: (rows: readonly OracleRow[]) => Value[][] }[] = [
  {
    sql: "SELECT user_id, count(*) AS n FROM events GROUP BY user_id ORDER BY n DESC, user_id LIMIT 30",
    answer: (rows) =>
      [...grouped(rows, user)]
        .map(([key, all]): [string | null, number] => [key, all.length])
        .sort(([a, n], [b, m]) => m - n || byText(a, b))
        .slice(0, 30),
  },
  {
    sql: "SELECT user_id, event_type, count(*) AS n FROM events GROUP BY user_id, event_type ORDER BY n DESC LIMIT 30",
    answer: (rows) =>
      [...grouped(rows, (row) => JSON.stringify([user(row), kind(row)]))]
        .map(([key, all]): [string | null, string | null, number] => [
          ...(JSON.parse(key) as [string | null, string | null]),
          all.length,
        ])
        .sort((a, b) => b[2] - a[2] || byText(a[0], b[0]) || byText(a[1], b[1]))
        .slice(0, 30),
  },
  {
    sql: "SELECT event_type, count(DISTINCT user_id) AS n FROM events GROUP BY event_type ORDER BY event_type",
    answer: (rows) =>
      [...grouped(rows, kind)]
        .sort(([a], [b]) => byText(a, b))
        .map(([key, all]) => [key, distinct(all, "user_id")]),
  },
  {
    sql:
      "SELECT count(DISTINCT user_id) AS n, count(DISTINCT properties.kept) AS k FROM events " +
      "WHERE event_type = 'purchase'",
    answer: (rows) => {
      const some = rows.filter((row) => kind(row) === "purchase");
      return [[distinct(some, "user_id"), distinct(some, "properties.kept")]];
    },
  },
];

function rowsOf(random: () => number, count: number, first: number): OracleRow[] {
  const number = (below: number): number => Math.floor(random() * below);
  return makeRows(random, count, BigInt(first)).map((row) => {
    const cells = new Map(row.cells);
    cells.set("user_id", `ü-${number(40) * number(150)}${"x".repeat(number(3))}`);
    if (random() < 0.1) cells.delete("user_id");
    // Now and then it is no text, so that a segment has several lanes of it.
    cells.set("properties.kept", first % 3 === 0 && random() < 0.1 ? 5n : `${number(2500)}`);
    return { ...row, cells };
  });
}

describe.each([
  ["all that is met has room", 8 * 1024 * 1024],
  ["paths push each other out", 300 * 1024],
  ["most of it has no room", 64 * 1024],
])("texts that are kept: %s", (_, textBytes) => {
  let stand: PoolStand;
  let bed: PoolBed;
  let readers: [Reader, Reader];
  let begin = 0;

  beforeAll(() => {
    stand = new PoolStand();
    bed = stand.bed;
    const open = (index: number): Reader =>
      new Reader(bed.core, index, bed.store, systemClock, 16 * 1024 * 1024, textBytes);
    readers = [open(1), open(2)];
  });

  afterAll(() => stand.close());

  function told(added: Uint8Array[], dropped: number[]): void {
    for (const reader of readers) reader.segments(added, dropped);
  }

  /** Asks one thread, or two of which each has read a part. */
  function ask(sql: string, isSplit: boolean): readonly (readonly Value[])[] {
    const query = parseSql(sql);
    const [lead, helper] = readers;
    const ranges = isSplit ? lead.ranges() : null;
    if (ranges === null) return (lead.run({ type: "query", query }) as QueryResult).rows;
    const scan = new SharedScan(ranges);
    const word = leaveWord(bed.core.memory, 2) >>> 2;
    // The helper leaves after its first range.
    const between = (): void => void Atomics.store(bed.core.u32, word, 1);
    Atomics.store(bed.core.u32, word, 0);
    const bytes = helper.help({ type: "query", query }, scan, { threads: 2, between });
    const partials: Partial[] = bytes ? [{ bytes, facts: helper.facts() }] : [];
    return lead.lead({ type: "query", query }, scan, { threads: 2 }, () => partials.shift() ?? null)
      .rows;
  }

  test("equal the plain way, whatever becomes of the segments", async () => {
    const seed = Number(process.env.MILLRACE_TEXTS_SEED ?? 5);
    const random = mulberry32(seed);
    for (let step = 0; step < 24; step++) {
      const what = random();
      if (what < 0.5) bed.append(rowsOf(random, 1500, bed.rows.length));
      else if (what < 0.75 && (bed.slots.list().at(-1)?.rows ?? 0) > 0) {
        told([await bed.seal(true)], []);
      } else if (what < 0.87 && bed.store.segments().length > 2) {
        const { added, dropped } = await bed.compact(0, 2);
        told([added], dropped);
      } else if (bed.store.segments().length > 2) {
        const id = await bed.dropOldest((end) => {
          begin = end;
        });
        told([], [id]);
      }
      for (const { sql, answer } of questions) {
        const isSplit = random() < 0.4;
        const label = `seed ${seed}, step ${step}${isSplit ? ", split" : ""}: ${sql}`;
        expect(ask(sql, isSplit), label).toEqual(answer(bed.rows.slice(begin)));
      }
    }
  });
});

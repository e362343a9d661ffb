// Queries over hot slots and stored segments together, on the calling thread and on workers.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import type { QueryPool } from "../../src/engine/query-pool.ts";
import type { Query } from "../../src/query/query.ts";
import { Reader } from "../../src/query/read/reader.ts";
import { JsonText } from "../../src/query/result.ts";
import { startQuery } from "../../src/query/run/execute.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { OracleRow } from "../oracle/query.ts";
import { type PoolBed, PoolStand } from "../support/pool-bed.ts";
import { QueryBed, snapshotOf } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";

const base = parseSql("SELECT count(*) AS n FROM events");
const purchases: Query = {
  ...base,
  where: {
    kind: "and",
    of: [
      { kind: "compare", path: "event_type", op: "=", value: "purchase" },
      { kind: "compare", path: "properties.price", op: ">", value: 50 },
    ],
  },
};

describe("query pool", () => {
  let stand: PoolStand;
  let pool: QueryPool;
  let bed: PoolBed;

  beforeAll(() => {
    stand = new PoolStand();
    bed = stand.bed;
    pool = stand.open();
  });

  afterAll(() => stand.close());

  const matches = (row: OracleRow): boolean =>
    row.cells.get("event_type") === "purchase" && Number(row.cells.get("properties.price")) > 50;

  /** What a thread that reads all of it has of a query. */
  function partialOf(query: Query): Uint8Array {
    const other = new QueryBed();
    const execution = startQuery(query, other.state);
    execution.run(snapshotOf(other, bed.rows, [], 0));
    return execution.partial();
  }

  async function check(): Promise<void> {
    const [all, some] = await Promise.all([pool.query(base), pool.query(purchases)]);
    expect(all.rows).toEqual([[bed.rows.length]]);
    expect(all.asOf).toBe(String(bed.rows.length));
    expect(some.rows).toEqual([[bed.rows.filter(matches).length]]);
  }

  test("rows count once while they are hot, stored and hot, stored, and when a message is late", async () => {
    const random = mulberry32(3);
    const more = (count: number): void => {
      bed.append(makeRows(random, count, BigInt(bed.rows.length)));
    };
    await check();
    more(3000);
    await check();
    const first = await bed.seal(false);
    await check();
    pool.segments([first], []);
    await check();
    more(500);
    await check();
    const second = await bed.seal(false);
    bed.slots.free(bed.slots.list()[0]?.address as number);
    await check();
    // The second slot goes before anybody was told of its segment: the workers read the list again.
    bed.slots.free(bed.slots.list()[0]?.address as number);
    await check();
    pool.segments([second], []);
    more(100);
    await check();
  });

  test("whole events are the same from slots and from stored columns", async () => {
    const pages = await pool.events({ order: "asc", limit: 10_000 });
    expect(pages.events.length).toBe(bed.rows.length);
    const sequences = pages.events.map(
      (text) => (JSON.parse(text) as { sequence: string }).sequence,
    );
    expect(new Set(sequences).size).toBe(bed.rows.length);
    const where = { field: "event_type", op: "=", value: "purchase" };
    const some = await pool.events({ order: "desc", limit: 10_000, where });
    const wanted = bed.rows.filter(({ cells }) => cells.get("event_type") === "purchase");
    expect(some.events.length).toBe(wanted.length);
    const live = await pool.events({ order: "sequence", limit: 7, fromSequence: 3595n });
    expect(live.events.length).toBe(5);
    expect(live.nextSequence).toBe(3600n);
  });

  test("a part that is known is added to what is read, on this thread and on workers", async () => {
    const grouped = parseSql(
      "SELECT event_type, count(*) AS n, max(sequence) AS m FROM events GROUP BY event_type ORDER BY n, 1",
    );
    const all = await pool.query(grouped);
    const times = bed.rows.map(({ timestampUs }) => timestampUs).sort((a, b) => (a < b ? -1 : 1));
    const [low, high] = [times[1000] as bigint, times[2000] as bigint];
    const partial = partialOf({ ...grouped, fromUs: low, toUs: high });
    const rest = [
      { fromUs: null, toUs: low },
      { fromUs: high, toUs: null },
    ];
    const asOf = BigInt(bed.rows.length);
    const part = { partial, asOf, oldest: 0n, rest };
    // What comes later is in neither.
    bed.append(makeRows(mulberry32(5), 700, asOf));
    for (const options of [{}, { ownCells: 0, helperCells: 1 }, {}]) {
      // Workers of two pools would decode columns into the same parts of the memory.
      await pool.close();
      pool = stand.open(options);
      const { rows, asOf: reflected } = await pool.query(grouped, {}, part);
      expect(rows).toEqual(all.rows);
      expect(reflected).toBe(String(asOf));
    }
  });

  test("JSON cells and errors keep their classes on the way", async () => {
    const json: Query = parseSql("SELECT max(properties.any) AS m FROM events");
    const { rows } = await pool.query(json);
    expect(rows[0]?.[0]).toBeInstanceOf(JsonText);
    const sum: Query = parseSql(
      "SELECT sum(properties.edge) FROM events WHERE properties.edge = 9223372036854775807",
    );
    await expect(pool.query(sum)).rejects.toMatchObject({
      name: "InputError",
      code: "sum_overflow",
    });
    await expect(pool.events({ order: "asc", limit: 1, cursor: "x" })).rejects.toMatchObject({
      code: "invalid_cursor",
    });
    await expect(pool.events({ order: "asc", limit: 1, where: "nonsense" })).rejects.toMatchObject({
      name: "InputError",
    });
  });

  test("aborted queries end, and the worker goes on", async () => {
    const gone = AbortSignal.abort();
    await expect(pool.query(base, { signal: gone })).rejects.toMatchObject({
      code: "query_cancelled",
    });
    const stop = new AbortController();
    const grouped: Query = parseSql("SELECT id, count(*) FROM events GROUP BY id");
    const running = Array.from({ length: 6 }, () => pool.query(grouped, { signal: stop.signal }));
    stop.abort();
    const ends = await Promise.allSettled(running);
    // One that had its answer already keeps it; those that waited are gone for sure.
    expect(ends.filter(({ status }) => status === "rejected").length).toBeGreaterThanOrEqual(4);
    await check();
  });

  test("a segment that is dropped under a query is no longer read", async () => {
    await pool.close();
    pool = stand.open({ workers: 1 });
    await check();
    const [first] = bed.store.segments();
    expect(first?.rows).toBe(3000);
    await bed.store.commit({
      dropped: first ? [first] : [],
    });
    bed.rows.splice(0, 3000);
    // The worker has not been told: it learns it when it misses a column that it has not read yet.
    const where = { kind: "exists" as const, path: "properties.float" };
    const some = await pool.query({ ...base, where });
    expect(some.rows).toEqual([
      [bed.rows.filter(({ cells }) => cells.has("properties.float")).length],
    ]);
    expect((await pool.query(base)).rows).toEqual([[bed.rows.length]]);
    // A part that was made before has rows which are gone.
    const made = {
      partial: partialOf(base),
      asOf: BigInt(bed.rows.length + 3000),
      oldest: 0n,
      rest: [{ fromUs: null, toUs: null }],
    };
    await expect(pool.query(base, {}, made)).rejects.toMatchObject({ code: "snapshot_changed" });
  });

  test("a thread answers by itself once it knows that all before the hot rows is gone", () => {
    const reader = new Reader(bed.core, 0, null, systemClock);
    const job = { type: "query", query: base } as const;
    const [first] = bed.slots.list();
    expect(first?.firstSequence).toBeGreaterThan(0n);
    expect(reader.consider(job, 1e9).answer).toBeNull();
    // As at a start after retention has dropped every segment.
    reader.segments([], [], first?.firstSequence);
    expect(reader.consider(job, 1e9).answer).not.toBeNull();
  });
});

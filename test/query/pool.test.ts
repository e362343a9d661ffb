// Queries over hot slots and stored segments together, on the calling thread and on workers.

import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { QueryPool } from "../../src/engine/query-pool.ts";
import type { Query } from "../../src/query/query.ts";
import { Reader } from "../../src/query/reader.ts";
import { JsonText } from "../../src/query/result.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import { encodeSegmentMeta } from "../../src/storage/segment.ts";
import { Store } from "../../src/storage/store.ts";
import type { OracleRow } from "../oracle/query.ts";
import { compileForWorker } from "../support/compiled.ts";
import { makeBatch } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";

const mib = 1024 * 1024;
const slotBytes = 16 * mib;
const wasm =
  process.env.MILLRACE_WASM ?? fileURLToPath(new URL("../../build/core.wasm", import.meta.url));

/** What the engine thread does, without the thread: slots are filled, stored and freed. */
class Bed {
  readonly core: Core;
  readonly slots: HotSlots;
  readonly store: Store;
  readonly rows: OracleRow[] = [];
  readonly #batches: number;
  #segmentId = 1;

  constructor(folder: string) {
    const readers = [32 * mib, 96 * mib, 96 * mib, 64 * mib];
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 32 * mib,
      dedup: 65_536,
      slots: 4 * slotBytes,
      readers,
    });
    this.core = attachCore(memory);
    const { base } = region(memory, layout.REGION_BATCHES);
    this.core.exports.watermarkFormat?.(base, 1024);
    this.#batches = base + Number(this.core.exports.watermarkTableSize?.(1024));
    this.slots = new HotSlots(this.core, slotBytes);
    this.store = new Store(folder);
    this.slots.open(this.#segmentId, 0n);
  }

  append(rows: readonly OracleRow[]): void {
    const made = rows.map(({ id, timestampUs, cells }) => ({
      id: Buffer.from(id.replaceAll("-", ""), "hex"),
      timestampUs,
      cells,
    }));
    const bytes = makeBatch(made, {
      firstSequence: BigInt(this.rows.length),
      receivedAtUs: rows[0]?.receivedAtUs ?? 0n,
      latenessUs: rows.map(({ latenessUs }) => latenessUs),
    });
    this.core.u8.set(bytes, this.#batches);
    expect(this.slots.apply(this.#batches).done).toBe(true);
    this.rows.push(...rows);
  }

  /** Stores what is hot and opens the next slot; `free` gives the slot back. Answers the encoded meta. */
  async seal(free: boolean): Promise<Uint8Array> {
    const slot = this.slots.full();
    const scratch = region(this.core.memory, layout.REGION_READER_FIRST + 3);
    const sealed = sealSlot(this.core, slot, scratch);
    await this.store.commit({ sealed: [sealed] });
    this.slots.sealed(slot);
    this.slots.open(++this.#segmentId, BigInt(this.rows.length));
    if (free) this.slots.free(slot);
    return encodeSegmentMeta(sealed.meta);
  }
}

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
  const folder = mkdtempSync(join(tmpdir(), "millrace-pool-"));
  let compiled: { path: string; directory: string };
  let pool: QueryPool;
  let bed: Bed;

  beforeAll(() => {
    process.env.MILLRACE_WASM = wasm;
    compiled = compileForWorker("src/engine/query-thread.ts");
    symlinkSync(
      fileURLToPath(new URL("../../node_modules", import.meta.url)),
      join(compiled.directory, "node_modules"),
    );
    bed = new Bed(folder);
    const threadUrl = pathToFileURL(compiled.path);
    pool = new QueryPool({ core: bed.core, folder, workers: 2, threadUrl });
  });

  afterAll(async () => {
    await pool.close();
    await bed.store.close();
    rmSync(compiled.directory, { recursive: true });
    rmSync(folder, { recursive: true });
  });

  const matches = (row: OracleRow): boolean =>
    row.cells.get("event_type") === "purchase" && Number(row.cells.get("properties.price")) > 50;

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
    const threadUrl = pathToFileURL(compiled.path);
    pool = new QueryPool({ core: bed.core, folder, workers: 1, threadUrl });
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

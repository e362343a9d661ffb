// What the engine thread does to data that a query pool reads, without the thread; and a pool over it.

import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "vitest";
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { QueryPool, type QueryPoolOptions } from "../../src/engine/query-pool.ts";
import { compactSegments } from "../../src/storage/compact.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import { encodeSegmentMeta } from "../../src/storage/segment.ts";
import { Store } from "../../src/storage/store.ts";
import type { OracleRow } from "../oracle/query.ts";
import { compileForWorker } from "./compiled.ts";
import { makeBatch } from "./make-batch.ts";

const mib = 1024 * 1024;
const slotBytes = 16 * mib;
const sealer = 3;

/** A batch of `rows`. */
export function batchOf(rows: readonly OracleRow[], firstSequence = 0n): Uint8Array {
  const made = rows.map(({ id, timestampUs, cells }) => ({
    id: Buffer.from(id.replaceAll("-", ""), "hex"),
    timestampUs,
    cells,
  }));
  return makeBatch(made, {
    firstSequence,
    receivedAtUs: rows[0]?.receivedAtUs ?? 0n,
    latenessUs: rows.map(({ latenessUs }) => latenessUs),
  });
}

/** Slots are filled, stored and freed. Two workers fit. */
export class PoolBed {
  readonly core: Core;
  readonly slots: HotSlots;
  readonly store: Store;
  readonly rows: OracleRow[] = [];
  readonly #batches: number;
  #segmentId = 1;
  /** Ids of merged segments, beyond those of the slots. */
  #ids = 100_000;
  #next = 0n;

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
    const bytes = batchOf(rows, this.#next);
    this.core.u8.set(bytes, this.#batches);
    expect(this.slots.apply(this.#batches).done).toBe(true);
    this.rows.push(...rows);
    this.#next += BigInt(rows.length);
  }

  /** Appends the rows of `bytes`, a batch, as often as is said; `rows` does not list them. */
  repeat(bytes: Uint8Array, times: number): void {
    const { view, u8 } = this.core;
    for (let i = 0; i < times; i++) {
      u8.set(bytes, this.#batches);
      view.setBigInt64(this.#batches + layout.BATCH_FIRST_SEQUENCE, this.#next, true);
      expect(this.slots.apply(this.#batches).done).toBe(true);
      this.#next += BigInt(view.getUint32(this.#batches + layout.BATCH_ROWS, true));
    }
  }

  /** Stores what is hot and opens the next slot; `free` gives the slot back. Answers the encoded meta. */
  async seal(free: boolean): Promise<Uint8Array> {
    const slot = this.slots.full();
    const scratch = region(this.core.memory, layout.REGION_READER_FIRST + sealer);
    const sealed = sealSlot(this.core, slot, scratch);
    await this.store.commit({ sealed: [sealed] });
    this.slots.sealed(slot);
    this.slots.open(++this.#segmentId, this.#next);
    if (free) this.slots.free(slot);
    return encodeSegmentMeta(sealed.meta);
  }

  /** Puts one segment in the place of the stored ones `from` … `to - 1`. */
  async compact(from: number, to: number): Promise<{ added: Uint8Array; dropped: number[] }> {
    const sources = this.store.segments().slice(from, to);
    const scratch = region(this.core.memory, layout.REGION_READER_FIRST + sealer);
    const steps = compactSegments(this.core, ++this.#ids, sources, this.store, scratch);
    let step = steps.next();
    while (!step.done) step = steps.next();
    await this.store.commit({ compacted: [{ ...step.value, sources }] });
    return { added: encodeSegmentMeta(step.value.meta), dropped: sources.map(({ id }) => id) };
  }

  /** Drops the oldest stored segment, and answers its id; `begin` is told the sequence after it just before. */
  async dropOldest(begin: (end: number) => void): Promise<number> {
    const [oldest] = this.store.segments();
    if (oldest === undefined) throw new Error("nothing is stored");
    begin(Number(oldest.firstSequence) + oldest.rows);
    await this.store.commit({ dropped: [oldest] });
    return oldest.id;
  }
}

/** The workers' module as JavaScript, in a folder of its own. */
export class WorkerCode {
  readonly url: URL;
  readonly #directory: string;

  constructor() {
    process.env.MILLRACE_WASM ??= fileURLToPath(new URL("../../build/core.wasm", import.meta.url));
    const { path, directory } = compileForWorker("src/engine/query-thread.ts");
    const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
    symlinkSync(modules, join(directory, "node_modules"));
    this.url = pathToFileURL(path);
    this.#directory = directory;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }
}

/** A bed in a fresh folder, with pools over it. */
export class PoolStand {
  readonly folder = mkdtempSync(join(tmpdir(), "millrace-pool-"));
  readonly code = new WorkerCode();
  readonly bed = new PoolBed(this.folder);
  readonly #pools: QueryPool[] = [];

  open(options: Partial<QueryPoolOptions> = {}): QueryPool {
    const { core } = this.bed;
    const parts = { core, folder: this.folder, workers: 2, threadUrl: this.code.url };
    const pool = new QueryPool({ ...parts, ...options });
    this.#pools.push(pool);
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
    await this.bed.store.close();
    this.code.remove();
    rmSync(this.folder, { recursive: true });
  }
}

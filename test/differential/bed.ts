// A dataset where queries read it: some rows in hot slots, some in stored segments, some in both, and one reader over
// them, all on this thread.

import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { systemClock } from "../../src/base/clock.ts";
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { QueryPool } from "../../src/engine/query-pool.ts";
import { resolveNow } from "../../src/query/expression/now.ts";
import { explainResult } from "../../src/query/plan/explain-text.ts";
import { noRollup } from "../../src/query/plan/rollup.ts";
import type { Query } from "../../src/query/query.ts";
import { Reader } from "../../src/query/read/reader.ts";
import type { QueryResult } from "../../src/query/result.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import { encodeSegmentMeta } from "../../src/storage/segment.ts";
import { Store } from "../../src/storage/store.ts";
import type { OracleRow } from "../oracle/query.ts";
import { compileForWorker } from "../support/compiled.ts";
import { makeBatch } from "../support/make-batch.ts";
import type { Dataset } from "./dataset.ts";

const mib = 1024 * 1024;
const slotBytes = 8 * mib;
const slotCount = 6;
const threadCount = 3;
/** Reader 0 answers. The others are a pool's; the first of them lends its memory to the sealer before. */
const readers = [80 * mib, ...Array.from({ length: threadCount }, () => 80 * mib)];

export class Bed {
  readonly #core: Core;
  readonly #slots: HotSlots;
  readonly #store: Store;
  readonly #folder: string;
  readonly #batches: number;
  readonly #reader: Reader;
  #segmentId = 1;
  #rows = 0;

  private constructor() {
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 16 * mib,
      dedup: 65_536,
      slots: slotCount * slotBytes,
      readers,
    });
    this.#core = attachCore(memory);
    const { base } = region(memory, layout.REGION_BATCHES);
    this.#core.exports.watermarkFormat?.(base, 1024);
    this.#batches = base + Number(this.#core.exports.watermarkTableSize?.(1024));
    this.#slots = new HotSlots(this.#core, slotBytes);
    this.#folder = mkdtempSync(join(tmpdir(), "millrace-differential-"));
    this.#store = new Store(this.#folder);
    this.#slots.open(this.#segmentId, 0n);
    this.#reader = new Reader(this.#core, 0, this.#store, systemClock);
  }

  /** Applies the dataset's chunks in turn, and does with each what it says. */
  static async of({ rows, chunks }: Dataset): Promise<Bed> {
    const bed = new Bed();
    let next = 0;
    for (const chunk of chunks) {
      bed.#appendAll(rows.slice(next, next + chunk.rows));
      next += chunk.rows;
      if (chunk.then !== "hot") await bed.#seal(chunk.then === "free");
    }
    return bed;
  }

  /** A batch for each instant at which rows were received. */
  #appendAll(rows: readonly OracleRow[]): void {
    let from = 0;
    rows.forEach((row, i) => {
      if (row.receivedAtUs === rows[i + 1]?.receivedAtUs) return;
      this.#append(rows.slice(from, i + 1));
      from = i + 1;
    });
  }

  #append(rows: readonly OracleRow[]): void {
    const made = rows.map(({ id, timestampUs, cells }) => ({
      id: Buffer.from(id.replaceAll("-", ""), "hex"),
      timestampUs,
      cells,
    }));
    const bytes = makeBatch(made, {
      firstSequence: BigInt(this.#rows),
      receivedAtUs: rows[0]?.receivedAtUs ?? 0n,
      latenessUs: rows.map(({ latenessUs }) => latenessUs),
    });
    this.#core.u8.set(bytes, this.#batches);
    if (!this.#slots.apply(this.#batches).done) throw new Error("the batch found no room");
    this.#rows += rows.length;
  }

  async #seal(free: boolean): Promise<void> {
    const slot = this.#slots.full();
    const sealed = sealSlot(
      this.#core,
      slot,
      region(this.#core.memory, layout.REGION_READER_FIRST + 1),
    );
    await this.#store.commit({ sealed: [sealed] });
    this.#slots.sealed(slot);
    const crowded = this.#slots.list().length >= slotCount - 1;
    // Slots are freed in their order.
    while (free || crowded) {
      const [oldest] = this.#slots.list();
      if (oldest) this.#slots.free(oldest.address);
      if (!oldest || oldest.address === slot || crowded) break;
    }
    this.#slots.open(++this.#segmentId, BigInt(this.#rows));
    this.#reader.segments([encodeSegmentMeta(sealed.meta)], []);
  }

  query(sql: string): QueryResult {
    return this.run(parseSql(sql));
  }

  run(query: Query): QueryResult {
    const resolved = resolveNow(query, systemClock.nowUs());
    return this.#reader.run({ type: "query", query: resolved }) as QueryResult;
  }

  explain(sql: string): QueryResult {
    const plan = this.#reader.plan(resolveNow(parseSql(sql), systemClock.nowUs()), noRollup);
    expectJson(explainResult(plan, null, "json", this.#reader.asOf()));
    return explainResult(plan, null, "text", this.#reader.asOf());
  }

  /** What a pool of threads needs to read the same rows. */
  get parts(): { core: Core; folder: string } {
    return { core: this.#core, folder: this.#folder };
  }

  async close(): Promise<void> {
    await this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The other form of a plan is one JSON document. */
function expectJson({ rows }: QueryResult): void {
  JSON.parse(String((rows[0]?.[0] as { text?: string }).text));
}

/** Opens pools of query threads, which run compiled sources. */
export class Threads {
  readonly #compiled = compileForWorker("src/engine/query-thread.ts");

  constructor() {
    const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
    symlinkSync(modules, join(this.#compiled.directory, "node_modules"));
    process.env.MILLRACE_WASM ??= fileURLToPath(new URL("../../build/core.wasm", import.meta.url));
  }

  /** A pool that answers nothing on the calling thread and shares out the least of work. */
  open(bed: Bed): { query(sql: string): Promise<QueryResult>; close(): Promise<void> } {
    const threadUrl = pathToFileURL(this.#compiled.path);
    const pool = new QueryPool({
      ...bed.parts,
      workers: threadCount,
      threadUrl,
      ownCells: -1,
      helperCells: 1,
    });
    return {
      query: async (sql) => pool.query(resolveNow(parseSql(sql), systemClock.nowUs())),
      close: () => pool.close(),
    };
  }

  remove(): void {
    rmSync(this.#compiled.directory, { recursive: true, force: true });
  }
}

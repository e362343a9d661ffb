// Sealed segments made of batches, without an engine: one hot slot that is filled, sealed and opened again.
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, type Region, region } from "../../src/core/memory.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import type { SealedSegment } from "../../src/storage/segment.ts";
import { type BatchOptions, type MadeRow, makeBatch } from "./make-batch.ts";

const MIB = 1024 * 1024;

export interface PlainBatch {
  readonly rows: readonly MadeRow[];
  readonly options?: BatchOptions;
}

export class Sealing {
  readonly core: Core;
  /** Nobody else's: for sealing, compaction and reading. */
  readonly scratch: Region;
  readonly cache: Region;
  readonly #slot: number;
  readonly #slotBytes: number;
  readonly #batch: number;

  constructor(slotMib = 32, scratchMib = 64) {
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 64 * MIB,
      dedup: 65_536,
      slots: 2 * slotMib * MIB,
      readers: [scratchMib * MIB, 64 * MIB],
    });
    this.core = attachCore(memory);
    this.scratch = region(memory, layout.REGION_READER_FIRST);
    this.cache = region(memory, layout.REGION_READER_FIRST + 1);
    this.#slot = region(memory, layout.REGION_SLOTS).base;
    this.#slotBytes = slotMib * MIB;
    const { base } = region(memory, layout.REGION_BATCHES);
    this.#call("watermarkFormat", base, 1024);
    this.#batch = base + this.#call("watermarkTableSize", 1024);
  }

  /** One segment of all rows of these batches; the batches get their sequences here. */
  seal(id: number, firstSequence: bigint, batches: readonly PlainBatch[]): SealedSegment {
    const { core } = this;
    // Formatting frees the slot of the segment before.
    this.#call("slotsFormat", this.#slotBytes);
    if (this.#call("slotOpen", this.#slot, id, firstSequence) !== 0) throw new Error("no slot");
    let sequence = firstSequence;
    for (const { rows, options } of batches) {
      core.u8.set(makeBatch(rows, { ...options, firstSequence: sequence }), this.#batch);
      const code = this.#call("slotApply", this.#slot, this.#batch, 0, rows.length);
      if (code !== 0) throw new Error(`slotApply: status ${code}`);
      sequence += BigInt(rows.length);
    }
    return sealSlot(core, this.#slot, this.scratch);
  }

  #call(name: string, ...values: (number | bigint)[]): number {
    return Number(this.core.exports[name]?.(...values) ?? Number.NaN) >>> 0;
  }
}

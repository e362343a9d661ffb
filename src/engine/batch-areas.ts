import type { Core } from "../core/core.ts";
import type { Decoder } from "../core/decoder.ts";
import * as layout from "../core/layout.ts";
import { region } from "../core/memory.ts";
import * as status from "../core/status.ts";
import type { Watermarks } from "../core/watermarks.ts";
import { MillraceError } from "../errors.ts";

/** A finished batch: in shared memory until it is applied, and as the private copy that LMDB needs. */
export interface FinishedBatch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Where finished ColumnBatches lie between decoder and slot: two areas behind the watermarks, because one
 * batch is being flushed while the next one is finished.
 */
export class BatchAreas {
  readonly #core: Core;
  readonly #watermarks: Watermarks;
  readonly #base: number;
  readonly #size: number;
  #next = 0;

  constructor(core: Core, watermarks: Watermarks) {
    const { base, size } = region(core.memory, layout.REGION_BATCHES);
    this.#core = core;
    this.#watermarks = watermarks;
    this.#base = Math.ceil((base + watermarks.reserved) / 64) * 64;
    this.#size = Math.floor((base + size - this.#base - 128) / 2 / 64) * 64;
  }

  /** Makes the group's batch: columns, lateness, duplicates, checksum. */
  finish(
    decoder: Decoder,
    counts: { duplicates: number; rejected: number },
    firstSequence: bigint,
  ): FinishedBatch {
    const { exports, u8, view } = this.#core;
    const address = this.#take();
    const length = decoder.finish(address, this.#size, firstSequence);
    if (length === 0) {
      throw new MillraceError("batch_too_large", `a batch does not fit ${this.#size} bytes`);
    }
    view.setUint32(address + layout.BATCH_DUPLICATES, counts.duplicates, true);
    view.setUint32(address + layout.BATCH_REJECTED, counts.rejected, true);
    this.#watermarks.lateness(address);
    exports.batchChecksum?.(address);
    const bytes = view.getUint32(address + layout.BATCH_LENGTH, true);
    return { address, bytes: u8.slice(address, address + bytes) };
  }

  /** Puts a journal record back into memory and checks every bound of it. Returns 0 or a status. */
  load(batch: Uint8Array): { address: number; status: number } {
    const address = this.#take();
    if (batch.length > this.#size) return { address, status: status.CORRUPT_BOUNDS };
    this.#core.u8.set(batch, address);
    const code = Number(this.#core.exports.batchVerify?.(address, batch.length)) >>> 0;
    return { address, status: code };
  }

  /** Memory that is free while no batch is on its way: recovery decodes ids there. */
  scratch(): { base: number; size: number } {
    return { base: this.#base, size: this.#size * 2 };
  }

  #take(): number {
    this.#next ^= 1;
    return this.#base + this.#next * this.#size;
  }
}

// Stored segments of a test: sealed from the hot slots, merged and dropped, while whoever reads them is told late.

import type { Core } from "../../src/core/core.ts";
import type { Region } from "../../src/core/memory.ts";
import type { HotSlots } from "../../src/core/slots.ts";
import type { SegmentStore } from "../../src/query/read/reader.ts";
import { compactSegments } from "../../src/storage/compact.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import {
  encodeSegmentMeta,
  type SealedSegment,
  type SegmentMeta,
} from "../../src/storage/segment.ts";

/** Merged segments have ids beyond those of slots. */
const MERGED_IDS = 100_000;

export interface SegmentsTold {
  readonly added: readonly Uint8Array[];
  readonly dropped: readonly number[];
}

export class TestSegments implements SegmentStore {
  readonly #core: Core;
  readonly #scratch: Region;
  #sealed: readonly SealedSegment[] = [];
  #mergedId = MERGED_IDS;
  #slotId = 1;
  #end = 0n;
  #dropped: SegmentMeta | undefined;

  /** `scratch` is nobody else's. */
  constructor(core: Core, scratch: Region) {
    this.#core = core;
    this.#scratch = scratch;
  }

  renew(): void {}

  segments(): SegmentMeta[] {
    return this.#sealed.map(({ meta }) => meta);
  }

  column(segmentId: number, columnIndex: number): Uint8Array | undefined {
    return this.#of(segmentId)?.columns[columnIndex];
  }

  filter(segmentId: number, columnIndex: number): Uint8Array | undefined {
    return this.#of(segmentId)?.filters?.[columnIndex] ?? undefined;
  }

  #of(id: number): SealedSegment | undefined {
    return this.#sealed.find(({ meta }) => meta.id === id);
  }

  /** The sequence after the last row that was stored. */
  get end(): bigint {
    return this.#end;
  }

  /** Of all that were dropped the newest, with the latest time of any of them. */
  newestDropped(): SegmentMeta | undefined {
    return this.#dropped;
  }

  /** Stores what is hot, frees its slot, and opens the next one at `next`. */
  seal(slots: HotSlots, next: bigint): SegmentsTold {
    const slot = slots.full();
    const sealed = sealSlot(this.#core, slot, this.#scratch);
    this.#sealed = [...this.#sealed, sealed];
    this.#end = next;
    slots.sealed(slot);
    slots.open(++this.#slotId, next);
    slots.free(slot);
    return { added: [encodeSegmentMeta(sealed.meta)], dropped: [] };
  }

  /** One segment in the place of the stored ones `from` … `to - 1`. */
  compact(from: number, to: number): SegmentsTold {
    const sources = this.segments().slice(from, to);
    const steps = compactSegments(this.#core, ++this.#mergedId, sources, this, this.#scratch);
    let step = steps.next();
    while (!step.done) step = steps.next();
    const merged = step.value;
    this.#sealed = this.#sealed.toSpliced(from, to - from, merged);
    return { added: [encodeSegmentMeta(merged.meta)], dropped: sources.map(({ id }) => id) };
  }

  /** Drops the oldest segments whose rows are all below `reflected`, at most so many. */
  drop(reflected: bigint, most: number): SegmentsTold {
    const end = this.segments().findIndex(
      ({ firstSequence, rows }, i) => i >= most || firstSequence + BigInt(rows) > reflected,
    );
    const gone = this.#sealed.slice(0, end < 0 ? this.#sealed.length : end);
    this.#sealed = this.#sealed.slice(gone.length);
    for (const { meta } of gone) {
      const known = this.#dropped?.timeMaxUs ?? meta.timeMaxUs;
      this.#dropped = { ...meta, timeMaxUs: known > meta.timeMaxUs ? known : meta.timeMaxUs };
    }
    return { added: [], dropped: gone.map(({ meta }) => meta.id) };
  }
}

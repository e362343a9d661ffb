import type { MessagePort } from "node:worker_threads";
import type { Core } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import type { HotSlots, SlotView } from "../core/slots.ts";
import { StreamPosition } from "../core/stream-position.ts";
import type { Watermarks } from "../core/watermarks.ts";
import { MillraceError } from "../errors.ts";
import { slotRecords } from "../storage/seal.ts";
import { encodeSegmentMeta, type SealedSegment, type SegmentMeta } from "../storage/segment.ts";
import type { CompactedSegment, Store } from "../storage/store.ts";
import type { FromSealer, ToSealer } from "./messages.ts";

/** A journal record whose rows are not all sealed yet. */
interface JournalEntry {
  readonly firstSequence: bigint;
  readonly endSequence: bigint;
}

/**
 * The segments of the partition as the engine thread sees them: the open slot, full ones on their way through
 * the sealer, and the metas of sealed ones.
 */
export class Segments {
  readonly #core: Core;
  readonly #slots: HotSlots;
  readonly #watermarks: Watermarks;
  readonly #sealer: MessagePort;
  readonly #snapshots = new Map<number, Uint8Array>();
  readonly #journal: JournalEntry[] = [];
  readonly metas: SegmentMeta[];
  #newestDropped: SegmentMeta | undefined;
  #published: bigint;
  #onSlotFree: (() => void) | null = null;
  readonly #streamPosition: StreamPosition;
  /** Called when rows were published. */
  onPublished: () => void = () => {};
  /** Called with a segment that is ready to be committed. */
  onSealed: (segment: SealedSegment) => void = () => {};
  /** Called when metas have come or gone. */
  onChanged: (added: readonly Uint8Array[], dropped: readonly number[]) => void = () => {};
  /** Called when a merged segment has taken the place of its sources, before `onChanged`. */
  onCompacted: (compacted: CompactedSegment) => void = () => {};
  /** Called when a segment can't be sealed. */
  onFailure: (failure: MillraceError) => void = () => {};

  constructor(
    core: Core,
    slots: HotSlots,
    watermarks: Watermarks,
    sealer: MessagePort,
    metas: readonly SegmentMeta[],
    newestDropped: SegmentMeta | undefined,
  ) {
    this.#core = core;
    this.#streamPosition = new StreamPosition(core.memory);
    this.#slots = slots;
    this.#watermarks = watermarks;
    this.#sealer = sealer;
    this.metas = [...metas];
    this.#newestDropped = newestDropped;
    this.#published = this.storedEnd();
    const known = newestDropped ? [...metas, newestDropped] : metas;
    slots.open(known.reduce((most, { id }) => Math.max(most, id), 0) + 1, this.#published);
    sealer.on("message", (message: FromSealer) => this.#sealed(message));
  }

  /** The newest segment that is stored or, when retention has taken all, was stored; its columns may be gone. */
  newest(): SegmentMeta | undefined {
    return this.metas.at(-1) ?? this.#newestDropped;
  }

  /** The sequence after the last row that is in a segment, or was in one that was dropped. */
  storedEnd(): bigint {
    const newest = this.newest();
    return newest ? newest.firstSequence + BigInt(newest.rows) : 1n;
  }

  /** The oldest sequence that is kept. */
  firstSequence(): bigint {
    return this.metas[0]?.firstSequence ?? this.#slots.list()[0]?.firstSequence ?? this.#published;
  }

  /** The first sequence that readers can't see yet. */
  nextSequence(): bigint {
    return this.#published;
  }

  /** Applies a verified batch from row `rowBegin` on. Waits for the sealer when every slot is full. */
  async apply(batch: number, rowBegin = 0): Promise<void> {
    const { view } = this.#core;
    const firstSequence = view.getBigInt64(batch + layout.BATCH_FIRST_SEQUENCE, true);
    const rows = view.getUint32(batch + layout.BATCH_ROWS, true);
    const endSequence = firstSequence + BigInt(rows);
    this.#journal.push({ firstSequence, endSequence });
    for (let from = rowBegin; ; ) {
      this.#freeOldest();
      const { rowEnd, done, full } = this.#slots.apply(batch, from);
      for (const slot of full) this.#seal(slot);
      this.#published = firstSequence + BigInt(rowEnd);
      this.onPublished();
      if (done) return;
      from = rowEnd;
      await new Promise<void>((resolve) => {
        this.#onSlotFree = resolve;
        this.#freeOldest();
      });
    }
  }

  /**
   * Seals what is open, full or not, if its first row was received before `us`: retention drops whole segments, and
   * where little comes in a full one would span years. Does nothing while no other slot is free.
   */
  sealBefore(us: bigint): void {
    if (this.#onSlotFree !== null) return;
    const open = this.#slots.openSlot;
    const [first] = slotRecords(this.#core, open);
    if (first === undefined || first.receivedAtUs >= us) return;
    this.#freeOldest();
    if (this.#slots.hasFree()) this.#seal(this.#slots.next(this.#published));
  }

  /** The stream thread has read all of it: rows that it has yet to take are kept where they cost it least. */
  #isTaken({ firstSequence, rows }: SlotView): boolean {
    const next = this.#streamPosition.next();
    return next === null || next >= firstSequence + BigInt(rows);
  }

  /** Gives the oldest sealed slot back when no other one is free. */
  #freeOldest(): void {
    if (!this.#slots.hasFree()) {
      const oldest = this.#slots.list()[0];
      if (oldest?.state === layout.SLOT_SEALED && this.#isTaken(oldest)) {
        this.#slots.free(oldest.address);
      }
    }
    if (this.#onSlotFree === null) return;
    if (this.#slots.hasFree()) {
      this.#onSlotFree();
      this.#onSlotFree = null;
    } else {
      // A reader still holds the slot, or the sealer or the stream thread is not done with one: look again soon.
      setTimeout(() => this.#freeOldest(), 2);
    }
  }

  #seal(slot: number): void {
    const segmentId = this.#core.view.getUint32(slot + layout.SLOT_SEGMENT_ID, true);
    this.#snapshots.set(segmentId, this.#watermarks.snapshot());
    this.#sealer.postMessage({ type: "seal", slot, segmentId } satisfies ToSealer);
  }

  #sealed(message: FromSealer): void {
    const { type, segmentId } = message;
    if (type !== "sealed") return;
    if ("failure" in message) {
      const { code, message: reason } = message.failure;
      this.onFailure(new MillraceError(code, `segment ${segmentId} can't be sealed: ${reason}`));
      return;
    }
    const { meta, ...rest } = message.sealed;
    const watermarks = this.#snapshots.get(segmentId) ?? new Uint8Array(0);
    this.#snapshots.delete(segmentId);
    this.onSealed({ meta: { ...meta, watermarks }, ...rest });
  }

  /** Slots are on their way through the sealer. */
  get isSealing(): boolean {
    return this.#snapshots.size > 0;
  }

  /** The segments that are in memory. */
  hotIds(): ReadonlySet<number> {
    return new Set(this.#slots.list().map(({ segmentId }) => segmentId));
  }

  /** An id for a segment that is not made of a slot. */
  takeId(): number {
    return this.#slots.takeSegmentId();
  }

  /** The journal records that need not be kept once these segments are committed. */
  journalDone(sealed: readonly SealedSegment[]): bigint[] {
    const last = sealed.at(-1)?.meta;
    if (!last) return [];
    const sealedEnd = last.firstSequence + BigInt(last.rows);
    const done: bigint[] = [];
    while ((this.#journal[0]?.endSequence ?? sealedEnd + 1n) <= sealedEnd) {
      done.push((this.#journal.shift() as JournalEntry).firstSequence);
    }
    return done;
  }

  get journalRecords(): number {
    return this.#journal.length;
  }

  /** The commit with these segments, and without those, is flushed. */
  committed(
    sealed: readonly SealedSegment[],
    dropped: readonly SegmentMeta[],
    compacted: readonly CompactedSegment[] = [],
  ): void {
    for (const segment of compacted) {
      const { meta, sources } = segment;
      const first = this.metas.findIndex(({ id }) => id === sources[0]?.id);
      this.metas.splice(first, sources.length, meta);
      this.onCompacted(segment);
    }
    for (const { meta } of sealed) {
      this.metas.push(meta);
      const slot = this.#slots.list().find(({ segmentId }) => segmentId === meta.id);
      if (slot) this.#slots.sealed(slot.address);
    }
    for (const segment of dropped) {
      const index = this.metas.findIndex((meta) => meta.id === segment.id);
      if (index >= 0) this.metas.splice(index, 1);
      this.#newestDropped = segment;
      // What is dropped is gone from memory too.
      const oldest = this.#slots.list()[0];
      if (oldest?.state === layout.SLOT_SEALED && oldest.segmentId === segment.id) {
        this.#slots.free(oldest.address);
      }
    }
    if (sealed.length + dropped.length + compacted.length > 0) {
      this.onChanged(
        [...sealed, ...compacted].map(({ meta }) => encodeSegmentMeta(meta)),
        [...dropped, ...compacted.flatMap(({ sources }) => sources)].map(({ id }) => id),
      );
    }
  }
}

/** Commits sealed segments and nothing else: rows may be waiting for a slot of theirs. */
export async function commitSealed(
  store: Store,
  segments: Segments,
  sealed: readonly SealedSegment[],
): Promise<void> {
  await store.commit({ sealed, journalDone: segments.journalDone(sealed) });
  segments.committed(sealed, []);
}

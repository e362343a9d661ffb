import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Core } from "../core/core.ts";
import type { Decoder } from "../core/decoder.ts";
import type { Dedup } from "../core/dedup.ts";
import { clockKey, duplicatesKey } from "../storage/keys.ts";
import type { SealedSegment, SegmentMeta } from "../storage/segment.ts";
import type { Commit, CompactedSegment, Store } from "../storage/store.ts";
import type { StreamWrite } from "../stream/messages.ts";
import type { BatchAreas } from "./batch-areas.ts";
import type { DiskReserve } from "./disk.ts";
import { DuplicateTimes } from "./duplicate-times.ts";
import { packFailure } from "./failure.ts";
import { AnswerBook, Group } from "./group.ts";
import type { FieldMapping } from "./ingest.ts";
import type { Answers } from "./messages.ts";
import type { ReceiptBook, ReceiptClaim } from "./receipts.ts";
import type { Frame, RingReader } from "./ring.ts";
import { commitSealed, type Segments } from "./segments.ts";
import type { Checkpoint, StreamPort } from "./stream-port.ts";
import type { Tally } from "./tally.ts";

/** A group takes no more bodies beyond any bound; a larger body is a group of its own. */
const GROUP_ROWS = 32_768;
const GROUP_ERRORS = 65_536;
const GROUP_BYTES = 8 * 1024 * 1024;
/** How long bodies are decoded before the event loop may look at what else has happened, milliseconds. */
const SLICE_MS = 1;

export interface WriterParts {
  readonly core: Core;
  readonly clock: Clock;
  readonly ring: RingReader;
  readonly decoder: Decoder;
  readonly dedup: Dedup;
  readonly batches: BatchAreas;
  readonly segments: Segments;
  readonly store: Store;
  readonly receipts: ReceiptBook;
  readonly disk: DiskReserve;
  readonly tally: Tally;
  readonly stream: StreamPort;
  /** Sends answers, and says how far readers can see. */
  readonly answer: (answers: Answers, nextSequence: bigint) => void;
  /** Nobody knows what is on disk: ends the process. */
  readonly fatal: (error: unknown) => void;
}

/** What a commit has put on the disk and readers do not see yet. */
interface FlushedWork {
  readonly group: Group | null;
  /** Address of the group's ColumnBatch, 0: it has no rows. */
  readonly batch: number;
  readonly first: number;
  readonly duplicates: {
    readonly index: number;
    readonly receivedAtUs: bigint;
    readonly timesUs: BigInt64Array;
  } | null;
  readonly checkpoints: readonly Checkpoint[];
  readonly sealed: readonly SealedSegment[];
  readonly dropped: readonly SegmentMeta[];
  readonly compacted: readonly CompactedSegment[];
}

/**
 * The way of an event through the engine thread: ring → decoder → dedup → group → journal → flush → segments.
 *
 * One commit is in flight at a time. While it is flushed, bodies that arrive are decoded into the next group,
 * so the group grows exactly as long as the disk takes: nothing waits for a timer, and many small bodies share
 * a flush. The next group is on its way to the disk before the flushed one is applied, so that disk and
 * processor work at once; rows are visible, and their bodies answered, once they are applied.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #answers = new AnswerBook();
  #group: Group | null = null;
  #nextSequence: number;
  #receivedAtUs = 0n;
  #flushing = false;
  #applied: Promise<void> = Promise.resolve();
  /** A batch is being applied, and may wait for a free slot. */
  #applying = false;
  /** The commit of segments that such a batch may be waiting for. */
  #sealing: Promise<void> | null = null;
  #stopped = false;
  #scheduled = false;
  #sealed: SealedSegment[] = [];
  #dropped: SegmentMeta[] = [];
  #compacted: CompactedSegment[] = [];
  #drained: (() => void) | null = null;
  #checkpoints: Checkpoint[] = [];
  /** The commit of checkpoints while a batch is applied. */
  #checkpointing: Promise<void> | null = null;
  #tickDue = false;
  readonly #duplicateTimes: DuplicateTimes;
  /** Entries of duplicates for a record that begins at `#nextSequence`. */
  #duplicateEntries: number;

  constructor(parts: WriterParts, nextSequence: bigint, receivedAtUs: bigint) {
    this.#parts = parts;
    this.#duplicateTimes = new DuplicateTimes(parts.core, parts.decoder);
    this.#duplicateEntries = parts.store.duplicatesAt(nextSequence);
    this.#nextSequence = Number(nextSequence);
    this.#receivedAtUs = receivedAtUs;
  }

  /** Looks at the ring soon. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => this.#step());
  }

  /** Commits a sealed segment, with or without a group, in place of its journal records. */
  commitSealed(segment: SealedSegment): void {
    this.#sealed.push(segment);
    this.wake();
  }

  /** Forgets segments with the next commit. */
  commitDropped(dropped: readonly SegmentMeta[]): void {
    this.#dropped.push(...dropped);
    this.wake();
  }

  /** Puts a merged segment in the place of its sources with the next commit. */
  commitCompacted(compacted: CompactedSegment): void {
    this.#compacted.push(compacted);
    this.wake();
  }

  /** Commits what the stream thread keeps, with a group or on its own, and tells it so. */
  commitCheckpoint(checkpoint: Checkpoint): void {
    this.#checkpoints.push(checkpoint);
    this.wake();
  }

  /** Tells the stream thread what time it is, as soon as nothing is on its way. */
  tick(): void {
    this.#tickDue = true;
    this.wake();
  }

  /** Resolves when the ring is empty and everything taken from it is flushed and published. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.wake();
    });
  }

  /** After `drain`: nothing more is committed. */
  stop(): void {
    this.#stopped = true;
  }

  #step(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const stopped = this.#fill();
    // Who asked for no flush must not wait for one.
    if (!this.#answers.isEmpty) this.#send();
    if (this.#applying) {
      this.#commitSealed();
      this.#commitCheckpoints();
    } else if (!this.#flushing) this.#commit();
    if (!this.#answers.isEmpty) this.#send();
    const busy = this.#flushing || this.#applying || this.#checkpointing !== null;
    // A full group goes with the next commit, and the end of the one before it wakes us.
    if (stopped === "group full" && busy) return;
    if (stopped !== "ring empty") return this.wake();
    if (!this.#parts.ring.fallAsleep(busy)) return this.wake();
    if (busy) return;
    if (this.#tickDue) this.#tick();
    this.#drained?.();
    this.#drained = null;
  }

  /** Everything is published, and no group has begun: what is received from now on is received later than this. */
  #tick(): void {
    const { clock, segments, stream } = this.#parts;
    this.#tickDue = false;
    const nowUs = clock.nowUs();
    if (nowUs > this.#receivedAtUs) this.#receivedAtUs = nowUs;
    stream.tick(segments.nextSequence(), this.#receivedAtUs);
  }

  #send(): void {
    this.#parts.answer(this.#answers.take(), this.#parts.segments.nextSequence());
  }

  /** Decodes bodies into the group, and says why it stopped. */
  #fill(): "ring empty" | "group full" | "slice over" {
    const { ring, clock } = this.#parts;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    for (;;) {
      const frame = ring.peek();
      if (frame === null) return "ring empty";
      if (!this.#hasRoom() || !this.#take(frame)) return "group full";
      ring.release();
      if (clock.monotonicMs() > untilMs) return "slice over";
    }
  }

  #hasRoom(): boolean {
    const group = this.#group;
    if (group === null) return true;
    return group.rows < GROUP_ROWS && group.bytes < GROUP_BYTES && group.errors < GROUP_ERRORS;
  }

  /** Decodes one body. False when it needs a group of its own: the frame stays in the ring. */
  #take(frame: Frame): boolean {
    const { disk, tally } = this.#parts;
    const refusal = disk.refusal();
    if (refusal) {
      tally.refuse(refusal.code);
      this.#answers.fail(frame.requestId, packFailure(refusal));
      return true;
    }
    let claim: ReceiptClaim | null = null;
    let mapping: FieldMapping | undefined;
    try {
      if (frame.options !== "") {
        const options = JSON.parse(frame.options) as { mapping?: FieldMapping; key?: string };
        mapping = options.mapping;
        if (options.key !== undefined) {
          const known = this.#claim(frame, options.key);
          if (known === null) return true;
          claim = known;
        }
      }
      return this.#decode(frame, mapping, claim);
    } catch (error) {
      if (claim) this.#parts.receipts.release(claim);
      const failure = packFailure(error);
      tally.refuse(failure.code);
      this.#answers.fail(frame.requestId, failure);
      return true;
    }
  }

  /** A claim on an idempotency key, or null when the kept answer was given. */
  #claim(frame: Frame, key: string): ReceiptClaim | null {
    const { core, receipts } = this.#parts;
    const known = receipts.claim(key, core.u8.slice(frame.body, frame.body + frame.length));
    if ("claim" in known) return known.claim;
    this.#answers.repeat(frame.requestId, known.answer);
    return null;
  }

  #decode(frame: Frame, mapping: FieldMapping | undefined, claim: ReceiptClaim | null): boolean {
    const { decoder, dedup, receipts, tally } = this.#parts;
    const group = this.#group ?? this.#begin();
    const body = decoder.decode(frame.body, frame.length, frame.format, mapping);
    if (body.refusal) {
      if (claim) receipts.release(claim);
      if (body.groupFull && !group.isEmpty) return false;
      // What it has used of the builder would be missing for every body after it.
      if (group.isEmpty) this.#group = null;
      tally.refuse(body.refusal.code);
      this.#answers.fail(frame.requestId, packFailure(body.refusal));
      return true;
    }
    const { rowBegin, rowEnd, rejected, errors } = body;
    this.#duplicateTimes.begin(rowBegin, rowEnd, rejected > 0);
    const duplicates = dedup.rows(
      decoder.idsAddress(),
      decoder.madeAddress(),
      decoder.droppedAddress(),
      rowBegin,
      rowEnd,
    );
    const accepted = body.events - rejected - duplicates;
    const { requestId, durable } = frame;
    const counts = { accepted, duplicates, rejected, errors };
    const duplicateTimes =
      duplicates === 0 ? null : this.#duplicateTimes.read(rowBegin, rowEnd, duplicates);
    const pending = { requestId, durable, ...counts, claim, duplicateTimes };
    group.add(pending, frame.length);
    tally.take(frame.length, accepted, duplicates, rejected);
    if (!durable) this.#answers.add(pending, -1);
    return true;
  }

  /** A new group; what is received never goes back in time. */
  #begin(): Group {
    const nowUs = this.#parts.clock.nowUs();
    if (nowUs > this.#receivedAtUs) this.#receivedAtUs = nowUs;
    this.#parts.decoder.begin(this.#receivedAtUs);
    this.#group = new Group();
    return this.#group;
  }

  /** Makes the group's batch and commits it together with what else waits for a commit. */
  #commit(): void {
    let group = this.#group;
    if (group?.isEmpty) group = null;
    if (group) this.#group = null;
    const first = this.#nextSequence;
    const batch = group && group.rows > 0 ? this.#finish(group, first) : null;
    if (group && !batch && this.#onlyAnswers(group)) group = null;
    const changes =
      this.#sealed.length +
      this.#dropped.length +
      this.#compacted.length +
      this.#checkpoints.length;
    if (!group && changes === 0) return;
    const duplicates = group && this.#duplicatesOf(group, batch !== null);
    const checkpoints = this.#checkpoints.splice(0);
    const sealed = this.#sealed.splice(0);
    const dropped = this.#dropped.splice(0);
    const compacted = this.#compacted.splice(0);
    const commit: Commit = {
      ...(batch && { journal: { firstSequence: BigInt(first), batch: batch.bytes } }),
      receipts: group ? this.#receiptsOf(group, first) : [],
      sealed,
      dropped,
      compacted,
      journalDone: sealed.length > 0 ? this.#parts.segments.journalDone(sealed) : [],
      writes: [
        ...this.#writesOf(checkpoints),
        ...(duplicates ? [duplicatesWrite(first, duplicates)] : []),
      ],
    };
    this.#flushing = true;
    const startMs = this.#parts.clock.monotonicMs();
    const flushed = {
      group,
      batch: batch?.address ?? 0,
      first,
      duplicates,
      checkpoints,
      sealed,
      dropped,
      compacted,
    };
    // A segment is some megabytes: other bodies are decoded while it is flushed.
    this.#store(commit, changes === 0 && (group?.isSmall ?? false))
      .then(() => {
        this.#parts.tally.commit(this.#parts.clock.monotonicMs() - startMs);
        return this.#flushed(flushed);
      })
      .catch(this.#parts.fatal);
  }

  async #store(commit: Commit, small: boolean): Promise<void> {
    if (small && this.#parts.store.isIdle) this.#parts.store.commitNow(commit);
    else await this.#parts.store.commit(commit);
  }

  /**
   * Commits sealed segments while a batch is applied: every slot may be full, and the batch waits for the
   * first that is committed.
   */
  #commitSealed(): void {
    if (this.#sealing !== null || this.#sealed.length === 0) return;
    const { store, segments, fatal } = this.#parts;
    const sealed = this.#sealed.splice(0);
    this.#sealing = commitSealed(store, segments, sealed)
      .catch(fatal)
      .finally(() => {
        this.#sealing = null;
        this.wake();
      });
  }

  /** As sealed segments: the stream thread may wait for a checkpoint, and the batch for the stream thread. */
  #commitCheckpoints(): void {
    if (this.#checkpointing !== null || this.#checkpoints.length === 0) return;
    const { store, stream, fatal } = this.#parts;
    const checkpoints = this.#checkpoints.splice(0);
    this.#checkpointing = store
      .commit({ writes: this.#writesOf(checkpoints) })
      .then(() => stream.committed(checkpoints))
      .catch(fatal)
      .finally(() => {
        this.#checkpointing = null;
        this.wake();
      });
  }

  /** With the time that was told last: a checkpoint may reflect it, and after a restart time goes on from there. */
  #writesOf(checkpoints: readonly Checkpoint[]): StreamWrite[] {
    if (checkpoints.length === 0) return [];
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigInt64(0, this.#receivedAtUs, true);
    const writes = checkpoints.flatMap((checkpoint) => checkpoint.writes);
    writes.push({ table: "stream", key: clockKey, value });
    return writes;
  }

  /** The group's duplicates, under the next index of its sequence. */
  #duplicatesOf(group: Group, hasRows: boolean): FlushedWork["duplicates"] {
    const timesUs = group.duplicateTimes();
    const index = this.#duplicateEntries;
    this.#duplicateEntries = hasRows ? 0 : index + (timesUs ? 1 : 0);
    return timesUs && { index, receivedAtUs: this.#receivedAtUs, timesUs };
  }

  /** Answers a group without rows, receipts or duplicates: it has nothing to flush, and all before it is flushed. */
  #onlyAnswers(group: Group): boolean {
    if (group.duplicates > 0) return false;
    if (group.pending.some(({ claim }) => claim !== null)) return false;
    this.#settle(group, this.#nextSequence);
    return true;
  }

  #receiptsOf(group: Group, first: number) {
    const { receipts } = this.#parts;
    return group.receipts(first, (claim, receipt) =>
      receipts.stored(claim, receipt, this.#receivedAtUs),
    );
  }

  /** The group's ColumnBatch: its address in shared memory, and a private copy for LMDB. */
  #finish(group: Group, first: number): { address: number; bytes: Uint8Array } {
    const { batches } = this.#parts;
    const batch = batches.finish(this.#parts.decoder, group, BigInt(first));
    this.#nextSequence = first + group.rows;
    return batch;
  }

  /** Groups are applied one at a time and in order: the batch after the next one takes this one's memory. */
  async #flushed(work: FlushedWork): Promise<void> {
    // At once: the batch before this one may be waiting for a slot of these segments.
    this.#parts.segments.committed(work.sealed, work.dropped, work.compacted);
    this.#parts.stream.committed(work.checkpoints);
    await this.#applied;
    this.#flushing = false;
    this.#commit();
    this.#applied = this.#apply(work).catch(this.#parts.fatal);
  }

  async #apply({ group, batch, first, duplicates }: FlushedWork): Promise<void> {
    const { segments, stream } = this.#parts;
    this.#applying = true;
    if (this.#sealed.length + this.#checkpoints.length > 0) this.wake();
    if (duplicates) stream.duplicates(BigInt(first), duplicates.index, duplicates.timesUs);
    if (batch !== 0) await segments.apply(batch);
    await this.#sealing;
    if (group) this.#settle(group, first);
    assert(
      batch === 0 || segments.nextSequence() === BigInt(first + (group?.rows ?? 0)),
      "published rows end where the group's sequences end",
    );
    this.#applying = false;
    if (!this.#answers.isEmpty) this.#send();
    this.wake();
  }

  /** Answers the bodies of a group that wait for its flush. */
  #settle(group: Group, first: number): void {
    for (const [pending, sequence] of group.sequenced(first)) {
      if (pending.claim) this.#parts.receipts.release(pending.claim);
      if (pending.durable) this.#answers.add(pending, sequence);
    }
  }
}

function duplicatesWrite(
  first: number,
  { index, receivedAtUs, timesUs }: NonNullable<FlushedWork["duplicates"]>,
): StreamWrite {
  const words = new BigInt64Array(1 + timesUs.length);
  words[0] = receivedAtUs;
  words.set(timesUs, 1);
  const value = new Uint8Array(words.buffer);
  return { table: "duplicates", key: duplicatesKey(BigInt(first), index), value };
}

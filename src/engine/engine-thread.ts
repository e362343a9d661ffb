// The engine thread: the only one that writes events. It opens the store, recovers, then follows the ring.

import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { Columns } from "../core/columns.ts";
import { attachCore, type Core } from "../core/core.ts";
import { Decoder } from "../core/decoder.ts";
import { Dedup } from "../core/dedup.ts";
import { LANE_ID, LANE_NULL } from "../core/layout.ts";
import { anyEventSlotBytes, HotSlots } from "../core/slots.ts";
import { StreamPosition } from "../core/stream-position.ts";
import { Watermarks } from "../core/watermarks.ts";
import type { CorruptionError } from "../errors.ts";
import { slotRecords } from "../storage/seal.ts";
import { encodeSegmentMeta } from "../storage/segment.ts";
import { Store } from "../storage/store.ts";
import { BatchAreas } from "./batch-areas.ts";
import { Compaction } from "./compaction.ts";
import { DedupSpan } from "./dedup-span.ts";
import { DiskReserve } from "./disk.ts";
import type { EngineStats } from "./engine.ts";
import { packFailure } from "./failure.ts";
import { memoryUse } from "./memory-use.ts";
import type { EngineThreadData, FromEngine, ToEngine } from "./messages.ts";
import { ReceiptBook } from "./receipts.ts";
import { loadIds, replayJournal, type SegmentIds } from "./recovery.ts";
import { expired, reflectedOf } from "./retention.ts";
import { RingReader } from "./ring.ts";
import { commitSealed, Segments } from "./segments.ts";
import { StreamPort } from "./stream-port.ts";
import { Tally } from "./tally.ts";
import { Writer } from "./writer.ts";

const STATS_MS = 250;
const UPKEEP_MS = 10_000;
const TICK_MS = 1000;
const RECEIPTS_EXPIRED_AT_ONCE = 1000;

const { memory, config, sealer, stream: streamEnd } = workerData as EngineThreadData;
const port = parentPort;
assert(port !== null, "the engine thread has a parent");
const tell = (message: FromEngine): void => port.postMessage(message);
const clock = systemClock;

function fatal(error: unknown): void {
  tell({ type: "fatal", failure: packFailure(error) });
}

interface StatsParts {
  readonly core: Core;
  readonly store: Store;
  readonly ring: RingReader;
  readonly decoder: Decoder;
  readonly disk: DiskReserve;
  readonly slots: HotSlots;
  readonly segments: Segments;
  readonly compaction: Compaction;
  readonly dedup: Dedup;
  readonly span: DedupSpan;
  readonly watermarks: Watermarks;
  readonly tally: Tally;
}

/** Ids that were ever entered. */
function entered(dedup: Dedup): number {
  return Number(dedup.evicted()) + dedup.held();
}

/** How far the held ids reach back. Marks where they are now, for the readings to come. */
function spanSeconds({ dedup, span }: StatsParts, held: number): number {
  const nowUs = clock.nowUs();
  const count = entered(dedup);
  const seconds = span.seconds(count, held, nowUs);
  span.mark(count, nowUs);
  return seconds;
}

function statsOf(parts: StatsParts): EngineStats {
  const { store, disk, segments, compaction, dedup, watermarks, tally } = parts;
  const tables = store.tableBytes();
  const dedupIds = dedup.held();
  const refusal = disk.refusal()?.message;
  return {
    eventsProcessed: tally.events,
    duplicates: tally.duplicates,
    rejected: tally.rejected,
    ingestBytes: tally.bytes,
    bodiesRefused: { ...tally.refused },
    commits: tally.commits,
    commitMs: tally.commitMs(),
    queueBytes: 0,
    queueRequests: 0,
    nextSequence: String(segments.nextSequence()),
    segments: segments.metas.length,
    storedRows: Number(segments.nextSequence() - segments.firstSequence()),
    storedBytes: Object.values(tables).reduce((sum, bytes) => sum + bytes, 0),
    journalRecords: segments.journalRecords,
    storeBytes: { file: store.fileBytes(), ...tables },
    compaction: compaction.stats(),
    memory: memoryUse({ ...parts, config, dedupIds }),
    ...(refusal !== undefined && { ingestRefusal: refusal }),
    dedupIds,
    dedupWindowSeconds: spanSeconds(parts, dedupIds),
    lateRows: Number(watermarks.lateRows),
    futureRows: Number(watermarks.futureRows),
  };
}

/** The columns of ids in the slots from `sealedEnd` on: of rows that no stored segment has. */
function hotIds(core: Core, slots: HotSlots, sealedEnd: bigint): SegmentIds[] {
  const columns = new Columns(core);
  return slots
    .list()
    .filter(({ firstSequence, rows }) => rows > 0 && firstSequence >= sealedEnd)
    .map(({ address, rows }) => ({
      ids: columns.find(address, "id", LANE_ID),
      made: columns.find(address, "id_made", LANE_NULL),
      rows,
      records: slotRecords(core, address),
    }));
}

/** The ids of a segment can't be loaded. */
function unreadable(error: CorruptionError): void {
  tell({ type: "warning", message: `${error.message}; duplicates of its ids are not found` });
}

/** The segments, and who is told of them. What they need committed is committed at once, until a writer does it. */
function openSegments(
  core: Core,
  store: Store,
  slots: HotSlots,
  watermarks: Watermarks,
): { segments: Segments; stream: StreamPort } {
  const metas = store.segments();
  const segments = new Segments(core, slots, watermarks, sealer, metas, store.newestDropped());
  const next = () => segments.nextSequence();
  const stream = new StreamPort(streamEnd, new StreamPosition(memory), next);
  segments.onFailure = fatal;
  segments.onChanged = (added, dropped) => {
    tell({ type: "segments", added, dropped, end: segments.storedEnd() });
    stream.segments(added, dropped, segments.storedEnd());
  };
  segments.onChanged(metas.map(encodeSegmentMeta), []);
  segments.onPublished = () => stream.published();
  // While the journal is replayed, a sealed segment may be waited for, and a checkpoint too.
  segments.onSealed = (segment) => {
    commitSealed(store, segments, [segment]).catch(fatal);
  };
  stream.onCheckpoint = (checkpoint) => {
    store
      .commit({ writes: checkpoint.writes })
      .then(() => stream.committed([checkpoint]))
      .catch(fatal);
  };
  return { segments, stream };
}

async function run(): Promise<void> {
  const core = attachCore(memory);
  const store = new Store(config.data);
  const slots = new HotSlots(core, anyEventSlotBytes);
  const watermarks = new Watermarks(core, {
    sourcesMax: config.sourcesMax,
    maxSkewUs: BigInt(config.maxSkewMs) * 1000n,
  });
  const dedup = new Dedup(core, config.dedupIds);
  const batches = new BatchAreas(core, watermarks);
  const { segments, stream } = openSegments(core, store, slots, watermarks);
  const tally = new Tally();
  const clockUs = store.clockUs();
  const journalUs = await replayJournal(core, store, segments, batches, watermarks);
  const receivedAtUs = journalUs > clockUs ? journalUs : clockUs;
  const nextSequence = segments.nextSequence();
  const ring = new RingReader(memory);
  const decoder = new Decoder(core, randomBytes(32));
  // So that its figures can be read before the first body.
  decoder.begin(receivedAtUs);
  const span = new DedupSpan();
  const reusable = () => store.reusableBytes();
  const disk = new DiskReserve(config.data, config.diskReserveBytes, clock, reusable);
  const compaction = openCompaction(segments, disk);
  const own: StatsParts = {
    ...{ core, store, ring, decoder, disk, slots, segments, compaction, dedup, span },
    ...{ watermarks, tally },
  };
  // Who waits for reads may look at the figures at once.
  tell({ type: "stats", stats: statsOf(own) });
  tell({
    type: "readiness",
    readiness: { reads: true, ingest: false, reason: "the ids of stored events are being loaded" },
    nextSequence,
  });
  // As it is now: a slot that is sealed while ids are loaded is not among these segments.
  const [known, knownEnd] = [[...segments.metas], segments.storedEnd()];
  const hot = (): SegmentIds[] => hotIds(core, slots, knownEnd);
  const mark = (receivedAtUs: bigint) => span.mark(entered(dedup), receivedAtUs);
  await loadIds(core, store, known, hot, dedup, batches.scratch(), unreadable, mark);
  const writer = new Writer(
    {
      core,
      clock,
      ring,
      decoder,
      dedup,
      batches,
      segments,
      store,
      receipts: new ReceiptBook(store, config.receiptRetentionMs),
      disk,
      tally,
      stream,
      answer: (answers, next) => tell({ type: "answers", answers, nextSequence: next }),
      fatal,
    },
    nextSequence,
    receivedAtUs,
  );
  segments.onSealed = (segment) => writer.commitSealed(segment);
  stream.onCheckpoint = (checkpoint) => writer.commitCheckpoint(checkpoint);
  follow(writer, stream, own);
}

/** Merges nothing before it is looked at for the first time. */
function openCompaction(segments: Segments, disk: DiskReserve): Compaction {
  const { retentionAgeMs: ageMs } = config;
  const compaction = new Compaction({
    clock,
    segments,
    sealer,
    bounds: { spanUs: ageMs === null ? null : segmentSpanUs(ageMs) },
    isDiskFull: () => disk.refusal() !== null,
    warn: (message) => tell({ type: "warning", message }),
  });
  segments.onCompacted = (compacted) => compaction.committed(compacted);
  return compaction;
}

/** A segment spans at most an eighth of the time that events are kept. */
function segmentSpanUs(retentionAgeMs: number): bigint {
  return BigInt(Math.floor(retentionAgeMs / 8)) * 1000n;
}

/** Removes receipts that have expired, in commits that are small enough to let ingest in between. */
async function expireReceipts(store: Store, stopped: () => boolean): Promise<void> {
  while (!stopped() && (await store.expireReceipts(clock.nowUs(), RECEIPTS_EXPIRED_AT_ONCE)) > 0);
}

/** Follows the ring until it is told to close. */
function follow(writer: Writer, stream: StreamPort, parts: StatsParts): void {
  const { store, segments, compaction } = parts;
  const { leaving } = compaction;
  compaction.onMerged = (compacted) => writer.commitCompacted(compacted);
  const stats = (): EngineStats => statsOf(parts);
  const statsTimer = setInterval(() => tell({ type: "stats", stats: stats() }), STATS_MS);
  const retain = (): void => {
    const bounds = { ageMs: config.retentionAgeMs, bytes: config.retentionBytes };
    const over = reflectedOf(expired(segments.metas, clock.nowUs(), bounds), stream.reflected);
    // What is being replaced goes as a part of the merged segment, which is looked at once it is there.
    const replaced = over.findIndex(({ id }) => compaction.replaces(id));
    const gone = over
      .slice(0, replaced < 0 ? over.length : replaced)
      .filter(({ id }) => !leaving.has(id));
    for (const { id } of gone) leaving.add(id);
    if (gone.length > 0) writer.commitDropped(gone);
  };
  const changed = segments.onChanged;
  segments.onChanged = (added, dropped) => {
    changed(added, dropped);
    for (const id of dropped) leaving.delete(id);
    // By bytes, every new segment may take the place of old ones.
    if (added.length > 0) retain();
    compaction.look();
  };
  const ticks = setInterval(() => writer.tick(), TICK_MS);
  let stopping = false;
  let expiring: Promise<void> = Promise.resolve();
  const upkeep = setInterval(() => {
    if (config.retentionAgeMs !== null)
      segments.sealBefore(clock.nowUs() - segmentSpanUs(config.retentionAgeMs));
    retain();
    compaction.look();
    expiring = expiring.then(() => expireReceipts(store, () => stopping)).catch(fatal);
  }, UPKEEP_MS);

  port?.on("message", (message: ToEngine) => {
    if (message.type === "wake") return writer.wake();
    stopping = true;
    clearInterval(statsTimer);
    clearInterval(upkeep);
    clearInterval(ticks);
    compaction.stop();
    writer
      .drain()
      .then(() => stream.close())
      .then(() => writer.drain())
      .then(() => {
        writer.stop();
        return expiring;
      })
      .then(() => store.close())
      .then(() => {
        tell({ type: "closed" });
        sealer.close();
        port.close();
      }, fatal);
  });
  tell({ type: "stats", stats: stats() });
  tell({
    type: "readiness",
    readiness: { reads: true, ingest: true },
    nextSequence: segments.nextSequence(),
  });
  writer.wake();
  compaction.look();
}

// A worker that dies of a rejection takes the words of an earlier failure with it.
process.on("unhandledRejection", fatal);
run().catch(fatal);

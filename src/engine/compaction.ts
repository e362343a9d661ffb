import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { type SegmentMeta, segmentBytes } from "../storage/segment.ts";
import type { CompactedSegment } from "../storage/store.ts";
import { type CompactionBounds, nextRun } from "./compaction-policy.ts";
import type { CompactionStats } from "./engine.ts";
import type { FailureMessage } from "./failure.ts";
import type { FromSealer, ToSealer } from "./messages.ts";
import type { Segments } from "./segments.ts";

/** The sealer rests this many times as long as a compaction took, so that it takes a fifth of a processor at most. */
const REST_FACTOR = 4;
const REST_MS_MIN = 20;
/** After a failure it rests this long, and twice as long after each further one. */
const FAILURE_REST_MS_MIN = 1000;
const FAILURE_REST_MS_MAX = 600_000;

export interface CompactionParts {
  readonly clock: Clock;
  readonly segments: Segments;
  readonly sealer: MessagePort;
  readonly bounds: CompactionBounds;
  /** The disk has less room than its reserve: merging would need some for a while. */
  readonly isDiskFull: () => boolean;
  readonly warn: (message: string) => void;
}

/**
 * Merges small adjacent segments, one run at a time, when the sealer has nothing else to do. The sealer computes; the
 * engine thread only chooses and commits. Sources stay what they are until the commit that replaces them.
 */
export class Compaction {
  /** Segments that a commit on its way removes, whoever asked for it. */
  readonly leaving = new Set<number>();
  /** Called with a merged segment that is ready to be committed. */
  onMerged: (compacted: CompactedSegment) => void = () => {};
  readonly #parts: CompactionParts;
  /** Sources that can't be merged: damaged, or too large together. */
  readonly #refused = new Set<number>();
  #running: { id: number; sources: readonly SegmentMeta[]; startMs: number } | null = null;
  /** Sources of a merged segment whose commit is not flushed yet. */
  #committing: CompactedSegment | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  #stopped = false;
  #compactions = 0;
  #sources = 0;
  #rows = 0;
  #bytesBefore = 0;
  #bytesAfter = 0;

  constructor(parts: CompactionParts) {
    this.#parts = parts;
    parts.sealer.on("message", (message: FromSealer) => this.#take(message));
  }

  /** Starts on a run of segments if there is one and nothing speaks against it now. */
  look(): void {
    if (this.#stopped || this.#running || this.#committing || this.#timer) return;
    const { segments, clock, sealer, bounds } = this.#parts;
    if (segments.isSealing || this.#parts.isDiskFull()) return;
    const hot = segments.hotIds();
    const sources = nextRun(
      segments.metas,
      bounds,
      ({ id }) => !hot.has(id) && !this.leaving.has(id) && !this.#refused.has(id),
    );
    if (sources === null) return;
    const id = segments.takeId();
    this.#running = { id, sources, startMs: clock.monotonicMs() };
    sealer.postMessage({ type: "compact", segmentId: id, sources } satisfies ToSealer);
  }

  /** Whether the segment is about to be replaced by one with the same rows: it can't be dropped now. */
  replaces(segmentId: number): boolean {
    return this.#committing?.sources.some(({ id }) => id === segmentId) ?? false;
  }

  /** The merged segment is on the disk and its sources are gone. */
  committed(compacted: CompactedSegment): void {
    const { sources, meta } = compacted;
    this.#committing = null;
    this.#compactions++;
    this.#sources += sources.length;
    this.#rows += meta.rows;
    this.#bytesBefore += sources.reduce((sum, source) => sum + segmentBytes(source), 0);
    this.#bytesAfter += segmentBytes(meta);
  }

  /** What is being merged is forgotten; a commit that was asked for goes on. */
  stop(): void {
    this.#stopped = true;
    this.#running = null;
    if (this.#timer) clearTimeout(this.#timer);
  }

  stats(): CompactionStats {
    return {
      compactions: this.#compactions,
      segments: this.#sources,
      rows: this.#rows,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
      failures: this.#failures,
      running: (this.#running ?? this.#committing)?.sources.map(({ id }) => id) ?? [],
    };
  }

  #take(message: FromSealer): void {
    const running = this.#running;
    if (message.type !== "compacted" || running?.id !== message.segmentId) return;
    this.#running = null;
    const { sources, startMs } = running;
    const { segments, clock } = this.#parts;
    const tookMs = clock.monotonicMs() - startMs;
    this.#rest(Math.max(REST_MS_MIN, REST_FACTOR * tookMs));
    const stored = new Set(segments.metas.map(({ id }) => id));
    // Retention may have dropped a source meanwhile: what was made of it must not come back.
    if (sources.some(({ id }) => this.leaving.has(id) || !stored.has(id))) return;
    if ("failure" in message) return this.#failed(sources, message.failure);
    for (const { id } of sources) this.leaving.add(id);
    this.#committing = { ...message.sealed, sources };
    this.onMerged(this.#committing);
  }

  #failed(sources: readonly SegmentMeta[], { message, detail }: FailureMessage): void {
    const damaged = sources.find(({ id }) => id === detail.segmentId);
    for (const { id } of damaged ? [damaged] : sources) this.#refused.add(id);
    this.#parts.warn(`${sources.length} segments could not be merged: ${message}`);
    this.#rest(Math.min(FAILURE_REST_MS_MIN * 2 ** this.#failures++, FAILURE_REST_MS_MAX));
  }

  /** Looks again after a while, not earlier. */
  #rest(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.look();
    }, ms);
  }
}

// One reading thread: its part of the shared memory, and the queries that it runs over what is published.

import type { Clock } from "../base/clock.ts";
import { Columns } from "../core/columns.ts";
import type { Core } from "../core/core.ts";
import { REGION_READER_FIRST } from "../core/layout.ts";
import { region } from "../core/memory.ts";
import { SlotReader } from "../core/slots.ts";
import { CorruptionError } from "../errors.ts";
import { ColumnCache } from "../storage/column-cache.ts";
import { decodeSegmentMeta, type SegmentMeta } from "../storage/segment.ts";
import { readEvents } from "./events/events.ts";
import { estimate } from "./plan/estimate.ts";
import type { Filter } from "./plan/filter.ts";
import { planFilter } from "./plan/filter.ts";
import { mayMatch } from "./plan/prune.ts";
import type { ReadAnswer, ReadJob } from "./read-job.ts";
import { Cells } from "./run/cells.ts";
import { executeQuery } from "./run/execute.ts";
import { queryKernels } from "./run/kernels.ts";
import type { QueryThreadState } from "./run/scan.ts";
import { Scratch } from "./run/scratch.ts";
import { FoundCodes } from "./run/text-codes.ts";
import { LiveSource, StoredSegments } from "./segments/segments.ts";
import type { Segment, Snapshot } from "./segments/source.ts";

/** Where the stored segments are read from. */
export interface SegmentStore {
  /** What is read from now on includes all that is committed before. */
  renew(): void;
  segments(): SegmentMeta[];
  column(segmentId: number, columnIndex: number): Uint8Array | undefined;
}

/** Bytes at the beginning of a reader's region: the cancel word. */
const HEAD_SIZE = 64;
const SCRATCH_SIZE = 32 * 1024 * 1024;

/** Address of the word that stops the query which reader `index` is running. */
export function cancelWord(memory: WebAssembly.Memory, index: number): number {
  return region(memory, REGION_READER_FIRST + index).base;
}

/** Where a reader says how many bytes of decoded columns it keeps: after the cancel word. */
const CACHE_BYTES = 4;

/** Bytes of stored columns that reader `index` has decoded and keeps. */
export function readerCacheBytes({ memory, u32 }: Core, index: number): number {
  return Atomics.load(u32, (cancelWord(memory, index) + CACHE_BYTES) >>> 2);
}

export class Reader {
  readonly #core: Core;
  readonly #cache: ColumnCache | null;
  readonly #state: QueryThreadState;
  readonly #source: LiveSource;
  readonly #stored: StoredSegments;
  readonly #store: SegmentStore | null;

  /** `index` among the reading threads. Without a store it knows of stored segments, but reads none. */
  constructor(core: Core, index: number, store: SegmentStore | null, clock: Clock) {
    const { base, size } = region(core.memory, REGION_READER_FIRST + index);
    const scratchSize = Math.min(SCRATCH_SIZE, size) - HEAD_SIZE;
    const rest = { base: base + HEAD_SIZE + scratchSize, size: size - HEAD_SIZE - scratchSize };
    const cache = store && new ColumnCache(core, rest, (id, column) => store.column(id, column));
    this.#state = {
      run: {
        core,
        kernels: queryKernels(core),
        scratch: new Scratch(base + HEAD_SIZE, scratchSize),
        cancel: base,
      },
      cells: new Cells(core),
      found: new FoundCodes(),
      clock,
    };
    this.#core = core;
    this.#cache = cache;
    this.#store = store;
    this.#stored = new StoredSegments(cache);
    if (store) this.#stored.add(store.segments());
    this.#source = new LiveSource({
      core,
      columns: new Columns(core),
      slots: new SlotReader(core, index),
      stored: this.#stored,
      cache,
      ...(store && { refresh: () => segmentsOf(store) }),
    });
  }

  /**
   * Takes in which segments are stored now (encoded metas) and which are gone (ids). Sequences before `end` are
   * in a stored segment or gone.
   */
  segments(added: readonly Uint8Array[], dropped: readonly number[], end = 0n): void {
    this.#stored.add(added.map(decodeSegmentMeta));
    this.#stored.drop(dropped);
    this.#stored.reach(end);
  }

  run(job: ReadJob): ReadAnswer {
    try {
      return this.#once(job, false);
    } catch (error) {
      if (!(error instanceof CorruptionError) || !this.#store) throw error;
      // A column can't be read: its segment was dropped or compacted under the query, or it is corrupt. This time list
      // and columns are of one view of the store, so only what is corrupt fails again.
      return this.#once(job, true);
    }
  }

  #once(job: ReadJob, fresh: boolean): ReadAnswer {
    // A column of a segment that was announced must not be looked for in an older view.
    this.#store?.renew();
    const snapshot = this.#source.snapshot(fresh);
    try {
      return this.#answer(job, snapshot);
    } finally {
      snapshot.release();
      if (this.#cache) {
        const word = (this.#state.run.cancel + CACHE_BYTES) >>> 2;
        Atomics.store(this.#core.u32, word, this.#cache.bytesUsed());
      }
    }
  }

  #answer(job: ReadJob, snapshot: Snapshot): ReadAnswer {
    return job.type === "query"
      ? executeQuery(job.query, snapshot, this.#state)
      : readEvents(job.request, job.filter, snapshot, this.#state);
  }

  /** The answer, when everything that it needs is hot and it costs at most `cellsMax`; otherwise null. */
  runIfCheap(job: ReadJob, cellsMax: number): ReadAnswer | null {
    const filter = job.type === "query" ? planFilter(job.query) : job.filter;
    const snapshot = this.#source.snapshot();
    try {
      const firstHot = snapshot.segments.find(({ hot }) => hot)?.firstSequence ?? snapshot.asOf;
      if (!this.#source.isComplete(firstHot)) return null;
      const needed = neededBy(job, filter, snapshot.segments);
      if (needed.some(({ hot }) => !hot)) return null;
      if (estimate(job, filter, needed) > cellsMax) return null;
      return this.#answer(job, { ...snapshot, segments: needed });
    } finally {
      snapshot.release();
    }
  }
}

/** The list as it is now, not as it was for the query before. */
function segmentsOf(store: SegmentStore): SegmentMeta[] {
  store.renew();
  return store.segments();
}

/** The segments that can have rows for the answer. */
function neededBy(job: ReadJob, filter: Filter, segments: readonly Segment[]): readonly Segment[] {
  const from =
    job.type === "events" && job.request.order === "sequence" ? job.request.fromSequence : 0n;
  return segments.filter((segment) => {
    if (from !== undefined && segment.firstSequence + BigInt(segment.rows) <= from) return false;
    return mayMatch(filter, segment);
  });
}

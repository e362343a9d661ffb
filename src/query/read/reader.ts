// One reading thread: its part of the shared memory, and the queries that it runs over what is published.

import type { Clock } from "../../base/clock.ts";
import { Columns } from "../../core/columns.ts";
import type { Core } from "../../core/core.ts";
import { REGION_READER_FIRST } from "../../core/layout.ts";
import { region } from "../../core/memory.ts";
import { SlotReader } from "../../core/slots.ts";
import { CorruptionError, MillraceError } from "../../errors.ts";
import { ColumnCache } from "../../storage/column-cache.ts";
import { decodeSegmentMeta, type SegmentMeta } from "../../storage/segment.ts";
import { Cells } from "../columns/cells.ts";
import { CancelledError, queryKernels } from "../columns/kernels.ts";
import { PathTexts } from "../columns/path-texts.ts";
import { Scratch } from "../columns/scratch.ts";
import { readEvents } from "../events/events.ts";
import { estimate } from "../plan/estimate.ts";
import { explainPlan, type QueryPlan } from "../plan/explain.ts";
import type { Filter } from "../plan/filter.ts";
import { planFilter } from "../plan/filter.ts";
import { mayMatch } from "../plan/prune.ts";
import type { RollupAnswer, RollupPart } from "../plan/rollup.ts";
import { threadsFor } from "../plan/split.ts";
import type { Query } from "../query.ts";
import type { QueryResult } from "../result.ts";
import type { QueryExecution, SequenceRange } from "../run/execute.ts";
import { startQuery } from "../run/execute.ts";
import type { QueryThreadState } from "../run/scan.ts";
import { FoundCodes } from "../run/text-codes.ts";
import { LiveSource, StoredSegments } from "../segments/segments.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import { StoredPaths } from "../segments/stored-paths.ts";
import type { QueryJob, ReadAnswer, ReadJob, ReadLimits } from "./read-job.ts";
import { type RowsPage, type RowsRequest, readRows } from "./row-pages.ts";
import { cutRanges, partOf, type SharedScan, type SharedScanData } from "./shared-scan.ts";
import { type ThreadFacts, withFacts } from "./thread-facts.ts";

/** Where the stored segments are read from. */
export interface SegmentStore {
  /** What is read from now on includes all that is committed before. */
  renew(): void;
  segments(): SegmentMeta[];
  column(segmentId: number, columnIndex: number): Uint8Array | undefined;
  /** The filter of a column's texts. */
  filter(segmentId: number, columnIndex: number): Uint8Array | undefined;
}

/** Bytes at the beginning of a reader's region: the cancel word, bytes of decoded columns, a word that says: leave. */
const HEAD_SIZE = 64;
const CACHE_BYTES = 4;
const LEAVE = 8;
const SCRATCH_SIZE = 32 * 1024 * 1024;
/** Room for decoded columns of which a quarter, or what is enough, are for the texts of paths instead. */
const TEXTS_FROM = 32 * 1024 * 1024;
const TEXTS_MAX = 64 * 1024 * 1024;

/** Bytes of a reader's region that has so much working memory and room for decoded columns. */
export function readerBytes(memoryBytes: number, cacheBytes = 0): number {
  return HEAD_SIZE + memoryBytes + cacheBytes;
}

/** Address of the word that stops the query which reader `index` is running. */
export function cancelWord(memory: WebAssembly.Memory, index: number): number {
  return region(memory, REGION_READER_FIRST + index).base;
}

/** Address of the word that asks reader `index` to take no further part of a query that it helps with. */
export function leaveWord(memory: WebAssembly.Memory, index: number): number {
  return cancelWord(memory, index) + LEAVE;
}

/** Bytes of stored columns that reader `index` has decoded and keeps. */
export function readerCacheBytes({ memory, u32 }: Core, index: number): number {
  return Atomics.load(u32, (cancelWord(memory, index) + CACHE_BYTES) >>> 2);
}

/** Some rows that a part of a query was to read are gone: the query is to be run again. */
export const snapshotChanged = "snapshot_changed";

/** How a thread takes part in a query that several read. */
export interface PartOptions {
  readonly limits?: ReadLimits;
  /** Reads the list of stored segments again first. */
  readonly fresh?: boolean;
  /** Threads that may take part: ranges are shared out among them. */
  readonly threads: number;
  /** Called between two ranges. */
  readonly between?: () => void;
}

/** What a thread has of a query that another one leads. */
export interface Partial {
  readonly bytes: Uint8Array;
  readonly facts: ThreadFacts;
}

function textBytesOf(bytes: number): number {
  return bytes < TEXTS_FROM ? 0 : Math.min(TEXTS_MAX, Math.floor(bytes / 4));
}

export class Reader {
  readonly #core: Core;
  readonly #index: number;
  readonly #cache: ColumnCache | null;
  readonly #texts: PathTexts | null;
  readonly #state: QueryThreadState;
  readonly #source: LiveSource;
  readonly #stored: StoredSegments;
  readonly #store: SegmentStore | null;
  readonly #paths = new StoredPaths();
  #before = { hits: 0, decoded: 0, decodedBytes: 0 };

  /**
   * `index` among the reading threads. Without a store it knows of stored segments, but reads none. Of its region
   * `memoryBytes` are working memory, `textBytes` keep texts from query to query, the rest is for decoded columns.
   */
  constructor(
    core: Core,
    index: number,
    store: SegmentStore | null,
    clock: Clock,
    memoryBytes = SCRATCH_SIZE,
    textBytes = textBytesOf(region(core.memory, REGION_READER_FIRST + index).size - memoryBytes),
  ) {
    const { base, size } = region(core.memory, REGION_READER_FIRST + index);
    const scratchSize = Math.min(memoryBytes, size - HEAD_SIZE);
    const left = size - HEAD_SIZE - scratchSize;
    const kept = store ? textBytes : 0;
    const rest = { base: base + HEAD_SIZE + scratchSize, size: left - kept };
    const cache = store && new ColumnCache(core, rest, store);
    this.#texts = kept > 0 ? new PathTexts(core, base + size - kept, kept) : null;
    this.#state = {
      run: {
        core,
        kernels: queryKernels(core),
        scratch: new Scratch(base + HEAD_SIZE, scratchSize),
        ...(this.#texts && { texts: this.#texts }),
        cancel: base,
      },
      cells: new Cells(core),
      found: new FoundCodes(),
      clock,
    };
    this.#core = core;
    this.#index = index;
    this.#cache = cache;
    this.#store = store;
    this.#stored = new StoredSegments(cache, this.#texts);
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

  /** What the last job has cost this thread. */
  facts(): ThreadFacts {
    const { hits = 0, decoded = 0, decodedBytes = 0 } = this.#cache ?? {};
    const before = this.#before;
    return {
      threads: 1,
      memoryPeak: this.#state.run.scratch.peak,
      columnsCached: hits - before.hits,
      columnsDecoded: decoded - before.decoded,
      bytesDecoded: decodedBytes - before.decodedBytes,
    };
  }

  /** Nothing of the job before is there any more: it may use so much working memory. */
  #begin(memoryBytes: number | undefined): void {
    const { hits = 0, decoded = 0, decodedBytes = 0 } = this.#cache ?? {};
    this.#before = { hits, decoded, decodedBytes };
    this.#state.run.scratch.reset(memoryBytes);
    this.#texts?.begin();
  }

  run(job: ReadJob, limits: ReadLimits = {}): ReadAnswer {
    try {
      return this.#once(job, limits, false);
    } catch (error) {
      const isGone = job.type === "rows" && (error as MillraceError).code === snapshotChanged;
      if (!(isGone || error instanceof CorruptionError) || !this.#store) throw error;
      // A column can't be read: its segment was dropped or compacted under the query, or it is corrupt; or a segment
      // is not in the list. This time list and columns are of one view of the store, so only what is corrupt, or gone,
      // fails again.
      return this.#once(job, limits, true);
    }
  }

  /**
   * Runs a query as the thread that merges what the others have: `partial` answers the next of their partials, null
   * while there is none.
   *
   * @throws MillraceError `snapshot_changed`, and CorruptionError where a column is missing or corrupt
   */
  lead(
    job: QueryJob,
    scan: SharedScan,
    options: PartOptions,
    partial: () => Partial | null,
  ): QueryResult {
    const execution = this.#part(job, scan, options, () => false);
    if (job.part) execution.merge(job.part.partial);
    const others: ThreadFacts[] = [];
    const take = (): boolean => {
      const one = partial();
      if (one === null) return false;
      execution.merge(one.bytes);
      others.push(one.facts);
      return true;
    };
    scan.collect(scan.shut(), take, () => this.#isSet(this.#state.run.cancel));
    return withFacts(execution.finish(scan.asOf), [this.facts(), ...others]);
  }

  /** Helps with a query that another thread leads; null when there was nothing left to do. Errors as of `lead`. */
  help(job: QueryJob, scan: SharedScan, options: PartOptions): Uint8Array | null {
    if (!scan.join()) return null;
    const leave = this.#state.run.cancel + LEAVE;
    return this.#part(job, scan, options, () => this.#isSet(leave)).partial();
  }

  /** Reads the ranges that this thread gets. */
  #part(
    { query, part: known }: QueryJob,
    scan: SharedScan,
    { limits, fresh = false, threads, between }: PartOptions,
    stop: () => boolean,
  ): QueryExecution {
    const { run } = this.#state;
    this.#begin(limits?.memoryBytes);
    return this.#withSnapshot(fresh, (snapshot) => {
      if (known) checkPart(known, snapshot);
      const execution = startQuery(query, this.#state, limits?.query);
      for (const range of scan.ranges(this.#index % threads, threads, stop)) {
        if (this.#isSet(run.cancel)) throw new CancelledError();
        execution.run(wholePart(snapshot, range), range);
        between?.();
      }
      return execution;
    });
  }

  #isSet(word: number): boolean {
    return Atomics.load(this.#core.u32, word >>> 2) !== 0;
  }

  #once(job: ReadJob, limits: ReadLimits, fresh: boolean): ReadAnswer {
    this.#begin(limits.memoryBytes);
    return this.#withSnapshot(fresh, (snapshot) => this.#answer(job, snapshot, limits));
  }

  #withSnapshot<T>(fresh: boolean, read: (snapshot: Snapshot) => T): T {
    // A column of a segment that was announced must not be looked for in an older view.
    this.#store?.renew();
    const snapshot = this.#source.snapshot(fresh);
    try {
      return read(snapshot);
    } finally {
      snapshot.release();
      if (this.#cache) {
        const word = (this.#state.run.cancel + CACHE_BYTES) >>> 2;
        Atomics.store(this.#core.u32, word, this.#cache.bytesUsed());
      }
    }
  }

  #answer(job: ReadJob, snapshot: Snapshot, { query: limits }: ReadLimits): ReadAnswer {
    if (job.type === "events") {
      return readEvents(job.request, job.filter, snapshot, this.#state);
    }
    if (job.type === "rows") return this.#rows(job.request, snapshot);
    const { query, part } = job;
    const execution = startQuery(query, this.#state, limits);
    if (part) {
      checkPart(part, snapshot);
      execution.run(snapshot, { from: 0n, to: part.asOf });
      execution.merge(part.partial);
    } else execution.run(snapshot);
    return withFacts(execution.finish(part?.asOf ?? snapshot.asOf), [this.facts()]);
  }

  /** A page of rows: those that it follows, and those that came after the first page, are left out. */
  #rows(request: RowsRequest, snapshot: Snapshot): RowsPage {
    const { after, order } = request;
    let from = request.from ?? snapshot.segments[0]?.firstSequence ?? snapshot.asOf;
    let to = request.asOf ?? snapshot.asOf;
    if (after !== null && order.by === "sequence") {
      if (order.descending) to = after.sequence;
      else from = after.sequence + 1n;
    }
    const range = { from: from < to ? from : to, to };
    const page = readRows(request, wholePart(snapshot, range), range, this.#state);
    return { ...page, facts: this.facts() };
  }

  /** The sequence after all that is published. */
  asOf(): string {
    const snapshot = this.#source.snapshot();
    snapshot.release();
    return String(snapshot.asOf);
  }

  /** How a query would be run now. */
  plan(query: Query, rollup: RollupAnswer): QueryPlan {
    const snapshot = this.#source.snapshot();
    try {
      return explainPlan(query, snapshot, rollup);
    } finally {
      snapshot.release();
    }
  }

  /** The lanes of every property path that this thread knows of. */
  lanes(): ReadonlyMap<string, ReadonlySet<number>> {
    const snapshot = this.#source.snapshot();
    try {
      return this.#paths.lanes(snapshot.segments);
    } finally {
      snapshot.release();
    }
  }

  /**
   * The answer, when everything that it needs is hot and it costs at most `cellsMax`; and what it costs, in cells, and
   * how many threads it is worth.
   */
  consider(
    job: ReadJob,
    cellsMax: number,
    limits: ReadLimits = {},
  ): { readonly answer: ReadAnswer | null; readonly cells: number; readonly threads: number } {
    const filter = filterOf(job);
    const snapshot = this.#source.snapshot();
    try {
      const needed = neededBy(job, filter, snapshot.segments);
      const cells = estimate(job, filter, needed);
      const isOwn =
        cells <= cellsMax && needed.every(({ hot }) => hot) && this.#isComplete(snapshot);
      if (!isOwn) {
        const threads = job.type === "query" ? threadsFor(job.query, needed, cells) : 1;
        return { answer: null, cells, threads };
      }
      this.#begin(limits.memoryBytes);
      const answer = this.#answer(job, { ...snapshot, segments: needed }, limits);
      return { answer, cells, threads: 1 };
    } finally {
      snapshot.release();
    }
  }

  /**
   * Everything that is published now, or below `asOf`, cut into ranges; null while this thread does not know of all
   * that is stored.
   */
  ranges(asOf?: bigint): SharedScanData | null {
    const snapshot = this.#source.snapshot();
    try {
      if (!this.#isComplete(snapshot)) return null;
      const { segments } = snapshot;
      if (asOf === undefined) return cutRanges(segments, snapshot.asOf);
      return cutRanges(
        segments.filter(({ firstSequence }) => firstSequence < asOf),
        asOf,
      );
    } finally {
      snapshot.release();
    }
  }

  #isComplete({ segments, asOf }: Snapshot): boolean {
    return this.#source.isComplete(segments.find(({ hot }) => hot)?.firstSequence ?? asOf);
  }
}

/** What is gone since is in the part, and would be in the rest no more. */
function checkPart({ oldest }: RollupPart, snapshot: Snapshot): void {
  if ((snapshot.oldest ?? oldest) <= oldest) return;
  const message = `events before sequence ${snapshot.oldest} were dropped while the query ran`;
  throw new MillraceError(snapshotChanged, message);
}

/** The part of `snapshot` that has all rows of `range`. */
function wholePart(snapshot: Snapshot, range: SequenceRange): Snapshot {
  const part = partOf(snapshot, range);
  if (part !== null) return part;
  const message = `events from sequence ${range.from} on were dropped while the query ran`;
  throw new MillraceError(snapshotChanged, message);
}

function filterOf(job: ReadJob): Filter {
  if (job.type === "events") return job.filter;
  return planFilter(job.type === "rows" ? job.request.query : job.query);
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

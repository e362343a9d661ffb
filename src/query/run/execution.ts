// A query that runs whole or in parts. Whoever splits it (the pool, over morsels and threads) starts it on each
// thread, runs the ranges that the thread is given, sends `partial()` home and merges all of them into one.

import type { Query } from "../query.ts";
import type { QueryResult } from "../result.ts";
import type { Snapshot } from "../segments/source.ts";

/** Rows with sequences in [from, to): a morsel. It may be a part of a segment, or of many. */
export interface SequenceRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** What one query may take. What is left out has the product's own limit. */
export interface QueryLimits {
  /** Groups, by default `resultGroupsMax`. */
  readonly groups?: number;
  /** Rows of the result, by default `resultRowsMax`. */
  readonly rows?: number;
  /** When it must have ended, in milliseconds of the thread's monotonic clock. */
  readonly deadlineMs?: number;
}

/**
 * A started query on one thread. It owns the thread's scratch until it is finished or given up; `startQuery` resets
 * nothing, so that whoever starts it may say with `scratch.reset(limit)` how much memory it has.
 *
 * Any split over ranges, threads and order of merging gives the same answer, as long as no row is in two ranges.
 * All throw CancelledError, and LimitError with what would have been needed.
 */
export interface QueryExecution {
  readonly query: Query;
  /** Reads rows of the snapshot, all of them without a range. Nothing of the snapshot is needed afterwards. */
  run(snapshot: Snapshot, range?: SequenceRange): void;
  /** All that was run and merged so far, as bytes with magic, version and checksum. */
  partial(): Uint8Array;
  /** Adds what `partial` of the same query has written. Throws CorruptionError. */
  merge(bytes: Uint8Array): void;
  /** `asOf`: the sequence that the whole answer reflects, where the ranges don't say it. */
  finish(asOf?: bigint): QueryResult;
}

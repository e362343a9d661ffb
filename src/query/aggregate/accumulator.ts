// What aggregates one value over the groups of a query. There is one accumulator a query, aggregate and thread; it
// holds the partials of all groups. Partials of other threads (and later of rollups and other nodes) are merged into
// it in their binary form, which every aggregate states in its own file.

import type { Cells, LaneColumn } from "../columns/cells.ts";
import type { QueryRun } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { PartialReader, PartialWriter } from "./partial-bytes.ts";

/** Selected rows of one segment and the groups that they belong to. Addresses are in scratch. */
export interface GroupRows {
  readonly segment: Segment;
  /** A selection: one bit a row of the segment. */
  readonly mask: number;
  /** Rows in the selection. */
  readonly count: number;
  /** Address of their numbers, `count` u32, ascending; made when it is first asked for. */
  rows(): number;
  /** Address of the group of each of `rows()`, `count` u32; 0: all belong to group 0. */
  readonly groups: number;
  /** Groups so far: every group is below. */
  readonly groupCount: number;
  /** Of a run: the group of all its rows, where `groups` is 0. Only accumulators that take runs are given any. */
  readonly group?: number;
  /** Of a run: the words of the mask that its rows are in. */
  readonly words?: readonly [first: number, end: number];
}

/** The columns of a segment that hold the values of an expression, stored or derived; a row has one at most. */
export interface LaneSource {
  lanes(segment: Segment, expression: Expression, mask: number): readonly LaneColumn[];
}

/** What accumulators work with. */
export interface AggregateContext {
  readonly run: QueryRun;
  readonly cells: Cells;
  readonly computed: LaneSource;
  /**
   * Seconds of time that a group covers, where its bucket or the query's range says so; asked when the query is
   * done. Undefined: `rate` goes by the first and the last timestamp of the group.
   */
  readonly rateSeconds?: ((group: number) => number) | undefined;
  /** There are many states of few groups each: they begin small. */
  readonly small?: boolean | undefined;
}

/**
 * The state of one or more aggregates: of all those with the same `sharedStateKey` (sum and avg of one expression).
 * Memory comes from `scratch.keep` (until the query ends) and, within `add`, from `scratch.take`, which is released
 * again. A group that no row was added to has the value of no rows: 0 for counts, NULL for all else.
 */
export interface Accumulator {
  /** Whether `add` takes runs: rows of one group that are not listed, in some words of a mask. */
  readonly takesRuns?: boolean;
  /** Throws CancelledError, and LimitError when memory runs out. */
  add(rows: GroupRows): void;
  /**
   * Reads the values of `aggregate`, one of those that this is the state of, when every row is added or merged. The
   * function throws InputError `sum_overflow` where the value can't be told. Integers are exact, beyond 2^53 as
   * bigints; timestamps are integers of microseconds.
   */
  finish(aggregate: Aggregate): (group: number) => Value;
  /**
   * The values of the groups below `count` at once, those that `finish` reads; null where one of them is not a number,
   * or where they are no quicker to be had than one by one. What is answered is the caller's.
   */
  numbers?(aggregate: Aggregate, count: number): Float64Array | null;
  /** The partials of the groups below `groupCount`, in order. Only what was added or merged until now is in them. */
  encode(groupCount: number, out: PartialWriter): void;
  /** Reads what `encode` has written; the i-th of its partials goes into group `groups[i]`. */
  merge(partials: PartialReader, groups: Uint32Array): void;
}

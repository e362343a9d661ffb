// What aggregates one value over the groups of a query. There is one accumulator a query, aggregate and thread; it
// holds the partials of all groups. Partials of other threads (and later of rollups and other nodes) are merged into
// it in their binary form, which every aggregate states in its own file.

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
}

/**
 * Memory comes from `scratch.keep` (until the query ends) and, within `add`, from `scratch.take`, which the caller
 * releases. A group that no row was added to has the value of no rows: 0 for counts, NULL for all else.
 */
export interface Accumulator {
  /** Throws CancelledError, and LimitError when memory runs out. */
  add(rows: GroupRows): void;
  /** Throws InputError `sum_overflow` where the value can't be told. Integers are exact, beyond 2^53 as bigints. */
  value(group: number): Value;
  /** The partials of the groups below `groupCount`, in order. */
  encode(groupCount: number, out: PartialWriter): void;
  /** Reads what `encode` has written; the i-th of its partials goes into group `groups[i]`. */
  merge(partials: PartialReader, groups: Uint32Array): void;
}

import type { Core } from "../../core/core.ts";

/**
 * The kernels of aggregates by group; addresses, counts and codes are u32. `vector` is the address of a VECTOR.
 * Those that say nothing else answer 0, or -1 when cancelled. See assembly/aggregate.
 */
export interface AggregateKernels {
  addCounts(groups: number, count: number, counts: number): void;
  countVectors(vector: number, counts: number): number;
  mergeCounts: MergeKernel;
  addTotals(vector: number, totals: number): number;
  mergeTotals: MergeKernel;
  clearRanges(ranges: number, count: number): void;
  widenRanges(vector: number, ranges: number): number;
  mergeRanges: MergeKernel;
  extremeCodes(vector: number, entries: number, sorted: number, last: number, best: number): number;
  /** Answers the group before which the heap was full, or `count`. */
  keepExtremes(
    best: number,
    from: number,
    count: number,
    entries: number,
    last: number,
    texts: number,
    heap: number,
  ): number;
  /** Answers 0 when the heap was full. */
  keepExtreme(slot: number, text: number, length: number, last: number, heap: number): number;
  seeBooleans(vector: number, seen: number): number;
  extremeIds(vector: number, last: number, ids: number): number;
  mergeIds(partials: number, groups: number, count: number, last: number, ids: number): void;
}

/** Merges state i of `count` at `partials` into state groups[i] of those at `states`. */
export type MergeKernel = (partials: number, groups: number, count: number, states: number) => void;

export function aggregateKernels(core: Core): AggregateKernels {
  return core.exports as unknown as AggregateKernels;
}

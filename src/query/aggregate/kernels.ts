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
  addSpreads(vector: number, spreads: number): number;
  mergeSpreads: MergeKernel;
  addHistogram(
    vector: number,
    doubles: number,
    count: number,
    integers: number,
    reachable: number,
    counts: number,
  ): number;

  /** 1: the table must be larger, 2: the heap must be. */
  addSketch(vector: number, arrays: number, limit: number, table: number, heap: number): number;
  mergeBins(
    bins: number,
    count: number,
    group: number,
    arrays: number,
    table: number,
    heap: number,
  ): void;
  hashTexts(entries: number, from: number, count: number, seed: number, out: number): void;
  /** 1: the table must be larger, 2: the heap must be. */
  addRegisters(
    vector: number,
    hashes: number,
    entries: number,
    seed: number,
    arrays: number,
    limit: number,
    table: number,
    heap: number,
  ): number;
  mergeRegisters(
    hashes: number,
    count: number,
    group: number,
    arrays: number,
    table: number,
    heap: number,
  ): void;
  rehashCells(from: number, slots: number, table: number): void;
  rehashMembers(from: number, slots: number, size: number, table: number): void;

  addNumbered(
    vector: number,
    numbers: number,
    sets: number,
    stride: number,
    counts: number,
  ): number;
  /** Answers how many members it has written, or 2^32 - 1 when texts or heap are full. */
  takeNumbered(
    set: number,
    stride: number,
    group: number,
    entries: number,
    texts: number,
    heap: number,
    out: number,
    most: number,
  ): number;
  markCodes(vector: number, used: number): number;
  /** Answers the code before which texts or heap were full, or `count`. */
  internTexts(
    entries: number,
    from: number,
    count: number,
    used: number,
    indexes: number,
    texts: number,
    heap: number,
  ): number;
  /** The index of the text, -1 when texts or heap are full. */
  intern(text: number, length: number, texts: number, heap: number): number;
  rehashTexts(texts: number): void;
  /** 1: the table must be larger. */
  addMembers(
    vector: number,
    kind: number,
    indexes: number,
    table: number,
    size: number,
    counts: number,
  ): number;
  /** 1: the table must be larger, 2: the texts, 3: the heap. */
  addIdMembers(
    vector: number,
    table: number,
    size: number,
    counts: number,
    texts: number,
    heap: number,
  ): number;
  countCodes(vector: number, width: number, counts: number): number;
  /** Answers how many pairs of a group and a code there are. */
  usedCounts(counts: number, groups: number, width: number, used: number): number;
  addCounted(
    counts: number,
    groups: number,
    width: number,
    kind: number,
    indexes: number,
    table: number,
    size: number,
    members: number,
  ): void;
  mergeMembers(members: number, count: number, table: number, counts: number): void;
  tallyOf(table: number, bits: bigint, group: number, kind: number): number;

  pickRows(vector: number, column: number, times: number, last: number, best: number): number;
  /** Answers the group before which the heap was full, or `count`. */
  keepPicked(
    best: number,
    from: number,
    count: number,
    firstSequence: bigint,
    last: number,
    picked: number,
    heap: number,
  ): number;
  /** Answers 0 when the heap was full. */
  mergePicked(from: number, text: number, last: number, to: number, heap: number): number;

  /** 1: the list needs more chunks. */
  addValues(vector: number, list: number): number;
  partValues(list: number, groups: number, starts: number, nexts: number): void;
  selectValue(list: number, from: number, to: number, k: number): number;
}

/** Merges state i of `count` at `partials` into state groups[i] of those at `states`. */
export type MergeKernel = (partials: number, groups: number, count: number, states: number) => void;

export function aggregateKernels(core: Core): AggregateKernels {
  return core.exports as unknown as AggregateKernels;
}

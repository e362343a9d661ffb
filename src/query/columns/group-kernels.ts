/** Kernels of groups; addresses, counts and ids are u32. See assembly/group. */
export interface GroupKernels {
  groupCodes(
    column: number,
    rows: number,
    count: number,
    ids: number,
    offset: number,
    cancel: number,
  ): number;
  groupRange(column: number, rows: number, count: number, out: number, cancel: number): number;
  groupIntegers(
    column: number,
    rows: number,
    count: number,
    ids: number,
    offset: number,
    low: bigint,
    cancel: number,
  ): number;
  groupNumbers(
    column: number,
    rows: number,
    from: number,
    count: number,
    ids: number,
    offset: number,
    table: number,
    cancel: number,
  ): number;
  groupUuids(
    column: number,
    rows: number,
    from: number,
    count: number,
    ids: number,
    offset: number,
    table: number,
    cancel: number,
  ): number;
  groupNulls(ids: number, from: number, count: number, table: number): number;
  groupBuckets(
    column: number,
    rows: number,
    count: number,
    ids: number,
    offset: number,
    start: bigint,
    width: bigint,
    cancel: number,
  ): number;
  groupStarts(
    column: number,
    rows: number,
    count: number,
    ids: number,
    offset: number,
    starts: number,
    buckets: number,
    cancel: number,
  ): number;
  groupMark(ids: number, count: number, flags: number): void;
  groupInternMarked(source: number, flags: number, from: number, cancel: number): number;
  groupCounts(
    column: number,
    words: number,
    mask: number,
    counts: number,
    other: number,
    cancel: number,
  ): number;
  groupCounted(
    counts: number,
    other: number,
    width: number,
    offset: number,
    ids: number,
    times: number,
  ): number;
  groupRuns(
    column: number,
    words: number,
    mask: number,
    start: bigint,
    width: bigint,
    firsts: number,
    ends: number,
    ids: number,
    most: number,
    rest: number,
    cancel: number,
  ): number;
  groupNumbered(
    source: number,
    ids: number,
    from: number,
    count: number,
    work: number,
    cancel: number,
  ): number;
  groupTranslate(source: number, ids: number, from: number, count: number, cancel: number): number;
  groupProduct(ids: number, other: number, count: number, cardinality: number): void;
  groupCombine(
    sources: number,
    keys: number,
    pairs: number,
    work: number,
    known: number,
    ids: number,
    from: number,
    count: number,
    cancel: number,
  ): number;
  groupPairs(
    table: number,
    ids: number,
    other: number,
    from: number,
    count: number,
    cancel: number,
  ): number;
  groupCompact(
    rows: number,
    groups: number,
    count: number,
    mask: number,
    outRows: number,
    outGroups: number,
  ): number;
  groupFill(address: number, size: number, byte: number): void;
  groupRehash(old: number, count: number, slots: number, mask: number): void;
  slotsBelow(slots: number, count: number, limit: number): void;
  groupCompareKeys(table: number, a: number, b: number): number;
  groupRanks(table: number, work: number, ranks: number): void;
  groupTextBytes(table: number): number;
  groupPackKeys(table: number, out: number, texts: number): void;
  groupUnpackKeys(
    table: number,
    packed: number,
    from: number,
    count: number,
    texts: number,
    textBytes: number,
    indexes: number,
  ): number;
  groupUnpackPairs(
    table: number,
    packed: number,
    from: number,
    count: number,
    firsts: number,
    firstCount: number,
    seconds: number,
    secondCount: number,
    indexes: number,
  ): number;
}

import type { QueryResult } from "../result.ts";

/** What a query has cost one thread, or several. */
export interface ThreadFacts {
  readonly threads: number;
  /** Bytes of working memory that were used at once at most, on one thread. */
  readonly memoryPeak: number;
  /** Stored columns that were decoded already, those that had to be decoded, and the bytes of these. */
  readonly columnsCached: number;
  readonly columnsDecoded: number;
  readonly bytesDecoded: number;
}

/** The result with what its threads have to say. */
export function withFacts(result: QueryResult, threads: readonly ThreadFacts[]): QueryResult {
  const sum = (of: (one: ThreadFacts) => number): number =>
    threads.reduce((all, one) => all + of(one), 0);
  return {
    ...result,
    stats: {
      ...result.stats,
      memoryBytes: Math.max(...threads.map(({ memoryPeak }) => memoryPeak)),
      threads: sum((one) => one.threads),
      columnsCached: sum((one) => one.columnsCached),
      columnsDecoded: sum((one) => one.columnsDecoded),
      bytesDecoded: sum((one) => one.bytesDecoded),
    },
  };
}

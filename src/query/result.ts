/** A value of a result: integers beyond 2^53 are bigints. Json cells are `JsonText`. */
export type Value = null | boolean | number | bigint | string | JsonText;

/** JSON text as stored, to be written as it is. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export interface ResultColumn {
  readonly name: string;
  readonly type: "number" | "string" | "boolean" | "json" | "timestamp" | "interval" | "variant";
}

export interface QueryStats {
  readonly rowsScanned: number;
  readonly rowsMatched: number;
  readonly segmentsScanned: number;
  readonly segmentsPruned: number;
  readonly executionUs: number;
  /** Where the time went, µs, summed over threads. */
  readonly stages?: StageTimes;
  /** Groups before HAVING and LIMIT. */
  readonly groups?: number;
  /** Bytes of working memory that were used at most on one thread. */
  readonly memoryBytes?: number;
  /** Threads that have read rows. */
  readonly threads?: number;
  /** Stored columns that were decoded already, those that had to be decoded, and the bytes of these. */
  readonly columnsCached?: number;
  readonly columnsDecoded?: number;
  readonly bytesDecoded?: number;
}

/** Microseconds in each stage of a query: zone maps, finding and decoding columns, conditions, group ids, … */
export interface StageTimes {
  readonly prune: number;
  readonly columns: number;
  readonly filter: number;
  readonly group: number;
  readonly aggregate: number;
  readonly merge: number;
  readonly finish: number;
}

export interface QueryResult {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly Value[])[];
  /** The sequence that the answer reflects: every row below it, none from it on. */
  readonly asOf: string;
  readonly stats: QueryStats;
}

/** `GET /analytics/events`, and one step of a live subscription (order: "sequence"). */
export interface EventsRequest {
  /** Microseconds, [from, to). */
  readonly fromUs?: bigint;
  readonly toUs?: bigint;
  readonly eventType?: string;
  readonly source?: string;
  readonly userId?: string;
  readonly sessionId?: string;
  /** SQL expression text, or the JSON form of a predicate. */
  readonly where?: unknown;
  /** By timestamp, then sequence; or, for subscriptions, by sequence alone. */
  readonly order: "asc" | "desc" | "sequence";
  readonly limit: number;
  /** Opaque, from the page before; for order "sequence" also a decimal first sequence through `fromSequence`. */
  readonly cursor?: string;
  readonly fromSequence?: bigint;
  /** Characters of text after which the page ends, however few events it has; `eventsPageCharsMax` by default. */
  readonly charsMax?: number;
}

export interface EventsPage {
  /** JSON text of each event, in order. */
  readonly events: readonly string[];
  readonly nextCursor: string | null;
  readonly asOf: string;
  /** For order "sequence": the first sequence not looked at yet. */
  readonly nextSequence?: bigint;
  /** For order "sequence": the oldest sequence that is kept. */
  readonly oldestSequence?: bigint;
}

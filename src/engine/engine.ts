import type { ExplainFormat } from "../query/plan/explain-text.ts";
import type { RollupAnswer, RollupPart } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../query/result.ts";
import type { ResultFormat } from "../query/result-text.ts";
import type { QueryLimits } from "../query/run/execution.ts";
import type { CatalogPath } from "../query/sql/catalog.ts";
import type { Streams } from "../stream/streams.ts";
import type { BodyPlace, IngestDone, IngestRequest } from "./ingest.ts";

/** Bytes of a region: the address space that is set aside, and what holds something now, where that is known. */
export interface MemoryUse {
  readonly reserved: number;
  readonly used?: number;
}

/** A stored column, for people. */
export interface ColumnSummary {
  readonly path: string;
  readonly lane: string;
  readonly encoding: string;
  /** Rows that have a value. */
  readonly count: number;
  readonly bytes: number;
  readonly filterBytes: number;
  /** Entries of its dictionary; 0 also where nothing is known. */
  readonly entries: number;
}

/** A stored segment, for people. */
export interface SegmentSummary {
  readonly id: number;
  readonly firstSequence: bigint;
  readonly rows: number;
  /** Of its columns and filters. */
  readonly bytes: number;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  /** When its first and its last record came in; null without records. */
  readonly receivedFromUs: bigint | null;
  readonly receivedToUs: bigint | null;
  readonly records: number;
  /** Left out of its records. */
  readonly duplicates: number;
  readonly rejected: number;
  readonly columns: readonly ColumnSummary[];
}

/** What merging small segments has done since the process started. */
export interface CompactionStats {
  readonly compactions: number;
  /** Segments that were merged. */
  readonly segments: number;
  /** Rows that were written again. */
  readonly rows: number;
  /** Bytes of what was merged, and of what was made of it. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly failures: number;
  /** The segments that are being merged now. */
  readonly running: readonly number[];
}

/** Figures of the engine thread and of the memory, for metrics and health. Counters only ever grow. */
export interface EngineStats {
  readonly eventsProcessed: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly ingestBytes: number;
  /** Bodies refused whole, by error code. */
  readonly bodiesRefused: Readonly<Record<string, number>>;
  readonly commits: number;
  /** Upper bounds in milliseconds, and the commits above the bound before and up to each; the last is Infinity. */
  readonly commitMs: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly sum: number;
  };
  readonly queueBytes: number;
  readonly queueRequests: number;
  readonly nextSequence: string;
  readonly segments: number;
  readonly storedRows: number;
  readonly storedBytes: number;
  readonly journalRecords: number;
  /** Bytes of the data file and, within it, of each of its tables. */
  readonly storeBytes: Readonly<Record<string, number>>;
  readonly compaction: CompactionStats;
  /** The shared linear memory by its use. */
  readonly memory: Readonly<Record<string, MemoryUse>>;
  /** Why bodies are refused although the engine is ready for them: the disk is too full. */
  readonly ingestRefusal?: string;
  readonly dedupIds: number;
  readonly dedupWindowSeconds: number;
  /** Rows whose timestamp was behind their source's watermark, and rows too far in the future to advance one. */
  readonly lateRows: number;
  readonly futureRows: number;
}

/** `reads`: queries are answered. `ingest`: the ids are loaded and bodies are taken. */
export interface Readiness {
  readonly reads: boolean;
  readonly ingest: boolean;
  /** Why not, in words, when one is false. */
  readonly reason?: string;
}

/** How a query is run. Limits that are above those of the settings have no effect. */
export interface QueryOptions {
  /** Ends the query when it is aborted. */
  readonly signal?: AbortSignal;
  /** Names the query in the list of running ones; made when absent. */
  readonly id?: string;
  /** What the list shows of it: SQL text, or the JSON form. */
  readonly text?: string;
  /** The request that asked. */
  readonly requestId?: string;
  readonly timeoutMs?: number;
  /** Working memory on each thread. */
  readonly memoryBytes?: number;
  readonly rowsMax?: number;
  readonly groupsMax?: number;
}

/** A query that waits for a worker or runs on some. The HTTP thread's own are over before they are seen. */
export interface QueryInfo {
  readonly id: string;
  readonly kind: "query" | "events";
  /**
   * `sending`: its result is read by its client. `ending`: it was killed, or failed, and its workers have not all let
   * go of it.
   */
  readonly state: "waiting" | "running" | "sending" | "ending";
  readonly text: string | null;
  readonly requestId: string | null;
  readonly startedUs: bigint;
  readonly elapsedMs: number;
  /** Null where it is not read range by range. */
  readonly rowsScanned: number | null;
  readonly rowsTotal: number | null;
  /** Workers that it runs on now. */
  readonly workers: number;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
}

/** What EXPLAIN is asked for. */
export interface Explain {
  readonly analyze: boolean;
  readonly format: ExplainFormat;
  /** Whether windows of a rule answer it instead of a scan; not said: they don't. */
  readonly rollup?: RollupAnswer;
  /** What was done where that was so. */
  readonly done?: QueryResult;
}

/** A result as bytes of text. */
export interface ResultText {
  readonly asOf: string;
  /** How it begins: all of it where `rest` is null. */
  readonly pieces: readonly Uint8Array[];
  readonly rest: ResultRest | null;
}

/** What follows, made when it is asked for. */
export interface ResultRest {
  /** The next pieces, none after the last; one call at a time. */
  next(): Promise<readonly Uint8Array[]>;
  /** No more is wanted. */
  cancel(): void;
  /** Tells of a failure that comes while nobody waits for `next`. */
  onFailure(listener: (error: Error) => void): void;
}

/** Figures of all queries since the start; those without "since" are of now. */
export interface QueryFigures {
  readonly running: number;
  readonly waiting: number;
  /** Answered by the HTTP thread itself. */
  readonly own: number;
  /** Answered by workers, and those among them that several have read. */
  readonly answered: number;
  readonly split: number;
  readonly cancelled: number;
  readonly killed: number;
  readonly timeouts: number;
  readonly overLimit: number;
  readonly repeated: number;
  readonly workersFailed: number;
  /** Working memory that the hungriest query has used on one thread, bytes. */
  readonly memoryPeak: number;
}

/** The engine as the HTTP thread sees it. */
export interface Engine {
  /** Memory for a body of `byteLength` that is about to be received; null: keep its chunks. */
  reserve(byteLength: number): BodyPlace | null;
  /** Queues the body. Throws OverloadError when it does not fit: nothing is queued then. */
  ingest(request: IngestRequest, done: IngestDone): void;
  /** With `part` only what that leaves is read. @throws MillraceError `snapshot_changed`: it holds no more */
  query(query: Query, options?: QueryOptions, part?: RollupPart): Promise<QueryResult>;
  events(request: EventsRequest, options?: QueryOptions): Promise<EventsPage>;
  /** As `query`, but as text, which is made where the rows are; a large one is read piece by piece. */
  answer(query: Query, format: ResultFormat, options?: QueryOptions): Promise<ResultText>;
  /** How the query would be run, as rows of text; with `analyze` it is run, and what happened stands beside it. */
  explain(query: Query, explain: Explain, options?: QueryOptions): Promise<QueryResult>;
  /** How many groups and rows the result of a query with these options may have. */
  resultLimits(options: QueryOptions): QueryLimits;
  /** The property paths that are stored now, and the types of their values. */
  catalog(): CatalogPath[];
  /** The queries that wait or run, oldest first. */
  queries(): QueryInfo[];
  /** Ends a query; false when there is none of this id. Its caller gets `query_cancelled` with `by`. */
  killQuery(id: string, by: string): boolean;
  queryFigures(): QueryFigures;
  /** Calls `listener` with the next sequence after each publish, at most once per event-loop turn. */
  onPublish(listener: (nextSequence: bigint) => void): () => void;
  nextSequence(): bigint;
  readiness(): Readiness;
  stats(): EngineStats;
  /** Every stored segment, by sequence. */
  storedSegments(): readonly SegmentSummary[];
  /** Aggregation rules and their windows. */
  readonly streams: Streams;
  /** Finishes what was accepted, commits it and closes. */
  close(): Promise<void>;
}

import type { Query } from "../query/query.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../query/result.ts";
import type { BodyPlace, IngestDone, IngestRequest } from "./ingest.ts";

/** Bytes of a region: the address space that is set aside, and what holds something now, where that is known. */
export interface MemoryUse {
  readonly reserved: number;
  readonly used?: number;
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

/** The engine as the HTTP thread sees it. */
export interface Engine {
  /** Memory for a body of `byteLength` that is about to be received; null: keep its chunks. */
  reserve(byteLength: number): BodyPlace | null;
  /** Queues the body. Throws OverloadError when it does not fit: nothing is queued then. */
  ingest(request: IngestRequest, done: IngestDone): void;
  query(query: Query, signal?: AbortSignal): Promise<QueryResult>;
  events(request: EventsRequest, signal?: AbortSignal): Promise<EventsPage>;
  /** Calls `listener` with the next sequence after each publish, at most once per event-loop turn. */
  onPublish(listener: (nextSequence: bigint) => void): () => void;
  nextSequence(): bigint;
  readiness(): Readiness;
  stats(): EngineStats;
  /** Finishes what was accepted, commits it and closes. */
  close(): Promise<void>;
}

import { randomUUID } from "node:crypto";
import { TimeoutError } from "../errors.ts";
import { resultGroupsMax, resultRowsMax } from "../limits.ts";
import type { ReadAnswer, ReadJob, ReadLimits } from "../query/read/read-job.ts";
import { canSplit, type SharedScan } from "../query/read/shared-scan.ts";
import type { ResultFormat } from "../query/result-text.ts";
import type { QueryInfo, QueryOptions, ResultText } from "./engine.ts";
import type { QueryWorker } from "./query-worker.ts";
import type { ResultStream } from "./result-stream.ts";

/** What a query may take where nobody says less. */
export interface QueryBounds {
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  readonly rows: number;
  readonly groups: number;
}

export const boundsDefault: QueryBounds = {
  memoryBytes: 32 * 1024 * 1024,
  timeoutMs: 30_000,
  rows: resultRowsMax,
  groups: resultGroupsMax,
};

/** What one query may take: what its caller says, where that is less. */
export function limitsOf(options: QueryOptions, bounds: QueryBounds): ReadLimits {
  const less = (own: number | undefined, most: number): number => Math.min(own ?? most, most);
  return {
    memoryBytes: less(options.memoryBytes, bounds.memoryBytes),
    query: {
      rows: less(options.rowsMax, bounds.rows),
      groups: less(options.groupsMax, bounds.groups),
    },
  };
}

export interface Settlement {
  resolve(answer: ReadAnswer | ResultText): void;
  reject(error: Error): void;
}

/** A query that waits for a worker or runs on some. */
export class RunningQuery {
  readonly id: string;
  readonly job: ReadJob;
  /** What it is thought to cost, in cells. */
  readonly cells: number;
  /** How many threads it is worth. */
  readonly threads: number;
  readonly limits: ReadLimits;
  readonly timeoutMs: number;
  /** How its result is written; null: as values. */
  readonly format: ResultFormat | null;
  readonly #options: QueryOptions;
  readonly #settlement: Settlement;
  readonly #startedUs: bigint;
  readonly #startedMs: number;
  readonly workers = new Set<QueryWorker>();
  /** Number of this run: a query that is run again has another one. */
  run = 0;
  attempt = 0;
  scan: SharedScan | null = null;
  /** Why it is being ended; `retry` when it is to be run again. */
  failure: Error | "retry" | null = null;
  settled = false;
  memoryPeak = 0;
  /** What its client has not read yet. */
  stream: ResultStream | null = null;
  /** The worker that has that. */
  keeper: QueryWorker | null = null;
  /** Stops the timers and listens to the caller no more. */
  release: () => void = () => {};

  constructor(
    job: ReadJob,
    work: { readonly cells: number; readonly threads: number },
    format: ResultFormat | null,
    options: QueryOptions,
    bounds: QueryBounds,
    started: { us: bigint; ms: number },
    settlement: Settlement,
  ) {
    this.id = options.id ?? randomUUID();
    this.job = job;
    this.cells = work.cells;
    this.threads = work.threads;
    this.format = format;
    this.#options = options;
    this.#settlement = settlement;
    this.#startedUs = started.us;
    this.#startedMs = started.ms;
    this.limits = limitsOf(options, bounds);
    this.timeoutMs = Math.min(options.timeoutMs ?? bounds.timeoutMs, bounds.timeoutMs);
  }

  /** Whether its rows are read range by range, so that other workers can help. */
  get hasRanges(): boolean {
    return this.job.type === "query" && canSplit(this.job.query);
  }

  /** The sequence that its answer is as of, where a part of it is known already. */
  get partAsOf(): bigint | undefined {
    return this.job.type === "query" ? this.job.part?.asOf : undefined;
  }

  get lead(): QueryWorker | undefined {
    for (const worker of this.workers) if (worker.leads) return worker;
    return undefined;
  }

  elapsedMs(nowMs: number): number {
    return nowMs - this.#startedMs;
  }

  settle(outcome: ReadAnswer | ResultText | Error): void {
    if (this.settled) return;
    this.settled = true;
    this.release();
    if (outcome instanceof Error) this.#settlement.reject(outcome);
    else this.#settlement.resolve(outcome);
  }

  timeout(nowMs: number): TimeoutError {
    const { rowsDone, rowsTotal } = this.scan ?? {};
    const elapsedMs = Math.round(this.elapsedMs(nowMs));
    const progress =
      this.workers.size === 0
        ? "it was still waiting for a worker"
        : rowsTotal === undefined
          ? "it was still running"
          : `it had read ${rowsDone} of ${rowsTotal} rows`;
    return new TimeoutError(
      "query_timeout",
      `the query took more than ${this.timeoutMs} ms: ${progress}; a filter, a shorter range of time or a higher ` +
        "limit lets it end",
      {
        timeoutMs: this.timeoutMs,
        elapsedMs,
        ...(rowsTotal !== undefined && { rowsScanned: rowsDone, rowsTotal }),
      },
    );
  }

  #state(): QueryInfo["state"] {
    if (this.stream !== null) return "sending";
    if (this.failure !== null) return "ending";
    return this.workers.size === 0 ? "waiting" : "running";
  }

  info(nowMs: number): QueryInfo {
    const { text, requestId } = this.#options;
    return {
      id: this.id,
      kind: this.job.type === "events" ? "events" : "query",
      state: this.#state(),
      text: text ?? null,
      requestId: requestId ?? null,
      startedUs: this.#startedUs,
      elapsedMs: this.elapsedMs(nowMs),
      rowsScanned: this.scan?.rowsDone ?? null,
      rowsTotal: this.scan?.rowsTotal ?? null,
      workers: this.workers.size,
      timeoutMs: this.timeoutMs,
      memoryBytes: this.limits.memoryBytes ?? 0,
    };
  }
}

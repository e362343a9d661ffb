import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { TimeoutError } from "../errors.ts";
import type { Query } from "../query/query.ts";
import {
  type RowOrder,
  type RowPlace,
  type RowsPage,
  type RowsRequest,
  rowColumns,
} from "../query/read/row-pages.ts";
import type { QueryStats, StageTimes } from "../query/result.ts";
import { type ResultFormat, type ResultWriter, resultWriter } from "../query/result-text.ts";
import type { QueryInfo, QueryOptions, ResultRest, ResultText } from "./engine.ts";

/** A question whose rows can be sent as they are found. */
export interface AskedRows {
  readonly query: Query;
  readonly order: RowOrder;
  readonly format: ResultFormat;
}

export interface RowStreamParts {
  /** Reads a page; it is given up when `signal` is aborted. */
  page(request: RowsRequest, signal: AbortSignal): Promise<RowsPage>;
  /** Called once, when all was sent or the stream was given up. */
  ended(): void;
  /** A client that asks for nothing for so long is given up. */
  readonly stallMs: number;
  /** What a page may take, for the list of queries. */
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  readonly clock: Clock;
}

/** Rows of a page at most: what is chosen and not written is looked for again. */
const pageRowsMax = 16_384;
const pageRowsMin = 256;

type Sums = { -readonly [K in keyof QueryStats]-?: QueryStats[K] };

/** The rows of a query on their way to a client: a page is read when it is asked for, nothing is kept between two. */
export class RowStream implements ResultRest {
  readonly id: string;
  readonly #asked: AskedRows;
  readonly #options: QueryOptions;
  readonly #parts: RowStreamParts;
  readonly #writer: ResultWriter;
  readonly #stop = new AbortController();
  readonly #startedUs: bigint;
  readonly #startedMs: number;
  readonly #scanned = new Set<number>();
  readonly #stats: Sums = { ...noStats };
  /** Of all that the first page could have looked at. */
  #segments = 0;
  #after: RowPlace | null = null;
  #from: bigint | null = null;
  #asOf: bigint | null = null;
  #skip: number;
  /** Rows that may be written still. */
  #left: number;
  #pageRows = pageRowsMax;
  #stall: NodeJS.Timeout | undefined;
  #failure: Error | null = null;
  #ended = false;
  #onFailure: (error: Error) => void = () => {};
  /** Whether a page is being read; such a query is in the pool's own list. */
  isRead = false;

  constructor(asked: AskedRows, options: QueryOptions, parts: RowStreamParts) {
    this.id = options.id ?? randomUUID();
    this.#asked = asked;
    this.#options = options;
    this.#parts = parts;
    this.#writer = resultWriter(asked.format, rowColumns(asked.query));
    this.#startedUs = parts.clock.nowUs();
    this.#startedMs = parts.clock.monotonicMs();
    this.#skip = asked.query.offset;
    this.#left = asked.query.limit ?? Number.MAX_SAFE_INTEGER;
    const { signal } = options;
    signal?.addEventListener("abort", () => this.#stop.abort(), {
      once: true,
      signal: this.#stop.signal,
    });
  }

  /** The beginning of the text. */
  async begin(): Promise<ResultText> {
    try {
      const pieces = await this.#pieces();
      const head = this.#writer.head === "" ? [] : [encoder.encode(this.#writer.head)];
      const rest = this.#ended ? null : this;
      return { asOf: String(this.#asOf), pieces: [...head, ...pieces], rest };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async next(): Promise<readonly Uint8Array[]> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#ended) return [];
    clearTimeout(this.#stall);
    try {
      return await this.#pieces();
    } catch (error) {
      this.#end();
      // Who has ended it while the page was read says why.
      if (this.#failure !== null) throw this.#failure;
      if (this.#stop.signal.aborted) return [];
      this.#failure = error as Error;
      throw error;
    }
  }

  cancel(): void {
    if (this.#ended) return;
    this.#stop.abort();
    this.#end();
  }

  onFailure(listener: (error: Error) => void): void {
    this.#onFailure = listener;
  }

  /** Ends it before its end, whether a page is being read or not. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#failure = error;
    const wasRead = this.isRead;
    this.#stop.abort();
    this.#end();
    if (!wasRead) this.#onFailure(error);
  }

  info(nowMs: number): QueryInfo {
    const { text, requestId } = this.#options;
    return {
      id: this.id,
      kind: "query",
      state: "sending",
      text: text ?? null,
      requestId: requestId ?? null,
      startedUs: this.#startedUs,
      elapsedMs: nowMs - this.#startedMs,
      rowsScanned: this.#stats.rowsScanned,
      rowsTotal: null,
      workers: 0,
      timeoutMs: this.#parts.timeoutMs,
      memoryBytes: this.#parts.memoryBytes,
    };
  }

  /** What comes next; nothing only at the end. */
  async #pieces(): Promise<readonly Uint8Array[]> {
    for (;;) {
      const page = await this.#page();
      const isEnd = page.next === null || this.#left === 0;
      if (!isEnd) {
        if (page.texts.length === 0) continue;
        this.#watch();
        return page.texts;
      }
      this.#end();
      const tail = this.#writer.tail({ asOf: String(page.asOf), stats: this.#allStats() });
      return tail === "" ? page.texts : [...page.texts, encoder.encode(tail)];
    }
  }

  async #page(): Promise<RowsPage> {
    this.isRead = true;
    try {
      const page = await this.#parts.page(this.#request(), this.#stop.signal);
      this.#took(page);
      return page;
    } finally {
      this.isRead = false;
    }
  }

  #request(): RowsRequest {
    const rows = Math.min(this.#pageRows, this.#skip + this.#left);
    return {
      ...this.#asked,
      after: this.#after,
      from: this.#from,
      asOf: this.#asOf,
      rows,
      skip: Math.min(this.#skip, rows),
      begun: this.#stats.rowsMatched > this.#asked.query.offset,
    };
  }

  #took(page: RowsPage): void {
    const { written, skipped, facts } = page;
    if (this.#asOf === null) this.#segments = page.segments;
    this.#after = page.next;
    this.#from = page.from;
    this.#asOf = page.asOf;
    this.#skip -= skipped;
    this.#left -= written;
    if (written > 0) {
      this.#pageRows = Math.min(pageRowsMax, Math.max(pageRowsMin, Math.ceil(written * 1.25)));
    }
    for (const id of page.scanned) this.#scanned.add(id);
    const all = this.#stats;
    all.rowsScanned += page.rowsScanned;
    all.rowsMatched += written + skipped;
    all.executionUs += page.executionUs;
    all.columnsCached += facts.columnsCached;
    all.columnsDecoded += facts.columnsDecoded;
    all.bytesDecoded += facts.bytesDecoded;
    all.memoryBytes = Math.max(all.memoryBytes, facts.memoryPeak);
    all.stages = sumOf(all.stages, page.stages);
  }

  #allStats(): QueryStats {
    const { groups: _, ...stats } = this.#stats;
    const segmentsScanned = Math.min(this.#scanned.size, this.#segments);
    return { ...stats, segmentsScanned, segmentsPruned: this.#segments - segmentsScanned };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#stall);
    this.#parts.ended();
  }

  #watch(): void {
    const { stallMs } = this.#parts;
    this.#stall = setTimeout(() => {
      const message = `the client has read nothing of its result for ${stallMs} ms`;
      this.fail(new TimeoutError("result_timeout", message));
    }, stallMs);
    this.#stall.unref();
  }
}

const encoder = new TextEncoder();

const noTimes: StageTimes = {
  prune: 0,
  columns: 0,
  filter: 0,
  group: 0,
  aggregate: 0,
  merge: 0,
  finish: 0,
};

const noStats: Sums = {
  rowsScanned: 0,
  rowsMatched: 0,
  segmentsScanned: 0,
  segmentsPruned: 0,
  executionUs: 0,
  stages: noTimes,
  groups: 0,
  memoryBytes: 0,
  threads: 1,
  columnsCached: 0,
  columnsDecoded: 0,
  bytesDecoded: 0,
};

function sumOf(a: StageTimes, b: StageTimes): StageTimes {
  return {
    prune: a.prune + b.prune,
    columns: a.columns + b.columns,
    filter: a.filter + b.filter,
    group: a.group + b.group,
    aggregate: a.aggregate + b.aggregate,
    merge: a.merge + b.merge,
    finish: a.finish + b.finish,
  };
}

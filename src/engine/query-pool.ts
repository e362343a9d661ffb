// Reads, as the HTTP thread sees them: cheap ones over hot rows run at once, the others on query workers.
//
// Each query has one worker that leads it: it reads, merges what others have read, and answers. Workers that nobody
// waits for help with the queries that run, range by range, and leave them as soon as somebody waits.

import { type Clock, systemClock } from "../base/clock.ts";
import {
  CorruptionError,
  InputError,
  LimitError,
  MillraceError,
  OverloadError,
  TimeoutError,
} from "../errors.ts";
import { CancelledError } from "../query/columns/kernels.ts";
import { eventsFilter } from "../query/events/events-filter.ts";
import { resolveNow } from "../query/expression/now.ts";
import { explainResult } from "../query/plan/explain-text.ts";
import { noRollup, type RollupPart, restQuery } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import type { QueryJob, ReadAnswer, ReadJob } from "../query/read/read-job.ts";
import { Reader, snapshotChanged } from "../query/read/reader.ts";
import { type RowsPage, type RowsRequest, streamOrder } from "../query/read/row-pages.ts";
import { SharedScan } from "../query/read/shared-scan.ts";
import type { ThreadFacts } from "../query/read/thread-facts.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../query/result.ts";
import type { ResultFormat } from "../query/result-text.ts";
import type { CatalogPath } from "../query/sql/catalog.ts";
import type { Explain, QueryFigures, QueryInfo, QueryOptions, ResultText } from "./engine.ts";
import {
  closedError,
  laneTypes,
  ownText,
  queryFailure,
  revive,
  threadFailure,
} from "./query-answers.ts";
import { noFigures } from "./query-figures.ts";
import type { FromQueryThread, TextAnswer } from "./query-thread.ts";
import { QueryWorker, type QueryWorkerParts } from "./query-worker.ts";
import { ResultStream } from "./result-stream.ts";
import type { AskedRows } from "./row-stream.ts";
import { RowStreams } from "./row-streams.ts";
import { boundsDefault, limitsOf, type QueryBounds, RunningQuery } from "./running-query.ts";

export interface QueryPoolOptions extends Omit<QueryWorkerParts, "memoryBytes"> {
  /** What a query may take: 32 MiB on each thread, 30 seconds with the time that it waits, where nothing is said. */
  readonly bounds?: Partial<QueryBounds>;
  /** Work that may run on the HTTP thread, in cells: about a millisecond of filtering by default. */
  readonly ownCells?: number;
  /** Work for which a worker is woken to help: each has about so much to do. */
  readonly helperCells?: number;
  /** Work that makes a query a long one, in cells: such queries leave one worker to the others. */
  readonly longCells?: number;
  readonly clock?: Clock;
}

const ownCellsDefault = 4_000_000;
const helperCellsDefault = 4_000_000;
const longCellsDefault = 400_000_000;
/** A query that runs for so long already is a long one, whatever it was thought to cost. */
const longMs = 250;
/** Jobs that wait for a worker; beyond it new ones are turned away. */
const waitingMax = 1024;
/** How often a query is run; the last time by one worker alone. */
const attemptsMax = 3;
/** A client that reads nothing of its result for so long is given up. */
const stallMs = 30_000;
/** A worker that has not seen its cancel word for so long is replaced. */
const graceMs = 5000;
/** Before a worker that did not come up is started again. */
const restartMs = 1000;

type Counts = { -readonly [K in keyof QueryFigures]: QueryFigures[K] };

export class QueryPool {
  readonly #clock: Clock;
  readonly #bounds: QueryBounds;
  readonly #ownCells: number;
  readonly #helperCells: number;
  readonly #longCells: number;
  readonly #own: Reader;
  readonly #workers: QueryWorker[];
  readonly #waiting: RunningQuery[] = [];
  readonly #running = new Set<RunningQuery>();
  /** By run: those whose results are being read. */
  readonly #sending = new Map<number, RunningQuery>();
  readonly #streams = new RowStreams();
  readonly #counts: Counts = { ...noFigures };
  #runs = 0;
  #closed = false;

  constructor(options: QueryPoolOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#bounds = { ...boundsDefault, ...options.bounds };
    this.#ownCells = options.ownCells ?? ownCellsDefault;
    this.#helperCells = options.helperCells ?? helperCellsDefault;
    this.#longCells = options.longCells ?? longCellsDefault;
    this.#own = new Reader(options.core, 0, null, this.#clock);
    const events = {
      message: (worker: QueryWorker, message: FromQueryThread) => this.#take(worker, message),
      ended: (worker: QueryWorker, failure: unknown) => this.#ended(worker, failure),
    };
    const parts = { ...options, memoryBytes: this.#bounds.memoryBytes };
    this.#workers = Array.from(
      { length: options.workers },
      (_, i) => new QueryWorker(i + 1, parts, events),
    );
    for (const worker of this.#workers) worker.start();
  }

  query(query: Query, options: QueryOptions = {}, part?: RollupPart): Promise<QueryResult> {
    return this.#run(this.#job(query, part), null, options) as Promise<QueryResult>;
  }

  async answer(
    query: Query,
    format: ResultFormat,
    options: QueryOptions = {},
  ): Promise<ResultText> {
    const job = this.#job(query);
    const order = options.rowsMax === undefined ? streamOrder(query) : null;
    if (order !== null) return this.#rows({ query: job.query, order, format }, options);
    const answer = await this.#run(job, format, options);
    if ("rows" in answer) return ownText(answer, format);
    return answer as ResultText;
  }

  /** Rows that go out as they are found, page by page. */
  async #rows(asked: AskedRows, options: QueryOptions): Promise<ResultText> {
    this.#refuse(options);
    const own = this.#consider({ type: "query", query: asked.query }, options).answer;
    if (own !== null) {
      this.#counts.own++;
      return ownText(own as QueryResult, asked.format);
    }
    return this.#streams.begin(asked, options, {
      page: (request, signal) => this.#page(request, { ...options, signal }),
      timeoutMs: Math.min(options.timeoutMs ?? this.#bounds.timeoutMs, this.#bounds.timeoutMs),
      memoryBytes: limitsOf(options, this.#bounds).memoryBytes ?? 0,
      stallMs,
      clock: this.#clock,
    });
  }

  #page(request: RowsRequest, options: QueryOptions): Promise<RowsPage> {
    this.#refuse(options);
    const job: ReadJob = { type: "rows", request };
    const started = { us: this.#clock.nowUs(), ms: this.#clock.monotonicMs() };
    return this.#queue(job, { cells: 0, threads: 1 }, null, options, started) as Promise<RowsPage>;
  }

  async events(request: EventsRequest, options: QueryOptions = {}): Promise<EventsPage> {
    const filter = eventsFilter(request, this.#clock.nowUs());
    // The condition is compiled: the workers have no parser, and must not need one.
    const { where: _, ...rest } = request;
    return (await this.#run(
      { type: "events", request: rest, filter },
      null,
      options,
    )) as EventsPage;
  }

  async explain(
    asked: Query,
    { analyze, format, rollup = noRollup, done: known }: Explain,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    const query = resolveNow(asked, this.#clock.nowUs());
    const plan = this.#own.plan(query, rollup);
    const done = known ?? (analyze ? await this.query(query, options) : null);
    return explainResult(plan, done?.stats ?? null, format, done?.asOf ?? this.#own.asOf());
  }

  catalog(): CatalogPath[] {
    return [...this.#own.lanes()].map(([path, lanes]) => ({ path, types: laneTypes(lanes) }));
  }

  /** What the engine thread says about stored segments: encoded metas, ids, the sequence after all that ever were. */
  segments(added: readonly Uint8Array[], dropped: readonly number[], end = 0n): void {
    this.#own.segments(added, dropped, end);
    for (const worker of this.#workers) worker.post({ type: "segments", added, dropped, end });
  }

  queries(): QueryInfo[] {
    const nowMs = this.#clock.monotonicMs();
    const all = this.#all().map((query) => query.info(nowMs));
    all.push(...this.#streams.infos(nowMs));
    return all.sort((a, b) => b.elapsedMs - a.elapsedMs);
  }

  kill(id: string, by: string): boolean {
    const query = this.#all().find((one) => one.id === id);
    if (query?.failure instanceof Error) return false;
    const message = `the query was ended by ${by}`;
    const error = new InputError("query_cancelled", message, { cancelledBy: by }, 409);
    if (query === undefined && !this.#streams.kill(id, error)) return false;
    this.#counts.killed++;
    if (query === undefined) return true;
    if (query.stream) query.stream.fail(error);
    else this.#fail(query, error);
    return true;
  }

  #all(): RunningQuery[] {
    return [...this.#sending.values(), ...this.#running, ...this.#waiting];
  }

  figures(): QueryFigures {
    return { ...this.#counts, running: this.#running.size, waiting: this.#waiting.length };
  }

  /** Lets no new job in, stops those that run, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const query of [...this.#waiting, ...this.#running]) this.#fail(query, closedError());
    for (const { stream } of this.#sending.values()) stream?.fail(closedError());
    this.#streams.close(closedError());
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  /** `now()` is one instant, wherever the query runs. */
  #job(asked: Query, part?: RollupPart): QueryJob {
    const query = resolveNow(asked, this.#clock.nowUs());
    return part
      ? { type: "query", query: restQuery(query, part.rest), part }
      : { type: "query", query };
  }

  async #run(
    job: ReadJob,
    format: ResultFormat | null,
    options: QueryOptions,
  ): Promise<ReadAnswer | ResultText> {
    this.#refuse(options);
    const started = { us: this.#clock.nowUs(), ms: this.#clock.monotonicMs() };
    const { answer, cells, threads } = this.#consider(job, options);
    if (answer !== null) {
      this.#counts.own++;
      return answer;
    }
    return this.#queue(job, { cells, threads }, format, options, started);
  }

  #refuse({ signal }: QueryOptions): void {
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw new CancelledError();
  }

  async #queue(
    job: ReadJob,
    work: { readonly cells: number; readonly threads: number },
    format: ResultFormat | null,
    options: QueryOptions,
    started: { us: bigint; ms: number },
  ): Promise<ReadAnswer | ResultText> {
    // A result that has begun goes on: there are few of them.
    const isBegun = job.type === "rows" && job.request.asOf !== null;
    if (this.#waiting.length >= waitingMax && !isBegun) {
      throw new OverloadError("query_queue_full", `${waitingMax} queries wait already`, 1, 503);
    }
    return new Promise((resolve, reject) => {
      const settlement = { resolve, reject };
      const query = new RunningQuery(job, work, format, options, this.#bounds, started, settlement);
      this.#watch(query, options.signal);
      this.#waiting.push(query);
      this.#next();
    });
  }

  /** Runs what is cheap on this thread, within the little working memory that it has. */
  #consider(job: ReadJob, options: QueryOptions): ReturnType<Reader["consider"]> {
    try {
      return this.#own.consider(job, this.#ownCells, limitsOf(options, this.#bounds));
    } catch (error) {
      // A worker may have more.
      const isMemory = error instanceof LimitError && error.code === "query_memory";
      if (isMemory) return { answer: null, cells: this.#ownCells, threads: 1 };
      throw error;
    }
  }

  /** Ends the query when its caller goes away and when its time is up. */
  #watch(query: RunningQuery, signal: AbortSignal | undefined): void {
    const abort = (): void => this.#fail(query, new CancelledError());
    signal?.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(
      () => this.#fail(query, query.timeout(this.#clock.monotonicMs())),
      query.timeoutMs,
    );
    query.release = () => {
      signal?.removeEventListener("abort", abort);
      clearTimeout(timer);
    };
  }

  /** Gives waiting queries to idle workers, and what is left of the workers to queries that run. */
  #next(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const query = this.#waiting[i] as RunningQuery;
      if (!this.#mayStart(query)) i++;
      else {
        const worker = this.#workers.find(({ idle }) => idle);
        if (worker === undefined) return this.#askHelperToLeave();
        this.#waiting.splice(i, 1);
        this.#start(query, worker);
      }
    }
    for (const worker of this.#workers) if (worker.idle) this.#help(worker);
  }

  /** Long queries leave one worker to the others, which would wait behind them. */
  #mayStart(query: RunningQuery): boolean {
    if (query.cells < this.#longCells) return true;
    const nowMs = this.#clock.monotonicMs();
    let long = 0;
    for (const one of this.#running) {
      if (one.cells >= this.#longCells || one.elapsedMs(nowMs) > longMs) long++;
    }
    return long < Math.max(1, this.#workers.length - 1);
  }

  #askHelperToLeave(): void {
    if (this.#workers.some(({ leaving }) => leaving)) return;
    this.#workers.find(({ query, leads }) => query !== null && !leads)?.leave();
  }

  #start(query: RunningQuery, worker: QueryWorker): void {
    query.run = ++this.#runs;
    const inRanges = query.hasRanges && query.attempt < attemptsMax - 1;
    const ranges = inRanges ? this.#own.ranges(query.partAsOf) : null;
    query.scan = ranges && new SharedScan(ranges);
    this.#running.add(query);
    this.#give(query, worker, true);
  }

  #give(query: RunningQuery, worker: QueryWorker, lead: boolean): void {
    const { run, job, limits, attempt, format } = query;
    query.workers.add(worker);
    const fresh = attempt > 0;
    const scan = query.scan?.data ?? null;
    worker.run(query, { type: "task", run, job, limits, fresh, scan, lead, format });
  }

  /** Lets an idle worker read a part of the query that has most left for it. */
  #help(worker: QueryWorker): void {
    let most: RunningQuery | undefined;
    let mostLeft = 0;
    for (const query of this.#running) {
      const { scan, failure, cells, threads, workers } = query;
      if (scan === null || failure !== null || workers.size === 0) continue;
      if (workers.size >= threads) continue;
      if (workers.size * this.#helperCells >= cells) continue;
      const left = scan.rangesLeft;
      if (left > mostLeft && left >= workers.size) [most, mostLeft] = [query, left];
    }
    if (most === undefined) return;
    if (most.workers.size === 1) this.#counts.split++;
    this.#give(most, worker, false);
  }

  #take(worker: QueryWorker, message: FromQueryThread): void {
    if (message.type === "ready") worker.ready = true;
    else if (message.type === "chunk") {
      this.#sending.get(message.run)?.stream?.take(message.chunk);
      return;
    } else {
      const query = worker.query as RunningQuery;
      if (message.type === "partial" && message.partial !== null) {
        const { run, partial } = message;
        this.#sawMemory(query, partial.facts);
        query.lead?.urge({ type: "partial", run, partial });
        query.scan?.arrived();
      }
      if (message.type === "answer") this.#sawMemory(query, message.facts);
      this.#letGo(worker, query);
      if (message.type === "failure") this.#failed(query, queryFailure(message.failure));
      else if (message.type === "answer") this.#answer(query, worker, message.answer);
      this.#ifAllEnded(query);
    }
    this.#next();
  }

  #sawMemory(query: RunningQuery, { memoryPeak }: ThreadFacts): void {
    query.memoryPeak = Math.max(query.memoryPeak, memoryPeak);
    this.#counts.memoryPeak = Math.max(this.#counts.memoryPeak, memoryPeak);
  }

  #answer(query: RunningQuery, worker: QueryWorker, answer: ReadAnswer | TextAnswer): void {
    const { run } = query;
    if (query.failure !== null) {
      worker.urge({ type: "drop", run });
      return;
    }
    if (query.job.type !== "rows" || query.job.request.after === null) this.#counts.answered++;
    this.#running.delete(query);
    if (!("pieces" in answer)) return query.settle(revive(answer));
    const { asOf, pieces, done } = answer;
    if (!done) query.stream = this.#stream(query, worker);
    query.settle({ asOf, pieces, rest: query.stream });
  }

  /** What follows the beginning of a large result, which `worker` keeps. */
  #stream(query: RunningQuery, worker: QueryWorker): ResultStream {
    const { run } = query;
    this.#sending.set(run, query);
    const source = {
      more: () => worker.urge({ type: "more", run }),
      ended: () => {
        this.#sending.delete(run);
        worker.urge({ type: "drop", run });
      },
    };
    query.keeper = worker;
    return new ResultStream(source, stallMs);
  }

  #letGo(worker: QueryWorker, query: RunningQuery): void {
    query.workers.delete(worker);
    worker.query = null;
    worker.leads = false;
    worker.leaving = false;
  }

  /** What a worker says; where rows or columns went while the query ran, it is run again. */
  #failed(query: RunningQuery, error: Error): void {
    if (query.settled || query.failure !== null) return;
    const code = error instanceof MillraceError ? error.code : "";
    const mayRepeat = query.scan !== null && query.attempt < attemptsMax - 1;
    const hasChanged =
      code === snapshotChanged || (error instanceof CorruptionError && query.attempt === 0);
    this.#fail(query, mayRepeat && hasChanged ? "retry" : error);
  }

  /** Ends a query: at once where it waits, else when its workers have seen the word. */
  #fail(query: RunningQuery, failure: Error | "retry"): void {
    if (query.settled || query.failure instanceof Error) return;
    query.failure = failure;
    if (failure instanceof TimeoutError) this.#counts.timeouts++;
    if (failure instanceof CancelledError) this.#counts.cancelled++;
    if (failure instanceof LimitError) this.#counts.overLimit++;
    for (const worker of query.workers) worker.cancel();
    query.scan?.arrived();
    if (query.workers.size > 0) {
      const grace = setTimeout(() => {
        for (const worker of query.workers) worker.terminate();
      }, graceMs);
      grace.unref();
    }
    this.#ifAllEnded(query);
  }

  #ifAllEnded(query: RunningQuery): void {
    const { failure } = query;
    if (failure === null || query.workers.size > 0 || query.settled) return;
    this.#running.delete(query);
    const at = this.#waiting.indexOf(query);
    if (failure === "retry") {
      query.failure = null;
      query.attempt++;
      this.#counts.repeated++;
      this.#waiting.unshift(query);
    } else {
      if (at >= 0) this.#waiting.splice(at, 1);
      query.settle(failure);
    }
  }

  /** A worker that ends before it is told to has met a bug: its job fails, another takes its place. */
  #ended(worker: QueryWorker, failure: unknown): void {
    const { query } = worker;
    const wasReady = worker.ready;
    worker.ready = false;
    for (const { keeper, stream } of [...this.#sending.values()]) {
      if (keeper === worker) stream?.fail(threadFailure(failure));
    }
    if (query !== null) {
      this.#letGo(worker, query);
      this.#fail(query, this.#closed ? closedError() : threadFailure(failure));
      this.#ifAllEnded(query);
    }
    if (this.#closed) return;
    this.#counts.workersFailed++;
    if (wasReady) worker.start();
    else {
      // One that never came up would only fail again; the callers that wait must not wait for ever.
      if (this.#workers.every(({ alive }) => !alive)) {
        for (const one of [...this.#waiting]) this.#fail(one, threadFailure(failure));
      }
      setTimeout(() => {
        if (!this.#closed) worker.start();
      }, restartMs).unref();
    }
    this.#next();
  }
}

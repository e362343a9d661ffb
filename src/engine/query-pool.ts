// Reads, as the HTTP thread sees them: cheap ones over hot rows run at once, the others on query workers.

import { Worker } from "node:worker_threads";
import { systemClock } from "../base/clock.ts";
import type { Core } from "../core/core.ts";
import { clearPin } from "../core/slots.ts";
import { MillraceError, OverloadError } from "../errors.ts";
import { eventsFilter } from "../query/events/events-filter.ts";
import type { Query } from "../query/query.ts";
import type { ReadAnswer, ReadJob } from "../query/read-job.ts";
import { cancelWord, Reader } from "../query/reader.ts";
import type { EventsPage, EventsRequest, QueryResult, Value } from "../query/result.ts";
import { JsonText } from "../query/result.ts";
import { CancelledError } from "../query/run/kernels.ts";
import { unpackFailure } from "./failure.ts";
import type { FromQueryThread, QueryThreadData, ToQueryThread } from "./query-thread.ts";

export interface QueryPoolOptions {
  readonly core: Core;
  /** The data folder, which the engine thread has opened before. */
  readonly folder: string;
  /** Number of query workers; they are the readers 1 … workers, the calling thread is reader 0. */
  readonly workers: number;
  /** The worker's module; the default is the one beside this file. */
  readonly threadUrl?: URL;
}

/** Work that may run on the HTTP thread, in cells: about a millisecond of filtering. */
const ownCellsMax = 4_000_000;
/** Jobs that wait for a worker; beyond it new ones are turned away. */
const waitingMax = 1024;

interface Pending {
  readonly job: ReadJob;
  readonly resolve: (answer: ReadAnswer) => void;
  readonly reject: (error: Error) => void;
  /** Stops listening to the caller's signal. */
  done: () => void;
}

class QueryWorker {
  readonly index: number;
  thread: Worker | undefined;
  ready = false;
  running: Pending | undefined;

  constructor(index: number) {
    this.index = index;
  }
}

export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #own: Reader;
  readonly #workers: QueryWorker[];
  readonly #waiting: Pending[] = [];
  #closed = false;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
    this.#own = new Reader(options.core, 0, null, systemClock);
    this.#workers = Array.from({ length: options.workers }, (_, i) => new QueryWorker(i + 1));
    for (const worker of this.#workers) this.#start(worker);
  }

  query(query: Query, signal?: AbortSignal): Promise<QueryResult> {
    return this.#run({ type: "query", query }, signal) as Promise<QueryResult>;
  }

  async events(request: EventsRequest, signal?: AbortSignal): Promise<EventsPage> {
    const filter = eventsFilter(request);
    // The condition is compiled: the workers have no parser, and must not need one.
    const { where: _, ...rest } = request;
    return (await this.#run({ type: "events", request: rest, filter }, signal)) as EventsPage;
  }

  /** What the engine thread says about stored segments: encoded metas, ids, the sequence after all that ever were. */
  segments(added: readonly Uint8Array[], dropped: readonly number[], end = 0n): void {
    this.#own.segments(added, dropped, end);
    for (const { thread } of this.#workers) {
      this.#post(thread, { type: "segments", added, dropped, end });
    }
  }

  /** Lets no new job in, stops those that run, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const pending of this.#waiting.splice(0)) this.#settle(pending, closedError());
    const ends = this.#workers.map(async ({ thread, running, index }) => {
      if (running) this.#cancel(index);
      if (!thread) return;
      const end = new Promise((resolve) => thread.once("exit", resolve));
      this.#post(thread, { type: "close" });
      await end;
    });
    await Promise.all(ends);
  }

  async #run(job: ReadJob, signal?: AbortSignal): Promise<ReadAnswer> {
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw new CancelledError();
    const answer = this.#own.runIfCheap(job, ownCellsMax);
    if (answer !== null) return answer;
    if (this.#waiting.length >= waitingMax) {
      throw new OverloadError("query_queue_full", `${waitingMax} queries wait already`, 1, 503);
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = { job, resolve, reject, done: () => {} };
      const abort = (): void => this.#abort(pending);
      signal?.addEventListener("abort", abort, { once: true });
      pending.done = () => signal?.removeEventListener("abort", abort);
      this.#waiting.push(pending);
      this.#next();
    });
  }

  /** A job that waits is given up at once; one that runs when its worker sees the cancel word. */
  #abort(pending: Pending): void {
    const at = this.#waiting.indexOf(pending);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      this.#settle(pending, new CancelledError());
      return;
    }
    const worker = this.#workers.find(({ running }) => running === pending);
    if (worker) this.#cancel(worker.index);
  }

  #cancel(index: number): void {
    const { memory, u32 } = this.#options.core;
    Atomics.store(u32, cancelWord(memory, index) >>> 2, 1);
  }

  #next(): void {
    for (const worker of this.#workers) {
      if (!worker.ready || worker.running || this.#waiting.length === 0) continue;
      const pending = this.#waiting.shift() as Pending;
      worker.running = pending;
      // The worker is idle, so nobody but this thread touches its word until the job is there.
      const { memory, u32 } = this.#options.core;
      Atomics.store(u32, cancelWord(memory, worker.index) >>> 2, 0);
      this.#post(worker.thread, { type: "job", job: pending.job });
    }
  }

  #post(thread: Worker | undefined, message: ToQueryThread): void {
    thread?.postMessage(message);
  }

  #settle(pending: Pending, outcome: ReadAnswer | Error): void {
    pending.done();
    if (outcome instanceof Error) pending.reject(outcome);
    else pending.resolve(outcome);
  }

  #start(worker: QueryWorker): void {
    const { core, folder } = this.#options;
    const data: QueryThreadData = { memory: core.memory, reader: worker.index, folder };
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const url = this.#options.threadUrl ?? new URL(`./query-thread.${extension}`, import.meta.url);
    const thread = new Worker(url, { workerData: data, name: `query-${worker.index}` });
    worker.thread = thread;
    worker.ready = false;
    let failure: unknown;
    thread.on("message", (message: FromQueryThread) => this.#take(worker, message));
    thread.on("error", (error) => {
      failure = error;
    });
    thread.on("exit", () => this.#ended(worker, failure));
  }

  #take(worker: QueryWorker, message: FromQueryThread): void {
    if (message.type === "ready") worker.ready = true;
    else {
      const pending = worker.running as Pending;
      worker.running = undefined;
      const outcome =
        message.type === "answer" ? revive(message.answer) : unpackFailure(message.failure);
      this.#settle(pending, outcome);
    }
    this.#next();
  }

  /** A worker that ends before it is told to has met a bug: its job fails, its pin goes, another takes its place. */
  #ended(worker: QueryWorker, failure: unknown): void {
    const { running } = worker;
    worker.thread = undefined;
    worker.running = undefined;
    clearPin(this.#options.core, worker.index);
    if (running) {
      const reason = failure instanceof Error ? failure.message : "it ended";
      this.#settle(
        running,
        this.#closed
          ? closedError()
          : new MillraceError("query_thread_failed", `the thread of this query failed: ${reason}`),
      );
    }
    const wasReady = worker.ready;
    worker.ready = false;
    if (this.#closed) return;
    // One that never came up would only fail again; the callers that wait must not wait for ever.
    if (wasReady) this.#start(worker);
    else if (this.#workers.every(({ thread }) => thread === undefined)) {
      const reason = failure instanceof Error ? failure.message : "it ended";
      for (const pending of this.#waiting.splice(0)) {
        this.#settle(
          pending,
          new MillraceError("query_thread_failed", `no query thread: ${reason}`),
        );
      }
    }
  }
}

function closedError(): OverloadError {
  return new OverloadError("shutting_down", "the server is shutting down", 1, 503);
}

/** Messages keep no classes: JSON cells are the only objects among values. */
function revive(answer: ReadAnswer): ReadAnswer {
  if (!("rows" in answer)) return answer;
  const rows = answer.rows.map((row) =>
    row.map((value: Value) =>
      typeof value === "object" && value !== null ? new JsonText(value.text) : value,
    ),
  );
  return { ...answer, rows };
}

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Core } from "../core/core.ts";
import { clearPin } from "../core/slots.ts";
import { cancelWord, leaveWord } from "../query/read/reader.ts";
import type {
  FromQueryThread,
  QueryTask,
  QueryThreadData,
  ToQueryThread,
  UrgentMessage,
} from "./query-thread.ts";
import type { RunningQuery } from "./running-query.ts";

export interface QueryWorkerParts {
  readonly core: Core;
  /** The data folder, which the engine thread has opened before. */
  readonly folder: string;
  /** Number of query workers; they are the readers 1 … workers, the calling thread is reader 0. */
  readonly workers: number;
  /** Working memory of a query on one thread. */
  readonly memoryBytes: number;
  /** JavaScript heap of a worker: results, plans, texts of groups; 512 MiB beside the working memory by default. */
  readonly heapMib?: number;
  /** The worker's module; the default is the one beside this file. */
  readonly threadUrl?: URL;
}

export interface QueryWorkerEvents {
  message(worker: QueryWorker, message: FromQueryThread): void;
  /** The thread is gone; `failure` says why, where that is known. */
  ended(worker: QueryWorker, failure: unknown): void;
}

const HEAP_MIB = 512;
const MIB = 1024 * 1024;

/** The thread of one query worker as the pool sees it: started again when it dies. */
export class QueryWorker {
  readonly index: number;
  readonly #parts: QueryWorkerParts;
  readonly #events: QueryWorkerEvents;
  #thread: Worker | null = null;
  #urgent: MessagePort | null = null;
  /** True once the thread takes tasks. */
  ready = false;
  /** What it works on; the word to leave has been set when `leaving`. */
  query: RunningQuery | null = null;
  leads = false;
  leaving = false;

  constructor(index: number, parts: QueryWorkerParts, events: QueryWorkerEvents) {
    this.index = index;
    this.#parts = parts;
    this.#events = events;
  }

  get alive(): boolean {
    return this.#thread !== null;
  }

  get idle(): boolean {
    return this.ready && this.query === null;
  }

  start(): void {
    const { core, folder, workers, memoryBytes, threadUrl } = this.#parts;
    const { heapMib = HEAP_MIB + Math.ceil(memoryBytes / MIB) } = this.#parts;
    const { port1, port2 } = new MessageChannel();
    const data: QueryThreadData = {
      memory: core.memory,
      reader: this.index,
      threads: workers,
      memoryBytes,
      folder,
      urgent: port2,
    };
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const url = threadUrl ?? new URL(`./query-thread.${extension}`, import.meta.url);
    const thread = new Worker(url, {
      workerData: data,
      transferList: [port2],
      name: `query-${this.index}`,
      resourceLimits: { maxOldGenerationSizeMb: heapMib },
    });
    // The port alone must not keep the process alive.
    port1.unref();
    this.#thread = thread;
    this.#urgent = port1;
    this.ready = false;
    let failure: unknown;
    thread.on("message", (message: FromQueryThread) => this.#events.message(this, message));
    thread.on("error", (error) => {
      failure = error;
    });
    thread.on("exit", () => {
      this.#thread = null;
      this.#urgent?.close();
      this.#urgent = null;
      clearPin(core, this.index);
      this.#events.ended(this, failure);
    });
  }

  /** Gives the idle worker a task of `query`. */
  run(query: RunningQuery, task: QueryTask): void {
    this.query = query;
    this.leads = task.lead;
    this.leaving = false;
    // The worker is idle, so nobody but this thread touches its words until the task is there.
    this.#store(cancelWord(this.#parts.core.memory, this.index), 0);
    this.#store(leaveWord(this.#parts.core.memory, this.index), 0);
    this.post(task);
  }

  /** Says something that it takes in between two ranges too. */
  urge(message: UrgentMessage): void {
    const transfer =
      message.type === "partial" ? [message.partial.bytes.buffer as ArrayBuffer] : [];
    this.#urgent?.postMessage(message, transfer);
  }

  /** Stops what it is running, at its next look at the word. */
  cancel(): void {
    this.#store(cancelWord(this.#parts.core.memory, this.index), 1);
  }

  /** Asks a helper to be done with the range it reads. */
  leave(): void {
    this.leaving = true;
    this.#store(leaveWord(this.#parts.core.memory, this.index), 1);
  }

  post(message: ToQueryThread): void {
    this.#thread?.postMessage(message);
  }

  /** Ends a thread that does not react. */
  terminate(): void {
    void this.#thread?.terminate();
  }

  /** Resolves when the thread has closed its store and ended. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    const end = new Promise((resolve) => thread.once("exit", resolve));
    this.post({ type: "close" });
    await end;
  }

  #store(address: number, value: number): void {
    Atomics.store(this.#parts.core.u32, address >>> 2, value);
  }
}

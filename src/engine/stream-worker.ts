import { type MessagePort, Worker } from "node:worker_threads";
import type { Config } from "../settings.ts";
import type { StreamThreadData, ToStream } from "../stream/messages.ts";
import { type PackedMessage, unpackMessage } from "../stream/packed-rows.ts";
import { StreamClient } from "../stream/stream-client.ts";
import { unpackFailure } from "./failure.ts";
import { streamReader } from "./memory-plan.ts";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const streamUrl = new URL(`../stream/stream-thread.${extension}`, import.meta.url);

/** How long the thread may take to close its store once it has nothing left to do, milliseconds. */
const EXIT_MS_MAX = 2000;

export interface StreamWorkerParts {
  readonly memory: WebAssembly.Memory;
  readonly config: Config;
  /** The stream thread's end of its channel to the engine thread. */
  readonly engine: MessagePort;
  readonly warn: (message: string) => void;
  /** It can't go on, and nobody knows what its windows are. */
  readonly fail: (error: unknown) => void;
}

/** The stream thread from where it is started and ended. */
export class StreamWorker {
  readonly streams: StreamClient;
  /** Its rules are known. */
  readonly ready: Promise<void>;
  #isReady = false;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;

  constructor({ memory, config, engine, warn, fail }: StreamWorkerParts) {
    const data: StreamThreadData = { memory, config, reader: streamReader(config), engine };
    const worker = new Worker(streamUrl, {
      workerData: data,
      transferList: [engine],
      name: "stream",
    });
    this.#worker = worker;
    this.streams = new StreamClient((message) => this.#post(message));
    this.ready = new Promise((resolve) => {
      worker.on("message", (packed: PackedMessage) => {
        const message = unpackMessage(packed);
        if (message.type === "warning") return warn(message.message);
        if (message.type === "fatal") return fail(unpackFailure(message.failure));
        this.streams.take(message);
        if (message.type !== "ready") return;
        this.#isReady = true;
        resolve();
      });
    });
    worker.on("error", fail);
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => resolve());
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** After its channel to the engine thread was closed. */
  async close(): Promise<void> {
    this.streams.end();
    this.#post({ type: "close" });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, EXIT_MS_MAX);
    });
    await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    await this.terminate();
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToStream): void {
    this.#worker.postMessage(message);
  }
}

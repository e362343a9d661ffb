// A query worker: runs one job after the other over the shared memory and the stored columns.

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { attachCore } from "../core/core.ts";
import type { ReadAnswer, ReadJob } from "../query/read-job.ts";
import { Reader } from "../query/reader.ts";
import { Store } from "../storage/store.ts";
import { type FailureMessage, packFailure } from "./failure.ts";

export interface QueryThreadData {
  readonly memory: WebAssembly.Memory;
  /** Its index among the reading threads. */
  readonly reader: number;
  /** The data folder. */
  readonly folder: string;
}

export type ToQueryThread =
  | { readonly type: "job"; readonly job: ReadJob }
  | {
      readonly type: "segments";
      readonly added: readonly Uint8Array[];
      readonly dropped: readonly number[];
      readonly end: bigint;
    }
  | { readonly type: "close" };

export type FromQueryThread =
  | { readonly type: "ready" }
  | { readonly type: "answer"; readonly answer: ReadAnswer }
  | { readonly type: "failure"; readonly failure: FailureMessage };

const { memory, reader: index, folder } = workerData as QueryThreadData;
const port = parentPort;
assert(port !== null, "a query worker has a parent");
const store = new Store(folder);
const reader = new Reader(attachCore(memory), index, store, systemClock);

const reply = (message: FromQueryThread): void => port.postMessage(message);

port.on("message", (message: ToQueryThread) => {
  if (message.type === "segments") {
    reader.segments(message.added, message.dropped, message.end);
  } else if (message.type === "close") {
    // The environment is shared with the engine thread, which may still be writing.
    void store.close().finally(() => port.close());
  } else {
    try {
      reply({ type: "answer", answer: reader.run(message.job) });
    } catch (error) {
      reply({ type: "failure", failure: packFailure(error) });
    }
  }
});
reply({ type: "ready" });

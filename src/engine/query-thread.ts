// A query worker: runs one job after the other over the shared memory and the stored columns.

import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { attachCore } from "../core/core.ts";
import type { ReadAnswer, ReadJob, ReadLimits } from "../query/read-job.ts";
import { Reader } from "../query/reader.ts";
import { SharedScan, type SharedScanData } from "../query/shared-scan.ts";
import { Store } from "../storage/store.ts";
import { type FailureMessage, packFailure } from "./failure.ts";

export interface QueryThreadData {
  readonly memory: WebAssembly.Memory;
  /** Its index among the reading threads. */
  readonly reader: number;
  /** Query workers in all. */
  readonly threads: number;
  /** Working memory of a query on one thread. */
  readonly memoryBytes: number;
  /** The data folder. */
  readonly folder: string;
  /** Where partials of other threads come in while this one leads a query: it is looked at without a turn of the loop. */
  readonly partials: MessagePort;
}

/** One job for one worker. */
export interface QueryTask {
  readonly type: "task";
  /** Number of the run, which answers and partials name. */
  readonly run: number;
  readonly job: ReadJob;
  readonly limits: ReadLimits;
  /** Whether the list of stored segments is read again first. */
  readonly fresh: boolean;
  /** The ranges of a query that several threads may read; null: this one reads it all. */
  readonly scan: SharedScanData | null;
  /** The leading thread merges what the others have and answers. */
  readonly lead: boolean;
}

export type ToQueryThread =
  | QueryTask
  | {
      readonly type: "segments";
      readonly added: readonly Uint8Array[];
      readonly dropped: readonly number[];
      readonly end: bigint;
    }
  | { readonly type: "close" };

export interface PartialMessage {
  readonly run: number;
  readonly bytes: Uint8Array;
}

export type FromQueryThread =
  | { readonly type: "ready" }
  | {
      readonly type: "answer";
      readonly run: number;
      readonly answer: ReadAnswer;
      readonly memoryPeak: number;
    }
  | {
      readonly type: "partial";
      readonly run: number;
      /** Null when there was nothing left to help with. */
      readonly bytes: Uint8Array | null;
      readonly memoryPeak: number;
    }
  | { readonly type: "failure"; readonly run: number; readonly failure: FailureMessage };

const data = workerData as QueryThreadData;
const port = parentPort;
assert(port !== null, "a query worker has a parent");
const store = new Store(data.folder);
const reader = new Reader(
  attachCore(data.memory),
  data.reader,
  store,
  systemClock,
  data.memoryBytes,
);

const reply = (message: FromQueryThread, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

/** The next partial of run `run`; those of runs that have failed are left over and skipped. */
function nextPartial(run: number): Uint8Array | null {
  for (;;) {
    const received = receiveMessageOnPort(data.partials) as { message: PartialMessage } | undefined;
    if (received === undefined) return null;
    if (received.message.run === run) return received.message.bytes;
  }
}

function perform({ run, job, limits, fresh, scan, lead }: QueryTask): void {
  const { threads } = data;
  if (scan === null || job.type === "events") {
    const answer = reader.run(job, limits);
    reply({ type: "answer", run, answer, memoryPeak: reader.memoryPeak });
    return;
  }
  const shared = new SharedScan(scan);
  const options = { limits, fresh, threads };
  if (lead) {
    const answer = reader.lead(job.query, shared, options, () => nextPartial(run));
    reply({ type: "answer", run, answer, memoryPeak: reader.memoryPeak });
    return;
  }
  const bytes = reader.help(job.query, shared, options);
  const transfer = bytes === null ? [] : [bytes.buffer as ArrayBuffer];
  reply({ type: "partial", run, bytes, memoryPeak: reader.memoryPeak }, transfer);
}

port.on("message", (message: ToQueryThread) => {
  if (message.type === "segments") {
    reader.segments(message.added, message.dropped, message.end);
  } else if (message.type === "close") {
    data.partials.close();
    // The environment is shared with the engine thread, which may still be writing.
    void store.close().finally(() => port.close());
  } else {
    try {
      perform(message);
    } catch (error) {
      reply({ type: "failure", run: message.run, failure: packFailure(error) });
    }
  }
});
reply({ type: "ready" });

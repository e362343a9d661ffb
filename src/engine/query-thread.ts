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
import type { ReadAnswer, ReadJob, ReadLimits } from "../query/read/read-job.ts";
import { type Partial, Reader } from "../query/read/reader.ts";
import { SharedScan, type SharedScanData } from "../query/read/shared-scan.ts";
import type { ThreadFacts } from "../query/read/thread-facts.ts";
import type { ResultFormat } from "../query/result-text.ts";
import { Store } from "../storage/store.ts";
import { type FailureMessage, packFailure } from "./failure.ts";
import { KeptResults, type TextChunk } from "./kept-results.ts";

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
  /** Where comes what can't wait for the end of a query: it is looked at without a turn of the event loop. */
  readonly urgent: MessagePort;
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
  /** How the answer is written; null: it is sent as values. */
  readonly format: ResultFormat | null;
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

export type UrgentMessage =
  /** A partial of another thread, for the one that leads the run. */
  | { readonly type: "partial"; readonly run: number; readonly partial: Partial }
  /** The next chunk of the run's result is wanted, or nothing of it any more. */
  | { readonly type: "more" | "drop"; readonly run: number };

/** Text of a result, with the sequence that it reflects. */
export interface TextAnswer extends TextChunk {
  readonly asOf: string;
}

export type FromQueryThread =
  | { readonly type: "ready" }
  | {
      readonly type: "answer";
      readonly run: number;
      readonly answer: ReadAnswer | TextAnswer;
      readonly facts: ThreadFacts;
    }
  /** What "more" has asked for; null when it is not there any more. */
  | { readonly type: "chunk"; readonly run: number; readonly chunk: TextChunk | null }
  | {
      readonly type: "partial";
      readonly run: number;
      /** Null when there was nothing left to help with. */
      readonly partial: Partial | null;
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

const kept = new KeptResults();
/** Partials that nobody has merged yet. */
let partials: Extract<UrgentMessage, { type: "partial" }>[] = [];

function takeUrgent(message: UrgentMessage): void {
  const { type, run } = message;
  if (type === "partial") partials.push(message);
  else if (type === "drop") kept.drop(run);
  else {
    const chunk = kept.next(run);
    reply({ type: "chunk", run, chunk }, buffersOf(chunk?.pieces ?? []));
  }
}

/** Between two ranges: clients that read the results of former queries don't wait for this one. */
function attend(): void {
  for (;;) {
    const received = receiveMessageOnPort(data.urgent) as { message: UrgentMessage } | undefined;
    if (received === undefined) return;
    takeUrgent(received.message);
  }
}

/** The next partial of run `run`. */
function nextPartial(run: number): Partial | null {
  attend();
  const at = partials.findIndex((one) => one.run === run);
  return partials.splice(at, at < 0 ? 0 : 1)[0]?.partial ?? null;
}

function perform(task: QueryTask): void {
  const { run, job, limits, fresh, scan } = task;
  if (scan === null || job.type !== "query") return answer(task, reader.run(job, limits));
  const shared = new SharedScan(scan);
  const options = { limits, fresh, threads: data.threads, between: attend };
  if (task.lead) {
    return answer(
      task,
      reader.lead(job, shared, options, () => nextPartial(run)),
    );
  }
  const bytes = reader.help(job, shared, options);
  const partial = bytes && { bytes, facts: reader.facts() };
  reply({ type: "partial", run, partial }, buffersOf(bytes === null ? [] : [bytes]));
}

function answer({ run, format }: QueryTask, result: ReadAnswer): void {
  const facts = reader.facts();
  if (format === null || !("rows" in result)) {
    const buffers = "texts" in result ? buffersOf(result.texts) : [];
    return reply({ type: "answer", run, answer: result, facts }, buffers);
  }
  const chunk = kept.begin(run, result, format);
  const text = { asOf: result.asOf, ...chunk };
  reply({ type: "answer", run, answer: text, facts }, buffersOf(chunk.pieces));
}

function buffersOf(pieces: readonly Uint8Array[]): ArrayBuffer[] {
  return pieces.map(({ buffer }) => buffer as ArrayBuffer);
}

port.on("message", (message: ToQueryThread) => {
  if (message.type === "segments") {
    reader.segments(message.added, message.dropped, message.end);
  } else if (message.type === "close") {
    data.urgent.close();
    // The environment is shared with the engine thread, which may still be writing.
    void store.close().finally(() => port.close());
  } else {
    try {
      perform(message);
      // What is left over belongs to runs that have failed.
      partials = [];
    } catch (error) {
      reply({ type: "failure", run: message.run, failure: packFailure(error) });
    }
  }
});
data.urgent.on("message", takeUrgent);
reply({ type: "ready" });

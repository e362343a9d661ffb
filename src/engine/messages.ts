// What the threads tell each other. Bodies, columns and results of scans never travel in messages: they are
// in the shared memory; a message says that something is there.

import type { MessagePort } from "node:worker_threads";
import type { Config } from "../settings.ts";
import type { SealedSegment, SegmentMeta } from "../storage/segment.ts";
import type { EngineStats, Readiness } from "./engine.ts";
import type { FailureMessage } from "./failure.ts";
import type { EventError } from "./ingest.ts";

/** Handed to the engine thread when it starts. */
export interface EngineThreadData {
  readonly memory: WebAssembly.Memory;
  readonly config: Config;
  /** To the sealer thread. */
  readonly sealer: MessagePort;
  /** To the stream thread. */
  readonly stream: MessagePort;
}

export type ToEngine = { readonly type: "wake" } | { readonly type: "close" };

/** The numbers of one answer in `Answers.packed`, in this order. Sequences below 2^53 are exact doubles. */
export const ANSWER_WORDS = 6; // request id, accepted, duplicates, rejected, first sequence or -1, last

export interface Answers {
  readonly packed: Float64Array;
  /** Errors of events, by request id; only of bodies that have any. */
  readonly errors: readonly (readonly [requestId: number, errors: readonly EventError[]])[];
  /** Receipts that were kept under an idempotency key and are given again, as JSON. */
  readonly repeated: readonly (readonly [requestId: number, receipt: string])[];
  readonly failures: readonly (readonly [requestId: number, failure: FailureMessage])[];
}

export type FromEngine =
  | { readonly type: "answers"; readonly answers: Answers; readonly nextSequence: bigint }
  | { readonly type: "readiness"; readonly readiness: Readiness; readonly nextSequence: bigint }
  | { readonly type: "stats"; readonly stats: EngineStats }
  | {
      readonly type: "segments";
      /** Encoded metas of segments that are in LMDB now. */
      readonly added: readonly Uint8Array[];
      /** Ids of segments that are gone. */
      readonly dropped: readonly number[];
      /** Every sequence before it is in a stored segment, or was in one that was dropped. */
      readonly end: bigint;
    }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "fatal"; readonly failure: FailureMessage }
  | { readonly type: "closed" };

export type ToSealer =
  | { readonly type: "seal"; readonly slot: number; readonly segmentId: number }
  /** Merge these stored segments into one. */
  | {
      readonly type: "compact";
      readonly segmentId: number;
      readonly sources: readonly SegmentMeta[];
    };

/** What became of the segment, by what was asked for. */
export type FromSealer = { readonly type: "sealed" | "compacted"; readonly segmentId: number } & (
  | { readonly sealed: SealedSegment }
  | { readonly failure: FailureMessage }
);

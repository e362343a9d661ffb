// What the stream thread and the others tell each other. Rows are read from the shared memory; windows travel as values
// or as bytes.

import type { MessagePort } from "node:worker_threads";
import type { FailureMessage } from "../engine/failure.ts";
import type { RollupPart } from "../query/plan/rollup.ts";
import type { Query } from "../query/query.ts";
import type { QueryResult } from "../query/result.ts";
import type { QueryLimits } from "../query/run/execution.ts";
import type { Config } from "../settings.ts";
import type { PackedPiece } from "./packed-rows.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { FinalPlace, Recomputed, WindowRow } from "./window-row.ts";

export interface StreamThreadData {
  readonly memory: WebAssembly.Memory;
  readonly config: Config;
  /** Index of its region and pin among the readers. */
  readonly reader: number;
  /** To the engine thread. */
  readonly engine: MessagePort;
}

/** One LMDB write; `value` null removes the key. */
export interface StreamWrite {
  readonly table: StreamTable;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/**
 * rules: number → RuleRecord. stream: what the checkpoint reflects, one key each for the sequence, the watermarks and
 * each part of a rule's state. windows: blocks of stored windows. groups: directory of each rule's groups.
 * finals: which windows became final at which sequence. duplicates: timestamps of events that were left out, after when
 * their record was received.
 */
export type StreamTable = "rules" | "stream" | "windows" | "groups" | "finals" | "duplicates";

/** From the stream thread to the engine thread. */
export type StreamToEngine =
  /** To be committed in one transaction; answered with `committed`. Rows below `reflected` are in the state then. */
  | {
      readonly type: "commit";
      readonly id: number;
      readonly reflected: bigint;
      readonly writes: readonly StreamWrite[];
    }
  /** It has nothing to do: wake it when rows are published. Its `StreamPosition` is up to date before this is sent. */
  | { readonly type: "idle" };

/** From the engine thread to the stream thread. The first message is `segments`: the store is open from then on. */
export type EngineToStream =
  /** Rows were published, after it was idle. */
  | { readonly type: "published" }
  /** Up to this time nothing was received but the rows below `sequence`, which are published. */
  | { readonly type: "tick"; readonly sequence: bigint; readonly receivedAtUs: bigint }
  /**
   * Events that were left out as duplicates by the record that begins, or would begin, at `sequence`; on disk already,
   * under this sequence and index, which counts up from 0. Sent before the rows of the record are published.
   */
  | {
      readonly type: "duplicates";
      readonly sequence: bigint;
      readonly index: number;
      readonly timestampsUs: BigInt64Array;
    }
  | { readonly type: "committed"; readonly id: number }
  | {
      readonly type: "segments";
      readonly added: readonly Uint8Array[];
      readonly dropped: readonly number[];
      readonly end: bigint;
    }
  /** Everything that was published is to be in a last commit; then the port is closed. */
  | { readonly type: "close" };

/** Which windows of a rule are asked for; times in µs of event time. */
export interface WindowsRequest {
  /** Number of the version. */
  readonly rule: number;
  /** Windows that overlap [fromUs, toUs). */
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
  /** Only groups with these values, by index of the key. */
  readonly groups: readonly { readonly key: number; readonly value: unknown }[];
  /** Merged into windows of this tier (0: the rule's own) or, with `widthUs`, into any that hold whole ones. */
  readonly tier: number;
  readonly widthUs: bigint | null;
  /** Newest first when descending. */
  readonly descending: boolean;
  readonly limit: number;
}

export interface WindowsAnswer {
  readonly rows: readonly WindowRow[];
  /** On the stream thread, the rows as columns instead, where they were never anything else. */
  readonly packed?: readonly PackedPiece[];
  /** True: there are more than `limit`. */
  readonly more: boolean;
  /** Every row below it is reflected. */
  readonly asOf: bigint;
  /** What reading took on the stream thread, without waiting. */
  readonly executionUs: number;
}

/** A subscription to a rule's windows: rows that change from now on are sent as `updates`. */
export interface WatchRequest {
  readonly rule: number;
  /** What changed from this sequence on comes first; null: all open windows and the last final one. */
  readonly since: bigint | null;
}

export interface RollupQuestion {
  readonly query: Query;
  /** The rule whose windows are to answer it, as `chooseRollup` has chosen. */
  readonly rule: number;
  /** What the result may have, whoever answers; by default what any may. */
  readonly limits?: QueryLimits;
}

/** All of the answer, or a part of it, or neither. `why`: what it is made of, or what is lacking. */
export interface RollupReply {
  readonly result: QueryResult | null;
  readonly part: RollupPart | null;
  readonly why: string;
}

/** What the HTTP thread asks; each is answered under its id. */
export type StreamRequest =
  | {
      readonly type: "rules";
      readonly put: readonly RuleRecord[];
      readonly gone: readonly number[];
    }
  | { readonly type: "windows"; readonly request: WindowsRequest }
  /** May be asked many times for one rule: each is answered with a snapshot, and updates are sent once for all. */
  | { readonly type: "watch"; readonly watch: WatchRequest }
  /** Nobody watches the rule any more, however often `watch` was asked. */
  | { readonly type: "unwatch"; readonly rule: number }
  | { readonly type: "rollup"; readonly question: RollupQuestion }
  /** Computes stored windows again from stored events, too late ones with them. */
  | {
      readonly type: "recompute";
      readonly rule: number;
      readonly fromUs: bigint;
      readonly toUs: bigint;
    };

export type StreamAnswer =
  | { readonly type: "rules" }
  | { readonly type: "windows"; readonly answer: WindowsAnswer }
  /** A snapshot. What it shows is in no update that is sent after it; what changes later, or is final later, is. */
  | {
      readonly type: "watch";
      readonly rows: readonly WindowRow[];
      readonly asOf: bigint;
      readonly lost: FinalPlace | null;
    }
  | { readonly type: "unwatch" }
  | ({ readonly type: "rollup" } & RollupReply)
  | ({ readonly type: "recompute" } & Recomputed);

export type ToStream =
  | { readonly type: "request"; readonly id: number; readonly request: StreamRequest }
  | { readonly type: "close" };

export type FromStream =
  | { readonly type: "answer"; readonly id: number; readonly answer: StreamAnswer }
  | { readonly type: "failed"; readonly id: number; readonly failure: FailureMessage }
  /** The state is as of the newest checkpoint, and the records of all rules. */
  | {
      readonly type: "ready";
      readonly rules: readonly RuleRecord[];
      readonly asOf: bigint;
      /** Above every number that a stored rule ever had. */
      readonly nextNumber?: number;
    }
  /** A rule's record has changed: its backfill has come further, or is done. */
  | { readonly type: "rule"; readonly record: RuleRecord }
  /** Windows of a watched rule that have changed up to `asOf`, final ones included, each at most once. */
  | {
      readonly type: "updates";
      readonly rule: number;
      readonly rows: readonly WindowRow[];
      readonly asOf: bigint;
    }
  | { readonly type: "stats"; readonly stats: StreamStats }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "fatal"; readonly failure: FailureMessage };

export interface SourceTime {
  /** Null: events without a source. */
  readonly source: string | null;
  readonly watermarkUs: bigint | null;
  readonly receivedAtUs: bigint;
  readonly idle: boolean;
  /** Rows beyond `received_at + --max-skew`: its clock is ahead. */
  readonly futureRows: number;
}

export interface RuleStats {
  readonly rule: number;
  readonly name: string;
  readonly version: number;
  readonly rows: number;
  readonly tooLate: number;
  readonly dropped: number;
  readonly overflowed: number;
  readonly openWindows: number;
  readonly openGroups: number;
  readonly memoryBytes: number;
  readonly finalWindows: number;
  /** Milliseconds of work for it, in all, and batches of rows that it has taken. */
  readonly busyMs: number;
  readonly batches: number;
  readonly watchers: number;
  /** Rows still to be read by its backfill. */
  readonly backfillRows: number;
}

/** Figures of the stream thread. Counters begin at 0 when the process starts. */
export interface StreamStats {
  /** The next row that rules have not taken. */
  readonly next: string;
  readonly checkpoint: string;
  readonly checkpoints: number;
  readonly checkpointMs: number;
  readonly checkpointBytes: number;
  /** Null while there is none. */
  readonly watermarkUs: bigint | null;
  /** The sources that are furthest behind and those whose clocks are ahead, at most 100; and how many there are. */
  readonly sources: readonly SourceTime[];
  readonly sourceCount: number;
  readonly rules: readonly RuleStats[];
  readonly memoryBytes: number;
  readonly memoryMax: number;
}

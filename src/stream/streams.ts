// Rules and their windows, as the HTTP thread and the library see them.

import type {
  RollupQuestion,
  RollupReply,
  StreamStats,
  WatchRequest,
  WindowsAnswer,
  WindowsRequest,
} from "./messages.ts";
import type { RuleRecord } from "./rule-record.ts";
import type { FinalPlace, Recomputed, WindowRow } from "./window-row.ts";

export interface WatchUpdate {
  readonly rows: readonly WindowRow[];
  readonly asOf: bigint;
}

/** Ends with `close`. Updates come in order, none before the snapshot, none left out. */
export interface Watch {
  readonly snapshot: WatchUpdate;
  /** The last of the final windows that should be in the snapshot and are not stored any more; null: it has all. */
  readonly lost: FinalPlace | null;
  close(): void;
}

/** The stream thread, from outside. Promises reject with MillraceError. */
export interface Streams {
  /** All versions of all rules, by number; passing ones are not among them. */
  rules(): readonly RuleRecord[];
  /** Called after `rules()` has changed. */
  onRules(listener: () => void): () => void;
  /** A number for a new version, never given before. */
  takeNumber(): number;
  /** Settles when it is on disk. Numbers in `gone` lose their windows. */
  change(put: readonly RuleRecord[], gone: readonly number[]): Promise<void>;
  windows(request: WindowsRequest): Promise<WindowsAnswer>;
  watch(request: WatchRequest, listener: (update: WatchUpdate) => void): Promise<Watch>;
  rollup(question: RollupQuestion): Promise<RollupReply>;
  recompute(rule: number, fromUs: bigint, toUs: bigint): Promise<Recomputed>;
  /** Null until the thread has told them for the first time. */
  stats(): StreamStats | null;
}

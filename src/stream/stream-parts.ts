// What the stream processor works with. All of it is passed in: tests drive it without threads, files or clocks.

import type { Clock } from "../base/clock.ts";
import type { Segment, Snapshot } from "../query/segments/source.ts";
import type { GroupDirectory, TableReader, WindowStore } from "../rollup/store.ts";
import type { Tiers } from "../rollup/tiers.ts";
import type {
  FromStream,
  RollupQuestion,
  RollupReply,
  SourceTime,
  StreamTable,
  StreamWrite,
  WindowsAnswer,
  WindowsRequest,
} from "./messages.ts";
import type { RollupBounds } from "./rollup-windows.ts";
import type { Rule } from "./rule.ts";
import type { RuleSink, RuleState } from "./rule-state.ts";
import type { RunningRule } from "./running-rule.ts";
import type { TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, WindowRow } from "./window-row.ts";

/** The event time of one follower: how far each source has come, and the watermark. */
export interface FollowedTime {
  /** Judges rows [first, end) of a segment, the next ones. Within a chunk of the scope. */
  take(segment: Segment, first: number, end: number): TimedChunk;
  /** Nothing was received up to `receivedAtUs`. */
  tick(receivedAtUs: bigint): void;
  /** `noWatermark` while there is none. */
  watermarkUs(): bigint;
  readonly sourceCount: number;
  /** The sources furthest behind and those whose clocks are ahead. */
  sources(limit: number): SourceTime[];
  encode(): Uint8Array;
  /** Into a new one. @throws CorruptionError */
  restore(bytes: Uint8Array): void;
  /** Gives back its memory. */
  close(): void;
}

/** Memory of a chunk, and what rules share within it: columns that are derived, conditions that are tested. */
export interface ChunkScope {
  begin(): void;
  /** Answers what rules are to take for the chunk. */
  enter(chunk: TimedChunk): TimedChunk;
  end(): void;
}

export interface StreamSettings {
  readonly checkpointIntervalMs: number;
  /** Between two updates to subscribers. */
  readonly paceMs: number;
  /** Rows that are taken at once. */
  readonly chunkRows: number;
  readonly memoryMax: number;
}

export interface StreamParts {
  /** Everything from sequence `from` on can be read in the snapshot. */
  readonly source: {
    snapshot(from: bigint): Snapshot;
    /** No event that retention has dropped has a later timestamp; null: none was. */
    droppedMaxUs(): bigint | null;
  };
  readonly clock: Clock;
  readonly settings: StreamSettings;
  table(name: StreamTable): TableReader;
  time(): FollowedTime;
  state(rule: Rule, sink: RuleSink): RuleState;
  /** Coarser windows; null: the rule has none. */
  tiers(rule: Rule): Tiers | null;
  readonly scope: ChunkScope;
  readonly store: WindowStore;
  /** The groups of a rule. */
  directory(rule: number): GroupDirectory;
  /** What the store and the directories of groups want to be committed. */
  storeWrites(): StreamWrite[];
  /** Bytes of open windows. */
  memoryBytes(): number;
  /** Final windows with the values of their groups. */
  rows(rule: Rule, windows: readonly FinalWindow[]): WindowRow[];
  /** Stored and open windows as of the next sequence and the watermark. */
  read(
    rule: RunningRule,
    request: WindowsRequest,
    watermarkUs: bigint,
    next: bigint,
  ): Pick<WindowsAnswer, "rows" | "packed" | "more">;
  rollup(rule: Rule, state: RuleState, question: RollupQuestion, bounds: RollupBounds): RollupReply;
  /** Forgets at most about `limit` windows, lists and groups of a rule; answers how many. */
  drop(rule: number, limit: number): number;
  committed(): void;
  /** Answered by `committed` with the same id. */
  commit(id: number, reflected: bigint, writes: readonly StreamWrite[]): void;
  emit(message: FromStream): void;
}

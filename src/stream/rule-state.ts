// What one rule knows of its open windows, on the stream thread. Tumbling and hopping windows are kept in panes
// (pane-rule.ts), sessions by group (session-rule.ts).

import type { WindowsRequest } from "./messages.ts";
import type { Rule } from "./rule.ts";
import type { TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, TooLate, WindowRow } from "./window-row.ts";

/** Takes what leaves a rule's open windows, in order. */
export interface RuleSink {
  final(rule: Rule, window: FinalWindow): void;
  tooLate(rule: Rule, late: TooLate): void;
}

/** A part of a rule's state as it is stored: `bytes` null when the part is gone. Keys are unique within the rule. */
export interface StatePart {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array | null;
}

export interface RuleStateStats {
  readonly openWindows: number;
  readonly openGroups: number;
  readonly memoryBytes: number;
  /** Rows that pass the filter; of those: too late for all their windows, and beyond `windowsMax`. */
  readonly rows: number;
  readonly tooLate: number;
  readonly dropped: number;
  /** Rows in groups `other`. */
  readonly overflowed: number;
}

/** Windows that overlap [fromUs, toUs), and the groups that have these values, by index of the key. */
export type WantedWindows = Pick<WindowsRequest, "fromUs" | "toUs" | "groups">;

export interface RuleState {
  readonly rule: Rule;
  /**
   * Takes the rows of a chunk that pass the filter. A window becomes final before the row that is judged by a W beyond
   * its end and lateness, so any cut of the stream into chunks gives the same windows.
   */
  add(chunk: TimedChunk): void;
  /** W has come to `watermarkUs` without a row; `sequence` is that of the next row. */
  advance(watermarkUs: bigint, sequence: bigint): void;
  /** Events left out as duplicates, by their timestamps. */
  duplicates(timestampsUs: readonly bigint[]): void;
  /**
   * Groups of open windows that have changed since a sequence, by window, then group; all with 0n. What is not `wanted`
   * may be left out.
   */
  open(since: bigint, wanted?: WantedWindows): WindowRow[];
  /** The same as partials, of windows that overlap [fromUs, toUs). */
  openPartials(fromUs: bigint | null, toUs: bigint | null): FinalWindow[];
  /** What has changed since this was last asked; the first call after a restart has everything. */
  dirtyParts(): StatePart[];
  /** Into an empty state: everything that `dirtyParts` said last of each key. */
  restore(parts: readonly StatePart[]): void;
  readonly stats: RuleStateStats;
  /** That of `stats`, which is asked for at every chunk. */
  readonly dropped: number;
  /** Gives back all memory. */
  close(): void;
}

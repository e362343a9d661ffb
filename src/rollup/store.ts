// Stored windows: final results as partials, under keys in the order of time, so that one group's windows lie together.
// See docs/formats/windows.md. Only the stream thread writes, through the engine thread's commits.

import type { StreamWrite } from "../stream/messages.ts";
import type { Rule } from "../stream/rule.ts";
import type { FinalWindow, PartialGroup, TooLate } from "../stream/window-row.ts";

/** Reads one table in key order, as the last commit left it. */
export interface TableReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries with `from` ≤ key < `to`, ascending; valid until the next step. */
  range(
    from: Uint8Array,
    to: Uint8Array,
  ): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/** A stored window of one group. */
export interface StoredGroup extends PartialGroup {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly finalAt: bigint;
}

/**
 * The windows of all rules. What was put is seen by reads at once, and is in `writes` until they are taken for a
 * commit; until `committed` says that it is on disk it stays in memory.
 */
export interface WindowStore {
  put(rule: Rule, tier: number, window: FinalWindow): void;
  /** Adds to the ledger of a stored window; makes one without rows where there is none. */
  tooLate(rule: Rule, late: TooLate): void;
  /** Puts a group's window in the place of what was there, or removes it. */
  replace(rule: Rule, tier: number, window: FinalWindow): void;
  /** One group's windows that overlap [fromUs, toUs), by start. */
  read(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint | null,
    toUs: bigint | null,
  ): Iterable<StoredGroup>;
  /** Windows that became final at sequences from `since` on, in that order. */
  finalSince(
    rule: number,
    since: bigint,
  ): Iterable<{
    readonly finalAt: bigint;
    readonly startUs: bigint;
    readonly groupIds: Uint32Array;
  }>;
  /** The newest final windows, for a first snapshot. */
  newest(
    rule: number,
    tier: number,
  ): { readonly startUs: bigint; readonly groupIds: Uint32Array } | null;
  /** Forgets windows that ended before `endUs`, at most `limit` blocks; answers whether there are more. */
  expire(rule: number, tier: number, endUs: bigint, limit: number): boolean;
  /** Forgets all of a rule's version. */
  drop(rule: number): void;
  /** What has changed since this was last called. */
  writes(): StreamWrite[];
  committed(): void;
}

/** The groups of a rule, as small numbers that hold for ever; 0 is `other`. */
export interface GroupDirectory {
  /** The number of the group with these key bytes (as `groupKeyBytes` makes them). */
  idOf(key: Uint8Array): number;
  keyOf(groupId: number): Uint8Array;
  /** Every group of the rule that was ever stored. */
  readonly count: number;
  writes(): StreamWrite[];
}

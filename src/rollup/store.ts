// Stored windows: final results as partials, under keys in the order of time, so that one group's windows lie together.
// See docs/formats/windows.md. Only the stream thread writes, through the engine thread's commits.

import type { StreamWrite } from "../stream/messages.ts";
import type { Rule } from "../stream/rule.ts";
import type { FinalPlace, FinalWindow, PartialGroup, TooLate } from "../stream/window-row.ts";

/** Reads one table in key order, as the last commit left it. */
export interface TableReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries with `from` ≤ key < `to`, ascending; valid until the next step. */
  range(
    from: Uint8Array,
    to: Uint8Array,
  ): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  /** The keys of `range` alone, where that is less work. */
  keys?(from: Uint8Array, to: Uint8Array): Iterable<Uint8Array>;
  /** The last entry with `from` ≤ key < `to`. */
  last(
    from: Uint8Array,
    to: Uint8Array,
  ): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined;
}

/** A stored window of one group. `partial` is good as long as it is held. */
export interface StoredGroup extends PartialGroup {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly finalAt: bigint;
}

/** A window that became final, with the groups that had rows in it. */
export interface FinalGroups {
  readonly finalAt: bigint;
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly groupIds: Uint32Array;
}

/** Stored windows that are asked for. */
export interface WindowRange {
  readonly rule: number;
  readonly tier: number;
  /** Null: all groups. */
  readonly groupIds: readonly number[] | null;
  /** Windows that overlap [fromUs, toUs); null: no bound. */
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
  readonly descending: boolean;
}

/**
 * The windows of all rules. What was put is seen by reads at once, and is in `writes` until they are taken for a
 * commit; until `committed` says that it is on disk it stays in memory. A window of a group is known by its start and
 * end. While a read goes on nothing may be put.
 */
/** A block of one group's windows, by start, as it is now. */
export interface WindowGroupBlock {
  /** Another one as soon as the block's windows are. */
  readonly version: number;
  /** How many windows it has. */
  readonly count: number;
  overlapping(fromUs: bigint, toUs: bigint): readonly StoredGroup[];
}

export interface WindowStore {
  /** Where a group has the window already, its too late rows are kept, the rest is replaced. */
  put(rule: Rule, tier: number, window: FinalWindow): void;
  /** Adds to the ledger of a stored window; makes one without rows, with an empty `partial`, where there is none. */
  tooLate(rule: Rule, late: TooLate, tier?: number): void;
  /** As `put`, but the ledger is replaced too. */
  replace(rule: Rule, tier: number, window: FinalWindow): void;
  /** Removes a group's window; whether there was one. */
  remove(rule: number, tier: number, groupId: number, startUs: bigint, endUs: bigint): boolean;
  /** One group's windows that overlap [fromUs, toUs), by start. */
  read(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint | null,
    toUs: bigint | null,
    descending?: boolean,
  ): Iterable<StoredGroup>;
  /** The blocks of one group that may have windows which overlap [fromUs, toUs), by start. */
  blocks(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint | null,
    toUs: bigint | null,
  ): Iterable<WindowGroupBlock>;
  /** Another one as soon as any of a group's windows are. */
  groupVersion(rule: number, tier: number, groupId: number): number;
  /** By start (the newest first when descending), then group. Blocks are read as the caller comes to them. */
  windows(range: WindowRange): Iterable<StoredGroup>;
  /** The groups that have windows, ascending. */
  groups(rule: number, tier: number): Iterable<number>;
  /** Windows that became final at sequences from `since` on, in that order. */
  finalSince(rule: number, since: bigint, tier?: number): Iterable<FinalGroups>;
  /**
   * The place of the last window that `expire` has taken out of `finalSince`, with the latest end of all those; null:
   * it has taken none.
   */
  dropped(rule: number, tier: number): FinalPlace | null;
  /**
   * The window that became final last, before the sequence `before` unless that is null; of several at once the one
   * that starts last. For a first snapshot.
   */
  newest(rule: number, tier: number, before?: bigint | null): FinalGroups | null;
  /**
   * Forgets blocks of which every window had ended by `endUs`, so up to a block's windows of a group may stay for
   * longer. Goes through at most `limit` groups and blocks, and on from there the next time; answers whether there are
   * more.
   */
  expire(rule: number, tier: number, endUs: bigint, limit: number): boolean;
  /** Forgets a rule's version, at most `limit` keys of it; answers how many. Fewer than `limit`: there are no more. */
  drop(rule: number, limit: number): number;
  /** What has changed since this was last called. */
  writes(): StreamWrite[];
  /** The oldest `writes` that are not told yet are on disk, and the tables are read as of then. */
  committed(): void;
  /** Bytes of memory that it takes. */
  readonly memoryBytes: number;
}

/** The groups of a rule, as small numbers that hold for ever; 0 is `other`, which has an empty key. */
export interface GroupDirectory {
  /** The number of the group with these key bytes (`SplitGroup.key`), which gets the next one when it is new. */
  idOf(key: Uint8Array): number;
  /** As `idOf`, but 0 where there is none. */
  find(key: Uint8Array): number;
  keyOf(groupId: number): Uint8Array;
  /** Every group of the rule that ever had a number, by number, without `other`. */
  all(): Iterable<{ readonly groupId: number; readonly key: Uint8Array }>;
  /** How many: their numbers are 1 to `count`. */
  readonly count: number;
}

/** The directories of all rules. */
export interface GroupDirectories {
  of(rule: number): GroupDirectory;
  /** As of `WindowStore`. */
  drop(rule: number, limit: number): number;
  writes(): StreamWrite[];
  committed(): void;
}

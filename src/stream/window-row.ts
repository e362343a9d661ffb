// What is known of one group of one window.

import type { Value } from "../query/result.ts";

/** Counts of events; see docs/windows.md. */
export interface Ledger {
  readonly count: number;
  readonly late: number;
  readonly revised: number;
  readonly tooLate: number;
  readonly duplicate: number;
}

export type WindowState = "early" | "on_time" | "revised" | "final";

/** A group of a window as it is read, shown and sent to subscribers. */
export interface WindowRow extends Ledger {
  readonly startUs: bigint;
  readonly endUs: bigint;
  /** Values of the rule's keys. */
  readonly group: readonly Value[];
  /** The rows of all groups beyond the rule's limit; `group` is all NULL then. */
  readonly other: boolean;
  /** Values of the rule's `values`. */
  readonly values: readonly Value[];
  readonly revision: number;
  readonly state: WindowState;
  /** The sequence after the last row that changed it; of a final one: after the row that made it final. */
  readonly changedAt: bigint;
  /** Of a session: starts under which it, or one that it took in, was told before. */
  readonly replaces?: readonly bigint[];
}

/**
 * A group of a window as partial aggregates. `partial` has the states of the rule's fold for this group alone, as
 * `splitStates` cuts them; merging those of any groups and windows gives any coarser answer.
 */
export interface PartialGroup extends Ledger {
  /** Index in the rule's directory of groups, 0 for `other`. */
  readonly groupId: number;
  readonly revision: number;
  readonly partial: Uint8Array;
}

/** A window that takes no more rows; with its groups it goes to the store. */
export interface FinalWindow {
  readonly startUs: bigint;
  readonly endUs: bigint;
  /** The sequence after the row before which it became final. */
  readonly finalAt: bigint;
  readonly groups: readonly PartialGroup[];
  /** As of WindowRow; one that has it has one group. */
  readonly replaces?: readonly bigint[];
}

/** Rows that came too late for a window that is stored: counts to add to its ledger. */
export interface TooLate {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly groupId: number;
  readonly count: number;
}

/** What computing windows again has come to. */
export interface Recomputed {
  /** Windows, and events that are in them now and were not. */
  readonly windows: number;
  readonly folded: number;
  /** Windows that are as they were, or were left so for some of their groups: not all of their events are stored. */
  readonly kept: number;
}

/** Where a window is in the order of becoming final. */
export interface FinalPlace {
  readonly finalAt: bigint;
  readonly endUs: bigint;
}

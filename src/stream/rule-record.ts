import type { Rule } from "./rule.ts";

/** How far the stored events before a rule have been read for it: rows from `from` on, `next` is the next one. */
export interface Backfill {
  readonly from: bigint;
  readonly next: bigint;
  /** The rule takes rows from here on as they arrive; until then it is behind. */
  readonly until: bigint;
}

/** A version of a rule as it is stored. */
export interface RuleRecord {
  readonly rule: Rule;
  /** What its author has said, in the JSON form, with what is left out filled in: what the API shows. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly createdAtUs: bigint;
  /** The first sequence that it takes; with a backfill the oldest that was stored. */
  readonly fromSequence: bigint;
  /** No event before `fromSequence` that was stored then has a later timestamp; null: there was none. */
  readonly olderMaxUs?: bigint | null;
  /** It takes no rows. */
  readonly paused: boolean;
  /** It has never left out rows from `fromSequence` on: false once it was paused. */
  readonly complete: boolean;
  /** Null: there is nothing left to be read, or there never was. */
  readonly backfill: Backfill | null;
  /**
   * A replaced version takes no more rows and keeps its windows. A passing one serves a live subscription: neither it
   * nor its windows are stored.
   */
  readonly state: "live" | "replaced" | "passing";
}

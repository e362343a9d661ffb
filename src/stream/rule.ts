// An aggregation rule: a standing question, answered for each window as events arrive. Which event is in which window
// is said in docs/windows.md.

import type { Interval } from "../query/expression/expression.ts";
import type { Aggregate, GroupKey, Output, Predicate } from "../query/query.ts";

/** Spans of event time. `originUs` is where a window would begin, µs; null: where `time_bucket` begins without one. */
export type WindowShape =
  | {
      readonly kind: "tumbling";
      readonly size: Interval;
      readonly originUs: bigint | null;
      readonly zone: string;
    }
  | {
      readonly kind: "hopping";
      readonly size: Interval;
      /** The size is a multiple of it, both in µs, both in days, or both in months. */
      readonly slide: Interval;
      readonly originUs: bigint | null;
      readonly zone: string;
    }
  | { readonly kind: "session"; readonly gapUs: bigint };

/** Coarser windows made by merging final ones: their size is a multiple of the windows before. */
export interface Tier {
  readonly size: Interval;
  /** How long its windows are kept after their end, µs of event time; null: for ever. */
  readonly retentionUs: bigint | null;
}

/** What a rule computes. Plain data: it is sent between threads and stored. */
export interface Rule {
  /** Small, unique for ever in its data folder, of this version of the rule: keys of stored windows begin with it. */
  readonly number: number;
  /** UUID, the same for all versions. */
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly where: Predicate | null;
  readonly window: WindowShape;
  /** Groups within a window. Empty: one. */
  readonly keys: readonly GroupKey[];
  readonly aggregates: readonly Aggregate[];
  /** What is shown of a group: leaves are aggregates, keys (as of `keys`) and literals. */
  readonly values: readonly Output[];
  readonly allowedLatenessUs: bigint;
  readonly retentionUs: bigint | null;
  readonly tiers: readonly Tier[];
  readonly groupsMax: number;
  readonly windowsMax: number;
}

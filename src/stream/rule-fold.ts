// What the rows of a rule are folded into, in each of its panes, windows, sessions and tiers: first what the ledger
// counts, then the rule's own aggregates.

import type { Aggregate, Predicate } from "../query/query.ts";
import type { FoldFilters, FoldQuery } from "../query/run/group-fold.ts";
import { foldFilters } from "../query/run/group-fold.ts";
import type { Rule } from "./rule.ts";

/** Rows whose own source was already past them. */
export const isLate: Predicate = { kind: "compare", path: "lateness_us", op: ">", value: 0 };

const ledger: readonly Aggregate[] = [null, isLate].map((filter) => ({
  fn: "count",
  of: null,
  filter,
  type: "number",
  parameters: [],
}));

/** Where the values of a fold have what the ledger counts, and where those of the rule's aggregates begin. */
export const foldCount = 0;
export const foldLate = 1;
export const foldOwn = ledger.length;

/** The fold of a window [startUs, endUs) or of a part of it, which a rate is per second of. */
export function ruleFold(
  { keys, aggregates }: Pick<Rule, "keys" | "aggregates">,
  startUs: bigint,
  endUs: bigint,
): FoldQuery {
  const all = [...ledger, ...aggregates];
  return { groupBy: keys, aggregates: all, fromUs: startUs, toUs: endUs };
}

/** The filters of the aggregates of `ruleFold`. */
export function ruleFoldFilters({ aggregates }: Pick<Rule, "aggregates">): FoldFilters {
  return foldFilters([...ledger, ...aggregates]);
}

// What a rule takes of a compiled query: everything but its window.

import { InputError } from "../errors.ts";
import { parseDuration } from "../query/duration.ts";
import type { Interval } from "../query/expression/expression.ts";
import { barePath, expressionKey, walkExpression } from "../query/expression/expression.ts";
import { expressionsOf } from "../query/expression/now.ts";
import { both } from "../query/predicate.ts";
import type { Output, Predicate, Query } from "../query/query.ts";
import { type Place, placeOf } from "../query/typing/term.ts";
import type { Rule, WindowShape } from "./rule.ts";
import {
  allowedLatenessDefault,
  maxGroupsDefault,
  maxSessionsDefault,
  maxWindowsDefault,
} from "./rule-schema.ts";

/** A rule that has no number yet. */
export type NewRule = Omit<Rule, "number" | "id" | "version">;

export type RuleParts = Pick<Rule, "where" | "keys" | "aggregates" | "values">;

/** What a rule may hold, and how long it waits; what is left out is as the forms have it. */
export interface RuleLimits {
  readonly allowedLatenessUs?: bigint;
  readonly groupsMax?: number;
  readonly windowsMax?: number;
}

function refuseNow(query: Query): void {
  for (const one of expressionsOf(query)) {
    walkExpression(one, (part) => {
      if (part.kind !== "call" || part.fn !== "now") return;
      const problem =
        "now() in a rule: windows go by the time of events, so that they can be computed again";
      const place = placeOf(part) ?? placeOf(one);
      throw place?.error("sql_semantics", problem) ?? new InputError("invalid_query", problem);
    });
  }
}

/** The range of time is a condition like others again: it prunes nothing here. */
function conditionOf({ where, fromUs, toUs }: Query): Predicate | null {
  const terms: Predicate[] = [];
  if (where !== null) terms.push(where);
  if (fromUs !== null) terms.push({ kind: "compare", path: "timestamp", op: ">=", value: fromUs });
  if (toUs !== null) terms.push({ kind: "compare", path: "timestamp", op: "<", value: toUs });
  return terms.length === 0 ? null : both(terms);
}

/** Columns that every window has. */
const windowNames: ReadonlySet<string> = new Set(["window_start", "window_end"]);

function refuseNames(columns: readonly Output[], placeOfName: PlaceOfName): void {
  const names = columns.map((one) => one.as);
  for (const [i, { as }] of columns.entries()) {
    const twice = names.indexOf(as) < i;
    if (!twice && !windowNames.has(as)) continue;
    const problem = twice
      ? `two columns are named "${as}"; use "as"`
      : `"${as}" is a column of every window; want another name`;
    const code = "invalid_rule";
    throw placeOfName(as)?.error(code, problem) ?? new InputError(code, problem);
  }
}

/** Where a column was named. */
type PlaceOfName = (name: string) => Place | undefined;

/** The parts of a query whose keys are the groups within a window. Outputs that are keys are shown as such. */
export function partsOf(query: Query, placeOfName: PlaceOfName): RuleParts {
  refuseNow(query);
  const values = query.select.filter(({ of }) => of.kind !== "key");
  refuseNames([...query.groupBy, ...values], placeOfName);
  return {
    where: conditionOf(query),
    keys: query.groupBy,
    aggregates: query.aggregates,
    values,
  };
}

export function limitsOf(
  window: WindowShape,
  limits: RuleLimits,
): Pick<Rule, "allowedLatenessUs" | "groupsMax" | "windowsMax"> {
  const windows = window.kind === "session" ? maxSessionsDefault : maxWindowsDefault;
  return {
    allowedLatenessUs: limits.allowedLatenessUs ?? parseDuration(allowedLatenessDefault),
    groupsMax: limits.groupsMax ?? maxGroupsDefault,
    windowsMax: limits.windowsMax ?? windows,
  };
}

/** The key of `query` that is a bucket of `timestamp`, as an index into its groups; -1: there is none. */
export function bucketKey(query: Query): number {
  const path = expressionKey(barePath("timestamp"));
  return query.groupBy.findIndex(({ of }) => of.kind === "bucket" && expressionKey(of.of) === path);
}

/** About how long an interval is, µs: months have 30 days, days 24 hours. */
export function roughUs({ months, days, us }: Interval): bigint {
  return (BigInt(months) * 30n + BigInt(days)) * 86_400_000_000n + us;
}

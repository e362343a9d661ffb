// Which aggregation rule has the answer to a question already. Its windows do if they are of the same events, no
// coarser than the groups that are asked for, and keep states that the aggregates derive from.

import type { Rule } from "../../stream/rule.ts";
import { sharedStateKey } from "../aggregate/create.ts";
import { Buckets } from "../expression/bucket.ts";
import { type Expression, expressionKey, type Interval } from "../expression/expression.ts";
import { formatInterval } from "../expression/interval.ts";
import type { Aggregate, Predicate, Query } from "../query.ts";
import { isGrouped } from "../query.ts";
import { describeAggregate, describeExpression } from "./describe.ts";

type Bucket = Extract<Expression, { kind: "bucket" }>;

/** Whether a rollup answers a query instead of a scan. */
export interface RollupAnswer {
  /** The name of the rule whose windows do; null: none. */
  readonly rollup: string | null;
  /** Empty where no rule was looked at. */
  readonly why: string;
}

export interface RollupChoice extends RollupAnswer {
  readonly rule: Rule | null;
}

/** The first rule that has the answer. `why` says for the rule that comes closest what it lacks. */
export function chooseRollup(query: Query, rules: readonly Rule[]): RollupChoice {
  const none = (why: string): RollupChoice => ({ rollup: null, rule: null, why });
  if (rules.length === 0) return none("");
  if (!isGrouped(query)) return none("");
  let best = { passed: -1, why: "" };
  for (const rule of rules) {
    const lack = lackOf(query, rule);
    if (lack === null) {
      const why = "same condition, its groups include those asked, its states give the aggregates";
      return { rollup: rule.name, rule, why };
    }
    if (lack.passed > best.passed) best = { ...lack, why: `${rule.name}: ${lack.why}` };
  }
  return none(best.why);
}

/** Nobody was asked. */
export const noRollup: RollupAnswer = { rollup: null, why: "" };

/** The first condition that doesn't hold, and how many did before it; null: the rule has the answer. */
function lackOf(query: Query, rule: Rule): { passed: number; why: string } | null {
  const checks: (() => string | null)[] = [
    () => conditionLack(query, rule),
    () => windowLack(query, rule),
    () => keysLack(query, rule),
    () => aggregatesLack(query, rule),
    () => rangeLack(query, rule),
  ];
  for (const [passed, check] of checks.entries()) {
    const why = check();
    if (why !== null) return { passed, why };
  }
  return null;
}

function conditionLack(query: Query, rule: Rule): string | null {
  if (predicateKey(query.where) === predicateKey(rule.where)) return null;
  return "the conditions are not the same";
}

function windowLack(query: Query, { window }: Rule): string | null {
  if (window.kind !== "tumbling") return `a row is not in exactly one ${window.kind} window`;
  for (const { of } of query.groupBy) {
    if (!isTimeBucket(of) || holdsWindows(of, window)) continue;
    return `${describeExpression(of)} does not hold whole windows of ${formatInterval(window.size)}`;
  }
  return null;
}

function isTimeBucket(of: Expression): of is Bucket {
  return of.kind === "bucket" && of.of.kind === "path" && of.of.path === "timestamp";
}

/** Whether each of the rule's windows lies within one bucket. */
function holdsWindows(
  bucket: Bucket,
  window: Extract<Rule["window"], { kind: "tumbling" }>,
): boolean {
  const shape = { width: window.size, originUs: window.originUs, zone: window.zone };
  if (expressionKey({ ...bucket, ...shape }) === expressionKey(bucket)) return true;
  const [inner, outer] = [new Buckets(shape).fixed, new Buckets(bucket).fixed];
  if (outer === null) return isWholeDays(bucket, window);
  if (inner === null) return false;
  return (
    outer.widthUs % inner.widthUs === 0n && (outer.originUs - inner.originUs) % inner.widthUs === 0n
  );
}

/** Days and months begin at midnight, where windows of a day, or in UTC of a divisor of one, begin too. */
function isWholeDays(
  bucket: Bucket,
  window: Extract<Rule["window"], { kind: "tumbling" }>,
): boolean {
  if (bucket.originUs !== null || window.originUs !== null) return false;
  const { months, days, us } = window.size;
  if (window.zone === bucket.zone && months === 0 && days === 1 && us === 0n) return true;
  const isDivisor = months === 0 && days === 0 && us > 0n && 86_400_000_000n % us === 0n;
  return isDivisor && bucket.zone === "UTC" && window.zone === "UTC";
}

function keysLack(query: Query, rule: Rule): string | null {
  const has = new Set(rule.keys.map(({ of }) => expressionKey(of)));
  for (const { of } of query.groupBy) {
    if (isTimeBucket(of) || has.has(expressionKey(of))) continue;
    return `${describeExpression(of)} is not one of its groups`;
  }
  return null;
}

/** Names the state that an aggregate derives from, with the condition of its rows. */
export function stateKey(aggregate: Aggregate): string {
  return `${predicateKey(aggregate.filter)} ${sharedStateKey(aggregate)}`;
}

function aggregatesLack(query: Query, rule: Rule): string | null {
  const has = new Set(rule.aggregates.map(stateKey));
  // Every rule counts its rows.
  has.add(`${predicateKey(null)} count`);
  for (const aggregate of query.aggregates) {
    if (!has.has(stateKey(aggregate))) return `it has no ${describeAggregate(aggregate)}`;
  }
  return null;
}

function rangeLack({ fromUs, toUs }: Query, { window }: Rule): string | null {
  if (window.kind !== "tumbling") return null;
  const buckets = new Buckets({ width: window.size, originUs: window.originUs, zone: window.zone });
  const lies = (us: bigint | null): boolean => us === null || buckets.span(us).startUs === us;
  if (lies(fromUs) && lies(toUs)) return null;
  return `the range of time does not begin and end with windows of ${formatInterval(window.size as Interval)}`;
}

/** Equal for conditions that are written alike but for the order of AND and OR. */
export function predicateKey(predicate: Predicate | null): string {
  if (predicate === null) return "";
  switch (predicate.kind) {
    case "and":
    case "or": {
      const parts = flat(predicate.kind, predicate).map(predicateKey).sort();
      return `${predicate.kind}(${parts.join(",")})`;
    }
    case "not":
      return `not(${predicateKey(predicate.of)})`;
    default:
      return JSON.stringify(predicate, (_, value: unknown) =>
        typeof value === "bigint" ? { bigint: String(value) } : value,
      );
  }
}

function flat(kind: "and" | "or", predicate: Predicate): Predicate[] {
  if (predicate.kind !== kind) return [predicate];
  return predicate.of.flatMap((one) => flat(kind, one));
}

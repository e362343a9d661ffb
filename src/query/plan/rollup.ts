// Which aggregation rule has the answer to a question already. Its windows do if they are of the same events, no
// coarser than the groups that are asked for, and keep states that the aggregates derive from. What windows can't say,
// at the edges of a range of time that doesn't begin and end with windows, or where events came too late, is scanned.

import type { Rule } from "../../stream/rule.ts";
import { sharedStateKey } from "../aggregate/create.ts";
import { Buckets } from "../expression/bucket.ts";
import { type Expression, expressionKey } from "../expression/expression.ts";
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

/** Rows with timestamps in [fromUs, toUs), microseconds; null: no bound. */
export type TimeSpan = Pick<Query, "fromUs" | "toUs">;

/** What a rule's windows say of a question. The rows in `rest` are still to be read. */
export interface RollupPart {
  /** As `QueryExecution.partial` of the question writes it. */
  readonly partial: Uint8Array;
  /** It reflects every row below; rows from here on are not to be read. */
  readonly asOf: bigint;
  /** The oldest sequence that was stored then: when it is gone, the part and the rest don't go together. */
  readonly oldest: bigint;
  /** Spans of time that it says nothing of, ascending. */
  readonly rest: readonly TimeSpan[];
}

/**
 * The rule whose windows leave the shortest edges to be scanned, among equals the one with the longest windows. Where
 * there is none, `why` says for the rule that comes closest what it lacks.
 */
export function chooseRollup(query: Query, rules: readonly Rule[]): RollupChoice {
  const none = (why: string): RollupChoice => ({ rollup: null, rule: null, why });
  if (!isGrouped(query)) return none("");
  let best = { passed: -1, why: "" };
  let found: { readonly rule: Rule; readonly edgesUs: bigint; readonly sizeUs: bigint } | null =
    null;
  for (const rule of rules) {
    const lack = lackOf(query, rule);
    if (lack === null) {
      const one = { rule, edgesUs: edgesUs(query, rule), sizeUs: sizeUs(rule) };
      if (found === null || isBetter(one, found)) found = one;
    } else if (lack.passed > best.passed) best = { ...lack, why: `${rule.name}: ${lack.why}` };
  }
  if (found === null) return none(best.why);
  const has = "same condition, its groups include those asked, its states give the aggregates";
  const { rule } = found;
  const why = found.edgesUs === 0n ? has : `${has}; the edges of the range are scanned`;
  return { rollup: rule.name, rule, why };
}

interface Fit {
  readonly edgesUs: bigint;
  readonly sizeUs: bigint;
}

function isBetter(one: Fit, other: Fit): boolean {
  if (one.edgesUs !== other.edgesUs) return one.edgesUs < other.edgesUs;
  return one.sizeUs > other.sizeUs;
}

/** Time within the query's range that is in no whole window. */
function edgesUs(query: Query, { window }: Rule): bigint {
  const whole = wholeWindows(query, window);
  if (whole === null) return 0n;
  const before = query.fromUs === null ? 0n : (whole.fromUs ?? 0n) - query.fromUs;
  const after = query.toUs === null ? 0n : query.toUs - (whole.toUs ?? 0n);
  return before + after;
}

/** About: a month counts as 30 days. */
function sizeUs({ window }: Rule): bigint {
  if (window.kind !== "tumbling") return 0n;
  const { months, days, us } = window.size;
  return BigInt(months * 30 + days) * 86_400_000_000n + us;
}

/** The whole windows within a span of time; null: there are none. */
export function wholeWindows({ fromUs, toUs }: TimeSpan, window: Rule["window"]): TimeSpan | null {
  if (window.kind !== "tumbling") return null;
  const buckets = new Buckets({ width: window.size, originUs: window.originUs, zone: window.zone });
  const first = fromUs === null ? null : buckets.span(fromUs);
  const from = first && (first.startUs === fromUs ? fromUs : first.endUs);
  const to = toUs === null ? null : buckets.span(toUs).startUs;
  if (from !== null && to !== null && from >= to) return null;
  return { fromUs: from, toUs: to };
}

/** The question about the rows in `rest` alone. */
export function restQuery(query: Query, rest: readonly TimeSpan[]): Query {
  const spans = rest.map(spanPredicate);
  const within: Predicate = { kind: "or", of: spans };
  const where: Predicate =
    query.where === null ? within : { kind: "and", of: [within, query.where] };
  return { ...query, where };
}

function spanPredicate({ fromUs, toUs }: TimeSpan): Predicate {
  const of: Predicate[] = [];
  if (fromUs !== null) of.push({ kind: "compare", path: "timestamp", op: ">=", value: fromUs });
  if (toUs !== null) of.push({ kind: "compare", path: "timestamp", op: "<", value: toUs });
  return { kind: "and", of };
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

export function isTimeBucket(of: Expression): of is Bucket {
  return of.kind === "bucket" && of.of.kind === "path" && of.of.path === "timestamp";
}

/** Whether each of the rule's windows lies within one bucket. */
export function holdsWindows(
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

function rangeLack(query: Query, { window }: Rule): string | null {
  if (window.kind !== "tumbling" || wholeWindows(query, window) !== null) return null;
  return `no whole window of ${formatInterval(window.size)} lies within the range of time`;
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

// Building blocks of predicates that SQL and the JSON form share, so that the same condition becomes the same
// value whichever way it was written.

import { Buckets } from "./expression/bucket.ts";
import type { Expression } from "./expression/expression.ts";
import { pathType } from "./paths.ts";
import type { CompareOp, Literal, Predicate, Query } from "./query.ts";
import { timeUsMin } from "./time.ts";

export const unknown: Predicate = { kind: "constant", value: null };

/** `path IN (values)`: a NULL among the values makes every miss NULL; no value is found in an empty list. */
function membership(path: string, values: readonly (Literal | null)[]): Predicate {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return values.length > 0 ? unknown : { kind: "constant", value: false };
  const found: Predicate = { kind: "in", path, values: present };
  return present.length < values.length ? either([found, unknown]) : found;
}

/** AND of all; nested ANDs are flattened and constants folded, so that every spelling has one form. */
export function both(predicates: readonly Predicate[]): Predicate {
  return join("and", predicates, true);
}

/** OR of all, flattened and folded. */
export function either(predicates: readonly Predicate[]): Predicate {
  const joined = join("or", predicates, false);
  return joined.kind === "or" ? mergeEquals(joined.of) : joined;
}

type Listed = Extract<Predicate, { kind: "in" }>;

/** `a = 1 OR a = 2` is `a IN (1, 2)`: values of one type are looked up at once. */
function mergeEquals(terms: readonly Predicate[]): Predicate {
  const lists = new Map<string, { at: number; values: Literal[] }>();
  const of: Predicate[] = [];
  for (const one of terms) {
    const listed = listOf(one);
    const [value] = listed?.values ?? [];
    const type = typeof value === "bigint" ? "number" : typeof value;
    const isUniform = listed?.values.every((other) => isOfType(other, type)) ?? false;
    if (!listed || !isUniform || type === "boolean") {
      of.push(one);
      continue;
    }
    const key = `${type} ${listed.path}`;
    const known = lists.get(key);
    if (known === undefined) {
      lists.set(key, { at: of.push(one) - 1, values: [...listed.values] });
    } else {
      known.values.push(...listed.values);
      of[known.at] = { kind: "in", path: listed.path, values: known.values };
    }
  }
  const [first] = of;
  return of.length === 1 && first ? first : { kind: "or", of };
}

function isOfType(value: Literal, type: string): boolean {
  return type === "number"
    ? typeof value === "bigint" || typeof value === "number"
    : typeof value === type;
}

function listOf(one: Predicate): Listed | null {
  if (one.kind === "in") return one;
  if (one.kind !== "compare" || one.op !== "=") return null;
  return { kind: "in", path: one.path, values: [one.value] };
}

/** `neutral` leaves the result as it is, its opposite decides it. */
function join(kind: "and" | "or", predicates: readonly Predicate[], neutral: boolean): Predicate {
  const of: Predicate[] = [];
  for (const one of predicates) {
    if (one.kind === kind) of.push(...one.of);
    else if (one.kind !== "constant" || one.value === null) of.push(one);
    else if (one.value !== neutral) return one;
  }
  const [first] = of;
  if (first === undefined) return { kind: "constant", value: neutral };
  return of.length === 1 ? first : { kind, of };
}

export interface TimeRange {
  where: Predicate | null;
  fromUs: bigint | null;
  toUs: bigint | null;
}

const later = (a: bigint | null, b: bigint): bigint => (a === null || b > a ? b : a);
const earlier = (a: bigint | null, b: bigint): bigint => (a === null || b < a ? b : a);

/**
 * Moves the comparisons of `timestamp` that every row must pass into [fromUs, toUs), where they prune
 * segments. Exact, because a timestamp is an integer and never NULL.
 */
export function liftTimeRange(range: TimeRange): TimeRange {
  let { fromUs, toUs } = range;
  const { where } = range;
  if (where?.kind === "constant" && where.value === true) return { ...range, where: null };
  const terms = where === null ? [] : where.kind === "and" ? where.of : [where];
  const rest = terms.filter((term) => {
    if (term.kind !== "compare" || term.path !== "timestamp" || typeof term.value !== "bigint") {
      return true;
    }
    const us = term.value;
    if (term.op === ">=" || term.op === "=") fromUs = later(fromUs, us);
    if (term.op === ">") fromUs = later(fromUs, us + 1n);
    if (term.op === "<") toUs = earlier(toUs, us);
    if (term.op === "<=" || term.op === "=") toUs = earlier(toUs, us + 1n);
    return term.op === "!=";
  });
  if (rest.length === terms.length) return range;
  return { where: rest.length === 0 ? null : both(rest), fromUs, toUs };
}

/**
 * Which outcome of a condition decides. A row is selected where the whole is true, so below AND and OR only
 * `true` matters and false and NULL may be exchanged; below a NOT only `false` matters; and so on by turns.
 */
export type Deciding = "true" | "false";

const flipped: Readonly<Record<Deciding, Deciding>> = { true: "false", false: "true" };

const mirrored: Readonly<Record<string, CompareOp>> = {
  "=": "=",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

/**
 * The predicate that a boolean expression is. What compares a bare path with constants becomes a leaf of its own,
 * which kernels and zone maps understand; everything else a `test`.
 */
export function predicateOf(of: Expression, deciding: Deciding = "true"): Predicate {
  const leaf = leafOf(of, deciding);
  return leaf ?? { kind: "test", of };
}

function leafOf(of: Expression, deciding: Deciding): Predicate | null {
  if (of.kind === "literal") {
    return typeof of.value === "boolean" || of.value === null
      ? { kind: "constant", value: of.value }
      : null;
  }
  if (of.kind === "path")
    return leafOfComparison("=", of, { kind: "literal", type: "boolean", value: true });
  if (of.kind !== "call") return null;
  const [first, second] = of.args;
  switch (of.fn) {
    case "and":
      return both(of.args.map((arg) => predicateOf(arg, deciding)));
    case "or":
      return either(of.args.map((arg) => predicateOf(arg, deciding)));
    case "not":
      return first ? negation(predicateOf(first, flipped[deciding])) : null;
    case "is_null":
      return first?.kind === "path" && seesAll(first)
        ? { kind: "is-null", path: first.path }
        : null;
    case "is_true":
    case "is_false":
      return first ? leafOfTruth(of.fn, first, deciding) : null;
    case "is_distinct":
      // Against a constant that isn't NULL it differs from `<>` only where it doesn't decide.
      return first && second && deciding === "false" && isConstant(second)
        ? leafOfComparison("!=", first, second)
        : null;
    case "exists":
      return first?.kind === "path" ? { kind: "exists", path: first.path } : null;
    case "in":
      return leafOfList(of.args);
    case "like":
    case "starts_with":
      return first && second ? leafOfText(of.fn, first, second) : null;
    default: {
      const op = mirrored[of.fn];
      if (op === undefined || !first || !second) return null;
      if (first.kind === "literal") return leafOfComparison(op, second, first);
      return leafOfComparison(of.fn as CompareOp, first, second);
    }
  }
}

function isConstant(of: Expression): boolean {
  return of.kind === "literal" && of.value !== null;
}

/** Whether a path is seen in all its lanes, so that it is NULL exactly where nothing is stored. */
function seesAll(of: Extract<Expression, { kind: "path" }>): boolean {
  return of.type === "variant" || pathType(of.path) !== "property";
}

function negation(of: Predicate): Predicate {
  if (of.kind !== "constant") return { kind: "not", of };
  return { kind: "constant", value: of.value === null ? null : !of.value };
}

function leafOfTruth(
  fn: "is_true" | "is_false",
  of: Expression,
  deciding: Deciding,
): Predicate | null {
  if (deciding === "false") return null;
  return fn === "is_true" ? predicateOf(of, "true") : negation(predicateOf(of, "false"));
}

/** A constant as `path` compares it; undefined: it is none. */
function literalOf(of: Expression | undefined, path: string): Literal | null | undefined {
  if (of?.kind !== "literal") return undefined;
  const { value } = of;
  if (typeof value === "object") return value === null ? null : undefined;
  const type = pathType(path);
  const isWhole = typeof value === "number" && (type === "time" || type === "sequence");
  return isWhole ? BigInt(value) : value;
}

function leafOfComparison(op: CompareOp, path: Expression, constant: Expression): Predicate | null {
  if (path.kind === "bucket") return leafOfBucket(op, path, constant);
  if (path.kind !== "path") return null;
  const value = literalOf(constant, path.path);
  if (value === undefined) return null;
  return value === null ? unknown : { kind: "compare", path: path.path, op, value };
}

/** Buckets rise with their timestamps: to compare one with a constant is to compare its timestamp with a bound. */
function leafOfBucket(
  op: CompareOp,
  bucket: Extract<Expression, { kind: "bucket" }>,
  constant: Expression,
): Predicate | null {
  const { of } = bucket;
  if (of.kind !== "path" || pathType(of.path) !== "time") return null;
  const value = literalOf(constant, of.path);
  if (value === null) return unknown;
  if (typeof value !== "bigint") return null;
  const buckets = new Buckets(bucket);
  const { startUs, endUs } = buckets.span(value);
  // The first bucket that begins at `value` or later.
  const nextUs = startUs === value ? startUs : endUs;
  const is = (own: CompareOp, us: bigint): Predicate => ({
    kind: "compare",
    path: of.path,
    op: own,
    value: us,
  });
  if (op === ">=") return is(">=", nextUs);
  if (op === ">") return is(">=", endUs);
  if (op === "=" || op === "!=") {
    if (startUs !== value) return op === "=" ? { kind: "constant", value: false } : null;
    const within = both([is(">=", startUs), is("<", endUs)]);
    return op === "=" ? within : negation(within);
  }
  // A bucket that begins before the first year is NULL.
  const first = buckets.span(timeUsMin);
  const below = is("<", op === "<" ? nextUs : endUs);
  return first.startUs < timeUsMin ? both([is(">=", first.endUs), below]) : below;
}

function leafOfList([path, ...items]: readonly Expression[]): Predicate | null {
  if (path?.kind !== "path") return null;
  const values = items.map((item) => literalOf(item, path.path));
  return values.includes(undefined) ? null : membership(path.path, values as (Literal | null)[]);
}

/** LIKE 'text%' is a prefix and LIKE 'text' an equality; `\` takes the next character as it is. */
function leafOfText(
  fn: "like" | "starts_with",
  path: Expression,
  pattern: Expression,
): Predicate | null {
  if (path.kind !== "path" || path.type !== "string") return null;
  const value = literalOf(pattern, path.path);
  if (value === null) return unknown;
  if (typeof value !== "string") return null;
  if (pathType(path.path) === "id") return null;
  if (fn === "starts_with") return { kind: "prefix", path: path.path, prefix: value };
  const parts = /^((?:[^%_\\]|\\.)*)(%*)$/su.exec(value);
  if (!parts) return null;
  const text = (parts[1] ?? "").replace(/\\(.)/gsu, "$1");
  return parts[2]
    ? { kind: "prefix", path: path.path, prefix: text }
    : { kind: "compare", path: path.path, op: "=", value: text };
}

/** The predicate with each `test` that is a leaf by now, its calls having become constants, as that leaf. */
export function settlePredicate(predicate: Predicate, deciding: Deciding = "true"): Predicate {
  switch (predicate.kind) {
    case "and":
      return both(predicate.of.map((one) => settlePredicate(one, deciding)));
    case "or":
      return either(predicate.of.map((one) => settlePredicate(one, deciding)));
    case "not":
      return negation(settlePredicate(predicate.of, flipped[deciding]));
    case "test":
      return predicateOf(predicate.of, deciding);
    default:
      return predicate;
  }
}

/**
 * The query after its calls of `now()` have become constants: its conditions are leaves where they can be, and its
 * time range is lifted. The same query again where nothing changes.
 */
export function settleQuery(query: Query): Query {
  const { where, aggregates } = query;
  const settled = where === null ? null : settlePredicate(where);
  return {
    ...query,
    ...liftTimeRange({ where: settled, fromUs: query.fromUs, toUs: query.toUs }),
    aggregates: aggregates.map((one) =>
      one.filter === null ? one : { ...one, filter: settlePredicate(one.filter) },
    ),
  };
}

// Building blocks of predicates that SQL and the JSON form share, so that the same condition becomes the same
// value whichever way it was written.

import type { Fitted } from "./literal.ts";
import { fitLiteral } from "./literal.ts";
import type { CompareOp, Literal, Predicate } from "./query.ts";

/** The predicate, or what was wanted instead of a literal. */
export type Built = { predicate: Predicate } | { want: string; got: Literal };

export const unknown: Predicate = { kind: "constant", value: null };

/** `path op value`; a comparison with NULL is NULL. */
export function comparison(path: string, op: CompareOp, value: Literal | null): Built {
  if (value === null) return { predicate: unknown };
  const fitted: Fitted = fitLiteral(path, value);
  if ("want" in fitted) return { want: fitted.want, got: value };
  return { predicate: { kind: "compare", path, op, value: fitted.value } };
}

/** `path IN (values)`: a NULL among the values makes every miss NULL; no value is found in an empty list. */
export function membership(path: string, values: readonly (Literal | null)[]): Built {
  const fittedValues: Literal[] = [];
  for (const value of values) {
    if (value === null) continue;
    const fitted = fitLiteral(path, value);
    if ("want" in fitted) return { want: fitted.want, got: value };
    fittedValues.push(fitted.value);
  }
  const found: Predicate =
    fittedValues.length === 0
      ? { kind: "constant", value: false }
      : { kind: "in", path, values: fittedValues };
  if (!values.includes(null)) return { predicate: found };
  return { predicate: fittedValues.length === 0 ? unknown : either([found, unknown]) };
}

/** AND of all; nested ANDs are flattened and constants folded, so that every spelling has one form. */
export function both(predicates: readonly Predicate[]): Predicate {
  return join("and", predicates, true);
}

/** OR of all, flattened and folded. */
export function either(predicates: readonly Predicate[]): Predicate {
  return join("or", predicates, false);
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

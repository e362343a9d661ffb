// `now()` is one instant for a whole query: whoever starts it says which.

import { InputError, LimitError } from "../../errors.ts";
import { settleQuery } from "../predicate.ts";
import type { Aggregate, GroupKey, Order, Output, Predicate, Query } from "../query.ts";
import { JsonText } from "../result.ts";
import { compileScalar } from "./evaluate.ts";
import type { Expression } from "./expression.ts";
import { walkExpression } from "./expression.ts";

/**
 * `query` with `now()` as the instant `nowUs` wherever it stands, and what is constant then computed: conditions that
 * compare a path with a constant by now are leaves, and the time range has what every row must pass. The same query
 * again where there is no `now()`.
 */
export function resolveNow(query: Query, nowUs: bigint): Query {
  if (!expressionsOf(query).some(hasNow)) return query;
  const resolve = (of: Expression): Expression => resolveExpression(of, nowUs);
  const predicate = (of: Predicate | null): Predicate | null =>
    of === null ? null : resolvePredicate(of, nowUs);
  return settleQuery({
    ...query,
    select: query.select.map((one): Output => ({ ...one, of: resolve(one.of) })),
    where: predicate(query.where),
    groupBy: query.groupBy.map((one): GroupKey => ({ ...one, of: resolve(one.of) })),
    aggregates: query.aggregates.map(
      (one): Aggregate => ({
        ...one,
        of: one.of === null ? null : resolve(one.of),
        filter: predicate(one.filter),
      }),
    ),
    having: query.having === null ? null : resolve(query.having),
    orderBy: query.orderBy.map((one): Order => ({ ...one, of: resolve(one.of) })),
  });
}

/** Every expression of a query, those within predicates too. */
export function expressionsOf(query: Query): Expression[] {
  return [
    ...query.select.map(({ of }) => of),
    ...query.groupBy.map(({ of }) => of),
    ...query.aggregates.flatMap(({ of, filter }) => [
      ...(of === null ? [] : [of]),
      ...testsOf(filter),
    ]),
    ...testsOf(query.where),
    ...(query.having === null ? [] : [query.having]),
    ...query.orderBy.map(({ of }) => of),
  ];
}

/** The expressions within a predicate. */
export function testsOf(predicate: Predicate | null): Expression[] {
  if (predicate === null) return [];
  if (predicate.kind === "and" || predicate.kind === "or") return predicate.of.flatMap(testsOf);
  if (predicate.kind === "not") return testsOf(predicate.of);
  return predicate.kind === "test" ? [predicate.of] : [];
}

function hasNow(expression: Expression): boolean {
  let found = false;
  walkExpression(expression, (one) => {
    if (one.kind === "call" && one.fn === "now") found = true;
  });
  return found;
}

function resolvePredicate(predicate: Predicate, nowUs: bigint): Predicate {
  switch (predicate.kind) {
    case "and":
    case "or":
      return { ...predicate, of: predicate.of.map((one) => resolvePredicate(one, nowUs)) };
    case "not":
      return { ...predicate, of: resolvePredicate(predicate.of, nowUs) };
    case "test":
      return { kind: "test", of: resolveExpression(predicate.of, nowUs) };
    default:
      return predicate;
  }
}

function resolveExpression(of: Expression, nowUs: bigint): Expression {
  if (!hasNow(of)) return of;
  if (of.kind === "call") {
    if (of.fn === "now") return { kind: "literal", type: "timestamp", value: nowUs };
    return folded({ ...of, args: of.args.map((arg) => resolveExpression(arg, nowUs)) });
  }
  if (of.kind === "bucket") return folded({ ...of, of: resolveExpression(of.of, nowUs) });
  return of;
}

/** A call of constants as its value. What can't be computed stays: perhaps no row asks for it. */
function folded(of: Extract<Expression, { kind: "call" | "bucket" }>): Expression {
  const args = of.kind === "call" ? of.args : [of.of];
  if (!args.every((arg) => arg.kind === "literal") || of.type === "json") return of;
  try {
    const value = compileScalar(of)(() => null);
    if (value instanceof JsonText) return of;
    const isWhole = of.type === "timestamp" || of.type === "sequence";
    const isNumber = typeof value === "number" || typeof value === "bigint";
    return {
      kind: "literal",
      type: of.type,
      value: isWhole && isNumber ? BigInt(value) : value,
    };
  } catch (error) {
    if (error instanceof InputError || error instanceof LimitError) return of;
    throw error;
  }
}

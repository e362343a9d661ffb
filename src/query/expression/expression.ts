// Values that a query computes. An expression knows its type: what compiles a query (SQL text, the JSON form) has
// checked and coerced the arguments, so that what evaluates it need not.

import { type PathType, pathType } from "../paths.ts";
import type { AggregateFunction, Literal } from "../query.ts";

/**
 * What an expression yields, NULL aside. A number is i64 or f64, value by value. `timestamp`: microseconds since
 * 1970 as an integer. `sequence`: an integer that results show as text. `interval`: see `Interval`. `json`: text of
 * a JSON document. `variant`: any of boolean < number < string < json, as a bare path without context is.
 */
export type ValueType =
  | "number"
  | "string"
  | "boolean"
  | "json"
  | "timestamp"
  | "sequence"
  | "interval"
  | "variant";

/** A span of the calendar: months and days have no fixed length, microseconds have. */
export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly us: bigint;
}

export type Expression =
  | {
      readonly kind: "literal";
      readonly type: ValueType;
      readonly value: Literal | Interval | null;
    }
  /**
   * A stored path. `type` says which of its values are seen, the others being NULL: those of one lane, or all of
   * them as a variant. `properties` itself, of type json, is the whole object.
   */
  | { readonly kind: "path"; readonly type: ValueType; readonly path: string }
  | {
      readonly kind: "call";
      readonly type: ValueType;
      readonly fn: ScalarFunction;
      readonly args: readonly Expression[];
    }
  /**
   * The start of the bucket that a timestamp lies in. Buckets of months count from the origin's month, those of days
   * from its day, both in the zone; shorter ones are `originUs + n * width`, wherever the zone is.
   */
  | {
      readonly kind: "bucket";
      readonly type: "timestamp";
      readonly of: Expression;
      readonly width: Interval;
      /** Microseconds; null: Monday 2000-01-03, or 2000-01-01 for months, midnight in the zone. */
      readonly originUs: bigint | null;
      /** IANA name, or "UTC". */
      readonly zone: string;
    }
  /** The value of a group's key: an index into `groupBy`. */
  | { readonly kind: "key"; readonly type: ValueType; readonly key: number }
  /** The value of a group's aggregate: an index into `aggregates`. */
  | { readonly kind: "aggregate"; readonly type: ValueType; readonly aggregate: number };

/**
 * Every function of one row. All but these are NULL when an argument is: `and`, `or`, `is_null`, `is_true`,
 * `is_false`, `is_distinct`, `exists`, `in`, `case`, `coalesce`, `nullif`, `least`, `greatest`, `concat`,
 * `concat_ws` and `now`, which do as PostgreSQL does.
 *
 * `case`: condition, value, condition, value, …, else. `in`: the value, then the list. `cast`: to the call's
 * type; what can't be cast is NULL (`integer` rounds half away from zero). `exists`: one path, true for a JSON null.
 * `like`, `ilike`, `matches`, `imatches`: text, pattern; `/` of numbers is a double and NULL for a zero divisor.
 */
export type ScalarFunction =
  // Conditions.
  | "="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "and"
  | "or"
  | "not"
  | "is_null"
  | "is_true"
  | "is_false"
  | "is_distinct"
  | "exists"
  | "in"
  | "like"
  | "ilike"
  | "matches"
  | "imatches"
  | "starts_with"
  | "ends_with"
  | "contains"
  // Choices.
  | "case"
  | "coalesce"
  | "nullif"
  | "least"
  | "greatest"
  // Numbers.
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "div"
  | "negate"
  | "power"
  | "abs"
  | "ceil"
  | "floor"
  | "round"
  | "trunc"
  | "sign"
  | "sqrt"
  | "exp"
  | "ln"
  | "log10"
  | "log2"
  // Types.
  | "cast"
  | "integer"
  // Text.
  | "lower"
  | "upper"
  | "length"
  | "octet_length"
  | "substring"
  | "left"
  | "right"
  | "split_part"
  | "concat"
  | "concat_ws"
  | "replace"
  | "trim"
  | "ltrim"
  | "rtrim"
  | "lpad"
  | "rpad"
  | "reverse"
  | "repeat"
  | "strpos"
  | "regexp_replace"
  | "regexp_extract"
  // Time. `extract`: the field's name, the timestamp or interval, the zone. `epoch`: seconds as a timestamp.
  | "now"
  | "extract"
  | "epoch"
  | "add_interval"
  | "time_difference"
  | "to_char";

/** Equal for equal expressions: a name for what is computed once. */
export function expressionKey(expression: Expression): string {
  return JSON.stringify(expression, (_, value: unknown) =>
    typeof value === "bigint" ? { bigint: String(value) } : Object.is(value, -0) ? "-0" : value,
  );
}

/** Calls `visit` with the expression and everything within it, outside first. */
export function walkExpression(expression: Expression, visit: (one: Expression) => void): void {
  visit(expression);
  if (expression.kind === "call") for (const arg of expression.args) walkExpression(arg, visit);
  else if (expression.kind === "bucket") walkExpression(expression.of, visit);
}

const typeOfPaths: Readonly<Record<PathType, ValueType>> = {
  id: "string",
  text: "string",
  time: "timestamp",
  sequence: "sequence",
  integer: "number",
  property: "variant",
};

/** A stored path without context: all that it may hold. */
export function barePath(path: string): Extract<Expression, { kind: "path" }> {
  return { kind: "path", type: typeOfPaths[pathType(path)], path };
}

/** The type of an aggregate of `of`. */
export function typeOfAggregate(fn: AggregateFunction, of: Expression | null): ValueType {
  switch (fn) {
    case "min":
    case "max":
    case "first":
    case "last":
    case "any":
    case "percentile_disc":
      return of?.type ?? "number";
    case "topk":
    case "histogram":
      return "json";
    default:
      return "number";
  }
}

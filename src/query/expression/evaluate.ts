// An expression as a closure over one row: for the rows of results, the entries of dictionaries, and the rows that
// no kernel takes.

import { assert } from "../../base/assert.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import { castTo } from "./cast.ts";
import { comparison, conditional } from "./conditions.ts";
import type { Expression, Interval, ScalarFunction, ValueType } from "./expression.ts";
import { intervalOfUs, intervalUs } from "./interval.ts";
import { numberFunctions } from "./numbers.ts";
import type { Call, Evaluate, LeafValue, Scalar, Strict } from "./scalar.ts";
import { fit, isInterval } from "./scalar.ts";
import { textFunctions, textual } from "./text.ts";
import { bucketOf, temporal, timeFunctions } from "./time.ts";

export type { Leaf, LeafValue } from "./scalar.ts";

const strictFunctions: Partial<Record<ScalarFunction, Strict>> = {
  ...numberFunctions,
  ...textFunctions,
  ...timeFunctions,
};

/**
 * Compiles an expression once for many rows. `leaf` is asked for each path, key and aggregate, and for each call of
 * `exists`, whose answer only it knows. Timestamps are integers of µs, sequences integers, and an interval is its
 * microseconds (`intervalUs`), as in columns; `shownScalar` writes them for a result.
 *
 * @throws InputError `invalid_regex`, `invalid_pattern`, `unknown_time_zone`, `unknown_field` where a constant is
 * wrong. What is compiled throws InputError `number_out_of_range` and LimitError `string_too_long`.
 */
export function compileExpression(expression: Expression): (leaf: LeafValue) => Value {
  const evaluate = compileScalar(expression);
  if (expression.type !== "interval") return evaluate as (leaf: LeafValue) => Value;
  if (expression.kind === "call" && expression.fn === "time_difference") {
    return differenceUs(expression);
  }
  return (leaf) => {
    const value = evaluate(leaf);
    return isInterval(value) ? intervalUs(value) : value;
  };
}

/** Between times near each other no interval is made: groups are ordered by such differences. */
function differenceUs({ args }: Call): (leaf: LeafValue) => Value {
  const [first, second] = args.map(compileScalar) as [Evaluate, Evaluate];
  return (leaf) => {
    const a = first(leaf);
    const b = second(leaf);
    if (a === null || b === null) return null;
    const us = typeof a === "number" && typeof b === "number" ? a - b : Number.NaN;
    return Number.isSafeInteger(us) ? us : fit(BigInt(a as bigint) - BigInt(b as bigint));
  };
}

/** As `compileExpression`, with intervals as they are within expressions. */
export function compileScalar(expression: Expression): Evaluate {
  switch (expression.kind) {
    case "literal": {
      const value = literalOf(expression.value, expression.type);
      return () => value;
    }
    case "path":
    case "key":
    case "aggregate":
      if (expression.type === "interval") {
        return (leaf) => intervalOf(leaf(expression));
      }
      if (expression.kind === "key") return (leaf) => inLane(leaf(expression), expression.type);
      return (leaf) => leaf(expression);
    case "bucket":
      return bucketOf(expression, compileScalar(expression.of));
    case "call":
      return compileCall(expression);
  }
}

function literalOf(value: Scalar, type: ValueType): Scalar {
  if (typeof value === "bigint") return fit(value);
  if (type === "json" && typeof value === "string") return new JsonText(value);
  return type === "interval" ? intervalOf(value) : value;
}

/** A key of all lanes, seen in the one that an expression wants. */
function inLane(value: Value, type: ValueType): Value {
  if (value === null) return null;
  if (type === "string") return typeof value === "string" ? value : null;
  if (type === "boolean") return typeof value === "boolean" ? value : null;
  if (type === "number")
    return typeof value === "number" || typeof value === "bigint" ? value : null;
  return value;
}

function intervalOf(value: Scalar): Interval | null {
  if (value === null || isInterval(value)) return value;
  return intervalOfUs(value as number | bigint);
}

const comparisons: ReadonlySet<string> = new Set(["=", "!=", "<", "<=", ">", ">="]);

function compileCall(call: Call): Evaluate {
  const { fn } = call;
  const args = fn === "exists" ? [] : call.args.map(compileScalar);
  if (comparisons.has(fn)) return comparison(fn, args);
  const special = conditional(call, args) ?? textual(call, args) ?? temporal(call, args);
  if (special) return special;
  if (fn === "cast") {
    const [of] = args as [Evaluate];
    const from = call.args[0]?.type ?? "variant";
    return (leaf) => castTo(of(leaf), from, call.type);
  }
  assert(fn !== "now", "now() is a literal before a query runs");
  const strict = strictFunctions[fn];
  assert(strict !== undefined, `there is a function ${fn}`);
  return strictCall(strict, args);
}

/** All arguments are computed, so that an error in one doesn't hang on whether another is NULL. */
function strictCall(of: Strict, args: readonly Evaluate[]): Evaluate {
  const [first, second] = args as [Evaluate, Evaluate];
  if (args.length === 1) {
    return (leaf) => {
      const a = first(leaf);
      return a === null ? null : of(a);
    };
  }
  if (args.length === 2) {
    return (leaf) => {
      const a = first(leaf);
      const b = second(leaf);
      return a === null || b === null ? null : of(a, b);
    };
  }
  return (leaf) => {
    const values = args.map((arg) => arg(leaf));
    return values.includes(null) ? null : of(...(values as NonNullable<Scalar>[]));
  };
}

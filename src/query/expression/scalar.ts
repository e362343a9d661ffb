// What closures over one row pass to each other, and what the values of a column, a key or a result are.
//
// Inside an expression a value is a `Scalar`. A timestamp is an integer of microseconds, a sequence an integer. An
// integer is a number where that is exact and a bigint beyond, so a whole double within ±2^53 and the same integer
// are one value: pages keep no more than that either. A double that is whole beyond 2^53 stays a double.
//
// Columns, leaves and results know no `Interval`: there an interval is its microseconds, with days of 24 hours and
// months of 30 days, by which PostgreSQL orders them and finds them equal too.

import { InputError, LimitError } from "../../errors.ts";
import { stringBytesMax } from "../../limits.ts";
import { i64Max, i64Min } from "../plan/bounds.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import type { Expression, Interval, ScalarFunction } from "./expression.ts";

export type Scalar = Value | Interval;

/** What an expression reads; `exists` asks for a path whether it has anything, a JSON null included. */
export type Leaf =
  | Extract<Expression, { kind: "path" }>
  | Extract<Expression, { kind: "key" }>
  | Extract<Expression, { kind: "aggregate" }>
  | Extract<Expression, { kind: "call" }>;

/** Gives the value of a leaf in the row at hand: of a `path` those of its type, NULL otherwise. */
export type LeafValue = (leaf: Leaf) => Value;

/** Computes an expression for the row that `leaf` reads. */
export type Evaluate = (leaf: LeafValue) => Scalar;

export type Call = Extract<Expression, { kind: "call" }>;

/** A function of values none of which is NULL. */
export type Strict = (...values: NonNullable<Scalar>[]) => Scalar;

export const secondUs = 1_000_000;
export const dayUs = 86_400 * secondUs;

export function isInterval(value: Scalar): value is Interval {
  return typeof value === "object" && value !== null && !(value instanceof JsonText);
}

/** An integer as it is held: a number within ±(2^53 - 1), a bigint beyond. */
export function fit(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}

export function outOfRange(fn: ScalarFunction | string): InputError {
  return new InputError(
    "number_out_of_range",
    `a result of ${fn} is beyond what a number of 64 bits holds`,
    { function: fn },
  );
}

/** `fit`, with an error that names the function where the value is no i64. */
export function fitI64(value: bigint, fn: ScalarFunction): number | bigint {
  if (value < i64Min || value > i64Max) throw outOfRange(fn);
  return fit(value);
}

/** A double as it is held: zero has no sign. An infinite one is refused in the name of `fn`. */
export function fitDouble(value: number, fn: ScalarFunction): number | null {
  if (Number.isFinite(value)) return value + 0;
  if (Number.isNaN(value)) return null;
  throw outOfRange(fn);
}

/** `text`, unless it has more bytes than a string may have: LimitError `string_too_long`. */
export function bounded(text: string, fn: ScalarFunction): string {
  if (text.length * 3 <= stringBytesMax) return text;
  if (text.length > stringBytesMax || Buffer.byteLength(text) > stringBytesMax) throw tooLong(fn);
  return text;
}

export function tooLong(fn: ScalarFunction): LimitError {
  return new LimitError(
    "string_too_long",
    `a result of ${fn} has more than ${stringBytesMax} bytes`,
    { limitBytes: stringBytesMax, function: fn },
  );
}

export function constantOf(expression: Expression | undefined): Scalar | undefined {
  return expression?.kind === "literal" ? (expression.value as Scalar) : undefined;
}

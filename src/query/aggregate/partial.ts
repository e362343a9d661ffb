// Partial aggregates: what some rows say about an aggregate, as a value that takes in what other rows say. The
// order in which segments come does not matter.

import { InputError } from "../../errors.ts";
import { compareNumbers, i64Max, i64Min } from "../plan/bounds.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import { compareTexts } from "../values.ts";

/** Integers are summed exactly; doubles with the error of the additions beside the sum (Knuth's TwoSum). */
export interface SumPartial {
  integers: number;
  integerSum: bigint;
  floats: number;
  floatSum: number;
  floatError: number;
}

/** The first or last value of each lane; the lanes are ordered boolean < number < string < json. */
export interface ExtremePartial {
  boolean: boolean | undefined;
  number: number | bigint | undefined;
  string: string | undefined;
  json: string | undefined;
}

export function emptySum(): SumPartial {
  return { integers: 0, integerSum: 0n, floats: 0, floatSum: 0, floatError: 0 };
}

export function emptyExtreme(): ExtremePartial {
  return { boolean: undefined, number: undefined, string: undefined, json: undefined };
}

/** Adds a double to a compensated sum. */
export function addFloat(sum: SumPartial, value: number): void {
  const before = sum.floatSum;
  const after = before + value;
  const part = after - before;
  sum.floatError += before - (after - part) + (value - part);
  sum.floatSum = after;
}

export function widenBoolean(extreme: ExtremePartial, value: boolean, last: boolean): void {
  if (extreme.boolean === undefined || value === last) extreme.boolean = value;
}

export function widenNumber(extreme: ExtremePartial, value: number | bigint, last: boolean): void {
  const before = extreme.number;
  if (before === undefined || compareNumbers(value, before) === (last ? 1 : -1)) {
    extreme.number = value;
  }
}

export function widenText(
  extreme: ExtremePartial,
  lane: "string" | "json",
  value: string,
  last: boolean,
): void {
  const before = extreme[lane];
  if (
    before === undefined ||
    (last ? compareTexts(value, before) > 0 : compareTexts(value, before) < 0)
  ) {
    extreme[lane] = value;
  }
}

/** Sum of everything: null without values, an integer if all are. Throws `sum_overflow`. */
export function sumOf(sum: SumPartial, name: string): Value {
  if (sum.integers + sum.floats === 0) return null;
  if (sum.floats === 0) {
    if (sum.integerSum < i64Min || sum.integerSum > i64Max) {
      throw new InputError(
        "sum_overflow",
        `"${name}" adds up to ${sum.integerSum}, which is beyond 64 bits`,
      );
    }
    return sum.integerSum;
  }
  const total = { ...sum };
  addFloat(total, Number(sum.integerSum));
  const value = total.floatSum + total.floatError;
  if (Number.isFinite(value)) return value;
  throw new InputError("sum_overflow", `"${name}" adds up to more than a double holds`);
}

export function averageOf(sum: SumPartial, name: string): Value {
  const count = sum.integers + sum.floats;
  if (count === 0) return null;
  if (sum.floats === 0) return Number(sum.integerSum) / count;
  return Number(sumOf(sum, name)) / count;
}

export function extremeOf(extreme: ExtremePartial, last: boolean): Value {
  const json = extreme.json === undefined ? undefined : new JsonText(extreme.json);
  const lanes = [extreme.boolean, extreme.number, extreme.string, json];
  const values = lanes.filter((value) => value !== undefined);
  return (last ? values.at(-1) : values[0]) ?? null;
}

// The order of values: of texts, of numbers, and of values of several types.

import { compareNumbers } from "./plan/bounds.ts";
import type { Value } from "./result.ts";
import { JsonText } from "./result.ts";

/** The order of the code points, which is that of the UTF-8 bytes. UTF-16 has it too but for surrogates. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  return rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
}

/** Surrogates stand for code points above all other units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Lanes in the order of a variant: boolean < number < string < json. */
function laneRank(value: boolean | number | bigint | string | JsonText): number {
  if (typeof value === "boolean") return 0;
  if (typeof value === "string") return 2;
  return value instanceof JsonText ? 3 : 1;
}

/** Negative, 0 or positive as a is before, equal to or after b, neither being NULL. */
function compareValues(a: NonNullable<Value>, b: NonNullable<Value>): number {
  const ranks = laneRank(a) - laneRank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "boolean") return Number(a) - Number(b);
  if (typeof a === "string") return compareTexts(a, b as string);
  if (a instanceof JsonText) return compareTexts(a.text, (b as JsonText).text);
  return compareNumbers(a, b as number | bigint);
}

/** Order of two values in a result. */
export function compareOrdered(
  a: Value,
  b: Value,
  order: { readonly descending: boolean; readonly nullsFirst: boolean },
): number {
  if (a === null || b === null) {
    if (a === b) return 0;
    return (a === null) === order.nullsFirst ? -1 : 1;
  }
  return order.descending ? compareValues(b, a) : compareValues(a, b);
}

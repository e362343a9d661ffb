// What groups are ordered by, as an array of numbers: a value of JavaScript for each of many groups, and a call for
// each of its parts, take longer than reading the rows.

import type { Expression } from "../expression/expression.ts";
import { fieldName } from "../expression/fields.ts";

/** By aggregate, its values of all groups, or null: as `numbers` of an Accumulator answers. */
export type AggregateNumbers = (aggregate: number) => Float64Array | null;

/**
 * The values of `of` by group: an aggregate, the time between two, or the seconds of that time. Null where it is
 * something else, or where a value is no number or none that a double holds. What is answered is the caller's.
 */
export function groupNumbers(of: Expression, read: AggregateNumbers): Float64Array | null {
  if (of.kind === "aggregate") return read(of.aggregate);
  if (of.kind !== "call") return null;
  const [first, second] = of.args;
  if (of.fn === "time_difference" && first && second) return differences(first, second, read);
  if (of.fn !== "extract" || first?.kind !== "literal" || second?.kind !== "call") return null;
  if (fieldName(String(first.value)) !== "epoch" || second.fn !== "time_difference") return null;
  const spans = groupNumbers(second, read);
  if (spans === null) return null;
  for (let i = 0; i < spans.length; i++) spans[i] = (spans[i] as number) / 1e6;
  return spans;
}

function differences(
  first: Expression,
  second: Expression,
  read: AggregateNumbers,
): Float64Array | null {
  const a = groupNumbers(first, read);
  const b = a && groupNumbers(second, read);
  if (!a || !b) return null;
  for (let i = 0; i < a.length; i++) {
    const us = (a[i] as number) - (b[i] as number);
    if (!Number.isSafeInteger(us)) return null;
    a[i] = us;
  }
  return a;
}

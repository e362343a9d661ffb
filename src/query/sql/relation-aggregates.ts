// Aggregates over a few values that are there as values of JavaScript.

import { integer } from "../../base/integer.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import { compareOrdered } from "../value-order.ts";

type Fold = (values: readonly Value[]) => Value;

const ascending = { descending: false, nullsFirst: false };

/** What folds the values that are not NULL (of `count(*)`: one for each row); null: this aggregate needs kernels. */
export function plainAggregate({ fn, parameters }: Aggregate): Fold | null {
  switch (fn) {
    case "count":
      return (values) => values.length;
    case "count_distinct":
    case "approx_count_distinct":
      return (values) => new Set(values.map(nameOf)).size;
    case "sum":
      return (values) => (values.length === 0 ? null : sum(values));
    case "avg":
      return (values) => (values.length === 0 ? null : mean(numbers(values)));
    case "min":
      return (values) => extreme(values, -1);
    case "max":
      return (values) => extreme(values, 1);
    case "any":
      return (values) => values[0] ?? null;
    case "var_pop":
    case "stddev_pop":
      return (values) => spread(values, 0, fn === "stddev_pop");
    case "var_samp":
    case "stddev_samp":
      return (values) => spread(values, 1, fn === "stddev_samp");
    case "median":
      return (values) => percentile(numbers(values), 0.5);
    case "percentile_cont":
      return (values) => percentile(numbers(values), parameters[0] ?? 0.5);
    default:
      return null;
  }
}

function nameOf(value: Value): unknown {
  return value instanceof JsonText ? `json ${value.text}` : value;
}

function numbers(values: readonly Value[]): number[] {
  return values.map(Number);
}

/** Exact where all are integers. */
function sum(values: readonly Value[]): Value {
  let exact = 0n;
  for (const value of values) {
    if (typeof value === "bigint") exact += value;
    else if (Number.isSafeInteger(value)) exact += BigInt(value as number);
    else return numbers(values).reduce((total, one) => total + one, 0);
  }
  return integer(exact);
}

function mean(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0) / values.length;
}

function extreme(values: readonly Value[], sign: number): Value {
  let best: Value = null;
  for (const value of values) {
    if (best === null || compareOrdered(value, best, ascending) * sign > 0) best = value;
  }
  return best;
}

/** Of a population (`less` 0) or of a sample (1). */
function spread(values: readonly Value[], less: 0 | 1, root: boolean): Value {
  if (values.length <= less) return null;
  const all = numbers(values);
  const center = mean(all);
  const squares = all.reduce((total, one) => total + (one - center) ** 2, 0);
  const variance = squares / (all.length - less);
  return root ? Math.sqrt(variance) : variance;
}

/** Between the neighbours of the place that the fraction has in order. */
function percentile(values: number[], fraction: number): Value {
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  const place = fraction * (values.length - 1);
  const low = values[Math.floor(place)] as number;
  const high = values[Math.ceil(place)] as number;
  return low + (high - low) * (place - Math.floor(place));
}

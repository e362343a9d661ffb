// Whether what a sketch answered is within its stated error, judged from all values or from the exact answer.

import { type DuckValue, duckKey } from "../oracle/duckdb.ts";
import { millraceKey } from "./keys.ts";
import type { Type } from "./tree.ts";

/** Relative error of a quantile, of the value at its rank; and of values so much nearer to zero than the farthest. */
const quantileWithin = 1 / 128;
const quantileRange = 2 ** 31;
/** Five standard errors of a count of distinct values; few values are counted nearly exactly. */
const distinctWithin = 0.05;

function listOf(want: DuckValue): readonly DuckValue[] {
  const items = want === null ? [] : ((want as { items?: readonly DuckValue[] }).items ?? want);
  // A list of everything has the NULLs too, which no aggregate sees.
  return (items as readonly DuckValue[]).filter((value) => value !== null);
}

/** One of the values. */
export function isAmong(got: unknown, want: DuckValue, type: Type): boolean {
  const values = listOf(want);
  if (got === null) return values.length === 0;
  const key = millraceKey(type, got as never);
  return values.some((value) => duckKey(value) === key);
}

/** Near the values at the rank, or between them. */
export function isQuantile(got: unknown, want: DuckValue, share: number): boolean {
  const values = listOf(want).map(Number);
  if (got === null || values.length === 0) return got === null && values.length === 0;
  const at = share * (values.length - 1);
  const low = values[Math.floor(at)] as number;
  const high = values[Math.ceil(at)] as number;
  const farthest = Math.max(...values.map(Math.abs));
  const near = (end: number): number => quantileWithin * Math.abs(end) + farthest / quantileRange;
  return Number(got) >= low - near(low) && Number(got) <= high + near(high);
}

export function isEstimate(got: unknown, want: DuckValue): boolean {
  const exact = Number(want);
  return Math.abs(Number(got) - exact) <= Math.max(exact > 100 ? 2 : 1, distinctWithin * exact);
}

interface Counted {
  readonly value: unknown;
  readonly count: number;
}

/** Values in descending order of their counts; counts are exact where there are few values. */
export function isTop(got: unknown, want: DuckValue, most: number, type: Type): boolean {
  const counts = new Map<string, number>();
  for (const value of listOf(want)) {
    const key = duckKey(value);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  if (got === null) return counts.size === 0;
  const list = JSON.parse(String((got as { text: string }).text)) as Counted[];
  const best = [...counts.values()].sort((a, b) => b - a).slice(0, most);
  const same = list.every(({ value, count }, i) => {
    return count === best[i] && counts.get(millraceKey(type, value as never)) === count;
  });
  return same && list.length === best.length;
}

/** Counts below the first bound, between each two, and from the last on. */
export function isBucketed(got: unknown, want: DuckValue, bounds: readonly number[]): boolean {
  const values = listOf(want).map(Number);
  if (got === null) return values.length === 0;
  const counts = [...bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
    const low = bounds[i - 1] ?? Number.NEGATIVE_INFINITY;
    return values.filter((value) => value >= low && value < bound).length;
  });
  const text = String((got as { text: string }).text);
  const found = (JSON.parse(text) as (number | Counted)[]).map((one) => {
    return typeof one === "number" ? one : one.count;
  });
  return JSON.stringify(found) === JSON.stringify(counts);
}

/** Rows by the seconds from the first to the last, which only whoever groups by no bucket gets. */
export function isRate(got: unknown, _want: DuckValue): boolean {
  return got === null || Number(got) >= 0;
}

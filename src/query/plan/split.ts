// How many threads a query is worth. Texts by which rows are grouped or counted as distinct are codes within a
// segment; each thread looks them up in a table of its own, and what several have found is put together text by text.
// Where most segments have texts of their own, that costs more than the threads save.

import { LANE_STRING } from "../../core/layout.ts";
import type { AggregateFunction, Query } from "../query.ts";
import type { Segment } from "../segments/source.ts";

/** Cells (see estimate.ts) for looking up an entry of a dictionary, and for sending and merging one text. */
const entryCost = 150;
const mergedCost = 750;
/** More threads than a machine has: no bound. */
const threadsMax = 1024;

const byText: ReadonlySet<AggregateFunction> = new Set(["count_distinct", "topk"] as const);

/** The paths whose texts are held in tables, each once. */
function textPaths({ groupBy, aggregates }: Query): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const { of } of groupBy) if (of.kind === "path") paths.add(of.path);
  for (const { fn, of } of aggregates)
    if (of?.kind === "path" && byText.has(fn)) paths.add(of.path);
  return paths;
}

/** How many values there are in all, where `count` of them drawn at random are `distinct` different ones. */
export function valuesOf(distinct: number, count: number): number {
  if (distinct >= count * 0.999) return Number.POSITIVE_INFINITY;
  let low = distinct;
  let high = distinct * 1000;
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (seenOf(middle, count) < distinct) low = middle;
    else high = middle;
  }
  return high;
}

/** How many of `values` values are among `count` that are drawn at random. */
function seenOf(values: number, count: number): number {
  return values === Number.POSITIVE_INFINITY ? count : values * -Math.expm1(-count / values);
}

/** Entries of the dictionaries of a path, and how many of them are probably different. */
function textsOf(
  path: string,
  segments: readonly Segment[],
): { entries: number; distinct: number } {
  let [entries, rows, values] = [0, 0, 0];
  for (const segment of segments) {
    const { entries: own, count } = segment.texts?.(path, LANE_STRING) ?? { entries: 0, count: 0 };
    if (own === 0) continue;
    entries += own;
    rows += count;
    values = Math.max(values, valuesOf(own, count));
  }
  return { entries, distinct: Math.min(entries, seenOf(values, rows)) };
}

/** How many threads make the query end soonest; `cells` is what its other work is thought to cost. */
export function threadsFor(query: Query, segments: readonly Segment[], cells: number): number {
  let [shared, merged] = [cells, 0];
  for (const path of textPaths(query)) {
    const { entries, distinct } = textsOf(path, segments);
    shared += entries * entryCost;
    merged += distinct * mergedCost;
  }
  // With t threads it takes shared / t + merged × (t - 1).
  if (merged === 0) return threadsMax;
  const best = Math.sqrt(shared / merged);
  const threads = Math.max(1, Math.floor(best));
  const cost = (t: number): number => shared / t + merged * (t - 1);
  return Math.min(threadsMax, cost(threads + 1) < cost(threads) ? threads + 1 : threads);
}

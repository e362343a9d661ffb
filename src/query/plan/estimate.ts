import { type Expression, walkExpression } from "../expression/expression.ts";
import { type AggregateFunction, isGrouped, type Query } from "../query.ts";
import type { ReadJob } from "../read-job.ts";
import type { Segment } from "../segments/source.ts";
import type { Filter } from "./filter.ts";

/** Cells of work that one answered cell, one grouped row and one summed row cost; a filtered cell costs 1. */
const answeredCost = 200;
const groupedCost = 12;
const measuredCost = 3;
/** One value of an aggregate that keeps more than a number for each group, and one call of a function. */
const sketchedCost = 10;
const callCost = 8;
const sketches: ReadonlySet<AggregateFunction> = new Set([
  "count_distinct",
  "approx_count_distinct",
  "quantile",
  "median",
  "percentile_cont",
  "percentile_disc",
  "topk",
  "histogram",
] as const);
/** A condition that is an expression, over one row. */
const testCost = 20;
/** Columns that an event is thought to have. */
const eventColumns = 16;

/** Columns that a filter reads. */
function leaves(filter: Filter): number {
  if (filter.kind === "and" || filter.kind === "or") {
    return filter.of.reduce((sum, one) => sum + leaves(one), 0);
  }
  if (filter.kind === "all" || filter.kind === "none") return 0;
  // Prefixes and lists look codes up row by row.
  if (filter.kind === "test") return testCost;
  return filter.kind === "texts" || filter.kind === "prefix" || filter.kind === "id" ? 6 : 1;
}

/**
 * What a job costs at most, in cells that a filter kernel would test in that time (some 4 to 6 million a
 * millisecond). Only its order of magnitude matters: which thread is to run the job.
 */
export function estimate(job: ReadJob, filter: Filter, segments: readonly Segment[]): number {
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  const filtered = rows * leaves(filter);
  if (job.type === "events") {
    const { limit, order, fromSequence } = job.request;
    const answered = Math.min(limit, rows) * eventColumns * answeredCost;
    if (order !== "sequence") return rows * 2 + filtered + answered;
    const last = segments.at(-1);
    const end = last ? last.firstSequence + BigInt(last.rows) : 0n;
    const fresh = Math.max(0, Math.min(rows, Number(end - (fromSequence ?? 0n))));
    return filtered / 64 + Math.min(limit, fresh) * eventColumns * answeredCost;
  }
  const { query } = job;
  const computed = callsOf(query) * rows * callCost;
  if (!isGrouped(query)) {
    const end = query.limit === null ? rows : Math.min(rows, query.offset + query.limit);
    const ordered = query.orderBy.length * rows * measuredCost;
    return filtered + computed + ordered + end * query.select.length * answeredCost;
  }
  const measures = query.aggregates.reduce((sum, { fn, of }) => {
    if (of === null) return sum;
    return sum + (sketches.has(fn) ? sketchedCost : measuredCost);
  }, 0);
  const perRow = measures + (query.groupBy.length > 0 ? groupedCost : 0);
  return filtered + computed + rows * perRow * (query.groupBy.length + 1);
}

/** Calls that are made for each row; those over groups don't count. */
function callsOf({ select, groupBy, aggregates, orderBy }: Query): number {
  let calls = 0;
  const ofRows: Expression[] = [
    ...groupBy.map(({ of }) => of),
    ...aggregates.flatMap(({ of }) => (of === null ? [] : [of])),
    ...[...select, ...orderBy].map(({ of }) => of),
  ];
  for (const expression of ofRows) {
    let isGroup = false;
    let own = 0;
    walkExpression(expression, ({ kind }) => {
      if (kind === "call") own++;
      if (kind === "key" || kind === "aggregate") isGroup = true;
    });
    if (!isGroup) calls += own;
  }
  return calls;
}

import { type Expression, type ScalarFunction, walkExpression } from "../expression/expression.ts";
import { type AggregateFunction, isGrouped } from "../query.ts";
import type { ReadJob } from "../read/read-job.ts";
import type { Segment } from "../segments/source.ts";
import { bind, type Filter } from "./filter.ts";

/** Cells of work that one answered cell, one grouped row and one summed row cost; a filtered cell costs 1. */
const answeredCost = 200;
const groupedCost = 12;
const measuredCost = 3;
/** One value of an aggregate that keeps more than a number for each group. */
const sketchedCost = 10;
/** A call that kernels make for one row, and one that may be made row by row outside of them. */
const kernelCallCost = 8;
const callCost = 500;
const kernelCalls: ReadonlySet<ScalarFunction> = new Set([
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "and",
  "or",
  "not",
  "is_null",
  "+",
  "-",
  "*",
  "/",
  "%",
  "negate",
] as const);
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
/** Columns that an event is thought to have. */
const eventColumns = 16;

/** Columns that a filter reads. */
function leaves(filter: Filter): number {
  if (filter.kind === "and" || filter.kind === "or") {
    return filter.of.reduce((sum, one) => sum + leaves(one), 0);
  }
  if (filter.kind === "all" || filter.kind === "none") return 0;
  if (filter.kind === "test") return 1 + callsCost(filter.of);
  // Prefixes and lists look codes up row by row.
  return filter.kind === "numbers" ||
    filter.kind === "texts" ||
    filter.kind === "prefix" ||
    filter.kind === "id"
    ? 6
    : 1;
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
  const query = job.type === "rows" ? job.request.query : job.query;
  const { select, orderBy, groupBy } = query;
  if (!isGrouped(query)) {
    const end = query.limit === null ? rows : Math.min(rows, query.offset + query.limit);
    const ordered = rows * orderBy.reduce((sum, { of }) => sum + measuredCost + callsCost(of), 0);
    const answered = end * select.reduce((sum, { of }) => sum + answeredCost + callsCost(of), 0);
    return filtered + ordered + answered;
  }
  let [measures, calls] = [0, groupBy.reduce((sum, { of }) => sum + callsCost(of), 0)];
  for (const { fn, of, filter: own } of query.aggregates) {
    if (own !== null) calls += leaves(bind(own, false));
    if (of === null) continue;
    measures += sketches.has(fn) ? sketchedCost : measuredCost;
    calls += callsCost(of);
  }
  const perRow = measures + (groupBy.length > 0 ? groupedCost : 0);
  return filtered + rows * (perRow * (groupBy.length + 1) + calls);
}

/** What the calls of an expression cost for one row. */
function callsCost(expression: Expression): number {
  let cost = 0;
  walkExpression(expression, (one) => {
    if (one.kind === "call") cost += kernelCalls.has(one.fn) ? kernelCallCost : callCost;
  });
  return cost;
}

import { toLegacy } from "../legacy.ts";
import type { ReadJob } from "../read-job.ts";
import type { Segment } from "../segments/source.ts";
import type { Filter } from "./filter.ts";

/** Cells of work that one answered cell, one grouped row and one summed row cost; a filtered cell costs 1. */
const answeredCost = 200;
const groupedCost = 12;
const measuredCost = 3;
/** Columns that an event is thought to have. */
const eventColumns = 16;

/** Columns that a filter reads. */
function leaves(filter: Filter): number {
  if (filter.kind === "and" || filter.kind === "or") {
    return filter.of.reduce((sum, one) => sum + leaves(one), 0);
  }
  if (filter.kind === "all" || filter.kind === "none") return 0;
  // Prefixes and lists look codes up row by row.
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
  const query = toLegacy(job.query);
  const aggregates = query.select.filter(({ kind }) => kind === "aggregate");
  if (aggregates.length === 0 && query.groupBy.length === 0) {
    const end = query.limit === null ? rows : Math.min(rows, query.offset + query.limit);
    const ordered = query.orderBy.length > 0 ? rows * measuredCost : 0;
    return filtered + ordered + end * query.select.length * answeredCost;
  }
  const measures = aggregates.filter((item) => item.kind === "aggregate" && item.path !== null);
  const perRow = measures.length * measuredCost + (query.groupBy.length > 0 ? groupedCost : 0);
  return filtered + rows * perRow * (query.groupBy.length + 1);
}

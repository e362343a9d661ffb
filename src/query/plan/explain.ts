// What a query is going to do, as data: EXPLAIN prints it, and EXPLAIN ANALYZE beside it what was done.

import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import { walkExpression } from "../expression/expression.ts";
import type { Query } from "../query.ts";
import { isGrouped } from "../query.ts";
import { isByTime } from "../run/rows.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import { describeAggregate, describeExpression, describeFilter } from "./describe.ts";
import type { Filter } from "./filter.ts";
import { bind, isTotal, lanesOf, planFilter } from "./filter.ts";
import type { PruneReason } from "./prune.ts";
import { pruneReason } from "./prune.ts";
import type { RollupAnswer } from "./rollup.ts";
import { selectivity } from "./selectivity.ts";

/** One condition of the filter, in the order in which the first segment's rows meet them. */
export interface PlannedCondition {
  readonly text: string;
  /** The part of the rows that are met which is thought to pass, in [0, 1]. */
  readonly part: number;
}

export interface PlannedColumn {
  readonly path: string;
  /** What it is read for. */
  readonly uses: readonly ("filter" | "group" | "aggregate" | "order" | "result")[];
  /** Segments, of those to be read, that have it. */
  readonly segments: number;
}

export interface PlannedKey {
  readonly text: string;
  /**
   * How its values become small numbers within a segment: `dictionary` codes, `buckets` by arithmetic, `calendar`
   * buckets by their bounds, `numbers` (small ranges as they are, others looked up), `lanes` of several kinds, `ids`.
   */
  readonly strategy:
    | "dictionary"
    | "buckets"
    | "calendar"
    | "numbers"
    | "booleans"
    | "lanes"
    | "ids";
}

export interface QueryPlan {
  readonly segments: {
    readonly total: number;
    readonly hot: number;
    readonly read: number;
    /** Segments that are not read, by reason; only reasons that occur. */
    readonly pruned: Readonly<Partial<Record<PruneReason, number>>>;
  };
  readonly rows: {
    readonly total: number;
    /** In the segments that are read. */
    readonly read: number;
    /** Thought to pass the filter. */
    readonly estimated: number;
  };
  readonly filter: readonly PlannedCondition[];
  readonly columns: readonly PlannedColumn[];
  /** Null: one group of all rows, or rows. */
  readonly groupBy: readonly PlannedKey[] | null;
  readonly aggregates: readonly string[];
  readonly having: string | null;
  /** `time`: segments by their times, ending early; `top`: the best are kept; `sort`: all are sorted. */
  readonly order: {
    readonly strategy: "none" | "keys" | "sequence" | "time" | "top" | "sort";
    readonly by: readonly string[];
  };
  readonly limit: number | null;
  readonly offset: number;
  readonly fill: Query["fill"];
  readonly rollup: RollupAnswer;
}

/** Plans a query over what is published now. Reads no column. `rollup`: whether windows of a rule answer it instead. */
export function explainPlan(query: Query, snapshot: Snapshot, rollup: RollupAnswer): QueryPlan {
  const filter = planFilter(query);
  const read: Segment[] = [];
  const pruned: Partial<Record<PruneReason, number>> = {};
  for (const segment of snapshot.segments) {
    const reason = pruneReason(filter, segment);
    if (reason === null) read.push(segment);
    else pruned[reason] = (pruned[reason] ?? 0) + 1;
  }
  const { segments } = snapshot;
  return {
    segments: {
      total: segments.length,
      hot: segments.filter(({ hot }) => hot).length,
      read: read.length,
      pruned,
    },
    rows: {
      total: rowsOf(segments),
      read: rowsOf(read),
      estimated: Math.round(
        read.reduce((sum, segment) => sum + segment.rows * selectivity(filter, segment), 0),
      ),
    },
    filter: conditions(filter, read),
    columns: columnsOf(query, filter, read),
    groupBy: query.groupBy.length === 0 ? null : query.groupBy.map(({ of }) => plannedKey(of)),
    aggregates: query.aggregates.map(describeAggregate),
    having: query.having && describeExpression(query.having, query),
    order: orderOf(query),
    limit: query.limit,
    offset: query.offset,
    fill: query.fill,
    rollup,
  };
}

function rowsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { rows }) => sum + rows, 0);
}

function conditions(filter: Filter, segments: readonly Segment[]): PlannedCondition[] {
  if (filter.kind === "all") return [];
  const rows = Math.max(1, rowsOf(segments));
  return (filter.kind === "and" ? filter.of : [filter]).map((one) => ({
    text: describeFilter(one),
    part:
      segments.reduce((sum, segment) => sum + segment.rows * selectivity(one, segment), 0) / rows,
  }));
}

type Use = PlannedColumn["uses"][number];

function columnsOf(query: Query, filter: Filter, segments: readonly Segment[]): PlannedColumn[] {
  const uses = new Map<string, Set<Use>>();
  const add = (path: string, use: Use): void => {
    uses.set(path, (uses.get(path) ?? new Set()).add(use));
  };
  const addAll = (of: Expression, use: Use): void => {
    walkExpression(of, (one) => {
      if (one.kind === "path") add(one.path, use);
    });
  };
  const addFilter = (one: Filter, use: Use): void => {
    if (one.kind === "and" || one.kind === "or") for (const inner of one.of) addFilter(inner, use);
    else if (one.kind === "test") addAll(one.of, use);
    else if (one.kind === "id") add("id", use);
    else if ("path" in one) add(one.path, use);
  };
  addFilter(filter, "filter");
  for (const { of } of query.groupBy) addAll(of, "group");
  for (const { of, filter: own } of query.aggregates) {
    if (of !== null) addAll(of, "aggregate");
    if (own !== null) addFilter(bind(own, false), "filter");
  }
  if (!isGrouped(query)) {
    for (const { of } of query.orderBy) addAll(of, "order");
    for (const { of } of query.select) addAll(of, "result");
  }
  return [...uses].map(([path, set]) => ({
    path,
    uses: [...set],
    segments: segments.filter(
      (segment) =>
        isTotal(path) ||
        path === "properties" ||
        lanesOf(path).some((lane) => segment.has(path, lane)),
    ).length,
  }));
}

function plannedKey(of: Expression): PlannedKey {
  return { text: describeExpression(of), strategy: strategyOf(of) };
}

function strategyOf(of: Expression): PlannedKey["strategy"] {
  if (of.kind === "bucket") return new Buckets(of).fixed === null ? "calendar" : "buckets";
  if (of.kind === "path" && of.path === "id") return "ids";
  switch (of.type) {
    case "string":
    case "json":
      return "dictionary";
    case "boolean":
      return "booleans";
    case "variant":
      return "lanes";
    default:
      return "numbers";
  }
}

function orderOf(query: Query): QueryPlan["order"] {
  const by = query.orderBy.map(({ of, descending }) => {
    return `${describeExpression(of, query)}${descending ? " DESC" : ""}`;
  });
  if (by.length === 0) {
    if (!isGrouped(query)) return { strategy: "sequence", by };
    return { strategy: query.groupBy.length > 0 ? "keys" : "none", by };
  }
  if (!isGrouped(query) && isByTime(query.orderBy)) return { strategy: "time", by };
  return { strategy: query.limit === null ? "sort" : "top", by };
}

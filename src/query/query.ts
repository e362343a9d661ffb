// The one question that every face of Millrace asks: SQL text, the JSON form, REST parameters, rules and
// subscriptions all compile to a `Query`. A `path` is the stored one: a fixed column (`event_type`) or
// `properties.` and its keys joined by dots, a dot inside a key written `\.` and a backslash `\\`.

import type { Expression, ValueType } from "./expression/expression.ts";

/**
 * A constant in a predicate. For `timestamp` and `received_at` it is a bigint of microseconds, for
 * `sequence` a bigint, for `id` a lower-case UUID; an integer beyond 2^53 is a bigint wherever it stands.
 */
export type Literal = boolean | number | bigint | string;

export type CompareOp = "=" | "!=" | "<" | "<=" | ">" | ">=";

/**
 * Three-valued, as in SQL: a comparison with an absent value or a JSON null is NULL. What compares a stored path
 * with constants has a form of its own, which kernels and zone maps understand; `test` is any boolean expression.
 */
export type Predicate =
  | { kind: "and" | "or"; of: Predicate[] }
  | { kind: "not"; of: Predicate }
  | { kind: "compare"; path: string; op: CompareOp; value: Literal }
  | { kind: "in"; path: string; values: Literal[] }
  | { kind: "prefix"; path: string; prefix: string }
  | { kind: "exists"; path: string }
  | { kind: "is-null"; path: string }
  | { kind: "constant"; value: boolean | null }
  | { kind: "test"; of: Expression };

/**
 * `count_distinct` and `median` are exact, `approx_count_distinct` (HyperLogLog), `quantile` (DDSketch) and `topk`
 * (Space-Saving) state their error. `first` and `last` go by timestamp, then sequence; `any` is the value of some
 * row. `percentile_cont` and `percentile_disc` are exact. `rate` is the count (or sum of `of`) per second of the
 * time that a group covers: its bucket cut to the query's range, else the query's range, else first to last timestamp.
 */
export type AggregateFunction =
  | "count"
  | "count_distinct"
  | "approx_count_distinct"
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "stddev_samp"
  | "stddev_pop"
  | "var_samp"
  | "var_pop"
  | "first"
  | "last"
  | "any"
  | "quantile"
  | "median"
  | "percentile_cont"
  | "percentile_disc"
  | "topk"
  | "histogram"
  | "rate";

export interface Aggregate {
  readonly fn: AggregateFunction;
  /** What its values are; null counts rows. Rows where it is NULL are left out, as those that `filter` doesn't take. */
  readonly of: Expression | null;
  readonly filter: Predicate | null;
  readonly type: ValueType;
  /**
   * quantile, percentile_…: the fraction in [0, 1]. topk: how many. histogram: ascending bounds; values below the
   * first and from the last on have buckets of their own.
   */
  readonly parameters: readonly number[];
}

/** One column of the result. */
export interface Output {
  readonly of: Expression;
  readonly as: string;
}

/** What makes groups: NULL is a group too. `as` names it where nothing else does. */
export interface GroupKey {
  readonly of: Expression;
  readonly as: string;
}

export interface Order {
  readonly of: Expression;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** What the aggregates of a bucket without rows are: NULL, 0, or what they were in the bucket before. */
export type Fill = "null" | "zero" | "previous";

/**
 * With groups or aggregates, `select`, `having` and `orderBy` see a group: their leaves are keys, aggregates and
 * literals. Without, they see a row: paths and literals, and `having` is null.
 */
export interface Query {
  readonly select: readonly Output[];
  readonly where: Predicate | null;
  /** Rows with timestamps in [fromUs, toUs), microseconds. */
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
  readonly groupBy: readonly GroupKey[];
  readonly aggregates: readonly Aggregate[];
  readonly having: Expression | null;
  readonly orderBy: readonly Order[];
  readonly limit: number | null;
  readonly offset: number;
  /** Buckets without rows are added for the one key of `groupBy` that is a bucket; null: they are not. */
  readonly fill: Fill | null;
}

/** Whether the result has a row for each group rather than for each event. */
export function isGrouped(query: Query): boolean {
  return query.groupBy.length > 0 || query.aggregates.length > 0;
}

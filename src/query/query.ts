// The one question that every face of Millrace asks: SQL text, the JSON form, REST parameters, rules and
// subscriptions all compile to a `Query`. A `path` is the stored one: a fixed column (`event_type`) or
// `properties.` and its keys joined by dots, a dot inside a key written `\.` and a backslash `\\`.

/**
 * A constant in a predicate. For `timestamp` and `received_at` it is a bigint of microseconds, for
 * `sequence` a bigint, for `id` a lower-case UUID; an integer beyond 2^53 is a bigint wherever it stands.
 */
export type Literal = boolean | number | bigint | string;

export type CompareOp = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** Three-valued, as in SQL: a comparison with an absent value or a JSON null is NULL. */
export type Predicate =
  | { kind: "and" | "or"; of: Predicate[] }
  | { kind: "not"; of: Predicate }
  | { kind: "compare"; path: string; op: CompareOp; value: Literal }
  | { kind: "in"; path: string; values: Literal[] }
  | { kind: "prefix"; path: string; prefix: string }
  | { kind: "exists"; path: string }
  | { kind: "is-null"; path: string }
  | { kind: "constant"; value: boolean | null };

export type AggregateFunction = "count" | "sum" | "avg" | "min" | "max";

/** `path: null` is `count(*)`; `key` is an index into `groupBy`; `as` names the result column. */
export type SelectItem =
  | { kind: "aggregate"; fn: AggregateFunction; path: string | null; as: string }
  | { kind: "key"; key: number; as: string }
  | { kind: "field"; path: string; as: string };

/** A bucket starts at `originUs + n * widthUs`; `originUs` is in [0, widthUs). */
export type GroupKey =
  | { kind: "field"; path: string; as: string }
  | { kind: "bucket"; widthUs: bigint; originUs: bigint; as: string };

/** `item` is an index into `select`; `path` a field, in queries without groups and aggregates. */
export type OrderKey =
  | { item: number; descending: boolean; nullsFirst: boolean }
  | { path: string; descending: boolean; nullsFirst: boolean };

export interface Query {
  select: SelectItem[];
  where: Predicate | null;
  /** Rows with timestamps in [fromUs, toUs), microseconds. */
  fromUs: bigint | null;
  toUs: bigint | null;
  groupBy: GroupKey[];
  orderBy: OrderKey[];
  limit: number | null;
  offset: number;
}

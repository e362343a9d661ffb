// A predicate as the kernels take it: NOT pushed down to the leaves, each leaf bound to the lane of its literal.
//
// Three-valued logic needs no third value then. A leaf selects the rows for which it is true, and a negated
// leaf those for which it is false: both leave out the rows where it is NULL. NOT over AND and OR is moved
// inwards by De Morgan's laws, which hold in three-valued logic too.

import {
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
} from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import { pathType } from "../paths.ts";
import type { CompareOp, Literal, Predicate, Query } from "../query.ts";
import type { NumberRange } from "./bounds.ts";
import { i64Max, i64Min, integerRange, numberRange } from "./bounds.ts";
import { impliedFilter } from "./implied.ts";

export type Filter =
  | { kind: "all" }
  | { kind: "none" }
  | { kind: "and" | "or"; of: readonly Filter[] }
  | { kind: "number"; path: string; range: NumberRange; negated: boolean }
  /** Numbers that equal one of many. */
  | { kind: "numbers"; path: string; ranges: readonly NumberRange[]; negated: boolean }
  | { kind: "boolean"; path: string; values: readonly boolean[] }
  | { kind: "text"; path: string; op: Exclude<CompareOp, "!=">; text: Uint8Array; negated: boolean }
  | { kind: "texts"; path: string; texts: readonly Uint8Array[]; negated: boolean }
  | { kind: "prefix"; path: string; text: Uint8Array; negated: boolean }
  /** `low` and `high` are 16 bytes each. */
  | { kind: "id"; low: Uint8Array; high: Uint8Array; negated: boolean }
  /** Rows that have (or have not) a value in one of the lanes. */
  | { kind: "presence"; path: string; lanes: readonly number[]; present: boolean }
  /** Rows for which a boolean expression is `value`. */
  | { kind: "test"; of: Expression; value: boolean }
  /** Closed ranges of what rises with the row. */
  | { kind: "sequence" | "received"; low: bigint; high: bigint };

const all: Filter = { kind: "all" };
const none: Filter = { kind: "none" };

const valueLanes: readonly number[] = [LANE_BOOLEAN, LANE_NUMBER, LANE_STRING, LANE_JSON];
const everyLane: readonly number[] = [...valueLanes, LANE_NULL];

const opposite: Readonly<Record<CompareOp, CompareOp>> = {
  "=": "!=",
  "!=": "=",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
};

/** The filter of a whole query: its predicate, and its time range, which segments that lie inside skip. */
export function planFilter(query: Pick<Query, "where" | "fromUs" | "toUs">): Filter {
  const filters: Filter[] = [];
  if (query.fromUs !== null || query.toUs !== null)
    filters.push(timeFilter(query.fromUs, query.toUs));
  if (query.where !== null) filters.push(bind(query.where, false));
  return joinFilters("and", filters);
}

/** Timestamps in [from, to). */
export function timeFilter(fromUs: bigint | null, toUs: bigint | null): Filter {
  const range = integerRange(fromUs ?? i64Min, toUs === null ? i64Max : toUs - 1n);
  return { kind: "number", path: "timestamp", range, negated: false };
}

/** True where `predicate` is true, or, when negated, where it is false. */
export function bind(predicate: Predicate, negated: boolean): Filter {
  switch (predicate.kind) {
    case "and":
    case "or": {
      const kind = (predicate.kind === "and") === negated ? "or" : "and";
      return joinFilters(
        kind,
        predicate.of.map((one) => bind(one, negated)),
      );
    }
    case "not":
      return bind(predicate.of, !negated);
    case "constant":
      return predicate.value !== null && predicate.value !== negated ? all : none;
    case "compare":
      return compare(
        predicate.path,
        negated ? opposite[predicate.op] : predicate.op,
        predicate.value,
      );
    case "in":
      return membership(predicate.path, predicate.values, negated);
    case "prefix":
      return { kind: "prefix", path: predicate.path, text: utf8(predicate.prefix), negated };
    case "exists":
      return presence(predicate.path, everyLane, !negated);
    case "is-null":
      return presence(predicate.path, valueLanes, negated);
    case "test":
      return testFilter(predicate.of, !negated);
  }
}

function testFilter(of: Expression, value: boolean): Filter {
  const test: Filter = { kind: "test", of, value };
  const implied = value ? impliedFilter(of) : null;
  return implied === null ? test : joinFilters("and", [implied, test]);
}

/** Lanes that a path may have values in: fixed fields have one, properties all. */
export function lanesOf(path: string): readonly number[] {
  const type = pathType(path);
  if (type === "property") return valueLanes;
  if (type === "id") return [LANE_ID];
  return type === "text" ? [LANE_STRING] : [LANE_NUMBER];
}

/** Whether every row has a value there: such columns may be computed instead of stored. */
export function isTotal(path: string): boolean {
  const type = pathType(path);
  return type !== "property" && (type !== "text" || path === "event_type");
}

function presence(path: string, lanes: readonly number[], present: boolean): Filter {
  if (isTotal(path)) return present ? all : none;
  return { kind: "presence", path, lanes, present };
}

/** Joins with constants folded and the cheapest first, which leaves the dearer ones fewer rows. */
export function joinFilters(kind: "and" | "or", filters: readonly Filter[]): Filter {
  const [neutral, final] = kind === "and" ? ["all", "none"] : ["none", "all"];
  const kept = filters
    .flatMap((one) => (one.kind === kind ? one.of : [one]))
    .filter((one) => one.kind !== neutral);
  if (kept.some((one) => one.kind === final)) return kind === "and" ? none : all;
  if (kept.length === 0) return kind === "and" ? all : none;
  if (kept.length === 1) return kept[0] as Filter;
  return { kind, of: kept.sort((a, b) => filterCost(a) - filterCost(b)) };
}

/** Relative cost of a row; only the order matters. */
export function filterCost(filter: Filter): number {
  switch (filter.kind) {
    case "sequence":
    case "received":
      return 0;
    case "boolean":
    case "presence":
      return 1;
    case "text":
      return filter.op === "=" && !filter.negated ? 1 : 5;
    case "number":
      return 3;
    case "texts":
    case "numbers":
      return 4;
    case "prefix":
      return 5;
    case "id":
      return 6;
    case "test":
      return 20;
    case "and":
    case "or":
      return filter.of.reduce((sum, one) => sum + filterCost(one), 1);
    default:
      return 0;
  }
}

function compare(path: string, op: CompareOp, value: Literal): Filter {
  const type = pathType(path);
  if (type === "id") return typeof value === "string" ? idFilter(op, value) : none;
  if (path === "sequence" || path === "received_at") return ordered(path, op, value);
  const negated = op === "!=";
  if (typeof value === "boolean") {
    const values = [false, true].filter((one) => holds(op, Number(one) - Number(value)));
    return values.length === 0 ? none : { kind: "boolean", path, values };
  }
  if (typeof value === "string") {
    return { kind: "text", path, op: op === "!=" ? "=" : op, text: utf8(value), negated };
  }
  return { kind: "number", path, range: numberRange(op, value), negated };
}

function holds(op: CompareOp, order: number): boolean {
  if (op === "=") return order === 0;
  if (op === "!=") return order !== 0;
  if (op === "<") return order < 0;
  if (op === "<=") return order <= 0;
  return op === ">" ? order > 0 : order >= 0;
}

/** Sequence and `received_at` rise with the row: a comparison is a range of rows. */
function ordered(path: string, op: CompareOp, value: Literal): Filter {
  if (typeof value !== "bigint" && typeof value !== "number") return none;
  const kind = path === "sequence" ? "sequence" : "received";
  if (op === "!=") return joinFilters("or", [ordered(path, "<", value), ordered(path, ">", value)]);
  const { i64Low, i64High } = numberRange(op, value);
  return i64Low > i64High ? none : { kind, low: i64Low, high: i64High };
}

/** So many numbers of a list are compared one after the other, by the kernel of comparisons. */
const fewNumbers = 6;

/** `path IN values`: values of different lanes are OR-ed, so that a negated mixture is never true. */
function membership(path: string, values: readonly Literal[], negated: boolean): Filter {
  const texts: Uint8Array[] = [];
  const others: Filter[] = [];
  const isRanked = path === "sequence" || path === "received_at";
  const ranges: NumberRange[] = [];
  const isLong = !isRanked && values.length > fewNumbers;
  for (const value of values) {
    if (typeof value === "string" && pathType(path) !== "id") texts.push(utf8(value));
    else if (isLong && (typeof value === "number" || typeof value === "bigint")) {
      ranges.push(numberRange("=", value));
    } else others.push(compare(path, negated ? "!=" : "=", value));
  }
  if (ranges.length > 0) others.push({ kind: "numbers", path, ranges, negated });
  if (texts.length > 0) others.push({ kind: "texts", path, texts, negated });
  return joinFilters(negated ? "and" : "or", others);
}

const lowestId = new Uint8Array(16);
const highestId = new Uint8Array(16).fill(0xff);

function idFilter(op: CompareOp, text: string): Filter {
  const id = Buffer.from(text.replaceAll("-", ""), "hex");
  // Ids are UUIDs: no other text equals one.
  if (id.length !== 16) return op === "!=" ? all : none;
  if (op === "=" || op === "!=") return { kind: "id", low: id, high: id, negated: op === "!=" };
  if (op === "<=" || op === ">") {
    return { kind: "id", low: lowestId, high: id, negated: op === ">" };
  }
  return { kind: "id", low: id, high: highestId, negated: op === "<" };
}

const encoder = new TextEncoder();
const utf8 = (text: string): Uint8Array => encoder.encode(text);

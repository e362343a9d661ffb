// Expressions and filters as a person reads them in a plan. Close to SQL, never parsed again.

import { LANE_JSON, LANE_NULL, LANE_NUMBER, LANE_STRING } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import { formatInterval } from "../expression/interval.ts";
import type { Aggregate, Predicate, Query } from "../query.ts";
import { formatTime, timeUsMax, timeUsMin } from "../time.ts";
import { i64Max, i64Min, type NumberRange, nextDown, nextUp } from "./bounds.ts";
import type { Filter } from "./filter.ts";

/** Texts in a plan are cut to so many characters. */
const textCharsMax = 64;

const decoder = new TextDecoder();

const infix: ReadonlySet<string> = new Set([
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "+",
  "-",
  "*",
  "/",
  "%",
]);

function quoted(text: string): string {
  const cut = text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
  return `'${cut.replaceAll("'", "''")}'`;
}

function time(us: bigint): string {
  return us >= timeUsMin && us <= timeUsMax ? formatTime(us) : String(us);
}

/** Keys and aggregates are written out where `query` says what they are. */
export function describeExpression(of: Expression, query?: Query): string {
  switch (of.kind) {
    case "path":
      return of.path;
    case "key": {
      const key = query?.groupBy[of.key];
      return key ? describeExpression(key.of) : `key ${of.key + 1}`;
    }
    case "aggregate": {
      const aggregate = query?.aggregates[of.aggregate];
      return aggregate ? describeAggregate(aggregate) : `aggregate ${of.aggregate + 1}`;
    }
    case "bucket": {
      const zone = of.zone === "UTC" ? "" : `, ${quoted(of.zone)}`;
      return `time_bucket('${formatInterval(of.width)}', ${describeExpression(of.of, query)}${zone})`;
    }
    case "literal":
      return describeLiteral(of);
    case "call":
      return describeCall(of, query);
  }
}

function describeLiteral({ value, type }: Extract<Expression, { kind: "literal" }>): string {
  if (value === null) return "NULL";
  if (typeof value === "object") return `'${formatInterval(value)}'`;
  if (typeof value === "string") return quoted(value);
  if (type === "timestamp" && typeof value !== "boolean") return `'${time(BigInt(value))}'`;
  return String(value);
}

function describeCall(
  { fn, args, type }: Extract<Expression, { kind: "call" }>,
  query: Query | undefined,
): string {
  const of = args.map((arg) => describeExpression(arg, query));
  if (infix.has(fn) && of.length === 2) return `(${of[0]} ${fn} ${of[1]})`;
  if (fn === "and" || fn === "or") return `(${of.join(` ${fn.toUpperCase()} `)})`;
  if (fn === "cast") return `cast(${of[0]} AS ${type})`;
  return `${fn}(${of.join(", ")})`;
}

export function describeAggregate({ fn, of, filter, parameters }: Aggregate): string {
  const args = [of === null ? "*" : describeExpression(of), ...parameters.map(String)];
  const text = `${fn}(${args.join(", ")})`;
  return filter === null ? text : `${text} FILTER (WHERE ${describePredicate(filter)})`;
}

function describePredicate(of: Predicate): string {
  switch (of.kind) {
    case "and":
    case "or":
      return `(${of.of.map(describePredicate).join(` ${of.kind.toUpperCase()} `)})`;
    case "not":
      return `NOT ${describePredicate(of.of)}`;
    case "compare":
      return `${of.path} ${of.op} ${describeValue(of.value)}`;
    case "in":
      return `${of.path} IN (${list(of.values.map(describeValue))})`;
    case "prefix":
      return `${of.path} LIKE ${quoted(`${of.prefix}%`)}`;
    case "exists":
      return `exists(${of.path})`;
    case "is-null":
      return `${of.path} IS NULL`;
    case "constant":
      return of.value === null ? "NULL" : String(of.value);
    case "test":
      return describeExpression(of.of);
  }
}

/** The first of many. */
function list(texts: readonly string[]): string {
  return texts.length > 8 ? `${texts.slice(0, 8).join(", ")}, …` : texts.join(", ");
}

function describeValue(value: unknown): string {
  return typeof value === "string" ? quoted(value) : String(value);
}

/** What a filter passes, and how the kernels find it. */
export function describeFilter(filter: Filter): string {
  switch (filter.kind) {
    case "all":
      return "true";
    case "none":
      return "false";
    case "and":
    case "or":
      return `(${filter.of.map(describeFilter).join(` ${filter.kind.toUpperCase()} `)})`;
    case "number":
      return describeNumbers(filter);
    case "boolean":
      return `${filter.path} ${filter.values.length === 2 ? "IS NOT NULL" : `= ${filter.values[0]}`}`;
    case "text": {
      const op = filter.negated ? "!=" : filter.op;
      return `${filter.path} ${op} ${quoted(decoder.decode(filter.text))}`;
    }
    case "numbers": {
      const numbers = list(filter.ranges.map((range) => onlyNumber(filter.path, range)));
      return `${filter.path} ${filter.negated ? "NOT " : ""}IN (${numbers})`;
    }
    case "texts": {
      const texts = list(filter.texts.map((text) => quoted(decoder.decode(text))));
      return `${filter.path} ${filter.negated ? "NOT " : ""}IN (${texts})`;
    }
    case "prefix": {
      const text = quoted(`${decoder.decode(filter.text)}%`);
      return `${filter.path} ${filter.negated ? "NOT " : ""}LIKE ${text}`;
    }
    case "id":
      return `id ${filter.negated ? "outside" : "within"} a range`;
    case "presence":
      return describePresence(filter);
    case "test":
      return filter.value ? describeExpression(filter.of) : `NOT ${describeExpression(filter.of)}`;
    case "sequence":
      return describeRange("sequence", filter.low, filter.high, String);
    case "received":
      return describeRange("received_at", filter.low, filter.high, (us) => `'${time(us)}'`);
  }
}

/** The one number of a range. */
function onlyNumber(path: string, { i64Low, i64High, f64Low }: NumberRange): string {
  if (i64Low > i64High) return String(f64Low);
  return path === "timestamp" ? `'${time(i64Low)}'` : String(i64Low);
}

function describeNumbers({ path, range, negated }: Extract<Filter, { kind: "number" }>): string {
  const { i64Low, i64High, f64Low, f64High } = range;
  const text =
    path === "timestamp"
      ? describeRange(path, i64Low, i64High, (us) => `'${time(us)}'`)
      : describeDoubles(path, f64Low, f64High, i64Low, i64High);
  return negated ? `NOT ${text}` : text;
}

/** The ends were moved to the next double: an integer just outside was left out, and is what was written. */
function describeDoubles(
  path: string,
  low: number,
  high: number,
  i64Low: bigint,
  i64High: bigint,
): string {
  if (low === high) return `${path} = ${low}`;
  if (i64Low === i64High && Number(i64Low) === low) return `${path} = ${i64Low}`;
  const lower = low === -Infinity ? null : lowerEnd(low);
  const upper = high === Infinity ? null : upperEnd(high);
  if (lower === null && upper === null) return `${path} IS NOT NULL`;
  if (lower === null) return `${path} ${upper}`;
  return upper === null ? `${path} ${lower}` : `${path} ${lower} AND ${path} ${upper}`;
}

/** A bound with few digits is what was asked for; its neighbour has all of them. */
function lowerEnd(low: number): string {
  const below = nextDown(low);
  return String(below).length < String(low).length ? `> ${below}` : `>= ${low}`;
}

function upperEnd(high: number): string {
  const above = nextUp(high);
  return String(above).length < String(high).length ? `< ${above}` : `<= ${high}`;
}

function describeRange(
  path: string,
  low: bigint,
  high: bigint,
  show: (end: bigint) => string,
): string {
  if (low === high) return `${path} = ${show(low)}`;
  if (low <= i64Min) return high >= i64Max ? `${path} IS NOT NULL` : `${path} <= ${show(high)}`;
  return high >= i64Max
    ? `${path} >= ${show(low)}`
    : `${path} BETWEEN ${show(low)} AND ${show(high)}`;
}

function describePresence({ path, lanes, present }: Extract<Filter, { kind: "presence" }>): string {
  if (lanes.includes(LANE_NULL)) return `${present ? "" : "NOT "}exists(${path})`;
  const names = [
    lanes.includes(LANE_NUMBER) ? "" : "no numbers",
    lanes.includes(LANE_STRING) ? "" : "no texts",
    lanes.includes(LANE_JSON) ? "" : "no json",
  ].filter((name) => name !== "");
  const of = names.length === 0 ? "" : ` (${names.join(", ")})`;
  return `${path} IS ${present ? "NOT " : ""}NULL${of}`;
}

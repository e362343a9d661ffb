// Calls: functions of a row, functions of time, aggregates.

import type { FuncCall, Node } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import type { Expression } from "../expression/expression.ts";
import { predicateOf } from "../predicate.ts";
import { aggregateNames, applyAggregate, isAggregate } from "../typing/aggregates.ts";
import { coerce } from "../typing/coerce.ts";
import { conditionOf } from "../typing/conditions.ts";
import { applyFunction, substringOfPattern } from "../typing/functions.ts";
import { signatures, specialFunctions } from "../typing/signatures.ts";
import type { Place, Term } from "../typing/term.ts";
import { call, literal, term } from "../typing/term.ts";
import {
  bucketOfArguments,
  dateTrunc,
  extractField,
  timeBucket,
  toChar,
  zoneOfTerm,
} from "../typing/times.ts";
import type { SqlScope } from "./scope.ts";
import { locationOf, nameOf, placeAt } from "./scope.ts";
import { sessionCall, sessionFunctions } from "./session.ts";

export function callTerm(node: FuncCall, scope: SqlScope): Term {
  const name = nameOf(node.funcname);
  const location = node.location ?? -1;
  const place = placeAt(scope.source, location >= 0 ? location : locationOf(node.args?.[0]));
  const schema =
    (node.funcname?.length ?? 1) > 1 ? nameOf(node.funcname?.slice(0, -1)) : "pg_catalog";
  if (schema !== "pg_catalog") {
    throw place.error(
      "not_implemented",
      `functions of the schema ${schema}: not supported yet`,
      501,
    );
  }
  if (node.over) throw place.error("not_implemented", "window functions: not supported yet", 501);
  if (node.func_variadic) throw place.error("not_implemented", "VARIADIC: not supported yet", 501);
  if (isAggregate(name)) return term(aggregate(node, name, place, scope), place);
  refuseAggregateParts(node, name, place);
  return term(plainCall(node, name, place, scope), place);
}

function refuseAggregateParts(node: FuncCall, name: string, place: Place): void {
  const parts: [unknown, string][] = [
    [node.agg_star, "*"],
    [node.agg_distinct, "DISTINCT"],
    [node.agg_filter, "FILTER"],
    [node.agg_order, "ORDER BY"],
    [node.agg_within_group, "WITHIN GROUP"],
  ];
  const found = parts.find(([present]) => present);
  if (!found) return;
  if (!isFunction(name)) throw unknownFunction(name, place);
  throw place.error("sql_semantics", `${found[1]} in ${name}(), which is no aggregate function`);
}

const names: readonly string[] = [
  ...signatures.keys(),
  ...specialFunctions,
  ...sessionFunctions,
  ...aggregateNames,
  "coalesce",
  "nullif",
  "greatest",
  "least",
];

function isFunction(name: string): boolean {
  return names.includes(name);
}

/** The windows of aggregation rules, as Apache Calcite and Flink name them. */
export const windowFunctions: ReadonlySet<string> = new Set(
  ["tumble", "hop", "session"].flatMap((name) => [name, `${name}_start`, `${name}_end`]),
);

function unknownFunction(name: string, place: Place): Error {
  if (windowFunctions.has(name)) {
    const instead = name.startsWith("tumble") ? "; a query has time_bucket(size, timestamp)" : "";
    const problem = `${name}() makes the windows of aggregation rules and of live subscriptions${instead}`;
    return place.error("sql_semantics", problem);
  }
  const hint = didYouMean(name, names);
  return place.error("not_implemented", `the function ${name}(): not supported yet${hint}`, 501);
}

function compileArguments(node: FuncCall, scope: SqlScope): Term[] {
  return (node.args ?? []).map((one) => scope.compile(one, scope));
}

function plainCall(node: FuncCall, name: string, place: Place, scope: SqlScope): Expression {
  const special = timeCall(node, name, place, scope);
  if (special !== null) return special;
  if (name === "substring" && isPatternSubstring(node, scope)) {
    return substringOfPattern(compileArguments(node, scope));
  }
  if (name === "regexp_match") {
    const feature = "regexp_match(), an array (regexp_extract() gives text)";
    throw place.error("not_implemented", `${feature}: not supported yet`, 501);
  }
  if (sessionFunctions.includes(name)) {
    return literal("string", sessionCall(name, compileArguments(node, scope), place));
  }
  const made = applyFunction(name, compileArguments(node, scope), place);
  if (made === null) throw unknownFunction(name, place);
  return made;
}

/** `substring(text FROM 'pattern')`, whose second argument is text. */
function isPatternSubstring(node: FuncCall, scope: SqlScope): boolean {
  const second = node.args?.[1];
  if (node.args?.length !== 2 || !second) return false;
  return scope.compile(second, scope).of.type === "string";
}

function timeCall(node: FuncCall, name: string, place: Place, scope: SqlScope): Expression | null {
  const args = node.args ?? [];
  switch (name) {
    case "now":
    case "statement_timestamp":
    case "transaction_timestamp":
      if (args.length > 0) throw place.error("sql_semantics", `${name}() takes no arguments`);
      return call("timestamp", "now", []);
    case "time_bucket":
    case "time_bucket_gapfill":
      return bucketCall(node, name, place, scope);
    case "date_bin": {
      const [width, of, origin, ...more] = compileArguments(node, scope);
      if (!width || !of || !origin || more.length > 0) {
        throw place.error("sql_semantics", `date_bin() wants 3 arguments, got ${args.length}`);
      }
      return timeBucket({ width, of, origin }, "date_bin()");
    }
    case "date_trunc": {
      refuseZoned(args[1], "date_trunc('day', timestamp, 'zone')", scope);
      return dateTrunc(compileArguments(node, scope), place);
    }
    case "extract":
    case "date_part": {
      const [field, of] = args;
      if (!field || !of || args.length > 2) {
        throw place.error("sql_semantics", `${name}() wants a field and a time`);
      }
      const { inner, zone } = zoned(of, scope);
      return extractField(scope.compile(field, scope), scope.compile(inner, scope), zone);
    }
    case "to_char": {
      const [of, ...more] = args;
      const { inner, zone } = zoned(of, scope);
      const terms = [inner, ...more].flatMap((one) => (one ? [scope.compile(one, scope)] : []));
      return toChar(terms, zone, place);
    }
    case "timezone":
      return atTimeZone(node, place, scope);
    case "make_interval":
      return makeInterval(node, place, scope);
    case "locf":
      return carriedForward(node, place, scope);
    default:
      return null;
  }
}

/** The parts of `of AT TIME ZONE 'zone'`, or null. */
function zoneParts(node: Node | undefined): { zone: Node; inner: Node } | null {
  if (!node || !("FuncCall" in node) || nameOf(node.FuncCall.funcname) !== "timezone") return null;
  const [zone, inner] = node.FuncCall.args ?? [];
  return zone && inner ? { zone, inner } : null;
}

function zoned(node: Node | undefined, scope: SqlScope): { inner: Node | undefined; zone: string } {
  const parts = zoneParts(node);
  if (parts === null) return { inner: node, zone: "UTC" };
  return { inner: parts.inner, zone: zoneOfTerm(scope.compile(parts.zone, scope)) };
}

function refuseZoned(node: Node | undefined, instead: string, scope: SqlScope): void {
  const parts = zoneParts(node);
  if (parts === null || zoneOfTerm(scope.compile(parts.zone, scope)) === "UTC") return;
  const feature = `AT TIME ZONE here (use ${instead})`;
  throw scope.source.notImplemented(feature, locationOf(node));
}

/**
 * A local time has no type here, so `AT TIME ZONE` stands where its meaning is clear: within extract() and
 * to_char(), for UTC, and around a date_trunc() of the same zone, which is date_trunc() in that zone.
 */
function atTimeZone(node: FuncCall, place: Place, scope: SqlScope): Expression {
  const [zoneNode, inner] = node.args ?? [];
  if (!zoneNode || !inner) throw place.error("not_implemented", "AT LOCAL: not supported yet", 501);
  const zone = zoneOfTerm(scope.compile(zoneNode, scope));
  if ("FuncCall" in inner && nameOf(inner.FuncCall.funcname) === "date_trunc") {
    const [unit, of] = inner.FuncCall.args ?? [];
    const parts = zoneParts(of);
    if (unit && parts && zoneOfTerm(scope.compile(parts.zone, scope)) === zone) {
      const args = [unit, parts.inner, parts.zone].map((one) => scope.compile(one, scope));
      return dateTrunc(args, place);
    }
  }
  if (zone === "UTC") return coerce(scope.compile(inner, scope), "timestamp", "AT TIME ZONE");
  const feature =
    "AT TIME ZONE here (it is taken within extract() and to_char(), and date_trunc() takes a zone)";
  throw place.error("not_implemented", `${feature}: not supported yet`, 501);
}

function bucketCall(node: FuncCall, name: string, place: Place, scope: SqlScope): Expression {
  const args = node.args ?? [];
  refuseZoned(args[1], "time_bucket(width, timestamp, 'zone')", scope);
  const named = new Map<string, Term>();
  const plain: Term[] = [];
  for (const arg of args) {
    if (!("NamedArgExpr" in arg)) plain.push(scope.compile(arg, scope));
    else named.set(arg.NamedArgExpr.name ?? "", scope.compile(arg.NamedArgExpr.arg, scope));
  }
  if (named.size === 0) return bucketOfArguments(plain, `${name}()`, place);
  const [width, of, ...more] = plain;
  const strange = [...named].find(([one]) => !["origin", "zone", "timezone"].includes(one));
  if (strange)
    throw strange[1].place.error("sql_semantics", `${name}() has no argument "${strange[0]}"`);
  if (!width || !of || more.length > 0)
    throw place.error("sql_semantics", `${name}() wants a width and a time`);
  const zone = named.get("zone") ?? named.get("timezone");
  return timeBucket({ width, of, origin: named.get("origin"), zone }, `${name}()`);
}

/** `locf(aggregate)`: what it was in the bucket before, where `time_bucket_gapfill` made one without rows. */
function carriedForward(node: FuncCall, place: Place, scope: SqlScope): Expression {
  const [arg, ...more] = compileArguments(node, scope);
  if (arg?.of.kind === "aggregate" && more.length === 0) return arg.of;
  throw place.error("sql_semantics", "locf() wants one aggregate");
}

const intervalUnits = ["years", "months", "weeks", "days", "hours", "mins", "secs"] as const;

/** `make_interval(days => 1)` of constants. */
function makeInterval(node: FuncCall, place: Place, scope: SqlScope): Expression {
  const values = new Map<string, number>();
  for (const [i, arg] of (node.args ?? []).entries()) {
    const isNamed = "NamedArgExpr" in arg;
    const name = isNamed ? (arg.NamedArgExpr.name ?? "") : (intervalUnits[i] ?? "");
    const one = scope.compile(isNamed ? arg.NamedArgExpr.arg : arg, scope);
    const value = coerce(one, "number", "make_interval()");
    if (value.kind !== "literal" || typeof value.value !== "number") {
      throw one.place.error(
        "not_implemented",
        "make_interval() of what isn't a constant: not supported yet",
        501,
      );
    }
    if (!intervalUnits.some((unit) => unit === name)) {
      throw one.place.error("sql_semantics", `make_interval() has no argument "${name}"`);
    }
    values.set(name, value.value);
  }
  const of = (unit: (typeof intervalUnits)[number]): number => values.get(unit) ?? 0;
  const months = of("years") * 12 + of("months");
  const days = of("weeks") * 7 + of("days");
  const seconds = of("hours") * 3600 + of("mins") * 60 + of("secs");
  if (!Number.isSafeInteger(months) || !Number.isSafeInteger(days) || Math.abs(seconds) > 1e12) {
    throw place.error("sql_type", "make_interval() wants whole years to days, within 10,000 years");
  }
  return literal("interval", { months, days, us: BigInt(Math.round(seconds * 1e6)) });
}

/** `(regexp_match(text, pattern))[n]`. */
export function matchSubscript(
  node: Extract<Node, { A_Indirection: unknown }>,
  scope: SqlScope,
): Expression {
  const { arg, indirection = [] } = node.A_Indirection;
  const [first] = indirection;
  const index =
    first && "A_Indices" in first && !first.A_Indices.is_slice ? first.A_Indices.uidx : undefined;
  const location = locationOf(node);
  if (!arg || !index || indirection.length > 1 || !("FuncCall" in arg)) {
    throw scope.source.notImplemented("subscripts", location);
  }
  const number = scope.compile(index, scope).of;
  if (
    nameOf(arg.FuncCall.funcname) !== "regexp_match" ||
    number.kind !== "literal" ||
    number.value !== 1
  ) {
    throw scope.source.notImplemented("subscripts of anything but regexp_match(…)[1]", location);
  }
  return substringOfPattern(compileArguments(arg.FuncCall, scope));
}

function aggregate(node: FuncCall, name: string, place: Place, scope: SqlScope): Expression {
  const list = scope.aggregates;
  if (list === null) {
    const problem = `aggregate functions are not allowed in ${scope.clause}`;
    throw place.error("sql_semantics", problem);
  }
  const inner: SqlScope = { ...scope, aggregates: null, clause: "an aggregate function" };
  const [value, ...more] = node.args ?? [];
  const array =
    more[0] && "A_ArrayExpr" in more[0] && more.length === 1
      ? more[0].A_ArrayExpr.elements
      : undefined;
  const args = [value, ...(array ? [] : more)].flatMap((one) =>
    one ? [inner.compile(one, inner)] : [],
  );
  const order = sortOf(node, name, args, place, inner);
  return applyAggregate(
    {
      name,
      star: node.agg_star ?? false,
      args,
      distinct: node.agg_distinct ?? false,
      filter: node.agg_filter ? filterOf(node.agg_filter, inner) : null,
      withinGroup: node.agg_within_group ? order : null,
      array: array ? array.map((one) => inner.compile(one, inner)) : null,
      place,
    },
    list,
  );
}

function filterOf(node: Node, scope: SqlScope): ReturnType<typeof predicateOf> {
  const clause = { ...scope, clause: "FILTER" };
  return predicateOf(conditionOf(clause.compile(node, clause), "FILTER"));
}

/** What an aggregate is ordered by: WITHIN GROUP says its value; else it can only be timestamp, of first and last. */
function sortOf(
  node: FuncCall,
  name: string,
  args: Term[],
  place: Place,
  scope: SqlScope,
): { of: Term; descending: boolean } | null {
  const [sort, ...more] = node.agg_order ?? [];
  if (!sort) return null;
  if (more.length > 0 || !("SortBy" in sort)) {
    throw place.error("not_implemented", `this ORDER BY in ${name}(): not supported yet`, 501);
  }
  const of = scope.compile(sort.SortBy.node, scope);
  const descending = sort.SortBy.sortby_dir === "SORTBY_DESC";
  if (node.agg_within_group) return { of, descending };
  const byTime = of.of.kind === "path" && of.of.path === "timestamp" && !descending;
  if ((name !== "first" && name !== "last") || !byTime || args.length > 1) {
    throw of.place.error("not_implemented", `this ORDER BY in ${name}(): not supported yet`, 501);
  }
  return null;
}

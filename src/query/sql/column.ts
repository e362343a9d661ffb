import type { FuncCall, Node } from "libpg-query";
import { InputError } from "../../errors.ts";
import { bucketKey } from "../bucket.ts";
import { parseDuration } from "../duration.ts";
import type { LegacyFunction as AggregateFunction } from "../legacy.ts";
import { fitLiteral, holdsNumbers } from "../literal.ts";
import type { SqlScope } from "./operand.ts";
import { featureOf, locationOf, nameOf, operand } from "./operand.ts";

/** What a result column or a group is made of, before names. */
export type Column =
  | { kind: "aggregate"; fn: AggregateFunction; path: string | null }
  | { kind: "field"; path: string }
  | { kind: "bucket"; widthUs: bigint; originUs: bigint };

const aggregateFunctions: readonly string[] = ["count", "sum", "avg", "min", "max"];

function plainCall(call: FuncCall, scope: SqlScope): void {
  const refused: [unknown, string][] = [
    [call.over, "window functions"],
    [call.agg_distinct, "DISTINCT in a function"],
    [call.agg_filter, "FILTER"],
    [call.agg_order, "ORDER BY in a function"],
    [call.agg_within_group, "WITHIN GROUP"],
    [call.func_variadic, "VARIADIC"],
  ];
  for (const [present, feature] of refused) {
    if (present) throw scope.source.notImplemented(feature, call.location ?? 0);
  }
}

function aggregate(call: FuncCall, fn: AggregateFunction, scope: SqlScope): Column {
  const { source } = scope;
  const location = call.location ?? 0;
  const [arg, ...more] = call.args ?? [];
  if (call.agg_star && fn === "count") return { kind: "aggregate", fn, path: null };
  if (!arg || more.length > 0) {
    throw source.error("sql_semantics", `${fn}() takes one column`, location);
  }
  const found = operand(arg, scope);
  if (found?.kind === "literal" && fn === "count" && found.value !== null) {
    return { kind: "aggregate", fn, path: null };
  }
  if (found?.kind !== "path") {
    const feature = found ? `${fn}() of a constant` : featureOf(arg);
    throw source.notImplemented(feature, locationOf(arg));
  }
  if ((fn === "sum" || fn === "avg") && (!holdsNumbers(found.path) || found.as === "text")) {
    const has = found.as === "text" ? "is text after ->>" : "has none";
    const problem = `${fn}() wants numbers, ${found.path} ${has}`;
    throw source.error("sql_type", problem, found.location);
  }
  return { kind: "aggregate", fn, path: found.path };
}

/** The text of a constant argument, with or without the word INTERVAL. */
function textArgument(node: Node | undefined, what: string, scope: SqlScope): string {
  const { source } = scope;
  const inner =
    node && "TypeCast" in node && nameOf(node.TypeCast.typeName?.names) === "interval"
      ? node.TypeCast.typeName?.typmods
        ? undefined
        : node.TypeCast.arg
      : node;
  const found = inner ? operand(inner, scope) : null;
  if (found?.kind === "literal" && typeof found.value === "string") return found.value;
  throw source.error("sql_type", `want ${what} as text, such as '1 minute'`, locationOf(node));
}

function onTimestamp(node: Node | undefined, fn: string, scope: SqlScope): void {
  const found = node ? operand(node, scope) : null;
  if (found?.kind === "path" && found.path === "timestamp") return;
  throw scope.source.notImplemented(`${fn}() of anything but timestamp`, locationOf(node));
}

function widthOf(text: string, node: Node | undefined, scope: SqlScope): bigint {
  const location = locationOf(node);
  try {
    const widthUs = parseDuration(text);
    if (widthUs > 0n) return widthUs;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw scope.source.error(error.code, error.message, location);
  }
  throw scope.source.error("invalid_duration", "a bucket must be longer than nothing", location);
}

function timeBucket(call: FuncCall, scope: SqlScope): Column {
  const [width, column, origin, ...more] = call.args ?? [];
  if (more.length > 0) {
    throw scope.source.notImplemented("a fourth argument of time_bucket()", call.location ?? 0);
  }
  onTimestamp(column, "time_bucket", scope);
  const widthUs = widthOf(textArgument(width, "a duration", scope), width, scope);
  let originUs: bigint | null = null;
  if (origin) {
    const found = operand(origin, scope);
    if (found?.kind !== "literal" || found.value === null) {
      throw scope.source.notImplemented("an origin that isn't a constant", locationOf(origin));
    }
    const fitted = fitLiteral("timestamp", found.value);
    if ("want" in fitted || typeof fitted.value !== "bigint") {
      const want = "want" in fitted ? fitted.want : "a time";
      throw scope.source.error("sql_type", `the origin: want ${want}`, found.location);
    }
    originUs = fitted.value;
  }
  const key = bucketKey(widthUs, originUs, "");
  return key.kind === "bucket" ? key : { kind: "bucket", widthUs, originUs: 0n };
}

const truncations = new Map(
  ["microsecond", "millisecond", "second", "minute", "hour", "day", "week"].flatMap((unit) => [
    [unit, unit] as const,
    [`${unit}s`, unit] as const,
  ]),
);

function dateTrunc(call: FuncCall, scope: SqlScope): Column {
  const [unit, column, ...more] = call.args ?? [];
  const text = textArgument(unit, "a unit", scope).toLowerCase();
  const known = truncations.get(text);
  if (!known || more.length > 0) {
    const feature = known ? "a time zone of date_trunc()" : `date_trunc('${text.slice(0, 32)}')`;
    throw scope.source.notImplemented(feature, locationOf(unit));
  }
  onTimestamp(column, "date_trunc", scope);
  return timeBucket(
    { args: [{ A_Const: { sval: { sval: `1 ${known}` } } }, column ?? {}] as Node[] },
    scope,
  );
}

/** What an expression of SELECT, GROUP BY or ORDER BY is. */
export function columnOf(node: Node, scope: SqlScope): Column {
  const { source } = scope;
  if ("FuncCall" in node) {
    const call = node.FuncCall;
    const name = nameOf(call.funcname);
    const fn = aggregateFunctions.includes(name) ? (name as AggregateFunction) : null;
    if (fn || name === "time_bucket" || name === "date_trunc") plainCall(call, scope);
    if (fn) return aggregate(call, fn, scope);
    if (name === "time_bucket") return timeBucket(call, scope);
    if (name === "date_trunc") return dateTrunc(call, scope);
  }
  const found = operand(node, scope);
  if (found?.kind === "path") return { kind: "field", path: found.path };
  const feature = found ? "a constant as a column" : featureOf(node);
  throw source.notImplemented(feature, locationOf(node));
}

/** Whether two expressions are the same column, however they were written. */
export function sameColumn(a: Column, b: Column): boolean {
  if (a.kind === "aggregate") {
    return b.kind === "aggregate" && a.fn === b.fn && a.path === b.path;
  }
  if (a.kind === "field") return b.kind === "field" && a.path === b.path;
  return b.kind === "bucket" && a.widthUs === b.widthUs && a.originUs === b.originUs;
}

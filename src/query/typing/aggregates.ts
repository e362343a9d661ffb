// Aggregates: by which names they are called, what they take and what that makes of the `Query`.

import type { Expression } from "../expression/expression.ts";
import { typeOfAggregate } from "../expression/expression.ts";
import type { Aggregate, AggregateFunction, Predicate } from "../query.ts";
import { coerce, describeTerm, narrow } from "./coerce.ts";
import { wholeProperties } from "./conditions.ts";
import type { AggregateList, Place, Term } from "./term.ts";
import { isNull } from "./term.ts";

/**
 * `count`: anything, or rows. `rows`: a number, or rows. `ordered`: anything that has an order. `size`: a number or a
 * timestamp.
 */
type Takes = "count" | "rows" | "number" | "size" | "ordered" | "boolean";

interface AggregateRow {
  readonly fn: AggregateFunction;
  readonly takes: Takes;
  /** What stands besides the value. */
  readonly parameters: "none" | "fraction" | "percent" | "count" | "bounds" | "time";
}

function row(
  fn: AggregateFunction,
  takes: Takes,
  parameters: AggregateRow["parameters"] = "none",
): AggregateRow {
  return { fn, takes, parameters };
}

const rows: readonly (readonly [string, AggregateRow])[] = [
  ["count", row("count", "count")],
  ["count_distinct", row("count_distinct", "ordered")],
  ["approx_count_distinct approx_distinct", row("approx_count_distinct", "ordered")],
  ["sum", row("sum", "number")],
  ["avg mean", row("avg", "number")],
  ["min", row("min", "ordered")],
  ["max", row("max", "ordered")],
  ["bool_and every", row("min", "boolean")],
  ["bool_or", row("max", "boolean")],
  ["stddev stddev_samp", row("stddev_samp", "number")],
  ["stddev_pop", row("stddev_pop", "number")],
  ["variance var_samp", row("var_samp", "number")],
  ["var_pop", row("var_pop", "number")],
  ["first", row("first", "ordered", "time")],
  ["last", row("last", "ordered", "time")],
  ["any any_value", row("any", "ordered")],
  ["quantile approx_quantile approx_percentile", row("quantile", "number", "fraction")],
  ["percentile", row("quantile", "number", "percent")],
  ["median", row("median", "number")],
  ["percentile_cont", row("percentile_cont", "number", "fraction")],
  ["percentile_disc", row("percentile_disc", "size", "fraction")],
  ["topk approx_top_k", row("topk", "ordered", "count")],
  ["histogram", row("histogram", "number", "bounds")],
  ["rate", row("rate", "rows")],
];

const aggregates: ReadonlyMap<string, AggregateRow> = new Map(
  rows.flatMap(([names, one]) => names.split(" ").map((name) => [name, one] as const)),
);

export const aggregateNames: readonly string[] = [...aggregates.keys()];

/** What PostgreSQL calls an aggregate and this engine doesn't have. */
const unsupported: ReadonlySet<string> = new Set([
  ..."array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg xmlagg range_agg mode".split(
    " ",
  ),
  ..."bit_and bit_or bit_xor corr covar_pop covar_samp regr_avgx regr_avgy regr_count grouping".split(
    " ",
  ),
  ..."regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy rank dense_rank percent_rank cume_dist".split(
    " ",
  ),
]);

export function isAggregate(name: string): boolean {
  return aggregates.has(name) || unsupported.has(name);
}

export interface AggregateCall {
  readonly name: string;
  readonly star: boolean;
  readonly args: readonly Term[];
  readonly distinct: boolean;
  readonly filter: Predicate | null;
  /** What `WITHIN GROUP (ORDER BY …)` says. */
  readonly withinGroup: { readonly of: Term; readonly descending: boolean } | null;
  /** Numbers of an array argument, the bounds of a histogram; null: there is none. */
  readonly array: readonly Term[] | null;
  readonly place: Place;
}

/** The expression of an aggregate, which is entered into `list`. */
export function applyAggregate(asked: AggregateCall, list: AggregateList): Expression {
  const { name, place } = asked;
  const found = aggregates.get(name);
  if (found === undefined) {
    throw place.error(
      "not_implemented",
      `the aggregate function ${name}(): not supported yet`,
      501,
    );
  }
  const fn = functionOf(asked, found);
  const { of, parameters } = argumentsOf(asked, found);
  const type = fn === "percentile_cont" ? "number" : typeOfAggregate(fn, of);
  const made: Aggregate = { fn, of, filter: asked.filter, type, parameters };
  return list.add(made);
}

function functionOf(
  { name, distinct, place }: AggregateCall,
  { fn }: AggregateRow,
): AggregateFunction {
  if (!distinct) return fn;
  if (fn === "count") return "count_distinct";
  // The same values twice change neither of these.
  if (fn === "min" || fn === "max" || fn === "any" || fn === "approx_count_distinct") return fn;
  if (fn === "count_distinct") return fn;
  throw place.error("not_implemented", `DISTINCT in ${name}(): not supported yet`, 501);
}

function argumentsOf(
  asked: AggregateCall,
  { takes, parameters }: AggregateRow,
): { of: Expression | null; parameters: number[] } {
  const { name, star, args, distinct, withinGroup, place } = asked;
  const ordered = name === "percentile_cont" || name === "percentile_disc";
  if (ordered !== (withinGroup !== null)) {
    if (!ordered)
      throw place.error("not_implemented", `WITHIN GROUP of ${name}(): not supported yet`, 501);
    throw place.error("sql_semantics", `${name}() wants WITHIN GROUP (ORDER BY …)`);
  }
  const [value, ...more] = withinGroup ? [withinGroup.of, ...args] : args;
  if (star || value === undefined) {
    const rowsToo = takes === "count" || takes === "rows";
    if (rowsToo && !distinct && (star || takes === "rows")) return { of: null, parameters: [] };
    throw place.error("sql_semantics", `${name}() wants a value`);
  }
  const numbers = parametersOf(asked, parameters, more);
  if (takes === "count" && !distinct && value.of.kind === "literal" && !isNull(value.of)) {
    return { of: null, parameters: numbers };
  }
  return { of: valueOf(value, name, distinct ? "ordered" : takes), parameters: numbers };
}

function valueOf(value: Term, name: string, takes: Takes): Expression {
  const { of, place } = value;
  if (of.kind === "path" && of.path === "properties") throw wholeProperties(place);
  if (takes === "boolean") return coerce(value, "boolean", `${name}()`);
  if (takes === "count" || takes === "ordered") return of;
  if (takes === "size" && of.type === "timestamp") return of;
  if (value.spelling !== "text" && narrow(of, "number") === null) {
    const hint =
      value.spelling === "arrow-text" ? "; without ->>, or cast to numeric, it is one" : "";
    throw place.error("sql_type", `${name}() wants numbers, got ${describeTerm(value)}${hint}`);
  }
  return coerce(value, "number", `${name}()`);
}

function numberOf(one: Term | undefined, what: string, place: Place): number {
  const value = one?.of.kind === "literal" ? one.of.value : undefined;
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number") return number;
  throw (one?.place ?? place).error("sql_type", `want ${what}, a constant number`);
}

function parametersOf(
  asked: AggregateCall,
  kind: AggregateRow["parameters"],
  args: readonly Term[],
): number[] {
  const { name, withinGroup, place } = asked;
  const want = { none: 0, fraction: 1, percent: 1, count: 1, bounds: 3, time: 1 }[kind];
  if (args.length > want)
    throw place.error("sql_semantics", `${name}() takes ${want + 1} arguments at most`);
  const [first] = args;
  switch (kind) {
    case "none":
      return [];
    case "time":
      checkTime(name, first);
      return [];
    case "fraction":
    case "percent": {
      const most = kind === "percent" ? 100 : 1;
      const number = numberOf(first, `the ${kind} of ${name}()`, place);
      if (!(number >= 0 && number <= most)) {
        throw (first?.place ?? place).error(
          "sql_type",
          `got ${number}, want a ${kind} from 0 to ${most}`,
        );
      }
      const fraction = kind === "percent" ? number / 100 : number;
      return [withinGroup?.descending ? descendingFraction(asked, fraction) : fraction];
    }
    case "count": {
      const count = numberOf(first, `how many of ${name}()`, place);
      if (Number.isInteger(count) && count >= 1 && count <= 10_000) return [count];
      throw (first?.place ?? place).error("sql_type", `got ${count}, want 1 to 10000`);
    }
    case "bounds":
      return asked.array ? boundsOf(asked.array, place) : evenBounds(args, place);
  }
}

/** `first(x, timestamp)`: no other order is kept. */
function checkTime(name: string, one: Term | undefined): void {
  if (one === undefined || (one.of.kind === "path" && one.of.path === "timestamp")) return;
  throw one.place.error(
    "not_implemented",
    `${name}() by anything but timestamp: not supported yet`,
    501,
  );
}

function descendingFraction({ name, place }: AggregateCall, fraction: number): number {
  if (name === "percentile_cont") return 1 - fraction;
  throw place.error("not_implemented", `${name}() in descending order: not supported yet`, 501);
}

function boundsOf(array: readonly Term[], place: Place): number[] {
  const bounds = array.map((one) => numberOf(one, "a bound", place));
  const rising = bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] as number));
  if (bounds.length > 0 && bounds.length <= 1000 && rising) return bounds;
  throw place.error("sql_type", "want 1 to 1000 bounds, each greater than the one before");
}

/** `histogram(x, low, high, buckets)`. */
function evenBounds(args: readonly Term[], place: Place): number[] {
  const [low, high, buckets] = [
    numberOf(args[0], "the lowest bound, or ARRAY[…] of bounds", place),
    numberOf(args[1], "the highest bound", place),
    numberOf(args[2], "the number of buckets", place),
  ];
  if (!(low < high) || !Number.isInteger(buckets) || buckets < 1 || buckets > 999) {
    throw place.error("sql_type", "want a low bound below the high one and 1 to 999 buckets");
  }
  const bounds = Array.from({ length: buckets }, (_, i) => low + ((high - low) * i) / buckets);
  return [...bounds, high];
}

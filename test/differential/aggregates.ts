// Aggregates, each with its two texts and with how close the two answers must be.

import type { DuckValue } from "../oracle/duckdb.ts";
import { template } from "./operator.ts";
import { isAmong, isBucketed, isEstimate, isQuantile, isRate, isTop } from "./sketches.ts";
import type { Type } from "./tree.ts";

export type Rule =
  | { readonly kind: "exact" }
  /** Doubles that were added up in any order: relative error. */
  | { readonly kind: "relative"; readonly within: number }
  /** DuckDB answers what it takes to judge: all values as a list, or the exact count. */
  | {
      readonly kind: "judged";
      readonly accepts: (got: unknown, want: DuckValue, type: Type) => boolean;
    };

export interface AggregateForm {
  readonly fn: string;
  /** What its argument may be; empty for those of rows. */
  readonly argument: readonly Type[];
  readonly type: Type | "argument";
  /** `filter` is a whole FILTER clause with a space before it, or nothing. */
  readonly millrace: (arg: string, filter: string) => string;
  readonly duckdb: (arg: string, filter: string) => string;
  readonly rule: Rule;
  readonly weight: number;
}

const exact: Rule = { kind: "exact" };
/** Sums of n doubles differ by n × 2^-53 of the sum of their sizes; what cancels out is allowed for in compare. */
const relative: Rule = { kind: "relative", within: 1e-9 };
const all = "list($1 ORDER BY $1)";

interface More {
  readonly duckdb?: string;
  readonly rule?: Rule;
  readonly weight?: number;
}

/** `$1` is the argument; a FILTER clause comes behind, or where DuckDB's text has `@`. */
function aggregate(
  fn: string,
  argument: readonly Type[],
  type: Type | "argument",
  millrace: string,
  { duckdb = millrace, rule = exact, weight = 1 }: More = {},
): AggregateForm {
  const own = template(millrace);
  const theirs = template(duckdb.includes("@") ? duckdb : `${duckdb}@`);
  return {
    fn,
    argument,
    type,
    millrace: (arg, filter) => own([arg]) + filter,
    duckdb: (arg, filter) => theirs([arg]).replaceAll("@", () => filter),
    rule,
    weight,
  };
}

function judged(accepts: Extract<Rule, { kind: "judged" }>["accepts"]): Rule {
  return { kind: "judged", accepts };
}

const ordered: readonly Type[] = [
  "int",
  "float",
  "text",
  "bool",
  "time",
  "variant",
  "number",
  "sequence",
];
const numeric: readonly Type[] = ["int", "float"];
const finite = { rule: relative };

export const aggregates: readonly AggregateForm[] = [
  aggregate("count", [], "int", "count(*)", { weight: 4 }),
  aggregate("count of", ordered, "int", "count($1)", { weight: 2 }),
  aggregate("count distinct", ordered, "int", "count(DISTINCT $1)", { weight: 2 }),
  aggregate("sum", ["int"], "int", "sum($1)", { weight: 2 }),
  aggregate("sum float", ["float"], "float", "sum($1)", { ...finite, weight: 2 }),
  aggregate("avg", numeric, "float", "avg($1)", { ...finite, weight: 2 }),
  aggregate("min", ordered, "argument", "min($1)", { weight: 2 }),
  aggregate("max", ordered, "argument", "max($1)", { weight: 2 }),
  aggregate("min distinct", ordered, "argument", "min(DISTINCT $1)", { weight: 0.2 }),
  aggregate("stddev", numeric, "float", "stddev($1)", finite),
  aggregate("stddev_pop", numeric, "float", "stddev_pop($1)", finite),
  aggregate("variance", numeric, "float", "variance($1)", finite),
  aggregate("var_pop", numeric, "float", "var_pop($1)", finite),
  aggregate("bool_and", ["bool"], "bool", "bool_and($1)"),
  aggregate("every", ["bool"], "bool", "every($1)", { duckdb: "bool_and($1)", weight: 0.3 }),
  aggregate("bool_or", ["bool"], "bool", "bool_or($1)"),
  aggregate("first", ordered, "argument", "first($1)", {
    duckdb: "arg_min($1, struct_pack(t := timestamp, s := sequence))",
  }),
  aggregate("last", ordered, "argument", "last($1, timestamp)", {
    duckdb: "arg_max($1, struct_pack(t := timestamp, s := sequence))",
  }),
  aggregate("any_value", ordered, "argument", "any_value($1)", {
    duckdb: all,
    rule: judged(isAmong),
    weight: 0.5,
  }),
  aggregate("median", numeric, "float", "median($1)", finite),
  aggregate(
    "percentile_cont",
    numeric,
    "float",
    "percentile_cont(0.3) WITHIN GROUP (ORDER BY $1)",
    {
      duckdb: "quantile_cont($1, 0.3)",
      ...finite,
    },
  ),
  aggregate(
    "percentile_disc",
    numeric,
    "argument",
    "percentile_disc(0.7) WITHIN GROUP (ORDER BY $1)",
    {
      duckdb: "quantile_disc($1, 0.7)",
    },
  ),
  ...[0, 0.5, 0.95, 1].map((share) =>
    aggregate(`quantile ${share}`, numeric, "float", `approx_quantile($1, ${share})`, {
      duckdb: all,
      rule: judged((got, want) => isQuantile(got, want, share)),
      weight: 0.4,
    }),
  ),
  aggregate("approx_count_distinct", ordered, "int", "approx_count_distinct($1)", {
    duckdb: "count(DISTINCT $1)",
    rule: judged(isEstimate),
  }),
  aggregate("topk", ["text", "int", "time"], "json", "topk($1, 3)", {
    duckdb: all,
    rule: judged((got, want, type) => isTop(got, want, 3, type)),
    weight: 0.5,
  }),
  aggregate("histogram", numeric, "json", "histogram($1, ARRAY[0, 10, 100])", {
    duckdb: all,
    rule: judged((got, want) => isBucketed(got, want, [0, 10, 100])),
    weight: 0.5,
  }),
  aggregate("histogram even", numeric, "json", "histogram($1, 0, 100, 4)", {
    duckdb: all,
    rule: judged((got, want) => isBucketed(got, want, [0, 25, 50, 75, 100])),
    weight: 0.3,
  }),
  aggregate("percentile", numeric, "float", "percentile($1, 90)", {
    duckdb: all,
    rule: judged((got, want) => isQuantile(got, want, 0.9)),
    weight: 0.4,
  }),
  aggregate("first in order", ordered, "argument", "first($1 ORDER BY timestamp)", {
    duckdb: "arg_min($1, struct_pack(t := timestamp, s := sequence))",
    weight: 0.4,
  }),
  aggregate("rate", [], "float", "rate()", {
    duckdb: "struct_pack(n := count(*)@, t := max(timestamp), f := min(timestamp))",
    rule: judged(isRate),
    weight: 0.3,
  }),
];

const byName = new Map(aggregates.map((form) => [form.fn, form]));

export function aggregateOf(fn: string): AggregateForm {
  const form = byName.get(fn);
  if (!form) throw new Error(`no aggregate "${fn}"`);
  return form;
}

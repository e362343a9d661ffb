// Aggregates, each with its two texts and with how close the two answers must be.

import type { Type } from "./tree.ts";

export type Rule =
  | { kind: "exact" }
  /** Doubles added up in any order: relative error. */
  | { kind: "relative"; within: number }
  /** DuckDB answers the exact count, Millrace an estimate. */
  | { kind: "estimate"; within: number }
  /** DuckDB answers all values as a list; what Millrace answers lies near the quantile, relative to the value. */
  | { kind: "quantile"; share: number; within: number };

export interface AggregateForm {
  readonly fn: string;
  /** Its argument, or none for count(*). */
  readonly argument: readonly Type[];
  readonly type: Type | "argument";
  /** `filter` is a whole FILTER clause with a space before it, or nothing. */
  readonly millrace: (arg: string, filter: string) => string;
  readonly duckdb: (arg: string, filter: string) => string;
  readonly rule: Rule;
  readonly weight?: number;
}

const exact: Rule = { kind: "exact" };
/** A sum of n doubles of any order is within n × 2^-53 of the sum of their sizes; cancellation is allowed for in compare. */
const relative: Rule = { kind: "relative", within: 1e-9 };

function same(
  fn: string,
  argument: readonly Type[],
  type: Type | "argument",
  rule: Rule = exact,
  weight = 1,
): AggregateForm {
  return { fn, argument, type, rule, weight, ...written((arg) => `${fn}(${arg})`) };
}

function written(write: (arg: string) => string) {
  const withFilter = (arg: string, filter: string): string => write(arg) + filter;
  return { millrace: withFilter, duckdb: withFilter };
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

export const aggregates: readonly AggregateForm[] = [
  { ...same("count", [], "int", exact, 4), ...written(() => "count(*)") },
  { ...same("count of", ordered, "int", exact, 2), ...written((x) => `count(${x})`) },
  {
    ...same("count distinct", ordered, "int", exact, 2),
    ...written((x) => `count(DISTINCT ${x})`),
  },
  same("sum", ["int"], "int", exact, 2),
  { ...same("sum float", ["float"], "float", relative, 2), ...written((x) => `sum(${x})`) },
  same("avg", ["int", "float"], "float", relative, 2),
  same("min", ordered, "argument", exact, 2),
  same("max", ordered, "argument", exact, 2),
  same("stddev", ["int", "float"], "float", relative),
  same("stddev_pop", ["int", "float"], "float", relative),
  same("var_samp", ["int", "float"], "float", relative),
  same("var_pop", ["int", "float"], "float", relative),
  same("bool_and", ["bool"], "bool"),
  same("bool_or", ["bool"], "bool"),
];

const byName = new Map(aggregates.map((form) => [form.fn, form]));

export function aggregateOf(fn: string): AggregateForm {
  const form = byName.get(fn);
  if (!form) throw new Error(`no aggregate "${fn}"`);
  return form;
}

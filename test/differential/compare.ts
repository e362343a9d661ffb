// Whether an answer of Millrace is one that DuckDB's answer allows.

import { JsonText, type Value } from "../../src/query/result.ts";
import { parseTime } from "../../src/query/time.ts";
import type { DuckValue } from "../oracle/duckdb.ts";
import { orderType } from "../oracle/duckdb-sql.ts";
import { aggregateOf, type Rule } from "./aggregates.ts";
import { isExact } from "./grammar.ts";
import { type Expr, groupedBy, type QueryTree, type Type } from "./tree.ts";

/** Text in which equal values are equal: 3 and 3.0, 0 and -0. */
function numberKey(value: number | bigint): string {
  if (typeof value === "bigint") return `n${value}`;
  return Number.isInteger(value) ? `n${BigInt(value)}` : `n${value}`;
}

function scalarKey(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "bigint") return numberKey(value);
  if (typeof value === "string") return `s${value}`;
  return typeof value === "boolean" ? `b${value}` : `?${JSON.stringify(value)}`;
}

/** The key of a value that Millrace answered for an expression of this type. */
export function millraceKey(type: Type, value: Value | undefined): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof JsonText) return `j${value.text}`;
  if (type === "time" && typeof value === "string") {
    // Buckets of the year 1 may begin in the year before it, which no event can have.
    const us = value.startsWith("0000-") ? BigInt(Date.parse(value)) * 1000n : parseTime(value);
    return typeof us === "bigint" ? `n${us}` : `?${value}`;
  }
  // Sequences are text.
  if (type === "sequence" && typeof value === "string" && /^-?\d+$/.test(value)) return `n${value}`;
  return scalarKey(value);
}

interface Variant {
  readonly r: number;
  readonly b: boolean | null;
  readonly f: number | null;
  readonly i: bigint | null;
  readonly s: string | null;
  readonly j: string | null;
}

export function duckKey(value: DuckValue | undefined): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "object" && "r" in value) {
    const { r, b, f, i, s, j } = value as Variant;
    if (r === 3) return `j${j}`;
    return scalarKey(r === 0 ? b : r === 1 ? (i ?? f) : s);
  }
  return scalarKey(value);
}

/** The rule for an item: its aggregate's own, or how near doubles made of aggregates must be. */
function ruleOf(expr: Expr): Rule {
  if (isExact(expr)) return { kind: "exact" };
  if (expr.k === "aggregate") return aggregateOf(expr.fn).rule;
  return { kind: "relative", within: 1e-9 };
}

/** Differences below it are those of sums that cancel out. */
const absoluteWithin = 1e-5;

function isNear(rule: Rule, got: Value, want: DuckValue): boolean {
  if (got === null || want === null) return got === want;
  if (rule.kind === "quantile") return isQuantile(rule, Number(got), want as unknown as number[]);
  const [a, b] = [Number(got), Number(want)];
  if (Number.isNaN(a)) return false;
  const within = rule.kind === "exact" ? 0 : rule.within;
  const size = Math.max(Math.abs(a), Math.abs(b));
  return (
    a === b ||
    Math.abs(a - b) <= Math.max(within * size, rule.kind === "relative" ? absoluteWithin : 0)
  );
}

/** `values` in ascending order. Any value between the two at the quantile's rank is one. */
function isQuantile(
  rule: { share: number; within: number },
  got: number,
  values: readonly number[],
): boolean {
  const at = rule.share * (values.length - 1);
  const ends = [values[Math.floor(at)], values[Math.ceil(at)]] as number[];
  return (
    ends.some((end) => Math.abs(got - end) <= rule.within * Math.abs(end) + 1e-9) ||
    (got >= (ends[0] as number) && got <= (ends[1] as number))
  );
}

interface Line {
  readonly exact: string;
  readonly near: readonly DuckValue[];
}

/** Takes each of `got` from `want`; what can't be taken, or null. */
function missing(got: readonly Line[], want: readonly Line[], rules: readonly Rule[]): Line | null {
  const left = groupedBy(want, ({ exact }) => exact);
  for (const line of got) {
    const same = left.get(line.exact) ?? [];
    const at = same.findIndex((other) =>
      rules.every((rule, i) => isNear(rule, line.near[i] as Value, other.near[i] ?? null)),
    );
    if (at < 0) return line;
    same.splice(at, 1);
  }
  return null;
}

/**
 * What is wrong with `got`, or null. `want` has all rows in order, with the keys of ORDER BY behind the items; rows
 * with equal keys may stand in any order, and LIMIT may take any of those at its ends.
 */
export function difference(
  query: QueryTree,
  got: readonly (readonly Value[])[],
  want: readonly (readonly DuckValue[])[],
): string | null {
  const end =
    query.limit === null ? want.length : Math.min(want.length, query.offset + query.limit);
  const count = Math.max(0, end - query.offset);
  if (got.length !== count) return `got ${got.length} rows, want ${count}`;
  const rules = query.select.map(ruleOf);
  const near = rules.flatMap((rule, i) => (rule.kind === "exact" ? [] : [i]));
  const nearRules = near.map((i) => rules[i] as Rule);
  const exactAt = rules.flatMap((rule, i) => (rule.kind === "exact" ? [i] : []));
  const types = query.select.map(({ type }) => type);
  const gotLine = (row: readonly Value[]): Line => ({
    exact: exactAt.map((i) => millraceKey(types[i] as Type, row[i])).join("\u0001"),
    near: near.map((i) => row[i] as DuckValue),
  });
  const wantLine = (row: readonly DuckValue[]): Line => ({
    exact: exactAt.map((i) => duckKey(row[i])).join("\u0001"),
    near: near.map((i) => row[i] ?? null),
  });
  const sameKeys = (a: readonly DuckValue[], b: readonly DuckValue[]): boolean =>
    query.orderBy.every((order, i) => {
      const at = query.select.length + i;
      if (duckKey(a[at]) === duckKey(b[at])) return true;
      const rule = order.item === undefined ? undefined : rules[order.item];
      return rule !== undefined && rule.kind !== "exact" && orderType(query, order) === "float"
        ? isNear(rule, a[at] as Value, b[at] ?? null)
        : false;
    });
  for (let first = 0; first < end; ) {
    let last = first + 1;
    while (last < want.length && sameKeys(want[last - 1] ?? [], want[last] ?? [])) last++;
    const from = Math.max(first, query.offset);
    const part = got.slice(from - query.offset, Math.max(from, Math.min(last, end)) - query.offset);
    const line = missing(part.map(gotLine), want.slice(first, last).map(wantLine), nearRules);
    if (line) {
      const shown = want.slice(first, Math.min(last, first + 5)).map(wantLine);
      return `rows ${from}…: got ${showLine(line)}, which is not among ${shown.map(showLine).join("; ")}`;
    }
    first = last;
  }
  return null;
}

function showLine({ exact, near }: Line): string {
  return `[${exact.replaceAll("\u0001", " | ")}${near.length > 0 ? ` ≈ ${near.join(", ")}` : ""}]`;
}

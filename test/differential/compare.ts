// Whether an answer of Millrace is one that DuckDB's answer allows.

import type { Value } from "../../src/query/result.ts";
import { type DuckValue, duckKey } from "../oracle/duckdb.ts";
import { orderType } from "../oracle/duckdb-sql.ts";
import { aggregateOf, type Rule } from "./aggregates.ts";
import { isExact } from "./grammar.ts";
import { millraceKey } from "./keys.ts";
import { type Expr, groupedBy, type QueryTree, type Type } from "./tree.ts";

/** The rule for an item: its aggregate's own, or how near doubles made of aggregates must be. */
function ruleOf(expr: Expr): Rule {
  if (isExact(expr)) return { kind: "exact" };
  if (expr.k === "aggregate") return aggregateOf(expr.fn).rule;
  return { kind: "relative", within: 1e-9 };
}

/** Differences below it are those of sums that cancel out. */
const absoluteWithin = 1e-5;

function isNear(rule: Rule, type: Type, got: Value, want: DuckValue): boolean {
  if (rule.kind === "judged") return rule.accepts(got, want, type);
  if (got === null || want === null) return got === want;
  const [a, b] = [Number(got), Number(want)];
  if (Number.isNaN(a) || a === b) return a === b;
  if (rule.kind === "exact") return false;
  const size = Math.max(Math.abs(a), Math.abs(b));
  return Math.abs(a - b) <= Math.max(rule.within * size, absoluteWithin);
}

/** What judges an item: the type of the values that went into an aggregate whose answer is of another. */
function judgedType(expr: Expr): Type {
  const [arg] = expr.k === "aggregate" ? expr.args : [];
  return expr.type === "json" && arg ? arg.type : expr.type;
}

interface Line {
  readonly exact: string;
  readonly near: readonly DuckValue[];
}

/** Of more lines than these none looks for another when its own is taken. */
const searchedMax = 500;

/** Whether the lines fit each other in the order of what is near in them: what nearly all do. */
function inOrder(
  got: readonly Line[],
  want: readonly Line[],
  fits: (line: Line, other: Line) => boolean,
): boolean {
  if (got.length !== want.length) return false;
  const sorted = (list: readonly Line[]): Line[] =>
    list.toSorted((a, b) => {
      for (let i = 0; i < a.near.length; i++) {
        const order = Number(a.near[i] ?? -Infinity) - Number(b.near[i] ?? -Infinity);
        if (order !== 0 && !Number.isNaN(order)) return order;
      }
      return 0;
    });
  const others = sorted(want);
  return sorted(got).every((line, i) => fits(line, others[i] as Line));
}

/**
 * A line of `got` that has no line of `want` for itself, or null. Lines that are near several others find theirs by
 * augmenting paths: whoever has taken one looks for another.
 */
function missing(
  got: readonly Line[],
  want: readonly Line[],
  rules: readonly Rule[],
  types: readonly Type[],
): Line | null {
  const offers = groupedBy(want, ({ exact }) => exact);
  for (const [exact, lines] of groupedBy(got, (line) => line.exact)) {
    const offered = offers.get(exact) ?? [];
    // Lines without anything near are all alike.
    if (rules.length === 0 && lines.length > offered.length) return lines[0] as Line;
    if (rules.length === 0) continue;
    const fits = (line: Line, other: Line): boolean =>
      rules.every((rule, i) =>
        isNear(rule, types[i] ?? "float", line.near[i] as Value, other.near[i] ?? null),
      );
    if (inOrder(lines, offered, fits)) continue;
    const takenBy = new Map<number, number>();
    const settle = (line: number, seen: Set<number>): boolean => {
      for (let at = 0; at < offered.length; at++) {
        if (seen.has(at) || !fits(lines[line] as Line, offered[at] as Line)) continue;
        seen.add(at);
        const other = takenBy.get(at);
        if (other !== undefined && (lines.length > searchedMax || !settle(other, seen))) continue;
        takenBy.set(at, line);
        return true;
      }
      return false;
    };
    const left = lines.findIndex((_, line) => !settle(line, new Set()));
    if (left >= 0) return lines[left] as Line;
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
  const types = query.select.map(judgedType);
  const nearTypes = near.map((i) => types[i] as Type);
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
        ? isNear(rule, "float", a[at] as Value, b[at] ?? null)
        : false;
    });
  for (let first = 0; first < end; ) {
    let last = first + 1;
    while (last < want.length && sameKeys(want[last - 1] ?? [], want[last] ?? [])) last++;
    const from = Math.max(first, query.offset);
    const part = got.slice(from - query.offset, Math.max(from, Math.min(last, end)) - query.offset);
    const line = missing(
      part.map(gotLine),
      want.slice(first, last).map(wantLine),
      nearRules,
      nearTypes,
    );
    if (line) {
      const shown = want.slice(first, Math.min(last, first + 5)).map(wantLine);
      return `rows ${from}…: got ${showLine(line)}, which is not among ${shown.map(showLine).join("; ")}`;
    }
    first = last;
  }
  return null;
}

/** How far two sketches of the same rows may be apart, relative to the value. */
const sketchWithin = 0.03;

/** Whether two answers of Millrace to a query without LIMIT have the same rows; what differs, or null. */
export function sameRows(
  { select }: QueryTree,
  got: readonly (readonly Value[])[],
  want: readonly (readonly Value[])[],
): string | null {
  if (got.length !== want.length) return `got ${got.length} rows, want ${want.length}`;
  const rules = select.map((expr): Rule => {
    const rule = ruleOf(expr);
    if (rule.kind !== "judged") return rule;
    const isAny = expr.k === "aggregate" && expr.fn === "any_value";
    return {
      kind: "judged",
      accepts: (a, b) =>
        isAny ||
        millraceKey("variant", a as Value) === millraceKey("variant", b as Value) ||
        Math.abs(Number(a) - Number(b)) <= Math.max(2, sketchWithin * Math.abs(Number(b))),
    };
  });
  const near = rules.flatMap((rule, i) => (rule.kind === "exact" ? [] : [i]));
  const line = (row: readonly Value[]): Line => ({
    exact: rules
      .flatMap((rule, i) =>
        rule.kind === "exact" ? [millraceKey(select[i]?.type ?? "int", row[i])] : [],
      )
      .join("\u0001"),
    near: near.map((i) => (row[i] ?? null) as DuckValue),
  });
  const left = missing(
    got.map(line),
    want.map(line),
    near.map((i) => rules[i] as Rule),
    near.map((i) => select[i]?.type ?? "float"),
  );
  return left && `got ${showLine(left)}, which the other has not`;
}

function showLine({ exact, near }: Line): string {
  return `[${exact.replaceAll("\u0001", " | ")}${near.length > 0 ? ` ≈ ${near.join(", ")}` : ""}]`;
}

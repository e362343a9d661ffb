// A query tree in the JSON form of a query, or null where the form has no such thing.

import { exprSql } from "./render.ts";
import type { Aggregate, Expr, QueryTree } from "./tree.ts";
import { sameExpr } from "./tree.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const signs: Readonly<Record<string, string>> = { "<>": "!=" };

/** A constant as JSON; null where JSON has none that means the same. */
function constantOf(expr: Expr | undefined): Json | undefined {
  if (expr?.k !== "literal" || expr.value === null) return undefined;
  if (expr.type === "int" || expr.type === "float") {
    const number = Number(expr.value);
    return String(number) === expr.value ? number : undefined;
  }
  return expr.type === "text" || expr.type === "bool" ? expr.value : undefined;
}

/** A condition as members of its own where it has them, else as SQL text. */
export function conditionForm(expr: Expr): Json {
  if (expr.k !== "call") return exprSql(expr);
  const [first, second] = expr.args;
  if (expr.op === "and" || expr.op === "or") return { [expr.op]: expr.args.map(conditionForm) };
  if (expr.op === "not" && first) return { not: conditionForm(first) };
  if (first?.k !== "path") return exprSql(expr);
  const field = first.path;
  if (first.type === "exists") return exprSql(expr);
  if (expr.op.endsWith(" is null")) return { field, op: "is_null" };
  if (expr.op.endsWith(" is not null")) return { field, op: "is_not_null" };
  const sign = /^\w+?([<>=]+)literal$/.exec(expr.op)?.[1];
  const value = constantOf(second);
  if (sign !== undefined && value !== undefined) return { field, op: signs[sign] ?? sign, value };
  const op = / (not )?in$/.test(expr.op) ? (expr.op.includes("not") ? "not_in" : "in") : null;
  const values = expr.args.slice(1).map(constantOf);
  if (op && values.every((one) => one !== undefined)) return { field, op, value: values as Json[] };
  if ((expr.op === "like" || expr.op === "ilike") && value !== undefined) {
    return { field, op: expr.op, value };
  }
  return exprSql(expr);
}

const plainAggregates: Readonly<Record<string, string>> = {
  count: "count",
  "count of": "count",
  "count distinct": "count_distinct",
  sum: "sum",
  "sum float": "sum",
  avg: "avg",
  min: "min",
  max: "max",
  stddev: "stddev_samp",
  var_pop: "var_pop",
  first: "first",
  median: "median",
  approx_count_distinct: "approx_count_distinct",
};

function aggregateForm(expr: Aggregate, as: string): Json {
  const fn = plainAggregates[expr.fn];
  if (fn === undefined) return { expr: exprSql(expr), as };
  const [arg] = expr.args;
  const of: { [key: string]: Json } = !arg
    ? {}
    : arg.k === "path"
      ? { field: arg.path }
      : { expr: exprSql(arg) };
  return { fn, ...of, ...(expr.filter && { filter: conditionForm(expr.filter) }), as };
}

function itemForm(expr: Expr, as: string): Json {
  if (expr.k === "aggregate") return aggregateForm(expr, as);
  return expr.k === "path" ? { field: expr.path, as } : { expr: exprSql(expr), as };
}

export function queryForm(query: QueryTree): Json | null {
  if (query.distinct) return null;
  const group = query.groupBy.map((expr, i): Json => {
    const at = query.select.findIndex((item) => sameExpr(item, expr));
    const as = at < 0 ? `g${i}` : `c${at}`;
    return expr.k === "path" ? { field: expr.path, as } : { expr: exprSql(expr), as };
  });
  const order = query.orderBy.map((one): Json => {
    const key = one.expr ? { expr: exprSql(one.expr) } : { by: `c${one.item}` };
    const direction = one.descending ? "desc" : "asc";
    return { ...key, direction, ...(one.nulls && { nulls: one.nulls }) };
  });
  // Keys that aren't selected would come first in the result, so that all of them are named.
  return {
    select: query.select.map((expr, i) => itemForm(expr, `c${i}`)),
    ...(query.where && { where: conditionForm(query.where) }),
    ...(group.length > 0 && { group_by: group }),
    ...(query.having && { having: exprSql(query.having) }),
    ...(order.length > 0 && { order_by: order }),
    ...(query.limit !== null && { limit: query.limit }),
    ...(query.offset > 0 && { offset: query.offset }),
  };
}

// A query tree as Millrace SQL.

import { joinKeys, splitKeys } from "../../src/query/paths.ts";
import { formatTime } from "../../src/query/time.ts";
import { aggregateOf } from "./aggregates.ts";
import { operatorOf } from "./operators.ts";
import type { Expr, Order, QueryTree } from "./tree.ts";
import { sameExpr } from "./tree.ts";

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Every other property is written with arrows where its keys allow it; `tree` texts are the same each time. */
export function pathSql(path: string): string {
  if (!path.startsWith("properties.")) return path;
  const keys = splitKeys(path.slice("properties.".length)) ?? [];
  const names = keys.map((key) =>
    /^[a-z_][a-z0-9_]*$/i.test(key) && !reserved.has(key) ? key : `"${key.replaceAll('"', '""')}"`,
  );
  return ["properties", ...names].join(".");
}

/** `properties ? 'a'`, and `properties.a ? 'b'` for what is nested. */
function existsSql(path: string): string {
  const keys = splitKeys(path.slice("properties.".length)) ?? [];
  const parent = ["properties", ...keys.slice(0, -1).map((key) => joinKeys([key]))].join(".");
  return `(${parent === "properties" ? parent : pathSql(parent)} ? ${quoted(keys.at(-1) ?? "")})`;
}

/** A word of PostgreSQL's own is a name after a dot as well; quotes are never wrong. */
const reserved = new Set(["select", "count", "timestamp"]);

function literalSql(expr: Extract<Expr, { k: "literal" }>): string {
  const { type, value } = expr;
  if (type === "raw") return String(value);
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (type === "text") return quoted(value);
  if (type === "time") return `timestamptz '${formatTime(BigInt(value))}'`;
  const digits = type === "float" && /^-?\d+$/.test(value) ? `${value}.0` : value;
  return digits.startsWith("-") ? `(${digits})` : digits;
}

/** Takes constants out of the text: `$1`, `$2`, … stand for what is put into the list. */
export type Parameters = (string | number | boolean)[];

/** Constants as parameters while a text with such is written. */
let parameters: Parameters | null = null;

function parameterSql({ type, value }: Extract<Expr, { k: "literal" }>): string | null {
  if (parameters === null || value === null || type === "raw" || type === "time") return null;
  const number = type === "int" || type === "float";
  if (number && (String(Number(value)) !== value || !Number.isSafeInteger(Number(value))))
    return null;
  parameters.push(number ? Number(value) : value);
  return `$${parameters.length}`;
}

/** The query's text, its constants being parameters, which are added to `list`. */
export function parameterizedSql(query: QueryTree, list: Parameters): string {
  parameters = list;
  try {
    return querySql(query);
  } finally {
    parameters = null;
  }
}

export function exprSql(expr: Expr): string {
  switch (expr.k) {
    case "path":
      return expr.type === "exists" ? existsSql(expr.path) : pathSql(expr.path);
    case "literal":
      return parameterSql(expr) ?? literalSql(expr);
    case "call":
      return operatorOf(expr.op).millrace(expr.args.map(exprSql));
    case "aggregate": {
      const filter = expr.filter ? ` FILTER (WHERE ${exprSql(expr.filter)})` : "";
      return aggregateOf(expr.fn).millrace(expr.args.map(exprSql).join(", "), filter);
    }
  }
}

/** GROUP BY names a selected expression by its place, by its alias and by itself, in turn. */
function groupSql(expr: Expr, index: number, query: QueryTree): string {
  const item = query.select.findIndex((one) => sameExpr(one, expr));
  if (item < 0 || index % 3 === 0) return exprSql(expr);
  return index % 3 === 1 ? String(item + 1) : `c${item}`;
}

function orderSql({ item, expr, descending, nulls }: Order, index: number): string {
  const key = expr ? exprSql(expr) : index % 2 === 0 ? `c${item}` : String(Number(item) + 1);
  return `${key}${descending ? " DESC" : ""}${nulls ? ` NULLS ${nulls.toUpperCase()}` : ""}`;
}

export function querySql(query: QueryTree): string {
  const items = query.select.map((expr, i) => `${exprSql(expr)} AS c${i}`);
  const parts = [`SELECT ${query.distinct ? "DISTINCT " : ""}${items.join(", ")} FROM events`];
  if (query.where) parts.push(`WHERE ${exprSql(query.where)}`);
  if (query.groupBy.length > 0) {
    parts.push(`GROUP BY ${query.groupBy.map((expr, i) => groupSql(expr, i, query)).join(", ")}`);
  }
  if (query.having) parts.push(`HAVING ${exprSql(query.having)}`);
  if (query.orderBy.length > 0) parts.push(`ORDER BY ${query.orderBy.map(orderSql).join(", ")}`);
  if (query.limit !== null) parts.push(`LIMIT ${query.limit}`);
  if (query.offset > 0) parts.push(`OFFSET ${query.offset}`);
  return parts.join(" ");
}

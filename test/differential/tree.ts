// A query as a tree that is written down twice: as Millrace SQL and as DuckDB SQL. Everything in it is plain JSON, so
// that a case that failed can be kept in a file.

/**
 * What an expression answers. "number" is a path whose values are i64 and f64 side by side and may be beyond what a
 * double holds: it is only compared, counted and grouped by. "variant" is a path with values of several types. "raw"
 * is not an expression but a part of a form's own text, such as the unit of extract().
 */
export type Type =
  | "int"
  | "float"
  | "number"
  | "text"
  | "bool"
  | "time"
  | "interval"
  | "variant"
  | "sequence"
  | "exists"
  | "json"
  | "raw";

/** Integers, floats and times (µs) are kept as text, so that JSON keeps all of their digits. */
export type Expr =
  | { k: "path"; type: Type; path: string }
  | { k: "literal"; type: Type; value: string | boolean | null }
  | { k: "call"; type: Type; op: string; args: Expr[] }
  | {
      k: "aggregate";
      type: Type;
      fn: string;
      args: Expr[];
      distinct?: boolean;
      filter?: Expr;
    };

export type Call = Extract<Expr, { k: "call" }>;
export type Aggregate = Extract<Expr, { k: "aggregate" }>;

/** `item` is an index into `select`; `expr` is something that isn't selected. */
export interface Order {
  item?: number;
  expr?: Expr;
  descending: boolean;
  /** Undefined: as PostgreSQL has it, last ascending and first descending. */
  nulls?: "first" | "last";
}

export interface QueryTree {
  select: Expr[];
  /** SELECT DISTINCT, of a query without groups. */
  distinct?: boolean;
  where: Expr | null;
  groupBy: Expr[];
  having: Expr | null;
  orderBy: Order[];
  limit: number | null;
  offset: number;
}

export function childrenOf(expr: Expr): readonly Expr[] {
  if (expr.k === "call") return expr.args;
  if (expr.k === "aggregate") return expr.filter ? [...expr.args, expr.filter] : expr.args;
  return [];
}

/** Whether `found` holds for the expression or a part of it. */
export function some(expr: Expr, found: (part: Expr) => boolean): boolean {
  return found(expr) || childrenOf(expr).some((child) => some(child, found));
}

export function hasAggregate(expr: Expr): boolean {
  return some(expr, (part) => part.k === "aggregate");
}

export function isGrouped(query: QueryTree): boolean {
  return query.groupBy.length > 0 || query.select.some(hasAggregate) || query.having !== null;
}

/** All expressions of a query. */
export function expressionsOf(query: QueryTree): Expr[] {
  const orders = query.orderBy.flatMap(({ expr }) => (expr ? [expr] : []));
  const conditions = [query.where, query.having].filter((expr) => expr !== null);
  return [...query.select, ...query.groupBy, ...conditions, ...orders];
}

export function pathsOf(query: QueryTree): Set<string> {
  const paths = new Set<string>();
  for (const expr of expressionsOf(query)) {
    some(expr, (part) => {
      if (part.k === "path") paths.add(part.path);
      return false;
    });
  }
  return paths;
}

export function sameExpr(a: Expr, b: Expr): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The items by their key, in order. */
export function groupedBy<K, V>(list: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of list) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

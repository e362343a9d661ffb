import type { Node } from "libpg-query";
import type { Expression } from "../expression/expression.ts";
import type { AggregateList, Place, Term } from "../typing/term.ts";
import type { SqlSource } from "./source.ts";

/** The columns that names are found among. */
export interface Columns {
  /** The column of a name without its table; `place` is to blame where there is none. */
  column(names: readonly string[], place: Place): Expression;
  /** What `SELECT *` shows. */
  readonly all: readonly { readonly of: Expression; readonly as: string }[];
}

/** What a statement is compiled against. */
export interface SqlScope {
  readonly source: SqlSource;
  /** The name that columns may be qualified with. */
  readonly table: string;
  /** Values of `$1`, `$2`, …, as JSON gave them. */
  readonly params: readonly unknown[];
  readonly columns: Columns;
  /** Takes aggregates; null where `clause` has none. */
  readonly aggregates: AggregateList | null;
  /** Where aggregates are not allowed: "a condition". */
  readonly clause: string;
  readonly depth: number;
  /** Compiles a part of the tree. */
  compile(node: Node | undefined, scope: SqlScope): Term;
}

export function placeAt(source: SqlSource, location: number): Place {
  return {
    error: (code, problem, status = 400) => source.error(code, problem, location, status),
  };
}

/** Where a node is, in the parser's offsets; some nodes only know it through their parts. */
export function locationOf(node: Node | undefined): number {
  const inner = node ? (Object.values(node)[0] as Record<string, unknown>) : {};
  const { location } = inner;
  if (typeof location === "number" && location >= 0) return location;
  const part = inner.arg ?? inner.lexpr ?? inner.xpr ?? inner.val ?? inner.node;
  return typeof part === "object" && part !== null ? locationOf(part as Node) : 0;
}

/** The last of the names of a function, an operator or a type. */
export function nameOf(names: readonly Node[] | undefined): string {
  const last = names?.at(-1);
  return last && "String" in last ? (last.String.sval ?? "").toLowerCase() : "";
}

const featureNames: Readonly<Record<string, string>> = {
  SubLink: "subqueries",
  SQLValueFunction: "CURRENT_TIME and LOCALTIME",
  A_ArrayExpr: "ARRAY here",
  RowExpr: "row values",
  A_Indirection: "subscripts",
  CollateClause: "COLLATE",
  GroupingFunc: "GROUPING",
  GroupingSet: "GROUPING SETS, CUBE and ROLLUP",
  SetToDefault: "DEFAULT",
  JsonIsPredicate: "IS JSON",
  JsonObjectConstructor: "JSON_OBJECT",
  JsonArrayConstructor: "JSON_ARRAY",
  JsonFuncExpr: "JSON_VALUE and its like",
  XmlExpr: "XML functions",
  NamedArgExpr: "named arguments of this function",
};

/** What a node is, in the words of SQL. */
export function featureOf(node: Node): string {
  const kind = Object.keys(node)[0] ?? "";
  return featureNames[kind] ?? `${kind} (a part of PostgreSQL's grammar)`;
}

// SELECT: its clauses, and how they name what the others compute.

import type { Node, ResTarget, SelectStmt, SortBy } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import { InputError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import { expressionKey, walkExpression } from "../expression/expression.ts";
import { showLiteral } from "../literal.ts";
import { lastKey } from "../paths.ts";
import { predicateOf } from "../predicate.ts";
import type { Fill, GroupKey, Order, Query } from "../query.ts";
import { isAggregate } from "../typing/aggregates.ts";
import { assembleQuery } from "../typing/assemble.ts";
import { conditionOf, wholeProperties } from "../typing/conditions.ts";
import type { Term } from "../typing/term.ts";
import { AggregateList, isNull, term } from "../typing/term.ts";
import { arrowKeys, isArrow, isStar } from "./path.ts";
import type { SqlScope } from "./scope.ts";
import { featureOf, locationOf, nameOf, placeAt } from "./scope.ts";
import type { SqlSource } from "./source.ts";

interface Target {
  readonly term: Term;
  readonly as: string;
}

export function refuseClauses(select: SelectStmt, source: SqlSource): void {
  const [distinct] = select.distinctClause ?? [];
  const clauses: [unknown, string, string][] = [
    [select.withClause, "WITH", "with"],
    [distinct && Object.keys(distinct).length > 0, "DISTINCT ON", "distinct"],
    [select.windowClause?.[0], "WINDOW", "window"],
    [select.valuesLists?.[0], "VALUES", "values"],
    [select.lockingClause?.[0], "FOR UPDATE and its like", "for"],
    [select.intoClause, "SELECT INTO", "into"],
    [select.limitOption === "LIMIT_OPTION_WITH_TIES", "WITH TIES", "ties"],
    [select.groupDistinct, "GROUP BY DISTINCT", "group"],
  ];
  for (const [present, feature, keyword] of clauses) {
    if (present) throw source.notImplementedAtWord(feature, keyword);
  }
  if (select.op && select.op !== "SETOP_NONE") {
    const word = select.op.replace("SETOP_", "");
    throw source.notImplementedAtWord(word, word.toLowerCase());
  }
}

/** The table of FROM: its schema, its name and the name that columns may be qualified with; null: there is none. */
export function tableOf(
  select: SelectStmt,
  source: SqlSource,
): { schema: string; name: string; alias: string; location: number } | null {
  const [from, ...more] = select.fromClause ?? [];
  if (!from) return null;
  if ("JoinExpr" in from) throw source.notImplemented("JOIN", locationOf(from.JoinExpr.larg));
  if (more.length > 0) throw source.notImplemented("JOIN", locationOf(more[0]));
  if ("RangeSubselect" in from) {
    // The node itself has no place; its first column does.
    const { subquery } = from.RangeSubselect;
    const inner = subquery && "SelectStmt" in subquery ? subquery.SelectStmt.targetList?.[0] : from;
    throw source.notImplemented("subqueries", locationOf(inner));
  }
  if ("RangeTableSample" in from) throw source.notImplementedAtWord("TABLESAMPLE", "tablesample");
  if (!("RangeVar" in from)) throw source.notImplementedAtWord("functions in FROM", "from");
  const { relname = "", schemaname = "", catalogname, inh, alias, location = 0 } = from.RangeVar;
  if (!inh) throw source.notImplementedAtWord("ONLY", "only");
  if (catalogname) throw source.notImplemented("a catalog's name before the schema", location);
  if (alias?.colnames) throw source.notImplemented("column aliases of a table", location);
  return { schema: schemaname, name: relname, alias: alias?.aliasname ?? relname, location };
}

/** The name that columns may be qualified with, FROM being `events`. */
export function eventsAlias(select: SelectStmt, source: SqlSource): string {
  const table = tableOf(select, source);
  if (table === null) throw source.notImplemented("SELECT without FROM events", 0);
  const { schema, name, alias, location } = table;
  if (name === "events" && (schema === "" || schema === "public")) return alias;
  const written = schema ? `${schema}.${name}` : name;
  const hint = didYouMean(written, ["events"]) || '; want "events"';
  throw source.error("unknown_table", `there is no table "${written}"${hint}`, location);
}

/** How PostgreSQL calls a column that nobody named. */
function defaultName(node: Node, scope: SqlScope): string {
  if ("ColumnRef" in node) {
    const { of } = scope.compile(node, scope);
    return of.kind === "path" ? lastKey(of.path) : "?column?";
  }
  if ("FuncCall" in node) return nameOf(node.FuncCall.funcname);
  if ("TypeCast" in node && node.TypeCast.arg) {
    const inner = defaultName(node.TypeCast.arg, scope);
    return inner === "?column?" ? nameOf(node.TypeCast.typeName?.names) : inner;
  }
  if ("CaseExpr" in node) return "case";
  if ("CoalesceExpr" in node) return "coalesce";
  if ("MinMaxExpr" in node) return node.MinMaxExpr.op === "IS_LEAST" ? "least" : "greatest";
  if ("SQLValueFunction" in node)
    return (node.SQLValueFunction.op ?? "").replace("SVFOP_", "").toLowerCase();
  if ("A_Expr" in node && isArrow(nameOf(node.A_Expr.name))) {
    return arrowKeys(node, scope)?.at(-1) ?? "?column?";
  }
  if ("A_Expr" in node && node.A_Expr.kind === "AEXPR_NULLIF") return "nullif";
  return "?column?";
}

function targetsOf(target: ResTarget, scope: SqlScope): Target[] {
  const location = target.location ?? 0;
  const { val } = target;
  if (!val) throw scope.source.notImplemented("this column", location);
  if (isStar(val, scope)) {
    const place = placeAt(scope.source, locationOf(val));
    return scope.columns.all.map(({ of, as }) => ({ term: term({ ...of }, place), as }));
  }
  const made = scope.compile(val, scope);
  return [
    {
      term: made,
      as: target.name ?? defaultName(val, { ...scope, aggregates: new AggregateList() }),
    },
  ];
}

/** The single written name of a bare column reference, for aliases. */
function bareName(node: Node, scope: SqlScope): string | null {
  if (!("ColumnRef" in node) || node.ColumnRef.fields?.length !== 1) return null;
  return scope.source.nameAt(node.ColumnRef.location ?? 0)?.[0] ?? null;
}

/** The targets with that name: exactly, else ignoring case. */
function namedTargets(name: string | null, targets: readonly Target[]): Target[] {
  if (name === null) return [];
  const exact = targets.filter((target) => target.as === name);
  if (exact.length > 0) return exact;
  return targets.filter((target) => target.as.toLowerCase() === name.toLowerCase());
}

/** `GROUP BY 1`, `ORDER BY 2`: the target at that place, or null when the node is no number. */
function positioned(
  node: Node,
  clause: string,
  targets: readonly Target[],
  scope: SqlScope,
): Target | null {
  if (!("A_Const" in node)) return null;
  const { ival } = node.A_Const;
  if (!ival) {
    const problem = `got a constant in ${clause}, want a column's place, its name or an expression`;
    throw scope.source.error("sql_semantics", problem, locationOf(node));
  }
  const place = ival.ival ?? 0;
  const target = targets[place - 1];
  if (target) return target;
  const problem = `there is no column ${place}: SELECT has ${targets.length}`;
  throw scope.source.error("sql_semantics", problem, locationOf(node));
}

function groupTerm(node: Node, targets: readonly Target[], scope: SqlScope): Term {
  const placed = positioned(node, "GROUP BY", targets, scope);
  if (placed) return placed.term;
  try {
    return scope.compile(node, scope);
  } catch (error) {
    // As in PostgreSQL, a column of the table goes before an alias of the same name.
    const [named] = namedTargets(bareName(node, scope), targets);
    if (!(error instanceof InputError) || !named) throw error;
    return named.term;
  }
}

function holdsAggregate(of: Expression): boolean {
  let holds = false;
  walkExpression(of, (part) => {
    if (part.kind === "aggregate") holds = true;
  });
  return holds;
}

function nameOfKey(of: Expression): string {
  if (of.kind === "path") return lastKey(of.path);
  return of.kind === "bucket" ? "time_bucket" : of.kind === "call" ? of.fn : "?column?";
}

function groupKeys(select: SelectStmt, targets: readonly Target[], scope: SqlScope): GroupKey[] {
  const keys = new Map<string, GroupKey>();
  const inner: SqlScope = { ...scope, aggregates: null, clause: "GROUP BY" };
  const add = ({ of, place }: Term): void => {
    if (holdsAggregate(of)) {
      throw place.error("sql_semantics", "aggregate functions are not allowed in GROUP BY");
    }
    if (of.kind === "path" && of.path === "properties") throw wholeProperties(place);
    const text = expressionKey(of);
    const target = targets.find((one) => expressionKey(one.term.of) === text);
    if (!keys.has(text)) keys.set(text, { of, as: target?.as ?? nameOfKey(of) });
  };
  for (const node of select.groupClause ?? []) {
    if ("GroupingSet" in node && node.GroupingSet.kind !== "GROUPING_SET_EMPTY") {
      throw scope.source.notImplemented(featureOf(node), locationOf(node));
    }
    if ("GroupingSet" in node) continue;
    add(groupTerm(node, targets, inner));
  }
  if (!select.distinctClause?.length) return [...keys.values()];
  const grouped = keys.size > 0 || targets.some((one) => holdsAggregate(one.term.of));
  if (grouped) throw scope.source.notImplementedAtWord("DISTINCT of groups", "distinct");
  for (const one of targets) add(one.term);
  return [...keys.values()];
}

function orderKey(sort: SortBy, targets: readonly Target[], scope: SqlScope): Order {
  const { source } = scope;
  const { node, sortby_dir, sortby_nulls } = sort;
  if (!node) throw source.notImplemented("this ORDER BY", sort.location ?? 0);
  if (sortby_dir === "SORTBY_USING") throw source.notImplemented("USING", locationOf(node));
  const descending = sortby_dir === "SORTBY_DESC";
  const nullsFirst =
    sortby_nulls === "SORTBY_NULLS_FIRST" || (descending && sortby_nulls !== "SORTBY_NULLS_LAST");
  const named = namedTargets(bareName(node, scope), targets);
  const [first] = named;
  const text = (one: Target): string => expressionKey(one.term.of);
  if (first && named.some((one) => text(one) !== text(first))) {
    throw source.error("sql_semantics", `ORDER BY "${first.as}" is ambiguous`, locationOf(node));
  }
  const target = first ?? positioned(node, "ORDER BY", targets, scope);
  const { of, place } = target ? target.term : scope.compile(node, scope);
  if (of.kind === "path" && of.path === "properties") throw wholeProperties(place);
  return { of, descending, nullsFirst };
}

export function countOf(node: Node | undefined, clause: string, scope: SqlScope): number | null {
  if (!node) return null;
  const { of, place } = scope.compile(node, scope);
  if (isNull(of)) return null;
  const value = of.kind === "literal" ? of.value : undefined;
  const isCount = typeof value === "bigint" || (typeof value === "string" && /^\d+$/.test(value));
  const count = isCount ? Number(value) : value;
  // No table has as many rows as that: tools write the largest integer that they know for "all of them".
  if (typeof count === "number" && count >= 0 && (isCount || Number.isInteger(count))) {
    return Math.min(count, Number.MAX_SAFE_INTEGER);
  }
  const got = of.kind === "literal" ? showLiteral(value) : "an expression";
  throw place.error("sql_type", `${clause}: got ${got}, want a count of rows, an integer from 0`);
}

/** The places where a tree calls a function that `matches`; what is within a call of `except` is left out. */
function callsOf(tree: unknown, matches: (name: string) => boolean, except = ""): number[] {
  if (typeof tree !== "object" || tree === null) return [];
  if ("FuncCall" in tree) {
    const { funcname, location = 0 } = tree.FuncCall as { funcname?: Node[]; location?: number };
    const name = nameOf(funcname);
    if (name === except) return [];
    if (matches(name)) return [location];
  }
  return Object.values(tree).flatMap((inner) => callsOf(inner, matches, except));
}

/** `time_bucket_gapfill` asks for buckets without rows; `locf` says what their aggregates are: all of them, or none. */
function fillOf(select: SelectStmt, scope: SqlScope): Fill | null {
  const { source } = scope;
  // Most texts name neither, and their trees need not be walked.
  if (!/gapfill|locf|\\/i.test(source.text)) return null;
  const outputs = [select.targetList, select.havingClause, select.sortClause];
  const gapfill = callsOf(
    [select.groupClause, select.targetList],
    (name) => name === "time_bucket_gapfill",
  );
  const [locf] = callsOf(outputs, (name) => name === "locf");
  if (gapfill.length === 0) {
    if (locf === undefined) return null;
    throw source.error("sql_semantics", "locf() wants time_bucket_gapfill() in GROUP BY", locf);
  }
  if (locf === undefined) return "null";
  const [bare] = callsOf(outputs, isAggregate, "locf");
  if (bare === undefined) return "previous";
  throw source.notImplemented("an aggregate without locf() beside one with it", bare);
}

export interface Clauses {
  readonly targets: readonly Target[];
  readonly where: Expression | null;
  readonly groupBy: readonly GroupKey[];
  readonly having: Expression | null;
  readonly orderBy: readonly Order[];
  readonly limit: number | null;
  readonly offset: number;
}

/** The clauses of a SELECT from the columns of `scope`. */
export function compileClauses(select: SelectStmt, outer: SqlScope): Clauses {
  const { source } = outer;
  const scope: SqlScope = { ...outer, aggregates: outer.aggregates ?? new AggregateList() };
  const plain: SqlScope = { ...scope, aggregates: null, clause: "WHERE" };
  const targets = (select.targetList ?? []).flatMap((node) => {
    if ("ResTarget" in node) return targetsOf(node.ResTarget, scope);
    throw source.notImplemented("this column", locationOf(node));
  });
  if (targets.length === 0) throw source.errorAt("sql_semantics", "SELECT has no columns", 1);
  const groupBy = groupKeys(select, targets, scope);
  const { whereClause, havingClause } = select;
  return {
    targets,
    where: whereClause ? conditionOf(plain.compile(whereClause, plain), "WHERE") : null,
    groupBy,
    having: havingClause ? conditionOf(scope.compile(havingClause, scope), "HAVING") : null,
    orderBy: (select.sortClause ?? []).map((node) => {
      if ("SortBy" in node) return orderKey(node.SortBy, targets, scope);
      throw source.notImplemented("this ORDER BY", locationOf(node));
    }),
    limit: countOf(select.limitCount, "LIMIT", plain),
    offset: countOf(select.limitOffset, "OFFSET", plain) ?? 0,
  };
}

/** The query of a SELECT from `events`. */
export function compileSelect(select: SelectStmt, outer: SqlScope): Query {
  refuseClauses(select, outer.source);
  const aggregates = new AggregateList();
  const scope = { ...outer, aggregates, table: eventsAlias(select, outer.source) };
  const { targets, where, ...rest } = compileClauses(select, scope);
  const fill = fillOf(select, scope);
  const buckets = rest.groupBy.filter(({ of }) => of.kind === "bucket");
  if (fill !== null && buckets.length !== 1) {
    // Which of two buckets has gaps would have to be said by each of them.
    const where = buckets.length === 0 ? "outside GROUP BY" : "beside another bucket of time";
    throw scope.source.notImplementedAtWord(
      `time_bucket_gapfill() ${where}`,
      "time_bucket_gapfill",
    );
  }
  return assembleQuery({
    ...rest,
    select: targets.map(({ term: { of }, as }) => ({ of, as })),
    where: where === null ? null : predicateOf(where),
    fromUs: null,
    toUs: null,
    fill,
    aggregates,
  });
}

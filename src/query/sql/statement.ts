import type { Node, ResTarget, SelectStmt, SortBy } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import { InputError } from "../../errors.ts";
import type {
  LegacyKey as GroupKey,
  LegacyOrder as OrderKey,
  LegacyItem as SelectItem,
} from "../legacy.ts";
import { fromLegacy } from "../legacy.ts";
import { lastKey } from "../paths.ts";
import { liftTimeRange } from "../predicate.ts";
import type { Predicate, Query } from "../query.ts";
import type { Column } from "./column.ts";
import { columnOf, sameColumn } from "./column.ts";
import type { Deciding } from "./condition.ts";
import { condition } from "./condition.ts";
import type { SqlScope } from "./operand.ts";
import { locationOf, nameOf, operand } from "./operand.ts";
import type { SqlSource } from "./source.ts";
import { parseExpression, parseSelect } from "./source.ts";

interface Target {
  readonly column: Column;
  readonly as: string;
  readonly location: number;
}

/** Recursion over a tree that a text of allowed length can make may still end the stack. */
function compiling<T>(source: SqlSource, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw source.errorAt("sql_syntax", "the expression is nested too deeply", 1);
  }
}

/**
 * The predicate of SQL expression text, such as `event_type = 'purchase' AND properties.amount > 10`.
 *
 * `deciding` is "false" where the caller puts the result below a NOT. Throws InputError with the 1-based
 * character in `detail.position`: status 400, or 501 for what the query engine doesn't do yet.
 */
export function parseWhere(
  text: string,
  params: readonly unknown[] = [],
  deciding: Deciding = "true",
): Predicate {
  const { source, expression } = parseExpression(text);
  const scope: SqlScope = { source, table: "events", params };
  return compiling(source, () => condition(expression, { deciding, depth: 0 }, scope));
}

function refuseClauses(select: SelectStmt, source: SqlSource): void {
  const clauses: [Node | undefined | false, string][] = [
    [select.withClause && { WithClause: select.withClause }, "WITH"],
    [select.distinctClause && select.targetList?.[0], "SELECT DISTINCT"],
    [select.havingClause, "HAVING"],
    [select.windowClause?.[0], "WINDOW"],
    [select.valuesLists?.[0], "VALUES"],
    [select.lockingClause?.[0], "FOR UPDATE"],
    [select.intoClause && select.targetList?.[0], "SELECT INTO"],
    [select.limitOption === "LIMIT_OPTION_WITH_TIES" && select.limitCount, "WITH TIES"],
    [select.groupDistinct && select.groupClause?.[0], "GROUP BY DISTINCT"],
  ];
  for (const [node, feature] of clauses) {
    if (node) throw source.notImplemented(feature, locationOf(node));
  }
  if (select.op && select.op !== "SETOP_NONE") {
    throw source.notImplemented(select.op.replace("SETOP_", ""), 0);
  }
}

/** The name that columns may be qualified with: `events`, or its alias. */
function tableOf(select: SelectStmt, source: SqlSource): string {
  const [from, ...more] = select.fromClause ?? [];
  if (!from) throw source.notImplemented("SELECT without FROM events", 0);
  if ("JoinExpr" in from) {
    const { larg } = from.JoinExpr;
    throw source.notImplemented("JOIN", locationOf(larg));
  }
  if (more.length > 0) throw source.notImplemented("JOIN", locationOf(more[0]));
  if ("RangeSubselect" in from) {
    // The node itself has no place; its first column does.
    const { subquery } = from.RangeSubselect;
    const inner = subquery && "SelectStmt" in subquery ? subquery.SelectStmt.targetList?.[0] : from;
    throw source.notImplemented("subqueries", locationOf(inner));
  }
  if (!("RangeVar" in from)) throw source.notImplemented("this FROM", locationOf(from));
  const { relname = "", schemaname, alias, location = 0 } = from.RangeVar;
  if (relname !== "events" || schemaname) {
    const name = schemaname ? `${schemaname}.${relname}` : relname;
    const hint = didYouMean(name, ["events"]) || '; want "events"';
    throw source.error("unknown_table", `there is no table "${name}"${hint}`, location);
  }
  if (alias?.colnames) throw source.notImplemented("column aliases of a table", location);
  return alias?.aliasname ?? "events";
}

function defaultName(node: Node, column: Column): string {
  if (column.kind === "field") return lastKey(column.path);
  return "FuncCall" in node ? nameOf(node.FuncCall.funcname) : "time_bucket";
}

function targetOf(target: ResTarget, scope: SqlScope): Target {
  const location = target.location ?? 0;
  const { val } = target;
  if (!val) throw scope.source.notImplemented("this column", location);
  if (target.indirection) throw scope.source.notImplemented("subscripts", location);
  const column = columnOf(val, scope);
  return { column, as: target.name ?? defaultName(val, column), location };
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
function positioned(node: Node, targets: readonly Target[], scope: SqlScope): Target | null {
  if (!("A_Const" in node) || !node.A_Const.ival) return null;
  const place = node.A_Const.ival.ival ?? 0;
  const target = targets[place - 1];
  if (target) return target;
  const problem = `there is no column ${place}: SELECT has ${targets.length}`;
  throw scope.source.error("sql_semantics", problem, locationOf(node));
}

function groupColumn(node: Node, targets: readonly Target[], scope: SqlScope): Column {
  const placed = positioned(node, targets, scope);
  if (placed) return placed.column;
  try {
    return columnOf(node, scope);
  } catch (error) {
    // As in PostgreSQL, a column of the table goes before an alias of the same name.
    const [named] = namedTargets(bareName(node, scope), targets);
    if (!(error instanceof InputError) || !named) throw error;
    return named.column;
  }
}

function groupKeys(select: SelectStmt, targets: readonly Target[], scope: SqlScope): GroupKey[] {
  const keys: { column: Column; as: string }[] = [];
  for (const node of select.groupClause ?? []) {
    const column = groupColumn(node, targets, scope);
    if (column.kind === "aggregate") {
      const problem = "aggregate functions are not allowed in GROUP BY";
      throw scope.source.error("sql_semantics", problem, locationOf(node));
    }
    if (keys.some((key) => sameColumn(key.column, column))) continue;
    const target = targets.find((one) => sameColumn(one.column, column));
    const as = target?.as ?? (column.kind === "field" ? lastKey(column.path) : "time_bucket");
    keys.push({ column, as });
  }
  return keys.map(({ column, as }): GroupKey => {
    if (column.kind === "field") return { kind: "field", path: column.path, as };
    const bucket = column as Extract<Column, { kind: "bucket" }>;
    return { kind: "bucket", widthUs: bucket.widthUs, originUs: bucket.originUs, as };
  });
}

function selectItem(
  target: Target,
  groupBy: readonly GroupKey[],
  grouped: boolean,
  scope: SqlScope,
): SelectItem {
  const { column, as, location } = target;
  if (column.kind === "aggregate") return { ...column, as };
  const key = groupBy.findIndex((one) => sameColumn(one, column));
  if (key >= 0) return { kind: "key", key, as };
  if (column.kind === "bucket") {
    if (!grouped) throw scope.source.notImplemented("time_bucket() without GROUP BY", location);
    const problem = "this bucket must appear in GROUP BY";
    throw scope.source.error("sql_semantics", problem, location);
  }
  if (!grouped) return { kind: "field", path: column.path, as };
  const problem = `"${as}" must appear in GROUP BY or in an aggregate function`;
  throw scope.source.error("sql_semantics", problem, location);
}

function orderKey(
  sort: SortBy,
  targets: readonly Target[],
  grouped: boolean,
  scope: SqlScope,
): OrderKey {
  const { source } = scope;
  const { node, sortby_dir, sortby_nulls } = sort;
  if (!node) throw source.notImplemented("this ORDER BY", sort.location ?? 0);
  if (sortby_dir === "SORTBY_USING") throw source.notImplemented("USING", locationOf(node));
  const descending = sortby_dir === "SORTBY_DESC";
  const nullsFirst =
    sortby_nulls === "SORTBY_NULLS_FIRST" || (descending && sortby_nulls !== "SORTBY_NULLS_LAST");
  const named = namedTargets(bareName(node, scope), targets);
  const [first] = named;
  if (first && named.some((one) => !sameColumn(one.column, first.column))) {
    throw source.error("sql_semantics", `ORDER BY "${first.as}" is ambiguous`, locationOf(node));
  }
  const placed = positioned(node, targets, scope) ?? first;
  if (placed) return { item: targets.indexOf(placed), descending, nullsFirst };
  const column = columnOf(node, scope);
  const item = targets.findIndex((one) => sameColumn(one.column, column));
  if (item >= 0) return { item, descending, nullsFirst };
  if (column.kind === "field" && !grouped) return { path: column.path, descending, nullsFirst };
  throw source.notImplemented("ORDER BY what SELECT doesn't have", locationOf(node));
}

function countOf(node: Node | undefined, clause: string, scope: SqlScope): number | null {
  if (!node) return null;
  const found = operand(node, scope);
  const value = found?.kind === "literal" ? found.value : undefined;
  if (value === null) return null;
  const count = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  const problem = `${clause} wants a count of rows, an integer from 0`;
  throw scope.source.error("sql_type", problem, locationOf(node));
}

function compileSelect(select: SelectStmt, source: SqlSource, params: readonly unknown[]): Query {
  refuseClauses(select, source);
  const scope: SqlScope = { source, table: tableOf(select, source), params };
  const targets = (select.targetList ?? []).map((node) => {
    if ("ResTarget" in node) return targetOf(node.ResTarget, scope);
    throw source.notImplemented("this column", locationOf(node));
  });
  if (targets.length === 0) throw source.errorAt("sql_semantics", "SELECT has no columns", 1);
  const groupBy = groupKeys(select, targets, scope);
  const grouped = groupBy.length > 0 || targets.some((one) => one.column.kind === "aggregate");
  const where = select.whereClause
    ? condition(select.whereClause, { deciding: "true", depth: 0 }, scope)
    : null;
  const orderBy = (select.sortClause ?? []).map((node) => {
    if ("SortBy" in node) return orderKey(node.SortBy, targets, grouped, scope);
    throw source.notImplemented("this ORDER BY", locationOf(node));
  });
  return fromLegacy({
    select: targets.map((target) => selectItem(target, groupBy, grouped, scope)),
    ...liftTimeRange({ where, fromUs: null, toUs: null }),
    groupBy,
    orderBy,
    limit: countOf(select.limitCount, "LIMIT", scope),
    offset: countOf(select.limitOffset, "OFFSET", scope) ?? 0,
  });
}

/**
 * The query of a whole `SELECT … FROM events …` statement; `params` are the values of `$1`, `$2`, ….
 * Throws InputError as `parseWhere` does.
 */
export function parseSql(text: string, params: readonly unknown[] = []): Query {
  const { source, select } = parseSelect(text);
  return compiling(source, () => compileSelect(select, source, params));
}

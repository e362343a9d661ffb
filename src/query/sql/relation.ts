// SELECT from a table whose rows are values of JavaScript: the catalog's, and windows of rules. They are few, so that
// plain loops do: WHERE, GROUP BY, HAVING, ORDER BY, LIMIT.

import type { SelectStmt } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import { resolveNow } from "../expression/now.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Query } from "../query.ts";
import { isGrouped } from "../query.ts";
import type { ResultColumn, Value } from "../result.ts";
import { JsonText } from "../result.ts";
import { compileResult } from "../run/shown.ts";
import { assembleQuery } from "../typing/assemble.ts";
import { AggregateList, call } from "../typing/term.ts";
import { compareOrdered } from "../value-order.ts";
import type { StatementRows } from "./prepare.ts";
import { plainAggregate } from "./relation-aggregates.ts";
import type { Columns, SqlScope } from "./scope.ts";
import { compileClauses, refuseClauses } from "./select.ts";

export type RelationRow = Readonly<Record<string, Value>>;

/** A compiled SELECT. The condition of rows is `where`, since `Query` would have it taken apart for kernels. */
export interface RelationQuery {
  readonly query: Query;
  readonly where: Expression | null;
}

function columnsOf(columns: Readonly<Record<string, ValueType>>): Columns {
  const path = (name: string, type: ValueType): Expression => ({ kind: "path", type, path: name });
  const names = Object.keys(columns);
  return {
    all: names.map((name) => ({ of: path(name, columns[name] as ValueType), as: name })),
    column(asked, place) {
      const name = asked.join(".");
      const folded = name.toLowerCase();
      const near = names.filter((one) => one.toLowerCase() === folded);
      const found = names.includes(name) ? name : near.length === 1 ? near[0] : undefined;
      if (found !== undefined) return path(found, columns[found] as ValueType);
      if (near.length > 1) {
        throw place.error("unknown_column", `"${name}" may be ${near.join(" or ")}`);
      }
      throw place.error("unknown_column", `there is no column "${name}"${didYouMean(name, names)}`);
    },
  };
}

/** Compiles a SELECT from a table with these columns. */
export function compileRelation(
  select: SelectStmt,
  columns: Readonly<Record<string, ValueType>>,
  outer: SqlScope,
): RelationQuery {
  refuseClauses(select, outer.source);
  const aggregates = new AggregateList();
  const scope = { ...outer, columns: columnsOf(columns), aggregates };
  const { targets, where, ...rest } = compileClauses(select, scope);
  for (const one of aggregates.all) {
    if (one.filter === null && plainAggregate(one) !== null) continue;
    const feature = one.filter === null ? `${one.fn}() of this table` : "FILTER of this table";
    throw outer.source.notImplementedAtWord(feature, "select");
  }
  const query = assembleQuery({
    ...rest,
    select: targets.map(({ term: { of }, as }) => ({ of, as })),
    where: null,
    fromUs: null,
    toUs: null,
    fill: null,
    aggregates,
  });
  return { query, where };
}

/** With `now()` as one instant. */
export function relationAt({ query, where }: RelationQuery, nowUs: bigint): RelationQuery {
  // The condition travels where expressions stay expressions.
  const both = resolveNow(
    { ...query, orderBy: [...query.orderBy, ...conditionAsOrder(where)] },
    nowUs,
  );
  const orderBy = both.orderBy.slice(0, query.orderBy.length);
  return { query: { ...both, orderBy }, where: both.orderBy[query.orderBy.length]?.of ?? null };
}

function conditionAsOrder(where: Expression | null): Query["orderBy"] {
  return where === null ? [] : [{ of: where, descending: false, nullsFirst: false }];
}

const rowLeaf =
  (row: RelationRow): LeafValue =>
  (leaf) =>
    leaf.kind === "path" ? (row[leaf.path] ?? null) : null;

/** The answer, from all rows of the table. */
export function evaluateRelation(
  relation: RelationQuery,
  rows: Iterable<RelationRow>,
): StatementRows {
  const { query, where } = relation;
  const test = where === null ? null : compileExpression(where);
  const found: LeafValue[] = [];
  for (const row of rows) {
    const leaf = rowLeaf(row);
    if (test === null || test(leaf) === true) found.push(leaf);
  }
  const grouped = isGrouped(query) ? havingOf(query, groupsOf(query, found)) : found;
  const orders = query.orderBy.map((order) => ({ ...order, value: compileExpression(order.of) }));
  const sorted = grouped.map((leaf) => ({ leaf, by: orders.map(({ value }) => value(leaf)) }));
  sorted.sort((a, b) => {
    for (const [i, order] of orders.entries()) {
      const sign = compareOrdered(a.by[i] ?? null, b.by[i] ?? null, order);
      if (sign !== 0) return sign;
    }
    return 0;
  });
  const end = query.limit === null ? sorted.length : query.offset + query.limit;
  const outputs = query.select.map(({ of }) => compileResult(shownOf(of)));
  return {
    columns: query.select.map(({ of, as }) => ({ name: as, type: resultTypeOf(of.type) })),
    rows: sorted.slice(query.offset, end).map(({ leaf }) => outputs.map((output) => output(leaf))),
  };
}

function havingOf({ having }: Query, groups: readonly LeafValue[]): readonly LeafValue[] {
  if (having === null) return groups;
  const test = compileExpression(having);
  return groups.filter((leaf) => test(leaf) === true);
}

function groupsOf(query: Query, rows: readonly LeafValue[]): LeafValue[] {
  const keys = query.groupBy.map(({ of }) => compileExpression(of));
  const groups = new Map<string, { keys: Value[]; rows: LeafValue[] }>();
  if (keys.length === 0) groups.set("[]", { keys: [], rows: [] });
  for (const row of rows) {
    const values = keys.map((key) => key(row));
    const name = JSON.stringify(values, named);
    const group = groups.get(name) ?? { keys: values, rows: [] };
    groups.set(name, group);
    group.rows.push(row);
  }
  const aggregates = query.aggregates.map((one) => ({
    of: one.of === null ? null : compileExpression(one.of),
    fold: plainAggregate(one) as (values: readonly Value[]) => Value,
  }));
  return [...groups.values()].map(({ keys: values, rows: own }) => {
    const folded = aggregates.map(({ of, fold }) => {
      return fold(
        of === null ? own.map(() => true) : own.map(of).filter((value) => value !== null),
      );
    });
    return (leaf) => {
      if (leaf.kind === "key") return values[leaf.key] ?? null;
      return leaf.kind === "aggregate" ? (folded[leaf.aggregate] ?? null) : null;
    };
  });
}

/** Values of different types have different names. */
function named(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return { n: String(value) };
  return value instanceof JsonText ? { json: value.text } : value;
}

function resultTypeOf(type: ValueType): ResultColumn["type"] {
  return type === "sequence" ? "string" : type;
}

/** Times are text in a result; intervals are made so as for any other table. */
function shownOf(of: Expression): Expression {
  return of.type === "timestamp" ? call("string", "cast", [of]) : of;
}

// The windows of a rule as a table under its name: one row for each group of each window.

import type { SelectStmt } from "libpg-query";
import { integer } from "../../base/integer.ts";
import { LimitError } from "../../errors.ts";
import type { WindowsAnswer, WindowsRequest } from "../../stream/messages.ts";
import type { Rule } from "../../stream/rule.ts";
import type { WindowRow } from "../../stream/window-row.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import { walkExpression } from "../expression/expression.ts";
import { isGrouped } from "../query.ts";
import type { Value } from "../result.ts";
import type { StatementRows } from "./prepare.ts";
import {
  compileRelation,
  evaluateRelation,
  type RelationQuery,
  type RelationRow,
  relationAt,
} from "./relation.ts";
import type { SqlScope } from "./scope.ts";

/** Finds a rule by its name (its current version) or by `name@2`; null: there is none. */
export type FindRule = (name: string) => Rule | null;

/** A SELECT over windows: which are to be read, and what becomes of them. `now()` is one instant. */
export interface WindowsSelect {
  readonly rule: Rule;
  at(nowUs: bigint): {
    readonly request: WindowsRequest;
    /** Throws LimitError where there are more windows than one statement may read. */
    answer(windows: WindowsAnswer): StatementRows;
  };
}

/** Groups of windows that one statement reads. */
const windowsMax = 200_000;

interface Column {
  readonly type: ValueType;
  readonly read: (row: WindowRow) => Value;
}

const ledger: readonly (readonly [string, Column])[] = [
  ["events", { type: "number", read: (row) => row.count }],
  ["late", { type: "number", read: (row) => row.late }],
  ["revised", { type: "number", read: (row) => row.revised }],
  ["too_late", { type: "number", read: (row) => row.tooLate }],
  ["duplicate", { type: "number", read: (row) => row.duplicate }],
  ["revision", { type: "number", read: (row) => row.revision }],
  ["state", { type: "string", read: (row) => row.state }],
  ["final", { type: "boolean", read: (row) => row.state === "final" }],
  ["other", { type: "boolean", read: (row) => row.other }],
];

/** Columns in order. What the rule names goes before what every window has. */
function columnsOf(rule: Rule): ReadonlyMap<string, Column> {
  const own: [string, Column][] = [
    ...rule.keys.map(({ of, as }, i): [string, Column] => [
      as,
      { type: of.type, read: (row) => row.group[i] ?? null },
    ]),
    ...rule.values.map(({ of, as }, i): [string, Column] => [
      as,
      { type: of.type, read: (row) => row.values[i] ?? null },
    ]),
  ];
  const columns = new Map<string, Column>([
    ["window_start", { type: "timestamp", read: (row) => integer(row.startUs) }],
    ["window_end", { type: "timestamp", read: (row) => integer(row.endUs) }],
  ]);
  for (const [name, column] of [...own, ...ledger]) {
    if (!columns.has(name)) columns.set(name, column);
  }
  return columns;
}

/** Names and types of the columns, for DESCRIBE and its like. */
export function ruleColumns(rule: Rule): { readonly name: string; readonly type: ValueType }[] {
  return [...columnsOf(rule)].map(([name, { type }]) => ({ name, type }));
}

export function selectWindows(select: SelectStmt, rule: Rule, scope: SqlScope): WindowsSelect {
  const columns = columnsOf(rule);
  const types = Object.fromEntries([...columns].map(([name, { type }]) => [name, type]));
  const relation = compileRelation(select, types, scope);
  return {
    rule,
    at(nowUs) {
      const asked = relationAt(relation, nowUs);
      return {
        request: requestOf(rule, asked),
        answer(windows) {
          if (windows.more && windows.rows.length >= windowsMax) throw tooMany(rule);
          return evaluateRelation(asked, relationRows(columns, windows.rows));
        },
      };
    },
  };
}

function tooMany({ name }: Rule): LimitError {
  return new LimitError(
    "query_rows",
    `the statement reads more than ${windowsMax} windows of ${name}; a condition on window_start makes fewer`,
    { limit: windowsMax },
  );
}

function* relationRows(
  columns: ReadonlyMap<string, Column>,
  rows: readonly WindowRow[],
): Generator<RelationRow> {
  for (const row of rows) {
    const made: Record<string, Value> = {};
    for (const [name, { read }] of columns) made[name] = read(row);
    yield made;
  }
}

/** Reads no more windows than the condition and the limit leave, where they say so plainly. */
function requestOf(rule: Rule, { query, where }: RelationQuery): WindowsRequest {
  let fromUs: bigint | null = null;
  let toUs: bigint | null = null;
  const groups: { key: number; value: unknown }[] = [];
  let isWhole = true;
  for (const one of where === null ? [] : conjuncts(where)) {
    const found = comparisonOf(one);
    const key = rule.keys.findIndex(({ as }) => as === found?.column);
    if (found?.column === "window_start" && found.value !== null) {
      const us = BigInt(found.value as number | bigint);
      // Windows that overlap are read; those that begin before are left out by the condition itself.
      if (found.fn === ">=" || found.fn === ">" || found.fn === "=") fromUs = larger(fromUs, us);
      if (found.fn === "<=" || found.fn === "=") toUs = smaller(toUs, us + 1n);
      if (found.fn === "<") toUs = smaller(toUs, us);
      isWhole = false;
    } else if (found?.fn === "=" && key >= 0 && found.value !== null) {
      groups.push({ key, value: found.value });
    } else isWhole = false;
  }
  const [order, ...more] = query.orderBy;
  const isByStart =
    order?.of.kind === "path" && order.of.path === "window_start" && more.length === 0;
  const cuts = isWhole && !isGrouped(query) && query.limit !== null && isByStart;
  return {
    rule: rule.number,
    fromUs,
    toUs,
    groups,
    tier: 0,
    widthUs: null,
    descending: isByStart && order.descending,
    limit: cuts ? Math.min(windowsMax, query.offset + (query.limit ?? 0)) : windowsMax,
  };
}

const larger = (a: bigint | null, b: bigint): bigint => (a === null || b > a ? b : a);
const smaller = (a: bigint | null, b: bigint): bigint => (a === null || b < a ? b : a);

function conjuncts(of: Expression): Expression[] {
  return of.kind === "call" && of.fn === "and" ? of.args.flatMap(conjuncts) : [of];
}

const mirrored: Readonly<Record<string, string>> = {
  "<": ">",
  ">": "<",
  "<=": ">=",
  ">=": "<=",
  "=": "=",
};

interface Comparison {
  readonly column: string;
  readonly fn: string;
  readonly value: Value;
}

/** `column op constant`, or the other way round. */
function comparisonOf(of: Expression): Comparison | null {
  if (of.kind !== "call") return null;
  const other = mirrored[of.fn];
  const [left, right] = of.args;
  if (other === undefined || !left || !right) return null;
  if (left.kind === "path" && isConstant(right)) {
    return { column: left.path, fn: of.fn, value: valueOf(right) };
  }
  if (right.kind === "path" && isConstant(left)) {
    return { column: right.path, fn: other, value: valueOf(left) };
  }
  return null;
}

function isConstant(of: Expression): boolean {
  let constant = true;
  walkExpression(of, ({ kind }) => {
    if (kind === "path" || kind === "key" || kind === "aggregate") constant = false;
  });
  return constant;
}

function valueOf(of: Expression): Value {
  return compileExpression(of)(() => null);
}

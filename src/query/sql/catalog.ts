// What tools look around with: the tables and columns there are, as rows that SELECT can read.

import type { SelectStmt } from "libpg-query";
import type { Rule } from "../../stream/rule.ts";
import type { ValueType } from "../expression/expression.ts";
import { fixedPaths, pathType, propertiesPrefix, splitKeys } from "../paths.ts";
import { isTotal } from "../plan/filter.ts";
import type { ResultColumn } from "../result.ts";
import type { StatementContext, StatementRows } from "./prepare.ts";
import { compileRelation, evaluateRelation, type RelationRow, relationAt } from "./relation.ts";
import { ruleColumns } from "./rule-table.ts";
import type { SqlScope } from "./scope.ts";
import { databaseName } from "./session.ts";

/** Types of the values that a path holds. */
export type LaneType = "number" | "string" | "boolean" | "json";

/** A property path that is stored, and the types that its values have. */
export interface CatalogPath {
  /** As stored: `properties.` and keys joined by dots. */
  readonly path: string;
  readonly types: readonly LaneType[];
}

export interface SchemaTable {
  readonly columns: Readonly<Record<string, ValueType>>;
  readonly wantsCatalog: boolean;
  rows(context: StatementContext): readonly RelationRow[];
}

/** PostgreSQL's names of the types. */
const laneNames: Readonly<Record<LaneType, string>> = {
  number: "numeric",
  string: "text",
  boolean: "boolean",
  json: "jsonb",
};

const fixedNames: Readonly<Record<ReturnType<typeof pathType>, string>> = {
  id: "uuid",
  time: "timestamp with time zone",
  sequence: "bigint",
  integer: "bigint",
  text: "text",
  property: "variant",
};

interface ColumnFacts {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

/** A path as SQL writes it: keys that are no names stand in quotes. */
function sqlName(path: string): string {
  const keys = splitKeys(path.slice(propertiesPrefix.length)) ?? [];
  const written = keys.map((key) => {
    const isName = /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(key);
    return isName ? key : `"${key.replaceAll('"', '""')}"`;
  });
  return `properties.${written.join(".")}`;
}

function columnFacts(catalog: readonly CatalogPath[]): ColumnFacts[] {
  const fixed = fixedPaths.map((path) => ({
    name: path,
    type: fixedNames[pathType(path)],
    nullable: !isTotal(path),
  }));
  const sorted = [...catalog].sort((a, b) => (a.path < b.path ? -1 : 1));
  const properties = sorted.map(({ path, types }) => ({
    name: sqlName(path),
    type: types.length === 1 && types[0] ? laneNames[types[0]] : "variant",
    nullable: true,
  }));
  return [...fixed, { name: "properties", type: "jsonb", nullable: false }, ...properties];
}

const text = (name: string): ResultColumn => ({ name, type: "string" });

export function showTables(rules: readonly Rule[]): StatementRows {
  const names = ["events", ...rules.map(({ name }) => name).sort()];
  return {
    columns: [text("schema"), text("name")],
    rows: names.map((name) => ["public", name]),
  };
}

/** PostgreSQL's names of the types of values. */
const typeNames: Readonly<Partial<Record<ValueType, string>>> = {
  number: "numeric",
  string: "text",
  boolean: "boolean",
  json: "jsonb",
  timestamp: "timestamp with time zone",
  interval: "interval",
  sequence: "bigint",
};

const ruleFacts = (rule: Rule): ColumnFacts[] =>
  ruleColumns(rule).map(({ name, type }) => ({
    name,
    type: typeNames[type] ?? "variant",
    nullable: !name.startsWith("window_"),
  }));

export function describeRule(rule: Rule): StatementRows {
  return described(ruleFacts(rule));
}

export function describeEvents(catalog: readonly CatalogPath[]): StatementRows {
  return described(columnFacts(catalog));
}

function described(facts: readonly ColumnFacts[]): StatementRows {
  return {
    columns: [text("column"), text("type"), { name: "nullable", type: "boolean" }],
    rows: facts.map(({ name, type, nullable }) => [name, type, nullable]),
  };
}

const columnsTable: SchemaTable = {
  columns: {
    table_catalog: "string",
    table_schema: "string",
    table_name: "string",
    column_name: "string",
    ordinal_position: "number",
    column_default: "string",
    is_nullable: "string",
    data_type: "string",
  },
  wantsCatalog: true,
  rows: (context) => [
    ...columnRows("events", columnFacts(context.catalog())),
    ...context.rules().flatMap((rule) => columnRows(rule.name, ruleFacts(rule))),
  ],
};

function columnRows(table: string, facts: readonly ColumnFacts[]): RelationRow[] {
  return facts.map(({ name, type, nullable }, i) => ({
    table_catalog: databaseName,
    table_schema: "public",
    table_name: table,
    column_name: name,
    ordinal_position: i + 1,
    column_default: null,
    is_nullable: nullable ? "YES" : "NO",
    data_type: type,
  }));
}

const tables: ReadonlyMap<string, SchemaTable> = new Map([
  ["information_schema.columns", columnsTable],
  [
    "information_schema.tables",
    {
      columns: {
        table_catalog: "string",
        table_schema: "string",
        table_name: "string",
        table_type: "string",
      },
      wantsCatalog: false,
      rows: (context) => {
        const row = (name: string, type: string) => ({
          table_catalog: databaseName,
          table_schema: "public",
          table_name: name,
          table_type: type,
        });
        return [
          row("events", "BASE TABLE"),
          ...context.rules().map(({ name }) => row(name, "VIEW")),
        ];
      },
    },
  ],
  [
    "information_schema.schemata",
    {
      columns: { catalog_name: "string", schema_name: "string" },
      wantsCatalog: false,
      rows: () =>
        ["information_schema", "public"].map((name) => ({
          catalog_name: databaseName,
          schema_name: name,
        })),
    },
  ],
  // SELECT without FROM has one row of no columns.
  [".", { columns: {}, wantsCatalog: false, rows: () => [{}] }],
]);

/** The table of that name, or null: it is `events`, or none. */
export function schemaTable(schema: string, name: string): SchemaTable | null {
  return tables.get(`${schema}.${name}`) ?? null;
}

/** Compiles a SELECT from a table of the catalog; the rows are read when the result is called. */
export function readSchema(
  select: SelectStmt,
  table: SchemaTable,
  outer: SqlScope,
): (context: StatementContext) => StatementRows {
  const relation = compileRelation(select, table.columns, outer);
  return (context) => {
    return evaluateRelation(relationAt(relation, context.nowUs()), table.rows(context));
  };
}

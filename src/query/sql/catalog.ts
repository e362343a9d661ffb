// What tools look around with: the tables and columns there are, as rows that SELECT can read.

import type { SelectStmt } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import { walkExpression } from "../expression/expression.ts";
import { resolveNow } from "../expression/now.ts";
import { fixedPaths, pathType, propertiesPrefix, splitKeys } from "../paths.ts";
import { isTotal } from "../plan/filter.ts";
import type { Query } from "../query.ts";
import type { ResultColumn, Value } from "../result.ts";
import { compileResult } from "../run/shown.ts";
import { call } from "../typing/term.ts";
import { compareOrdered } from "../value-order.ts";
import type { StatementContext, StatementRows } from "./prepare.ts";
import type { Columns, SqlScope } from "./scope.ts";
import type { Clauses } from "./select.ts";
import { compileClauses, refuseClauses } from "./select.ts";

/** Types of the values that a path holds. */
export type LaneType = "number" | "string" | "boolean" | "json";

/** A property path that is stored, and the types that its values have. */
export interface CatalogPath {
  /** As stored: `properties.` and keys joined by dots. */
  readonly path: string;
  readonly types: readonly LaneType[];
}

type Row = Readonly<Record<string, Value>>;

export interface SchemaTable {
  readonly columns: Readonly<Record<string, ValueType>>;
  readonly wantsCatalog: boolean;
  rows(context: StatementContext): readonly Row[];
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

export function showTables(): StatementRows {
  return { columns: [text("schema"), text("name")], rows: [["public", "events"]] };
}

export function describeEvents(catalog: readonly CatalogPath[]): StatementRows {
  return {
    columns: [text("column"), text("type"), { name: "nullable", type: "boolean" }],
    rows: columnFacts(catalog).map(({ name, type, nullable }) => [name, type, nullable]),
  };
}

const catalogName = "millrace";

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
  rows: (context) =>
    columnFacts(context.catalog()).map(({ name, type, nullable }, i) => ({
      table_catalog: catalogName,
      table_schema: "public",
      table_name: "events",
      column_name: name,
      ordinal_position: i + 1,
      column_default: null,
      is_nullable: nullable ? "YES" : "NO",
      data_type: type,
    })),
};

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
      rows: () => [
        {
          table_catalog: catalogName,
          table_schema: "public",
          table_name: "events",
          table_type: "BASE TABLE",
        },
      ],
    },
  ],
  [
    "information_schema.schemata",
    {
      columns: { catalog_name: "string", schema_name: "string" },
      wantsCatalog: false,
      rows: () =>
        ["information_schema", "public"].map((name) => ({
          catalog_name: catalogName,
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

function columnsOf(table: SchemaTable): Columns {
  const path = (name: string, type: ValueType): Expression => ({ kind: "path", type, path: name });
  return {
    all: Object.entries(table.columns).map(([name, type]) => ({ of: path(name, type), as: name })),
    column(names, place) {
      const [first = "", ...more] = names;
      const folded = first.toLowerCase();
      const type = more.length === 0 ? table.columns[folded] : undefined;
      if (type !== undefined) return path(folded, type);
      const hint = didYouMean(first, Object.keys(table.columns));
      throw place.error("unknown_column", `there is no column "${names.join(".")}"${hint}`);
    },
  };
}

/** Compiles a SELECT from a table of the catalog; the rows are read when the result is called. */
export function readSchema(
  select: SelectStmt,
  table: SchemaTable,
  outer: SqlScope,
): (context: StatementContext) => StatementRows {
  refuseClauses(select, outer.source);
  if (select.distinctClause?.length || select.groupClause?.length || select.havingClause) {
    throw outer.source.notImplementedAtWord("groups of this table", "select");
  }
  const clauses = compileClauses(select, { ...outer, columns: columnsOf(table) });
  const outputs = [...clauses.targets.map((one) => one.term), ...clauses.orderBy];
  for (const { of } of outputs) {
    walkExpression(of, (part) => {
      if (part.kind !== "aggregate") return;
      throw outer.source.notImplementedAtWord("aggregates of this table", "select");
    });
  }
  return (context) => evaluate(clauses, table, context);
}

function evaluate(clauses: Clauses, table: SchemaTable, context: StatementContext): StatementRows {
  const asked: Query = {
    select: clauses.targets.map((one) => ({ of: one.term.of, as: one.as })),
    where: null,
    fromUs: null,
    toUs: null,
    groupBy: [],
    aggregates: [],
    // The condition of rows stands where expressions stay expressions.
    having: clauses.where,
    orderBy: clauses.orderBy,
    limit: clauses.limit,
    offset: clauses.offset,
    fill: null,
  };
  const query = resolveNow(asked, context.nowUs());
  const read = (of: Expression, compile = compileExpression): ((row: Row) => Value) => {
    const value = compile(of);
    return (row) => value((leaf) => (leaf.kind === "path" ? (row[leaf.path] ?? null) : null));
  };
  const matches = query.having === null ? () => true : read(query.having);
  const orders = query.orderBy.map((order) => ({ ...order, value: read(order.of) }));
  const found = table.rows(context).filter((row) => matches(row) === true);
  const sorted = [...found].sort((a, b) => {
    for (const { value, descending, nullsFirst } of orders) {
      const sign = compareOrdered(value(a), value(b), { descending, nullsFirst });
      if (sign !== 0) return sign;
    }
    return 0;
  });
  const end = query.limit === null ? sorted.length : query.offset + query.limit;
  const outputs = query.select.map(({ of }) => read(shownOf(of), compileResult));
  return {
    columns: query.select.map(({ of, as }) => ({ name: as, type: resultTypeOf(of.type) })),
    rows: sorted.slice(query.offset, end).map((row) => outputs.map((output) => output(row))),
  };
}

function resultTypeOf(type: ValueType): ResultColumn["type"] {
  return type === "sequence" ? "string" : type;
}

/** Times are text in a result; intervals are made so as for any other table. */
function shownOf(of: Expression): Expression {
  return of.type === "timestamp" ? call("string", "cast", [of]) : of;
}

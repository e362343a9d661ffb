// Every statement that can be asked: SELECT, EXPLAIN, and those that tools look around with.

import type { DefElem, ExplainStmt, Node, SelectStmt } from "libpg-query";
import { assert } from "../../base/assert.ts";
import type { Rule } from "../../stream/rule.ts";
import type { Query } from "../query.ts";
import type { ResultColumn, Value } from "../result.ts";
import type { CatalogPath } from "./catalog.ts";
import { describeEvents, describeRule, readSchema, schemaTable, showTables } from "./catalog.ts";
import { type FindRule, selectWindows, type WindowsSelect } from "./rule-table.ts";
import { nameOf } from "./scope.ts";
import { tableOf } from "./select.ts";
import { allSettings, nearSetting, setting } from "./session.ts";
import { parseOne, SqlSource } from "./source.ts";
import { compiling, eventsScope, queryOfSelect } from "./statement.ts";

/** Rows that no segment is read for. */
export interface StatementRows {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly Value[])[];
}

/** What statements about the tables themselves want to know. */
export interface StatementContext {
  /** The property paths that are stored now. */
  catalog(): readonly CatalogPath[];
  /** The rules whose windows are tables. */
  rules(): readonly Rule[];
  /** Microseconds: what `now()` is. */
  nowUs(): bigint;
}

export type Statement =
  | { readonly kind: "select"; readonly query: Query }
  | {
      readonly kind: "explain";
      readonly analyze: boolean;
      readonly format: "text" | "json";
      readonly query: Query;
    }
  | ({ readonly kind: "rows" } & StatementRows);

/** A statement that has been compiled: `rows` are read when they are asked for, since paths come and go. */
export type Prepared =
  | Exclude<Statement, { kind: "rows" }>
  /** Windows of a rule. Rules come and go, so this is not to be kept. */
  | { readonly kind: "windows"; readonly select: WindowsSelect }
  | {
      readonly kind: "rows";
      /** Whether `read` asks for the catalog. */
      readonly wantsCatalog: boolean;
      /** It is about one rule as it is now. */
      readonly ofRule?: true;
      read(context: StatementContext): StatementRows;
    };

/** A parsed text, which is compiled with parameters: it can be kept, and is never changed. */
export type Parsed =
  | { readonly source: SqlSource; readonly statement: Node }
  | { readonly source: SqlSource; readonly describe: string; readonly location: number }
  | { readonly source: SqlSource; readonly showTables: true };

const identifier = String.raw`(?:"([^"]+)"|([\p{L}_][\p{L}\p{N}_$.]*))`;
const describePattern = new RegExp(
  String.raw`^\s*(?:describe|desc|show\s+columns\s+(?:from|in))\s+(?:table\s+)?${identifier}\s*;?\s*$`,
  "iu",
);
const showTablesPattern = /^\s*show\s+tables\s*;?\s*$/i;

/** DESCRIBE is not of PostgreSQL's grammar, and SHOW TABLES a setting's name there. */
export function parseText(text: string): Parsed {
  if (text.length < 1024) {
    if (showTablesPattern.test(text)) return { source: new SqlSource(text), showTables: true };
    const found = describePattern.exec(text);
    if (found) {
      const table = found[1] ?? found[2] ?? "";
      return { source: new SqlSource(text), describe: table, location: text.lastIndexOf(table) };
    }
  }
  return parseOne(text);
}

export function prepareParsed(
  parsed: Parsed,
  params: readonly unknown[],
  findRule: FindRule = () => null,
): Prepared {
  const { source } = parsed;
  if ("showTables" in parsed) {
    return { kind: "rows", wantsCatalog: false, read: (context) => showTables(context.rules()) };
  }
  if ("describe" in parsed) {
    const { describe, location } = parsed;
    if (!/^(?:public\.)?events$/i.test(describe)) {
      const rule = findRule(describe);
      if (rule !== null) {
        return { kind: "rows", wantsCatalog: false, ofRule: true, read: () => describeRule(rule) };
      }
      throw source.error(
        "unknown_table",
        `there is no table "${describe}"; want "events" or a rule's name`,
        location,
      );
    }
    return {
      kind: "rows",
      wantsCatalog: true,
      read: (context) => describeEvents(context.catalog()),
    };
  }
  const { statement } = parsed;
  if ("SelectStmt" in statement) return prepareSelect(statement, source, params, findRule);
  if ("ExplainStmt" in statement) return prepareExplain(statement.ExplainStmt, source, params);
  if ("VariableShowStmt" in statement) {
    return prepareShow(statement.VariableShowStmt.name ?? "", source);
  }
  const problem = "want SELECT, EXPLAIN, SHOW TABLES or DESCRIBE; nothing else can be run";
  throw source.errorAt("sql_semantics", problem, 1);
}

function prepareShow(name: string, source: SqlSource): Prepared {
  const text = (of: string): ResultColumn => ({ name: of, type: "string" });
  const show = (rows: StatementRows): Prepared => {
    return { kind: "rows", wantsCatalog: false, read: () => rows };
  };
  if (name.toLowerCase() === "all") {
    return show({ columns: [text("name"), text("setting")], rows: allSettings() });
  }
  const found = setting(name);
  if (found !== null) return show({ columns: [text(found[0])], rows: [[found[1]]] });
  const hint = nearSetting(name);
  const feature = `SHOW ${name} (SHOW TABLES shows the tables, SHOW ALL the settings)`;
  throw source.error("not_implemented", `${feature}: not supported yet${hint}`, 0, 501);
}

function prepareSelect(
  { SelectStmt: select }: Extract<Node, { SelectStmt: unknown }>,
  source: SqlSource,
  params: readonly unknown[],
  findRule: FindRule,
): Prepared {
  const table = setOperation(select) ? null : tableOf(select, source);
  const isConstant = table === null && !select.fromClause && !select.valuesLists?.length;
  const schema =
    table === null
      ? isConstant
        ? schemaTable("", "")
        : null
      : schemaTable(table.schema, table.name);
  const isOurs = table !== null && (table.schema === "" || table.schema === "public");
  const rule = isOurs && table.name !== "events" ? findRule(table.name) : null;
  if (rule !== null) {
    const scope = { ...eventsScope(source, params, "WHERE"), table: table?.alias ?? "" };
    return compiling(source, () => ({
      kind: "windows",
      select: selectWindows(select, rule, scope),
    }));
  }
  if (schema === null) return { kind: "select", query: queryOfSelect(select, source, params) };
  const scope = { ...eventsScope(source, params, "WHERE"), table: table?.alias ?? "" };
  return compiling(source, () => {
    const read = readSchema(select, schema, scope);
    return { kind: "rows", wantsCatalog: schema.wantsCatalog, read };
  });
}

function prepareExplain(
  explain: ExplainStmt,
  source: SqlSource,
  params: readonly unknown[],
): Prepared {
  let analyze = false;
  let format: "text" | "json" = "text";
  for (const option of explain.options ?? []) {
    if (!("DefElem" in option)) continue;
    const { defname = "", location = 0 } = option.DefElem;
    if (defname === "analyze") analyze = isOn(option.DefElem);
    else if (defname === "format") format = formatOf(option.DefElem, source);
    else throw source.notImplemented(`EXPLAIN's option ${defname.toUpperCase()}`, location);
  }
  const { query } = explain;
  if (!query || !("SelectStmt" in query)) {
    throw source.errorAt("sql_semantics", "EXPLAIN wants a SELECT", 1);
  }
  const table = setOperation(query.SelectStmt) ? null : tableOf(query.SelectStmt, source);
  if (table !== null && schemaTable(table.schema, table.name) !== null) {
    throw source.notImplementedAtWord(`EXPLAIN of ${table.schema}.${table.name}`, "from");
  }
  const select = queryOfSelect(query.SelectStmt, source, params);
  return { kind: "explain", analyze, format, query: select };
}

function setOperation({ op }: SelectStmt): boolean {
  return op !== undefined && op !== "SETOP_NONE";
}

function formatOf({ arg, location = 0 }: DefElem, source: SqlSource): "text" | "json" {
  const format = arg && "String" in arg ? nameOf([arg]).toLowerCase() : "";
  if (format === "text" || format === "json") return format;
  throw source.notImplemented(`EXPLAIN (FORMAT ${format.toUpperCase()})`, location);
}

/** `ANALYZE`, `ANALYZE true`, `ANALYZE off`. */
function isOn({ arg }: DefElem): boolean {
  if (!arg) return true;
  const word =
    "String" in arg ? nameOf([arg]) : "Integer" in arg ? String(arg.Integer.ival ?? 0) : "";
  return !["false", "off", "0"].includes(word);
}

/**
 * The statement of a text, `params` being the values of `$1`, `$2`, …. Throws InputError with the 1-based character in
 * `detail.position`: status 400, or 501 for what this engine doesn't do yet.
 */
export function parseStatement(
  text: string,
  params: readonly unknown[],
  context: StatementContext,
): Statement {
  const prepared = prepareParsed(parseText(text), params);
  assert(prepared.kind !== "windows", "without rules there are no windows");
  return prepared.kind === "rows" ? { kind: "rows", ...prepared.read(context) } : prepared;
}

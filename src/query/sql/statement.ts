import type { SelectStmt } from "libpg-query";
import type { Expression } from "../expression/expression.ts";
import type { Deciding } from "../predicate.ts";
import { predicateOf } from "../predicate.ts";
import type { Predicate, Query } from "../query.ts";
import { conditionOf } from "../typing/conditions.ts";
import { compileTerm } from "./compile.ts";
import { eventColumns } from "./path.ts";
import type { SqlScope } from "./scope.ts";
import { compileSelect } from "./select.ts";
import type { SqlSource } from "./source.ts";
import { parseExpression, parseOne } from "./source.ts";

/** Recursion over a tree that a text of allowed length can make may still end the stack. */
export function compiling<T>(source: SqlSource, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw source.errorAt("sql_syntax", "the expression is nested too deeply", 1);
  }
}

export function eventsScope(
  source: SqlSource,
  params: readonly unknown[],
  clause: string,
): SqlScope {
  return {
    source,
    table: "events",
    params,
    columns: eventColumns,
    aggregates: null,
    clause,
    depth: 0,
    compile: compileTerm,
  };
}

/** The boolean expression of SQL expression text. */
export function parseCondition(text: string, params: readonly unknown[] = []): Expression {
  const { source, expression } = parseExpression(text);
  const scope = eventsScope(source, params, "a condition");
  return compiling(source, () => conditionOf(scope.compile(expression, scope), "a condition"));
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
  return predicateOf(parseCondition(text, params), deciding);
}

/**
 * The query of a whole `SELECT … FROM events …` statement; `params` are the values of `$1`, `$2`, ….
 * Throws InputError as `parseWhere` does.
 */
export function parseSql(text: string, params: readonly unknown[] = []): Query {
  const { source, statement } = parseOne(text);
  if ("SelectStmt" in statement) return queryOfSelect(statement.SelectStmt, source, params);
  if ("ExplainStmt" in statement) throw source.notImplemented("EXPLAIN here", 0);
  throw source.errorAt("sql_semantics", "want a SELECT; nothing else can be run", 1);
}

/** The query of a SELECT's tree. */
export function queryOfSelect(
  select: SelectStmt,
  source: SqlSource,
  params: readonly unknown[],
): Query {
  return compiling(source, () => compileSelect(select, eventsScope(source, params, "WHERE")));
}

import type { ColumnRef, Node } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import type { Expression } from "../expression/expression.ts";
import { barePath } from "../expression/expression.ts";
import { showLiteral } from "../literal.ts";
import { checkPath, fixedPaths, joinKeys, propertiesPrefix } from "../paths.ts";
import type { Place, Term } from "../typing/term.ts";
import { term } from "../typing/term.ts";
import type { Columns, SqlScope } from "./scope.ts";
import { locationOf, nameOf, placeAt } from "./scope.ts";

const wholeProperties: Expression = { kind: "path", type: "json", path: "properties" };

/** The columns of `events`. */
export const eventColumns: Columns = {
  column(names, place) {
    const [first = "", ...keys] = names;
    const folded = first.toLowerCase();
    if (folded === "properties") {
      return keys.length === 0 ? { ...wholeProperties } : propertyPath(keys, place);
    }
    if (!fixedPaths.includes(folded)) {
      const hint = didYouMean(first, [...fixedPaths, "properties"]);
      const where = `; a property is properties.${/^[a-z_]\w*$/i.test(first) ? first : `"${first}"`}`;
      throw place.error("unknown_column", `there is no column "${first}"${hint || where}`);
    }
    if (keys.length > 0) {
      throw place.error("unknown_column", `${folded} has no field "${keys[0]}"`);
    }
    return barePath(folded);
  },
  all: [
    ...fixedPaths.map((path) => ({ of: barePath(path), as: path })),
    { of: wholeProperties, as: "properties" },
  ],
};

function propertyPath(keys: readonly string[], place: Place): Expression {
  try {
    return barePath(checkPath(propertiesPrefix + joinKeys(keys)));
  } catch (error) {
    throw place.error("unknown_column", (error as Error).message);
  }
}

/** Names are re-read from the text, without the table; `*` is null. */
function namesOf(column: ColumnRef, scope: SqlScope): string[] | null {
  const parsed: string[] = [];
  for (const field of column.fields ?? []) {
    if (!("String" in field)) return null;
    parsed.push(field.String.sval ?? "");
  }
  const written = scope.source.nameAt(column.location ?? 0);
  const names = written?.length === parsed.length ? written : parsed;
  const qualified = names.length > 1 && names[0]?.toLowerCase() === scope.table.toLowerCase();
  return qualified ? names.slice(1) : names;
}

/** A column: exact match, then a match that ignores case, else an error with the candidates. */
export function columnTerm(column: ColumnRef, scope: SqlScope): Term {
  const location = column.location ?? 0;
  const names = namesOf(column, scope);
  if (names === null) throw scope.source.notImplemented("* here (name the columns)", location);
  const place = placeAt(scope.source, location);
  return term(scope.columns.column(names, place), place);
}

/** Whether a target is `*` or `events.*`. */
export function isStar(node: Node, scope: SqlScope): boolean {
  if (!("ColumnRef" in node)) return false;
  const fields = node.ColumnRef.fields ?? [];
  const last = fields.at(-1);
  if (!last || !("A_Star" in last) || fields.length > 2) return false;
  return fields.length === 1 || nameOf(fields.slice(0, 1)) === scope.table.toLowerCase();
}

/** The keys of `'{a,"b c"}'`, PostgreSQL's text of an array. */
function arrayKeys(text: string): string[] | null {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (inner === undefined) return null;
  const keys: string[] = [];
  const element = /\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}]*[^",{}\s]))\s*(,|$)/sy;
  while (element.lastIndex < inner.length) {
    const found = element.exec(inner);
    if (!found) return null;
    keys.push((found[1] ?? found[2] ?? "").replace(/\\(.)/gs, "$1"));
    if (found[3] === "") return keys;
  }
  return null;
}

const arrows: ReadonlySet<string> = new Set(["->", "->>", "#>", "#>>"]);

export function isArrow(operator: string): boolean {
  return arrows.has(operator);
}

/** The keys below `properties` of a chain of arrows, or null when the chain starts elsewhere. */
export function arrowKeys(node: Node, scope: SqlScope): string[] | null {
  if ("ColumnRef" in node) {
    const names = namesOf(node.ColumnRef, scope);
    return names?.[0]?.toLowerCase() === "properties" ? names.slice(1) : null;
  }
  if (!("A_Expr" in node)) return null;
  const { name, lexpr, rexpr } = node.A_Expr;
  const operator = nameOf(name);
  // `?` asks for a key just as `->` does.
  if (!arrows.has(operator) && operator !== "?") return null;
  const keys = lexpr ? arrowKeys(lexpr, scope) : null;
  if (keys === null) return null;
  const { of, place } = scope.compile(rexpr, scope);
  if (of.kind !== "literal" || typeof of.value !== "string") {
    throw place.error("not_implemented", "a key that isn't text: not supported yet", 501);
  }
  if (!operator.startsWith("#")) return [...keys, of.value];
  const more = arrayKeys(of.value);
  if (more !== null) return [...keys, ...more];
  throw place.error("sql_type", `got ${showLiteral(of.value)}, want keys such as '{a,b}'`);
}

/** `properties->'a'->>'b'`. */
export function arrowTerm(node: Extract<Node, { A_Expr: unknown }>, scope: SqlScope): Term {
  const location = locationOf(node);
  const operator = nameOf(node.A_Expr.name);
  const keys = arrowKeys(node, scope);
  if (keys === null) throw scope.source.notImplemented(`the operator ${operator}`, location);
  const place = placeAt(scope.source, location);
  const path = propertyPath(keys, place);
  if (!operator.endsWith(">>")) return term(path, place, "arrow-json");
  return term({ ...path, type: "string" } as Expression, place, "arrow-text");
}

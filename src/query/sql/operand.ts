import type { ColumnRef, FuncCall, Node, TypeCast } from "libpg-query";
import { didYouMean } from "../../base/near.ts";
import { fitNumber, showLiteral } from "../literal.ts";
import { checkPath, fixedPaths, joinKeys, propertiesPrefix } from "../paths.ts";
import type { Literal } from "../query.ts";
import { parseTime } from "../time.ts";
import type { SqlSource } from "./source.ts";

/** What a statement is compiled against. */
export interface SqlScope {
  readonly source: SqlSource;
  /** The name that columns may be qualified with. */
  readonly table: string;
  /** Values of `$1`, `$2`, …, as JSON gave them. */
  readonly params: readonly unknown[];
}

/**
 * A column or a constant. `text`: `->>` was applied, so it is compared as text; `json`: `->`, which has no
 * comparison; `time`: a constant cast to a timestamp.
 */
export type Operand =
  | { kind: "path"; path: string; as: "value" | "text" | "json"; location: number }
  | { kind: "literal"; value: Literal | null; time: boolean; location: number };

/** Where a node is, in the parser's offsets; some nodes only know it through their parts. */
export function locationOf(node: Node | undefined): number {
  const inner = node ? (Object.values(node)[0] as Record<string, unknown>) : {};
  const { location } = inner;
  if (typeof location === "number" && location >= 0) return location;
  const part = inner.arg ?? inner.lexpr ?? inner.xpr;
  return typeof part === "object" && part !== null ? locationOf(part as Node) : 0;
}

/** The last of the names of a function, an operator or a type. */
export function nameOf(names: readonly Node[] | undefined): string {
  const last = names?.at(-1);
  return last && "String" in last ? (last.String.sval ?? "").toLowerCase() : "";
}

const featureNames: Readonly<Record<string, string>> = {
  SubLink: "subqueries",
  CaseExpr: "CASE",
  CoalesceExpr: "COALESCE",
  MinMaxExpr: "GREATEST and LEAST",
  SQLValueFunction: "CURRENT_TIMESTAMP and its like",
  A_ArrayExpr: "ARRAY",
  RowExpr: "row values",
  A_Indirection: "subscripts",
  CollateClause: "COLLATE",
  GroupingFunc: "GROUPING",
  GroupingSet: "GROUPING SETS, CUBE and ROLLUP",
  NullTest: "a condition as a value",
  BooleanTest: "a condition as a value",
  BoolExpr: "a condition as a value",
  TypeCast: "casts of columns",
};

/** What a node is, in the words of SQL. */
export function featureOf(node: Node): string {
  if ("FuncCall" in node) return functionFeature(node.FuncCall);
  if ("A_Expr" in node) return `the operator ${nameOf(node.A_Expr.name)}`;
  const kind = Object.keys(node)[0] ?? "";
  return featureNames[kind] ?? kind;
}

function functionFeature(call: FuncCall): string {
  if (call.over) return "window functions";
  return `the function ${nameOf(call.funcname)}()`;
}

/** Names are re-read from the text: exact match, then a match that ignores case, else the candidates. */
export function columnPath(column: ColumnRef, scope: SqlScope): string {
  const { source } = scope;
  const location = column.location ?? 0;
  const parsed: string[] = [];
  for (const field of column.fields ?? []) {
    if (!("String" in field)) throw source.notImplemented("* (name the columns)", location);
    parsed.push(field.String.sval ?? "");
  }
  const written = source.nameAt(location);
  let names = written?.length === parsed.length ? written : parsed;
  const qualified = names.length > 1 && names[0]?.toLowerCase() === scope.table.toLowerCase();
  if (qualified) names = names.slice(1);

  const [first = "", ...keys] = names;
  const folded = first.toLowerCase();
  if (folded === "properties") {
    if (keys.length === 0) throw source.notImplemented("properties as a whole", location);
    return propertyPath(keys, scope, location);
  }
  if (!fixedPaths.includes(folded)) {
    const hint = didYouMean(first, [...fixedPaths, "properties"]);
    const where = `; a property is properties.${/^[a-z_]\w*$/i.test(first) ? first : `"${first}"`}`;
    throw source.error("unknown_column", `there is no column "${first}"${hint || where}`, location);
  }
  if (keys.length > 0) {
    throw source.error("unknown_column", `${folded} has no field "${keys[0]}"`, location);
  }
  return folded;
}

function propertyPath(keys: readonly string[], scope: SqlScope, location: number): string {
  try {
    return checkPath(propertiesPrefix + joinKeys(keys));
  } catch (error) {
    throw scope.source.error("unknown_column", (error as Error).message, location);
  }
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

const arrows = new Set(["->", "->>", "#>", "#>>"]);

/** The keys below `properties` of a chain of arrows, or null when the chain starts elsewhere. */
function arrowKeys(node: Node, scope: SqlScope): string[] | null {
  if ("ColumnRef" in node) {
    const column = node.ColumnRef;
    const names = scope.source.nameAt(column.location ?? 0) ?? [];
    const own = names[0]?.toLowerCase() === scope.table.toLowerCase() ? names.slice(1) : names;
    return own[0]?.toLowerCase() === "properties" ? own.slice(1) : null;
  }
  if (!("A_Expr" in node) || !arrows.has(nameOf(node.A_Expr.name))) return null;
  const { name, lexpr, rexpr } = node.A_Expr;
  const keys = lexpr ? arrowKeys(lexpr, scope) : null;
  const key = rexpr ? operand(rexpr, scope) : null;
  if (keys === null || key === null) return null;
  if (key.kind !== "literal" || typeof key.value !== "string") {
    throw scope.source.notImplemented("a key that isn't text", key.location);
  }
  if (nameOf(name).startsWith("-")) return [...keys, key.value];
  const more = arrayKeys(key.value);
  if (more === null) {
    const problem = `got ${showLiteral(key.value)}, want keys such as '{a,b}'`;
    throw scope.source.error("sql_type", problem, key.location);
  }
  return [...keys, ...more];
}

function constant(node: Node, scope: SqlScope): Literal | null | undefined {
  if ("ParamRef" in node) return parameter(node.ParamRef.number ?? 0, locationOf(node), scope);
  if (!("A_Const" in node)) return undefined;
  const { isnull, ival, fval, sval, boolval, bsval } = node.A_Const;
  if (isnull) return null;
  if (boolval) return boolval.boolval ?? false;
  if (sval) return sval.sval ?? "";
  if (fval) return number(fval.fval ?? "", locationOf(node), scope);
  if (bsval) throw scope.source.notImplemented("bit strings", locationOf(node));
  return ival?.ival ?? 0;
}

/** Integers stay exact within 64 bits; beyond them, and with a point, a number is a double. */
function number(text: string, location: number, scope: SqlScope): number | bigint {
  const plain = text.replaceAll("_", "").trim();
  const [, sign = "", digits = ""] = /^(-?)(\d+|0[xob][\da-f]+)$/i.exec(plain) ?? [];
  if (digits !== "") {
    const integer = sign === "-" ? -BigInt(digits) : BigInt(digits);
    if (BigInt.asIntN(64, integer) === integer) return fitNumber(integer);
  }
  const double = Number(plain);
  if (plain !== "" && Number.isFinite(double)) return double;
  throw scope.source.error("sql_type", `got ${showLiteral(text)}, want a finite number`, location);
}

function parameter(index: number, location: number, scope: SqlScope): Literal | null {
  const { params, source } = scope;
  const value = params[index - 1];
  if (index < 1 || index > params.length) {
    throw source.error(
      "sql_parameter",
      `there is no $${index}: got ${params.length} params`,
      location,
    );
  }
  if (value === null) return null;
  const type = typeof value;
  if (type === "number" && !Number.isFinite(value)) {
    throw source.error("sql_parameter", `$${index} is not a finite number`, location);
  }
  if (type === "string" || type === "number" || type === "boolean" || type === "bigint") {
    return value as Literal;
  }
  const problem = `$${index}: got ${showLiteral(value)}, want text, a number, a boolean or null`;
  throw source.error("sql_parameter", problem, location);
}

const booleanWords = new Map([
  ...["t", "true", "y", "yes", "on", "1"].map((word) => [word, true] as const),
  ...["f", "false", "n", "no", "off", "0"].map((word) => [word, false] as const),
]);

/** A constant cast to a type, or undefined where the cast isn't one of ours. */
function castLiteral(value: Literal, type: string, location: number, scope: SqlScope): Operand {
  const literal = (cast: Literal, time = false): Operand => {
    return { kind: "literal", value: cast, time, location };
  };
  const wanted = (want: string): Error =>
    scope.source.error("sql_type", `got ${showLiteral(value)}, want ${want}`, location);
  switch (type) {
    case "timestamptz":
    case "timestamp": {
      const us = parseTime(String(value));
      if (typeof us === "bigint") return literal(us, true);
      throw wanted(`a time with its zone, such as '2026-11-23T12:00:00Z' (${us})`);
    }
    case "int2":
    case "int4":
    case "int8":
      if (!/^\s*[+-]?\d{1,19}\s*$/.test(String(value))) throw wanted("an integer");
      return literal(number(String(value).trim().replace("+", ""), location, scope));
    case "float4":
    case "float8":
    case "numeric":
      if (typeof value === "boolean") throw wanted("a number");
      return literal(number(String(value), location, scope));
    case "bool": {
      const word = booleanWords.get(String(value).trim().toLowerCase());
      if (word === undefined) throw wanted("true or false");
      return literal(word);
    }
    case "text":
    case "varchar":
    case "bpchar":
    case "uuid":
      return literal(String(value));
    default:
      throw scope.source.notImplemented(`the type ${type}`, location);
  }
}

function cast(node: TypeCast, scope: SqlScope): Operand {
  const arg = node.arg;
  const inner = arg ? operand(arg, scope) : null;
  const location = arg ? locationOf(arg) : 0;
  if (inner === null) throw scope.source.notImplemented("this cast", location);
  if (inner.kind === "path") throw scope.source.notImplemented("casts of columns", location);
  if (node.typeName?.typmods || node.typeName?.arrayBounds) {
    throw scope.source.notImplemented("types with a length or dimensions", location);
  }
  if (inner.value === null) return inner;
  return castLiteral(inner.value, nameOf(node.typeName?.names), location, scope);
}

/** The column or constant that a node is, or null when it is neither. */
export function operand(node: Node, scope: SqlScope): Operand | null {
  const location = locationOf(node);
  const value = constant(node, scope);
  if (value !== undefined) return { kind: "literal", value, time: false, location };
  if ("TypeCast" in node) return cast(node.TypeCast, scope);
  if ("ColumnRef" in node) {
    return { kind: "path", path: columnPath(node.ColumnRef, scope), as: "value", location };
  }
  if (!("A_Expr" in node) || node.A_Expr.kind !== "AEXPR_OP") return null;
  const { name, lexpr, rexpr } = node.A_Expr;
  const operator = nameOf(name);
  if (operator === "+" && !lexpr && rexpr) {
    const positive = operand(rexpr, scope);
    return positive?.kind === "literal" && typeof positive.value === "number" ? positive : null;
  }
  if (!arrows.has(operator)) return null;
  const keys = arrowKeys(node, scope);
  if (keys === null) return null;
  const as = operator.endsWith(">>") ? "text" : "json";
  return { kind: "path", path: propertyPath(keys, scope, location), as, location };
}

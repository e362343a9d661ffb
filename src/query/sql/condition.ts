import type { A_Expr, FuncCall, Node } from "libpg-query";
import { predicateDepthMax } from "../../limits.ts";
import { holdsText, showLiteral } from "../literal.ts";
import { pathType } from "../paths.ts";
import type { Built } from "../predicate.ts";
import { both, comparison, either, membership, unknown } from "../predicate.ts";
import type { CompareOp, Literal, Predicate } from "../query.ts";
import type { Operand, SqlScope } from "./operand.ts";
import { featureOf, locationOf, nameOf, operand } from "./operand.ts";

type PathOperand = Extract<Operand, { kind: "path" }>;
type LiteralOperand = Extract<Operand, { kind: "literal" }>;

const compareOps: Readonly<Record<string, CompareOp>> = {
  "=": "=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

const mirrored: Readonly<Record<CompareOp, CompareOp>> = {
  "=": "=",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

const aggregates = new Set(["count", "sum", "avg", "min", "max"]);

/**
 * Which outcome of a condition decides. A row is selected where the whole is true, so below AND and OR only
 * `true` matters and false and NULL may be exchanged; below a NOT only `false` matters; and so on by turns.
 */
export type Deciding = "true" | "false";

interface Reading {
  readonly deciding: Deciding;
  readonly depth: number;
}

function constantPredicate(value: boolean | null): Predicate {
  return { kind: "constant", value };
}

/** The operand that a node is; anything else is named as what it is. */
function operandOf(node: Node | undefined, scope: SqlScope): Operand {
  if (!node) throw scope.source.notImplemented("this expression", 0);
  const found = operand(node, scope);
  if (found) return found;
  if ("FuncCall" in node && aggregates.has(nameOf(node.FuncCall.funcname))) {
    const problem = "aggregate functions are not allowed in a condition";
    throw scope.source.error("sql_semantics", problem, locationOf(node));
  }
  throw scope.source.notImplemented(featureOf(node), locationOf(node));
}

/** The literal as the path's column compares it; text where `->>` made text of the column. */
function checkLiteral(path: PathOperand, literal: LiteralOperand, scope: SqlScope): void {
  const { source } = scope;
  if (path.as === "json") {
    const feature = "comparing what -> gives (use ->> for text, properties.a for a value)";
    throw source.notImplemented(feature, path.location);
  }
  const { value } = literal;
  if (path.as === "text" && value !== null && typeof value !== "string") {
    const want = `text, since ->> gives text (${path.path} is the value itself)`;
    throw source.error("sql_type", `got ${showLiteral(value)}, want ${want}`, literal.location);
  }
  if (literal.time && pathType(path.path) !== "time") {
    const problem = `got a timestamp for ${path.path}, which holds none`;
    throw source.error("sql_type", problem, literal.location);
  }
}

function unwrap(built: Built, path: PathOperand, location: number, scope: SqlScope): Predicate {
  if ("predicate" in built) return built.predicate;
  const problem = `got ${showLiteral(built.got)} for ${path.path}, want ${built.want}`;
  throw scope.source.error("sql_type", problem, location);
}

function compare(
  path: PathOperand,
  op: CompareOp,
  literal: LiteralOperand,
  scope: SqlScope,
): Predicate {
  checkLiteral(path, literal, scope);
  return unwrap(comparison(path.path, op, literal.value), path, literal.location, scope);
}

function order(a: Literal, b: Literal): number {
  if (typeof a === "string" && typeof b === "string") {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Two constants, as generated queries have them (`1 = 1`). */
function fold(
  left: LiteralOperand,
  op: CompareOp,
  right: LiteralOperand,
  scope: SqlScope,
): Predicate {
  if (left.value === null || right.value === null) return unknown;
  const kindOf = (value: Literal): string => (typeof value === "bigint" ? "number" : typeof value);
  if (kindOf(left.value) !== kindOf(right.value)) {
    const problem = `${showLiteral(left.value)} and ${showLiteral(right.value)} don't compare`;
    throw scope.source.error("sql_type", problem, right.location);
  }
  const sign = order(left.value, right.value);
  const holds: Record<CompareOp, boolean> = {
    "=": sign === 0,
    "!=": sign !== 0,
    "<": sign < 0,
    "<=": sign <= 0,
    ">": sign > 0,
    ">=": sign >= 0,
  };
  return constantPredicate(holds[op]);
}

function comparisonOf(node: A_Expr, op: CompareOp, scope: SqlScope): Predicate {
  const left = operandOf(node.lexpr, scope);
  const right = operandOf(node.rexpr, scope);
  if (left.kind === "path" && right.kind === "literal") return compare(left, op, right, scope);
  if (left.kind === "literal" && right.kind === "path") {
    return compare(right, mirrored[op], left, scope);
  }
  if (left.kind === "literal" && right.kind === "literal") return fold(left, op, right, scope);
  throw scope.source.notImplemented("comparing two columns", node.location ?? 0);
}

function pathOf(node: Node | undefined, scope: SqlScope, feature: string): PathOperand {
  const found = operandOf(node, scope);
  if (found.kind === "path") return found;
  throw scope.source.notImplemented(`${feature} of a constant`, found.location);
}

function literalOf(node: Node | undefined, scope: SqlScope): LiteralOperand {
  const found = operandOf(node, scope);
  if (found.kind === "literal") return found;
  throw scope.source.notImplemented("comparing two columns", found.location);
}

function itemsOf(node: Node | undefined): Node[] {
  return node && "List" in node ? (node.List.items ?? []) : [];
}

function listOf(node: A_Expr, items: readonly LiteralOperand[], scope: SqlScope): Predicate {
  const path = pathOf(node.lexpr, scope, "IN");
  for (const item of items) checkLiteral(path, item, scope);
  const values = items.map((item) => item.value);
  const location = items[0]?.location ?? node.location ?? 0;
  const built = membership(path.path, values);
  // The place of the value that doesn't fit, not that of the list.
  const culprit = "want" in built ? items.find((item) => item.value === built.got) : undefined;
  const found = unwrap(built, path, culprit?.location ?? location, scope);
  return nameOf(node.name) === "<>" ? { kind: "not", of: found } : found;
}

/** `= ANY($1)` with an array, as drivers write IN, or `= ANY(ARRAY[…])`. */
function anyOf(node: A_Expr, scope: SqlScope): Predicate {
  const { rexpr, location = 0 } = node;
  if (nameOf(node.name) === "=" && rexpr && "A_ArrayExpr" in rexpr) {
    const items = (rexpr.A_ArrayExpr.elements ?? []).map((one) => literalOf(one, scope));
    return listOf(node, items, scope);
  }
  const param = rexpr && "ParamRef" in rexpr ? (rexpr.ParamRef.number ?? 0) : 0;
  const values = scope.params[param - 1];
  if (nameOf(node.name) !== "=" || !Array.isArray(values)) {
    throw scope.source.notImplemented("ANY of this", location);
  }
  const at = locationOf(rexpr);
  const inner = { ...scope, params: values as unknown[] };
  const items = values.map((_, i) => {
    return literalOf({ ParamRef: { number: i + 1, location: at } }, inner);
  });
  return listOf(node, items, scope);
}

function between(node: A_Expr, scope: SqlScope): Predicate {
  const path = pathOf(node.lexpr, scope, "BETWEEN");
  const [low, high] = itemsOf(node.rexpr).map((item) => literalOf(item, scope));
  if (!low || !high) throw scope.source.notImplemented("this BETWEEN", node.location ?? 0);
  const found = both([compare(path, ">=", low, scope), compare(path, "<=", high, scope)]);
  return node.kind === "AEXPR_NOT_BETWEEN" ? { kind: "not", of: found } : found;
}

function prefixOf(path: PathOperand, prefix: string, location: number, scope: SqlScope): Predicate {
  if (!holdsText(path.path)) {
    const problem = `${path.path} is not text, so it has no prefix`;
    throw scope.source.error("sql_type", problem, location);
  }
  return { kind: "prefix", path: path.path, prefix };
}

/** LIKE 'text%' is a prefix and LIKE 'text' an equality; `\` takes the next character as it is. */
function like(node: A_Expr, scope: SqlScope): Predicate {
  const path = pathOf(node.lexpr, scope, "LIKE");
  const pattern = literalOf(node.rexpr, scope);
  checkLiteral(path, pattern, scope);
  if (pattern.value === null) return unknown;
  if (typeof pattern.value !== "string") {
    const problem = `got ${showLiteral(pattern.value)}, want a pattern as text`;
    throw scope.source.error("sql_type", problem, pattern.location);
  }
  const parts = /^((?:[^%_\\]|\\.)*)(%*)$/su.exec(pattern.value);
  if (!parts) {
    const feature =
      "LIKE with another pattern than 'prefix%' (a plain _ or % is written \\_ or \\%)";
    throw scope.source.notImplemented(feature, pattern.location);
  }
  const text = (parts[1] ?? "").replace(/\\(.)/gsu, "$1");
  const found = parts[2]
    ? prefixOf(path, text, path.location, scope)
    : compare(path, "=", { ...pattern, value: text }, scope);
  return nameOf(node.name) === "!~~" ? { kind: "not", of: found } : found;
}

function keyExists(node: A_Expr, scope: SqlScope): Predicate {
  const arrow: Node = { A_Expr: { ...node, name: [{ String: { sval: "->" } }] } };
  return { kind: "exists", path: pathOf(arrow, scope, "?").path };
}

function operatorCondition(node: A_Expr, scope: SqlScope): Predicate {
  const operator = nameOf(node.name);
  const op = compareOps[operator];
  if (op && node.lexpr) return comparisonOf(node, op, scope);
  if (operator === "?") return keyExists(node, scope);
  if (operator === "^@") {
    const path = pathOf(node.lexpr, scope, "^@");
    const prefix = literalOf(node.rexpr, scope);
    checkLiteral(path, prefix, scope);
    if (typeof prefix.value === "string") {
      return prefixOf(path, prefix.value, path.location, scope);
    }
  }
  return booleanOperand({ A_Expr: node }, scope);
}

const kindNames: Readonly<Record<string, string>> = {
  AEXPR_OP_ALL: "ALL of this",
  AEXPR_DISTINCT: "IS DISTINCT FROM",
  AEXPR_NOT_DISTINCT: "IS NOT DISTINCT FROM",
  AEXPR_NULLIF: "NULLIF",
  AEXPR_ILIKE: "ILIKE",
  AEXPR_SIMILAR: "SIMILAR TO",
  AEXPR_BETWEEN_SYM: "BETWEEN SYMMETRIC",
  AEXPR_NOT_BETWEEN_SYM: "NOT BETWEEN SYMMETRIC",
};

function expressionCondition(node: A_Expr, reading: Reading, scope: SqlScope): Predicate {
  switch (node.kind) {
    case "AEXPR_OP":
      return operatorCondition(node, scope);
    case "AEXPR_IN":
      return listOf(
        node,
        itemsOf(node.rexpr).map((item) => literalOf(item, scope)),
        scope,
      );
    case "AEXPR_OP_ANY":
      return anyOf(node, scope);
    case "AEXPR_BETWEEN":
    case "AEXPR_NOT_BETWEEN":
      return between(node, scope);
    case "AEXPR_LIKE":
      return like(node, scope);
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT": {
      // Against a constant that isn't NULL it differs from `=` and `<>` only where it doesn't decide.
      const same = node.kind === "AEXPR_NOT_DISTINCT";
      const right = operandOf(node.rexpr, scope);
      const plain = right.kind === "literal" && right.value !== null;
      if (plain && reading.deciding === (same ? "true" : "false")) {
        return comparisonOf(node, same ? "=" : "!=", scope);
      }
    }
  }
  const feature = kindNames[node.kind ?? ""] ?? `the operator ${nameOf(node.name)}`;
  throw scope.source.notImplemented(feature, node.location ?? 0);
}

function functionCondition(call: FuncCall, scope: SqlScope): Predicate {
  const [text, prefix] = call.args ?? [];
  if (nameOf(call.funcname) !== "starts_with" || call.args?.length !== 2 || call.over) {
    return booleanOperand({ FuncCall: call }, scope);
  }
  const node: A_Expr = { kind: "AEXPR_OP", name: [{ String: { sval: "^@" } }] };
  if (text) node.lexpr = text;
  if (prefix) node.rexpr = prefix;
  return operatorCondition(node, scope);
}

/** A column or a constant that stands as a condition by itself. */
function booleanOperand(node: Node, scope: SqlScope): Predicate {
  const found = operandOf(node, scope);
  if (found.kind === "path") {
    const literal: LiteralOperand = { ...found, kind: "literal", value: true, time: false };
    return compare(found, "=", literal, scope);
  }
  if (found.value === null || typeof found.value === "boolean") {
    return constantPredicate(found.value);
  }
  const problem = `got ${showLiteral(found.value)}, want a condition`;
  throw scope.source.error("sql_type", problem, found.location);
}

function nullTest(node: Node, scope: SqlScope): Predicate {
  const found = operandOf(node, scope);
  if (found.kind === "literal") return constantPredicate(found.value === null);
  return { kind: "is-null", path: found.path };
}

/** `IS [NOT] TRUE` and its like, where the deciding outcome is the same without the test; else refused. */
function booleanTest(node: Node, reading: Reading, scope: SqlScope): Predicate {
  if (!("BooleanTest" in node)) return unknown;
  const { arg, booltesttype, location = 0 } = node.BooleanTest;
  if (!arg) throw scope.source.notImplemented("this test", location);
  const inner = condition(arg, { ...reading, depth: reading.depth + 1 }, scope);
  const negated: Predicate = { kind: "not", of: inner };
  if (reading.deciding === "true") {
    if (booltesttype === "IS_TRUE") return inner;
    if (booltesttype === "IS_FALSE") return negated;
  } else {
    if (booltesttype === "IS_NOT_TRUE") return negated;
    if (booltesttype === "IS_NOT_FALSE") return inner;
  }
  const words = (booltesttype ?? "this test").replaceAll("_", " ");
  throw scope.source.notImplemented(`${words} here`, location);
}

/** Compiles a condition; `reading` starts at depth 0. */
export function condition(node: Node, reading: Reading, scope: SqlScope): Predicate {
  if (reading.depth > predicateDepthMax) {
    const problem = `the condition is nested deeper than ${predicateDepthMax} levels`;
    throw scope.source.error("sql_syntax", problem, locationOf(node));
  }
  const inner: Reading = { ...reading, depth: reading.depth + 1 };
  if ("BoolExpr" in node) {
    const { boolop, args = [] } = node.BoolExpr;
    if (boolop !== "NOT_EXPR") {
      const of = args.map((arg) => condition(arg, inner, scope));
      return boolop === "AND_EXPR" ? both(of) : either(of);
    }
    const [arg] = args;
    if (!arg) throw scope.source.notImplemented("this NOT", locationOf(node));
    const deciding = reading.deciding === "true" ? "false" : "true";
    return { kind: "not", of: condition(arg, { ...inner, deciding }, scope) };
  }
  if ("A_Expr" in node) return expressionCondition(node.A_Expr, reading, scope);
  if ("FuncCall" in node) return functionCondition(node.FuncCall, scope);
  if ("BooleanTest" in node) return booleanTest(node, inner, scope);
  if ("NullTest" in node) {
    const { arg, nulltesttype } = node.NullTest;
    if (!arg) throw scope.source.notImplemented("this test", locationOf(node));
    const isNull = nullTest(arg, scope);
    return nulltesttype === "IS_NULL" ? isNull : { kind: "not", of: isNull };
  }
  return booleanOperand(node, scope);
}

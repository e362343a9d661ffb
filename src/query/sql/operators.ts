// Operators: comparisons, patterns, lists, arithmetic.

import type { A_Expr, Node } from "libpg-query";
import { InputError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import { compileLike } from "../expression/pattern.ts";
import { joinKeys, propertiesPrefix } from "../paths.ts";
import type { CompareOp } from "../query.ts";
import { coerce } from "../typing/coerce.ts";
import { compare, distinct, inList, isCompareOp, match, not } from "../typing/conditions.ts";
import {
  applyArithmetic,
  applyFunction,
  checkPattern,
  concatenate,
  negate,
  nullIf,
} from "../typing/functions.ts";
import { minus } from "../typing/intervals.ts";
import type { Place, Term } from "../typing/term.ts";
import { call, literal, term } from "../typing/term.ts";
import { arrayOfParameter } from "./constant.ts";
import { arrowKeys, arrowTerm, isArrow } from "./path.ts";
import type { SqlScope } from "./scope.ts";
import { locationOf, nameOf, placeAt } from "./scope.ts";

type OperatorNode = Extract<Node, { A_Expr: unknown }>;

const likes: Readonly<Record<string, "like" | "ilike">> = { "~~": "like", "~~*": "ilike" };
const regexes: Readonly<Record<string, "matches" | "imatches">> = {
  "~": "matches",
  "~*": "imatches",
};

const kindNames: Readonly<Record<string, string>> = {
  AEXPR_SIMILAR: "SIMILAR TO",
  AEXPR_OP_ALL: "ALL of this",
  AEXPR_OP_ANY: "ANY of this",
};

export function operatorTerm(node: OperatorNode, scope: SqlScope): Term {
  const { A_Expr: expression } = node;
  const operator = nameOf(expression.name);
  const place = placeAt(scope.source, expression.location ?? 0);
  if (expression.kind === "AEXPR_OP" && isArrow(operator)) return arrowTerm(node, scope);
  return term(operation(expression, operator, place, scope), place);
}

function operation(node: A_Expr, operator: string, place: Place, scope: SqlScope): Expression {
  const left = (): Term => scope.compile(node.lexpr, scope);
  const right = (): Term => scope.compile(node.rexpr, scope);
  switch (node.kind) {
    case "AEXPR_OP":
      return plainOperation(node, operator, place, scope);
    case "AEXPR_IN": {
      const found = inList(left(), compileItems(node.rexpr, scope));
      return operator === "<>" ? not(found) : found;
    }
    case "AEXPR_OP_ANY":
    case "AEXPR_OP_ALL":
      return arrayOperation(node, operator, place, scope);
    case "AEXPR_BETWEEN":
    case "AEXPR_NOT_BETWEEN":
    case "AEXPR_BETWEEN_SYM":
    case "AEXPR_NOT_BETWEEN_SYM":
      return between(node, scope);
    case "AEXPR_LIKE":
    case "AEXPR_ILIKE":
      return like(node, operator, scope);
    case "AEXPR_DISTINCT":
      return distinct(left(), right());
    case "AEXPR_NOT_DISTINCT":
      return not(distinct(left(), right()));
    case "AEXPR_NULLIF":
      return nullIf(left(), right());
  }
  const feature = kindNames[node.kind ?? ""] ?? `the operator ${operator}`;
  throw scope.source.notImplemented(feature, node.location ?? 0);
}

function plainOperation(node: A_Expr, operator: string, place: Place, scope: SqlScope): Expression {
  if (operator === "?") return keyExists(node, scope);
  if (operator === "||")
    return concatenate(chain(node, scope).map((one) => scope.compile(one, scope)));
  const b = scope.compile(node.rexpr, scope);
  if (!node.lexpr) return prefixOperation(operator, b, place);
  const a = scope.compile(node.lexpr, scope);
  const made = binaryOperation(operator, a, b, place);
  if (made !== null) return made;
  throw place.error("not_implemented", `the operator ${operator}: not supported yet`, 501);
}

function binaryOperation(operator: string, a: Term, b: Term, place: Place): Expression | null {
  const op = operator === "<>" ? "!=" : operator;
  if (isCompareOp(op)) return compare(op as CompareOp, a, b);
  const positive = operator.replace(/^!/, "");
  const negated = positive !== operator;
  const fn = likes[positive] ?? regexes[positive];
  if (fn !== undefined) {
    const found = match(fn, a, b, `the operator ${operator}`);
    if (regexes[positive] !== undefined) checkPattern(b.of, b.place);
    return negated ? not(found) : found;
  }
  if (operator === "^@") return applyFunction("starts_with", [a, b], place);
  return applyArithmetic(operator, a, b, place);
}

function prefixOperation(operator: string, of: Term, place: Place): Expression {
  if (operator === "-") return of.of.type === "interval" ? minus(of.of) : negate(of);
  if (operator === "+")
    return of.of.type === "interval" ? of.of : coerce(of, "number", "the operator +");
  const functions: Readonly<Record<string, string>> = { "@": "abs", "|/": "sqrt" };
  const made = applyFunction(functions[operator] ?? "", [of], place);
  if (made !== null) return made;
  throw place.error("not_implemented", `the operator ${operator}: not supported yet`, 501);
}

/** The operands of `a || b || …`. */
function chain(node: A_Expr, scope: SqlScope): Node[] {
  const operands: Node[] = [];
  let one: A_Expr = node;
  for (;;) {
    if (!one.lexpr || !one.rexpr) {
      throw scope.source.notImplemented("the operator || before a value", one.location ?? 0);
    }
    operands.push(one.rexpr);
    const { lexpr } = one;
    const isChain =
      "A_Expr" in lexpr && lexpr.A_Expr.kind === "AEXPR_OP" && nameOf(lexpr.A_Expr.name) === "||";
    if (!isChain) return [lexpr, ...operands.reverse()];
    one = lexpr.A_Expr;
  }
}

function keyExists(node: A_Expr, scope: SqlScope): Expression {
  const keys = arrowKeys({ A_Expr: node }, scope);
  if (keys === null) throw scope.source.notImplemented("? of this", node.location ?? 0);
  const path = propertiesPrefix + joinKeys(keys);
  return call("boolean", "exists", [{ kind: "path", type: "variant", path }]);
}

function itemsOf(node: Node | undefined): readonly Node[] {
  return node && "List" in node ? (node.List.items ?? []) : [];
}

function compileItems(node: Node | undefined, scope: SqlScope): Term[] {
  return itemsOf(node).map((item) => scope.compile(item, scope));
}

/** `op ANY (…)` and `op ALL (…)` of `ARRAY[…]`, of an array's text, or of a parameter, as drivers write IN. */
function arrayOperation(node: A_Expr, operator: string, place: Place, scope: SqlScope): Expression {
  const items = arrayItems(node.rexpr, scope);
  const isAny = node.kind === "AEXPR_OP_ANY";
  if (items === null) {
    throw scope.source.notImplemented(`${isAny ? "ANY" : "ALL"} of this`, node.location ?? 0);
  }
  const value = scope.compile(node.lexpr, scope);
  if (operator === "=" && isAny) return inList(value, items);
  if (operator === "<>" && !isAny) return not(inList(value, items));
  if (items.length === 0) return literal("boolean", !isAny);
  const each = items.map((item) => binaryOperation(operator, value, item, place));
  if (each.some((one) => one === null || one.type !== "boolean")) {
    throw place.error("not_implemented", `the operator ${operator}: not supported yet`, 501);
  }
  return call("boolean", isAny ? "or" : "and", each as Expression[]);
}

function arrayItems(node: Node | undefined, scope: SqlScope): Term[] | null {
  if (node && "A_ArrayExpr" in node) {
    return (node.A_ArrayExpr.elements ?? []).map((one) => scope.compile(one, scope));
  }
  // '$1::text[]' says no more than '$1'.
  if (node && "TypeCast" in node && node.TypeCast.typeName?.arrayBounds) {
    return arrayItems(node.TypeCast.arg, scope);
  }
  return arrayOfParameter(node, scope);
}

function between(node: A_Expr, scope: SqlScope): Expression {
  const value = scope.compile(node.lexpr, scope);
  const [low, high] = compileItems(node.rexpr, scope);
  if (!low || !high) throw scope.source.notImplemented("this BETWEEN", node.location ?? 0);
  const within = (a: Term, b: Term): Expression =>
    call("boolean", "and", [compare(">=", value, a), compare("<=", value, b)]);
  const symmetric = node.kind?.endsWith("_SYM") ?? false;
  const found = symmetric
    ? call("boolean", "or", [within(low, high), within(high, low)])
    : within(low, high);
  return node.kind?.startsWith("AEXPR_NOT") ? not(found) : found;
}

/** LIKE and ILIKE; `ESCAPE` comes as a call around the pattern. */
function like(node: A_Expr, operator: string, scope: SqlScope): Expression {
  const fn = node.kind === "AEXPR_LIKE" ? "like" : "ilike";
  const value = scope.compile(node.lexpr, scope);
  const { rexpr } = node;
  const escaped = rexpr && "FuncCall" in rexpr && nameOf(rexpr.FuncCall.funcname) === "like_escape";
  const pattern = escaped
    ? escapedPattern(rexpr.FuncCall.args ?? [], scope)
    : scope.compile(rexpr, scope);
  checkLike(pattern);
  const found = match(fn, value, pattern, fn.toUpperCase());
  return operator.startsWith("!") ? not(found) : found;
}

function checkLike({ of, place }: Term): void {
  if (of.kind !== "literal" || typeof of.value !== "string") return;
  try {
    compileLike(of.value, "\\", false);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw place.error(error.code, error.message);
  }
}

/** A pattern with another escape character, written with ours. */
function escapedPattern([pattern, escape]: readonly Node[], scope: SqlScope): Term {
  const text = scope.compile(pattern, scope);
  const by = scope.compile(escape, scope);
  const [from, character] = [text.of, by.of].map((one) =>
    one.kind === "literal" ? one.value : undefined,
  );
  // A pattern that is NULL, or is escaped by NULL, makes the condition NULL.
  if (from === null) return text;
  if (character === null) return by;
  if (typeof from !== "string" || typeof character !== "string") {
    throw scope.source.notImplemented("ESCAPE of what isn't a constant", locationOf(pattern));
  }
  if ([...character].length > 1) {
    throw by.place.error(
      "invalid_pattern",
      `got the escape "${character.slice(0, 16)}", want one character`,
    );
  }
  let made = "";
  let isEscaped = false;
  for (const char of from) {
    if (!isEscaped && char === character) isEscaped = true;
    else {
      made += isEscaped || char === "\\" ? `\\${char}` : char;
      isEscaped = false;
    }
  }
  if (isEscaped)
    throw text.place.error("invalid_pattern", "the pattern ends with its escape character");
  return term(literal("string", made), text.place, "text");
}

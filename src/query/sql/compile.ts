// The parser's tree of an expression as a typed term.

import type { CaseExpr, Node, TypeCast } from "libpg-query";
import { predicateDepthMax } from "../../limits.ts";
import type { Expression } from "../expression/expression.ts";
import { bucketOf } from "../typing/buckets.ts";
import { castTo } from "../typing/casts.ts";
import { compare, conditionOf, isNullTest, not } from "../typing/conditions.ts";
import { foldConstant } from "../typing/fold.ts";
import { caseOf, choose } from "../typing/functions.ts";
import type { Term } from "../typing/term.ts";
import { call, literal, nullOf, term } from "../typing/term.ts";
import { callTerm, matchSubscript } from "./calls.ts";
import { constantTerm } from "./constant.ts";
import { operatorTerm } from "./operators.ts";
import { columnTerm } from "./path.ts";
import type { SqlScope } from "./scope.ts";
import { featureOf, locationOf, nameOf, placeAt } from "./scope.ts";
import { sessionValue } from "./session.ts";

/** Compiles a node; constants that are called with constants become constants. */
export function compileTerm(node: Node | undefined, outer: SqlScope): Term {
  if (!node) throw outer.source.notImplemented("this expression", 0);
  const depth = outer.depth + 1;
  if (depth > predicateDepthMax) {
    const problem = `the expression is nested deeper than ${predicateDepthMax} levels`;
    throw outer.source.error("sql_syntax", problem, locationOf(node));
  }
  const scope = { ...outer, depth };
  const found = termOf(node, scope);
  const folded = foldConstant(found.of);
  return folded === found.of ? found : term(folded, found.place);
}

function termOf(node: Node, scope: SqlScope): Term {
  const constant = constantTerm(node, scope);
  if (constant !== null) return constant;
  if ("ColumnRef" in node) return columnTerm(node.ColumnRef, scope);
  if ("A_Expr" in node) return operatorTerm(node, scope);
  if ("FuncCall" in node) return callTerm(node.FuncCall, scope);
  const place = placeAt(scope.source, locationOf(node));
  const made = valueOf(node, scope);
  if (made === null) throw scope.source.notImplemented(featureOf(node), locationOf(node));
  return term(made, place);
}

function valueOf(node: Node, scope: SqlScope): Expression | null {
  const place = placeAt(scope.source, locationOf(node));
  const compileAll = (nodes: readonly Node[] = []): Term[] =>
    nodes.map((one) => scope.compile(one, scope));
  if ("TypeCast" in node) return castOf(node.TypeCast, scope);
  if ("BoolExpr" in node) return logicOf(node, scope);
  if ("NullTest" in node) {
    const tested = isNullTest(scope.compile(node.NullTest.arg, scope));
    return node.NullTest.nulltesttype === "IS_NULL" ? tested : not(tested);
  }
  if ("BooleanTest" in node) return truthOf(node, scope);
  if ("CaseExpr" in node) return caseExpression(node.CaseExpr, scope);
  if ("CoalesceExpr" in node) return choose("coalesce", compileAll(node.CoalesceExpr.args), place);
  if ("MinMaxExpr" in node) {
    const fn = node.MinMaxExpr.op === "IS_GREATEST" ? "greatest" : "least";
    return choose(fn, compileAll(node.MinMaxExpr.args), place);
  }
  if ("A_Indirection" in node) return matchSubscript(node, scope);
  if ("SQLValueFunction" in node) {
    const { op } = node.SQLValueFunction;
    const now = call("timestamp", "now", []);
    if (op === "SVFOP_CURRENT_TIMESTAMP" || op === "SVFOP_LOCALTIMESTAMP") return now;
    const session = sessionValue(op);
    if (session !== null) return literal("string", session);
    if (op !== "SVFOP_CURRENT_DATE") return null;
    const day = bucketOf(now, { months: 0, days: 1, us: 0n }, null, "UTC");
    return typeof day === "string" ? null : day;
  }
  return null;
}

function castOf(node: TypeCast, scope: SqlScope): Expression {
  const { typeName } = node;
  const name = nameOf(typeName?.names);
  const location = typeName?.location ?? locationOf(node.arg);
  const fields = name === "interval" ? typeName?.typmods : undefined;
  if ((typeName?.typmods && !fields) || typeName?.arrayBounds || typeName?.setof) {
    const feature = "types with a length or dimensions";
    throw scope.source.notImplemented(feature, locationOf(node.arg));
  }
  const of = scope.compile(node.arg, scope);
  return castTo(fields ? withUnit(of, fields, scope) : of, name, placeAt(scope.source, location));
}

/** PostgreSQL's numbers of the fields that may stand after an interval's text. */
const fieldUnits: ReadonlyMap<number, string> = new Map([
  [4, "year"],
  [2, "month"],
  [8, "day"],
  [1024, "hour"],
  [2048, "minute"],
  [4096, "second"],
]);

/** `INTERVAL '1' HOUR`: the unit stands after the text. */
function withUnit(one: Term, [field, ...more]: readonly Node[], scope: SqlScope): Term {
  const mask = field && "A_Const" in field ? field.A_Const.ival?.ival : undefined;
  const unit = fieldUnits.get(mask ?? 0);
  const { of, place } = one;
  const isNumber = of.kind === "literal" && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(String(of.value));
  if (unit === undefined || more.length > 0 || !isNumber) {
    const feature = "INTERVAL with fields after it, but INTERVAL '1' HOUR and its like";
    throw scope.source.notImplemented(feature, locationOf(field));
  }
  return term(literal("string", `${of.value} ${unit}`), place, "text");
}

function logicOf({ BoolExpr }: Extract<Node, { BoolExpr: unknown }>, scope: SqlScope): Expression {
  const { boolop, args = [] } = BoolExpr;
  const words = { AND_EXPR: "AND", OR_EXPR: "OR", NOT_EXPR: "NOT" } as const;
  const word = words[boolop ?? "NOT_EXPR"];
  const of = args.map((arg) => conditionOf(scope.compile(arg, scope), word));
  const [first] = of;
  if (word === "NOT") return not(first ?? nullOf("boolean"));
  return call("boolean", word === "AND" ? "and" : "or", of);
}

function truthOf(
  { BooleanTest }: Extract<Node, { BooleanTest: unknown }>,
  scope: SqlScope,
): Expression {
  const { arg, booltesttype = "IS_TRUE" } = BooleanTest;
  const of = conditionOf(scope.compile(arg, scope), "this test");
  const fns = { TRUE: "is_true", FALSE: "is_false", UNKNOWN: "is_null" } as const;
  const fn = fns[booltesttype.split("_").at(-1) as keyof typeof fns];
  const tested = foldConstant(call("boolean", fn, [of]));
  return booltesttype.includes("NOT") ? not(tested) : tested;
}

function caseExpression(node: CaseExpr, scope: SqlScope): Expression {
  const subject = node.arg ? scope.compile(node.arg, scope) : null;
  const whens = (node.args ?? []).map((one) => {
    if (!("CaseWhen" in one)) throw scope.source.notImplemented("this CASE", locationOf(one));
    const { expr, result } = one.CaseWhen;
    const tested = scope.compile(expr, scope);
    const condition = subject ? term(compare("=", subject, tested), tested.place) : tested;
    return { condition, result: scope.compile(result, scope) };
  });
  const otherwise = node.defresult
    ? scope.compile(node.defresult, scope)
    : term(nullOf("variant"), placeAt(scope.source, node.location ?? 0));
  return caseOf(whens, otherwise);
}

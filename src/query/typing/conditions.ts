// Comparisons and what is made of them: what compares with what, and how a constant is written for a column.

import type { Expression, ScalarFunction, ValueType } from "../expression/expression.ts";
import { fitLiteral, showLiteral } from "../literal.ts";
import { fixedPaths, pathType, propertiesPrefix } from "../paths.ts";
import type { CompareOp } from "../query.ts";
import { castHint, coerce, describeTerm, nameOfType, narrow, unify } from "./coerce.ts";
import { foldConstant } from "./fold.ts";
import type { LiteralExpression, PathExpression, Place, Term } from "./term.ts";
import { call, inPlaceOf, isNull, literal, nullOf, typeOfLiteral } from "./term.ts";

const compareOps: ReadonlySet<string> = new Set(["=", "!=", "<", "<=", ">", ">="]);

export function isCompareOp(op: string): op is CompareOp {
  return compareOps.has(op);
}

export function compare(op: CompareOp, a: Term, b: Term): Expression {
  const [left, right] = comparable(a, b);
  if (isNull(left) || isNull(right)) return nullOf("boolean");
  return foldConstant(call("boolean", op, [left, right]));
}

/** `IS DISTINCT FROM`: a comparison for which NULL is a value. */
export function distinct(a: Term, b: Term): Expression {
  if (isNull(b.of)) return not(isNullTest(a));
  if (isNull(a.of)) return not(isNullTest(b));
  const [left, right] = comparable(a, b);
  return foldConstant(call("boolean", "is_distinct", [left, right]));
}

export function isNullTest({ of, spelling, place }: Term): Expression {
  if (of.kind === "literal") return literal("boolean", of.value === null);
  if (of.kind === "path" && of.path === "properties") throw wholeProperties(place);
  // `->>` shows text only, but what isn't text isn't NULL either.
  const plain: Expression =
    of.kind === "path" && spelling === "arrow-text" ? { ...of, type: "variant" } : of;
  return call("boolean", "is_null", [inPlaceOf(of, plain)]);
}

export function wholeProperties(place: Place): Error {
  return place.error("not_implemented", "properties as a whole: not supported yet here", 501);
}

export function not(of: Expression): Expression {
  if (of.kind !== "literal") return call("boolean", "not", [of]);
  return of.value === null ? nullOf("boolean") : literal("boolean", of.value === false);
}

/** `value IN (items)`. */
export function inList(value: Term, items: readonly Term[]): Expression {
  checkComparable(value);
  if (isStored(value.of) && items.every((item) => item.of.kind === "literal")) {
    return inConstants(value, value.of, items);
  }
  const type = unify([value, ...items], "IN");
  const args = [value, ...items].map((one) => coerce(one, type, "IN"));
  return call("boolean", "in", args);
}

/** A bare property path may be compared with constants of several types at once. */
function inConstants(value: Term, path: PathExpression, items: readonly Term[]): Expression {
  const pairs = items.map((item) => pathAndConstant(value, path, item));
  const types = new Set(pairs.filter(([, of]) => !isNull(of)).map(([one]) => one.type));
  const [only] = types;
  const type = types.size === 1 && only !== undefined ? only : path.type;
  const left = inPlaceOf(path, { ...path, type });
  return call("boolean", "in", [left, ...pairs.map(([, of]) => of)]);
}

/** Both sides as values of one type. */
function comparable(a: Term, b: Term): [Expression, Expression] {
  checkComparable(a);
  checkComparable(b);
  if (isStored(a.of) && b.of.kind === "literal") return pathAndConstant(a, a.of, b);
  if (a.of.kind === "literal" && isStored(b.of)) {
    const [path, constant] = pathAndConstant(b, b.of, a);
    return [constant, path];
  }
  const type = unify([a, b], "a comparison");
  return [coerce(a, type, "a comparison"), coerce(b, type, "a comparison")];
}

/** A column of events, not one of another table: its constants are written in the form of its lanes. */
function isStored(of: Expression): of is PathExpression {
  return (
    of.kind === "path" && (fixedPaths.includes(of.path) || of.path.startsWith(propertiesPrefix))
  );
}

function checkComparable({ of, spelling, place }: Term): void {
  if (spelling === "arrow-json") {
    const feature = "comparing what -> gives (use ->> for text, properties.a for a value)";
    throw place.error("not_implemented", `${feature}: not supported yet`, 501);
  }
  if (of.kind === "path" && of.path === "properties") throw wholeProperties(place);
}

/** A path and a constant in the form in which the path's column compares it. */
function pathAndConstant(
  { spelling }: Term,
  path: PathExpression,
  constant: Term,
): [PathExpression, Expression] {
  const { place } = constant;
  const { value, type } = constant.of as LiteralExpression;
  if (value === null) return [path, inPlaceOf(constant.of, nullOf(path.type))];
  if (typeof value === "object") {
    throw place.error("sql_type", `got an interval for ${path.path}, which holds none`);
  }
  if (spelling === "arrow-text" && typeof value !== "string") {
    const want = `text, since ->> gives text (${path.path} is the value itself)`;
    throw place.error("sql_type", `got ${showLiteral(value)}, want ${want}`);
  }
  if (type === "timestamp" && pathType(path.path) !== "time") {
    const hint = `cast it: ${path.path}::timestamptz`;
    throw place.error("sql_type", `got a timestamp for ${path.path}, which holds none; ${hint}`);
  }
  // What is a time already has no unit to be guessed.
  const fitted = type === "timestamp" ? { value } : fitLiteral(path.path, value);
  if ("want" in fitted) {
    throw place.error(
      "sql_type",
      `got ${showLiteral(value)} for ${path.path}, want ${fitted.want}`,
    );
  }
  const own = pathType(path.path) === "property" ? typeOfLiteral(fitted.value) : path.type;
  const seen = narrow(path, own) as PathExpression;
  return [seen, inPlaceOf(constant.of, literal(own, fitted.value))];
}

/** `text LIKE pattern` and its like, `fn` being like, ilike, matches or imatches. */
export function match(fn: ScalarFunction, text: Term, pattern: Term, name: string): Expression {
  const left = coerce(text, "string", name);
  const right = coerce(pattern, "string", name);
  if (isNull(right)) return nullOf("boolean");
  return call("boolean", fn, [left, right]);
}

/** Terms as values of one type, for CASE, COALESCE and their like. */
export function alike(
  terms: readonly Term[],
  whose: string,
): { type: ValueType; of: Expression[] } {
  const whole = terms.find(({ of }) => of.kind === "path" && of.path === "properties");
  if (whole) throw wholeProperties(whole.place);
  const type = unify(terms, whose);
  return { type, of: terms.map((one) => coerce(one, type, whose)) };
}

/** A condition: what is true, false or NULL. */
export function conditionOf(one: Term, whose: string): Expression {
  const { of, place } = one;
  if (of.kind === "literal" && of.value !== null && of.type !== "boolean") {
    throw place.error("sql_type", `got ${describeTerm(one)}, want a condition`);
  }
  const found = narrow(of, "boolean");
  if (found !== null && one.spelling !== "arrow-json") return found;
  const got = describeTerm(one);
  throw place.error(
    "sql_type",
    `${whose}: got ${got}, want ${nameOfType("boolean")}${castHint(of, "boolean")}`,
  );
}

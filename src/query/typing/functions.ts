// Calls of functions and operators of one row, typed by their signatures.

import { InputError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import { compileRegex } from "../expression/pattern.ts";
import { coerce, textOf } from "./coerce.ts";
import { alike, conditionOf } from "./conditions.ts";
import { addTimes } from "./intervals.ts";
import type { Argument, Signature } from "./signatures.ts";
import { signatures } from "./signatures.ts";
import type { Place, Term } from "./term.ts";
import { call, isNull, literal, nullOf } from "./term.ts";

/** The call of a function of the table, or null where the table has none of that name. */
export function applyFunction(
  name: string,
  args: readonly Term[],
  place: Place,
): Expression | null {
  if (name === "log" && args.length === 2) return logarithm(args, place);
  const signature = signatures.get(name);
  if (signature === undefined) return null;
  checkCount(name, args.length, signature, place);
  const typed = args.map((arg, i) => argumentOf(name, arg, i, args.length, signature));
  // The whole match, unless a group is asked for.
  const whole =
    signature.fn === "regexp_extract" && typed.length === 2 ? [literal("number", 0)] : [];
  return call(signature.type, signature.fn, [...typed, ...whole]);
}

function checkCount(name: string, count: number, signature: Signature, place: Place): void {
  const { args, required, rest } = signature;
  const most = rest === null ? args.length : Number.POSITIVE_INFINITY;
  if (count >= required && count <= most) return;
  const want =
    rest !== null
      ? `${required} or more arguments`
      : required === most
        ? `${most} argument${most === 1 ? "" : "s"}`
        : `${required} to ${most} arguments`;
  throw place.error("sql_semantics", `${name}() wants ${want}, got ${count}`);
}

const ordinals = ["first", "second", "third", "fourth"];

function argumentOf(
  name: string,
  arg: Term,
  index: number,
  count: number,
  signature: Signature,
): Expression {
  const want: Argument = signature.args[index] ?? signature.rest ?? "string";
  const which = count === 1 ? "" : `the ${ordinals[index] ?? `${index + 1}th`} argument of `;
  const whose = `${which}${name}()`;
  if (want === "text") return textOf(arg);
  const typed = coerce(arg, want === "pattern" ? "string" : want, whose);
  if (want === "pattern") checkPattern(typed, arg.place);
  return typed;
}

/** A constant pattern is read now, so that its error has a place. */
export function checkPattern(pattern: Expression, place: Place): void {
  if (pattern.kind !== "literal" || typeof pattern.value !== "string") return;
  try {
    compileRegex(pattern.value, 0);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw place.error(error.code, `got a regular expression that can't be read: ${error.message}`);
  }
}

/** `substring(text FROM pattern)`: what the first group matched, or the whole where there is none. */
export function substringOfPattern(args: readonly Term[]): Expression {
  const [text, pattern] = args as [Term, Term];
  const typed = coerce(text, "string", "substring()");
  const regex = coerce(pattern, "string", "substring()");
  checkPattern(regex, pattern.place);
  if (regex.kind !== "literal" || typeof regex.value !== "string") {
    throw pattern.place.error(
      "not_implemented",
      "substring() of a pattern that isn't a constant: not supported yet",
      501,
    );
  }
  const group = compileRegex(regex.value, 0).groupCount() > 0 ? 1 : 0;
  return call("string", "regexp_extract", [typed, regex, literal("number", group)]);
}

/** `log(base, x)`. */
function logarithm(args: readonly Term[], place: Place): Expression {
  const [base, x] = args.map((arg) => call("number", "ln", [coerce(arg, "number", "log()")]));
  if (!base || !x) throw place.error("sql_semantics", "log() wants 1 to 2 arguments");
  return call("number", "/", [x, base]);
}

const arithmetic: ReadonlyMap<string, "+" | "-" | "*" | "/" | "%" | "power"> = new Map([
  ["+", "+"],
  ["-", "-"],
  ["*", "*"],
  ["/", "/"],
  ["%", "%"],
  ["^", "power"],
]);

/** `a op b` of numbers, times and intervals, or null for another operator. */
export function applyArithmetic(op: string, a: Term, b: Term, place: Place): Expression | null {
  const fn = arithmetic.get(op);
  if (fn === undefined) return null;
  const times = addTimes(op, a, b, place);
  if (times !== null) return times;
  const whose = `the operator ${op}`;
  return call("number", fn, [coerce(a, "number", whose), coerce(b, "number", whose)]);
}

export function negate(one: Term): Expression {
  const of = coerce(one, "number", "the operator -");
  if (isNull(of)) return of;
  if (of.kind === "literal" && (typeof of.value === "number" || typeof of.value === "bigint")) {
    return literal("number", typeof of.value === "bigint" ? -of.value : 0 - of.value);
  }
  return call("number", "negate", [of]);
}

/** `a || b || …`: NULL where one of them is, unlike concat(). */
export function concatenate(terms: readonly Term[]): Expression {
  const parts = terms.map((one) => textOf(one));
  if (parts.some(isNull)) return nullOf("string");
  const checks = parts
    .filter(({ kind }) => kind !== "literal")
    .map((part) => call("boolean", "is_null", [part]));
  const joined = call("string", "concat", parts);
  if (checks.length === 0) return joined;
  const [first] = checks;
  const anyNull = checks.length === 1 && first ? first : call("boolean", "or", checks);
  return call("string", "case", [anyNull, nullOf("string"), joined]);
}

export interface When {
  readonly condition: Term;
  readonly result: Term;
}

export function caseOf(whens: readonly When[], otherwise: Term): Expression {
  const results = alike([...whens.map((when) => when.result), otherwise], "CASE");
  const args = whens.flatMap(({ condition }, i) => [
    conditionOf(condition, "CASE WHEN"),
    results.of[i] as Expression,
  ]);
  return call(results.type, "case", [...args, results.of.at(-1) as Expression]);
}

export function choose(
  fn: "coalesce" | "greatest" | "least",
  terms: readonly Term[],
  place: Place,
): Expression {
  const name = fn.toUpperCase();
  if (terms.length === 0) throw place.error("sql_semantics", `${name} wants an argument`);
  const { type, of } = alike(terms, name);
  return call(type, fn, of);
}

export function nullIf(a: Term, b: Term): Expression {
  const { type, of } = alike([a, b], "NULLIF");
  return call(type, "nullif", of);
}

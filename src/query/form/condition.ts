// Conditions of the JSON form as boolean expressions.

import { InputError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import { barePath } from "../expression/expression.ts";
import { holdsText, showLiteral } from "../literal.ts";
import { pathProblem } from "../paths.ts";
import { predicateOf } from "../predicate.ts";
import type { Literal, Predicate } from "../query.ts";
import type { Columns } from "../sql/scope.ts";
import { parseExpression } from "../sql/source.ts";
import { compiling, eventsScope } from "../sql/statement.ts";
import { compare, conditionOf, inList, isNullTest, match, not } from "../typing/conditions.ts";
import { checkPattern } from "../typing/functions.ts";
import type { AggregateList, Place, Term } from "../typing/term.ts";
import { call, literal, term, typeOfLiteral } from "../typing/term.ts";
import type { PredicateForm } from "./query-schema.ts";
import { predicateSchema } from "./query-schema.ts";
import { jsonPointer, parseShape } from "./shape.ts";

export type Pointer = readonly (string | number)[];

/** The place of a member of the form. */
export function placeOfPointer(at: Pointer): Place {
  const pointer = jsonPointer(at);
  return {
    error: (code, problem, status = 400) => {
      const own = code.startsWith("sql_") ? "invalid_query" : code;
      return new InputError(own, `${pointer}: ${problem}`, { pointer }, status);
    },
  };
}

export function refuse(at: Pointer, problem: string, code = "invalid_query"): never {
  throw placeOfPointer(at).error(code, problem);
}

/** What the names in a condition or an expression mean. */
export interface FormScope {
  /** What a name stands for, or null where it is none of those: then it is a field. */
  named(name: string): Expression | null;
  /** Takes aggregates; null where `clause` has none. */
  readonly aggregates: AggregateList | null;
  readonly clause: string;
}

export const rowScope: FormScope = { named: () => null, aggregates: null, clause: "a condition" };

export function fieldAt(at: Pointer, path: string, scope: FormScope = rowScope): Term {
  const named = scope.named(path);
  if (named !== null) return term({ ...named }, placeOfPointer(at));
  const problem = pathProblem(path);
  if (problem !== null) refuse(at, problem, "unknown_field");
  return term(barePath(path), placeOfPointer(at));
}

/** SQL expression text within the form; errors have the pointer besides the character. */
export function sqlAt(at: Pointer, text: string, scope: FormScope): Term {
  const pointer = at.length === 0 ? undefined : jsonPointer(at);
  const { source, expression } = parseExpression(text, pointer);
  const base = eventsScope(source, [], scope.clause);
  const columns: Columns = {
    all: base.columns.all,
    column(names, place) {
      const [first = "", ...more] = names;
      const named = more.length === 0 ? scope.named(first) : null;
      return named === null ? base.columns.column(names, place) : { ...named };
    },
  };
  const inner = { ...base, columns, aggregates: scope.aggregates };
  return compiling(source, () => inner.compile(expression, inner));
}

function valueTerm(value: Literal | null, place: Place): Term {
  const type = typeOfLiteral(value);
  return term(literal(type, value), place, typeof value === "string" ? "text" : "plain");
}

type FieldForm = Extract<PredicateForm, { field: string }>;

function fieldCondition(form: FieldForm, at: Pointer, scope: FormScope): Expression {
  const left = fieldAt([...at, "field"], form.field, scope);
  const { op, value } = form;
  const here = [...at, "value"];
  const place = placeOfPointer(here);
  if (op === "exists" || op === "is_null" || op === "is_not_null") {
    if (value !== undefined) refuse(here, `"${op}" takes no value`);
    if (op === "exists") {
      if (left.of.kind !== "path") refuse(here, '"exists" wants a field');
      return call("boolean", "exists", [left.of]);
    }
    return op === "is_null" ? isNullTest(left) : not(isNullTest(left));
  }
  if (value === undefined) return refuse(here, `got nothing, "${op}" wants a value`);
  if (op === "in" || op === "not_in") {
    if (!Array.isArray(value)) {
      return refuse(here, `got ${showLiteral(value)}, "${op}" wants an array`);
    }
    if (value.length === 0) return literal("boolean", op === "not_in");
    const found = inList(
      left,
      value.map((one) => valueTerm(one, place)),
    );
    return op === "in" ? found : not(found);
  }
  if (Array.isArray(value)) return refuse(here, `got an array, "${op}" wants one value`);
  const right = valueTerm(value, place);
  if (op === "like" || op === "ilike" || op === "matches") {
    const found = match(op, left, right, `"${op}"`);
    if (op === "matches") checkPattern(right.of, place);
    return found;
  }
  if (op !== "prefix") return compare(op, left, right);
  const isText = left.of.kind === "path" ? holdsText(left.of.path) : left.of.type === "string";
  if (typeof value !== "string" || !isText) {
    return refuse(
      here,
      `got ${showLiteral(value)} for ${form.field}, "prefix" compares text with text`,
    );
  }
  return match("starts_with", left, right, '"prefix"');
}

/** The boolean expression of a condition. */
export function conditionAt(form: PredicateForm, at: Pointer, scope: FormScope): Expression {
  if (typeof form === "string") return conditionOf(sqlAt(at, form, scope), scope.clause);
  if ("and" in form) {
    return call(
      "boolean",
      "and",
      form.and.map((one, i) => conditionAt(one, [...at, "and", i], scope)),
    );
  }
  if ("or" in form) {
    return call(
      "boolean",
      "or",
      form.or.map((one, i) => conditionAt(one, [...at, "or", i], scope)),
    );
  }
  if ("not" in form) return not(conditionAt(form.not, [...at, "not"], scope));
  return fieldCondition(form, at, scope);
}

/**
 * A condition from its JSON form or from SQL expression text.
 * Throws InputError with `detail.pointer` (JSON) or `detail.position` (SQL).
 */
export function parsePredicate(value: unknown): Predicate {
  const form = typeof value === "string" ? value : parseShape(predicateSchema, value);
  return predicateOf(conditionAt(form, [], rowScope));
}

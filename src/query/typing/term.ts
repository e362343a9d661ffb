// What a piece of a question is while it is being compiled, from SQL text or from the JSON form: an expression
// whose type may still bend to its context, and the place to blame.

import type { InputError } from "../../errors.ts";
import type { Expression, ScalarFunction, ValueType } from "../expression/expression.ts";
import { expressionKey } from "../expression/expression.ts";
import type { Aggregate, Literal } from "../query.ts";

/** Where something was written. */
export interface Place {
  error(code: string, problem: string, status?: number): InputError;
}

/**
 * How it was written. `text`: a text constant without a type, which becomes what its context wants. `arrow-text`:
 * `->>` was applied, so only text is seen, but a cast sees all. `arrow-json`: `->`, which compares with nothing.
 */
export type Spelling = "plain" | "text" | "arrow-text" | "arrow-json";

export interface Term {
  readonly of: Expression;
  readonly spelling: Spelling;
  readonly place: Place;
}

export type LiteralExpression = Extract<Expression, { kind: "literal" }>;
export type PathExpression = Extract<Expression, { kind: "path" }>;
export type AggregateExpression = Extract<Expression, { kind: "aggregate" }>;

export function literal(type: ValueType, value: LiteralExpression["value"]): LiteralExpression {
  return { kind: "literal", type, value };
}

export function call(
  type: ValueType,
  fn: ScalarFunction,
  args: readonly Expression[],
): Extract<Expression, { kind: "call" }> {
  return { kind: "call", type, fn, args };
}

export const nullOf = (type: ValueType): LiteralExpression => literal(type, null);

export function isNull(of: Expression): boolean {
  return of.kind === "literal" && of.value === null;
}

/** The type that a constant has by itself. */
export function typeOfLiteral(value: Literal | null): ValueType {
  if (value === null) return "variant";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "string" ? "string" : "number";
}

export function term(of: Expression, place: Place, spelling: Spelling = "plain"): Term {
  places.set(of, place);
  return { of, spelling, place };
}

const places = new WeakMap<Expression, Place>();

/** Where an expression was written, or the first part of it that has a place. */
export function placeOf(of: Expression): Place | undefined {
  const own = places.get(of);
  if (own !== undefined) return own;
  const parts = of.kind === "call" ? of.args : of.kind === "bucket" ? [of.of] : [];
  for (const part of parts) {
    const found = placeOf(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `of` as something else that was written in the same place. */
export function inPlaceOf<One extends Expression>(of: Expression, made: One): One {
  const place = places.get(of);
  if (place !== undefined) places.set(made, place);
  const list = lists.get(of);
  if (list !== undefined && made.kind === "aggregate") lists.set(made, list);
  return made;
}

const lists = new WeakMap<Expression, AggregateList>();

/** The aggregates of one question while it is compiled: equal ones are one. */
export class AggregateList {
  readonly all: Aggregate[] = [];
  readonly #indexes = new Map<string, number>();

  add(aggregate: Aggregate): AggregateExpression {
    const key = aggregateKey(aggregate);
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.all.push(aggregate) - 1;
      this.#indexes.set(key, index);
    }
    const made: AggregateExpression = { kind: "aggregate", type: aggregate.type, aggregate: index };
    lists.set(made, this);
    return made;
  }

  /** Those that some expression of the finished question still names, in the order of `used`. */
  pick(used: readonly number[]): Aggregate[] {
    return used.map((index) => this.all[index] as Aggregate);
  }
}

export function aggregateListOf(of: AggregateExpression): AggregateList | undefined {
  return lists.get(of);
}

function aggregateKey({ fn, of, filter, parameters }: Aggregate): string {
  const texts = JSON.stringify({ fn, filter, parameters }, (_, value: unknown) =>
    typeof value === "bigint" ? { bigint: String(value) } : value,
  );
  return `${texts} ${of === null ? "" : expressionKey(of)}`;
}

// Calls of constants are what they yield.

import { InputError, LimitError } from "../../errors.ts";
import { compileScalar } from "../expression/evaluate.ts";
import type { Expression } from "../expression/expression.ts";
import { isInterval } from "../expression/scalar.ts";
import { JsonText } from "../result.ts";
import { inPlaceOf, literal, nullOf, placeOf } from "./term.ts";

const noLeaf = (): null => null;

/** `of`, or the literal that it is: a call or a bucket whose arguments are literals. `now()` is none yet. */
export function foldConstant(of: Expression): Expression {
  if (of.kind !== "call" && of.kind !== "bucket") return of;
  const args = of.kind === "call" ? of.args : [of.of];
  if (!args.every((arg) => arg.kind === "literal")) return of;
  if (of.kind === "call" && (of.fn === "now" || of.fn === "exists" || of.type === "json"))
    return of;
  try {
    return inPlaceOf(of, constantOf(of));
  } catch (error) {
    // What is too large stays a call: perhaps no row asks for it.
    if (error instanceof LimitError) return of;
    const place = placeOf(of);
    if (!(error instanceof InputError) || place === undefined || error.detail.position) throw error;
    throw place.error(error.code, error.message);
  }
}

function constantOf(of: Expression): Expression {
  const value = compileScalar(of)(noLeaf);
  if (value === null) return nullOf(of.type);
  if (value instanceof JsonText) return of;
  if (isInterval(value)) return literal("interval", value);
  const isWhole = of.type === "timestamp" || of.type === "sequence";
  return literal(of.type, isWhole && typeof value !== "string" ? BigInt(value) : value);
}

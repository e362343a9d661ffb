// Values as results show them.

import { integer } from "../../base/integer.ts";
import { compileExpression, compileScalar } from "../expression/evaluate.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import type { LeafValue } from "../expression/scalar.ts";
import { isInterval } from "../expression/scalar.ts";
import type { ResultColumn, Value } from "../result.ts";
import { intervalText } from "../result-text.ts";
import { formatTime } from "../time.ts";

/** Compiles a column of a result; intervals come out as their ISO 8601 text, for which months stay months. */
export function compileResult(of: Expression): (leaf: LeafValue) => Value {
  if (of.type !== "interval") return compileExpression(of);
  const evaluate = compileScalar(of);
  return (leaf) => {
    const value = evaluate(leaf);
    return isInterval(value) ? intervalText(value) : value;
  };
}

/** Times as RFC 3339, sequences as text, integers as numbers where they fit. */
export function shownValue(value: Value, type: ValueType): Value {
  if (typeof value !== "number" && typeof value !== "bigint") return value;
  if (type === "timestamp") return formatTime(BigInt(value));
  if (type === "sequence") return String(value);
  return typeof value === "bigint" ? integer(value) : value;
}

/** Sequences are text wherever they leave the process: they soon pass what other readers hold exactly. */
export function shownType(type: ValueType): ResultColumn["type"] {
  return type === "sequence" ? "string" : type;
}

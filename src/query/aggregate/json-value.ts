import type { ValueType } from "../expression/expression.ts";
import { JsonText, type Value } from "../result.ts";
import { formatTime } from "../time.ts";

/** JSON of a value within an aggregate's JSON: times as RFC 3339, sequences as text, as results show them. */
export function jsonValue(value: Value, type: ValueType): string {
  if (value instanceof JsonText) return value.text;
  if (typeof value === "number" || typeof value === "bigint") {
    if (type === "timestamp") return JSON.stringify(formatTime(BigInt(value)));
    return type === "sequence" ? `"${value}"` : String(value);
  }
  return JSON.stringify(value);
}

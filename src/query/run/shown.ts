// Values as results show them.

import type { ValueType } from "../expression/expression.ts";
import { formatInterval, intervalOfUs } from "../expression/interval.ts";
import type { ResultColumn, Value } from "../result.ts";
import { formatTime } from "../time.ts";
import { integer } from "./cells.ts";

/** Times as RFC 3339, sequences and intervals as text, integers as numbers where they fit. */
export function shownValue(value: Value, type: ValueType): Value {
  if (typeof value !== "number" && typeof value !== "bigint") return value;
  if (type === "timestamp") return formatTime(BigInt(value));
  if (type === "sequence") return String(value);
  if (type === "interval") return formatInterval(intervalOfUs(value));
  return typeof value === "bigint" ? integer(value) : value;
}

/** Sequences are text wherever they leave the process: they soon pass what other readers hold exactly. */
export function shownType(type: ValueType): ResultColumn["type"] {
  return type === "sequence" || type === "interval" ? "string" : type;
}

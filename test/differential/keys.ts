// Text in which equal values of Millrace are equal: 3 and 3.0, 0 and -0, times whatever their digits.

import { JsonText, type Value } from "../../src/query/result.ts";
import { parseTime } from "../../src/query/time.ts";
import { scalarKey } from "../oracle/duckdb.ts";
import type { Type } from "./tree.ts";

/** The key of a value that Millrace answered for an expression of this type. */
export function millraceKey(type: Type, value: Value | undefined): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof JsonText) return `j${value.text}`;
  if (type === "time" && typeof value === "string") {
    // Buckets of the year 1 may begin in the year before it, which no event can have.
    const us = value.startsWith("0000-") ? BigInt(Date.parse(value)) * 1000n : parseTime(value);
    return typeof us === "bigint" ? `n${us}` : `?${value}`;
  }
  // Sequences are text.
  if (type === "sequence" && typeof value === "string" && /^-?\d+$/.test(value)) return `n${value}`;
  return scalarKey(value);
}

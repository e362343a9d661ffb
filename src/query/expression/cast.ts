// Casts. What can't be cast is NULL: one odd event must not end a query.

import { fitNumber } from "../literal.ts";
import { JsonText } from "../result.ts";
import { formatTime, parseTime, timeFromNumber } from "../time.ts";
import type { ValueType } from "./expression.ts";
import { formatInterval, intervalOfUs, parseInterval } from "./interval.ts";
import type { Scalar } from "./scalar.ts";
import { fit, isInterval } from "./scalar.ts";

type Present = NonNullable<Scalar>;

/** A value as text: numbers as JSON has them, times as RFC 3339 in UTC, intervals as PostgreSQL writes them. */
export function toText(value: Present, from: ValueType): string {
  if (typeof value === "string") return value;
  if (value instanceof JsonText) return value.text;
  if (isInterval(value)) return formatInterval(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (from === "timestamp") return formatTime(BigInt(value));
  if (from === "interval") return formatInterval(intervalOfUs(value));
  return String(value);
}

const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,5})?$/i;

/** A decimal number with blanks around it; integers within i64 are exact. */
function numberOfText(text: string): number | bigint | null {
  const trimmed = text.trim();
  if (trimmed.length > 400 || !numberPattern.test(trimmed)) return null;
  const value = Number(trimmed);
  if (!Number.isFinite(value)) return null;
  if (Number.isSafeInteger(value) || !/^[+-]?\d+$/.test(trimmed)) return value + 0;
  const whole = BigInt(trimmed.replace("+", ""));
  return BigInt.asIntN(64, whole) === whole ? fit(whole) : value;
}

function toNumber(value: Present): number | bigint | null {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" ? numberOfText(value) : null;
}

const truths = ["true", "yes", "on", "1"];
const falsehoods = ["false", "no", "off", "0"];

/** PostgreSQL's words for truth, and what of their beginnings is no beginning of another. */
function toBoolean(value: Present): boolean | null {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return Number(value) !== 0;
  if (typeof value !== "string") return null;
  const word = value.trim().toLowerCase();
  if (word === "" || word === "o") return null;
  if (truths.some((one) => one.startsWith(word))) return true;
  return falsehoods.some((one) => one.startsWith(word)) ? false : null;
}

/** Text without a zone is in UTC, a date alone its midnight. Numbers as events' timestamps are read. */
function toTimestamp(value: Present, from: ValueType): number | bigint | null {
  if (typeof value === "number" || typeof value === "bigint") {
    if (from === "timestamp") return value;
    const us = timeFromNumber(value);
    return us === null ? null : fit(us);
  }
  if (typeof value !== "string") return null;
  const text = value.trim();
  let us = parseTime(text);
  if (typeof us === "string") {
    const zoneless = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?$/.exec(text);
    if (zoneless)
      us = parseTime(`${zoneless[1]}T${zoneless[2] ?? "00:00"}${zoneless[3] ?? ":00"}Z`);
  }
  return typeof us === "bigint" ? fit(us) : null;
}

function toJson(value: Present, from: ValueType): JsonText | null {
  if (value instanceof JsonText) return value;
  if (typeof value === "boolean") return new JsonText(String(value));
  if (isInterval(value)) return new JsonText(JSON.stringify(formatInterval(value)));
  if (typeof value !== "string") {
    const text = toText(value, from);
    return new JsonText(from === "timestamp" || from === "interval" ? JSON.stringify(text) : text);
  }
  try {
    JSON.parse(value);
    return new JsonText(value.trim());
  } catch {
    return null;
  }
}

/** `value`, of type `from`, as a value of type `to`. */
export function castTo(value: Scalar, from: ValueType, to: ValueType): Scalar {
  if (value === null || from === to) return value;
  switch (to) {
    case "number":
      return from === "timestamp" || from === "interval" ? null : toNumber(value);
    case "string":
      return toText(value, from);
    case "boolean":
      return toBoolean(value);
    case "timestamp":
      return toTimestamp(value, from);
    case "json":
      return toJson(value, from);
    case "sequence":
      return toSequence(value);
    case "interval":
      if (isInterval(value)) return value;
      return typeof value === "string" ? parseInterval(value) : null;
    case "variant":
      return from === "timestamp" || from === "interval" || from === "sequence"
        ? toText(value, from)
        : value;
  }
}

function toSequence(value: Present): number | bigint | null {
  const number = toNumber(value);
  if (number === null || number < 0) return null;
  if (typeof number === "bigint" || Number.isSafeInteger(number)) return fitNumber(number);
  return null;
}

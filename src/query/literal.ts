import { integer } from "../base/integer.ts";
import { pathType } from "./paths.ts";
import type { Literal } from "./query.ts";
import { formatTime, parseTime, timeFromNumber } from "./time.ts";

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `got` is shown in messages: text in quotes and cut, everything else as it is written. */
export function showLiteral(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
  }
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** Integers stay exact within 64 bits; beyond them, and with a point, a number is a double. Null: it is none. */
export function numberOfText(text: string): number | bigint | null {
  const plain = text.replaceAll("_", "").trim().replace(/^\+/, "");
  const [, sign = "", digits = ""] = /^(-?)(\d+|0[xob][\da-f]+)$/i.exec(plain) ?? [];
  if (digits !== "") {
    const integer = integerOf(sign, digits);
    if (integer !== null && BigInt.asIntN(64, integer) === integer) return fitNumber(integer);
  }
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null;
  const double = Number(plain);
  return Number.isFinite(double) ? double : null;
}

function integerOf(sign: string, digits: string): bigint | null {
  try {
    return sign === "-" ? -BigInt(digits) : BigInt(digits);
  } catch {
    return null;
  }
}

const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ...["t", "true", "y", "yes", "on", "1"].map((word) => [word, true] as const),
  ...["f", "false", "n", "no", "off", "0"].map((word) => [word, false] as const),
]);

export function booleanOfText(text: string): boolean | undefined {
  return booleanWords.get(text.trim().toLowerCase());
}

/** A literal that fits the path, or what was wanted instead. */
export type Fitted = { value: Literal } | { want: string };

function fitTime(value: Literal): Fitted {
  if (typeof value === "boolean") return { want: "a time" };
  if (typeof value !== "string") {
    const us = timeFromNumber(value);
    return us === null ? { want: "a time within the years 0001 to 9999" } : { value: us };
  }
  const us = parseTime(value);
  if (typeof us === "bigint") return { value: us };
  return { want: `a time with its zone, such as "${formatTime(1_764_000_000_000_000n)}" (${us})` };
}

/** Integers are bigints beyond 2^53 and numbers within it; a double keeps its value. */
export function fitNumber(value: number | bigint): number | bigint {
  return typeof value === "number" ? value : integer(value);
}

function fitInteger(value: Literal): bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : null;
  return typeof value === "string" && /^-?\d{1,19}$/.test(value) ? BigInt(value) : null;
}

/** The form in which `value` is compared with the values of `path`. */
export function fitLiteral(path: string, value: Literal): Fitted {
  if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) {
    return { want: "an integer of 64 bits, or a number with a decimal point" };
  }
  switch (pathType(path)) {
    case "time":
      return fitTime(value);
    case "sequence": {
      const integer = fitInteger(value);
      return integer === null ? { want: "a sequence, an integer" } : { value: integer };
    }
    case "integer":
      if (typeof value === "bigint") return { value: fitNumber(value) };
      return typeof value === "number" ? { value } : { want: "a number of microseconds" };
    case "id":
      return typeof value === "string" && uuidPattern.test(value)
        ? { value: value.toLowerCase() }
        : { want: "a UUID (an id that is other text is kept in properties.id)" };
    case "text":
      return typeof value === "string" ? { value } : { want: "text" };
    case "property":
      return { value: typeof value === "bigint" ? fitNumber(value) : value };
  }
}

/** Whether `path` can hold text, which a prefix needs. */
export function holdsText(path: string): boolean {
  const type = pathType(path);
  return type === "text" || type === "property";
}

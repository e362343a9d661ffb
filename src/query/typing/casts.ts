// Casts: of constants at once, with an error for what can't be cast; of values where they are read, as NULL.

import { intervalOfText } from "../duration.ts";
import type { Expression } from "../expression/expression.ts";
import { booleanOfText, fitNumber, numberOfText, showLiteral } from "../literal.ts";
import type { Literal } from "../query.ts";
import { parseTime } from "../time.ts";
import { bucketOf } from "./buckets.ts";
import { nameOfType } from "./coerce.ts";
import type { Place, Term } from "./term.ts";
import { call, inPlaceOf, literal, nullOf } from "./term.ts";

/** Names of types, as the parser gives them, and the expression's type. */
const types: ReadonlyMap<string, Expression["type"] | "integer" | "date"> = new Map([
  ["int2", "integer"],
  ["int4", "integer"],
  ["int8", "integer"],
  ["float4", "number"],
  ["float8", "number"],
  ["numeric", "number"],
  ["text", "string"],
  ["varchar", "string"],
  ["bpchar", "string"],
  ["uuid", "string"],
  ["bool", "boolean"],
  ["timestamptz", "timestamp"],
  ["timestamp", "timestamp"],
  ["date", "date"],
  ["interval", "interval"],
  ["json", "json"],
  ["jsonb", "json"],
]);

type Target = Expression["type"] | "integer" | "date";

/** `one` cast to the type of that name. */
export function castTo(one: Term, name: string, place: Place): Expression {
  const target = types.get(name);
  if (target === undefined)
    throw place.error("not_implemented", `the type ${name}: not supported yet`, 501);
  const { of } = one;
  if (of.kind === "literal" && (of.value === null || typeof of.value !== "object")) {
    return castConstant(of.value, of.type, target, name, one.place);
  }
  return castValue(one, target);
}

function castValue(one: Term, target: Target): Expression {
  const { place, spelling } = one;
  // What `->>` was applied to is text to compare with, but a cast means the value.
  const of: Expression =
    spelling === "arrow-text" && one.of.kind === "path" && target !== "string"
      ? inPlaceOf(one.of, { ...one.of, type: "variant" })
      : one.of;
  const wanted = target === "integer" ? "number" : target === "date" ? "timestamp" : target;
  if (spelling === "arrow-json" && wanted !== "json" && wanted !== "string") {
    throw place.error("sql_type", "got what -> gives, want what ->> gives");
  }
  if (isOdd(of.type, wanted)) {
    const hint = wanted === "number" ? "; extract(epoch FROM …) gives one" : "";
    throw place.error(
      "sql_type",
      `got ${nameOfType(of.type)}, want what casts to ${nameOfType(wanted)}${hint}`,
    );
  }
  const same = of.type === wanted || (of.type === "sequence" && wanted === "number");
  const cast = same ? of : call(wanted, "cast", [of]);
  if (target === "integer") return of.type === "sequence" ? of : call("number", "integer", [cast]);
  if (target !== "date") return cast;
  const bucket = bucketOf(cast, { months: 0, days: 1, us: 0n }, null, "UTC");
  if (typeof bucket === "string") throw place.error("sql_type", bucket);
  return bucket;
}

function isOdd(from: Expression["type"], to: Expression["type"]): boolean {
  if (to === "number") return from === "timestamp" || from === "interval" || from === "json";
  if (to === "interval") return from !== "interval" && from !== "string" && from !== "variant";
  if (to === "timestamp") return from === "boolean" || from === "interval" || from === "json";
  return to === "boolean" && (from === "timestamp" || from === "interval" || from === "json");
}

function castConstant(
  value: Literal | null,
  from: Expression["type"],
  target: Target,
  name: string,
  place: Place,
): Expression {
  const wanted = target === "integer" ? "number" : target === "date" ? "timestamp" : target;
  if (value === null) return nullOf(wanted);
  const refused = (want: string): Error =>
    place.error("sql_type", `got ${showLiteral(value)}, want ${want}`);
  const text = String(value);
  switch (target) {
    case "timestamp":
    case "date":
      return literal("timestamp", timeOf(value, from, target === "date", refused));
    case "integer":
      return literal("number", integerOf(value, refused));
    case "number": {
      const number = typeof value === "string" ? numberOfText(value) : value;
      if (number === null || typeof number === "boolean") throw refused("a finite number");
      return literal("number", number as number | bigint);
    }
    case "boolean": {
      const word = booleanOfText(text);
      if (word === undefined) throw refused("true or false");
      return literal("boolean", word);
    }
    case "interval":
      try {
        return literal("interval", intervalOfText(text));
      } catch (error) {
        throw refused(`an interval, such as '1 hour' (${(error as Error).message})`);
      }
    case "json":
      return literal("json", jsonOf(value, refused));
    case "string":
      return name === "uuid" ? literal("string", text.toLowerCase()) : castText(value, from);
    default:
      throw refused(name);
  }
}

function castText(value: Literal, from: Expression["type"]): Expression {
  if (from === "timestamp") return call("string", "cast", [literal(from, value)]);
  return literal("string", String(value));
}

function timeOf(
  value: Literal,
  from: Expression["type"],
  isDate: boolean,
  refused: (want: string) => Error,
): bigint {
  let us: bigint | string = "";
  if (from === "timestamp" && typeof value !== "string") us = BigInt(value);
  else {
    const text = String(value);
    const isDay = isDate && /^\d{4}-\d\d-\d\d$/.test(text);
    us = parseTime(isDay ? `${text}T00:00:00Z` : text);
  }
  if (typeof us === "string") {
    throw refused(
      isDate
        ? `a date, such as '2026-11-23' (${us})`
        : `a time with its zone, such as '2026-11-23T12:00:00Z' (${us})`,
    );
  }
  const dayUs = 86_400_000_000n;
  return isDate ? us - (((us % dayUs) + dayUs) % dayUs) : us;
}

function integerOf(value: Literal, refused: (want: string) => Error): number | bigint {
  const number =
    typeof value === "boolean"
      ? Number(value)
      : typeof value === "string"
        ? /^\s*[+-]?\d{1,19}\s*$/.test(value)
          ? numberOfText(value)
          : null
        : value;
  if (number === null) throw refused("an integer");
  if (typeof number === "bigint") return fitNumber(number);
  const rounded = Math.sign(number) * Math.round(Math.abs(number));
  if (!Number.isSafeInteger(rounded)) throw refused("an integer");
  return 0 + rounded;
}

function jsonOf(value: Literal, refused: (want: string) => Error): string {
  if (typeof value !== "string") return String(value);
  try {
    JSON.parse(value);
  } catch {
    throw refused("JSON text");
  }
  return value;
}

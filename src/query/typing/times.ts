// Buckets, fields and formats of times.

import { InputError } from "../../errors.ts";
import { intervalOfText } from "../duration.ts";
import type { Expression, Interval } from "../expression/expression.ts";
import { intervalField } from "../expression/fields.ts";
import { compileTimeFormat } from "../expression/to-char.ts";
import { compileNumberFormat } from "../expression/to-char-number.ts";
import { showLiteral } from "../literal.ts";
import { parseTime } from "../time.ts";
import { bucketOf, zoneName } from "./buckets.ts";
import { coerce } from "./coerce.ts";
import { extractFields, truncations } from "./signatures.ts";
import type { Place, Term } from "./term.ts";
import { call, literal } from "./term.ts";

/** The text of a constant argument. */
export function constantText(one: Term, what: string): string {
  const { of, place } = one;
  if (of.kind === "literal" && of.type === "string" && typeof of.value === "string")
    return of.value;
  throw place.error("sql_type", `want ${what} as text`);
}

/** The interval of a constant argument. */
export function widthOf(one: Term, whose: string): Interval {
  const { of, place } = one;
  if (of.kind === "literal" && of.type === "interval" && of.value !== null) {
    if (typeof of.value === "object") return of.value;
  }
  const text = constantText(one, `${whose}: a width such as '1 minute'`);
  try {
    return intervalOfText(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw place.error(error.code, error.message);
  }
}

export function zoneOfTerm(one: Term): string {
  const text = constantText(one, "a time zone such as 'Europe/Berlin'");
  const name = zoneName(text);
  if (name !== null) return name;
  const problem = `there is no time zone ${showLiteral(text)}; want a name such as 'Europe/Berlin'`;
  throw one.place.error("unknown_time_zone", problem);
}

export interface BucketParts {
  readonly width: Term;
  readonly of: Term;
  readonly origin?: Term | undefined;
  readonly zone?: Term | undefined;
}

/** `time_bucket(width, timestamp, origin, zone)`; `whose` names the function in errors. */
export function timeBucket(parts: BucketParts, whose: string): Expression {
  const of = coerce(parts.of, "timestamp", whose);
  const zone = parts.zone ? zoneOfTerm(parts.zone) : "UTC";
  const originUs = parts.origin ? originOf(parts.origin, whose) : null;
  const bucket = bucketOf(of, widthOf(parts.width, whose), originUs, zone);
  if (typeof bucket === "string") throw parts.width.place.error("invalid_duration", bucket);
  return bucket;
}

function originOf(one: Term, whose: string): bigint {
  const origin = coerce(one, "timestamp", `the origin of ${whose}`);
  if (origin.kind === "literal" && typeof origin.value === "bigint") return origin.value;
  throw one.place.error(
    "not_implemented",
    "an origin that isn't a constant: not supported yet",
    501,
  );
}

/**
 * `time_bucket(width, timestamp[, origin][, zone])`: what is written third or fourth is an origin where it is a
 * time, else a zone.
 */
export function bucketOfArguments(args: readonly Term[], whose: string, place: Place): Expression {
  const [width, of, ...more] = args;
  if (!width || !of || more.length > 2) {
    throw place.error("sql_semantics", `${whose} wants 2 to 4 arguments, got ${args.length}`);
  }
  const origins = more.filter((one) => !isZone(one));
  const zones = more.filter(isZone);
  const twice = origins[1] ?? zones[1];
  if (twice)
    throw twice.place.error("sql_semantics", `${whose} takes one origin and one time zone`);
  return timeBucket({ width, of, origin: origins[0], zone: zones[0] }, whose);
}

function isZone({ of, spelling }: Term): boolean {
  if (of.kind !== "literal" || of.type !== "string" || typeof of.value !== "string") return false;
  return spelling !== "text" || (typeof parseTime(of.value) !== "bigint" && !/^\d/.test(of.value));
}

/** `date_trunc(unit, timestamp[, zone])`. */
export function dateTrunc(args: readonly Term[], place: Place): Expression {
  const [unit, of, zone, ...more] = args;
  if (!unit || !of || more.length > 0) {
    throw place.error("sql_semantics", `date_trunc() wants 2 to 3 arguments, got ${args.length}`);
  }
  const name = constantText(unit, "date_trunc(): a unit such as 'hour'").toLowerCase();
  const width = truncations.get(name);
  if (width === undefined) {
    const feature = `date_trunc(${showLiteral(name.slice(0, 32))})`;
    throw unit.place.error("not_implemented", `${feature}: not supported yet`, 501);
  }
  const [months, days, us] = width;
  const found = bucketOf(
    coerce(of, "timestamp", "date_trunc()"),
    { months, days, us },
    null,
    zone ? zoneOfTerm(zone) : "UTC",
  );
  if (typeof found === "string") throw place.error("invalid_duration", found);
  return found;
}

/** `extract(field FROM of)` and `date_part(field, of)`; `zone` where `AT TIME ZONE` was applied. */
export function extractField(field: Term, of: Term, zone: string): Expression {
  const written = constantText(field, "extract(): a field such as 'hour'").toLowerCase();
  const name = extractFields.get(written);
  if (name === undefined) {
    const problem = `the field ${showLiteral(written.slice(0, 32))} of a time: not supported yet`;
    throw field.place.error("not_implemented", problem, 501);
  }
  const isInterval = of.of.type === "interval";
  const value = isInterval ? of.of : coerce(of, "timestamp", "extract()");
  try {
    if (isInterval) intervalField(name);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw field.place.error(
      "not_implemented",
      `the field ${name} of an interval: not supported yet`,
      501,
    );
  }
  return call("number", "extract", [literal("string", name), value, literal("string", zone)]);
}

/** `to_char(timestamp | number, format)`. */
export function toChar(args: readonly Term[], zone: string, place: Place): Expression {
  const [of, format, ...more] = args;
  if (!of || !format || more.length > 0) {
    throw place.error("sql_semantics", `to_char() wants 2 arguments, got ${args.length}`);
  }
  const isTime = of.of.type === "timestamp" || of.of.type === "interval";
  const value = isTime ? of.of : coerce(of, "number", "to_char()");
  const pattern = coerce(format, "string", "the format of to_char()");
  if (pattern.kind === "literal" && typeof pattern.value === "string") {
    try {
      if (isTime) compileTimeFormat(pattern.value);
      else compileNumberFormat(pattern.value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw format.place.error(error.code, error.message, error.status);
    }
  }
  return call("string", "to_char", [value, pattern, literal("string", zone)]);
}

// Functions of timestamps and intervals. A timestamp that would lie outside the years 0001 to 9999 is NULL: one odd
// event must not end a query.

import { Buckets } from "./bucket.ts";
import { dayNumber, dayOf, daysOfMonth, splitUs, timestampOf } from "./calendar.ts";
import type { Expression, Interval, ScalarFunction } from "./expression.ts";
import { intervalField, timeField } from "./fields.ts";
import {
  addIntervals,
  intervalOfUs,
  intervalUs,
  negateInterval,
  scaleInterval,
} from "./interval.ts";
import { arithmetic, type Numeric } from "./numbers.ts";
import { memo } from "./pattern.ts";
import type { Call, Evaluate, Scalar, Strict } from "./scalar.ts";
import { bounded, constantOf, fitI64, isInterval } from "./scalar.ts";
import { compileTimeFormat } from "./to-char.ts";
import { compileNumberFormat } from "./to-char-number.ts";
import { zoneOf } from "./zone.ts";

type Us = number | bigint;

/** Months first, the day cut to the month's last; then days, then microseconds. In UTC. */
export function addInterval(us: Us, { months, days, us: more }: Interval): Us | null {
  let { day, us: rest } = splitUs(us);
  if (months !== 0) {
    const date = dayOf(day);
    const month = date.year * 12 + date.month - 1 + months;
    const year = Math.floor(month / 12);
    if (year < -10_000 || year > 20_000) return null;
    const inYear = month - year * 12 + 1;
    day = dayNumber(year, inYear, Math.min(date.day, daysOfMonth(year, inYear)));
    if (timestampOf(day, 0) === null) return null;
  }
  day += days;
  // In between the date may leave the years and come back.
  const dayBig = 86_400_000_000n;
  const total = BigInt(rest) + more;
  const whole = total / dayBig - (total % dayBig < 0n ? 1n : 0n);
  rest = Number(total - whole * dayBig);
  return timestampOf(day + Number(whole), rest);
}

/** Seconds since 1970 as a timestamp, to the nearest microsecond. */
function epoch(seconds: Numeric): Us | null {
  if (typeof seconds === "bigint" || Math.abs(seconds) > 1e12) return null;
  const day = Math.floor(seconds / 86_400);
  return timestampOf(day, Math.round((seconds - day * 86_400) * 1e6));
}

function timeDifference(a: Us, b: Us): Interval {
  return intervalOfUs(BigInt(a) - BigInt(b));
}

/** `+`, `-`, `*`, `/` and `negate`, which take intervals beside numbers. */
function mixed(fn: "+" | "-" | "*"): Strict {
  return (a, b) => {
    if (!isInterval(a) && !isInterval(b)) return arithmetic(fn, a as Numeric, b as Numeric);
    if (fn === "*") {
      return isInterval(a)
        ? scaleInterval(a, Number(b as Numeric))
        : scaleInterval(b as Interval, Number(a as Numeric));
    }
    if (isInterval(a) && isInterval(b)) {
      return addIntervals(a, fn === "+" ? b : negateInterval(b));
    }
    const [time, interval] = isInterval(a) ? [b as Us, a] : [a as Us, b as Interval];
    return addInterval(time, fn === "+" ? interval : negateInterval(interval));
  };
}

export const timeFunctions: Partial<Record<ScalarFunction, Strict>> = {
  "+": mixed("+"),
  "-": mixed("-"),
  "*": mixed("*"),
  negate: (value) => {
    if (isInterval(value)) return negateInterval(value);
    return typeof value === "bigint" ? fitI64(-value, "negate") : 0 - (value as number);
  },
  epoch: (seconds) => epoch(seconds as Numeric),
  add_interval: mixed("+"),
  time_difference: (a, b) => timeDifference(a as Us, b as Us),
};

function extractField(call: Call, args: readonly Evaluate[]): Evaluate {
  const [field, of, zone] = args as [Evaluate, Evaluate, Evaluate | undefined];
  const fixed = constantOf(call.args[0]);
  const times = memo(timeField);
  const intervals = memo(intervalField);
  const isInterval_ = call.args[1]?.type === "interval";
  if (typeof fixed === "string") (isInterval_ ? intervals : times)(fixed);
  return (leaf) => {
    const [name, value, zoneName] = [field(leaf), of(leaf), zone ? zone(leaf) : "UTC"];
    if (name === null || value === null || zoneName === null) return null;
    if (isInterval(value)) return intervals(name as string)(value);
    return times(name as string)(value as Us, zoneOf(zoneName as string)) + 0;
  };
}

function toChar(call: Call, args: readonly Evaluate[]): Evaluate {
  const [of, format, zone] = args as [Evaluate, Evaluate, Evaluate | undefined];
  const times = memo(compileTimeFormat);
  const numbers = memo(compileNumberFormat);
  const type = call.args[0]?.type;
  return (leaf) => {
    const [value, pattern, zoneName] = [of(leaf), format(leaf), zone ? zone(leaf) : "UTC"];
    if (value === null || pattern === null || zoneName === null) return null;
    if (type !== "timestamp" && type !== "interval") {
      return bounded(numbers(pattern as string)(value as Numeric), "to_char");
    }
    const us = isInterval(value) ? intervalUs(value) : (value as Us);
    return bounded(times(pattern as string)(us, zoneOf(zoneName as string)), "to_char");
  };
}

/** The time functions that keep something between rows. Undefined: the function is none of them. */
export function temporal(call: Call, args: readonly Evaluate[]): Evaluate | undefined {
  if (call.fn === "extract") return extractField(call, args);
  return call.fn === "to_char" ? toChar(call, args) : undefined;
}

export function bucketOf(bucket: Extract<Expression, { kind: "bucket" }>, of: Evaluate): Evaluate {
  const buckets = new Buckets(bucket);
  return (leaf): Scalar => {
    const us = of(leaf);
    return us === null ? null : buckets.start(us as Us);
  };
}

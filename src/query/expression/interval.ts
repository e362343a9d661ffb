// Spans of the calendar: their order, their arithmetic and their text, as PostgreSQL has them.

import type { Interval } from "./expression.ts";
import { dayUs, fit, outOfRange } from "./scalar.ts";

const dayBig = BigInt(dayUs);

/** Microseconds with days of 24 hours and months of 30 days: equal and ordered as PostgreSQL's intervals are. */
export function intervalUs({ months, days, us }: Interval): number | bigint {
  const total = BigInt(months) * 30n * dayBig + BigInt(days) * dayBig + us;
  if (BigInt.asIntN(64, total) !== total) throw outOfRange("an interval");
  return fit(total);
}

/** Whole days of 24 hours and the rest, as a difference of timestamps is told. */
export function intervalOfUs(us: number | bigint): Interval {
  const whole = BigInt(us);
  const days = whole / dayBig;
  return { months: 0, days: Number(days), us: whole - days * dayBig };
}

export function addIntervals(a: Interval, b: Interval): Interval {
  return checked(a.months + b.months, a.days + b.days, a.us + b.us);
}

export function negateInterval({ months, days, us }: Interval): Interval {
  return checked(0 - months, 0 - days, -us);
}

/** Fractions of a month become days and fractions of a day microseconds. */
export function scaleInterval({ months, days, us }: Interval, factor: number): Interval {
  const wholeMonths = Math.trunc(months * factor);
  const monthDays = (months * factor - wholeMonths) * 30;
  const allDays = days * factor + Math.round(monthDays * 1e6) / 1e6;
  const wholeDays = Math.trunc(allDays);
  const restUs = Math.round((allDays - wholeDays) * dayUs);
  const scaled = Number.isInteger(factor) ? us * BigInt(factor) : roundUs(Number(us) * factor);
  return checked(wholeMonths, wholeDays, scaled + BigInt(restUs));
}

function roundUs(us: number): bigint {
  if (!(Math.abs(us) < 9.2e18)) throw outOfRange("an interval");
  return BigInt(Math.round(us));
}

function checked(months: number, days: number, us: bigint): Interval {
  const small = Math.abs(months) < 2 ** 31 && Math.abs(days) < 2 ** 31;
  if (!small || BigInt.asIntN(64, us) !== us) throw outOfRange("an interval");
  return { months, days, us };
}

/** `1 year 2 mons 3 days 04:05:06.789`, as PostgreSQL writes it. */
export function formatInterval({ months, days, us }: Interval): string {
  const parts: string[] = [];
  const add = (count: number, one: string): void => {
    if (count !== 0) parts.push(`${count} ${one}${count === 1 ? "" : "s"}`);
  };
  add(Math.trunc(months / 12), "year");
  add(months % 12, "mon");
  add(days, "day");
  if (us !== 0n || parts.length === 0) parts.push(clockText(us));
  return parts.join(" ");
}

function clockText(us: bigint): string {
  const size = us < 0n ? -us : us;
  const seconds = Number(size / 1_000_000n);
  const two = (value: number): string => String(value).padStart(2, "0");
  const fraction = String(size % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${us < 0n ? "-" : ""}${clock}${fraction === "" ? "" : `.${fraction}`}`;
}

const unitMonths = new Map<string, number>();
const unitDays = new Map<string, number>();
const unitUs = new Map<string, number>();
const name = (map: Map<string, number>, size: number, names: string): void => {
  for (const one of names.split(" ")) map.set(one, size);
};
name(unitMonths, 12_000, "millennium millennia millenniums");
name(unitMonths, 1200, "century centuries c");
name(unitMonths, 120, "decade decades");
name(unitMonths, 12, "year years yr yrs y");
name(unitMonths, 3, "quarter quarters");
name(unitMonths, 1, "month months mon mons");
name(unitDays, 7, "week weeks w");
name(unitDays, 1, "day days d");
name(unitUs, 3_600_000_000, "hour hours hr hrs h");
name(unitUs, 60_000_000, "minute minutes min mins m");
name(unitUs, 1_000_000, "second seconds sec secs s");
name(unitUs, 1000, "millisecond milliseconds ms");
name(unitUs, 1, "microsecond microseconds us");

/** Reads `1 year -2 days 04:05:06.5 ago`; null where it is no interval. */
export function parseInterval(text: string): Interval | null {
  let total: Interval = { months: 0, days: 0, us: 0n };
  const body = text.trim().toLowerCase();
  const ago = / ago$/.test(body);
  const part =
    /\s*(?:([+-]?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(?![\d:])|([+-]?\d{1,12}(?:\.\d{1,9})?)\s*([a-z]+))/y;
  const end = ago ? body.length - 4 : body.length;
  if (end === 0 || body.length > 256) return null;
  while (part.lastIndex < end) {
    const found = part.exec(body.slice(0, end));
    if (found === null) return null;
    const one = found[6] === undefined ? clockOf(found) : unitOf(Number(found[6]), found[7] ?? "");
    if (one === null) return null;
    total = addIntervals(total, one);
  }
  return ago ? negateInterval(total) : total;
}

function clockOf(found: RegExpExecArray): Interval {
  const number = (i: number): bigint => BigInt(found[i] ?? 0);
  const seconds = number(2) * 3600n + number(3) * 60n + number(4);
  const us = seconds * 1_000_000n + BigInt((found[5] ?? "").padEnd(6, "0"));
  return { months: 0, days: 0, us: found[1] === "-" ? -us : us };
}

function unitOf(count: number, unit: string): Interval | null {
  const months = unitMonths.get(unit);
  if (months !== undefined) return scaleInterval({ months, days: 0, us: 0n }, count);
  const days = unitDays.get(unit);
  if (days !== undefined) return scaleInterval({ months: 0, days, us: 0n }, count);
  const us = unitUs.get(unit);
  return us === undefined ? null : { months: 0, days: 0, us: roundUs(us * count) };
}

// Days and dates of the proleptic Gregorian calendar. Days count from 1970-01-01. Conversions after the algorithms of
// Howard Hinnant, "chrono-compatible low-level date algorithms".

import { dayUs, fit } from "./scalar.ts";

export interface Day {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

export function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export function dayOf(number: number): Day {
  const z = number + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 };
}

export function daysOfMonth(year: number, month: number): number {
  const next = month === 12 ? dayNumber(year + 1, 1, 1) : dayNumber(year, month + 1, 1);
  return next - dayNumber(year, month, 1);
}

const dayBig = BigInt(dayUs);

/** The day that a microsecond lies in, and how far into it. */
export function splitUs(us: number | bigint): { day: number; us: number } {
  if (typeof us === "bigint") {
    let day = us / dayBig;
    let rest = us - day * dayBig;
    if (rest < 0n) {
      day--;
      rest += dayBig;
    }
    return { day: Number(day), us: Number(rest) };
  }
  let day = Math.floor(us / dayUs);
  let rest = us - day * dayUs;
  if (rest < 0) {
    day--;
    rest += dayUs;
  } else if (rest >= dayUs) {
    day++;
    rest -= dayUs;
  }
  return { day, us: rest };
}

/** Microseconds of a day's `us`-th; an integer that may be beyond 2^53. */
export function joinUs(day: number, us: number): number | bigint {
  const near = day * dayUs + us;
  return Number.isSafeInteger(near) ? near : fit(BigInt(day) * dayBig + BigInt(us));
}

const yearMin = dayNumber(1, 1, 1);
const yearMax = dayNumber(9999, 12, 31);

/** A timestamp, or NULL where it is outside the years 0001 to 9999. */
export function timestampOf(day: number, us: number): number | bigint | null {
  const days = Math.floor(us / dayUs);
  const whole = day + days;
  if (!(whole >= yearMin && whole <= yearMax)) return null;
  return joinUs(whole, us - days * dayUs);
}

/** Monday is 1, Sunday 7. */
export function isoWeekday(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1;
}

/** The year that an ISO week belongs to, and its number. */
export function isoWeek(day: number): { year: number; week: number } {
  const thursday = day - isoWeekday(day) + 4;
  const { year } = dayOf(thursday);
  return { year, week: Math.floor((thursday - dayNumber(year, 1, 1)) / 7) + 1 };
}

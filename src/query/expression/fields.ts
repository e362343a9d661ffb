// The fields of timestamps and intervals that `extract` names.

import { InputError } from "../../errors.ts";
import { localUs, secondOf } from "./bucket.ts";
import { dayNumber, dayOf, isoWeek, isoWeekday, splitUs } from "./calendar.ts";
import type { Interval } from "./expression.ts";
import { fit } from "./scalar.ts";
import type { Zone } from "./zone.ts";

type Us = number | bigint;
type TimeField = (us: Us, zone: Zone) => number;

/** Fields that hold for a whole day: `day` counts from 1970-01-01, in the zone. */
export const dayFields: Readonly<Record<string, (day: number) => number>> = {
  year: (day) => dayOf(day).year,
  month: (day) => dayOf(day).month,
  day: (day) => dayOf(day).day,
  quarter: (day) => Math.floor((dayOf(day).month + 2) / 3),
  decade: (day) => Math.floor(dayOf(day).year / 10),
  century: (day) => Math.ceil(dayOf(day).year / 100),
  millennium: (day) => Math.ceil(dayOf(day).year / 1000),
  dow: (day) => isoWeekday(day) % 7,
  isodow: isoWeekday,
  doy: (day) => day - dayNumber(dayOf(day).year, 1, 1) + 1,
  week: (day) => isoWeek(day).week,
  isoyear: (day) => isoWeek(day).year,
};

/** Fields of the time of day, from its microseconds. */
export const clockFields: Readonly<Record<string, (us: number) => number>> = {
  hour: (us) => Math.floor(us / 3_600_000_000),
  minute: (us) => Math.floor(us / 60_000_000) % 60,
  second: (us) => (us % 60_000_000) / 1e6,
  milliseconds: (us) => (us % 60_000_000) / 1e3,
  microseconds: (us) => us % 60_000_000,
};

const zoneFields: Readonly<Record<string, (offset: number) => number>> = {
  timezone: (offset) => offset,
  timezone_hour: (offset) => Math.trunc(offset / 3600) + 0,
  timezone_minute: (offset) => (Math.trunc(offset / 60) % 60) + 0,
};

const julianEpoch = 2_440_588;

/** Seconds, as the nearest double: what is whole is exact. */
function epochOf(us: Us): number {
  if (typeof us === "number") return us / 1e6;
  return us % 1_000_000n === 0n ? Number(us / 1_000_000n) : Number(us) / 1e6;
}

const aliases: Readonly<Record<string, string>> = {
  years: "year",
  months: "month",
  days: "day",
  hours: "hour",
  minutes: "minute",
  seconds: "second",
  millisecond: "milliseconds",
  microsecond: "microseconds",
  quarters: "quarter",
  weeks: "week",
  decades: "decade",
  centuries: "century",
};

export function fieldName(field: string): string {
  const name = field.toLowerCase();
  return aliases[name] ?? name;
}

/** @throws InputError `unknown_field` */
export function timeField(field: string): TimeField {
  const name = fieldName(field);
  if (name === "epoch") return epochOf;
  const ofDay = dayFields[name];
  if (ofDay) return (us, zone) => ofDay(splitUs(localUs(us, zone)).day);
  const ofClock = clockFields[name];
  if (ofClock) return (us, zone) => ofClock(splitUs(localUs(us, zone)).us);
  const ofZone = zoneFields[name];
  if (ofZone) return (us, zone) => ofZone(zone.offset(secondOf(us)));
  if (name === "julian") {
    return (us, zone) => {
      const local = splitUs(localUs(us, zone));
      return local.day + julianEpoch + local.us / 86_400_000_000;
    };
  }
  throw unknownField(field);
}

function unknownField(field: string): InputError {
  return new InputError("unknown_field", `there is no field "${field.slice(0, 64)}" of a time`, {
    got: field.slice(0, 64),
  });
}

/** As in PostgreSQL a year is 365.25 days here, a month 30. Divided once, so that what is decimal stays so. */
function epochOfInterval({ months, days, us }: Interval): number {
  const seconds = Math.trunc(months / 12) * 31_557_600 + (months % 12) * 2_592_000 + days * 86_400;
  return epochOf(fit(BigInt(seconds) * 1_000_000n + us)) + 0;
}

/** @throws InputError `unknown_field` */
export function intervalField(field: string): (interval: Interval) => number {
  const { trunc } = Math;
  switch (fieldName(field)) {
    case "epoch":
      return epochOfInterval;
    case "millennium":
      return ({ months }) => trunc(months / 12_000) + 0;
    case "century":
      return ({ months }) => trunc(months / 1200) + 0;
    case "decade":
      return ({ months }) => trunc(months / 120) + 0;
    case "year":
      return ({ months }) => trunc(months / 12) + 0;
    case "quarter":
      return ({ months }) => trunc((months % 12) / 3) + 1;
    case "month":
      return ({ months }) => (months % 12) + 0;
    case "day":
      return ({ days }) => days;
    case "hour":
      return ({ us }) => Number(us / 3_600_000_000n);
    case "minute":
      return ({ us }) => Number((us / 60_000_000n) % 60n);
    case "second":
      return ({ us }) => Number(us % 60_000_000n) / 1e6;
    case "milliseconds":
      return ({ us }) => Number(us % 60_000_000n) / 1e3;
    case "microseconds":
      return ({ us }) => Number(us % 60_000_000n);
    default:
      throw unknownField(field);
  }
}

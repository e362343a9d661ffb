// `to_char` of timestamps: the patterns that reports need, spelt as PostgreSQL spells them.

import { localUs, secondOf } from "./bucket.ts";
import { dayNumber, dayOf, isoWeek, isoWeekday, splitUs } from "./calendar.ts";
import type { Zone } from "./zone.ts";

interface Moment {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly number: number;
  /** Microseconds of the day. */
  readonly us: number;
  readonly offset: number;
  readonly zone: string;
}

const months =
  "January February March April May June July August September October November December".split(
    " ",
  );
const weekdays = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ");

type Part = (moment: Moment, plain: boolean) => string;

const digits =
  (width: number, of: (moment: Moment) => number): Part =>
  (moment, plain) => {
    const value = of(moment);
    return plain ? String(value) : String(value).padStart(width, "0");
  };

const hour = ({ us }: Moment): number => Math.floor(us / 3_600_000_000);
const hour12 = (moment: Moment): number => ((hour(moment) + 11) % 12) + 1;
const weekday = ({ number }: Moment): string => weekdays[isoWeekday(number) - 1] as string;
const monthName = ({ month }: Moment): string => months[month - 1] as string;
const dayOfYear = ({ year, number }: Moment): number => number - dayNumber(year, 1, 1) + 1;

/** Full names are filled up to nine characters unless FM stands before. */
const named =
  (of: (moment: Moment) => string, letters: (name: string) => string): Part =>
  (moment, plain) => {
    const name = letters(of(moment));
    return plain ? name : name.padEnd(9);
  };
const short =
  (of: (moment: Moment) => string, letters: (name: string) => string): Part =>
  (moment) =>
    letters(of(moment).slice(0, 3));
const upper = (name: string): string => name.toUpperCase();
const lower = (name: string): string => name.toLowerCase();
const same = (name: string): string => name;
const half =
  (am: string, pm: string): Part =>
  (moment) =>
    hour(moment) < 12 ? am : pm;

function offsetText({ offset }: Moment): string {
  const size = Math.abs(offset);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(size / 60) % 60;
  const sign = offset < 0 ? "-" : "+";
  return `${sign}${two(Math.floor(size / 3600))}${minutes === 0 ? "" : `:${two(minutes)}`}`;
}

function zoneText(moment: Moment): string {
  return moment.zone.toUpperCase() === "UTC" ? "UTC" : offsetText(moment);
}

const parts: Readonly<Record<string, Part>> = {
  "Y,YYY": ({ year }) => `${Math.floor(year / 1000)},${String(year % 1000).padStart(3, "0")}`,
  YYYY: digits(4, ({ year }) => year),
  YYY: digits(3, ({ year }) => year % 1000),
  YY: digits(2, ({ year }) => year % 100),
  Y: digits(1, ({ year }) => year % 10),
  IYYY: digits(4, ({ number }) => isoWeek(number).year),
  CC: digits(2, ({ year }) => Math.ceil(year / 100)),
  Q: digits(1, ({ month }) => Math.floor((month + 2) / 3)),
  MM: digits(2, ({ month }) => month),
  IW: digits(2, ({ number }) => isoWeek(number).week),
  WW: digits(2, (moment) => Math.floor((dayOfYear(moment) - 1) / 7) + 1),
  W: digits(1, ({ day }) => Math.floor((day - 1) / 7) + 1),
  DDD: digits(3, dayOfYear),
  DD: digits(2, ({ day }) => day),
  ID: digits(1, ({ number }) => isoWeekday(number)),
  D: digits(1, ({ number }) => (isoWeekday(number) % 7) + 1),
  HH24: digits(2, hour),
  HH12: digits(2, hour12),
  HH: digits(2, hour12),
  MI: digits(2, ({ us }) => Math.floor(us / 60_000_000) % 60),
  SSSS: digits(1, ({ us }) => Math.floor(us / 1_000_000)),
  SS: digits(2, ({ us }) => Math.floor(us / 1_000_000) % 60),
  MS: digits(3, ({ us }) => Math.floor(us / 1000) % 1000),
  US: digits(6, ({ us }) => us % 1_000_000),
  MONTH: named(monthName, upper),
  Month: named(monthName, same),
  month: named(monthName, lower),
  MON: short(monthName, upper),
  Mon: short(monthName, same),
  mon: short(monthName, lower),
  DAY: named(weekday, upper),
  Day: named(weekday, same),
  day: named(weekday, lower),
  DY: short(weekday, upper),
  Dy: short(weekday, same),
  dy: short(weekday, lower),
  "A.M.": half("A.M.", "P.M."),
  "P.M.": half("A.M.", "P.M."),
  "a.m.": half("a.m.", "p.m."),
  "p.m.": half("a.m.", "p.m."),
  AM: half("AM", "PM"),
  PM: half("AM", "PM"),
  am: half("am", "pm"),
  pm: half("am", "pm"),
  TZ: zoneText,
  tz: (moment) => zoneText(moment).toLowerCase(),
  OF: offsetText,
};

/** Longest first, so that HH24 is not HH and 24. */
const names = Object.keys(parts).toSorted((a, b) => b.length - a.length);

type Piece = { text: string } | { name: string; part: Part; plain: boolean; suffix: boolean };

/** Patterns of digits are recognised in small letters too; those of names say by them how they are written. */
function partAt(format: string, at: number): { name: string; part: Part } | undefined {
  for (const name of names) {
    const written = format.slice(at, at + name.length);
    const part = parts[name] as Part;
    if (written === name) return { name, part };
    const cased = /^(month|mon|day|dy|am|pm|a\.m\.|p\.m\.|tz)$/i.test(name);
    if (!cased && written.toUpperCase() === name) return { name, part };
  }
  return undefined;
}

function parseFormat(format: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < format.length; ) {
    const quoted = /^"((?:[^"\\]|\\.)*)"?/s.exec(format.slice(at));
    if (quoted) {
      pieces.push({ text: (quoted[1] ?? "").replace(/\\(.)/gs, "$1") });
      at += quoted[0].length;
      continue;
    }
    const plain = /^FM/i.test(format.slice(at, at + 2));
    const found = partAt(format, plain ? at + 2 : at);
    if (!found) {
      if (!plain) pieces.push({ text: format[at] as string });
      at += plain ? 2 : 1;
      continue;
    }
    at += found.name.length + (plain ? 2 : 0);
    const suffix = /^th/i.test(format.slice(at, at + 2));
    if (suffix) at += 2;
    pieces.push({ ...found, plain, suffix });
  }
  return pieces;
}

function ordinal(text: string): string {
  const number = Number(text);
  const teen = Math.floor(number / 10) % 10 === 1;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${text}${ending}`;
}

/** Seconds that what a format shows stays the same: of a day, an hour or a minute; 0: of less. */
export function formatSeconds(format: string): number {
  const names = parseFormat(format).flatMap((piece) =>
    "name" in piece ? [piece.name.toUpperCase()] : [],
  );
  if (names.some((name) => /^(SSSS|SS|MS|US)$/.test(name))) return 0;
  if (names.includes("MI")) return 60;
  return names.some((name) => /^(HH|[AP]\.?M)/.test(name)) ? 3600 : 86_400;
}

export type TimeFormat = (us: number | bigint, zone: Zone) => string;

export function compileTimeFormat(format: string): TimeFormat {
  const pieces = parseFormat(format);
  return (us, zone) => {
    const { day: number, us: rest } = splitUs(localUs(us, zone));
    const offset = zone.offset(secondOf(us));
    const moment: Moment = { ...dayOf(number), number, us: rest, offset, zone: zone.name };
    let text = "";
    for (const piece of pieces) {
      if ("text" in piece) text += piece.text;
      else {
        const written = piece.part(moment, piece.plain);
        text += piece.suffix && /^\d+$/.test(written) ? ordinal(written) : written;
      }
    }
    return text;
  };
}

import { InputError } from "../errors.ts";
import type { Interval } from "./expression/expression.ts";
import { parseInterval } from "./expression/interval.ts";

const second = 1_000_000n;
const minute = 60n * second;
const hour = 60n * minute;
const day = 24n * hour;
const week = 7n * day;

/** Microseconds of each unit; a day is always 24 hours, since everything is in UTC. */
const unitUs = new Map<string, bigint>();
for (const [us, names] of [
  [1n, "us µs μs microsecond microseconds"],
  [1000n, "ms millisecond milliseconds"],
  [second, "s sec secs second seconds"],
  [minute, "m min mins minute minutes"],
  [hour, "h hr hrs hour hours"],
  [day, "d day days"],
  [week, "w week weeks"],
] as const) {
  for (const name of names.split(" ")) unitUs.set(name, us);
}

const calendarUnits = new Set(
  "mon mons month months y yr yrs year years q quarter quarters".split(" "),
);

/** No duration reaches further than the years that timestamps can have. */
const durationUsMax = 10_000n * 366n * day;

function refuse(text: string, why: string): never {
  throw new InputError("invalid_duration", `got the duration "${text.slice(0, 64)}": ${why}`, {
    got: text.slice(0, 64),
  });
}

/** `number` times `unit`, cut to whole microseconds. */
function times(number: string, unit: bigint): bigint {
  const [whole = "0", fraction = ""] = number.split(".");
  const scale = 10n ** BigInt(fraction.length);
  return ((BigInt(whole || "0") * scale + BigInt(fraction || "0")) * unit) / scale;
}

const isoPattern =
  /^P(?:([\d.]+)Y)?(?:([\d.]+)M)?(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/i;
const numberPattern = /^\d{1,18}(\.\d{1,9})?$/;

function parseIso(text: string): bigint {
  const parts = isoPattern.exec(text);
  if (!parts || !/\d/.test(text) || /T$/i.test(text)) {
    refuse(text, 'want an ISO 8601 duration such as "PT90S" or "P1DT12H"');
  }
  const [, years, months, ...fixed] = parts;
  if (years || months) refuse(text, "months and years have no fixed length; want weeks or shorter");
  const units = [week, day, hour, minute, second];
  let total = 0n;
  fixed.forEach((number, i) => {
    if (number === undefined) return;
    if (!numberPattern.test(number)) refuse(text, `"${number}" is not a number`);
    total += times(number, units[i] ?? 0n);
  });
  return total;
}

/**
 * The microseconds of `90s`, `5m`, `1h30m`, `1 minute`, `1.5 hours` or ISO 8601 `PT5M`.
 *
 * Zero is a duration; signs, months and years are refused with `InputError` "invalid_duration".
 */
export function parseDuration(text: string): bigint {
  const trimmed = text.trim();
  if (trimmed.length > 64) refuse(text, "want at most 64 characters");
  let total = 0n;
  if (/^p/i.test(trimmed)) {
    total = parseIso(trimmed);
  } else {
    const part = /\s*(\d{1,18}(?:\.\d{1,9})?)\s*([a-zµμ]+)/iuy;
    if (trimmed === "") refuse(text, 'want a number and a unit, such as "90s" or "1 minute"');
    while (part.lastIndex < trimmed.length) {
      const from = part.lastIndex;
      const [, number, unit] = part.exec(trimmed) ?? [];
      if (number === undefined || unit === undefined) {
        refuse(text, `want a number and a unit at "${trimmed.slice(from)}", such as "90s"`);
      }
      const us = unitUs.get(unit.toLowerCase());
      if (us === undefined && calendarUnits.has(unit.toLowerCase())) {
        refuse(text, "months and years have no fixed length; want weeks or shorter");
      }
      if (us === undefined) refuse(text, `the unit "${unit}" is none of us, ms, s, m, h, d, w`);
      total += times(number, us);
    }
  }
  if (total > durationUsMax) refuse(text, "want at most 10,000 years");
  return total;
}

const isoPart = (letter: string): string => `(?:(-?[\\d.]+)${letter})?`;
const isoIntervalPattern = new RegExp(
  `^P${["Y", "M", "W", "D"].map(isoPart).join("")}(?:T${["H", "M", "S"].map(isoPart).join("")})?$`,
  "i",
);
const isoUnits = ["year", "month", "week", "day", "hour", "minute", "second"];

/**
 * The interval of `1 month 2 days`, `-90 minutes`, `1 day 02:03:04.5`, `1h30m`, `3 days ago` or ISO 8601 `P1Y2M`;
 * months, days and microseconds stay apart. Refused as durations are.
 */
export function intervalOfText(text: string): Interval {
  const trimmed = text.trim();
  const iso = isoIntervalPattern.exec(trimmed);
  const words = iso
    ? isoUnits.flatMap((unit, i) => (iso[i + 1] === undefined ? [] : `${iso[i + 1]} ${unit}`))
    : [trimmed.replace(/[µμ]s/giu, "us")];
  const found = parseInterval(words.join(" "));
  if (found === null) {
    refuse(text, 'want numbers and units, such as "90s", "1 month" or "1 day 12:00:00"');
  }
  const size = found.us < 0n ? -found.us : found.us;
  if (
    Math.abs(found.months) > 120_000 ||
    Math.abs(found.days) > 3_660_000 ||
    size > durationUsMax
  ) {
    refuse(text, "want at most 10,000 years");
  }
  return found;
}

/** The shortest text that `parseDuration` reads back as `us`: `90s`, `5m`, `36h`. */
export function formatDuration(us: bigint): string {
  const units = [
    [week, "w"],
    [day, "d"],
    [hour, "h"],
    [minute, "m"],
    [second, "s"],
    [1000n, "ms"],
  ] as const;
  for (const [unit, name] of units) {
    if (us >= unit && us % unit === 0n) return `${us / unit}${name}`;
  }
  return us === 0n ? "0s" : `${us}us`;
}

// Times are microseconds since 1970-01-01T00:00:00Z, in UTC, of the years 0001 to 9999.

export const timeUsMin = -62_135_596_800_000_000n;
export const timeUsMax = 253_402_300_799_999_999n;

const pattern =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?\s?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)$/;

const daysOfMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Why `text` is not a time, or its microseconds; digits beyond the sixth are cut off. */
export function parseTime(text: string): bigint | string {
  const parts = pattern.exec(text);
  if (!parts) {
    const zoneless = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(text);
    return zoneless ? "it has no time zone" : "it is not RFC 3339";
  }
  const field = (i: number): number => Number(parts[i] ?? 0);
  const [year, month, day] = [field(1), field(2), field(3)];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && leap ? 29 : daysOfMonth[month - 1];
  if (year < 1) return "its year is before 0001";
  if (days === undefined) return `there is no month ${parts[2]}`;
  if (day < 1 || day > days) return `there is no day ${parts[3]} in that month`;
  if (field(4) > 23 || field(5) > 59 || field(6) > 60) return "there is no such time of day";
  if (field(10) > 23 || field(11) > 59) return "there is no such zone offset";

  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(field(4), field(5), field(6));
  const zoneMinutes = (field(10) * 60 + field(11)) * (parts[9] === "-" ? -1 : 1);
  const ms = date.getTime() - zoneMinutes * 60_000;
  // A leap second is the last of a UTC day, and the same instant as the first second of the next day.
  if (field(6) === 60 && ms % 86_400_000 !== 0) return "there is no such time of day";
  const fraction = (parts[7] ?? "").slice(0, 6).padEnd(6, "0");
  const us = BigInt(ms) * 1000n + BigInt(fraction);
  return us < timeUsMin || us > timeUsMax ? "in UTC it is outside the years 0001 to 9999" : us;
}

/**
 * The microseconds of a number whose size says its unit: below 1e11 seconds, below 1e14 milliseconds, below
 * 1e17 microseconds, else nanoseconds, floored. Null when it isn't finite or outside the years 0001 to 9999.
 */
export function timeFromNumber(value: number | bigint): bigint | null {
  const us = typeof value === "bigint" ? fromInteger(value) : fromDouble(value);
  return us === null || us < timeUsMin || us > timeUsMax ? null : us;
}

function fromInteger(value: bigint): bigint {
  const size = value < 0n ? -value : value;
  if (size < 100_000_000_000n) return value * 1_000_000n;
  if (size < 100_000_000_000_000n) return value * 1000n;
  if (size < 100_000_000_000_000_000n) return value;
  return value >= 0n ? value / 1000n : -((-value + 999n) / 1000n);
}

function fromDouble(value: number): bigint | null {
  if (!Number.isFinite(value)) return null;
  if (Number.isInteger(value)) return fromInteger(BigInt(value));
  const size = Math.abs(value);
  const factor = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : 1;
  // 1609459200.123 means .123000, although no double is exactly that: the nearest microsecond counts where
  // its double is the one given, else it is floored. The decoder does the same.
  const whole = Math.round(value * factor);
  return BigInt(whole / factor === value ? whole : Math.floor(value * factor));
}

/** RFC 3339 in UTC, with milliseconds, or with microseconds where there are any. */
export function formatTime(us: bigint): string {
  const rest = Number(((us % 1000n) + 1000n) % 1000n);
  const ms = Number((us - BigInt(rest)) / 1000n);
  const day = Math.floor(ms / dayMs);
  if (day !== lastDay) {
    lastDay = day;
    lastDayText = new Date(day * dayMs).toISOString().slice(0, 11);
  }
  const ofDay = ms - day * dayMs;
  const seconds = Math.floor(ofDay / 1000);
  const minutes = Math.floor(seconds / 60);
  const clock =
    `${two[Math.floor(minutes / 60)]}:${two[minutes % 60]}:${two[seconds % 60]}.` +
    three(ofDay - seconds * 1000);
  return `${lastDayText}${clock}${rest === 0 ? "" : three(rest)}Z`;
}

const dayMs = 86_400_000;
/** Neighbours mostly are of one day: its text is made once. */
let lastDay = Number.NaN;
let lastDayText = "";

const two = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, "0"));

function three(value: number): string {
  return value < 10 ? `00${value}` : value < 100 ? `0${value}` : String(value);
}

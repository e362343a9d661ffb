import { digitCount, digitsValue } from "./number";

// Times as they come in events, to microseconds since 1970-01-01T00:00:00Z (i64), years 0001 to
// 9999.
//
// Text is RFC 3339: a date, `T`, `t` or a space, a time with seconds, an optional fraction (cut off
// after microseconds), and a zone: `Z`, `z` or ±hh:mm. A leap second (:60) is taken where one can
// be, in the last minute of a UTC day, and is the same instant as the first second of the next day,
// as POSIX time has it.
//
// An error is i64.MIN_VALUE plus one of the codes below; no time comes near it.

export const TIMESTAMP_MALFORMED: i64 = i64.MIN_VALUE;
export const TIMESTAMP_NO_ZONE: i64 = i64.MIN_VALUE + 1;
export const TIMESTAMP_OUT_OF_RANGE: i64 = i64.MIN_VALUE + 2;

export const UNIT_AUTO: u32 = 0;
export const UNIT_SECONDS: u32 = 1;
export const UNIT_MILLISECONDS: u32 = 2;
export const UNIT_MICROSECONDS: u32 = 3;
export const UNIT_NANOSECONDS: u32 = 4;

export const TIMESTAMP_CACHE: u32 = 64;

const DAY_US: i64 = 86400000000;
/** 0001-01-01T00:00:00Z, and 10000-01-01T00:00:00Z, which is the first time too late. */
const EARLIEST_US: i64 = -62135596800000000;
const END_US: i64 = 253402300800000000;

@inline
function inRange(timeUs: i64): i64 {
  return timeUs < EARLIEST_US || timeUs >= END_US ? TIMESTAMP_OUT_OF_RANGE : timeUs;
}

/**
 * RFC 3339 text to µs.
 *
 * `cache`: TIMESTAMP_CACHE bytes that the caller keeps, zeros at first: 0 the last date's text, 10
 *          bytes │ 16 its midnight i64 µs │ 32 the text of the last minute of 24 characters, 16
 *          bytes │ 48 its beginning i64 µs. Texts are complements, so that zeros are none.
 * Memory:  reads up to 16 bytes beyond the text.
 */
export function parseTimestamp(p: usize, length: u32, cache: usize): i64 {
  if (length < 19) return TIMESTAMP_MALFORMED;
  if (length == 24) {
    const quick = timestampInMinute(p, cache);
    if (quick != TIMESTAMP_MALFORMED) return quick;
  }
  const separator = load<u8>(p, 10);
  if ((separator | 0x20) != 0x74 && separator != 0x20) return TIMESTAMP_MALFORMED;
  if (load<u64>(p) != ~load<u64>(cache) || load<u16>(p, 8) != ~load<u16>(cache, 8)) {
    const midnight = parseDate(p);
    if (midnight == TIMESTAMP_MALFORMED) return midnight;
    store<u64>(cache, ~load<u64>(p));
    store<u16>(cache, ~load<u16>(p, 8), 8);
    store<i64>(cache, midnight, 16);
  }

  // "hh:mm:ss" in one word: digits become 0 to 9, colons 0.
  const clock = load<u64>(p, 11) ^ 0x30303a30303a3030;
  const tooHigh = ((clock + 0x0606060606060606) | clock) & 0xf0f0f0f0f0f0f0f0;
  if (tooHigh != 0) return TIMESTAMP_MALFORMED;
  if ((clock & 0x0000ff0000ff0000) != 0) return TIMESTAMP_MALFORMED;
  const hour = <u32>(clock & 15) * 10 + <u32>((clock >> 8) & 15);
  const minute = <u32>((clock >> 24) & 15) * 10 + <u32>((clock >> 32) & 15);
  const second = <u32>((clock >> 48) & 15) * 10 + <u32>(clock >> 56);
  if (hour > 23 || minute > 59 || second > 60) return TIMESTAMP_MALFORMED;

  const end = p + length;
  let q = p + 19;
  let fractionUs: i64 = 0;
  if (q < end && load<u8>(q) == 0x2e) {
    const digits = load<u64>(++q) ^ 0x3030303030303030;
    const count = min<u32>(digitCount(digits), <u32>(end - q));
    if (count == 0) return TIMESTAMP_MALFORMED;
    // Six of the eight digits count, with zeros for those that are not there.
    const kept = digits & (0x0000ffffffffffff >> (48 - (min<u32>(count, 6) << 3)));
    fractionUs = <u32>digitsValue(kept, 8) / 100;
    q += count;
    if (count == 8) while (q < end && <u32>load<u8>(q) - 0x30 < 10) q++;
  }
  if (q == end) return TIMESTAMP_NO_ZONE;

  let minutes = <i32>(hour * 60 + minute);
  const zone = load<u8>(q);
  if ((zone | 0x20) == 0x7a) {
    if (q + 1 != end) return TIMESTAMP_MALFORMED;
    if (length == 24) {
      v128.store(cache, v128.not(v128.load(p)), 32);
      store<i64>(cache, load<i64>(cache, 16) + <i64>minutes * 60000000, 48);
    }
  } else {
    if (zone != 0x2b && zone != 0x2d) return TIMESTAMP_MALFORMED;
    const offset = q + 6 == end ? parseOffset(q + 1) : -1;
    if (offset < 0) return TIMESTAMP_MALFORMED;
    minutes += zone == 0x2d ? offset : -offset;
  }
  if (second == 60 && (minutes + 1440) % 1440 != 1439) return TIMESTAMP_MALFORMED;
  const ofDayUs = <i64>minutes * 60000000 + <i64>second * 1000000 + fractionUs;
  return inRange(load<i64>(cache, 16) + ofDayUs);
}

/**
 * The time that the 24 characters at `p` are, as in "2000-01-01T00:00:00.000Z", if their minute is
 * the one that parseTimestamp has found last; else TIMESTAMP_MALFORMED, which says nothing.
 */
@inline
export function timestampInMinute(p: usize, cache: usize): i64 {
  const first = load<u64>(p) ^ load<u64>(cache, 32);
  const second = load<u64>(p, 8) ^ load<u64>(cache, 40);
  // ":ss.mmmZ" in one word: digits become 0 to 9, the others 0.
  const rest = load<u64>(p, 16) ^ 0x5a3030302e30303a;
  const tooHigh = ((rest + 0x0006060600060a00) | rest) & 0xfff0f0f0fff0f0ff;
  if ((~(first & second) | tooHigh) != 0) return TIMESTAMP_MALFORMED;
  const seconds = <u32>((rest >> 8) & 15) * 10 + <u32>((rest >> 16) & 15);
  const high = <u32>((rest >> 32) & 15) * 100 + <u32>((rest >> 40) & 15) * 10;
  const milliseconds = seconds * 1000 + high + (<u32>(rest >> 48) & 15);
  return load<i64>(cache, 48) + <i64>(milliseconds * 1000);
}

/** Minutes of "hh:mm", or -1. */
function parseOffset(p: usize): i32 {
  const a = <u32>load<u8>(p) - 0x30;
  const b = <u32>load<u8>(p, 1) - 0x30;
  const c = <u32>load<u8>(p, 3) - 0x30;
  const d = <u32>load<u8>(p, 4) - 0x30;
  if (a > 9 || b > 9 || c > 5 || d > 9 || load<u8>(p, 2) != 0x3a) return -1;
  const hours = a * 10 + b;
  return hours > 23 ? -1 : <i32>(hours * 60 + c * 10 + d);
}

/** Midnight of "yyyy-mm-dd" in µs; years from 0000, whose times the caller finds out of range. */
function parseDate(p: usize): i64 {
  const head = load<u64>(p) ^ 0x2d30302d30303030; // "yyyy-mm-"
  if ((((head + 0x0606060606060606) | head) & 0xf0f0f0f0f0f0f0f0) != 0) return TIMESTAMP_MALFORMED;
  if ((head & 0xff0000ff00000000) != 0) return TIMESTAMP_MALFORMED;
  const tens = <u32>load<u8>(p, 8) - 0x30;
  const ones = <u32>load<u8>(p, 9) - 0x30;
  if (tens > 9 || ones > 9) return TIMESTAMP_MALFORMED;
  const year =
    <u32>(head & 15) * 1000 +
    <u32>((head >> 8) & 15) * 100 +
    <u32>((head >> 16) & 15) * 10 +
    <u32>((head >> 24) & 15);
  const month = <u32>((head >> 40) & 15) * 10 + <u32>((head >> 48) & 15);
  const day = tens * 10 + ones;
  if (month < 1 || month > 12) return TIMESTAMP_MALFORMED;
  if (day < 1 || day > daysOfMonth(year, month)) return TIMESTAMP_MALFORMED;
  return <i64>daysSinceEpoch(year, month, day) * DAY_US;
}

@inline
function daysOfMonth(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return 30 + ((month + (month >> 3)) & 1);
}

/**
 * Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that a
 * leap day comes last.
 */
@inline
function daysSinceEpoch(year: u32, month: u32, day: u32): i32 {
  const marchYear = <i32>year - (month <= 2 ? 1 : 0) + 400; // never negative
  const era = marchYear / 400;
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = <i32>((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468 - 146097;
}

/**
 * A whole number of `unit`s to µs; UNIT_AUTO takes the unit from the number's size (architecture,
 * section 5).
 */
export function timestampFromI64(value: i64, unit: u32): i64 {
  if (unit == UNIT_AUTO) {
    const size: u64 = value < 0 ? 0 - <u64>value : <u64>value;
    unit = UNIT_NANOSECONDS;
    if (size < 100000000000) unit = UNIT_SECONDS;
    else if (size < 100000000000000) unit = UNIT_MILLISECONDS;
    else if (size < 100000000000000000) unit = UNIT_MICROSECONDS;
  }
  if (unit == UNIT_MICROSECONDS) return inRange(value);
  if (unit == UNIT_NANOSECONDS) return floorDivide(value, 1000); // i64 nanoseconds end in 2262
  const factor: i64 = unit == UNIT_SECONDS ? 1000000 : 1000;
  const limit = END_US / factor;
  if (value < -limit || value > limit) return TIMESTAMP_OUT_OF_RANGE;
  return inRange(value * factor);
}

/**
 * As timestampFromI64, for a number with a fraction. Floored to µs, but where a double is the
 * nearest to a whole number of microseconds it is that: 1609459200.123 s is .123000, although no
 * double is exactly that.
 */
export function timestampFromF64(value: f64, unit: u32): i64 {
  const size = abs(value);
  if (!(size < 1e21)) return TIMESTAMP_OUT_OF_RANGE;
  const isInteger = value == trunc(value) && size < 9223372036854775808.0;
  if (isInteger) return timestampFromI64(<i64>value, unit);
  if (unit == UNIT_AUTO) {
    unit = UNIT_NANOSECONDS;
    if (size < 1e11) unit = UNIT_SECONDS;
    else if (size < 1e14) unit = UNIT_MILLISECONDS;
    else if (size < 1e17) unit = UNIT_MICROSECONDS;
  }
  const nanoseconds = unit == UNIT_NANOSECONDS;
  if (nanoseconds && size >= 9223372036854775808.0) return thousandthOf(value);
  const factor: f64 = unit == UNIT_SECONDS ? 1e6 : unit == UNIT_MICROSECONDS ? 1 : 1e3;
  const us = nanoseconds ? value / factor : value * factor;
  if (!(us >= -7e16 && us <= 3e17)) return TIMESTAMP_OUT_OF_RANGE;
  const whole = nearest(us);
  const isWhole = value == (nanoseconds ? whole * factor : whole / factor);
  return inRange(<i64>(isWhole ? whole : floor(us)));
}

/**
 * The floor of a thousandth of a double beyond i64 and below 1e21, which is a multiple of 2,048:
 * all in integers.
 */
function thousandthOf(value: f64): i64 {
  const part = <u64>(abs(value) / 64);
  const quotient = (part / 125) * 8 + ((part % 125) * 8) / 125;
  const isExact = ((part % 125) * 8) % 125 == 0;
  return inRange(value > 0 ? <i64>quotient : -<i64>quotient - (isExact ? 0 : 1));
}

@inline
function floorDivide(value: i64, by: i64): i64 {
  const quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

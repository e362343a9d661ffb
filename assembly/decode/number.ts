import {
  POWER_OF_FIVE_MAX,
  POWER_OF_FIVE_MIN,
  ROOT_POWERS_OF_FIVE,
  ROOT_POWERS_OF_TEN,
} from "../layout";

// Number text (RFC 8259, section 6) to i64 or to the nearest f64, ties to even, always.
//
// Digits are read eight at a time into a u64 of up to 19 of them. Integers that fit i64 are done
// then. Others take the first way that is exact: one division or multiplication of exact doubles
// (Clinger 1990), a product with a 128-bit power of five (Lemire, "Number Parsing at a Gigabyte per
// Second", 2021), or JavaScript's own parser.

@external("host", "parseNumber")
declare function hostParseNumber(address: usize, length: u32): f64;

export const NUMBER_I64: u32 = 0;
export const NUMBER_F64: u32 = 1;
export const NUMBER_NOT_FINITE: u32 = 2;

const INFINITY: u64 = 0x7ff0000000000000;
/** No double's bits without a sign: the product with a power of five left the rounding open. */
const UNDECIDED: u64 = u64.MAX_VALUE;
const EXPONENT_LIMIT: i64 = 1000000000;

/** Eight characters with '0' taken from each: how many, from the first, are digits (0 to 8). */
@inline
export function digitCount(characters: u64): u32 {
  // Adding carries out of a byte only above the first that is no digit.
  const others = ((characters + 0x7676767676767676) | characters) & 0x8080808080808080;
  return <u32>(ctz(others) >> 3);
}

/** The number in the first `count` (1 to 8) of eight digit values, lowest byte first. */
@inline
export function digitsValue(digits: u64, count: u32): u64 {
  let value = digits << ((8 - count) << 3);
  value = value * 10 + (value >> 8);
  const even = (value & 0x000000ff000000ff) * 0x000f424000000064;
  const odd = ((value >> 16) & 0x000000ff000000ff) * 0x0000271000000001;
  return (even + odd) >> 32;
}

/** `value` with `count` (1 to 8) more digits behind it. */
@inline
function appendDigits(value: u64, digits: u64, count: u32): u64 {
  const scale = count == 8 ? <u64>100000000 : <u64><u32>powerOfTen(count);
  return value * scale + digitsValue(digits, count);
}

@inline
function powerOfTen(exponent: u32): f64 {
  return load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
}

/**
 * Reads one number at `p`.
 *
 * Result: the first address after it; 0 if it is malformed, and then `out + 16` holds the offending
 *         address as u32 (`end` when the text stops too early). What follows is for the caller.
 * Out:    0 the value's bits u64 │ 8 kind u32: NUMBER_I64, NUMBER_F64 or NUMBER_NOT_FINITE.
 *         An integer that fits i64 is i64, except -0, which is f64 as is everything else.
 */
export function parseNumber(p: usize, end: usize, out: usize): usize {
  const negative = p < end && load<u8>(p) == 0x2d;
  if (negative) p++;
  const start = p;
  let value: u64 = 0;
  let total: u32 = 0;
  let exponent: i64 = 0;

  let count: u32 = 8;
  while (count == 8) {
    const digits = load<u64>(p) ^ 0x3030303030303030;
    count = min(digitCount(digits), <u32>min<usize>(end - p, 8));
    if (count == 0) break;
    total += count;
    if (total > 19) return parseLong(start, end, negative, out);
    value = appendDigits(value, digits, count);
    p += count;
  }
  if (total == 0) return malformed(p, out);
  if (total > 1 && load<u8>(start) == 0x30) return malformed(start + 1, out);
  if (p == end) return storeInteger(value, negative, p, out);

  let next = load<u8>(p);
  if (next == 0x2e) {
    p++;
    const fraction = p;
    count = 8;
    while (count == 8) {
      const digits = load<u64>(p) ^ 0x3030303030303030;
      count = min(digitCount(digits), <u32>min<usize>(end - p, 8));
      if (count == 0) break;
      total += count;
      if (total > 19) return parseLong(start, end, negative, out);
      value = appendDigits(value, digits, count);
      p += count;
    }
    if (p == fraction) return malformed(p, out);
    exponent = <i64>fraction - <i64>p;
    next = p < end ? load<u8>(p) : 0;
  } else if ((next | 0x20) != 0x65) {
    return storeInteger(value, negative, p, out);
  }
  if ((next | 0x20) == 0x65) {
    p = parseExponent(p + 1, end, out);
    if (p == 0) return 0;
    exponent += load<i64>(out);
  }
  return storeDecimal(value, exponent, negative, start, p, out);
}

@inline
function malformed(p: usize, out: usize): usize {
  store<u32>(out, <u32>p, 16);
  return 0;
}

@inline
function storeInteger(value: u64, negative: bool, p: usize, out: usize): usize {
  let kind = NUMBER_I64;
  let bits = value;
  if (!negative) {
    if (<i64>value < 0) {
      bits = reinterpret<u64>(<f64>value);
      kind = NUMBER_F64;
    }
  } else if (value - 1 <= <u64>i64.MAX_VALUE) {
    bits = 0 - value;
  } else {
    bits = reinterpret<u64>(-<f64>value);
    kind = NUMBER_F64;
  }
  store<u64>(out, bits);
  store<u32>(out, kind, 8);
  return p;
}

/** The digits after an `e` and its sign; their value, capped, goes to `out` as i64. */
function parseExponent(p: usize, end: usize, out: usize): usize {
  let negative = false;
  if (p < end) {
    const sign = load<u8>(p);
    negative = sign == 0x2d;
    if (negative || sign == 0x2b) p++;
  }
  const first = p;
  let value: i64 = 0;
  for (; p < end; p++) {
    const digit = <u32>load<u8>(p) - 0x30;
    if (digit > 9) break;
    if (value < EXPONENT_LIMIT) value = value * 10 + digit;
  }
  if (p == first) return malformed(p, out);
  store<i64>(out, negative ? -value : value);
  return p;
}

/** value · 10^exponent, for a value of at most 19 digits that is all of the text. */
function storeDecimal(
  value: u64,
  exponent: i64,
  negative: bool,
  start: usize,
  p: usize,
  out: usize,
): usize {
  if (value <= 0x0020000000000000 && exponent >= -22 && exponent <= 22) {
    const exact = <f64>value;
    const power = powerOfTen(<u32>abs(exponent));
    const magnitude = exponent < 0 ? exact / power : exact * power;
    return storeDouble(reinterpret<u64>(magnitude), negative, p, out);
  }
  let bits = nearestDouble(value, exponent, out);
  if (bits == UNDECIDED) bits = reinterpret<u64>(hostParseNumber(start, <u32>(p - start)));
  return storeDouble(bits, negative, p, out);
}

@inline
function storeDouble(bits: u64, negative: bool, p: usize, out: usize): usize {
  store<u64>(out, negative ? bits | 0x8000000000000000 : bits);
  store<u32>(out, bits == INFINITY ? NUMBER_NOT_FINITE : NUMBER_F64, 8);
  return p;
}

/**
 * More than 19 digits: the first 19 that count stand for all. If the number one above them rounds
 * to the same double, so does everything between; otherwise the host decides.
 */
function parseLong(start: usize, end: usize, negative: bool, out: usize): usize {
  let p = start;
  let value: u64 = 0;
  let kept: u32 = 0;
  let exponent: i64 = 0;
  let rest = false;
  let point: usize = 0;
  for (; p < end; p++) {
    const digit = <u32>load<u8>(p) - 0x30;
    if (digit > 9) {
      if (point != 0 || digit + 0x30 != 0x2e) break;
      point = p;
      continue;
    }
    if (point != 0) exponent--;
    if (kept < 19) {
      value = value * 10 + digit;
      if (value != 0) kept++;
    } else {
      exponent++;
      rest = rest || digit != 0;
    }
  }
  if (p == point + 1) return malformed(p, out);
  if (load<u8>(start) == 0x30 && point != start + 1) return malformed(start + 1, out);
  if (p < end && (load<u8>(p) | 0x20) == 0x65) {
    p = parseExponent(p + 1, end, out);
    if (p == 0) return 0;
    exponent += load<i64>(out);
  }
  let bits = nearestDouble(value, exponent, out);
  if (bits == UNDECIDED || (rest && bits != nearestDouble(value + 1, exponent, out))) {
    bits = reinterpret<u64>(hostParseNumber(start, <u32>(p - start)));
  }
  return storeDouble(bits, negative, p, out);
}

/** a · b, 128 bits: the low half is the result, the high half goes to `high`. */
@inline
function multiplyWide(a: u64, b: u64, high: usize): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const lowLow = aLow * bLow;
  const middle = aHigh * bLow + (lowLow >> 32);
  const cross = aLow * bHigh + (middle & 0xffffffff);
  store<u64>(high, aHigh * bHigh + (middle >> 32) + (cross >> 32));
  return (cross << 32) | (lowLow & 0xffffffff);
}

/**
 * Bits of the double nearest to value · 10^exponent, or UNDECIDED. `scratch`: 16 bytes.
 *
 * The top 55 bits of value · 5^exponent decide; the second half of the power is multiplied in only
 * when the bits below them are all ones, so that a carry could reach them.
 */
function nearestDouble(value: u64, exponent: i64, scratch: usize): u64 {
  if (value == 0 || exponent < POWER_OF_FIVE_MIN) return 0;
  if (exponent > POWER_OF_FIVE_MAX) return INFINITY;
  const power = <i32>exponent;
  const zeros = <i32>clz(value);
  const normal = value << zeros;
  const five = <usize>ROOT_POWERS_OF_FIVE + (<usize>(power - POWER_OF_FIVE_MIN) << 4);
  let low = multiplyWide(normal, load<u64>(five, 8), scratch);
  let high = load<u64>(scratch);
  if ((high & 0x1ff) == 0x1ff) {
    multiplyWide(normal, load<u64>(five), scratch);
    const carry = load<u64>(scratch);
    low += carry;
    if (low < carry) high++;
    if (low == u64.MAX_VALUE && (power < -27 || power > 55)) return UNDECIDED;
  }
  const upper = <i32>(high >> 63);
  const shift = upper + 9;
  let mantissa = high >> shift; // 54 bits: one more than a double keeps
  // 217706 / 65536 is log2(10) from above: floor(log2(10^power)) for every power in the table.
  let binary = ((217706 * power) >> 16) + 63 + upper - zeros + 1023;
  if (binary <= 0) {
    if (1 - binary >= 64) return 0;
    mantissa >>= 1 - binary;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    return mantissa; // the exponent field is 0, or the carry into bit 52 made it 1
  }
  // Exactly half way is possible only where 5^power or its reciprocal is small; then round to even.
  if (low <= 1 && power >= -4 && power <= 23 && (mantissa & 3) == 1 && mantissa << shift == high) {
    mantissa &= ~(<u64>1);
  }
  mantissa = (mantissa + (mantissa & 1)) >> 1;
  if (mantissa >= 0x0020000000000000) {
    mantissa = 0x0010000000000000;
    binary++;
  }
  if (binary >= 0x7ff) return INFINITY;
  return (mantissa & 0x000fffffffffffff) | (<u64>binary << 52);
}

// Numbers: which form a column of words takes, its smallest and largest value, and the smallest exponent
// that turns decimals into integers.
import { ROOT_POWERS_OF_TEN } from "../layout";
import { bitmapGet } from "../memory/bitmap";

const EXACT_MAX: f64 = 9007199254740992.0; // 2^53: every integer up to it is an f64
const EXPONENT_MAX: u32 = 9;
const SAMPLE: u32 = 1024;
const NO_INTEGER: i64 = i64.MIN_VALUE;

@inline
function powerOfTen(exponent: u32): f64 {
  return load<f64>((<usize>exponent) << 3, ROOT_POWERS_OF_TEN);
}

/** The number as f64, or NaN when it is an i64 that f64 can't hold. */
@inline
function asFloat(word: i64, isFloat: bool): f64 {
  if (isFloat) return reinterpret<f64>(word);
  return word >= -9007199254740992 && word <= 9007199254740992 ? <f64>word : NaN;
}

/** The integer that divided by `power` gives `value` back to the bit, or NO_INTEGER. */
@inline
function scaledInteger(value: f64, power: f64): i64 {
  const scaled = nearest(value * power);
  if (!(abs(scaled) <= EXACT_MAX)) return NO_INTEGER;
  const integer = <i64>scaled;
  // Comparing bits refuses -0, which an integer can't hold.
  return reinterpret<u64>(<f64>integer / power) == reinterpret<u64>(value) ? integer : NO_INTEGER;
}

/** The smallest exponent from `from` on that fits the value, or more than EXPONENT_MAX. */
function fittingExponent(value: f64, from: u32): u32 {
  let exponent = from;
  while (exponent <= EXPONENT_MAX && scaledInteger(value, powerOfTen(exponent)) == NO_INTEGER)
    exponent++;
  return exponent;
}

/**
 * Writes each number of a column times a power of ten as an integer at `integers`, and answers the exponent;
 * 0 when there is none up to 9 with which every number comes back to the bit.
 *
 * At least 1, because exponent 0 says that the numbers are i64 and these are f64 or both.
 */
export function decimalExponent(words: usize, kinds: usize, count: u32, integers: usize): u32 {
  let exponent: u32 = 1;
  for (let i: u32 = 0; i < min(count, SAMPLE); i++) {
    exponent = fittingExponent(
      asFloat(load<i64>(words + ((<usize>i) << 3)), bitmapGet(kinds, i)),
      exponent,
    );
    if (exponent > EXPONENT_MAX) return 0;
  }
  while (true) {
    const power = powerOfTen(exponent);
    let i: u32 = 0;
    for (; i < count; i++) {
      const at = (<usize>i) << 3;
      const integer = scaledInteger(asFloat(load<i64>(words + at), bitmapGet(kinds, i)), power);
      if (integer == NO_INTEGER) break;
      store<i64>(integers + at, integer);
    }
    if (i == count) return exponent;
    const value = asFloat(load<i64>(words + ((<usize>i) << 3)), bitmapGet(kinds, i));
    exponent = fittingExponent(value, exponent + 1);
    if (exponent > EXPONENT_MAX) return 0;
  }
}

/** Writes the smallest and the largest of `count` words, taken as i64, to the two words at `out`. */
export function zoneOfIntegers(words: usize, count: u32, out: usize): void {
  let low = load<i64>(words);
  let high = low;
  const end = words + ((<usize>count) << 3);
  for (let at = words + 8; at < end; at += 8) {
    const value = load<i64>(at);
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  store<i64>(out, low);
  store<i64>(out, high, 8);
}

/** Whether the integer is less than the float, without rounding either. */
function isLess(integer: i64, float: f64): bool {
  if (float >= 9223372036854775808.0) return true;
  if (!(float >= -9223372036854775808.0)) return false;
  const whole = <i64>floor(float);
  return integer < whole || (integer == whole && float > floor(float));
}

/**
 * Writes the smallest and the largest of numbers of both kinds to the two words at `out`, compared without
 * rounding, and answers in bit 0 and bit 1 whether they are f64.
 */
export function zoneOfNumbers(words: usize, kinds: usize, count: u32, out: usize): u32 {
  let low = Infinity;
  let high = -Infinity;
  let lowInteger = i64.MAX_VALUE;
  let highInteger = i64.MIN_VALUE;
  let floats: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const at = words + ((<usize>i) << 3);
    if (bitmapGet(kinds, i)) {
      const value = load<f64>(at);
      if (value < low) low = value;
      if (value > high) high = value;
      floats++;
    } else {
      const value = load<i64>(at);
      lowInteger = value < lowInteger ? value : lowInteger;
      highInteger = value > highInteger ? value : highInteger;
    }
  }
  const lowIsFloat = floats == count || (floats > 0 && !isLess(lowInteger, low));
  const highIsFloat = floats == count || (floats > 0 && isLess(highInteger, high));
  store<i64>(out, lowIsFloat ? reinterpret<i64>(low) : lowInteger);
  store<i64>(out, highIsFloat ? reinterpret<i64>(high) : highInteger, 8);
  return (lowIsFloat ? 1 : 0) | (highIsFloat ? 2 : 0);
}

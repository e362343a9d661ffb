import { ROOT_POWERS_OF_TEN } from "../layout";
import { NUMBER_F64, NUMBER_I64 } from "./number";

// The numbers that most events have: up to 15 digits and at most one point, without exponent. All of their bytes
// are one load; what kind of byte each is is one comparison.

/**
 * Reads the number at `p` if it is such a one.
 *
 * Result: the address after it, which may lie beyond the end of the text and is the caller's to judge; 0 when this
 *         is not for here, malformed numbers included. Out: as parseNumber's.
 * Exactness: the digits are an integer below 2^53 and the power of ten is exact, so one division rounds once
 *            (Clinger 1990).
 * Memory: reads 17 bytes at `p`.
 */
@inline
export function readShortNumber(p: usize, out: usize): usize {
  const isNegative = load<u8>(p) == 0x2d;
  const begin = p + (isNegative ? 1 : 0);
  const digits = v128.sub<u8>(v128.load(begin), i8x16.splat(0x30));
  const isDigit = <u32>i8x16.bitmask(i8x16.lt_u(digits, i8x16.splat(10)));
  const whole = ctz(~isDigit);
  let fraction: u32 = 0;
  let next = begin + whole;
  if (load<u8>(next) == 0x2e) {
    fraction = ctz(~(isDigit >> (whole + 1)));
    if (fraction == 0) return 0;
    next += fraction + 1;
  }
  const count = whole + fraction;
  // With 16 bytes in sight, 15 digits and a point are seen to their end.
  if (whole == 0 || count > 15 || next >= begin + 16) return 0;
  if (whole > 1 && load<u8>(begin) == 0x30) return 0;
  if ((load<u8>(next) | 0x20) == 0x65 || load<u8>(next) == 0x2e) return 0;
  // The digits move to the right end, over the point: place i gets the byte i - (16 - count), or the one after
  // that from the point on.
  const places = v128(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const from = v128.sub<u8>(places, i8x16.splat(<i8>(16 - count)));
  const source = v128.sub<u8>(from, i8x16.ge_s(from, i8x16.splat(<i8>whole)));
  const value = sumDigits(v128.swizzle(digits, source));
  if (fraction == 0) {
    if (isNegative && value == 0) return 0;
    store<i64>(out, isNegative ? -<i64>value : value);
    store<u32>(out, NUMBER_I64, 8);
    return next;
  }
  const double = <f64>value / load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>fraction << 3));
  store<f64>(out, isNegative ? -double : double);
  store<u32>(out, NUMBER_F64, 8);
  return next;
}

/** The integer that 16 decimal digits are, the first one being the highest. */
@inline
function sumDigits(digits: v128): u64 {
  const tens = i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10));
  const pairs = i16x8.add(tens, v128.shr<u16>(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i32x4.splat(0x00010064));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), i32x4.splat(0x00012710));
  return <u64>(<u32>i32x4.extract_lane(eights, 0)) * 100000000 + <u32>i32x4.extract_lane(eights, 1);
}

// Functions of one number column.

import {
  PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_ROWS, PAGE_VALUES,
} from "../layout";
import {
  clearAbsent64, countPage, formOf, FORM_F64, FORM_I64, isDoubleAt, loadNumbers, pageOf, PAGE_WORDS,
  presence, setPresence, VALUES_SIZE, wordsOf,
} from "./pages";

const NEGATE: u32 = 0;
const ABS: u32 = 1;
const CEIL: u32 = 2;
const FLOOR: u32 = 3;
const ROUND: u32 = 4;
const TRUNC: u32 = 5;
const SIGN: u32 = 6;
const SQRT: u32 = 7;
const INTEGER: u32 = 8;
const ROUND_AT: u32 = 9;
const TRUNC_AT: u32 = 10;

/**
 * target = op(source) for the rows of `mask`: negate, abs, ceil, floor, round half away from zero, trunc, sign, sqrt
 * (none of negative numbers), integer (none beyond i64), round and trunc at the decimal digit that `scale`, a power of
 * ten, says. The target's pages have the size of PAGE_MIXED; `buffer` has 32 KiB. Answers 0, -1 when cancelled, -2
 * when a result is beyond i64, or -3 when a double has too many digits to be cut here.
 */
export function unary(
  op: u32, source: usize, target: usize, words: u32, mask: usize, scale: f64, buffer: usize,
  cancel: usize,
): i32 {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    if (!out) continue;
    const page = pageOf(source, index);
    if (!page) {
      store<u32>(out, PAGE_I64, PAGE_ENCODING);
      clearAbsent64(out);
      continue;
    }
    const form = formOf(source, page);
    const values = loadNumbers(source, page, buffer);
    const length = wordsOf(words, index);
    const isF64 = op == SQRT || (op != INTEGER && op != SIGN && form == FORM_F64);
    const isI64 = op == INTEGER || op == SIGN || (op != SQRT && form == FORM_I64);
    store<u32>(out, isF64 ? PAGE_F64 : isI64 ? PAGE_I64 : PAGE_MIXED, PAGE_ENCODING);
    if (!isF64 && !isI64) {
      memory.copy(out + PAGE_VALUES + VALUES_SIZE, page + PAGE_VALUES + VALUES_SIZE, PAGE_ROWS / 8);
    }
    for (let w: u32 = 0; w < length; w++) {
      let bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3)) & presence(page, w);
      let wanted = bits;
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const at = <usize>row << 3;
        if (form != FORM_I64 && isDoubleAt(page, form, row)) {
          const value = load<f64>(values + at);
          if (op >= ROUND_AT) {
            if (!(Math.abs(value * scale) < 562949953421312.0)) return -3;
            store<f64>(out + at, atDigits(op == TRUNC_AT, value, scale) + 0.0, PAGE_VALUES);
          } else if (!ofDouble(op, value, out + at)) bits &= ~(<u64>1 << bit);
        } else {
          const value = load<i64>(values + at);
          if (value == i64.MIN_VALUE && op <= ABS) return -2;
          if (!ofInteger(op, value, out + at)) bits &= ~(<u64>1 << bit);
        }
      }
      setPresence(out, w, bits);
    }
    clearAbsent64(out);
    countPage(out);
  }
  return 0;
}

@inline
function roundHalfAway(value: f64): f64 {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + (value < 0 ? -1.0 : 1.0) : whole;
}

/**
 * Numbers of at most 15 digits are told apart by their doubles, so the double next to half a unit, or to a whole one,
 * decides as the digits would.
 */
@inline
function atDigits(cut: bool, value: f64, scale: f64): f64 {
  const whole = Math.trunc(value * scale);
  const away = value < 0 ? -1.0 : 1.0;
  const size = Math.abs(value);
  if (!cut) return (size >= Math.abs((whole + away * 0.5) / scale) ? whole + away : whole) / scale;
  if (size >= Math.abs((whole + away) / scale)) return (whole + away) / scale;
  return (size < Math.abs(whole / scale) ? whole - away : whole) / scale;
}

/** Whether there is a result. */
@inline
function ofDouble(op: u32, value: f64, out: usize): bool {
  if (op == SIGN) {
    store<i64>(out, value > 0 ? 1 : value < 0 ? -1 : 0, PAGE_VALUES);
    return true;
  }
  if (op == INTEGER) {
    const whole = roundHalfAway(value);
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0)) return false;
    store<i64>(out, <i64>whole, PAGE_VALUES);
    return true;
  }
  if (op == SQRT && value < 0) return false;
  let result = value;
  if (op == NEGATE) result = -value;
  else if (op == ABS) result = Math.abs(value);
  else if (op == CEIL) result = Math.ceil(value);
  else if (op == FLOOR) result = Math.floor(value);
  else if (op == ROUND) result = roundHalfAway(value);
  else if (op == TRUNC) result = Math.trunc(value);
  else result = Math.sqrt(value);
  store<f64>(out, result + 0.0, PAGE_VALUES);
  return true;
}

@inline
function ofInteger(op: u32, value: i64, out: usize): bool {
  if (op == SQRT) {
    if (value < 0) return false;
    store<f64>(out, Math.sqrt(<f64>value), PAGE_VALUES);
    return true;
  }
  let result = value;
  if (op == NEGATE) result = -value;
  else if (op == ABS) result = value < 0 ? -value : value;
  else if (op == SIGN) result = value > 0 ? 1 : value < 0 ? -1 : 0;
  store<i64>(out, result, PAGE_VALUES);
  return true;
}

// Comparisons of two number columns, row by row, without rounding either side.

import {
  formOf, FORM_F64, FORM_I64, isDoubleAt, loadNumbers, pageOf, PAGE_WORDS, presence, VALUES_SIZE,
  wordsOf,
} from "./pages";

/** How a row's first number stands to its second; a comparison wants a sum of these. */
const BELOW: u32 = 1;
const EQUAL: u32 = 2;
const ABOVE: u32 = 4;

/**
 * Writes to `out` those of the rows in `mask` that have both numbers and where they stand in one of the orders of
 * `wanted`, a sum of 1 (a below b), 2 (equal) and 4. `buffer` has room for 2 × 32 KiB. Answers how many, or -1 when
 * cancelled.
 */
export function compareColumns(
  a: usize, b: usize, words: u32, mask: usize, out: usize, wanted: u32, buffer: usize, cancel: usize,
): i32 {
  let count: u64 = 0;
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const first = <usize>(index * PAGE_WORDS) << 3;
    const length = wordsOf(words, index);
    const left = pageOf(a, index);
    const right = pageOf(b, index);
    if (!left || !right) {
      memory.fill(out + first, 0, <usize>length << 3);
      continue;
    }
    const leftForm = formOf(a, left);
    const rightForm = formOf(b, right);
    const x = loadNumbers(a, left, buffer);
    const y = loadNumbers(b, right, buffer + VALUES_SIZE);
    for (let w: u32 = 0; w < length; w++) {
      const at = first + (<usize>w << 3);
      let bits = load<u64>(mask + at) & presence(left, w) & presence(right, w);
      if (bits) {
        if (leftForm == FORM_I64 && rightForm == FORM_I64) bits &= integers(x, y, w, wanted);
        else if (leftForm == FORM_F64 && rightForm == FORM_F64) bits &= doubles(x, y, w, wanted);
        else bits = mixed(left, leftForm, x, right, rightForm, y, w, bits, wanted);
      }
      store<u64>(out + at, bits);
      count += popcnt<u64>(bits);
    }
  }
  return <i32>count;
}

function integers(x: usize, y: usize, word: u32, wanted: u32): u64 {
  let below: u64 = 0;
  let equal: u64 = 0;
  const from = <usize>word << 9;
  for (let i: u64 = 0; i < 64; i += 2) {
    const a = v128.load(x + from + (<usize>i << 3));
    const b = v128.load(y + from + (<usize>i << 3));
    below |= <u64>i64x2.bitmask(i64x2.lt_s(a, b)) << i;
    equal |= <u64>i64x2.bitmask(i64x2.eq(a, b)) << i;
  }
  return chosen(below, equal, wanted);
}

function doubles(x: usize, y: usize, word: u32, wanted: u32): u64 {
  let below: u64 = 0;
  let equal: u64 = 0;
  const from = <usize>word << 9;
  for (let i: u64 = 0; i < 64; i += 2) {
    const a = v128.load(x + from + (<usize>i << 3));
    const b = v128.load(y + from + (<usize>i << 3));
    below |= <u64>i64x2.bitmask(f64x2.lt(a, b)) << i;
    equal |= <u64>i64x2.bitmask(f64x2.eq(a, b)) << i;
  }
  return chosen(below, equal, wanted);
}

@inline
function chosen(below: u64, equal: u64, wanted: u32): u64 {
  let bits: u64 = 0;
  if (wanted & BELOW) bits |= below;
  if (wanted & EQUAL) bits |= equal;
  if (wanted & ABOVE) bits |= ~(below | equal);
  return bits;
}

function mixed(
  left: usize, leftForm: u32, x: usize, right: usize, rightForm: u32, y: usize, word: u32, bits: u64,
  wanted: u32,
): u64 {
  let kept: u64 = 0;
  while (bits) {
    const bit = ctz<u64>(bits);
    bits &= bits - 1;
    const row = (word << 6) + <u32>bit;
    const at = <usize>row << 3;
    const p = isDoubleAt(left, leftForm, row);
    const q = isDoubleAt(right, rightForm, row);
    let order: i32;
    if (p && q) {
      const a = load<f64>(x + at);
      const b = load<f64>(y + at);
      order = a < b ? -1 : <i32>(a > b);
    } else if (p) order = -compareMixed(load<i64>(y + at), load<f64>(x + at));
    else if (q) order = compareMixed(load<i64>(x + at), load<f64>(y + at));
    else {
      const a = load<i64>(x + at);
      const b = load<i64>(y + at);
      order = a < b ? -1 : <i32>(a > b);
    }
    const stands = order < 0 ? BELOW : order > 0 ? ABOVE : EQUAL;
    if (wanted & stands) kept |= <u64>1 << bit;
  }
  return kept;
}

/** An integer against a double: whole parts first, as integers, then the double's fraction. */
function compareMixed(a: i64, b: f64): i32 {
  if (b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const whole = Math.floor(b);
  const integer = <i64>whole;
  if (a != integer) return a < integer ? -1 : 1;
  return b > whole ? -1 : 0;
}

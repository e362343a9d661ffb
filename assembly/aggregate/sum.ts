// Sums of one column over a selection, ungrouped. Integers are summed exactly (raw integers in 64 bits, of
// which 131,072 u32 need 49; i64 in 128 bits), doubles with the error of each addition kept beside the sum
// (Knuth's branch-free TwoSum), so that neither lanes nor segments in another order change the result
// beyond its last bit.

import {
  COLUMN_PAGES, PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16,
  PAGE_U32, PAGE_U8, PAGE_VALUES, SUM_F64, SUM_F64_COUNT, SUM_F64_ERROR, SUM_HIGH, SUM_I64_COUNT,
  SUM_LOW, SUM_RAW, SUM_RAW_COUNT,
} from "../layout";
import { rawAt } from "../filter/select";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;
const ALL: u64 = 0xffffffffffffffff;
/** Below this many wanted rows of 64 they are visited one by one. */
const DENSE: u64 = 12;

/** Adds the selected values of `column` to the SUM block at `sum`. Answers 0, or -1 when cancelled. */
export function sumAll(column: usize, words: u32, mask: usize, sum: usize, cancel: usize): i32 {
  for (let first: u32 = 0; first < words; first += PAGE_WORDS) {
    if (atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(first / PAGE_WORDS) << 2));
    if (!page) continue;
    const length = min(words - first, PAGE_WORDS);
    const from = mask + (<usize>first << 3);
    const encoding = load<u32>(page, PAGE_ENCODING);
    if (encoding == PAGE_F64) sumF64(page, length, from, sum);
    else if (encoding == PAGE_I64 || encoding == PAGE_MIXED) {
      sumMixed(page, length, from, sum, encoding == PAGE_MIXED);
    } else if (encoding <= <u32>PAGE_U32) sumRaw(page, encoding, length, from, sum);
  }
  return 0;
}

/** Adds a double to the sum and the error of that addition to the error. */
@inline
export function addF64(sum: usize, value: f64): void {
  const before = load<f64>(sum, SUM_F64);
  const after = before + value;
  const part = after - before;
  const error = before - (after - part) + (value - part);
  store<f64>(sum, after, SUM_F64);
  store<f64>(sum, load<f64>(sum, SUM_F64_ERROR) + error, SUM_F64_ERROR);
}

/** Adds to the 128-bit integer sum. */
@inline
export function addI64(sum: usize, value: i64): void {
  const low = load<u64>(sum, SUM_LOW) + <u64>value;
  store<u64>(sum, low, SUM_LOW);
  store<i64>(sum, load<i64>(sum, SUM_HIGH) + (value >> 63) + <i64>(low < <u64>value), SUM_HIGH);
}

function sumRaw(page: usize, encoding: u32, words: u32, mask: usize, sum: usize): void {
  let count: u64 = 0;
  let total: u64 = 0;
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    count += popcnt<u64>(bits);
    if (bits == ALL) {
      total += sumRaw64(page, encoding, w);
      continue;
    }
    while (bits) {
      total += <u64>rawAt(page, encoding, (w << 6) + <u32>ctz<u64>(bits));
      bits &= bits - 1;
    }
  }
  store<u32>(sum, load<u32>(sum, SUM_RAW_COUNT) + <u32>count, SUM_RAW_COUNT);
  store<u64>(sum, load<u64>(sum, SUM_RAW) + total, SUM_RAW);
}

/** All 64 raw integers of one word. */
@inline
function sumRaw64(page: usize, encoding: u32, word: u32): u64 {
  let values = page + PAGE_VALUES;
  let wide = i64x2.splat(0);
  if (encoding == PAGE_U8) {
    values += <usize>word << 6;
    let pairs = i16x8.splat(0);
    for (let i = 0; i < 4; i++, values += 16) {
      pairs = i16x8.add(pairs, i16x8.extadd_pairwise_i8x16_u(v128.load(values)));
    }
    const quads = i32x4.extadd_pairwise_i16x8_u(pairs);
    wide = i64x2.add(i64x2.extend_low_i32x4_u(quads), i64x2.extend_high_i32x4_u(quads));
  } else if (encoding == PAGE_U16) {
    values += <usize>word << 7;
    let quads = i32x4.splat(0);
    for (let i = 0; i < 8; i++, values += 16) {
      quads = i32x4.add(quads, i32x4.extadd_pairwise_i16x8_u(v128.load(values)));
    }
    wide = i64x2.add(i64x2.extend_low_i32x4_u(quads), i64x2.extend_high_i32x4_u(quads));
  } else {
    values += <usize>word << 8;
    for (let i = 0; i < 16; i++, values += 16) {
      const quad = v128.load(values);
      wide = i64x2.add(wide, i64x2.extend_low_i32x4_u(quad));
      wide = i64x2.add(wide, i64x2.extend_high_i32x4_u(quad));
    }
  }
  return <u64>i64x2.extract_lane(wide, 0) + <u64>i64x2.extract_lane(wide, 1);
}

function sumMixed(page: usize, words: u32, mask: usize, sum: usize, mixed: bool): void {
  let low = load<u64>(sum, SUM_LOW);
  let high = load<i64>(sum, SUM_HIGH);
  let integers: u64 = 0;
  let floats: u64 = 0;
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    const kinds = mixed ? load<u64>(page + PAGE_VALUES + PAGE_ROWS * 8 + offset) : 0;
    integers += popcnt<u64>(bits & ~kinds);
    floats += popcnt<u64>(bits & kinds);
    const values = page + PAGE_VALUES + (<usize>w << 9);
    while (bits) {
      const row = ctz<u64>(bits);
      bits &= bits - 1;
      const address = values + (<usize>row << 3);
      if ((kinds >> row) & 1) {
        addF64(sum, load<f64>(address));
      } else {
        const value = load<i64>(address);
        low += <u64>value;
        high += (value >> 63) + <i64>(low < <u64>value);
      }
    }
  }
  store<u64>(sum, low, SUM_LOW);
  store<i64>(sum, high, SUM_HIGH);
  store<u32>(sum, load<u32>(sum, SUM_I64_COUNT) + <u32>integers, SUM_I64_COUNT);
  store<u32>(sum, load<u32>(sum, SUM_F64_COUNT) + <u32>floats, SUM_F64_COUNT);
}

function sumF64(page: usize, words: u32, mask: usize, sum: usize): void {
  let count: u64 = 0;
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let aError = f64x2.splat(0);
  let bError = f64x2.splat(0);
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    if (!bits) continue;
    const wanted = popcnt<u64>(bits);
    count += wanted;
    let values = page + PAGE_VALUES + (<usize>w << 9);
    if (wanted < DENSE) {
      for (; bits; bits &= bits - 1) addF64(sum, load<f64>(values + (<usize>ctz<u64>(bits) << 3)));
      continue;
    }
    const word = i64x2.splat(bits);
    let lanes = i64x2(1, 2);
    for (let i = 0; i < 16; i++, values += 32) {
      // A value that is not wanted becomes +0, which changes neither the sum nor its error.
      const x = v128.and(v128.load(values), i64x2.eq(v128.and(word, lanes), lanes));
      lanes = i64x2.shl(lanes, 2);
      const y = v128.and(v128.load(values, 16), i64x2.eq(v128.and(word, lanes), lanes));
      lanes = i64x2.shl(lanes, 2);
      const aAfter = f64x2.add(a, x);
      const aPart = f64x2.sub(aAfter, a);
      aError = f64x2.add(
        aError,
        f64x2.add(f64x2.sub(a, f64x2.sub(aAfter, aPart)), f64x2.sub(x, aPart)),
      );
      a = aAfter;
      const bAfter = f64x2.add(b, y);
      const bPart = f64x2.sub(bAfter, b);
      bError = f64x2.add(
        bError,
        f64x2.add(f64x2.sub(b, f64x2.sub(bAfter, bPart)), f64x2.sub(y, bPart)),
      );
      b = bAfter;
    }
  }
  addF64(sum, f64x2.extract_lane(a, 0));
  addF64(sum, f64x2.extract_lane(a, 1));
  addF64(sum, f64x2.extract_lane(b, 0));
  addF64(sum, f64x2.extract_lane(b, 1));
  const errors = f64x2.add(aError, bError);
  const error = f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1);
  store<f64>(sum, load<f64>(sum, SUM_F64_ERROR) + error, SUM_F64_ERROR);
  store<u32>(sum, load<u32>(sum, SUM_F64_COUNT) + <u32>count, SUM_F64_COUNT);
}

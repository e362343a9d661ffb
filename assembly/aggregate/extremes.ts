// Smallest and largest value of one column over a selection, ungrouped. The three kinds of numbers have
// their own extremes; the caller, who knows the column's base and exponent, compares them without rounding.

import {
  COLUMN_PAGES, EXTREMES_F64_COUNT, EXTREMES_F64_MAX, EXTREMES_F64_MIN, EXTREMES_I64_COUNT,
  EXTREMES_I64_MAX, EXTREMES_I64_MIN, EXTREMES_RAW_COUNT, EXTREMES_RAW_MAX, EXTREMES_RAW_MIN,
  EXTREMES_SIZE, PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U32,
  PAGE_VALUES,
} from "../layout";
import { rawAt } from "../filter/select";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;
const ALL: u64 = 0xffffffffffffffff;

/** Writes `count` empty EXTREMES blocks: no values, the minima above all numbers, the maxima below. */
export function clearExtremes(extremes: usize, count: u32): void {
  const end = extremes + <usize>count * EXTREMES_SIZE;
  for (; extremes < end; extremes += EXTREMES_SIZE) {
    store<u32>(extremes, 0, EXTREMES_RAW_COUNT);
    store<u32>(extremes, 0, EXTREMES_I64_COUNT);
    store<u32>(extremes, 0, EXTREMES_F64_COUNT);
    store<u32>(extremes, u32.MAX_VALUE, EXTREMES_RAW_MIN);
    store<u32>(extremes, 0, EXTREMES_RAW_MAX);
    store<i64>(extremes, i64.MAX_VALUE, EXTREMES_I64_MIN);
    store<i64>(extremes, i64.MIN_VALUE, EXTREMES_I64_MAX);
    store<f64>(extremes, Infinity, EXTREMES_F64_MIN);
    store<f64>(extremes, -Infinity, EXTREMES_F64_MAX);
  }
}

/** Widens the EXTREMES block at `extremes` by the selected values. Answers 0, or -1 when cancelled. */
export function extremesAll(
  column: usize, words: u32, mask: usize, extremes: usize, cancel: usize,
): i32 {
  for (let first: u32 = 0; first < words; first += PAGE_WORDS) {
    if (atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(first / PAGE_WORDS) << 2));
    if (!page) continue;
    const length = min(words - first, PAGE_WORDS);
    const from = mask + (<usize>first << 3);
    const encoding = load<u32>(page, PAGE_ENCODING);
    if (encoding == PAGE_F64) extremesF64(page, length, from, extremes);
    else if (encoding == PAGE_I64 || encoding == PAGE_MIXED) {
      extremesMixed(page, length, from, extremes, encoding == PAGE_MIXED);
    } else if (encoding <= <u32>PAGE_U32) extremesRaw(page, encoding, length, from, extremes);
  }
  return 0;
}

@inline
export function widenRaw(extremes: usize, value: u32): void {
  store<u32>(extremes, load<u32>(extremes, EXTREMES_RAW_COUNT) + 1, EXTREMES_RAW_COUNT);
  store<u32>(extremes, min(load<u32>(extremes, EXTREMES_RAW_MIN), value), EXTREMES_RAW_MIN);
  store<u32>(extremes, max(load<u32>(extremes, EXTREMES_RAW_MAX), value), EXTREMES_RAW_MAX);
}

@inline
export function widenI64(extremes: usize, value: i64): void {
  store<u32>(extremes, load<u32>(extremes, EXTREMES_I64_COUNT) + 1, EXTREMES_I64_COUNT);
  store<i64>(extremes, min(load<i64>(extremes, EXTREMES_I64_MIN), value), EXTREMES_I64_MIN);
  store<i64>(extremes, max(load<i64>(extremes, EXTREMES_I64_MAX), value), EXTREMES_I64_MAX);
}

@inline
export function widenF64(extremes: usize, value: f64): void {
  store<u32>(extremes, load<u32>(extremes, EXTREMES_F64_COUNT) + 1, EXTREMES_F64_COUNT);
  store<f64>(extremes, min(load<f64>(extremes, EXTREMES_F64_MIN), value), EXTREMES_F64_MIN);
  store<f64>(extremes, max(load<f64>(extremes, EXTREMES_F64_MAX), value), EXTREMES_F64_MAX);
}

function extremesRaw(page: usize, encoding: u32, words: u32, mask: usize, extremes: usize): void {
  let count: u64 = 0;
  let low = load<u32>(extremes, EXTREMES_RAW_MIN);
  let high = load<u32>(extremes, EXTREMES_RAW_MAX);
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    count += popcnt<u64>(bits);
    for (; bits; bits &= bits - 1) {
      const value = rawAt(page, encoding, (w << 6) + <u32>ctz<u64>(bits));
      low = min(low, value);
      high = max(high, value);
    }
  }
  store<u32>(extremes, load<u32>(extremes, EXTREMES_RAW_COUNT) + <u32>count, EXTREMES_RAW_COUNT);
  store<u32>(extremes, low, EXTREMES_RAW_MIN);
  store<u32>(extremes, high, EXTREMES_RAW_MAX);
}

function extremesF64(page: usize, words: u32, mask: usize, extremes: usize): void {
  let count: u64 = 0;
  let low = f64x2.splat(load<f64>(extremes, EXTREMES_F64_MIN));
  let high = f64x2.splat(load<f64>(extremes, EXTREMES_F64_MAX));
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    count += popcnt<u64>(bits);
    let values = page + PAGE_VALUES + (<usize>w << 9);
    if (bits == ALL) {
      for (let i = 0; i < 32; i++, values += 16) {
        const value = v128.load(values);
        low = f64x2.pmin(low, value);
        high = f64x2.pmax(high, value);
      }
      continue;
    }
    for (; bits; bits &= bits - 1) {
      const value = v128.load_splat<u64>(values + (<usize>ctz<u64>(bits) << 3));
      low = f64x2.pmin(low, value);
      high = f64x2.pmax(high, value);
    }
  }
  const least = min(f64x2.extract_lane(low, 0), f64x2.extract_lane(low, 1));
  const most = max(f64x2.extract_lane(high, 0), f64x2.extract_lane(high, 1));
  store<u32>(extremes, load<u32>(extremes, EXTREMES_F64_COUNT) + <u32>count, EXTREMES_F64_COUNT);
  store<f64>(extremes, least, EXTREMES_F64_MIN);
  store<f64>(extremes, most, EXTREMES_F64_MAX);
}

function extremesMixed(
  page: usize, words: u32, mask: usize, extremes: usize, mixed: bool,
): void {
  let integers: u64 = 0;
  let low = load<i64>(extremes, EXTREMES_I64_MIN);
  let high = load<i64>(extremes, EXTREMES_I64_MAX);
  for (let w: u32 = 0; w < words; w++) {
    const offset = <usize>w << 3;
    let bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + offset);
    const kinds = mixed ? load<u64>(page + PAGE_VALUES + PAGE_ROWS * 8 + offset) : 0;
    integers += popcnt<u64>(bits & ~kinds);
    const values = page + PAGE_VALUES + (<usize>w << 9);
    for (; bits; bits &= bits - 1) {
      const row = ctz<u64>(bits);
      const address = values + (<usize>row << 3);
      if ((kinds >> row) & 1) {
        widenF64(extremes, load<f64>(address));
      } else {
        const value = load<i64>(address);
        low = min(low, value);
        high = max(high, value);
      }
    }
  }
  store<u32>(extremes, load<u32>(extremes, EXTREMES_I64_COUNT) + <u32>integers, EXTREMES_I64_COUNT);
  store<i64>(extremes, low, EXTREMES_I64_MIN);
  store<i64>(extremes, high, EXTREMES_I64_MAX);
}

/** Sets the byte of each code (or boolean) that a selected row has. Answers 0, or -1 when cancelled. */
export function usedCodes(
  column: usize, words: u32, mask: usize, table: usize, cancel: usize,
): i32 {
  for (let w: u32 = 0; w < words; w++) {
    if (w % PAGE_WORDS == 0 && atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(w / PAGE_WORDS) << 2));
    if (!page) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const inPage = w % PAGE_WORDS;
    let bits =
      load<u64>(mask + (<usize>w << 3)) & load<u64>(page + PAGE_PRESENCE + (<usize>inPage << 3));
    for (; bits; bits &= bits - 1) {
      store<u8>(table + rawAt(page, encoding, (inPage << 6) + <u32>ctz<u64>(bits)), 1);
    }
  }
  return 0;
}

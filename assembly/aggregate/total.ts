// Sums by group: TOTAL in layout.ts. Integers are added exactly, in 128 bits; doubles with the error of each
// addition beside the sum (Knuth's TwoSum), so that sum + error is off by at most
//
//   2^-53 |S| + (n 2^-53)² Σ|x|        for n doubles x whose exact sum is S
//
// in whatever order they come and however they are parted (Sum2 of Ogita, Rump, Oishi, "Accurate Sum and Dot
// Product", SIAM J. Sci. Comput. 26, 2005: the proof holds for every tree of additions).

import {
  COLUMN_BASE, COLUMN_EXPONENT, PAGE_U16, PAGE_U8, ROOT_POWERS_OF_TEN, TOTAL_DOUBLES, TOTAL_ERROR, TOTAL_F64,
  TOTAL_HIGH, TOTAL_INTEGERS, TOTAL_LOW, TOTAL_SIZE, VECTOR_COLUMN, VECTOR_COUNT, VECTOR_F64, VECTOR_GROUPS,
  VECTOR_KIND, VECTOR_RAW, VECTOR_VALUES,
} from "../layout";
import { BLOCK, isUniform } from "./uniform";
import { nextVector } from "./vectors";

/** Adds the numbers of a column; of one group it takes raw ones as well. 0, or -1 when cancelled. */
export function addTotals(v: usize, totals: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const count = load<u32>(v, VECTOR_COUNT);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const kind = load<u32>(v, VECTOR_KIND);
    if (kind >= <u32>VECTOR_RAW) {
      const column = <usize>load<u32>(v, VECTOR_COLUMN);
      const base = load<i64>(column, COLUMN_BASE);
      const exponent = load<u32>(column, COLUMN_EXPONENT);
      if (exponent) runScaled(values, count, <f64>base, exponent, totals);
      else addRaw(rawSum(values, kind - VECTOR_RAW, count), base, count, totals);
    } else if (kind == VECTOR_F64) {
      if (groups) scatterDoubles(values, groups, count, totals);
      else runDoubles(values, count, totals);
    } else if (groups) scatterIntegers(values, groups, count, totals);
    else runIntegers(values, count, totals);
  }
  return found;
}

/** Adds to the 128 bits at `total`. */
@inline
function addWide(total: usize, low: u64, high: i64): void {
  const sum = load<u64>(total, TOTAL_LOW) + low;
  store<u64>(total, sum, TOTAL_LOW);
  store<i64>(total, load<i64>(total, TOTAL_HIGH) + high + <i64>(sum < low), TOTAL_HIGH);
}

@inline
function addDouble(total: usize, value: f64): void {
  const before = load<f64>(total, TOTAL_F64);
  const after = before + value;
  const part = after - before;
  const error = before - (after - part) + (value - part);
  store<f64>(total, after, TOTAL_F64);
  store<f64>(total, load<f64>(total, TOTAL_ERROR) + error, TOTAL_ERROR);
}

/** Sum of the raw integers of a page, or of fewer: below 2^44. */
function rawSum(values: usize, encoding: u32, count: u32): u64 {
  let sum: u64 = 0;
  let n: u32 = 0;
  if (encoding == PAGE_U8) {
    let sums = i32x4.splat(0);
    for (; n + 16 <= count; n += 16) {
      const pairs = i16x8.extadd_pairwise_i8x16_u(v128.load(values + <usize>n));
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(pairs));
    }
    for (; n < count; n++) sum += <u64>load<u8>(values + <usize>n);
    return sum + laneSum(sums);
  }
  if (encoding == PAGE_U16) {
    let sums = i32x4.splat(0);
    for (; n + 8 <= count; n += 8) {
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(v128.load(values + (<usize>n << 1))));
    }
    for (; n < count; n++) sum += <u64>load<u16>(values + (<usize>n << 1));
    return sum + laneSum(sums);
  }
  let lows = i64x2.splat(0);
  let highs = i64x2.splat(0);
  for (; n + 4 <= count; n += 4) {
    const quad = v128.load(values + (<usize>n << 2));
    lows = i64x2.add(lows, i64x2.extend_low_i32x4_u(quad));
    highs = i64x2.add(highs, i64x2.extend_high_i32x4_u(quad));
  }
  for (; n < count; n++) sum += <u64>load<u32>(values + (<usize>n << 2));
  lows = i64x2.add(lows, highs);
  return sum + <u64>i64x2.extract_lane(lows, 0) + <u64>i64x2.extract_lane(lows, 1);
}

@inline
function laneSum(sums: v128): u64 {
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(sums), i64x2.extend_high_i32x4_u(sums));
  return <u64>i64x2.extract_lane(pairs, 0) + <u64>i64x2.extract_lane(pairs, 1);
}

/** Adds `count` integers whose distances from `base` add up to `sum`; halves as in runIntegers. */
function addRaw(sum: u64, base: i64, count: u32, total: usize): void {
  const low = (<u64>base & 0xffffffff) * <u64>count;
  const high = (base >> 32) * <i64>count;
  addWide(total, low + sum, 0);
  addWide(total, <u64>(high << 32), high >> 32);
  store<u64>(total, load<u64>(total, TOTAL_INTEGERS) + count, TOTAL_INTEGERS);
}

/** Low and high halves are added apart, which can't overflow within a page, two integers at a time. */
function runIntegers(values: usize, count: u32, total: usize): void {
  let lows = i64x2.splat(0);
  let highs = i64x2.splat(0);
  const half = i64x2.splat(0xffffffff);
  const pairs = values + (<usize>(count & ~1) << 3);
  for (let at = values; at < pairs; at += 16) {
    const pair = v128.load(at);
    lows = i64x2.add(lows, v128.and(pair, half));
    highs = i64x2.add(highs, i64x2.shr_s(pair, 32));
  }
  let low = <u64>i64x2.extract_lane(lows, 0) + <u64>i64x2.extract_lane(lows, 1);
  let high = i64x2.extract_lane(highs, 0) + i64x2.extract_lane(highs, 1);
  if (count & 1) {
    const last = load<i64>(pairs);
    low += <u64>last & 0xffffffff;
    high += last >> 32;
  }
  addWide(total, low, 0);
  addWide(total, <u64>(high << 32), high >> 32);
  store<u64>(total, load<u64>(total, TOTAL_INTEGERS) + count, TOTAL_INTEGERS);
}

function runDoubles(values: usize, count: u32, total: usize): void {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let errors = f64x2.splat(0);
  const quads = values + (<usize>(count & ~3) << 3);
  let at = values;
  for (; at < quads; at += 32) {
    const x = v128.load(at);
    const y = v128.load(at, 16);
    const aAfter = f64x2.add(a, x);
    const bAfter = f64x2.add(b, y);
    errors = f64x2.add(errors, f64x2.add(errorOf(a, x, aAfter), errorOf(b, y, bAfter)));
    a = aAfter;
    b = bAfter;
  }
  addLanes(a, b, errors, total);
  for (const end = values + (<usize>count << 3); at < end; at += 8) addDouble(total, load<f64>(at));
  store<u64>(total, load<u64>(total, TOTAL_DOUBLES) + count, TOTAL_DOUBLES);
}

/** As `runDoubles`, of (base + raw) / 10^exponent for u32 `raws`: no sum of base and raw is rounded. */
function runScaled(raws: usize, count: u32, base: f64, exponent: u32, total: usize): void {
  const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
  const bases = f64x2.splat(base);
  const scales = f64x2.splat(scale);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let errors = f64x2.splat(0);
  const quads = raws + (<usize>(count & ~3) << 2);
  let at = raws;
  for (; at < quads; at += 16) {
    const quad = v128.load(at);
    const high = v128.shuffle<u64>(quad, quad, 1, 1);
    const x = f64x2.div(f64x2.add(bases, f64x2.convert_low_i32x4_u(quad)), scales);
    const y = f64x2.div(f64x2.add(bases, f64x2.convert_low_i32x4_u(high)), scales);
    const aAfter = f64x2.add(a, x);
    const bAfter = f64x2.add(b, y);
    errors = f64x2.add(errors, f64x2.add(errorOf(a, x, aAfter), errorOf(b, y, bAfter)));
    a = aAfter;
    b = bAfter;
  }
  addLanes(a, b, errors, total);
  for (const end = raws + (<usize>count << 2); at < end; at += 4) {
    addDouble(total, (base + <f64>load<u32>(at)) / scale);
  }
  store<u64>(total, load<u64>(total, TOTAL_DOUBLES) + count, TOTAL_DOUBLES);
}

/** What `after` lacks of before + value. */
@inline
function errorOf(before: v128, value: v128, after: v128): v128 {
  const part = f64x2.sub(after, before);
  return f64x2.add(f64x2.sub(before, f64x2.sub(after, part)), f64x2.sub(value, part));
}

@inline
function addLanes(a: v128, b: v128, errors: v128, total: usize): void {
  addDouble(total, f64x2.extract_lane(a, 0));
  addDouble(total, f64x2.extract_lane(a, 1));
  addDouble(total, f64x2.extract_lane(b, 0));
  addDouble(total, f64x2.extract_lane(b, 1));
  const error = f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1);
  store<f64>(total, load<f64>(total, TOTAL_ERROR) + error, TOTAL_ERROR);
}

@inline
function integerAt(values: usize, groups: usize, i: u32, totals: usize): void {
  const total = totals + <usize>load<u32>(groups + (<usize>i << 2)) * TOTAL_SIZE;
  const value = load<i64>(values + (<usize>i << 3));
  addWide(total, <u64>value, value >> 63);
  store<u64>(total, load<u64>(total, TOTAL_INTEGERS) + 1, TOTAL_INTEGERS);
}

function scatterIntegers(values: usize, groups: usize, count: u32, totals: usize): void {
  let i: u32 = 0;
  for (; i + BLOCK <= count; i += BLOCK) {
    const at = groups + (<usize>i << 2);
    if (isUniform(at)) {
      runIntegers(values + (<usize>i << 3), BLOCK, totals + <usize>load<u32>(at) * TOTAL_SIZE);
    } else for (let n = i; n < i + BLOCK; n++) integerAt(values, groups, n, totals);
  }
  for (; i < count; i++) integerAt(values, groups, i, totals);
}

@inline
function doubleAt(values: usize, groups: usize, i: u32, totals: usize): void {
  const total = totals + <usize>load<u32>(groups + (<usize>i << 2)) * TOTAL_SIZE;
  addDouble(total, load<f64>(values + (<usize>i << 3)));
  store<u64>(total, load<u64>(total, TOTAL_DOUBLES) + 1, TOTAL_DOUBLES);
}

function scatterDoubles(values: usize, groups: usize, count: u32, totals: usize): void {
  let i: u32 = 0;
  for (; i + BLOCK <= count; i += BLOCK) {
    const at = groups + (<usize>i << 2);
    if (isUniform(at)) {
      runDoubles(values + (<usize>i << 3), BLOCK, totals + <usize>load<u32>(at) * TOTAL_SIZE);
    } else for (let n = i; n < i + BLOCK; n++) doubleAt(values, groups, n, totals);
  }
  for (; i < count; i++) doubleAt(values, groups, i, totals);
}

/** totals[groups[i]] += partials[i]. */
export function mergeTotals(partials: usize, groups: usize, count: u32, totals: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const from = partials + <usize>i * TOTAL_SIZE;
    const to = totals + <usize>load<u32>(groups + (<usize>i << 2)) * TOTAL_SIZE;
    addWide(to, load<u64>(from, TOTAL_LOW), load<i64>(from, TOTAL_HIGH));
    addDouble(to, load<f64>(from, TOTAL_F64));
    store<f64>(to, load<f64>(to, TOTAL_ERROR) + load<f64>(from, TOTAL_ERROR), TOTAL_ERROR);
    store<u64>(to, load<u64>(to, TOTAL_INTEGERS) + load<u64>(from, TOTAL_INTEGERS), TOTAL_INTEGERS);
    store<u64>(to, load<u64>(to, TOTAL_DOUBLES) + load<u64>(from, TOTAL_DOUBLES), TOTAL_DOUBLES);
  }
}

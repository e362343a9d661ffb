// Least and most number by group: RANGE in layout.ts. Integers and doubles have their own; what reads them compares
// them without rounding. Of 0 and -0 either may be kept: they are the same number.

import {
  RANGE_F64_LEAST, RANGE_F64_MOST, RANGE_I64_LEAST, RANGE_I64_MOST, RANGE_SIZE, VECTOR_COUNT, VECTOR_F64,
  VECTOR_GROUPS, VECTOR_KIND, VECTOR_VALUES,
} from "../layout";
import { BLOCK, isUniform } from "./uniform";
import { nextVector } from "./vectors";

/** Writes `count` ranges without numbers. */
export function clearRanges(ranges: usize, count: u32): void {
  for (const end = ranges + <usize>count * RANGE_SIZE; ranges < end; ranges += RANGE_SIZE) {
    store<i64>(ranges, i64.MAX_VALUE, RANGE_I64_LEAST);
    store<i64>(ranges, i64.MIN_VALUE, RANGE_I64_MOST);
    store<f64>(ranges, Infinity, RANGE_F64_LEAST);
    store<f64>(ranges, -Infinity, RANGE_F64_MOST);
  }
}

/** Widens by the numbers of a column. 0, or -1 when cancelled. */
export function widenRanges(v: usize, ranges: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const count = load<u32>(v, VECTOR_COUNT);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const doubles = load<u32>(v, VECTOR_KIND) == VECTOR_F64;
    if (!groups) {
      if (doubles) runDoubles(values, count, ranges);
      else runIntegers(values, count, ranges);
      continue;
    }
    let i: u32 = 0;
    for (; i + BLOCK <= count; i += BLOCK) {
      const at = groups + (<usize>i << 2);
      if (isUniform(at)) {
        const range = ranges + <usize>load<u32>(at) * RANGE_SIZE;
        if (doubles) runDoubles(values + (<usize>i << 3), BLOCK, range);
        else runIntegers(values + (<usize>i << 3), BLOCK, range);
      } else if (doubles) scatterDoubles(values, groups, i, i + BLOCK, ranges);
      else scatterIntegers(values, groups, i, i + BLOCK, ranges);
    }
    if (doubles) scatterDoubles(values, groups, i, count, ranges);
    else scatterIntegers(values, groups, i, count, ranges);
  }
  return found;
}

function runIntegers(values: usize, count: u32, range: usize): void {
  let least = load<i64>(range, RANGE_I64_LEAST);
  let most = load<i64>(range, RANGE_I64_MOST);
  for (const end = values + (<usize>count << 3); values < end; values += 8) {
    const value = load<i64>(values);
    least = min(least, value);
    most = max(most, value);
  }
  store<i64>(range, least, RANGE_I64_LEAST);
  store<i64>(range, most, RANGE_I64_MOST);
}

function runDoubles(values: usize, count: u32, range: usize): void {
  let least = v128.load_splat<u64>(range, RANGE_F64_LEAST);
  let most = v128.load_splat<u64>(range, RANGE_F64_MOST);
  const end = values + (<usize>count << 3);
  for (; values + 16 <= end; values += 16) {
    const pair = v128.load(values);
    least = f64x2.pmin(least, pair);
    most = f64x2.pmax(most, pair);
  }
  if (values < end) {
    const last = v128.load_splat<u64>(values);
    least = f64x2.pmin(least, last);
    most = f64x2.pmax(most, last);
  }
  store<f64>(range, min(f64x2.extract_lane(least, 0), f64x2.extract_lane(least, 1)), RANGE_F64_LEAST);
  store<f64>(range, max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1)), RANGE_F64_MOST);
}

function scatterIntegers(values: usize, groups: usize, from: u32, to: u32, ranges: usize): void {
  for (let i = from; i < to; i++) {
    const range = ranges + <usize>load<u32>(groups + (<usize>i << 2)) * RANGE_SIZE;
    const value = load<i64>(values + (<usize>i << 3));
    store<i64>(range, min(load<i64>(range, RANGE_I64_LEAST), value), RANGE_I64_LEAST);
    store<i64>(range, max(load<i64>(range, RANGE_I64_MOST), value), RANGE_I64_MOST);
  }
}

function scatterDoubles(values: usize, groups: usize, from: u32, to: u32, ranges: usize): void {
  for (let i = from; i < to; i++) {
    const range = ranges + <usize>load<u32>(groups + (<usize>i << 2)) * RANGE_SIZE;
    const value = load<f64>(values + (<usize>i << 3));
    store<f64>(range, min(load<f64>(range, RANGE_F64_LEAST), value), RANGE_F64_LEAST);
    store<f64>(range, max(load<f64>(range, RANGE_F64_MOST), value), RANGE_F64_MOST);
  }
}

/** ranges[groups[i]] is widened by partials[i]. */
export function mergeRanges(partials: usize, groups: usize, count: u32, ranges: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const from = partials + <usize>i * RANGE_SIZE;
    const to = ranges + <usize>load<u32>(groups + (<usize>i << 2)) * RANGE_SIZE;
    store<i64>(to, min(load<i64>(to, RANGE_I64_LEAST), load<i64>(from, RANGE_I64_LEAST)), RANGE_I64_LEAST);
    store<i64>(to, max(load<i64>(to, RANGE_I64_MOST), load<i64>(from, RANGE_I64_MOST)), RANGE_I64_MOST);
    store<f64>(to, min(load<f64>(to, RANGE_F64_LEAST), load<f64>(from, RANGE_F64_LEAST)), RANGE_F64_LEAST);
    store<f64>(to, max(load<f64>(to, RANGE_F64_MOST), load<f64>(from, RANGE_F64_MOST)), RANGE_F64_MOST);
  }
}

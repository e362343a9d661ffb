// Counts of numbers between ascending bounds, by group: bounds + 1 u64 each. A number is in the bucket after the last
// bound that is not above it. Integers are compared with integers, the bounds rounded up, so nothing is rounded that
// matters.

import { VECTOR_COUNT, VECTOR_F64, VECTOR_GROUPS, VECTOR_KIND, VECTOR_VALUES } from "../layout";
import { nextVector } from "./vectors";

/**
 * Adds the numbers of a column. `doubles` has `count` bounds as f64, `integers` has the `reachable` first of them
 * as i64. Answers 0, or -1 when cancelled.
 */
export function addHistogram(
  v: usize, doubles: usize, count: u32, integers: usize, reachable: u32, counts: usize,
): i32 {
  const size = <usize>(count + 1) << 3;
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const isDouble = load<u32>(v, VECTOR_KIND) == VECTOR_F64;
    const rows = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < rows; i++) {
      const value = values + (<usize>i << 3);
      const bucket = isDouble
        ? bucketOf<f64>(load<f64>(value), doubles, count)
        : bucketOf<i64>(load<i64>(value), integers, reachable);
      const group = groups ? <usize>load<u32>(groups + (<usize>i << 2)) : 0;
      const address = counts + group * size + (<usize>bucket << 3);
      store<u64>(address, load<u64>(address) + 1);
    }
  }
  return found;
}

/** How many bounds are not above the value, by halving without branches: where it goes can't be foreseen. */
@inline
function bucketOf<T>(value: T, bounds: usize, count: u32): u32 {
  if (!count) return 0;
  let at = bounds;
  let left = count;
  while (left > 1) {
    const half = left >> 1;
    const middle = at + (<usize>half << 3);
    at = select<usize>(middle, at, load<T>(middle) <= value);
    left -= half;
  }
  return <u32>((at - bounds) >> 3) + <u32>(load<T>(at) <= value);
}

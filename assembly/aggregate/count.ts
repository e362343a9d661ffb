// Counts by group, u64 each: of rows, and of rows that have a value.

import { VECTOR_COUNT, VECTOR_GROUPS } from "../layout";
import { BLOCK, isUniform } from "./uniform";
import { nextVector } from "./vectors";

/** counts[groups[i]] += 1. */
export function addCounts(groups: usize, count: u32, counts: usize): void {
  let i: u32 = 0;
  for (; i + BLOCK <= count; i += BLOCK) {
    const at = groups + (<usize>i << 2);
    if (isUniform(at)) {
      const address = counts + (<usize>load<u32>(at) << 3);
      store<u64>(address, load<u64>(address) + BLOCK);
      continue;
    }
    for (let g = at, end = at + BLOCK * 4; g < end; g += 8) {
      const a = counts + (<usize>load<u32>(g) << 3);
      store<u64>(a, load<u64>(a) + 1);
      const b = counts + (<usize>load<u32>(g, 4) << 3);
      store<u64>(b, load<u64>(b) + 1);
    }
  }
  for (; i < count; i++) {
    const address = counts + (<usize>load<u32>(groups + (<usize>i << 2)) << 3);
    store<u64>(address, load<u64>(address) + 1);
  }
}

/** Counts the values of a column. 0, or -1 when cancelled. */
export function countVectors(v: usize, counts: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const count = load<u32>(v, VECTOR_COUNT);
    if (groups) addCounts(groups, count, counts);
    else store<u64>(counts, load<u64>(counts) + count);
  }
  return found;
}

/** counts[groups[i]] += partials[i], both u64. */
export function mergeCounts(partials: usize, groups: usize, count: u32, counts: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const address = counts + (<usize>load<u32>(groups + (<usize>i << 2)) << 3);
    store<u64>(address, load<u64>(address) + load<u64>(partials + (<usize>i << 3)));
  }
}

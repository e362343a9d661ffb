// Codes counted by group within one segment, where groups × codes are not many more than the rows: each pair of a
// group and a text is then looked up once, whatever the number of rows that have it.

import { VECTOR_COUNT, VECTOR_GROUPS, VECTOR_VALUES } from "../layout";
import { addMember } from "./members";
import { nextVector } from "./vectors";

/** counts[group × width + code] += 1, u32 each. 0, or -1 when cancelled. */
export function countCodes(v: usize, width: u32, counts: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    for (let i: usize = 0, end = <usize>load<u32>(v, VECTOR_COUNT) << 2; i < end; i += 4) {
      const group = groups ? load<u32>(groups + i) : 0;
      const at = counts + (<usize>(group * width + load<u32>(values + i)) << 2);
      store<u32>(at, load<u32>(at) + 1);
    }
  }
  return found;
}

/** Sets the byte of each code that a group has; answers how many pairs of a group and a code there are. */
export function usedCounts(counts: usize, groups: u32, width: u32, used: usize): u32 {
  let pairs: u32 = 0;
  for (let group: u32 = 0; group < groups; group++) {
    for (let code: u32 = 0; code < width; code++, counts += 4) {
      if (!load<u32>(counts)) continue;
      store<u8>(used + <usize>code, 1);
      pairs++;
    }
  }
  return pairs;
}

/** Enters the pairs with their counts; `indexes` has the index of each code's text. The table has room. */
export function addCounted(
  counts: usize, groups: u32, width: u32, kind: u32, indexes: usize, table: usize, size: u32, members: usize,
): void {
  for (let group: u32 = 0; group < groups; group++) {
    for (let code: u32 = 0; code < width; code++, counts += 4) {
      const times = load<u32>(counts);
      if (!times) continue;
      addMember(<u64>load<u32>(indexes + (<usize>code << 2)), group, kind, <u64>times, table, size, members);
    }
  }
}

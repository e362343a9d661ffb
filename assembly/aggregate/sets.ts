// Distinct texts by group, as a bit for each text that is kept from query to query: see PathTexts.

import {
  GROUP_NONE, MEMBER_GROUP, MEMBER_KIND, MEMBER_SIZE, MEMBER_STRING, VECTOR_COUNT, VECTOR_GROUPS, VECTOR_VALUES,
} from "../layout";
import { nextVector } from "./vectors";
import { intern } from "./texts";

/**
 * Sets the bit of each code's number, in the set of its row's group; `stride` bytes each set. `counts` has a u64 a
 * group, how many bits are set. 0, or -1 when cancelled.
 */
export function addNumbered(v: usize, numbers: usize, sets: usize, stride: u32, counts: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const end = <usize>load<u32>(v, VECTOR_COUNT) << 2;
    for (let i: usize = 0; i < end; i += 4) {
      const group = groups ? load<u32>(groups + i) : 0;
      const number = load<u32>(numbers + (<usize>load<u32>(values + i) << 2));
      const at = sets + <usize>group * <usize>stride + <usize>(number >> 3);
      const bits = <u32>load<u8>(at);
      const bit: u32 = 1 << (number & 7);
      if (bits & bit) continue;
      store<u8>(at, <u8>(bits | bit));
      const count = counts + (<usize>group << 3);
      store<u64>(count, load<u64>(count) + 1);
    }
  }
  return found;
}

/**
 * Writes up to `most` MEMBERs of a group from its set, and clears their bits; `texts` gets their texts.
 * Answers the number of members, or GROUP_NONE when texts or heap are full before the first of them.
 */
export function takeNumbered(
  set: usize, stride: u32, group: u32, entries: usize, texts: usize, heap: usize, out: usize, most: u32,
): u32 {
  let taken: u32 = 0;
  for (let at: u32 = 0; at < stride; at++) {
    let bits = <u32>load<u8>(set + <usize>at);
    while (bits) {
      if (taken == most) return taken;
      const entry = entries + (<usize>((at << 3) | ctz(bits)) << 4);
      const index = intern(load<u32>(entry), load<u32>(entry, 4), texts, heap);
      if (index < 0) return taken ? taken : GROUP_NONE;
      store<u64>(out, <u64>index);
      store<u32>(out, group, MEMBER_GROUP);
      store<u32>(out, MEMBER_STRING, MEMBER_KIND);
      out += MEMBER_SIZE;
      taken++;
      bits &= bits - 1;
      store<u8>(set + <usize>at, <u8>bits);
    }
  }
  return taken;
}

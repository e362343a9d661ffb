// Rows grouped by texts that are kept between queries: a text has a number there, and the query an index for each
// number that it has met. As long as all texts of the table came this way, a number that is new is a text that is new,
// which is added without a look at its bytes or at a slot: its hash waits beside its kind, should slots be needed.
//
// Each row costs a few reads of arrays that the first cache doesn't hold. They are done block by block, one kind after
// the other and without branches between them, so that the processor waits for many at a time.

import {
  GROUP_CAPACITY, GROUP_COUNT, GROUP_ENTRIES, GROUP_KEY_BITS, GROUP_KEY_KIND, GROUP_KEY_SIZE, GROUP_LANE_ARRAY,
  GROUP_LANE_BASE, GROUP_LANE_FIRST, GROUP_LANE_SIZE, GROUP_LANE_STEP, GROUP_NONE, GROUP_OTHERS,
  GROUP_SOURCE_LANES, GROUP_SOURCE_SIZE, GROUP_SOURCE_TABLE, KEY_NULL, KEY_STRING,
} from "../layout";
import { internBits, internHashed } from "./table";

/** Rows of a block; the caller gives working memory for three u32 each. */
const BLOCK: u32 = 512;

/** Index of a kept text that the query has not met yet; GROUP_NONE when the table has no room for it. */
@inline
export function addNumbered(table: usize, entry: usize): u32 {
  const bits = load<u64>(entry);
  const hash = load<u64>(entry, 8) >> 32;
  if (load<u32>(table, GROUP_OTHERS)) {
    return internHashed(table, <usize><u32>bits, <u32>(bits >> 32), KEY_STRING, <u32>hash, false);
  }
  const index = load<u32>(table, GROUP_COUNT);
  if (index == load<u32>(table, GROUP_CAPACITY)) return GROUP_NONE;
  const to = <usize>load<u32>(table, GROUP_ENTRIES) + <usize>index * GROUP_KEY_SIZE;
  store<u64>(to, bits, GROUP_KEY_BITS);
  store<u64>(to, (hash << 32) | <u64>KEY_STRING, GROUP_KEY_KIND);
  store<u32>(table, index + 1, GROUP_COUNT);
  return index;
}

/**
 * ids[i] = index of what ids[i] stands for, in a source whose last lane is of kept texts and that has nothing beside
 * them but NULL. Answers how many rows are done, or -1 when cancelled.
 */
export function groupNumbered(source: usize, ids: usize, from: u32, count: u32, work: usize, cancel: usize): i32 {
  const table = <usize>load<u32>(source, GROUP_SOURCE_TABLE);
  const lane = source + GROUP_SOURCE_SIZE + <usize>(load<u32>(source, GROUP_SOURCE_LANES) - 1) * GROUP_LANE_SIZE;
  const first = load<u32>(lane, GROUP_LANE_FIRST);
  const array = <usize>load<u32>(lane, GROUP_LANE_ARRAY);
  const held = <usize>load<u32>(lane, GROUP_LANE_STEP);
  const kept = <usize>load<u32>(lane, GROUP_LANE_BASE);
  const numbers = work + (BLOCK << 2);
  const missing = work + (BLOCK << 3);
  let nulls = GROUP_NONE;
  for (let i = from; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const size = <usize>min(count - i, BLOCK) << 2;
    const block = ids + (<usize>i << 2);
    let least = u32.MAX_VALUE;
    for (let n: usize = 0; n < size; n += 4) {
      const id = load<u32>(block + n);
      least = min(least, id);
      store<u32>(work + n, id);
      store<u32>(numbers + n, id < first ? 0 : load<u32>(array + (<usize>(id - first) << 2)));
    }
    const hasNulls = least < first;
    if (hasNulls && nulls == GROUP_NONE) {
      nulls = internBits(table, 0, KEY_NULL);
      if (nulls == GROUP_NONE) return <i32>i;
    }
    let lacking: usize = 0;
    for (let n: usize = 0; n < size; n += 4) {
      const index = load<u32>(held + (<usize>load<u32>(numbers + n) << 2));
      store<u32>(block + n, index);
      store<u32>(missing + lacking, <u32>n);
      lacking += <usize>(index == GROUP_NONE) << 2;
    }
    if (hasNulls) {
      for (let n: usize = 0; n < size; n += 4) if (load<u32>(work + n) < first) store<u32>(block + n, nulls);
    }
    for (let m: usize = 0; m < lacking; m += 4) {
      const n = <usize>load<u32>(missing + m);
      if (hasNulls && load<u32>(work + n) < first) continue;
      const number = load<u32>(numbers + n);
      const place = held + (<usize>number << 2);
      let index = load<u32>(place);
      if (index == GROUP_NONE) {
        index = addNumbered(table, kept + (<usize>number << 4));
        if (index == GROUP_NONE) {
          // The rows from here on are ids again.
          memory.copy(block + n, work + n, size - n);
          return <i32>(i + <u32>(n >> 2));
        }
        store<u32>(place, index);
      }
      store<u32>(block + n, index);
    }
    i += <u32>(size >> 2);
  }
  return <i32>count;
}

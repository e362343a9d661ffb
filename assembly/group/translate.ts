// From ids within a segment to indexes that hold for the whole query: each distinct local value is looked up once a
// segment, in the table of its key; combinations are dense products, looked up once each, or pairs that are
// looked up row by row.

import {
  GROUP_LANE_ARRAY, GROUP_LANE_BASE, GROUP_LANE_EXPONENT, GROUP_LANE_FIRST, GROUP_LANE_KIND,
  GROUP_LANE_SIZE, GROUP_LANE_STEP, GROUP_NONE, GROUP_SOURCE_CARDINALITY, GROUP_SOURCE_KNOWN,
  GROUP_SOURCE_LANES, GROUP_SOURCE_SIZE, GROUP_SOURCE_TABLE, KEY_BOOLEAN, KEY_I64, KEY_JSON, KEY_NULL,
  KEY_STRING, ROOT_POWERS_OF_TEN, SOURCE_BOOLEAN, SOURCE_INDEX, SOURCE_INTEGER, SOURCE_JSON,
  SOURCE_NULL, SOURCE_NUMBERED, SOURCE_STARTS,
} from "../layout";
import { addNumbered } from "./numbered";
import { internBits, internF64, internPair, internText } from "./table";

/** Index of a kept text; only one that the query has not met yet is looked up, by the hash that is kept with it. */
function internNumbered(table: usize, lane: usize, number: u32): u32 {
  const held = <usize>load<u32>(lane, GROUP_LANE_STEP) + (<usize>number << 2);
  const known = load<u32>(held);
  if (known != GROUP_NONE) return known;
  const index = addNumbered(table, <usize>load<u32>(lane, GROUP_LANE_BASE) + (<usize>number << 4));
  store<u32>(held, index);
  return index;
}

/** Index of the value that `id` stands for; GROUP_NONE when the table has no room for it. */
function internId(source: usize, id: u32): u32 {
  const table = <usize>load<u32>(source, GROUP_SOURCE_TABLE);
  let lane = source + GROUP_SOURCE_SIZE + <usize>(load<u32>(source, GROUP_SOURCE_LANES) - 1) * GROUP_LANE_SIZE;
  while (id < load<u32>(lane, GROUP_LANE_FIRST)) lane -= GROUP_LANE_SIZE;
  const n = id - load<u32>(lane, GROUP_LANE_FIRST);
  const kind = load<u32>(lane, GROUP_LANE_KIND);
  if (kind == SOURCE_NULL) return internBits(table, 0, KEY_NULL);
  if (kind == SOURCE_BOOLEAN) return internBits(table, <u64>n, KEY_BOOLEAN);
  if (kind == SOURCE_INDEX) return n;
  const array = <usize>load<u32>(lane, GROUP_LANE_ARRAY);
  if (kind == SOURCE_STARTS) return internBits(table, load<u64>(array + (<usize>n << 3)), KEY_I64);
  if (kind == SOURCE_INTEGER) {
    const value = load<i64>(lane, GROUP_LANE_BASE) + <i64>n * load<i64>(lane, GROUP_LANE_STEP);
    const exponent = load<u32>(lane, GROUP_LANE_EXPONENT);
    if (!exponent) return internBits(table, <u64>value, KEY_I64);
    return internF64(table, <f64>value / load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3)));
  }
  if (kind == SOURCE_NUMBERED) return internNumbered(table, lane, load<u32>(array + (<usize>n << 2)));
  const entry = array + (<usize>n << 3);
  return internText(
    table, load<u32>(entry), load<u32>(entry, 4), kind == SOURCE_JSON ? KEY_JSON : KEY_STRING,
  );
}

/** The index of `id`, remembered. */
@inline
function indexOf(source: usize, id: u32): u32 {
  const known = <usize>load<u32>(source, GROUP_SOURCE_KNOWN);
  if (!known) return id;
  const address = known + (<usize>id << 2);
  const index = load<u32>(address);
  if (index != GROUP_NONE) return index;
  const found = internId(source, id);
  store<u32>(address, found);
  return found;
}

/** flags[ids[i]] = 1; a byte each. */
export function groupMark(ids: usize, count: u32, flags: usize): void {
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    store<u8>(flags + <usize>load<u32>(ids + i), 1);
  }
}

/**
 * Looks up the marked ids from `from` on, in their own order: in the order of a dictionary, which is that of memory.
 * Answers how many ids are done, or -1 when cancelled.
 */
export function groupInternMarked(source: usize, flags: usize, from: u32, cancel: usize): i32 {
  const cardinality = load<u32>(source, GROUP_SOURCE_CARDINALITY);
  for (let id = from; id < cardinality; id++) {
    if ((id & 0xfff) == 0 && atomic.load<u32>(cancel)) return -1;
    if (load<u8>(flags + <usize>id) && indexOf(source, id) == GROUP_NONE) return <i32>id;
  }
  return <i32>cardinality;
}

/** Rows between two looks at the cancel word; a multiple of 4. */
const BLOCK: u32 = 4096;

/** ids[i] = index of ids[i]. Answers how many rows are done, or -1 when cancelled. */
export function groupTranslate(source: usize, ids: usize, from: u32, count: u32, cancel: usize): i32 {
  const known = <usize>load<u32>(source, GROUP_SOURCE_KNOWN);
  // The last id that was looked up, four times, and its index.
  let lasts = i32x4.splat(GROUP_NONE);
  let indexes = i32x4.splat(0);
  for (let i = from; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = min(count, i + BLOCK);
    for (; i + 4 <= end; i += 4) {
      const address = ids + (<usize>i << 2);
      const four = v128.load(address);
      if (i32x4.all_true(i32x4.eq(four, lasts))) {
        v128.store(address, indexes);
        continue;
      }
      const a = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 0) << 2));
      const b = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 1) << 2));
      const c = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 2) << 2));
      const d = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 3) << 2));
      // Indexes are below 2^31, so only GROUP_NONE has the top bit.
      if (<i32>(a | b | c | d) < 0) break;
      store<u32>(address, a);
      store<u32>(address, b, 4);
      store<u32>(address, c, 8);
      store<u32>(address, d, 12);
      lasts = i32x4.splat(i32x4.extract_lane(four, 3));
      indexes = i32x4.splat(d);
    }
    // One of four is met for the first time, or fewer than four are left.
    for (const stop = min(end, i + 4); i < stop; i++) {
      const address = ids + (<usize>i << 2);
      const index = indexOf(source, load<u32>(address));
      if (index == GROUP_NONE) return <i32>i;
      store<u32>(address, index);
    }
  }
  return <i32>count;
}

/** ids[i] = ids[i] × cardinality + other[i], where the caller knows that this fits 32 bits. */
export function groupProduct(ids: usize, other: usize, count: u32, cardinality: u32): void {
  const factor = i32x4.splat(cardinality);
  const end = <usize>count << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    v128.store(ids + i, i32x4.add(i32x4.mul(v128.load(ids + i), factor), v128.load(other + i)));
  }
  for (; i < end; i += 4) {
    store<u32>(ids + i, load<u32>(ids + i) * cardinality + load<u32>(other + i));
  }
}

/** The group of a product of the ids of `keys` sources; `work` has a u32 for each. GROUP_NONE: there is no room. */
function combinationOf(sources: usize, keys: u32, pairs: usize, work: usize, product: u32): u32 {
  for (let k = keys - 1; k > 0; k--) {
    const cardinality = load<u32>(<usize>load<u32>(sources + (<usize>k << 2)), GROUP_SOURCE_CARDINALITY);
    store<u32>(work + (<usize>k << 2), product % cardinality);
    product /= cardinality;
  }
  let group = indexOf(<usize>load<u32>(sources), product);
  for (let k: u32 = 1; k < keys; k++) {
    if (group == GROUP_NONE) return group;
    const offset = <usize>k << 2;
    const index = indexOf(<usize>load<u32>(sources + offset), load<u32>(work + offset));
    if (index == GROUP_NONE) return index;
    group = internPair(<usize>load<u32>(pairs + offset - 4), group, index);
  }
  return group;
}

/**
 * ids[i] = group of the product ids[i]; `known` has the group of each product, or GROUP_NONE. `sources` and `pairs` are
 * arrays of addresses: one source a key, one table of pairs for each key after the first. Answers how many rows
 * are done, or -1 when cancelled.
 */
export function groupCombine(
  sources: usize, keys: u32, pairs: usize, work: usize, known: usize, ids: usize, from: u32,
  count: u32, cancel: usize,
): i32 {
  let lasts = i32x4.splat(GROUP_NONE);
  let groups = i32x4.splat(0);
  for (let i = from; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = min(count, i + BLOCK);
    for (; i + 4 <= end; i += 4) {
      const address = ids + (<usize>i << 2);
      const four = v128.load(address);
      if (i32x4.all_true(i32x4.eq(four, lasts))) {
        v128.store(address, groups);
        continue;
      }
      const a = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 0) << 2));
      const b = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 1) << 2));
      const c = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 2) << 2));
      const d = load<u32>(known + (<usize><u32>i32x4.extract_lane(four, 3) << 2));
      if (<i32>(a | b | c | d) < 0) break;
      store<u32>(address, a);
      store<u32>(address, b, 4);
      store<u32>(address, c, 8);
      store<u32>(address, d, 12);
      lasts = i32x4.splat(i32x4.extract_lane(four, 3));
      groups = i32x4.splat(d);
    }
    for (const stop = min(end, i + 4); i < stop; i++) {
      const address = ids + (<usize>i << 2);
      const product = load<u32>(address);
      const held = known + (<usize>product << 2);
      let group = load<u32>(held);
      if (group == GROUP_NONE) {
        group = combinationOf(sources, keys, pairs, work, product);
        if (group == GROUP_NONE) return <i32>i;
        store<u32>(held, group);
      }
      store<u32>(address, group);
    }
  }
  return <i32>count;
}

/** ids[i] = index of the pair of ids[i] and other[i]. Answers how many rows are done, or -1 when cancelled. */
export function groupPairs(
  table: usize, ids: usize, other: usize, from: u32, count: u32, cancel: usize,
): i32 {
  let first = GROUP_NONE;
  let second = GROUP_NONE;
  let index: u32 = 0;
  for (let i = from; i < count; i++) {
    if ((i & 0xfff) == 0 && atomic.load<u32>(cancel)) return -1;
    const address = ids + (<usize>i << 2);
    const a = load<u32>(address);
    const b = load<u32>(other + (<usize>i << 2));
    if (a != first || b != second) {
      index = internPair(table, a, b);
      if (index == GROUP_NONE) return <i32>i;
      first = a;
      second = b;
    }
    store<u32>(address, index);
  }
  return <i32>count;
}

/** Writes those of the rows that `mask` has, and their groups; answers how many. `groups` of 0: there are none. */
export function groupCompact(
  rows: usize, groups: usize, count: u32, mask: usize, outRows: usize, outGroups: usize,
): u32 {
  let kept: usize = 0;
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    const row = load<u32>(rows + i);
    store<u32>(outRows + kept, row);
    if (groups) store<u32>(outGroups + kept, load<u32>(groups + i));
    kept += <usize>((load<u8>(mask + <usize>(row >> 3)) >> (row & 7)) & 1) << 2;
  }
  return <u32>(kept >> 2);
}

/** Sets `size` bytes to `byte`: quicker than a view of shared memory does it. */
export function groupFill(address: usize, size: u32, byte: u32): void {
  memory.fill(address, <u8>byte, <usize>size);
}

// All numbers of all groups, for exact percentiles: a LIST of VALUEs in chunks, appended while rows come, parted by
// group when they are all there, in place; then the k-th of a group is selected, without branches that can't be
// foreseen.
//
// A number is kept as the nearest double and, for an integer, what it is more than that: the order of such pairs is
// that of the numbers, without rounding.

import {
  LIST_CAPACITY, LIST_CHUNKS, LIST_COUNT, VALUE_CHUNK, VALUE_GROUP, VALUE_NUMBER, VALUE_REST, VECTOR_COUNT, VECTOR_F64,
  VECTOR_GROUPS, VECTOR_HELD, VECTOR_KIND, VECTOR_VALUES,
} from "../layout";
import { mix64 } from "../memory/hash";
import { heldVector } from "./table";

const CHUNK_SHIFT: u32 = 12;
const CHUNK_MASK: u32 = VALUE_CHUNK - 1;

@inline
function valueAt(chunks: usize, i: u32): usize {
  return <usize>load<u32>(chunks + (<usize>(i >> CHUNK_SHIFT) << 2)) + (<usize>(i & CHUNK_MASK) << 4);
}

/** Appends the numbers of a column. 0, -1 when cancelled, 1 when the list needs more chunks. */
export function addValues(v: usize, list: usize): i32 {
  let found = heldVector(v);
  for (; found > 0; found = heldVector(v)) {
    const count = load<u32>(v, VECTOR_COUNT);
    let next = load<u32>(list, LIST_COUNT);
    const room = next + count <= load<u32>(list, LIST_CAPACITY);
    store<u32>(v, <u32>!room, VECTOR_HELD);
    if (!room) return 1;
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const chunks = <usize>load<u32>(list, LIST_CHUNKS);
    const doubles = load<u32>(v, VECTOR_KIND) == VECTOR_F64;
    for (let i: u32 = 0; i < count; i++, next++) {
      const to = valueAt(chunks, next);
      const from = values + (<usize>i << 3);
      store<u32>(to, groups ? load<u32>(groups + (<usize>i << 2)) : 0, VALUE_GROUP);
      if (doubles) {
        store<f64>(to, load<f64>(from), VALUE_NUMBER);
        store<i32>(to, 0, VALUE_REST);
      } else {
        const value = load<i64>(from);
        const near = <f64>value;
        // 2^63 is the one double that an integer may be rounded to and that is none.
        const rest = near < 9223372036854775808.0 ? value - <i64>near : value - i64.MAX_VALUE - 1;
        store<f64>(to, near, VALUE_NUMBER);
        store<i32>(to, (<i32>rest << 1) | 1, VALUE_REST);
      }
    }
    store<u32>(list, next, LIST_COUNT);
  }
  return found;
}

@inline
function swap(a: usize, b: usize): void {
  const value = v128.load(a);
  v128.store(a, v128.load(b));
  v128.store(b, value);
}

/**
 * Parts the list by group, in place. `starts` and `nexts` have room for groups + 1 u32 each; the values of group g
 * are [starts[g], starts[g + 1]) then.
 */
export function partValues(list: usize, groups: u32, starts: usize, nexts: usize): void {
  const chunks = <usize>load<u32>(list, LIST_CHUNKS);
  const count = load<u32>(list, LIST_COUNT);
  memory.fill(nexts, 0, <usize>(groups + 1) << 2);
  for (let i: u32 = 0; i < count; i++) {
    const address = nexts + (<usize>load<u32>(valueAt(chunks, i), VALUE_GROUP) << 2);
    store<u32>(address, load<u32>(address) + 1);
  }
  let start: u32 = 0;
  for (let g: u32 = 0; g <= groups; g++) {
    const address = nexts + (<usize>g << 2);
    const length = load<u32>(address);
    store<u32>(starts + (<usize>g << 2), start);
    store<u32>(address, start);
    start += length;
  }
  for (let g: u32 = 0; g < groups; g++) {
    const end = load<u32>(starts + (<usize>g << 2), 4);
    for (let i = load<u32>(nexts + (<usize>g << 2)); i < end; i++) {
      const value = valueAt(chunks, i);
      while (true) {
        const group = load<u32>(value, VALUE_GROUP);
        if (group == g) break;
        const address = nexts + (<usize>group << 2);
        const to = load<u32>(address);
        store<u32>(address, to + 1);
        swap(value, valueAt(chunks, to));
      }
    }
  }
}

/** 1 when the VALUE at `a` is below the number { near, rest }, or also when it is that number. No branch is taken. */
@inline
function isBelow(a: usize, near: f64, rest: i32, orEqual: bool): u32 {
  const value = load<f64>(a, VALUE_NUMBER);
  const own = load<i32>(a, VALUE_REST) >> 1;
  const same = orEqual ? <u32>(own <= rest) : <u32>(own < rest);
  return <u32>(value < near) | (<u32>(value == near) & same);
}

/** Puts the values of [from, to) that are below the number first; answers where the others begin. */
@inline
function part(chunks: usize, from: u32, to: u32, near: f64, rest: i32, orEqual: bool): u32 {
  let end = from;
  for (let i = from; i < to; i++) {
    const value = valueAt(chunks, i);
    const below = isBelow(value, near, rest, orEqual);
    swap(value, valueAt(chunks, end));
    end += below;
  }
  return end;
}

/** How many values a pivot is chosen among. */
const SAMPLE: u32 = 63;

/**
 * Index of a pivot for the value at `wanted` of [low, high) in order: of a sample the one a little beyond where that
 * value should be, so that it mostly lies on the smaller side (Floyd, Rivest 1975). The sample is put first and sorted.
 */
function pivotOf(chunks: usize, low: u32, high: u32, wanted: u32): u32 {
  const count = high - low;
  if (count < SAMPLE * 8) return low + <u32>(mix64((<u64>low << 32) | <u64>high) % <u64>count);
  for (let n: u32 = 0; n < SAMPLE; n++) {
    const other = low + n + <u32>(mix64((<u64>high << 32) ^ <u64>(low + n)) % <u64>(count - n));
    swap(valueAt(chunks, low + n), valueAt(chunks, other));
    for (let i = low + n; i > low; i--) {
      const value = valueAt(chunks, i);
      const before = valueAt(chunks, i - 1);
      if (!isBelow(value, load<f64>(before, VALUE_NUMBER), load<i32>(before, VALUE_REST) >> 1, false)) break;
      swap(value, before);
    }
  }
  const share = <u32>((<u64>(wanted - low) * SAMPLE) / count);
  if (share < SAMPLE / 2) return low + min<u32>(share + 5, SAMPLE - 1);
  return low + (share > 5 ? share - 5 : 0);
}

/** Address of the `k`-th smallest of the values [from, to), which are put in another order. */
export function selectValue(list: usize, from: u32, to: u32, k: u32): usize {
  const chunks = <usize>load<u32>(list, LIST_CHUNKS);
  let low = from;
  let high = to;
  const wanted = from + k;
  while (high - low > 1) {
    const pivot = valueAt(chunks, pivotOf(chunks, low, high, wanted));
    const near = load<f64>(pivot, VALUE_NUMBER);
    const rest = load<i32>(pivot, VALUE_REST) >> 1;
    const less = part(chunks, low, high, near, rest, false);
    if (wanted < less) {
      high = less;
      continue;
    }
    // The pivot is among these, so that there are fewer the next time, however many are equal.
    low = part(chunks, less, high, near, rest, true);
    if (wanted < low) return valueAt(chunks, wanted);
  }
  return valueAt(chunks, low);
}

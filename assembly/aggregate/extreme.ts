// First or last text, boolean and id by group, in the order of their bytes.
//
// Within a segment a group keeps the code of its best text so far, as code + 1 in a u32; when the segment is done,
// the text is compared with the best of the segments before, and copied if it is better.

import { compareBytes } from "../filter/text";
import {
  ID_PRESENT, ID_SIZE, TEXT_ADDRESS, TEXT_LENGTH, TEXT_SIZE, VECTOR_COUNT, VECTOR_GROUPS, VECTOR_VALUES,
} from "../layout";
import { keepText } from "./heap";
import { nextVector } from "./vectors";

/** Whether text a is better than text b: before it, or after it for `last`. */
@inline
function isBetter(a: usize, aLength: u32, b: usize, bLength: u32, last: u32): bool {
  const order = compareBytes(a, aLength, b, bLength);
  return last ? order > 0 : order < 0;
}

/** Code a against code b of one dictionary; codes of a sorted one are in the order of their texts. */
@inline
function isBetterCode(entries: usize, sorted: u32, a: u32, b: u32, last: u32): bool {
  if (sorted) return last ? a > b : a < b;
  const x = entries + (<usize>a << 3);
  const y = entries + (<usize>b << 3);
  return isBetter(load<u32>(x), load<u32>(x, 4), load<u32>(y), load<u32>(y, 4), last);
}

/** best[group]: code + 1 of the group's best text, 0 for none. Answers 0, or -1 when cancelled. */
export function extremeCodes(v: usize, entries: usize, sorted: u32, last: u32, best: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < count; i++) {
      const offset = <usize>i << 2;
      const code = load<u32>(values + offset);
      const slot = groups ? best + (<usize>load<u32>(groups + offset) << 2) : best;
      const before = load<u32>(slot);
      if (before == code + 1) continue;
      if (!before || isBetterCode(entries, sorted, code, before - 1, last)) store<u32>(slot, code + 1);
    }
  }
  return found;
}

/**
 * Takes the best texts of a segment over into the TEXT of each group, from group `from` on. Answers the group before
 * which the heap was full, or `count` when all are done.
 */
export function keepExtremes(
  best: usize, from: u32, count: u32, entries: usize, last: u32, texts: usize, heap: usize,
): u32 {
  for (let group = from; group < count; group++) {
    const code = load<u32>(best + (<usize>group << 2));
    if (!code) continue;
    const entry = entries + (<usize>(code - 1) << 3);
    const slot = texts + <usize>group * TEXT_SIZE;
    if (!keepExtreme(slot, load<u32>(entry), load<u32>(entry, 4), last, heap)) return group;
  }
  return count;
}

/** Replaces the text of `slot` by a better one. False when the heap has no room. */
export function keepExtreme(slot: usize, text: usize, length: u32, last: u32, heap: usize): bool {
  const before = <usize>load<u32>(slot, TEXT_ADDRESS);
  if (before && !isBetter(text, length, before, load<u32>(slot, TEXT_LENGTH), last)) return true;
  return keepText(slot, text, length, heap);
}

/** seen[group], a byte: bit 0 is set for a false, bit 1 for a true. Answers 0, or -1 when cancelled. */
export function seeBooleans(v: usize, seen: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < count; i++) {
      const offset = <usize>i << 2;
      const slot = groups ? seen + <usize>load<u32>(groups + offset) : seen;
      store<u8>(slot, <u32>load<u8>(slot) | (1 << load<u32>(values + offset)));
    }
  }
  return found;
}

@inline
function keepId(slot: usize, id: usize, last: u32): void {
  if (load<u32>(slot, ID_PRESENT)) {
    let x = bswap<u64>(load<u64>(id));
    let y = bswap<u64>(load<u64>(slot));
    if (x == y) {
      x = bswap<u64>(load<u64>(id, 8));
      y = bswap<u64>(load<u64>(slot, 8));
    }
    if (last ? x <= y : x >= y) return;
  }
  v128.store(slot, v128.load(id));
  store<u32>(slot, 1, ID_PRESENT);
}

/** The first or last id of each group, in its ID. Answers 0, or -1 when cancelled. */
export function extremeIds(v: usize, last: u32, ids: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < count; i++) {
      const slot = groups ? ids + <usize>load<u32>(groups + (<usize>i << 2)) * ID_SIZE : ids;
      keepId(slot, values + (<usize>i << 4), last);
    }
  }
  return found;
}

/** Takes ID i of `partials` over into the ID of groups[i]. */
export function mergeIds(partials: usize, groups: usize, count: u32, last: u32, ids: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const from = partials + <usize>i * ID_SIZE;
    if (!load<u32>(from, ID_PRESENT)) continue;
    keepId(ids + <usize>load<u32>(groups + (<usize>i << 2)) * ID_SIZE, from, last);
  }
}

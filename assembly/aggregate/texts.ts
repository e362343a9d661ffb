// Texts that a query has met, each once: TEXTS in layout.ts. They are copied, so that they outlive their segment.

import {
  TEXTS_CAPACITY, TEXTS_COUNT, TEXTS_ENTRIES, TEXTS_MASK, TEXTS_SLOTS, VECTOR_COUNT, VECTOR_VALUES,
} from "../layout";
import { compareBytes } from "../filter/text";
import { hashBytes } from "../memory/hash";
import { heapTake } from "./heap";
import { nextVector } from "./vectors";

/** Sets the byte of each code that the vectors have. 0, or -1 when cancelled. */
export function markCodes(v: usize, used: usize): i32 {
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const end = values + (<usize>load<u32>(v, VECTOR_COUNT) << 2);
    for (let at = values; at < end; at += 4) store<u8>(used + <usize>load<u32>(at), 1);
  }
  return found;
}

/**
 * Writes to `indexes` the index of the text of each code of [from, count) whose byte in `used` is set, or of
 * all where `used` is 0. Answers the code before which texts or heap were full, or `count`.
 */
export function internTexts(
  entries: usize, from: u32, count: u32, used: usize, indexes: usize, texts: usize, heap: usize,
): u32 {
  for (let code = from; code < count; code++) {
    if (used && !load<u8>(used + <usize>code)) continue;
    const entry = entries + (<usize>code << 3);
    const index = intern(load<u32>(entry), load<u32>(entry, 4), texts, heap);
    if (index < 0) return code;
    store<u32>(indexes + (<usize>code << 2), <u32>index);
  }
  return count;
}

/** The index of a text, which is entered when it is new; -1 when texts or heap are full. */
export function intern(text: usize, length: u32, texts: usize, heap: usize): i32 {
  const hash = hashBytes(text, length);
  const mask = load<u32>(texts, TEXTS_MASK);
  const slots = <usize>load<u32>(texts, TEXTS_SLOTS);
  const entries = <usize>load<u32>(texts, TEXTS_ENTRIES);
  let slot = <u32>(hash >> 32);
  while (true) {
    slot &= mask;
    const index = load<u32>(slots + (<usize>slot << 2));
    if (!index) break;
    const entry = entries + (<usize>(index - 1) << 4);
    if (
      load<u64>(entry, 8) == hash &&
      load<u32>(entry, 4) == length &&
      compareBytes(load<u32>(entry), length, text, length) == 0
    ) {
      return <i32>(index - 1);
    }
    slot++;
  }
  const count = load<u32>(texts, TEXTS_COUNT);
  if (count == load<u32>(texts, TEXTS_CAPACITY)) return -1;
  const copy = heapTake(heap, (length + 15) & ~15);
  if (!copy) return -1;
  memory.copy(copy, text, length);
  const entry = entries + (<usize>count << 4);
  store<u32>(entry, <u32>copy);
  store<u32>(entry, length, 4);
  store<u64>(entry, hash, 8);
  store<u32>(slots + (<usize>slot << 2), count + 1);
  store<u32>(texts, count + 1, TEXTS_COUNT);
  return <i32>count;
}

/** Enters the texts that `entries` has into empty slots. */
export function rehashTexts(texts: usize): void {
  const mask = load<u32>(texts, TEXTS_MASK);
  const slots = <usize>load<u32>(texts, TEXTS_SLOTS);
  const entries = <usize>load<u32>(texts, TEXTS_ENTRIES);
  for (let i: u32 = 0, count = load<u32>(texts, TEXTS_COUNT); i < count; i++) {
    let slot = <u32>(load<u64>(entries + (<usize>i << 4), 8) >> 32) & mask;
    while (load<u32>(slots + (<usize>slot << 2))) slot = (slot + 1) & mask;
    store<u32>(slots + (<usize>slot << 2), i + 1);
  }
}

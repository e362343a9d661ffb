// The distinct values of one group key over all segments of a query, each with an index. Open addressing with
// linear probing; a slot holds the upper hash bits beside the index, so that few keys are compared in vain.
//
// No kernel makes room: one that finds a table full answers how far it came, and its caller makes room and goes on.

import {
  GROUP_CAPACITY, GROUP_COUNT, GROUP_ENTERED, GROUP_ENTRIES, GROUP_KEY_BITS, GROUP_KEY_KIND, GROUP_KEY_SIZE,
  GROUP_MASK, GROUP_NONE, GROUP_OTHERS, GROUP_SLOTS, GROUP_TEXT_END, GROUP_TEXT_TOP, GROUP_TEXT_WANTED, KEY_F64,
  KEY_I64, KEY_STRING,
} from "../layout";
import { hashBytes, mix64 } from "../memory/hash";

/** Bytes that stay readable after a text, so that it can be hashed again. */
const TEXT_ROOM: u32 = 16;

/** Whether two texts of one length are equal. Reads up to 8 bytes beyond them. */
@inline
export function sameBytes(a: usize, b: usize, length: u32): bool {
  let rest = length;
  while (rest >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
    rest -= 8;
  }
  return rest == 0 || (load<u64>(a) ^ load<u64>(b)) << ((8 - rest) << 3) == 0;
}

@inline
function addEntry(table: usize, slot: usize, hash: u32, bits: u64, kind: u32): u32 {
  const index = load<u32>(table, GROUP_COUNT);
  const entry = <usize>load<u32>(table, GROUP_ENTRIES) + <usize>index * GROUP_KEY_SIZE;
  store<u64>(entry, bits, GROUP_KEY_BITS);
  store<u64>(entry, <u64>kind, GROUP_KEY_KIND);
  store<u64>(slot, (<u64>hash << 32) | <u64>(index + 1));
  store<u32>(table, index + 1, GROUP_COUNT);
  store<u32>(table, index + 1, GROUP_ENTERED);
  return index;
}

/** Gives a slot to the keys that have none yet; they are different from all others. */
function enterAll(table: usize): void {
  const mask = load<u32>(table, GROUP_MASK);
  const slots = <usize>load<u32>(table, GROUP_SLOTS);
  const entries = <usize>load<u32>(table, GROUP_ENTRIES);
  const count = load<u32>(table, GROUP_COUNT);
  for (let index = load<u32>(table, GROUP_ENTERED); index < count; index++) {
    const hash = load<u32>(entries + <usize>index * GROUP_KEY_SIZE, GROUP_KEY_KIND + 4);
    let at = hash & mask;
    while (load<u64>(slots + (<usize>at << 3)) != 0) at = (at + 1) & mask;
    store<u64>(slots + (<usize>at << 3), (<u64>hash << 32) | <u64>(index + 1));
  }
  store<u32>(table, count, GROUP_ENTERED);
}

@inline
function enterRest(table: usize): void {
  if (load<u32>(table, GROUP_ENTERED) != load<u32>(table, GROUP_COUNT)) enterAll(table);
}

/** Index of the key { bits, kind }, which is no text; GROUP_NONE when it is new and there is no room. */
@inline
export function internBits(table: usize, bits: u64, kind: u32): u32 {
  enterRest(table);
  const hashed = mix64(bits + <u64>kind);
  const hash = <u32>(hashed >> 32);
  const mask = load<u32>(table, GROUP_MASK);
  const slots = <usize>load<u32>(table, GROUP_SLOTS);
  const entries = <usize>load<u32>(table, GROUP_ENTRIES);
  let at = hash & mask;
  while (true) {
    const slot = slots + (<usize>at << 3);
    const held = load<u64>(slot);
    if (held == 0) {
      if (load<u32>(table, GROUP_COUNT) == load<u32>(table, GROUP_CAPACITY)) return GROUP_NONE;
      return addEntry(table, slot, hash, bits, kind);
    }
    if (<u32>(held >> 32) == hash) {
      const index = <u32>held - 1;
      const entry = entries + <usize>index * GROUP_KEY_SIZE;
      if (load<u64>(entry, GROUP_KEY_BITS) == bits && load<u32>(entry, GROUP_KEY_KIND) == kind) {
        return index;
      }
    }
    at = (at + 1) & mask;
  }
}

/** A double that is an integer within i64 is the same number, so the same key, as that integer. */
@inline
export function internF64(table: usize, value: f64): u32 {
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 && Math.trunc(value) == value) {
    return internBits(table, <u64><i64>value, KEY_I64);
  }
  // Every NaN is one key.
  return internBits(table, value == value ? reinterpret<u64>(value) : 0x7ff8000000000000, KEY_F64);
}

/** Index of a text (`kind`: KEY_STRING, KEY_ID or KEY_JSON), whose bytes are copied when it is new. */
@inline
export function internText(table: usize, text: usize, length: u32, kind: u32): u32 {
  const hash = <u32>(hashBytes(text, length) >> 32) ^ ((kind - KEY_STRING) * 0x9e3779b9);
  return internHashed(table, text, length, kind, hash, true);
}

/** Index of a text whose hash is known. Without `copies` its bytes stay where they are until the query ends. */
@inline
export function internHashed(table: usize, text: usize, length: u32, kind: u32, hash: u32, copies: bool): u32 {
  enterRest(table);
  const mask = load<u32>(table, GROUP_MASK);
  const slots = <usize>load<u32>(table, GROUP_SLOTS);
  const entries = <usize>load<u32>(table, GROUP_ENTRIES);
  let at = hash & mask;
  while (true) {
    const slot = slots + (<usize>at << 3);
    const held = load<u64>(slot);
    if (held == 0) {
      if (copies) return addText(table, slot, hash, text, length, kind);
      if (load<u32>(table, GROUP_COUNT) == load<u32>(table, GROUP_CAPACITY)) return GROUP_NONE;
      return addEntry(table, slot, hash, <u64>text | (<u64>length << 32), kind);
    }
    if (<u32>(held >> 32) == hash) {
      const index = <u32>held - 1;
      const entry = entries + <usize>index * GROUP_KEY_SIZE;
      const bits = load<u64>(entry, GROUP_KEY_BITS);
      if (
        <u32>(bits >> 32) == length && load<u32>(entry, GROUP_KEY_KIND) == kind &&
        sameBytes(<usize><u32>bits, text, length)
      ) {
        return index;
      }
    }
    at = (at + 1) & mask;
  }
}

function addText(table: usize, slot: usize, hash: u32, text: usize, length: u32, kind: u32): u32 {
  const top = load<u32>(table, GROUP_TEXT_TOP);
  if (load<u32>(table, GROUP_COUNT) == load<u32>(table, GROUP_CAPACITY)) return GROUP_NONE;
  if (length + TEXT_ROOM > load<u32>(table, GROUP_TEXT_END) - top) {
    store<u32>(table, length + TEXT_ROOM, GROUP_TEXT_WANTED);
    return GROUP_NONE;
  }
  memory.copy(<usize>top, text, <usize>length);
  store<u32>(table, top + length, GROUP_TEXT_TOP);
  if (kind == KEY_STRING) store<u32>(table, 1, GROUP_OTHERS);
  return addEntry(table, slot, hash, <u64>top | (<u64>length << 32), kind);
}

/** Index of the pair; GROUP_NONE when it is new and there is no room. */
@inline
export function internPair(table: usize, first: u32, second: u32): u32 {
  const pair = <u64>first | (<u64>second << 32);
  const hash = <u32>(mix64(pair) >> 32);
  const mask = load<u32>(table, GROUP_MASK);
  const slots = <usize>load<u32>(table, GROUP_SLOTS);
  const entries = <usize>load<u32>(table, GROUP_ENTRIES);
  let at = hash & mask;
  while (true) {
    const slot = slots + (<usize>at << 3);
    const held = load<u64>(slot);
    if (held == 0) {
      const index = load<u32>(table, GROUP_COUNT);
      if (index == load<u32>(table, GROUP_CAPACITY)) return GROUP_NONE;
      store<u64>(entries + (<usize>index << 3), pair);
      store<u64>(slot, (<u64>hash << 32) | <u64>(index + 1));
      store<u32>(table, index + 1, GROUP_COUNT);
      return index;
    }
    if (<u32>(held >> 32) == hash && load<u64>(entries + (<usize>(<u32>held - 1) << 3)) == pair) {
      return <u32>held - 1;
    }
    at = (at + 1) & mask;
  }
}

/** Enters what the slots [old, old + count) hold into empty ones, of which there are `mask` + 1 at `slots`. */
export function groupRehash(old: usize, count: u32, slots: usize, mask: u32): void {
  for (let end = old + (<usize>count << 3); old < end; old += 8) {
    const held = load<u64>(old);
    if (held == 0) continue;
    let at = <u32>(held >> 32) & mask;
    while (load<u64>(slots + (<usize>at << 3)) != 0) at = (at + 1) & mask;
    store<u64>(slots + (<usize>at << 3), held);
  }
}

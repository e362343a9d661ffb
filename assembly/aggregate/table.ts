// Hash tables of working memory: open addressing over a power of two of slots, of which 5 in 8 are used at most.
// The caller gives memory: a kernel stops before a vector that might not fit, and is called again with a larger
// table.

import {
  CELL_COUNT, CELL_SIZE, MEMBER_BITS, MEMBER_GROUP, MEMBER_KIND, TABLE_MASK, TABLE_SLOTS, TABLE_USED, TALLY_COUNT,
  TALLY_ERROR, TALLY_SIZE, VECTOR_COUNT, VECTOR_HELD,
} from "../layout";
import { mix64 } from "../memory/hash";
import { nextVector } from "./vectors";

/** The vector that waits, or else the next one. Answers as nextVector does. */
@inline
export function heldVector(v: usize): i32 {
  return load<u32>(v, VECTOR_HELD) ? 1 : nextVector(v);
}

/** Whether `table` takes as many entries as the vector has values; if not, the vector waits. */
@inline
export function hasRoom(v: usize, table: usize): bool {
  const slots = load<u32>(table, TABLE_MASK) + 1;
  const room = load<u32>(table, TABLE_USED) + load<u32>(v, VECTOR_COUNT) <= (slots >> 3) * 5;
  store<u32>(v, <u32>!room, VECTOR_HELD);
  return room;
}

/** The CELL of a number of a group; one that is free gets the key, and has to get a count. */
@inline
export function cellOf(table: usize, group: u32, number: u32): usize {
  const key = (<u64>group << 32) | <u64>number;
  const hash = key * 0x9e3779b97f4a7c15;
  const mask = load<u32>(table, TABLE_MASK);
  const slots = <usize>load<u32>(table, TABLE_SLOTS);
  let slot = <u32>(hash >> 36) ^ <u32>(hash >> 17);
  while (true) {
    slot &= mask;
    const cell = slots + (<usize>slot << 4);
    if (!load<u64>(cell, CELL_COUNT)) {
      store<u64>(cell, key);
      store<u32>(table, load<u32>(table, TABLE_USED) + 1, TABLE_USED);
      return cell;
    }
    if (load<u64>(cell) == key) return cell;
    slot++;
  }
  return 0;
}

/** Puts the cells of `slots` CELLs at `from` into an empty table. */
export function rehashCells(from: usize, slots: u32, table: usize): void {
  for (const end = from + <usize>slots * CELL_SIZE; from < end; from += CELL_SIZE) {
    const count = load<u64>(from, CELL_COUNT);
    if (!count) continue;
    const key = load<u64>(from);
    store<u64>(cellOf(table, <u32>(key >> 32), <u32>key), count, CELL_COUNT);
  }
}

@inline
function memberHash(bits: u64, group: u32, kind: u32): u32 {
  return <u32>(mix64(bits + <u64>kind) ^ (<u64>group * 0x9e3779b97f4a7c15 >> 29));
}

/** Where the MEMBER or TALLY of a value of a group is, or, when it has no kind, where it may be entered. */
@inline
export function memberOf(table: usize, bits: u64, group: u32, kind: u32, size: u32): usize {
  const mask = load<u32>(table, TABLE_MASK);
  const slots = <usize>load<u32>(table, TABLE_SLOTS);
  let slot = memberHash(bits, group, kind);
  while (true) {
    slot &= mask;
    const member = slots + <usize>slot * <usize>size;
    const found = load<u32>(member, MEMBER_KIND);
    if (!found) return member;
    if (load<u64>(member, MEMBER_BITS) == bits && load<u32>(member, MEMBER_GROUP) == group && found == kind) {
      return member;
    }
    slot++;
  }
  return 0;
}

@inline
export function enterMember(table: usize, member: usize, bits: u64, group: u32, kind: u32): void {
  store<u64>(member, bits, MEMBER_BITS);
  store<u32>(member, group, MEMBER_GROUP);
  store<u32>(member, kind, MEMBER_KIND);
  store<u32>(table, load<u32>(table, TABLE_USED) + 1, TABLE_USED);
}

/** Puts the MEMBERs or TALLYs of `slots` slots at `from` into an empty table. */
export function rehashMembers(from: usize, slots: u32, size: u32, table: usize): void {
  for (const end = from + <usize>slots * <usize>size; from < end; from += <usize>size) {
    const kind = load<u32>(from, MEMBER_KIND);
    if (!kind) continue;
    const bits = load<u64>(from, MEMBER_BITS);
    const group = load<u32>(from, MEMBER_GROUP);
    const to = memberOf(table, bits, group, kind, size);
    enterMember(table, to, bits, group, kind);
    if (size != TALLY_SIZE) continue;
    store<u64>(to, load<u64>(from, TALLY_COUNT), TALLY_COUNT);
    store<u64>(to, load<u64>(from, TALLY_ERROR), TALLY_ERROR);
  }
}

// Distinct values by group, exactly: MEMBERs say that a group has a value, TALLYs how often. A double that is an
// integer within 64 bits is that integer; texts are told apart by their index among the query's texts.

import {
  MEMBER_F64, MEMBER_GROUP, MEMBER_I64, MEMBER_ID, MEMBER_KIND, MEMBER_SIZE, TALLY_COUNT, TALLY_ERROR, TALLY_SIZE,
  TEXTS_CAPACITY, TEXTS_COUNT, VECTOR_COUNT, VECTOR_F64, VECTOR_GROUPS, VECTOR_HELD, VECTOR_KIND, VECTOR_VALUES,
} from "../layout";
import { heapLacks } from "./heap";
import { enterMember, hasRoom, heldVector, memberOf } from "./table";
import { intern } from "./texts";

/** The error of a tally that began after the table was last cut. */
const YOUNG: u64 = u64.MAX_VALUE;

/**
 * Enters the values of a column. Codes are looked up in `indexes` and are of the given `kind`; without indexes they
 * are booleans. `counts` has a u64 a group, how many values it has. 0, -1 when cancelled, 1 when the table must be
 * larger.
 */
export function addMembers(
  v: usize, kind: u32, indexes: usize, table: usize, size: u32, counts: usize,
): i32 {
  let found = heldVector(v);
  for (; found > 0; found = heldVector(v)) {
    if (!hasRoom(v, table)) return 1;
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    if (kind == MEMBER_I64) {
      const doubles = load<u32>(v, VECTOR_KIND) == VECTOR_F64;
      for (let i: u32 = 0; i < count; i++) {
        const group = groups ? load<u32>(groups + (<usize>i << 2)) : 0;
        const bits = load<u64>(values + (<usize>i << 3));
        if (doubles) addDouble(bits, group, table, size, counts);
        else addMember(bits, group, MEMBER_I64, 1, table, size, counts);
      }
      continue;
    }
    for (let i: u32 = 0; i < count; i++) {
      const group = groups ? load<u32>(groups + (<usize>i << 2)) : 0;
      const code = load<u32>(values + (<usize>i << 2));
      const bits = indexes ? load<u32>(indexes + (<usize>code << 2)) : code;
      addMember(<u64>bits, group, kind, 1, table, size, counts);
    }
  }
  return found;
}

@inline
function addDouble(bits: u64, group: u32, table: usize, size: u32, counts: usize): void {
  const value = reinterpret<f64>(bits);
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 && Math.trunc(value) == value) {
    addMember(<u64><i64>value, group, MEMBER_I64, 1, table, size, counts);
  } else addMember(bits, group, MEMBER_F64, 1, table, size, counts);
}

/** Counts a value of a group, `times` times. The table has room. */
@inline
export function addMember(
  bits: u64, group: u32, kind: u32, times: u64, table: usize, size: u32, counts: usize,
): void {
  const member = memberOf(table, bits, group, kind, size);
  if (!load<u32>(member, MEMBER_KIND)) {
    enterMember(table, member, bits, group, kind);
    const address = counts + (<usize>group << 3);
    store<u64>(address, load<u64>(address) + 1);
    if (size == TALLY_SIZE) {
      store<u64>(member, times, TALLY_COUNT);
      store<u64>(member, YOUNG, TALLY_ERROR);
    }
  } else if (size == TALLY_SIZE) store<u64>(member, load<u64>(member, TALLY_COUNT) + times, TALLY_COUNT);
}

/** Enters `count` MEMBERs, whose groups and texts are those of this query. The table has room. */
export function mergeMembers(members: usize, count: u32, table: usize, counts: usize): void {
  for (const end = members + <usize>count * MEMBER_SIZE; members < end; members += MEMBER_SIZE) {
    const kind = load<u32>(members, MEMBER_KIND);
    addMember(load<u64>(members), load<u32>(members, MEMBER_GROUP), kind, 1, table, MEMBER_SIZE, counts);
  }
}

/**
 * Enters ids, which are texts of 16 bytes. 0, -1 when cancelled; 1, 2 or 3 when the table, the texts or the heap
 * must be larger.
 */
export function addIdMembers(
  v: usize, table: usize, size: u32, counts: usize, texts: usize, heap: usize,
): i32 {
  let found = heldVector(v);
  for (; found > 0; found = heldVector(v)) {
    if (!hasRoom(v, table)) return 1;
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    const wait: u32 = load<u32>(texts, TEXTS_CAPACITY) - load<u32>(texts, TEXTS_COUNT) < count ? 2
      : heapLacks(heap, count << 4) ? 3 : 0;
    store<u32>(v, <u32>(wait != 0), VECTOR_HELD);
    if (wait) return <i32>wait;
    for (let i: u32 = 0; i < count; i++) {
      const group = groups ? load<u32>(groups + (<usize>i << 2)) : 0;
      const index = intern(values + (<usize>i << 4), 16, texts, heap);
      addMember(<u64><u32>index, group, MEMBER_ID, 1, table, size, counts);
    }
  }
  return found;
}

/** Address of the TALLY of a value; one that is new has 0 counts and error. The table has room. */
export function tallyOf(table: usize, bits: u64, group: u32, kind: u32): usize {
  const tally = memberOf(table, bits, group, kind, TALLY_SIZE);
  if (load<u32>(tally, MEMBER_KIND)) return tally;
  enterMember(table, tally, bits, group, kind);
  store<u64>(tally, 0, TALLY_COUNT);
  store<u64>(tally, 0, TALLY_ERROR);
  return tally;
}

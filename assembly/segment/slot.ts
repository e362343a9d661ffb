// Hot slots: the memory of one segment. A slot is a bump arena behind its header; nothing in it is given
// back before the whole slot is, so a reader that pins the slot may follow any address that it has loaded.
//
// The names of the four fixed columns lie in the header, because the module has no data segments:
//   96 "id" │ 98 "timestamp" │ 107 "lateness_us" │ 118 "id_made" │ 125 zeros to 256

import {
  COLUMN_COUNT,
  COLUMN_LANE,
  COLUMN_PATH,
  COLUMN_PATH_LENGTH,
  COLUMN_SIZE,
  LANE_ID,
  LANE_NUMBER,
  REGION_SLOTS,
  ROOT_REGIONS,
  ROOT_SLOTS_BASE,
  ROOT_SLOTS_COUNT,
  ROOT_SLOTS_EPOCH,
  ROOT_SLOTS_SIZE,
  SLOT_COLUMNS,
  SLOT_COLUMN_CAPACITY,
  SLOT_DESCRIPTORS,
  SLOT_DIRTY,
  SLOT_FIRST_SEQUENCE,
  SLOT_FREE,
  SLOT_HEADER_SIZE,
  SLOT_LIMIT,
  SLOT_MAGIC,
  SLOT_NAMES,
  SLOT_OPEN,
  SLOT_RECORDS,
  SLOT_RECORD_CAPACITY,
  SLOT_RECORD_COUNT,
  RECORD_SIZE,
  SLOT_ROWS,
  SLOT_ROWS_WRITTEN,
  SLOT_SEGMENT_ID,
  SLOT_STATE,
  SLOT_TABLE,
  SLOT_TABLE_CAPACITY,
  SLOT_TIME_MAX,
  SLOT_TIME_MIN,
  SLOT_TOP,
} from "../layout";
import { OK, OUT_OF_MEMORY } from "../status";
import { hashBytes } from "../memory/hash";

export const COLUMN_ID: u32 = 0;
export const COLUMN_TIMESTAMP: u32 = 1;
export const COLUMN_NONE: u32 = 0xffffffff;

export const NAME_ID: u32 = SLOT_NAMES;
export const NAME_TIMESTAMP: u32 = SLOT_NAMES + 2;
export const NAME_LATENESS: u32 = SLOT_NAMES + 11;
export const NAME_MADE: u32 = SLOT_NAMES + 22;

/** A column table entry: { hash u32, column index + 1 u32 }; twice as many entries as columns fit. */
const TABLE_ENTRY_SIZE: u32 = 8;
const COLUMNS_FIRST: u32 = 64;
const RECORDS_FIRST: u32 = 64;
const SLOT_SIZE_MIN: u32 = 262144;
/** Readers of the last bytes of a slot may read this much beyond them. */
const SLACK: u32 = 64;

@inline
export function aligned(size: u32): u32 {
  return (size + 15) & ~15;
}

/** Bytes that the arrays of `capacity` columns take: descriptors and table. */
@inline
export function columnArraysSize(capacity: u32): u32 {
  return capacity * (COLUMN_SIZE + 2 * TABLE_ENTRY_SIZE);
}

/** Cuts the region of hot slots in slots of `slotSize` bytes, all free. Answers how many there are. */
export function slotsFormat(slotSize: u32): u32 {
  const base = load<u32>(ROOT_REGIONS + REGION_SLOTS * 8);
  const size = load<u32>(ROOT_REGIONS + REGION_SLOTS * 8 + 4);
  if (slotSize < SLOT_SIZE_MIN || (slotSize & 15) != 0) return 0;
  const count = size / slotSize;
  const used = load<u32>(ROOT_SLOTS_COUNT) != 0;
  for (let i: u32 = 0; i < count; i++) {
    const slot = <usize>base + <usize>(i * slotSize);
    memory.fill(slot, 0, SLOT_HEADER_SIZE);
    store<u32>(slot, SLOT_MAGIC);
    store<u32>(slot, SLOT_FREE, SLOT_STATE);
    store<u32>(slot, <u32>slot + SLOT_HEADER_SIZE, SLOT_TOP);
    store<u32>(slot, <u32>slot + slotSize - SLACK, SLOT_LIMIT);
    // A region that is cut anew holds what the slots before left there.
    store<u32>(slot, <u32>slot + (used ? slotSize - SLACK : SLOT_HEADER_SIZE), SLOT_DIRTY);
    nameFixedColumns(slot + SLOT_NAMES);
  }
  store<u32>(ROOT_SLOTS_SIZE, slotSize);
  store<u32>(ROOT_SLOTS_BASE, base);
  atomic.store<u32>(ROOT_SLOTS_EPOCH, 1);
  atomic.store<u32>(ROOT_SLOTS_COUNT, count);
  return count;
}

function nameFixedColumns(at: usize): void {
  store<u16>(at, 0x6469); // id
  store<u64>(at, 0x6d617473656d6974, 2); // timestam
  store<u8>(at, 0x70, 10); // p
  store<u64>(at, 0x7373656e6574616c, 11); // lateness
  store<u32>(at, 0x73755f, 19); // _us
  store<u64>(at, 0x6564616d5f6469, 22); // id_made
}

/**
 * Makes a free slot the open segment `segmentId`, whose first row gets `firstSequence`.
 * The caller has checked that no reader pins what was in it before.
 */
export function slotOpen(slot: usize, segmentId: u32, firstSequence: i64): u32 {
  if (load<u32>(slot, SLOT_STATE) != SLOT_FREE) return OUT_OF_MEMORY;
  const top = load<u32>(slot, SLOT_TOP);
  if (top > load<u32>(slot, SLOT_DIRTY)) store<u32>(slot, top, SLOT_DIRTY);
  store<u32>(slot, <u32>slot + SLOT_HEADER_SIZE, SLOT_TOP);
  store<u32>(slot, 0, SLOT_ROWS);
  store<u32>(slot, 0, SLOT_COLUMNS);
  store<u32>(slot, 0, SLOT_ROWS_WRITTEN);
  store<u32>(slot, 0, SLOT_RECORD_COUNT);
  store<i64>(slot, firstSequence, SLOT_FIRST_SEQUENCE);
  store<i64>(slot, i64.MAX_VALUE, SLOT_TIME_MIN);
  store<i64>(slot, i64.MIN_VALUE, SLOT_TIME_MAX);
  store<u32>(slot, segmentId, SLOT_SEGMENT_ID);
  store<u32>(slot, <u32>slotTake(slot, RECORDS_FIRST * RECORD_SIZE), SLOT_RECORDS);
  store<u32>(slot, RECORDS_FIRST, SLOT_RECORD_CAPACITY);
  store<u32>(slot, COLUMNS_FIRST, SLOT_COLUMN_CAPACITY);
  store<u32>(slot, <u32>slotTake(slot, COLUMNS_FIRST * COLUMN_SIZE), SLOT_DESCRIPTORS);
  store<u32>(slot, <u32>slotTake(slot, COLUMNS_FIRST * 2 * TABLE_ENTRY_SIZE), SLOT_TABLE);
  store<u32>(slot, COLUMNS_FIRST * 2, SLOT_TABLE_CAPACITY);
  columnAdd(slot, slot + NAME_ID, 2, LANE_ID, false);
  columnAdd(slot, slot + NAME_TIMESTAMP, 9, LANE_NUMBER, false);
  atomic.store<u32>(slot, SLOT_OPEN, SLOT_STATE);
  return OK;
}

/** Publishes what the slot has become: SLOT_OPEN, SLOT_FULL, SLOT_SEALED or SLOT_FREE. */
export function slotSetState(slot: usize, state: u32): void {
  atomic.store<u32>(slot, state, SLOT_STATE);
}

/** Bytes that the slot has left. */
@inline
export function slotRoom(slot: usize): u32 {
  return load<u32>(slot, SLOT_LIMIT) - load<u32>(slot, SLOT_TOP);
}

/**
 * Takes `size` zeroed bytes, 16-byte aligned.
 * Bounds: the estimate made before the first write says that they are there; running out here is a bug of ours.
 */
export function slotTake(slot: usize, size: u32): usize {
  const at = aligned(load<u32>(slot, SLOT_TOP));
  const limit = load<u32>(slot, SLOT_LIMIT);
  if (at > limit || limit - at < size) unreachable();
  const end = at + size;
  const dirty = load<u32>(slot, SLOT_DIRTY);
  if (at < dirty) memory.fill(at, 0, (end < dirty ? end : dirty) - at);
  store<u32>(slot, end, SLOT_TOP);
  return at;
}

/** Takes `size` bytes for text: not aligned, not zeroed. */
@inline
export function slotTakeText(slot: usize, size: u32): usize {
  const at = load<u32>(slot, SLOT_TOP);
  if (load<u32>(slot, SLOT_LIMIT) - at < size) unreachable();
  store<u32>(slot, at + size, SLOT_TOP);
  return at;
}

/** Whether two texts of one length are equal. */
export function equalBytes(a: usize, b: usize, length: u32): bool {
  let rest = length;
  while (rest >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
    rest -= 8;
  }
  if (rest == 0) return true;
  return ((load<u64>(a) ^ load<u64>(b)) << ((8 - rest) << 3)) == 0;
}

@inline
function columnHash(path: usize, length: u32, lane: u32): u32 {
  return <u32>(hashBytes(path, length) >> 32) ^ (lane * 0x9e3779b1);
}

/** Index of the column of `path` and `lane`, or COLUMN_NONE. */
export function columnFind(slot: usize, path: usize, length: u32, lane: u32): u32 {
  const hash = columnHash(path, length, lane);
  const table = <usize>load<u32>(slot, SLOT_TABLE);
  const mask = load<u32>(slot, SLOT_TABLE_CAPACITY) - 1;
  const descriptors = <usize>load<u32>(slot, SLOT_DESCRIPTORS);
  let i = hash & mask;
  for (;;) {
    const entry = table + i * TABLE_ENTRY_SIZE;
    const index = load<u32>(entry, 4);
    if (index == 0) break;
    i = (i + 1) & mask;
    if (load<u32>(entry) != hash) continue;
    const column = descriptors + <usize>(index - 1) * COLUMN_SIZE;
    if (
      load<u32>(column, COLUMN_LANE) == lane &&
      load<u32>(column, COLUMN_PATH_LENGTH) == length &&
      equalBytes(load<u32>(column, COLUMN_PATH), path, length)
    ) {
      return index - 1;
    }
  }
  return COLUMN_NONE;
}

@inline
export function columnAt(slot: usize, index: u32): usize {
  return <usize>load<u32>(slot, SLOT_DESCRIPTORS) + <usize>index * COLUMN_SIZE;
}

/**
 * Adds and publishes a column that is not there yet: without pages it has no value in any published row.
 * `copyPath` copies the path into the slot; otherwise `path` is already inside it.
 */
export function columnAdd(slot: usize, path: usize, length: u32, lane: u32, copyPath: bool): u32 {
  const index = load<u32>(slot, SLOT_COLUMNS);
  const capacity = load<u32>(slot, SLOT_COLUMN_CAPACITY);
  if (index == capacity) columnsGrow(slot, capacity * 2);
  let text = path;
  if (copyPath) {
    text = slotTakeText(slot, length);
    memory.copy(text, path, length);
  }
  const column = columnAt(slot, index);
  store<u32>(column, <u32>text, COLUMN_PATH);
  store<u32>(column, length, COLUMN_PATH_LENGTH);
  store<u32>(column, lane, COLUMN_LANE);
  store<u32>(column, 0, COLUMN_COUNT);
  tablePut(slot, columnHash(text, length, lane), index);
  atomic.store<u32>(slot, index + 1, SLOT_COLUMNS);
  return index;
}

function tablePut(slot: usize, hash: u32, index: u32): void {
  const table = <usize>load<u32>(slot, SLOT_TABLE);
  const mask = load<u32>(slot, SLOT_TABLE_CAPACITY) - 1;
  let i = hash & mask;
  while (load<u32>(table + i * TABLE_ENTRY_SIZE, 4) != 0) i = (i + 1) & mask;
  store<u32>(table + i * TABLE_ENTRY_SIZE, hash);
  store<u32>(table + i * TABLE_ENTRY_SIZE, index + 1, 4);
}

/** Copies the descriptors and the table to arrays of `capacity` columns; readers keep the old descriptors. */
function columnsGrow(slot: usize, capacity: u32): void {
  const count = load<u32>(slot, SLOT_COLUMNS);
  const descriptors = slotTake(slot, capacity * COLUMN_SIZE);
  memory.copy(descriptors, load<u32>(slot, SLOT_DESCRIPTORS), count * COLUMN_SIZE);
  const table = slotTake(slot, capacity * 2 * TABLE_ENTRY_SIZE);
  store<u32>(slot, <u32>table, SLOT_TABLE);
  store<u32>(slot, capacity * 2, SLOT_TABLE_CAPACITY);
  for (let i: u32 = 0; i < count; i++) {
    const column = descriptors + <usize>i * COLUMN_SIZE;
    const hash = columnHash(
      load<u32>(column, COLUMN_PATH),
      load<u32>(column, COLUMN_PATH_LENGTH),
      load<u32>(column, COLUMN_LANE),
    );
    tablePut(slot, hash, i);
  }
  atomic.store<u32>(slot, <u32>descriptors, SLOT_DESCRIPTORS);
  store<u32>(slot, capacity, SLOT_COLUMN_CAPACITY);
}

/** A new journal record at the end of the slot's records; its count is published by the caller. */
export function recordAdd(slot: usize): usize {
  const count = load<u32>(slot, SLOT_RECORD_COUNT);
  const capacity = load<u32>(slot, SLOT_RECORD_CAPACITY);
  if (count == capacity) {
    const records = slotTake(slot, capacity * 2 * RECORD_SIZE);
    memory.copy(records, load<u32>(slot, SLOT_RECORDS), count * RECORD_SIZE);
    atomic.store<u32>(slot, <u32>records, SLOT_RECORDS);
    store<u32>(slot, capacity * 2, SLOT_RECORD_CAPACITY);
  }
  return <usize>load<u32>(slot, SLOT_RECORDS) + <usize>count * RECORD_SIZE;
}

import {
  BATCH_COLUMN_COUNT,
  BATCH_COLUMN_LANE,
  BATCH_COLUMN_PATH,
  BATCH_COLUMN_PATH_LENGTH,
  BATCH_COLUMN_PRESENCE,
  BATCH_COLUMN_SIZE,
  BATCH_COLUMNS,
  BATCH_DESCRIPTORS,
  BATCH_FIRST_SEQUENCE,
  BATCH_HEADER_SIZE,
  BATCH_IDS,
  BATCH_LENGTH,
  BATCH_MADE_IDS,
  BATCH_MAGIC,
  BATCH_RECEIVED_AT,
  BATCH_ROWS,
  BATCH_TIMESTAMPS,
  BATCH_VERSION,
  DECODER_DROPPED,
  DECODER_IDS,
  DECODER_MADE,
  DECODER_ROWS,
  DECODER_TIMESTAMPS,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
} from "../layout";
import { bitmapCount, bitmapGet, bitmapSet, bitmapSize } from "../memory/bitmap";
import {
  CELL_F64,
  CELL_FALSE,
  CELL_I64,
  CELL_JSON,
  CELL_NULL,
  CELL_STRING,
  CELL_TRUE,
  COLUMN_CELLS,
  COLUMN_COUNT,
  COLUMN_JSON,
  COLUMN_KINDS,
  COLUMN_PATH,
  COLUMN_PATH_LENGTH,
  COLUMN_STRINGS,
} from "./columns";
import { align16, STATE_ACTIVE, STATE_ACTIVE_COUNT, STATE_RECEIVED_AT, STATE_ROW_MAP } from "./state";
import { DICT_COUNT, DICT_USED } from "./texts";
import { writeBooleans, writeNumbers, writeTexts } from "./values";

// A group's rows as a ColumnBatch (drawn in layout.ts), without its dropped rows and what only they used.
//
// Columns are in the order of their paths, then lanes, texts in the order of their first use and padding is zero,
// so that the same rows give the same bytes.

export const NO_ROW: u32 = 0xffffffff;
/** Zeros behind a section, which the next one overwrites; and room to write 16 bytes at once. */
const SLACK: u32 = 64;

export function keptRows(d: usize): u32 {
  const rows = load<u32>(d, DECODER_ROWS);
  return rows - bitmapCount(load<u32>(d, DECODER_DROPPED), rows);
}

/** Bytes that finishBatch needs at most, and the lateness section behind what it writes. */
export function finishCapacity(d: usize): u32 {
  const rows = <u64>load<u32>(d, DECODER_ROWS);
  let size: u64 = BATCH_HEADER_SIZE + rows * 40 + 256;
  const active = <usize>load<u32>(d, STATE_ACTIVE);
  const count = load<u32>(d, STATE_ACTIVE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const column = <usize>load<u32>(active + (<usize>i << 2));
    const strings = column + COLUMN_STRINGS;
    const json = column + COLUMN_JSON;
    const entries = <u64>load<u32>(strings, DICT_COUNT) + load<u32>(json, DICT_COUNT);
    const lanes = <u64>popcnt(load<u32>(column, COLUMN_KINDS));
    size += lanes * (BATCH_COLUMN_SIZE + load<u32>(column, COLUMN_PATH_LENGTH) + rows / 8 + 160);
    size += <u64>load<u32>(column, COLUMN_COUNT) * 9 + entries * 8;
    size += <u64>load<u32>(strings, DICT_USED) + load<u32>(json, DICT_USED);
  }
  return size > 0xfffffff0 ? 0xfffffff0 : <u32>size;
}

/**
 * Writes the batch at `out`, 16-byte aligned, without checksum, duplicates and rejected counts.
 *
 * Result: its length, or 0 when `capacity` does not hold it and the lateness section that may come behind it.
 */
export function finishBatch(d: usize, out: usize, capacity: u32, firstSequence: i64): u32 {
  const limit = out + capacity;
  const kept = keptRows(d);
  const map = mapRows(d, kept);
  const columns = sortColumns(d);
  const activeCount = load<u32>(d, STATE_ACTIVE_COUNT);
  const descriptors = out + BATCH_HEADER_SIZE;
  let count: u32 = 0;
  for (let i: u32 = 0; i < activeCount; i++) {
    count += countLanes(load<u32>(columns + (<usize>i << 2)), map);
  }
  let p = descriptors + count * BATCH_COLUMN_SIZE;
  if (p + <usize>kept * 40 + SLACK > limit) return 0;
  memory.fill(out, 0, p - out);
  store<u32>(out, BATCH_MAGIC);
  store<u16>(out, BATCH_VERSION, 4);
  store<u32>(out, kept, BATCH_ROWS);
  store<u32>(out, count, BATCH_COLUMNS);
  store<i64>(out, firstSequence, BATCH_FIRST_SEQUENCE);
  store<i64>(out, load<i64>(d, STATE_RECEIVED_AT), BATCH_RECEIVED_AT);
  store<u32>(out, BATCH_HEADER_SIZE, BATCH_DESCRIPTORS);
  p = writeFixed(d, out, p, kept, map);
  let descriptor = descriptors;
  for (let i: u32 = 0; i < activeCount; i++) {
    const column = <usize>load<u32>(columns + (<usize>i << 2));
    for (let lane: u32 = 0; lane < 5; lane++) {
      const present = laneCount(column, lane, map);
      if (present == 0) continue;
      p = writeColumn(out, p, limit, descriptor, column, lane, present, kept, map);
      if (p == 0) return 0;
      descriptor += BATCH_COLUMN_SIZE;
    }
  }
  if (p + align16(<usize>kept * 8) > limit) return 0;
  store<u32>(out, p - out, BATCH_LENGTH);
  return <u32>(p - out);
}

/** For each row of the group its row of the batch, or NO_ROW; 0 when all are the same. */
function mapRows(d: usize, kept: u32): usize {
  const rows = load<u32>(d, DECODER_ROWS);
  if (kept == rows) return 0;
  const map = <usize>load<u32>(d, STATE_ROW_MAP);
  const dropped = <usize>load<u32>(d, DECODER_DROPPED);
  let next: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    store<u32>(map + (<usize>row << 2), bitmapGet(dropped, row) ? NO_ROW : next++);
  }
  return map;
}

/** Pads a section with zeros to the next one. */
@inline
function pad(p: usize): usize {
  v128.store(p, i64x2.splat(0));
  return align16(p);
}

function writeFixed(d: usize, out: usize, p: usize, kept: u32, map: usize): usize {
  const rows = load<u32>(d, DECODER_ROWS);
  const ids = <usize>load<u32>(d, DECODER_IDS);
  const made = <usize>load<u32>(d, DECODER_MADE);
  const times = <usize>load<u32>(d, DECODER_TIMESTAMPS);
  store<u32>(out, p - out, BATCH_IDS);
  const bits = p + (<usize>kept << 4);
  memory.fill(bits, 0, bitmapSize(kept));
  let anyMade = false;
  if (map == 0) {
    memory.copy(p, ids, <usize>rows << 4);
    memory.copy(bits, made, bitmapSize(rows));
    anyMade = bitmapCount(made, rows) != 0;
  }
  for (let row: u32 = 0; map != 0 && row < rows; row++) {
    const target = load<u32>(map + (<usize>row << 2));
    if (target == NO_ROW) continue;
    v128.store(p + (<usize>target << 4), v128.load(ids + (<usize>row << 4)));
    if (!bitmapGet(made, row)) continue;
    bitmapSet(bits, target);
    anyMade = true;
  }
  p = bits;
  if (anyMade) {
    store<u32>(out, p - out, BATCH_MADE_IDS);
    p += bitmapSize(kept);
  }
  store<u32>(out, p - out, BATCH_TIMESTAMPS);
  if (map == 0) memory.copy(p, times, <usize>rows << 3);
  for (let row: u32 = 0; map != 0 && row < rows; row++) {
    const target = load<u32>(map + (<usize>row << 2));
    if (target != NO_ROW) store<i64>(p + (<usize>target << 3), load<i64>(times + (<usize>row << 3)));
  }
  return pad(p + (<usize>kept << 3));
}

/** The kinds of cells in a lane. */
@inline
function kindsOf(lane: u32): u32 {
  if (lane == LANE_NUMBER) return CELL_I64 | CELL_F64;
  if (lane == LANE_STRING) return CELL_STRING;
  if (lane == LANE_BOOLEAN) return CELL_FALSE | CELL_TRUE;
  return lane == LANE_JSON ? CELL_JSON : CELL_NULL;
}

/** Cells of a lane whose rows are kept. */
function laneCount(column: usize, lane: u32, map: usize): u32 {
  const kinds = kindsOf(lane);
  const seen = load<u32>(column, COLUMN_KINDS);
  if ((seen & kinds) == 0) return 0;
  const count = load<u32>(column, COLUMN_COUNT);
  if (map == 0 && (seen & ~kinds) == 0) return count;
  let cell = <usize>load<u32>(column, COLUMN_CELLS);
  const end = cell + (<usize>count << 4);
  let present: u32 = 0;
  for (; cell < end; cell += 16) {
    if ((load<u32>(cell, 4) & kinds) == 0) continue;
    if (map == 0 || load<u32>(map + (<usize>load<u32>(cell) << 2)) != NO_ROW) present++;
  }
  return present;
}

function countLanes(column: usize, map: usize): u32 {
  let lanes: u32 = 0;
  for (let lane: u32 = 0; lane < 5; lane++) if (laneCount(column, lane, map) != 0) lanes++;
  return lanes;
}

/** One lane of a column; the address after it, or 0 when it does not fit. */
function writeColumn(
  out: usize,
  p: usize,
  limit: usize,
  descriptor: usize,
  column: usize,
  lane: u32,
  present: u32,
  kept: u32,
  map: usize,
): usize {
  const length = load<u32>(column, COLUMN_PATH_LENGTH);
  const kinds = kindsOf(lane);
  if (p + length + bitmapSize(kept) + <usize>present * 9 + SLACK * 4 > limit) return 0;
  store<u32>(descriptor, p - out, BATCH_COLUMN_PATH);
  store<u16>(descriptor, length, BATCH_COLUMN_PATH_LENGTH);
  store<u8>(descriptor, lane, BATCH_COLUMN_LANE);
  store<u32>(descriptor, present, BATCH_COLUMN_COUNT);
  memory.copy(p, load<u32>(column, COLUMN_PATH), length);
  p = pad(p + length);
  if (present != kept) {
    store<u32>(descriptor, p - out, BATCH_COLUMN_PRESENCE);
    p = writePresence(p, column, kinds, kept, map);
  }
  if (lane == LANE_NUMBER) return pad(writeNumbers(out, p, descriptor, column, present, map));
  if (lane == LANE_BOOLEAN) return pad(writeBooleans(out, p, descriptor, column, map));
  if (lane == LANE_NULL) return p;
  const dictionary = column + (lane == LANE_STRING ? COLUMN_STRINGS : COLUMN_JSON);
  return writeTexts(out, p, limit, descriptor, column, dictionary, kinds, present, map);
}

function writePresence(p: usize, column: usize, kinds: u32, kept: u32, map: usize): usize {
  const size = bitmapSize(kept);
  memory.fill(p, 0, size);
  let cell = <usize>load<u32>(column, COLUMN_CELLS);
  const end = cell + (<usize>load<u32>(column, COLUMN_COUNT) << 4);
  for (; cell < end; cell += 16) {
    if ((load<u32>(cell, 4) & kinds) == 0) continue;
    let row = load<u32>(cell);
    if (map != 0) row = load<u32>(map + (<usize>row << 2));
    if (row != NO_ROW) bitmapSet(p, row);
  }
  return p + size;
}

/** The group's columns in the order of their paths: the list of active ones, sorted in place. */
function sortColumns(d: usize): usize {
  const list = <usize>load<u32>(d, STATE_ACTIVE);
  const count = load<u32>(d, STATE_ACTIVE_COUNT);
  // Heapsort: no memory, and never quadratic for the many columns that an event may bring along.
  for (let start = count >> 1; start > 0; start--) siftDown(list, start - 1, count);
  for (let end = count; end > 1; end--) {
    const last = list + (<usize>(end - 1) << 2);
    const top = load<u32>(list);
    store<u32>(list, load<u32>(last));
    store<u32>(last, top);
    siftDown(list, 0, end - 1);
  }
  return list;
}

function siftDown(list: usize, start: u32, count: u32): void {
  const moved = load<u32>(list + (<usize>start << 2));
  let hole = start;
  while (true) {
    let child = (hole << 1) + 1;
    if (child >= count) break;
    const at = list + (<usize>child << 2);
    if (child + 1 < count && isPathBefore(load<u32>(at), load<u32>(at, 4))) child++;
    const larger = load<u32>(list + (<usize>child << 2));
    if (!isPathBefore(moved, larger)) break;
    store<u32>(list + (<usize>hole << 2), larger);
    hole = child;
  }
  store<u32>(list + (<usize>hole << 2), moved);
}

/** Whether the path of column `a` comes before that of `b`, byte by byte. */
function isPathBefore(a: usize, b: usize): bool {
  let left = <usize>load<u32>(a, COLUMN_PATH);
  let right = <usize>load<u32>(b, COLUMN_PATH);
  const leftLength = load<u32>(a, COLUMN_PATH_LENGTH);
  const rightLength = load<u32>(b, COLUMN_PATH_LENGTH);
  let rest = min(leftLength, rightLength);
  while (rest >= 16) {
    const differ = ~<u32>i8x16.bitmask(i8x16.eq(v128.load(left), v128.load(right))) & 0xffff;
    if (differ != 0) return load<u8>(left + ctz(differ)) < load<u8>(right + ctz(differ));
    left += 16;
    right += 16;
    rest -= 16;
  }
  const mask: u32 = (1 << rest) - 1;
  const differ = ~<u32>i8x16.bitmask(i8x16.eq(v128.load(left), v128.load(right))) & mask;
  if (differ != 0) return load<u8>(left + ctz(differ)) < load<u8>(right + ctz(differ));
  return leftLength < rightLength;
}

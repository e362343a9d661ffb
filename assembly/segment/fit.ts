// Whether rows of a batch fit a slot, decided before anything is written.
//
// The estimate is never too low: it supposes that every string of the batch is new to the slot's
// dictionaries, and that a page of numbers takes the largest encoding which the batch can make of it.
//
// Scratch, at the start of REGION_BATCHES behind the state of the watermarks (see watermark.ts):
//
//   0        code map: SEGMENT_ROWS_MAX × u32
//   524,288  resolved codes: SEGMENT_ROWS_MAX × u32
//   1 Mi     column indexes: BATCH_COLUMNS_MAX × u32
//   +32,768  used codes: SEGMENT_ROWS_MAX bits (16,384 bytes)

import {
  BATCH_COLUMNS,
  BATCH_COLUMN_COUNT,
  BATCH_COLUMN_DICT_COUNT,
  BATCH_COLUMN_DICT_ENDS,
  BATCH_COLUMN_ENCODING,
  BATCH_COLUMN_LANE,
  BATCH_COLUMN_PATH,
  BATCH_COLUMN_PATH_LENGTH,
  BATCH_COLUMN_PRESENCE,
  BATCH_COLUMN_SIZE,
  BATCH_COLUMN_VALUES,
  BATCH_DESCRIPTORS,
  BATCH_F64,
  BATCH_I64,
  BATCH_LATENESS,
  BATCH_MADE_IDS,
  BATCH_ROWS,
  COLUMN_DICT_COUNT,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_I64,
  PAGE_ID,
  PAGE_MIXED,
  PAGE_NONE,
  PAGE_U8,
  RECORD_SIZE,
  SEGMENT_ROWS_MAX,
  SLOT_COLUMNS,
  SLOT_COLUMN_CAPACITY,
  SLOT_OPEN,
  SLOT_RECORD_CAPACITY,
  SLOT_RECORD_COUNT,
  SLOT_ROWS_WRITTEN,
  SLOT_STATE,
} from "../layout";
import { bitmapGet, bitmapSet } from "../memory/bitmap";
import { CORRUPT_BOUNDS, OK, OUT_OF_MEMORY, SLOT_IS_FULL } from "../status";
import { dictionaryGrowth } from "./dictionary";
import { bitsCount, codeEncoding, pageAt, pageIndex, pageSize } from "./page";
import { COLUMN_NONE, columnArraysSize, columnAt, columnFind, slotRoom } from "./slot";

/** SEGMENT_ROWS_MAX as the unsigned number that rows are compared with. */
const ROWS_MAX: u32 = SEGMENT_ROWS_MAX;
export const BATCH_COLUMNS_MAX: u32 = 8192;
export const SCRATCH_RESOLVED: u32 = SEGMENT_ROWS_MAX * 4;
export const SCRATCH_COLUMNS: u32 = SEGMENT_ROWS_MAX * 8;
const SCRATCH_USED: u32 = SCRATCH_COLUMNS + BATCH_COLUMNS_MAX * 4;
export const SCRATCH_SIZE: u32 = SCRATCH_USED + SEGMENT_ROWS_MAX / 8 + 64;

/** What a page may waste before it when it is aligned. */
const ALIGNMENT: u32 = 16;

/** Present values of a batch's column among the rows [rowBegin, rowBegin + rows). */
@inline
export function presentCount(batch: usize, source: usize, rowBegin: u32, rows: u32): u32 {
  const presence = load<u32>(source, BATCH_COLUMN_PRESENCE);
  if (presence == 0) return rows;
  if (rows == load<u32>(batch, BATCH_ROWS)) return load<u32>(source, BATCH_COLUMN_COUNT);
  return bitsCount(batch + presence, rowBegin, rows);
}

/** Index of the first value of a batch's column at or after `row`. */
@inline
export function valueIndex(batch: usize, source: usize, row: u32): u32 {
  const presence = load<u32>(source, BATCH_COLUMN_PRESENCE);
  return presence == 0 ? row : bitsCount(batch + presence, 0, row);
}

/**
 * Whether the rows [rowBegin, rowEnd) of a batch fit: OK; SLOT_IS_FULL when another slot has to be opened;
 * OUT_OF_MEMORY when there are no rows in this one and still not the room, so that a shorter range has to be tried.
 */
export function fits(slot: usize, batch: usize, rowBegin: u32, rowEnd: u32, scratch: usize): u32 {
  const rows = rowEnd - rowBegin;
  if (rowBegin > rowEnd || rowEnd > load<u32>(batch, BATCH_ROWS)) return CORRUPT_BOUNDS;
  if (rows > ROWS_MAX || load<u32>(batch, BATCH_COLUMNS) > BATCH_COLUMNS_MAX) {
    return CORRUPT_BOUNDS;
  }
  if (load<u32>(slot, SLOT_STATE) != SLOT_OPEN) return SLOT_IS_FULL;
  const written = load<u32>(slot, SLOT_ROWS_WRITTEN);
  if (written + rows > ROWS_MAX) return SLOT_IS_FULL;
  const needed = batchNeeds(slot, batch, rowBegin, rows, scratch);
  if (needed == u64.MAX_VALUE) return CORRUPT_BOUNDS;
  if (needed <= <u64>slotRoom(slot)) return OK;
  return written == 0 ? OUT_OF_MEMORY : SLOT_IS_FULL;
}

/** Bytes that the rows may take at most. Leaves each column's index in the slot, or COLUMN_NONE, in the scratch. */
function batchNeeds(slot: usize, batch: usize, rowBegin: u32, rows: u32, scratch: usize): u64 {
  const first = load<u32>(slot, SLOT_ROWS_WRITTEN);
  // Ids, timestamps, and the columns that few batches have.
  let needed: u64 = fixedPages(slot, 0, PAGE_ID, first, rows) + fixedPages(slot, 1, PAGE_I64, first, rows);
  let added: u32 = 0;
  if (load<u32>(batch, BATCH_LATENESS) != 0) {
    needed += pagesOf(PAGE_I64, first, rows, rows);
    added++;
  }
  if (load<u32>(batch, BATCH_MADE_IDS) != 0) {
    needed += pagesOf(PAGE_NONE, first, rows, rows);
    added++;
  }
  const count = load<u32>(batch, BATCH_COLUMNS);
  let source = batch + load<u32>(batch, BATCH_DESCRIPTORS);
  for (let i: u32 = 0; i < count; i++, source += BATCH_COLUMN_SIZE) {
    const present = presentCount(batch, source, rowBegin, rows);
    if (present == 0) continue;
    const path = batch + load<u32>(source, BATCH_COLUMN_PATH);
    const pathLength = <u32>load<u16>(source, BATCH_COLUMN_PATH_LENGTH);
    const index = columnFind(slot, path, pathLength, load<u8>(source, BATCH_COLUMN_LANE));
    store<u32>(scratch + SCRATCH_COLUMNS + (i << 2), index);
    if (index == COLUMN_NONE) {
      added++;
      needed += pathLength;
    }
    const column: usize = index == COLUMN_NONE ? 0 : columnAt(slot, index);
    const bytes = columnNeeds(batch, source, column, first, rowBegin, rows, present, scratch);
    if (bytes == u64.MAX_VALUE) return bytes;
    needed += bytes;
  }
  const columns = load<u32>(slot, SLOT_COLUMNS) + added;
  let capacity = load<u32>(slot, SLOT_COLUMN_CAPACITY);
  while (capacity < columns) {
    capacity *= 2;
    needed += columnArraysSize(capacity) + 2 * ALIGNMENT;
  }
  const records = load<u32>(slot, SLOT_RECORD_CAPACITY);
  if (load<u32>(slot, SLOT_RECORD_COUNT) == records) needed += records * 2 * RECORD_SIZE + ALIGNMENT;
  return needed;
}

function columnNeeds(
  batch: usize,
  source: usize,
  column: usize,
  first: u32,
  rowBegin: u32,
  rows: u32,
  present: u32,
  scratch: usize,
): u64 {
  const lane = <u32>load<u8>(source, BATCH_COLUMN_LANE);
  const encoding = <u32>load<u8>(source, BATCH_COLUMN_ENCODING);
  if (lane == LANE_NUMBER) {
    const like = encoding == BATCH_I64 ? PAGE_I64 : encoding == BATCH_F64 ? PAGE_F64 : PAGE_MIXED;
    return numberPages(column, like, first, rows, present);
  }
  if (lane == LANE_BOOLEAN) return codePages(column, PAGE_U8, first, rows, present);
  if (lane != LANE_STRING && lane != LANE_JSON) return codePages(column, PAGE_NONE, first, rows, present);
  const whole = rows == load<u32>(batch, BATCH_ROWS);
  const entries = load<u32>(source, BATCH_COLUMN_DICT_COUNT);
  if (entries == 0 || entries > ROWS_MAX) return u64.MAX_VALUE;
  let more = entries;
  let text: u64 = 0;
  if (whole) {
    text = load<u32>(batch + load<u32>(source, BATCH_COLUMN_DICT_ENDS) + ((entries - 1) << 2));
  } else {
    more = present < entries ? present : entries;
    text = usedText(batch, source, valueIndex(batch, source, rowBegin), present, scratch + SCRATCH_USED);
  }
  const before: u32 = column == 0 ? 0 : load<u32>(column, COLUMN_DICT_COUNT);
  const pages = codePages(column, codeEncoding(before + more), first, rows, present);
  return pages + text + dictionaryGrowth(column, more);
}

/** Bytes of the distinct texts behind `count` values from value `from` on. */
function usedText(batch: usize, source: usize, from: u32, count: u32, used: usize): u64 {
  const ends = batch + load<u32>(source, BATCH_COLUMN_DICT_ENDS);
  const width = <u32>load<u8>(source, BATCH_COLUMN_ENCODING);
  if (width == 0) {
    const begin: u32 = from == 0 ? 0 : load<u32>(ends + ((from - 1) << 2));
    return load<u32>(ends + ((from + count - 1) << 2)) - begin;
  }
  memory.fill(used, 0, SEGMENT_ROWS_MAX / 8);
  let text: u64 = 0;
  const values = batch + load<u32>(source, BATCH_COLUMN_VALUES);
  for (let i = from; i < from + count; i++) {
    const code: u32 =
      width == 1 ? load<u8>(values + i) : width == 2 ? load<u16>(values + (i << 1)) : load<u32>(values + (i << 2));
    if (bitmapGet(used, code)) continue;
    bitmapSet(used, code);
    const begin: u32 = code == 0 ? 0 : load<u32>(ends + ((code - 1) << 2));
    text += load<u32>(ends + (code << 2)) - begin;
  }
  return text;
}

/** New pages of `encoding` for `present` values in `rows` rows from `first` on. */
function pagesOf(encoding: u32, first: u32, rows: u32, present: u32): u64 {
  if (rows == 0) return 0;
  const spanned = pageIndex(first + rows - 1) - pageIndex(first) + 1;
  return <u64>(spanned < present ? spanned : present) * (pageSize(encoding) + ALIGNMENT);
}

@inline
function fixedPages(slot: usize, index: u32, encoding: u32, first: u32, rows: u32): u64 {
  return codePages(columnAt(slot, index), encoding, first, rows, rows);
}

/** Pages of codes or of one fixed encoding: those that exist and are wide enough cost nothing. */
function codePages(column: usize, encoding: u32, first: u32, rows: u32, present: u32): u64 {
  if (column == 0 || rows == 0) return pagesOf(encoding, first, rows, present);
  const size = pageSize(encoding) + ALIGNMENT;
  let bytes: u64 = 0;
  for (let page = pageIndex(first); page <= pageIndex(first + rows - 1); page++) {
    const at = pageAt(column, page);
    if (at == 0 || load<u32>(at, PAGE_ENCODING) < encoding) bytes += size;
  }
  return bytes;
}

/** Pages of numbers: one that has the batch's encoding already, or takes any, costs nothing. */
function numberPages(column: usize, like: u32, first: u32, rows: u32, present: u32): u64 {
  if (column == 0) return pagesOf(like, first, rows, present);
  let bytes: u64 = 0;
  for (let page = pageIndex(first); page <= pageIndex(first + rows - 1); page++) {
    const at = pageAt(column, page);
    if (at == 0) bytes += pageSize(like) + ALIGNMENT;
    else {
      const encoding = load<u32>(at, PAGE_ENCODING);
      if (encoding != like && encoding != PAGE_MIXED) bytes += pageSize(PAGE_MIXED) + ALIGNMENT;
    }
  }
  return bytes;
}

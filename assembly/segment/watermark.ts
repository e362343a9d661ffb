// Watermarks: how far each source's event time has come, and by how much an event is late against its own source.
//
// The table, at the start of REGION_BATCHES; everything before the scratch is state that may be copied out and in.
//
//   0    sources max u32 │ 4 places u32, a power of two │ 8 sources u32 │ 12 zeros
//   16   late rows u64 │ 24 future rows u64
//   32   watermark of events without a source i64 µs │ 40 watermark that the sources beyond the maximum share i64 µs
//   48   zeros to 64
//   64   places × { hash u64 of the source, 0: free; watermark i64 µs }
//   then scratch, SCRATCH_SIZE bytes (see fit.ts), which is not state
//
// A snapshot of it is the header and, one after another, the places that are taken: a segment carries one, and most
// tables are nearly empty.
//
// A watermark is the latest timestamp seen, i64.MIN_VALUE before the first.

import {
  BATCH_COLUMNS,
  BATCH_COLUMN_DICT_BYTES,
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
  BATCH_LATENESS,
  BATCH_LENGTH,
  BATCH_RECEIVED_AT,
  BATCH_ROWS,
  BATCH_TIMESTAMPS,
  LANE_STRING,
  SEGMENT_ROWS_MAX,
} from "../layout";
import { bitmapGet } from "../memory/bitmap";
import { hashBytes } from "../memory/hash";
import { CORRUPT_BOUNDS, OK } from "../status";
import { SCRATCH_SIZE } from "./fit";

const ROWS_MAX: u32 = SEGMENT_ROWS_MAX;
const SOURCES_MAX: u32 = 0;
const PLACES: u32 = 4;
const SOURCES: u32 = 8;
const LATE_ROWS: u32 = 16;
const FUTURE_ROWS: u32 = 24;
const ABSENT: u32 = 32;
const SHARED: u32 = 40;
const HEADER_SIZE: u32 = 64;
const PLACE_SIZE: u32 = 16;

@inline
function placesFor(sourcesMax: u32): u32 {
  return sourcesMax < 2 ? 4 : <u32>2 << (32 - clz(sourcesMax - 1));
}

/** Bytes of the table's state. */
export function watermarkStateSize(sourcesMax: u32): u32 {
  return HEADER_SIZE + placesFor(sourcesMax) * PLACE_SIZE;
}

/** Bytes at the start of REGION_BATCHES that are not for batches: the state and the scratch, 64-byte aligned. */
export function watermarkTableSize(sourcesMax: u32): u32 {
  return (watermarkStateSize(sourcesMax) + SCRATCH_SIZE + 63) & ~63;
}

/** The scratch of the thread that writes, behind the state. */
@inline
export function watermarkScratch(table: usize): usize {
  return table + HEADER_SIZE + load<u32>(table, PLACES) * PLACE_SIZE;
}

/** Makes an empty table for `sourcesMax` sources with a watermark of their own. */
export function watermarkFormat(table: usize, sourcesMax: u32): void {
  memory.fill(table, 0, watermarkStateSize(sourcesMax));
  store<u32>(table, sourcesMax, SOURCES_MAX);
  store<u32>(table, placesFor(sourcesMax), PLACES);
  store<i64>(table, i64.MIN_VALUE, ABSENT);
  store<i64>(table, i64.MIN_VALUE, SHARED);
}

/** Rows that were later than their source's watermark, so far. */
export function watermarkLateRows(table: usize): u64 {
  return load<u64>(table, LATE_ROWS);
}

/** Rows whose timestamp was too far ahead to advance a watermark, so far. */
export function watermarkFutureRows(table: usize): u64 {
  return load<u64>(table, FUTURE_ROWS);
}

/**
 * Gives each row of a batch its lateness and advances the watermarks, row by row.
 *
 * Exactness: lateness = max(0, watermark of the row's source − timestamp); a timestamp beyond
 *            received at + `maxSkewUs` is counted as future and advances nothing.
 * Memory:    if a row is late, the lateness section is written at the batch's end, in the rows × 8 bytes (to a
 *            multiple of 16) that are reserved there, and the batch's length grows by it.
 *            A batch that has the section already only advances the watermarks.
 */
export function latenessOf(batch: usize, table: usize, maxSkewUs: i64): u32 {
  return run(batch, table, maxSkewUs, load<u32>(batch, BATCH_LATENESS) == 0);
}

/** Advances the watermarks and counters as `latenessOf` does, and leaves the batch as it is. */
export function watermarkAdvance(batch: usize, table: usize, maxSkewUs: i64): u32 {
  return run(batch, table, maxSkewUs, false);
}

function run(batch: usize, table: usize, maxSkewUs: i64, write: bool): u32 {
  const rows = load<u32>(batch, BATCH_ROWS);
  const source = sourceColumn(batch);
  const entries: u32 = source == 0 ? 0 : load<u32>(source, BATCH_COLUMN_DICT_COUNT);
  if (rows > ROWS_MAX || entries > ROWS_MAX) return CORRUPT_BOUNDS;
  // Per code of the batch the address of its source's watermark, 0 while not looked up.
  const known = watermarkScratch(table);
  memory.fill(known, 0, <usize>entries << 2);
  const bits: u32 = source == 0 ? 0 : load<u32>(source, BATCH_COLUMN_PRESENCE);
  const timestamps = batch + load<u32>(batch, BATCH_TIMESTAMPS);
  const section = (load<u32>(batch, BATCH_LENGTH) + 15) & ~15;
  const bound = load<i64>(batch, BATCH_RECEIVED_AT) + maxSkewUs;
  let value: u32 = 0;
  let late: u32 = 0;
  let future: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    let mark = table + ABSENT;
    if (source != 0 && (bits == 0 || bitmapGet(batch + bits, row))) {
      mark = markOf(batch, source, table, known, value++);
    }
    const time = load<i64>(timestamps + (row << 3));
    const watermark = load<i64>(mark);
    const lateness: i64 = time < watermark ? watermark - time : 0;
    if (lateness != 0 && late++ == 0 && write) {
      // The rows before the first late one.
      memory.fill(batch + section, 0, row << 3);
    }
    if (late != 0 && write) store<i64>(batch + section + (row << 3), lateness);
    if (time > bound) future++;
    else if (time > watermark) store<i64>(mark, time);
  }
  store<u64>(table, load<u64>(table, LATE_ROWS) + late, LATE_ROWS);
  store<u64>(table, load<u64>(table, FUTURE_ROWS) + future, FUTURE_ROWS);
  if (late != 0 && write) {
    const end = section + (rows << 3);
    if ((rows & 1) != 0) store<u64>(batch + end, 0);
    store<u32>(batch, section, BATCH_LATENESS);
    store<u32>(batch, (end + 15) & ~15, BATCH_LENGTH);
  }
  return OK;
}

/** The descriptor of the batch's column `source`, or 0. */
function sourceColumn(batch: usize): usize {
  const count = load<u32>(batch, BATCH_COLUMNS);
  let column = batch + load<u32>(batch, BATCH_DESCRIPTORS);
  for (let i: u32 = 0; i < count; i++, column += BATCH_COLUMN_SIZE) {
    if (load<u16>(column, BATCH_COLUMN_PATH_LENGTH) != 6) continue;
    if (load<u8>(column, BATCH_COLUMN_LANE) != LANE_STRING) continue;
    const path = batch + load<u32>(column, BATCH_COLUMN_PATH);
    if ((load<u64>(path) & 0xffffffffffff) == 0x656372756f73) return column;
  }
  return 0;
}

/** Address of the watermark of the source that value `value` names. */
@inline
function markOf(batch: usize, source: usize, table: usize, known: usize, value: u32): usize {
  const values = batch + load<u32>(source, BATCH_COLUMN_VALUES);
  const width = <u32>load<u8>(source, BATCH_COLUMN_ENCODING);
  let code = value;
  if (width == 1) code = load<u8>(values + value);
  else if (width == 2) code = load<u16>(values + (value << 1));
  else if (width == 4) code = load<u32>(values + (value << 2));
  const cached = load<u32>(known + (code << 2));
  if (cached != 0) return cached;
  const ends = batch + load<u32>(source, BATCH_COLUMN_DICT_ENDS);
  const begin: u32 = code == 0 ? 0 : load<u32>(ends + ((code - 1) << 2));
  const text = batch + load<u32>(source, BATCH_COLUMN_DICT_BYTES) + begin;
  const mark = markFind(table, hashBytes(text, load<u32>(ends + (code << 2)) - begin));
  store<u32>(known + (code << 2), <u32>mark);
  return mark;
}

/** Enters the watermark of the source with hash `hash`, as a snapshot kept it; a later one stays. */
export function watermarkEnter(table: usize, hash: u64, watermark: i64): void {
  const mark = markFind(table, hash);
  if (watermark > load<i64>(mark)) store<i64>(mark, watermark);
}

/** Finds or enters a source; one too many gets the watermark that they share. */
function markFind(table: usize, hash: u64): usize {
  const key = hash == 0 ? 1 : hash;
  const mask = load<u32>(table, PLACES) - 1;
  let i = <u32>key & mask;
  let place = table + HEADER_SIZE + i * PLACE_SIZE;
  while (load<u64>(place) != 0) {
    if (load<u64>(place) == key) return place + 8;
    i = (i + 1) & mask;
    place = table + HEADER_SIZE + i * PLACE_SIZE;
  }
  const sources = load<u32>(table, SOURCES);
  if (sources >= load<u32>(table, SOURCES_MAX)) return table + SHARED;
  store<u32>(table, sources + 1, SOURCES);
  store<u64>(place, key);
  store<i64>(place, i64.MIN_VALUE, 8);
  return place + 8;
}

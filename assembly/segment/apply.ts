// Applies a ColumnBatch to the open slot: the batch's compact values go to the slot's pages, its dictionary
// codes become the slot's. Everything is written behind the published rows; the last store publishes it.

import {
  BATCH_COLUMNS,
  BATCH_COLUMN_DICT_COUNT,
  BATCH_COLUMN_DICT_BYTES,
  BATCH_COLUMN_DICT_ENDS,
  BATCH_COLUMN_ENCODING,
  BATCH_COLUMN_LANE,
  BATCH_COLUMN_PATH,
  BATCH_COLUMN_PATH_LENGTH,
  BATCH_COLUMN_PRESENCE,
  BATCH_COLUMN_SIZE,
  BATCH_COLUMN_VALUES,
  BATCH_DESCRIPTORS,
  BATCH_DUPLICATES,
  BATCH_IDS,
  BATCH_LATENESS,
  BATCH_MADE_IDS,
  BATCH_RECEIVED_AT,
  BATCH_REJECTED,
  BATCH_ROWS,
  BATCH_TIMESTAMPS,
  COLUMN_DICT_COUNT,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_ENCODING,
  PAGE_I64,
  PAGE_ID,
  PAGE_NONE,
  PAGE_PRESENCE,
  PAGE_U16,
  PAGE_U8,
  PAGE_VALUES,
  RECORD_DUPLICATES,
  RECORD_FIRST_ROW,
  RECORD_RECEIVED_AT,
  RECORD_REJECTED,
  RECORD_ROWS,
  REGION_BATCHES,
  ROOT_REGIONS,
  SLOT_RECORD_COUNT,
  SLOT_ROWS,
  SLOT_ROWS_WRITTEN,
  SLOT_TIME_MAX,
  SLOT_TIME_MIN,
} from "../layout";
import { bitmapFill, bitmapSet } from "../memory/bitmap";
import { OK } from "../status";
import { CODE_NONE, dictionaryIntern, dictionaryReserve } from "./dictionary";
import { SCRATCH_COLUMNS, SCRATCH_RESOLVED, fits, presentCount, valueIndex } from "./fit";
import { putNumbers } from "./numbers";
import {
  bitsAt,
  bitsCount,
  bitsOr,
  codeEncoding,
  pageCount,
  pageGet,
  pageIndex,
  pageOfCodes,
  pageTake,
  rowInPage,
} from "./page";
import {
  COLUMN_ID,
  COLUMN_NONE,
  COLUMN_TIMESTAMP,
  NAME_LATENESS,
  NAME_MADE,
  columnAdd,
  columnAt,
  columnFind,
  recordAdd,
} from "./slot";
import { watermarkScratch } from "./watermark";

/** The scratch of the thread that writes: behind the watermarks at the start of REGION_BATCHES. */
@inline
function applyScratch(): usize {
  return watermarkScratch(load<u32>(ROOT_REGIONS + REGION_BATCHES * 8));
}

/** Whether the rows [rowBegin, rowEnd) of a batch fit the slot: OK, SLOT_IS_FULL or OUT_OF_MEMORY (see fit.ts). */
export function slotFits(slot: usize, batch: usize, rowBegin: u32, rowEnd: u32): u32 {
  return fits(slot, batch, rowBegin, rowEnd, applyScratch());
}

/**
 * Applies the rows [rowBegin, rowEnd) of a verified batch and publishes them, with a record of their own.
 *
 * Answers OK, or SLOT_IS_FULL, OUT_OF_MEMORY or CORRUPT_BOUNDS with nothing changed that a reader could see.
 * A batch that does not fit an empty slot is applied in parts; its duplicates and rejected events are counted
 * in the record of the part that begins with row 0.
 *
 * Memory: writes only between the slot's top and its limit, and behind its published rows.
 */
export function slotApply(slot: usize, batch: usize, rowBegin: u32, rowEnd: u32): u32 {
  const scratch = applyScratch();
  const status = fits(slot, batch, rowBegin, rowEnd, scratch);
  if (status != OK) return status;
  const first = load<u32>(slot, SLOT_ROWS_WRITTEN);
  const rows = rowEnd - rowBegin;
  if (rows != 0) {
    applyFixed(slot, batch, rowBegin, rows, first);
    const count = load<u32>(batch, BATCH_COLUMNS);
    let source = batch + load<u32>(batch, BATCH_DESCRIPTORS);
    for (let i: u32 = 0; i < count; i++, source += BATCH_COLUMN_SIZE) {
      const present = presentCount(batch, source, rowBegin, rows);
      if (present == 0) continue;
      const index = load<u32>(scratch + SCRATCH_COLUMNS + (i << 2));
      applyColumn(slot, batch, source, index, rowBegin, rows, first, present, scratch);
    }
  }
  const record = recordAdd(slot);
  store<u32>(record, first, RECORD_FIRST_ROW);
  store<u32>(record, rows, RECORD_ROWS);
  store<i64>(record, load<i64>(batch, BATCH_RECEIVED_AT), RECORD_RECEIVED_AT);
  store<u32>(record, rowBegin == 0 ? load<u32>(batch, BATCH_DUPLICATES) : 0, RECORD_DUPLICATES);
  store<u32>(record, rowBegin == 0 ? load<u32>(batch, BATCH_REJECTED) : 0, RECORD_REJECTED);
  store<u32>(slot, first + rows, SLOT_ROWS_WRITTEN);
  atomic.store<u32>(slot, load<u32>(slot, SLOT_RECORD_COUNT) + 1, SLOT_RECORD_COUNT);
  atomic.store<u32>(slot, first + rows, SLOT_ROWS);
  return OK;
}

/** Ids, timestamps with the slot's time range, lateness and the marks of engine-made ids. */
function applyFixed(slot: usize, batch: usize, rowBegin: u32, rows: u32, first: u32): void {
  const timestamps = batch + load<u32>(batch, BATCH_TIMESTAMPS) + (rowBegin << 3);
  putDense(slot, COLUMN_ID, batch + load<u32>(batch, BATCH_IDS) + (rowBegin << 4), rows, first, PAGE_ID, 4);
  putDense(slot, COLUMN_TIMESTAMP, timestamps, rows, first, PAGE_I64, 3);
  let least = load<i64>(slot, SLOT_TIME_MIN);
  let greatest = load<i64>(slot, SLOT_TIME_MAX);
  const end = timestamps + (rows << 3);
  for (let at = timestamps; at < end; at += 8) {
    const time = load<i64>(at);
    if (time < least) least = time;
    if (time > greatest) greatest = time;
  }
  atomic.store<i64>(slot, least, SLOT_TIME_MIN);
  atomic.store<i64>(slot, greatest, SLOT_TIME_MAX);
  const lateness = load<u32>(batch, BATCH_LATENESS);
  if (lateness != 0) putLateness(slot, batch + lateness + (rowBegin << 3), rows, first);
  const made = load<u32>(batch, BATCH_MADE_IDS);
  if (made != 0 && bitsCount(batch + made, rowBegin, rows) != 0) {
    const index = fixedColumn(slot, NAME_MADE, 7, LANE_NULL);
    putPresence(slot, columnAt(slot, index), batch + made, rowBegin, rows, first);
  }
}

function fixedColumn(slot: usize, name: u32, length: u32, lane: u32): u32 {
  const index = columnFind(slot, slot + name, length, lane);
  return index != COLUMN_NONE ? index : columnAdd(slot, slot + name, length, lane, false);
}

/** Copies one value of 1 << `shift` bytes for every row. */
function putDense(
  slot: usize,
  index: u32,
  from: usize,
  rows: u32,
  first: u32,
  encoding: u32,
  shift: u32,
): void {
  const column = columnAt(slot, index);
  for (let done: u32 = 0; done < rows; ) {
    const row = first + done;
    const inPage = rowInPage(row);
    const take = pageTake(row, rows - done);
    const page = pageGet(slot, column, pageIndex(row), encoding);
    memory.copy(page + PAGE_VALUES + (inPage << shift), from + (done << shift), take << shift);
    bitmapFill(page + PAGE_PRESENCE, inPage, inPage + take);
    pageCount(column, page, take);
    done += take;
  }
}

/** The rows whose lateness is not 0 get a value in `lateness_us`. */
function putLateness(slot: usize, from: usize, rows: u32, first: u32): void {
  for (let i: u32 = 0; i < rows; i++) {
    const lateness = load<i64>(from + (i << 3));
    if (lateness == 0) continue;
    const column = columnAt(slot, fixedColumn(slot, NAME_LATENESS, 11, LANE_NUMBER));
    const row = first + i;
    const page = pageGet(slot, column, pageIndex(row), PAGE_I64);
    const inPage = rowInPage(row);
    store<i64>(page + PAGE_VALUES + (inPage << 3), lateness);
    bitmapSet(page + PAGE_PRESENCE, inPage);
    pageCount(column, page, 1);
  }
}

/** Marks every row, or with `bits` those whose bit is set, in pages that hold nothing else. */
function putPresence(
  slot: usize,
  column: usize,
  bits: usize,
  rowBegin: u32,
  rows: u32,
  first: u32,
): void {
  for (let done: u32 = 0; done < rows; ) {
    const row = first + done;
    const inPage = rowInPage(row);
    const take = pageTake(row, rows - done);
    const present = bits == 0 ? take : bitsCount(bits, rowBegin + done, take);
    if (present != 0) {
      const page = pageGet(slot, column, pageIndex(row), PAGE_NONE);
      if (bits == 0) bitmapFill(page + PAGE_PRESENCE, inPage, inPage + take);
      else bitsOr(page + PAGE_PRESENCE, inPage, bits, rowBegin + done, take);
      pageCount(column, page, present);
    }
    done += take;
  }
}

/** Applies one column of the batch; `known` is its index in the slot, or COLUMN_NONE. */
function applyColumn(
  slot: usize,
  batch: usize,
  source: usize,
  known: u32,
  rowBegin: u32,
  rows: u32,
  first: u32,
  present: u32,
  scratch: usize,
): void {
  const lane = <u32>load<u8>(source, BATCH_COLUMN_LANE);
  let index = known;
  if (index == COLUMN_NONE) {
    const path = batch + load<u32>(source, BATCH_COLUMN_PATH);
    index = columnAdd(slot, path, load<u16>(source, BATCH_COLUMN_PATH_LENGTH), lane, true);
  }
  const column = columnAt(slot, index);
  const presence = load<u32>(source, BATCH_COLUMN_PRESENCE);
  const bits: usize = presence == 0 ? 0 : batch + presence;
  if (lane == LANE_NUMBER) {
    const from = valueIndex(batch, source, rowBegin);
    putNumbers(slot, column, batch, source, bits, from, rowBegin, rows, first);
  } else if (lane == LANE_STRING || lane == LANE_JSON) {
    const codes = resolveCodes(slot, column, batch, source, rowBegin, rows, present, scratch);
    const encoding = codeEncoding(load<u32>(column, COLUMN_DICT_COUNT));
    putCodes(slot, column, bits, codes, encoding, rowBegin, rows, first);
  } else if (lane == LANE_BOOLEAN) {
    const values = batch + load<u32>(source, BATCH_COLUMN_VALUES) + valueIndex(batch, source, rowBegin);
    const codes = scratch + SCRATCH_RESOLVED;
    for (let i: u32 = 0; i < present; i++) store<u32>(codes + (i << 2), load<u8>(values + i));
    putCodes(slot, column, bits, codes, PAGE_U8, rowBegin, rows, first);
  } else {
    putPresence(slot, column, bits, rowBegin, rows, first);
  }
}

/**
 * The slot's codes of a column's values among the rows, one u32 each; each distinct text is looked up once.
 * Answers their address, in the scratch.
 */
function resolveCodes(
  slot: usize,
  column: usize,
  batch: usize,
  source: usize,
  rowBegin: u32,
  rows: u32,
  present: u32,
  scratch: usize,
): usize {
  const entries = load<u32>(source, BATCH_COLUMN_DICT_COUNT);
  const whole = rows == load<u32>(batch, BATCH_ROWS);
  dictionaryReserve(slot, column, whole || present > entries ? entries : present);
  const ends = batch + load<u32>(source, BATCH_COLUMN_DICT_ENDS);
  const bytes = batch + load<u32>(source, BATCH_COLUMN_DICT_BYTES);
  const from = valueIndex(batch, source, rowBegin);
  const resolved = scratch + SCRATCH_RESOLVED;
  const width = <u32>load<u8>(source, BATCH_COLUMN_ENCODING);
  if (width == 0) {
    let begin: u32 = from == 0 ? 0 : load<u32>(ends + ((from - 1) << 2));
    for (let i: u32 = 0; i < present; i++) {
      const end = load<u32>(ends + ((from + i) << 2));
      store<u32>(resolved + (i << 2), dictionaryIntern(slot, column, bytes + begin, end - begin));
      begin = end;
    }
    return resolved;
  }
  memory.fill(scratch, 0xff, <usize>entries << 2);
  const values = batch + load<u32>(source, BATCH_COLUMN_VALUES);
  if (width == 1) mapCodes<u8>(slot, column, values + from, present, ends, bytes, scratch);
  else if (width == 2) mapCodes<u16>(slot, column, values + (from << 1), present, ends, bytes, scratch);
  else mapCodes<u32>(slot, column, values + (from << 2), present, ends, bytes, scratch);
  return resolved;
}

/** Maps codes of the batch to codes of the slot, through a map that fills itself. */
function mapCodes<Code>(
  slot: usize,
  column: usize,
  values: usize,
  count: u32,
  ends: usize,
  bytes: usize,
  map: usize,
): void {
  let to = map + SCRATCH_RESOLVED;
  const end = to + (count << 2);
  while (to < end) {
    const code = <u32>load<Code>(values);
    let mapped = load<u32>(map + (code << 2));
    if (mapped == CODE_NONE) {
      const begin: u32 = code == 0 ? 0 : load<u32>(ends + ((code - 1) << 2));
      mapped = dictionaryIntern(slot, column, bytes + begin, load<u32>(ends + (code << 2)) - begin);
      store<u32>(map + (code << 2), mapped);
    }
    store<u32>(to, mapped);
    values += sizeof<Code>();
    to += 4;
  }
}

/** Writes codes to pages that are as wide as `encoding` at least. */
function putCodes(
  slot: usize,
  column: usize,
  bits: usize,
  codes: usize,
  encoding: u32,
  rowBegin: u32,
  rows: u32,
  first: u32,
): void {
  for (let done: u32 = 0; done < rows; ) {
    const row = first + done;
    const inPage = rowInPage(row);
    const take = pageTake(row, rows - done);
    const present = bits == 0 ? take : bitsCount(bits, rowBegin + done, take);
    if (present != 0) {
      const page = pageOfCodes(slot, column, pageIndex(row), encoding);
      const width = load<u32>(page, PAGE_ENCODING);
      const to = page + PAGE_VALUES;
      const from = rowBegin + done;
      if (width == PAGE_U8) storeCodes<u8>(to, inPage, codes, bits, from, take);
      else if (width == PAGE_U16) storeCodes<u16>(to, inPage, codes, bits, from, take);
      else storeCodes<u32>(to, inPage, codes, bits, from, take);
      if (bits == 0) bitmapFill(page + PAGE_PRESENCE, inPage, inPage + take);
      else bitsOr(page + PAGE_PRESENCE, inPage, bits, from, take);
      pageCount(column, page, present);
      codes += present << 2;
    }
    done += take;
  }
}

/** Stores codes to the rows of a page from `inPage` on: to every row, or to those whose bit is set. */
function storeCodes<Code>(
  values: usize,
  inPage: u32,
  codes: usize,
  bits: usize,
  from: u32,
  rows: u32,
): void {
  let to = values + inPage * sizeof<Code>();
  if (bits == 0) {
    const end = codes + (rows << 2);
    for (; codes < end; codes += 4, to += sizeof<Code>()) store<Code>(to, <Code>load<u32>(codes));
    return;
  }
  for (let done: u32 = 0; done < rows; done += 64) {
    let word = bitsAt(bits, from + done, rows - done < 64 ? rows - done : 64);
    while (word != 0) {
      const row = done + <u32>ctz(word);
      store<Code>(to + row * sizeof<Code>(), <Code>load<u32>(codes));
      codes += 4;
      word &= word - 1;
    }
  }
}

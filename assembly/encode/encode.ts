// A column of a full slot, or of a reader's cache, becomes the bytes of one LMDB value (format.ts draws them).
import {
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
  SEGMENT_ROWS_MAX,
} from "../layout";
import { bitmapSize } from "../memory/bitmap";
import { crc32c } from "../memory/crc32c";
import { CORRUPT_BOUNDS, CORRUPT_ENCODING, OK, OUT_OF_MEMORY } from "../status";
import { encodeTexts } from "./encode-texts";
import {
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_CRC,
  COLUMN_BYTES_DICT,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_ENCODING,
  COLUMN_BYTES_EXPONENT,
  COLUMN_BYTES_FORM,
  COLUMN_BYTES_HEADER_SIZE,
  COLUMN_BYTES_KINDS,
  COLUMN_BYTES_LANE,
  COLUMN_BYTES_LENGTH,
  COLUMN_BYTES_MAGIC,
  COLUMN_BYTES_MAX,
  COLUMN_BYTES_MIN,
  COLUMN_BYTES_PAGES,
  COLUMN_BYTES_PRESENCE,
  COLUMN_BYTES_PRESENCE_KIND,
  COLUMN_BYTES_ROWS,
  COLUMN_BYTES_TEXT,
  COLUMN_BYTES_VALUES,
  COLUMN_BYTES_VERSION,
  COLUMN_BYTES_ZONE_KINDS,
  ENCODING_DICTIONARY,
  ENCODING_ID_BITS,
  ENCODING_PACKED,
  ENCODING_RAW,
  ENCODING_XOR,
  FORM_BOOLEAN,
  FORM_CODE,
  FORM_DECIMAL,
  FORM_F64,
  FORM_I64,
  FORM_ID,
  FORM_MIXED,
  FORM_NONE,
  PRESENCE_ABSENT_ROWS,
  PRESENCE_ALL,
  PRESENCE_BITMAP,
  PRESENCE_NONE,
  PRESENCE_ROWS,
} from "./format";
import { HAS_F64, HAS_I64, pagesOf } from "./gather";
import { planIds, writeIds } from "./id-blocks";
import { decimalExponent, zoneOfIntegers, zoneOfNumbers } from "./numbers";
import { planStream, writeStream } from "./packed-stream";
import {
  gatherPartsEntries,
  gatherPartsIds,
  gatherPartsNumbers,
  gatherPartsPresence,
  gatherPartsUnsigned,
  partsEntryCount,
  partsLane,
  partsRows,
} from "./parts";
import { findWords, WORD_TABLE_SIZE } from "./word-dictionary";
import {
  DELTAS,
  FIRST_PLAN,
  ITEMS,
  KINDS,
  NEW_CODE_MAX,
  ONLY_PART,
  openOutput,
  outputLength,
  PRESENCE,
  reserve,
  SECOND_PLAN,
  SECOND_WORDS,
  THIRD_PLAN,
  THIRD_WORDS,
  WORDS,
} from "./workspace";
import { writeXor, xorSize } from "./xor-blocks";

/** Ids are taken apart when that saves one part in 2^5. */
const ID_SAVED_SHIFT: u32 = 5;

/**
 * Encodes the first `rows` rows of a column to `out`; the length stands at COLUMN_BYTES_LENGTH. The smallest
 * and the largest text are left at the start of the scratch (ENCODE_RESULT_…), as addresses in the column.
 *
 * Answers OK, OUT_OF_MEMORY when it does not fit `capacity`, or CORRUPT_… for a column that is not one.
 * Exactness: every value decodes to the same bits, except that an i64 in a column that also has f64 values may
 *            come back as the equal f64 (see FORM_DECIMAL).
 * Memory:    writes only [out, out + capacity) and [scratch, scratch + ENCODE_SCRATCH_SIZE).
 */
export function encodeColumn(
  column: usize,
  rows: u32,
  out: usize,
  capacity: u32,
  scratch: usize,
  scratchSize: u32,
): u32 {
  if (!openOutput(scratch, scratchSize, out, capacity)) return OUT_OF_MEMORY;
  store<u32>(scratch, <u32>column, ONLY_PART);
  store<u32>(scratch, rows, ONLY_PART + 4);
  return encodeParts(scratch + ONLY_PART, 1, 0, out, scratch);
}

/**
 * Encodes the rows of several columns of one lane, one after another, as encodeColumn would if they lay in one
 * column. `parts` is partCount × { column u32, rows u32 }, a column being 0 where no row of the part has a value.
 *
 * Memory: writes `entries` too, 8 bytes for each dictionary entry of the parts.
 */
export function encodeColumns(
  parts: usize,
  partCount: u32,
  entries: usize,
  out: usize,
  capacity: u32,
  scratch: usize,
  scratchSize: u32,
): u32 {
  if (!openOutput(scratch, scratchSize, out, capacity)) return OUT_OF_MEMORY;
  return encodeParts(parts, partCount, entries, out, scratch);
}

function encodeParts(
  parts: usize,
  partCount: u32,
  entries: usize,
  out: usize,
  scratch: usize,
): u32 {
  const allRows = partsRows(parts, partCount);
  if (allRows == 0 || allRows > <u64>SEGMENT_ROWS_MAX) return CORRUPT_BOUNDS;
  const rows = <u32>allRows;
  if (reserve(scratch, COLUMN_BYTES_HEADER_SIZE) == 0) return OUT_OF_MEMORY;
  const lane = partsLane(parts, partCount);
  const count = gatherPartsPresence(parts, partCount, rows, scratch + PRESENCE, scratch + DELTAS);
  memory.fill(out, 0, COLUMN_BYTES_HEADER_SIZE);
  store<u32>(out, COLUMN_BYTES_MAGIC);
  store<u16>(out, COLUMN_BYTES_VERSION, 4);
  store<u32>(out, rows, COLUMN_BYTES_ROWS);
  store<u32>(out, count, COLUMN_BYTES_COUNT);
  store<u8>(out, <u8>lane, COLUMN_BYTES_LANE);
  store<u32>(out, pagesOf(scratch + PRESENCE, rows), COLUMN_BYTES_PAGES);
  let status = writePresence(rows, count, out, scratch);
  if (status != OK) return status;
  if (lane == LANE_NUMBER) status = encodeNumbers(parts, partCount, count, out, scratch);
  else if (lane == LANE_STRING || lane == LANE_JSON)
    status = encodeCodes(parts, partCount, entries, count, out, scratch);
  else if (lane == LANE_BOOLEAN) status = encodeBooleans(parts, partCount, count, out, scratch);
  else if (lane == LANE_ID) status = encodeIds(parts, partCount, count, out, scratch);
  else if (lane == LANE_NULL) store<u8>(out, FORM_NONE, COLUMN_BYTES_FORM);
  else status = CORRUPT_ENCODING;
  if (status != OK) return status;
  // A text section ends with its last byte, so that its deflated form can take its place.
  if (load<u32>(out, COLUMN_BYTES_TEXT) == 0)
    store<u32>(out, outputLength(scratch), COLUMN_BYTES_LENGTH);
  const length = load<u32>(out, COLUMN_BYTES_LENGTH);
  store<u32>(out, crc32c(out + 16, length - 16), COLUMN_BYTES_CRC);
  return OK;
}

/** Writes which rows have a value in the fewest bytes. */
function writePresence(rows: u32, count: u32, out: usize, scratch: usize): u32 {
  if (count == rows || count == 0) {
    store<u8>(out, <u8>(count == 0 ? PRESENCE_NONE : PRESENCE_ALL), COLUMN_BYTES_PRESENCE_KIND);
    return OK;
  }
  const bitmap = scratch + PRESENCE;
  const listed = min(count, rows - count);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_PRESENCE);
  if (listed <= rows >> 2) {
    const list = scratch + THIRD_WORDS;
    writeRows(bitmap, rows, listed == count ? 0 : u64.MAX_VALUE, list);
    const bytes = planStream(list, listed, scratch + FIRST_PLAN);
    if (bytes < bitmapSize(rows)) {
      const kind = listed == count ? PRESENCE_ROWS : PRESENCE_ABSENT_ROWS;
      store<u8>(out, <u8>kind, COLUMN_BYTES_PRESENCE_KIND);
      return writePlanned(list, listed, scratch + FIRST_PLAN, bytes, scratch);
    }
  }
  store<u8>(out, PRESENCE_BITMAP, COLUMN_BYTES_PRESENCE_KIND);
  const address = reserve(scratch, bitmapSize(rows));
  if (address == 0) return OUT_OF_MEMORY;
  memory.copy(address, bitmap, bitmapSize(rows));
  return OK;
}

/** Writes the rows whose bit is set after XOR with `flipped`, as words. */
function writeRows(bitmap: usize, rows: u32, flipped: u64, words: usize): void {
  for (let row: u32 = 0; row < rows; row += 64) {
    let bits = load<u64>(bitmap + (row >> 3)) ^ flipped;
    if (rows - row < 64) bits &= ((<u64>1) << (rows - row)) - 1;
    while (bits != 0) {
      store<u64>(words, <u64>row + ctz(bits));
      words += 8;
      bits &= bits - 1;
    }
  }
}

function writePlanned(words: usize, count: u32, plan: usize, bytes: u32, scratch: usize): u32 {
  const address = reserve(scratch, bytes);
  if (address == 0) return OUT_OF_MEMORY;
  writeStream(words, count, plan, bytes, scratch + DELTAS, address);
  return OK;
}

function encodeNumbers(parts: usize, partCount: u32, count: u32, out: usize, scratch: usize): u32 {
  if (count == 0) return OK;
  const words = scratch + WORDS;
  const kinds = scratch + KINDS;
  memory.fill(kinds, 0, bitmapSize(count));
  const found = gatherPartsNumbers(parts, partCount, scratch + DELTAS, words, kinds);
  let form: u32 = found == HAS_I64 ? FORM_I64 : found == HAS_F64 ? FORM_F64 : FORM_MIXED;
  if (form != FORM_I64) {
    const exponent = decimalExponent(words, kinds, count, scratch + SECOND_WORDS);
    if (exponent > 0) {
      memory.copy(words, scratch + SECOND_WORDS, (<usize>count) << 3);
      store<u8>(out, <u8>exponent, COLUMN_BYTES_EXPONENT);
      form = FORM_DECIMAL;
    }
  }
  store<u8>(out, <u8>form, COLUMN_BYTES_FORM);
  if (form == FORM_I64 || form == FORM_DECIMAL) {
    zoneOfIntegers(words, count, out + COLUMN_BYTES_MIN);
    return writeWords(words, count, false, out, scratch);
  }
  store<u8>(
    out,
    <u8>zoneOfNumbers(words, kinds, count, out + COLUMN_BYTES_MIN),
    COLUMN_BYTES_ZONE_KINDS,
  );
  if (form == FORM_MIXED) {
    store<u32>(out, outputLength(scratch), COLUMN_BYTES_KINDS);
    const address = reserve(scratch, bitmapSize(count));
    if (address == 0) return OUT_OF_MEMORY;
    memory.copy(address, kinds, bitmapSize(count));
  }
  return writeWords(words, count, true, out, scratch);
}

/** Writes the words of a number column in the smallest encoding. `floats`: some words are the bits of an f64. */
function writeWords(words: usize, count: u32, floats: bool, out: usize, scratch: usize): u32 {
  let encoding: u32 = ENCODING_PACKED;
  let best = planStream(words, count, scratch + FIRST_PLAN);
  const entryBits = min<u32>(64, <u32>(((<u64>best) << 3) / count) + 1);
  if (floats) {
    const xorBytes = xorSize(words, count);
    if (xorBytes < best) {
      best = xorBytes;
      encoding = ENCODING_XOR;
    }
    if (count << 3 <= best) {
      best = count << 3;
      encoding = ENCODING_RAW;
    }
  }
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_VALUES);
  store<u8>(out, <u8>encoding, COLUMN_BYTES_ENCODING);
  // A dictionary decodes in two steps, so it must save an eighth.
  const table = scratch + THIRD_WORDS;
  const entries = table + WORD_TABLE_SIZE;
  const codes = scratch + SECOND_WORDS;
  const distinct = findWords(words, count, entryBits, <u64>best * 7, table, entries, codes);
  if (distinct != 0) {
    const entryBytes = planStream(entries, distinct, scratch + SECOND_PLAN);
    const codeBytes = planStream(codes, count, scratch + THIRD_PLAN);
    if (entryBytes + codeBytes < best) {
      store<u8>(out, ENCODING_DICTIONARY, COLUMN_BYTES_ENCODING);
      store<u32>(out, distinct, COLUMN_BYTES_DICT_COUNT);
      const status = writePlanned(codes, count, scratch + THIRD_PLAN, codeBytes, scratch);
      if (status != OK) return status;
      store<u32>(out, outputLength(scratch), COLUMN_BYTES_DICT);
      return writePlanned(entries, distinct, scratch + SECOND_PLAN, entryBytes, scratch);
    }
  }
  if (encoding == ENCODING_PACKED)
    return writePlanned(words, count, scratch + FIRST_PLAN, best, scratch);
  const address = reserve(scratch, best);
  if (address == 0) return OUT_OF_MEMORY;
  if (encoding == ENCODING_XOR) writeXor(words, count, address);
  else memory.copy(address, words, best);
  return OK;
}

function encodeBooleans(
  parts: usize,
  partCount: u32,
  count: u32,
  out: usize,
  scratch: usize,
): u32 {
  store<u8>(out, FORM_BOOLEAN, COLUMN_BYTES_FORM);
  if (count == 0) return OK;
  const words = scratch + WORDS;
  gatherPartsUnsigned(parts, partCount, false, scratch + DELTAS, words);
  zoneOfIntegers(words, count, out + COLUMN_BYTES_MIN);
  if (load<u64>(out, COLUMN_BYTES_MAX) > 1) return CORRUPT_ENCODING;
  store<u8>(out, ENCODING_PACKED, COLUMN_BYTES_ENCODING);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_VALUES);
  const bytes = planStream(words, count, scratch + FIRST_PLAN);
  return writePlanned(words, count, scratch + FIRST_PLAN, bytes, scratch);
}

function encodeIds(parts: usize, partCount: u32, count: u32, out: usize, scratch: usize): u32 {
  store<u8>(out, FORM_ID, COLUMN_BYTES_FORM);
  if (count == 0) return OK;
  const ids = scratch + WORDS;
  const directory = scratch + THIRD_PLAN;
  const high = scratch + THIRD_WORDS;
  const low = scratch + ITEMS;
  const highPlan = scratch + FIRST_PLAN;
  const lowPlan = scratch + SECOND_PLAN;
  gatherPartsIds(parts, partCount, scratch + DELTAS, ids);
  const bytes = planIds(ids, count, directory, high, low, highPlan, lowPlan, scratch + KINDS);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_VALUES);
  // Plain ids are copied when they are read, so taking bits apart must save something.
  const packed = bytes + (bytes >> ID_SAVED_SHIFT) < count << 4;
  store<u8>(out, <u8>(packed ? ENCODING_ID_BITS : ENCODING_RAW), COLUMN_BYTES_ENCODING);
  const address = reserve(scratch, packed ? bytes : (<u64>count) << 4);
  if (address == 0) return OUT_OF_MEMORY;
  if (packed) writeIds(count, directory, high, low, highPlan, lowPlan, scratch + DELTAS, address);
  else memory.copy(address, ids, (<usize>count) << 4);
  return OK;
}

function encodeCodes(
  parts: usize,
  partCount: u32,
  entries: usize,
  count: u32,
  out: usize,
  scratch: usize,
): u32 {
  store<u8>(out, FORM_CODE, COLUMN_BYTES_FORM);
  if (count == 0) return OK;
  const entryCount = partsEntryCount(parts, partCount);
  if (entryCount > NEW_CODE_MAX) return OUT_OF_MEMORY;
  gatherPartsUnsigned(parts, partCount, true, scratch + DELTAS, scratch + WORDS);
  const all = gatherPartsEntries(parts, partCount, entries);
  return encodeTexts(all, <u32>entryCount, count, out, scratch);
}

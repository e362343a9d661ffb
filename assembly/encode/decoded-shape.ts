// What an encoded column becomes in memory, read from its header alone: which pages, how wide, how many bytes.
import {
  COLUMN_SIZE,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_F64,
  PAGE_I64,
  PAGE_ID,
  PAGE_MIXED,
  PAGE_NONE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_U16,
  PAGE_U32,
  PAGE_U8,
  PAGE_VALUES,
  SEGMENT_ROWS_MAX,
} from "../layout";
import { bitmapSize } from "../memory/bitmap";
import { CORRUPT_BOUNDS, CORRUPT_ENCODING, CORRUPT_MAGIC, CORRUPT_VERSION, OK } from "../status";
import {
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_DICT,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_ENCODING,
  COLUMN_BYTES_EXPONENT,
  COLUMN_BYTES_FLAGS,
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
  COLUMN_BYTES_TEXT_BYTES,
  COLUMN_BYTES_TEXT_LENGTHS,
  COLUMN_BYTES_VALUES,
  COLUMN_BYTES_VERSION,
  COLUMN_BYTES_VERSION_MIN,
  COLUMN_BYTES_ZONE_KINDS,
  ENCODING_DICTIONARY,
  ENCODING_ID_BITS,
  ENCODING_NONE,
  ENCODING_PACKED,
  ENCODING_RAW,
  ENCODING_TEXT_PLAIN,
  ENCODING_TEXT_SORTED,
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
  TEXT_BYTES_MAX,
  TEXT_LENGTHS_WHOLE,
} from "./format";
import { WORD_DICTIONARY_MAX } from "./word-dictionary";

/** Texts may be read and written by 16 bytes up to this much beyond their end. */
const TEXT_SLACK: u32 = 64;

// ── Scratch of a decoding, after what stays ───────────────────────────────────────────────────────────
//
//   0      presence bitmap      16384  words of one block      49152  words of one page
//   81920  compact values of one page (ids take 65,536 bytes), or a second block of words
//   147456 words of the dictionary
export const BLOCK_WORDS: u32 = 16384;
export const PAGE_WORDS: u32 = 49152;
export const PAGE_COMPACT: u32 = 81920;
export const DICT_WORDS: u32 = 147456;

/**
 * Checks everything of a header that can be checked without the rest. After OK its counts are within the
 * product's bounds, and each section begins within the bytes where its form and encoding need one.
 */
export function checkHeader(bytes: usize, length: u32): u32 {
  if (length < <u32>COLUMN_BYTES_HEADER_SIZE) return CORRUPT_BOUNDS;
  if (load<u32>(bytes) != COLUMN_BYTES_MAGIC) return CORRUPT_MAGIC;
  const version = <u32>load<u16>(bytes, 4);
  if (version < <u32>COLUMN_BYTES_VERSION_MIN || version > <u32>COLUMN_BYTES_VERSION)
    return CORRUPT_VERSION;
  if (load<u16>(bytes, COLUMN_BYTES_FLAGS) != 0) return CORRUPT_ENCODING;
  if (load<u32>(bytes, COLUMN_BYTES_LENGTH) != length) return CORRUPT_BOUNDS;
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  const count = load<u32>(bytes, COLUMN_BYTES_COUNT);
  if (rows == 0 || rows > <u32>SEGMENT_ROWS_MAX || count > rows) return CORRUPT_BOUNDS;
  if (<u64>load<u32>(bytes, COLUMN_BYTES_PAGES) >> <u64>((rows + PAGE_ROWS - 1) / PAGE_ROWS))
    return CORRUPT_BOUNDS;
  if (load<u8>(bytes, COLUMN_BYTES_ZONE_KINDS) > 3 || load<u8>(bytes, 31) != 0)
    return CORRUPT_ENCODING;
  const lengths = <u32>load<u8>(bytes, COLUMN_BYTES_TEXT_LENGTHS);
  if (lengths > <u32>TEXT_LENGTHS_WHOLE || (lengths != 0 && version < 2)) return CORRUPT_ENCODING;
  const presence = <u32>load<u8>(bytes, COLUMN_BYTES_PRESENCE_KIND);
  if (presence > <u32>PRESENCE_ABSENT_ROWS) return CORRUPT_ENCODING;
  if ((presence == PRESENCE_ALL) != (count == rows)) return CORRUPT_BOUNDS;
  if ((presence == PRESENCE_NONE) != (count == 0)) return CORRUPT_BOUNDS;
  if (presence >= <u32>PRESENCE_BITMAP && !isSection(bytes, COLUMN_BYTES_PRESENCE))
    return CORRUPT_BOUNDS;
  return checkValues(bytes, count);
}

/** Whether the offset at `field` is that of a section. */
function isSection(bytes: usize, field: u32): bool {
  const offset = load<u32>(bytes + field);
  const length = load<u32>(bytes, COLUMN_BYTES_LENGTH);
  return offset >= <u32>COLUMN_BYTES_HEADER_SIZE && offset <= length && (offset & 15) == 0;
}

/** Bytes from the section at `field` to the end. */
@inline
export function bytesFrom(bytes: usize, field: u32): u32 {
  return load<u32>(bytes, COLUMN_BYTES_LENGTH) - load<u32>(bytes + field);
}

function checkValues(bytes: usize, count: u32): u32 {
  const lane = <u32>load<u8>(bytes, COLUMN_BYTES_LANE);
  const form = <u32>load<u8>(bytes, COLUMN_BYTES_FORM);
  const encoding = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING);
  const dictCount = load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const exponent = <u32>load<u8>(bytes, COLUMN_BYTES_EXPONENT);
  if (!formFits(form, lane) || !encodingFits(encoding, form, count)) return CORRUPT_ENCODING;
  if (encoding == ENCODING_ID_BITS && load<u16>(bytes, 4) < 2) return CORRUPT_ENCODING;
  if (exponent > 9 || exponent > 0 != (form == FORM_DECIMAL)) return CORRUPT_ENCODING;
  if (load<u32>(bytes, COLUMN_BYTES_TEXT_BYTES) > <u32>TEXT_BYTES_MAX) return CORRUPT_BOUNDS;
  if (encoding == ENCODING_NONE) return OK;
  if (form == FORM_MIXED) {
    if (!isSection(bytes, COLUMN_BYTES_KINDS)) return CORRUPT_BOUNDS;
    if (bytesFrom(bytes, COLUMN_BYTES_KINDS) < bitmapSize(count)) return CORRUPT_BOUNDS;
  }
  if (encoding != ENCODING_TEXT_PLAIN && !isSection(bytes, COLUMN_BYTES_VALUES))
    return CORRUPT_BOUNDS;
  if (form == FORM_CODE) {
    if (!isSection(bytes, COLUMN_BYTES_DICT) || !isSection(bytes, COLUMN_BYTES_TEXT))
      return CORRUPT_BOUNDS;
    if (dictCount == 0 || dictCount > count) return CORRUPT_BOUNDS;
    return encoding == ENCODING_TEXT_PLAIN && dictCount != count ? CORRUPT_BOUNDS : OK;
  }
  if (encoding == ENCODING_DICTIONARY) {
    if (!isSection(bytes, COLUMN_BYTES_DICT)) return CORRUPT_BOUNDS;
    return dictCount == 0 || dictCount > WORD_DICTIONARY_MAX ? CORRUPT_BOUNDS : OK;
  }
  return OK;
}

function formFits(form: u32, lane: u32): bool {
  if (lane == LANE_NUMBER) return form <= <u32>FORM_MIXED;
  if (lane == LANE_STRING || lane == LANE_JSON) return form == FORM_CODE;
  if (lane == LANE_BOOLEAN) return form == FORM_BOOLEAN;
  if (lane == LANE_ID) return form == FORM_ID;
  return lane == LANE_NULL && form == FORM_NONE;
}

function encodingFits(encoding: u32, form: u32, count: u32): bool {
  if (count == 0 || form == FORM_NONE) return encoding == ENCODING_NONE;
  if (form == FORM_CODE) return encoding == ENCODING_TEXT_SORTED || encoding == ENCODING_TEXT_PLAIN;
  if (form == FORM_BOOLEAN) return encoding == ENCODING_PACKED;
  if (form == FORM_ID) return encoding == ENCODING_RAW || encoding == ENCODING_ID_BITS;
  if (encoding == ENCODING_PACKED || encoding == ENCODING_DICTIONARY) return true;
  return (
    (form == FORM_F64 || form == FORM_MIXED) &&
    (encoding == ENCODING_XOR || encoding == ENCODING_RAW)
  );
}

/** The encoding of the column's pages: the narrowest integers that hold its range, or its codes. */
export function pageEncoding(bytes: usize): u32 {
  const form = <u32>load<u8>(bytes, COLUMN_BYTES_FORM);
  if (form == FORM_BOOLEAN) return PAGE_U8;
  if (form == FORM_ID) return PAGE_ID;
  if (form == FORM_NONE) return PAGE_NONE;
  if (form == FORM_F64) return PAGE_F64;
  if (form == FORM_MIXED) return PAGE_MIXED;
  const range =
    form == FORM_CODE
      ? <u64>load<u32>(bytes, COLUMN_BYTES_DICT_COUNT) - 1
      : <u64>(load<i64>(bytes, COLUMN_BYTES_MAX) - load<i64>(bytes, COLUMN_BYTES_MIN));
  if (range <= 0xff) return PAGE_U8;
  if (range <= 0xffff) return PAGE_U16;
  if (range <= 0xffffffff) return PAGE_U32;
  return form == FORM_DECIMAL ? PAGE_F64 : PAGE_I64;
}

/** Bytes of a page of this encoding. */
export function pageSize(encoding: u32): u32 {
  if (encoding <= <u32>PAGE_U32) return PAGE_VALUES + (PAGE_ROWS << encoding);
  if (encoding == PAGE_MIXED) return PAGE_VALUES + PAGE_ROWS * 8 + PAGE_PRESENCE_SIZE;
  if (encoding == PAGE_ID) return PAGE_VALUES + PAGE_ROWS * 16;
  return encoding == PAGE_NONE ? PAGE_VALUES : PAGE_VALUES + PAGE_ROWS * 8;
}

/** Where the dictionary entries begin in the decoded column, after its pages. */
export function entriesOffset(bytes: usize): u32 {
  return (
    COLUMN_SIZE + <u32>popcnt(load<u32>(bytes, COLUMN_BYTES_PAGES)) * pageSize(pageEncoding(bytes))
  );
}

/** Where the texts begin, after the entries. */
export function textsOffset(bytes: usize): u32 {
  const texts = <u32>load<u8>(bytes, COLUMN_BYTES_FORM) == FORM_CODE;
  return (
    entriesOffset(bytes) + (texts ? (load<u32>(bytes, COLUMN_BYTES_DICT_COUNT) * 8 + 15) & ~15 : 0)
  );
}

/** Bytes of the decoded column: its Column, pages, dictionary entries and texts. The header has been checked. */
export function shapeSize(bytes: usize): u32 {
  const texts = <u32>load<u8>(bytes, COLUMN_BYTES_FORM) == FORM_CODE;
  const textBytes = texts ? load<u32>(bytes, COLUMN_BYTES_TEXT_BYTES) + TEXT_SLACK : 0;
  return (textsOffset(bytes) + textBytes + 63) & ~63;
}

/** Bytes that decoding needs after them for a while. */
export function shapeScratchSize(bytes: usize): u32 {
  const words = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING) == ENCODING_DICTIONARY;
  return DICT_WORDS + (words ? load<u32>(bytes, COLUMN_BYTES_DICT_COUNT) << 3 : 0) + 64;
}

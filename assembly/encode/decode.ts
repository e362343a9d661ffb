// The bytes of one LMDB value become a Column with its pages and dictionary, as kernels read them.
import {
  COLUMN_BASE,
  COLUMN_COUNT,
  COLUMN_DICT,
  COLUMN_DICT_CAPACITY,
  COLUMN_DICT_COUNT,
  COLUMN_EXPONENT,
  COLUMN_FLAGS,
  COLUMN_FLAG_PLAIN,
  COLUMN_FLAG_SORTED,
  COLUMN_LANE,
  COLUMN_SIZE,
  PAGE_U32,
} from "../layout";
import { crc32c } from "../memory/crc32c";
import { CORRUPT_CHECKSUM, OK, OUT_OF_MEMORY } from "../status";
import { layPages, readPresence } from "./decode-presence";
import { readPlainTexts, readSortedTexts } from "./decode-texts";
import { fillIds, unpackIds } from "./decode-ids";
import { fillIdentity, fillPages, openValues } from "./decode-values";
import {
  BLOCK_WORDS,
  checkHeader,
  entriesOffset,
  pageEncoding,
  pageSize,
  shapeScratchSize,
  shapeSize,
  textsOffset,
} from "./decoded-shape";
import {
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_CRC,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_ENCODING,
  COLUMN_BYTES_EXPONENT,
  COLUMN_BYTES_FORM,
  COLUMN_BYTES_LANE,
  COLUMN_BYTES_MIN,
  COLUMN_BYTES_ROWS,
  ENCODING_NONE,
  ENCODING_RAW,
  ENCODING_TEXT_PLAIN,
  FORM_CODE,
  FORM_DECIMAL,
  FORM_I64,
  FORM_ID,
} from "./format";

/** Bytes of the decoded column, 64-byte aligned; 0 when the header can't be one (decodeColumn says why). */
export function decodedSize(bytes: usize, length: u32): u32 {
  return checkHeader(bytes, length) == OK ? shapeSize(bytes) : 0;
}

/** Bytes that decoding needs: those that stay, and scratch after them that is free again afterwards. */
export function decodeCapacity(bytes: usize, length: u32): u32 {
  return checkHeader(bytes, length) == OK ? shapeSize(bytes) + shapeScratchSize(bytes) : 0;
}

/**
 * Decodes a column to `out`, where its Column stands first. The path is left 0: it belongs to the segment.
 *
 * Answers OK, CORRUPT_… or OUT_OF_MEMORY when `capacity` is below decodeCapacity. Everything is verified
 * before it is used: no bytes whatever lead to a read outside [bytes, bytes + length + 64) or a write outside
 * [out, out + capacity). After a failure the content of `out` means nothing.
 */
export function decodeColumn(bytes: usize, length: u32, out: usize, capacity: u32): u32 {
  const status = checkHeader(bytes, length);
  if (status != OK) return status;
  if (crc32c(bytes + 16, length - 16) != load<u32>(bytes, COLUMN_BYTES_CRC))
    return CORRUPT_CHECKSUM;
  if (<u64>shapeSize(bytes) + shapeScratchSize(bytes) > capacity) return OUT_OF_MEMORY;
  const scratch = out + shapeSize(bytes);
  const pageKind = pageEncoding(bytes);
  layColumn(bytes, out, pageKind);
  const present = readPresence(bytes, scratch, scratch + BLOCK_WORDS);
  if (present != OK) return present;
  layPages(bytes, scratch, pageKind, pageSize(pageKind), out, out + COLUMN_SIZE);
  const encoding = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING);
  const form = <u32>load<u8>(bytes, COLUMN_BYTES_FORM);
  if (encoding == ENCODING_NONE) return OK;
  if (form == FORM_ID) return encoding == ENCODING_RAW ? fillIds(bytes, out) : unpackIds(bytes, out, scratch);
  if (form == FORM_CODE) {
    const texts = layTexts(bytes, out, scratch);
    if (texts != OK) return texts;
    if (encoding == ENCODING_TEXT_PLAIN) {
      fillIdentity(out, load<u32>(bytes, COLUMN_BYTES_ROWS), pageKind);
      return OK;
    }
  }
  const values = openValues(bytes, scratch);
  return values == OK ? fillPages(bytes, out, pageKind, scratch) : values;
}

function layColumn(bytes: usize, out: usize, pageKind: u32): void {
  const form = <u32>load<u8>(bytes, COLUMN_BYTES_FORM);
  memory.fill(out, 0, COLUMN_SIZE);
  store<u32>(out, load<u8>(bytes, COLUMN_BYTES_LANE), COLUMN_LANE);
  store<u32>(out, load<u32>(bytes, COLUMN_BYTES_COUNT), COLUMN_COUNT);
  if (pageKind > <u32>PAGE_U32 || (form != FORM_I64 && form != FORM_DECIMAL)) return;
  store<i64>(out, load<i64>(bytes, COLUMN_BYTES_MIN), COLUMN_BASE);
  store<u32>(out, load<u8>(bytes, COLUMN_BYTES_EXPONENT), COLUMN_EXPONENT);
}

function layTexts(bytes: usize, out: usize, scratch: usize): u32 {
  const count = load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const entries = out + entriesOffset(bytes);
  const texts = out + textsOffset(bytes);
  store<u32>(out, <u32>entries, COLUMN_DICT);
  store<u32>(out, count, COLUMN_DICT_COUNT);
  store<u32>(out, count, COLUMN_DICT_CAPACITY);
  if (<u32>load<u8>(bytes, COLUMN_BYTES_ENCODING) == ENCODING_TEXT_PLAIN) {
    store<u32>(out, COLUMN_FLAG_PLAIN, COLUMN_FLAGS);
    return readPlainTexts(bytes, entries, texts, scratch);
  }
  store<u32>(out, COLUMN_FLAG_SORTED, COLUMN_FLAGS);
  return readSortedTexts(bytes, entries, texts, scratch);
}

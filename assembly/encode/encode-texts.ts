// Strings and JSON cells: a dictionary in byte order with front coding and packed codes, or, when every
// text is different and that is smaller, the texts one after another.
import { CORRUPT_BOUNDS, OK, OUT_OF_MEMORY } from "../status";
import {
  BLOCK_VALUES,
  COLUMN_BYTES_DICT,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_ENCODING,
  COLUMN_BYTES_LENGTH,
  COLUMN_BYTES_TEXT,
  COLUMN_BYTES_TEXT_BYTES,
  COLUMN_BYTES_TEXT_LENGTHS,
  COLUMN_BYTES_VALUES,
  TEXT_BYTES_MAX,
  ENCODE_RESULT_MAX_ADDRESS,
  ENCODE_RESULT_MIN_ADDRESS,
  ENCODING_TEXT_PLAIN,
  ENCODING_TEXT_SORTED,
  TEXT_LENGTHS_SUFFIX,
  TEXT_LENGTHS_WHOLE,
} from "./format";
import { blockCount, PLAN_SIZE, planStream, writeStream } from "./packed-stream";
import { compareTexts, ITEM_ENTRY, sharedPrefix, sortTexts } from "./text-order";
import {
  DELTAS,
  FIRST_PLAN,
  ITEMS,
  KINDS,
  NEW_CODE,
  NEW_CODES,
  NEW_CODE_MAX,
  outputLength,
  RANGES,
  reserve,
  SECOND_PLAN,
  SECOND_WORDS,
  SUFFIX_BYTES,
  TEXT_BYTES,
  THIRD_PLAN,
  THIRD_WORDS,
  WHOLE_LENGTHS,
  WORDS,
} from "./workspace";

@inline
function entryOf(entries: usize, code: u64): usize {
  return entries + ((<usize>code) << 3);
}

/** Encodes the texts of the codes in the workspace's words. Entries may be equal: each text is kept once. */
export function encodeTexts(
  entries: usize,
  entryCount: u32,
  count: u32,
  out: usize,
  scratch: usize,
): u32 {
  if (entryCount > NEW_CODE_MAX) return OUT_OF_MEMORY;
  const used = collectUsed(count, entryCount, scratch);
  if (used == 0) return CORRUPT_BOUNDS;
  sortTexts(scratch + ITEMS, used, entries, scratch + RANGES);
  storeZone(entries, used, scratch);
  const distinct = frontCode(entries, used, scratch);
  renumber(count, scratch);
  const codeBytes = planStream(scratch + NEW_CODES, count, scratch + FIRST_PLAN);
  const sharedBytes = planStream(scratch + SECOND_WORDS, distinct, scratch + SECOND_PLAN);
  const lengthBytes = planLengths(distinct, out, scratch);
  // Kernels take a code for its text, so texts that repeat are never plain.
  if (distinct == count) {
    const sorted = load<u64>(scratch, SUFFIX_BYTES) + codeBytes + sharedBytes + lengthBytes;
    if (plainBytes(entries, count, scratch) < sorted)
      return writePlain(entries, count, out, scratch);
  }
  return writeSorted(entries, count, distinct, codeBytes, sharedBytes, lengthBytes, out, scratch);
}

/**
 * Plans the stream of lengths: those of the suffixes, or of the whole texts where these are smaller, as they are where
 * all texts are equally long. Answers its bytes, and says in the header which it is.
 */
function planLengths(distinct: u32, out: usize, scratch: usize): u32 {
  const suffixBytes = planStream(scratch + THIRD_WORDS, distinct, scratch + THIRD_PLAN);
  const whole = scratch + WHOLE_LENGTHS;
  for (let i: usize = 0; i < <usize>distinct << 3; i += 8) {
    store<u64>(whole + i, load<u64>(scratch + SECOND_WORDS + i) + load<u64>(scratch + THIRD_WORDS + i));
  }
  const wholeBytes = planStream(whole, distinct, scratch + KINDS);
  if (wholeBytes >= suffixBytes) return suffixBytes;
  memory.copy(scratch + THIRD_PLAN, scratch + KINDS, PLAN_SIZE);
  store<u8>(out, TEXT_LENGTHS_WHOLE, COLUMN_BYTES_TEXT_LENGTHS);
  return wholeBytes;
}

/** Makes an item for each dictionary entry that a row uses; 0 when a code is beyond the dictionary. */
function collectUsed(count: u32, entryCount: u32, scratch: usize): u32 {
  const marks = scratch + NEW_CODE;
  memory.fill(marks, 0, (<usize>entryCount) << 2);
  let item = scratch + ITEMS;
  const end = scratch + WORDS + ((<usize>count) << 3);
  for (let at = scratch + WORDS; at < end; at += 8) {
    const code = load<u64>(at);
    if (code >= entryCount) return 0;
    const mark = marks + ((<usize>code) << 2);
    if (load<u32>(mark) != 0) continue;
    store<u32>(mark, 1);
    store<u32>(item, <u32>code, ITEM_ENTRY);
    item += 16;
  }
  return <u32>((item - scratch - ITEMS) >> 4);
}

function storeZone(entries: usize, used: u32, scratch: usize): void {
  const first = load<u32>(scratch + ITEMS, ITEM_ENTRY);
  const last = load<u32>(scratch + ITEMS + ((<usize>(used - 1)) << 4), ITEM_ENTRY);
  store<u64>(scratch, load<u64>(entryOf(entries, first)), ENCODE_RESULT_MIN_ADDRESS);
  store<u64>(scratch, load<u64>(entryOf(entries, last)), ENCODE_RESULT_MAX_ADDRESS);
}

/**
 * Numbers the sorted items, equal texts alike, keeps the first item of each text and writes its shared and
 * suffix lengths to the second and third words. Answers the number of distinct texts.
 */
function frontCode(entries: usize, used: u32, scratch: usize): u32 {
  const items = scratch + ITEMS;
  let distinct: u32 = 0;
  let suffixBytes: u64 = 0;
  let textBytes: u64 = 0;
  let previous: usize = 0;
  let previousLength: u32 = 0;
  for (let i: u32 = 0; i < used; i++) {
    const item = load<u32>(items + ((<usize>i) << 4), ITEM_ENTRY);
    const text = <usize>load<u32>(entryOf(entries, item));
    const length = load<u32>(entryOf(entries, item), 4);
    const common = i == 0 ? 0 : sharedPrefix(previous, previousLength, text, length);
    if (i == 0 || common != length || common != previousLength) {
      const shared = distinct % BLOCK_VALUES == 0 ? 0 : common;
      store<u64>(scratch + SECOND_WORDS + ((<usize>distinct) << 3), shared);
      store<u64>(scratch + THIRD_WORDS + ((<usize>distinct) << 3), length - shared);
      store<u32>(items + ((<usize>distinct) << 4), item, ITEM_ENTRY);
      suffixBytes += length - shared;
      textBytes += length;
      distinct++;
    }
    store<u32>(scratch + NEW_CODE + ((<usize>item) << 2), distinct - 1);
    previous = text;
    previousLength = length;
  }
  store<u64>(scratch, suffixBytes, SUFFIX_BYTES);
  store<u64>(scratch, textBytes, TEXT_BYTES);
  return distinct;
}

function renumber(count: u32, scratch: usize): void {
  const newCode = scratch + NEW_CODE;
  const end = scratch + WORDS + ((<usize>count) << 3);
  let out = scratch + NEW_CODES;
  for (let at = scratch + WORDS; at < end; at += 8, out += 8) {
    store<u64>(out, load<u32>(newCode + ((<usize>load<u64>(at)) << 2)));
  }
}

/** About the bytes of the plain form: all texts and their lengths. */
function plainBytes(entries: usize, count: u32, scratch: usize): u64 {
  let bytes: u64 = 0;
  let shortest: u32 = u32.MAX_VALUE;
  let longest: u32 = 0;
  const end = scratch + WORDS + ((<usize>count) << 3);
  for (let at = scratch + WORDS; at < end; at += 8) {
    const length = load<u32>(entryOf(entries, load<u64>(at)), 4);
    bytes += length;
    shortest = min(shortest, length);
    longest = max(longest, length);
  }
  const width = 32 - <u64>clz<u32>(longest - shortest);
  return bytes + ((<u64>count * width) >> 3);
}

function writePlain(entries: usize, count: u32, out: usize, scratch: usize): u32 {
  const lengths = scratch + SECOND_WORDS;
  let bytes: u64 = 0;
  for (let i: usize = 0; i < count; i++) {
    const code = load<u64>(scratch + WORDS + (i << 3));
    const length = load<u32>(entryOf(entries, code), 4);
    store<u64>(lengths + (i << 3), length);
    bytes += length;
  }
  store<u8>(out, ENCODING_TEXT_PLAIN, COLUMN_BYTES_ENCODING);
  store<u8>(out, TEXT_LENGTHS_SUFFIX, COLUMN_BYTES_TEXT_LENGTHS);
  store<u32>(out, count, COLUMN_BYTES_DICT_COUNT);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_DICT);
  const streamBytes = planStream(lengths, count, scratch + FIRST_PLAN);
  const stream = reserve(scratch, streamBytes);
  if (stream == 0) return OUT_OF_MEMORY;
  writeStream(lengths, count, scratch + FIRST_PLAN, streamBytes, scratch + DELTAS, stream);
  let at = openText(bytes, bytes, out, scratch);
  if (at == 0) return OUT_OF_MEMORY;
  for (let i: usize = 0; i < count; i++) {
    const entry = entryOf(entries, load<u64>(scratch + WORDS + (i << 3)));
    const length = load<u32>(entry, 4);
    copyText(at, load<u32>(entry), length);
    at += length;
  }
  return OK;
}

function writeSorted(
  entries: usize,
  count: u32,
  distinct: u32,
  codeBytes: u32,
  sharedBytes: u32,
  lengthBytes: u32,
  out: usize,
  scratch: usize,
): u32 {
  store<u8>(out, ENCODING_TEXT_SORTED, COLUMN_BYTES_ENCODING);
  store<u32>(out, distinct, COLUMN_BYTES_DICT_COUNT);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_VALUES);
  const codes = reserve(scratch, codeBytes);
  if (codes == 0) return OUT_OF_MEMORY;
  writeStream(scratch + NEW_CODES, count, scratch + FIRST_PLAN, codeBytes, scratch + DELTAS, codes);
  store<u32>(out, outputLength(scratch), COLUMN_BYTES_DICT);
  const starts = reserve(scratch, blockCount(distinct) << 2);
  const shared = reserve(scratch, sharedBytes);
  const lengths = reserve(scratch, lengthBytes);
  if (starts == 0 || shared == 0 || lengths == 0) return OUT_OF_MEMORY;
  writeStream(
    scratch + SECOND_WORDS,
    distinct,
    scratch + SECOND_PLAN,
    sharedBytes,
    scratch + DELTAS,
    shared,
  );
  const whole = <u32>load<u8>(out, COLUMN_BYTES_TEXT_LENGTHS) == TEXT_LENGTHS_WHOLE;
  writeStream(
    scratch + (whole ? WHOLE_LENGTHS : THIRD_WORDS),
    distinct,
    scratch + THIRD_PLAN,
    lengthBytes,
    scratch + DELTAS,
    lengths,
  );
  const text = openText(
    load<u64>(scratch, SUFFIX_BYTES),
    load<u64>(scratch, TEXT_BYTES),
    out,
    scratch,
  );
  if (text == 0) return OUT_OF_MEMORY;
  let at = text;
  for (let i: u32 = 0; i < distinct; i++) {
    if (i % BLOCK_VALUES == 0) store<u32>(starts + ((i / BLOCK_VALUES) << 2), <u32>(at - text));
    const entry = entryOf(entries, load<u32>(scratch + ITEMS + ((<usize>i) << 4), ITEM_ENTRY));
    const from = <usize>load<u64>(scratch + SECOND_WORDS + ((<usize>i) << 3));
    const length = <u32>load<u64>(scratch + THIRD_WORDS + ((<usize>i) << 3));
    copyText(at, <usize>load<u32>(entry) + from, length);
    at += length;
  }
  return OK;
}

/** Begins the text section, which ends the value; 0 when it does not fit. */
function openText(bytes: u64, textBytes: u64, out: usize, scratch: usize): usize {
  const offset = outputLength(scratch);
  const address = reserve(scratch, bytes);
  if (address == 0 || textBytes > <u32>TEXT_BYTES_MAX) return 0;
  store<u32>(out, offset, COLUMN_BYTES_TEXT);
  store<u32>(out, <u32>textBytes, COLUMN_BYTES_TEXT_BYTES);
  store<u32>(out, offset + <u32>bytes, COLUMN_BYTES_LENGTH);
  return address;
}

/** Most texts are short: one 16-byte store, which the slack after each section absorbs. */
@inline
function copyText(to: usize, from: usize, length: u32): void {
  if (length <= 16) v128.store(to, v128.load(from));
  else memory.copy(to, from, length);
}

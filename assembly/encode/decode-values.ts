// Values: from the blocks of an encoding to the pages of a column.
//
// Blocks count present rows, pages count rows. Where all rows of the column are present the two coincide and a
// block is unpacked straight into its page; else the words of a page are collected from one or two blocks,
// cut to the page's element and spread over its rows.
import {
  COLUMN_BASE,
  COLUMN_PAGES,
  PAGE_COUNT,
  PAGE_F64,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_ROWS,
  PAGE_U16,
  PAGE_U32,
  PAGE_U8,
  PAGE_VALUES,
  ROOT_POWERS_OF_TEN,
} from "../layout";
import { bitmapGet, bitmapSet, bitmapSize } from "../memory/bitmap";
import { CORRUPT_BOUNDS, CORRUPT_ENCODING, OK } from "../status";
import { BLOCK_WORDS, bytesFrom, DICT_WORDS, PAGE_COMPACT, PAGE_WORDS } from "./decoded-shape";
import {
  BLOCK_VALUES,
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_DICT,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_ENCODING,
  COLUMN_BYTES_EXPONENT,
  COLUMN_BYTES_FORM,
  COLUMN_BYTES_KINDS,
  COLUMN_BYTES_ROWS,
  COLUMN_BYTES_VALUES,
  ENCODING_DICTIONARY,
  ENCODING_PACKED,
  ENCODING_RAW,
  ENCODING_TEXT_SORTED,
  ENCODING_XOR,
  FORM_BOOLEAN,
  FORM_CODE,
  FORM_DECIMAL,
} from "./format";
import { blockCount, isStream, readBlock } from "./packed-stream";
import { isXor, readXorBlock } from "./xor-blocks";

/** Checks the sections that hold the values, and reads the words of a dictionary into the scratch. */
export function openValues(bytes: usize, scratch: usize): u32 {
  const encoding = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING);
  const count = load<u32>(bytes, COLUMN_BYTES_COUNT);
  const section = bytes + load<u32>(bytes, COLUMN_BYTES_VALUES);
  const available = bytesFrom(bytes, COLUMN_BYTES_VALUES);
  if (encoding == ENCODING_RAW) return available >> 3 >= count ? OK : CORRUPT_BOUNDS;
  if (encoding == ENCODING_XOR) return isXor(section, available, count) ? OK : CORRUPT_BOUNDS;
  if (!isStream(section, available, count)) return CORRUPT_BOUNDS;
  if (encoding != ENCODING_DICTIONARY) return OK;
  const distinct = load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const words = bytes + load<u32>(bytes, COLUMN_BYTES_DICT);
  if (!isStream(words, bytesFrom(bytes, COLUMN_BYTES_DICT), distinct)) return CORRUPT_BOUNDS;
  for (let from: u32 = 0; from < distinct; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, distinct - from);
    readBlock<u64>(words, from / BLOCK_VALUES, n, 0, scratch + DICT_WORDS + ((<usize>from) << 3));
  }
  return OK;
}

/** Writes the words of a block. */
function readWords(bytes: usize, block: u32, scratch: usize, out: usize): u32 {
  const encoding = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING);
  const section = bytes + load<u32>(bytes, COLUMN_BYTES_VALUES);
  const n = min<u32>(BLOCK_VALUES, load<u32>(bytes, COLUMN_BYTES_COUNT) - block * BLOCK_VALUES);
  if (encoding == ENCODING_RAW)
    memory.copy(out, section + ((<usize>block * BLOCK_VALUES) << 3), n << 3);
  else if (encoding == ENCODING_XOR)
    return readXorBlock(section, block, n, out) ? OK : CORRUPT_ENCODING;
  else readBlock<u64>(section, block, n, 0, out);
  if (encoding != ENCODING_DICTIONARY) return OK;
  const distinct = <u64>load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const words = scratch + DICT_WORDS;
  const end = out + ((<usize>n) << 3);
  for (; out < end; out += 8) {
    const code = load<u64>(out);
    if (code >= distinct) return CORRUPT_BOUNDS;
    store<u64>(out, load<u64>(words + ((<usize>code) << 3)));
  }
  return OK;
}

/** Fills the laid pages of a column of words. */
export function fillPages(bytes: usize, column: usize, pageKind: u32, scratch: usize): u32 {
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  let position: u32 = 0;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = <usize>load<u32>(column + ((from / PAGE_ROWS) << 2), COLUMN_PAGES);
    if (page == 0) continue;
    const n = load<u32>(page, PAGE_COUNT);
    const aligned = position % BLOCK_VALUES == 0 && n == min<u32>(PAGE_ROWS, rows - from);
    const status = aligned
      ? fillWhole(bytes, column, page, n, position, pageKind, scratch)
      : fillSpread(bytes, column, page, n, position, pageKind, scratch);
    if (status != OK) return status;
    position += n;
  }
  return OK;
}

/** A page all of whose rows are present, and which is block `position` / BLOCK_VALUES. */
function fillWhole(
  bytes: usize,
  column: usize,
  page: usize,
  n: u32,
  position: u32,
  pageKind: u32,
  scratch: usize,
): u32 {
  const encoding = <u32>load<u8>(bytes, COLUMN_BYTES_ENCODING);
  const block = position / BLOCK_VALUES;
  const values = page + PAGE_VALUES;
  if (
    pageKind <= <u32>PAGE_U32 &&
    (encoding == ENCODING_PACKED || encoding == ENCODING_TEXT_SORTED)
  ) {
    const section = bytes + load<u32>(bytes, COLUMN_BYTES_VALUES);
    const added = -load<u64>(column, COLUMN_BASE);
    if (pageKind == PAGE_U8) readBlock<u8>(section, block, n, added, values);
    else if (pageKind == PAGE_U16) readBlock<u16>(section, block, n, added, values);
    else readBlock<u32>(section, block, n, added, values);
    return checkCodes(bytes, values, n, pageKind);
  }
  const words = scratch + BLOCK_WORDS;
  const status = readWords(bytes, block, scratch, words);
  if (status != OK) return status;
  cut(bytes, column, words, n, pageKind, values);
  if (pageKind == PAGE_MIXED) copyKinds(bytes, page, n, position);
  return checkCodes(bytes, values, n, pageKind);
}

/** A page with gaps, or one that begins within a block. */
function fillSpread(
  bytes: usize,
  column: usize,
  page: usize,
  n: u32,
  position: u32,
  pageKind: u32,
  scratch: usize,
): u32 {
  const words = scratch + BLOCK_WORDS;
  const pageWords = scratch + PAGE_WORDS;
  let taken: u32 = 0;
  while (taken < n) {
    const at = position + taken;
    const begin = at % BLOCK_VALUES;
    // A block that an earlier page has begun is still there.
    if (begin == 0) {
      const status = readWords(bytes, at / BLOCK_VALUES, scratch, words);
      if (status != OK) return status;
    }
    const part = min<u32>(n - taken, BLOCK_VALUES - begin);
    memory.copy(
      pageWords + ((<usize>taken) << 3),
      words + ((<usize>begin) << 3),
      (<usize>part) << 3,
    );
    taken += part;
  }
  const compact = scratch + PAGE_COMPACT;
  cut(bytes, column, pageWords, n, pageKind, compact);
  const status = checkCodes(bytes, compact, n, pageKind);
  if (status != OK) return status;
  spread(page, compact, pageKind);
  if (pageKind == PAGE_MIXED) spreadKinds(bytes, page, position);
  return OK;
}

/** Cuts words to the elements of a page. */
function cut(bytes: usize, column: usize, words: usize, n: u32, pageKind: u32, out: usize): void {
  const base = load<u64>(column, COLUMN_BASE);
  if (pageKind == PAGE_U8) narrow<u8>(words, n, base, out);
  else if (pageKind == PAGE_U16) narrow<u16>(words, n, base, out);
  else if (pageKind == PAGE_U32) narrow<u32>(words, n, base, out);
  else if (pageKind == PAGE_F64 && <u32>load<u8>(bytes, COLUMN_BYTES_FORM) == FORM_DECIMAL) {
    const power = load<f64>(
      (<usize>load<u8>(bytes, COLUMN_BYTES_EXPONENT)) << 3,
      ROOT_POWERS_OF_TEN,
    );
    for (let i: usize = 0; i < n; i++)
      store<f64>(out + (i << 3), <f64>load<i64>(words + (i << 3)) / power);
  } else {
    memory.copy(out, words, (<usize>n) << 3);
  }
}

function narrow<T>(words: usize, n: u32, base: u64, out: usize): void {
  const end = out + <usize>n * sizeof<T>();
  for (; out < end; out += sizeof<T>(), words += 8) store<T>(out, <T>(load<u64>(words) - base));
}

/** Codes and booleans are looked up by later kernels, so one beyond its dictionary must not get through. */
function checkCodes(bytes: usize, values: usize, n: u32, pageKind: u32): u32 {
  const form = <u32>load<u8>(bytes, COLUMN_BYTES_FORM);
  if (form != FORM_CODE && form != FORM_BOOLEAN) return OK;
  const count: u32 = form == FORM_BOOLEAN ? 2 : load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  let largest: u32 = 0;
  if (pageKind == PAGE_U8) largest = largestOf<u8>(values, n);
  else if (pageKind == PAGE_U16) largest = largestOf<u16>(values, n);
  else largest = largestOf<u32>(values, n);
  return largest < count ? OK : CORRUPT_BOUNDS;
}

function largestOf<T>(values: usize, n: u32): u32 {
  let lanes = i64x2.splat(0);
  const lanesEnd = values + ((<usize>n * sizeof<T>()) & ~15);
  const end = values + <usize>n * sizeof<T>();
  for (; values < lanesEnd; values += 16) lanes = v128.max<T>(lanes, v128.load(values));
  let largest: u32 = 0;
  for (; values < end; values += sizeof<T>()) largest = max<u32>(largest, load<T>(values));
  for (let lane = 0; lane < 2; lane++) {
    let rest = lane == 0 ? v128.extract_lane<u64>(lanes, 0) : v128.extract_lane<u64>(lanes, 1);
    for (; rest != 0; rest >>= sizeof<T>() << 3) largest = max<u32>(largest, <T>rest);
  }
  return largest;
}

/** Spreads the compact elements of a page over its present rows. */
function spread(page: usize, compact: usize, pageKind: u32): void {
  if (pageKind == PAGE_U8) spreadAs<u8>(page, compact);
  else if (pageKind == PAGE_U16) spreadAs<u16>(page, compact);
  else if (pageKind == PAGE_U32) spreadAs<u32>(page, compact);
  else spreadAs<u64>(page, compact);
}

function spreadAs<T>(page: usize, compact: usize): void {
  const values = page + PAGE_VALUES;
  for (let row: u32 = 0; row < <u32>PAGE_ROWS; row += 64) {
    let bits = load<u64>(page + (row >> 3), PAGE_PRESENCE);
    while (bits != 0) {
      const at = <usize>row + <usize>ctz(bits);
      store<T>(values + at * sizeof<T>(), load<T>(compact));
      compact += sizeof<T>();
      bits &= bits - 1;
    }
  }
}

function copyKinds(bytes: usize, page: usize, n: u32, position: u32): void {
  const kinds = bytes + load<u32>(bytes, COLUMN_BYTES_KINDS) + (position >> 3);
  memory.copy(page + PAGE_VALUES + PAGE_ROWS * 8, kinds, bitmapSize(n));
}

function spreadKinds(bytes: usize, page: usize, position: u32): void {
  const kinds = bytes + load<u32>(bytes, COLUMN_BYTES_KINDS);
  const out = page + PAGE_VALUES + PAGE_ROWS * 8;
  for (let row: u32 = 0; row < <u32>PAGE_ROWS; row += 64) {
    let bits = load<u64>(page + (row >> 3), PAGE_PRESENCE);
    while (bits != 0) {
      if (bitmapGet(kinds, position)) bitmapSet(out, row + <u32>ctz(bits));
      position++;
      bits &= bits - 1;
    }
  }
}

/** Pages of a plain text column: the code of a row is the number of present rows before it. */
export function fillIdentity(column: usize, rows: u32, pageKind: u32): void {
  let code: u32 = 0;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = <usize>load<u32>(column + ((from / PAGE_ROWS) << 2), COLUMN_PAGES);
    if (page == 0) continue;
    if (pageKind == PAGE_U8) number<u8>(page, code);
    else if (pageKind == PAGE_U16) number<u16>(page, code);
    else number<u32>(page, code);
    code += load<u32>(page, PAGE_COUNT);
  }
}

function number<T>(page: usize, first: u32): void {
  const values = page + PAGE_VALUES;
  for (let row: u32 = 0; row < <u32>PAGE_ROWS; row += 64) {
    let bits = load<u64>(page + (row >> 3), PAGE_PRESENCE);
    while (bits != 0) {
      store<T>(values + (<usize>row + <usize>ctz(bits)) * sizeof<T>(), <T>first);
      first++;
      bits &= bits - 1;
    }
  }
}

// From the pages of a column to what the encodings take: one presence bitmap over all rows, and the present
// rows' values as consecutive words in row order.
import {
  COLUMN_BASE,
  COLUMN_EXPONENT,
  COLUMN_PAGES,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_I64,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_U16,
  PAGE_U32,
  PAGE_U8,
  PAGE_VALUES,
  ROOT_POWERS_OF_TEN,
} from "../layout";
import { bitmapCount, bitmapFill, bitmapSet, bitmapSize } from "../memory/bitmap";

/** What kinds of number a column was found to hold. */
export const HAS_I64: u32 = 1;
export const HAS_F64: u32 = 2;

@inline
export function pageAddress(column: usize, page: u32): usize {
  return load<u32>(column + ((<usize>page) << 2), COLUMN_PAGES);
}

/** Writes the column's presence bitmap, bits from `rows` on clear, and answers the number of present rows. */
export function gatherPresence(column: usize, rows: u32, bitmap: usize): u32 {
  const size = bitmapSize(rows);
  memory.fill(bitmap, 0, size);
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = pageAddress(column, from / PAGE_ROWS);
    const bytes = min<u32>(PAGE_PRESENCE_SIZE, size - (from >> 3));
    if (page != 0) memory.copy(bitmap + (from >> 3), page + PAGE_PRESENCE, bytes);
  }
  const tail = rows & 127;
  if (tail != 0) {
    const last = bitmap + ((rows >> 7) << 4);
    store<u64>(last, load<u64>(last) & (tail >= 64 ? u64.MAX_VALUE : ((<u64>1) << tail) - 1));
    store<u64>(last, tail > 64 ? load<u64>(last, 8) & (((<u64>1) << (tail - 64)) - 1) : 0, 8);
  }
  return bitmapCount(bitmap, rows);
}

/** The bit p is set when a row of page p is present. */
export function pagesOf(bitmap: usize, rows: u32): u32 {
  let pages: u32 = 0;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const count = bitmapCount(bitmap + (from >> 3), min<u32>(PAGE_ROWS, rows - from));
    if (count != 0) pages |= (<u32>1) << (from / PAGE_ROWS);
  }
  return pages;
}

/**
 * Writes the values of pages of unsigned integers, each plus `base`, as words: codes, booleans. Answers the end of
 * the words.
 */
export function gatherUnsigned(
  column: usize,
  rows: u32,
  bitmap: usize,
  base: u64,
  words: usize,
): usize {
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = pageAddress(column, from / PAGE_ROWS);
    if (page == 0) continue;
    const n = min<u32>(PAGE_ROWS, rows - from);
    const encoding = load<u32>(page, PAGE_ENCODING);
    const present = bitmap + (from >> 3);
    if (encoding == PAGE_U8) words = gatherPage<u8>(page + PAGE_VALUES, present, n, base, words);
    else if (encoding == PAGE_U16)
      words = gatherPage<u16>(page + PAGE_VALUES, present, n, base, words);
    else words = gatherPage<u32>(page + PAGE_VALUES, present, n, base, words);
  }
  return words;
}

function gatherPage<T>(values: usize, bitmap: usize, n: u32, base: u64, words: usize): usize {
  if (bitmapCount(bitmap, n) == n) {
    const end = values + <usize>n * sizeof<T>();
    for (; values < end; values += sizeof<T>(), words += 8)
      store<u64>(words, base + <u64>load<T>(values));
    return words;
  }
  for (let row: u32 = 0; row < n; row += 64) {
    let bits = load<u64>(bitmap + (row >> 3));
    while (bits != 0) {
      const at = <usize>row + <usize>ctz(bits);
      store<u64>(words, base + <u64>load<T>(values + at * sizeof<T>()));
      words += 8;
      bits &= bits - 1;
    }
  }
  return words;
}

/** Writes the 16-byte ids of the present rows at `out` and answers their end. */
export function gatherIds(column: usize, rows: u32, bitmap: usize, out: usize): usize {
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = pageAddress(column, from / PAGE_ROWS);
    if (page == 0) continue;
    const n = min<u32>(PAGE_ROWS, rows - from);
    const present = bitmap + (from >> 3);
    const values = page + PAGE_VALUES;
    if (bitmapCount(present, n) == n) {
      memory.copy(out, values, (<usize>n) << 4);
      out += (<usize>n) << 4;
      continue;
    }
    for (let row: u32 = 0; row < n; row += 64) {
      let bits = load<u64>(present + (row >> 3));
      while (bits != 0) {
        v128.store(out, v128.load(values + ((<usize>row + <usize>ctz(bits)) << 4)));
        out += 16;
        bits &= bits - 1;
      }
    }
  }
  return out;
}

/**
 * Writes the numbers of the present rows as words, and a bit for each in the zeroed `kinds` bitmap: set where
 * the word is the bits of an f64. The word at `begin` has bit 0. Answers HAS_I64 | HAS_F64 as found.
 */
export function gatherNumbers(
  column: usize,
  rows: u32,
  bitmap: usize,
  begin: usize,
  words: usize,
  kinds: usize,
): u32 {
  const base = load<u64>(column, COLUMN_BASE);
  const exponent = load<u32>(column, COLUMN_EXPONENT);
  let found: u32 = 0;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = pageAddress(column, from / PAGE_ROWS);
    const n = min<u32>(PAGE_ROWS, rows - from);
    const present = bitmap + (from >> 3);
    if (page == 0 || bitmapCount(present, n) == 0) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const values = page + PAGE_VALUES;
    const start = words;
    const first = <u32>((start - begin) >> 3);
    if (encoding == PAGE_MIXED) {
      words = gatherPage<u64>(values, present, n, 0, start);
      found |= gatherKinds(values + PAGE_ROWS * 8, present, n, first, kinds);
      continue;
    }
    if (encoding == PAGE_U8) words = gatherPage<u8>(values, present, n, base, start);
    else if (encoding == PAGE_U16) words = gatherPage<u16>(values, present, n, base, start);
    else if (encoding == PAGE_U32) words = gatherPage<u32>(values, present, n, base, start);
    else words = gatherPage<u64>(values, present, n, 0, start);
    const scaled = encoding <= <u32>PAGE_U32 && exponent > 0;
    if (scaled) scaleToFloat(start, words, exponent);
    if (scaled || encoding == PAGE_F64) bitmapFill(kinds, first, <u32>((words - begin) >> 3));
    found |= scaled || encoding == PAGE_F64 ? HAS_F64 : HAS_I64;
  }
  return found;
}

function scaleToFloat(words: usize, end: usize, exponent: u32): void {
  const power = load<f64>((<usize>exponent) << 3, ROOT_POWERS_OF_TEN);
  for (; words < end; words += 8) store<f64>(words, <f64>load<i64>(words) / power);
}

function gatherKinds(source: usize, bitmap: usize, n: u32, first: u32, kinds: usize): u32 {
  if ((first & 7) == 0 && n == PAGE_ROWS && bitmapCount(bitmap, n) == n) {
    memory.copy(kinds + (first >> 3), source, PAGE_PRESENCE_SIZE);
    const floats = bitmapCount(source, n);
    return (floats > 0 ? HAS_F64 : 0) | (floats < n ? HAS_I64 : 0);
  }
  let found: u32 = 0;
  let index = first;
  for (let row: u32 = 0; row < n; row += 64) {
    let bits = load<u64>(bitmap + (row >> 3));
    const floats = load<u64>(source + (row >> 3));
    while (bits != 0) {
      if ((floats >> <u64>ctz(bits)) & 1) {
        bitmapSet(kinds, index);
        found |= HAS_F64;
      } else {
        found |= HAS_I64;
      }
      index++;
      bits &= bits - 1;
    }
  }
  return found;
}

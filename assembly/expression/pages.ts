// Derived columns: one word of 64 rows after the other of a source and of the column that is made from it. The
// caller has made the pages of the target, heads and presence clear; a page that it has not made (0) has no row that
// is wanted. Rows that get no value are 0, as in every page.

import {
  COLUMN_BASE, COLUMN_EXPONENT, COLUMN_PAGES, PAGE_COUNT, PAGE_ENCODING, PAGE_F64, PAGE_I64,
  PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U32, PAGE_U8, PAGE_VALUES,
  ROOT_POWERS_OF_TEN,
} from "../layout";

/** Words of a page's bitmap. */
export const PAGE_WORDS: u32 = PAGE_ROWS / 64;
export const ALL: u64 = 0xffffffffffffffff;

/** How the numbers of a loaded page are held. */
export const FORM_I64: u32 = 0;
export const FORM_F64: u32 = 1;
export const FORM_MIXED: u32 = 2;

/** Bytes of a page's 64-bit values. */
export const VALUES_SIZE: u32 = PAGE_ROWS * 8;

@inline
export function pageOf(column: usize, index: u32): usize {
  return <usize>load<u32>(column + COLUMN_PAGES + (<usize>index << 2));
}

/** Which of the words of a page belong to the segment's rows. */
@inline
export function wordsOf(words: u32, index: u32): u32 {
  return min(words - index * PAGE_WORDS, PAGE_WORDS);
}

@inline
export function presence(page: usize, word: u32): u64 {
  return page ? load<u64>(page + PAGE_PRESENCE + (<usize>word << 3)) : 0;
}

@inline
export function setPresence(page: usize, word: u32, bits: u64): void {
  store<u64>(page + PAGE_PRESENCE + (<usize>word << 3), bits);
}

/** Sets the count of a page whose presence is complete. */
export function countPage(page: usize): void {
  let count: u64 = 0;
  for (let w: u32 = 0; w < PAGE_WORDS; w++) count += popcnt<u64>(presence(page, w));
  store<u32>(page, <u32>count, PAGE_COUNT);
}

/** Makes the 64-bit values of absent rows 0. */
export function clearAbsent64(page: usize): void {
  for (let w: u32 = 0; w < PAGE_WORDS; w++) {
    let absent = ~presence(page, w);
    const values = page + PAGE_VALUES + (<usize>w << 9);
    if (absent == ALL) {
      memory.fill(values, 0, 512);
      continue;
    }
    while (absent) {
      store<u64>(values + (<usize>ctz<u64>(absent) << 3), 0);
      absent &= absent - 1;
    }
  }
}

/** FORM_… of the numbers of a page. */
export function formOf(column: usize, page: usize): u32 {
  const encoding = load<u32>(page, PAGE_ENCODING);
  if (encoding == PAGE_F64) return FORM_F64;
  if (encoding == PAGE_MIXED) return FORM_MIXED;
  return encoding == PAGE_I64 || load<u32>(column, COLUMN_EXPONENT) == 0 ? FORM_I64 : FORM_F64;
}

/**
 * Where the page's 4096 values of 64 bits are, in the page's own form: those of the page itself, or, of raw integers,
 * `buffer`, which has VALUES_SIZE bytes. Values of absent rows are any.
 */
export function loadNumbers(column: usize, page: usize, buffer: usize): usize {
  const encoding = load<u32>(page, PAGE_ENCODING);
  if (encoding > <u32>PAGE_U32) return page + PAGE_VALUES;
  const base = load<i64>(column, COLUMN_BASE);
  const exponent = load<u32>(column, COLUMN_EXPONENT);
  const from = page + PAGE_VALUES;
  if (exponent == 0) {
    if (encoding == PAGE_U8) widenI64<u8>(from, buffer, base);
    else if (encoding == PAGE_U16) widenI64<u16>(from, buffer, base);
    else widenI64<u32>(from, buffer, base);
  } else {
    const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
    if (encoding == PAGE_U8) widenF64<u8>(from, buffer, base, scale);
    else if (encoding == PAGE_U16) widenF64<u16>(from, buffer, base, scale);
    else widenF64<u32>(from, buffer, base, scale);
  }
  return buffer;
}

function widenI64<T>(from: usize, to: usize, base: i64): void {
  const end = to + VALUES_SIZE;
  for (; to < end; to += 8, from += sizeof<T>()) store<i64>(to, base + <i64>load<T>(from));
}

function widenF64<T>(from: usize, to: usize, base: i64, scale: f64): void {
  const end = to + VALUES_SIZE;
  for (; to < end; to += 8, from += sizeof<T>()) store<f64>(to, <f64>(base + <i64>load<T>(from)) / scale);
}

/** Whether row `row` of a loaded page is a double. */
@inline
export function isDoubleAt(page: usize, form: u32, row: u32): bool {
  if (form != FORM_MIXED) return form == FORM_F64;
  const kinds = page + PAGE_VALUES + VALUES_SIZE;
  return <bool>((load<u8>(kinds + <usize>(row >> 3)) >> (row & 7)) & 1);
}

/** Makes a PAGE_MIXED page whose numbers are of one kind a page of that kind. */
export function settleKinds(page: usize): void {
  const kinds = page + PAGE_VALUES + VALUES_SIZE;
  let integers: u64 = 0;
  let floats: u64 = 0;
  for (let w: u32 = 0; w < PAGE_WORDS; w++) {
    const present = presence(page, w);
    const doubles = load<u64>(kinds + (<usize>w << 3));
    integers |= present & ~doubles;
    floats |= present & doubles;
  }
  if (!floats) store<u32>(page, PAGE_I64, PAGE_ENCODING);
  else if (!integers) store<u32>(page, PAGE_F64, PAGE_ENCODING);
}

/** The greatest double all of whose neighbours are integers that it tells apart. */
export const SAFE: f64 = 9007199254740991.0;
export const SAFE_I64: i64 = 9007199254740991;

/** Whether a double counts as the integer that it is: those beyond 2^53 stay doubles. */
@inline
export function isWhole(value: f64): bool {
  return Math.abs(value) <= SAFE && Math.trunc(value) == value;
}

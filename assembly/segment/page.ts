// Pages of a hot column: making them, widening them, and the bits of their presence bitmaps.
//
// A page's encoding never changes in place, because readers may be reading it: a page that needs another
// encoding is copied, and the address of the copy is published. Rows that are not yet published are written
// in place, as readers mask by the rows that they loaded.

import {
  COLUMN_COUNT,
  COLUMN_PAGES,
  PAGE_COUNT,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_I64,
  PAGE_ID,
  PAGE_MIXED,
  PAGE_NONE,
  PAGE_PRESENCE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_U16,
  PAGE_U32,
  PAGE_U8,
  PAGE_VALUES,
} from "../layout";
import { slotTake } from "./slot";

/** PAGE_ROWS as the unsigned number that rows are compared with. */
const ROWS: u32 = PAGE_ROWS;

/** Where the kind bits of a PAGE_MIXED page begin. */
export const PAGE_KINDS: u32 = PAGE_VALUES + PAGE_ROWS * 8;

/** Size in bytes of a page of `encoding`, a multiple of 16. */
export function pageSize(encoding: u32): u32 {
  switch (encoding) {
    case PAGE_U8:
      return PAGE_VALUES + PAGE_ROWS;
    case PAGE_U16:
      return PAGE_VALUES + PAGE_ROWS * 2;
    case PAGE_U32:
      return PAGE_VALUES + PAGE_ROWS * 4;
    case PAGE_I64:
    case PAGE_F64:
      return PAGE_VALUES + PAGE_ROWS * 8;
    case PAGE_MIXED:
      return PAGE_KINDS + PAGE_PRESENCE_SIZE;
    case PAGE_ID:
      return PAGE_VALUES + PAGE_ROWS * 16;
    default:
      return PAGE_VALUES;
  }
}

/** The narrowest encoding of codes below `count`. */
@inline
export function codeEncoding(count: u32): u32 {
  return count <= 256 ? PAGE_U8 : count <= 65536 ? PAGE_U16 : PAGE_U32;
}

@inline
export function pageAt(column: usize, page: u32): usize {
  return load<u32>(column + (page << 2), COLUMN_PAGES);
}

/** Page `index` of a column, as it is or made with `encoding`. */
export function pageGet(slot: usize, column: usize, index: u32, encoding: u32): usize {
  const existing = pageAt(column, index);
  return existing != 0 ? existing : pageMake(slot, column, index, encoding);
}

function pageMake(slot: usize, column: usize, index: u32, encoding: u32): usize {
  const page = slotTake(slot, pageSize(encoding));
  store<u32>(page, encoding, PAGE_ENCODING);
  atomic.store<u32>(column + COLUMN_PAGES + (index << 2), <u32>page);
  return page;
}

/** Page `index` with codes as wide as `encoding` at least: as it is, made, or a wider copy that replaces it. */
export function pageOfCodes(slot: usize, column: usize, index: u32, encoding: u32): usize {
  const old = pageAt(column, index);
  if (old == 0) return pageMake(slot, column, index, encoding);
  const width = load<u32>(old, PAGE_ENCODING);
  if (width >= encoding) return old;
  const page = pageCopyHead(slot, old, encoding);
  const from = old + PAGE_VALUES;
  const to = page + PAGE_VALUES;
  if (encoding == PAGE_U16) widen<u8, u16>(from, to);
  else if (width == PAGE_U8) widen<u8, u32>(from, to);
  else widen<u16, u32>(from, to);
  atomic.store<u32>(column + COLUMN_PAGES + (index << 2), <u32>page);
  return page;
}

function widen<From, To>(from: usize, to: usize): void {
  const end = from + PAGE_ROWS * sizeof<From>();
  while (from < end) {
    store<To>(to, <To>load<From>(from));
    from += sizeof<From>();
    to += sizeof<To>();
  }
}

/** A page of another encoding with the presence and the counts of `old`; its address is not published yet. */
function pageCopyHead(slot: usize, old: usize, encoding: u32): usize {
  const page = slotTake(slot, pageSize(encoding));
  memory.copy(page, old, PAGE_VALUES);
  store<u32>(page, encoding, PAGE_ENCODING);
  return page;
}

/**
 * Page `index` of numbers with exactly `encoding`, of PAGE_I64, PAGE_F64 and PAGE_MIXED: as it is, made, or a copy.
 * Bounds: an I64 page becomes F64 only when `pageIntegersSmall` holds.
 */
export function pageOfNumbers(slot: usize, column: usize, index: u32, encoding: u32): usize {
  const old = pageAt(column, index);
  if (old == 0) return pageMake(slot, column, index, encoding);
  const current = load<u32>(old, PAGE_ENCODING);
  if (current == encoding) return old;
  const page = pageCopyHead(slot, old, encoding);
  const from = old + PAGE_VALUES;
  const to = page + PAGE_VALUES;
  if (encoding == PAGE_F64) {
    // Absent values are 0, which is 0 as a double too.
    for (let i: usize = 0; i < <usize>ROWS * 8; i += 8) store<f64>(to + i, <f64>load<i64>(from + i));
  } else {
    memory.copy(to, from, PAGE_ROWS * 8);
    if (current == PAGE_F64) {
      memory.copy(page + PAGE_KINDS, old + PAGE_PRESENCE, PAGE_PRESENCE_SIZE);
    }
  }
  atomic.store<u32>(column + COLUMN_PAGES + (index << 2), <u32>page);
  return page;
}

/** Whether an integer is one of those that f64 holds exactly with all its neighbours. */
@inline
export function isSmall(value: i64): bool {
  return <u64>(value + 9007199254740992) <= 18014398509481984;
}

/** Whether every integer of an I64 page is within ±2^53. */
export function pageIntegersSmall(page: usize): bool {
  const end = page + PAGE_VALUES + PAGE_ROWS * 8;
  for (let at = page + PAGE_VALUES; at < end; at += 8) {
    if (!isSmall(load<i64>(at))) return false;
  }
  return true;
}

/** How many of `rows` rows from `row` on lie in the page of `row`. */
@inline
export function pageTake(row: u32, rows: u32): u32 {
  const room = ROWS - (row & (ROWS - 1));
  return rows < room ? rows : room;
}

@inline
export function pageIndex(row: u32): u32 {
  return row / ROWS;
}

/** Row of its page that `row` is. */
@inline
export function rowInPage(row: u32): u32 {
  return row & (ROWS - 1);
}

/** Counts `more` values in a page and its column. */
@inline
export function pageCount(column: usize, page: usize, more: u32): void {
  store<u32>(page, load<u32>(page, PAGE_COUNT) + more, PAGE_COUNT);
  store<u32>(column, load<u32>(column, COLUMN_COUNT) + more, COLUMN_COUNT);
}

/**
 * `count` bits of a bitmap from bit `from` on, the first as bit 0; 1 <= count <= 64.
 * Memory: reads up to 9 bytes from the byte of the first bit.
 */
@inline
export function bitsAt(bitmap: usize, from: u32, count: u32): u64 {
  const byte = bitmap + (from >> 3);
  const shift = <u64>(from & 7);
  let bits = load<u64>(byte) >> shift;
  if (shift != 0) bits |= <u64>load<u8>(byte, 8) << (64 - shift);
  return bits & (u64.MAX_VALUE >> <u64>(64 - count));
}

/** Number of set bits in [from, from + count). */
export function bitsCount(bitmap: usize, from: u32, count: u32): u32 {
  let total: u64 = 0;
  while (count > 64) {
    total += popcnt(bitsAt(bitmap, from, 64));
    from += 64;
    count -= 64;
  }
  if (count != 0) total += popcnt(bitsAt(bitmap, from, count));
  return <u32>total;
}

/** Sets in `target`, from bit `at` on, those of `count` bits that are set in `source` from bit `from` on. */
export function bitsOr(target: usize, at: u32, source: usize, from: u32, count: u32): void {
  while (count != 0) {
    const shift: u32 = at & 63;
    const room: u32 = 64 - shift;
    const take = count < room ? count : room;
    const word = target + ((at >> 6) << 3);
    store<u64>(word, load<u64>(word) | (bitsAt(source, from, take) << <u64>shift));
    at += take;
    from += take;
    count -= take;
  }
}

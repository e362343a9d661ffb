// Number values of a batch to pages of numbers. A page holds integers, doubles or both; which of them is
// decided for a page's new values as a whole, so that a page is copied at most once per batch.

import {
  BATCH_COLUMN_ENCODING,
  BATCH_COLUMN_KINDS,
  BATCH_COLUMN_VALUES,
  BATCH_F64,
  BATCH_I64,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_I64,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_VALUES,
} from "../layout";
import { bitmapFill, bitmapGet, bitmapSet } from "../memory/bitmap";
import {
  PAGE_KINDS,
  bitsAt,
  bitsCount,
  bitsOr,
  isSmall,
  pageAt,
  pageCount,
  pageIndex,
  pageIntegersSmall,
  pageOfNumbers,
  pageTake,
  rowInPage,
} from "./page";

const HAS_INTEGER: u32 = 1;
const HAS_DOUBLE: u32 = 2;
/** An integer beyond ±2^53, which a double may not hold exactly. */
const HAS_LARGE: u32 = 4;

/**
 * Writes the numbers of a batch's column for `rows` rows; the first of them is value `from`.
 * `bits` is the batch's presence bitmap, 0 when every row has a value.
 */
export function putNumbers(
  slot: usize,
  column: usize,
  batch: usize,
  source: usize,
  bits: usize,
  from: u32,
  rowBegin: u32,
  rows: u32,
  first: u32,
): void {
  const values = batch + load<u32>(source, BATCH_COLUMN_VALUES);
  const kinds = batch + load<u32>(source, BATCH_COLUMN_KINDS);
  const like = <u32>load<u8>(source, BATCH_COLUMN_ENCODING);
  for (let done: u32 = 0; done < rows; ) {
    const row = first + done;
    const inPage = rowInPage(row);
    const take = pageTake(row, rows - done);
    const fromRow = rowBegin + done;
    const present = bits == 0 ? take : bitsCount(bits, fromRow, take);
    if (present != 0) {
      const old = pageAt(column, pageIndex(row));
      const encoding = encodingFor(old, like, values, kinds, from, present);
      const page = pageOfNumbers(slot, column, pageIndex(row), encoding);
      const to = page + PAGE_VALUES + (inPage << 3);
      if (bits == 0) {
        memory.copy(to, values + (from << 3), take << 3);
        bitmapFill(page + PAGE_PRESENCE, inPage, inPage + take);
      } else {
        scatter(to, values + (from << 3), bits, fromRow, take);
        bitsOr(page + PAGE_PRESENCE, inPage, bits, fromRow, take);
      }
      if (encoding == PAGE_F64 && like != BATCH_F64) {
        integersToDoubles(to, like, kinds, from, bits, fromRow, take);
      } else if (encoding == PAGE_MIXED && like != BATCH_I64) {
        markDoubles(page + PAGE_KINDS, inPage, like, kinds, from, bits, fromRow, take);
      }
      pageCount(column, page, present);
      from += present;
    }
    done += take;
  }
}

/** The encoding that a page needs for what it holds and `count` more values; `old` 0 is a page not made yet. */
function encodingFor(
  old: usize,
  like: u32,
  values: usize,
  kinds: usize,
  from: u32,
  count: u32,
): u32 {
  const current = old == 0 ? PAGE_I64 : load<u32>(old, PAGE_ENCODING);
  if (current == PAGE_MIXED) return PAGE_MIXED;
  if (like == BATCH_I64 && current == PAGE_I64) return PAGE_I64;
  if (like == BATCH_F64 && (current == PAGE_F64 || old == 0)) return PAGE_F64;
  const has = survey(like, values, kinds, from, count);
  if (current == PAGE_F64) return (has & HAS_LARGE) != 0 ? PAGE_MIXED : PAGE_F64;
  if ((has & HAS_DOUBLE) == 0) return PAGE_I64;
  if ((has & HAS_LARGE) != 0) return PAGE_MIXED;
  return old == 0 || pageIntegersSmall(old) ? PAGE_F64 : PAGE_MIXED;
}

/** Which kinds of numbers are among `count` values from value `from` on. */
function survey(like: u32, values: usize, kinds: usize, from: u32, count: u32): u32 {
  if (like == BATCH_F64) return HAS_DOUBLE;
  let has: u32 = 0;
  for (let done: u32 = 0; done < count; done += 64) {
    const take = count - done < 64 ? count - done : 64;
    const all = u64.MAX_VALUE >> <u64>(64 - take);
    const doubles: u64 = like == BATCH_I64 ? 0 : bitsAt(kinds, from + done, take);
    let integers = all & ~doubles;
    if (doubles != 0) has |= HAS_DOUBLE;
    if (integers != 0) has |= HAS_INTEGER;
    while (integers != 0) {
      const value = from + done + <u32>ctz(integers);
      if (!isSmall(load<i64>(values + (value << 3)))) has |= HAS_LARGE;
      integers &= integers - 1;
    }
  }
  return has;
}

/** Stores 8-byte values to the rows whose bit is set; `to` is the place of the first row. */
function scatter(to: usize, values: usize, bits: usize, fromRow: u32, rows: u32): void {
  for (let done: u32 = 0; done < rows; done += 64) {
    let word = bitsAt(bits, fromRow + done, rows - done < 64 ? rows - done : 64);
    while (word != 0) {
      store<u64>(to + ((done + <u32>ctz(word)) << 3), load<u64>(values));
      values += 8;
      word &= word - 1;
    }
  }
}

/** Turns those values just stored that are integers into doubles; each of them is within ±2^53. */
function integersToDoubles(
  to: usize,
  like: u32,
  kinds: usize,
  from: u32,
  bits: usize,
  fromRow: u32,
  rows: u32,
): void {
  let value = from;
  for (let done: u32 = 0; done < rows; done += 64) {
    const take = rows - done < 64 ? rows - done : 64;
    const all = u64.MAX_VALUE >> <u64>(64 - take);
    let word = bits == 0 ? all : bitsAt(bits, fromRow + done, take);
    if (bits == 0 && like != BATCH_I64) {
      word &= ~bitsAt(kinds, value, take);
      value += take;
    }
    while (word != 0) {
      const at = to + ((done + <u32>ctz(word)) << 3);
      word &= word - 1;
      if (bits != 0 && like != BATCH_I64 && bitmapGet(kinds, value++)) continue;
      store<f64>(at, <f64>load<i64>(at));
    }
  }
}

/** Sets the kind bits of those rows of a mixed page whose new value is a double. */
function markDoubles(
  pageKinds: usize,
  inPage: u32,
  like: u32,
  kinds: usize,
  from: u32,
  bits: usize,
  fromRow: u32,
  rows: u32,
): void {
  if (bits == 0) {
    if (like == BATCH_F64) bitmapFill(pageKinds, inPage, inPage + rows);
    else bitsOr(pageKinds, inPage, kinds, from, rows);
    return;
  }
  let value = from;
  for (let done: u32 = 0; done < rows; done += 64) {
    let word = bitsAt(bits, fromRow + done, rows - done < 64 ? rows - done : 64);
    while (word != 0) {
      if (like == BATCH_F64 || bitmapGet(kinds, value)) {
        bitmapSet(pageKinds, inPage + done + <u32>ctz(word));
      }
      value++;
      word &= word - 1;
    }
  }
}

// Ids of one key within a segment: each selected row gets a small integer that names its value there. A row list
// holds the numbers of the selected rows, ascending; `ids[i]` belongs to `rows[i]`. Rows without a value keep the id
// that they have, which is that of NULL.

import {
  COLUMN_BASE, COLUMN_EXPONENT, GROUP_NONE, KEY_I64, KEY_ID, KEY_NULL, PAGE_ENCODING, PAGE_F64, PAGE_I64,
  PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U32, PAGE_U8, PAGE_VALUES, ROOT_POWERS_OF_TEN,
} from "../layout";
import { isPresent, pageEnd, pageOf } from "../aggregate/keys";
import { rawAt } from "../filter/select";
import { internBits, internF64, internText } from "./table";

const PAGE_MASK: u32 = PAGE_ROWS - 1;

/** Whether all of the page's rows [from, to) have a value. */
function allPresent(page: usize, from: u32, to: u32): bool {
  const presence = page + PAGE_PRESENCE;
  const last = (to - 1) >> 6;
  for (let w = from >> 6; w <= last; w++) {
    let wanted = u64.MAX_VALUE;
    if (w == from >> 6) wanted &= u64.MAX_VALUE << (from & 63);
    if (w == last) wanted &= u64.MAX_VALUE >> (63 - ((to - 1) & 63));
    if ((load<u64>(presence + (<usize>w << 3)) & wanted) != wanted) return false;
  }
  return true;
}

/** Whether `rows[from, to)` follow each other and all have a value in their page. */
@inline
function isDense(page: usize, rows: usize, from: u32, to: u32): bool {
  const first = load<u32>(rows + (<usize>from << 2));
  const last = load<u32>(rows + (<usize>(to - 1) << 2));
  return last - first == to - from - 1 && allPresent(page, first & PAGE_MASK, (last & PAGE_MASK) + 1);
}

/** out[n] = offset + the n-th raw integer from `values` on. */
function widen(values: usize, encoding: u32, count: u32, out: usize, offset: u32): void {
  const add = i32x4.splat(offset);
  let n: u32 = 0;
  if (encoding == PAGE_U8) {
    for (; n + 16 <= count; n += 16, values += 16, out += 64) {
      const bytes = v128.load(values);
      const low = i16x8.extend_low_i8x16_u(bytes);
      const high = i16x8.extend_high_i8x16_u(bytes);
      v128.store(out, i32x4.add(i32x4.extend_low_i16x8_u(low), add));
      v128.store(out, i32x4.add(i32x4.extend_high_i16x8_u(low), add), 16);
      v128.store(out, i32x4.add(i32x4.extend_low_i16x8_u(high), add), 32);
      v128.store(out, i32x4.add(i32x4.extend_high_i16x8_u(high), add), 48);
    }
    for (; n < count; n++, values++, out += 4) store<u32>(out, offset + load<u8>(values));
  } else if (encoding == PAGE_U16) {
    for (; n + 8 <= count; n += 8, values += 16, out += 32) {
      const words = v128.load(values);
      v128.store(out, i32x4.add(i32x4.extend_low_i16x8_u(words), add));
      v128.store(out, i32x4.add(i32x4.extend_high_i16x8_u(words), add), 16);
    }
    for (; n < count; n++, values += 2, out += 4) store<u32>(out, offset + load<u16>(values));
  } else {
    for (; n + 4 <= count; n += 4, values += 16, out += 16) {
      v128.store(out, i32x4.add(v128.load(values), add));
    }
    for (; n < count; n++, values += 4, out += 4) store<u32>(out, offset + load<u32>(values));
  }
}

/** ids[i] = offset + raw integer or code, for the rows that have one. Answers 0, or -1 when cancelled. */
export function groupCodes(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const first = load<u32>(rows + (<usize>i << 2));
    const page = pageOf(column, first);
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    if (isDense(page, rows, i, end)) {
      const shift: u32 = encoding == PAGE_U8 ? 0 : encoding == PAGE_U16 ? 1 : 2;
      const values = page + PAGE_VALUES + (<usize>(first & PAGE_MASK) << shift);
      widen(values, encoding, end - i, ids + (<usize>i << 2), offset);
      i = end;
      continue;
    }
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (isPresent(page, row)) {
        store<u32>(ids + (<usize>i << 2), offset + rawAt(page, encoding, row));
      }
    }
  }
  return 0;
}

/**
 * Smallest and largest base + raw integer, or i64, of the listed rows, as two i64 at `out`; of pages of narrow raw
 * integers as much as they can hold. Low above high: no row has a value. Answers 1, or 0 when there are doubles
 * among them, whose range is not told; -1 when cancelled.
 */
export function groupRange(column: usize, rows: usize, count: u32, out: usize, cancel: usize): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  const exponent = load<u32>(column, COLUMN_EXPONENT);
  let low = i64.MAX_VALUE;
  let high = i64.MIN_VALUE;
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : <u32>PAGE_U8;
    if (encoding == PAGE_F64 || encoding == PAGE_MIXED) return 0;
    // Only raw integers are scaled.
    if (encoding == PAGE_I64 && exponent) return 0;
    if (page && encoding <= <u32>PAGE_U16) {
      low = min(low, base);
      const most: i64 = encoding == PAGE_U8 ? 0xff : 0xffff;
      high = max(high, base > i64.MAX_VALUE - most ? i64.MAX_VALUE : base + most);
    } else if (page) {
      for (let n = i; n < end; n++) {
        const row = load<u32>(rows + (<usize>n << 2)) & PAGE_MASK;
        if (!isPresent(page, row)) continue;
        const value = encoding == PAGE_I64
          ? load<i64>(page + (<usize>row << 3), PAGE_VALUES)
          : base + <i64>rawAt(page, encoding, row);
        low = min(low, value);
        high = max(high, value);
      }
    }
    i = end;
  }
  store<i64>(out, low);
  store<i64>(out, high, 8);
  return 1;
}

/** ids[i] = offset + (base + raw integer, or i64) - low, for rows whose range is known to be small. 0, or -1. */
export function groupIntegers(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, low: i64, cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const first = load<u32>(rows + (<usize>i << 2));
    const page = pageOf(column, first);
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    const shift = <u32>(base - low) + offset;
    if (encoding <= <u32>PAGE_U32 && isDense(page, rows, i, end)) {
      const width: u32 = encoding == PAGE_U8 ? 0 : encoding == PAGE_U16 ? 1 : 2;
      const values = page + PAGE_VALUES + (<usize>(first & PAGE_MASK) << width);
      widen(values, encoding, end - i, ids + (<usize>i << 2), shift);
      i = end;
      continue;
    }
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!isPresent(page, row)) continue;
      const id = encoding <= <u32>PAGE_U32
        ? shift + rawAt(page, encoding, row)
        : offset + <u32>(load<i64>(page + (<usize>row << 3), PAGE_VALUES) - low);
      store<u32>(ids + (<usize>i << 2), id);
    }
  }
  return 0;
}

/** ids[i] = offset + index of the number in the table. Answers how many rows are done, or -1 when cancelled. */
export function groupNumbers(
  column: usize, rows: usize, from: u32, count: u32, ids: usize, offset: u32, table: usize,
  cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  const exponent = load<u32>(column, COLUMN_EXPONENT);
  const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
  for (let i = from; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    const kinds = page + PAGE_VALUES + PAGE_ROWS * 8;
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!isPresent(page, row)) continue;
      const address = page + (<usize>row << 3);
      let index: u32 = 0;
      if (encoding <= <u32>PAGE_U32) {
        const value = base + <i64>rawAt(page, encoding, row);
        index = exponent ? internF64(table, <f64>value / scale) : internBits(table, <u64>value, KEY_I64);
      } else if (
        encoding == PAGE_F64 ||
        (encoding == PAGE_MIXED && (load<u8>(kinds + <usize>(row >> 3)) >> (row & 7)) & 1)
      ) {
        index = internF64(table, load<f64>(address, PAGE_VALUES));
      } else index = internBits(table, load<u64>(address, PAGE_VALUES), KEY_I64);
      if (index == GROUP_NONE) return <i32>i;
      store<u32>(ids + (<usize>i << 2), offset + index);
    }
  }
  return <i32>count;
}

/** ids[i] = offset + index of the 16-byte id in the table. Answers how many rows are done, or -1 when cancelled. */
export function groupUuids(
  column: usize, rows: usize, from: u32, count: u32, ids: usize, offset: u32, table: usize,
  cancel: usize,
): i32 {
  for (let i = from; i < count; i++) {
    if ((i & 0xfff) == 0 && atomic.load<u32>(cancel)) return -1;
    const row = load<u32>(rows + (<usize>i << 2));
    const page = pageOf(column, row);
    if (!page || !isPresent(page, row & PAGE_MASK)) continue;
    const address = page + PAGE_VALUES + (<usize>(row & PAGE_MASK) << 4);
    const index = internText(table, address, 16, KEY_ID);
    if (index == GROUP_NONE) return <i32>i;
    store<u32>(ids + (<usize>i << 2), offset + index);
  }
  return <i32>count;
}

/** floor(distance / width) for a distance of at least 0; below 2^52 by a multiplication that is at most one off. */
@inline
function bucketOf(distance: i64, width: i64, perUs: f64): i64 {
  if (<u64>distance >= 0x10000000000000) return distance / width;
  let bucket = <i64>(<f64>distance * perUs);
  const rest = distance - bucket * width;
  if (rest < 0) bucket--;
  else if (rest >= width) bucket++;
  return bucket;
}

/**
 * ids[i] = offset + number of the bucket of `width` µs, counted from the one that begins at `start`, which no time is
 * before. Consecutive rows mostly share a bucket, so its bounds are kept. 0, or -1 when cancelled.
 */
export function groupBuckets(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, start: i64, width: i64,
  cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  const perUs = 1.0 / <f64>width;
  // Distances from `start`: those of the current bucket are in [low, low + width).
  let low: i64 = 0;
  let id = offset;
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const first = load<u32>(rows + (<usize>i << 2));
    const page = pageOf(column, first);
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    const narrow = encoding <= <u32>PAGE_U32;
    const shift = (narrow ? base : 0) - start;
    const full = isDense(page, rows, i, end);
    const values = page + PAGE_VALUES;
    while (i < end) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!full && !isPresent(page, row)) {
        i++;
        continue;
      }
      const distance =
        shift + (narrow ? <i64>rawAt(page, encoding, row) : load<i64>(values + (<usize>row << 3)));
      if (<u64>(distance - low) >= <u64>width) {
        const bucket = bucketOf(distance, width, perUs);
        low = bucket * width;
        id = offset + <u32>bucket;
      }
      store<u32>(ids + (<usize>i << 2), id);
      i++;
      if (full) i += sameBucket(values, encoding, row + 1, end - i, low - shift, width, ids + (<usize>i << 2), id);
    }
  }
  return 0;
}

/**
 * How many of the `count` values from row `from` on lie in [low, low + width), in steps of eight until one doesn't;
 * their ids are written.
 */
function sameBucket(
  values: usize, encoding: u32, from: u32, count: u32, low: i64, width: i64, ids: usize, id: u32,
): u32 {
  const four = i32x4.splat(id);
  let n: u32 = 0;
  if (encoding == PAGE_U32) {
    // The part of the bucket that raw integers can lie in.
    const first = max(low, 0);
    const span = min(low + width, 0x100000000) - first;
    if (span <= 0) return 0;
    const lows = i32x4.splat(<i32>first);
    const spans = i32x4.splat(<i32>(span - 1));
    let address = values + (<usize>from << 2);
    for (; n + 8 <= count; n += 8, address += 32, ids += 32) {
      const a = i32x4.le_u(i32x4.sub(v128.load(address), lows), spans);
      const b = i32x4.le_u(i32x4.sub(v128.load(address, 16), lows), spans);
      if (!i32x4.all_true(v128.and(a, b))) break;
      v128.store(ids, four);
      v128.store(ids, four, 16);
    }
  } else if (encoding == PAGE_I64) {
    const limit = <u64>width;
    let address = values + (<usize>from << 3);
    for (; n + 8 <= count; n += 8, address += 64, ids += 32) {
      const inside =
        <u32>(<u64>(load<i64>(address) - low) < limit) & <u32>(<u64>(load<i64>(address, 8) - low) < limit) &
        <u32>(<u64>(load<i64>(address, 16) - low) < limit) & <u32>(<u64>(load<i64>(address, 24) - low) < limit) &
        <u32>(<u64>(load<i64>(address, 32) - low) < limit) & <u32>(<u64>(load<i64>(address, 40) - low) < limit) &
        <u32>(<u64>(load<i64>(address, 48) - low) < limit) & <u32>(<u64>(load<i64>(address, 56) - low) < limit);
      if (!inside) break;
      v128.store(ids, four);
      v128.store(ids, four, 16);
    }
  }
  return n;
}

/** As `groupBuckets`, for buckets that begin at the `buckets` ascending times at `starts`, no time before the first. */
export function groupStarts(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, starts: usize, buckets: u32,
  cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  let low: i64 = 0;
  let high: i64 = 0;
  let id = offset;
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!isPresent(page, row)) continue;
      const time = encoding <= <u32>PAGE_U32
        ? base + <i64>rawAt(page, encoding, row)
        : load<i64>(page + (<usize>row << 3), PAGE_VALUES);
      if (time < low || time >= high) {
        let first: u32 = 0;
        let last = buckets;
        while (last - first > 1) {
          const middle = (first + last) >> 1;
          if (load<i64>(starts + (<usize>middle << 3)) <= time) first = middle;
          else last = middle;
        }
        low = load<i64>(starts + (<usize>first << 3));
        high = first + 1 < buckets ? load<i64>(starts + (<usize>(first + 1) << 3)) : i64.MAX_VALUE;
        id = offset + first;
      }
      store<u32>(ids + (<usize>i << 2), id);
    }
  }
  return 0;
}

/** Gives rows whose id is GROUP_NONE the index of NULL. Answers how many rows are done. */
export function groupNulls(ids: usize, from: u32, count: u32, table: usize): u32 {
  for (let i = from; i < count; i++) {
    const address = ids + (<usize>i << 2);
    if (load<u32>(address) != GROUP_NONE) continue;
    const index = internBits(table, 0, KEY_NULL);
    if (index == GROUP_NONE) return i;
    store<u32>(address, index);
  }
  return count;
}

// Selections from one column of one segment, page by page.
//
// All take `mask`, the rows still wanted, and write to `out` (which may be `mask`) those of them that match:
// `words` words of 64 rows each. They answer the number of rows selected, or -1 when the u32 at `cancel`
// became nonzero, which they look at once a page. A row without a value is never selected, also not when
// `inverted` asks for the rows that do not match: that is SQL's NOT over NULL.

import {
  COLUMN_PAGES, PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16,
  PAGE_U32, PAGE_U8, PAGE_VALUES,
} from "../layout";
import { matchF64x16, matchI64x16, matchU16, matchU32, matchU8 } from "./match";

/** Words of a page's bitmap. */
const PAGE_WORDS: u32 = PAGE_ROWS / 64;
const ALL: u64 = 0xffffffffffffffff;

/**
 * Rows whose number, code or boolean is within a closed range, given once for each kind of page: raw
 * integers and codes, i64, f64. A range whose low end is above its high end selects nothing.
 */
export function selectRange(
  column: usize, words: u32, mask: usize, out: usize, inverted: u32,
  rawLow: u32, rawHigh: u32, i64Low: i64, i64High: i64, f64Low: f64, f64High: f64, cancel: usize,
): i32 {
  let count: u32 = 0;
  const flip: u64 = inverted ? ALL : 0;
  for (let first: u32 = 0; first < words; first += PAGE_WORDS) {
    if (atomic.load<u32>(cancel)) return -1;
    const length = min(words - first, PAGE_WORDS);
    const from = mask + (<usize>first << 3);
    const to = out + (<usize>first << 3);
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(first / PAGE_WORDS) << 2));
    if (!page) {
      memory.fill(to, 0, <usize>length << 3);
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    if (encoding == PAGE_F64) count += selectF64(page, length, from, to, flip, f64Low, f64High);
    else if (encoding == PAGE_I64) count += selectI64(page, length, from, to, flip, i64Low, i64High);
    else if (encoding == PAGE_MIXED) {
      count += selectMixed(page, length, from, to, flip, i64Low, i64High, f64Low, f64High);
    } else count += selectRaw(page, encoding, length, from, to, flip, rawLow, rawHigh);
  }
  return <i32>count;
}

function selectRaw(
  page: usize, encoding: u32, words: u32, from: usize, to: usize, flip: u64, low: u32, high: u32,
): u32 {
  const limit: u32 = encoding == PAGE_U8 ? 0xff : encoding == PAGE_U16 ? 0xffff : 0xffffffff;
  if (high > limit) high = limit;
  let count: u64 = 0;
  let values = page + PAGE_VALUES;
  let presence = page + PAGE_PRESENCE;
  const end = to + (<usize>words << 3);
  if (low > high) {
    for (; to < end; to += 8, from += 8, presence += 8) {
      const bits = load<u64>(from) & load<u64>(presence) & flip;
      store<u64>(to, bits);
      count += popcnt<u64>(bits);
    }
  } else if (encoding == PAGE_U8) {
    const lows = i8x16.splat(<i8>low);
    const spans = i8x16.splat(<i8>(high - low));
    for (; to < end; to += 8, from += 8, presence += 8, values += 64) {
      let bits = load<u64>(from) & load<u64>(presence);
      if (bits) bits &= matchU8(values, lows, spans) ^ flip;
      store<u64>(to, bits);
      count += popcnt<u64>(bits);
    }
  } else if (encoding == PAGE_U16) {
    const lows = i16x8.splat(<i16>low);
    const spans = i16x8.splat(<i16>(high - low));
    for (; to < end; to += 8, from += 8, presence += 8, values += 128) {
      let bits = load<u64>(from) & load<u64>(presence);
      if (bits) bits &= matchU16(values, lows, spans) ^ flip;
      store<u64>(to, bits);
      count += popcnt<u64>(bits);
    }
  } else if (encoding == PAGE_U32) {
    const lows = i32x4.splat(<i32>low);
    const spans = i32x4.splat(<i32>(high - low));
    for (; to < end; to += 8, from += 8, presence += 8, values += 256) {
      let bits = load<u64>(from) & load<u64>(presence);
      if (bits) bits &= matchU32(values, lows, spans) ^ flip;
      store<u64>(to, bits);
      count += popcnt<u64>(bits);
    }
  } else memory.fill(to, 0, <usize>words << 3);
  return <u32>count;
}

/** Sixteen rows are tested only when one of them is still wanted: their cache lines are most of the cost. */
function selectF64(
  page: usize, words: u32, from: usize, to: usize, flip: u64, low: f64, high: f64,
): u32 {
  let count: u64 = 0;
  let values = page + PAGE_VALUES;
  let presence = page + PAGE_PRESENCE;
  const lows = f64x2.splat(low);
  const highs = f64x2.splat(high);
  const end = to + (<usize>words << 3);
  for (; to < end; to += 8, from += 8, presence += 8, values += 512) {
    let bits = load<u64>(from) & load<u64>(presence);
    if (bits) {
      let match: u64 = 0;
      if (bits & 0xffff) match = matchF64x16(values, lows, highs);
      if (bits & 0xffff0000) match |= matchF64x16(values + 128, lows, highs) << 16;
      if (bits & 0xffff00000000) match |= matchF64x16(values + 256, lows, highs) << 32;
      if (bits >> 48) match |= matchF64x16(values + 384, lows, highs) << 48;
      bits &= match ^ flip;
      count += popcnt<u64>(bits);
    }
    store<u64>(to, bits);
  }
  return <u32>count;
}

function selectI64(
  page: usize, words: u32, from: usize, to: usize, flip: u64, low: i64, high: i64,
): u32 {
  let count: u64 = 0;
  let values = page + PAGE_VALUES;
  let presence = page + PAGE_PRESENCE;
  const lows = i64x2.splat(low);
  const highs = i64x2.splat(high);
  const end = to + (<usize>words << 3);
  for (; to < end; to += 8, from += 8, presence += 8, values += 512) {
    let bits = load<u64>(from) & load<u64>(presence);
    if (bits) {
      let match: u64 = 0;
      if (bits & 0xffff) match = matchI64x16(values, lows, highs);
      if (bits & 0xffff0000) match |= matchI64x16(values + 128, lows, highs) << 16;
      if (bits & 0xffff00000000) match |= matchI64x16(values + 256, lows, highs) << 32;
      if (bits >> 48) match |= matchI64x16(values + 384, lows, highs) << 48;
      bits &= match ^ flip;
      count += popcnt<u64>(bits);
    }
    store<u64>(to, bits);
  }
  return <u32>count;
}

/** Both tests, and the kinds bitmap picks between them. */
function selectMixed(
  page: usize, words: u32, from: usize, to: usize, flip: u64,
  i64Low: i64, i64High: i64, f64Low: f64, f64High: f64,
): u32 {
  let count: u64 = 0;
  let values = page + PAGE_VALUES;
  let presence = page + PAGE_PRESENCE;
  let kinds = page + PAGE_VALUES + PAGE_ROWS * 8;
  const il = i64x2.splat(i64Low);
  const ih = i64x2.splat(i64High);
  const fl = f64x2.splat(f64Low);
  const fh = f64x2.splat(f64High);
  const end = to + (<usize>words << 3);
  for (; to < end; to += 8, from += 8, presence += 8, kinds += 8) {
    let bits = load<u64>(from) & load<u64>(presence);
    let integers: u64 = 0;
    let floats: u64 = 0;
    for (let shift: u64 = 0; shift < 64; shift += 16, values += 128) {
      if ((bits >> shift) & 0xffff) {
        integers |= matchI64x16(values, il, ih) << shift;
        floats |= matchF64x16(values, fl, fh) << shift;
      }
    }
    const kind = load<u64>(kinds);
    bits &= ((floats & kind) | (integers & ~kind)) ^ flip;
    store<u64>(to, bits);
    count += popcnt<u64>(bits);
  }
  return <u32>count;
}

/** Rows whose code has a nonzero byte in `table`, which has one byte for each code below the dictionary's count. */
export function selectCodes(
  column: usize, words: u32, mask: usize, out: usize, table: usize, cancel: usize,
): i32 {
  let count: u32 = 0;
  for (let first: u32 = 0; first < words; first += PAGE_WORDS) {
    if (atomic.load<u32>(cancel)) return -1;
    const length = min(words - first, PAGE_WORDS);
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(first / PAGE_WORDS) << 2));
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : 0;
    for (let w: u32 = 0; w < length; w++) {
      const offset = <usize>(first + w) << 3;
      let left: u64 = 0;
      if (page) left = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + (<usize>w << 3));
      let bits: u64 = 0;
      while (left) {
        const row = ctz<u64>(left);
        left &= left - 1;
        const code = rawAt(page, encoding, (w << 6) + <u32>row);
        bits |= <u64>(load<u8>(table + code) != 0) << row;
      }
      store<u64>(out + offset, bits);
      count += <u32>popcnt<u64>(bits);
    }
  }
  return <i32>count;
}

/** Raw integer or code of row `row` of a PAGE_U8, PAGE_U16 or PAGE_U32 page. */
@inline
export function rawAt(page: usize, encoding: u32, row: u32): u32 {
  if (encoding == PAGE_U8) return load<u8>(page + <usize>row, PAGE_VALUES);
  if (encoding == PAGE_U16) return load<u16>(page + (<usize>row << 1), PAGE_VALUES);
  return load<u32>(page + (<usize>row << 2), PAGE_VALUES);
}

/** Rows that have a value in this column. */
export function selectPresent(column: usize, words: u32, mask: usize, out: usize): i32 {
  let count: u64 = 0;
  for (let w: u32 = 0; w < words; w++) {
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(w / PAGE_WORDS) << 2));
    const offset = <usize>w << 3;
    let bits: u64 = 0;
    if (page) {
      bits = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + (<usize>(w % PAGE_WORDS) << 3));
    }
    store<u64>(out + offset, bits);
    count += popcnt<u64>(bits);
  }
  return <i32>count;
}

/** Rows whose 16-byte id is within [low, high] by its bytes; both ends are 16 bytes in the text's order. */
export function selectIds(
  column: usize, words: u32, mask: usize, out: usize, inverted: u32, low: usize, high: usize,
  cancel: usize,
): i32 {
  let count: u32 = 0;
  const lowFirst = bswap<u64>(load<u64>(low));
  const lowLast = bswap<u64>(load<u64>(low, 8));
  const highFirst = bswap<u64>(load<u64>(high));
  const highLast = bswap<u64>(load<u64>(high, 8));
  for (let w: u32 = 0; w < words; w++) {
    if (w % PAGE_WORDS == 0 && atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(w / PAGE_WORDS) << 2));
    const offset = <usize>w << 3;
    let left: u64 = 0;
    if (page) {
      left = load<u64>(mask + offset) & load<u64>(page + PAGE_PRESENCE + (<usize>(w % PAGE_WORDS) << 3));
    }
    let bits: u64 = 0;
    while (left) {
      const row = ctz<u64>(left);
      left &= left - 1;
      const id = page + ((<usize>((w % PAGE_WORDS) << 6) + <usize>row) << 4);
      const first = bswap<u64>(load<u64>(id, PAGE_VALUES));
      let match = false;
      if (first >= lowFirst && first <= highFirst) {
        const last = bswap<u64>(load<u64>(id, PAGE_VALUES + 8));
        match = (first > lowFirst || last >= lowLast) && (first < highFirst || last <= highLast);
      }
      if (match != (inverted != 0)) bits |= <u64>1 << row;
    }
    store<u64>(out + offset, bits);
    count += <u32>popcnt<u64>(bits);
  }
  return <i32>count;
}

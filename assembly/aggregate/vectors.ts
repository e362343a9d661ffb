// Values of the selected rows, close together: a page at a time, whatever its encoding, so that each aggregate has
// one loop for integers, doubles, codes or ids. A page of 64-bit values that is selected from one row to another
// without a gap is passed on where it lies; of all others the values are copied, at less than a nanosecond a row.
//
// VECTOR in layout.ts says where things are. A mixed page makes two vectors, its integers and its doubles.

import {
  COLUMN_BASE, COLUMN_EXPONENT, COLUMN_LANE, COLUMN_PAGES, LANE_NUMBER, PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_ID,
  PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U32, PAGE_U8, PAGE_VALUES, ROOT_POWERS_OF_TEN, VECTOR_BUFFER,
  VECTOR_BUFFER_GROUPS, VECTOR_BUFFER_OTHER_GROUPS, VECTOR_BUFFER_OTHER_ROWS, VECTOR_BUFFER_ROWS, VECTOR_CANCEL,
  VECTOR_CODES, VECTOR_COLUMN, VECTOR_COUNT, VECTOR_F64, VECTOR_FIRST_ROW, VECTOR_GROUPS, VECTOR_I64, VECTOR_IDS,
  VECTOR_KIND, VECTOR_LIST, VECTOR_LIST_COUNT, VECTOR_LIST_GROUPS, VECTOR_MASK, VECTOR_PENDING, VECTOR_PENDING_COUNT,
  VECTOR_POSITION, VECTOR_RAW, VECTOR_ROWS, VECTOR_VALUES, VECTOR_WANTED, VECTOR_WANT_F64, VECTOR_WANT_RAW,
} from "../layout";

const PAGE_SHIFT: u32 = 12;
const PAGE_MASK: u32 = PAGE_ROWS - 1;
const PAGE_WORDS: u32 = PAGE_ROWS / 64;
const KINDS: usize = PAGE_VALUES + PAGE_ROWS * 8;
/** Doubles up to here hold every integer, so that a sum of two of them is exact below twice that. */
const EXACT: i64 = 0x10000000000000;

/** Finds the next vector. 1: there is one, 0: there are no more, -1: cancelled. */
export function nextVector(v: usize): i32 {
  if (load<u32>(v, VECTOR_PENDING)) {
    pendingDoubles(v);
    return 1;
  }
  const listed = load<u32>(v, VECTOR_LIST) != 0;
  const count = load<u32>(v, VECTOR_LIST_COUNT);
  while (true) {
    const position = load<u32>(v, VECTOR_POSITION);
    if (position >= count) return 0;
    if (atomic.load<u32>(load<u32>(v, VECTOR_CANCEL))) return -1;
    if (listed ? nextListed(v, position, count) : nextMasked(v, position, count)) return 1;
  }
  return 0;
}

/** Index after the last row of `rows[from, count)` that lies in the page of `rows[from]`. */
@inline
function listedEnd(rows: usize, from: u32, count: u32): u32 {
  const next = ((load<u32>(rows + (<usize>from << 2)) >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
  let high = min(count, from + PAGE_ROWS);
  // Mostly the page is all there, or all that is left is within it.
  if (load<u32>(rows + (<usize>(high - 1) << 2)) < next) return high;
  let low = from + 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(rows + (<usize>middle << 2)) < next) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether all rows [first, last] of a page have values. */
function allPresent(page: usize, first: u32, last: u32): bool {
  const bitmap = page + PAGE_PRESENCE;
  for (let w = first >> 6; w <= last >> 6; w++) {
    let bits = load<u64>(bitmap + (<usize>w << 3));
    const start = w << 6;
    if (first > start) bits |= ((<u64>1) << (first - start)) - 1;
    if (last < start + 63) bits |= u64.MAX_VALUE << (last - start + 1);
    if (~bits) return false;
  }
  return true;
}

function nextListed(v: usize, from: u32, count: u32): bool {
  const rows = <usize>load<u32>(v, VECTOR_LIST);
  const end = listedEnd(rows, from, count);
  store<u32>(v, end, VECTOR_POSITION);
  const first = load<u32>(rows + (<usize>from << 2));
  const pages = <usize>load<u32>(v, VECTOR_COLUMN) + COLUMN_PAGES;
  const page = <usize>load<u32>(pages + (<usize>(first >> PAGE_SHIFT) << 2));
  if (!page) return false;
  const length = end - from;
  const list = rows + (<usize>from << 2);
  const last = load<u32>(rows + (<usize>(end - 1) << 2));
  let groups = <usize>load<u32>(v, VECTOR_LIST_GROUPS);
  if (groups) groups += <usize>from << 2;
  store<u32>(v, first, VECTOR_FIRST_ROW);
  if (allPresent(page, first & PAGE_MASK, last & PAGE_MASK)) {
    store<u32>(v, last - first == length - 1 ? 0 : <u32>list, VECTOR_ROWS);
    store<u32>(v, <u32>groups, VECTOR_GROUPS);
    store<u32>(v, length, VECTOR_COUNT);
    return gather(v, page);
  }
  const buffer = <usize>load<u32>(v, VECTOR_BUFFER);
  const found = groups
    ? presentGroups(page, list, groups, length, buffer + VECTOR_BUFFER_ROWS, buffer + VECTOR_BUFFER_GROUPS)
    : presentRows(page, list, length, buffer + VECTOR_BUFFER_ROWS);
  if (!found) return false;
  store<u32>(v, <u32>(buffer + VECTOR_BUFFER_ROWS), VECTOR_ROWS);
  store<u32>(v, groups ? <u32>(buffer + VECTOR_BUFFER_GROUPS) : 0, VECTOR_GROUPS);
  store<u32>(v, found, VECTOR_COUNT);
  return gather(v, page);
}

/** Copies the rows that have values; each is written, and written over by the next where it has none. */
function presentRows(page: usize, rows: usize, count: u32, out: usize): u32 {
  let to = out;
  for (let end = rows + (<usize>count << 2); rows < end; rows += 4) {
    const row = load<u32>(rows);
    const r = row & PAGE_MASK;
    store<u32>(to, row);
    to += <usize>((<u32>load<u8>(page + (r >> 3), PAGE_PRESENCE) >> (r & 7)) & 1) << 2;
  }
  return <u32>((to - out) >> 2);
}

function presentGroups(page: usize, rows: usize, groups: usize, count: u32, out: usize, outGroups: usize): u32 {
  let to: usize = 0;
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    const row = load<u32>(rows + i);
    const r = row & PAGE_MASK;
    store<u32>(out + to, row);
    store<u32>(outGroups + to, load<u32>(groups + i));
    to += <usize>((<u32>load<u8>(page + (r >> 3), PAGE_PRESENCE) >> (r & 7)) & 1) << 2;
  }
  return <u32>(to >> 2);
}

function nextMasked(v: usize, word: u32, words: u32): bool {
  // The first word may be within a page.
  const inPage = word % PAGE_WORDS;
  const length = min(words - word, PAGE_WORDS - inPage);
  store<u32>(v, word + length, VECTOR_POSITION);
  const pages = <usize>load<u32>(v, VECTOR_COLUMN) + COLUMN_PAGES;
  const page = <usize>load<u32>(pages + (<usize>(word / PAGE_WORDS) << 2));
  if (!page) return false;
  const mask = <usize>load<u32>(v, VECTOR_MASK) + (<usize>word << 3);
  const presence = page + PAGE_PRESENCE + (<usize>inPage << 3);
  let all: u64 = u64.MAX_VALUE;
  for (let w: u32 = 0; w < length; w++) {
    all &= load<u64>(mask + (<usize>w << 3)) & load<u64>(presence + (<usize>w << 3));
  }
  store<u32>(v, word << 6, VECTOR_FIRST_ROW);
  store<u32>(v, 0, VECTOR_GROUPS);
  if (all == u64.MAX_VALUE) {
    store<u32>(v, 0, VECTOR_ROWS);
    store<u32>(v, length << 6, VECTOR_COUNT);
    return gather(v, page);
  }
  const out = <usize>load<u32>(v, VECTOR_BUFFER) + VECTOR_BUFFER_ROWS;
  let to = out;
  for (let w: u32 = 0; w < length; w++) {
    let bits = load<u64>(mask + (<usize>w << 3)) & load<u64>(presence + (<usize>w << 3));
    const first = (word + w) << 6;
    for (; bits; bits &= bits - 1, to += 4) store<u32>(to, first + <u32>ctz<u64>(bits));
  }
  if (to == out) return false;
  store<u32>(v, <u32>out, VECTOR_ROWS);
  store<u32>(v, <u32>((to - out) >> 2), VECTOR_COUNT);
  return gather(v, page);
}

/** Values of the rows that were found in the page; there is one at least. */
function gather(v: usize, page: usize): bool {
  const encoding = load<u32>(page, PAGE_ENCODING);
  const column = <usize>load<u32>(v, VECTOR_COLUMN);
  const rows = <usize>load<u32>(v, VECTOR_ROWS);
  const first = load<u32>(v, VECTOR_FIRST_ROW) & PAGE_MASK;
  const count = load<u32>(v, VECTOR_COUNT);
  const out = <usize>load<u32>(v, VECTOR_BUFFER);
  const doubles = (load<u32>(v, VECTOR_WANTED) & VECTOR_WANT_F64) != 0;
  let values = out;
  let kind: u32 = VECTOR_F64;
  if (encoding <= <u32>PAGE_U32) {
    if (load<u32>(column, COLUMN_LANE) != LANE_NUMBER) {
      kind = VECTOR_CODES;
      if (encoding == PAGE_U32 && !rows) values = page + PAGE_VALUES + (<usize>first << 2);
      else gatherCodes(page, encoding, rows, first, count, out);
    } else {
      const exponent = load<u32>(column, COLUMN_EXPONENT);
      const base = load<i64>(column, COLUMN_BASE);
      const plain = !exponent || (encoding == PAGE_U32 && base >= -EXACT && base <= EXACT);
      if (plain && !rows && load<u32>(v, VECTOR_WANTED) & VECTOR_WANT_RAW) {
        const shift: u32 = encoding == PAGE_U8 ? 0 : encoding == PAGE_U16 ? 1 : 2;
        kind = VECTOR_RAW + encoding;
        values = page + PAGE_VALUES + (<usize>first << shift);
      } else if (exponent) gatherScaled(page, encoding, rows, first, count, base, exponent, out);
      else {
        gatherRaw(page, encoding, rows, first, count, base, out);
        if (doubles) toDoubles(out, out, count);
        else kind = VECTOR_I64;
      }
    }
  } else if (encoding == PAGE_ID) {
    kind = VECTOR_IDS;
    if (!rows) values = page + PAGE_VALUES + (<usize>first << 4);
    else gatherIds(page, rows, count, out);
  } else if (encoding == PAGE_MIXED) {
    if (!doubles) return gatherMixed(v, page);
    gatherAsDoubles(page, rows, first, count, out);
  } else {
    if (!rows) values = page + PAGE_VALUES + (<usize>first << 3);
    else gatherWords(page, rows, count, out);
    if (encoding == PAGE_I64) {
      if (doubles) {
        toDoubles(values, out, count);
        values = out;
      } else kind = VECTOR_I64;
    }
  }
  store<u32>(v, kind, VECTOR_KIND);
  store<u32>(v, <u32>values, VECTOR_VALUES);
  return true;
}

@inline
function rawOf(page: usize, encoding: u32, r: u32): u32 {
  if (encoding == PAGE_U8) return load<u8>(page + <usize>r, PAGE_VALUES);
  if (encoding == PAGE_U16) return load<u16>(page + (<usize>r << 1), PAGE_VALUES);
  return load<u32>(page + (<usize>r << 2), PAGE_VALUES);
}

function gatherCodes(page: usize, encoding: u32, rows: usize, first: u32, count: u32, out: usize): void {
  if (rows) {
    for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
      store<u32>(out + i, rawOf(page, encoding, load<u32>(rows + i) & PAGE_MASK));
    }
    return;
  }
  // Up to fifteen values more than are wanted are read and written: both have room.
  if (encoding == PAGE_U8) {
    const from = page + PAGE_VALUES + <usize>first;
    for (let i: usize = 0; i < <usize>count; i += 16) {
      const bytes = v128.load(from + i);
      const low = i16x8.extend_low_i8x16_u(bytes);
      const high = i16x8.extend_high_i8x16_u(bytes);
      const to = out + (i << 2);
      v128.store(to, i32x4.extend_low_i16x8_u(low));
      v128.store(to, i32x4.extend_high_i16x8_u(low), 16);
      v128.store(to, i32x4.extend_low_i16x8_u(high), 32);
      v128.store(to, i32x4.extend_high_i16x8_u(high), 48);
    }
  } else {
    const from = page + PAGE_VALUES + (<usize>first << 1);
    for (let i: usize = 0; i < <usize>count; i += 8) {
      const words = v128.load(from + (i << 1));
      v128.store(out + (i << 2), i32x4.extend_low_i16x8_u(words));
      v128.store(out + (i << 2), i32x4.extend_high_i16x8_u(words), 16);
    }
  }
}

/** base + raw, as i64. */
function gatherRaw(page: usize, encoding: u32, rows: usize, first: u32, count: u32, base: i64, out: usize): void {
  if (rows) {
    for (let i: u32 = 0; i < count; i++) {
      const r = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      store<i64>(out + (<usize>i << 3), base + <i64>rawOf(page, encoding, r));
    }
    return;
  }
  if (encoding == PAGE_U32) {
    const from = page + PAGE_VALUES + (<usize>first << 2);
    const bases = i64x2.splat(base);
    for (let i: usize = 0; i < <usize>count; i += 4) {
      const quad = v128.load(from + (i << 2));
      v128.store(out + (i << 3), i64x2.add(bases, i64x2.extend_low_i32x4_u(quad)));
      v128.store(out + (i << 3), i64x2.add(bases, i64x2.extend_high_i32x4_u(quad)), 16);
    }
    return;
  }
  for (let i: u32 = 0; i < count; i++) {
    store<i64>(out + (<usize>i << 3), base + <i64>rawOf(page, encoding, first + i));
  }
}

/** (base + raw) / 10^exponent, rounded once: base + raw is below 2^53 wherever an exponent is. */
function gatherScaled(
  page: usize, encoding: u32, rows: usize, first: u32, count: u32, base: i64, exponent: u32, out: usize,
): void {
  const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
  if (rows || base < -EXACT || base > EXACT) {
    for (let i: u32 = 0; i < count; i++) {
      const r = rows ? load<u32>(rows + (<usize>i << 2)) & PAGE_MASK : first + i;
      store<f64>(out + (<usize>i << 3), <f64>(base + <i64>rawOf(page, encoding, r)) / scale);
    }
    return;
  }
  const bases = f64x2.splat(<f64>base);
  const scales = f64x2.splat(scale);
  const values = page + PAGE_VALUES;
  for (let i: usize = 0; i < <usize>count; i += 4) {
    const at = <usize>first + i;
    let quad: v128;
    if (encoding == PAGE_U32) quad = v128.load(values + (at << 2));
    else if (encoding == PAGE_U16) quad = v128.load_ext<u16>(values + (at << 1));
    else quad = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(values + at)));
    const low = f64x2.convert_low_i32x4_u(quad);
    const high = f64x2.convert_low_i32x4_u(v128.shuffle<u64>(quad, quad, 1, 1));
    v128.store(out + (i << 3), f64x2.div(f64x2.add(bases, low), scales));
    v128.store(out + (i << 3), f64x2.div(f64x2.add(bases, high), scales), 16);
  }
}

function gatherWords(page: usize, rows: usize, count: u32, out: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const r = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
    store<u64>(out + (<usize>i << 3), load<u64>(page + (<usize>r << 3), PAGE_VALUES));
  }
}

function gatherIds(page: usize, rows: usize, count: u32, out: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const r = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
    v128.store(out + (<usize>i << 4), v128.load(page + (<usize>r << 4), PAGE_VALUES));
  }
}

function toDoubles(values: usize, out: usize, count: u32): void {
  for (let i: usize = 0, end = <usize>count << 3; i < end; i += 8) {
    store<f64>(out + i, <f64>load<i64>(values + i));
  }
}

@inline
function isDouble(page: usize, r: u32): u32 {
  return (<u32>load<u8>(page + (r >> 3), KINDS) >> (r & 7)) & 1;
}

function gatherAsDoubles(page: usize, rows: usize, first: u32, count: u32, out: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const r = rows ? load<u32>(rows + (<usize>i << 2)) & PAGE_MASK : first + i;
    const at = page + (<usize>r << 3);
    store<f64>(
      out + (<usize>i << 3),
      isDouble(page, r) ? load<f64>(at, PAGE_VALUES) : <f64>load<i64>(at, PAGE_VALUES),
    );
  }
}

/** Parts the rows of a mixed page; the integers are the vector, the doubles wait. */
function gatherMixed(v: usize, page: usize): bool {
  const buffer = <usize>load<u32>(v, VECTOR_BUFFER);
  const rows = <usize>load<u32>(v, VECTOR_ROWS);
  const groups = <usize>load<u32>(v, VECTOR_GROUPS);
  const first = load<u32>(v, VECTOR_FIRST_ROW);
  const count = load<u32>(v, VECTOR_COUNT);
  const integers = buffer + VECTOR_BUFFER_ROWS;
  const integerGroups = buffer + VECTOR_BUFFER_GROUPS;
  const doubles = buffer + VECTOR_BUFFER_OTHER_ROWS;
  const doubleGroups = buffer + VECTOR_BUFFER_OTHER_GROUPS;
  let i: usize = 0;
  let d: usize = 0;
  for (let n: u32 = 0; n < count; n++) {
    const row = rows ? load<u32>(rows + (<usize>n << 2)) : first + n;
    const group = groups ? load<u32>(groups + (<usize>n << 2)) : 0;
    // Both are written, never before what is still to be read, and one of them is kept.
    store<u32>(integers + i, row);
    store<u32>(integerGroups + i, group);
    store<u32>(doubles + d, row);
    store<u32>(doubleGroups + d, group);
    const double = <usize>isDouble(page, row & PAGE_MASK) << 2;
    d += double;
    i += 4 - double;
  }
  if (d) {
    store<u32>(v, <u32>page, VECTOR_PENDING);
    store<u32>(v, <u32>(d >> 2), VECTOR_PENDING_COUNT);
  }
  if (!i) {
    pendingDoubles(v);
    return true;
  }
  store<u32>(v, <u32>integers, VECTOR_ROWS);
  store<u32>(v, groups ? <u32>integerGroups : 0, VECTOR_GROUPS);
  store<u32>(v, <u32>(i >> 2), VECTOR_COUNT);
  gatherWords(page, integers, <u32>(i >> 2), buffer);
  store<u32>(v, VECTOR_I64, VECTOR_KIND);
  store<u32>(v, <u32>buffer, VECTOR_VALUES);
  return true;
}

/** The doubles of a mixed page, after its integers. */
function pendingDoubles(v: usize): void {
  const buffer = <usize>load<u32>(v, VECTOR_BUFFER);
  const rows = buffer + VECTOR_BUFFER_OTHER_ROWS;
  const count = load<u32>(v, VECTOR_PENDING_COUNT);
  gatherWords(<usize>load<u32>(v, VECTOR_PENDING), rows, count, buffer);
  store<u32>(v, <u32>rows, VECTOR_ROWS);
  store<u32>(v, load<u32>(v, VECTOR_LIST_GROUPS) ? <u32>(buffer + VECTOR_BUFFER_OTHER_GROUPS) : 0, VECTOR_GROUPS);
  store<u32>(v, count, VECTOR_COUNT);
  store<u32>(v, VECTOR_F64, VECTOR_KIND);
  store<u32>(v, <u32>buffer, VECTOR_VALUES);
  store<u32>(v, 0, VECTOR_PENDING);
}

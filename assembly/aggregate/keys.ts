// Group ids: each selected row gets a u32 that names its group within this segment. A row list holds the
// numbers of the selected rows, ascending; `ids[i]` belongs to `rows[i]`. Keys are made one at a time
// and combined; the numbers and the combinations that can't be computed are interned in a hash table.
//
// Intern table (KEYS_… in layout.ts): slots are u32, 0 or 1 + the index of a key; keys are { bits u64, kind u32 }.

import {
  COLUMN_BASE, COLUMN_EXPONENT, COLUMN_PAGES, KEYS_COUNT, KEYS_ENTRIES, KEYS_MASK, KEYS_SLOTS,
  PAGE_ENCODING, PAGE_F64, PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_U32, PAGE_VALUES,
  ROOT_POWERS_OF_TEN,
} from "../layout";
import { rawAt } from "../filter/select";

const PAGE_SHIFT: u32 = 12;
const PAGE_MASK: u32 = PAGE_ROWS - 1;

/** Index after the last row of `rows[from, count)` that lies in the page of `rows[from]`. */
@inline
export function pageEnd(rows: usize, from: u32, count: u32): u32 {
  const next = ((load<u32>(rows + (<usize>from << 2)) >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
  let low = from + 1;
  let high = min(count, from + PAGE_ROWS);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(rows + (<usize>middle << 2)) < next) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The page of a row, or 0. */
@inline
export function pageOf(column: usize, row: u32): usize {
  return <usize>load<u32>(column + COLUMN_PAGES + (<usize>(row >> PAGE_SHIFT) << 2));
}

@inline
export function isPresent(page: usize, inPage: u32): bool {
  return <bool>((load<u8>(page + PAGE_PRESENCE + <usize>(inPage >> 3)) >> (inPage & 7)) & 1);
}

/** ids[i] = offset + code, for the rows that have one. Answers 0, or -1 when cancelled. */
export function keyCodes(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, cancel: usize,
): i32 {
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
      if (isPresent(page, row)) {
        store<u32>(ids + (<usize>i << 2), offset + rawAt(page, encoding, row));
      }
    }
  }
  return 0;
}

/** Index of the key { bits, kind }, which is added when it is new. */
@inline
function intern(table: usize, bits: u64, kind: u32): u32 {
  const mask = load<u32>(table, KEYS_MASK);
  const slots = <usize>load<u32>(table, KEYS_SLOTS);
  const entries = <usize>load<u32>(table, KEYS_ENTRIES);
  let slot = <u32>(((bits ^ (bits >> 32)) * 0x9e3779b97f4a7c15) >> 32) + kind;
  while (true) {
    slot &= mask;
    const index = load<u32>(slots + (<usize>slot << 2));
    if (!index) break;
    const entry = entries + (<usize>(index - 1) << 4);
    if (load<u64>(entry) == bits && load<u32>(entry, 8) == kind) return index - 1;
    slot++;
  }
  const added = load<u32>(table, KEYS_COUNT);
  const entry = entries + (<usize>added << 4);
  store<u64>(entry, bits);
  store<u32>(entry, kind, 8);
  store<u32>(slots + (<usize>slot << 2), added + 1);
  store<u32>(table, added + 1, KEYS_COUNT);
  return added;
}

/** A double that is an integer within i64 is the same number, so the same key, as that integer. Kind 1 is f64. */
@inline
function internF64(table: usize, value: f64): u32 {
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 && Math.trunc(value) == value) {
    return intern(table, <u64><i64>value, 0);
  }
  return intern(table, reinterpret<u64>(value), 1);
}

/** ids[i] = offset + index of the number in the intern table, for the rows that have one. 0, or -1 when cancelled. */
export function keyNumbers(
  column: usize, rows: usize, count: u32, ids: usize, offset: u32, table: usize, cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  const exponent = load<u32>(column, COLUMN_EXPONENT);
  const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
  for (let i: u32 = 0; i < count; ) {
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
        index = exponent ? internF64(table, <f64>value / scale) : intern(table, <u64>value, 0);
      } else if (
        encoding == PAGE_F64 ||
        (encoding == PAGE_MIXED && (load<u8>(kinds + <usize>(row >> 3)) >> (row & 7)) & 1)
      ) {
        index = internF64(table, load<f64>(address, PAGE_VALUES));
      } else index = intern(table, load<u64>(address, PAGE_VALUES), 0);
      store<u32>(ids + (<usize>i << 2), offset + index);
    }
  }
  return 0;
}

/** Quotient rounded down. */
@inline
function floorDivide(value: i64, divisor: i64): i64 {
  const quotient = value / divisor;
  return quotient - <i64>(value % divisor < 0);
}

/**
 * ids[i] = number of the bucket of `width` µs since `origin` that holds the row's time, minus `first`; with an
 * intern table: the index there of that difference. Consecutive rows mostly share a bucket, so its bounds
 * are kept and a division made only outside them. 0, or -1 when cancelled.
 */
export function keyBuckets(
  column: usize, rows: usize, count: u32, ids: usize, width: i64, origin: i64, first: i64,
  table: usize, cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  let low: i64 = 0;
  let high: i64 = 0;
  let id: u32 = 0;
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
      const time =
        encoding <= <u32>PAGE_U32
          ? base + <i64>rawAt(page, encoding, row)
          : load<i64>(page + (<usize>row << 3), PAGE_VALUES);
      if (time < low || time >= high) {
        const bucket = floorDivide(time - origin, width);
        low = origin + bucket * width;
        high = low + width;
        id = table ? intern(table, <u64>(bucket - first), 0) : <u32>(bucket - first);
      }
      store<u32>(ids + (<usize>i << 2), id);
    }
  }
  return 0;
}

/** ids[i] = ids[i] × cardinality + other[i], where the caller knows that this fits 32 bits. */
export function combineKeys(ids: usize, other: usize, count: u32, cardinality: u32): void {
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    store<u32>(ids + i, load<u32>(ids + i) * cardinality + load<u32>(other + i));
  }
}

/** ids[i] = index in the intern table of ids[i] × cardinality + other[i]. 0, or -1 when cancelled. */
export function internKeys(
  ids: usize, other: usize, count: u32, cardinality: u32, table: usize, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; i++) {
    if ((i & 0xfff) == 0 && atomic.load<u32>(cancel)) return -1;
    const offset = <usize>i << 2;
    const bits = <u64>load<u32>(ids + offset) * <u64>cardinality + <u64>load<u32>(other + offset);
    store<u32>(ids + offset, intern(table, bits, 0));
  }
  return 0;
}

// Membership in a list of constants, which is sorted: each row, or each text of a dictionary, is looked for in it by
// halves, so that a list of thousands costs some steps for each and not a pass over the column for each constant.

import {
  COLUMN_PAGES, PAGE_ENCODING, PAGE_F64, PAGE_I64, PAGE_MIXED, PAGE_PRESENCE, PAGE_ROWS, PAGE_VALUES,
} from "../layout";
import { rawAt } from "./select";
import { compareBytes } from "./text";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;

/**
 * Rows whose number is one of a list, given once for each kind of page: `raws` u32, `integers` i64, `doubles` f64,
 * each ascending without repeats and without NaN. Everything else as in select.ts.
 */
export function selectNumbers(
  column: usize, words: u32, mask: usize, out: usize, inverted: u32,
  raws: usize, rawCount: u32, integers: usize, integerCount: u32, doubles: usize, doubleCount: u32, cancel: usize,
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
      let kinds: u64 = 0;
      if (encoding == PAGE_MIXED) kinds = load<u64>(page + PAGE_VALUES + PAGE_ROWS * 8 + (<usize>w << 3));
      else if (encoding == PAGE_F64) kinds = 0xffffffffffffffff;
      const isWide = encoding == PAGE_F64 || encoding == PAGE_I64 || encoding == PAGE_MIXED;
      let bits: u64 = 0;
      while (left) {
        const bit = ctz<u64>(left);
        left &= left - 1;
        const row = (w << 6) + <u32>bit;
        const value = page + PAGE_VALUES + (<usize>row << 3);
        let found: bool;
        if (!isWide) found = hasRaw(raws, rawCount, rawAt(page, encoding, row));
        else if ((kinds >> bit) & 1) found = hasDouble(doubles, doubleCount, load<f64>(value));
        else found = hasInteger(integers, integerCount, load<i64>(value));
        bits |= <u64>(found != (inverted != 0)) << bit;
      }
      store<u64>(out + offset, bits);
      count += <u32>popcnt<u64>(bits);
    }
  }
  return <i32>count;
}

@inline
function hasRaw(list: usize, count: u32, value: u32): bool {
  if (count == 0) return false;
  let at: u32 = 0;
  for (let size = count; size > 1;) {
    const half = size >> 1;
    at = select<u32>(at + half, at, load<u32>(list + (<usize>(at + half) << 2)) <= value);
    size -= half;
  }
  return load<u32>(list + (<usize>at << 2)) == value;
}

@inline
function hasInteger(list: usize, count: u32, value: i64): bool {
  if (count == 0) return false;
  let at: u32 = 0;
  for (let size = count; size > 1;) {
    const half = size >> 1;
    at = select<u32>(at + half, at, load<i64>(list + (<usize>(at + half) << 3)) <= value);
    size -= half;
  }
  return load<i64>(list + (<usize>at << 3)) == value;
}

@inline
function hasDouble(list: usize, count: u32, value: f64): bool {
  if (count == 0) return false;
  let at: u32 = 0;
  for (let size = count; size > 1;) {
    const half = size >> 1;
    at = select<u32>(at + half, at, load<f64>(list + (<usize>(at + half) << 3)) <= value);
    size -= half;
  }
  return load<f64>(list + (<usize>at << 3)) == value;
}

/**
 * Sets one byte a code: 1 when its text is one of `members`, an array of { text address u32, text length u32 } in the
 * order of their bytes, otherwise 0; `inverted` turns that over.
 */
export function matchMembers(
  entries: usize, count: u32, members: usize, memberCount: u32, inverted: u32, table: usize,
): void {
  for (let code: u32 = 0; code < count; code++) {
    const entry = entries + (<usize>code << 3);
    const text = <usize>load<u32>(entry);
    const length = load<u32>(entry, 4);
    let low: u32 = 0;
    let high = memberCount;
    let found = false;
    while (low < high) {
      const middle = (low + high) >> 1;
      const member = members + (<usize>middle << 3);
      const order = compareBytes(load<u32>(member), load<u32>(member, 4), text, length);
      if (order == 0) {
        found = true;
        break;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    store<u8>(table + <usize>code, <u8>(found != (inverted != 0)));
  }
}

// How many selected rows have each code of a column, without a group or a row number for any of them: what a query that
// only counts needs to know of a segment. It then looks up each code once.

import {
  COLUMN_PAGES, PAGE_ENCODING, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U8, PAGE_VALUES,
} from "../layout";
import { rawAt } from "../filter/select";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;

@inline
function bump(counts: usize, code: u32): void {
  const at = counts + (<usize>code << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/**
 * counts[code] += 1, u32 each, for every second row; other[code] for those between, so that rows with the same code
 * need not wait for each other. Both may be the same table. Answers how many rows there are, or -1 when cancelled.
 */
export function groupCounts(
  column: usize, words: u32, mask: usize, counts: usize, other: usize, cancel: usize,
): i32 {
  let rows: u64 = 0;
  for (let first: u32 = 0; first < words; first += PAGE_WORDS) {
    if (atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(first / PAGE_WORDS) << 2));
    if (!page) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const length = min(words - first, PAGE_WORDS);
    for (let w: u32 = 0; w < length; w++) {
      let bits = load<u64>(mask + (<usize>(first + w) << 3)) & load<u64>(page + (<usize>w << 3), PAGE_PRESENCE);
      rows += popcnt<u64>(bits);
      const start = w << 6;
      if (bits == u64.MAX_VALUE) {
        countWord(page, encoding, start, counts, other);
        continue;
      }
      while (bits) {
        bump(counts, rawAt(page, encoding, start + <u32>ctz<u64>(bits)));
        bits &= bits - 1;
        if (!bits) break;
        bump(other, rawAt(page, encoding, start + <u32>ctz<u64>(bits)));
        bits &= bits - 1;
      }
    }
  }
  return <i32>rows;
}

/** The 64 rows from `start` on. */
@inline
function countWord(page: usize, encoding: u32, start: u32, counts: usize, other: usize): void {
  const values = page + PAGE_VALUES;
  if (encoding == PAGE_U8) {
    for (let at = values + <usize>start, end = at + 64; at < end; at += 8) {
      let eight = load<u64>(at);
      for (let n = 0; n < 4; n++, eight >>= 16) {
        bump(counts, <u32>eight & 0xff);
        bump(other, <u32>(eight >> 8) & 0xff);
      }
    }
  } else if (encoding == PAGE_U16) {
    for (let at = values + (<usize>start << 1), end = at + 128; at < end; at += 4) {
      bump(counts, load<u16>(at));
      bump(other, load<u16>(at, 2));
    }
  } else {
    for (let at = values + (<usize>start << 2), end = at + 256; at < end; at += 8) {
      bump(counts, load<u32>(at));
      bump(other, load<u32>(at, 4));
    }
  }
}

/**
 * Writes the codes that have rows to `ids`, plus `offset` each, ascending, and how many rows to `times`, u64 each. Both
 * have room for `width`. Answers how many codes they are.
 */
export function groupCounted(
  counts: usize, other: usize, width: u32, offset: u32, ids: usize, times: usize,
): u32 {
  let n: usize = 0;
  for (let code: u32 = 0; code < width; code++) {
    const at = <usize>code << 2;
    let count = load<u32>(counts + at);
    if (other != counts) count += load<u32>(other + at);
    store<u32>(ids + (n << 2), offset + code);
    store<u64>(times + (n << 3), <u64>count);
    n += <usize>(count != 0);
  }
  return <u32>n;
}

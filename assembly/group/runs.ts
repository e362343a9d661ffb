// Runs of rows that lie in one bucket of time: events come nearly in the order of their times, so that most blocks of
// neighbouring rows do. Their group is told once for the run, and what is added up for it needs no group of a row.

import {
  COLUMN_BASE, COLUMN_PAGES, PAGE_ENCODING, PAGE_I64, PAGE_PRESENCE, PAGE_ROWS, PAGE_U16, PAGE_U32, PAGE_U8,
  PAGE_VALUES,
} from "../layout";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;
/** Words of a block, which is in a run as a whole or not at all. */
const BLOCK_WORDS: u32 = 8;

/**
 * Finds runs of blocks whose times all lie in one bucket of `width` µs, counted from the one that begins at `start`,
 * which no time of the segment is before; rows that `mask` doesn't have count as well. `rest` becomes the rows of
 * `mask` that are in no run. The i-th run are the words [firsts[i], ends[i]) of a selection, whose rows lie in the
 * bucket ids[i]; there is room for `most`. Answers how many there are, -1 when cancelled, -2 when they are more.
 */
export function groupRuns(
  column: usize, words: u32, mask: usize, start: i64, width: i64, firsts: usize, ends: usize, ids: usize,
  most: u32, rest: usize, cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  let count: u32 = 0;
  // Where the run ends that is the newest, and its bucket.
  let end = u32.MAX_VALUE;
  let last: u32 = 0;
  let low: i64 = 0;
  let high: i64 = -1;
  for (let word: u32 = 0; word < words; word += BLOCK_WORDS) {
    const inPage = word % PAGE_WORDS;
    if (!inPage && atomic.load<u32>(cancel)) return -1;
    const length = min(words - word, BLOCK_WORDS);
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(word / PAGE_WORDS) << 2));
    copyWords(mask + (<usize>word << 3), rest + (<usize>word << 3), length);
    if (!page || !hasRows(mask, page, word, inPage, length)) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const at = page + PAGE_VALUES;
    const rows = length << 6;
    // Where the time of the block's first row lies says in which bucket the others have to be.
    const first = timeAt(at, encoding, inPage << 6, base) - start;
    if (first < low || first > high) {
      if (first < 0) continue;
      low = first - first % width;
      high = low + (width - 1);
    }
    if (!allWithin(at, encoding, inPage << 6, rows, start + low, start + high, base)) continue;
    memory.fill(rest + (<usize>word << 3), 0, <usize>length << 3);
    const bucket = <u32>(low / width);
    if (end != word || last != bucket) {
      if (count == most) return -2;
      store<u32>(firsts + (<usize>count << 2), word);
      store<u32>(ids + (<usize>count << 2), bucket);
      last = bucket;
      count++;
    }
    end = word + length;
    store<u32>(ends + (<usize>(count - 1) << 2), end);
  }
  return <i32>count;
}

@inline
function copyWords(from: usize, to: usize, words: u32): void {
  for (const end = from + (<usize>words << 3); from < end; from += 8, to += 8) store<u64>(to, load<u64>(from));
}

/** Whether the mask has rows of the block, and all rows of the block have a time: it is whole. */
@inline
function hasRows(mask: usize, page: usize, word: u32, inPage: u32, length: u32): bool {
  let some: u64 = 0;
  let all: u64 = u64.MAX_VALUE;
  for (let w: u32 = 0; w < length; w++) {
    some |= load<u64>(mask + (<usize>(word + w) << 3));
    all &= load<u64>(page + (<usize>(inPage + w) << 3), PAGE_PRESENCE);
  }
  return some != 0 && all == u64.MAX_VALUE;
}

@inline
function timeAt(values: usize, encoding: u32, row: u32, base: i64): i64 {
  if (encoding == PAGE_I64) return load<i64>(values + (<usize>row << 3));
  if (encoding == PAGE_U32) return base + <i64>load<u32>(values + (<usize>row << 2));
  if (encoding == PAGE_U16) return base + <i64>load<u16>(values + (<usize>row << 1));
  return base + <i64>load<u8>(values + <usize>row);
}

/** Whether the `rows` times from `first` on, 64 or a multiple of it, lie in [low, high]. */
function allWithin(values: usize, encoding: u32, first: u32, rows: u32, low: i64, high: i64, base: i64): bool {
  if (encoding == PAGE_I64) return wideWithin(values + (<usize>first << 3), rows, low, high);
  if (encoding > <u32>PAGE_U32) return false;
  // The part of the bucket that raw integers can lie in.
  const most: i64 = encoding == PAGE_U32 ? 0xffffffff : encoding == PAGE_U16 ? 0xffff : 0xff;
  const least = max<i64>(low - base, 0);
  const last = min<i64>(high - base, most);
  if (least > last) return false;
  if (encoding == PAGE_U32) return narrowWithin(values + (<usize>first << 2), rows, <u32>least, <u32>last);
  for (let row = first, end = first + rows; row < end; row++) {
    const raw: i64 = encoding == PAGE_U8 ? load<u8>(values + <usize>row) : load<u16>(values + (<usize>row << 1));
    if (raw < least || raw > last) return false;
  }
  return true;
}

function wideWithin(at: usize, rows: u32, low: i64, high: i64): bool {
  const lows = i64x2.splat(low);
  const highs = i64x2.splat(high);
  let outside = i64x2.splat(0);
  for (const end = at + (<usize>rows << 3); at < end; at += 16) {
    const pair = v128.load(at);
    outside = v128.or(outside, v128.or(i64x2.lt_s(pair, lows), i64x2.gt_s(pair, highs)));
  }
  return !v128.any_true(outside);
}

function narrowWithin(at: usize, rows: u32, low: u32, high: u32): bool {
  let least = i32x4.splat(-1);
  let most = i32x4.splat(0);
  for (const end = at + (<usize>rows << 2); at < end; at += 32) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    least = i32x4.min_u(least, i32x4.min_u(a, b));
    most = i32x4.max_u(most, i32x4.max_u(a, b));
  }
  const inside = v128.and(i32x4.ge_u(least, i32x4.splat(low)), i32x4.le_u(most, i32x4.splat(high)));
  return i32x4.all_true(inside);
}

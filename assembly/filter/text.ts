// Questions to a dictionary: an array of { text address u32, text length u32 }, one entry for each code.
// Texts are UTF-8 and ordered by their bytes, which is the order of their code points.

/** Negative, 0 or positive as text a is before, equal to or after text b. */
@inline
export function compareBytes(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  const common = <usize>min(aLength, bLength);
  let i: usize = 0;
  for (; i + 8 <= common; i += 8) {
    const x = load<u64>(a + i);
    const y = load<u64>(b + i);
    if (x != y) return bswap<u64>(x) < bswap<u64>(y) ? -1 : 1;
  }
  for (; i < common; i++) {
    const difference = <i32>load<u8>(a + i) - <i32>load<u8>(b + i);
    if (difference) return difference;
  }
  return <i32>(aLength > bLength) - <i32>(aLength < bLength);
}

@inline
function compareEntries(entries: usize, a: u32, b: u32): i32 {
  const x = entries + (<usize>a << 3);
  const y = entries + (<usize>b << 3);
  return compareBytes(load<u32>(x), load<u32>(x, 4), load<u32>(y), load<u32>(y, 4));
}

/** The code in [from, to) of this text, or -1. */
export function findText(entries: usize, from: u32, to: u32, text: usize, length: u32): i32 {
  for (let code = from; code < to; code++) {
    const entry = entries + (<usize>code << 3);
    if (load<u32>(entry, 4) != length) continue;
    if (compareBytes(load<u32>(entry), length, text, length) == 0) return <i32>code;
  }
  return -1;
}

/** In a sorted dictionary: the first code whose text is not before this one (`after`: that is after it). */
export function boundText(entries: usize, count: u32, text: usize, length: u32, after: u32): u32 {
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries + (<usize>middle << 3);
    const order = compareBytes(load<u32>(entry), load<u32>(entry, 4), text, length);
    if (order < 0 || (after && order == 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which order relative to the bound a text must have. */
const BEFORE: u32 = 1;
const EQUAL: u32 = 2;
const AFTER: u32 = 4;

/** Sets one byte a code: 1 when its text stands to `text` in one of the orders of `wanted`, a sum of 1, 2 and 4. */
export function matchTexts(
  entries: usize, count: u32, text: usize, length: u32, wanted: u32, table: usize,
): void {
  for (let code: u32 = 0; code < count; code++) {
    const entry = entries + (<usize>code << 3);
    const order = compareBytes(load<u32>(entry), load<u32>(entry, 4), text, length);
    const bit = order < 0 ? BEFORE : order > 0 ? AFTER : EQUAL;
    store<u8>(table + <usize>code, <u8>((wanted & bit) != 0));
  }
}

/** Sets one byte a code: 1 when its text begins with `prefix`, otherwise 0; `inverted` turns that over. */
export function matchPrefix(
  entries: usize, count: u32, prefix: usize, length: u32, inverted: u32, table: usize,
): void {
  for (let code: u32 = 0; code < count; code++) {
    const entry = entries + (<usize>code << 3);
    const match =
      load<u32>(entry, 4) >= length && compareBytes(load<u32>(entry), length, prefix, length) == 0;
    store<u8>(table + <usize>code, <u8>(match != (inverted != 0)));
  }
}

/** The code of the first (`last`: the last) text in byte order among those whose byte in `table` is set, or -1. */
export function extremeText(entries: usize, count: u32, table: usize, last: u32): i32 {
  let best = -1;
  for (let code: u32 = 0; code < count; code++) {
    if (!load<u8>(table + <usize>code)) continue;
    if (best < 0) {
      best = <i32>code;
      continue;
    }
    const order = compareEntries(entries, code, <u32>best);
    if (last ? order > 0 : order < 0) best = <i32>code;
  }
  return best;
}

/**
 * Sorts the codes by their texts: a bottom-up merge sort. `codes` and `other` have room for `count` u32 each,
 * `ranks` too: rank of each code. Answers where the codes in order are, `codes` or `other`.
 */
export function rankTexts(
  entries: usize, count: u32, codes: usize, other: usize, ranks: usize,
): usize {
  for (let i: u32 = 0; i < count; i++) store<u32>(codes + (<usize>i << 2), i);
  for (let width: u32 = 1; width < count; width <<= 1) {
    for (let start: u32 = 0; start < count; start += width << 1) {
      mergeRuns(entries, codes, other, start, min(start + width, count), min(start + (width << 1), count));
    }
    const swap = codes;
    codes = other;
    other = swap;
  }
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(ranks + (<usize>load<u32>(codes + (<usize>i << 2)) << 2), i);
  }
  return codes;
}

function mergeRuns(entries: usize, from: usize, to: usize, start: u32, middle: u32, end: u32): void {
  let a = start;
  let b = middle;
  for (let i = start; i < end; i++) {
    let takeA = a < middle;
    if (takeA && b < end) {
      const x = load<u32>(from + (<usize>a << 2));
      takeA = compareEntries(entries, x, load<u32>(from + (<usize>b << 2))) <= 0;
    }
    store<u32>(to + (<usize>i << 2), load<u32>(from + (<usize>(takeA ? a++ : b++) << 2)));
  }
}

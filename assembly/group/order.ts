// The order of keys, and keys on their way between threads.

import {
  GROUP_COUNT, GROUP_ENTRIES, GROUP_KEY_BITS, GROUP_KEY_KIND, GROUP_KEY_SIZE, GROUP_NONE, GROUP_PAIR_SIZE,
  KEY_BOOLEAN, KEY_F64, KEY_I64, KEY_JSON, KEY_NULL, KEY_STRING,
} from "../layout";
import { compareBytes } from "../filter/text";
import { internBits, internPair, internText } from "./table";

/** boolean < number < string < json < NULL. Ids are texts whose order their bytes have. */
@inline
function rankOf(kind: u32): u32 {
  if (kind == KEY_NULL) return 4;
  if (kind == KEY_BOOLEAN) return 0;
  if (kind == KEY_I64 || kind == KEY_F64) return 1;
  return kind == KEY_JSON ? 3 : 2;
}

/** Order of an integer and a double that is none; NaN is above all. */
function compareMixed(a: i64, b: f64): i32 {
  if (b != b || b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const whole = <i64>b;
  if (a != whole) return a < whole ? -1 : 1;
  return b > <f64>whole ? -1 : 1;
}

function compareDoubles(a: f64, b: f64): i32 {
  if (a < b) return -1;
  if (a > b) return 1;
  return <i32>(a != a) - <i32>(b != b);
}

/** Negative, 0 or positive as key a is before, equal to or after key b; NULL comes last. */
export function groupCompareKeys(table: usize, a: u32, b: u32): i32 {
  if (a == b) return 0;
  const entries = <usize>load<u32>(table, GROUP_ENTRIES);
  const x = entries + <usize>a * GROUP_KEY_SIZE;
  const y = entries + <usize>b * GROUP_KEY_SIZE;
  const xKind = load<u32>(x, GROUP_KEY_KIND);
  const yKind = load<u32>(y, GROUP_KEY_KIND);
  const ranks = <i32>rankOf(xKind) - <i32>rankOf(yKind);
  if (ranks) return ranks;
  const xBits = load<u64>(x, GROUP_KEY_BITS);
  const yBits = load<u64>(y, GROUP_KEY_BITS);
  if (xKind >= <u32>KEY_STRING) {
    return compareBytes(<u32>xBits, <u32>(xBits >> 32), <u32>yBits, <u32>(yBits >> 32));
  }
  if (xKind == KEY_F64) {
    const value = reinterpret<f64>(xBits);
    return yKind == KEY_F64 ? compareDoubles(value, reinterpret<f64>(yBits)) : -compareMixed(<i64>yBits, value);
  }
  if (yKind == KEY_F64) return compareMixed(<i64>xBits, reinterpret<f64>(yBits));
  return <i32>(<i64>xBits > <i64>yBits) - <i32>(<i64>xBits < <i64>yBits);
}

/** ranks[i] = how many keys come before key i: a bottom-up merge sort. `work` has two u32 a key. */
export function groupRanks(table: usize, work: usize, ranks: usize): void {
  const count = load<u32>(table, GROUP_COUNT);
  let from = work;
  let to = work + (<usize>count << 2);
  for (let i: u32 = 0; i < count; i++) store<u32>(from + (<usize>i << 2), i);
  for (let width: u32 = 1; width < count; width <<= 1) {
    for (let start: u32 = 0; start < count; start += width << 1) {
      mergeRuns(table, from, to, start, min(start + width, count), min(start + (width << 1), count));
    }
    const swap = from;
    from = to;
    to = swap;
  }
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(ranks + (<usize>load<u32>(from + (<usize>i << 2)) << 2), i);
  }
}

function mergeRuns(table: usize, from: usize, to: usize, start: u32, middle: u32, end: u32): void {
  let a = start;
  let b = middle;
  for (let i = start; i < end; i++) {
    let takeA = a < middle;
    if (takeA && b < end) {
      const x = load<u32>(from + (<usize>a << 2));
      takeA = groupCompareKeys(table, x, load<u32>(from + (<usize>b << 2))) <= 0;
    }
    store<u32>(to + (<usize>i << 2), load<u32>(from + (<usize>(takeA ? a++ : b++) << 2)));
  }
}

/** Writes the keys' entries to `out`, their texts one after the other to `texts`, addressed from its beginning. */
export function groupPackKeys(table: usize, out: usize, texts: usize): void {
  const count = load<u32>(table, GROUP_COUNT);
  let entry = <usize>load<u32>(table, GROUP_ENTRIES);
  let top: u32 = 0;
  const end = entry + <usize>count * GROUP_KEY_SIZE;
  for (; entry < end; entry += GROUP_KEY_SIZE, out += GROUP_KEY_SIZE) {
    const kind = load<u32>(entry, GROUP_KEY_KIND);
    let bits = load<u64>(entry, GROUP_KEY_BITS);
    if (kind >= <u32>KEY_STRING) {
      const length = <u32>(bits >> 32);
      memory.copy(texts + <usize>top, <usize><u32>bits, <usize>length);
      bits = <u64>top | (<u64>length << 32);
      top += length;
    }
    store<u64>(out, bits, GROUP_KEY_BITS);
    store<u64>(out, <u64>kind, GROUP_KEY_KIND);
  }
}

/** Bytes of all texts of a table. */
export function groupTextBytes(table: usize): u32 {
  const count = load<u32>(table, GROUP_COUNT);
  let entry = <usize>load<u32>(table, GROUP_ENTRIES);
  let size: u32 = 0;
  for (const end = entry + <usize>count * GROUP_KEY_SIZE; entry < end; entry += GROUP_KEY_SIZE) {
    if (load<u32>(entry, GROUP_KEY_KIND) >= <u32>KEY_STRING) size += load<u32>(entry, GROUP_KEY_BITS + 4);
  }
  return size;
}

/**
 * Enters packed keys: indexes[i] is the index of the i-th. Answers how many are done, or -1 where a key is none or its
 * text does not lie within `textBytes`.
 */
export function groupUnpackKeys(
  table: usize, packed: usize, from: u32, count: u32, texts: usize, textBytes: u32, indexes: usize,
): i32 {
  for (let i = from; i < count; i++) {
    const entry = packed + <usize>i * GROUP_KEY_SIZE;
    const kind = load<u32>(entry, GROUP_KEY_KIND);
    const bits = load<u64>(entry, GROUP_KEY_BITS);
    if (kind > <u32>KEY_JSON) return -1;
    let index: u32;
    if (kind >= <u32>KEY_STRING) {
      if ((bits & 0xffffffff) + (bits >> 32) > <u64>textBytes) return -1;
      index = internText(table, texts + <usize><u32>bits, <u32>(bits >> 32), kind);
    } else index = internBits(table, bits, kind);
    if (index == GROUP_NONE) return <i32>i;
    store<u32>(indexes + (<usize>i << 2), index);
  }
  return <i32>count;
}

/**
 * Enters pairs of the indexes that `firsts` and `seconds` translate to; indexes[i] is the index of the i-th. Answers
 * how many are done, or -1 where a pair is beyond what is translated.
 */
export function groupUnpackPairs(
  table: usize, packed: usize, from: u32, count: u32, firsts: usize, firstCount: u32, seconds: usize,
  secondCount: u32, indexes: usize,
): i32 {
  for (let i = from; i < count; i++) {
    const entry = packed + <usize>i * GROUP_PAIR_SIZE;
    const first = load<u32>(entry);
    const second = load<u32>(entry, 4);
    if (first >= firstCount || second >= secondCount) return -1;
    const index = internPair(
      table, load<u32>(firsts + (<usize>first << 2)), load<u32>(seconds + (<usize>second << 2)),
    );
    if (index == GROUP_NONE) return <i32>i;
    store<u32>(indexes + (<usize>i << 2), index);
  }
  return <i32>count;
}

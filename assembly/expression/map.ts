// What is computed once for each code of a dictionary, or for each span of time, given to the rows.

import { PAGE_ENCODING, PAGE_ROWS, PAGE_U16, PAGE_U32, PAGE_U8, PAGE_VALUES } from "../layout";
import { rawAt } from "../filter/select";
import {
  clearAbsent64, countPage, formOf, FORM_I64, loadNumbers, pageOf, PAGE_WORDS, presence, setPresence,
  settleKinds, wordsOf,
} from "./pages";

/** A code that stands for no value. */
const NONE: u32 = 0xffffffff;

/**
 * target[row] = table[code of row] for the rows of `mask`. `table` is u32, its entry at `count` what rows without a
 * code get, 0xffffffff no value. The target's pages hold raw integers. Answers 0, or -1 when cancelled.
 */
export function mapCodes(
  column: usize, target: usize, words: u32, mask: usize, table: usize, count: u32, cancel: usize,
): i32 {
  const absent = load<u32>(table + (<usize>count << 2));
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    if (!out) continue;
    const page = column ? pageOf(column, index) : 0;
    const width = load<u32>(out, PAGE_ENCODING);
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : 0;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      let wanted = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3));
      const having = presence(page, w);
      if (absent == NONE) wanted &= having;
      let bits = wanted;
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const value = (having >> bit) & 1 ? load<u32>(table + (<usize>rawAt(page, encoding, row) << 2)) : absent;
        if (value == NONE) bits &= ~(<u64>1 << bit);
        else storeRaw(out, width, row, value);
      }
      setPresence(out, w, bits);
    }
    countPage(out);
  }
  return 0;
}

/**
 * target[row] = target[row] * (count + 1) + 1 + code of row, or + 0 where it has none, for the rows of `mask`, which
 * all have a value then. The target's pages are PAGE_U32 and clear at first. Answers 0, or -1 when cancelled.
 */
export function combineCodes(
  column: usize, target: usize, words: u32, mask: usize, count: u32, cancel: usize,
): i32 {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    if (!out) continue;
    const page = column ? pageOf(column, index) : 0;
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : 0;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      let wanted = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3));
      const having = presence(page, w);
      setPresence(out, w, wanted);
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const at = out + (<usize>row << 2);
        const code = (having >> bit) & 1 ? rawAt(page, encoding, row) + 1 : 0;
        store<u32>(at, load<u32>(at, PAGE_VALUES) * (count + 1) + code, PAGE_VALUES);
      }
    }
    countPage(out);
  }
  return 0;
}

@inline
function storeRaw(page: usize, encoding: u32, row: u32, value: u32): void {
  if (encoding == PAGE_U8) store<u8>(page + <usize>row, <u8>value, PAGE_VALUES);
  else if (encoding == PAGE_U16) store<u16>(page + (<usize>row << 1), <u16>value, PAGE_VALUES);
  else store<u32>(page + (<usize>row << 2), value, PAGE_VALUES);
}

/**
 * target[row] = values[code of row] for the rows of `mask`, 64 bits each; `has` is a byte a code, 0 where there is
 * no value. Both have an entry at `count` for rows without a code. Answers 0, or -1 when cancelled.
 */
export function mapValues(
  column: usize, target: usize, words: u32, mask: usize, values: usize, has: usize, count: u32,
  cancel: usize,
): i32 {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    if (!out) continue;
    const page = column ? pageOf(column, index) : 0;
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : 0;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      let wanted = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3));
      const having = presence(page, w);
      let bits = wanted;
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const code = (having >> bit) & 1 ? rawAt(page, encoding, row) : count;
        if (load<u8>(has + <usize>code)) {
          store<u64>(out + (<usize>row << 3), load<u64>(values + (<usize>code << 3)), PAGE_VALUES);
        } else bits &= ~(<u64>1 << bit);
      }
      setPresence(out, w, bits);
    }
    countPage(out);
  }
  return 0;
}

/**
 * target[row] = values[i], 64 bits, where i is the last with starts[i] <= source[row], for the rows of `mask`. `has`
 * is a byte for each i, 0 where there is no value. `starts` are `count` ascending i64, the first not above any value
 * of a row of the mask. PAGE_U32 pages of the target take the low 32 bits. The source holds integers; a row that does
 * not gets no value. `buffer` has 32 KiB.
 * Answers 0, or -1 when cancelled.
 */
export function mapSpans(
  column: usize, target: usize, words: u32, mask: usize, starts: usize, values: usize, has: usize,
  count: u32, buffer: usize, cancel: usize,
): i32 {
  let last: u32 = 0;
  let low = load<i64>(starts);
  let high = count > 1 ? load<i64>(starts, 8) : i64.MAX_VALUE;
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    const page = pageOf(column, index);
    if (!out || !page || formOf(column, page) != FORM_I64) continue;
    const source = loadNumbers(column, page, buffer);
    const narrow = load<u32>(out, PAGE_ENCODING) == PAGE_U32;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      let bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3)) & presence(page, w);
      let wanted = bits;
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const value = load<i64>(source + (<usize>row << 3));
        if (value < low || value >= high) {
          last = spanOf(starts, count, value);
          low = load<i64>(starts + (<usize>last << 3));
          high = last + 1 < count ? load<i64>(starts + (<usize>last << 3), 8) : i64.MAX_VALUE;
        }
        if (load<u8>(has + <usize>last)) {
          const result = load<u64>(values + (<usize>last << 3));
          if (narrow) store<u32>(out + (<usize>row << 2), <u32>result, PAGE_VALUES);
          else store<u64>(out + (<usize>row << 3), result, PAGE_VALUES);
        } else bits &= ~(<u64>1 << bit);
      }
      setPresence(out, w, bits);
    }
    countPage(out);
  }
  return 0;
}

/** The last of the spans that begins at or before `value`; the first when none does. */
function spanOf(starts: usize, count: u32, value: i64): u32 {
  let low: u32 = 1;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i64>(starts + (<usize>middle << 3)) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * target[row] = origin + n * width with the greatest n that is not above source[row], for the rows of `mask`; no
 * value where that is below `least`. `buffer` has 32 KiB. Answers 0, or -1 when cancelled.
 */
export function mapBuckets(
  column: usize, target: usize, words: u32, mask: usize, width: i64, origin: i64, least: i64,
  buffer: usize, cancel: usize,
): i32 {
  let start: i64 = 0;
  let begun = false;
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    const page = pageOf(column, index);
    if (!out || !page || formOf(column, page) != FORM_I64) continue;
    const source = loadNumbers(column, page, buffer);
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      let bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3)) & presence(page, w);
      let wanted = bits;
      while (wanted) {
        const bit = ctz<u64>(wanted);
        wanted &= wanted - 1;
        const row = (w << 6) + <u32>bit;
        const value = load<i64>(source + (<usize>row << 3));
        if (!begun || <u64>(value - start) >= <u64>width) {
          start = value - floorRest(value - origin, width);
          begun = true;
        }
        if (start >= least) store<i64>(out + (<usize>row << 3), start, PAGE_VALUES);
        else bits &= ~(<u64>1 << bit);
      }
      setPresence(out, w, bits);
    }
    countPage(out);
  }
  return 0;
}

@inline
function floorRest(value: i64, width: i64): i64 {
  const rest = value % width;
  return rest < 0 ? rest + width : rest;
}

/**
 * target[row] = ((source[row] + offset) mod period) / unit for the rows of `mask`, towards zero as an i64 or, when
 * `fraction`, as a double; a period of 0 takes the value itself. `buffer` has 32 KiB. 0, or -1 when cancelled.
 */
export function mapClock(
  column: usize, target: usize, words: u32, mask: usize, offset: i64, period: i64, unit: i64,
  fraction: u32, buffer: usize, cancel: usize,
): i32 {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    if (atomic.load<u32>(cancel)) return -1;
    const out = pageOf(target, index);
    const page = pageOf(column, index);
    if (!out || !page || formOf(column, page) != FORM_I64) continue;
    const source = loadNumbers(column, page, buffer);
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      const bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3)) & presence(page, w);
      setPresence(out, w, bits);
      if (!bits) continue;
      const from = source + (<usize>w << 9);
      const to = out + (<usize>w << 9);
      for (let at: usize = 0; at < 512; at += 8) {
        let value = load<i64>(from + at) + offset;
        if (period) value = floorRest(value, period);
        if (fraction) store<f64>(to + at, quotient(value, unit), PAGE_VALUES);
        else store<i64>(to + at, value / unit, PAGE_VALUES);
      }
    }
    clearAbsent64(out);
    countPage(out);
  }
  return 0;
}

/** As a double; a whole quotient is exact, however large the dividend. */
@inline
function quotient(value: i64, unit: i64): f64 {
  const whole = value / unit;
  return whole * unit == value ? <f64>whole : <f64>value / <f64>unit;
}

/** Booleans from two selections: rows of `truths` are true, those of `falsehoods` false, the others have no value. */
export function mapTruths(target: usize, words: u32, truths: usize, falsehoods: usize): void {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    const out = pageOf(target, index);
    if (!out) continue;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      const offset = <usize>(index * PAGE_WORDS + w) << 3;
      const bits = load<u64>(truths + offset);
      setPresence(out, w, bits | load<u64>(falsehoods + offset));
      storeBits(out + PAGE_VALUES + (<usize>w << 6), bits, 1);
    }
    countPage(out);
  }
}

/** Gives the rows of `mask` the raw byte `value`, which must be below 256; other rows keep theirs. */
export function mapConstant(target: usize, words: u32, mask: usize, value: u32): void {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    const out = pageOf(target, index);
    if (!out) continue;
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      const bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3));
      if (!bits) continue;
      setPresence(out, w, presence(out, w) | bits);
      mergeBytes(out + PAGE_VALUES + (<usize>w << 6), bits, <u8>value);
    }
    countPage(out);
  }
}

@inline
function storeBits(to: usize, bits: u64, value: u8): void {
  for (let i: usize = 0; i < 64; i++) store<u8>(to + i, <u8>((bits >> i) & 1) * value);
}

@inline
function mergeBytes(to: usize, bits: u64, value: u8): void {
  while (bits) {
    store<u8>(to + <usize>ctz<u64>(bits), value);
    bits &= bits - 1;
  }
}

/** Copies the 64-bit values and presence of `source` in the rows of `mask` into PAGE_MIXED pages of `target`. */
export function mergeNumbers(source: usize, target: usize, words: u32, mask: usize, buffer: usize): void {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    const out = pageOf(target, index);
    const page = pageOf(source, index);
    if (!out || !page) continue;
    const form = formOf(source, page);
    const values = loadNumbers(source, page, buffer);
    const length = wordsOf(words, index);
    for (let w: u32 = 0; w < length; w++) {
      const bits = load<u64>(mask + (<usize>(index * PAGE_WORDS + w) << 3)) & presence(page, w);
      if (!bits) continue;
      const kinds = <usize>(PAGE_VALUES + PAGE_ROWS * 8) + (<usize>w << 3);
      const doubles = form == FORM_I64 ? <u64>0 : form == 1 ? bits : bits & load<u64>(page + kinds);
      store<u64>(out + kinds, (load<u64>(out + kinds) & ~bits) | doubles);
      setPresence(out, w, presence(out, w) | bits);
      let left = bits;
      while (left) {
        const at = ((<usize>w << 6) + <usize>ctz<u64>(left)) << 3;
        left &= left - 1;
        store<u64>(out + at, load<u64>(values + at), PAGE_VALUES);
      }
    }
    countPage(out);
  }
}

/** Ends `mergeNumbers`: pages whose numbers are of one kind become such. */
export function settleNumbers(target: usize, words: u32): void {
  for (let index: u32 = 0; index * PAGE_WORDS < words; index++) {
    const page = pageOf(target, index);
    if (page) settleKinds(page);
  }
}

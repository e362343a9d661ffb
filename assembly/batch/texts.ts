import { hashBytes } from "../memory/hash";
import { OK, OUT_OF_MEMORY } from "../status";
import {
  allocateGroup,
  allocateSchema,
  powerFor,
  releaseGroup,
  sameBytes,
  STATE_GENERATION,
  STATE_PLACES,
  STATE_SCHEMA_BASE,
  STATE_SCHEMA_END,
  STATE_SHORT_TEXT,
  STATE_TEXTS,
} from "./state";

// The texts of the group's columns: a dictionary for each column's strings, and one for its JSON cells.
//
// Dictionary, 48 bytes:
//   0  ends u32 (address of u32 × capacity) │ 4 capacity u32 │ 8 count u32 │ 12 bytes u32 (address)
//   16 bytes used u32 │ 20 bytes capacity u32 │ 24 groups left without interning u32 │ 28 unused
//   32 count in the last group u32 │ 36 bytes in the last group u32
//
// Texts are interned through one table for all dictionaries, stamped with the group so that it is never
// cleared. A dictionary whose texts were nearly all different is not interned in the next groups: then
// text i is simply entry i, and after some groups it is tried again.
//
// Entry of the text table, 32 bytes:
//   0  generation u32 │ 4 owner u32: the dictionary, whose low 4 bits are free and hold the length of a text of up
//      to 14 bytes, else 15 │ 8 code u32 │ 12 hash u32 │ 16 the text itself if it is so short, then zeros
// So most texts are found without a look at the dictionary.

export const DICT_ENDS: u32 = 0;
export const DICT_CAPACITY: u32 = 4;
export const DICT_COUNT: u32 = 8;
export const DICT_BYTES: u32 = 12;
export const DICT_USED: u32 = 16;
export const DICT_BYTES_CAPACITY: u32 = 20;
export const DICT_PLAIN: u32 = 24;
const DICT_HINT: u32 = 32;
const DICT_HINT_BYTES: u32 = 36;

/** Groups after which a dictionary that was nearly unique is interned again, to see. */
const PLAIN_GROUPS: u32 = 16;
const PLAIN_TEXTS_MIN: u32 = 64;
/** Longest run of the text table that is searched: texts made to collide cost memory, not time. */
const PROBES_MAX: u32 = 64;
export const NO_CODE: u32 = 0xffffffff;
/** Longest text that an entry of the text table holds itself. */
export const SHORT_MAX: u32 = 14;
const ENTRY_POWER: u32 = 5;

@inline
export function textEnd(dictionary: usize, code: u32): u32 {
  return load<u32>(<usize>load<u32>(dictionary, DICT_ENDS) + (<usize>code << 2));
}

/** Takes back the text of a cell that is taken back; false when the dictionary may now have a text of no cell. */
export function removeText(dictionary: usize, code: u32): bool {
  const last = load<u32>(dictionary, DICT_COUNT) - 1;
  if (load<u32>(dictionary, DICT_PLAIN) == 0 || code != last) return false;
  // Not interned: nobody else refers to it, and entry i must stay the text of value i.
  store<u32>(dictionary, last, DICT_COUNT);
  store<u32>(dictionary, last == 0 ? 0 : textEnd(dictionary, last - 1), DICT_USED);
  return true;
}

/** Code of a text in a dictionary; NO_CODE when memory has run out. Reads up to 16 bytes beyond the text. */
export function putText(d: usize, dictionary: usize, text: usize, length: u32): u32 {
  if (length <= SHORT_MAX) return putShortText(d, dictionary, shortText(d, text, length), length);
  if (load<u32>(dictionary, DICT_PLAIN) != 0) return appendText(d, dictionary, text, length);
  const hash = <u32>hashBytes(text, length) ^ (<u32>dictionary * 0x9e3779b1);
  const generation = load<u32>(d, STATE_GENERATION);
  const tag = <u64>generation | (<u64>(<u32>dictionary | 15) << 32);
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const table = <usize>load<u32>(d, STATE_TEXTS);
  for (let probe: u32 = 0; probe < PROBES_MAX; probe++) {
    const entry = table + (<usize>((hash + probe) & mask) << ENTRY_POWER);
    const found = load<u64>(entry);
    if (found == tag && load<u32>(entry, 12) == hash) {
      const code = load<u32>(entry, 8);
      if (isText(dictionary, code, text, length)) return code;
    } else if (<u32>found != generation) {
      return enterText(d, entry, tag, dictionary, text, length, hash, i64x2.splat(0));
    }
  }
  return appendText(d, dictionary, text, length);
}

/** The bytes of a text of at most 16, then zeros. */
@inline
export function shortText(d: usize, text: usize, length: u32): v128 {
  const places = v128.load(d, STATE_PLACES);
  return v128.and(v128.load(text), i8x16.gt_s(i8x16.splat(<i8>length), places));
}

/** As putText, for at most SHORT_MAX bytes; `bytes` is their shortText. */
@inline
export function putShortText(d: usize, dictionary: usize, bytes: v128, length: u32): u32 {
  const code = shortCodeAtOnce(d, dictionary, bytes, length);
  return code != NO_CODE ? code : probeShortText(d, dictionary, bytes, length);
}

// The text is its own hash and its comparison: both are two words.

@inline
function hashOfShort(owner: u32, low: u64, high: u64): u32 {
  // The highest bits of the products depend on all of the text, so they become the lowest of the hash.
  const product = (low ^ <u64>owner) * 0x9e3779b97f4a7c15 + high * 0xbf58476d1ce4e5b9;
  return <u32>rotl<u64>(product, 20);
}

/** As putShortText if that takes no call; else NO_CODE, with nothing done. */
@inline
function shortCodeAtOnce(d: usize, dictionary: usize, bytes: v128, length: u32): u32 {
  if (load<u32>(dictionary, DICT_PLAIN) != 0) return appendAtOnce(dictionary, bytes, length);
  const owner = <u32>dictionary | length;
  const low = <u64>i64x2.extract_lane(bytes, 0);
  const high = <u64>i64x2.extract_lane(bytes, 1);
  const hash = hashOfShort(owner, low, high);
  const tag = <u64>load<u32>(d, STATE_GENERATION) | (<u64>owner << 32);
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const entry = <usize>load<u32>(d, STATE_TEXTS) + (<usize>(hash & mask) << ENTRY_POWER);
  const found = load<u64>(entry);
  const other = (found ^ tag) | (load<u64>(entry, 16) ^ low) | (load<u64>(entry, 24) ^ high);
  if (other == 0) return load<u32>(entry, 8);
  const count = load<u32>(d, STATE_TEXTS + 8) + 1;
  if (<u32>found == <u32>tag || count > mask - (mask >> 2)) return NO_CODE;
  const code = appendAtOnce(dictionary, bytes, length);
  if (code == NO_CODE) return code;
  store<u64>(entry, tag);
  store<u32>(entry, code, 8);
  store<u32>(entry, hash, 12);
  v128.store(entry, bytes, 16);
  store<u32>(d, count, STATE_TEXTS + 8);
  return code;
}

/** As appendText, for at most SHORT_MAX bytes, if there is room; else NO_CODE. */
@inline
function appendAtOnce(dictionary: usize, bytes: v128, length: u32): u32 {
  const code = load<u32>(dictionary, DICT_COUNT);
  const used = load<u32>(dictionary, DICT_USED);
  if (code == load<u32>(dictionary, DICT_CAPACITY)) return NO_CODE;
  if (used + 32 > load<u32>(dictionary, DICT_BYTES_CAPACITY)) return NO_CODE;
  v128.store(<usize>load<u32>(dictionary, DICT_BYTES) + used, bytes);
  store<u32>(<usize>load<u32>(dictionary, DICT_ENDS) + (<usize>code << 2), used + length);
  store<u32>(dictionary, used + length, DICT_USED);
  store<u32>(dictionary, code + 1, DICT_COUNT);
  return code;
}

/** As putShortText, whatever it takes. */
function probeShortText(d: usize, dictionary: usize, bytes: v128, length: u32): u32 {
  const text = d + STATE_SHORT_TEXT;
  v128.store(text, bytes);
  if (load<u32>(dictionary, DICT_PLAIN) != 0) return appendText(d, dictionary, text, length);
  const owner = <u32>dictionary | length;
  const hash = hashOfShort(owner, i64x2.extract_lane(bytes, 0), i64x2.extract_lane(bytes, 1));
  const tag = <u64>load<u32>(d, STATE_GENERATION) | (<u64>owner << 32);
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const table = <usize>load<u32>(d, STATE_TEXTS);
  for (let probe: u32 = 0; probe < PROBES_MAX; probe++) {
    const entry = table + (<usize>((hash + probe) & mask) << ENTRY_POWER);
    const found = load<u64>(entry);
    if (<u32>found != <u32>tag) return enterText(d, entry, tag, dictionary, text, length, hash, bytes);
    if (found == tag && isSame(v128.load(entry, 16), bytes)) return load<u32>(entry, 8);
  }
  return appendText(d, dictionary, text, length);
}

@inline
function isSame(a: v128, b: v128): bool {
  return !v128.any_true(v128.xor(a, b));
}

/** A text that is new to the group: an entry of the dictionary and of the table. */
function enterText(
  d: usize,
  entry: usize,
  tag: u64,
  dictionary: usize,
  text: usize,
  length: u32,
  hash: u32,
  bytes: v128,
): u32 {
  const code = appendText(d, dictionary, text, length);
  if (code == NO_CODE) return code;
  store<u64>(entry, tag);
  store<u32>(entry, code, 8);
  store<u32>(entry, hash, 12);
  v128.store(entry, bytes, 16);
  const count = load<u32>(d, STATE_TEXTS + 8) + 1;
  const mask = load<u32>(d, STATE_TEXTS + 4);
  store<u32>(d, count, STATE_TEXTS + 8);
  if (count > mask - (mask >> 2)) growTexts(d);
  return code;
}

@inline
function isText(dictionary: usize, code: u32, text: usize, length: u32): bool {
  const begin = code == 0 ? 0 : textEnd(dictionary, code - 1);
  if (textEnd(dictionary, code) - begin != length) return false;
  return sameBytes(<usize>load<u32>(dictionary, DICT_BYTES) + begin, text, length);
}

/** A new entry of the dictionary, not in the table. */
function appendText(d: usize, dictionary: usize, text: usize, length: u32): u32 {
  const code = load<u32>(dictionary, DICT_COUNT);
  const used = load<u32>(dictionary, DICT_USED);
  if (code == load<u32>(dictionary, DICT_CAPACITY) && !growEnds(d, dictionary)) return NO_CODE;
  if (used + length + 16 > load<u32>(dictionary, DICT_BYTES_CAPACITY) && !growBytes(d, dictionary, length)) {
    return NO_CODE;
  }
  const target = <usize>load<u32>(dictionary, DICT_BYTES) + used;
  if (length <= 32) {
    v128.store(target, v128.load(text));
    if (length > 16) v128.store(target + length - 16, v128.load(text + length - 16));
  } else {
    memory.copy(target, text, length);
  }
  store<u32>(<usize>load<u32>(dictionary, DICT_ENDS) + (<usize>code << 2), used + length);
  store<u32>(dictionary, used + length, DICT_USED);
  store<u32>(dictionary, code + 1, DICT_COUNT);
  return code;
}

function growEnds(d: usize, dictionary: usize): bool {
  const capacity = load<u32>(dictionary, DICT_CAPACITY);
  const wanted = capacity != 0 ? capacity << 1 : max<u32>(load<u32>(dictionary, DICT_HINT), 4);
  const power = powerFor(wanted << 2);
  const ends = allocateGroup(d, power);
  if (ends == 0) return false;
  if (capacity != 0) {
    memory.copy(ends, load<u32>(dictionary, DICT_ENDS), <usize>capacity << 2);
    releaseGroup(d, load<u32>(dictionary, DICT_ENDS), powerFor(capacity << 2));
  }
  store<u32>(dictionary, ends, DICT_ENDS);
  store<u32>(dictionary, (1 << power) >> 2, DICT_CAPACITY);
  return true;
}

/** Bytes for one more text, and 16 that a copy may spill into. */
function growBytes(d: usize, dictionary: usize, length: u32): bool {
  const capacity = load<u32>(dictionary, DICT_BYTES_CAPACITY);
  const used = load<u32>(dictionary, DICT_USED);
  if (used > 0x40000000) return false;
  const guess = max<u32>(capacity << 1, load<u32>(dictionary, DICT_HINT_BYTES) + 64);
  const power = powerFor(max<u32>(used + length + 16, guess));
  const bytes = allocateGroup(d, power);
  if (bytes == 0) return false;
  if (capacity != 0) {
    memory.copy(bytes, load<u32>(dictionary, DICT_BYTES), used);
    releaseGroup(d, load<u32>(dictionary, DICT_BYTES), powerFor(capacity));
  }
  store<u32>(dictionary, bytes, DICT_BYTES);
  store<u32>(dictionary, 1 << power, DICT_BYTES_CAPACITY);
  return true;
}

/** The first text table, for 4,096 entries. */
export function formatTexts(d: usize): u32 {
  const table = allocateSchema(d, 4096 << ENTRY_POWER);
  if (table == 0) return OUT_OF_MEMORY;
  store<u32>(d, table, STATE_TEXTS);
  store<u32>(d, 4095, STATE_TEXTS + 4);
  store<u32>(d, 0, STATE_TEXTS + 8);
  return OK;
}

/** Twice the table, while it stays a small part of the schema arena; else texts go on without being interned. */
function growTexts(d: usize): void {
  const old = <usize>load<u32>(d, STATE_TEXTS);
  const oldMask = load<u32>(d, STATE_TEXTS + 4);
  const generation = load<u32>(d, STATE_GENERATION);
  const size = (oldMask + 1) << (ENTRY_POWER + 1);
  if (size > (load<u32>(d, STATE_SCHEMA_END) - load<u32>(d, STATE_SCHEMA_BASE)) >> 3) return;
  const table = allocateSchema(d, size);
  if (table == 0) return;
  const mask = (oldMask << 1) | 1;
  for (let i: u32 = 0; i <= oldMask; i++) {
    const from = old + (<usize>i << ENTRY_POWER);
    if (load<u32>(from) != generation) continue;
    let slot = load<u32>(from, 12) & mask;
    let to = table + (<usize>slot << ENTRY_POWER);
    while (load<u32>(to) == generation) {
      slot = (slot + 1) & mask;
      to = table + (<usize>slot << ENTRY_POWER);
    }
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
  }
  store<u32>(d, table, STATE_TEXTS);
  store<u32>(d, mask, STATE_TEXTS + 4);
}

/** The last group is no guess for this one. */
export function forgetHints(dictionary: usize): void {
  store<u32>(dictionary, 0, DICT_HINT);
  store<u32>(dictionary, 0, DICT_HINT_BYTES);
}

/** Ends the group for a dictionary of `put` cells, and decides whether it is worth interning in the next. */
export function retireDictionary(dictionary: usize, put: u32): void {
  const count = load<u32>(dictionary, DICT_COUNT);
  const plain = load<u32>(dictionary, DICT_PLAIN);
  if (put >= PLAIN_TEXTS_MIN) {
    if (plain != 0) store<u32>(dictionary, plain - 1, DICT_PLAIN);
    else if (count > put >> 1) store<u32>(dictionary, PLAIN_GROUPS, DICT_PLAIN);
  }
  store<u32>(dictionary, count, DICT_HINT);
  store<u32>(dictionary, load<u32>(dictionary, DICT_USED), DICT_HINT_BYTES);
  store<u32>(dictionary, 0, DICT_CAPACITY);
  store<u32>(dictionary, 0, DICT_COUNT);
  store<u32>(dictionary, 0, DICT_USED);
  store<u32>(dictionary, 0, DICT_BYTES_CAPACITY);
}

import { DECODER_LIMIT_COLUMNS } from "../layout";
import { hashBytes } from "../memory/hash";
import { EVENT_TOO_MANY_COLUMNS, OK, OUT_OF_MEMORY } from "../status";
import {
  allocateGroup,
  allocateSchema,
  powerFor,
  releaseGroup,
  sameBytes,
  STATE_ACTIVE,
  STATE_ACTIVE_CAPACITY,
  STATE_ACTIVE_COUNT,
  STATE_COLUMNS,
  STATE_GENERATION,
  STATE_LANES,
  STATE_SCHEMA_BASE,
  STATE_SCHEMA_END,
  STATE_TEXTS,
} from "./state";

// Columns under construction: for each path a list of the cells that are there, whatever their lane.
//
// A cell is 16 bytes: 0 row u32 │ 4 kind u32 │ 8 value u64 (i64, f64 bits, or the code of a text).
// Rows ascend, so the cell of the current row can only be the last one. `finish` splits a list into lanes.
//
// Column, 144 bytes, in the schema arena; the cells and texts it points to live in the group arena:
//   0  path address u32 │ 4 path length u32 │ 8 kinds seen in the group u32 │ 12 cells u32
//   16 cell count u32 │ 20 cell capacity u32 (0: not used in the group yet) │ 24 cells in the last group u32
//   28 flags u32 │ 32 path hash u32 │ 36 generation of its last use u32 │ 48 string dictionary │ 96 json dictionary
//
// Dictionary, 48 bytes:
//   0  ends u32 (address of u32 × capacity) │ 4 capacity u32 │ 8 count u32 │ 12 bytes u32 (address)
//   16 bytes used u32 │ 20 bytes capacity u32 │ 24 groups left without interning u32 │ 28 texts put u32
//   32 count in the last group u32 │ 36 bytes in the last group u32
//
// Texts are interned through one table for all dictionaries, stamped with the group so that it is never
// cleared. A dictionary whose texts were nearly all different is not interned in the next groups: then
// text i is simply entry i, and after some groups it is tried again.
//
// Entry of the text table, 32 bytes: 0 generation u32 │ 4 hash u32 │ 8 dictionary u32, whose low 4 bits are free and
// hold the length of a text of up to 14 bytes, else 15 │ 12 code u32 │ 16 the text itself if it is so short, then zeros.
// So most texts are found without a look at the dictionary.

export const COLUMN_PATH: u32 = 0;
export const COLUMN_PATH_LENGTH: u32 = 4;
export const COLUMN_KINDS: u32 = 8;
export const COLUMN_CELLS: u32 = 12;
export const COLUMN_COUNT: u32 = 16;
export const COLUMN_CAPACITY: u32 = 20;
export const COLUMN_HINT: u32 = 24;
export const COLUMN_FLAGS: u32 = 28;
export const COLUMN_HASH: u32 = 32;
const COLUMN_LAST: u32 = 36;
export const COLUMN_STRINGS: u32 = 48;
export const COLUMN_JSON: u32 = 96;
const COLUMN_SIZE: u32 = 144;

export const COLUMN_FLAG_REMOVED: u32 = 1; // a cell was taken back, so a text may belong to none
export const COLUMN_FLAG_FIXED: u32 = 2; // not counted against the limit of columns

export const DICT_ENDS: u32 = 0;
export const DICT_CAPACITY: u32 = 4;
export const DICT_COUNT: u32 = 8;
export const DICT_BYTES: u32 = 12;
export const DICT_USED: u32 = 16;
export const DICT_BYTES_CAPACITY: u32 = 20;
export const DICT_PLAIN: u32 = 24;
export const DICT_PUT: u32 = 28;
const DICT_HINT: u32 = 32;
const DICT_HINT_BYTES: u32 = 36;

export const CELL_NULL: u32 = 1;
export const CELL_FALSE: u32 = 2;
export const CELL_TRUE: u32 = 4;
export const CELL_I64: u32 = 8;
export const CELL_F64: u32 = 16;
export const CELL_STRING: u32 = 32;
export const CELL_JSON: u32 = 64;

/** Groups after which a dictionary that was nearly unique is interned again, to see. */
const PLAIN_GROUPS: u32 = 16;
const PLAIN_TEXTS_MIN: u32 = 64;
/** Longest run of the text table that is searched: texts made to collide cost memory, not time. */
const PROBES_MAX: u32 = 64;
/** Fixed columns and the overflow column, which the limit always leaves room for. */
const LANES_RESERVED: u32 = 5;
export const NO_CODE: u32 = 0xffffffff;
/** Longest text that an entry of the text table holds itself. */
export const SHORT_MAX: u32 = 14;
const ENTRY_POWER: u32 = 5;

/** Room in the batch for columns of new paths. */
@inline
export function lanesAreFull(d: usize): bool {
  return load<u32>(d, STATE_LANES) + LANES_RESERVED >= load<u32>(d, DECODER_LIMIT_COLUMNS);
}

/** All kinds that share the lane of `kind`. */
@inline
export function laneKinds(kind: u32): u32 {
  if (kind & (CELL_FALSE | CELL_TRUE)) return CELL_FALSE | CELL_TRUE;
  if (kind & (CELL_I64 | CELL_F64)) return CELL_I64 | CELL_F64;
  return kind;
}

/** Appends the current row's cell. EVENT_TOO_MANY_COLUMNS: the lane is new and the batch has no room for it. */
@inline
export function appendCell(d: usize, column: usize, row: u32, kind: u32, value: u64): u32 {
  let count = load<u32>(column, COLUMN_COUNT);
  if (!(load<u32>(column, COLUMN_KINDS) & kind) || count == load<u32>(column, COLUMN_CAPACITY)) {
    const status = makeRoom(d, column, kind);
    if (status != OK) return status;
  }
  const cell = <usize>load<u32>(column, COLUMN_CELLS) + (<usize>count << 4);
  store<u64>(cell, <u64>row | (<u64>kind << 32));
  store<u64>(cell, value, 8);
  store<u32>(column, count + 1, COLUMN_COUNT);
  return OK;
}

/** As appendCell, for a string or json cell: the text is put once the cell has its place. */
export function appendTextCell(d: usize, column: usize, row: u32, kind: u32, text: usize, length: u32): u32 {
  const count = load<u32>(column, COLUMN_COUNT);
  if (!(load<u32>(column, COLUMN_KINDS) & kind) || count == load<u32>(column, COLUMN_CAPACITY)) {
    const status = makeRoom(d, column, kind);
    if (status != OK) return status;
  }
  const dictionary = column + (kind == CELL_STRING ? COLUMN_STRINGS : COLUMN_JSON);
  const code = putText(d, dictionary, text, length);
  if (code == NO_CODE) return OUT_OF_MEMORY;
  const cell = <usize>load<u32>(column, COLUMN_CELLS) + (<usize>count << 4);
  store<u64>(cell, <u64>row | (<u64>kind << 32));
  store<u64>(cell, code, 8);
  store<u32>(column, count + 1, COLUMN_COUNT);
  return OK;
}

/** Whether a cell of this kind needs nothing but to be stored. */
@inline
export function hasPlace(column: usize, kind: u32): bool {
  return (
    (load<u32>(column, COLUMN_KINDS) & kind) != 0 && load<u32>(column, COLUMN_COUNT) != load<u32>(column, COLUMN_CAPACITY)
  );
}

/** As appendTextCell for a string of at most SHORT_MAX bytes in a column that has a place for it. */
@inline
export function appendShortText(d: usize, column: usize, row: u32, text: usize, length: u32): u32 {
  const code = putShortText(d, column + COLUMN_STRINGS, text, length);
  if (code == NO_CODE) return OUT_OF_MEMORY;
  const count = load<u32>(column, COLUMN_COUNT);
  const cell = <usize>load<u32>(column, COLUMN_CELLS) + (<usize>count << 4);
  store<u64>(cell, <u64>row | (<u64>CELL_STRING << 32));
  store<u64>(cell, code, 8);
  store<u32>(column, count + 1, COLUMN_COUNT);
  return OK;
}

/** Whether a cell of this kind has a place in the group, made now if need be. */
function makeRoom(d: usize, column: usize, kind: u32): u32 {
  const kinds = load<u32>(column, COLUMN_KINDS);
  const fixed = (load<u32>(column, COLUMN_FLAGS) & COLUMN_FLAG_FIXED) != 0;
  const isNewLane = (kinds & laneKinds(kind)) == 0;
  if (isNewLane && !fixed && lanesAreFull(d)) return EVENT_TOO_MANY_COLUMNS;
  const capacity = load<u32>(column, COLUMN_CAPACITY);
  if (capacity == 0) {
    const status = activate(d, column);
    if (status != OK) return status;
  } else if (load<u32>(column, COLUMN_COUNT) == capacity) {
    const power = powerFor(capacity << 4);
    const cells = allocateGroup(d, power + 1);
    if (cells == 0) return OUT_OF_MEMORY;
    memory.copy(cells, load<u32>(column, COLUMN_CELLS), <usize>capacity << 4);
    releaseGroup(d, load<u32>(column, COLUMN_CELLS), power);
    store<u32>(column, cells, COLUMN_CELLS);
    store<u32>(column, capacity << 1, COLUMN_CAPACITY);
  }
  if (isNewLane && !fixed) store<u32>(d, load<u32>(d, STATE_LANES) + 1, STATE_LANES);
  store<u32>(column, kinds | kind, COLUMN_KINDS);
  return OK;
}

/** First use of a column in the group: lists it and gives it as many cells as it had in the last one. */
function activate(d: usize, column: usize): u32 {
  // Only the group just before counts: its arrays all fitted the arena together, so guesses from it do too.
  const generation = load<u32>(d, STATE_GENERATION);
  if (load<u32>(column, COLUMN_LAST) + 1 != generation) {
    store<u32>(column, 0, COLUMN_HINT);
    forgetHints(column + COLUMN_STRINGS);
    forgetHints(column + COLUMN_JSON);
  }
  store<u32>(column, generation, COLUMN_LAST);
  const power = powerFor(max<u32>(load<u32>(column, COLUMN_HINT), 2) << 4);
  const cells = allocateGroup(d, power);
  if (cells == 0) return OUT_OF_MEMORY;
  const count = load<u32>(d, STATE_ACTIVE_COUNT);
  const capacity = load<u32>(d, STATE_ACTIVE_CAPACITY);
  if (count == capacity) {
    const grown = allocateGroup(d, powerFor(max<u32>(capacity << 3, 256)));
    if (grown == 0) return OUT_OF_MEMORY;
    memory.copy(grown, load<u32>(d, STATE_ACTIVE), <usize>count << 2);
    if (capacity != 0) releaseGroup(d, load<u32>(d, STATE_ACTIVE), powerFor(capacity << 2));
    store<u32>(d, grown, STATE_ACTIVE);
    store<u32>(d, max<u32>(capacity << 1, 64), STATE_ACTIVE_CAPACITY);
  }
  store<u32>(<usize>load<u32>(d, STATE_ACTIVE) + (<usize>count << 2), column);
  store<u32>(d, count + 1, STATE_ACTIVE_COUNT);
  store<u32>(column, cells, COLUMN_CELLS);
  store<u32>(column, (1 << power) >> 4, COLUMN_CAPACITY);
  return OK;
}

/** Takes the current row's cell back, if the column has one. */
export function removeCell(column: usize, row: u32): void {
  const count = load<u32>(column, COLUMN_COUNT);
  if (count == 0) return;
  const cell = <usize>load<u32>(column, COLUMN_CELLS) + (<usize>(count - 1) << 4);
  if (load<u32>(cell) != row) return;
  store<u32>(column, count - 1, COLUMN_COUNT);
  const flags = load<u32>(column, COLUMN_FLAGS);
  const kind = load<u32>(cell, 4);
  if (kind < CELL_STRING) return;
  const dictionary = column + (kind == CELL_STRING ? COLUMN_STRINGS : COLUMN_JSON);
  const last = load<u32>(dictionary, DICT_COUNT) - 1;
  if (load<u32>(dictionary, DICT_PLAIN) != 0 && load<u32>(cell, 8) == last) {
    // Not interned: nobody else refers to it, and entry i must stay the text of value i.
    store<u32>(dictionary, last, DICT_COUNT);
    store<u32>(dictionary, last == 0 ? 0 : textEnd(dictionary, last - 1), DICT_USED);
  } else {
    store<u32>(column, flags | COLUMN_FLAG_REMOVED, COLUMN_FLAGS);
  }
}

@inline
export function textEnd(dictionary: usize, code: u32): u32 {
  return load<u32>(<usize>load<u32>(dictionary, DICT_ENDS) + (<usize>code << 2));
}

/** Code of a text in a dictionary; NO_CODE when memory has run out. Reads up to 16 bytes beyond the text. */
export function putText(d: usize, dictionary: usize, text: usize, length: u32): u32 {
  if (length <= SHORT_MAX) return putShortText(d, dictionary, text, length);
  store<u32>(dictionary, load<u32>(dictionary, DICT_PUT) + 1, DICT_PUT);
  if (load<u32>(dictionary, DICT_PLAIN) != 0) return appendText(d, dictionary, text, length);
  const hash = <u32>hashBytes(text, length) ^ (<u32>dictionary * 0x9e3779b1);
  const generation = load<u32>(d, STATE_GENERATION);
  const tag = <u64>generation | (<u64>hash << 32);
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const table = <usize>load<u32>(d, STATE_TEXTS);
  for (let probe: u32 = 0; probe < PROBES_MAX; probe++) {
    const entry = table + (<usize>((hash + probe) & mask) << ENTRY_POWER);
    const found = load<u64>(entry);
    if (found == tag) {
      const code = load<u32>(entry, 12);
      if (load<u32>(entry, 8) == (<u32>dictionary | 15) && isText(dictionary, code, text, length)) return code;
    } else if (<u32>found != generation) {
      return enterText(d, entry, tag, dictionary, text, length, <u32>dictionary | 15, i64x2.splat(0));
    }
  }
  return appendText(d, dictionary, text, length);
}

/** As putText, for at most SHORT_MAX bytes: one masked load is the text, its hash and its comparison. */
@inline
export function putShortText(d: usize, dictionary: usize, text: usize, length: u32): u32 {
  store<u32>(dictionary, load<u32>(dictionary, DICT_PUT) + 1, DICT_PUT);
  if (load<u32>(dictionary, DICT_PLAIN) != 0) return appendText(d, dictionary, text, length);
  const places = v128(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const bytes = v128.and(v128.load(text), i8x16.lt_u(places, i8x16.splat(<i8>length)));
  const word = <u32>dictionary | length;
  const low = (<u64>i64x2.extract_lane(bytes, 0) ^ word) * 0x9e3779b97f4a7c15;
  const high = (<u64>i64x2.extract_lane(bytes, 1) ^ 0x94d049bb133111eb) * 0xbf58476d1ce4e5b9;
  const mixed = (low ^ (low >> 32) ^ high ^ (high >> 29)) * 0x94d049bb133111eb;
  const hash = <u32>(mixed >> 32);
  const generation = load<u32>(d, STATE_GENERATION);
  const tag = <u64>generation | (<u64>hash << 32);
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const entry = <usize>load<u32>(d, STATE_TEXTS) + (<usize>(hash & mask) << ENTRY_POWER);
  if (load<u64>(entry) == tag && load<u32>(entry, 8) == word && isSame(v128.load(entry, 16), bytes)) {
    return load<u32>(entry, 12);
  }
  return probeShortText(d, dictionary, text, length, tag, bytes);
}

@inline
function isSame(a: v128, b: v128): bool {
  return !v128.any_true(v128.xor(a, b));
}

function probeShortText(d: usize, dictionary: usize, text: usize, length: u32, tag: u64, bytes: v128): u32 {
  const hash = <u32>(tag >> 32);
  const generation = <u32>tag;
  const word = <u32>dictionary | length;
  const mask = load<u32>(d, STATE_TEXTS + 4);
  const table = <usize>load<u32>(d, STATE_TEXTS);
  for (let probe: u32 = 0; probe < PROBES_MAX; probe++) {
    const entry = table + (<usize>((hash + probe) & mask) << ENTRY_POWER);
    const found = load<u64>(entry);
    if (<u32>found != generation) return enterText(d, entry, tag, dictionary, text, length, word, bytes);
    if (found == tag && load<u32>(entry, 8) == word && isSame(v128.load(entry, 16), bytes)) {
      return load<u32>(entry, 12);
    }
  }
  return appendText(d, dictionary, text, length);
}

/** A text that is new to the group: an entry of the dictionary and of the table. */
function enterText(
  d: usize,
  entry: usize,
  tag: u64,
  dictionary: usize,
  text: usize,
  length: u32,
  word: u32,
  bytes: v128,
): u32 {
  const code = appendText(d, dictionary, text, length);
  if (code == NO_CODE) return code;
  store<u64>(entry, tag);
  store<u32>(entry, word, 8);
  store<u32>(entry, code, 12);
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
  const power = powerFor(max<u32>(used + length + 16, max<u32>(capacity << 1, load<u32>(dictionary, DICT_HINT_BYTES) + 64)));
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
    let slot = load<u32>(from, 4) & mask;
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

/** The column of a path, made when there is none; 0 when the schema arena is full. */
export function columnOfPath(d: usize, path: usize, length: u32): usize {
  const hash = <u32>hashBytes(path, length);
  const mask = load<u32>(d, STATE_COLUMNS + 4);
  const table = <usize>load<u32>(d, STATE_COLUMNS);
  let slot = hash & mask;
  while (true) {
    const column = <usize>load<u32>(table + (<usize>slot << 2));
    if (column == 0) break;
    if (
      load<u32>(column, COLUMN_HASH) == hash &&
      load<u32>(column, COLUMN_PATH_LENGTH) == length &&
      sameBytes(load<u32>(column, COLUMN_PATH), path, length)
    ) {
      return column;
    }
    slot = (slot + 1) & mask;
  }
  // A table that could not grow keeps one slot empty, where the search above ends.
  if (load<u32>(d, STATE_COLUMNS + 8) + 1 >= mask) return 0;
  const column = makeColumn(d, path, length);
  if (column == 0) return 0;
  store<u32>(column, hash, COLUMN_HASH);
  store<u32>(table + (<usize>slot << 2), column);
  const count = load<u32>(d, STATE_COLUMNS + 8) + 1;
  store<u32>(d, count, STATE_COLUMNS + 8);
  if (count > mask >> 1) growColumns(d);
  return column;
}

/** A zeroed column, followed by its path. */
function makeColumn(d: usize, path: usize, length: u32): usize {
  const column = allocateSchema(d, COLUMN_SIZE + length + 16);
  if (column == 0) return 0;
  memory.copy(column + COLUMN_SIZE, path, length);
  store<u32>(column, column + COLUMN_SIZE, COLUMN_PATH);
  store<u32>(column, length, COLUMN_PATH_LENGTH);
  return column;
}

/** The first column table, for 256 columns. */
export function formatColumns(d: usize): u32 {
  const table = allocateSchema(d, 512 * 4);
  if (table == 0) return OUT_OF_MEMORY;
  store<u32>(d, table, STATE_COLUMNS);
  store<u32>(d, 511, STATE_COLUMNS + 4);
  store<u32>(d, 0, STATE_COLUMNS + 8);
  return OK;
}

function growColumns(d: usize): void {
  const old = <usize>load<u32>(d, STATE_COLUMNS);
  const oldMask = load<u32>(d, STATE_COLUMNS + 4);
  const mask = (oldMask << 1) | 1;
  const table = allocateSchema(d, (mask + 1) << 2);
  if (table == 0) return;
  for (let i: u32 = 0; i <= oldMask; i++) {
    const column = load<u32>(old + (<usize>i << 2));
    if (column == 0) continue;
    let slot = load<u32>(column, COLUMN_HASH) & mask;
    while (load<u32>(table + (<usize>slot << 2)) != 0) slot = (slot + 1) & mask;
    store<u32>(table + (<usize>slot << 2), column);
  }
  store<u32>(d, table, STATE_COLUMNS);
  store<u32>(d, mask, STATE_COLUMNS + 4);
}

/** Ends the group for its columns: what they held becomes the guess for the next one. */
export function retireColumns(d: usize): void {
  const active = <usize>load<u32>(d, STATE_ACTIVE);
  const count = load<u32>(d, STATE_ACTIVE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const column = <usize>load<u32>(active + (<usize>i << 2));
    store<u32>(column, load<u32>(column, COLUMN_COUNT), COLUMN_HINT);
    store<u32>(column, 0, COLUMN_KINDS);
    store<u32>(column, 0, COLUMN_COUNT);
    store<u32>(column, 0, COLUMN_CAPACITY);
    store<u32>(column, load<u32>(column, COLUMN_FLAGS) & ~COLUMN_FLAG_REMOVED, COLUMN_FLAGS);
    retireDictionary(column + COLUMN_STRINGS);
    retireDictionary(column + COLUMN_JSON);
  }
  store<u32>(d, 0, STATE_ACTIVE_COUNT);
  store<u32>(d, 0, STATE_ACTIVE_CAPACITY);
  store<u32>(d, 0, STATE_LANES);
  store<u32>(d, 0, STATE_TEXTS + 8);
}

function forgetHints(dictionary: usize): void {
  store<u32>(dictionary, 0, DICT_HINT);
  store<u32>(dictionary, 0, DICT_HINT_BYTES);
}

function retireDictionary(dictionary: usize): void {
  const count = load<u32>(dictionary, DICT_COUNT);
  const put = load<u32>(dictionary, DICT_PUT);
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
  store<u32>(dictionary, 0, DICT_PUT);
}

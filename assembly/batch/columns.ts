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
  STATE_TEXTS,
} from "./state";
import { forgetHints, NO_CODE, putShortText, putText, removeText, retireDictionary } from "./texts";

// Columns under construction: for each path a list of the cells that are there, whatever their lane.
//
// A cell is 16 bytes: 0 row u32 │ 4 kind u32 │ 8 value u64 (i64, f64 bits, or the code of a text).
// Rows ascend, so the cell of the current row can only be the last one. `finish` splits a list into lanes.
//
// Column, 144 bytes, in the schema arena; the cells and texts it points to live in the group arena:
//   0  path address u32 │ 4 path length u32 │ 8 kinds seen in the group u32 │ 12 cells u32
//   16 cell count u32 │ 20 cell capacity u32 (0: not used in the group yet) │ 24 cells in the last group u32
//   28 flags u32 │ 32 path hash u32 │ 36 generation of its last use u32 │ 48 string dictionary │ 96 json dictionary
// (texts.ts)

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

export const CELL_NULL: u32 = 1;
export const CELL_FALSE: u32 = 2;
export const CELL_TRUE: u32 = 4;
export const CELL_I64: u32 = 8;
export const CELL_F64: u32 = 16;
export const CELL_STRING: u32 = 32;
export const CELL_JSON: u32 = 64;

/** Fixed columns and the overflow column, which the limit always leaves room for. */
const LANES_RESERVED: u32 = 5;

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
  if (!seesKind(column, kind) || !hasRoom(column)) {
    const status = makeRoom(d, column, kind);
    if (status != OK) return status;
  }
  addCell(column, row, kind, value);
  return OK;
}

/** As appendCell, for a string or json cell: the text is put once the cell has its place. */
export function appendTextCell(d: usize, column: usize, row: u32, kind: u32, text: usize, length: u32): u32 {
  if (!seesKind(column, kind) || !hasRoom(column)) {
    const status = makeRoom(d, column, kind);
    if (status != OK) return status;
  }
  const dictionary = column + (kind == CELL_STRING ? COLUMN_STRINGS : COLUMN_JSON);
  const code = putText(d, dictionary, text, length);
  if (code == NO_CODE) return OUT_OF_MEMORY;
  addCell(column, row, kind, code);
  return OK;
}

/** Whether there is room for one more cell. */
@inline
export function hasRoom(column: usize): bool {
  return load<u32>(column, COLUMN_COUNT) != load<u32>(column, COLUMN_CAPACITY);
}

/** Whether the group has a cell of this kind already, so that one more needs nothing but to be stored. */
@inline
export function seesKind(column: usize, kind: u32): bool {
  return (load<u32>(column, COLUMN_KINDS) & kind) != 0;
}

/** Stores a cell that there is room for. */
@inline
export function addCell(column: usize, row: u32, kind: u32, value: u64): void {
  const count = load<u32>(column, COLUMN_COUNT);
  const cell = <usize>load<u32>(column, COLUMN_CELLS) + (<usize>count << 4);
  store<u64>(cell, <u64>row | (<u64>kind << 32));
  store<u64>(cell, value, 8);
  store<u32>(column, count + 1, COLUMN_COUNT);
}

/** As appendTextCell for a string of at most SHORT_MAX bytes (texts.ts) in a column that has a place for it. */
@inline
export function appendShortCell(d: usize, column: usize, row: u32, bytes: v128, length: u32): u32 {
  const code = putShortText(d, column + COLUMN_STRINGS, bytes, length);
  if (code == NO_CODE) return OUT_OF_MEMORY;
  addCell(column, row, CELL_STRING, code);
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
  if (!removeText(dictionary, load<u32>(cell, 8))) store<u32>(column, flags | COLUMN_FLAG_REMOVED, COLUMN_FLAGS);
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
    const cells = load<u32>(column, COLUMN_COUNT);
    const kinds = load<u32>(column, COLUMN_KINDS);
    store<u32>(column, cells, COLUMN_HINT);
    store<u32>(column, 0, COLUMN_KINDS);
    store<u32>(column, 0, COLUMN_COUNT);
    store<u32>(column, 0, COLUMN_CAPACITY);
    store<u32>(column, load<u32>(column, COLUMN_FLAGS) & ~COLUMN_FLAG_REMOVED, COLUMN_FLAGS);
    retireDictionary(column + COLUMN_STRINGS, kinds & CELL_STRING ? cells : 0);
    retireDictionary(column + COLUMN_JSON, kinds & CELL_JSON ? cells : 0);
  }
  store<u32>(d, 0, STATE_ACTIVE_COUNT);
  store<u32>(d, 0, STATE_ACTIVE_CAPACITY);
  store<u32>(d, 0, STATE_LANES);
  store<u32>(d, 0, STATE_TEXTS + 8);
}

import { EVENT_TOO_LARGE, EVENT_TOO_MANY_COLUMNS, OK } from "../status";
import { appendTextCell, CELL_F64, CELL_FALSE, CELL_I64, CELL_JSON, CELL_NULL, CELL_STRING } from "./columns";
import { writeF64, writeI64, writeQuoted } from "./json-text";
import { NODE_OVERFLOW_INDEX, NODE_OVERFLOW_STAMP, writePath } from "./paths";
import {
  OVERFLOW_ENTRIES,
  OVERFLOW_SIZE,
  STATE_OVERFLOW_COLUMN,
  STATE_OVERFLOW_COUNT,
  STATE_OVERFLOW_ENTRIES,
  STATE_OVERFLOW_USED,
  STATE_PATH_SCRATCH,
  STATE_ROW,
  STATE_SCRATCH_OVERFLOW,
  STATE_STAMP,
} from "./state";

// Values whose path has no column in this batch: one JSON object a row, {"escaped.path": value, …}.
//
// A row's members are written one after the other as `,"path":value`, and joined at the row's end, because
// a later duplicate of a key may take one back.
//
// Entry, 12 bytes: 0 offset u32 │ 4 length u32 │ 8 live u32

/** Adds a member. `value` is as in a cell; strings and json come as text instead. */
export function putOverflow(d: usize, node: usize, kind: u32, value: u64, text: usize, length: u32): u32 {
  const count = load<u32>(d, STATE_OVERFLOW_COUNT);
  if (count == OVERFLOW_ENTRIES) return EVENT_TOO_MANY_COLUMNS;
  const used = load<u32>(d, STATE_OVERFLOW_USED);
  const pathLength = writePath(d, node);
  const most = kind == CELL_STRING ? length * 6 : length;
  if (length > OVERFLOW_SIZE || pathLength * 6 + most + 64 > OVERFLOW_SIZE - used) return EVENT_TOO_LARGE;
  const begin = <usize>load<u32>(d, STATE_SCRATCH_OVERFLOW) + used;
  store<u8>(begin, 0x2c);
  let out = writeQuoted(load<u32>(d, STATE_PATH_SCRATCH), pathLength, begin + 1);
  store<u8>(out++, 0x3a);
  if (kind == CELL_STRING) {
    out = writeQuoted(text, length, out);
  } else if (kind == CELL_JSON) {
    memory.copy(out, text, length);
    out += length;
  } else if (kind == CELL_I64) {
    out = writeI64(value, out);
  } else if (kind == CELL_F64) {
    out = writeF64(reinterpret<f64>(value), out);
  } else {
    out = writeLiteral(kind, out);
  }
  const entry = <usize>load<u32>(d, STATE_OVERFLOW_ENTRIES) + count * 12;
  store<u32>(entry, used);
  store<u32>(entry, out - begin, 4);
  store<u32>(entry, 1, 8);
  store<u32>(d, count + 1, STATE_OVERFLOW_COUNT);
  store<u32>(d, used + <u32>(out - begin), STATE_OVERFLOW_USED);
  store<u32>(node, load<u32>(d, STATE_STAMP), NODE_OVERFLOW_STAMP);
  store<u32>(node, count, NODE_OVERFLOW_INDEX);
  return OK;
}

function writeLiteral(kind: u32, out: usize): usize {
  if (kind == CELL_NULL) {
    store<u32>(out, 0x6c6c756e);
    return out + 4;
  }
  if (kind == CELL_FALSE) {
    store<u32>(out, 0x736c6166);
    store<u8>(out, 0x65, 4);
    return out + 5;
  }
  store<u32>(out, 0x65757274);
  return out + 4;
}

/** Takes the node's member back, if the current row has one. */
export function removeOverflow(d: usize, node: usize): void {
  if (load<u32>(node, NODE_OVERFLOW_STAMP) != load<u32>(d, STATE_STAMP)) return;
  const entry = <usize>load<u32>(d, STATE_OVERFLOW_ENTRIES) + load<u32>(node, NODE_OVERFLOW_INDEX) * 12;
  store<u32>(entry, 0, 8);
}

/** Ends the row: its members become one cell of the overflow column. */
export function flushOverflow(d: usize): u32 {
  const count = load<u32>(d, STATE_OVERFLOW_COUNT);
  if (count == 0) return OK;
  const entries = <usize>load<u32>(d, STATE_OVERFLOW_ENTRIES);
  const scratch = <usize>load<u32>(d, STATE_SCRATCH_OVERFLOW);
  let length: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const entry = entries + i * 12;
    if (load<u32>(entry, 8) == 0) continue;
    const size = load<u32>(entry, 4);
    memory.copy(scratch + length, scratch + load<u32>(entry), size);
    length += size;
  }
  store<u32>(d, 0, STATE_OVERFLOW_COUNT);
  store<u32>(d, 0, STATE_OVERFLOW_USED);
  if (length == 0) return OK;
  store<u8>(scratch, 0x7b);
  store<u8>(scratch + length, 0x7d);
  const column = <usize>load<u32>(d, STATE_OVERFLOW_COLUMN);
  return appendTextCell(d, column, load<u32>(d, STATE_ROW), CELL_JSON, scratch, length + 1);
}

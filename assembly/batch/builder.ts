import {
  DECODER_ARGUMENT,
  DECODER_DROPPED,
  DECODER_ERROR_LIST,
  DECODER_ERRORS,
  DECODER_EVENTS,
  DECODER_GROUP_FULL,
  DECODER_LIMIT_ERRORS,
  DECODER_LIMIT_EVENT_BYTES,
  DECODER_LIMIT_EVENTS,
  DECODER_LIMIT_LEAVES,
  DECODER_LIMIT_ROWS,
  DECODER_LIMIT_STRING_BYTES,
  DECODER_MADE,
  DECODER_OFFSET,
  DECODER_REJECTED,
  DECODER_ROW_BEGIN,
  DECODER_ROW_END,
  DECODER_ROWS,
  DECODER_STATUS,
  ROLE_NONE,
} from "../layout";
import { bitmapFill, bitmapSet, bitmapSize } from "../memory/bitmap";
import {
  BODY_TOO_LARGE,
  BODY_TOO_MANY_EVENTS,
  EVENT_STRING_TOO_LONG,
  EVENT_TOO_LARGE,
  EVENT_TOO_MANY_COLUMNS,
  OK,
  OUT_OF_MEMORY,
} from "../status";
import {
  addCell,
  appendCell,
  appendShortCell,
  appendTextCell,
  CELL_F64,
  CELL_FALSE,
  CELL_I64,
  CELL_JSON,
  CELL_NULL,
  CELL_STRING,
  CELL_TRUE,
  formatColumns,
  hasRoom,
  retireColumns,
  seesKind,
} from "./columns";
import { formatOverflow, useMapping } from "./mapping";
import { flushOverflow, putOverflow } from "./overflow";
import {
  columnOf,
  formatNodes,
  NODE_COLUMN,
  NODE_LOG_END,
  NODE_OPENED,
  NODE_ROLE,
  NODE_TEXT_BIT,
  rowLeaves,
} from "./paths";
import { endRoles, openRole, putRoleBoolean, putRoleJson, putRoleNumber, putRoleString } from "./roles";
import {
  formatState,
  groupUsed,
  resetGroup,
  schemaIsWorn,
  STATE_BODY,
  STATE_FAIL_ARGUMENT,
  STATE_FAIL_OFFSET,
  STATE_GENERATION,
  STATE_LOG,
  STATE_LOG_END,
  STATE_LOG_TOP,
  STATE_MAPPINGS,
  STATE_OBJECTS,
  STATE_OVERFLOW_COUNT,
  STATE_RECEIVED_AT,
  STATE_ROLES,
  STATE_ROW,
  STATE_SCHEMA_BASE,
  STATE_SCHEMA_TOP,
  STATE_STAMP,
  STATE_TRANSIENT_COUNT,
  STATE_TRANSIENT_TABLE,
  STATE_VALUE,
  MAPPING_SIZE,
  MAPPINGS_MAX,
  TRANSIENT_TABLE_SIZE,
} from "./state";
import { formatTexts, SHORT_MAX, shortText } from "./texts";

// The batch builder: what the JSON and the MessagePack decoder put events into. `d` is the decoder region
// (decoderRegion() in state.ts, where its memory is drawn).
//
//   beginBody(d, body, length, mapping)      OK, or refuse the body with what it answers
//     beginRow(d)                            for each event, when its object begins
//       findNode(d, object, key, length)     paths.ts: the path of a key; `object` is the root (STATE_ROOT) or
//                                            the node of the object around it; the node is at STATE_KEY_NODE
//       enterNode(d, node)                   before the value of each key, duplicates included
//       markValue(d, offset)                 byte offset of that value in the body, for errors
//       putNull, putBoolean, putI64, putF64, putString, putJson   a leaf
//       openObject(d, node) … closeObject(d, node)                an object that is not empty
//     endRow(d, bytes)                       checks the fixed fields; drops and lists the row if they are bad
//   endBody(d)                               the body was taken
//   refuseBody(d, code, offset, argument)    the body was not taken: nothing of it stays
//
// A put answers OK; SKIP_VALUE (openObject only: the object is not wanted, skip its bytes); an EVENT_… code (call
// rejectRow and read on behind the event); or OUT_OF_MEMORY (refuse the body with BODY_TOO_LARGE). The values of the
// fixed fields (nodes with a role) are recognised by the puts. Errors of roles wait until endRow, because a later
// duplicate of the key may put them right.
//
// Text handed to a put is valid UTF-8 with 16 readable bytes behind it, and is copied. putJson takes JSON text without
// insignificant white space: arrays, and `{}`.
//
// Nested fixed values need no care from the decoder: a role may sit at any path.

export { enterNode, putTimeInMinute, putUuid } from "./roles";
export { hasRoom, seesKind } from "./columns";

/** Answer of openObject: the object's role can't be one, so its bytes are only skipped. */
export const SKIP_VALUE: u32 = 255;

/** Lays out the region after the limits and the UUID state were set. */
export function formatDecoder(d: usize): u32 {
  const status = formatState(d);
  return status != OK ? status : formatSchema(d);
}

/** Forgets all paths and columns. */
function formatSchema(d: usize): u32 {
  store<u32>(d, load<u32>(d, STATE_SCHEMA_BASE), STATE_SCHEMA_TOP);
  store<u32>(d, 0, STATE_STAMP);
  memory.fill(load<u32>(d, STATE_TRANSIENT_TABLE), 0, TRANSIENT_TABLE_SIZE * 16);
  memory.fill(d + STATE_MAPPINGS, 0, MAPPINGS_MAX * MAPPING_SIZE);
  if (formatTexts(d) != OK || formatColumns(d) != OK || formatNodes(d) != OK) return OUT_OF_MEMORY;
  return formatOverflow(d);
}

/** Begins a group: no rows, and the time at which all of its rows were received. */
export function beginGroup(d: usize, receivedAtUs: i64): u32 {
  retireColumns(d);
  store<u32>(d, load<u32>(d, STATE_GENERATION) + 1, STATE_GENERATION);
  const rows = load<u32>(d, DECODER_ROWS);
  memory.fill(load<u32>(d, DECODER_MADE), 0, bitmapSize(rows));
  memory.fill(load<u32>(d, DECODER_DROPPED), 0, bitmapSize(rows));
  resetGroup(d);
  store<i64>(d, receivedAtUs, STATE_RECEIVED_AT);
  return schemaIsWorn(d) ? formatSchema(d) : OK;
}

/** Begins a body; `mapping` is the length of the text at DECODER_MAPPING, 0 without one. */
export function beginBody(d: usize, body: usize, mapping: u32): u32 {
  const rows = load<u32>(d, DECODER_ROWS);
  store<u32>(d, OK, DECODER_STATUS);
  store<u32>(d, 0, DECODER_OFFSET);
  store<u32>(d, 0, DECODER_ARGUMENT);
  store<u32>(d, 0, DECODER_EVENTS);
  store<u32>(d, 0, DECODER_REJECTED);
  store<u32>(d, 0, DECODER_ERRORS);
  store<u32>(d, 0, DECODER_GROUP_FULL);
  store<u32>(d, rows, DECODER_ROW_BEGIN);
  store<u32>(d, rows, DECODER_ROW_END);
  store<u32>(d, body, STATE_BODY);
  return useMapping(d, mapping);
}

export function endBody(d: usize): u32 {
  store<u32>(d, load<u32>(d, DECODER_ROWS), DECODER_ROW_END);
  return OK;
}

/** Takes back the body's rows and says why. OUT_OF_MEMORY becomes BODY_TOO_LARGE. */
export function refuseBody(d: usize, code: u32, offset: u32, argument: u32): u32 {
  const begin = load<u32>(d, DECODER_ROW_BEGIN);
  const end = load<u32>(d, DECODER_ROWS);
  bitmapFill(load<u32>(d, DECODER_DROPPED), begin, end);
  if (code == OUT_OF_MEMORY) {
    code = BODY_TOO_LARGE;
    store<u32>(d, begin != 0 ? 1 : 0, DECODER_GROUP_FULL);
  }
  store<u32>(d, code, DECODER_STATUS);
  store<u32>(d, offset, DECODER_OFFSET);
  store<u32>(d, argument, DECODER_ARGUMENT);
  store<u32>(d, 0, DECODER_EVENTS);
  store<u32>(d, 0, DECODER_REJECTED);
  store<u32>(d, 0, DECODER_ERRORS);
  store<u32>(d, end, DECODER_ROW_END);
  return code;
}

/** Takes back the body's rows so that its bytes can be read again in another way. */
export function restartBody(d: usize): void {
  refuseBody(d, OK, 0, 0);
}

/** Counts an event. BODY_TOO_MANY_EVENTS, or OUT_OF_MEMORY when the group has no row left. */
export function countEvent(d: usize): u32 {
  const events = load<u32>(d, DECODER_EVENTS);
  if (events >= load<u32>(d, DECODER_LIMIT_EVENTS)) return BODY_TOO_MANY_EVENTS;
  if (load<u32>(d, DECODER_ROWS) >= load<u32>(d, DECODER_LIMIT_ROWS)) return OUT_OF_MEMORY;
  store<u32>(d, events + 1, DECODER_EVENTS);
  return OK;
}

/** Begins the row of an event that countEvent has counted. It is a row of the group from now on. */
export function beginRow(d: usize): void {
  const row = load<u32>(d, DECODER_ROWS);
  store<u32>(d, row, STATE_ROW);
  store<u32>(d, row + 1, DECODER_ROWS);
  store<u32>(d, load<u32>(d, STATE_STAMP) + 1, STATE_STAMP);
  store<u32>(d, load<u32>(d, STATE_LOG), STATE_LOG_TOP);
  store<u64>(d, 0, STATE_ROLES); // and STATE_ROLE_ERRORS
  store<u32>(d, 0, STATE_OBJECTS);
  store<u32>(d, 0, STATE_TRANSIENT_COUNT);
  store<u64>(d, 0, STATE_OVERFLOW_COUNT); // and STATE_OVERFLOW_USED
}

@inline
export function markValue(d: usize, offset: u32): void {
  store<u32>(d, offset, STATE_VALUE);
}

export function putNull(d: usize, node: usize): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role != ROLE_NONE) return OK; // the same as no field at all
  return putCell(d, node, CELL_NULL, 0);
}

export function putBoolean(d: usize, node: usize, value: bool): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role != ROLE_NONE) return putRoleBoolean(d, role);
  return putCell(d, node, value ? CELL_TRUE : CELL_FALSE, 0);
}

export function putI64(d: usize, node: usize, value: i64): u32 {
  if (load<u32>(node, NODE_ROLE) != ROLE_NONE) return putRoleNumber(d, node, CELL_I64, value);
  return putCell(d, node, CELL_I64, value);
}

/** `value` is finite. */
export function putF64(d: usize, node: usize, value: f64): u32 {
  const bits = reinterpret<u64>(value);
  if (load<u32>(node, NODE_ROLE) != ROLE_NONE) return putRoleNumber(d, node, CELL_F64, bits);
  return putCell(d, node, CELL_F64, bits);
}

export function putString(d: usize, node: usize, text: usize, length: u32): u32 {
  if (length > load<u32>(d, DECODER_LIMIT_STRING_BYTES)) return EVENT_STRING_TOO_LONG;
  if (load<u32>(node, NODE_ROLE) != ROLE_NONE) return putRoleString(d, node, text, length);
  return putTextCell(d, node, CELL_STRING, text, length);
}

// A decoder may put the usual values at once, with no further call: to a column that has room (columnOfNode, hasRoom)
// and has seen the value's kind in this group (seesKind).

/** Address of the path's column, 0 before its first value. */
@inline
export function columnOfNode(node: usize): usize {
  return load<u32>(node, NODE_COLUMN);
}

/** Whether a text of 1 to SHORT_MAX bytes is a cell like any other. */
@inline
export function takesText(node: usize): bool {
  return load<u8>(node, NODE_TEXT_BIT) != 0;
}

/** Whether a number or a boolean is a cell like any other. */
@inline
export function takesPlain(node: usize): bool {
  return load<u32>(node, NODE_ROLE) == ROLE_NONE;
}

/** Puts a text of 1 to SHORT_MAX bytes, as shortText has it. */
@inline
export function putShortAtOnce(d: usize, node: usize, column: usize, bytes: v128, length: u32): u32 {
  // A bit that is nobody's is set for plain strings.
  store<u32>(d, load<u32>(d, STATE_ROLES) | load<u8>(node, NODE_TEXT_BIT), STATE_ROLES);
  return appendShortCell(d, column, load<u32>(d, STATE_ROW), bytes, length);
}

/** Puts a number or a boolean. */
@inline
export function putAtOnce(d: usize, column: usize, kind: u32, value: u64): void {
  addCell(column, load<u32>(d, STATE_ROW), kind, value);
}

/** As putString; a short text on the usual way takes no further call. */
@inline
export function putShortString(d: usize, node: usize, text: usize, length: u32): u32 {
  const column = columnOfNode(node);
  if (length - 1 >= SHORT_MAX || column == 0 || !takesText(node)) return putString(d, node, text, length);
  if (!hasRoom(column) || !seesKind(column, CELL_STRING)) return putString(d, node, text, length);
  return putShortAtOnce(d, node, column, shortText(d, text, length), length);
}

export function putJson(d: usize, node: usize, text: usize, length: u32): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role != ROLE_NONE) return putRoleJson(d, role, text);
  return putTextCell(d, node, CELL_JSON, text, length);
}

@inline
function putCell(d: usize, node: usize, kind: u32, value: u64): u32 {
  const column = <usize>load<u32>(node, NODE_COLUMN);
  if (column == 0) return putFirstCell(d, node, kind, value);
  const status = appendCell(d, column, load<u32>(d, STATE_ROW), kind, value);
  return status == EVENT_TOO_MANY_COLUMNS ? putOverflow(d, node, kind, value, 0, 0) : status;
}

function putFirstCell(d: usize, node: usize, kind: u32, value: u64): u32 {
  const column = columnOf(d, node);
  if (column == 0) return putOverflow(d, node, kind, value, 0, 0);
  const status = appendCell(d, column, load<u32>(d, STATE_ROW), kind, value);
  return status == EVENT_TOO_MANY_COLUMNS ? putOverflow(d, node, kind, value, 0, 0) : status;
}

function putTextCell(d: usize, node: usize, kind: u32, text: usize, length: u32): u32 {
  let column = <usize>load<u32>(node, NODE_COLUMN);
  if (column == 0) {
    column = columnOf(d, node);
    if (column == 0) return putOverflow(d, node, kind, 0, text, length);
  }
  const status = appendTextCell(d, column, load<u32>(d, STATE_ROW), kind, text, length);
  return status == EVENT_TOO_MANY_COLUMNS ? putOverflow(d, node, kind, 0, text, length) : status;
}

/** Call after the object's node was entered, before its first key. */
export function openObject(d: usize, node: usize): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role != ROLE_NONE && !openRole(d, role)) return SKIP_VALUE;
  store<u32>(node, load<u32>(d, STATE_STAMP), NODE_OPENED);
  store<u32>(d, load<u32>(d, STATE_OBJECTS) + 1, STATE_OBJECTS);
  return OK;
}

@inline
export function closeObject(d: usize, node: usize): void {
  store<u32>(node, load<u32>(d, STATE_LOG_TOP), NODE_LOG_END);
}

/** Ends the event, which took `bytes` bytes from byte offset `begin` of the body. OK also when it was rejected. */
export function endRow(d: usize, begin: u32, bytes: u32): u32 {
  store<u32>(d, begin, STATE_VALUE);
  if (bytes > load<u32>(d, DECODER_LIMIT_EVENT_BYTES)) return rejectRow(d, EVENT_TOO_LARGE, begin, bytes);
  const isLogFull = load<u32>(d, STATE_LOG_TOP) + 4 >= load<u32>(d, STATE_LOG_END);
  const leaves = rowLeaves(d);
  if (isLogFull || leaves > load<u32>(d, DECODER_LIMIT_LEAVES)) {
    return rejectRow(d, EVENT_TOO_MANY_COLUMNS, begin, leaves);
  }
  if (load<u32>(d, STATE_OVERFLOW_COUNT) != 0) {
    const status = flushOverflow(d);
    if (status != OK) return status;
  }
  const status = endRoles(d);
  if (status == OUT_OF_MEMORY) return status;
  if (status != OK) {
    return rejectRow(d, status, load<u32>(d, STATE_FAIL_OFFSET), load<u32>(d, STATE_FAIL_ARGUMENT));
  }
  return OK;
}

/** Drops the current row and lists the reason; the event's remaining bytes are the decoder's to skip. */
export function rejectRow(d: usize, code: u32, offset: u32, argument: u32): u32 {
  bitmapSet(load<u32>(d, DECODER_DROPPED), load<u32>(d, STATE_ROW));
  rejectEvent(d, code, offset, argument);
  return OK;
}

/** Counts and lists the rejection of the last event counted, for which no row was begun. */
export function rejectEvent(d: usize, code: u32, offset: u32, argument: u32): void {
  store<u32>(d, load<u32>(d, DECODER_REJECTED) + 1, DECODER_REJECTED);
  const count = load<u32>(d, DECODER_ERRORS);
  if (count >= load<u32>(d, DECODER_LIMIT_ERRORS)) return;
  const entry = <usize>load<u32>(d, DECODER_ERROR_LIST) + (<usize>count << 4);
  store<u32>(entry, load<u32>(d, DECODER_EVENTS) - 1);
  store<u32>(entry, code, 4);
  store<u32>(entry, offset, 8);
  store<u32>(entry, argument, 12);
  store<u32>(d, count + 1, DECODER_ERRORS);
}

/** Bytes of the group arena in use: what the group's cells and texts take. */
export function builderUsed(d: usize): u32 {
  return groupUsed(d);
}

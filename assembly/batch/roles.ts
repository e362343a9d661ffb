import {
  DECODER_IDS,
  DECODER_MADE,
  DECODER_TIMESTAMPS,
  DECODER_UUID_STATE,
  ROLE_EVENT_TYPE,
  ROLE_ID,
  ROLE_NONE,
  ROLE_PROPERTIES,
  ROLE_TIMESTAMP,
} from "../layout";
import {
  parseTimestamp,
  timestampFromF64,
  timestampFromI64,
  timestampInMinute,
  TIMESTAMP_MALFORMED,
} from "../decode/timestamp";
import { makeUuid7, parseUuid, uuidFromText } from "../decode/uuid";
import { bitmapSet } from "../memory/bitmap";
import {
  EVENT_FIELD_TYPE,
  EVENT_INVALID_TIMESTAMP,
  EVENT_PROPERTIES_TYPE,
  EVENT_TIMESTAMP_RANGE,
  EVENT_TIMESTAMP_ZONE,
  EVENT_TOO_MANY_COLUMNS,
  EVENT_TYPE_EMPTY,
  EVENT_TYPE_MISSING,
  OK,
} from "../status";
import { appendTextCell, CELL_I64, CELL_STRING, removeCell } from "./columns";
import { writeF64, writeI64 } from "./json-text";
import { CONSTANT_COLUMN, CONSTANT_LENGTH, CONSTANT_ROLE, CONSTANT_TEXT } from "./mapping";
import { putOverflow, removeOverflow } from "./overflow";
import {
  columnOf,
  NODE_COLUMN,
  NODE_LOG_BEGIN,
  NODE_LOG_END,
  NODE_MAPPED,
  NODE_OPENED,
  NODE_ROLE,
  NODE_STAMP,
} from "./paths";
import {
  STATE_CONSTANTS,
  STATE_FAIL_ARGUMENT,
  STATE_FAIL_OFFSET,
  STATE_ID_NODE,
  STATE_LOG_END,
  STATE_LOG_TOP,
  STATE_RECEIVED_AT,
  STATE_ROLE_ERROR,
  STATE_ROLE_ERRORS,
  STATE_ROLES,
  STATE_ROW,
  STATE_SCRATCH_MADE,
  STATE_STAMP,
  STATE_TIMES,
  STATE_UNIT,
  STATE_UUID_SCRATCH,
  STATE_VALUE,
} from "./state";

// The fixed fields: where their values go and what they may be. What is wrong with one is kept until the end
// of the row, because a later duplicate of its key replaces it.

@inline
function setRole(d: usize, role: u32): u32 {
  store<u32>(d, load<u32>(d, STATE_ROLES) | (1 << role), STATE_ROLES);
  return OK;
}

function failRole(d: usize, role: u32, code: u32): u32 {
  store<u32>(d, load<u32>(d, STATE_ROLE_ERRORS) | (1 << role), STATE_ROLE_ERRORS);
  const error = d + STATE_ROLE_ERROR + (role << 3);
  store<u32>(error, code);
  store<u32>(error, load<u32>(d, STATE_VALUE), 4);
  return OK;
}

function failType(d: usize, role: u32): u32 {
  return failRole(d, role, role == ROLE_PROPERTIES ? EVENT_PROPERTIES_TYPE : EVENT_FIELD_TYPE);
}

export function putRoleBoolean(d: usize, role: u32): u32 {
  return failType(d, role);
}

/** `{}` is a fine value for the properties. */
export function putRoleJson(d: usize, role: u32, text: usize): u32 {
  return role == ROLE_PROPERTIES && load<u8>(text) == 0x7b ? OK : failType(d, role);
}

/** Whether the role's value may be an object. */
export function openRole(d: usize, role: u32): bool {
  if (role == ROLE_PROPERTIES) return true;
  failType(d, role);
  return false;
}

/** A number is a time; where a mapping asks for it, also a string, by its JSON text. */
export function putRoleNumber(d: usize, node: usize, kind: u32, bits: u64): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role == ROLE_TIMESTAMP) {
    const unit = load<u32>(d, STATE_UNIT);
    const time = kind == CELL_I64 ? timestampFromI64(bits, unit) : timestampFromF64(reinterpret<f64>(bits), unit);
    return putTime(d, time);
  }
  if (role == ROLE_PROPERTIES || load<u8>(node, NODE_MAPPED) == 0) return failType(d, role);
  const text = <usize>load<u32>(d, STATE_SCRATCH_MADE);
  const end = kind == CELL_I64 ? writeI64(bits, text) : writeF64(reinterpret<f64>(bits), text);
  return putRoleString(d, node, text, <u32>(end - text));
}

export function putRoleString(d: usize, node: usize, text: usize, length: u32): u32 {
  const role = load<u32>(node, NODE_ROLE);
  if (role == ROLE_ID) return putId(d, node, text, length);
  if (role == ROLE_TIMESTAMP) return putTime(d, parseTimestamp(text, length, d + STATE_TIMES));
  if (role == ROLE_PROPERTIES) return failType(d, role);
  if (role == ROLE_EVENT_TYPE && length == 0) return failRole(d, role, EVENT_TYPE_EMPTY);
  setRole(d, role);
  return appendTextCell(d, load<u32>(node, NODE_COLUMN), load<u32>(d, STATE_ROW), CELL_STRING, text, length);
}

function putTime(d: usize, timeUs: i64): u32 {
  const error = timeUs - i64.MIN_VALUE;
  if (error >= 0 && error <= 2) {
    const code = error == 0 ? EVENT_INVALID_TIMESTAMP : error == 1 ? EVENT_TIMESTAMP_ZONE : EVENT_TIMESTAMP_RANGE;
    return failRole(d, ROLE_TIMESTAMP, code);
  }
  store<i64>(<usize>load<u32>(d, DECODER_TIMESTAMPS) + (<usize>load<u32>(d, STATE_ROW) << 3), timeUs);
  return setRole(d, ROLE_TIMESTAMP);
}

/** Puts the 24 bytes at `text` as the row's time if their minute is that of the last one. */
@inline
export function putTimeInMinute(d: usize, text: usize): bool {
  const timeUs = timestampInMinute(text, d + STATE_TIMES);
  if (timeUs == TIMESTAMP_MALFORMED) return false;
  store<i64>(<usize>load<u32>(d, DECODER_TIMESTAMPS) + (<usize>load<u32>(d, STATE_ROW) << 3), timeUs);
  setRole(d, ROLE_TIMESTAMP);
  return true;
}

/** Puts the 36 bytes at `text` as the row's id if they are a UUID. */
export function putUuid(d: usize, text: usize): bool {
  const out = <usize>load<u32>(d, DECODER_IDS) + (<usize>load<u32>(d, STATE_ROW) << 4);
  if (!parseUuid(text, out)) return false;
  setRole(d, ROLE_ID);
  return true;
}

/** A UUID; any other text becomes one, and is kept as properties.id. */
function putId(d: usize, node: usize, text: usize, length: u32): u32 {
  const out = <usize>load<u32>(d, DECODER_IDS) + (<usize>load<u32>(d, STATE_ROW) << 4);
  setRole(d, ROLE_ID);
  if (length == 36 && parseUuid(text, out)) return OK;
  uuidFromText(text, length, out, d + STATE_UUID_SCRATCH);
  const kept = <usize>load<u32>(d, STATE_ID_NODE);
  if (node != kept) {
    // It is as if properties.id came here: an earlier one goes, a later one will replace it.
    const stamp = load<u32>(d, STATE_STAMP);
    if (load<u32>(kept, NODE_STAMP) == stamp) leaveNode(d, kept);
    store<u32>(kept, stamp, NODE_STAMP);
    store<u32>(kept, load<u32>(node, NODE_LOG_BEGIN), NODE_LOG_BEGIN);
  }
  const column = columnOf(d, kept);
  if (column == 0) return putOverflow(d, kept, CELL_STRING, 0, text, length);
  const status = appendTextCell(d, column, load<u32>(d, STATE_ROW), CELL_STRING, text, length);
  return status == EVENT_TOO_MANY_COLUMNS ? putOverflow(d, kept, CELL_STRING, 0, text, length) : status;
}

/** A key of the current row, before its value; a second time, the earlier value is taken back. */
@inline
export function enterNode(d: usize, node: usize): void {
  const stamp = load<u32>(d, STATE_STAMP);
  if (load<u32>(node, NODE_STAMP) == stamp) leaveNode(d, node);
  store<u32>(node, stamp, NODE_STAMP);
  const top = load<u32>(d, STATE_LOG_TOP);
  store<u32>(node, top, NODE_LOG_BEGIN);
  store<u32>(top, <u32>node);
  // A full log stays full, which endRow rejects.
  store<u32>(d, top + 4 < load<u32>(d, STATE_LOG_END) ? top + 4 : top, STATE_LOG_TOP);
}

/** Takes back what the current row has put at a path and below it. */
export function leaveNode(d: usize, node: usize): void {
  leaveLeaf(d, node);
  if (load<u32>(node, NODE_OPENED) != load<u32>(d, STATE_STAMP)) return;
  store<u32>(node, 0, NODE_OPENED);
  const begin = load<u32>(node, NODE_LOG_BEGIN);
  const end = load<u32>(node, NODE_LOG_END);
  for (let entry: usize = begin + 4; entry < end; entry += 4) {
    const child = <usize>load<u32>(entry);
    // A path entered again since then holds a later value: top-level fields share paths with properties.
    const at = load<u32>(child, NODE_LOG_BEGIN);
    if (at > begin && at < end) leaveLeaf(d, child);
  }
}

function leaveLeaf(d: usize, node: usize): void {
  const role = load<u32>(node, NODE_ROLE);
  if (role != ROLE_NONE) forgetRole(d, node, role);
  const column = <usize>load<u32>(node, NODE_COLUMN);
  if (column != 0) removeCell(column, load<u32>(d, STATE_ROW));
  removeOverflow(d, node);
}

function forgetRole(d: usize, node: usize, role: u32): void {
  const bit: u32 = 1 << role;
  store<u32>(d, load<u32>(d, STATE_ROLES) & ~bit, STATE_ROLES);
  store<u32>(d, load<u32>(d, STATE_ROLE_ERRORS) & ~bit, STATE_ROLE_ERRORS);
  if (role != ROLE_ID) return;
  const kept = <usize>load<u32>(d, STATE_ID_NODE);
  const wasKept = load<u32>(kept, NODE_STAMP) == load<u32>(d, STATE_STAMP);
  if (node != kept && wasKept && load<u32>(kept, NODE_LOG_BEGIN) == load<u32>(node, NODE_LOG_BEGIN)) {
    leaveLeaf(d, kept);
  }
}

/**
 * Ends the row: checks the fixed fields and fills in those that are absent.
 *
 * Result: OK, OUT_OF_MEMORY, or the EVENT_… code that rejects it. Then the offset of the value is at
 * STATE_FAIL_OFFSET (STATE_VALUE as the caller set it when there is none) and its role at STATE_FAIL_ARGUMENT.
 */
export function endRoles(d: usize): u32 {
  const errors = load<u32>(d, STATE_ROLE_ERRORS);
  if (errors != 0) {
    const role = ctz(errors);
    const error = d + STATE_ROLE_ERROR + (role << 3);
    store<u32>(d, load<u32>(error, 4), STATE_FAIL_OFFSET);
    store<u32>(d, role, STATE_FAIL_ARGUMENT);
    return load<u32>(error);
  }
  if (load<u32>(d, STATE_CONSTANTS) != 0) {
    const status = putConstants(d);
    if (status != OK) return status;
  }
  const roles = load<u32>(d, STATE_ROLES);
  if (!(roles & (1 << ROLE_EVENT_TYPE))) {
    store<u32>(d, load<u32>(d, STATE_VALUE), STATE_FAIL_OFFSET);
    store<u32>(d, ROLE_EVENT_TYPE, STATE_FAIL_ARGUMENT);
    return EVENT_TYPE_MISSING;
  }
  const row = load<u32>(d, STATE_ROW);
  if (!(roles & (1 << ROLE_TIMESTAMP))) {
    const times = <usize>load<u32>(d, DECODER_TIMESTAMPS);
    store<i64>(times + (<usize>row << 3), load<i64>(d, STATE_RECEIVED_AT));
  }
  if (!(roles & (1 << ROLE_ID))) {
    const id = <usize>load<u32>(d, DECODER_IDS) + (<usize>row << 4);
    makeUuid7(d + DECODER_UUID_STATE, load<i64>(d, STATE_RECEIVED_AT), id);
    bitmapSet(load<u32>(d, DECODER_MADE), row);
  }
  return OK;
}

/** The mapping's constants for this row; the mapping was checked to have good ones. */
function putConstants(d: usize): u32 {
  const row = load<u32>(d, STATE_ROW);
  let constant = <usize>load<u32>(d, STATE_CONSTANTS);
  for (; constant != 0; constant = load<u32>(constant)) {
    const role = load<u32>(constant, CONSTANT_ROLE);
    const text = constant + CONSTANT_TEXT;
    const length = load<u32>(constant, CONSTANT_LENGTH);
    if (role == ROLE_TIMESTAMP) {
      putTime(d, parseTimestamp(text, length, d + STATE_TIMES));
      if (load<u32>(d, STATE_ROLE_ERRORS) != 0) {
        store<u32>(d, load<u32>(d, STATE_VALUE), STATE_FAIL_OFFSET);
        store<u32>(d, ROLE_TIMESTAMP, STATE_FAIL_ARGUMENT);
        return EVENT_INVALID_TIMESTAMP;
      }
      continue;
    }
    setRole(d, role);
    const status = appendTextCell(d, load<u32>(constant, CONSTANT_COLUMN), row, CELL_STRING, text, length);
    if (status != OK) return status;
  }
  return OK;
}

import {
  closeObject,
  enterNode,
  markValue,
  openObject,
  putBoolean,
  putF64,
  putI64,
  putJson,
  putNull,
  putString,
  SKIP_VALUE,
} from "../batch/builder";
import {
  findNode,
  NODE_FIRST,
  NODE_NEXT,
  NODE_ROLE,
  NODE_TRANSIENT,
} from "../batch/paths";
import {
  SCRATCH_SIZE,
  STATE_BODY,
  STATE_KEY_NODE,
  STATE_SCRATCH_MADE,
} from "../batch/state";
import { DECODER_LIMIT_EVENT_DEPTH, ROLE_TIMESTAMP } from "../layout";
import {
  BODY_CUT_OFF,
  BODY_INVALID_TYPE_BYTE,
  BODY_INVALID_UTF8,
  EVENT_KEY_TYPE,
  EVENT_NUMBER_RANGE,
  EVENT_STRING_TOO_LONG,
  EVENT_TOO_DEEP,
  EVENT_TOO_LARGE,
  OK,
  OUT_OF_MEMORY,
} from "../status";
import {
  base64Size,
  extensionType,
  isTextTimestamp,
  refuse,
  reject,
  WALK_CODE,
  WALK_EVENT_CODE,
  WALK_LIMIT,
  WALK_OUT,
  skipValue,
  walkValue,
  writeBase64,
  writeExtension,
} from "./msgpack-text";
import {
  isTimestamp,
  isWhole,
  readFloat,
  readInteger,
  readToken,
  readU64,
  TOKEN_ARRAY,
  TOKEN_BINARY,
  TOKEN_CUT_OFF,
  TOKEN_EXTENSION,
  TOKEN_FALSE,
  TOKEN_FLOAT,
  TOKEN_INTEGER,
  TOKEN_INVALID,
  TOKEN_NIL,
  TOKEN_STRING,
  TOKEN_TRUE,
  tokenHead,
  tokenKind,
  tokenLength,
} from "./msgpack-token";
import { passKey, putUsual } from "./msgpack-usual";
import { firstInvalidUtf8 } from "./utf8";

// One MessagePack event to the cells of its row. The next key is not read but guessed (paths.ts),
// and compared, 16 bytes at once; what becomes of each type is in msgpack.ts, and the usual pairs
// are done in msgpack-usual.ts.

/**
 * The `count` pairs at `p` of an object at `depth` whose path is `object`. Once the event is
 * rejected, here or further in, what is left of it is only checked.
 */
export function decodeObject(
  d: usize,
  walk: usize,
  p: usize,
  end: usize,
  count: u32,
  object: usize,
  depth: u32,
): usize {
  let guess = object + NODE_FIRST;
  for (let left = count; left > 0; left--) {
    let node = <usize>load<u32>(guess);
    const after = passKey(node, p, object);
    if (after != 0) {
      p = after;
    } else {
      const value = readKey(d, walk, p, end, object);
      if (value == 0) {
        return load<u32>(walk, WALK_CODE) != OK ? 0 : skipPairs(d, walk, p, left, depth);
      }
      p = value;
      node = load<u32>(d, STATE_KEY_NODE);
      // A transient path is gone with its row, so nothing that stays may point to it.
      if (load<u32>(node, NODE_TRANSIENT) == 0) store<u32>(guess, <u32>node);
    }
    guess = node + NODE_NEXT;
    enterNode(d, node);
    const next = putUsual(d, node, p, end);
    if (next != 0) {
      p = next;
      continue;
    }
    markValue(d, <u32>p - load<u32>(d, STATE_BODY));
    p = decodeValue(d, walk, p, end, node, depth);
    if (p == 0) return 0;
    if (load<u32>(walk, WALK_EVENT_CODE) != OK) return skipPairs(d, walk, p, left - 1, depth);
  }
  return p;
}

/** Whether a text of at most 32 bytes is ASCII. */
@inline
function isShortAscii(text: usize, length: u32): bool {
  if (length <= 16) return (<u32>i8x16.bitmask(v128.load(text)) & ((1 << length) - 1)) == 0;
  return i8x16.bitmask(v128.or(v128.load(text), v128.load(text + length - 16))) == 0;
}

/**
 * A key that was not foreseen; its path goes to STATE_KEY_NODE. Result: the address of its value; 0
 * when refused or rejected.
 */
function readKey(d: usize, walk: usize, p: usize, end: usize, object: usize): usize {
  const token = readToken(p, end);
  const kind = tokenKind(token);
  if (kind == TOKEN_CUT_OFF) return refuse(walk, BODY_CUT_OFF, end);
  if (kind == TOKEN_INVALID) return refuse(walk, BODY_INVALID_TYPE_BYTE, p);
  if (kind != TOKEN_STRING) {
    reject(walk, EVENT_KEY_TYPE, p);
    return 0;
  }
  const text = p + tokenHead(token);
  const length = tokenLength(token);
  const bad = firstInvalidUtf8(text, length);
  if (bad != length) return refuse(walk, BODY_INVALID_UTF8, text + bad);
  const status = findNode(d, object, text, length);
  if (status == OK) return text + length;
  if (status == OUT_OF_MEMORY) return refuse(walk, status, p);
  reject(walk, status, p);
  return 0;
}

/** Checks `count` pairs of an event that is rejected. */
function skipPairs(d: usize, walk: usize, p: usize, count: u32, depth: u32): usize {
  for (let i: u32 = 0; i < count && p != 0; i++) {
    p = walkValue(d, walk, p, depth + 1);
    if (p != 0) p = walkValue(d, walk, p, depth + 1);
  }
  return p;
}

/** The value at `p` of the path `node`; the object around it is at `depth`. */
function decodeValue(d: usize, walk: usize, p: usize, end: usize, node: usize, depth: u32): usize {
  const type = <u32>load<u8>(p);
  if (type - 0x81 < 15 && p + 1 + ((type & 15) << 1) <= end) {
    return decodeMap(d, walk, p, p + 1, end, type & 15, node, depth + 1);
  }
  // The commonest first, with no branch on what changes from event to event: the sizes of integers,
  // true and false. What does not succeed is tried again below: it has put nothing.
  if (type == 0xd9 && p + 2 + load<u8>(p, 1) <= end) {
    const length = <u32>load<u8>(p, 1);
    return settle(walk, putText(d, walk, node, p + 2, length), p, p + 2 + length);
  }
  if (type - 0xcc < 8) {
    const size: usize = 1 << (type & 3);
    const raw = readU64(p + 1);
    const rest = <u64>(8 - size) << 3;
    const value = select<i64>(<i64>(raw >> rest), <i64>raw >> rest, type < 0xd0);
    const isBeyond = type == 0xcf && value < 0;
    const next = p + 1 + size;
    if (!isBeyond && next <= end && putI64(d, node, value) == OK) return next;
  }
  if (type < 0x80 && p < end) return settle(walk, putI64(d, node, type), p, p + 1);
  if (type == 0xcb && p + 9 <= end) {
    const value = reinterpret<f64>(readU64(p + 1));
    if (abs(value - trunc(value)) > 0 && putF64(d, node, value) == OK) return p + 9;
  }
  if ((type & 0xfe) == 0xc2 && p < end && putBoolean(d, node, (type & 1) != 0) == OK) return p + 1;

  const token = readToken(p, end);
  const content = p + tokenHead(token);
  const length = tokenLength(token);
  switch (tokenKind(token)) {
    case TOKEN_CUT_OFF:
      return refuse(walk, BODY_CUT_OFF, end);
    case TOKEN_INVALID:
      return refuse(walk, BODY_INVALID_TYPE_BYTE, p);
    case TOKEN_NIL:
      return settle(walk, putNull(d, node), p, content);
    case TOKEN_FALSE:
    case TOKEN_TRUE:
      return settle(walk, putBoolean(d, node, tokenKind(token) == TOKEN_TRUE), p, content);
    case TOKEN_INTEGER:
      return settle(walk, putI64(d, node, readInteger(p)), p, content);
    case TOKEN_FLOAT: {
      const value = readFloat(p);
      if (!(abs(value) < Infinity)) return settle(walk, EVENT_NUMBER_RANGE, p, content);
      const status = isWhole(value) ? putI64(d, node, <i64>value) : putF64(d, node, value);
      return settle(walk, status, p, content);
    }
    case TOKEN_STRING:
      return settle(walk, putText(d, walk, node, content, length), p, content + length);
    case TOKEN_BINARY:
      return settle(walk, putBinary(d, node, content, length), p, content + length);
    case TOKEN_EXTENSION:
      return settle(walk, putExtension(d, node, content, length), p, content + length);
    case TOKEN_ARRAY:
      return putArray(d, walk, p, node, depth + 1);
    default:
      if (length == 0) return settle(walk, putEmpty(d, node), p, content);
      return decodeMap(d, walk, p, content, end, length, node, depth + 1);
  }
}

/** `next`, after the builder's answer to the value at `p` was seen to. */
@inline
function settle(walk: usize, status: u32, p: usize, next: usize): usize {
  return status == OK ? next : settleFailure(walk, status, p, next);
}

function settleFailure(walk: usize, status: u32, p: usize, next: usize): usize {
  if (load<u32>(walk, WALK_CODE) != OK) return 0;
  if (status == OUT_OF_MEMORY) return refuse(walk, status, p);
  reject(walk, status, p);
  return next;
}

/** A string; BODY_INVALID_UTF8, with the body refused, when it is not UTF-8. */
@inline
function putText(d: usize, walk: usize, node: usize, text: usize, length: u32): u32 {
  if (length > 32 || !isShortAscii(text, length)) {
    const bad = firstInvalidUtf8(text, length);
    if (bad != length) {
      refuse(walk, BODY_INVALID_UTF8, text + bad);
      return BODY_INVALID_UTF8;
    }
  }
  return putString(d, node, text, length);
}

function putBinary(d: usize, node: usize, data: usize, length: u32): u32 {
  if (<u64>length * 4 > <u64>SCRATCH_SIZE * 6) return EVENT_STRING_TOO_LONG;
  const text = <usize>load<u32>(d, STATE_SCRATCH_MADE);
  writeBase64(data, length, text);
  return putString(d, node, text, base64Size(length));
}

function putExtension(d: usize, node: usize, data: usize, length: u32): u32 {
  const type = extensionType(data);
  const text = <usize>load<u32>(d, STATE_SCRATCH_MADE);
  if (isTextTimestamp(type, data, length)) {
    return putString(d, node, text, <u32>(writeExtension(data, length, text, false) - text));
  }
  // A time that RFC 3339 can't write is out of the range of times, as is any number so large.
  const isTimeField = load<u32>(node, NODE_ROLE) == ROLE_TIMESTAMP;
  if (isTimeField && isTimestamp(type, data, length)) return putF64(d, node, 1e300);
  if (<u64>length * 4 > <u64>SCRATCH_SIZE * 5) return EVENT_TOO_LARGE;
  return putJson(d, node, text, <u32>(writeExtension(data, length, text, true) - text));
}

function putEmpty(d: usize, node: usize): u32 {
  const text = <usize>load<u32>(d, STATE_SCRATCH_MADE);
  store<u16>(text, 0x7d7b);
  return putJson(d, node, text, 2);
}

/** The array at `p`, at `depth`, as JSON. */
function putArray(d: usize, walk: usize, p: usize, node: usize, depth: u32): usize {
  const text = load<u32>(d, STATE_SCRATCH_MADE);
  store<u32>(walk, text, WALK_OUT);
  store<u32>(walk, text + SCRATCH_SIZE * 2, WALK_LIMIT);
  const next = walkValue(d, walk, p, depth);
  if (next == 0 || load<u32>(walk, WALK_EVENT_CODE) != OK) return next;
  return settle(walk, putJson(d, node, text, load<u32>(walk, WALK_OUT) - text), p, next);
}

/** The map at `p`, at `depth`, whose `count` pairs, at least one, are at `first`. */
function decodeMap(
  d: usize,
  walk: usize,
  p: usize,
  first: usize,
  end: usize,
  count: u32,
  node: usize,
  depth: u32,
): usize {
  if (depth > load<u32>(d, DECODER_LIMIT_EVENT_DEPTH)) {
    reject(walk, EVENT_TOO_DEEP, p);
    return walkValue(d, walk, p, depth);
  }
  const status = openObject(d, node);
  // The wrong type for a fixed field, which endRow will say: what is in it does not matter.
  if (status == SKIP_VALUE) return skipValue(d, walk, p, depth);
  if (status != OK) {
    if (settleFailure(walk, status, p, p) == 0) return 0;
    return walkValue(d, walk, p, depth);
  }
  const next = decodeObject(d, walk, first, end, count, node, depth);
  closeObject(d, node);
  return next;
}

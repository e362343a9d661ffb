import {
  beginBody,
  beginRow,
  closeObject,
  countEvent,
  endBody,
  endRow,
  enterNode,
  markValue,
  openObject,
  putBoolean,
  putF64,
  putI64,
  putJson,
  putNull,
  putShortString,
  putString,
  putUuid,
  refuseBody,
  rejectRow,
  restartBody,
  SKIP_VALUE,
} from "../batch/builder";
import {
  findNode,
  lookUp,
  NODE_ALIAS,
  NODE_FIRST,
  NODE_NEXT,
  NODE_PARENT,
  NODE_ROLE,
  NODE_TOKEN,
  NODE_TOKEN_LENGTH,
  NODE_TOKEN_MASK,
  NODE_TRANSIENT,
} from "../batch/paths";
import {
  decoderRegion,
  sameBytes,
  STATE_BODY,
  STATE_CHECKED,
  STATE_FAIL_ARGUMENT,
  STATE_FAIL_CODE,
  STATE_FAIL_OFFSET,
  STATE_KEY_NODE,
  STATE_NUMBER,
  STATE_ROOT,
  STATE_SCRATCH_MADE,
  STATE_TEXT,
  STATE_TEXT_LENGTH,
} from "../batch/state";
import {
  DECODER_LIMIT_EVENT_BYTES,
  DECODER_LIMIT_EVENT_DEPTH,
  FORMAT_JSON_EVENT,
  FORMAT_NDJSON,
  ROLE_EVENT_TYPE,
  ROLE_ID,
} from "../layout";
import {
  BODY_BYTE_ORDER_MARK,
  BODY_DUPLICATE_EVENTS_KEY,
  BODY_EMPTY,
  BODY_NOT_EVENTS,
  BODY_TOO_MANY_EVENTS,
  BODY_TRAILING,
  BODY_UNEXPECTED_BYTE,
  EVENT_MALFORMED,
  EVENT_NOT_AN_OBJECT,
  EVENT_NUMBER_RANGE,
  EVENT_TOO_DEEP,
  EVENT_TOO_LARGE,
  OK,
  OUT_OF_MEMORY,
} from "../status";
import {
  CHECKED_NOT_FINITE,
  CHECKED_SPACE,
  checkValue,
  readLiteral,
  readNumber,
  skipSpace,
  writeCompact,
} from "./json-check";
import { NUMBER_F64, NUMBER_NOT_FINITE } from "./number";
import { readShortNumber } from "./short-number";
import { fail, readString } from "./string";

// JSON bodies to rows of the group, in one pass over the bytes.
//
// The next key is not read but guessed (paths.ts) and compared, 16 bytes at once. Bytes beyond the body may be
// looked at, since something readable is always there, but nothing there is ever accepted: each value is
// followed by a comma or a bracket, and that byte must lie before the end. All failures go through `fail`.
//
// An event that can't be taken is read again by checkValue, because its syntax still decides about the body.

/**
 * Decodes a body. FORMAT_JSON_EVENT: one object. FORMAT_JSON_BATCH: an array of events, or an object with it under
 * `events`, or one event. FORMAT_NDJSON: an event a line, where a bad line is an event that is rejected.
 *
 * Result: OK or the BODY_… code, as left in the decoder's header with everything else. `mapping`: length of the
 *         text at DECODER_MAPPING.
 */
export function decodeJson(body: usize, length: u32, format: u32, mapping: u32): u32 {
  const d = decoderRegion();
  const begun = beginBody(d, body, mapping);
  if (begun != OK) return refuseBody(d, begun, 0, 0);
  const end = body + length;
  if (length >= 3 && (load<u32>(body) & 0xffffff) == 0xbfbbef) return refuseBody(d, BODY_BYTE_ORDER_MARK, 0, 0);
  const first = skipSpace(body, end);
  if (first >= end) return refuseBody(d, BODY_EMPTY, length, 0);
  let p: usize;
  if (format == <u32>FORMAT_NDJSON) {
    p = decodeLines(d, first, end);
  } else {
    const byte = <u32>load<u8>(first);
    const isOne = format == <u32>FORMAT_JSON_EVENT;
    if (byte == 0x7b) p = isOne ? decodeEvent(d, first, end, false) : decodeEnvelope(d, first, end);
    else p = byte == 0x5b && !isOne ? decodeArray(d, first, end) : notEvents(d, first, end);
    if (p != 0) {
      p = skipSpace(p, end);
      if (p < end) p = fail(d, BODY_TRAILING, p, end);
    }
  }
  if (p != 0) return endBody(d);
  return refuseBody(
    d,
    load<u32>(d, STATE_FAIL_CODE),
    load<u32>(d, STATE_FAIL_OFFSET),
    load<u32>(d, STATE_FAIL_ARGUMENT),
  );
}

/** A value that is no event: what is wrong with its syntax, and what follows it, comes first. */
function notEvents(d: usize, p: usize, end: usize): usize {
  const after = checkValue(d, p, end, 1);
  if (after == 0) return 0;
  const rest = skipSpace(after, end);
  return fail(d, rest < end ? BODY_TRAILING : BODY_NOT_EVENTS, rest < end ? rest : p, end);
}

/** The events of the array at `p`. */
function decodeArray(d: usize, p: usize, end: usize): usize {
  p = skipSpace(p + 1, end);
  if (load<u8>(p) == 0x5d && p < end) return p + 1;
  while (true) {
    p = decodeEvent(d, p, end, false);
    if (p == 0) return 0;
    p = skipSpace(p, end);
    const byte = <u32>load<u8>(p);
    if (p >= end || (byte != 0x2c && byte != 0x5d)) return fail(d, BODY_UNEXPECTED_BYTE, p, end);
    if (byte == 0x5d) return p + 1;
    p = skipSpace(p + 1, end);
  }
}

/**
 * The object at `p`: an envelope if it has an array under `events` and no event type, else one event. The usual
 * envelope, with nothing else in it, is read at once; others are looked through first.
 */
function decodeEnvelope(d: usize, p: usize, end: usize): usize {
  const key = skipSpace(p + 1, end);
  if (load<u64>(key) == 0x2273746e65766522) {
    const colon = skipSpace(key + 8, end);
    const value = skipSpace(colon + 1, end);
    if (load<u8>(colon) == 0x3a && load<u8>(value) == 0x5b && value < end) {
      const after = decodeArray(d, value, end);
      if (after == 0) return 0;
      const close = skipSpace(after, end);
      if (load<u8>(close) == 0x7d && close < end) return close + 1;
      restartBody(d);
    }
  }
  return decodeObjectBody(d, p, end);
}

function decodeObjectBody(d: usize, p: usize, end: usize): usize {
  let events: usize = 0;
  let again: usize = 0;
  let other: usize = 0;
  let hasType = false;
  let at = skipSpace(p + 1, end);
  while (load<u8>(at) == 0x22) {
    const colon = readString(d, at + 1, end, true);
    if (colon == 0) {
      other = at;
      break; // decodeEvent finds it too
    }
    const text = <usize>load<u32>(d, STATE_TEXT);
    const length = load<u32>(d, STATE_TEXT_LENGTH);
    const isEvents = length == 6 && (load<u64>(text) & 0xffffffffffff) == 0x73746e657665;
    const node = lookUp(d, load<u32>(d, STATE_ROOT), text, length);
    if (node != 0 && load<u32>(node, NODE_ROLE) == ROLE_EVENT_TYPE) hasType = true;
    const value = skipSpace(skipSpace(colon, end) + 1, end);
    if (isEvents && load<u8>(value) == 0x5b) {
      if (events != 0) again = at;
      events = value;
    } else {
      other = at;
    }
    const after = checkValue(d, value, end, 2);
    if (after == 0) break; // to be refused where decodeEvent finds it
    at = skipSpace(after, end);
    if (load<u8>(at) == 0x2c) at = skipSpace(at + 1, end);
  }
  if (events == 0 || hasType) return decodeEvent(d, p, end, false);
  // It is no event, so only its syntax can matter more than what else is in it.
  const after = checkValue(d, p, end, 1);
  if (after == 0) return 0;
  if (again != 0) return fail(d, BODY_DUPLICATE_EVENTS_KEY, again, end);
  if (other != 0) return fail(d, BODY_NOT_EVENTS, other, end);
  return decodeArray(d, events, end) == 0 ? 0 : after;
}

/** A line after the other; `p` is in the first that is not blank. */
function decodeLines(d: usize, p: usize, end: usize): usize {
  while (p < end) {
    const lineEnd = findLineEnd(p, end);
    const begin = skipSpace(p, lineEnd);
    if (begin < lineEnd && decodeEvent(d, begin, lineEnd, true) == 0 && !rejectLine(d)) return 0;
    p = lineEnd + 1;
  }
  return end;
}

function findLineEnd(p: usize, end: usize): usize {
  const newline = i8x16.splat(0x0a);
  while (p < end) {
    const mask = i8x16.bitmask(i8x16.eq(v128.load(p), newline));
    if (mask != 0) return min(p + ctz(mask), end);
    p += 16;
  }
  return end;
}

/** Rejects the line that `fail` has found fault with; false when the whole body has to be refused. */
function rejectLine(d: usize): bool {
  const code = load<u32>(d, STATE_FAIL_CODE);
  if (code == OUT_OF_MEMORY || code == BODY_TOO_MANY_EVENTS) return false;
  rejectRow(d, EVENT_MALFORMED, load<u32>(d, STATE_FAIL_OFFSET), code);
  return true;
}

/** The event at `p`, or a value that is none; `whole`: nothing but white space may follow it. */
function decodeEvent(d: usize, p: usize, end: usize, whole: bool): usize {
  const counted = countEvent(d);
  if (counted != OK) return fail(d, counted, p, end);
  const begin = <u32>p - load<u32>(d, STATE_BODY);
  beginRow(d);
  let code: u32 = EVENT_NOT_AN_OBJECT;
  let offset = begin;
  if (load<u8>(p) == 0x7b) {
    const after = decodeMembers(d, p, end, whole);
    if (after != 0) {
      const status = endRow(d, begin, <u32>(after - p));
      return status == OK ? after : fail(d, status, p, end);
    }
    code = load<u32>(d, STATE_FAIL_CODE);
    offset = load<u32>(d, STATE_FAIL_OFFSET);
    if (code < <u32>EVENT_NOT_AN_OBJECT || code == OUT_OF_MEMORY) return 0;
  }
  const after = checkValue(d, p, end, 1);
  if (after == 0 || (whole && !isAlone(d, after, end))) return 0;
  rejectRow(d, code, offset, 0);
  return after;
}

function isAlone(d: usize, p: usize, end: usize): bool {
  const rest = skipSpace(p, end);
  if (rest >= end) return true;
  fail(d, BODY_TRAILING, rest, end);
  return false;
}

function decodeMembers(d: usize, p: usize, end: usize, whole: bool): usize {
  const first = skipSpace(p + 1, end);
  const isEmpty = load<u8>(first) == 0x7d && first < end;
  const after = isEmpty ? first + 1 : decodeObject(d, first, end, load<u32>(d, STATE_ROOT), 1);
  return after == 0 || !whole || isAlone(d, after, end) ? after : 0;
}

/** Whether the bytes at `p` are the node's key, its quotes and its colon. */
@inline
function isToken(node: usize, p: usize): bool {
  const mask = load<u32>(node, NODE_TOKEN_MASK);
  const equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(node, NODE_TOKEN)));
  if ((equal & mask) != mask) return false;
  const length = load<u32>(node, NODE_TOKEN_LENGTH);
  if (length <= 16) return length != 0;
  return sameBytes(p + 16, node + NODE_TOKEN + 16, length - 16);
}

/** The members of the object `object`, at `depth`, whose first key is at `p`. */
function decodeObject(d: usize, p: usize, end: usize, object: usize, depth: u32): usize {
  let guess = object + NODE_FIRST;
  while (true) {
    let node = <usize>load<u32>(guess);
    if (
      node != 0 &&
      isToken(node, p) &&
      (load<u32>(node, NODE_PARENT) == <u32>object || load<u32>(node, NODE_ALIAS) == <u32>object)
    ) {
      p += load<u32>(node, NODE_TOKEN_LENGTH);
    } else {
      p = readKey(d, p, end, object);
      if (p == 0) return 0;
      node = load<u32>(d, STATE_KEY_NODE);
      // A transient path is gone with its row, so nothing that stays may point to it.
      if (load<u32>(node, NODE_TRANSIENT) == 0) store<u32>(guess, <u32>node);
    }
    guess = node + NODE_NEXT;
    enterNode(d, node);
    if (load<u8>(p) <= 0x20) p = skipSpace(p, end);
    markValue(d, <u32>p - load<u32>(d, STATE_BODY));
    p = decodeValue(d, p, end, node, depth);
    if (p == 0) return 0;
    let byte = <u32>load<u8>(p);
    if (byte <= 0x20) {
      p = skipSpace(p, end);
      byte = load<u8>(p);
    }
    if (p >= end || (byte != 0x2c && byte != 0x7d)) return fail(d, BODY_UNEXPECTED_BYTE, p, end);
    p++;
    if (byte == 0x7d) return p;
    if (load<u8>(p) <= 0x20) p = skipSpace(p, end);
  }
}

/** A key that was not foreseen, and its colon; its path goes to STATE_KEY_NODE. */
function readKey(d: usize, p: usize, end: usize, object: usize): usize {
  if (load<u8>(p) != 0x22) return fail(d, BODY_UNEXPECTED_BYTE, p, end);
  const after = readString(d, p + 1, end, true);
  if (after == 0) return 0;
  const colon = skipSpace(after, end);
  if (load<u8>(colon) != 0x3a || colon >= end) return fail(d, BODY_UNEXPECTED_BYTE, colon, end);
  const status = findNode(d, object, load<u32>(d, STATE_TEXT), load<u32>(d, STATE_TEXT_LENGTH));
  return status == OK ? colon + 1 : fail(d, status, p, end);
}

/** The value at `p` of the path `node`; the object around it is at `depth`. */
@inline
function decodeValue(d: usize, p: usize, end: usize, node: usize, depth: u32): usize {
  const byte = <u32>load<u8>(p);
  if (byte == 0x22) {
    // Most strings are short ASCII: then the first 16 bytes have the closing quote, and nothing else of note before it.
    const text = p + 1;
    const bytes = v128.load(text);
    const special = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
      i8x16.lt_s(bytes, i8x16.splat(0x20)),
    );
    const mask = i8x16.bitmask(special);
    const length = <u32>ctz(mask);
    if (mask != 0 && load<u8>(text + length) == 0x22) {
      const status = putShortString(d, node, text, length);
      return status == OK ? text + length + 1 : fail(d, status, p, end);
    }
    // A UUID has no quote in it, so the bytes need no other look.
    if (load<u32>(node, NODE_ROLE) == ROLE_ID && load<u8>(text, 36) == 0x22 && putUuid(d, text)) return text + 37;
    return decodeLongString(d, text, end, node);
  }
  if (byte - 0x30 < 10 || byte == 0x2d) return decodeNumber(d, p, end, node);
  return decodeOther(d, p, end, node, depth);
}

function decodeLongString(d: usize, text: usize, end: usize, node: usize): usize {
  const next = readString(d, text, end, true);
  if (next == 0) return 0;
  const status = putString(d, node, load<u32>(d, STATE_TEXT), load<u32>(d, STATE_TEXT_LENGTH));
  return status == OK ? next : fail(d, status, text - 1, end);
}

function decodeNumber(d: usize, p: usize, end: usize, node: usize): usize {
  const short = readShortNumber(p, d + STATE_NUMBER);
  if (short != 0) {
    const status =
      load<u32>(d, STATE_NUMBER + 8) == NUMBER_F64
        ? putF64(d, node, load<f64>(d, STATE_NUMBER))
        : putI64(d, node, load<i64>(d, STATE_NUMBER));
    return status == OK ? short : fail(d, status, p, end);
  }
  const next = readNumber(d, p, end);
  if (next == 0) return 0;
  const kind = load<u32>(d, STATE_NUMBER + 8);
  if (kind == NUMBER_NOT_FINITE) return fail(d, EVENT_NUMBER_RANGE, p, end);
  const status =
    kind == NUMBER_F64
      ? putF64(d, node, load<f64>(d, STATE_NUMBER))
      : putI64(d, node, load<i64>(d, STATE_NUMBER));
  return status == OK ? next : fail(d, status, p, end);
}

/** Literals, objects and arrays. */
function decodeOther(d: usize, p: usize, end: usize, node: usize, depth: u32): usize {
  const byte = <u32>load<u8>(p);
  if (byte == 0x5b) return decodeNestedArray(d, p, end, node, depth + 1);
  if (byte == 0x7b) return decodeNestedObject(d, p, end, node, depth + 1);
  const next = readLiteral(d, p, end);
  if (next == 0) return 0;
  const status = byte == 0x6e ? putNull(d, node) : putBoolean(d, node, byte == 0x74);
  return status == OK ? next : fail(d, status, p, end);
}

/** The object at `p`, itself at `depth`. */
function decodeNestedObject(d: usize, p: usize, end: usize, node: usize, depth: u32): usize {
  if (depth > load<u32>(d, DECODER_LIMIT_EVENT_DEPTH)) return fail(d, EVENT_TOO_DEEP, p, end);
  const first = skipSpace(p + 1, end);
  if (load<u8>(first) == 0x7d && first < end) {
    const text = <usize>load<u32>(d, STATE_SCRATCH_MADE);
    store<u16>(text, 0x7d7b);
    const status = putJson(d, node, text, 2);
    return status == OK ? first + 1 : fail(d, status, p, end);
  }
  if (openObject(d, node) == SKIP_VALUE) return checkValue(d, p, end, depth);
  const next = decodeObject(d, first, end, node, depth);
  closeObject(d, node);
  return next;
}

/** The array at `p`, itself at `depth`, as JSON text. */
function decodeNestedArray(d: usize, p: usize, end: usize, node: usize, depth: u32): usize {
  const next = checkValue(d, p, end, depth);
  if (next == 0) return 0;
  const found = load<u32>(d, STATE_CHECKED);
  if (found >> 16 > load<u32>(d, DECODER_LIMIT_EVENT_DEPTH)) return fail(d, EVENT_TOO_DEEP, p, end);
  if (found & CHECKED_NOT_FINITE) return fail(d, EVENT_NUMBER_RANGE, p, end);
  let text = p;
  let length = <u32>(next - p);
  if (length > load<u32>(d, DECODER_LIMIT_EVENT_BYTES)) return fail(d, EVENT_TOO_LARGE, p, end);
  if (found & CHECKED_SPACE) {
    text = load<u32>(d, STATE_SCRATCH_MADE);
    length = <u32>(writeCompact(p, next, text) - text);
  }
  const status = putJson(d, node, text, length);
  return status == OK ? next : fail(d, status, p, end);
}

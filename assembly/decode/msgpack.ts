import {
  beginBody,
  beginRow,
  countEvent,
  endBody,
  endRow,
  refuseBody,
  rejectRow,
} from "../batch/builder";
import { lookUp, NODE_ROLE } from "../batch/paths";
import { decoderRegion, STATE_BODY, STATE_ROOT } from "../batch/state";
import { FORMAT_MSGPACK_EVENT, ROLE_EVENT_TYPE } from "../layout";
import {
  BODY_CUT_OFF,
  BODY_DUPLICATE_EVENTS_KEY,
  BODY_EMPTY,
  BODY_INVALID_TYPE_BYTE,
  BODY_NOT_EVENTS,
  BODY_TRAILING,
  EVENT_NOT_AN_OBJECT,
  OK,
} from "../status";
import {
  refuse,
  reject,
  WALK_AT,
  WALK_CODE,
  WALK_END,
  WALK_EVENT_AT,
  WALK_EVENT_CODE,
  skipValue,
  walkValue,
} from "./msgpack-text";
import {
  readToken,
  TOKEN_ARRAY,
  TOKEN_CUT_OFF,
  TOKEN_INVALID,
  TOKEN_MAP,
  TOKEN_STRING,
  tokenHead,
  tokenKind,
  tokenLength,
} from "./msgpack-token";
import { decodeObject } from "./msgpack-event";

// MessagePack bodies to rows of the group, in one pass. What becomes of each type:
//
//   nil, bool, int, float, str   a cell of that kind; whole floats in i64's range, except -0, are
//                                stored as integers, so that every encoding of a number is the
//                                same value; uint from 2^63 is the nearest double
//   map                          its keys flatten into paths; an empty one is the JSON cell {}
//   array                        a JSON cell (msgpack-text.ts)
//   bin                          a string, its base64 text
//   ext -1 of 4, 8 or 12 bytes   a time: the event's in its timestamp, elsewhere a string, RFC 3339
//   other ext                    the JSON cell {"ext":type,"data":"base64"}
//
// An event with a number that is not finite, or a key that is no str, is rejected. Text that is not
// UTF-8, the byte 0xc1 and a value that is cut off refuse the body. A head that claims more than
// the body has left is a cut-off, at once.

/** In the decoder's state (state.ts), its last 64 bytes: the walk that msgpack-text.ts draws. */
const STATE_WALK: usize = 1984;

/**
 * Decodes a body. FORMAT_MSGPACK_EVENT: one map. FORMAT_MSGPACK_BATCH: values one after another,
 * each a map or an array of maps; or one map with an array of maps under `events`.
 *
 * Result: OK or the BODY_… code, as left in the decoder's header with everything else. `mapping`:
 *         length of the text at DECODER_MAPPING.
 */
export function decodeMessagePack(body: usize, length: u32, format: u32, mapping: u32): u32 {
  const d = decoderRegion();
  const begun = beginBody(d, body, mapping);
  if (begun != OK) return refuseBody(d, begun, 0, 0);
  if (length == 0) return refuseBody(d, BODY_EMPTY, 0, 0);
  const walk = d + STATE_WALK;
  const end = body + length;
  store<u32>(walk, <u32>end, WALK_END);
  store<u32>(walk, OK, WALK_CODE);
  let p: usize;
  if (format == FORMAT_MSGPACK_EVENT) {
    p = decodeOne(d, walk, body, end);
  } else {
    p = decodeEnvelope(d, walk, body, end);
    while (p != 0 && p < end) p = decodeEvents(d, walk, p, end);
  }
  if (p != 0) return endBody(d);
  return refuseBody(d, load<u32>(walk, WALK_CODE), load<u32>(walk, WALK_AT) - <u32>body, 0);
}

function decodeOne(d: usize, walk: usize, p: usize, end: usize): usize {
  const kind = tokenKind(readToken(p, end));
  if (kind != TOKEN_MAP) return notEvents(d, walk, p, end);
  p = decodeEvent(d, walk, p, end);
  return p == 0 || p == end ? p : refuse(walk, BODY_TRAILING, p);
}

/** A value that is no event: what is wrong with it comes first. */
function notEvents(d: usize, walk: usize, p: usize, end: usize): usize {
  return skipValue(d, walk, p, 1) == 0 ? 0 : refuse(walk, BODY_NOT_EVENTS, p);
}

/** The events of one map or array among the values of a body. */
function decodeEvents(d: usize, walk: usize, p: usize, end: usize): usize {
  const token = readToken(p, end);
  const kind = tokenKind(token);
  if (kind == TOKEN_ARRAY) {
    return decodeArray(d, walk, p + tokenHead(token), end, tokenLength(token));
  }
  return kind == TOKEN_MAP ? decodeEvent(d, walk, p, end) : notEvents(d, walk, p, end);
}

function decodeArray(d: usize, walk: usize, p: usize, end: usize, count: u32): usize {
  for (let i: u32 = 0; i < count; i++) {
    p = decodeEvent(d, walk, p, end);
    if (p == 0) return 0;
  }
  return p;
}

/**
 * The events of the body's first value if it is an envelope: a map with an array under `events` and
 * no event type, as in JSON. Else `p` itself. Faults are left to where the value is decoded.
 */
function decodeEnvelope(d: usize, walk: usize, p: usize, end: usize): usize {
  const token = readToken(p, end);
  if (tokenKind(token) != TOKEN_MAP) return p;
  const count = tokenLength(token);
  let events: usize = 0;
  let again: usize = 0;
  let other: usize = 0;
  let q = p + tokenHead(token);
  for (let i: u32 = 0; i < count; i++) {
    const key = readToken(q, end);
    const at = q;
    const text = q + tokenHead(key);
    const length = tokenLength(key);
    q = skipValue(d, walk, q, 2);
    if (q == 0) return p;
    const isText = tokenKind(key) == TOKEN_STRING;
    if (isText) {
      const node = lookUp(d, load<u32>(d, STATE_ROOT), text, length);
      if (node != 0 && load<u32>(node, NODE_ROLE) == ROLE_EVENT_TYPE) return p;
    }
    const isArray = tokenKind(readToken(q, end)) == TOKEN_ARRAY;
    if (isText && isArray && isEventsKey(text, length)) {
      if (events != 0) again = at;
      events = q;
      // The usual envelope has nothing else in it: its events need not be looked through first.
      if (count == 1) break;
    } else {
      other = at;
    }
    q = skipValue(d, walk, q, 2);
    if (q == 0) return p;
  }
  if (events == 0) return p;
  if (again != 0) return refuse(walk, BODY_DUPLICATE_EVENTS_KEY, again);
  if (other != 0) return refuse(walk, BODY_NOT_EVENTS, other);
  const after = decodeEvents(d, walk, events, end);
  return after == 0 || after == end ? after : refuse(walk, BODY_TRAILING, after);
}

@inline
function isEventsKey(key: usize, length: u32): bool {
  return length == 6 && (load<u64>(key) & 0xffffffffffff) == 0x73746e657665; // "events"
}

function decodeEvent(d: usize, walk: usize, p: usize, end: usize): usize {
  // Nearly every event is a map of at most 15 pairs.
  let count = <u32>load<u8>(p) - 0x80;
  let first = p + 1;
  let isMap = true;
  if (count > 15 || first + (count << 1) > end) {
    const token = readToken(p, end);
    const kind = tokenKind(token);
    if (kind == TOKEN_CUT_OFF) return refuse(walk, BODY_CUT_OFF, end);
    if (kind == TOKEN_INVALID) return refuse(walk, BODY_INVALID_TYPE_BYTE, p);
    count = tokenLength(token);
    first = p + tokenHead(token);
    isMap = kind == TOKEN_MAP;
  }
  const counted = countEvent(d);
  if (counted != OK) return refuse(walk, counted, p);
  beginRow(d);
  store<u32>(walk, OK, WALK_EVENT_CODE);
  let next: usize;
  if (isMap) {
    next = decodeObject(d, walk, first, end, count, load<u32>(d, STATE_ROOT), 1);
  } else {
    reject(walk, EVENT_NOT_AN_OBJECT, p);
    next = walkValue(d, walk, p, 1);
  }
  if (next == 0) return 0;
  const body = load<u32>(d, STATE_BODY);
  const code = load<u32>(walk, WALK_EVENT_CODE);
  const status =
    code == OK
      ? endRow(d, <u32>p - body, <u32>(next - p))
      : rejectRow(d, code, load<u32>(walk, WALK_EVENT_AT) - body, 0);
  return status == OK ? next : refuse(walk, status, p);
}

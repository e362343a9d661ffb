import { writeF64, writeI64, writeQuoted } from "../batch/json-text";
import {
  DECODER_LIMIT_BODY_DEPTH,
  DECODER_LIMIT_EVENT_DEPTH,
  DECODER_LIMIT_KEY_BYTES,
  DECODER_LIMIT_STRING_BYTES,
} from "../layout";
import {
  BODY_CUT_OFF,
  BODY_INVALID_TYPE_BYTE,
  BODY_INVALID_UTF8,
  BODY_TOO_DEEP,
  EVENT_KEY_TOO_LONG,
  EVENT_KEY_TYPE,
  EVENT_NUMBER_RANGE,
  EVENT_STRING_TOO_LONG,
  EVENT_TOO_DEEP,
  EVENT_TOO_LARGE,
  OK,
} from "../status";
import {
  isInYears,
  isTimestamp,
  isWhole,
  readFloat,
  readInteger,
  readToken,
  timestampNanoseconds,
  timestampSeconds,
  TOKEN_ARRAY,
  TOKEN_BINARY,
  TOKEN_CUT_OFF,
  TOKEN_EXTENSION,
  TOKEN_FALSE,
  TOKEN_FLOAT,
  TOKEN_INTEGER,
  TOKEN_INVALID,
  TOKEN_MAP,
  TOKEN_NIL,
  TOKEN_STRING,
  tokenHead,
  tokenKind,
  tokenLength,
} from "./msgpack-token";
import { firstInvalidUtf8 } from "./utf8";

// MessagePack values as JSON text: what becomes of an array, of all that is in it, and of values
// without a type of their own in columns. Text is compact. bin is its base64 text; a timestamp is
// RFC 3339 text with 0, 3, 6 or 9 digits of fraction; another extension is
// {"ext":type,"data":"base64"}. A map with a key twice is written with both, and a JSON parser
// takes the last.
//
// Walk, 32 bytes, what a walk over values shares:
//   0  out u32: where the next text goes │ 4 out limit u32 │ 8 end of the body u32
//   12 code u32 and 16 its address u32: why the body is refused
//   20 event code u32 and 24 its address u32: why the event is rejected; once it is set, nothing
//      more is written

export const WALK_OUT: u32 = 0;
export const WALK_LIMIT: u32 = 4;
export const WALK_END: u32 = 8;
export const WALK_CODE: u32 = 12;
export const WALK_AT: u32 = 16;
export const WALK_EVENT_CODE: u32 = 20;
export const WALK_EVENT_AT: u32 = 24;

/** In place of an event code: hides the reasons found in a value that is only skipped. */
const SKIPPING: u32 = 0xffffffff;
/** Room that every value may take without a look at its length: two numbers and their commas. */
const SLACK: u32 = 96;

/** Refuses the body; the result is that of the function that found it. */
export function refuse(walk: usize, code: u32, at: usize): usize {
  store<u32>(walk, code, WALK_CODE);
  store<u32>(walk, <u32>at, WALK_AT);
  return 0;
}

/** Rejects the event, for the first reason that is found. */
export function reject(walk: usize, code: u32, at: usize): void {
  if (load<u32>(walk, WALK_EVENT_CODE) != OK) return;
  store<u32>(walk, code, WALK_EVENT_CODE);
  store<u32>(walk, <u32>at, WALK_EVENT_AT);
}

/**
 * True when `size` more bytes may be written; else the event is too large, or is rejected already.
 */
function canWrite(walk: usize, size: u64, at: usize): bool {
  if (load<u32>(walk, WALK_EVENT_CODE) != OK) return false;
  const room = <u64>load<u32>(walk, WALK_LIMIT) - <u64>load<u32>(walk, WALK_OUT);
  if (room >= size + SLACK) return true;
  reject(walk, EVENT_TOO_LARGE, at);
  return false;
}

/**
 * Checks the value at `p` to its end and writes it as JSON, unless the event is rejected, before or
 * on the way. `depth` is the level that the value has if it is a container, the event being level
 * 1.
 *
 * Result: the address after the value; 0 when the body is refused.
 */
export function walkValue(d: usize, walk: usize, p: usize, depth: u32): usize {
  const end = <usize>load<u32>(walk, WALK_END);
  const token = readToken(p, end);
  const kind = tokenKind(token);
  const content = p + tokenHead(token);
  const length = tokenLength(token);
  switch (kind) {
    case TOKEN_CUT_OFF:
      return refuse(walk, BODY_CUT_OFF, end);
    case TOKEN_INVALID:
      return refuse(walk, BODY_INVALID_TYPE_BYTE, p);
    case TOKEN_STRING: {
      const bad = firstInvalidUtf8(content, length);
      if (bad != length) return refuse(walk, BODY_INVALID_UTF8, content + bad);
      if (length > load<u32>(d, DECODER_LIMIT_STRING_BYTES)) reject(walk, EVENT_STRING_TOO_LONG, p);
      writeText(walk, content, length, p);
      return content + length;
    }
    case TOKEN_ARRAY:
    case TOKEN_MAP: {
      if (depth > load<u32>(d, DECODER_LIMIT_BODY_DEPTH)) return refuse(walk, BODY_TOO_DEEP, p);
      if (depth > load<u32>(d, DECODER_LIMIT_EVENT_DEPTH)) reject(walk, EVENT_TOO_DEEP, p);
      return kind == TOKEN_ARRAY
        ? walkArray(d, walk, content, length, depth)
        : walkMap(d, walk, content, length, depth);
    }
    case TOKEN_BINARY:
      if (canWrite(walk, <u64>length + (length >> 1), p)) writeByte(walk, 0x22);
      if (load<u32>(walk, WALK_EVENT_CODE) == OK) {
        store<u32>(walk, <u32>writeBase64(content, length, load<u32>(walk)));
        writeByte(walk, 0x22);
      }
      return content + length;
    case TOKEN_EXTENSION:
      if (canWrite(walk, <u64>length + (length >> 1), p)) {
        store<u32>(walk, <u32>writeExtension(content, length, load<u32>(walk), true));
      }
      return content + length;
    default:
      if (canWrite(walk, 0, p)) writeScalar(walk, kind, p);
      return content;
  }
}

/** Checks the value at `p` for what refuses the body alone. */
export function skipValue(d: usize, walk: usize, p: usize, depth: u32): usize {
  const code = load<u32>(walk, WALK_EVENT_CODE);
  store<u32>(walk, SKIPPING, WALK_EVENT_CODE);
  const after = walkValue(d, walk, p, depth);
  store<u32>(walk, code, WALK_EVENT_CODE);
  return after;
}

function walkArray(d: usize, walk: usize, p: usize, count: u32, depth: u32): usize {
  const first = p;
  if (canWrite(walk, 0, p)) writeByte(walk, 0x5b);
  for (let i: u32 = 0; i < count; i++) {
    if (i != 0 && canWrite(walk, 0, p)) writeByte(walk, 0x2c);
    p = walkValue(d, walk, p, depth + 1);
    if (p == 0) return 0;
  }
  if (canWrite(walk, 0, first)) writeByte(walk, 0x5d);
  return p;
}

function walkMap(d: usize, walk: usize, p: usize, count: u32, depth: u32): usize {
  const first = p;
  const end = <usize>load<u32>(walk, WALK_END);
  if (canWrite(walk, 0, p)) writeByte(walk, 0x7b);
  for (let i: u32 = 0; i < count; i++) {
    const token = readToken(p, end);
    if (tokenKind(token) != TOKEN_STRING) {
      if (tokenKind(token) != TOKEN_CUT_OFF) reject(walk, EVENT_KEY_TYPE, p);
    } else if (tokenLength(token) > load<u32>(d, DECODER_LIMIT_KEY_BYTES)) {
      reject(walk, EVENT_KEY_TOO_LONG, p);
    }
    if (i != 0 && canWrite(walk, 0, p)) writeByte(walk, 0x2c);
    p = walkValue(d, walk, p, depth + 1);
    if (p == 0) return 0;
    if (canWrite(walk, 0, p)) writeByte(walk, 0x3a);
    p = walkValue(d, walk, p, depth + 1);
    if (p == 0) return 0;
  }
  if (canWrite(walk, 0, first)) writeByte(walk, 0x7d);
  return p;
}

@inline
function writeByte(walk: usize, byte: u32): void {
  const out = load<u32>(walk);
  store<u8>(out, byte);
  store<u32>(walk, out + 1);
}

function writeText(walk: usize, text: usize, length: u32, at: usize): void {
  const out = load<u32>(walk);
  // Six bytes for each is more than nearly every text needs: only when there is not so much room,
  // count.
  const room = <u64>load<u32>(walk, WALK_LIMIT) - out;
  const isTight = room < <u64>length * 6 + SLACK;
  if (isTight && !canWrite(walk, quotedSize(text, length), at)) return;
  if (load<u32>(walk, WALK_EVENT_CODE) != OK) return;
  store<u32>(walk, <u32>writeQuoted(text, length, out));
}

function quotedSize(text: usize, length: u32): u64 {
  let size: u64 = <u64>length + 2;
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(text + i);
    if (byte < 0x20) size += 5;
    else if (byte == 0x22 || byte == 0x5c) size++;
  }
  return size;
}

function writeScalar(walk: usize, kind: u32, p: usize): void {
  let out = <usize>load<u32>(walk);
  if (kind == TOKEN_INTEGER) {
    out = writeI64(readInteger(p), out);
  } else if (kind == TOKEN_FLOAT) {
    const value = readFloat(p);
    if (!(abs(value) < Infinity)) return reject(walk, EVENT_NUMBER_RANGE, p);
    out = isWhole(value) ? writeI64(<i64>value, out) : writeF64(value, out);
  } else if (kind == TOKEN_NIL) {
    store<u32>(out, 0x6c6c756e);
    out += 4;
  } else if (kind == TOKEN_FALSE) {
    store<u32>(out, 0x736c6166);
    store<u8>(out, 0x65, 4);
    out += 5;
  } else {
    store<u32>(out, 0x65757274);
    out += 4;
  }
  store<u32>(walk, <u32>out);
}

/** Characters of the base64 text of `length` bytes. */
@inline
export function base64Size(length: u32): u32 {
  return ((length + 2) / 3) << 2;
}

/** Base64 with padding (RFC 4648, section 4); returns the address after it. */
export function writeBase64(data: usize, length: u32, out: usize): usize {
  const end = data + length;
  for (; data < end; data += 3, out += 4) {
    const left = end - data;
    const a = <u32>load<u8>(data);
    const b = left > 1 ? <u32>load<u8>(data, 1) : 0;
    const c = left > 2 ? <u32>load<u8>(data, 2) : 0;
    store<u8>(out, base64Digit(a >> 2));
    store<u8>(out, base64Digit(((a & 3) << 4) | (b >> 4)), 1);
    store<u8>(out, left > 1 ? base64Digit(((b & 15) << 2) | (c >> 6)) : 0x3d, 2);
    store<u8>(out, left > 2 ? base64Digit(c & 63) : 0x3d, 3);
  }
  return out;
}

@inline
function base64Digit(value: u32): u32 {
  if (value < 26) return value + 0x41;
  if (value < 52) return value + 0x47;
  if (value < 62) return value - 4;
  return value == 62 ? 0x2b : 0x2f;
}

/**
 * An extension whose data is at `data` and whose type is in the byte before: a timestamp as text,
 * between quotes if `quoted`; anything else as a JSON object. Takes at most base64Size(length) + 64
 * bytes.
 */
export function writeExtension(data: usize, length: u32, out: usize, quoted: bool): usize {
  const type = extensionType(data);
  if (isTextTimestamp(type, data, length)) {
    if (quoted) store<u8>(out++, 0x22);
    out = writeRfc3339(timestampSeconds(data, length), timestampNanoseconds(data, length), out);
    if (quoted) store<u8>(out++, 0x22);
    return out;
  }
  store<u32>(out, 0x7865227b); // {"ex
  store<u32>(out, 0x003a2274, 4); // t":
  out = writeI64(type, out + 7);
  store<u64>(out, 0x3a2261746164222c); // ,"data":
  store<u8>(out, 0x22, 8);
  out = writeBase64(data, length, out + 9);
  store<u16>(out, 0x7d22); // "}
  return out + 2;
}

/** The type of an extension, which lies in the byte before its data. */
@inline
export function extensionType(data: usize): i32 {
  return load<i8>(data - 1);
}

/** True for a timestamp that RFC 3339 can write. */
@inline
export function isTextTimestamp(type: i32, data: usize, length: u32): bool {
  return isTimestamp(type, data, length) && isInYears(timestampSeconds(data, length));
}

/** yyyy-mm-ddThh:mm:ss[.fraction]Z, at most 30 bytes; returns the address after it. */
function writeRfc3339(seconds: i64, nanoseconds: u32, out: usize): usize {
  let days = <i32>(seconds / 86400);
  let ofDay = <i32>(seconds % 86400);
  if (ofDay < 0) {
    ofDay += 86400;
    days--;
  }
  // The civil date of a day, years counted from March so that a leap day comes last.
  const shifted = days + 719468;
  const era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const fromMarch = (5 * dayOfYear + 2) / 153;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  writeDigits(year, 4, out);
  store<u8>(out, 0x2d, 4);
  writeDigits(month, 2, out + 5);
  store<u8>(out, 0x2d, 7);
  writeDigits(dayOfYear - (153 * fromMarch + 2) / 5 + 1, 2, out + 8);
  store<u8>(out, 0x54, 10);
  writeDigits(ofDay / 3600, 2, out + 11);
  store<u8>(out, 0x3a, 13);
  writeDigits((ofDay / 60) % 60, 2, out + 14);
  store<u8>(out, 0x3a, 16);
  writeDigits(ofDay % 60, 2, out + 17);
  out += 19;
  if (nanoseconds != 0) {
    let digits = 9;
    let fraction = <i32>nanoseconds;
    while (fraction % 1000 == 0) {
      fraction /= 1000;
      digits -= 3;
    }
    store<u8>(out, 0x2e);
    writeDigits(fraction, digits, out + 1);
    out += digits + 1;
  }
  store<u8>(out, 0x5a);
  return out + 1;
}

function writeDigits(value: i32, digits: i32, out: usize): void {
  for (let i = digits - 1; i >= 0; i--) {
    store<u8>(out + i, 0x30 + (value % 10));
    value /= 10;
  }
}

import {
  SCRATCH_SIZE,
  STATE_BODY,
  STATE_FAIL_ARGUMENT,
  STATE_FAIL_CODE,
  STATE_FAIL_OFFSET,
  STATE_SCRATCH,
  STATE_TEXT,
  STATE_TEXT_LENGTH,
} from "../batch/state";
import {
  BODY_CONTROL_CHARACTER,
  BODY_CUT_OFF,
  BODY_INVALID_ESCAPE,
  BODY_INVALID_SURROGATE,
  BODY_INVALID_UTF8,
  EVENT_STRING_TOO_LONG,
} from "../status";
import { firstInvalidUtf8 } from "./utf8";

// Strings of JSON (RFC 8259, section 7), 16 bytes a step. A function that reads something answers the address after
// it, or 0 after `fail` has written down what is wrong.

/**
 * Notes why the body, or the event, can't be taken. What is wrong at or beyond the end of the text is that the
 * text is cut off, whatever bytes of others come after it.
 */
export function fail(d: usize, code: u32, at: usize, end: usize): usize {
  const cutOff = at >= end && code < 32;
  store<u32>(d, cutOff ? BODY_CUT_OFF : code, STATE_FAIL_CODE);
  store<u32>(d, <u32>(cutOff ? end : at) - load<u32>(d, STATE_BODY), STATE_FAIL_OFFSET);
  store<u32>(d, 0, STATE_FAIL_ARGUMENT);
  return 0;
}

/**
 * Reads the string whose first byte after the opening quote is at `p`.
 *
 * Result: the address after the closing quote; the text, unescaped and valid UTF-8, is at STATE_TEXT: in the body
 *         itself or, with escapes, in the scratch until the next call.
 * Exactness: without `keep` nothing is copied, and the text is not to be used.
 */
export function readString(d: usize, p: usize, end: usize, keep: bool): usize {
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  const space = i8x16.splat(0x20);
  let high: i32 = 0;
  let q = p;
  while (q < end) {
    const bytes = v128.load(q);
    const special = v128.or(
      v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash)),
      i8x16.lt_u(bytes, space),
    );
    const mask = i8x16.bitmask(special);
    const highs = i8x16.bitmask(bytes);
    if (mask == 0) {
      high |= highs;
      q += 16;
      continue;
    }
    const skip = ctz(mask);
    high |= highs & ((1 << skip) - 1);
    q += skip;
    if (q >= end) break;
    const byte = load<u8>(q);
    if (byte == 0x5c) return readEscaped(d, p, q, end, keep, high);
    if (byte != 0x22) return fail(d, BODY_CONTROL_CHARACTER, q, end);
    if (high != 0) {
      const bad = firstInvalidUtf8(p, <u32>(q - p));
      if (p + bad != q) return fail(d, BODY_INVALID_UTF8, p + bad, end);
    }
    store<u32>(d, <u32>p, STATE_TEXT);
    store<u32>(d, <u32>(q - p), STATE_TEXT_LENGTH);
    return q + 1;
  }
  return fail(d, BODY_CUT_OFF, end, end);
}

/** The rest of a string whose first backslash is at `q`; `high`: bytes before it were not all ASCII. */
function readEscaped(d: usize, p: usize, q: usize, end: usize, keep: bool, high: i32): usize {
  const scratch = <usize>load<u32>(d, STATE_SCRATCH);
  const limit = scratch + SCRATCH_SIZE - 16;
  let out = scratch;
  let run = p;
  while (q < end) {
    const byte = <u32>load<u8>(q);
    if (byte != 0x5c && byte != 0x22) {
      if (byte < 0x20) return fail(d, BODY_CONTROL_CHARACTER, q, end);
      high |= byte & 0x80;
      q++;
      continue;
    }
    if (keep) {
      if (q - run > limit - out) return fail(d, EVENT_STRING_TOO_LONG, p, end);
      memory.copy(out, run, q - run);
      out += q - run;
    }
    if (byte == 0x22) {
      if (high != 0) {
        const bad = firstInvalidUtf8(p, <u32>(q - p));
        if (p + bad != q) return fail(d, BODY_INVALID_UTF8, p + bad, end);
      }
      store<u32>(d, <u32>scratch, STATE_TEXT);
      store<u32>(d, <u32>(out - scratch), STATE_TEXT_LENGTH);
      return q + 1;
    }
    const point = readEscape(d, q, end);
    if (point < 0) return 0;
    q += load<u8>(q, 1) != 0x75 ? 2 : point >= 0x10000 ? 12 : 6;
    run = q;
    if (keep) out = writeUtf8(point, out);
  }
  return fail(d, BODY_CUT_OFF, end, end);
}

/** The character of the escape whose backslash is at `q`; -1 after a failure. */
function readEscape(d: usize, q: usize, end: usize): i32 {
  const letter = <u32>load<u8>(q, 1);
  switch (letter) {
    case 0x22:
    case 0x2f:
    case 0x5c:
      if (q + 1 < end) return letter;
      break;
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
    case 0x75: {
      const unit = readHex(d, q + 2, end);
      if (unit < 0 || unit < 0xd800 || unit > 0xdfff) return unit;
      if (unit > 0xdbff) break;
      if (q + 6 >= end || (load<u8>(q, 6) == 0x5c && q + 7 >= end)) {
        fail(d, BODY_CUT_OFF, end, end);
        return -1;
      }
      if (load<u16>(q, 6) != 0x755c) break;
      const low = readHex(d, q + 8, end);
      if (low < 0) return -1;
      if (low < 0xdc00 || low > 0xdfff) break;
      return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    default:
      fail(d, BODY_INVALID_ESCAPE, q + 1, end);
      return -1;
  }
  if (letter == 0x75) fail(d, BODY_INVALID_SURROGATE, q, end);
  else fail(d, BODY_CUT_OFF, end, end);
  return -1;
}

/** Four hexadecimal digits; -1 after a failure. */
function readHex(d: usize, p: usize, end: usize): i32 {
  let value: u32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte = <u32>load<u8>(p + i);
    const letter = (byte | 0x20) - 0x61;
    const digit = byte - 0x30;
    if ((digit > 9 && letter > 5) || p + i >= end) {
      fail(d, BODY_INVALID_ESCAPE, p + i, end);
      return -1;
    }
    value = (value << 4) | (digit <= 9 ? digit : letter + 10);
  }
  return value;
}

function writeUtf8(point: u32, out: usize): usize {
  if (point < 0x80) {
    store<u8>(out, point);
    return out + 1;
  }
  if (point < 0x800) {
    store<u8>(out, 0xc0 | (point >> 6));
    store<u8>(out, 0x80 | (point & 63), 1);
    return out + 2;
  }
  if (point < 0x10000) {
    store<u8>(out, 0xe0 | (point >> 12));
    store<u8>(out, 0x80 | ((point >> 6) & 63), 1);
    store<u8>(out, 0x80 | (point & 63), 2);
    return out + 3;
  }
  store<u8>(out, 0xf0 | (point >> 18));
  store<u8>(out, 0x80 | ((point >> 12) & 63), 1);
  store<u8>(out, 0x80 | ((point >> 6) & 63), 2);
  store<u8>(out, 0x80 | (point & 63), 3);
  return out + 4;
}

import { STATE_CHECKED, STATE_CONTAINERS, STATE_NUMBER } from "../batch/state";
import { DECODER_LIMIT_BODY_DEPTH } from "../layout";
import { BODY_INVALID_LITERAL, BODY_INVALID_NUMBER, BODY_TOO_DEEP, BODY_UNEXPECTED_BYTE } from "../status";
import { NUMBER_NOT_FINITE, parseNumber } from "./number";
import { fail, readString } from "./string";

// Any JSON value, checked to its end and not stored: what is inside arrays, and the rest of events that are
// rejected. Nesting is kept in a bitmap, not on the stack.

/** In STATE_CHECKED: white space was skipped inside the value. */
export const CHECKED_SPACE: u32 = 1;
/** A number is beyond f64. */
export const CHECKED_NOT_FINITE: u32 = 2;

/** Skips white space; what it answers may be `end`. */
export function skipSpace(p: usize, end: usize): usize {
  while (p < end) {
    const byte = <u32>load<u8>(p);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) return p;
    p++;
  }
  return end;
}

/** true, false or null, whichever `p` looks like. */
export function readLiteral(d: usize, p: usize, end: usize): usize {
  const first = <u32>load<u8>(p);
  const word = load<u32>(p);
  if (first == 0x74 && word == 0x65757274) return p + 4;
  if (first == 0x6e && word == 0x6c6c756e) return p + 4;
  if (first == 0x66 && word == 0x736c6166 && load<u8>(p, 4) == 0x65) return p + 5;
  if (first != 0x74 && first != 0x6e && first != 0x66) return fail(d, BODY_UNEXPECTED_BYTE, p, end);
  const want: u64 = first == 0x74 ? 0x65757274 : first == 0x6e ? 0x6c6c756e : 0x65736c6166;
  const same = ctz(load<u64>(p) ^ want) >> 3;
  // The text may stop inside the word; else the word itself is what is wrong.
  return fail(d, BODY_INVALID_LITERAL, p + <usize>same >= end ? end : p, end);
}

export function readNumber(d: usize, p: usize, end: usize): usize {
  const out = d + STATE_NUMBER;
  const next = parseNumber(p, end, out);
  return next != 0 ? next : fail(d, BODY_INVALID_NUMBER, load<u32>(out, 16), end);
}

@inline
function isObject(d: usize, depth: u32): bool {
  return ((<u32>load<u8>(d + STATE_CONTAINERS + (depth >> 3)) >> (depth & 7)) & 1) != 0;
}

function open(d: usize, depth: u32, object: bool): void {
  const at = d + STATE_CONTAINERS + (depth >> 3);
  const bit: u32 = 1 << (depth & 7);
  const byte = <u32>load<u8>(at);
  store<u8>(at, object ? byte | bit : byte & ~bit);
}

/**
 * Checks the value at `p`, which is not white space. `level` is what its own nesting counts from: 1 for an event.
 *
 * Result: the address after it; STATE_CHECKED says what it contains, and how deep it goes in its upper 16 bits.
 */
export function checkValue(d: usize, p: usize, end: usize, level: u32): usize {
  const room = min<u32>(load<u32>(d, DECODER_LIMIT_BODY_DEPTH), 1024);
  let found: u32 = 0;
  let depth: u32 = 0;
  let deepest: u32 = 0;
  store<u32>(d, 0, STATE_CHECKED);
  while (true) {
    const byte = <u32>load<u8>(p);
    if (p >= end) return fail(d, BODY_UNEXPECTED_BYTE, end, end);
    let isOpen = false;
    if (byte == 0x22) {
      p = readString(d, p + 1, end, false);
    } else if (byte == 0x7b || byte == 0x5b) {
      if (level + depth > room) return fail(d, BODY_TOO_DEEP, p, end);
      open(d, depth++, byte == 0x7b);
      if (depth > deepest) deepest = depth;
      const inside = skipSpace(p + 1, end);
      if (inside != p + 1) found |= CHECKED_SPACE;
      p = inside;
      // The closing byte is two after the opening one, in both pairs.
      if (<u32>load<u8>(p) == byte + 2 && p < end) {
        p++;
        depth--;
      } else {
        isOpen = true;
        if (byte == 0x7b) p = checkKey(d, p, end);
      }
    } else if (byte - 0x30 < 10 || byte == 0x2d) {
      p = readNumber(d, p, end);
      if (p != 0 && load<u32>(d, STATE_NUMBER + 8) == NUMBER_NOT_FINITE) found |= CHECKED_NOT_FINITE;
    } else {
      p = readLiteral(d, p, end);
    }
    if (p == 0) return 0;
    while (!isOpen && depth != 0) {
      const next = skipSpace(p, end);
      if (next != p) found |= CHECKED_SPACE;
      p = next;
      const object = isObject(d, depth - 1);
      const separator = <u32>load<u8>(p);
      if (separator == 0x2c && p < end) {
        p = skipSpace(p + 1, end);
        if (load<u8>(p - 1) != 0x2c) found |= CHECKED_SPACE;
        if (object) p = checkKey(d, p, end);
        if (p == 0) return 0;
        isOpen = true;
      } else if (separator == (object ? 0x7d : 0x5d) && p < end) {
        p++;
        depth--;
      } else {
        return fail(d, BODY_UNEXPECTED_BYTE, p, end);
      }
    }
    if (!isOpen) break;
    const value = skipSpace(p, end);
    if (value != p) found |= CHECKED_SPACE;
    p = value;
  }
  store<u32>(d, load<u32>(d, STATE_CHECKED) | found | ((level + deepest - 1) << 16), STATE_CHECKED);
  return p > end ? fail(d, BODY_UNEXPECTED_BYTE, end, end) : p;
}

/** A key and its colon. */
function checkKey(d: usize, p: usize, end: usize): usize {
  if (load<u8>(p) != 0x22) return fail(d, BODY_UNEXPECTED_BYTE, p, end);
  p = readString(d, p + 1, end, false);
  if (p == 0) return 0;
  const colon = skipSpace(p, end);
  if (colon != p) store<u32>(d, CHECKED_SPACE, STATE_CHECKED);
  if (load<u8>(colon) != 0x3a) return fail(d, BODY_UNEXPECTED_BYTE, colon, end);
  return colon + 1;
}

/** Copies JSON text without its insignificant white space to `out`; returns the address after it. */
export function writeCompact(p: usize, end: usize, out: usize): usize {
  let inString = false;
  while (p < end) {
    const byte = <u32>load<u8>(p++);
    if (inString) {
      if (byte == 0x5c) {
        store<u16>(out, load<u16>(p - 1));
        out += 2;
        p++;
        continue;
      }
    } else if (byte <= 0x20) {
      continue;
    }
    if (byte == 0x22) inString = !inString;
    store<u8>(out++, byte);
  }
  return out;
}

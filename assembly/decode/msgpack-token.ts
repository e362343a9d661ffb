// MessagePack's type bytes (specification of 2017-08-09, "Formats"), read one value's head at a
// time.

export const TOKEN_CUT_OFF: u32 = 0; // the body ends inside this value
export const TOKEN_INVALID: u32 = 1; // 0xc1, which is never used
export const TOKEN_NIL: u32 = 2;
export const TOKEN_FALSE: u32 = 3;
export const TOKEN_TRUE: u32 = 4;
export const TOKEN_INTEGER: u32 = 5; // fixint, int, and uint below 2^63
export const TOKEN_FLOAT: u32 = 6; // and uint from 2^63
export const TOKEN_STRING: u32 = 7;
export const TOKEN_BINARY: u32 = 8;
export const TOKEN_EXTENSION: u32 = 9;
export const TOKEN_ARRAY: u32 = 10;
export const TOKEN_MAP: u32 = 11;

// A token is packed into a u64: the kind in bits 40 up, the size of its head in bits 32 to 39, and
// in the low 32 bits the bytes of text or data, the elements of an array or the pairs of a map. An
// extension's head includes its type.

@inline
export function tokenKind(token: u64): u32 {
  return <u32>(token >> 40);
}

@inline
export function tokenHead(token: u64): u32 {
  return <u32>(token >> 32) & 0xff;
}

@inline
export function tokenLength(token: u64): u32 {
  return <u32>token;
}

@inline
function token(kind: u32, head: u32, length: u32): u64 {
  return (<u64>kind << 40) | (<u64>head << 32) | <u64>length;
}

@inline
export function readU16(p: usize): u32 {
  return <u32>bswap<u16>(load<u16>(p));
}

@inline
export function readU32(p: usize): u32 {
  return bswap<u32>(load<u32>(p));
}

@inline
export function readU64(p: usize): u64 {
  const bytes = v128.load64_zero(p);
  const turned = v128.shuffle<u8>(
    bytes, bytes, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8,
  );
  return i64x2.extract_lane(turned, 0);
}

/**
 * The head of the value at `p`. Whatever the head claims is there: text and data lie before `end`,
 * and as many bytes as an array or a map needs at the least; else the kind is TOKEN_CUT_OFF.
 */
export function readToken(p: usize, end: usize): u64 {
  if (p >= end) return 0;
  const read = readHead(p);
  const kind = tokenKind(read);
  let need = <u64>tokenHead(read);
  if (need > <u64>(end - p)) return 0;
  if (kind >= TOKEN_STRING) need += <u64>tokenLength(read) << (kind == TOKEN_MAP ? 1 : 0);
  return need > <u64>(end - p) ? 0 : read;
}

/** As readToken, for a value that may go on after the end of the body. */
function readHead(p: usize): u64 {
  const type = <u32>load<u8>(p);
  if (type < 0x80 || type >= 0xe0) return token(TOKEN_INTEGER, 1, 0);
  if (type < 0x90) return token(TOKEN_MAP, 1, type & 15);
  if (type < 0xa0) return token(TOKEN_ARRAY, 1, type & 15);
  if (type < 0xc0) return token(TOKEN_STRING, 1, type & 31);
  switch (type) {
    case 0xc0:
      return token(TOKEN_NIL, 1, 0);
    case 0xc1:
      return token(TOKEN_INVALID, 1, 0);
    case 0xc2:
      return token(TOKEN_FALSE, 1, 0);
    case 0xc3:
      return token(TOKEN_TRUE, 1, 0);
    case 0xc4:
      return token(TOKEN_BINARY, 2, load<u8>(p, 1));
    case 0xc5:
      return token(TOKEN_BINARY, 3, readU16(p + 1));
    case 0xc6:
      return token(TOKEN_BINARY, 5, readU32(p + 1));
    case 0xc7:
      return token(TOKEN_EXTENSION, 3, load<u8>(p, 1));
    case 0xc8:
      return token(TOKEN_EXTENSION, 4, readU16(p + 1));
    case 0xc9:
      return token(TOKEN_EXTENSION, 6, readU32(p + 1));
    case 0xca:
      return token(TOKEN_FLOAT, 5, 0);
    case 0xcb:
      return token(TOKEN_FLOAT, 9, 0);
    case 0xcc:
    case 0xd0:
      return token(TOKEN_INTEGER, 2, 0);
    case 0xcd:
    case 0xd1:
      return token(TOKEN_INTEGER, 3, 0);
    case 0xce:
    case 0xd2:
      return token(TOKEN_INTEGER, 5, 0);
    case 0xcf:
      return token(load<u8>(p, 1) < 0x80 ? TOKEN_INTEGER : TOKEN_FLOAT, 9, 0);
    case 0xd3:
      return token(TOKEN_INTEGER, 9, 0);
    case 0xd9:
      return token(TOKEN_STRING, 2, load<u8>(p, 1));
    case 0xda:
      return token(TOKEN_STRING, 3, readU16(p + 1));
    case 0xdb:
      return token(TOKEN_STRING, 5, readU32(p + 1));
    case 0xdc:
      return token(TOKEN_ARRAY, 3, readU16(p + 1));
    case 0xdd:
      return token(TOKEN_ARRAY, 5, readU32(p + 1));
    case 0xde:
      return token(TOKEN_MAP, 3, readU16(p + 1));
    case 0xdf:
      return token(TOKEN_MAP, 5, readU32(p + 1));
    default: // 0xd4 to 0xd8: fixext 1, 2, 4, 8, 16
      return token(TOKEN_EXTENSION, 2, 1 << (type - 0xd4));
  }
}

/** The value of a TOKEN_INTEGER. */
export function readInteger(p: usize): i64 {
  switch (load<u8>(p)) {
    case 0xcc:
      return load<u8>(p, 1);
    case 0xcd:
      return readU16(p + 1);
    case 0xce:
      return readU32(p + 1);
    case 0xcf:
    case 0xd3:
      return readU64(p + 1);
    case 0xd0:
      return load<i8>(p, 1);
    case 0xd1:
      return <i64>(<i16>readU16(p + 1));
    case 0xd2:
      return <i64>(<i32>readU32(p + 1));
    default:
      return load<i8>(p);
  }
}

/** The value of a TOKEN_FLOAT. A uint from 2^63 becomes the nearest double. */
export function readFloat(p: usize): f64 {
  switch (load<u8>(p)) {
    case 0xca:
      return <f64>reinterpret<f32>(readU32(p + 1));
    case 0xcb:
      return reinterpret<f64>(readU64(p + 1));
    default:
      return <f64>readU64(p + 1);
  }
}

/**
 * True when `value` is a whole number that fits i64: it is stored as that, so that all encodings of
 * it are equal.
 */
@inline
export function isWhole(value: f64): bool {
  return (
    value >= -9223372036854775808.0 &&
    value < 9223372036854775808.0 &&
    value == trunc(value) &&
    reinterpret<u64>(value) != 0x8000000000000000 // -0
  );
}

// ── Extensions ────────────────────────────────────────────────────────────────────────────────────────

const SECONDS_MIN: i64 = -62135596800; // 0001-01-01T00:00:00Z
const SECONDS_END: i64 = 253402300800; // 10000-01-01T00:00:00Z

/**
 * True for an extension of type -1 with `length` bytes at `data` that are a timestamp of 32, 64 or
 * 96 bits.
 */
export function isTimestamp(type: i32, data: usize, length: u32): bool {
  if (type != -1) return false;
  if (length == 4) return true;
  if (length != 8 && length != 12) return false;
  return timestampNanoseconds(data, length) <= 999999999;
}

@inline
export function timestampSeconds(data: usize, length: u32): i64 {
  if (length == 4) return readU32(data);
  return length == 8 ? readU64(data) & 0x3ffffffff : readU64(data + 4);
}

@inline
export function timestampNanoseconds(data: usize, length: u32): u32 {
  if (length == 4) return 0;
  return length == 8 ? <u32>(readU64(data) >> 34) : readU32(data);
}

/** True when RFC 3339 can write it, with a year of four digits from 0001. */
@inline
export function isInYears(seconds: i64): bool {
  return seconds >= SECONDS_MIN && seconds < SECONDS_END;
}

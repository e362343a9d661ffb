import { sha256 } from "./sha256";

// UUIDs (RFC 9562): 16 bytes, in the order of their text.

/**
 * The 36 characters at `p` to 16 bytes at `out`. False, with nothing written, when they are not
 * hexadecimal digits of either case and four hyphens. Any version and variant.
 */
export function parseUuid(p: usize, out: usize): bool {
  const front = (<u32>load<u8>(p, 8) ^ 0x2d) | (<u32>load<u8>(p, 13) ^ 0x2d);
  const back = (<u32>load<u8>(p, 18) ^ 0x2d) | (<u32>load<u8>(p, 23) ^ 0x2d);
  let head = v128.load64_zero(p);
  head = v128.load32_lane(p, head, 2, 9);
  head = v128.load32_lane(p, head, 3, 14);
  let tail = v128.load32_zero(p, 19);
  tail = v128.load32_lane(p, tail, 1, 24);
  tail = v128.load64_lane(p, tail, 1, 28);
  const high = nibbles(head);
  const low = nibbles(tail);
  const isHex = v128.and(isDigit(head, high), isDigit(tail, low));
  if ((front | back | (i8x16.bitmask(isHex) ^ 0xffff)) != 0) return false;
  v128.store(out, v128.narrow<u16>(pairs(high), pairs(low)));
  return true;
}

/** Bit 6 alone, which letters have and digits have not. */
@inline
function letters(text: v128): v128 {
  return v128.and(text, i8x16.splat(0x40));
}

/** Values of hexadecimal digits: the low nibble, and 9 more for a letter. */
@inline
function nibbles(text: v128): v128 {
  const letter = letters(text);
  const nine = v128.or(v128.shr<u16>(letter, 6), v128.shr<u16>(letter, 3));
  return v128.add<u8>(v128.and(text, i8x16.splat(0x0f)), nine);
}

/** Whether `text`, in lower case, is what `values` are written as. */
@inline
function isDigit(text: v128, values: v128): v128 {
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  const lower = v128.or(text, v128.shr<u16>(letters(text), 1));
  return v128.eq<u8>(v128.swizzle(digits, values), lower);
}

/** Two nibbles, the high one first, to one byte in each 16-bit lane. */
@inline
function pairs(values: v128): v128 {
  const both = v128.or(v128.shl<u16>(values, 4), v128.shr<u16>(values, 8));
  return v128.and(both, i16x8.splat(0xff));
}

/** The 36 lower-case characters of the 16 bytes at `id`. */
export function formatUuid(id: usize, out: usize): void {
  const bytes = v128.load(id);
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  const high = v128.swizzle(digits, v128.shr<u8>(bytes, 4));
  const low = v128.swizzle(digits, v128.and(bytes, i8x16.splat(0x0f)));
  const head = v128.shuffle<u8>(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const tail = v128.shuffle<u8>(
    high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
  );
  store<u64>(out, i64x2.extract_lane(head, 0));
  store<u8>(out, 0x2d, 8);
  store<u32>(out, i32x4.extract_lane(head, 2), 9);
  store<u8>(out, 0x2d, 13);
  store<u32>(out, i32x4.extract_lane(head, 3), 14);
  store<u8>(out, 0x2d, 18);
  store<u32>(out, i32x4.extract_lane(tail, 0), 19);
  store<u8>(out, 0x2d, 23);
  store<u32>(out, i32x4.extract_lane(tail, 1), 24);
  store<u32>(out, i32x4.extract_lane(tail, 2), 28);
  store<u32>(out, i32x4.extract_lane(tail, 3), 32);
}

// ── UUIDv7 ────────────────────────────────────────────────────────────────────────────────────────────
//
// State, 64 bytes, seeded by the caller with random ones:
//   0   generator: 4 × u64 │ 32 last tick u64 │ 40 its complement, or none was made │ 48 unused
//
// A tick is 1/4096 ms: the 48-bit milliseconds and the 12 bits after the version (RFC 9562, section
// 6.2, method 3). Each id takes a tick of its own, the next one if time has not moved on, so ids of
// one state ascend strictly.

export function makeUuid7(state: usize, timeUs: i64, out: usize): void {
  const milliseconds = timeUs / 1000;
  let tick: u64 = (<u64>milliseconds << 12) | (<u64>(timeUs - milliseconds * 1000) * 4096) / 1000;
  const last = load<u64>(state, 32);
  if (load<u64>(state, 40) == ~last && tick <= last) tick = last + 1;
  store<u64>(state, tick, 32);
  store<u64>(state, ~tick, 40);
  const high = ((tick << 4) & 0xffffffffffff0000) | 0x7000 | (tick & 0xfff);
  const low = (nextRandom(state) >> 2) | 0x8000000000000000;
  store<u64>(out, bswap(high));
  store<u64>(out, bswap(low), 8);
}

/**
 * xoshiro256** (Blackman and Vigna, 2018). Unpredictable to no one who sees enough of it: ids are
 * not secrets.
 */
@inline
function nextRandom(state: usize): u64 {
  const a = load<u64>(state);
  const b = load<u64>(state, 8);
  const c = load<u64>(state, 16) ^ a;
  const d = load<u64>(state, 24) ^ b;
  store<u64>(state, a ^ d);
  store<u64>(state, b ^ c, 8);
  store<u64>(state, c ^ (b << 17), 16);
  store<u64>(state, rotl<u64>(d, 45), 24);
  return rotl<u64>(b * 5, 7) * 9;
}

/**
 * A UUIDv8 that stands for any text: the first 128 bits of its SHA-256. `scratch`: SHA256_SCRATCH
 * bytes.
 */
export function uuidFromText(p: usize, length: u32, out: usize, scratch: usize): void {
  const digest = scratch;
  sha256(p, length, digest, scratch + 32);
  v128.store(out, v128.load(digest));
  store<u8>(out, (load<u8>(out, 6) & 0x0f) | 0x80, 6);
  store<u8>(out, (load<u8>(out, 8) & 0x3f) | 0x80, 8);
}

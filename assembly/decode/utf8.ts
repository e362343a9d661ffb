// UTF-8 validation (RFC 3629, section 4): no overlong form, no surrogate, nothing above U+10FFFF,
// nothing cut off.
//
// Text is checked in blocks of 64 bytes. Blocks of ASCII are skipped; others go through the three
// nibble tables of Keiser and Lemire ("Validating UTF-8 In Less Than One Instruction Per Byte",
// 2020), which mark every wrong pair of bytes. Only when a block is wrong, a plain walk from its
// start finds the exact byte.

// Each bit is one way in which two bytes can be wrong; a pair is wrong if all three tables share a
// bit.
const TOO_SHORT: u8 = 1; // a lead byte or ASCII where a continuation must stand
const TOO_LONG: u8 = 2; // a continuation after ASCII
const OVERLONG_3: u8 = 4;
const TOO_LARGE: u8 = 8;
const SURROGATE: u8 = 16;
const OVERLONG_2: u8 = 32;
const TOO_LARGE_1000: u8 = 64; // and four-byte overlong forms, which share this bit
const TWO_CONTS: u8 = 128; // right only inside three and four byte forms
const CARRY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTS;

/** By the high nibble of the first byte of a pair. */
@inline
function firstHigh(): v128 {
  return i8x16(
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000,
  );
}

/** By the low nibble of the first byte. */
@inline
function firstLow(): v128 {
  return i8x16(
    CARRY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_1000, CARRY | OVERLONG_2, CARRY, CARRY,
    CARRY | TOO_LARGE,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000,
  );
}

/** By the high nibble of the second byte. */
@inline
function secondHigh(): v128 {
  return i8x16(
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
  );
}

/** Non-zero bytes where `input`, which comes right after `before`, is wrong. */
@inline
function wrongPairs(input: v128, before: v128): v128 {
  const nibble = i8x16.splat(0x0f);
  const back1 = v128.shuffle<u8>(
    before, input, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
  );
  const back2 = v128.shuffle<u8>(
    before, input, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
  );
  const back3 = v128.shuffle<u8>(
    before, input, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
  );
  const pairs = v128.and(
    v128.and(
      v128.swizzle(firstHigh(), v128.shr<u8>(back1, 4)),
      v128.swizzle(firstLow(), v128.and(back1, nibble)),
    ),
    v128.swizzle(secondHigh(), v128.shr<u8>(input, 4)),
  );
  // Two or three bytes after a lead of three or four bytes the next must be a continuation: there
  // TWO_CONTS is right.
  const third = v128.sub_sat<u8>(back2, i8x16.splat(<i8>(0xe0 - 0x80)));
  const fourth = v128.sub_sat<u8>(back3, i8x16.splat(<i8>(0xf0 - 0x80)));
  const must = v128.and(v128.or(third, fourth), i8x16.splat(<i8>0x80));
  return v128.xor(must, pairs);
}

/**
 * Offset of the first byte of the first bad sequence, or `length` when all is well. Reads up to 16
 * bytes beyond.
 */
export function firstInvalidUtf8(p: usize, length: u32): u32 {
  const end = p + length;
  let q = p;
  while (q + 64 <= end) {
    const ones = v128.or(
      v128.or(v128.load(q), v128.load(q, 16)),
      v128.or(v128.load(q, 32), v128.load(q, 48)),
    );
    if (i8x16.bitmask(ones) == 0) {
      q += 64;
      continue;
    }
    // From the start of a character, as far as it stays well; the last characters are left to the
    // walk.
    const good = wellFormedBlocks(q, end);
    if (good == q) break;
    q = good;
  }
  return <u32>(walk(q, end) - p);
}

/**
 * Follows blocks of 16 bytes from `p`, the start of a character, while they are well-formed, and
 * stops at the end or after 64 bytes of ASCII. Result: the start of a character that everything
 * before is known to be right for.
 */
function wellFormedBlocks(p: usize, end: usize): usize {
  let before = i8x16.splat(0);
  let ascii: u32 = 0;
  const start = p;
  while (p + 16 <= end && ascii < 4) {
    const input = v128.load(p);
    if (v128.any_true(wrongPairs(input, before))) break;
    ascii = i8x16.bitmask(input) == 0 ? ascii + 1 : 0;
    before = input;
    p += 16;
  }
  // The last character may go on after p: step back to its lead byte.
  let back = p;
  while (back > start && p - back < 3 && (load<u8>(back - 1) & 0xc0) == 0x80) back--;
  if (back > start && load<u8>(back - 1) >= 0xc0) return back - 1;
  return p;
}

/** The first byte of the first bad sequence from `p`, or `end`. */
function walk(p: usize, end: usize): usize {
  while (p < end) {
    const lead = <u32>load<u8>(p);
    if (lead < 0x80) {
      p += p + 8 <= end && (load<u64>(p) & 0x8080808080808080) == 0 ? 8 : 1;
      continue;
    }
    let size: u32;
    let low: u32 = 0x80;
    let high: u32 = 0xbf;
    if (lead < 0xc2) return p;
    else if (lead < 0xe0) size = 2;
    else if (lead < 0xf0) {
      size = 3;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead < 0xf5) {
      size = 4;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else return p;
    if (<usize>size > end - p) return p;
    const second = <u32>load<u8>(p, 1);
    if (second < low || second > high) return p;
    if (size > 2 && (load<u8>(p, 2) & 0xc0) != 0x80) return p;
    if (size > 3 && (load<u8>(p, 3) & 0xc0) != 0x80) return p;
    p += size;
  }
  return end;
}

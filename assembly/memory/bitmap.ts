// Bitmaps: bit i is bit i & 7 of byte i >> 3. Their memory is a whole number of 16-byte words.

@inline
export function bitmapGet(bitmap: usize, index: u32): bool {
  return ((<u32>load<u8>(bitmap + (index >> 3)) >> (index & 7)) & 1) != 0;
}

@inline
export function bitmapSet(bitmap: usize, index: u32): void {
  const byte = bitmap + (index >> 3);
  store<u8>(byte, <u32>load<u8>(byte) | (1 << (index & 7)));
}

/** Bytes of a bitmap of `bits` bits, in whole 16-byte words. */
@inline
export function bitmapSize(bits: u32): u32 {
  return ((bits + 127) >> 7) << 4;
}

/** Number of set bits among the first `bits`; the bits after them may be anything. */
export function bitmapCount(bitmap: usize, bits: u32): u32 {
  let count: u64 = 0;
  let rest = bits;
  while (rest >= 128) {
    count += popcnt(load<u64>(bitmap)) + popcnt(load<u64>(bitmap, 8));
    bitmap += 16;
    rest -= 128;
  }
  if (rest >= 64) {
    count += popcnt(load<u64>(bitmap));
    bitmap += 8;
    rest -= 64;
  }
  if (rest != 0) count += popcnt(load<u64>(bitmap) & (u64.MAX_VALUE >> (64 - rest)));
  return <u32>count;
}

/** Sets the bits [begin, end) and leaves the others as they are. */
export function bitmapFill(bitmap: usize, begin: u32, end: u32): void {
  if (begin >= end) return;
  const first = bitmap + (begin >> 3);
  const last = bitmap + ((end - 1) >> 3);
  const headMask: u32 = (0xff << (begin & 7)) & 0xff;
  const tailMask: u32 = 0xff >> (7 - ((end - 1) & 7));
  if (first == last) {
    store<u8>(first, <u32>load<u8>(first) | (headMask & tailMask));
    return;
  }
  store<u8>(first, <u32>load<u8>(first) | headMask);
  memory.fill(first + 1, 0xff, last - first - 1);
  store<u8>(last, <u32>load<u8>(last) | tailMask);
}

/** target &= other, over whole 128-bit words that hold `bits` bits. */
export function bitmapAnd(target: usize, other: usize, bits: u32): void {
  const end = target + bitmapSize(bits);
  for (; target < end; target += 16, other += 16) {
    v128.store(target, v128.and(v128.load(target), v128.load(other)));
  }
}

/** target |= other. */
export function bitmapOr(target: usize, other: usize, bits: u32): void {
  const end = target + bitmapSize(bits);
  for (; target < end; target += 16, other += 16) {
    v128.store(target, v128.or(v128.load(target), v128.load(other)));
  }
}

/** target &= ~other. */
export function bitmapAndNot(target: usize, other: usize, bits: u32): void {
  const end = target + bitmapSize(bits);
  for (; target < end; target += 16, other += 16) {
    v128.store(target, v128.andnot(v128.load(target), v128.load(other)));
  }
}

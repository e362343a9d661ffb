// Integers of a fixed number of bits each, least significant bit first, without gaps.

/** Bytes of `count` of them, whole words. */
@inline
export function packedBytes(count: u32, width: u32): u32 {
  return ((count * width + 63) >> 6) << 3;
}

/** Packs (word - base) / step of `n` words. */
export function packWords(words: usize, n: u32, width: u32, base: i64, step: u64, out: usize): void {
  if (width == 0) return;
  let bits: u64 = 0;
  let filled: u32 = 0;
  const end = words + ((<usize>n) << 3);
  for (let at = words; at < end; at += 8) {
    let value = <u64>(load<i64>(at) - base);
    if (step > 1) value /= step;
    bits |= value << filled;
    filled += width;
    if (filled >= 64) {
      store<u64>(out, bits);
      out += 8;
      filled -= 64;
      bits = filled == 0 ? 0 : value >> (width - filled);
    }
  }
  if (filled > 0) store<u64>(out, bits);
}

@inline
export function bitsAt(source: usize, bit: usize, mask: u64): u64 {
  return (load<u64>(source + (bit >> 3)) >> (bit & 7)) & mask;
}

@inline
export function wideBitsAt(source: usize, bit: usize, mask: u64): u64 {
  const at = source + (bit >> 3);
  const shift = <u64>(bit & 7);
  const low = load<u64>(at) >> shift;
  return (shift == 0 ? low : low | ((<u64>load<u8>(at, 8)) << (64 - shift))) & mask;
}

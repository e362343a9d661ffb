// One hash for everything in the core: 64 bits, not keyed. Watermarks and filters of texts are stored with it,
// so another function would be another version of these formats.

const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xbf58476d1ce4e5b9;
const K2: u64 = 0x94d049bb133111eb;

/** Spreads every bit of `x` over all 64 (the finaliser of SplitMix64; Steele, Lea, Flood 2014). */
@inline
export function mix64(x: u64): u64 {
  x = (x ^ (x >> 30)) * K1;
  x = (x ^ (x >> 27)) * K2;
  return x ^ (x >> 31);
}

/**
 * 64-bit hash of `length` bytes. Two lanes of multiply and fold, eight bytes each a step.
 *
 * Memory: reads up to 16 bytes beyond the end, and lets none of them into the result.
 */
export function hashBytes(address: usize, length: u32): u64 {
  let a: u64 = K0 ^ length;
  let b: u64 = K2;
  let rest = length;
  while (rest > 16) {
    a = (a ^ load<u64>(address)) * K1;
    b = (b ^ load<u64>(address, 8)) * K0;
    a ^= a >> 32;
    b ^= b >> 29;
    address += 16;
    rest -= 16;
  }
  // 0 to 16 bytes are left; a shift by 64 would be a shift by 0, so whole words are told apart
  // first.
  let low = load<u64>(address);
  let high = load<u64>(address, 8);
  if (rest <= 8) {
    high = 0;
    low = rest == 0 ? 0 : low & (u64.MAX_VALUE >> ((8 - rest) << 3));
  } else {
    high = high & (u64.MAX_VALUE >> ((16 - rest) << 3));
  }
  a = (a ^ low) * K1;
  b = (b ^ high) * K0;
  return mix64(a ^ (a >> 32) ^ ((b << 32) | (b >> 32)));
}

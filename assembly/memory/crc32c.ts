import { ROOT_CRC32C } from "../layout";

// CRC-32C (Castagnoli, reflected), eight bytes a step from the tables in the root block.
//
// One stream is bound by latency: each step waits for the last. So long ranges are cut into three
// streams that run side by side, and are joined by moving a stream's remainder over the bytes that
// follow it, which is a multiplication by x^(8 · bytes) modulo the polynomial.

const LONG: u32 = 4096;
const SHORT: u32 = 256;
// x^(8n) modulo the polynomial, bit-reflected, for n bytes.
const OVER_LONG: u32 = 0x35d73a62;
const OVER_TWO_LONG: u32 = 0x28461564;
const OVER_SHORT: u32 = 0x88e56f72;
const OVER_TWO_SHORT: u32 = 0x74c360a4;

const TABLE: usize = ROOT_CRC32C;

/** Eight more bytes: `word` is already combined with the remainder so far. */
@inline
function step(word: u64): u32 {
  const low = <u32>word;
  const high = <u32>(word >> 32);
  return (
    load<u32>(TABLE + ((low & 0xff) << 2), 7168) ^
    load<u32>(TABLE + (((low >> 8) & 0xff) << 2), 6144) ^
    load<u32>(TABLE + (((low >> 16) & 0xff) << 2), 5120) ^
    load<u32>(TABLE + ((low >> 24) << 2), 4096) ^
    load<u32>(TABLE + ((high & 0xff) << 2), 3072) ^
    load<u32>(TABLE + (((high >> 8) & 0xff) << 2), 2048) ^
    load<u32>(TABLE + (((high >> 16) & 0xff) << 2), 1024) ^
    load<u32>(TABLE + ((high >> 24) << 2))
  );
}

/** a · b modulo the polynomial, both bit-reflected. */
function multiply(a: u32, b: u32): u32 {
  let product: u32 = 0;
  for (let i = 0; i < 32; i++) {
    product ^= b & -(a >> 31);
    a <<= 1;
    b = (b >> 1) ^ (0x82f63b78 & -(b & 1));
  }
  return product;
}

/**
 * The remainder after three streams of `size` bytes each from `address`, given the one before them.
 */
@inline
function threeStreams(address: usize, crc: u32, size: u32, over: u32, overTwo: u32): u32 {
  let second: u32 = 0;
  let third: u32 = 0;
  for (let i: u32 = 0; i < size; i += 8) {
    crc = step(load<u64>(address + i) ^ crc);
    second = step(load<u64>(address + size + i) ^ second);
    third = step(load<u64>(address + 2 * size + i) ^ third);
  }
  return multiply(crc, overTwo) ^ multiply(second, over) ^ third;
}

/** CRC-32C of `length` bytes; 0 for none. Any alignment. */
export function crc32c(address: usize, length: u32): u32 {
  let crc: u32 = 0xffffffff;
  let rest = length;
  for (; rest >= 3 * LONG; rest -= 3 * LONG, address += 3 * LONG) {
    crc = threeStreams(address, crc, LONG, OVER_LONG, OVER_TWO_LONG);
  }
  for (; rest >= 3 * SHORT; rest -= 3 * SHORT, address += 3 * SHORT) {
    crc = threeStreams(address, crc, SHORT, OVER_SHORT, OVER_TWO_SHORT);
  }
  for (; rest >= 8; rest -= 8, address += 8) crc = step(load<u64>(address) ^ crc);
  for (; rest > 0; rest--, address++) {
    crc = (crc >> 8) ^ load<u32>(TABLE + (((crc ^ load<u8>(address)) & 0xff) << 2));
  }
  return ~crc;
}

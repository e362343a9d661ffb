import { ROOT_SHA256 } from "../layout";

// SHA-256 (FIPS 180-4, section 6.2); the round constants are in the root block.

/** Scratch of uuidFromText, which begins with room for a digest. */
export const UUID_TEXT_SCRATCH: u32 = 512;

// Scratch of sha256, 416 bytes: 0 hash state 8 × u32 │ 32 message schedule 64 × u32
//                               │ 288 the last one or two blocks

/** The digest of `length` bytes, 32 bytes at `out`, which may not overlap `scratch`. */
export function sha256(p: usize, length: u32, out: usize, scratch: usize): void {
  v128.store(scratch, i32x4(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a));
  v128.store(scratch, i32x4(0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19), 16);
  let rest = length;
  for (; rest >= 64; rest -= 64, p += 64) block(p, scratch);

  // Padding: a one bit, zeros, and the length in bits.
  const tail = scratch + 288;
  const size: usize = rest < 56 ? 64 : 128;
  memory.fill(tail, 0, 128);
  memory.copy(tail, p, rest);
  store<u8>(tail + rest, 0x80);
  store<u64>(tail + size - 8, bswap<u64>(<u64>length << 3));
  block(tail, scratch);
  if (size == 128) block(tail + 64, scratch);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap(load<u32>(scratch + i)));
}

function block(p: usize, scratch: usize): void {
  const schedule = scratch + 32;
  for (let i: usize = 0; i < 64; i += 4) store<u32>(schedule + i, bswap(load<u32>(p + i)));
  for (let i: usize = 64; i < 256; i += 4) {
    const early = load<u32>(schedule + i - 60);
    const late = load<u32>(schedule + i - 8);
    const s0 = rotr<u32>(early, 7) ^ rotr<u32>(early, 18) ^ (early >> 3);
    const s1 = rotr<u32>(late, 17) ^ rotr<u32>(late, 19) ^ (late >> 10);
    store<u32>(schedule + i, load<u32>(schedule + i - 64) + s0 + load<u32>(schedule + i - 28) + s1);
  }
  let a = load<u32>(scratch);
  let b = load<u32>(scratch, 4);
  let c = load<u32>(scratch, 8);
  let d = load<u32>(scratch, 12);
  let e = load<u32>(scratch, 16);
  let f = load<u32>(scratch, 20);
  let g = load<u32>(scratch, 24);
  let h = load<u32>(scratch, 28);
  for (let i: usize = 0; i < 256; i += 4) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = h + s1 + choice + load<u32>(<usize>ROOT_SHA256 + i) + load<u32>(schedule + i);
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + s0 + majority;
  }
  store<u32>(scratch, load<u32>(scratch) + a);
  store<u32>(scratch, load<u32>(scratch, 4) + b, 4);
  store<u32>(scratch, load<u32>(scratch, 8) + c, 8);
  store<u32>(scratch, load<u32>(scratch, 12) + d, 12);
  store<u32>(scratch, load<u32>(scratch, 16) + e, 16);
  store<u32>(scratch, load<u32>(scratch, 20) + f, 20);
  store<u32>(scratch, load<u32>(scratch, 24) + g, 24);
  store<u32>(scratch, load<u32>(scratch, 28) + h, 28);
}

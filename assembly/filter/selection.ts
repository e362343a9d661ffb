// Selections: one bit a row of a segment, in words of 64 rows, little-endian. Bits of rows that the
// snapshot does not have are clear, so no kernel needs to know the exact number of rows.

/** Sets the bits [from, to) and clears the others of `words` words at `out`. */
export function selectionRange(out: usize, words: u32, from: u32, to: u32): void {
  for (let w: u32 = 0; w < words; w++) {
    const first = w << 6;
    let bits: u64 = 0;
    if (to > first && from < first + 64) {
      bits = u64.MAX_VALUE;
      if (from > first) bits &= u64.MAX_VALUE << (from - first);
      if (to < first + 64) bits &= u64.MAX_VALUE >> (first + 64 - to);
    }
    store<u64>(out + (<usize>w << 3), bits);
  }
}

/** How many bits are set. */
export function selectionCount(bitmap: usize, words: u32): u32 {
  let count: u64 = 0;
  const end = bitmap + (<usize>words << 3);
  for (; bitmap < end; bitmap += 8) count += popcnt<u64>(load<u64>(bitmap));
  return <u32>count;
}

/** out = a AND b; answers the number of set bits. `out` may be one of them. */
export function selectionAnd(a: usize, b: usize, out: usize, words: u32): u32 {
  let count: u64 = 0;
  for (let i: usize = 0, end = <usize>words << 3; i < end; i += 8) {
    const bits = load<u64>(a + i) & load<u64>(b + i);
    store<u64>(out + i, bits);
    count += popcnt<u64>(bits);
  }
  return <u32>count;
}

/** out = a OR b; answers the number of set bits. `out` may be one of them. */
export function selectionOr(a: usize, b: usize, out: usize, words: u32): u32 {
  let count: u64 = 0;
  for (let i: usize = 0, end = <usize>words << 3; i < end; i += 8) {
    const bits = load<u64>(a + i) | load<u64>(b + i);
    store<u64>(out + i, bits);
    count += popcnt<u64>(bits);
  }
  return <u32>count;
}

/** out = a AND NOT b; answers the number of set bits. `out` may be one of them. */
export function selectionAndNot(a: usize, b: usize, out: usize, words: u32): u32 {
  let count: u64 = 0;
  for (let i: usize = 0, end = <usize>words << 3; i < end; i += 8) {
    const bits = load<u64>(a + i) & ~load<u64>(b + i);
    store<u64>(out + i, bits);
    count += popcnt<u64>(bits);
  }
  return <u32>count;
}

/** Writes the numbers of the set bits as u32, ascending; answers how many. Owner of `out` grants one u32 a set bit. */
export function selectionRows(bitmap: usize, words: u32, out: usize): u32 {
  const start = out;
  for (let w: u32 = 0; w < words; w++) {
    let bits = load<u64>(bitmap + (<usize>w << 3));
    const first = w << 6;
    if (bits == u64.MAX_VALUE) {
      for (let r: u32 = 0; r < 64; r++) store<u32>(out + (<usize>r << 2), first + r);
      out += 256;
      continue;
    }
    while (bits) {
      store<u32>(out, first + <u32>ctz<u64>(bits));
      out += 4;
      bits &= bits - 1;
    }
  }
  return <u32>((out - start) >> 2);
}

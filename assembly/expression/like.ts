// LIKE over the texts of a dictionary, byte by byte: what stands between two `%` is found as early as it can be. A
// pattern with `_`, which is a code point, is none for this.

/**
 * table[code] = 1 where the text of `code` matches, otherwise 0, for codes [from, count). The pattern is `runs` byte
 * strings one after the other, `lengths` their u32 lengths: the first begins the text, the last ends it, those between
 * follow each other anywhere. One run is the whole text.
 */
export function matchLike(
  entries: usize, from: u32, count: u32, bytes: usize, lengths: usize, runs: u32, table: usize,
): void {
  for (let code = from; code < count; code++) {
    const entry = entries + (<usize>code << 3);
    const match = matches(load<u32>(entry), load<u32>(entry, 4), bytes, lengths, runs);
    store<u8>(table + <usize>code, <u8>match);
  }
}

function matches(text: usize, length: u32, bytes: usize, lengths: usize, runs: u32): bool {
  const head = load<u32>(lengths);
  if (head > length || !equals(text, bytes, head)) return false;
  if (runs == 1) return head == length;
  let at = text + head;
  let run = bytes + head;
  for (let i: u32 = 1; i < runs - 1; i++) {
    const size = load<u32>(lengths + (<usize>i << 2));
    at = find(at, text + length, run, size);
    if (!at) return false;
    run += size;
  }
  const tail = load<u32>(lengths + (<usize>(runs - 1) << 2));
  const end = text + length;
  return end - at >= tail && equals(end - tail, run, tail);
}

/** Memory: reads up to 7 bytes beyond the end of either. */
@inline
function equals(a: usize, b: usize, length: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) {
    if (load<u64>(a + <usize>at) != load<u64>(b + <usize>at)) return false;
  }
  const rest = length - at;
  if (!rest) return true;
  const mask = u64.MAX_VALUE >> <u64>(64 - (rest << 3));
  return ((load<u64>(a + <usize>at) ^ load<u64>(b + <usize>at)) & mask) == 0;
}

/**
 * Where the first occurrence of a run in [from, end) ends, or 0. Sixteen places at once are tried for the run's first
 * and last byte. Memory: reads up to 16 bytes beyond the end.
 */
function find(from: usize, end: usize, run: usize, size: u32): usize {
  if (!size) return from;
  if (end - from < size) return 0;
  const first = i8x16.splat(load<i8>(run));
  const last = i8x16.splat(load<i8>(run + <usize>(size - 1)));
  const stop = end - size;
  for (let at = from; at <= stop; at += 16) {
    const starts = i8x16.eq(v128.load(at), first);
    const ends = i8x16.eq(v128.load(at + <usize>(size - 1)), last);
    let bits = <u32>i8x16.bitmask(v128.and(starts, ends));
    while (bits) {
      const place = at + <usize>ctz<u32>(bits);
      bits &= bits - 1;
      if (place > stop) return 0;
      if (equals(place, run, size)) return place + size;
    }
  }
  return 0;
}

// Runs: where neighbours are equal, a word is kept once, with how often it comes.
//
//   0 runs u32 │ 4 zeros │ 8 lengths - 1, packed in RUN_WIDTH bits │ packed words - base, one a run
import { bitsAt, packedBytes, packWords, wideBitsAt } from "./bits";
import { RUN_WIDTH } from "./format";

/** Bytes of so many runs of words of `width` bits. */
export function runsBytes(runs: u32, width: u32): u32 {
  return 8 + packedBytes(runs, RUN_WIDTH) + packedBytes(runs, width);
}

/** Writes the `runs` runs of `n` words. `spare` is room for n words. */
export function writeRuns(
  words: usize,
  n: u32,
  runs: u32,
  width: u32,
  base: i64,
  spare: usize,
  out: usize,
): void {
  store<u64>(out, runs);
  const lengths = out + 8;
  const values = lengths + packedBytes(runs, RUN_WIDTH);
  let at = spare;
  let length: u64 = 0;
  for (let i: usize = 1; i < n; i++) {
    if (load<u64>(words + (i << 3)) == load<u64>(words + ((i - 1) << 3))) {
      length++;
      continue;
    }
    store<u64>(at, length);
    at += 8;
    length = 0;
  }
  store<u64>(at, length);
  packWords(spare, runs, RUN_WIDTH, 0, 1, lengths);
  at = spare;
  for (let i: usize = 0; i < n; i++) {
    const word = load<u64>(words + (i << 3));
    if (i != 0 && word == load<u64>(words + ((i - 1) << 3))) continue;
    store<u64>(at, word);
    at += 8;
  }
  packWords(spare, runs, width, base, 1, values);
}

/**
 * Writes `n` words as numbers of type T. Runs that are longer than what is left are cut, and where they are too short
 * the last word goes on: forged bytes decode to something, and write nowhere else.
 */
export function readRuns<T>(payload: usize, n: u32, width: u32, base: u64, out: usize): void {
  const runs = load<u32>(payload);
  const lengths = payload + 8;
  const values = lengths + packedBytes(runs, RUN_WIDTH);
  const mask: u64 = width == 0 ? 0 : ~(<u64>0) >> (64 - width);
  const end = out + <usize>n * sizeof<T>();
  for (let run: usize = 0; run < runs; run++) {
    const bit = run * width;
    const packed = width > 57 ? wideBitsAt(values, bit, mask) : bitsAt(values, bit, mask);
    const length = <usize>bitsAt(lengths, run * RUN_WIDTH, 0xfff) + 1;
    const last = run + 1 == runs;
    const to = last ? end : min(end, out + length * sizeof<T>());
    const value = base + packed;
    for (; out < to; out += sizeof<T>()) store<T>(out, <T>value);
  }
}

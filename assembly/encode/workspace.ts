// What the encoder keeps in the scratch that its caller lends it, and the writing position of its output.
import { ENCODE_SCRATCH_SIZE } from "./format";

// ── Encoder scratch ───────────────────────────────────────────────────────────────────────────────────
//
//   0        smallest and largest text (ENCODE_RESULT_…) │ 16 output u32 │ 20 capacity u32 │ 24 position u32
//   32       bytes of the suffixes u64 │ 40 bytes of the distinct texts u64 │ 48 the only part of a column
//   64       three plans of packed streams
//   4096     presence bitmap        20480  kinds bitmap        36864  differences of one block
//   69632    words: the present rows' values, or their codes in the column's own dictionary; ids take 2 MiB
//   1118208  second words: integers, codes, shared lengths
//   2166784  third words: rows, hash table and entries, suffix lengths
//   3215360  items to sort          5312512  ranges to sort
//   6099072  new code of each entry of the column's dictionary; then the lengths of its texts
//   7147648  new codes
//   8196224  end
const OUTPUT: u32 = 16;
const CAPACITY: u32 = 20;
const POSITION: u32 = 24;
export const SUFFIX_BYTES: u32 = 32;
export const TEXT_BYTES: u32 = 40;
export const ONLY_PART: u32 = 48;
export const FIRST_PLAN: u32 = 64;
export const SECOND_PLAN: u32 = 1088;
export const THIRD_PLAN: u32 = 2112;
export const PRESENCE: u32 = 4096;
export const KINDS: u32 = 20480;
export const DELTAS: u32 = 36864;
export const WORDS: u32 = 69632;
export const SECOND_WORDS: u32 = 1118208;
export const THIRD_WORDS: u32 = 2166784;
export const ITEMS: u32 = 3215360;
export const RANGES: u32 = 5312512;
export const NEW_CODE: u32 = 6099072;
export const WHOLE_LENGTHS: u32 = NEW_CODE;
export const NEW_CODES: u32 = 7147648;
export const NEW_CODE_MAX: u32 = 262144;

const SLACK: u32 = 32; // kernels write up to this much beyond a section before the next one begins

/** Starts an output of at most `capacity` bytes; false when the scratch is too small. */
export function openOutput(scratch: usize, scratchSize: u32, out: usize, capacity: u32): bool {
  if (scratchSize < <u32>ENCODE_SCRATCH_SIZE) return false;
  store<u64>(scratch, 0);
  store<u64>(scratch, 0, 8);
  store<u32>(scratch, <u32>out, OUTPUT);
  store<u32>(scratch, capacity, CAPACITY);
  store<u32>(scratch, 0, POSITION);
  return true;
}

/** The next `bytes` of the output, 16-byte aligned and zeroed up to the next boundary; 0 when they don't fit. */
export function reserve(scratch: usize, bytes: u64): usize {
  const position = load<u32>(scratch, POSITION);
  const capacity = load<u32>(scratch, CAPACITY);
  const end = (<u64>position + bytes + 15) & ~(<u64>15);
  if (end + SLACK > capacity) return 0;
  const address = <usize>load<u32>(scratch, OUTPUT) + position;
  if (end > position) v128.store(address + <usize>(end - position) - 16, i64x2.splat(0));
  store<u32>(scratch, <u32>end, POSITION);
  return address;
}

/** Bytes written so far, a multiple of 16. */
@inline
export function outputLength(scratch: usize): u32 {
  return load<u32>(scratch, POSITION);
}

// Ids: 16 bytes that agree in many bits. Of a version 4 UUID 6 bits are fixed, of those made in one second as
// version 7 about 50; a block keeps the bits that differ within it, and once those that do not.
import { BLOCK_VALUES, ID_BLOCK_SIZE, STREAM_LENGTH } from "./format";
import { blockCount, isStream, planStream, readBlock, writeStream } from "./packed-stream";

const FIXED_HIGH = 0;
const MASK_HIGH = 8;
const FIXED_LOW = 16;
const MASK_LOW = 24;
/** Runs of set bits of a mask: { count u32, zero, then count × { 0 from u8 │ 1 shift u8 │ 2 zeros │ 8 mask u64 } }. */
const RUN_SIZE: u32 = 16;

@inline
function highOf(id: usize): u64 {
  return bswap<u64>(load<u64>(id));
}

@inline
function lowOf(id: usize): u64 {
  return bswap<u64>(load<u64>(id, 8));
}

@inline
function directorySize(count: u32): u32 {
  return blockCount(count) * ID_BLOCK_SIZE;
}

/**
 * Measures `count` ids: writes each block's fixed bits and masks to `directory` (1,024 bytes), the bits that differ as
 * words to `high` and `low`, and the plans of both streams. Answers the bytes of the section.
 */
export function planIds(
  ids: usize,
  count: u32,
  directory: usize,
  high: usize,
  low: usize,
  highPlan: usize,
  lowPlan: usize,
  runs: usize,
): u32 {
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    const block = ids + ((<usize>from) << 4);
    const firstHigh = highOf(block);
    const firstLow = lowOf(block);
    let maskHigh: u64 = 0;
    let maskLow: u64 = 0;
    for (let i: usize = 1; i < n; i++) {
      maskHigh |= highOf(block + (i << 4)) ^ firstHigh;
      maskLow |= lowOf(block + (i << 4)) ^ firstLow;
    }
    store<u64>(directory, firstHigh & ~maskHigh, FIXED_HIGH);
    store<u64>(directory, maskHigh, MASK_HIGH);
    store<u64>(directory, firstLow & ~maskLow, FIXED_LOW);
    store<u64>(directory, maskLow, MASK_LOW);
    directory += ID_BLOCK_SIZE;
    extract(block, n, maskHigh, runs, high + ((<usize>from) << 3));
    extract(block + 8, n, maskLow, runs, low + ((<usize>from) << 3));
  }
  return directorySize(count) + planStream(high, count, highPlan) + planStream(low, count, lowPlan);
}

/** Writes the section that was planned; `deltas` is room for one block of words. */
export function writeIds(
  count: u32,
  directory: usize,
  high: usize,
  low: usize,
  highPlan: usize,
  lowPlan: usize,
  deltas: usize,
  out: usize,
): void {
  memory.copy(out, directory, directorySize(count));
  out += directorySize(count);
  const highBytes = planStream(high, count, highPlan);
  writeStream(high, count, highPlan, highBytes, deltas, out);
  const lowBytes = planStream(low, count, lowPlan);
  writeStream(low, count, lowPlan, lowBytes, deltas, out + highBytes);
}

/** Lists the runs of set bits of a mask, lowest first. */
function listRuns(mask: u64, runs: usize): void {
  let run = runs + 16;
  let from: u32 = 0;
  let rest = mask;
  while (rest != 0) {
    const shift = <u32>ctz(rest);
    const above = ~(rest >> shift);
    const width = above == 0 ? 64 : <u32>ctz(above);
    const bits = width == 64 ? u64.MAX_VALUE : ((<u64>1) << width) - 1;
    store<u8>(run, <u8>from);
    store<u8>(run, <u8>shift, 1);
    store<u64>(run, bits, 8);
    run += RUN_SIZE;
    from += width;
    rest &= ~(bits << shift);
  }
  store<u32>(runs, <u32>((run - runs - 16) / RUN_SIZE));
}

/** Puts the bits of a mask of every second big-endian word next to each other, lowest first. */
function extract(source: usize, n: u32, mask: u64, runs: usize, words: usize): void {
  listRuns(mask, runs);
  const first = runs + 16;
  const last = first + load<u32>(runs) * RUN_SIZE;
  const end = words + ((<usize>n) << 3);
  for (; words < end; words += 8, source += 16) {
    const value = bswap<u64>(load<u64>(source));
    let word: u64 = 0;
    for (let run = first; run < last; run += RUN_SIZE) {
      word |= ((value >> load<u8>(run, 1)) & load<u64>(run, 8)) << load<u8>(run);
    }
    store<u64>(words, word);
  }
}

/** Whether a section of `count` ids lies within `available` bytes. */
export function isIds(section: usize, available: u32, count: u32): bool {
  const directory = directorySize(count);
  if (available < directory) return false;
  const high = section + directory;
  if (!isStream(high, available - directory, count)) return false;
  const highBytes = load<u32>(high, STREAM_LENGTH);
  return isStream(high + highBytes, available - directory - highBytes, count);
}

/** Reads the words of a block of a checked section of `count` ids. */
export function readIdWords(
  section: usize,
  count: u32,
  block: u32,
  high: usize,
  low: usize,
): void {
  const n = min<u32>(BLOCK_VALUES, count - block * BLOCK_VALUES);
  const stream = section + directorySize(count);
  readBlock<u64>(stream, block, n, 0, high);
  readBlock<u64>(stream + load<u32>(stream, STREAM_LENGTH), block, n, 0, low);
}

/** Writes `n` ids at `out` from words that readIdWords has read; `runs` is room for 528 bytes. */
export function writeIdsOf(
  section: usize,
  block: u32,
  high: usize,
  low: usize,
  n: u32,
  runs: usize,
  out: usize,
): void {
  const entry = section + block * ID_BLOCK_SIZE;
  deposit(high, n, load<u64>(entry, FIXED_HIGH), load<u64>(entry, MASK_HIGH), runs, out);
  deposit(low, n, load<u64>(entry, FIXED_LOW), load<u64>(entry, MASK_LOW), runs, out + 8);
}

function deposit(words: usize, n: u32, fixed: u64, mask: u64, runs: usize, out: usize): void {
  listRuns(mask, runs);
  const first = runs + 16;
  const last = first + load<u32>(runs) * RUN_SIZE;
  const end = words + ((<usize>n) << 3);
  for (; words < end; words += 8, out += 16) {
    const word = load<u64>(words);
    let value = fixed;
    for (let run = first; run < last; run += RUN_SIZE) {
      value |= ((word >> load<u8>(run)) & load<u64>(run, 8)) << load<u8>(run, 1);
    }
    store<u64>(out, bswap<u64>(value));
  }
}

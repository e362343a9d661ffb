// Packed streams: integers as a base and a fixed number of bits each, or as the differences between neighbours.
import { bitsAt, packedBytes, packWords, wideBitsAt } from "./bits";
import {
  BLOCK_VALUES,
  STREAM_BLOCKS,
  STREAM_BLOCK_BASE,
  STREAM_BLOCK_MODE,
  STREAM_BLOCK_OFFSET,
  STREAM_BLOCK_SIZE,
  STREAM_BLOCK_WIDTH,
  STREAM_COUNT,
  STREAM_DELTA,
  STREAM_HEADER_SIZE,
  STREAM_LENGTH,
  STREAM_RUNS,
  STREAM_STEP,
} from "./format";
import { readRuns, runsBytes, writeRuns } from "./runs";

// A plan holds one entry for each block: what the block's measurement chose.
//   0 base i64 │ 8 first i64 │ 16 step u64, or the number of runs │ 24 payload bytes u32 │ 28 width u8 │ 29 mode u8
const PLAN_BASE = 0;
const PLAN_FIRST = 8;
const PLAN_STEP = 16;
const PLAN_BYTES = 24;
const PLAN_WIDTH = 28;
const PLAN_MODE = 29;
const PLAN_BLOCK_SIZE = 32;
/** Bytes of the plan of a stream of SEGMENT_ROWS_MAX words. */
export const PLAN_SIZE = 1024;

@inline
export function blockCount(count: u32): u32 {
  return (count + BLOCK_VALUES - 1) / BLOCK_VALUES;
}

@inline
function bitWidth(range: u64): u32 {
  return 64 - <u32>clz(range);
}

@inline
function distance(a: i64, b: i64): u64 {
  return a > b ? <u64>(a - b) : <u64>(b - a);
}

/** Greatest common divisor of a divisor found so far (0: none yet) and one more distance. */
function commonDivisor(divisor: u64, value: u64): u64 {
  while (value != 0) {
    const rest = (divisor | value) >> 32 == 0 ? <u64>(<u32>divisor % <u32>value) : divisor % value;
    divisor = value;
    value = rest;
  }
  return divisor;
}

@inline
function narrowed(divisor: u64, value: u64): u64 {
  if (value == 0) return divisor;
  if (divisor != 0) {
    // Nearly always the divisor stays what it is; one remainder shows that.
    const rest = (divisor | value) >> 32 == 0 ? <u64>(<u32>value % <u32>divisor) : value % divisor;
    if (rest == 0) return divisor;
  }
  return commonDivisor(divisor, value);
}

/**
 * Measures a stream of `count` words and writes its plan.
 *
 * Each block gets the cheapest of a frame of reference, of differences and of runs; differences must save an eighth,
 * because their prefix sum decodes more slowly. The step is the greatest common divisor of what is packed.
 *
 * Returns the bytes of the whole stream.
 */
export function planStream(words: usize, count: u32, plan: usize): u32 {
  let bytes: u32 = STREAM_HEADER_SIZE;
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    bytes += STREAM_BLOCK_SIZE + planBlock(words + ((<usize>from) << 3), n, plan);
    plan += PLAN_BLOCK_SIZE;
  }
  return (bytes + 15) & ~15;
}

function planBlock(words: usize, n: u32, plan: usize): u32 {
  const first = load<i64>(words);
  const firstDelta = n > 1 ? load<i64>(words, 8) - first : 0;
  let low = first;
  let high = first;
  let deltaLow = firstDelta;
  let deltaHigh = firstDelta;
  let step: u64 = 0;
  let deltaStep: u64 = 0;
  let previous = first;
  let runs: u32 = 1;
  const end = words + ((<usize>n) << 3);
  for (let at = words + 8; at < end; at += 8) {
    const value = load<i64>(at);
    const delta = value - previous;
    previous = value;
    runs += <u32>(delta != 0);
    low = value < low ? value : low;
    high = value > high ? value : high;
    deltaLow = delta < deltaLow ? delta : deltaLow;
    deltaHigh = delta > deltaHigh ? delta : deltaHigh;
    if (step != 1) step = narrowed(step, distance(value, first));
    if (deltaStep != 1) deltaStep = narrowed(deltaStep, distance(delta, firstDelta));
  }
  step = step == 0 ? 1 : step;
  deltaStep = deltaStep == 0 ? 1 : deltaStep;
  const width = bitWidth(<u64>(high - low) / step);
  const deltaWidth = bitWidth(<u64>(deltaHigh - deltaLow) / deltaStep);
  const bytes = packedBytes(n, width) + (step > 1 ? 8 : 0);
  const deltaBytes = packedBytes(n - 1, deltaWidth) + (deltaStep > 1 ? 16 : 8);
  const useDelta = n > 2 && deltaBytes + (deltaBytes >> 3) < bytes;
  const runWidth = bitWidth(<u64>(high - low));
  const runBytes = runsBytes(runs, runWidth);
  const others = useDelta ? deltaBytes : bytes;
  if (runBytes < others) {
    store<i64>(plan, low, PLAN_BASE);
    store<u64>(plan, runs, PLAN_STEP);
    store<u32>(plan, runBytes, PLAN_BYTES);
    store<u8>(plan, <u8>runWidth, PLAN_WIDTH);
    store<u8>(plan, STREAM_RUNS, PLAN_MODE);
    return runBytes;
  }
  store<i64>(plan, useDelta ? deltaLow : low, PLAN_BASE);
  store<i64>(plan, first, PLAN_FIRST);
  const used = useDelta ? deltaStep : step;
  store<u64>(plan, used, PLAN_STEP);
  store<u32>(plan, useDelta ? deltaBytes : bytes, PLAN_BYTES);
  store<u8>(plan, <u8>(useDelta ? deltaWidth : width), PLAN_WIDTH);
  store<u8>(plan, <u8>((useDelta ? STREAM_DELTA : 0) | (used > 1 ? STREAM_STEP : 0)), PLAN_MODE);
  return useDelta ? deltaBytes : bytes;
}

/** Writes the planned stream at `out`, which has room for `bytes`. `deltas` is room for one block of words. */
export function writeStream(
  words: usize,
  count: u32,
  plan: usize,
  bytes: u32,
  deltas: usize,
  out: usize,
): void {
  const blocks = blockCount(count);
  store<u32>(out, count, STREAM_COUNT);
  store<u32>(out, bytes, STREAM_LENGTH);
  store<u32>(out, blocks, STREAM_BLOCKS);
  store<u32>(out, 0, 12);
  let entry = out + STREAM_HEADER_SIZE;
  let payload = entry + <usize>blocks * STREAM_BLOCK_SIZE;
  for (let block: u32 = 0; block < blocks; block++) {
    const from = block * BLOCK_VALUES;
    const mode = <u32>load<u8>(plan, PLAN_MODE);
    store<u32>(entry, <u32>(payload - out), STREAM_BLOCK_OFFSET);
    store<u32>(entry, <u32>load<u8>(plan, PLAN_WIDTH) | (mode << 8), STREAM_BLOCK_WIDTH);
    store<i64>(entry, load<i64>(plan, PLAN_BASE), STREAM_BLOCK_BASE);
    const n = min<u32>(BLOCK_VALUES, count - from);
    writeBlock(words + ((<usize>from) << 3), n, plan, deltas, payload);
    payload += load<u32>(plan, PLAN_BYTES);
    entry += STREAM_BLOCK_SIZE;
    plan += PLAN_BLOCK_SIZE;
  }
  if (payload < out + bytes) store<u64>(payload, 0);
}

function writeBlock(words: usize, n: u32, plan: usize, deltas: usize, out: usize): void {
  const mode = <u32>load<u8>(plan, PLAN_MODE);
  const step = load<u64>(plan, PLAN_STEP);
  if (mode == STREAM_RUNS) {
    writeRuns(words, n, <u32>step, load<u8>(plan, PLAN_WIDTH), load<i64>(plan, PLAN_BASE), deltas, out);
    return;
  }
  let source = words;
  let count = n;
  if (mode & STREAM_DELTA) {
    store<i64>(out, load<i64>(plan, PLAN_FIRST));
    out += 8;
    count = n - 1;
    source = deltas;
    let previous = load<i64>(words);
    for (let i: usize = 1; i < n; i++) {
      const value = load<i64>(words + (i << 3));
      store<i64>(deltas + ((i - 1) << 3), value - previous);
      previous = value;
    }
  }
  if (mode & STREAM_STEP) {
    store<u64>(out, step);
    out += 8;
  }
  packWords(source, count, load<u8>(plan, PLAN_WIDTH), load<i64>(plan, PLAN_BASE), step, out);
}

/**
 * Whether a stream of exactly `count` words lies within `available` bytes, its directory and payloads within
 * itself. After a yes the stream may be read block by block without further checks.
 */
export function isStream(stream: usize, available: u32, count: u32): bool {
  if (available < <u32>STREAM_HEADER_SIZE) return false;
  const length = load<u32>(stream, STREAM_LENGTH);
  const blocks = blockCount(count);
  if (load<u32>(stream, STREAM_COUNT) != count || load<u32>(stream, STREAM_BLOCKS) != blocks)
    return false;
  const start = blocks * STREAM_BLOCK_SIZE + STREAM_HEADER_SIZE;
  if (length > available || start > length) return false;
  for (let block: u32 = 0; block < blocks; block++) {
    const entry = stream + STREAM_HEADER_SIZE + <usize>block * STREAM_BLOCK_SIZE;
    const offset = load<u32>(entry, STREAM_BLOCK_OFFSET);
    const width = <u32>load<u8>(entry, STREAM_BLOCK_WIDTH);
    const mode = <u32>load<u8>(entry, STREAM_BLOCK_MODE);
    if (width > 64 || mode > <u32>STREAM_RUNS) return false;
    const n = min<u32>(BLOCK_VALUES, count - block * BLOCK_VALUES) - (mode & STREAM_DELTA);
    if (mode == STREAM_RUNS) {
      if (offset < start || offset > length || length - offset < 8) return false;
      const runs = load<u32>(stream + offset);
      if (runs == 0 || runs > n || runsBytes(runs, width) > length - offset) return false;
      continue;
    }
    const bytes =
      packedBytes(n, width) + ((mode & STREAM_DELTA) << 3) + ((mode & STREAM_STEP) << 2);
    if (offset < start || offset > length || bytes > length - offset) return false;
  }
  return true;
}

/**
 * Writes the `n` words of a block as numbers of type T, `added` being added to each first: the words themselves
 * (T = u64, added = 0), or what is above a column's base, cut to T.
 */
export function readBlock<T>(stream: usize, block: u32, n: u32, added: u64, out: usize): void {
  const entry = stream + STREAM_HEADER_SIZE + <usize>block * STREAM_BLOCK_SIZE;
  const width = <u32>load<u8>(entry, STREAM_BLOCK_WIDTH);
  const mode = <u32>load<u8>(entry, STREAM_BLOCK_MODE);
  const base = load<u64>(entry, STREAM_BLOCK_BASE);
  let payload = stream + load<u32>(entry, STREAM_BLOCK_OFFSET);
  if (mode == STREAM_RUNS) return readRuns<T>(payload, n, width, base + added, out);
  let first: u64 = 0;
  let step: u64 = 1;
  if (mode & STREAM_DELTA) {
    first = load<u64>(payload);
    payload += 8;
  }
  if (mode & STREAM_STEP) {
    step = load<u64>(payload);
    payload += 8;
  }
  if (mode & STREAM_DELTA) unpackDeltas<T>(payload, n, width, base, step, first + added, out);
  else if (width == 0) fill<T>(out, n, base + added);
  else if (width > 57) unpackWide<T>(payload, n, width, base + added, step, out);
  else if (step > 1) unpackSteps<T>(payload, n, width, base + added, step, out);
  else unpack<T>(payload, n, width, base + added, out);
}

function fill<T>(out: usize, n: u32, value: u64): void {
  const end = out + <usize>n * sizeof<T>();
  for (; out < end; out += sizeof<T>()) store<T>(out, <T>value);
}

/** Eight values begin at the same bit of a byte again, so the shifts of a round of eight are loop invariants. */
function unpack<T>(source: usize, n: u32, width: u32, base: u64, out: usize): void {
  const mask = ((<u64>1) << width) - 1;
  const w = <usize>width;
  let i: u32 = 0;
  for (; i + 8 <= n; i += 8) {
    store<T>(out, <T>(base + (load<u64>(source) & mask)));
    store<T>(out, <T>(base + bitsAt(source, w, mask)), sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 2 * w, mask)), 2 * sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 3 * w, mask)), 3 * sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 4 * w, mask)), 4 * sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 5 * w, mask)), 5 * sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 6 * w, mask)), 6 * sizeof<T>());
    store<T>(out, <T>(base + bitsAt(source, 7 * w, mask)), 7 * sizeof<T>());
    source += w;
    out += 8 * sizeof<T>();
  }
  for (let bit: usize = 0; i < n; i++) {
    store<T>(out, <T>(base + bitsAt(source, bit, mask)));
    bit += w;
    out += sizeof<T>();
  }
}

function unpackSteps<T>(source: usize, n: u32, width: u32, base: u64, step: u64, out: usize): void {
  const mask = ((<u64>1) << width) - 1;
  const end = out + <usize>n * sizeof<T>();
  for (let bit: usize = 0; out < end; out += sizeof<T>()) {
    store<T>(out, <T>(base + step * bitsAt(source, bit, mask)));
    bit += width;
  }
}

function unpackWide<T>(source: usize, n: u32, width: u32, base: u64, step: u64, out: usize): void {
  const mask = ~(<u64>0) >> (64 - width);
  const end = out + <usize>n * sizeof<T>();
  for (let bit: usize = 0; out < end; out += sizeof<T>()) {
    store<T>(out, <T>(base + step * wideBitsAt(source, bit, mask)));
    bit += width;
  }
}

function unpackDeltas<T>(
  source: usize,
  n: u32,
  width: u32,
  base: u64,
  step: u64,
  first: u64,
  out: usize,
): void {
  const mask = width == 0 ? 0 : ~(<u64>0) >> (64 - width);
  const end = out + <usize>n * sizeof<T>();
  let value = first;
  store<T>(out, <T>value);
  out += sizeof<T>();
  if (width > 57) {
    for (let bit: usize = 0; out < end; out += sizeof<T>()) {
      value += base + step * wideBitsAt(source, bit, mask);
      store<T>(out, <T>value);
      bit += width;
    }
    return;
  }
  for (let bit: usize = 0; out < end; out += sizeof<T>()) {
    value += base + step * bitsAt(source, bit, mask);
    store<T>(out, <T>value);
    bit += width;
  }
}

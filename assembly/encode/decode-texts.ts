// Texts: front-coded or plain, they become dictionary entries over one run of bytes.
import { CORRUPT_BOUNDS, OK } from "../status";
import { BLOCK_WORDS, bytesFrom, PAGE_COMPACT } from "./decoded-shape";
import {
  BLOCK_VALUES,
  COLUMN_BYTES_DICT,
  COLUMN_BYTES_DICT_COUNT,
  COLUMN_BYTES_TEXT,
  COLUMN_BYTES_TEXT_BYTES,
  COLUMN_BYTES_TEXT_LENGTHS,
  STREAM_LENGTH,
  TEXT_LENGTHS_WHOLE,
} from "./format";
import { blockCount, isStream, readBlock } from "./packed-stream";

/**
 * Writes the entries of a sorted dictionary at `entries` and their texts at `texts`.
 *
 * Memory: writes exactly the header's text bytes and up to 16 more, and over-reads as much.
 */
export function readSortedTexts(bytes: usize, entries: usize, texts: usize, scratch: usize): u32 {
  const count = load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const available = bytesFrom(bytes, COLUMN_BYTES_DICT);
  const starts = bytes + load<u32>(bytes, COLUMN_BYTES_DICT);
  const startsSize = ((blockCount(count) << 2) + 15) & ~15;
  if (startsSize > available) return CORRUPT_BOUNDS;
  const shared = starts + startsSize;
  if (!isStream(shared, available - startsSize, count)) return CORRUPT_BOUNDS;
  const sharedSize = load<u32>(shared, STREAM_LENGTH);
  const lengths = shared + sharedSize;
  if (!isStream(lengths, available - startsSize - sharedSize, count)) return CORRUPT_BOUNDS;
  const whole = <u32>load<u8>(bytes, COLUMN_BYTES_TEXT_LENGTHS) == TEXT_LENGTHS_WHOLE;
  const textBytes = load<u32>(bytes, COLUMN_BYTES_TEXT_BYTES);
  const suffixBytes = bytesFrom(bytes, COLUMN_BYTES_TEXT);
  const source = bytes + load<u32>(bytes, COLUMN_BYTES_TEXT);
  let read: u32 = 0;
  let written: u32 = 0;
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    if (load<u32>(starts + ((from / BLOCK_VALUES) << 2)) != read) return CORRUPT_BOUNDS;
    readBlock<u64>(shared, from / BLOCK_VALUES, n, 0, scratch + BLOCK_WORDS);
    readBlock<u64>(lengths, from / BLOCK_VALUES, n, 0, scratch + PAGE_COMPACT);
    let previousLength: u32 = 0;
    for (let i: usize = 0; i < n; i++) {
      const common = load<u64>(scratch + BLOCK_WORDS + (i << 3));
      const stored = load<u64>(scratch + PAGE_COMPACT + (i << 3));
      // A length that is less than what is shared wraps to more than any suffix has.
      const suffix = whole ? stored - common : stored;
      if (common > previousLength || suffix > suffixBytes - read) return CORRUPT_BOUNDS;
      const length = <u32>common + <u32>suffix;
      if (length > textBytes - written) return CORRUPT_BOUNDS;
      const text = texts + written;
      copyShort(text, text - previousLength, <u32>common);
      copyShort(text + <usize>common, source + read, <u32>suffix);
      store<u32>(entries, <u32>text);
      store<u32>(entries, length, 4);
      entries += 8;
      read += <u32>suffix;
      written += length;
      previousLength = length;
    }
  }
  return read == suffixBytes && written == textBytes ? OK : CORRUPT_BOUNDS;
}

/** One 16-byte store for most; the bytes beyond are written again by what follows, or lie in the slack. */
@inline
function copyShort(to: usize, from: usize, length: u32): void {
  if (length <= 16) v128.store(to, v128.load(from));
  else memory.copy(to, from, length);
}

/** Writes one entry for each text of a plain column at `entries`, and the texts at `texts`. */
export function readPlainTexts(bytes: usize, entries: usize, texts: usize, scratch: usize): u32 {
  const count = load<u32>(bytes, COLUMN_BYTES_DICT_COUNT);
  const lengths = bytes + load<u32>(bytes, COLUMN_BYTES_DICT);
  const textBytes = load<u32>(bytes, COLUMN_BYTES_TEXT_BYTES);
  if (!isStream(lengths, bytesFrom(bytes, COLUMN_BYTES_DICT), count)) return CORRUPT_BOUNDS;
  if (bytesFrom(bytes, COLUMN_BYTES_TEXT) != textBytes) return CORRUPT_BOUNDS;
  let written: u32 = 0;
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    readBlock<u64>(lengths, from / BLOCK_VALUES, n, 0, scratch + BLOCK_WORDS);
    for (let i: usize = 0; i < n; i++) {
      const length = load<u64>(scratch + BLOCK_WORDS + (i << 3));
      if (length > textBytes - written) return CORRUPT_BOUNDS;
      store<u32>(entries, <u32>texts + written);
      store<u32>(entries, <u32>length, 4);
      entries += 8;
      written += <u32>length;
    }
  }
  if (written != textBytes) return CORRUPT_BOUNDS;
  memory.copy(texts, bytes + load<u32>(bytes, COLUMN_BYTES_TEXT), textBytes);
  return OK;
}

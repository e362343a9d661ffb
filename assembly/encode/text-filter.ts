// A filter of texts: says of a text that it is certainly not among a column's, or that it may be.
//
// A split-block Bloom filter: 256 bits a block, one of 32 bits set in each of its 8 words, so that a question touches
// one block (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007; the block's layout and
// its eight odd constants are those of the Apache Parquet format's bloom filters). With 8 bits a text about 3 % of the
// texts that are not there may be.
import { bitmapGet, bitmapSet } from "../memory/bitmap";
import { hashBytes } from "../memory/hash";
import { FILTER_BLOCK_SIZE } from "./format";
import { KINDS, NEW_CODES, PRESENCE } from "./workspace";

@inline
function mark(block: usize, word: usize, low: u32, salt: u32): void {
  const at = block + (word << 2);
  store<u32>(at, load<u32>(at) | ((<u32>1) << ((low * salt) >> 27)));
}

/**
 * Writes a filter of `blocks` blocks over the texts of `count` entries, { address u32, length u32 } each.
 *
 * Memory: writes blocks × FILTER_BLOCK_SIZE bytes at `out`.
 */
export function filterTexts(entries: usize, count: u32, blocks: u32, out: usize): void {
  memory.fill(out, 0, <usize>blocks * FILTER_BLOCK_SIZE);
  const end = entries + ((<usize>count) << 3);
  for (; entries < end; entries += 8) {
    const hash = hashBytes(load<u32>(entries), load<u32>(entries, 4));
    const block = out + <usize>(((hash >> 32) * <u64>blocks) >> 32) * FILTER_BLOCK_SIZE;
    const low = <u32>hash;
    mark(block, 0, low, 0x47b6137b);
    mark(block, 1, low, 0x44974d91);
    mark(block, 2, low, 0x8824ad5b);
    mark(block, 3, low, 0xa2b7289d);
    mark(block, 4, low, 0x705495c7);
    mark(block, 5, low, 0x2df1424b);
    mark(block, 6, low, 0x9efc4947);
    mark(block, 7, low, 0x5c6bfb31);
  }
}

/**
 * Of 1,000 texts that the second half of the present rows has, those that the first half has too: what can be expected
 * of the next segment. Only right after a text column of `count` present rows was encoded with this scratch, and
 * destroys its bitmaps.
 */
export function repeatedTexts(scratch: usize, count: u32): u32 {
  const codes = scratch + NEW_CODES;
  const first = scratch + PRESENCE;
  const second = scratch + KINDS;
  memory.fill(first, 0, 16384);
  memory.fill(second, 0, 16384);
  const half = count >> 1;
  for (let i: usize = 0; i < half; i++) bitmapSet(first, load<u32>(codes + (i << 3)));
  let texts: u32 = 0;
  let repeated: u32 = 0;
  for (let i: usize = half; i < count; i++) {
    const code = load<u32>(codes + (i << 3));
    if (bitmapGet(second, code)) continue;
    bitmapSet(second, code);
    texts++;
    if (bitmapGet(first, code)) repeated++;
  }
  return texts == 0 ? 0 : <u32>((<u64>repeated * 1000) / texts);
}

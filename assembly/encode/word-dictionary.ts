// Few distinct words among many: each word's code in the order of first appearance.
import { mix64 } from "../memory/hash";

export const WORD_DICTIONARY_MAX: u32 = 65536;
/** Open addressing, at most half full: a slot is 0 or a code + 1. */
export const WORD_TABLE_SIZE: u32 = 524288;

/**
 * Writes the distinct words at `entries` and each word's code at `codes`, and answers how many there are; 0 as
 * soon as a dictionary can't take fewer than `bitsMax` bits, an entry costing `entryBits`.
 *
 * Memory: `table` is WORD_TABLE_SIZE bytes, `entries` WORD_DICTIONARY_MAX words, `codes` `count` words.
 */
export function findWords(
  words: usize,
  count: u32,
  entryBits: u32,
  bitsMax: u64,
  table: usize,
  entries: usize,
  codes: usize,
): u32 {
  const mask: u64 = WORD_TABLE_SIZE / 4 - 1;
  let distinct: u32 = 0;
  let codeBits: u64 = 0;
  memory.fill(table, 0, WORD_TABLE_SIZE);
  for (let i: usize = 0; i < count; i++) {
    const word = load<u64>(words + (i << 3));
    let slot = mix64(word) & mask;
    let code = load<u32>(table + <usize>(slot << 2));
    while (code != 0 && load<u64>(entries + ((<usize>(code - 1)) << 3)) != word) {
      slot = (slot + 1) & mask;
      code = load<u32>(table + <usize>(slot << 2));
    }
    if (code == 0) {
      if (distinct == WORD_DICTIONARY_MAX) return 0;
      store<u64>(entries + ((<usize>distinct) << 3), word);
      distinct++;
      code = distinct;
      store<u32>(table + <usize>(slot << 2), code);
      codeBits = 64 - clz<u64>(<u64>distinct - 1);
      if (codeBits * count + <u64>distinct * entryBits >= bitsMax) return 0;
    }
    store<u64>(codes + (i << 3), <u64>(code - 1));
  }
  return distinct;
}

// XOR blocks: floats near their predecessor share its high bytes, so only the low bytes of the difference are
// kept, with a 4-bit length each.
import { BLOCK_VALUES, XOR_BLOCK_SIZE } from "./format";
import { blockCount } from "./packed-stream";

@inline
function significantBytes(word: u64): u32 {
  return 8 - (<u32>clz(word) >> 3);
}

/** Bytes of the XOR blocks of `count` words. */
export function xorSize(words: usize, count: u32): u32 {
  let bytes: u32 = blockCount(count) * XOR_BLOCK_SIZE;
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    bytes += (n + 1) >> 1;
    let previous: u64 = 0;
    let at = words + ((<usize>from) << 3);
    for (let i: u32 = 0; i < n; i++, at += 8) {
      const word = load<u64>(at);
      bytes += significantBytes(word ^ previous);
      previous = word;
    }
  }
  return bytes;
}

/** Writes XOR blocks of xorSize bytes, and up to 8 zero bytes after them. */
export function writeXor(words: usize, count: u32, out: usize): void {
  let entry = out;
  let at = out + <usize>blockCount(count) * XOR_BLOCK_SIZE;
  for (let from: u32 = 0; from < count; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, count - from);
    const lengths = at;
    at += (n + 1) >> 1;
    memory.fill(lengths, 0, at - lengths);
    let previous: u64 = 0;
    let source = words + ((<usize>from) << 3);
    for (let i: u32 = 0; i < n; i++, source += 8) {
      const word = load<u64>(source);
      const length = significantBytes(word ^ previous);
      const byte = lengths + (i >> 1);
      store<u8>(byte, <u32>load<u8>(byte) | (length << ((i & 1) << 2)));
      store<u64>(at, word ^ previous);
      at += length;
      previous = word;
    }
    store<u32>(entry, <u32>(lengths - out));
    store<u32>(entry, <u32>(at - lengths), 4);
    entry += XOR_BLOCK_SIZE;
  }
  store<u64>(at, 0);
}

/** Whether the directory of `count` words lies within `available` bytes, and the blocks it names too. */
export function isXor(section: usize, available: u32, count: u32): bool {
  const blocks = blockCount(count);
  if (available < blocks * XOR_BLOCK_SIZE) return false;
  for (let block: u32 = 0; block < blocks; block++) {
    const offset = load<u32>(section + <usize>block * XOR_BLOCK_SIZE);
    const length = load<u32>(section + <usize>block * XOR_BLOCK_SIZE, 4);
    const n = min<u32>(BLOCK_VALUES, count - block * BLOCK_VALUES);
    if (offset > available || length > available - offset || length < (n + 1) >> 1) return false;
  }
  return true;
}

/** Writes the `n` words of a block; false when their bytes are not exactly the block's. */
export function readXorBlock(section: usize, block: u32, n: u32, out: usize): bool {
  const entry = section + <usize>block * XOR_BLOCK_SIZE;
  const lengths = section + load<u32>(entry);
  const end = lengths + load<u32>(entry, 4);
  let at = lengths + ((n + 1) >> 1);
  let previous: u64 = 0;
  for (let i: u32 = 0; i < n; i++, out += 8) {
    const length = (<u32>load<u8>(lengths + (i >> 1)) >> ((i & 1) << 2)) & 15;
    if (length > 8 || at + length > end) return false;
    if (length != 0) previous ^= load<u64>(at) & (u64.MAX_VALUE >> <u64>(64 - (length << 3)));
    store<u64>(out, previous);
    at += length;
  }
  return at == end;
}

/** Of byte b, then k zeros, at k * 256 + b. */
const table = new Int32Array(8 * 256);

for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  table[byte] = crc;
}
for (let at = 256; at < table.length; at++) {
  const before = table[at - 256] as number;
  table[at] = (before >>> 8) ^ (table[before & 0xff] as number);
}

/**
 * CRC-32C (Castagnoli) of what is outside the shared memory; the core has its own for what is in it. `before`: that of
 * the bytes before these. Eight bytes at a time (Kounavis, Berry, "Novel table lookup-based algorithms for
 * high-performance CRC generation", 2008).
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  const { length } = bytes;
  let at = 0;
  if (length >= 64) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    for (; at + 8 <= length; at += 8) {
      const low = view.getInt32(at, true) ^ crc;
      const high = view.getInt32(at + 4, true);
      crc =
        (table[1792 + (low & 0xff)] as number) ^
        (table[1536 + ((low >>> 8) & 0xff)] as number) ^
        (table[1280 + ((low >>> 16) & 0xff)] as number) ^
        (table[1024 + (low >>> 24)] as number) ^
        (table[768 + (high & 0xff)] as number) ^
        (table[512 + ((high >>> 8) & 0xff)] as number) ^
        (table[256 + ((high >>> 16) & 0xff)] as number) ^
        (table[high >>> 24] as number);
    }
  }
  for (; at < length; at++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

// Keys are big-endian, so that LMDB's byte order is their numeric order.

const FILTER = 1;

/** Journal: the record's first sequence, 8 bytes. */
export function journalKey(firstSequence: bigint): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(firstSequence);
  return key;
}

export function journalSequence(key: Uint8Array): bigint {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE();
}

/** Segment meta: the segment's id, 4 bytes. */
export function segmentKey(segmentId: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(segmentId);
  return key;
}

/** A sealed column: segment id, then the column's index in the meta, 2 bytes. */
export function columnKey(segmentId: number, columnIndex: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUInt32BE(segmentId);
  key.writeUInt16BE(columnIndex, 4);
  return key;
}

/** The filter of a sealed column's texts: the column's key and a byte, so it comes right after the column. */
export function filterKey(segmentId: number, columnIndex: number): Buffer {
  return Buffer.concat([columnKey(segmentId, columnIndex), Buffer.of(FILTER)]);
}

/** Expiry index of receipts: the time in µs, 8 bytes, then the receipt's own key. */
export function receiptExpiryKey(expiresAtUs: bigint, receiptKey: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(8 + receiptKey.length);
  key.writeBigUInt64BE(expiresAtUs);
  key.set(receiptKey, 8);
  return key;
}

/** Duplicates: the first sequence of the record that left them out, then a counter for those of the same sequence. */
export function duplicatesKey(sequence: bigint, index: number): Buffer {
  const key = Buffer.allocUnsafeSlow(12);
  key.writeBigUInt64BE(sequence);
  key.writeUInt32BE(index, 8);
  return key;
}

export function duplicatesKeyParts(key: Uint8Array): { sequence: bigint; index: number } {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return { sequence: bytes.readBigUInt64BE(), index: bytes.readUInt32BE(8) };
}

/** In table `stream`: the newest time that the engine has told, µs as i64; nothing is received before it again. */
export const clockKey = Buffer.from("clock");

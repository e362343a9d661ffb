import { crc32c } from "../base/crc32c.ts";
import type { Core } from "../core/core.ts";
import * as format from "./column-format.ts";

// ── Filter of texts v1: says of a text that a column certainly has it not, or that it may ─────────────
//
//   0    magic 'MRF1' u32 │ 4 version u16 │ 6 flags u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16   blocks u32 │ 20 texts u32 │ 24 zeros to 32
//   32   blocks × 32 bytes: a split-block Bloom filter, see assembly/encode/text-filter.ts
const MAGIC = 0x3146524d;
const VERSION = 1;
const HEADER_SIZE = format.FILTER_HEADER_SIZE;
const BLOCK_SIZE = format.FILTER_BLOCK_SIZE;

/** Fewer texts than these decode in no time. */
const TEXTS_MIN = 1024;
/** 8 bits a text: 32 texts fill a block. */
const TEXTS_PER_BLOCK = 32;
/** A filter takes at most this part of its column. */
const COLUMN_PART_MAX = 1 / 3;
/** Of 1,000 texts of a segment's second half: where its first half has more of them, other segments have them too. */
const REPEATED_MAX = 500;

export interface FilterSource {
  /** Address of { address u32, length u32 } × entries. Some may be equal. */
  readonly entries: number;
  readonly entryCount: number;
  /** Different texts, and rows that have one. */
  readonly texts: number;
  readonly count: number;
  /** Bytes of the column in LMDB. */
  readonly columnBytes: number;
  /** What the column was just encoded with. */
  readonly scratch: number;
  /** Room for the filter. */
  readonly out: number;
  readonly capacity: number;
}

/** The filter of a text column that was just encoded; null where it would not pay. */
export function makeTextFilter({ exports, u8 }: Core, source: FilterSource): Uint8Array | null {
  const { texts, count, columnBytes, scratch, out } = source;
  const blocks = Math.ceil(texts / TEXTS_PER_BLOCK);
  const length = HEADER_SIZE + blocks * BLOCK_SIZE;
  if (texts < TEXTS_MIN || length > columnBytes * COLUMN_PART_MAX) return null;
  if (length > source.capacity) return null;
  if (Number(exports.repeatedTexts?.(scratch, count)) > REPEATED_MAX) return null;
  exports.filterTexts?.(source.entries, source.entryCount, blocks, out);
  const bytes = new Uint8Array(length);
  bytes.set(u8.subarray(out, out + blocks * BLOCK_SIZE), HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint32(12, length, true);
  view.setUint32(16, blocks, true);
  view.setUint32(20, texts, true);
  view.setUint32(8, crc32c(bytes.subarray(16)), true);
  return bytes;
}

/** Whether the bytes are a filter, and those that were written. `checksum` computes a CRC-32C. */
export function isTextFilter(bytes: Uint8Array, checksum = crc32c): boolean {
  if (bytes.length < HEADER_SIZE + BLOCK_SIZE) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (
    view.getUint32(0, true) === MAGIC &&
    view.getUint16(4, true) === VERSION &&
    view.getUint16(6, true) === 0 &&
    view.getUint32(12, true) === bytes.length &&
    view.getUint32(16, true) * BLOCK_SIZE + HEADER_SIZE === bytes.length &&
    view.getUint32(8, true) === checksum(bytes.subarray(16))
  );
}

const SALTS = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
];

/** A query asks the filters of many segments for the same texts. */
const hashes = new WeakMap<Uint8Array, bigint>();

/** False: no text of the column is this one. `bytes` is a filter that was checked; `text` is not changed later. */
export function mayHaveText(bytes: Uint8Array, text: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = hashText(text);
    hashes.set(text, hash);
  }
  const blocks = BigInt(view.getUint32(16, true));
  const block = HEADER_SIZE + Number(((hash >> 32n) * blocks) >> 32n) * BLOCK_SIZE;
  const low = Number(hash & 0xffffffffn);
  return SALTS.every((salt, word) => {
    const bit = Math.imul(low, salt) >>> 27;
    return ((view.getUint32(block + word * 4, true) >>> bit) & 1) === 1;
  });
}

const K0 = 0x9e3779b97f4a7c15n;
const K1 = 0xbf58476d1ce4e5b9n;
const K2 = 0x94d049bb133111ebn;

function times(value: bigint, factor: bigint): bigint {
  return BigInt.asUintN(64, value * factor);
}

function mix(value: bigint): bigint {
  const once = times(value ^ (value >> 30n), K1);
  const twice = times(once ^ (once >> 27n), K2);
  return twice ^ (twice >> 31n);
}

/** The hash of assembly/memory/hash.ts, for one text: no shared memory is needed for it. */
export function hashText(text: Uint8Array): bigint {
  const padded = new Uint8Array(Math.max(16, Math.ceil(text.length / 16) * 16));
  padded.set(text);
  const view = new DataView(padded.buffer);
  let a = K0 ^ BigInt(text.length);
  let b = K2;
  let at = 0;
  for (; text.length - at > 16; at += 16) {
    a = times(a ^ view.getBigUint64(at, true), K1);
    b = times(b ^ view.getBigUint64(at + 8, true), K0);
    a ^= a >> 32n;
    b ^= b >> 29n;
  }
  a = times(a ^ view.getBigUint64(at, true), K1);
  b = times(b ^ view.getBigUint64(at + 8, true), K0);
  return mix(a ^ (a >> 32n) ^ BigInt.asUintN(64, (b << 32n) | (b >> 32n)));
}

import { deflateRawSync, inflateRawSync } from "node:zlib";
import * as format from "./column-format.ts";

// The one part of a sealed column that is made outside the core: a large text section may be stored deflated.
// The header stays as it is but for one flag; its length and checksum are always those of the inflated bytes.

/** Smaller text sections are not worth the call. */
const DEFLATE_BYTES_MIN = 4096;
const SAMPLE_BYTES = 16_384;
/** Inflating takes longer than decoding, so at least this part of the whole column must be saved. */
const SAVED_PART_MIN = 0.15;
const LEVEL = 3;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What LMDB keeps of a sealed column: the same bytes, or a new array whose text section is deflated. */
export function storeColumn(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  const textOffset = view.getUint32(format.COLUMN_BYTES_TEXT, true);
  if (textOffset === 0 || bytes.length - textOffset < DEFLATE_BYTES_MIN) return bytes;
  const text = bytes.subarray(textOffset);
  const textPartMax = 1 - (SAVED_PART_MIN * bytes.length) / text.length;
  if (textPartMax <= 0) return bytes;
  if (text.length > 4 * SAMPLE_BYTES) {
    const from = (text.length - SAMPLE_BYTES) >> 1;
    const sample = deflateRawSync(text.subarray(from, from + SAMPLE_BYTES), { level: LEVEL });
    if (sample.length > SAMPLE_BYTES * textPartMax) return bytes;
  }
  const deflated = deflateRawSync(text, { level: LEVEL });
  if (deflated.length > text.length * textPartMax) return bytes;
  const stored = new Uint8Array(textOffset + deflated.length);
  stored.set(bytes.subarray(0, textOffset));
  stored.set(deflated, textOffset);
  viewOf(stored).setUint16(format.COLUMN_BYTES_FLAGS, format.COLUMN_BYTES_DEFLATED, true);
  return stored;
}

/**
 * The bytes that the core decodes, of what LMDB kept. They are checked there; here only what is needed to
 * inflate is. Answers undefined when the stored bytes can't be inflated to what their header says.
 */
export function loadColumn(stored: Uint8Array): Uint8Array | undefined {
  if (stored.length < format.COLUMN_BYTES_HEADER_SIZE) return stored;
  const view = viewOf(stored);
  if (view.getUint16(format.COLUMN_BYTES_FLAGS, true) !== format.COLUMN_BYTES_DEFLATED) {
    return stored;
  }
  const length = view.getUint32(format.COLUMN_BYTES_LENGTH, true);
  const textOffset = view.getUint32(format.COLUMN_BYTES_TEXT, true);
  const textBytes = length - textOffset;
  if (textOffset < format.COLUMN_BYTES_HEADER_SIZE || textOffset > stored.length) return undefined;
  if (textBytes <= 0 || textBytes > format.TEXT_BYTES_MAX) return undefined;
  let text: Buffer;
  try {
    // One byte more than announced shows a stream that is too long without inflating it all.
    text = inflateRawSync(stored.subarray(textOffset), { maxOutputLength: textBytes + 1 });
  } catch {
    return undefined;
  }
  if (text.length !== textBytes) return undefined;
  const bytes = new Uint8Array(length);
  bytes.set(stored.subarray(0, textOffset));
  bytes.set(text, textOffset);
  viewOf(bytes).setUint16(format.COLUMN_BYTES_FLAGS, 0, true);
  return bytes;
}

/** The smallest and the largest number of a sealed number column, from its header. */
export function numberZone(bytes: Uint8Array): { min: bigint | number; max: bigint | number } {
  const view = viewOf(bytes);
  const form = view.getUint8(format.COLUMN_BYTES_FORM);
  const kinds = view.getUint8(format.COLUMN_BYTES_ZONE_KINDS);
  const read = (offset: number, isFloat: boolean): bigint | number => {
    if (form === format.FORM_DECIMAL) {
      const scale = 10 ** view.getUint8(format.COLUMN_BYTES_EXPONENT);
      return Number(view.getBigInt64(offset, true)) / scale;
    }
    const floats = (form === format.FORM_F64 || form === format.FORM_MIXED) && isFloat;
    return floats ? view.getFloat64(offset, true) : view.getBigInt64(offset, true);
  };
  return {
    min: read(format.COLUMN_BYTES_MIN, (kinds & 1) !== 0),
    max: read(format.COLUMN_BYTES_MAX, (kinds & 2) !== 0),
  };
}

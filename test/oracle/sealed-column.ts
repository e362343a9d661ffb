import type { Cell, PlainColumn } from "./encode.ts";

// The sealed column format read one value at a time, from docs/formats/segment.md alone: no checks, no speed.

const BLOCK = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes one sealed, inflated column. */
export function readSealedColumn(bytes: Uint8Array): PlainColumn {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  const rows = u32(16);
  const count = u32(20);
  const lane = view.getUint8(24);
  const present = readPresence(view, rows, count);
  const values = count === 0 ? [] : readValues(view, count);
  let next = 0;
  return { lane, cells: present.map((is) => (is ? (values[next++] as Cell) : undefined)) };
}

/** The words of the packed stream at `offset`, and the bytes it takes. */
function readStream(view: DataView, offset: number): { words: bigint[]; length: number } {
  const count = view.getUint32(offset, true);
  const words: bigint[] = [];
  for (let block = 0; block * BLOCK < count; block++) {
    const entry = offset + 16 + block * 16;
    const n = Math.min(BLOCK, count - block * BLOCK);
    const width = view.getUint8(entry + 4);
    const mode = view.getUint8(entry + 5);
    const base = view.getBigInt64(entry + 8, true);
    let payload = offset + view.getUint32(entry, true);
    if (mode === 4) {
      words.push(...readRuns(view, payload, width, base));
      continue;
    }
    let value = 0n;
    if (mode & 1) {
      value = view.getBigInt64(payload, true);
      payload += 8;
    }
    let step = 1n;
    if (mode & 2) {
      step = view.getBigUint64(payload, true);
      payload += 8;
    }
    const packed = (i: number): bigint => readBits(view, payload, i * width, width);
    if (mode & 1) words.push(value);
    for (let i = mode & 1; i < n; i++) {
      const difference = base + step * packed(i - (mode & 1));
      value = BigInt.asIntN(64, mode & 1 ? value + difference : difference);
      words.push(value);
    }
  }
  return { words, length: view.getUint32(offset + 4, true) };
}

function readRuns(view: DataView, payload: number, width: number, base: bigint): bigint[] {
  const runs = view.getUint32(payload, true);
  const lengths = payload + 8;
  const values = lengths + Math.ceil((runs * 12) / 64) * 8;
  return Array.from({ length: runs }, (_, run) => {
    const length = Number(readBits(view, lengths, run * 12, 12)) + 1;
    const word = BigInt.asIntN(64, base + readBits(view, values, run * width, width));
    return new Array<bigint>(length).fill(word);
  }).flat();
}

function readBits(view: DataView, offset: number, from: number, width: number): bigint {
  let bits = 0n;
  const last = (from + width + 7) >> 3;
  for (let byte = last - 1; byte >= from >> 3; byte--) {
    bits = (bits << 8n) | BigInt(view.getUint8(offset + byte));
  }
  return BigInt.asUintN(width, bits >> BigInt(from & 7));
}

function readPresence(view: DataView, rows: number, count: number): boolean[] {
  const kind = view.getUint8(27);
  const offset = view.getUint32(36, true);
  const present = new Array<boolean>(rows).fill(kind === 0 || kind === 4);
  if (kind === 2) {
    return present.map((_, row) => ((view.getUint8(offset + (row >> 3)) >> (row & 7)) & 1) === 1);
  }
  if (kind >= 3 && count > 0) {
    for (const row of readStream(view, offset).words) present[Number(row)] = kind === 3;
  }
  return present;
}

function readValues(view: DataView, count: number): Cell[] {
  const form = view.getUint8(25);
  const offset = view.getUint32(44, true);
  if (form === 7) return new Array<Cell>(count).fill(null);
  if (form === 6 && view.getUint8(26) === 7) return readIdBlocks(view, offset, count);
  if (form === 6) return Array.from({ length: count }, (_, i) => readId(view, offset + i * 16));
  if (form === 4) return readTexts(view);
  const words = readWords(view, count);
  if (form === 5) return words.map((word) => word === 1n);
  if (form === 0) return words;
  if (form === 1) return words.map((word) => Number(word) / 10 ** view.getUint8(28));
  if (form === 2) return words.map(bitsToFloat);
  const kinds = view.getUint32(40, true);
  return words.map((word, i) =>
    (view.getUint8(kinds + (i >> 3)) >> (i & 7)) & 1 ? bitsToFloat(word) : word,
  );
}

function bitsToFloat(word: bigint): number {
  return new Float64Array(BigInt64Array.of(word).buffer)[0] as number;
}

function readId(view: DataView, offset: number): string {
  let hex = "";
  for (let i = 0; i < 16; i++)
    hex += view
      .getUint8(offset + i)
      .toString(16)
      .padStart(2, "0");
  return hex;
}

function readIdBlocks(view: DataView, offset: number, count: number): string[] {
  const streams = offset + Math.ceil(count / BLOCK) * 32;
  const high = readStream(view, streams);
  const low = readStream(view, streams + high.length);
  const half = (entry: number, word: bigint): string => {
    let value = view.getBigUint64(entry, true);
    const mask = view.getBigUint64(entry + 8, true);
    let rest = BigInt.asUintN(64, word);
    for (let bit = 0n; bit < 64n; bit++) {
      if (((mask >> bit) & 1n) === 0n) continue;
      value |= (rest & 1n) << bit;
      rest >>= 1n;
    }
    return value.toString(16).padStart(16, "0");
  };
  return high.words.map((word, i) => {
    const entry = offset + Math.floor(i / BLOCK) * 32;
    return half(entry, word) + half(entry + 16, low.words[i] as bigint);
  });
}

function readWords(view: DataView, count: number): bigint[] {
  const encoding = view.getUint8(26);
  const offset = view.getUint32(44, true);
  if (encoding === 1) return readStream(view, offset).words;
  if (encoding === 2) {
    const dictionary = readStream(view, view.getUint32(48, true)).words;
    return readStream(view, offset).words.map((code) => dictionary[Number(code)] as bigint);
  }
  if (encoding === 4) {
    return Array.from({ length: count }, (_, i) => view.getBigInt64(offset + i * 8, true));
  }
  const words: bigint[] = [];
  for (let block = 0; block * BLOCK < count; block++) {
    const n = Math.min(BLOCK, count - block * BLOCK);
    const lengths = offset + view.getUint32(offset + block * 8, true);
    let next = lengths + ((n + 1) >> 1);
    let word = 0n;
    for (let i = 0; i < n; i++) {
      const length = (view.getUint8(lengths + (i >> 1)) >> ((i & 1) * 4)) & 15;
      word ^= readBits(view, next, 0, length * 8);
      next += length;
      words.push(BigInt.asIntN(64, word));
    }
  }
  return words;
}

function readTexts(view: DataView): Cell[] {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const dictionary = view.getUint32(48, true);
  const count = view.getUint32(52, true);
  let next = view.getUint32(60, true);
  const take = (length: bigint): Uint8Array => {
    next += Number(length);
    return bytes.subarray(next - Number(length), next);
  };
  const decode = (entry: Uint8Array): string => utf8.decode(entry);
  if (view.getUint8(26) === 6) {
    return readStream(view, dictionary).words.map((length) => decode(take(length)));
  }
  const sharedAt = dictionary + Math.ceil((Math.ceil(count / BLOCK) * 4) / 16) * 16;
  const shared = readStream(view, sharedAt);
  const lengths = readStream(view, sharedAt + shared.length);
  const whole = view.getUint8(30) === 1;
  let entry = new Uint8Array(0);
  const texts = lengths.words.map((length, i) => {
    const common = shared.words[i] as bigint;
    const suffix = take(whole ? length - common : length);
    entry = Uint8Array.of(...entry.subarray(0, Number(common)), ...suffix);
    return decode(entry);
  });
  return readStream(view, view.getUint32(44, true)).words.map(
    (code) => texts[Number(code)] as string,
  );
}

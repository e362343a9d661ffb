import { crc32c } from "../base/crc32c.ts";
import { CorruptionError } from "../errors.ts";
import { segmentRowsMax } from "../limits.ts";
import type { Zone, ZoneValue } from "./zone.ts";

// ── Segment meta v2: everything about a sealed segment but its columns ────────────────────────────────
//
//   0    magic 'MRG1' u32 │ 4 version u16 │ 6 flags u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16   segment id u32 │ 20 rows u32 │ 24 first sequence i64
//   32   earliest timestamp i64 µs │ 40 latest timestamp i64 µs
//   48   partition u32 │ 52 records u32 │ 56 columns u32 │ 60 texts bytes u32
//   64   watermarks offset u32 (0: none) │ 68 watermarks bytes u32
//   72   deletion bitmap: kind u32 (0: nothing is deleted; other kinds are of later versions) │ 76 reference u32
//   80   zeros to 96
//   96   records: 32 bytes each, as in a slot
//        first row u32 │ rows u32 │ received at i64 µs │ duplicates u32 │ rejected u32 │ zeros to 32
//        columns: 48 bytes each, in the order of their LMDB keys
//        path offset u32 │ path bytes u16 │ lane u8 │ encoding u8 │ present u32 │ bytes u32
//        zone kind u8 │ kind of min u8 │ kind of max u8 │ zeros to 24 │ min 8 bytes │ max 8 bytes
//        dictionary entries u32 │ filter bytes u32 (0: none), both 0 in version 1
//        texts: paths and the texts of zones (min and max are then { offset u32, bytes u32 })
//        watermarks, 16-byte aligned: opaque here
const MAGIC = 0x3147524d;
const VERSION = 2;
const VERSION_MIN = 1;
const HEADER_SIZE = 96;
const RECORD_SIZE = 32;
const COLUMN_SIZE = 48;
const ZONE_NONE = 0;
const ZONE_SOME = 1;
const VALUE_I64 = 1;
const VALUE_F64 = 2;
const VALUE_TEXT = 3;
const VALUE_BOOLEAN = 4;

/** A journal record inside the segment: where its rows begin, when it came, what it left out. */
export interface SegmentRecord {
  readonly firstRow: number;
  readonly rows: number;
  readonly receivedAtUs: bigint;
  readonly duplicates: number;
  readonly rejected: number;
}

/** A sealed column. Its index in the meta is the index of its LMDB key. */
export interface SegmentColumn {
  readonly path: string;
  readonly lane: number;
  /** Rows that have a value. */
  readonly count: number;
  /** Bytes in LMDB. */
  readonly bytes: number;
  readonly encoding: number;
  /** Entries of its dictionary, of texts or of numbers; 0 also where a segment of version 1 does not say. */
  readonly entries: number;
  /** Bytes of its filter of texts in LMDB; 0: it has none. */
  readonly filterBytes: number;
  /** null: nothing is known of the values, or there are none. */
  readonly zone: Zone | null;
}

export interface SegmentMeta {
  readonly id: number;
  readonly firstSequence: bigint;
  readonly rows: number;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly partition: number;
  readonly records: readonly SegmentRecord[];
  readonly columns: readonly SegmentColumn[];
  readonly watermarks?: Uint8Array;
}

/** A segment on its way from its slot to LMDB. */
export interface SealedSegment {
  readonly meta: SegmentMeta;
  /** One for each column of the meta, in its order; each in a buffer of its own. */
  readonly columns: readonly Uint8Array[];
  /** The filters of columns that have one, by the column's index. */
  readonly filters?: readonly (Uint8Array | null)[];
}

/** Bytes in LMDB of a segment's columns and filters. */
export function segmentBytes({ columns }: SegmentMeta): number {
  return columns.reduce((sum, { bytes, filterBytes }) => sum + bytes + filterBytes, 0);
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Texts one after another, and where each one lies. */
class Texts {
  readonly #parts: Uint8Array[] = [];
  readonly #base: number;
  size = 0;

  constructor(base: number) {
    this.#base = base;
  }

  add(text: string): { offset: number; bytes: number } {
    const part = utf8.encode(text);
    const offset = this.#base + this.size;
    this.#parts.push(part);
    this.size += part.length;
    return { offset, bytes: part.length };
  }

  writeTo(bytes: Uint8Array): void {
    let at = this.#base;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
}

/** Encodes a segment's meta as private bytes. */
export function encodeSegmentMeta(meta: SegmentMeta): Uint8Array {
  const columnsAt = HEADER_SIZE + meta.records.length * RECORD_SIZE;
  const textsAt = columnsAt + meta.columns.length * COLUMN_SIZE;
  const texts = new Texts(textsAt);
  const columns = new DataView(new ArrayBuffer(meta.columns.length * COLUMN_SIZE));
  meta.columns.forEach((column, index) => {
    writeColumn(columns, index * COLUMN_SIZE, column, texts);
  });
  const watermarks = meta.watermarks ?? new Uint8Array(0);
  const watermarksAt = Math.ceil((textsAt + texts.size) / 16) * 16;
  const bytes = new Uint8Array(watermarksAt + watermarks.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, meta.id, true);
  view.setUint32(20, meta.rows, true);
  view.setBigInt64(24, meta.firstSequence, true);
  view.setBigInt64(32, meta.timeMinUs, true);
  view.setBigInt64(40, meta.timeMaxUs, true);
  view.setUint32(48, meta.partition, true);
  view.setUint32(52, meta.records.length, true);
  view.setUint32(56, meta.columns.length, true);
  view.setUint32(60, texts.size, true);
  if (meta.watermarks !== undefined) view.setUint32(64, watermarksAt, true);
  view.setUint32(68, watermarks.length, true);
  meta.records.forEach((record, index) => {
    writeRecord(view, HEADER_SIZE + index * RECORD_SIZE, record);
  });
  bytes.set(new Uint8Array(columns.buffer), columnsAt);
  texts.writeTo(bytes);
  bytes.set(watermarks, watermarksAt);
  view.setUint32(8, crc32c(bytes.subarray(16)), true);
  return bytes;
}

function writeRecord(view: DataView, at: number, record: SegmentRecord): void {
  view.setUint32(at, record.firstRow, true);
  view.setUint32(at + 4, record.rows, true);
  view.setBigInt64(at + 8, record.receivedAtUs, true);
  view.setUint32(at + 16, record.duplicates, true);
  view.setUint32(at + 20, record.rejected, true);
}

function writeColumn(view: DataView, at: number, column: SegmentColumn, texts: Texts): void {
  const path = texts.add(column.path);
  view.setUint32(at, path.offset, true);
  view.setUint16(at + 4, path.bytes, true);
  view.setUint8(at + 6, column.lane);
  view.setUint8(at + 7, column.encoding);
  view.setUint32(at + 8, column.count, true);
  view.setUint32(at + 12, column.bytes, true);
  view.setUint32(at + 40, column.entries, true);
  view.setUint32(at + 44, column.filterBytes, true);
  if (column.zone === null) return;
  view.setUint8(at + 16, ZONE_SOME);
  view.setUint8(at + 17, writeValue(view, at + 24, column.zone.min, texts));
  view.setUint8(at + 18, writeValue(view, at + 32, column.zone.max, texts));
}

function writeValue(view: DataView, at: number, value: ZoneValue, texts: Texts): number {
  if (typeof value === "bigint") {
    view.setBigInt64(at, value, true);
    return VALUE_I64;
  }
  if (typeof value === "number") {
    view.setFloat64(at, value, true);
    return VALUE_F64;
  }
  if (typeof value === "boolean") {
    view.setUint8(at, value ? 1 : 0);
    return VALUE_BOOLEAN;
  }
  const text = texts.add(value);
  view.setUint32(at, text.offset, true);
  view.setUint32(at + 4, text.bytes, true);
  return VALUE_TEXT;
}

/**
 * Decodes a segment's meta; the result shares no memory with `bytes`.
 * @throws CorruptionError that names the segment, what was got and what was wanted.
 */
export function decodeSegmentMeta(bytes: Uint8Array): SegmentMeta {
  const view = checkedView(bytes);
  const u32 = (at: number): number => view.getUint32(at, true);
  const id = u32(16);
  const rows = u32(20);
  const columnsAt = HEADER_SIZE + u32(52) * RECORD_SIZE;
  const textsAt = columnsAt + u32(56) * COLUMN_SIZE;
  const textsEnd = textsAt + u32(60);
  const watermarksAt = u32(64);
  const watermarksEnd = watermarksAt + u32(68);
  check(id, "rows", rows, `1 to ${segmentRowsMax}`, rows >= 1 && rows <= segmentRowsMax);
  check(id, "end of texts", textsEnd, `at most ${bytes.length}`, textsEnd <= bytes.length);
  const inside = watermarksAt === 0 || (watermarksAt >= textsEnd && watermarksEnd <= bytes.length);
  check(id, "watermarks offset", watermarksAt, "one within the meta", inside);
  check(id, "deletion kind", u32(72), "0", u32(72) === 0);
  const text = (offset: number, length: number): string => {
    const within = offset >= textsAt && offset + length <= textsEnd;
    check(id, "text offset", offset, `${textsAt} to ${textsEnd}`, within);
    try {
      return decoder.decode(bytes.subarray(offset, offset + length));
    } catch {
      throw corrupt(id, "text", "bytes that are not UTF-8", "UTF-8");
    }
  };
  const meta = {
    id,
    firstSequence: view.getBigInt64(24, true),
    rows,
    timeMinUs: view.getBigInt64(32, true),
    timeMaxUs: view.getBigInt64(40, true),
    partition: u32(48),
    records: Array.from({ length: u32(52) }, (_, index) =>
      readRecord(view, HEADER_SIZE + index * RECORD_SIZE),
    ),
    columns: Array.from({ length: u32(56) }, (_, index) =>
      readColumn(view, columnsAt + index * COLUMN_SIZE, text, id),
    ),
  };
  for (const { firstRow, rows: length } of meta.records) {
    check(id, "end of a record", firstRow + length, `at most ${rows}`, firstRow + length <= rows);
  }
  if (watermarksAt === 0) return meta;
  return { ...meta, watermarks: Uint8Array.from(bytes.subarray(watermarksAt, watermarksEnd)) };
}

function corrupt(id: number | string, what: string, got: unknown, want: string): CorruptionError {
  return new CorruptionError("segment_corrupt", `segment ${id}: got ${what} ${got}, want ${want}`);
}

function check(id: number, what: string, got: number, want: string, holds: boolean): void {
  if (!holds) throw corrupt(id, what, got, want);
}

/** A view of bytes whose magic, version, length and checksum are right. */
function checkedView(bytes: Uint8Array): DataView {
  if (bytes.length < HEADER_SIZE) {
    throw corrupt("of unknown id", "meta bytes", bytes.length, `at least ${HEADER_SIZE}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const id = view.getUint32(16, true);
  const magic = view.getUint32(0, true);
  const version = view.getUint16(4, true);
  const flags = view.getUint16(6, true);
  const length = view.getUint32(12, true);
  check(id, "magic", magic, `${MAGIC}`, magic === MAGIC);
  const known = version >= VERSION_MIN && version <= VERSION;
  check(id, "version", version, `${VERSION_MIN} to ${VERSION}`, known);
  check(id, "flags", flags, "0", flags === 0);
  check(id, "length", length, `${bytes.length}`, length === bytes.length);
  const stored = view.getUint32(8, true);
  const crc = crc32c(bytes.subarray(16));
  check(id, "checksum", crc, `${stored}`, crc === stored);
  return view;
}

function readRecord(view: DataView, at: number): SegmentRecord {
  return {
    firstRow: view.getUint32(at, true),
    rows: view.getUint32(at + 4, true),
    receivedAtUs: view.getBigInt64(at + 8, true),
    duplicates: view.getUint32(at + 16, true),
    rejected: view.getUint32(at + 20, true),
  };
}

type ReadText = (offset: number, bytes: number) => string;

function readColumn(view: DataView, at: number, text: ReadText, id: number): SegmentColumn {
  const zoneKind = view.getUint8(at + 16);
  check(id, "zone kind", zoneKind, "0 or 1", zoneKind === ZONE_NONE || zoneKind === ZONE_SOME);
  return {
    path: text(view.getUint32(at, true), view.getUint16(at + 4, true)),
    lane: view.getUint8(at + 6),
    encoding: view.getUint8(at + 7),
    count: view.getUint32(at + 8, true),
    bytes: view.getUint32(at + 12, true),
    entries: view.getUint32(at + 40, true),
    filterBytes: view.getUint32(at + 44, true),
    zone:
      zoneKind === ZONE_NONE
        ? null
        : {
            min: readValue(view, at + 24, view.getUint8(at + 17), text, id),
            max: readValue(view, at + 32, view.getUint8(at + 18), text, id),
          },
  };
}

function readValue(
  view: DataView,
  at: number,
  kind: number,
  text: ReadText,
  id: number,
): ZoneValue {
  if (kind === VALUE_I64) return view.getBigInt64(at, true);
  if (kind === VALUE_F64) return view.getFloat64(at, true);
  if (kind === VALUE_BOOLEAN) return view.getUint8(at) !== 0;
  if (kind === VALUE_TEXT) return text(view.getUint32(at, true), view.getUint32(at + 4, true));
  throw corrupt(id, "kind of a zone value", kind, "1 to 4");
}

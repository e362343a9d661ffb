// Writes ColumnBatch v1 bytes in plain TypeScript, as assembly/layout.ts draws them: input for tests of
// everything behind the decoder, and the slow twin of the decoder's finish.
import * as layout from "../../src/core/layout.ts";

/** A cell: bigint is an i64, number an f64, `{ json }` the text of a JSON cell, null a JSON null. */
export type MadeCell = string | number | bigint | boolean | null | { readonly json: string };

export interface MadeRow {
  /** 16 bytes. */
  id: Uint8Array;
  /** Whether the engine made the id. */
  made?: boolean;
  timestampUs: bigint;
  /** Path to cell; a path may have a cell in one lane only. */
  cells: ReadonlyMap<string, MadeCell>;
}

export interface BatchOptions {
  firstSequence?: bigint;
  receivedAtUs?: bigint;
  partition?: number;
  duplicates?: number;
  rejected?: number;
  /** One per row; the section is left out when all are 0. */
  latenessUs?: readonly bigint[];
}

export function laneOf(cell: MadeCell): number {
  if (cell === null) return layout.LANE_NULL;
  if (typeof cell === "string") return layout.LANE_STRING;
  if (typeof cell === "boolean") return layout.LANE_BOOLEAN;
  return typeof cell === "object" ? layout.LANE_JSON : layout.LANE_NUMBER;
}

interface MadeColumn {
  path: string;
  lane: number;
  rows: number[];
  cells: MadeCell[];
}

/** Grows by whole sections, each 16-byte aligned. */
class Sections {
  bytes = new Uint8Array(1024);
  length = 0;

  /** Copies `section` to the end and answers its offset. */
  add(section: Uint8Array): number {
    const offset = (this.length + 15) & ~15;
    const end = (offset + section.length + 15) & ~15;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(section, offset);
    this.length = end;
    return offset;
  }
}

function columnsOf(rows: readonly MadeRow[]): MadeColumn[] {
  const columns = new Map<string, MadeColumn>();
  rows.forEach((row, index) => {
    for (const [path, cell] of row.cells) {
      const lane = laneOf(cell);
      const key = `${lane} ${path}`;
      let column = columns.get(key);
      if (column === undefined) {
        column = { path, lane, rows: [], cells: [] };
        columns.set(key, column);
      }
      column.rows.push(index);
      column.cells.push(cell);
    }
  });
  return [...columns.values()];
}

function bitmap(size: number, set: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(size / 128) * 16);
  for (const i of set) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
  return bits;
}

function longs(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values).buffer);
}

/** The bytes of a batch, with its checksum. */
export function makeBatch(rows: readonly MadeRow[], options: BatchOptions = {}): Uint8Array {
  const columns = columnsOf(rows);
  const sections = new Sections();
  sections.add(new Uint8Array(layout.BATCH_HEADER_SIZE));
  const descriptors = sections.add(new Uint8Array(columns.length * layout.BATCH_COLUMN_SIZE));
  const ids = new Uint8Array(rows.length * 16);
  rows.forEach((row, index) => {
    ids.set(row.id, index * 16);
  });
  const idsAt = sections.add(ids);
  const made = rows.flatMap((row, index) => (row.made ? [index] : []));
  const madeAt = made.length === 0 ? 0 : sections.add(bitmap(rows.length, made));
  const timestampsAt = sections.add(longs(rows.map((row) => row.timestampUs)));
  const late = options.latenessUs?.some((lateness) => lateness !== 0n) ?? false;
  const latenessAt = late ? sections.add(longs(options.latenessUs ?? [])) : 0;
  columns.forEach((column, index) => {
    const descriptor = writeColumn(sections, column, rows.length);
    sections.bytes.set(descriptor, descriptors + index * layout.BATCH_COLUMN_SIZE);
  });

  const view = new DataView(sections.bytes.buffer);
  view.setUint32(0, layout.BATCH_MAGIC, true);
  view.setUint16(4, layout.BATCH_VERSION, true);
  view.setUint32(layout.BATCH_LENGTH, sections.length, true);
  view.setUint32(layout.BATCH_ROWS, rows.length, true);
  view.setUint32(layout.BATCH_COLUMNS, columns.length, true);
  view.setBigInt64(layout.BATCH_FIRST_SEQUENCE, options.firstSequence ?? 0n, true);
  view.setBigInt64(layout.BATCH_RECEIVED_AT, options.receivedAtUs ?? 0n, true);
  view.setUint32(layout.BATCH_PARTITION, options.partition ?? 0, true);
  view.setUint32(layout.BATCH_DUPLICATES, options.duplicates ?? 0, true);
  view.setUint32(layout.BATCH_DESCRIPTORS, descriptors, true);
  view.setUint32(layout.BATCH_IDS, idsAt, true);
  view.setUint32(layout.BATCH_MADE_IDS, madeAt, true);
  view.setUint32(layout.BATCH_TIMESTAMPS, timestampsAt, true);
  view.setUint32(layout.BATCH_LATENESS, latenessAt, true);
  view.setUint32(layout.BATCH_REJECTED, options.rejected ?? 0, true);
  const batch = sections.bytes.slice(0, sections.length);
  new DataView(batch.buffer).setUint32(layout.BATCH_CRC, crc32c(batch.subarray(16)), true);
  return batch;
}

/** Writes the sections of a column and answers its descriptor. */
function writeColumn(sections: Sections, column: MadeColumn, rows: number): Uint8Array {
  const descriptor = new Uint8Array(layout.BATCH_COLUMN_SIZE);
  const view = new DataView(descriptor.buffer);
  const path = new TextEncoder().encode(column.path);
  view.setUint32(layout.BATCH_COLUMN_PATH, sections.add(path), true);
  view.setUint16(layout.BATCH_COLUMN_PATH_LENGTH, path.length, true);
  view.setUint8(layout.BATCH_COLUMN_LANE, column.lane);
  view.setUint32(layout.BATCH_COLUMN_COUNT, column.rows.length, true);
  if (column.rows.length !== rows) {
    view.setUint32(layout.BATCH_COLUMN_PRESENCE, sections.add(bitmap(rows, column.rows)), true);
  }
  if (column.lane === layout.LANE_NUMBER) writeNumbers(sections, column.cells, view);
  else if (column.lane === layout.LANE_BOOLEAN) {
    const values = Uint8Array.from(column.cells, (cell) => (cell === true ? 1 : 0));
    view.setUint32(layout.BATCH_COLUMN_VALUES, sections.add(values), true);
  } else if (column.lane !== layout.LANE_NULL) writeTexts(sections, column.cells, view);
  return descriptor;
}

function writeNumbers(sections: Sections, cells: readonly MadeCell[], descriptor: DataView): void {
  const values = new DataView(new ArrayBuffer(cells.length * 8));
  const doubles: number[] = [];
  cells.forEach((cell, i) => {
    if (typeof cell === "bigint") values.setBigInt64(i * 8, cell, true);
    else {
      values.setFloat64(i * 8, cell as number, true);
      doubles.push(i);
    }
  });
  const mixed = doubles.length !== 0 && doubles.length !== cells.length;
  const encoding = mixed
    ? layout.BATCH_MIXED
    : doubles.length === 0
      ? layout.BATCH_I64
      : layout.BATCH_F64;
  descriptor.setUint8(layout.BATCH_COLUMN_ENCODING, encoding);
  const valuesAt = sections.add(new Uint8Array(values.buffer));
  descriptor.setUint32(layout.BATCH_COLUMN_VALUES, valuesAt, true);
  if (mixed) {
    const kinds = sections.add(bitmap(cells.length, doubles));
    descriptor.setUint32(layout.BATCH_COLUMN_KINDS, kinds, true);
  }
}

function writeTexts(sections: Sections, cells: readonly MadeCell[], descriptor: DataView): void {
  const codes = new Map<string, number>();
  const values: number[] = [];
  for (const cell of cells) {
    const text = cellText(cell);
    const code = codes.get(text) ?? codes.size;
    codes.set(text, code);
    values.push(code);
  }
  const texts = [...codes.keys()].map((text) => Buffer.from(text));
  const ends = new Uint32Array(texts.length);
  let end = 0;
  texts.forEach((text, i) => {
    end += text.length;
    ends[i] = end;
  });
  const width =
    texts.length === cells.length ? 0 : texts.length <= 256 ? 1 : texts.length <= 65_536 ? 2 : 4;
  descriptor.setUint8(layout.BATCH_COLUMN_ENCODING, width);
  if (width !== 0) {
    const narrow = width === 1 ? Uint8Array : width === 2 ? Uint16Array : Uint32Array;
    const bytes = new Uint8Array(narrow.from(values).buffer);
    descriptor.setUint32(layout.BATCH_COLUMN_VALUES, sections.add(bytes), true);
  }
  descriptor.setUint32(layout.BATCH_COLUMN_DICT_COUNT, texts.length, true);
  const endsAt = sections.add(new Uint8Array(ends.buffer));
  descriptor.setUint32(layout.BATCH_COLUMN_DICT_ENDS, endsAt, true);
  const bytesAt = sections.add(Buffer.concat(texts));
  descriptor.setUint32(layout.BATCH_COLUMN_DICT_BYTES, bytesAt, true);
}

function cellText(cell: MadeCell): string {
  return typeof cell === "object" && cell !== null ? cell.json : String(cell);
}

/** CRC-32C (Castagnoli, reflected), one bit at a time. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** An event as `JSON.parse` gives it. */
export interface MadeEvent {
  id?: string;
  timestamp: string;
  event_type: string;
  source?: string | null;
  user_id?: string | null;
  session_id?: string | null;
  properties?: { readonly [key: string]: unknown };
}

/** The row of an event; properties flatten to `properties.` and dotted, escaped paths. */
export function rowOf(event: MadeEvent, madeId?: Uint8Array): MadeRow {
  const cells = new Map<string, MadeCell>();
  for (const name of ["event_type", "source", "user_id", "session_id"] as const) {
    const value = event[name];
    if (value !== undefined) cells.set(name, value);
  }
  flatten(cells, "properties", event.properties ?? {});
  const id =
    event.id === undefined
      ? (madeId ?? new Uint8Array(16))
      : Buffer.from(event.id.replaceAll("-", ""), "hex");
  const made = event.id === undefined;
  return { id, made, timestampUs: BigInt(Date.parse(event.timestamp)) * 1000n, cells };
}

function flatten(cells: Map<string, MadeCell>, path: string, value: object): void {
  for (const [key, cell] of Object.entries(value)) {
    const inner = `${path}.${key.replaceAll(".", "\\.")}`;
    if (typeof cell === "number") {
      const integer = Number.isSafeInteger(cell) && !Object.is(cell, -0);
      cells.set(inner, integer ? BigInt(cell) : cell);
    } else if (typeof cell !== "object" || cell === null) cells.set(inner, cell as MadeCell);
    else if (Array.isArray(cell) || Object.keys(cell).length === 0) {
      cells.set(inner, { json: JSON.stringify(cell) });
    } else flatten(cells, inner, cell);
  }
}

// A ColumnBatch as plain values. Trusts its bytes, as far as batchVerify does.
import { assert } from "../../src/base/assert.ts";
import * as layout from "../../src/core/layout.ts";

/** JSON text as stored, kept apart from a string with the same characters. */
export interface JsonCell {
  readonly json: string;
}

/** A value of a column: i64 as bigint, f64 as number. */
export type Cell = bigint | number | string | boolean | null | JsonCell;

export interface BatchHeader {
  readonly rows: number;
  readonly columns: number;
  readonly length: number;
  readonly firstSequence: bigint;
  readonly receivedAtUs: bigint;
  readonly partition: number;
  readonly duplicates: number;
  readonly rejected: number;
}

export interface BatchColumn {
  /** Escaped and dotted, as stored. */
  readonly path: string;
  readonly lane: number;
  readonly encoding: number;
  /** Entries of the dictionary, empty for lanes without one. */
  readonly dictionary: readonly string[];
  /** One per row; undefined where the row has none. */
  readonly cells: readonly (Cell | undefined)[];
}

export interface BatchRow {
  readonly id: string;
  readonly idMade: boolean;
  readonly timestampUs: bigint;
  readonly latenessUs: bigint;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bit(bytes: Uint8Array, offset: number, index: number): boolean {
  return (((bytes[offset + (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a range that may lie in shared memory, which TextDecoder does not take. */
function textOf(bytes: Uint8Array, begin: number, end: number): string {
  return utf8.decode(bytes.slice(begin, end));
}

export function readHeader(bytes: Uint8Array): BatchHeader {
  const view = viewOf(bytes);
  assert(view.getUint32(0, true) === layout.BATCH_MAGIC, "a batch begins with its magic");
  return {
    rows: view.getUint32(layout.BATCH_ROWS, true),
    columns: view.getUint32(layout.BATCH_COLUMNS, true),
    length: view.getUint32(layout.BATCH_LENGTH, true),
    firstSequence: view.getBigInt64(layout.BATCH_FIRST_SEQUENCE, true),
    receivedAtUs: view.getBigInt64(layout.BATCH_RECEIVED_AT, true),
    partition: view.getUint32(layout.BATCH_PARTITION, true),
    duplicates: view.getUint32(layout.BATCH_DUPLICATES, true),
    rejected: view.getUint32(layout.BATCH_REJECTED, true),
  };
}

export function readRows(bytes: Uint8Array): BatchRow[] {
  const view = viewOf(bytes);
  const read = (offset: number) => view.getUint32(offset, true);
  const made = read(layout.BATCH_MADE_IDS);
  const lateness = read(layout.BATCH_LATENESS);
  return Array.from({ length: read(layout.BATCH_ROWS) }, (_, row) => {
    const at = read(layout.BATCH_IDS) + row * 16;
    const hex = [...bytes.subarray(at, at + 16)].map((b) => b.toString(16).padStart(2, "0"));
    return {
      id: hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
      idMade: made !== 0 && bit(bytes, made, row),
      timestampUs: view.getBigInt64(read(layout.BATCH_TIMESTAMPS) + row * 8, true),
      latenessUs: lateness === 0 ? 0n : view.getBigInt64(lateness + row * 8, true),
    };
  });
}

export function readColumns(bytes: Uint8Array): BatchColumn[] {
  const { rows, columns } = readHeader(bytes);
  const first = viewOf(bytes).getUint32(layout.BATCH_DESCRIPTORS, true);
  return Array.from({ length: columns }, (_, i) =>
    readColumn(bytes, first + i * layout.BATCH_COLUMN_SIZE, rows),
  );
}

function readColumn(bytes: Uint8Array, descriptor: number, rows: number): BatchColumn {
  const view = viewOf(bytes);
  const read = (offset: number) => view.getUint32(descriptor + offset, true);
  const path = read(layout.BATCH_COLUMN_PATH);
  const length = view.getUint16(descriptor + layout.BATCH_COLUMN_PATH_LENGTH, true);
  const lane = view.getUint8(descriptor + layout.BATCH_COLUMN_LANE);
  const encoding = view.getUint8(descriptor + layout.BATCH_COLUMN_ENCODING);
  const presence = read(layout.BATCH_COLUMN_PRESENCE);
  const dictionary = readDictionary(bytes, read);
  const valueAt = valueReader(bytes, lane, encoding, read, dictionary);
  let index = 0;
  const cells = Array.from({ length: rows }, (_, row) =>
    presence === 0 || bit(bytes, presence, row) ? valueAt(index++) : undefined,
  );
  assert(index === read(layout.BATCH_COLUMN_COUNT), "as many values as rows that are present");
  return { path: textOf(bytes, path, path + length), lane, encoding, dictionary, cells };
}

function readDictionary(bytes: Uint8Array, read: (offset: number) => number): string[] {
  const view = viewOf(bytes);
  const ends = read(layout.BATCH_COLUMN_DICT_ENDS);
  const texts = read(layout.BATCH_COLUMN_DICT_BYTES);
  let begin = 0;
  return Array.from({ length: read(layout.BATCH_COLUMN_DICT_COUNT) }, (_, i) => {
    const end = view.getUint32(ends + i * 4, true);
    const text = textOf(bytes, texts + begin, texts + end);
    begin = end;
    return text;
  });
}

function valueReader(
  bytes: Uint8Array,
  lane: number,
  encoding: number,
  read: (offset: number) => number,
  dictionary: readonly string[],
): (index: number) => Cell {
  const view = viewOf(bytes);
  const values = read(layout.BATCH_COLUMN_VALUES);
  const kinds = read(layout.BATCH_COLUMN_KINDS);
  if (lane === layout.LANE_NULL) return () => null;
  if (lane === layout.LANE_BOOLEAN) return (i) => view.getUint8(values + i) === 1;
  if (lane === layout.LANE_NUMBER) {
    return (i) => {
      const isDouble =
        encoding === layout.BATCH_F64 || (encoding === layout.BATCH_MIXED && bit(bytes, kinds, i));
      return isDouble
        ? view.getFloat64(values + i * 8, true)
        : view.getBigInt64(values + i * 8, true);
    };
  }
  const code = (i: number) => {
    if (encoding === 0) return i;
    if (encoding === 1) return view.getUint8(values + i);
    return encoding === 2
      ? view.getUint16(values + i * 2, true)
      : view.getUint32(values + i * 4, true);
  };
  return (i) => {
    const text = dictionary[code(i)];
    assert(text !== undefined, "a code has an entry");
    return lane === layout.LANE_JSON ? { json: text } : text;
  };
}

/** The keys of an escaped, dotted path. */
export function splitPath(path: string): string[] {
  const keys = [""];
  for (let i = 0; i < path.length; i++) {
    const character = path.charAt(i);
    if (character === ".") keys.push("");
    else keys[keys.length - 1] += character === "\\" ? path.charAt(++i) : character;
  }
  return keys;
}

/** An event as JavaScript has it; integers beyond 2^53 are bigints, own keys alone (`__proto__` included). */
export interface EventObject {
  id: string;
  timestampUs: bigint;
  [field: string]: unknown;
}

/** The batch's rows as events; members of the overflow column come back under their paths. */
export function rowsAsEvents(bytes: Uint8Array): EventObject[] {
  const columns = readColumns(bytes);
  return readRows(bytes).map((row, index) => {
    const event: EventObject = { id: row.id, timestampUs: row.timestampUs };
    for (const column of columns) {
      const cell = column.cells[index];
      if (cell === undefined) continue;
      if (column.path === "overflow") putMembers(event, cell);
      else putValue(event, splitPath(column.path), plain(cell));
    }
    return event;
  });
}

function plain(cell: Cell): unknown {
  if (typeof cell === "bigint") {
    const number = Number(cell);
    return Number.isSafeInteger(number) ? number : cell;
  }
  return typeof cell === "object" && cell !== null ? (JSON.parse(cell.json) as unknown) : cell;
}

function putMembers(event: EventObject, cell: Cell): void {
  for (const [path, value] of Object.entries(plain(cell) as object)) {
    putValue(event, splitPath(path), value);
  }
}

function putValue(target: object, keys: readonly string[], value: unknown): void {
  let at: object = target;
  keys.forEach((key, i) => {
    const isLast = i === keys.length - 1;
    const own = Object.getOwnPropertyDescriptor(at, key)?.value as unknown;
    const next = isLast ? value : (own ?? {});
    if (isLast || own === undefined) {
      Object.defineProperty(at, key, {
        value: next,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    at = next as object;
  });
}

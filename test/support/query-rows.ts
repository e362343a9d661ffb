// Rows as the Column and Page structs that kernels read, written by plain TypeScript: as a hot slot would hold
// them (unsorted dictionaries, 64-bit numbers) or as a stored segment would (sorted ones, scaled integers).

import { systemClock } from "../../src/base/clock.ts";
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { Cells } from "../../src/query/columns/cells.ts";
import { queryKernels } from "../../src/query/columns/kernels.ts";
import { Scratch } from "../../src/query/columns/scratch.ts";
import type { QueryThreadState } from "../../src/query/run/scan.ts";
import { FoundCodes } from "../../src/query/run/text-codes.ts";
import type { Segment, SegmentColumn, Snapshot } from "../../src/query/segments/source.ts";
import { compareBytes, type OracleCell, type OracleRow } from "../oracle/query.ts";

const mib = 1024 * 1024;

/** A memory with room for test columns and for one reader's scratch. */
export class QueryBed {
  readonly core: Core;
  readonly state: QueryThreadState;
  /** Address of the cancel word. */
  readonly cancel: number;
  #top: number;
  readonly #base: number;

  constructor(slotBytes = 64 * mib, scratchBytes = 64 * mib) {
    const memory = createMemory({
      bodies: 0,
      ring: 65_536,
      decoder: 65_536,
      batches: 65_536,
      dedup: 65_536,
      slots: slotBytes,
      readers: [scratchBytes],
    });
    this.core = attachCore(memory);
    this.#base = region(memory, layout.REGION_SLOTS).base;
    this.#top = this.#base;
    const own = region(memory, layout.REGION_READER_FIRST);
    this.cancel = own.base;
    this.state = {
      run: {
        core: this.core,
        kernels: queryKernels(this.core),
        scratch: new Scratch(own.base + 64, own.size - 64),
        cancel: this.cancel,
      },
      cells: new Cells(this.core),
      found: new FoundCodes(),
      clock: systemClock,
    };
  }

  /** Gives all columns back and leaves rubbish where they were. */
  clear(): void {
    this.core.u8.fill(0xa5, this.#base, this.#top);
    this.#top = this.#base;
  }

  /** What is taken from here on is given back by `release`. */
  mark(): number {
    return this.#top;
  }

  release(mark: number): void {
    this.core.u8.fill(0xa5, mark, this.#top);
    this.#top = mark;
  }

  take(size: number): number {
    const address = this.#top;
    this.#top += (size + 79) & ~15;
    return address;
  }

  bytes(bytes: Uint8Array): number {
    const address = this.take(bytes.length);
    this.core.u8.set(bytes, address);
    return address;
  }
}

export interface ColumnOptions {
  /** A sorted dictionary, and integers with a base and an exponent where the values allow it. */
  readonly stored: boolean;
}

const digitsMax = 4;

/** Writes one lane of one path; `cells[r]` is row r's value or undefined. Answers the address of the Column. */
export function writeColumn(
  bed: QueryBed,
  lane: number,
  cells: readonly (OracleCell | undefined)[],
  options: ColumnOptions,
): number {
  const { view, u8 } = bed.core;
  const column = bed.take(layout.COLUMN_SIZE);
  u8.fill(0, column, column + layout.COLUMN_SIZE);
  view.setUint32(column + layout.COLUMN_LANE, lane, true);
  view.setUint32(
    column + layout.COLUMN_COUNT,
    cells.filter((cell) => cell !== undefined).length,
    true,
  );
  const raw = rawValues(bed, column, lane, cells, options);
  for (let first = 0, index = 0; first < cells.length; first += layout.PAGE_ROWS, index++) {
    const page = cells.slice(first, first + layout.PAGE_ROWS);
    if (page.every((cell) => cell === undefined)) continue;
    const address = writePage(bed, lane, page, raw?.slice(first, first + layout.PAGE_ROWS));
    view.setUint32(column + layout.COLUMN_PAGES + index * 4, address, true);
  }
  return column;
}

/** Codes or raw integers by row, where the lane has such. */
function rawValues(
  bed: QueryBed,
  column: number,
  lane: number,
  cells: readonly (OracleCell | undefined)[],
  options: ColumnOptions,
): (number | undefined)[] | undefined {
  if (lane === layout.LANE_BOOLEAN)
    return cells.map((cell) => (cell === undefined ? undefined : Number(cell)));
  if (lane === layout.LANE_STRING || lane === layout.LANE_JSON) {
    return writeDictionary(bed, column, cells.map(textOf), options.stored);
  }
  if (lane !== layout.LANE_NUMBER || !options.stored) return undefined;
  return scaledValues(bed, column, cells);
}

function textOf(cell: OracleCell | undefined): string | undefined {
  if (cell == null) return undefined;
  return typeof cell === "object" ? cell.json : String(cell);
}

function writeDictionary(
  bed: QueryBed,
  column: number,
  texts: readonly (string | undefined)[],
  sorted: boolean,
): (number | undefined)[] {
  const { view } = bed.core;
  const entries = [...new Set(texts.filter((text) => text !== undefined))];
  if (sorted) entries.sort(compareBytes);
  const address = bed.take(entries.length * 8);
  entries.forEach((text, code) => {
    const bytes = Buffer.from(text);
    view.setUint32(address + code * 8, bed.bytes(bytes), true);
    view.setUint32(address + code * 8 + 4, bytes.length, true);
  });
  view.setUint32(column + layout.COLUMN_DICT, address, true);
  view.setUint32(column + layout.COLUMN_DICT_COUNT, entries.length, true);
  view.setUint32(column + layout.COLUMN_FLAGS, sorted ? layout.COLUMN_FLAG_SORTED : 0, true);
  const codes = new Map(entries.map((text, code) => [text, code]));
  return texts.map((text) => (text === undefined ? undefined : codes.get(text)));
}

/** (value × 10^exponent) - base as u32, when that gives back every value. */
function scaledValues(
  bed: QueryBed,
  column: number,
  cells: readonly (OracleCell | undefined)[],
): (number | undefined)[] | undefined {
  const { view } = bed.core;
  const values = cells.filter((cell) => cell !== undefined);
  if (values.length === 0) return undefined;
  const integers = values.every((value) => typeof value === "bigint");
  if (!integers && values.some((value) => typeof value === "bigint")) return undefined;
  for (let exponent = integers ? 0 : 1; exponent <= (integers ? 0 : digitsMax); exponent++) {
    const scale = 10 ** exponent;
    const wide = values.map((value) =>
      typeof value === "bigint" ? value : wholeOf(value as number, scale),
    );
    if (wide.some((value) => value === undefined)) continue;
    const base = (wide as bigint[]).reduce((a, b) => (b < a ? b : a));
    if ((wide as bigint[]).some((value) => value - base > 0xffffffffn)) continue;
    view.setBigInt64(column + layout.COLUMN_BASE, base, true);
    view.setUint32(column + layout.COLUMN_EXPONENT, exponent, true);
    let next = 0;
    return cells.map((cell) =>
      cell === undefined ? undefined : Number((wide[next++] as bigint) - base),
    );
  }
  return undefined;
}

function wholeOf(value: number, scale: number): bigint | undefined {
  const whole = Math.round(value * scale);
  const exact = Math.abs(whole) < 2 ** 52 && whole / scale === value && !Object.is(value, -0);
  return exact ? BigInt(whole) : undefined;
}

function writePage(
  bed: QueryBed,
  lane: number,
  cells: readonly (OracleCell | undefined)[],
  raw: readonly (number | undefined)[] | undefined,
): number {
  const { view, u8 } = bed.core;
  const encoding = encodingOf(lane, cells, raw);
  const size = layout.PAGE_VALUES + (widths[encoding] as number) * layout.PAGE_ROWS + 512;
  const page = bed.take(size);
  u8.fill(0, page, page + size);
  view.setUint32(page + layout.PAGE_ENCODING, encoding, true);
  cells.forEach((cell, r) => {
    if (cell === undefined) return;
    const byte = page + layout.PAGE_PRESENCE + (r >> 3);
    u8[byte] = (u8[byte] as number) | (1 << (r & 7));
    writeValue(bed, page, encoding, r, cell, raw?.[r]);
  });
  return page;
}

const widths: Readonly<Record<number, number>> = {
  [layout.PAGE_U8]: 1,
  [layout.PAGE_U16]: 2,
  [layout.PAGE_U32]: 4,
  [layout.PAGE_I64]: 8,
  [layout.PAGE_F64]: 8,
  [layout.PAGE_MIXED]: 8,
  [layout.PAGE_ID]: 16,
  [layout.PAGE_NONE]: 0,
};

function encodingOf(
  lane: number,
  cells: readonly (OracleCell | undefined)[],
  raw: readonly (number | undefined)[] | undefined,
): number {
  if (lane === layout.LANE_NULL) return layout.PAGE_NONE;
  if (lane === layout.LANE_ID) return layout.PAGE_ID;
  if (raw !== undefined) {
    const most = raw.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
    return most < 256 ? layout.PAGE_U8 : most < 65_536 ? layout.PAGE_U16 : layout.PAGE_U32;
  }
  const present = cells.filter((cell) => cell !== undefined);
  if (present.every((cell) => typeof cell === "bigint")) return layout.PAGE_I64;
  if (present.every((cell) => typeof cell === "number")) return layout.PAGE_F64;
  return layout.PAGE_MIXED;
}

function writeValue(
  bed: QueryBed,
  page: number,
  encoding: number,
  r: number,
  cell: OracleCell,
  raw: number | undefined,
): void {
  const { view, u8 } = bed.core;
  const values = page + layout.PAGE_VALUES;
  if (encoding === layout.PAGE_U8) u8[values + r] = raw as number;
  else if (encoding === layout.PAGE_U16) view.setUint16(values + r * 2, raw as number, true);
  else if (encoding === layout.PAGE_U32) view.setUint32(values + r * 4, raw as number, true);
  else if (encoding === layout.PAGE_ID) {
    u8.set(Buffer.from(String(cell).replaceAll("-", ""), "hex"), values + r * 16);
  } else if (encoding === layout.PAGE_NONE) return;
  else if (typeof cell === "bigint") view.setBigInt64(values + r * 8, cell, true);
  else {
    view.setFloat64(values + r * 8, cell as number, true);
    if (encoding === layout.PAGE_MIXED) {
      const byte = values + layout.PAGE_ROWS * 8 + (r >> 3);
      u8[byte] = (u8[byte] as number) | (1 << (r & 7));
    }
  }
}

export function laneOf(cell: OracleCell): number {
  if (cell === null) return layout.LANE_NULL;
  if (typeof cell === "boolean") return layout.LANE_BOOLEAN;
  if (typeof cell === "string") return layout.LANE_STRING;
  return typeof cell === "object" ? layout.LANE_JSON : layout.LANE_NUMBER;
}

/** A segment of these rows, whose sequences must follow each other. */
export function writeSegment(
  bed: QueryBed,
  id: number,
  rows: readonly OracleRow[],
  options: ColumnOptions,
): Segment {
  const columns = new Map<string, SegmentColumn>();
  const write = (path: string, lane: number, cells: (OracleCell | undefined)[]): void => {
    const address = writeColumn(bed, lane, cells, options);
    columns.set(`${lane} ${path}`, { path, lane, address });
  };
  write(
    "id",
    layout.LANE_ID,
    rows.map(({ id }) => id),
  );
  write(
    "timestamp",
    layout.LANE_NUMBER,
    rows.map(({ timestampUs }) => timestampUs),
  );
  if (rows.some(({ latenessUs }) => latenessUs !== 0n)) {
    const late = rows.map(({ latenessUs }) => (latenessUs === 0n ? undefined : latenessUs));
    write("lateness_us", layout.LANE_NUMBER, late);
  }
  for (const path of new Set(rows.flatMap(({ cells }) => [...cells.keys()]))) {
    const cells = rows.map((row) => row.cells.get(path));
    for (let lane = 0; lane <= layout.LANE_NULL; lane++) {
      const own = cells.map((cell) =>
        cell !== undefined && laneOf(cell) === lane ? cell : undefined,
      );
      if (own.some((cell) => cell !== undefined)) write(path, lane, own);
    }
  }
  const times = rows.map(({ timestampUs }) => timestampUs);
  return {
    id,
    hot: !options.stored,
    rows: rows.length,
    firstSequence: rows[0]?.sequence ?? 0n,
    timeMinUs: times.reduce((a, b) => (b < a ? b : a), times[0] ?? 0n),
    timeMaxUs: times.reduce((a, b) => (b > a ? b : a), times[0] ?? 0n),
    column: (path, lane) => columns.get(`${lane} ${path}`)?.address ?? 0,
    has: (path, lane) => columns.has(`${lane} ${path}`),
    mayHaveText: () => true,
    zone: (path, lane) => (options.stored ? zoneOf(rows, path, lane) : null),
    columns: () => [...columns.values()],
    enter: () => {},
    received: () =>
      rows
        .map(({ receivedAtUs }, firstRow) => ({ firstRow, receivedAtUs }))
        .filter(({ receivedAtUs }, i) => i === 0 || receivedAtUs !== rows[i - 1]?.receivedAtUs),
  };
}

function zoneOf(rows: readonly OracleRow[], path: string, lane: number) {
  const cells = rows
    .map((row) => row.cells.get(path))
    .filter((cell): cell is string | number | bigint => cell != null && laneOf(cell) === lane)
    .filter((cell) => typeof cell !== "object" && typeof cell !== "boolean");
  if (cells.length === 0) return null;
  const sorted = cells.toSorted((a, b) =>
    typeof a === "string" || typeof b === "string"
      ? compareBytes(String(a), String(b))
      : a < b
        ? -1
        : a > b
          ? 1
          : 0,
  );
  return {
    min: sorted[0] as string | number | bigint,
    max: sorted.at(-1) as string | number | bigint,
  };
}

/** A snapshot of `rows`, cut into segments at `cuts`. */
export function snapshotOf(
  bed: QueryBed,
  rows: readonly OracleRow[],
  cuts: readonly number[],
  storedUntil: number,
): Snapshot {
  const bounds = [0, ...cuts, rows.length];
  const segments = bounds
    .slice(1)
    .map((end, i) => writeSegment(bed, i, rows.slice(bounds[i], end), { stored: i < storedUntil }))
    .filter((segment) => segment.rows > 0);
  return {
    segments,
    asOf: (rows.at(-1)?.sequence ?? -1n) + 1n,
    release: () => {},
  };
}

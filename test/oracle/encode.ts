import { at } from "../../src/base/assert.ts";
import type { Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";

// Plain columns: built in linear memory cell by cell, read back cell by cell, and a second decoder of the
// sealed format that was written from its document and shares no line with the core.

/** bigint is an i64, number an f64; an id is its 32 hex digits; a row of a null lane is `null`. */
export type Cell = bigint | number | string | boolean | null;

export interface PlainColumn {
  readonly lane: number;
  /** One per row; undefined where the row has no value. */
  readonly cells: readonly (Cell | undefined)[];
}

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/** Lays columns out one after another from `base` on, as the engine's hot slots hold them. */
export class ColumnBuilder {
  readonly #core: Core;
  readonly #base: number;
  #top: number;

  constructor(core: Core, base: number) {
    this.#core = core;
    this.#base = base;
    this.#top = base;
  }

  reset(): void {
    this.#top = this.#base;
  }

  get top(): number {
    return this.#top;
  }

  #take(bytes: number): number {
    const address = this.#top;
    this.#top += Math.ceil(bytes / 64) * 64;
    this.#core.u8.fill(0, address, this.#top);
    return address;
  }

  build(column: PlainColumn): number {
    const { view } = this.#core;
    const address = this.#take(layout.COLUMN_SIZE);
    view.setUint32(address + layout.COLUMN_LANE, column.lane, true);
    const present = column.cells.filter((cell) => cell !== undefined).length;
    view.setUint32(address + layout.COLUMN_COUNT, present, true);
    const isText = column.lane === layout.LANE_STRING || column.lane === layout.LANE_JSON;
    const codes = new Map<Cell, number>();
    if (isText) this.#dictionary(address, column.cells, codes);
    for (let from = 0; from < column.cells.length; from += layout.PAGE_ROWS) {
      const cells = column.cells.slice(from, from + layout.PAGE_ROWS);
      if (!cells.some((cell) => cell !== undefined)) continue;
      const page = this.#page(column.lane, cells, codes);
      view.setUint32(address + layout.COLUMN_PAGES + (from / layout.PAGE_ROWS) * 4, page, true);
    }
    return address;
  }

  #dictionary(
    column: number,
    cells: readonly (Cell | undefined)[],
    codes: Map<Cell, number>,
  ): void {
    for (const cell of cells) {
      if (cell !== undefined && !codes.has(cell)) codes.set(cell, codes.size);
    }
    const { u8, view } = this.#core;
    const encoded = [...codes.keys()].map((cell) => utf8.encode(cell as string));
    const bytes = this.#take(encoded.reduce((sum, entry) => sum + entry.length, 16));
    const entries = this.#take(codes.size * 8);
    let next = bytes;
    encoded.forEach((entry, code) => {
      u8.set(entry, next);
      view.setUint32(entries + code * 8, next, true);
      view.setUint32(entries + code * 8 + 4, entry.length, true);
      next += entry.length;
    });
    view.setUint32(column + layout.COLUMN_DICT, entries, true);
    view.setUint32(column + layout.COLUMN_DICT_COUNT, codes.size, true);
  }

  #page(lane: number, cells: readonly (Cell | undefined)[], codes: Map<Cell, number>): number {
    const { u8, view } = this.#core;
    const encoding = pageEncodingOf(lane, cells, codes.size);
    const page = this.#take(pageBytes(encoding));
    const values = page + layout.PAGE_VALUES;
    view.setUint32(page + layout.PAGE_ENCODING, encoding, true);
    cells.forEach((cell, row) => {
      if (cell === undefined) return;
      setBit(u8, page + layout.PAGE_PRESENCE, row);
      view.setUint32(page + 4, view.getUint32(page + 4, true) + 1, true);
      if (encoding === layout.PAGE_U8) view.setUint8(values + row, codes.get(cell) ?? Number(cell));
      else if (encoding === layout.PAGE_U16)
        view.setUint16(values + row * 2, codes.get(cell) ?? 0, true);
      else if (encoding === layout.PAGE_U32)
        view.setUint32(values + row * 4, codes.get(cell) ?? 0, true);
      else if (encoding === layout.PAGE_ID) u8.set(hexBytes(cell as string), values + row * 16);
      else if (typeof cell === "bigint") view.setBigInt64(values + row * 8, cell, true);
      else if (typeof cell === "number") {
        view.setFloat64(values + row * 8, cell, true);
        if (encoding === layout.PAGE_MIXED) setBit(u8, values + layout.PAGE_ROWS * 8, row);
      }
    });
    return page;
  }
}

function pageEncodingOf(lane: number, cells: readonly (Cell | undefined)[], codes: number): number {
  if (lane === layout.LANE_BOOLEAN) return layout.PAGE_U8;
  if (lane === layout.LANE_NULL) return layout.PAGE_NONE;
  if (lane === layout.LANE_ID) return layout.PAGE_ID;
  if (lane !== layout.LANE_NUMBER) {
    return codes <= 256 ? layout.PAGE_U8 : codes <= 65_536 ? layout.PAGE_U16 : layout.PAGE_U32;
  }
  const integers = cells.some((cell) => typeof cell === "bigint");
  const floats = cells.some((cell) => typeof cell === "number");
  return integers && floats ? layout.PAGE_MIXED : integers ? layout.PAGE_I64 : layout.PAGE_F64;
}

function pageBytes(encoding: number): number {
  const width = [1, 2, 4, 8, 8, 8, 16, 0][encoding] as number;
  const kinds = encoding === layout.PAGE_MIXED ? layout.PAGE_PRESENCE_SIZE : 0;
  return layout.PAGE_VALUES + layout.PAGE_ROWS * width + kinds;
}

function setBit(bytes: Uint8Array, bitmap: number, bit: number): void {
  bytes[bitmap + (bit >> 3)] = at(bytes, bitmap + (bit >> 3)) | (1 << (bit & 7));
}

function hasBit(bytes: Uint8Array, bitmap: number, bit: number): boolean {
  return ((at(bytes, bitmap + (bit >> 3)) >> (bit & 7)) & 1) === 1;
}

export function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16),
  );
}

function hexText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads a Column cell by cell. */
export function readColumn(core: Core, column: number, rows: number): PlainColumn {
  const { view, u8 } = core;
  const lane = view.getUint32(column + layout.COLUMN_LANE, true);
  const cells: (Cell | undefined)[] = [];
  for (let row = 0; row < rows; row++) {
    const slot = column + layout.COLUMN_PAGES + Math.floor(row / layout.PAGE_ROWS) * 4;
    const page = view.getUint32(slot, true);
    const inPage = row % layout.PAGE_ROWS;
    const present = page !== 0 && hasBit(u8, page + layout.PAGE_PRESENCE, inPage);
    cells.push(present ? readCell(core, column, lane, page, inPage) : undefined);
  }
  return { lane, cells };
}

function readCell(core: Core, column: number, lane: number, page: number, row: number): Cell {
  const { view, u8 } = core;
  const encoding = view.getUint32(page + layout.PAGE_ENCODING, true);
  const values = page + layout.PAGE_VALUES;
  if (encoding === layout.PAGE_NONE) return null;
  if (encoding === layout.PAGE_ID)
    return hexText(u8.slice(values + row * 16, values + row * 16 + 16));
  if (encoding === layout.PAGE_I64) return view.getBigInt64(values + row * 8, true);
  if (encoding === layout.PAGE_F64) return view.getFloat64(values + row * 8, true);
  if (encoding === layout.PAGE_MIXED) {
    return hasBit(u8, values + layout.PAGE_ROWS * 8, row)
      ? view.getFloat64(values + row * 8, true)
      : view.getBigInt64(values + row * 8, true);
  }
  const raw =
    encoding === layout.PAGE_U8
      ? view.getUint8(values + row)
      : encoding === layout.PAGE_U16
        ? view.getUint16(values + row * 2, true)
        : view.getUint32(values + row * 4, true);
  if (lane === layout.LANE_BOOLEAN) return raw === 1;
  if (lane === layout.LANE_NUMBER) {
    const exponent = view.getUint32(column + layout.COLUMN_EXPONENT, true);
    const integer = view.getBigInt64(column + layout.COLUMN_BASE, true) + BigInt(raw);
    return exponent === 0 ? integer : Number(integer) / 10 ** exponent;
  }
  const entry = view.getUint32(column + layout.COLUMN_DICT, true) + raw * 8;
  const address = view.getUint32(entry, true);
  return text.decode(u8.slice(address, address + view.getUint32(entry + 4, true)));
}

/**
 * The cells that sealing may give back: the same, except that in a column with f64 values an i64 may come
 * back as the equal f64 when all of them are decimals.
 */
export function asSealed(column: PlainColumn, sealed: PlainColumn): PlainColumn {
  if (column.lane !== layout.LANE_NUMBER) return column;
  if (!column.cells.some((cell) => typeof cell === "number")) return column;
  if (sealed.cells.some((cell) => typeof cell === "bigint")) return column;
  return {
    lane: column.lane,
    cells: column.cells.map((cell) =>
      typeof cell === "bigint" && BigInt(Number(cell)) === cell ? Number(cell) : cell,
    ),
  };
}

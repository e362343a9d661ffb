import { integer } from "../base/integer.ts";
import type { Core } from "./core.ts";
import * as layout from "./layout.ts";

/** What a cell holds; null is an absent one. Integers that a double can't hold are bigints, ids are UUID text. */
export type Cell = null | boolean | number | bigint | string;

/** One column of a segment: `column` is the address of its descriptor. */
export interface ColumnName {
  readonly path: string;
  readonly lane: number;
  readonly column: number;
}

interface SlotColumns {
  segmentId: number;
  firstSequence: bigint;
  /** How many descriptors have been entered. */
  count: number;
  /** Index of the descriptor, by lane and path. */
  readonly indexes: Map<string, number>;
}

/**
 * The columns of hot slots and of a reader's cache, as JavaScript values.
 *
 * Lifetime: a descriptor's address and everything behind it may be used while the reader pins its slot. Find
 * again for each query: a descriptor found earlier does not see later rows for sure, as descriptors may move.
 * Load the slot's rows first, then find; a cell of a row that was not published then is undefined.
 */
export class Columns {
  readonly #core: Core;
  readonly #slots = new Map<number, SlotColumns>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Address of the descriptor of `path` in `lane`, 0 when the slot has no such column. */
  find(slot: number, path: string, lane: number): number {
    const index = this.#entered(slot).indexes.get(`${lane}${path}`);
    if (index === undefined) return 0;
    return this.#descriptors(slot) + index * layout.COLUMN_SIZE;
  }

  /** Every column of a slot that is published now, in order of first appearance. */
  paths(slot: number): ColumnName[] {
    const descriptors = this.#descriptors(slot);
    return Array.from(this.#entered(slot).indexes, ([key, index]) => ({
      path: key.slice(1),
      lane: Number(key[0]),
      column: descriptors + index * layout.COLUMN_SIZE,
    }));
  }

  path(column: number): string {
    const { u32 } = this.#core;
    return this.#text(
      word(u32, column + layout.COLUMN_PATH),
      word(u32, column + layout.COLUMN_PATH_LENGTH),
    );
  }

  lane(column: number): number {
    return word(this.#core.u32, column + layout.COLUMN_LANE);
  }

  /** Whether the row has a value; for a null column, whether it has a JSON null. */
  has(column: number, row: number): boolean {
    const page = this.#page(column, row);
    return page !== 0 && this.#present(page, row & (layout.PAGE_ROWS - 1));
  }

  /** The value of a row. String and json cells are their text; a JSON null is null, as an absent cell is. */
  cell(column: number, row: number): Cell {
    const page = this.#page(column, row);
    const inPage = row & (layout.PAGE_ROWS - 1);
    if (page === 0 || !this.#present(page, inPage)) return null;
    switch (this.lane(column)) {
      case layout.LANE_NUMBER:
        return this.#number(column, page, inPage);
      case layout.LANE_BOOLEAN:
        return this.#raw(page, inPage) !== 0;
      case layout.LANE_ID:
        return this.#uuid(page + layout.PAGE_VALUES + inPage * 16);
      case layout.LANE_NULL:
        return null;
      default:
        return this.text(column, this.#raw(page, inPage));
    }
  }

  /** The dictionary code of a string or json cell, -1 when the row has none. */
  code(column: number, row: number): number {
    const page = this.#page(column, row);
    const inPage = row & (layout.PAGE_ROWS - 1);
    return page === 0 || !this.#present(page, inPage) ? -1 : this.#raw(page, inPage);
  }

  /** How many texts the column's dictionary has now. */
  textCount(column: number): number {
    return Atomics.load(this.#core.u32, (column + layout.COLUMN_DICT_COUNT) >>> 2);
  }

  /** Text `code` of the column's dictionary. */
  text(column: number, code: number): string {
    const { u32 } = this.#core;
    const entry = Atomics.load(u32, (column + layout.COLUMN_DICT) >>> 2) + code * 8;
    return this.#text(word(u32, entry), word(u32, entry + 4));
  }

  #descriptors(slot: number): number {
    return Atomics.load(this.#core.u32, (slot + layout.SLOT_DESCRIPTORS) >>> 2);
  }

  /** The names of the slot's columns, brought up to the count that is published now. */
  #entered(slot: number): SlotColumns {
    const { u32, view } = this.#core;
    const segmentId = word(u32, slot + layout.SLOT_SEGMENT_ID);
    const firstSequence = view.getBigInt64(slot + layout.SLOT_FIRST_SEQUENCE, true);
    let known = this.#slots.get(slot);
    const count = Atomics.load(u32, (slot + layout.SLOT_COLUMNS) >>> 2);
    if (known?.segmentId !== segmentId || known.firstSequence !== firstSequence) {
      known = { segmentId, firstSequence, count: 0, indexes: new Map() };
      this.#slots.set(slot, known);
    }
    // The count was loaded before the address, so these descriptors hold that many columns at least.
    const descriptors = this.#descriptors(slot);
    for (; known.count < count; known.count++) {
      const column = descriptors + known.count * layout.COLUMN_SIZE;
      known.indexes.set(`${this.lane(column)}${this.path(column)}`, known.count);
    }
    return known;
  }

  #page(column: number, row: number): number {
    const index = Math.trunc(row / layout.PAGE_ROWS);
    return Atomics.load(this.#core.u32, (column + layout.COLUMN_PAGES + index * 4) >>> 2);
  }

  #present(page: number, inPage: number): boolean {
    const byte = this.#core.u8[page + layout.PAGE_PRESENCE + (inPage >> 3)] ?? 0;
    return ((byte >> (inPage & 7)) & 1) !== 0;
  }

  /** The unsigned integer of a row in a page of PAGE_U8 to PAGE_U32. */
  #raw(page: number, inPage: number): number {
    const { u8, view } = this.#core;
    const values = page + layout.PAGE_VALUES;
    const encoding = word(this.#core.u32, page + layout.PAGE_ENCODING);
    if (encoding === layout.PAGE_U8) return u8[values + inPage] ?? 0;
    if (encoding === layout.PAGE_U16) return view.getUint16(values + inPage * 2, true);
    return view.getUint32(values + inPage * 4, true);
  }

  #number(column: number, page: number, inPage: number): number | bigint {
    const { u8, u32, view } = this.#core;
    const encoding = word(u32, page + layout.PAGE_ENCODING);
    if (encoding <= layout.PAGE_U32) {
      const base = view.getBigInt64(column + layout.COLUMN_BASE, true);
      const exponent = word(u32, column + layout.COLUMN_EXPONENT);
      const value = base + BigInt(this.#raw(page, inPage));
      return exponent === 0 ? integer(value) : Number(value) / 10 ** exponent;
    }
    const at = page + layout.PAGE_VALUES + inPage * 8;
    if (encoding === layout.PAGE_F64) return view.getFloat64(at, true);
    if (encoding === layout.PAGE_MIXED) {
      const kinds = page + layout.PAGE_VALUES + layout.PAGE_ROWS * 8;
      const isDouble = (((u8[kinds + (inPage >> 3)] ?? 0) >> (inPage & 7)) & 1) !== 0;
      if (isDouble) return view.getFloat64(at, true);
    }
    return integer(view.getBigInt64(at, true));
  }

  #uuid(address: number): string {
    const hex = Buffer.from(this.#core.memory.buffer, address, 16).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  #text(address: number, length: number): string {
    if (length === 0) return "";
    return Buffer.from(this.#core.memory.buffer, address, length).toString("utf8");
  }
}

function word(u32: Uint32Array, address: number): number {
  return u32[address >>> 2] ?? 0;
}

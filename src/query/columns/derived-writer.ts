// Writes values of rows as the Column and Page structs that kernels read. They live in scratch, where the caller's
// mark says for how long.

import type { Core } from "../../core/core.ts";
import {
  COLUMN_COUNT,
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_LANE,
  COLUMN_PAGES,
  COLUMN_SIZE,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_COUNT,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_I64,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_U8,
  PAGE_U16,
  PAGE_U32,
  PAGE_VALUES,
  PAGES_MAX,
} from "../../core/layout.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import type { LaneColumn } from "./cells.ts";
import type { WorkingMemory } from "./scratch.ts";

const pageShift = Math.log2(PAGE_ROWS);
const pageMask = PAGE_ROWS - 1;

/** Bytes of a page's values, and of the kinds after them. */
export function valuesSize(encoding: number): number {
  if (encoding === PAGE_U8) return PAGE_ROWS;
  if (encoding === PAGE_U16) return PAGE_ROWS * 2;
  if (encoding === PAGE_U32) return PAGE_ROWS * 4;
  return encoding === PAGE_MIXED ? PAGE_ROWS * 8 + PAGE_ROWS / 8 : PAGE_ROWS * 8;
}

export class DerivedWriter {
  readonly #core: Core;
  readonly #scratch: WorkingMemory;

  constructor(core: Core, scratch: WorkingMemory) {
    this.#core = core;
    this.#scratch = scratch;
  }

  /** A column without values. */
  column(lane: number): number {
    const { u8, view } = this.#core;
    const column = this.#scratch.take(COLUMN_SIZE);
    u8.fill(0, column, column + COLUMN_SIZE);
    view.setUint32(column + COLUMN_LANE, lane, true);
    return column;
  }

  /** A page whose head and presence are clear and whose values are not; it becomes the column's. */
  page(column: number, index: number, encoding: number): number {
    const { u8, view } = this.#core;
    // A page is whole even when few of its rows are taken: kernels read values in words of 64 rows.
    const page = this.#scratch.take(PAGE_VALUES + valuesSize(encoding));
    u8.fill(0, page, page + PAGE_VALUES);
    view.setUint32(page + PAGE_ENCODING, encoding, true);
    view.setUint32(column + COLUMN_PAGES + index * 4, page, true);
    return page;
  }

  /** A column that has `value` in every row: one page, as often as there are pages. */
  constant(value: NonNullable<Value>): LaneColumn {
    const { u8, view, memory } = this.#core;
    const lane = laneOfValue(value);
    const column = this.column(lane);
    const isNumber = typeof value === "number" || typeof value === "bigint";
    const encoding = !isNumber ? PAGE_U8 : isDouble(value) ? PAGE_F64 : PAGE_I64;
    const page = this.page(column, 0, encoding);
    const values = page + PAGE_VALUES;
    u8.fill(0xff, page + PAGE_PRESENCE, page + PAGE_PRESENCE + PAGE_PRESENCE_SIZE);
    view.setUint32(page + PAGE_COUNT, PAGE_ROWS, true);
    if (encoding === PAGE_F64) {
      new Float64Array(memory.buffer, values, PAGE_ROWS).fill(value as number);
    } else if (isNumber) new BigInt64Array(memory.buffer, values, PAGE_ROWS).fill(BigInt(value));
    else {
      u8.fill(value === true ? 1 : 0, values, values + PAGE_ROWS);
      if (lane === LANE_JSON) this.dictionary(column, [(value as JsonText).text]);
      if (lane === LANE_STRING) this.dictionary(column, [value as string]);
    }
    for (let i = 1; i < PAGES_MAX; i++) {
      view.setUint32(column + COLUMN_PAGES + i * 4, page, true);
    }
    return { lane, address: column };
  }

  /** Gives a string or json column its texts: entry `i` is code `i`. */
  dictionary(column: number, texts: readonly string[]): void {
    const { u8, view } = this.#core;
    const entries = this.#scratch.take(texts.length * 8);
    const pieces = texts.map((text) => Buffer.from(text));
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    let at = this.#scratch.take(size + 16);
    pieces.forEach((piece, code) => {
      u8.set(piece, at);
      view.setUint32(entries + code * 8, at, true);
      view.setUint32(entries + code * 8 + 4, piece.length, true);
      at += piece.length;
    });
    view.setUint32(column + COLUMN_DICT, entries, true);
    view.setUint32(column + COLUMN_DICT_COUNT, texts.length, true);
  }

  /** As `dictionary`, of texts that are encoded one after the other, each up to its end. */
  encodedDictionary(column: number, bytes: Uint8Array, ends: readonly number[]): void {
    const { u8, u32 } = this.#core;
    const entries = this.#scratch.take(ends.length * 8);
    const at = this.#scratch.take(bytes.length + 16);
    u8.set(bytes, at);
    let from = 0;
    for (let code = 0; code < ends.length; code++) {
      const end = ends[code] as number;
      u32[(entries >>> 2) + code * 2] = at + from;
      u32[(entries >>> 2) + code * 2 + 1] = end - from;
      from = end;
    }
    u32[(column + COLUMN_DICT) >>> 2] = entries;
    u32[(column + COLUMN_DICT_COUNT) >>> 2] = ends.length;
  }

  /**
   * The lanes that `values` need: value `i` belongs to row `rows[i]`, ascending. Integers are numbers within 2^53
   * and bigints beyond.
   */
  lanes(rows: Uint32Array, values: readonly Value[]): LaneColumn[] {
    const byLane = new Map<number, number[]>();
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Value;
      if (value === null) continue;
      const lane = laneOfValue(value);
      const indexes = byLane.get(lane);
      if (indexes) indexes.push(i);
      else byLane.set(lane, [i]);
    }
    return [...byLane].map(([lane, indexes]) => ({
      lane,
      address: this.#lane(lane, rows, values, indexes),
    }));
  }

  #lane(lane: number, rows: Uint32Array, values: readonly Value[], indexes: readonly number[]) {
    const column = this.column(lane);
    this.#core.view.setUint32(column + COLUMN_COUNT, indexes.length, true);
    if (lane === LANE_NUMBER) this.#numbers(column, rows, values, indexes);
    else if (lane === LANE_BOOLEAN) {
      this.#codes(column, rows, indexes, PAGE_U8, (i) => Number(values[i] as boolean));
    } else this.#texts(column, rows, values, indexes);
    return column;
  }

  #texts(column: number, rows: Uint32Array, values: readonly Value[], indexes: readonly number[]) {
    const codes = new Map<string, number>();
    const own = indexes.map((i) => {
      const value = values[i];
      const text = value instanceof JsonText ? value.text : (value as string);
      let code = codes.get(text);
      if (code === undefined) {
        code = codes.size;
        codes.set(text, code);
      }
      return code;
    });
    this.dictionary(column, [...codes.keys()]);
    this.#codes(column, rows, indexes, codeEncoding(codes.size), (_, n) => own[n] as number);
  }

  #codes(
    column: number,
    rows: Uint32Array,
    indexes: readonly number[],
    encoding: number,
    codeOf: (index: number, n: number) => number,
  ): void {
    const { u8, view } = this.#core;
    this.#pages(column, rows, indexes, encoding, (page, inPage, index, n) => {
      const values = page + PAGE_VALUES;
      if (encoding === PAGE_U8) u8[values + inPage] = codeOf(index, n);
      else if (encoding === PAGE_U16) view.setUint16(values + inPage * 2, codeOf(index, n), true);
      else view.setUint32(values + inPage * 4, codeOf(index, n), true);
    });
  }

  /** Calls `write` for each of `indexes`, whose page is made and whose bit is set. */
  #pages(
    column: number,
    rows: Uint32Array,
    indexes: readonly number[],
    encoding: number,
    write: (page: number, inPage: number, index: number, n: number) => void,
  ): void {
    const { u8, u32 } = this.#core;
    let page = 0;
    let last = -1;
    for (let n = 0; n < indexes.length; n++) {
      const index = indexes[n] as number;
      const row = rows[index] as number;
      if (row >>> pageShift !== last) {
        last = row >>> pageShift;
        page = this.page(column, last, encoding);
        u8.fill(0, page + PAGE_VALUES, page + PAGE_VALUES + valuesSize(encoding));
      }
      const inPage = row & pageMask;
      const byte = page + PAGE_PRESENCE + (inPage >>> 3);
      u8[byte] = (u8[byte] as number) | (1 << (inPage & 7));
      const count = (page + PAGE_COUNT) >>> 2;
      u32[count] = (u32[count] as number) + 1;
      write(page, inPage, index, n);
    }
  }

  /** All pages alike: i64 or f64 where the values are of one kind, otherwise mixed. */
  #numbers(
    column: number,
    rows: Uint32Array,
    values: readonly Value[],
    indexes: readonly number[],
  ): void {
    const { u8, view } = this.#core;
    let integers = false;
    let doubles = false;
    for (const i of indexes) {
      if (isDouble(values[i] as number | bigint)) doubles = true;
      else integers = true;
    }
    const encoding = !doubles ? PAGE_I64 : integers ? PAGE_MIXED : PAGE_F64;
    this.#pages(column, rows, indexes, encoding, (page, inPage, index) => {
      const value = values[index] as number | bigint;
      const at = page + PAGE_VALUES + inPage * 8;
      if (!isDouble(value)) {
        view.setBigInt64(at, BigInt(value), true);
        return;
      }
      view.setFloat64(at, value as number, true);
      if (encoding !== PAGE_MIXED) return;
      const byte = page + PAGE_VALUES + PAGE_ROWS * 8 + (inPage >>> 3);
      u8[byte] = (u8[byte] as number) | (1 << (inPage & 7));
    });
  }
}

export function isDouble(value: number | bigint): boolean {
  return typeof value === "number" && !Number.isSafeInteger(value);
}

export function codeEncoding(count: number): number {
  return count <= 256 ? PAGE_U8 : count <= 65_536 ? PAGE_U16 : PAGE_U32;
}

export function laneOfValue(value: NonNullable<Value>): number {
  if (typeof value === "string") return LANE_STRING;
  if (typeof value === "boolean") return LANE_BOOLEAN;
  return value instanceof JsonText ? LANE_JSON : LANE_NUMBER;
}

// Reads single cells of columns. For results, not for scans.

import { integer } from "../../base/integer.ts";
import type { Core } from "../../core/core.ts";
import {
  COLUMN_BASE,
  COLUMN_DICT,
  COLUMN_EXPONENT,
  COLUMN_PAGES,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NUMBER,
  PAGE_ENCODING,
  PAGE_F64,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_ROWS,
  PAGE_U8,
  PAGE_U16,
  PAGE_U32,
  PAGE_VALUES,
} from "../../core/layout.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";

const pageShift = Math.log2(PAGE_ROWS);
const pageMask = PAGE_ROWS - 1;

/** A column of a segment and its lane. */
export interface LaneColumn {
  readonly lane: number;
  readonly address: number;
}

export class Cells {
  readonly #core: Core;
  /** Over the whole memory: decodes text from shared memory, which TextDecoder refuses. */
  readonly #bytes: Buffer;

  constructor(core: Core) {
    this.#core = core;
    this.#bytes = Buffer.from(core.memory.buffer as unknown as ArrayBuffer);
  }

  /** The page of `row` when the row has a value there, otherwise 0. */
  page(column: number, row: number): number {
    const page = this.#core.u32[(column + COLUMN_PAGES + (row >>> pageShift) * 4) >>> 2] as number;
    if (page === 0) return 0;
    const r = row & pageMask;
    const byte = this.#core.u8[page + PAGE_PRESENCE + (r >>> 3)] as number;
    return (byte >>> (r & 7)) & 1 ? page : 0;
  }

  /** The value of the lane that has one, or null. */
  value(columns: readonly LaneColumn[], row: number): Value {
    for (const { lane, address } of columns) {
      const page = this.page(address, row);
      if (page !== 0) return this.#cell(address, lane, page, row);
    }
    return null;
  }

  #cell(column: number, lane: number, page: number, row: number): Value {
    if (lane === LANE_NUMBER) return this.number(column, page, row);
    if (lane === LANE_BOOLEAN) return this.raw(page, row) !== 0;
    if (lane === LANE_ID) return this.id(page, row);
    const text = this.text(column, this.raw(page, row));
    return lane === LANE_JSON ? new JsonText(text) : text;
  }

  /** Raw integer or code. */
  raw(page: number, row: number): number {
    const { u8, view, u32 } = this.#core;
    const r = row & pageMask;
    const encoding = u32[(page + PAGE_ENCODING) >>> 2];
    const values = page + PAGE_VALUES;
    if (encoding === PAGE_U8) return u8[values + r] as number;
    if (encoding === PAGE_U16) return view.getUint16(values + r * 2, true);
    return u32[(values + r * 4) >>> 2] as number;
  }

  /** An i64 is a bigint when it is beyond 2^53; doubles are numbers. */
  number(column: number, page: number, row: number): number | bigint {
    const { view, u8, u32 } = this.#core;
    const r = row & pageMask;
    const encoding = u32[(page + PAGE_ENCODING) >>> 2] as number;
    if (encoding <= PAGE_U32) {
      const exponent = view.getUint32(column + COLUMN_EXPONENT, true);
      const near = wordsAt(view, column + COLUMN_BASE) + this.raw(page, row);
      // In doubles as long as those hold every integer on the way.
      if (Math.abs(near) < 2 ** 52) return exponent === 0 ? near : near / 10 ** exponent;
      return scaled(view.getBigInt64(column + COLUMN_BASE, true), exponent, this.raw(page, row));
    }
    const address = page + PAGE_VALUES + r * 8;
    if (encoding === PAGE_F64) return view.getFloat64(address, true);
    if (encoding === PAGE_MIXED) {
      const kinds = u8[page + PAGE_VALUES + PAGE_ROWS * 8 + (r >>> 3)] as number;
      if ((kinds >>> (r & 7)) & 1) return view.getFloat64(address, true);
    }
    const near = wordsAt(view, address);
    return Math.abs(near) < 2 ** 52 ? near : integer(view.getBigInt64(address, true));
  }

  /** Text of a dictionary entry. */
  text(column: number, code: number): string {
    const { u32 } = this.#core;
    const entry = ((u32[(column + COLUMN_DICT) >>> 2] as number) + code * 8) >>> 2;
    const address = u32[entry] as number;
    return this.utf8(address, u32[entry + 1] as number);
  }

  /** Text of some bytes of the memory. */
  utf8(address: number, length: number): string {
    return this.#bytes.toString("utf8", address, address + length);
  }

  /** Text of a UUID. */
  id(page: number, row: number): string {
    return this.uuid(page + PAGE_VALUES + (row & pageMask) * 16);
  }

  /** Text of the 16 bytes of a UUID. */
  uuid(address: number): string {
    const hex = this.#bytes.toString("hex", address, address + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}

/** An i64 as a double: exact within ±2^53, near it beyond. */
function wordsAt(view: DataView, address: number): number {
  return view.getInt32(address + 4, true) * 2 ** 32 + view.getUint32(address, true);
}

/** The value of a raw integer of a PAGE_U8 … PAGE_U32 page. */
function scaled(base: bigint, exponent: number, raw: number): number | bigint {
  const value = base + BigInt(raw);
  return exponent === 0 ? integer(value) : Number(value) / 10 ** exponent;
}

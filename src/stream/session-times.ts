import type { Core } from "../core/core.ts";
import {
  COLUMN_BASE,
  COLUMN_PAGES,
  PAGE_ENCODING,
  PAGE_I64,
  PAGE_ROWS,
  PAGE_U8,
  PAGE_U16,
  PAGE_VALUES,
} from "../core/layout.ts";

/** Reads timestamps of listed rows. */
export class SessionTimes {
  readonly #core: Core;
  readonly #u16: Uint16Array;
  readonly #i64: BigInt64Array;

  constructor(core: Core) {
    this.#core = core;
    this.#u16 = new Uint16Array(core.memory.buffer);
    this.#i64 = new BigInt64Array(core.memory.buffer);
  }

  /** Writes the timestamp of each of `rows`, ascending, µs; `column` has integers, one a row. */
  read(column: number, rows: Uint32Array, out: BigInt64Array): void {
    const { u32 } = this.#core;
    for (let i = 0; i < rows.length; ) {
      const number = Math.floor((rows[i] as number) / PAGE_ROWS);
      const page = u32[(column + COLUMN_PAGES + number * 4) >>> 2] as number;
      let end = i + 1;
      const last = (number + 1) * PAGE_ROWS;
      while (end < rows.length && (rows[end] as number) < last) end++;
      this.#page(column, page, number * PAGE_ROWS, rows.subarray(i, end), out.subarray(i, end));
      i = end;
    }
  }

  #page(column: number, page: number, first: number, rows: Uint32Array, out: BigInt64Array): void {
    const { u8, u32, view } = this.#core;
    const encoding = u32[(page + PAGE_ENCODING) >>> 2] as number;
    const values = page + PAGE_VALUES;
    if (encoding === PAGE_I64) {
      const from = values / 8 - first;
      const { length } = rows;
      for (let i = 0; i < length; i++) out[i] = this.#i64[from + (rows[i] as number)] as bigint;
      return;
    }
    const array = encoding === PAGE_U8 ? u8 : encoding === PAGE_U16 ? this.#u16 : u32;
    const from = values / array.BYTES_PER_ELEMENT - first;
    const base = view.getBigInt64(column + COLUMN_BASE, true);
    for (let i = 0; i < rows.length; i++) {
      out[i] = base + BigInt(array[from + (rows[i] as number)] as number);
    }
  }
}

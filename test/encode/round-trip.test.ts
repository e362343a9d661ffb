import { describe, expect, test } from "vitest";
import { at } from "../../src/base/assert.ts";
import * as layout from "../../src/core/layout.ts";
import { asSealed, type PlainColumn, readColumn } from "../oracle/encode.ts";
import { readSealedColumn } from "../oracle/sealed-column.ts";
import { mulberry32 } from "../support/random.ts";
import { decode, encode, encodeAt, encodeCore } from "./encode-core.ts";
import {
  makeColumn,
  numberShapes,
  otherShapes,
  presences,
  rowCounts,
  textShapes,
} from "./shapes.ts";

// Every shape of column, with every pattern of absent rows: the core's bytes read by the plain decoder, the
// core's own decoding of them, and the decoded column encoded once more all give the cells back.

const on = encodeCore();
const SEED = 20_261_123;

function expectSame(got: PlainColumn, want: PlainColumn, what: string): void {
  expect(got.lane, what).toBe(want.lane);
  expect(got.cells.length, what).toBe(want.cells.length);
  got.cells.forEach((cell, row) => {
    if (!Object.is(cell, want.cells[row])) {
      throw new Error(`${what}: row ${row}: got ${String(cell)}, want ${String(want.cells[row])}`);
    }
  });
}

function roundTrip(column: PlainColumn, what: string): void {
  const rows = column.cells.length;
  const bytes = encode(on, column);
  const plain = readSealedColumn(bytes);
  expectSame(plain, asSealed(column, plain), `${what}, plain decoder`);
  expect(decode(on, bytes), what).toBe(0);
  const { decoded, core } = on;
  expectSame(readColumn(core, decoded.base, rows), plain, `${what}, core`);
  expectPages(rows, what);
  const again = encodeAt(on, decoded.base, rows);
  expectSame(readSealedColumn(again), plain, `${what}, encoded again`);
}

/** The promises of layout.ts that reading cell by cell does not show. */
function expectPages(rows: number, what: string): void {
  const { view, u8 } = on.core;
  const column = on.decoded.base;
  let present = 0;
  for (let page = 0; page < layout.PAGES_MAX; page++) {
    const address = view.getUint32(column + layout.COLUMN_PAGES + page * 4, true);
    if (page * layout.PAGE_ROWS >= rows) expect(address, what).toBe(0);
    if (address === 0) continue;
    expect(address % 16, what).toBe(0);
    const count = view.getUint32(address + layout.PAGE_COUNT, true);
    const bitmap = u8.subarray(
      address + layout.PAGE_PRESENCE,
      address + layout.PAGE_PRESENCE + layout.PAGE_PRESENCE_SIZE,
    );
    let bits = 0;
    for (const byte of bitmap) for (let bit = byte; bit !== 0; bit &= bit - 1) bits++;
    expect(count, what).toBe(bits);
    expect(count, `${what}: a page without rows has address 0`).toBeGreaterThan(0);
    present += count;
    expectAbsentZero(address, bitmap, what);
  }
  expect(view.getUint32(column + layout.COLUMN_COUNT, true), what).toBe(present);
}

function expectAbsentZero(page: number, bitmap: Uint8Array, what: string): void {
  const { view, u8 } = on.core;
  const encoding = view.getUint32(page + layout.PAGE_ENCODING, true);
  const width = at([1, 2, 4, 8, 8, 8, 16, 0], encoding);
  for (let row = 0; row < layout.PAGE_ROWS && width > 0; row++) {
    if ((at(bitmap, row >> 3) >> (row & 7)) & 1) continue;
    const value = page + layout.PAGE_VALUES + row * width;
    for (let i = 0; i < width; i++) {
      if (u8[value + i] !== 0) throw new Error(`${what}: absent row ${row} of a page is not 0`);
    }
  }
}

function seedOf(...parts: (string | number)[]): number {
  let seed = SEED;
  for (const char of parts.join("/")) seed = Math.imul(seed ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return seed;
}

const shapes = [
  ...Object.entries(numberShapes).map(([name, cells]) => ({
    name: `numbers, ${name}`,
    lane: layout.LANE_NUMBER,
    cells,
  })),
  ...Object.entries(textShapes).map(([name, cells]) => ({
    name: `texts, ${name}`,
    lane: layout.LANE_STRING,
    cells,
  })),
  ...Object.entries(otherShapes).map(([name, shape]) => ({ name, ...shape })),
];

describe.each(shapes)("$name", ({ name, lane, cells }) => {
  test.each(Object.entries(presences))("present: %s", (presence, isPresent) => {
    for (const rows of presence === "all" ? rowCounts : [129, 9001]) {
      const seed = seedOf(name, presence, rows);
      const column = makeColumn(lane, cells, isPresent, rows, mulberry32(seed));
      roundTrip(column, `seed ${seed}, ${rows} rows`);
    }
  });
});

test("JSON cells are texts in a lane of their own", () => {
  const cells = Array.from({ length: 500 }, (_, row) => `{"a":[${row % 7},"é"]}`);
  roundTrip({ lane: layout.LANE_JSON, cells }, "json");
});

test("a full segment of unique texts", () => {
  const random = mulberry32(SEED);
  const cells = Array.from({ length: layout.SEGMENT_ROWS_MAX }, (_, row) => {
    return `${Math.floor(random() * 1e9).toString(36)}-${row}`;
  });
  const bytes = encode(on, { lane: layout.LANE_STRING, cells });
  expect(decode(on, bytes)).toBe(0);
  const got = readColumn(on.core, on.decoded.base, cells.length);
  expectSame(got, { lane: layout.LANE_STRING, cells }, `seed ${SEED}`);
});

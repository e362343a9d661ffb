import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import type { Cell, PlainColumn } from "../oracle/encode.ts";
import { mulberry32 } from "../support/random.ts";
import { decode, encode, encodeCore } from "./encode-core.ts";
import { below } from "./shapes.ts";

// Which form and encoding a column gets, what it costs, and how wide it decodes.

const on = encodeCore();
const rows = 20_000;
const random = mulberry32(7);

function numbers(cell: (row: number) => Cell): PlainColumn {
  return {
    lane: layout.LANE_NUMBER,
    cells: Array.from({ length: rows }, (_, row) => cell(row)),
  };
}

function texts(cell: (row: number) => string): PlainColumn {
  return { ...numbers(cell), lane: layout.LANE_STRING };
}

/** Encodes, decodes, and says what became of the column. */
function look(column: PlainColumn) {
  const bytes = encode(on, column);
  expect(decode(on, bytes)).toBe(0);
  const { view } = on.core;
  const page = view.getUint32(on.decoded.base + layout.COLUMN_PAGES, true);
  return {
    form: bytes[25],
    encoding: bytes[26],
    presence: bytes[27],
    exponent: bytes[28],
    bitsPerRow: (bytes.length * 8) / column.cells.length,
    page: page === 0 ? undefined : view.getUint32(page, true),
    flags: view.getUint32(on.decoded.base + layout.COLUMN_FLAGS, true),
  };
}

describe("numbers", () => {
  test("timestamps of regular events take about a bit a row", () => {
    const got = look(numbers((row) => 1_795_435_200_000_000n + BigInt(row >> 1) * 1000n));
    expect(got).toMatchObject({ form: 0, encoding: 1, page: layout.PAGE_U32 });
    expect(got.bitsPerRow).toBeLessThan(1.2);
  });

  test("multiples of a large step take the bits of their quotients", () => {
    const got = look(numbers(() => BigInt(below(random, 16)) * 1_000_000_007n));
    expect(got).toMatchObject({ form: 0, page: layout.PAGE_I64 });
    expect(got.bitsPerRow).toBeLessThan(4.2);
  });

  test("runs take what they are, not what is in them", () => {
    const far = [0n, 2n ** 60n, -(2n ** 61n)];
    const got = look(numbers((row) => far[Math.floor(row / 700) % 3] as bigint));
    expect(got).toMatchObject({ form: 0, page: layout.PAGE_I64 });
    expect(got.bitsPerRow).toBeLessThan(0.25);
    const one = look(numbers(() => 5n));
    expect(one.bitsPerRow, "a constant has no runs, and no bits").toBeLessThan(0.09);
    const source = look(texts((row) => `worker ${Math.floor(row / 500) % 6}`));
    expect(source).toMatchObject({ encoding: 5, page: layout.PAGE_U8 });
    expect(source.bitsPerRow, "3 bits without runs").toBeLessThan(0.35);
    const mobile = numbers((row) => Math.floor(row / 300) % 2 === 0);
    expect(look({ ...mobile, lane: layout.LANE_BOOLEAN }).bitsPerRow).toBeLessThan(0.2);
  });

  test("few far values take the bits of their codes", () => {
    const values = [200n, 201n, 404n, 500n];
    const got = look(numbers(() => values[below(random, 4)] as bigint));
    expect(got).toMatchObject({ form: 0, encoding: 2, page: layout.PAGE_U16 });
    expect(got.bitsPerRow).toBeLessThan(2.2);
  });

  test("cents become integers with exponent 2, whole ones among them too", () => {
    const got = look(
      numbers(() => {
        const value = below(random, 10_001) / 100;
        return Number.isInteger(value) ? BigInt(value) : value;
      }),
    );
    expect(got).toMatchObject({ form: 1, encoding: 1, exponent: 2, page: layout.PAGE_U16 });
    expect(got.bitsPerRow).toBeLessThan(14.2);
  });

  test("f64 that are all whole stay f64", () => {
    const got = look(numbers(() => below(random, 200)));
    expect(got).toMatchObject({ form: 1, exponent: 1, page: layout.PAGE_U16 });
    expect(got.bitsPerRow).toBeLessThan(8.2);
  });

  test("decimals that are far apart decode to f64 pages", () => {
    const got = look(numbers((row) => (row === 0 ? 1e12 + 0.5 : row / 10)));
    expect(got).toMatchObject({ form: 1, page: layout.PAGE_F64 });
  });

  test("other f64 are XORed where they resemble the one before, raw where nothing helps", () => {
    let jump = Math.PI;
    const alike = numbers((row) => {
      if (row % 50 === 0) jump = random();
      return jump * (1 + below(random, 200) * 2 ** -52);
    });
    expect(look(alike)).toMatchObject({ form: 2, encoding: 3, page: layout.PAGE_F64 });
    let value = Math.PI;
    const repeating = numbers((row) => {
      if (row % 8 === 0) value = random();
      return value;
    });
    expect(look(repeating)).toMatchObject({ form: 2, encoding: 1, page: layout.PAGE_F64 });
    const any = new Float64Array(1);
    const bits = new Uint32Array(any.buffer);
    const noise = numbers(() => {
      bits[0] = below(random, 2 ** 32);
      bits[1] = below(random, 2 ** 32) & 0xbfffffff;
      return any[0] as number;
    });
    expect(look(noise)).toMatchObject({ form: 2, encoding: 4 });
  });

  test("both kinds, too exact for f64, keep their kinds", () => {
    const got = look(numbers((row) => (row % 2 === 0 ? 2n ** 60n + 1n : 0.5)));
    expect(got).toMatchObject({ form: 3, page: layout.PAGE_MIXED });
  });
});

describe("texts", () => {
  test("few texts: packed codes in byte order", () => {
    const got = look(texts(() => `type ${below(random, 8)}`));
    expect(got).toMatchObject({ encoding: 5, page: layout.PAGE_U8 });
    expect(got.flags).toBe(layout.COLUMN_FLAG_SORTED);
    expect(got.bitsPerRow).toBeLessThan(3.2);
  });

  // Nearly all of ASCII, so that neighbours in order share little.
  const sign = () => 1 + below(random, 127);

  test("unique texts without likeness: plain, code i is row i", () => {
    const got = look(texts(() => String.fromCharCode(...Array.from({ length: 12 }, sign))));
    expect(got).toMatchObject({ encoding: 6, flags: layout.COLUMN_FLAG_PLAIN });
    expect(got.page).toBe(layout.PAGE_U16);
  });

  test("texts that repeat are never plain: a code stands for its text", () => {
    const repeated = Array.from({ length: 12 }, sign);
    const got = look(
      texts((row) => String.fromCharCode(...(row < 2 ? repeated : Array.from(repeated, sign)))),
    );
    expect(got).toMatchObject({ encoding: 5, flags: layout.COLUMN_FLAG_SORTED });
  });

  test("texts that are equally long pay for no lengths", () => {
    const digits = (row: number) => String((row * 7919) % 1_000_000).padStart(6, "0");
    const equal = look(texts((row) => `s${digits(row)}`));
    const unequal = look(texts((row) => `s${digits(row)}${"x".repeat(row % 3)}`));
    expect(equal.encoding).toBe(5);
    expect(unequal.bitsPerRow - equal.bitsPerRow).toBeGreaterThan(2);
  });

  test("unique texts that share long prefixes: the dictionary is smaller", () => {
    const got = look(texts((row) => `https://example.com/products/${row}/reviews`));
    expect(got.encoding).toBe(5);
  });

  test("texts in rising order cost next to nothing beside their new characters", () => {
    const got = look(texts((row) => `row ${String(row).padStart(8, "0")}`));
    expect(got.bitsPerRow).toBeLessThan(18);
  });
});

describe("presence", () => {
  const present = (isPresent: (row: number) => boolean): PlainColumn => ({
    lane: layout.LANE_NULL,
    cells: Array.from({ length: rows }, (_, row) => (isPresent(row) ? null : undefined)),
  });

  test.each([
    ["all", () => true, 0],
    ["none", () => false, 1],
    ["half", () => random() < 0.5, 2],
    ["few rows", (row: number) => row % 1000 === 3, 3],
    ["few absent rows", (row: number) => row % 1000 !== 3, 4],
  ] as const)("%s", (_, isPresent, kind) => {
    expect(look(present(isPresent)).presence).toBe(kind);
  });

  test("a column of a few rows is small", () => {
    const bytes = encode(
      on,
      numbers((row) => BigInt(row)),
    );
    expect(bytes.length).toBeLessThan(300);
    const sparse = encode(on, {
      lane: layout.LANE_NUMBER,
      cells: Array.from({ length: rows }, (_, row) => (row % 5000 === 0 ? 7n : undefined)),
    });
    expect(sparse.length).toBeLessThan(200);
  });
});

describe("refusals", () => {
  test("an output that is too small is OUT_OF_MEMORY and nothing is written beyond it", () => {
    const column = on.columns;
    column.reset();
    const cells = Array.from({ length: 5000 }, (_, row) => `text ${row * 7919}`);
    const address = column.build({ lane: layout.LANE_STRING, cells });
    const { core, bytes, scratch } = on;
    const full = encode(on, { lane: layout.LANE_STRING, cells }).length;
    for (const capacity of [0, 79, 80, 100, 1000, full - 1, full]) {
      core.u8.fill(0x5a, bytes.base, bytes.base + full + 256);
      const status = core.exports.encodeColumn?.(
        address,
        5000,
        bytes.base,
        capacity,
        scratch.base,
        scratch.size,
      );
      expect(status).toBe(64);
      const beyond = core.u8.subarray(bytes.base + capacity, bytes.base + full + 256);
      expect(beyond.every((byte) => byte === 0x5a)).toBe(true);
    }
  });

  test("scratch that is too small, no rows and too many rows", () => {
    on.columns.reset();
    const address = on.columns.build({ lane: layout.LANE_NUMBER, cells: [1n] });
    const { core, bytes, scratch } = on;
    const run = (count: number, scratchSize: number) =>
      core.exports.encodeColumn?.(address, count, bytes.base, 65_536, scratch.base, scratchSize);
    expect(run(1, 1000)).toBe(64);
    expect(run(0, scratch.size)).toBe(69);
    expect(run(131_073, scratch.size)).toBe(69);
    expect(run(1, scratch.size)).toBe(0);
  });
});

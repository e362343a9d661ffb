import * as layout from "../../src/core/layout.ts";
import type { Cell, PlainColumn } from "../oracle/encode.ts";

// Columns of every kind that an encoding could meet, from a seed.

export type Random = () => number;

export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

function wide(random: Random): bigint {
  const bits = (BigInt(below(random, 2 ** 32)) << 32n) | BigInt(below(random, 2 ** 32));
  return BigInt.asIntN(64, bits);
}

/** A generator of cells: called with the row, it answers the row's value. */
type Cells = (row: number) => Cell;
type MakeCells = (random: Random) => Cells;

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

function oneOf(random: Random, values: readonly Cell[]): Cell {
  return values[below(random, values.length)] as Cell;
}

function bitsOf(random: Random): number {
  const value = new Float64Array(BigInt64Array.of(wide(random)).buffer)[0] as number;
  return Number.isFinite(value) ? value : 0.5;
}

export const numberShapes: Record<string, MakeCells> = {
  constant: (random) => {
    const value = wide(random);
    return () => value;
  },
  bytes: (random) => () => BigInt(below(random, 256)) - 128n,
  "any i64": (random) => () => wide(random),
  "both ends of i64": (random) => () => oneOf(random, [I64_MIN, I64_MAX, 0n, -1n]),
  "60 bits": (random) => () => wide(random) >> 4n,
  timestamps: (random) => {
    let time = 1_795_435_200_000_000n;
    return () => {
      time += BigInt(below(random, 3)) * 1000n;
      return time;
    };
  },
  "wide steps": (random) => {
    const step = 10n ** BigInt(1 + below(random, 12));
    return () => BigInt(below(random, 1000)) * step - 7n;
  },
  sequence: () => (row) => BigInt(row) * 3n,
  "sequence that wraps": () => (row) => BigInt.asIntN(64, I64_MAX - 100n + BigInt(row)),
  "few distinct": (random) => {
    const values = Array.from({ length: 1 + below(random, 300) }, () => wide(random));
    return () => oneOf(random, values);
  },
  "status codes": (random) => () => oneOf(random, [200n, 201n, 404n, 500n]),
  "cents, some whole": (random) => () => {
    const value = below(random, 1_000_000) / 100;
    return Number.isInteger(value) ? BigInt(value) : value;
  },
  "cents, whole as f64": (random) => () => below(random, 1_000_000) / 100,
  "whole f64": (random) => () => below(random, 1000),
  "nine digits after the point": (random) => () => below(random, 1e9) / 1e9 - 0.5,
  "large decimals": (random) => () => below(random, 2 ** 50) / 10,
  "decimals and a rare odd one": (random) => () =>
    random() < 0.001 ? Math.PI : below(random, 10_000) / 100,
  "decimals and minus zero": (random) => () => (random() < 0.01 ? -0 : below(random, 9) / 10),
  "decimals and large i64": (random) => () =>
    random() < 0.5 ? 2n ** 53n + 1n : below(random, 9) / 10,
  "long runs": (random) => {
    let value = wide(random);
    return () => {
      if (random() < 0.01) value = wide(random);
      return value;
    };
  },
  "long runs of few": (random) => {
    let value = 0n;
    return () => {
      if (random() < 0.003) value = BigInt(below(random, 6)) * 7n;
      return value;
    };
  },
  "any f64": (random) => () => bitsOf(random),
  "any number": (random) => () => (random() < 0.5 ? wide(random) : bitsOf(random)),
  "tiny and huge": (random) => () => oneOf(random, [5e-324, -5e-324, 1.7976931348623157e308, 0]),
  sensor: (random) => {
    let value = 20.0;
    return () => {
      if (random() < 0.3) value += (random() - 0.5) / 3;
      return value;
    };
  },
  "few floats": (random) => () => oneOf(random, [Math.PI, Math.E, Math.SQRT2, 1 / 3]),
};

function word(random: Random, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(97 + below(random, 26));
  return text;
}

export const textShapes: Record<string, MakeCells> = {
  "one text": () => () => "page_view",
  "empty texts": (random) => () => oneOf(random, ["", "a"]),
  few: (random) => () => oneOf(random, ["click", "page_view", "purchase", "señal", "購入", "🛒"]),
  users: (random) => () => `user_${below(random, 3000)}`,
  unique: (random) => (row) => `${word(random, 12)}${row}`,
  "unique and in order": () => (row) => `row-${String(row).padStart(9, "0")}`,
  "unlike each other": (random) => () =>
    String.fromCharCode(...Array.from({ length: 12 }, () => 1 + below(random, 127))),
  "nearly unique": (random) => () => word(random, 3),
  "long shared prefixes": (random) => () =>
    `https://example.com/${"a".repeat(below(random, 300))}/${below(random, 50)}`,
  "prefixes of each other": (random) => () => "ab".repeat(below(random, 200)),
  "zero bytes": (random) => () => "\0".repeat(below(random, 40)) + oneOf(random, ["", "b", "\0b"]),
  "every first byte": (random) => () => String.fromCodePoint(1 + below(random, 0xd000)),
  "lengths around eight": (random) => () => "abcdefghijklmnopq".slice(0, below(random, 18)),
  "runs of texts": (random) => {
    let text = "web";
    return () => {
      if (random() < 0.004) text = `worker-${below(random, 12)}`;
      return text;
    };
  },
  "equally long": (random) => () => `sess_${word(random, 5)}`,
  large: (random) => () => word(random, below(random, random() < 0.02 ? 3000 : 20)),
};

export const otherShapes: Record<string, { lane: number; cells: MakeCells }> = {
  booleans: { lane: layout.LANE_BOOLEAN, cells: (random) => () => random() < 0.5 },
  "runs of booleans": {
    lane: layout.LANE_BOOLEAN,
    cells: (random) => {
      let value = true;
      return () => {
        if (random() < 0.005) value = !value;
        return value;
      };
    },
  },
  "always true": { lane: layout.LANE_BOOLEAN, cells: () => () => true },
  ids: {
    lane: layout.LANE_ID,
    cells: (random) => () =>
      Array.from({ length: 16 }, () => below(random, 256).toString(16).padStart(2, "0")).join(""),
  },
  "ids of a row number": {
    lane: layout.LANE_ID,
    cells: (random) => (row) =>
      `018f2f6e0000${below(random, 2 ** 16)
        .toString(16)
        .padStart(4, "0")}a5a5${row.toString(16).padStart(12, "0")}`,
  },
  "one id": { lane: layout.LANE_ID, cells: () => () => "f".repeat(32) },
  "ids, every second bit": {
    lane: layout.LANE_ID,
    cells: (random) => () =>
      Array.from({ length: 32 }, () => (below(random, 2 ** 16) & 5).toString(16)).join(""),
  },
  "ids of version 4": {
    lane: layout.LANE_ID,
    cells: (random) => () => {
      const hex = (digits: number) =>
        Array.from({ length: digits }, () => below(random, 16).toString(16)).join("");
      return `${hex(12)}4${hex(3)}${(8 + below(random, 4)).toString(16)}${hex(15)}`;
    },
  },
  nulls: { lane: layout.LANE_NULL, cells: () => () => null },
};

/** Which rows have a value. */
export const presences: Record<string, (random: Random) => (row: number) => boolean> = {
  all: () => () => true,
  none: () => () => false,
  "one row": () => (row) => row === 0,
  "one row is absent": () => (row) => row !== 3,
  rare: (random) => () => random() < 0.002,
  half: (random) => () => random() < 0.5,
  most: (random) => () => random() < 0.995,
  "every second page": () => (row) => Math.floor(row / layout.PAGE_ROWS) % 2 === 1,
  "from the middle of a page": () => (row) => row >= 2000,
};

/** Around the sizes of words, 16-byte sections and pages. */
export const rowCounts = [1, 2, 64, 65, 127, 129, 4095, 4096, 4097, 8192, 9001];

export function makeColumn(
  lane: number,
  make: MakeCells,
  presence: (random: Random) => (row: number) => boolean,
  rows: number,
  random: Random,
): PlainColumn {
  const cell = make(random);
  const isPresent = presence(random);
  const cells = Array.from({ length: rows }, (_, row) => (isPresent(row) ? cell(row) : undefined));
  return { lane, cells };
}

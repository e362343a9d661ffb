// Each query kernel against a plain loop over the same values.

import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import {
  i64Max,
  i64Min,
  nextDown,
  nextUp,
  numberRange,
  rawRange,
} from "../../src/query/plan/bounds.ts";
import { compareBytes, type OracleCell } from "../oracle/query.ts";
import { QueryBed, writeColumn } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";

const ops = ["=", "!=", "<", "<=", ">", ">="] as const;
const edges: readonly (number | bigint)[] = [
  0n,
  -0,
  1n,
  -1n,
  0.5,
  -0.5,
  2n ** 53n,
  2n ** 53n + 1n,
  2 ** 53,
  -(2n ** 53n) - 1n,
  i64Max,
  i64Min,
  2 ** 63,
  -(2 ** 63),
  1e300,
  -1e300,
  5e-324,
  Number.MAX_VALUE,
  10n ** 30n,
];

function holds(op: string, a: number | bigint, b: number | bigint): boolean {
  if (op === "=") return a == b;
  if (op === "!=") return a != b;
  if (op === "<") return a < b;
  if (op === "<=") return a <= b;
  return op === ">" ? a > b : a >= b;
}

describe("bounds", () => {
  test("a number is in the range of a comparison exactly when the comparison holds", () => {
    for (const bound of edges) {
      for (const op of ops) {
        const range = numberRange(op, bound);
        for (const value of edges) {
          if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) continue;
          const inside =
            typeof value === "bigint"
              ? value >= range.i64Low && value <= range.i64High
              : value >= range.f64Low && value <= range.f64High;
          expect(inside !== (op === "!="), `${value} ${op} ${bound}`).toBe(holds(op, value, bound));
        }
        expect(BigInt.asIntN(64, range.i64Low)).toBe(range.i64Low);
        expect(BigInt.asIntN(64, range.i64High)).toBe(range.i64High);
      }
    }
  });

  test("raw integers are in the range exactly when their values are", () => {
    const bases = [0n, -7n, 1000n, i64Min, i64Max - 100n, 2n ** 53n - 3n];
    for (const base of bases) {
      for (const exponent of [0, 1, 2, 5]) {
        const valueOf = (raw: number): number | bigint =>
          exponent === 0 ? base + BigInt(raw) : Number(base + BigInt(raw)) / 10 ** exponent;
        const literals = [...edges, valueOf(3), valueOf(99), 0.03, 9.9];
        for (const literal of literals) {
          for (const op of ops) {
            const raw = rawRange(numberRange(op, literal), base, exponent);
            for (const value of [0, 1, 3, 50, 99]) {
              if (base + BigInt(value) > i64Max) continue;
              const inside = raw !== null && value >= raw.low && value <= raw.high;
              const want = holds(op, valueOf(value), literal);
              expect(
                inside !== (op === "!="),
                `${value} ${base} ${exponent} ${op} ${literal}`,
              ).toBe(want);
            }
          }
        }
      }
    }
  });

  test("neighbours of doubles", () => {
    expect(nextUp(0)).toBe(5e-324);
    expect(nextDown(-0)).toBe(-5e-324);
    expect(nextUp(1)).toBe(1 + Number.EPSILON);
    expect(nextDown(1)).toBe(1 - Number.EPSILON / 2);
    expect(nextUp(Number.MAX_VALUE)).toBe(Infinity);
    expect(nextDown(Infinity)).toBe(Number.MAX_VALUE);
    expect(nextUp(-5e-324)).toBe(-0);
  });
});

/** Values whose pages have each of the encodings. */
const makers: Readonly<Record<string, { stored: boolean; make: (random: Random) => OracleCell }>> =
  {
    u8: { stored: true, make: (random) => BigInt(Math.floor(random() * 200)) - 50n },
    u16: { stored: true, make: (random) => BigInt(Math.floor(random() * 60_000)) },
    u32: { stored: true, make: (random) => BigInt(Math.floor(random() * 2 ** 32)) },
    decimal: { stored: true, make: (random) => Math.floor(random() * 50_000) / 100 },
    i64: { stored: false, make: (random) => BigInt(Math.floor((random() - 0.5) * 1e15)) * 4096n },
    f64: { stored: false, make: (random) => (random() - 0.5) * 1e6 },
    mixed: {
      stored: false,
      make: (random) => (random() < 0.5 ? random() * 100 : BigInt(Math.floor(random() * 100))),
    },
  };

function cellsOf(random: Random, count: number, make: (random: Random) => OracleCell) {
  const present = pick(random, [1, 0.9, 0.05]);
  return Array.from({ length: count }, (_, i) =>
    // One whole page without a value, and one with all of them.
    i >> 12 === 1 || (i >> 12 !== 2 && random() >= present) ? undefined : make(random),
  );
}

/** A selection of random rows below `rows`, and the same as booleans. */
function maskOf(bed: QueryBed, random: Random, rows: number) {
  const size = ((rows + 127) >>> 7) << 4;
  const address = bed.take(size);
  bed.core.u8.fill(0, address, address + size);
  const density = pick(random, [1, 0.5, 0.02]);
  const bits = Array.from({ length: rows }, () => random() < density);
  bits.forEach((bit, r) => {
    if (bit)
      bed.core.u8[address + (r >> 3)] =
        (bed.core.u8[address + (r >> 3)] as number) | (1 << (r & 7));
  });
  return { address, bits, words: (rows + 63) >>> 6, size };
}

function bitsAt(bed: QueryBed, address: number, rows: number): boolean[] {
  return Array.from(
    { length: rows },
    (_, r) => (((bed.core.u8[address + (r >> 3)] as number) >> (r & 7)) & 1) === 1,
  );
}

function setRows(bits: readonly boolean[]): number[] {
  return bits.flatMap((bit, r) => (bit ? [r] : []));
}

describe("selections", () => {
  test.each(Object.keys(makers))("ranges over %s pages", (name) => {
    const { stored, make } = makers[name] as (typeof makers)[string];
    for (let seed = 1; seed <= 4; seed++) {
      const random = mulberry32(seed);
      const bed = new QueryBed();
      const { kernels } = bed.state.run;
      const rows = 1 + Math.floor(random() * 14_000);
      const cells = cellsOf(random, rows, make);
      const column = writeColumn(bed, layout.LANE_NUMBER, cells, { stored });
      const base = bed.core.view.getBigInt64(column + layout.COLUMN_BASE, true);
      const exponent = bed.core.view.getUint32(column + layout.COLUMN_EXPONENT, true);
      const mask = maskOf(bed, random, rows);
      const out = bed.take(mask.size);
      for (let i = 0; i < 12; i++) {
        const op = pick(random, ops);
        const bound = (pick(random, cells) ?? make(random)) as number | bigint;
        const range = numberRange(op, bound);
        const raw = rawRange(range, base, exponent);
        const count = kernels.selectRange(
          column,
          mask.words,
          mask.address,
          out,
          op === "!=" ? 1 : 0,
          raw?.low ?? 1,
          raw?.high ?? 0,
          range.i64Low,
          range.i64High,
          range.f64Low,
          range.f64High,
          bed.cancel,
        );
        const want = cells.map(
          (cell, r) =>
            mask.bits[r] === true &&
            cell !== undefined &&
            holds(op, cell as number | bigint, bound),
        );
        expect(setRows(bitsAt(bed, out, rows)), `seed ${seed}: ${op} ${bound}`).toEqual(
          setRows(want),
        );
        expect(count).toBe(setRows(want).length);
      }
    }
  });

  test("sets of codes, presence, ids, and what is done with selections", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = mulberry32(seed);
      const bed = new QueryBed();
      const { kernels } = bed.state.run;
      const rows = 1 + Math.floor(random() * 14_000);
      const distinct = pick(random, [3, 1000, 100_000]);
      const texts = cellsOf(random, rows, () => `t${Math.floor(random() * distinct)}`);
      const column = writeColumn(bed, layout.LANE_STRING, texts, { stored: true });
      const mask = maskOf(bed, random, rows);
      const [a, b] = [bed.take(mask.size), bed.take(mask.size)];
      const dictionary = [...new Set(texts.filter((text) => text !== undefined))] as string[];
      dictionary.sort(compareBytes);
      const chosen = new Set(dictionary.filter(() => random() < 0.3));
      const table = bed.bytes(Uint8Array.from(dictionary, (text) => (chosen.has(text) ? 1 : 0)));
      const inSet = texts.map((text, r) => mask.bits[r] === true && chosen.has(text as string));
      const present = texts.map((text, r) => mask.bits[r] === true && text !== undefined);
      expect(kernels.selectCodes(column, mask.words, mask.address, a, table, bed.cancel)).toBe(
        setRows(inSet).length,
      );
      expect(bitsAt(bed, a, rows)).toEqual(inSet);
      expect(kernels.selectPresent(column, mask.words, mask.address, b)).toBe(
        setRows(present).length,
      );
      expect(bitsAt(bed, b, rows)).toEqual(present);

      const out = bed.take(mask.size);
      const both = (join: (x: boolean, y: boolean) => boolean): boolean[] =>
        inSet.map((x, r) => join(x, mask.bits[r] === true));
      kernels.selectionAnd(a, mask.address, out, mask.words);
      expect(bitsAt(bed, out, rows)).toEqual(both((x, y) => x && y));
      kernels.selectionOr(a, mask.address, out, mask.words);
      expect(bitsAt(bed, out, rows)).toEqual(both((x, y) => x || y));
      const without = both((x, y) => y && !x);
      expect(kernels.selectionAndNot(mask.address, a, out, mask.words)).toBe(
        setRows(without).length,
      );
      expect(bitsAt(bed, out, rows)).toEqual(without);
      expect(kernels.selectionCount(out, mask.words)).toBe(setRows(without).length);

      const list = bed.take(rows * 4);
      const count = kernels.selectionRows(out, mask.words, list);
      expect([...bed.core.u32.subarray(list >>> 2, (list >>> 2) + count)]).toEqual(
        setRows(without),
      );
      const [from, to] = [Math.floor(random() * rows), Math.floor(random() * rows)];
      kernels.selectionRange(out, mask.words, from, to);
      expect(setRows(bitsAt(bed, out, rows))).toEqual(
        Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i),
      );
    }
  });

  test("a set cancel word stops every kernel that looks at rows", () => {
    const bed = new QueryBed();
    const { kernels } = bed.state.run;
    const column = writeColumn(bed, layout.LANE_NUMBER, [1n], { stored: false });
    const mask = maskOf(bed, mulberry32(1), 1);
    bed.core.u32[bed.cancel >>> 2] = 7;
    const { address, words } = mask;
    const c = bed.cancel;
    expect(kernels.selectRange(column, words, address, address, 0, 0, 0, 0n, 0n, 0, 0, c)).toBe(-1);
    expect(kernels.selectCodes(column, words, address, address, address, c)).toBe(-1);
    const rows = bed.take(16);
    expect(kernels.usedCodes(column, words, address, bed.take(64), c)).toBe(-1);
    expect(kernels.groupCodes(column, rows, 1, rows, 0, c)).toBe(-1);
    expect(kernels.groupRange(column, rows, 1, rows, c)).toBe(-1);
    expect(kernels.groupIntegers(column, rows, 1, rows, 0, 0n, c)).toBe(-1);
    expect(kernels.groupNumbers(column, rows, 0, 1, rows, 0, rows, c)).toBe(-1);
    expect(kernels.groupUuids(column, rows, 0, 1, rows, 0, rows, c)).toBe(-1);
    expect(kernels.groupBuckets(column, rows, 1, rows, 0, 0n, 1n, c)).toBe(-1);
    expect(kernels.groupStarts(column, rows, 1, rows, 0, rows, 1, c)).toBe(-1);
    expect(kernels.groupTranslate(rows, rows, 0, 1, c)).toBe(-1);
    expect(kernels.groupPairs(rows, rows, rows, 0, 1, c)).toBe(-1);
  });
});

describe("dictionaries", () => {
  test("texts are found, bounded, matched and ranked by their bytes", () => {
    const random = mulberry32(5);
    const alphabet = ["a", "b", "ü", "\u{10000}", "\uffff", "zzzzzzzz"];
    for (let round = 0; round < 20; round++) {
      const bed = new QueryBed();
      const { kernels } = bed.state.run;
      const word = (): string =>
        Array.from({ length: Math.floor(random() * 5) }, () => pick(random, alphabet)).join("");
      const texts = [...new Set(Array.from({ length: 1 + Math.floor(random() * 60) }, word))];
      const entriesOf = (list: readonly string[]): number => {
        const column = writeColumn(bed, layout.LANE_STRING, list, { stored: false });
        return bed.core.u32[(column + layout.COLUMN_DICT) >>> 2] as number;
      };
      const sorted = texts.toSorted(compareBytes);
      const [unsortedAt, sortedAt] = [entriesOf(texts), entriesOf(sorted)];
      const table = bed.take(texts.length);
      const flags = (): number[] => [...bed.core.u8.subarray(table, table + texts.length)];
      for (let i = 0; i < 20; i++) {
        const wanted = random() < 0.5 ? pick(random, texts) : word();
        const bytes = Buffer.from(wanted);
        const at = bed.bytes(bytes);
        const count = texts.length;
        expect(kernels.findText(unsortedAt, 0, count, at, bytes.length)).toBe(
          texts.indexOf(wanted),
        );
        const before = sorted.filter((text) => compareBytes(text, wanted) < 0).length;
        const upTo = sorted.filter((text) => compareBytes(text, wanted) <= 0).length;
        expect(kernels.boundText(sortedAt, count, at, bytes.length, 0)).toBe(before);
        expect(kernels.boundText(sortedAt, count, at, bytes.length, 1)).toBe(upTo);
        kernels.matchTexts(unsortedAt, count, at, bytes.length, 1 | 2, table);
        expect(flags()).toEqual(texts.map((text) => (compareBytes(text, wanted) <= 0 ? 1 : 0)));
        kernels.matchPrefix(unsortedAt, count, at, bytes.length, 1, table);
        expect(flags()).toEqual(texts.map((text) => (text.startsWith(wanted) ? 0 : 1)));
      }
      const codes = bed.take(texts.length * 4);
      const ranks = bed.take(texts.length * 4);
      const other = bed.take(texts.length * 4);
      const order = kernels.rankTexts(unsortedAt, texts.length, codes, other, ranks) >>> 2;
      const list = [...bed.core.u32.subarray(order, order + texts.length)];
      expect(list.map((code) => texts[code])).toEqual(sorted);
      expect(texts.map((_, code) => bed.core.u32[(ranks >>> 2) + code])).toEqual(
        texts.map((text) => sorted.indexOf(text)),
      );
      bed.core.u8.fill(1, table, table + texts.length);
      expect(texts[kernels.extremeText(unsortedAt, texts.length, table, 0)]).toBe(sorted[0]);
      expect(texts[kernels.extremeText(unsortedAt, texts.length, table, 1)]).toBe(sorted.at(-1));
      bed.core.u8.fill(0, table, table + texts.length);
      expect(kernels.extremeText(unsortedAt, texts.length, table, 1)).toBe(-1);
    }
  });
});

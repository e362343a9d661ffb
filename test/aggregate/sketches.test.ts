// Sketches: the same bytes for every split, and answers within their stated errors on several distributions.

import { describe, expect, test } from "vitest";
import { createAccumulator } from "../../src/query/aggregate/create.ts";
import { TopState } from "../../src/query/aggregate/topk.ts";
import type { Expression } from "../../src/query/expression/expression.ts";
import type { JsonText } from "../../src/query/result.ts";
import type { OracleCell } from "../oracle/query.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { AggregateBed, aggregateOf, cutsOf, type Part, type TestRow } from "./aggregate-bed.ts";
import { byGroup, isNumber, makeRows, makers, numberMakers } from "./rows.ts";

const relative = 1 / 129;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const distributions: Readonly<Record<string, (random: Random) => OracleCell>> = {
  uniform: (random) => random() * 1000,
  exponential: (random) => -Math.log(1 - random()) * 20,
  lognormal: (random) => Math.exp(normal(random) * 2),
  pareto: (random) => (1 - random()) ** -1.2,
  "both signs": (random) => normal(random) * 1e5,
  integers: (random) => BigInt(Math.floor(random() * 1e6)),
  cents: (random) => Math.floor(random() * 5000) / 100,
  zeros: (random) => (random() < 0.7 ? 0 : normal(random)),
  few: (random) => pick(random, [-3, 0, 1, 2.5, 1000]),
};

function rowsOf(count: number, seed: number, make: (random: Random) => OracleCell): TestRow[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => ({
    cell: make(random),
    group: 0,
    selected: true,
    timestampUs: 0n,
  }));
}

const functions = ["quantile", "approx_count_distinct"] as const;

/** The same rows in another order, parted otherwise, each part a stored or a hot segment. */
function otherSplit(bed: AggregateBed, rows: readonly TestRow[], random: Random): Part[] {
  const order = rows.map((row) => ({ row, key: random() })).sort((a, b) => a.key - b.key);
  const mixed = order.map(({ row }) => row);
  return bed.segments(mixed, cutsOf(rows.length, 4, random), () => random() < 0.5);
}

describe("any split of the rows gives the same bytes", () => {
  test.each([...numberMakers, "texts", "json", "booleans", "variant"])("of %s", (name) => {
    const bed = new AggregateBed();
    for (let seed = 1; seed <= 4; seed++) {
      const random = mulberry32(seed);
      const shape = (["random", "runs", "many", "random"] as const)[seed - 1] ?? "random";
      const { rows, groupCount } = makeRows(
        seed,
        6000,
        makers[name] as (random: Random) => OracleCell,
        shape,
      );
      bed.bed.clear();
      const one = bed.segments(rows, [], () => false);
      const other = otherSplit(bed, rows, random);
      for (const fn of functions) {
        const groups = seed === 4 ? undefined : groupCount;
        const aggregate = aggregateOf(fn, [0.5]);
        const want = bed.encoded(aggregate, one, groups);
        expect(Buffer.compare(bed.encoded(aggregate, other, groups), want), `${name} ${seed}`).toBe(
          0,
        );
        const values = bed.values(aggregate, one, groups);
        expect(bed.values(aggregate, other, groups, 3, random), `${name} ${seed}`).toEqual(values);
      }
    }
  });

  test("also of states that begin small and find no room when their groups want arrays", () => {
    const plain = new AggregateBed();
    const small = new AggregateBed(undefined, plain.bed, (aggregate, context) =>
      createAccumulator(aggregate, { ...context, small: true }),
    );
    const make = (random: Random): number => Math.floor(random() * 100_000) / 100;
    const { rows, groupCount } = makeRows(3, 20_000, make, "random");
    const parts = plain.segments(rows, cutsOf(rows.length, 5, mulberry32(4)), () => false);
    for (const fn of functions) {
      const aggregate = aggregateOf(fn, [0.95]);
      const want = plain.encoded(aggregate, parts, groupCount);
      expect(Buffer.compare(small.encoded(aggregate, parts, groupCount), want), fn).toBe(0);
    }
  });

  test("also where arrays take over from cells, and where bins are joined", () => {
    const bed = new AggregateBed();
    const wide = (random: Random) => (random() - 0.5) * 2 ** Math.floor((random() - 0.5) * 300);
    for (const make of [wide, (random: Random) => BigInt(Math.floor(random() * 2 ** 40))]) {
      const rows = rowsOf(20_000, 5, make);
      bed.bed.clear();
      const one = bed.segments(rows, [], () => false);
      const other = otherSplit(bed, rows, mulberry32(6));
      for (const fn of functions) {
        const aggregate = aggregateOf(fn, [0.5]);
        const want = bed.encoded(aggregate, one, undefined);
        expect(Buffer.compare(bed.encoded(aggregate, other, undefined), want)).toBe(0);
        expect(want.length).toBeLessThan(70_000);
        const values = bed.values(aggregate, one, undefined);
        expect(bed.values(aggregate, other, undefined, 4, mulberry32(7))).toEqual(values);
      }
    }
  });
});

describe("quantile", () => {
  test.each(Object.keys(distributions))("of %s numbers is within 1/129", (name) => {
    const bed = new AggregateBed();
    const make = distributions[name] as (random: Random) => OracleCell;
    for (const [seed, count] of [
      [1, 1],
      [2, 10],
      [3, 1000],
      [4, 20_000],
    ] as const) {
      bed.bed.clear();
      const rows = rowsOf(count, seed, make);
      const parts = bed.segments(rows, [count >> 1], () => seed % 2 === 0);
      const sorted = rows.map(({ cell }) => Number(cell)).sort((a, b) => a - b);
      for (const fraction of [0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1]) {
        const [got] = bed.values(aggregateOf("quantile", [fraction]), parts, undefined, 2);
        const want = sorted[Math.floor(fraction * (count - 1))] as number;
        const off = Math.abs(Number(got) - want);
        expect(
          off <= Math.abs(want) * relative * (1 + 1e-12),
          `${name} p${fraction}: ${String(got)}, ${want}`,
        ).toBe(true);
      }
    }
  });

  test("of every encoding, by group", () => {
    for (const name of numberMakers.filter((name) => name !== "edges")) {
      const bed = new AggregateBed();
      const { rows, groupCount } = makeRows(
        9,
        9000,
        makers[name] as (random: Random) => OracleCell,
      );
      const parts = bed.segments(rows, [2000, 7000], (i) => i !== 1);
      const got = bed.values(aggregateOf("quantile", [0.9]), parts, groupCount, 2, mulberry32(1));
      byGroup(rows, groupCount).forEach((group, i) => {
        const sorted = group
          .map(({ cell }) => cell)
          .filter((cell) => isNumber(cell))
          .map(Number)
          .sort((a, b) => a - b);
        if (sorted.length === 0) return expect(got[i]).toBeNull();
        const want = sorted[Math.floor(0.9 * (sorted.length - 1))] as number;
        expect(
          Math.abs(Number(got[i]) - want) <= Math.abs(want) * relative * (1 + 1e-12),
          name,
        ).toBe(true);
      });
    }
  });

  test("of the smallest and largest doubles", () => {
    const bed = new AggregateBed();
    const of = (...cells: number[]) => {
      bed.bed.clear();
      const rows = cells.map((cell) => ({ cell, group: 0, selected: true, timestampUs: 0n }));
      return bed.values(
        aggregateOf("quantile", [0]),
        bed.segments(rows, [], () => false),
        undefined,
      )[0];
    };
    expect(of(5e-324, -0, 0)).toBe(0);
    expect(Number(of(Number.MAX_VALUE)) / Number.MAX_VALUE).toBeCloseTo(1, 2);
    expect(Number(of(-Number.MAX_VALUE)) / -Number.MAX_VALUE).toBeCloseTo(1, 2);
    expect(Number(of(2.2250738585072014e-308)) / 2.2250738585072014e-308).toBeCloseTo(1, 1);
    expect(of()).toBeNull();
  });
});

describe("approx_count_distinct", () => {
  /** Standard error of 2^14 registers. */
  const error = 1.04 / Math.sqrt(1 << 14);

  test("of 0 to 60,000 values is within four standard errors", () => {
    const bed = new AggregateBed();
    for (const count of [0, 1, 2, 100, 500, 2000, 20_000, 60_000]) {
      bed.bed.clear();
      const parts: Part[] = [];
      for (let from = 0; from < count; from += 40_000) {
        const rows = Array.from({ length: Math.min(40_000, count - from) }, (_, i) => ({
          cell: BigInt(from + i) * 7919n,
          group: 0,
          selected: true,
          timestampUs: 0n,
        }));
        parts.push(...bed.segments(rows, [], () => from === 0));
      }
      const [got] = bed.values(aggregateOf("approx_count_distinct"), parts, undefined);
      expect(
        Math.abs(Number(got) - count) <= 4 * error * count + 0.5,
        `${String(got)} of ${count}`,
      ).toBe(true);
    }
  });

  test("of texts, few rows of a large dictionary, and all lanes at once", () => {
    const bed = new AggregateBed();
    const cells: OracleCell[] = Array.from({ length: 9000 }, (_, i) => `user ${i % 3000}`);
    for (let i = 0; i < 100; i++)
      cells.push(String(i), BigInt(i), i, i + 0.5, { json: String(i) }, i % 2 === 0);
    const rows = cells.map((cell, i) => ({ cell, group: i % 3, selected: true, timestampUs: 0n }));
    const parts = bed.segments(rows, [4000], (i) => i === 0);
    const [all] = bed.values(aggregateOf("approx_count_distinct"), parts, undefined);
    const want = 3000 + 4 * 100 + 2;
    expect(Math.abs(Number(all) - want)).toBeLessThan(4 * error * want);
    const few = parts.map((part) => ({
      ...part,
      rows: part.rows.map((row, i) => ({ ...row, selected: i < 500 })),
    }));
    const [some] = bed.values(aggregateOf("approx_count_distinct"), few, undefined);
    const exact = bed.values(aggregateOf("count_distinct"), few, undefined)[0];
    expect(Math.abs(Number(some) - Number(exact))).toBeLessThan(4 * error * Number(exact) + 1);
  });
});

describe("topk beyond what is kept", () => {
  test("counts and errors hold the truth between them, and the frequent are found", () => {
    const bed = new AggregateBed(
      undefined,
      undefined,
      ({ of, parameters }, context) =>
        new TopState(of as Expression, parameters[0] as number, context, 5000),
    );
    for (const threads of [1, 3]) {
      const random = mulberry32(threads);
      bed.bed.clear();
      const truth = new Map<number, number>();
      const parts: Part[] = [];
      const total = 40_000;
      for (let from = 0; from < total; from += 10_000) {
        const rows = Array.from({ length: 10_000 }, () => {
          const value =
            random() < 0.2 ? Math.floor(random() * 10) : 10 + Math.floor(random() * 1e9);
          truth.set(value, (truth.get(value) ?? 0) + 1);
          return { cell: BigInt(value), group: 0, selected: true, timestampUs: 0n };
        });
        parts.push(...bed.segments(rows, [], () => false));
      }
      const [got] = bed.values(aggregateOf("topk", [10]), parts, undefined, threads, random);
      const items = JSON.parse((got as JsonText).text) as {
        value: number;
        count: number;
        error: number;
      }[];
      expect(items.map(({ value }) => value).sort((a, b) => a - b)).toEqual([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
      ]);
      for (const { value, count, error } of items) {
        const exact = truth.get(value) as number;
        expect(exact).toBeLessThanOrEqual(count);
        expect(exact).toBeGreaterThanOrEqual(count - error);
        expect(error).toBeLessThanOrEqual(total / 1000);
      }
    }
  });
});

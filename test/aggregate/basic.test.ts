// count, sum, avg, min and max against plain loops, over every page encoding, split and numbering of groups.

import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { InputError } from "../../src/errors.ts";
import type { Value } from "../../src/query/result.ts";
import type { OracleCell } from "../oracle/query.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import {
  AggregateBed,
  aggregateOf,
  cutsOf,
  encodingsOf,
  type Part,
  path,
} from "./aggregate-bed.ts";
import {
  byGroup,
  compareCells,
  exactly,
  exactUnit,
  type GroupShape,
  isNumber,
  makeRows,
  makers,
  numberMakers,
  shownCell,
} from "./rows.ts";

type Cells = readonly Exclude<OracleCell, null>[];

const shapes: readonly (GroupShape | "none")[] = ["none", "runs", "random", "many"];

/** Calls `check` with the values of each group, for many rows, splits and thread counts. */
function overSplits(
  name: string,
  check: (
    bed: AggregateBed,
    parts: Part[],
    groups: number | undefined,
    cells: Cells[],
    threads: number,
    random: Random,
    where: string,
  ) => void,
): void {
  const make = makers[name] as (random: Random) => OracleCell;
  const bed = new AggregateBed();
  for (let seed = 1; seed <= 5; seed++) {
    const random = mulberry32(seed * 77);
    const shape = shapes[seed % shapes.length] as GroupShape | "none";
    const count = pick(random, [1, 63, 5000, 9000]);
    const { rows, groupCount } = makeRows(seed, count, make, shape === "none" ? "random" : shape);
    bed.bed.clear();
    const parts = bed.segments(rows, cutsOf(count, 1 + (seed % 4), random), () => random() < 0.5);
    const groups = shape === "none" ? undefined : groupCount;
    const cells = byGroup(rows, groups).map((group) => group.map(({ cell }) => cell));
    const threads = 1 + (seed % 3);
    check(bed, parts, groups, cells, threads, random, `${name}, seed ${seed}, ${shape}, ${count}`);
  }
}

describe("count", () => {
  test.each(Object.keys(makers))("of %s", (name) => {
    overSplits(name, (bed, parts, groups, cells, threads, random, where) => {
      const got = bed.values(aggregateOf("count"), parts, groups, threads, random);
      expect(got, where).toEqual(cells.map((group) => group.length));
      const rows = bed.values(
        { ...aggregateOf("count"), of: null },
        parts,
        groups,
        threads,
        random,
      );
      const want = cells.map(() => 0);
      for (const part of parts) {
        for (const row of part.rows) {
          if (row.selected) want[groups === undefined ? 0 : row.group]!++;
        }
      }
      expect(rows, where).toEqual(want);
    });
  });
});

/** The exact sum as a fraction over 2^1074, and the sum of the magnitudes. */
function exactSum(cells: Cells): {
  sum: bigint;
  magnitude: bigint;
  doubles: number;
  count: number;
} {
  let [sum, magnitude, doubles, count] = [0n, 0n, 0, 0];
  for (const cell of cells) {
    if (!isNumber(cell)) continue;
    const one = typeof cell === "bigint" ? cell * exactUnit : exactly(cell);
    sum += one;
    magnitude += one < 0n ? -one : one;
    count++;
    if (typeof cell === "number") doubles++;
  }
  return { sum, magnitude, doubles, count };
}

function overflows(cells: Cells): boolean {
  const { sum, doubles } = exactSum(cells);
  return doubles === 0 && BigInt.asIntN(64, sum / exactUnit) !== sum / exactUnit;
}

function expectSum(got: Value, cells: Cells, divisor: number | null, where: string): void {
  const { sum, magnitude, doubles, count } = exactSum(cells);
  if (count === 0) return expect(got, where).toBeNull();
  if (doubles === 0 && divisor === null) {
    const exact = sum / exactUnit;
    return expect(got, where).toBe(Number.isSafeInteger(Number(exact)) ? Number(exact) : exact);
  }
  // 2^-52 |S| + (n 2^-53)² Σ|x|, and an ulp more for the division and the smallest steps.
  const off = exactly(Number(got) * (divisor ?? 1)) - sum;
  const abs = (value: bigint) => (value < 0n ? -value : value);
  const bound = (abs(sum) >> 50n) + ((magnitude * BigInt(count * count)) >> 106n) + 4096n;
  expect(abs(off) <= bound, `${where}: ${String(got)} is off by ${off}, bound ${bound}`).toBe(true);
}

describe("sum and avg", () => {
  test.each([...numberMakers, "variant"])("of %s", (name) => {
    overSplits(name, (bed, parts, groups, cells, threads, random, where) => {
      if (cells.some((group) => overflows(group))) {
        const sum = () => bed.values(aggregateOf("sum"), parts, groups, threads, random);
        expect(sum, where).toThrow("sum(properties.x) adds up to");
        return;
      }
      const sums = bed.values(aggregateOf("sum"), parts, groups, threads, random);
      const means = bed.values(aggregateOf("avg"), parts, groups, threads, random);
      cells.forEach((group, i) => {
        expectSum(sums[i] as Value, group, null, where);
        const numbers = group.filter((cell) => isNumber(cell));
        expectSum(means[i] as Value, group, numbers.length, where);
      });
    });
  });

  test("integers are exact beyond 64 bits, and a sum beyond them names itself", () => {
    const bed = new AggregateBed();
    const row = (cell: OracleCell) => ({ cell, group: 0, selected: true, timestampUs: 0n });
    const parts = bed.segments(
      [row(2n ** 63n - 1n), row(2n ** 63n - 1n), row(-(2n ** 63n))],
      [1],
      () => false,
    );
    expect(bed.values(aggregateOf("sum"), parts, undefined)).toEqual([2n ** 63n - 2n]);
    const two = bed.segments([row(2n ** 63n - 1n), row(1n)], [1], () => false);
    expect(bed.values(aggregateOf("avg"), two, undefined)).toEqual([2 ** 62]);
    const sum = () => bed.values(aggregateOf("sum"), two, undefined, 2);
    expect(sum).toThrow(InputError);
    expect(sum).toThrow("sum(properties.x) adds up to 9223372036854775808");
    const huge = bed.segments([row(1.7e308), row(1.7e308)], [], () => false);
    expect(() => bed.values(aggregateOf("sum"), huge, undefined)).toThrow(
      "more than a double holds",
    );
  });

  test("every encoding of a page is met", () => {
    const bed = new AggregateBed();
    const met = new Set<number>();
    for (const name of numberMakers) {
      for (const stored of [true, false]) {
        bed.bed.clear();
        const { rows } = makeRows(3, 5000, makers[name] as (random: Random) => OracleCell);
        for (const { segment } of bed.segments(rows, [], () => stored)) {
          const column = segment.column(path, layout.LANE_NUMBER);
          if (column !== 0) for (const one of encodingsOf(bed.bed, column)) met.add(one);
        }
      }
    }
    expect([...met].sort()).toEqual([
      layout.PAGE_U8,
      layout.PAGE_U16,
      layout.PAGE_U32,
      layout.PAGE_I64,
      layout.PAGE_F64,
      layout.PAGE_MIXED,
    ]);
  });
});

describe("min and max", () => {
  test.each(Object.keys(makers))("of %s", (name) => {
    overSplits(name, (bed, parts, groups, cells, threads, random, where) => {
      for (const fn of ["min", "max"] as const) {
        const got = bed.values(aggregateOf(fn), parts, groups, threads, random);
        const want = cells.map((group) => {
          const best = group.reduce<OracleCell | undefined>((before, cell) => {
            if (before === undefined || before === null) return cell;
            const order = compareCells(cell, before);
            return (fn === "max" ? order > 0 : order < 0) ? cell : before;
          }, undefined);
          return shownCell(best);
        });
        // An integer and a double may be the same number: either is shown.
        got.forEach((value, i) => {
          if (isNumber(value as OracleCell))
            expect(value == want[i], `${where} ${String(value)} ${String(want[i])}`).toBe(true);
          else expect(value, where).toEqual(want[i]);
        });
      }
    });
  });
});

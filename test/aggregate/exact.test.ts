// The other exact aggregates against plain loops, over every page encoding, split and numbering of groups.

import { describe, expect, test } from "vitest";
import type { Aggregate, AggregateFunction } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { compareBytes, type OracleCell } from "../oracle/query.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import {
  AggregateBed,
  aggregateOf,
  aggregateOfPath,
  cutsOf,
  idOf,
  type Part,
  path,
} from "./aggregate-bed.ts";
import {
  byGroup,
  compareCells,
  type GroupShape,
  isNumber,
  makeRows,
  makers,
  numberMakers,
  shownCell,
} from "./rows.ts";

type Group = ReturnType<typeof byGroup>[number];

interface Case {
  readonly bed: AggregateBed;
  readonly parts: Part[];
  readonly groups: number | undefined;
  readonly cells: Group[];
  readonly threads: number;
  readonly random: Random;
  readonly where: string;
}

const shapes: readonly (GroupShape | "none")[] = ["none", "runs", "random", "many"];

function* cases(name: string, seeds = 5): Generator<Case> {
  const make = makers[name] as (random: Random) => OracleCell;
  const bed = new AggregateBed();
  for (let seed = 1; seed <= seeds; seed++) {
    const random = mulberry32(seed * 131);
    const shape = shapes[seed % shapes.length] as GroupShape | "none";
    const count = pick(random, [1, 63, 5000, 9000]);
    const { rows, groupCount } = makeRows(seed, count, make, shape === "none" ? "random" : shape);
    bed.bed.clear();
    const parts = bed.segments(rows, cutsOf(count, 1 + (seed % 4), random), () => random() < 0.5);
    const groups = shape === "none" ? undefined : groupCount;
    const cells = byGroup(rows, groups);
    yield {
      bed,
      parts,
      groups,
      cells,
      threads: 1 + (seed % 3),
      random,
      where: `${name}, seed ${seed}, ${shape}, ${count}`,
    };
  }
}

/** Equal for equal values: 1 and 1.0 are, "1" is not. */
function identity(cell: OracleCell): string {
  if (isNumber(cell))
    return typeof cell === "number" && Number.isInteger(cell) ? `n${BigInt(cell)}` : `n${cell}`;
  return typeof cell === "object" ? `j${cell?.json}` : `${typeof cell} ${cell}`;
}

describe("count_distinct", () => {
  test.each(Object.keys(makers))("of %s", (name) => {
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
      const got = bed.values(aggregateOf("count_distinct"), parts, groups, threads, random);
      const want = cells.map((group) => new Set(group.map(({ cell }) => identity(cell))).size);
      expect(got, where).toEqual(want);
    }
  });

  test("of ids", () => {
    for (const { bed, parts, groups, threads, random, where } of cases("small", 4)) {
      const got = bed.values(
        aggregateOfPath("count_distinct", "id"),
        parts,
        groups,
        threads,
        random,
      );
      expect(got, where).toEqual(bed.values(aggregateOfPath("count", "id"), parts, groups));
    }
  });
});

describe("first, last and any", () => {
  test.each(Object.keys(makers))("of %s", (name) => {
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
      for (const fn of ["first", "last", "any"] as const) {
        const got = bed.values(aggregateOf(fn), parts, groups, threads, random);
        const want = cells.map((group) => {
          const sorted = group.toSorted((a, b) => {
            const order = fn === "any" ? 0n : a.row.timestampUs - b.row.timestampUs;
            return order === 0n ? a.index - b.index : Number(order);
          });
          return shownCell(sorted.at(fn === "last" ? -1 : 0)?.cell);
        });
        expect(got, `${fn}, ${where}`).toEqual(want);
      }
    }
  });
});

describe("of ids and fixed fields", () => {
  test("min, max, first and last of ids; min of timestamps", () => {
    for (const { bed, parts, groups, threads, random, where } of cases("small", 4)) {
      const groupOf = groups ?? 1;
      const rows = parts.flatMap((part) => part.rows);
      const ids: string[][] = Array.from({ length: groupOf }, () => []);
      const times: bigint[][] = Array.from({ length: groupOf }, () => []);
      rows.forEach((row, i) => {
        if (!row.selected) return;
        ids[groups === undefined ? 0 : row.group]?.push(idOf(i));
        times[groups === undefined ? 0 : row.group]?.push(row.timestampUs);
      });
      const run = (fn: "min" | "max" | "any", of: string) =>
        bed.values(aggregateOfPath(fn, of), parts, groups, threads, random);
      const sorted = ids.map((list) => list.toSorted(compareBytes));
      expect(run("min", "id"), where).toEqual(sorted.map((list) => list[0] ?? null));
      expect(run("max", "id"), where).toEqual(sorted.map((list) => list.at(-1) ?? null));
      expect(run("any", "id"), where).toEqual(ids.map((list) => list[0] ?? null));
      expect(run("min", "timestamp"), where).toEqual(
        times.map((list) =>
          list.length === 0 ? null : Number(list.reduce((a, b) => (a < b ? a : b))),
        ),
      );
    }
  });
});

/** Of the numbers among the values. */
function numeric(fn: AggregateFunction, fraction: number): Aggregate {
  const of = { kind: "path", type: "number", path } as const;
  return { ...aggregateOf(fn, [fraction]), of };
}

describe("median and percentiles", () => {
  test.each([...numberMakers, "variant"])("of %s", (name) => {
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
      for (const fraction of [0, 0.25, 0.5, 0.95, 1]) {
        const lists = cells.map((group) =>
          group
            .map(({ cell }) => cell)
            .filter((cell) => isNumber(cell))
            .sort(compareCells),
        );
        const disc = bed.values(
          numeric("percentile_disc", fraction),
          parts,
          groups,
          threads,
          random,
        );
        disc.forEach((value, i) => {
          const list = lists[i] as (number | bigint)[];
          const want = shownCell(list[Math.max(0, Math.ceil(fraction * list.length) - 1)]);
          expect(value == want, `${where}: ${String(value)}, want ${String(want)}`).toBe(true);
        });
        const fn = fraction === 0.5 ? "median" : "percentile_cont";
        const cont = bed.values(aggregateOf(fn, [fraction]), parts, groups, threads, random);
        cont.forEach((value, i) => {
          const list = lists[i] as (number | bigint)[];
          if (list.length === 0) return expect(value, where).toBeNull();
          const at = fraction * (list.length - 1);
          const [low, high] = [Number(list[Math.floor(at)]), Number(list[Math.ceil(at)])];
          const want = low + (high - low) * (at - Math.floor(at));
          expect(Math.abs(Number(value) - want) <= Math.abs(want) * 1e-12, where).toBe(true);
        });
      }
    }
  });

  test.each(["texts", "variant", "booleans", "json"])("percentile_disc of all of %s", (name) => {
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name, 4)) {
      const aggregate = aggregateOf("percentile_disc", [0.6]);
      const got = bed.values(aggregate, parts, groups, threads, random);
      cells.forEach((group, i) => {
        const list = group.map(({ cell }) => cell).sort(compareCells);
        const want = shownCell(list[Math.max(0, Math.ceil(0.6 * list.length) - 1)]);
        expect(got[i], where).toEqual(want);
      });
    }
  });

  test("neighbours that are farther apart than a double holds", () => {
    const bed = new AggregateBed();
    const row = (cell: OracleCell) => ({ cell, group: 0, selected: true, timestampUs: 0n });
    const parts = bed.segments([row(-1.7e308), row(1.7e308)], [], () => false);
    expect(bed.values(aggregateOf("median"), parts, undefined)).toEqual([0]);
  });

  test("integers beyond 2^53 keep their digits", () => {
    const bed = new AggregateBed();
    const row = (cell: OracleCell) => ({ cell, group: 0, selected: true, timestampUs: 0n });
    const cells = [
      2n ** 63n - 1n,
      2n ** 63n - 2n,
      2n ** 53n + 1n,
      2n ** 53n,
      -(2n ** 63n),
      2 ** 53,
      2 ** 63,
    ];
    const parts = bed.segments(cells.map(row), [3], () => false);
    const disc = (k: number) =>
      bed.values(numeric("percentile_disc", k / cells.length), parts, undefined, 2)[0];
    expect([1, 2, 4, 5, 6, 7].map(disc)).toEqual(
      [-(2n ** 63n), 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 2n, 2n ** 63n - 1n, 2 ** 63].map(
        (value) => (value === 2n ** 53n ? disc(2) : value),
      ),
    );
    expect(Number(disc(2))).toBe(2 ** 53);
  });
});

describe("histogram", () => {
  test.each([...numberMakers, "variant"])("of %s", (name) => {
    const bounds = [-(2 ** 63), -1, 0, 0.5, 50, 2 ** 53, 2 ** 62, 2 ** 63];
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
      const got = bed.values(aggregateOf("histogram", bounds), parts, groups, threads, random);
      cells.forEach((group, i) => {
        const numbers = group.map(({ cell }) => cell).filter((cell) => isNumber(cell));
        if (numbers.length === 0) return expect(got[i], where).toBeNull();
        const edges = [null, ...bounds, null];
        const want = edges.slice(1).map((to, b) => {
          const from = edges[b] ?? null;
          const count = numbers.filter(
            (x) => (from === null || x >= from) && (to === null || x < to),
          ).length;
          return { from, to, count };
        });
        expect(JSON.parse((got[i] as JsonText).text), where).toEqual(want);
      });
    }
  });
});

describe("variance", () => {
  test.each(["small", "medium", "large", "decimal", "cents", "double", "mixed", "variant"])(
    "of %s",
    (name) => {
      for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
        for (const fn of ["var_samp", "var_pop", "stddev_samp", "stddev_pop"] as const) {
          const got = bed.values(aggregateOf(fn), parts, groups, threads, random);
          cells.forEach((group, i) => {
            const numbers = group
              .map(({ cell }) => cell)
              .filter((cell) => isNumber(cell))
              .map(Number);
            const divisor = fn.endsWith("samp") ? numbers.length - 1 : numbers.length;
            if (divisor < 1) return expect(got[i], where).toBeNull();
            const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
            const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / divisor;
            const want = fn.startsWith("var") ? variance : Math.sqrt(variance);
            expect(
              Math.abs(Number(got[i]) - want) <= want * 1e-10 + 1e-12,
              `${where}: ${String(got[i])}, ${want}`,
            ).toBe(true);
          });
        }
      }
    },
  );

  test("close together and far from 0", () => {
    const bed = new AggregateBed();
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      cell: 1e9 + (i % 2),
      group: 0,
      selected: true,
      timestampUs: 0n,
    }));
    const parts = bed.segments(rows, [1000, 1001], () => false);
    for (const threads of [1, 2, 3]) {
      const [variance] = bed.values(aggregateOf("var_pop"), parts, undefined, threads);
      expect(variance).toBeCloseTo(0.25, 12);
    }
  });
});

describe("rate", () => {
  test("of rows and of sums, by what the query says and by the rows' own times", () => {
    for (const { parts, groups, cells, threads, random, where, bed: own } of cases("small", 4)) {
      const bed = new AggregateBed((group) => group + 2, own.bed);
      // Groups are numbered as they are, so that the seconds are those of the right group.
      const got = bed.values(aggregateOf("rate"), parts, groups, 1);
      got.forEach((value, i) => {
        const list = cells[i]?.map(({ cell }) => Number(cell)) ?? [];
        const sum = list.reduce((a, b) => a + b, 0);
        expect(value, where).toBe(list.length === 0 ? null : sum / (i + 2));
      });
      const spans = own.values(
        { ...aggregateOf("rate"), of: null },
        parts,
        groups,
        threads,
        random,
      );
      const rows = parts.flatMap((part) => part.rows).filter((row) => row.selected);
      spans.forEach((value, i) => {
        const times = rows
          .filter((row) => groups === undefined || row.group === i)
          .map((row) => Number(row.timestampUs));
        const span = (Math.max(...times) - Math.min(...times)) / 1e6;
        expect(value, where).toBe(times.length === 0 || span === 0 ? null : times.length / span);
      });
    }
  });
});

describe("topk", () => {
  test.each(Object.keys(makers))("of %s, exact while nothing is cut", (name) => {
    for (const { bed, parts, groups, cells, threads, random, where } of cases(name)) {
      const got = bed.values(aggregateOf("topk", [5]), parts, groups, threads, random);
      cells.forEach((group, i) => {
        const counts = new Map<string, { cell: Exclude<OracleCell, null>; count: number }>();
        for (const { cell } of group) {
          const known = counts.get(identity(cell));
          if (known) known.count++;
          else counts.set(identity(cell), { cell, count: 1 });
        }
        const want = [...counts.values()]
          .sort((a, b) => b.count - a.count || compareCells(a.cell, b.cell))
          .slice(0, 5);
        if (want.length === 0) return expect(got[i], where).toBeNull();
        expect((got[i] as JsonText).text, where).toBe(
          `[${want.map(({ cell, count }) => `{"value":${json(cell)},"count":${count},"error":0}`).join(",")}]`,
        );
      });
    }
  });
});

function json(cell: Exclude<OracleCell, null>): string {
  if (typeof cell === "number") return String(cell + 0);
  if (typeof cell === "bigint") return String(cell);
  return typeof cell === "object" ? cell.json : JSON.stringify(cell as Value);
}

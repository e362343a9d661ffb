// Partials of groups cut into groups and put together in any way: the same answers as of the whole.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CorruptionError, InputError } from "../../src/errors.ts";
import { createAccumulator } from "../../src/query/aggregate/create.ts";
import { PartialReader, PartialWriter } from "../../src/query/aggregate/partial-bytes.ts";
import type { Aggregate } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import {
  groupKeyValues,
  joinGroups,
  joinParts,
  type SplitGroup,
  splitGroups,
} from "../../src/query/run/fold-bytes.ts";
import { GroupTable } from "../../src/query/run/group-table.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { AggregateBed, aggregateOf, aggregateOfPath, shuffled } from "./aggregate-bed.ts";
import { makeRows, makers } from "./rows.ts";

const aggregates: readonly Aggregate[] = [
  aggregateOf("count"),
  aggregateOfPath("count", null),
  aggregateOf("count_distinct"),
  aggregateOfPath("count_distinct", "id"),
  aggregateOf("approx_count_distinct"),
  aggregateOf("sum"),
  aggregateOf("avg"),
  aggregateOf("min"),
  aggregateOf("max"),
  aggregateOfPath("min", "id"),
  aggregateOfPath("max", "timestamp"),
  aggregateOf("var_pop"),
  aggregateOf("first"),
  aggregateOf("last"),
  aggregateOfPath("any", "id"),
  aggregateOf("quantile", [0.5]),
  aggregateOf("median"),
  aggregateOf("percentile_disc", [0.5]),
  aggregateOf("topk", [3]),
  aggregateOf("histogram", [0, 1.5, 100]),
  aggregateOfPath("rate", null),
  aggregateOf("rate"),
];

/** One key: the number of the group. */
function withKeys(states: Uint8Array, groups: number): Uint8Array {
  const out = new PartialWriter();
  out.u32(groups);
  out.u32(0);
  for (let g = 0; g < groups; g++) {
    out.i64(BigInt(g));
    out.u32(2);
    out.u32(0);
  }
  out.raw(states);
  return out.bytes().slice();
}

function answers(
  bed: AggregateBed,
  aggregate: Aggregate,
  contents: readonly Uint8Array[],
  groups: number,
): Value[] {
  const accumulator = createAccumulator(aggregate, bed.context);
  for (const content of contents) {
    const reader = new PartialReader(content);
    const count = reader.u32();
    reader.u32();
    const numbers = Uint32Array.from({ length: count }, () => {
      const group = Number(reader.i64());
      reader.i64();
      return group;
    });
    accumulator.merge(reader, numbers);
    expect(reader.left).toBe(0);
  }
  const value = accumulator.finish(aggregate);
  return Array.from({ length: groups }, (_, g) => {
    try {
      return value(g);
    } catch (error) {
      if (error instanceof InputError) return error.code;
      throw error;
    }
  });
}

/** Sums of doubles differ in the last bits by the order of merging. */
function expectNear(got: readonly Value[], want: readonly Value[], text: string): void {
  const differ = got.filter((value, i) => {
    const other = want[i];
    if (typeof value === "number" && typeof other === "number") {
      return Math.abs(value - other) > 1e-9 * Math.max(Math.abs(value), Math.abs(other));
    }
    const [a, b] = [value, other].map((one) => (one instanceof JsonText ? one.text : one));
    return a !== b;
  });
  expect(differ, text).toEqual([]);
}

function inLists<T>(random: Random, items: readonly T[]): T[][] {
  const lists: T[][] = [];
  for (const at of shuffled(items.length, random)) {
    if (lists.length === 0 || random() < 0.05) lists.push([]);
    lists.at(-1)?.push(items[at] as T);
  }
  return lists;
}

describe("groups of partials, cut and joined", () => {
  test.each(Object.keys(makers))("of %s values", (kind) => {
    const bed = new AggregateBed();
    for (const [seed, aggregate] of aggregates.entries()) {
      const random = mulberry32(seed * 977 + kind.length);
      bed.bed.clear();
      const make = makers[kind] as (random: Random) => never;
      const { rows, groupCount } = makeRows(seed + 1, 400, make);
      const parts = bed.segments(rows, [90, 91, 300], (i) => i % 2 === 0);
      const text = `seed ${seed}, ${aggregate.fn}`;
      const contents = parts.map((part) =>
        withKeys(bed.encoded(aggregate, [part], groupCount), groupCount),
      );
      bed.context.run.scratch.reset();
      const whole = answers(bed, aggregate, contents, groupCount);
      const split = contents.flatMap((content) => splitGroups(content, 1));
      expect(split.map(({ key }) => groupKeyValues(key)[0])).toEqual(
        contents.flatMap(() => Array.from({ length: groupCount }, (_, g) => g)),
      );
      const joined = inLists(random, split).map((list) => joinGroups(list, 1));
      expectNear(answers(bed, aggregate, joined, groupCount), whole, text);
      // What was joined and cut again is as before.
      const again = joined.flatMap((content) => splitGroups(content, 1));
      const rejoined = again.flatMap((one) => joinParts([one], 1));
      expectNear(answers(bed, aggregate, rejoined, groupCount), whole, text);
    }
  });

  test("of golden partials", () => {
    const bed = new AggregateBed();
    for (const [name, aggregate] of Object.entries(golden)) {
      const url = new URL(`../golden/partial-v1-${name}.bin`, import.meta.url);
      const content = withKeys(new Uint8Array(readFileSync(url)), 3);
      const split = splitGroups(content, 1);
      const order = [2, 0, 1].map((g) => split[g] as SplitGroup);
      const whole = answers(bed, aggregate, [content], 3);
      expect(answers(bed, aggregate, [joinGroups(order, 1)], 3), name).toEqual(whole);
      const alone = split.map((one) => joinGroups([{ ...one, key: new Uint8Array(0) }], 0));
      expect(Buffer.concat(alone), name).toEqual(Buffer.concat(split.map(({ states }) => states)));
      for (let cut = 1; cut < content.length; cut += 7) {
        expect(() => splitGroups(content.subarray(0, cut), 1), `${name} of ${cut} bytes`).toThrow(
          /partial|group|state/,
        );
      }
    }
  });

  test("of golden partials with damaged bytes: refused, or read as others", () => {
    const random = mulberry32(23);
    for (const name of Object.keys(golden)) {
      const url = new URL(`../golden/partial-v1-${name}.bin`, import.meta.url);
      const content = withKeys(new Uint8Array(readFileSync(url)), 3);
      for (let i = 0; i < 300; i++) {
        const bytes = Uint8Array.from(content);
        for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
          bytes[Math.floor(random() * bytes.length)] = pick(random, [0, 1, 5, 127, 128, 255]);
        }
        try {
          joinParts(splitGroups(bytes, 1), 1);
        } catch (error) {
          expect(error, `${name}, ${i}`).toBeInstanceOf(CorruptionError);
        }
      }
    }
  });

  test("states one after the other, of groups of several keys of all kinds", () => {
    const bed = new AggregateBed();
    const { run, cells } = bed.context;
    const random = mulberry32(7);
    const keys = 3;
    const values: (() => readonly number[])[] = [
      () => [0],
      () => [1, random() < 0.5 ? 1 : 0],
      () => [
        2,
        ...bytesOf((view) => view.setBigInt64(0, BigInt(Math.floor(random() * 9)) - 4n, true)),
      ],
      () => [3, ...bytesOf((view) => view.setFloat64(0, Math.floor(random() * 5) + 0.5, true))],
      () => [4, ...textOf(`text ${Math.floor(random() * 5)} é`)],
      () => [5, ...textOf("0123456789abcdef")],
      () => [6, ...textOf(`[${Math.floor(random() * 3)}]`)],
      () => [4, 0, 0, 0, 0],
    ];
    const groups: SplitGroup[] = Array.from({ length: 2000 }, (_, g) => ({
      key: Uint8Array.from(Array.from({ length: keys }, () => pick(random, values)()).flat()),
      states: Uint8Array.from([1, ...bytesOf((view) => view.setBigUint64(0, BigInt(g), true))]),
    }));
    const table = new GroupTable(run, cells, keys);
    const reader = new PartialReader(joinGroups(groups, keys));
    const numbers = table.merge(reader);
    const byKey = new Map<string, number>();
    groups.forEach(({ key }, i) => {
      const text = Buffer.from(key).toString("latin1");
      expect(numbers[i]).toBe(byKey.get(text) ?? numbers[i]);
      byKey.set(text, numbers[i] as number);
      const own = Array.from({ length: keys }, (_, k) => table.valueOf(numbers[i] as number, k));
      expect(groupKeyValues(key)).toEqual(own);
    });
    expect(table.count).toBe(byKey.size);
    const count = createAccumulator(aggregateOfPath("count", null), bed.context);
    count.merge(reader, numbers);
    const out = new PartialWriter();
    table.encode(out);
    count.encode(table.count, out);
    count.encode(table.count, out);
    const split = splitGroups(out.bytes().slice(), keys);
    expect(split.map(({ key }) => Buffer.from(key).toString("latin1"))).toEqual([...byKey.keys()]);
    const sums = new Map<string, number>();
    groups.forEach(({ key }, g) => {
      const text = Buffer.from(key).toString("latin1");
      sums.set(text, (sums.get(text) ?? 0) + g);
    });
    for (const { key, states } of split) {
      expect(states.length).toBe(18);
      const sum = sums.get(Buffer.from(key).toString("latin1"));
      expect(new DataView(states.buffer, states.byteOffset).getUint32(1, true)).toBe(sum);
    }
  });

  test("states of other aggregates, or more of them, are refused", () => {
    const key = Uint8Array.of(0);
    const count = Uint8Array.of(1, 5, 0, 0, 0, 0, 0, 0, 0);
    const spread = Uint8Array.from({ length: 33 }, (_, i) => (i === 0 ? 4 : 0));
    const join =
      (...states: Uint8Array[]) =>
      () =>
        joinGroups(
          states.map((one) => ({ key, states: one })),
          1,
        );
    expect(join(count, count)).not.toThrow();
    expect(join(count, spread)).toThrow("states of other aggregates are joined");
    expect(join(count, Uint8Array.from([...count, ...count]))).toThrow("states of group 1 of 2");
    expect(join(Uint8Array.of(99))).toThrow("a state begins with byte 99, want 1 to 13");
    expect(join(Uint8Array.of(1, 2))).toThrow("ends at byte");
  });
});

describe("topk", () => {
  test("with floors, of a group that comes several times in one partial, is as merged one after the other", () => {
    const aggregate = aggregateOf("topk", [3]);
    const key = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0);
    const random = mulberry32(3);
    const groups = Array.from({ length: 5 }, (_, i) => {
      const out = new PartialWriter();
      out.u8(8);
      out.u32(0);
      const members = shuffled(6, random).slice(0, 4);
      out.u32(members.length);
      for (const member of members) {
        out.i64(BigInt(member));
        out.u32(0);
        out.u32(1);
        out.i64(BigInt(20 + Math.floor(random() * 50)));
        out.i64(BigInt(i));
      }
      out.i64(BigInt(i * 2));
      return { key, states: out.bytes().slice() };
    });
    const bed = new AggregateBed();
    const oneByOne = groups.map((one) => joinGroups([one], 1));
    const value = answers(bed, aggregate, oneByOne, 1);
    expect(answers(bed, aggregate, [joinGroups(groups, 1)], 1)).toEqual(value);
  });
});

const golden: Readonly<Record<string, Aggregate>> = {
  count: aggregateOf("count"),
  "count-rows": aggregateOfPath("count", null),
  "count-distinct": aggregateOf("count_distinct"),
  "approx-count-distinct": aggregateOf("approx_count_distinct"),
  sum: aggregateOf("sum"),
  min: aggregateOf("min"),
  max: aggregateOf("max"),
  "min-id": aggregateOfPath("min", "id"),
  "max-timestamp": aggregateOfPath("max", "timestamp"),
  variance: aggregateOf("var_pop"),
  first: aggregateOf("first"),
  last: aggregateOf("last"),
  "any-id": aggregateOfPath("any", "id"),
  quantile: aggregateOf("quantile", [0.5]),
  median: aggregateOf("median"),
  "percentile-disc": aggregateOf("percentile_disc", [0.5]),
  topk: aggregateOf("topk", [3]),
  histogram: aggregateOf("histogram", [0, 1.5, 100]),
  rate: aggregateOfPath("rate", null),
};

function bytesOf(write: (view: DataView) => void): number[] {
  const bytes = new Uint8Array(8);
  write(new DataView(bytes.buffer));
  return [...bytes];
}

function textOf(text: string): number[] {
  const bytes = Buffer.from(text);
  return [bytes.length, 0, 0, 0, ...bytes];
}

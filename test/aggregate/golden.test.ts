// Partials as they were first written: they must go on being read as the same answers, and be written as the same
// bytes.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createAccumulator } from "../../src/query/aggregate/create.ts";
import { PartialReader } from "../../src/query/aggregate/partial-bytes.ts";
import type { Aggregate } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import type { OracleCell } from "../oracle/query.ts";
import { QueryBed } from "../support/query-rows.ts";
import { AggregateBed, aggregateOf, aggregateOfPath, type TestRow } from "./aggregate-bed.ts";

const mib = 1024 * 1024;
const update = process.env.MILLRACE_UPDATE_GOLDEN === "1";

const cells: readonly OracleCell[] = [
  1n,
  -7n,
  2n ** 53n + 1n,
  1.5,
  -0.25,
  1e100,
  0,
  "",
  "ä",
  "zebra",
  true,
  false,
  { json: "[1]" },
  { json: '{"a":null}' },
  null,
  2,
  3n,
  3.5,
  "ä",
  -1e-300,
];

/** Three groups: of all lanes, of numbers alone, and one without rows. */
const rows: readonly TestRow[] = Array.from({ length: 60 }, (_, i) => {
  const all = i % 3 !== 0;
  const cell = all ? cells[i % cells.length] : BigInt((i * 37) % 50);
  return {
    cell: cell ?? undefined,
    group: all ? 0 : 1,
    selected: true,
    timestampUs: 1_700_000_000_000_000n + BigInt((i * 7919) % 61) * 1_000_000n,
  };
});

const aggregates: Readonly<Record<string, Aggregate>> = {
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

const file = (name: string) => new URL(`../golden/partial-v1-${name}.bin`, import.meta.url);
const answers = new URL("../golden/partial-v1.json", import.meta.url);

function shown(value: Value): unknown {
  if (value instanceof JsonText) return { json: value.text };
  return typeof value === "bigint" ? { integer: String(value) } : value;
}

function known(): Record<string, unknown[]> {
  return existsSync(answers) ? JSON.parse(readFileSync(answers, "utf8")) : {};
}

describe("partials of version 1", () => {
  test.each(Object.keys(aggregates))("%s", (name) => {
    const bed = new AggregateBed();
    const aggregate = aggregates[name] as Aggregate;
    const parts = bed.segments(rows, [25], (i) => i === 0);
    const bytes = bed.encoded(aggregate, parts, 3);
    if (update && !existsSync(file(name))) {
      writeFileSync(file(name), bytes);
      const values = bed.values(aggregate, parts, 3).map(shown);
      writeFileSync(answers, `${JSON.stringify({ ...known(), [name]: values }, null, 1)}\n`);
    }
    const stored = new Uint8Array(readFileSync(file(name)));
    expect(Buffer.compare(bytes, stored), "written as before").toBe(0);
    bed.context.run.scratch.reset();
    const accumulator = createAccumulator(aggregate, bed.context);
    const reader = new PartialReader(stored);
    accumulator.merge(reader, Uint32Array.of(2, 0, 1));
    expect(reader.left).toBe(0);
    const value = accumulator.finish(aggregate);
    expect([2, 0, 1].map((group) => shown(value(group)))).toEqual(known()[name]);
  });

  test("all of them in memory beyond 2^31, where addresses are negative to a kernel's caller", () => {
    const bed = new AggregateBed(undefined, new QueryBed(2200 * mib, 64 * mib));
    expect(bed.context.run.scratch.mark()).toBeGreaterThan(2 ** 31);
    for (const [name, aggregate] of Object.entries(aggregates)) {
      bed.bed.clear();
      const parts = bed.segments(rows, [25], (i) => i === 0);
      expect(bed.values(aggregate, parts, 3).map(shown), name).toEqual(known()[name]);
      expect(bed.values(aggregate, parts, 3, 2).map(shown), name).toEqual(known()[name]);
    }
  });

  test.each(Object.keys(aggregates))("%s cut off is refused", (name) => {
    const bed = new AggregateBed();
    const aggregate = aggregates[name] as Aggregate;
    const stored = new Uint8Array(readFileSync(file(name)));
    for (const length of [0, 1, stored.length >> 1, stored.length - 1]) {
      bed.context.run.scratch.reset();
      const reader = new PartialReader(stored.subarray(0, length));
      const merge = () =>
        createAccumulator(aggregate, bed.context).merge(reader, Uint32Array.of(0, 1, 2));
      expect(merge, `${length} bytes`).toThrow(/partial/);
    }
    const other = Uint8Array.from(stored);
    other[0] = 0xee;
    const merge = () =>
      createAccumulator(aggregate, bed.context).merge(
        new PartialReader(other),
        Uint32Array.of(0, 1, 2),
      );
    expect(merge).toThrow("begin with byte 238");
  });
});

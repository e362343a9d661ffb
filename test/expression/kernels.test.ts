// Kernels of expressions against plain code: every pair of edges in every form of page, and patterns over texts.

import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { InputError } from "../../src/errors.ts";
import { ComputedColumns } from "../../src/query/columns/computed.ts";
import { expressionKernels } from "../../src/query/columns/expression-kernels.ts";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { ScalarFunction } from "../../src/query/expression/expression.ts";
import { compileLike, likeRuns } from "../../src/query/expression/pattern.ts";
import { fit } from "../../src/query/expression/scalar.ts";
import type { Value } from "../../src/query/result.ts";
import { QueryBed, writeColumn, writeSegment } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { call, path } from "../support/random-expressions.ts";
import { makeRows, pick } from "../support/random-queries.ts";

const i64 = [
  0n,
  1n,
  -1n,
  2n,
  3037000500n,
  2n ** 32n,
  2n ** 53n + 1n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const f64 = [0.5, -2.5, 3, 9007199254740991, 1e19, -1e19, 1e300, -1.7976931348623157e308, 5e-324];
const forms: Readonly<Record<string, readonly (number | bigint)[]>> = {
  "64-bit integers": i64,
  doubles: f64,
  both: [...i64, ...f64],
  "small integers": [0n, 1n, 7n, 250n],
  decimals: [0.25, 1.5, 99.99, 12.34],
};
const ops: readonly ScalarFunction[] = ["+", "-", "*", "/", "%", "<", "=", ">="];

function outcome(of: () => Value): Value | "out of range" {
  try {
    return of();
  } catch (error) {
    if (error instanceof InputError && error.code === "number_out_of_range") return "out of range";
    throw error;
  }
}

describe("arithmetic and comparisons of two columns", () => {
  const names = Object.keys(forms);
  const pairs = names.flatMap((a) => names.map((b) => [a, b] as const));
  test.each(pairs)("%s and %s", (left, right) => {
    const [x, y] = [left, right].map((name) => forms[name] as readonly (number | bigint)[]);
    if (!x || !y) throw new Error("both forms are known");
    const cells = x.flatMap((a) => y.map((b) => [a, b] as const));
    const bed = new QueryBed(8 * 1024 * 1024, 8 * 1024 * 1024);
    const rows = makeRows(mulberry32(1), cells.length).map((row, r) => ({
      ...row,
      cells: new Map(
        Object.entries({ "properties.a": cells[r]?.[0], "properties.b": cells[r]?.[1] }),
      ) as typeof row.cells,
    }));
    const segment = writeSegment(bed, 1, rows, { stored: true });
    const mask = bed.take(2048);
    for (const op of ops) {
      const type = ["<", "=", ">="].includes(op) ? "boolean" : "number";
      const of = call(op, type, path("properties.a", "number"), path("properties.b", "number"));
      const evaluate = compileExpression(of);
      const computed = new ComputedColumns(bed.state.run, [of]);
      cells.forEach(([a, b], r) => {
        const want = outcome(() =>
          evaluate((leaf) => {
            const value = leaf.kind === "path" && leaf.path === "properties.a" ? a : b;
            return typeof value === "bigint" ? fit(value) : value;
          }),
        );
        bed.core.u8.fill(0, mask, mask + 2048);
        bed.core.u8[mask + (r >> 3)] = 1 << (r & 7);
        const mark = bed.state.run.scratch.mark();
        computed.begin(segment);
        const got = outcome(() => bed.state.cells.value(computed.lanes(segment, of, mask), r));
        bed.state.run.scratch.release(mark);
        expect(got, `${a} ${op} ${b}`).toBe(want);
      });
    }
  });
});

describe("LIKE over a dictionary", () => {
  test("finds what the plain way finds", () => {
    const random = mulberry32(3);
    const letters = ["a", "b", "ab", "ü", "\u{10000}", "abcdefghijklmnopq"];
    const word = (length: number): string =>
      Array.from({ length: Math.floor(random() * length) }, () => pick(random, letters)).join("");
    for (let round = 0; round < 60; round++) {
      const bed = new QueryBed(4 * 1024 * 1024, 4 * 1024 * 1024);
      const kernels = expressionKernels(bed.core);
      const texts = [...new Set(Array.from({ length: 80 }, () => word(8)))];
      const column = writeColumn(bed, layout.LANE_STRING, texts, { stored: false });
      const entries = bed.core.u32[(column + layout.COLUMN_DICT) >>> 2] as number;
      const table = bed.take(texts.length);
      for (let i = 0; i < 20; i++) {
        const pattern = Array.from({ length: 1 + Math.floor(random() * 3) }, () => word(3)).join(
          "%",
        );
        const runs = (likeRuns(pattern, "\\") ?? []).map((run) => Buffer.from(run));
        const bytes = bed.bytes(Buffer.concat(runs));
        const lengths = bed.take(runs.length * 4);
        runs.forEach((run, r) => {
          bed.core.view.setUint32(lengths + r * 4, run.length, true);
        });
        const from = Math.floor(random() * texts.length);
        bed.core.u8.fill(9, table, table + texts.length);
        kernels.matchLike(entries, from, texts.length, bytes, lengths, runs.length, table);
        const test = compileLike(pattern, "\\", false);
        const want = texts.map((text, code) => (code < from ? 9 : Number(test(text))));
        expect([...bed.core.u8.subarray(table, table + texts.length)], pattern).toEqual(want);
      }
    }
  });

  test("a pattern with a code point of any kind has no runs", () => {
    expect(likeRuns("a_b", "\\")).toBe(null);
    expect(likeRuns("a\\_b%", "\\")).toEqual(["a_b", ""]);
  });
});

describe("what is kept", () => {
  test("columns are made again when their memory was given back, or for rows that they lack", () => {
    const bed = new QueryBed(8 * 1024 * 1024, 8 * 1024 * 1024);
    const { scratch } = bed.state.run;
    const rows = makeRows(mulberry32(5), 200);
    const segment = writeSegment(bed, 1, rows, { stored: true });
    const of = call("upper", "string", path("event_type", "string"));
    const computed = new ComputedColumns(bed.state.run, [of]);
    const [few, all] = [bed.take(64), bed.take(64)];
    bed.core.u8.fill(0, few, few + 64);
    bed.core.u8[few] = 0xff;
    bed.core.u8.fill(0, all, all + 64);
    bed.core.u8.fill(0xff, all, all + 25);
    computed.begin(segment);
    const mark = scratch.mark();
    const first = computed.lanes(segment, of, few);
    expect(computed.lanes(segment, of, few)).toBe(first);
    const wider = computed.lanes(segment, of, all);
    expect(wider).not.toBe(first);
    expect(computed.lanes(segment, of, few)).toBe(wider);
    scratch.release(mark);
    bed.core.u8.fill(0x5a, mark, mark + 100_000);
    const again = computed.lanes(segment, of, all);
    expect(again).not.toBe(wider);
    rows.forEach((row, r) => {
      const want = String(row.cells.get("event_type")).replace(/[a-z]/g, (c) => c.toUpperCase());
      expect(bed.state.cells.value(again, r)).toBe(want.replace("ü", "Ü"));
    });
  });
});

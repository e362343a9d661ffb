// Columns of expressions hold what the expression yields row by row, whichever way they were computed.

import { describe, expect, test } from "vitest";
import { InputError, LimitError } from "../../src/errors.ts";
import { CodeValues } from "../../src/query/columns/code-values.ts";
import { ComputedColumns } from "../../src/query/columns/computed.ts";
import { selectionSize, selectionWords } from "../../src/query/columns/selection.ts";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { Expression, ValueType } from "../../src/query/expression/expression.ts";
import { expressionKey } from "../../src/query/expression/expression.ts";
import type { Leaf } from "../../src/query/expression/scalar.ts";
import { fit } from "../../src/query/expression/scalar.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import { cellAt, type OracleRow } from "../oracle/query.ts";
import { QueryBed, writeSegment } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { makeExpression } from "../support/random-expressions.ts";
import { makeRows, pick, type Random } from "../support/random-queries.ts";

function typeOf(cell: NonNullable<ReturnType<typeof cellAt>>): ValueType {
  if (typeof cell === "boolean" || typeof cell === "string") return typeof cell as ValueType;
  return typeof cell === "object" ? "json" : "number";
}

/** The value of a leaf in a row, the plain way. */
function leafOf(row: OracleRow): (leaf: Leaf) => Value {
  return (leaf) => {
    if (leaf.kind === "call") {
      const [of] = leaf.args;
      return cellAt(row, of?.kind === "path" ? of.path : "") !== undefined;
    }
    if (leaf.kind !== "path") throw new Error("a row has paths alone");
    const cell = cellAt(row, leaf.path);
    if (cell == null) return null;
    const isFixed = !leaf.path.startsWith("properties.");
    if (!isFixed && leaf.type !== "variant" && typeOf(cell) !== leaf.type) return null;
    if (typeof cell === "object") return new JsonText(cell.json);
    return typeof cell === "bigint" ? fit(cell) : cell;
  };
}

function outcome(of: () => Value): Value | { error: string } {
  try {
    return of();
  } catch (error) {
    if (error instanceof InputError || error instanceof LimitError) return { error: error.code };
    throw error;
  }
}

const isError = (value: Value | { error: string }): value is { error: string } =>
  typeof value === "object" && value !== null && !(value instanceof JsonText);

function same(a: Value, b: Value): boolean {
  if (a instanceof JsonText && b instanceof JsonText) return a.text === b.text;
  return typeof a === typeof b && (a === b || (a as number) + 0 === (b as number) + 0);
}

interface Bed {
  readonly bed: QueryBed;
  readonly rows: readonly OracleRow[];
  readonly segment: Segment;
  readonly mask: number;
  readonly bits: readonly boolean[];
}

function makeBed(random: Random, seed: number): Bed {
  const bed = new QueryBed(48 * 1024 * 1024, 48 * 1024 * 1024);
  const count = pick(random, [1, 70, 700, 5000]);
  const rows = makeRows(random, count, 1000n);
  const segment = writeSegment(bed, seed, rows, { stored: random() < 0.5 });
  const mask = bed.take(selectionSize(count));
  bed.core.u8.fill(0, mask, mask + selectionSize(count));
  const density = pick(random, [1, 0.7, 0.05]);
  const bits = rows.map((_, r) => {
    const bit = random() < density;
    if (bit)
      bed.core.u8[mask + (r >> 3)] = (bed.core.u8[mask + (r >> 3)] as number) | (1 << (r & 7));
    return bit;
  });
  return { bed, rows, segment, mask, bits };
}

/** Compares both ways for one expression; answers what differs. */
function difference(
  { bed, rows, segment, mask, bits }: Bed,
  expression: Expression,
): string | null {
  const evaluate = compileExpression(expression);
  const want = rows.map((row, r) =>
    bits[r] === true ? outcome(() => evaluate(leafOf(row))) : null,
  );
  const computed = new ComputedColumns(bed.state.run, [expression]);
  const { scratch } = bed.state.run;
  const mark = scratch.mark();
  computed.begin(segment);
  try {
    const columns = computed.lanes(segment, expression, mask);
    for (let r = 0; r < rows.length; r++) {
      const wanted = want[r] as Value | { error: string };
      if (bits[r] !== true || isError(wanted)) continue;
      const got = bed.state.cells.value(columns, r);
      if (!same(got, wanted)) return `row ${r}: got ${String(got)}, want ${String(wanted)}`;
    }
    if (want.some(isError)) return "an error is missing";
    return expression.type === "boolean" ? testDifference() : null;
  } catch (error) {
    if (!(error instanceof InputError) && !(error instanceof LimitError)) throw error;
    const codes = want.filter(isError).map((one) => one.error);
    return codes.includes(error.code) ? null : `threw ${error.code}: ${error.message}`;
  } finally {
    scratch.release(mark);
  }

  function testDifference(): string | null {
    const out = scratch.take(selectionSize(rows.length));
    for (const value of [true, false]) {
      const count = computed.test(segment, expression, value, mask, out);
      const selected = rows.map((_, r) => ((bed.core.u8[out + (r >> 3)] as number) >> (r & 7)) & 1);
      const wrong = selected.findIndex((bit, r) => (bit === 1) !== (bits[r] && want[r] === value));
      if (wrong >= 0) return `test ${value}, row ${wrong}: got ${selected[wrong]}`;
      if (count !== selected.filter((bit) => bit === 1).length)
        return `test ${value}: count ${count}`;
    }
    return null;
  }
}

const types: readonly ValueType[] = [
  "number",
  "number",
  "string",
  "boolean",
  "boolean",
  "timestamp",
  "interval",
];
const seeds = Number(process.env.SEEDS ?? 16);

describe("columns of random expressions", () => {
  test.each(Array.from({ length: seeds }, (_, i) => i + 1))("seed %i", (seed) => {
    const random = mulberry32(seed);
    const bed = makeBed(random, seed);
    for (let i = 0; i < 30; i++) {
      const expression = makeExpression(random, pick(random, types), pick(random, [1, 2, 3]));
      const found = difference(bed, expression);
      expect(found, `seed ${seed}, ${i}: ${expressionKey(expression)}`).toBe(null);
      expect(selectionWords(bed.rows.length)).toBeGreaterThan(0);
    }
  });
});

describe("texts that memory has no place for", () => {
  const number = (value: number): Expression => ({ kind: "literal", type: "number", value });
  const repeated = (of: Expression, times: number): Expression => ({
    kind: "call",
    type: "string",
    fn: "repeat",
    args: [of, number(times)],
  });
  const shown = (path: string): Expression => ({
    kind: "call",
    type: "string",
    fn: "concat",
    args: [{ kind: "path", type: "variant", path }],
  });

  test.each([
    ["row by row", shown("sequence")],
    ["by dictionary", { kind: "path", type: "string", path: "user_id" } as Expression],
  ])("%s: they end at its bound, not after all of them", (_, of) => {
    const bed = new QueryBed(48 * 1024 * 1024, 48 * 1024 * 1024);
    const rows = makeRows(mulberry32(3), 5000, 1000n).map((row, i) => ({
      ...row,
      user_id: `user ${i}`,
    }));
    const segment = writeSegment(bed, 1, rows, { stored: true });
    const mask = bed.take(selectionSize(rows.length));
    bed.core.u8.fill(0xff, mask, mask + 5000 / 8);
    const { scratch } = bed.state.run;
    scratch.reset(4 * 1024 * 1024);
    const outcomeOf = (expression: Expression) => {
      const mark = scratch.mark();
      try {
        const computed = new ComputedColumns(bed.state.run, [expression]);
        computed.begin(segment);
        return outcome(() => computed.lanes(segment, expression, mask).length);
      } finally {
        scratch.release(mark);
      }
    };
    expect(outcomeOf(repeated(of, 20_000))).toEqual({ error: "query_memory" });
    expect(outcomeOf(repeated(of, 10))).toBe(1);
  });

  test("nothing is computed that has no place any more, and what was computed is right", () => {
    const { scratch } = new QueryBed(16 * 1024 * 1024, 16 * 1024 * 1024).state.run;
    scratch.reset(1024 * 1024);
    const values = new CodeValues(null);
    let computed = 0;
    const extend = () =>
      values.extend(
        1_000_000,
        "string",
        (code) => {
          computed++;
          return `${code} `.repeat(200);
        },
        (bytes) => scratch.demand(bytes),
      );
    expect(outcome(() => extend())).toEqual({ error: "query_memory" });
    expect(computed).toBeLessThan(4000);
    expect([values.count, values.failed]).toEqual([computed, false]);
  });

  test("equal ones count once", () => {
    const bed = new QueryBed(48 * 1024 * 1024, 48 * 1024 * 1024);
    const segment = writeSegment(bed, 1, makeRows(mulberry32(3), 5000, 1000n), { stored: true });
    const mask = bed.take(selectionSize(5000));
    bed.core.u8.fill(0xff, mask, mask + 5000 / 8);
    bed.state.run.scratch.reset(4 * 1024 * 1024);
    const few: Expression = {
      kind: "call",
      type: "number",
      fn: "%",
      args: [{ kind: "path", type: "sequence", path: "sequence" }, number(3)],
    };
    const text: Expression = { kind: "call", type: "string", fn: "concat", args: [few] };
    const expression = repeated(text, 10_000);
    const computed = new ComputedColumns(bed.state.run, [expression]);
    computed.begin(segment);
    expect(computed.lanes(segment, expression, mask)).toHaveLength(1);
  });
});

// Answers of the engine, whole and in parts, against the plain way.

import { expect } from "vitest";
import type { Query } from "../../src/query/query.ts";
import type { Value } from "../../src/query/result.ts";
import { executeQuery, startQuery } from "../../src/query/run/execute.ts";
import type { Snapshot } from "../../src/query/segments/source.ts";
import { answerOf, type OracleRow, type OracleValue, valueText } from "../oracle/query.ts";
import { QueryBed, snapshotOf } from "./query-rows.ts";
import { makeRows, type Random } from "./random-queries.ts";

/** Text in which equal values are equal; doubles to twelve digits. */
export function roundedText(value: Value | undefined): string {
  if (typeof value === "number" && !Number.isInteger(value)) return value.toPrecision(12);
  return valueText(value ?? null);
}

function cutsOf(random: Random, rows: number): number[] {
  const count = Math.floor(random() * 5);
  return Array.from({ length: count }, () => Math.floor(random() * rows)).sort((a, b) => a - b);
}

/** Errors of a function say where a value is out of range; both sides then fail. */
function attempt<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "number_out_of_range" || code === "sum_overflow" || code === "string_too_long")
      return "range";
    throw error;
  }
}

/** Their values differ in the last bits. */
export const rounded: ReadonlySet<string> = new Set([
  "sum",
  "avg",
  "var_pop",
  "var_samp",
  "stddev_pop",
  "stddev_samp",
  "median",
  "percentile_cont",
  "rate",
]);

/** The text to expect: that of the value that came, where it is as good as the one that was wanted. */
export function wantedText(value: OracleValue, got: Value | undefined, isRounded: boolean): string {
  if (typeof value === "object" && value !== null && "anyOf" in value) {
    const own = roundedText(got);
    return value.anyOf.some((one) => roundedText(one) === own)
      ? own
      : `any of ${value.anyOf.length}`;
  }
  if (isRounded && typeof value === "number" && typeof got === "number") {
    const size = Math.max(Math.abs(value), Math.abs(got));
    if (Math.abs(value - got) <= size * 1e-9) return roundedText(got);
  }
  return roundedText(value as Value);
}

function check(
  query: Query,
  got: readonly (readonly Value[])[] | string,
  want: OracleValue[][] | string,
): void {
  if (typeof want === "string" || typeof got === "string") {
    expect(typeof got).toBe(typeof want);
    return;
  }
  const isRounded = query.select.map(({ of }) => {
    return of.kind === "aggregate" && rounded.has(query.aggregates[of.aggregate]?.fn ?? "");
  });
  const shown = want.map((row, r) =>
    row.map((value, c) => wantedText(value, got[r]?.[c], isRounded[c] === true)),
  );
  expect(got.map((row) => row.map(roundedText))).toEqual(shown);
}

/** The query in parts: ranges that were cut anywhere, each on its own, merged in any order. */
function inParts(random: Random, query: Query, snapshot: Snapshot, bed: QueryBed): Value[][] {
  const { scratch } = bed.state.run;
  const first = snapshot.segments[0]?.firstSequence ?? 0n;
  const rows = Number(snapshot.asOf - first);
  const bounds = [0, ...cutsOf(random, rows), rows].map((row) => first + BigInt(row));
  const ranges = bounds.slice(1).map((to, i) => ({ from: bounds[i] as bigint, to }));
  const threads = 1 + Math.floor(random() * 3);
  const parts = Array.from({ length: threads }, (_, thread) => {
    scratch.reset();
    const execution = startQuery(query, bed.state);
    ranges.forEach((range, i) => {
      if (i % threads === thread) execution.run(snapshot, range);
    });
    return execution.partial().slice();
  });
  if (random() < 0.5) parts.reverse();
  scratch.reset();
  const whole = startQuery(query, bed.state);
  if (random() < 0.5) whole.merge(parts.pop() as Uint8Array);
  for (const part of parts) whole.merge(part);
  const { rows: answer, stats } = whole.finish(snapshot.asOf);
  expect(stats.rowsScanned).toBeLessThanOrEqual(rows);
  scratch.reset();
  return answer.map((row) => [...row]);
}

/** Runs `count` queries over random rows in random segments, some of them stored. */
export function compareAnswers(
  random: Random,
  seed: number,
  count: number,
  make: (rows: OracleRow[]) => Query,
) {
  const bed = new QueryBed();
  const rows = makeRows(random, 1 + Math.floor(random() ** 3 * 6000), BigInt(seed) * 1000n);
  const cuts = cutsOf(random, rows.length);
  const snapshot = snapshotOf(bed, rows, cuts, Math.floor(random() * (cuts.length + 2)));
  const before = bed.state.run.scratch.left;
  for (let i = 0; i < count; i++) {
    const query = make(rows);
    try {
      const want = attempt(() => answerOf(query, rows));
      const got = attempt(() => executeQuery(query, snapshot, bed.state).rows);
      check(query, got, want);
      if (typeof want !== "string") check(query, inParts(random, query, snapshot, bed), want);
    } catch (error) {
      const shown = JSON.stringify(query, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
      throw new Error(`seed ${seed}, query ${i}: ${shown}`, { cause: error });
    }
    bed.state.run.scratch.reset();
    expect(bed.state.run.scratch.left).toBe(before);
  }
}

// Expressions over one column of text: computed once for each text of its dictionary, and given to the rows by code.

import {
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  LANE_BOOLEAN,
  LANE_JSON,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_U8,
} from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import { likeRuns } from "../expression/pattern.ts";
import type { LeafValue } from "../expression/scalar.ts";
import { constantOf } from "../expression/scalar.ts";
import { onlyText } from "../expression/shape.ts";
import type { Value } from "../result.ts";
import type { LaneColumn } from "./cells.ts";
import { CodeValues, keptCodeValues, noCode } from "./code-values.ts";
import type { Derivation } from "./derivation.ts";
import { checked, derivedColumn } from "./derivation.ts";
import { codeEncoding } from "./derived-writer.ts";
import type { QueryRun } from "./kernels.ts";
import { CancelledError } from "./kernels.ts";
import { selectionSize } from "./selection.ts";

/** What an expression yields for every text of a column. */
export interface TextResults {
  readonly column: number;
  readonly count: number;
  readonly values: CodeValues;
}

export interface Compiled {
  readonly expression: Expression;
  readonly key: string;
  readonly evaluate: (leaf: LeafValue) => Value;
}

/**
 * The results for every text of the one column that an expression reads. Null where it reads anything else, where the
 * texts are more than the rows (which then go one by one), or where one text has no result.
 */
export function textResults(of: Derivation, compiled: Compiled, mask: number): TextResults | null {
  const { expression, key, evaluate } = compiled;
  const path = expression.type === "variant" ? null : onlyText(expression);
  if (path === null) return null;
  const column = of.find(path.path, LANE_STRING);
  if (column === 0) return null;
  const { run, segment, words } = of;
  const count = Atomics.load(run.core.u32, (column + COLUMN_DICT_COUNT) >>> 2);
  const kept = keptCodeValues(run.core);
  const name = `${segment.hot ? segment.id : -1 - segment.id} ${segment.firstSequence} ${key}`;
  const values = kept.of(name, () => CodeValues.of(() => evaluate(() => null)));
  if (values.failed) return null;
  const missing = count - values.count;
  if (missing > 256 && missing > run.kernels.selectionCount(mask, words)) return null;
  if (missing > 0) {
    const runs = nativeRuns(expression);
    try {
      const whole =
        runs === null
          ? evaluateTexts(of, compiled, column, count, values)
          : matchTexts(of, runs, column, count, values);
      if (!whole) return null;
    } finally {
      // What was computed before the query was ended is right, and held like the rest.
      kept.settle(name, values);
    }
  }
  return { column, count, values };
}

function evaluateTexts(
  { cells, run }: Derivation,
  { expression, evaluate }: Compiled,
  column: number,
  count: number,
  values: CodeValues,
): boolean {
  let text: Value = null;
  const leaf: LeafValue = () => text;
  return values.extend(
    count,
    expression.type,
    (code) => {
      text = cells.text(column, code);
      return evaluate(leaf);
    },
    watchOf(run),
  );
}

/** Ends the making of texts that the query's memory has no place for, and that of a query which was cancelled. */
export function watchOf({ core, scratch, cancel }: QueryRun): (bytes: number) => void {
  return (bytes) => {
    if (Atomics.load(core.u32, cancel >>> 2) !== 0) throw new CancelledError();
    scratch.demand(bytes);
  };
}

/** What a text begins with, has within and ends with, where an expression asks for nothing else; otherwise null. */
function nativeRuns(expression: Expression): string[] | null {
  if (expression.kind !== "call" || expression.args[0]?.kind !== "path") return null;
  const [, pattern, escape] = expression.args.map(constantOf);
  if (typeof pattern !== "string") return null;
  switch (expression.fn) {
    case "like":
      if (expression.args.length > 2 && typeof escape !== "string") return null;
      return likeRuns(pattern, typeof escape === "string" ? escape : "\\");
    case "contains":
      return ["", pattern, ""];
    case "starts_with":
      return [pattern, ""];
    case "ends_with":
      return ["", pattern];
    default:
      return null;
  }
}

function matchTexts(
  { run, kernels }: Derivation,
  runs: readonly string[],
  column: number,
  count: number,
  values: CodeValues,
): boolean {
  const { core, scratch } = run;
  const from = values.count;
  const entries = Atomics.load(core.u32, (column + COLUMN_DICT) >>> 2);
  const pieces = runs.map((piece) => Buffer.from(piece));
  const bytes = Buffer.concat(pieces);
  const mark = scratch.mark();
  const pattern = scratch.take(bytes.length + 16);
  const lengths = scratch.take(pieces.length * 4);
  const table = scratch.take(count);
  core.u8.set(bytes, pattern);
  core.u32.set(
    Uint32Array.from(pieces, (piece) => piece.length),
    lengths >>> 2,
  );
  kernels.matchLike(entries, from, count, pattern, lengths, pieces.length, table);
  values.extendTruths(core.u8.subarray(table + from, table + count));
  scratch.release(mark);
  return true;
}

/** The derived column of such results; null where one column can't hold them. */
export function textColumns(
  of: Derivation,
  type: Expression["type"],
  results: TextResults,
  mask: number,
): LaneColumn[] | null {
  if (type === "boolean") return booleanColumn(of, results, mask);
  if (type === "string" || type === "json") return codeColumn(of, type, results, mask);
  return numberColumn(of, results, mask);
}

function booleanColumn(of: Derivation, { column, count, values }: TextResults, mask: number) {
  const table = new Uint32Array(count + 1);
  const { truths, absent } = values;
  for (let i = 0; i < count; i++) table[i] = truths[i] === 2 ? noCode : (truths[i] as number);
  table[count] = absent === null ? noCode : Number(absent);
  return mapped(of, LANE_BOOLEAN, PAGE_U8, column, table, count, mask);
}

function codeColumn(
  of: Derivation,
  type: "string" | "json",
  { column, count, values }: TextResults,
  mask: number,
): LaneColumn[] {
  const table = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) table[i] = values.textCodes[i] as number;
  table[count] = values.absent === null ? noCode : values.textCode(values.absent);
  const encoding = codeEncoding(values.ends.length);
  const lane = type === "json" ? LANE_JSON : LANE_STRING;
  const columns = mapped(of, lane, encoding, column, table, count, mask);
  const [made] = columns;
  if (made) of.writer.encodedDictionary(made.address, values.bytes, values.ends);
  return columns;
}

function mapped(
  of: Derivation,
  lane: number,
  encoding: number,
  column: number,
  codes: Uint32Array,
  count: number,
  mask: number,
): LaneColumn[] {
  const { run, kernels, words } = of;
  const target = derivedColumn(of, lane, encoding, mask);
  const mark = run.scratch.mark();
  const table = run.scratch.take(codes.length * 4);
  run.core.u32.set(codes, table >>> 2);
  checked(kernels.mapCodes(column, target, words, mask, table, count, run.cancel), "");
  run.scratch.release(mark);
  return [{ lane, address: target }];
}

/** Whole numbers as i64, others as f64; where both occur, the small whole ones as doubles too. */
function numberColumn(
  of: Derivation,
  { column, count, values }: TextResults,
  mask: number,
): LaneColumn[] | null {
  const { run, kernels, words } = of;
  const numbers = values.numbers(count);
  // A double cannot stand for an integer beyond 2^53: such a mixture is left to the rows.
  if (numbers === null) return null;
  const { encoding, bytes, has } = numbers;
  const target = derivedColumn(of, LANE_NUMBER, encoding, mask);
  const mark = run.scratch.mark();
  const table = run.scratch.take(bytes.length);
  const present = run.scratch.take(has.length);
  run.core.u8.set(bytes, table);
  run.core.u8.set(has, present);
  checked(kernels.mapValues(column, target, words, mask, table, present, count, run.cancel), "");
  run.scratch.release(mark);
  return [{ lane: LANE_NUMBER, address: target }];
}

/** Writes to `out` the rows of `mask` whose text yields `wanted`; answers how many. */
export function selectTexts(
  of: Derivation,
  { column, count, values }: TextResults,
  wanted: boolean,
  mask: number,
  out: number,
): number {
  const { run, words, segment } = of;
  const { core, kernels, scratch } = run;
  const mark = scratch.mark();
  const table = scratch.take(count + 1);
  const { truths } = values;
  const code = wanted ? 1 : 0;
  for (let i = 0; i < count; i++) core.u8[table + i] = truths[i] === code ? 1 : 0;
  let absent = 0;
  if (values.absent === wanted) {
    absent = scratch.take(selectionSize(segment.rows));
    kernels.selectPresent(column, words, mask, absent);
    kernels.selectionAndNot(mask, absent, absent, words);
  }
  let selected = checked(selectTable(of, column, table, count, mask, out), "");
  if (absent !== 0) selected = kernels.selectionOr(out, absent, out, words);
  scratch.release(mark);
  return selected;
}

/** Rows whose code has a byte of 1. Codes that are one run are a range, which the quicker kernel takes. */
function selectTable(
  { run, words }: Derivation,
  column: number,
  table: number,
  count: number,
  mask: number,
  out: number,
): number {
  const { core, kernels, cancel } = run;
  const set = core.u8.subarray(table, table + count);
  const low = set.indexOf(1);
  if (low < 0) {
    kernels.selectionRange(out, words, 0, 0);
    return 0;
  }
  const high = set.lastIndexOf(1);
  const gap = set.indexOf(0, low);
  if (gap < 0 || gap > high) {
    return kernels.selectRange(column, words, mask, out, 0, low, high, 0n, 0n, 0, 0, cancel);
  }
  return kernels.selectCodes(column, words, mask, out, table, cancel);
}

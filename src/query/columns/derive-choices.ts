// CASE and COALESCE: the rows of each branch are selected, and each branch sees those alone.

import {
  COLUMN_PAGES,
  LANE_NUMBER,
  LANE_STRING,
  PAGE_MIXED,
  PAGE_ROWS,
  PAGE_U8,
  PAGE_VALUES,
} from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Call } from "../expression/scalar.ts";
import { isNumeric } from "../expression/shape.ts";
import type { LaneColumn } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import { derivedColumn } from "./derivation.ts";
import { presence } from "./derive-conditions.ts";
import { selectNothing } from "./derive-numbers.ts";
import { valuesBytes } from "./expression-kernels.ts";
import { selectionSize } from "./selection.ts";

/** Calls `branch` with each value of a choice and the rows that it is chosen for, which it may keep no longer. */
type Branches = (branch: (value: Expression, rows: number) => void) => void;

/** LEAST, GREATEST and NULLIF of numbers, as the CASE that they are; undefined: of anything else. */
export function choiceOf(call: Call): Call | undefined {
  if (!isNumeric(call.type) || !call.args.every(({ type }) => isNumeric(type))) return undefined;
  const [first, second] = call.args as [Expression, Expression];
  const truth = (fn: Call["fn"], ...args: Expression[]): Call => ({
    kind: "call",
    type: "boolean",
    fn,
    args,
  });
  const choose = (...args: Expression[]): Call => ({ ...call, fn: "case", args });
  if (call.fn === "nullif") {
    const none: Expression = { kind: "literal", type: call.type, value: null };
    return choose(truth("=", first, second), none, first);
  }
  if ((call.fn !== "least" && call.fn !== "greatest") || call.args.length !== 2) return undefined;
  const op = call.fn === "least" ? "<=" : ">=";
  return choose(truth("or", truth("is_null", second), truth(op, first, second)), first, second);
}

/** The column of a CASE or COALESCE of numbers or of constant texts; undefined: row by row. */
export function choiceColumn(of: Derivation, call: Call, mask: number): LaneColumn[] | undefined {
  const branches: Branches =
    call.fn === "case"
      ? (branch) => chooseCases(of, call, mask, branch)
      : (branch) => firstPresent(of, call.args, mask, branch);
  if (isNumeric(call.type)) return numbers(of, mask, branches);
  if (call.type !== "string" || call.fn !== "case") return undefined;
  const values = caseValues(call);
  const constant = values.length <= 256 && values.every(({ kind }) => kind === "literal");
  return constant ? texts(of, values, mask, branches) : undefined;
}

function caseValues({ args }: Call): Expression[] {
  return args.filter((_, i) => i % 2 === 1 || i === args.length - 1);
}

function chooseCases(
  of: Derivation,
  { args }: Call,
  mask: number,
  branch: (value: Expression, rows: number) => void,
): void {
  const { run, segment, words } = of;
  const { kernels, scratch } = run;
  const size = selectionSize(segment.rows);
  const [left, rows] = [scratch.take(size), scratch.take(size)];
  kernels.selectionAnd(mask, mask, left, words);
  for (let i = 0; i + 1 < args.length; i += 2) {
    if (of.test(args[i] as Expression, true, left, rows) === 0) continue;
    branch(args[i + 1] as Expression, rows);
    if (kernels.selectionAndNot(left, rows, left, words) === 0) return;
  }
  if (args.length % 2 === 1) branch(args.at(-1) as Expression, left);
}

function firstPresent(
  of: Derivation,
  args: readonly Expression[],
  mask: number,
  branch: (value: Expression, rows: number) => void,
): void {
  const { run, segment, words } = of;
  const { kernels, scratch } = run;
  const size = selectionSize(segment.rows);
  const [left, rows] = [scratch.take(size), scratch.take(size)];
  kernels.selectionAnd(mask, mask, left, words);
  for (const arg of args) {
    const mark = scratch.mark();
    const count =
      arg.kind === "literal"
        ? arg.value === null
          ? selectNothing(of, rows)
          : kernels.selectionAnd(left, left, rows, words)
        : presence(of, of.lanes(arg, left), left, rows);
    if (count > 0) branch(arg, rows);
    scratch.release(mark);
    if (kernels.selectionAndNot(left, rows, left, words) === 0) return;
  }
}

function numbers(of: Derivation, mask: number, branches: Branches): LaneColumn[] {
  const { run, kernels, words } = of;
  const { scratch } = run;
  const target = derivedColumn(of, LANE_NUMBER, PAGE_MIXED, mask);
  clearPages(of, target, PAGE_ROWS * 8 + PAGE_ROWS / 8);
  const mark = scratch.mark();
  const buffer = scratch.take(valuesBytes);
  branches((value, rows) => {
    const inner = scratch.mark();
    const column = numberOf(of, value, rows);
    if (column !== 0) kernels.mergeNumbers(column, target, words, rows, buffer);
    scratch.release(inner);
  });
  kernels.settleNumbers(target, words);
  scratch.release(mark);
  return [{ lane: LANE_NUMBER, address: target }];
}

function numberOf(of: Derivation, value: Expression, rows: number): number {
  return of.lanes(value, rows).find(({ lane }) => lane === LANE_NUMBER)?.address ?? 0;
}

function texts(
  of: Derivation,
  values: readonly Expression[],
  mask: number,
  branches: Branches,
): LaneColumn[] {
  const { run, kernels, writer, words } = of;
  const different = [...new Set(values.flatMap((one) => textOf(one) ?? []))];
  const target = derivedColumn(of, LANE_STRING, PAGE_U8, mask);
  clearPages(of, target, PAGE_ROWS);
  writer.dictionary(target, different);
  const mark = run.scratch.mark();
  branches((value, rows) => {
    const text = textOf(value);
    if (text !== null) kernels.mapConstant(target, words, rows, different.indexOf(text));
  });
  run.scratch.release(mark);
  return [{ lane: LANE_STRING, address: target }];
}

function textOf(one: Expression): string | null {
  return one.kind === "literal" && typeof one.value === "string" ? one.value : null;
}

/** Rows that no branch reaches have no value, which is 0 in a page. */
function clearPages({ run, words }: Derivation, column: number, size: number): void {
  const { u8, u32 } = run.core;
  for (let index = 0; index * (PAGE_ROWS / 64) < words; index++) {
    const page = u32[(column + COLUMN_PAGES + index * 4) >>> 2] as number;
    if (page !== 0) u8.fill(0, page + PAGE_VALUES, page + PAGE_VALUES + size);
  }
}

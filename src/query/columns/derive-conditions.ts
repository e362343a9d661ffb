// Conditions that are expressions, taken apart as far as kernels go: three-valued logic needs no third value when the
// rows that are true and those that are false are asked for apart.

import { LANE_BOOLEAN, LANE_NULL, PAGE_U8 } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Call } from "../expression/scalar.ts";
import { isNumeric } from "../expression/shape.ts";
import { isTotal, lanesOf } from "../plan/filter.ts";
import type { LaneColumn } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import { derivedColumn } from "./derivation.ts";
import {
  comparesNumbers,
  constantNumber,
  selectComparison,
  selectNothing,
  selectRange,
} from "./derive-numbers.ts";
import { finished } from "./kernels.ts";
import { selectionSize } from "./selection.ts";

/** Constants of a list for which each has a scan of its own. */
const listMax = 8;

/** Whether `selectParts` computes a condition by those that it is made of. */
export function hasParts(of: Expression): boolean {
  if (of.kind === "literal") return true;
  if (of.kind !== "call") return false;
  switch (of.fn) {
    case "and":
    case "or":
    case "not":
    case "is_null":
    case "is_true":
    case "is_false":
      return true;
    case "exists":
      return of.args[0]?.kind === "path";
    case "in":
      return listedNumbers(of) !== null;
    default:
      return comparesNumbers(of);
  }
}

/** Writes to `out` the rows of `mask` for which a condition that has parts is `value`; answers how many. */
export function selectParts(
  of: Derivation,
  condition: Expression,
  value: boolean,
  mask: number,
  out: number,
): number {
  if (condition.kind === "literal") {
    return condition.value === value ? copy(of, mask, out) : selectNothing(of, out);
  }
  const call = condition as Call;
  const [first] = call.args as [Expression];
  switch (call.fn) {
    case "and":
      return value ? every(of, call.args, true, mask, out) : some(of, call.args, false, mask, out);
    case "or":
      return value ? some(of, call.args, true, mask, out) : every(of, call.args, false, mask, out);
    case "not":
      return of.test(first, !value, mask, out);
    case "is_true":
    case "is_false":
      return within(of, mask, out, !value, (rows) =>
        of.test(first, call.fn === "is_true", mask, rows),
      );
    case "is_null":
      return within(of, mask, out, value, (rows) =>
        presence(of, of.lanes(first, mask), mask, rows),
      );
    case "exists":
      return within(of, mask, out, !value, (rows) => existing(of, first, mask, rows));
    case "in":
      return listed(of, call, value, mask, out);
    default:
      return selectComparison(of, call, value, mask, out);
  }
}

function copy({ run, words }: Derivation, mask: number, out: number): number {
  return run.kernels.selectionAnd(mask, mask, out, words);
}

/** Rows for which all are `value`. Each sees only the rows that those before it left. */
function every(
  of: Derivation,
  args: readonly Expression[],
  value: boolean,
  mask: number,
  out: number,
): number {
  let from = mask;
  let count = 0;
  for (const arg of args) {
    count = of.test(arg, value, from, out);
    if (count === 0) break;
    from = out;
  }
  return args.length === 0 ? copy(of, mask, out) : count;
}

/** Rows for which one is `value`. Each sees only the rows that none before it took. */
function some(
  of: Derivation,
  args: readonly Expression[],
  value: boolean,
  mask: number,
  out: number,
): number {
  const { run, segment, words } = of;
  const { kernels, scratch } = run;
  const mark = scratch.mark();
  const size = selectionSize(segment.rows);
  const [left, taken, found] = [scratch.take(size), scratch.take(size), scratch.take(size)];
  copy(of, mask, left);
  selectNothing(of, taken);
  for (const arg of args) {
    if (of.test(arg, value, left, found) === 0) continue;
    kernels.selectionOr(taken, found, taken, words);
    if (kernels.selectionAndNot(left, found, left, words) === 0) break;
  }
  const count = copy(of, taken, out);
  scratch.release(mark);
  return count;
}

/** The rows that `select` finds, or, `turned`, the others of `mask`. */
function within(
  { run, segment, words }: Derivation,
  mask: number,
  out: number,
  turned: boolean,
  select: (rows: number) => number,
): number {
  const { kernels, scratch } = run;
  const mark = scratch.mark();
  const rows = scratch.take(selectionSize(segment.rows));
  select(rows);
  const count = turned
    ? kernels.selectionAndNot(mask, rows, out, words)
    : kernels.selectionAnd(mask, rows, out, words);
  scratch.release(mark);
  return count;
}

/** Rows of `mask` that have a value in one of the columns. */
export function presence(
  of: Derivation,
  columns: readonly LaneColumn[],
  mask: number,
  out: number,
): number {
  const { run, segment, words } = of;
  const { kernels, scratch } = run;
  const mark = scratch.mark();
  const rows = scratch.take(selectionSize(segment.rows));
  const found = scratch.take(selectionSize(segment.rows));
  let count = selectNothing(of, found);
  for (const { address } of columns) {
    kernels.selectPresent(address, words, mask, rows);
    count = kernels.selectionOr(found, rows, found, words);
  }
  copy(of, found, out);
  scratch.release(mark);
  return count;
}

function existing(of: Derivation, expression: Expression, mask: number, out: number): number {
  const path = expression.kind === "path" ? expression.path : "";
  if (isTotal(path)) return copy(of, mask, out);
  const columns = [...lanesOf(path), LANE_NULL]
    .map((lane) => ({ lane, address: of.find(path, lane) }))
    .filter(({ address }) => address !== 0);
  return presence(of, columns, mask, out);
}

function listedNumbers({ args }: Call): (number | bigint)[] | null {
  const [of, ...list] = args;
  if (!of || !isNumeric(of.type) || list.length === 0 || list.length > listMax) return null;
  const numbers = list.map(constantNumber);
  return numbers.every((one) => one !== undefined && one !== null)
    ? (numbers as (number | bigint)[])
    : null;
}

function listed(of: Derivation, call: Call, value: boolean, mask: number, out: number): number {
  const [expression] = call.args as [Expression];
  const numbers = listedNumbers(call) as (number | bigint)[];
  const { run, segment, words } = of;
  const { kernels, scratch } = run;
  const mark = scratch.mark();
  const rows = scratch.take(selectionSize(segment.rows));
  const found = scratch.take(selectionSize(segment.rows));
  const columns = of.lanes(expression, mask);
  selectNothing(of, found);
  for (const number of numbers) {
    selectRange(of, expression, "=", number, mask, rows);
    kernels.selectionOr(found, rows, found, words);
  }
  if (!value) {
    presence(of, columns, mask, rows);
    kernels.selectionAndNot(rows, found, found, words);
  }
  const count = copy(of, found, out);
  scratch.release(mark);
  return count;
}

/** Rows of `mask` whose boolean, in a column of them, is `value`. */
export function selectBooleans(
  of: Derivation,
  columns: readonly LaneColumn[],
  value: boolean,
  mask: number,
  out: number,
): number {
  const column = columns.find(({ lane }) => lane === LANE_BOOLEAN);
  if (column === undefined) return selectNothing(of, out);
  const { run, words } = of;
  const code = value ? 1 : 0;
  return finished(
    run.kernels.selectRange(
      column.address,
      words,
      mask,
      out,
      0,
      code,
      code,
      0n,
      0n,
      0,
      0,
      run.cancel,
    ),
  );
}

/** The column of a condition that has parts, from the rows that are true and those that are false. */
export function truthColumn(of: Derivation, condition: Expression, mask: number): LaneColumn[] {
  const { run, kernels, segment, words } = of;
  const target = derivedColumn(of, LANE_BOOLEAN, PAGE_U8, mask);
  const mark = run.scratch.mark();
  const truths = run.scratch.take(selectionSize(segment.rows));
  const falsehoods = run.scratch.take(selectionSize(segment.rows));
  // What both questions look at is computed once, unless a kernel would have to compute less of it.
  if (condition.kind === "call" && (comparesNumbers(condition) || condition.fn === "is_null")) {
    for (const arg of condition.args) if (arg.kind !== "literal") of.lanes(arg, mask);
  }
  of.test(condition, true, mask, truths);
  of.test(condition, false, mask, falsehoods);
  kernels.mapTruths(target, words, truths, falsehoods);
  run.scratch.release(mark);
  return [{ lane: LANE_BOOLEAN, address: target }];
}

// Arithmetic and comparisons of number columns, by kernels.

import { COLUMN_BASE, COLUMN_EXPONENT, LANE_NUMBER, PAGE_MIXED } from "../../core/layout.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression } from "../expression/expression.ts";
import type { Call } from "../expression/scalar.ts";
import { isNumeric } from "../expression/shape.ts";
import { numberRange, rawRange } from "../plan/bounds.ts";
import type { CompareOp } from "../query.ts";
import type { LaneColumn } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import { checked, derivedColumn } from "./derivation.ts";
import { valuesBytes } from "./expression-kernels.ts";
import { finished } from "./kernels.ts";

const binaryOps: Readonly<Record<string, number>> = { "+": 0, "-": 1, "*": 2, "/": 3, "%": 4 };
const unaryOps: Readonly<Record<string, number>> = {
  negate: 0,
  abs: 1,
  ceil: 2,
  floor: 3,
  round: 4,
  trunc: 5,
  sign: 6,
  sqrt: 7,
  integer: 8,
};

/** A call that a kernel of numbers computes. */
interface Plan {
  readonly op: number;
  readonly args: readonly Expression[];
  readonly isBinary: boolean;
  /** A power of ten, for rounding at a digit. */
  readonly scale: number;
}

function planOf(call: Call): Plan | null {
  const { fn, args } = call;
  if (!args.every(({ type }) => isNumeric(type))) return null;
  if (fn === "time_difference") return { op: 1, args, isBinary: true, scale: 1 };
  // Intervals are added as the microseconds that they are equal to; their other arithmetic is the calendar's.
  const isSpan = call.type === "interval";
  if (isSpan && fn !== "+" && fn !== "-") return null;
  if (isSpan !== args.some(({ type }) => type === "interval")) return null;
  const op = binaryOps[fn];
  if (op !== undefined && args.length === 2) return { op, args, isBinary: true, scale: 1 };
  const unary = unaryOps[fn];
  if (unary !== undefined && args.length === 1)
    return { op: unary, args, isBinary: false, scale: 1 };
  return roundingPlan(call);
}

/** Rounding at a digit after the point. */
function roundingPlan({ fn, args }: Call): Plan | null {
  const digits = args.length === 2 ? constantNumber(args[1] as Expression) : undefined;
  if ((fn !== "round" && fn !== "trunc") || typeof digits !== "number") return null;
  const places = Math.trunc(digits);
  if (places < 0 || places > 15) return null;
  const op = fn === "round" ? 9 : 10;
  return { op, args: args.slice(0, 1), isBinary: false, scale: 10 ** places };
}

/** The column of an arithmetic call; undefined: no kernel computes it. */
export function numberCall(of: Derivation, call: Call, mask: number): LaneColumn[] | undefined {
  const plan = planOf(call);
  if (plan === null) return undefined;
  const { run, kernels, words } = of;
  const { scratch, cancel } = run;
  // The target first: what its arguments need meanwhile is given back.
  const target = derivedColumn(of, LANE_NUMBER, PAGE_MIXED, mask);
  const mark = scratch.mark();
  const columns = plan.args.map((arg) => numberColumn(of, arg, mask));
  if (columns.includes(0)) return [];
  const [a, b] = columns as [number, number];
  const buffer = scratch.take(valuesBytes * 4);
  const answer = plan.isBinary
    ? kernels.arithmetic(plan.op, a, b, target, words, mask, buffer, cancel)
    : kernels.unary(plan.op, a, target, words, mask, plan.scale, buffer, cancel);
  scratch.release(mark);
  if (answer === -3) return undefined;
  checked(answer, call.fn);
  return [{ lane: LANE_NUMBER, address: target }];
}

/** The number column of an expression, 0 where it is NULL everywhere. */
export function numberColumn(of: Derivation, expression: Expression, mask: number): number {
  const constant = constantNumber(expression);
  if (constant === null) return 0;
  if (constant !== undefined) return of.writer.constant(constant).address;
  const found = of.lanes(expression, mask).find(({ lane }) => lane === LANE_NUMBER);
  return found?.address ?? 0;
}

/** The number that a literal is; undefined where it is none. */
export function constantNumber(expression: Expression): number | bigint | null | undefined {
  if (expression.kind !== "literal") return undefined;
  const value = compileExpression(expression)(() => null);
  return value === null || typeof value === "number" || typeof value === "bigint"
    ? value
    : undefined;
}

const opposite: Readonly<Record<CompareOp, CompareOp>> = {
  "=": "!=",
  "!=": "=",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
};
const mirrored: Readonly<Record<CompareOp, CompareOp>> = {
  "=": "=",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};
/** Sums of 1 (below), 2 (equal) and 4 (above). */
const orders: Readonly<Record<CompareOp, number>> = {
  "<": 1,
  "=": 2,
  "<=": 3,
  ">": 4,
  "!=": 5,
  ">=": 6,
};

export function isCompareOp(fn: string): fn is CompareOp {
  return fn in orders;
}

/** Whether a call compares numbers, so that `selectComparison` takes it. */
export function comparesNumbers({ fn, args }: Call): boolean {
  return isCompareOp(fn) && args.length === 2 && args.every(({ type }) => isNumeric(type));
}

/** Writes to `out` the rows of `mask` for which a comparison of numbers is `value`; answers how many. */
export function selectComparison(
  of: Derivation,
  { fn, args }: Call,
  value: boolean,
  mask: number,
  out: number,
): number {
  const { run, kernels, words } = of;
  const { scratch, cancel } = run;
  const op = value ? (fn as CompareOp) : opposite[fn as CompareOp];
  const [left, right] = args as [Expression, Expression];
  const mark = scratch.mark();
  const [first, second] = [constantNumber(left), constantNumber(right)];
  let count: number;
  if (first === null || second === null) count = selectNothing(of, out);
  else if (second !== undefined) count = selectRange(of, left, op, second, mask, out);
  else if (first !== undefined) count = selectRange(of, right, mirrored[op], first, mask, out);
  else {
    const [a, b] = [numberColumn(of, left, mask), numberColumn(of, right, mask)];
    if (a === 0 || b === 0) count = selectNothing(of, out);
    else {
      const buffer = scratch.take(valuesBytes * 2);
      const wanted = orders[op];
      count = checked(kernels.compareColumns(a, b, words, mask, out, wanted, buffer, cancel), fn);
    }
  }
  scratch.release(mark);
  return count;
}

export function selectNothing({ run, words }: Derivation, out: number): number {
  run.kernels.selectionRange(out, words, 0, 0);
  return 0;
}

/** Rows whose number stands so to a constant. */
export function selectRange(
  of: Derivation,
  expression: Expression,
  op: CompareOp,
  constant: number | bigint,
  mask: number,
  out: number,
): number {
  const { run, words } = of;
  const { view } = run.core;
  const column = numberColumn(of, expression, mask);
  if (column === 0) return selectNothing(of, out);
  const range = numberRange(op, constant);
  const base = view.getBigInt64(column + COLUMN_BASE, true);
  const raw = rawRange(range, base, view.getUint32(column + COLUMN_EXPONENT, true));
  const inverted = op === "!=" ? 1 : 0;
  const { i64Low, i64High, f64Low, f64High } = range;
  const [low, high] = [raw?.low ?? 1, raw?.high ?? 0];
  return finished(
    run.kernels.selectRange(
      column,
      words,
      mask,
      out,
      inverted,
      low,
      high,
      i64Low,
      i64High,
      f64Low,
      f64High,
      run.cancel,
    ),
  );
}

// What a condition on a computed value says about the stored one: rows that it is true for are in a range of a path,
// for which there are zone maps and a quick kernel. The condition is tested on what is left.

import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import { pathType } from "../paths.ts";
import type { CompareOp } from "../query.ts";
import { i64Max, i64Min, integerRange, numberRange } from "./bounds.ts";
import type { Filter } from "./filter.ts";

const flipped: Readonly<Record<string, CompareOp>> = {
  "=": "=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

/** A filter that passes every row for which `condition` is true; null where nothing is known. */
export function impliedFilter(condition: Expression): Filter | null {
  if (condition.kind !== "call") return null;
  const { fn, args } = condition;
  if (fn === "and") {
    const known = args.map(impliedFilter).filter((one) => one !== null);
    if (known.length === 0) return null;
    return known.length === 1 ? (known[0] as Filter) : { kind: "and", of: known };
  }
  const op = flipped[fn];
  const [left, right] = args;
  if (op === undefined || left === undefined || right === undefined) return null;
  if (right.kind === "literal") return compared(left, fn as CompareOp, right);
  return left.kind === "literal" ? compared(right, op, left) : null;
}

type Literal = Extract<Expression, { kind: "literal" }>;

function compared(of: Expression, op: CompareOp, { value }: Literal): Filter | null {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  if (of.kind === "bucket") return bucketFilter(of, op, value);
  return of.kind === "call" ? shiftedFilter(of, op, value) : null;
}

/** A bucket's start is never after its time, and rises with it. */
function bucketFilter(
  bucket: Extract<Expression, { kind: "bucket" }>,
  op: CompareOp,
  value: number | bigint,
): Filter | null {
  const { of } = bucket;
  if (of.kind !== "path" || of.path !== "timestamp") return null;
  const us = typeof value === "bigint" ? value : BigInt(Math.floor(value));
  const { startUs, endUs } = new Buckets(bucket).span(us);
  // Starts at or before `value` are those of times before the end of its bucket.
  const before = endUs - 1n;
  const low = op === "=" || op === ">=" || op === ">" ? startUs : i64Min;
  const high = op === "=" || op === "<=" || op === "<" ? before : i64Max;
  return { kind: "number", path: "timestamp", range: integerRange(low, high), negated: false };
}

/** path + c and path - c rise with the path; the bound is moved by c, and by more than what rounding can move it. */
function shiftedFilter(
  { fn, args }: Extract<Expression, { kind: "call" }>,
  op: CompareOp,
  value: number | bigint,
): Filter | null {
  const [of, by] = args;
  if ((fn !== "+" && fn !== "-") || of?.kind !== "path" || by?.kind !== "literal") return null;
  if (of.type !== "number" || pathType(of.path) !== "property") return null;
  if (typeof by.value !== "number" && typeof by.value !== "bigint") return null;
  const shift = Number(by.value) * (fn === "+" ? -1 : 1);
  const bound = Number(value) + shift;
  if (!Number.isFinite(bound)) return null;
  const slack = (Math.abs(Number(value)) + Math.abs(shift)) * 1e-12;
  const low = op === "=" || op === ">=" || op === ">";
  const high = op === "=" || op === "<=" || op === "<";
  const ranges = [
    ...(low ? [numberRange(">=", bound - slack)] : []),
    ...(high ? [numberRange("<=", bound + slack)] : []),
  ].map((range): Filter => ({ kind: "number", path: of.path, range, negated: false }));
  return ranges.length === 1 ? (ranges[0] as Filter) : { kind: "and", of: ranges };
}

// Measures: the partial aggregates that a query needs, each made once whatever the number of aggregates that
// derive from it (sum and avg of one path are one measure).

import {
  COLUMN_BASE,
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_EXPONENT,
  EXTREMES_F64_COUNT,
  EXTREMES_F64_MAX,
  EXTREMES_F64_MIN,
  EXTREMES_I64_COUNT,
  EXTREMES_I64_MAX,
  EXTREMES_I64_MIN,
  EXTREMES_RAW_COUNT,
  EXTREMES_RAW_MAX,
  EXTREMES_RAW_MIN,
  LANE_ID,
  LANE_STRING,
  SUM_F64,
  SUM_F64_COUNT,
  SUM_F64_ERROR,
  SUM_HIGH,
  SUM_I64_COUNT,
  SUM_LOW,
  SUM_RAW,
  SUM_RAW_COUNT,
} from "../../core/layout.ts";
import type { LegacyItem as SelectItem } from "../legacy.ts";
import { isTotal } from "../plan/filter.ts";
import type { Value } from "../result.ts";
import { integer, scaled } from "../run/cells.ts";
import type { QueryRun } from "../run/kernels.ts";
import type { ExtremePartial, SumPartial } from "./partial.ts";
import {
  addFloat,
  averageOf,
  emptyExtreme,
  emptySum,
  extremeOf,
  sumOf,
  widenNumber,
} from "./partial.ts";

export type Measure =
  | { readonly kind: "rows" }
  | { readonly kind: "count"; readonly path: string }
  | { readonly kind: "sum"; readonly path: string }
  | { readonly kind: "extreme"; readonly path: string; readonly last: boolean };

/** One group's partial of one measure. */
export type Partial = { count: number } | SumPartial | ExtremePartial;

type AggregateItem = Extract<SelectItem, { kind: "aggregate" }>;

export function measureOf(item: AggregateItem): Measure {
  const { fn, path } = item;
  if (path === null) return { kind: "rows" };
  if (fn === "count") return isTotal(path) ? { kind: "rows" } : { kind: "count", path };
  if (fn === "min" || fn === "max") return { kind: "extreme", path, last: fn === "max" };
  return { kind: "sum", path };
}

/** Equal for equal measures. */
export function measureKey(measure: Measure): string {
  if (measure.kind === "rows") return "rows";
  if (measure.kind === "extreme") return `${measure.last ? "max" : "min"} ${measure.path}`;
  return `${measure.kind} ${measure.path}`;
}

export function emptyPartial(measure: Measure): Partial {
  if (measure.kind === "sum") return emptySum();
  return measure.kind === "extreme" ? emptyExtreme() : { count: 0 };
}

/** The value of an aggregate from the partial of its measure. */
export function aggregateValue(item: AggregateItem, partial: Partial): Value {
  if (item.fn === "count") return (partial as { count: number }).count;
  if (item.fn === "sum") return sumOf(partial as SumPartial, item.as);
  if (item.fn === "avg") return averageOf(partial as SumPartial, item.as);
  return extremeOf(partial as ExtremePartial, item.fn === "max");
}

/** Adds what the SUM block at `block` says about rows of `column`. */
export function readSum(run: QueryRun, column: number, block: number, into: SumPartial): void {
  const { u32, view } = run.core;
  const integers = u32[(block + SUM_I64_COUNT) >>> 2] as number;
  const raws = u32[(block + SUM_RAW_COUNT) >>> 2] as number;
  const floats = u32[(block + SUM_F64_COUNT) >>> 2] as number;
  if (integers > 0) {
    const high = view.getBigInt64(block + SUM_HIGH, true);
    into.integers += integers;
    into.integerSum += (high << 64n) + view.getBigUint64(block + SUM_LOW, true);
  }
  if (raws > 0) {
    const base = view.getBigInt64(column + COLUMN_BASE, true);
    const exponent = view.getUint32(column + COLUMN_EXPONENT, true);
    const total = base * BigInt(raws) + view.getBigUint64(block + SUM_RAW, true);
    if (exponent === 0) {
      into.integers += raws;
      into.integerSum += total;
    } else {
      into.floats += raws;
      addFloat(into, Number(total) / 10 ** exponent);
    }
  }
  if (floats > 0) {
    into.floats += floats;
    addFloat(into, view.getFloat64(block + SUM_F64, true));
    into.floatError += view.getFloat64(block + SUM_F64_ERROR, true);
  }
}

/** Widens by what the EXTREMES block at `block` says about rows of `column`. */
export function readExtremes(
  run: QueryRun,
  column: number,
  block: number,
  last: boolean,
  into: ExtremePartial,
): void {
  const { u32, view } = run.core;
  if (u32[(block + EXTREMES_I64_COUNT) >>> 2]) {
    const value = view.getBigInt64(block + (last ? EXTREMES_I64_MAX : EXTREMES_I64_MIN), true);
    widenNumber(into, integer(value), last);
  }
  if (u32[(block + EXTREMES_F64_COUNT) >>> 2]) {
    const value = view.getFloat64(block + (last ? EXTREMES_F64_MAX : EXTREMES_F64_MIN), true);
    widenNumber(into, value, last);
  }
  if (u32[(block + EXTREMES_RAW_COUNT) >>> 2]) {
    const base = view.getBigInt64(column + COLUMN_BASE, true);
    const exponent = view.getUint32(column + COLUMN_EXPONENT, true);
    const raw = u32[(block + (last ? EXTREMES_RAW_MAX : EXTREMES_RAW_MIN)) >>> 2] as number;
    widenNumber(into, scaled(base, exponent, raw), last);
  }
}

/** Which field of an ExtremePartial a lane's texts belong to. */
export function textLane(lane: number): "string" | "json" {
  return lane === LANE_STRING || lane === LANE_ID ? "string" : "json";
}

/** A column's dictionary as it is now; the count first, so that the entries are at least as many. */
export function dictionaryOf(run: QueryRun, column: number): { entries: number; count: number } {
  const count = Atomics.load(run.core.u32, (column + COLUMN_DICT_COUNT) >>> 2);
  return { entries: Atomics.load(run.core.u32, (column + COLUMN_DICT) >>> 2), count };
}

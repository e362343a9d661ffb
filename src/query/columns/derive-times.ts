// Buckets and fields of timestamps. Where the calendar or a zone has a say, the starts of all spans in the segment's
// range of time are computed once, and each row is given that of its span.

import { LANE_NUMBER, PAGE_F64, PAGE_I64 } from "../../core/layout.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import { dayFields, fieldName } from "../expression/fields.ts";
import type { Call } from "../expression/scalar.ts";
import { constantOf, dayUs, fit, isInterval } from "../expression/scalar.ts";
import { addInterval } from "../expression/time.ts";
import type { Zone } from "../expression/zone.ts";
import { zoneOf } from "../expression/zone.ts";
import { timeUsMax, timeUsMin } from "../time.ts";
import type { LaneColumn } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import { checked, derivedColumn } from "./derivation.ts";
import { numberColumn } from "./derive-numbers.ts";
import { valuesBytes } from "./expression-kernels.ts";

type Bucket = Extract<Expression, { kind: "bucket" }>;

/** Spans of time that a segment may have before its rows go one by one. */
const spansMax = 65_536;
const secondBig = 1_000_000n;

/** No timestamp of the rows lies outside. */
export interface Range {
  readonly minUs: bigint;
  readonly maxUs: bigint;
}

export function rangeOf({ segment }: Derivation, expression: Expression): Range | null {
  if (expression.kind === "path" && expression.path === "timestamp") {
    return { minUs: segment.timeMinUs, maxUs: segment.timeMaxUs };
  }
  return null;
}

/** The column of a bucket; undefined: row by row. */
export function bucketColumn(
  of: Derivation,
  bucket: Bucket,
  mask: number,
): LaneColumn[] | undefined {
  const buckets = new Buckets(bucket);
  const fixed = buckets.fixed;
  if (fixed !== null && fixed.widthUs < 2n ** 62n && absolute(fixed.originUs) < 2n ** 61n) {
    return fromTimes(of, bucket.of, mask, PAGE_I64, (column, target, buffer) =>
      of.kernels.mapBuckets(
        column,
        target,
        of.words,
        mask,
        fixed.widthUs,
        fixed.originUs,
        timeUsMin,
        buffer,
        of.run.cancel,
      ),
    );
  }
  const range = rangeOf(of, bucket.of);
  if (range === null) return undefined;
  const spans: Span[] = [];
  for (let at = range.minUs; at <= range.maxUs; ) {
    const { startUs, endUs } = buckets.span(fit(at));
    spans.push({ from: startUs, value: startUs < timeUsMin ? null : startUs });
    if (spans.length > spansMax) return undefined;
    at = endUs;
  }
  return fromSpans(of, bucket.of, spans, false, mask);
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** Calls `map` with the column of times and a new one for its results. */
function fromTimes(
  of: Derivation,
  times: Expression,
  mask: number,
  encoding: number,
  map: (column: number, target: number, buffer: number) => number,
): LaneColumn[] {
  const { scratch } = of.run;
  const target = derivedColumn(of, LANE_NUMBER, encoding, mask);
  const mark = scratch.mark();
  const column = numberColumn(of, times, mask);
  if (column === 0) return [];
  checked(map(column, target, scratch.take(valuesBytes)), "");
  scratch.release(mark);
  return [{ lane: LANE_NUMBER, address: target }];
}

/** From `from` on until the next one's, the value is this. */
export interface Span {
  readonly from: bigint;
  readonly value: number | bigint | null;
}

function fromSpans(
  of: Derivation,
  times: Expression,
  spans: readonly Span[],
  isF64: boolean,
  mask: number,
): LaneColumn[] {
  const encoding = isF64 ? PAGE_F64 : PAGE_I64;
  return fromTimes(of, times, mask, encoding, (column, target, buffer) =>
    mapSpans(of, column, target, spans, isF64, mask, buffer),
  );
}

/** Gives each row of `target` the value of the span that its time in `column` lies in. */
export function mapSpans(
  { run, kernels, words }: Derivation,
  column: number,
  target: number,
  spans: readonly Span[],
  isF64: boolean,
  mask: number,
  buffer: number,
): number {
  const { core, scratch, cancel } = run;
  const starts = scratch.take(spans.length * 8);
  const values = scratch.take(spans.length * 8);
  const has = scratch.take(spans.length);
  spans.forEach(({ from, value }, i) => {
    core.view.setBigInt64(starts + i * 8, from, true);
    core.u8[has + i] = value === null ? 0 : 1;
    if (value === null) return;
    if (isF64) core.view.setFloat64(values + i * 8, Number(value), true);
    else core.view.setBigInt64(values + i * 8, BigInt(value), true);
  });
  const count = spans.length;
  return kernels.mapSpans(column, target, words, mask, starts, values, has, count, buffer, cancel);
}

/** Fields of the time of day: what they repeat after, what they count in, whether with a fraction. In µs. */
const clocks: Readonly<Record<string, readonly [period: bigint, unit: bigint, fraction: number]>> =
  {
    epoch: [0n, 1_000_000n, 1],
    hour: [86_400_000_000n, 3_600_000_000n, 0],
    minute: [3_600_000_000n, 60_000_000n, 0],
    second: [60_000_000n, 1_000_000n, 1],
    milliseconds: [60_000_000n, 1000n, 1],
    microseconds: [60_000_000n, 1n, 0],
  };

/** The column of a field of timestamps; undefined: row by row. */
export function fieldColumn(of: Derivation, call: Call, mask: number): LaneColumn[] | undefined {
  const [field, times, zoneName] = call.args;
  const [name, zone] = [constantOf(field), zoneName === undefined ? "UTC" : constantOf(zoneName)];
  if (typeof name !== "string" || typeof zone !== "string" || times?.type !== "timestamp") {
    return undefined;
  }
  const fieldOf = fieldName(name);
  const range = rangeOf(of, times);
  if (fieldOf === "hour" && range !== null) {
    const spans = partSpans(zoneOf(zone), range, 3600, (part) => ((part % 24) + 24) % 24);
    if (spans !== null) return fromSpans(of, times, spans, false, mask);
  }
  const clock = clocks[fieldOf];
  if (clock) return clockColumn(of, times, clock, fieldOf === "epoch" ? null : zoneOf(zone), mask);
  const ofDay = dayFields[fieldOf];
  if (!ofDay || range === null) return undefined;
  const spans = partSpans(zoneOf(zone), range, 86_400, ofDay);
  return spans === null ? undefined : fromSpans(of, times, spans, false, mask);
}

function clockColumn(
  of: Derivation,
  times: Expression,
  [period, unit, fraction]: readonly [bigint, bigint, number],
  zone: Zone | null,
  mask: number,
): LaneColumn[] | undefined {
  let offset = 0n;
  if (zone !== null) {
    const range = rangeOf(of, times) ?? { minUs: timeUsMin, maxUs: timeUsMax };
    const span = zone.span(seconds(range.minUs));
    if (span.to <= seconds(range.maxUs)) return undefined;
    offset = BigInt(span.offset) * secondBig;
  }
  const encoding = fraction === 1 ? PAGE_F64 : PAGE_I64;
  return fromTimes(of, times, mask, encoding, (column, target, buffer) =>
    of.kernels.mapClock(
      column,
      target,
      of.words,
      mask,
      offset,
      period,
      unit,
      fraction,
      buffer,
      of.run.cancel,
    ),
  );
}

function seconds(us: bigint): number {
  return Number(us / secondBig) - (us % secondBig < 0n ? 1 : 0);
}

/** The local days or hours of a range, and what a field is in them; null where they are too many. */
export function partSpans(
  zone: Zone,
  { minUs, maxUs }: Range,
  width: number,
  fieldOf: (part: number) => number,
): Span[] | null {
  const spans: Span[] = [];
  const last = seconds(maxUs);
  for (let from = seconds(minUs); from <= last; ) {
    const { to, offset } = zone.span(from);
    const end = Math.min(to, last + 1);
    // Within one offset all days have 86,400 seconds.
    while (from < end) {
      const part = Math.floor((from + offset) / width);
      spans.push({ from: BigInt(from) * secondBig, value: fieldOf(part) });
      if (spans.length > spansMax) return null;
      from = (part + 1) * width - offset;
    }
    from = end;
  }
  return spans;
}

/** Timestamps moved by a constant without months, where no result can leave the years; undefined: row by row. */
export function shiftedTimes(of: Derivation, call: Call): Call | undefined {
  const [times, interval] = call.args;
  const shift = constantOf(interval);
  if (!times || shift === undefined || shift === null || !isInterval(shift)) return undefined;
  const range = rangeOf(of, times);
  if (range === null || shift.months !== 0) return undefined;
  const ends = [range.minUs, range.maxUs].map((us) => addInterval(fit(us), shift));
  if (ends.includes(null)) return undefined;
  const us = BigInt(shift.days) * BigInt(dayUs) + shift.us;
  const by: Expression = { kind: "literal", type: "number", value: us };
  return { kind: "call", type: "number", fn: "+", args: [times, by] };
}

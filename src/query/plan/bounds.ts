// A comparison with a number, as closed ranges in each of the domains in which pages hold numbers. The ends
// are moved to the next value that the domain has, so that nothing is rounded when values are compared.

import type { CompareOp } from "../query.ts";

/** Numbers within [i64Low, i64High] if integers, within [f64Low, f64High] if doubles. Low above high: none. */
export interface NumberRange {
  readonly i64Low: bigint;
  readonly i64High: bigint;
  readonly f64Low: number;
  readonly f64High: number;
}

/** Closed range of the unsigned integers of a page, or null when none of them matches. */
export interface RawRange {
  readonly low: number;
  readonly high: number;
}

export const i64Min = -(2n ** 63n);
export const i64Max = 2n ** 63n - 1n;
const u32Max = 0xffff_ffff;

const bits = new DataView(new ArrayBuffer(8));

/** The smallest double above `value`. */
export function nextUp(value: number): number {
  if (value === Infinity) return value;
  if (value === 0) return Number.MIN_VALUE;
  bits.setFloat64(0, value);
  bits.setBigInt64(0, bits.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

/** The largest double below `value`. */
export function nextDown(value: number): number {
  return -nextUp(-value);
}

/** Negative, 0 or positive as a is below, equal to or above b, without rounding either. */
export function compareNumbers(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowestI64(value: number | bigint, included: boolean): bigint {
  if (typeof value === "bigint") return clampLow(included ? value : value + 1n);
  if (value >= 2 ** 63) return i64Max + 1n;
  if (value < -(2 ** 63)) return i64Min;
  return clampLow(included ? BigInt(Math.ceil(value)) : BigInt(Math.floor(value)) + 1n);
}

function highestI64(value: number | bigint, included: boolean): bigint {
  if (typeof value === "bigint") return clampHigh(included ? value : value - 1n);
  if (value >= 2 ** 63) return i64Max;
  if (value < -(2 ** 63)) return i64Min - 1n;
  return clampHigh(included ? BigInt(Math.floor(value)) : BigInt(Math.ceil(value)) - 1n);
}

const clampLow = (value: bigint): bigint => (value < i64Min ? i64Min : value);
const clampHigh = (value: bigint): bigint => (value > i64Max ? i64Max : value);

function lowestF64(value: number | bigint, included: boolean): number {
  const near = Number(value);
  const order = compareNumbers(near, value);
  return order > 0 || (order === 0 && included) ? near : nextUp(near);
}

function highestF64(value: number | bigint, included: boolean): number {
  const near = Number(value);
  const order = compareNumbers(near, value);
  return order < 0 || (order === 0 && included) ? near : nextDown(near);
}

/** The numbers for which `number op value` holds; for "!=" those for which it doesn't. */
export function numberRange(op: CompareOp, value: number | bigint): NumberRange {
  const equal = op === "=" || op === "!=";
  const below = op === "<" || op === "<=";
  const above = op === ">" || op === ">=";
  const closed = equal || op === "<=" || op === ">=";
  return makeRange(
    below ? i64Min : lowestI64(value, closed),
    above ? i64Max : highestI64(value, closed),
    below ? -Infinity : lowestF64(value, closed),
    above ? Infinity : highestF64(value, closed),
  );
}

/** Integers in [low, high], and the doubles between them. */
export function integerRange(low: bigint, high: bigint): NumberRange {
  return makeRange(clampLow(low), clampHigh(high), lowestF64(low, true), highestF64(high, true));
}

function makeRange(i64Low: bigint, i64High: bigint, f64Low: number, f64High: number): NumberRange {
  // Ends outside i64 can't be passed to a kernel; an empty range can be written with ends that can.
  const none = i64Low > i64High;
  return { i64Low: none ? 1n : i64Low, i64High: none ? 0n : i64High, f64Low, f64High };
}

/** The raw integers of a page whose values, (base + raw) / 10^exponent, lie in `range`. */
export function rawRange(range: NumberRange, base: bigint, exponent: number): RawRange | null {
  if (exponent === 0) {
    const low = range.i64Low - base;
    const high = range.i64High - base;
    if (low > high || high < 0n || low > BigInt(u32Max)) return null;
    return { low: low < 0n ? 0 : Number(low), high: high > u32Max ? u32Max : Number(high) };
  }
  const scale = 10 ** exponent;
  const start = Number(base);
  const safe = Math.abs(start) < 2 ** 52;
  const valueOf = (raw: number): number =>
    (safe ? start + raw : Number(base + BigInt(raw))) / scale;
  // Values never fall as raw grows: the range begins at the first raw that is not below it.
  const low = firstRaw((raw) => valueOf(raw) >= range.f64Low);
  const high = firstRaw((raw) => valueOf(raw) > range.f64High) - 1;
  return low > high ? null : { low, high };
}

/** The smallest u32 for which `holds`, which stays true from there on; 2^32 when there is none. */
function firstRaw(holds: (raw: number) => boolean): number {
  let low = 0;
  let high = u32Max + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Functions of numbers. Integers are exact: what leaves i64 is an error that names the function. A double that
// overflows is one too. What has no value (a zero divisor, the logarithm of a negative number) is NULL, because one
// odd event must not end a query.

import { i64Max, i64Min } from "../plan/bounds.ts";
import type { ScalarFunction } from "./expression.ts";
import type { Scalar, Strict } from "./scalar.ts";
import { fit, fitDouble, fitI64 } from "./scalar.ts";

export type Numeric = number | bigint;

/** Whether a value is an integer rather than a double: doubles that are whole beyond 2^53 are not. */
export function isInteger(value: Numeric): boolean {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

type Arithmetic = "+" | "-" | "*";

/** `a op b`: exact for integers, otherwise as doubles. */
export function arithmetic(op: Arithmetic, a: Numeric, b: Numeric): Numeric | null {
  if (typeof a === "number" && typeof b === "number") {
    const result = op === "+" ? a + b : op === "-" ? a - b : a * b;
    // Within 2^53 the double is the exact result of two integers.
    if (Math.abs(result) <= Number.MAX_SAFE_INTEGER) return result + 0;
    if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return fitDouble(result, op);
  } else if (!isInteger(a) || !isInteger(b)) {
    return arithmeticOfDoubles(op, Number(a), Number(b));
  }
  const [x, y] = [BigInt(a), BigInt(b)];
  return fitI64(op === "+" ? x + y : op === "-" ? x - y : x * y, op);
}

function arithmeticOfDoubles(op: Arithmetic, a: number, b: number): number | null {
  return fitDouble(op === "+" ? a + b : op === "-" ? a - b : a * b, op);
}

export function divide(a: Numeric, b: Numeric): number | null {
  const divisor = Number(b);
  return divisor === 0 ? null : fitDouble(Number(a) / divisor, "/");
}

/** The rest of a division towards zero, with the dividend's sign. */
export function remainder(a: Numeric, b: Numeric): Numeric | null {
  if (Number(b) === 0) return null;
  if (typeof a === "number" && typeof b === "number") return (a % b) + 0;
  if (isInteger(a) && isInteger(b)) return fit(BigInt(a) % BigInt(b));
  return fitDouble(Number(a) % Number(b), "%");
}

/** The quotient without its fraction. */
function integerQuotient(a: Numeric, b: Numeric): Numeric | null {
  if (Number(b) === 0) return null;
  if (isInteger(a) && isInteger(b)) return fitI64(BigInt(a) / BigInt(b), "div");
  return fitDouble(Math.trunc(Number(a) / Number(b)), "div");
}

function power(a: Numeric, b: Numeric): Numeric | null {
  const result = Number(a) ** Number(b);
  if (!Number.isFinite(result)) {
    // 0 to a negative power has no value; what is too large is out of range.
    return Number(a) === 0 ? null : fitDouble(result, "power");
  }
  const exact = isInteger(a) && isInteger(b) && Number(b) >= 0 && Math.abs(result) > 2 ** 53;
  if (exact && Math.abs(result) < 2 ** 64) {
    const whole = BigInt(a) ** BigInt(b);
    if (whole >= i64Min && whole <= i64Max) return fit(whole);
  }
  return result + 0;
}

type Rounding = (value: number) => number;

const halfAway: Rounding = (value) => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);

/** Half away from zero, of what a double shows: 0.5 below the next integer is not half. */
export function roundHalfAway(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}

/** `round(value, digits)` and `trunc(value, digits)`, on the decimal digits that the double is written with. */
function atDigits(value: Numeric, digits: Numeric, fn: "round" | "trunc"): Numeric | null {
  const places = Math.max(-400, Math.min(400, Math.trunc(Number(digits))));
  if (places >= 0 && isInteger(value)) return value;
  if (isInteger(value)) return integerAtDigits(BigInt(value), -places, fn);
  const quick = places >= 0 && places <= 15 ? quickAtDigits(Number(value), places, fn) : null;
  if (quick !== null) return quick;
  const [mantissa = "0", exponent = "0"] = Math.abs(Number(value)).toString().split("e");
  const shifted = Number(`${mantissa}e${Number(exponent) + places}`);
  if (!Number.isFinite(shifted)) return value;
  const whole = fn === "round" ? halfAway(shifted) : Math.trunc(shifted);
  const [wholeMantissa = "0", wholeExponent = "0"] = whole.toString().split("e");
  const back = Number(`${wholeMantissa}e${Number(wholeExponent) - places}`);
  return fitDouble(Number(value) < 0 ? -back : back, fn);
}

/**
 * Without digits as text. Numbers of at most 15 digits are told apart by their doubles, so the double next to half a
 * unit decides as the digits would.
 */
function quickAtDigits(value: number, places: number, fn: "round" | "trunc"): number | null {
  const scale = 10 ** places;
  const scaled = value * scale;
  if (!(Math.abs(scaled) < 2 ** 49)) return null;
  const whole = Math.trunc(scaled);
  const away = value < 0 ? -1 : 1;
  const size = Math.abs(value);
  if (fn === "round") {
    const half = Math.abs((whole + away * 0.5) / scale);
    return (size >= half ? whole + away : whole) / scale + 0;
  }
  if (size >= Math.abs((whole + away) / scale)) return (whole + away) / scale + 0;
  return (size < Math.abs(whole / scale) ? whole - away : whole) / scale + 0;
}

function integerAtDigits(value: bigint, zeros: number, fn: "round" | "trunc"): Numeric {
  if (zeros > 19) return 0;
  const unit = 10n ** BigInt(zeros);
  const rest = value % unit;
  const base = value - rest;
  if (fn === "trunc") return fit(base);
  const size = rest < 0n ? -rest : rest;
  return fitI64(size * 2n >= unit ? base + (value < 0n ? -unit : unit) : base, fn);
}

function rounding(fn: "ceil" | "floor" | "round" | "trunc", of: Rounding): Strict {
  return (value, digits) => {
    if (digits !== undefined && (fn === "round" || fn === "trunc")) {
      return atDigits(value as Numeric, digits as Numeric, fn);
    }
    return typeof value === "number" ? of(value) + 0 : value;
  };
}

function ofDouble(fn: ScalarFunction, of: (value: number) => number): Strict {
  return (value) => {
    const x = Number(value as Numeric);
    if ((fn === "ln" || fn === "log10" || fn === "log2") && x <= 0) return null;
    return fitDouble(of(x), fn);
  };
}

/** The integer next to a number, half away from zero; NULL where it is beyond i64. */
export function toInteger(value: Numeric): Numeric | null {
  if (typeof value === "bigint") return value;
  const whole = roundHalfAway(value) + 0;
  if (Number.isSafeInteger(whole)) return whole;
  return whole >= -(2 ** 63) && whole < 2 ** 63 ? fit(BigInt(whole)) : null;
}

const binary =
  (of: (a: Numeric, b: Numeric) => Scalar): Strict =>
  (a, b) =>
    of(a as Numeric, b as Numeric);

/** Functions of numbers alone; `+`, `-`, `*` and `negate` take intervals too and are in time.ts. */
export const numberFunctions: Partial<Record<ScalarFunction, Strict>> = {
  "/": binary(divide),
  "%": binary(remainder),
  div: binary(integerQuotient),
  power: binary(power),
  abs: (value) => {
    if (typeof value !== "bigint") return Math.abs(value as number);
    return value < 0n ? fitI64(-value, "abs") : value;
  },
  ceil: rounding("ceil", Math.ceil),
  floor: rounding("floor", Math.floor),
  round: rounding("round", roundHalfAway),
  trunc: rounding("trunc", Math.trunc),
  sign: (value) => ((value as Numeric) > 0 ? 1 : (value as Numeric) < 0 ? -1 : 0),
  sqrt: ofDouble("sqrt", Math.sqrt),
  exp: ofDouble("exp", Math.exp),
  ln: ofDouble("ln", Math.log),
  log10: ofDouble("log10", Math.log10),
  log2: ofDouble("log2", Math.log2),
  integer: (value) => toInteger(value as Numeric),
};

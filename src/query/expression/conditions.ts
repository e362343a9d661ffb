// Comparisons, three-valued logic and choices, as in PostgreSQL.

import { compareNumbers } from "../plan/bounds.ts";
import { JsonText } from "../result.ts";
import { compareTexts } from "../value-order.ts";
import { intervalUs } from "./interval.ts";
import type { Call, Evaluate, LeafValue, Scalar } from "./scalar.ts";
import { isInterval } from "./scalar.ts";

type Present = NonNullable<Scalar>;

/** Lanes in the order of a variant: boolean < number < string < json. */
function laneRank(value: Present): number {
  if (typeof value === "boolean") return 0;
  if (typeof value === "string") return 2;
  return value instanceof JsonText ? 3 : 1;
}

/** Negative, 0 or positive as `a` is before, equal to or after `b`. Values of different kinds order as variants do. */
export function compareScalars(a: Present, b: Present): number {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  const ranks = laneRank(a) - laneRank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "boolean") return Number(a) - Number(b);
  if (typeof a === "string") return compareTexts(a, b as string);
  if (a instanceof JsonText) return compareTexts(a.text, (b as JsonText).text);
  return compareNumbers(numberOf(a), numberOf(b as Present));
}

function numberOf(value: Present): number | bigint {
  return isInterval(value) ? intervalUs(value) : (value as number | bigint);
}

const orderTests: Readonly<Record<string, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/** `a op b`, NULL where either is. */
export function comparison(op: string, [left, right]: readonly Evaluate[]): Evaluate {
  const holds = orderTests[op] as (order: number) => boolean;
  const [a, b] = [left as Evaluate, right as Evaluate];
  return (leaf) => {
    const x = a(leaf);
    const y = b(leaf);
    return x === null || y === null ? null : holds(compareScalars(x, y));
  };
}

/** `final` decides whatever the others are: false for AND, true for OR. */
function junction(args: readonly Evaluate[], final: boolean): Evaluate {
  return (leaf) => {
    let result: boolean | null = !final;
    for (const arg of args) {
      const value = arg(leaf);
      if (value === final) return final;
      if (value === null) result = null;
    }
    return result;
  };
}

/** A list of constants of one kind is looked up rather than gone through. */
function membership(call: Call, args: readonly Evaluate[]): Evaluate {
  const [of, ...list] = args as [Evaluate, ...Evaluate[]];
  const constants = call.args.slice(1).every(({ kind }) => kind === "literal");
  if (!constants) return (leaf) => found(of(leaf), list, leaf);
  const none: LeafValue = () => null;
  const values = list.map((one) => one(none));
  const hasNull = values.includes(null);
  const keys = new Set(values.filter((value) => value !== null).map(equalKey));
  return (leaf) => {
    const value = of(leaf);
    if (list.length === 0) return false;
    if (value === null) return null;
    return keys.has(equalKey(value)) || (hasNull ? null : false);
  };
}

/** Equal for equal values, and for no others. */
export function equalKey(value: Present): string | number | boolean | bigint {
  if (typeof value === "number") return value + 0;
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return `s${value}`;
  if (value instanceof JsonText) return `j${value.text}`;
  const number = numberOf(value);
  if (typeof number === "number") return number;
  // A whole double beyond 2^53 equals the integer that it is exactly.
  const double = Number(number);
  return BigInt(double) === number ? double : number;
}

function found(value: Scalar, list: readonly Evaluate[], leaf: LeafValue): boolean | null {
  if (list.length === 0) return false;
  if (value === null) return null;
  let result: boolean | null = false;
  for (const one of list) {
    const other = one(leaf);
    if (other === null) result = null;
    else if (compareScalars(value, other) === 0) return true;
  }
  return result;
}

function choice(args: readonly Evaluate[]): Evaluate {
  const otherwise = args.length % 2 === 1 ? args.at(-1) : undefined;
  const branches = args.length - (args.length % 2);
  return (leaf) => {
    for (let i = 0; i < branches; i += 2) {
      if ((args[i] as Evaluate)(leaf) === true) return (args[i + 1] as Evaluate)(leaf);
    }
    return otherwise === undefined ? null : otherwise(leaf);
  };
}

/** The least (`sign` 1) or greatest (-1) of those that are not NULL. */
function extreme(args: readonly Evaluate[], sign: number): Evaluate {
  return (leaf) => {
    let best: Scalar = null;
    for (const arg of args) {
      const value = arg(leaf);
      if (value === null) continue;
      if (best === null || compareScalars(value, best) * sign < 0) best = value;
    }
    return best;
  };
}

function equal(a: Scalar, b: Scalar): boolean {
  if (a === null || b === null) return a === b;
  return compareScalars(a, b) === 0;
}

/** The functions that see NULLs. Undefined: the function is none of them. */
export function conditional(call: Call, args: readonly Evaluate[]): Evaluate | undefined {
  const [first, second] = args as [Evaluate, Evaluate];
  switch (call.fn) {
    case "and":
      return junction(args, false);
    case "or":
      return junction(args, true);
    case "not":
      return (leaf) => {
        const value = first(leaf);
        return value === null ? null : value !== true;
      };
    case "is_null":
      return (leaf) => first(leaf) === null;
    case "is_true":
      return (leaf) => first(leaf) === true;
    case "is_false":
      return (leaf) => first(leaf) === false;
    case "is_distinct":
      return (leaf) => !equal(first(leaf), second(leaf));
    case "exists":
      return (leaf) => leaf(call) === true;
    case "in":
      return membership(call, args);
    case "case":
      return choice(args);
    case "coalesce":
      return (leaf) => {
        for (const arg of args) {
          const value = arg(leaf);
          if (value !== null) return value;
        }
        return null;
      };
    case "nullif":
      return (leaf) => {
        const value = first(leaf);
        const other = value === null ? null : second(leaf);
        return value !== null && other !== null && equal(value, other) ? null : value;
      };
    case "least":
      return extreme(args, 1);
    case "greatest":
      return extreme(args, -1);
    default:
      return undefined;
  }
}

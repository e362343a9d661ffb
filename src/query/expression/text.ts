// Functions of text. Positions and lengths count code points.

import type { RE2JS } from "re2js";
import { InputError } from "../../errors.ts";
import { stringBytesMax } from "../../limits.ts";
import { toText } from "./cast.ts";
import type { ScalarFunction } from "./expression.ts";
import type { Numeric } from "./numbers.ts";
import { compileLike, compileRegex, ignoreCaseFlag, memo } from "./pattern.ts";
import type { Call, Evaluate, Scalar, Strict } from "./scalar.ts";
import { bounded, constantOf, tooLong } from "./scalar.ts";
import { lowerText, upperText } from "./text-case.ts";

const surrogates = /[\ud800-\udfff]/;

/** Whether every code point is one unit, so that positions are indexes. */
const isFlat = (text: string): boolean => !surrogates.test(text);

/** Code points of a text. */
export function pointCount(text: string): number {
  if (isFlat(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Code points [from, to). */
function slicePoints(text: string, from: number, to: number): string {
  if (isFlat(text)) return text.slice(from, to);
  return [...text].slice(from, to).join("");
}

/** An integer argument; what is beyond any text's length is cut to it. */
function count(value: Scalar): number {
  const number = Math.trunc(Number(value as Numeric));
  return Math.max(-(2 ** 31), Math.min(2 ** 31, number));
}

const text = (value: Scalar): string => value as string;

/** From the `from`-th code point on, `length` of them, those before the first counted too; NULL if it is negative. */
function substring(value: string, from: number, length: number | undefined): string | null {
  if (length === undefined) return slicePoints(value, Math.max(0, from - 1), Infinity);
  if (length < 0) return null;
  const end = from - 1 + length;
  return end <= 0 ? "" : slicePoints(value, Math.max(0, from - 1), end);
}

function left(value: string, length: number): string {
  const end = length >= 0 ? length : Math.max(0, pointCount(value) + length);
  return slicePoints(value, 0, end);
}

function right(value: string, length: number): string {
  if (length < 0) return slicePoints(value, -length, Infinity);
  return slicePoints(value, Math.max(0, pointCount(value) - length), Infinity);
}

/** Field 1 is the first, -1 the last; there is no field 0, so that is NULL. */
function splitPart(value: string, separator: string, field: number): string | null {
  if (field === 0) return null;
  if (separator === "") return field === 1 || field === -1 ? value : "";
  const parts = value.split(separator);
  return parts[field > 0 ? field - 1 : parts.length + field] ?? "";
}

function trimmer(start: boolean, end: boolean): Strict {
  return (value, characters = " ") => {
    const points = [...text(value)];
    const set = new Set([...text(characters)]);
    let [from, to] = [0, points.length];
    if (start) while (from < to && set.has(points[from] as string)) from++;
    if (end) while (to > from && set.has(points[to - 1] as string)) to--;
    return to - from === points.length ? text(value) : points.slice(from, to).join("");
  };
}

function pad(fn: "lpad" | "rpad", value: string, length: number, filling: string): string {
  if (length <= 0) return "";
  const missing = length - pointCount(value);
  if (missing <= 0) return slicePoints(value, 0, length);
  if (filling === "") return value;
  if (length > stringBytesMax) throw tooLong(fn);
  const points = [...filling];
  const whole = filling.repeat(Math.floor(missing / points.length));
  const rest = points.slice(0, missing % points.length).join("");
  return bounded(fn === "lpad" ? whole + rest + value : value + whole + rest, fn);
}

function repeat(value: string, times: number): string {
  if (times <= 0 || value === "") return "";
  if (times * value.length > stringBytesMax) throw tooLong("repeat");
  return bounded(value.repeat(times), "repeat");
}

function replaceAll(value: string, from: string, to: string): string {
  if (from === "" || !value.includes(from)) return value;
  if (to.length > from.length) {
    const parts = value.split(from);
    if (value.length + (parts.length - 1) * (to.length - from.length) > stringBytesMax) {
      throw tooLong("replace");
    }
    return bounded(parts.join(to), "replace");
  }
  return bounded(
    value.replaceAll(from, () => to),
    "replace",
  );
}

function position(value: string, part: string): number {
  const index = value.indexOf(part);
  return index <= 0 ? index + 1 : pointCount(value.slice(0, index)) + 1;
}

export const textFunctions: Partial<Record<ScalarFunction, Strict>> = {
  lower: (value) => bounded(lowerText(text(value)), "lower"),
  upper: (value) => bounded(upperText(text(value)), "upper"),
  length: (value) => pointCount(text(value)),
  octet_length: (value) => Buffer.byteLength(text(value)),
  substring: (value, from, length) =>
    substring(text(value), count(from ?? null), length === undefined ? undefined : count(length)),
  left: (value, length) => left(text(value), count(length as Scalar)),
  right: (value, length) => right(text(value), count(length as Scalar)),
  split_part: (value, separator, field) =>
    splitPart(text(value), text(separator as Scalar), count(field as Scalar)),
  replace: (value, from, to) => replaceAll(text(value), text(from as Scalar), text(to as Scalar)),
  trim: trimmer(true, true),
  ltrim: trimmer(true, false),
  rtrim: trimmer(false, true),
  lpad: (value, length, filling = " ") =>
    pad("lpad", text(value), count(length as Scalar), text(filling)),
  rpad: (value, length, filling = " ") =>
    pad("rpad", text(value), count(length as Scalar), text(filling)),
  reverse: (value) => [...text(value)].reverse().join(""),
  repeat: (value, times) => repeat(text(value), count(times as Scalar)),
  strpos: (value, part) => position(text(value), text(part as Scalar)),
  starts_with: (value, part) => text(value).startsWith(text(part as Scalar)),
  ends_with: (value, part) => text(value).endsWith(text(part as Scalar)),
  contains: (value, part) => text(value).includes(text(part as Scalar)),
};

/** `concat` leaves NULLs out; `concat_ws` too, unless its separator is one. */
function concatenation(call: Call, args: readonly Evaluate[], separated: boolean): Evaluate {
  const types = call.args.map(({ type }) => type);
  return (leaf) => {
    const parts: string[] = [];
    for (let i = 0; i < args.length; i++) {
      const value = (args[i] as Evaluate)(leaf);
      if (value !== null) parts.push(toText(value, types[i] ?? "variant"));
      else if (separated && i === 0) return null;
    }
    const separator = separated ? (parts.shift() as string) : "";
    return bounded(parts.join(separator), call.fn);
  };
}

function like(call: Call, args: readonly Evaluate[]): Evaluate {
  const ignoreCase = call.fn === "ilike";
  const tests = memo((key) => {
    const split = key.indexOf("\0");
    return compileLike(key.slice(split + 1), key.slice(0, split), ignoreCase);
  });
  const testOf = (pattern: string, escape: string) => tests(`${escape}\0${pattern}`);
  const [value, pattern, escape] = args as [Evaluate, Evaluate, Evaluate | undefined];
  const [constant, constantEscape] = [constantOf(call.args[1]), constantOf(call.args[2])];
  if (typeof constant === "string" && (!escape || typeof constantEscape === "string")) {
    const test = testOf(constant, escape ? (constantEscape as string) : "\\");
    return (leaf) => {
      const of = value(leaf);
      return of === null ? null : test(text(of));
    };
  }
  return (leaf) => {
    const [of, by, escaped] = [value(leaf), pattern(leaf), escape ? escape(leaf) : "\\"];
    if (of === null || by === null || escaped === null) return null;
    return testOf(text(by), text(escaped))(text(of));
  };
}

function regexes(flags: number): (pattern: string) => RE2JS {
  return memo((pattern) => compileRegex(pattern, flags));
}

function matches(call: Call, args: readonly Evaluate[]): Evaluate {
  const regexOf = regexes(call.fn === "imatches" ? ignoreCaseFlag : 0);
  const [value, pattern] = args as [Evaluate, Evaluate];
  const constant = constantOf(call.args[1]);
  if (typeof constant === "string") regexOf(constant);
  return (leaf) => {
    const [of, by] = [value(leaf), pattern(leaf)];
    return of === null || by === null ? null : regexOf(text(by)).test(text(of));
  };
}

/** The whole match, or group `group`; NULL where there is none. */
function extract(call: Call, args: readonly Evaluate[]): Evaluate {
  const regexOf = regexes(0);
  const [value, pattern, group] = args as [Evaluate, Evaluate, Evaluate | undefined];
  const constant = constantOf(call.args[1]);
  if (typeof constant === "string") regexOf(constant);
  return (leaf) => {
    const [of, by, at] = [value(leaf), pattern(leaf), group ? group(leaf) : 0];
    if (of === null || by === null || at === null) return null;
    const matcher = regexOf(text(by)).matcher(text(of));
    const index = count(at);
    if (index < 0 || index > matcher.groupCount() || !matcher.find()) return null;
    return matcher.group(index) ?? null;
  };
}

/** `\1` … `\9` are groups, `\0` and `\&` the match, `\\` a backslash. */
function parseReplacement(replacement: string): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const found of replacement.matchAll(/\\([\d&\\])|[^\\]+|\\/g)) {
    const escaped = found[1];
    if (escaped === undefined) parts.push(found[0]);
    else if (escaped === "\\") parts.push("\\");
    else parts.push(escaped === "&" ? 0 : Number(escaped));
  }
  return parts;
}

/** Flags as PostgreSQL's: `g` every match, `i` any case, `c` no more so; others are refused. */
function parseFlags(flags: string): { all: boolean; ignoreCase: boolean } {
  if (!/^[gic]*$/.test(flags)) {
    throw new InputError(
      "invalid_regex",
      `got the flags "${flags.slice(0, 16)}", want of g, i and c`,
    );
  }
  const ignoreCase = flags.lastIndexOf("i") > flags.lastIndexOf("c");
  return { all: flags.includes("g"), ignoreCase };
}

function regexReplace(call: Call, args: readonly Evaluate[]): Evaluate {
  const exact = regexes(0);
  const anyCase = regexes(ignoreCaseFlag);
  const replacements = memo(parseReplacement);
  const constant = constantOf(call.args[1]);
  if (typeof constant === "string") exact(constant);
  return (leaf) => {
    const values = args.map((arg) => arg(leaf));
    if (values.includes(null)) return null;
    const [of, pattern, replacement, flags = ""] = values as string[];
    const { all, ignoreCase } = parseFlags(flags);
    const regex = (ignoreCase ? anyCase : exact)(pattern as string);
    return replaced(of as string, regex, replacements(replacement as string), all);
  };
}

function replaced(
  of: string,
  regex: RE2JS,
  parts: readonly (string | number)[],
  all: boolean,
): string {
  const matcher = regex.matcher(of);
  const groups = matcher.groupCount();
  let result = "";
  let from = 0;
  while (matcher.find()) {
    result += of.slice(from, matcher.start());
    for (const part of parts) {
      if (typeof part === "string") result += part;
      else if (part <= groups) result += matcher.group(part) ?? "";
    }
    if (result.length > stringBytesMax) throw tooLong("regexp_replace");
    from = matcher.end();
    if (!all) break;
  }
  return bounded(result + of.slice(from), "regexp_replace");
}

/** The text functions that keep something between rows or take NULLs. Undefined: the function is none of them. */
export function textual(call: Call, args: readonly Evaluate[]): Evaluate | undefined {
  switch (call.fn) {
    case "concat":
    case "concat_ws":
      return concatenation(call, args, call.fn === "concat_ws");
    case "like":
    case "ilike":
      return like(call, args);
    case "matches":
    case "imatches":
      return matches(call, args);
    case "regexp_extract":
      return extract(call, args);
    case "regexp_replace":
      return regexReplace(call, args);
    default:
      return undefined;
  }
}

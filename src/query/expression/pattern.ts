// LIKE and regular expressions. A pattern is compiled once; one that comes from a column, once for each that
// occurs, of which the last few are kept. Regular expressions run in time linear in the text (RE2's syntax).

import { RE2JS, RE2JSException } from "re2js";
import { InputError } from "../../errors.ts";
import { lowerText } from "./text-case.ts";

/** Characters of a pattern. */
export const patternCharsMax = 4096;
/** Instructions of a compiled regular expression: time is at most this by the length of the text. */
const programSizeMax = 20_000;
const keptMax = 64;

/** `of`, its last results kept by their argument. */
export function memo<T>(of: (key: string) => T): (key: string) => T {
  const kept = new Map<string, T>();
  return (key) => {
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = of(key);
    if (kept.size >= keptMax) kept.clear();
    kept.set(key, made);
    return made;
  };
}

export type TextTest = (text: string) => boolean;

/** What stands between two `%`: literals, and null for each `_`. */
type Run = readonly (string | null)[];

/** @throws InputError `invalid_pattern` */
export function compileLike(pattern: string, escape: string, ignoreCase: boolean): TextTest {
  const runs = parseLike(pattern, escape, ignoreCase);
  const test = likeTest(runs);
  return ignoreCase ? (text) => test(lowerText(text)) : test;
}

function parseLike(pattern: string, escape: string, ignoreCase: boolean): Run[] {
  if (pattern.length > patternCharsMax) {
    throw invalid(`the pattern of LIKE has more than ${patternCharsMax} characters`);
  }
  if ([...escape].length > 1) {
    throw invalid(`got the escape "${escape.slice(0, 16)}", want one character or none`);
  }
  const runs: (string | null)[][] = [[]];
  let literal = "";
  const flush = (): void => {
    if (literal !== "") runs.at(-1)?.push(ignoreCase ? lowerText(literal) : literal);
    literal = "";
  };
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string;
    if (escape !== "" && char === escape) {
      const next = chars[++i];
      if (next === undefined) throw invalid("the pattern of LIKE ends with its escape character");
      literal += next;
    } else if (char === "%") {
      flush();
      runs.push([]);
    } else if (char === "_") {
      flush();
      runs.at(-1)?.push(null);
    } else literal += char;
  }
  flush();
  return runs;
}

/** The literals between the `%` of a pattern, from its beginning to its end; null: it has `_`. */
export function likeRuns(pattern: string, escape: string): string[] | null {
  const runs = parseLike(pattern, escape, false);
  return runs.every((run) => !run.includes(null)) ? runs.map((run) => run.join("")) : null;
}

function invalid(message: string): InputError {
  return new InputError("invalid_pattern", message);
}

function likeTest(runs: readonly Run[]): TextTest {
  const literal = (run: Run): string | undefined =>
    run.length === 0 ? "" : run.length === 1 && run[0] !== null ? run[0] : undefined;
  const [first, last] = [runs[0] as Run, runs.at(-1) as Run];
  const [head, tail] = [literal(first), literal(last)];
  if (head !== undefined && tail !== undefined) {
    if (runs.length === 1) return (text) => text === head;
    if (runs.length === 2) {
      return (text) =>
        text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
    }
    const middle = literal(runs[1] as Run);
    if (runs.length === 3 && head === "" && tail === "" && middle !== undefined) {
      return (text) => text.includes(middle);
    }
  }
  return (text) => generalLike(runs, text);
}

/** The first run at the start, each next one as early as it can be, the last at the end. */
function generalLike(runs: readonly Run[], text: string): boolean {
  const first = matchRun(runs[0] as Run, text, 0);
  if (runs.length === 1) return first === text.length;
  if (first < 0) return false;
  let at = first;
  for (let i = 1; i < runs.length - 1; i++) {
    at = findRun(runs[i] as Run, text, at);
    if (at < 0) return false;
  }
  const last = runs.at(-1) as Run;
  const from = startFromEnd(last, text);
  return from >= at && matchRun(last, text, from) === text.length;
}

/** Where `run` ends when it begins at `at`, or -1. */
function matchRun(run: Run, text: string, at: number): number {
  let end = at;
  for (const part of run) {
    if (part === null) {
      const point = text.codePointAt(end);
      if (point === undefined) return -1;
      end += point > 0xffff ? 2 : 1;
    } else if (text.startsWith(part, end)) end += part.length;
    else return -1;
  }
  return end;
}

/** Where the earliest `run` from `at` on ends, or -1. */
function findRun(run: Run, text: string, at: number): number {
  const [part] = run;
  for (let from = at; from <= text.length; ) {
    if (typeof part === "string") {
      from = text.indexOf(part, from);
      if (from < 0) return -1;
    }
    const end = matchRun(run, text, from);
    if (end >= 0) return end;
    from += (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1;
  }
  return -1;
}

/** Where `run` would have to begin to end with the text; negative when the text is too short. */
function startFromEnd(run: Run, text: string): number {
  let from = text.length;
  for (let i = run.length - 1; i >= 0; i--) {
    const part = run[i];
    if (part === null || part === undefined) {
      const low = text.charCodeAt(from - 1);
      const pair = low >= 0xdc00 && low <= 0xdfff && from > 1;
      from -= pair ? 2 : 1;
    } else from -= part.length;
  }
  return from;
}

/** @throws InputError `invalid_regex`, with the position in the pattern where that is known, 1-based */
export function compileRegex(pattern: string, flags: number): RE2JS {
  if (pattern.length > patternCharsMax) {
    throw new InputError(
      "invalid_regex",
      `a regular expression has at most ${patternCharsMax} characters, got ${pattern.length}`,
    );
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern, flags);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw syntaxError(pattern, error);
  }
  if (compiled.programSize() > programSizeMax) {
    throw new InputError(
      "invalid_regex",
      `the regular expression is too large: ${pattern.slice(0, 64)}`,
    );
  }
  return compiled;
}

function syntaxError(
  pattern: string,
  error: Error & { error?: string; input?: string },
): InputError {
  const { error: reason, input } = error as { error?: string; input?: string | null };
  const part = typeof input === "string" ? input : "";
  const index = part === "" ? -1 : pattern.indexOf(part);
  return new InputError(
    "invalid_regex",
    `${reason ?? error.message}${part === "" ? "" : ` at "${part.slice(0, 64)}"`}`,
    index < 0 ? {} : { regexPosition: index + 1 },
  );
}

export const ignoreCaseFlag: number = RE2JS.CASE_INSENSITIVE;

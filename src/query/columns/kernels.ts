import type { Core } from "../../core/core.ts";
import { MillraceError } from "../../errors.ts";
import type { GroupKernels } from "./group-kernels.ts";
import type { PathTexts } from "./path-texts.ts";
import type { WorkingMemory } from "./scratch.ts";

/** The query kernels of the core; addresses, counts and codes are u32. See assembly/filter and assembly/group. */
export interface QueryKernels extends GroupKernels {
  selectRange(
    column: number,
    words: number,
    mask: number,
    out: number,
    inverted: number,
    rawLow: number,
    rawHigh: number,
    i64Low: bigint,
    i64High: bigint,
    f64Low: number,
    f64High: number,
    cancel: number,
  ): number;
  selectCodes(
    column: number,
    words: number,
    mask: number,
    out: number,
    table: number,
    cancel: number,
  ): number;
  selectPresent(column: number, words: number, mask: number, out: number): number;
  selectIds(
    column: number,
    words: number,
    mask: number,
    out: number,
    inverted: number,
    low: number,
    high: number,
    cancel: number,
  ): number;
  selectionRange(out: number, words: number, from: number, to: number): void;
  selectionCount(selection: number, words: number): number;
  selectionAnd(a: number, b: number, out: number, words: number): number;
  selectionOr(a: number, b: number, out: number, words: number): number;
  selectionAndNot(a: number, b: number, out: number, words: number): number;
  selectionRows(selection: number, words: number, out: number): number;
  findText(entries: number, from: number, to: number, text: number, length: number): number;
  boundText(entries: number, count: number, text: number, length: number, after: number): number;
  matchTexts(
    entries: number,
    count: number,
    text: number,
    length: number,
    wanted: number,
    table: number,
  ): void;
  matchPrefix(
    entries: number,
    count: number,
    prefix: number,
    length: number,
    inverted: number,
    table: number,
  ): void;
  selectNumbers(
    column: number,
    words: number,
    mask: number,
    out: number,
    inverted: number,
    raws: number,
    rawCount: number,
    integers: number,
    integerCount: number,
    doubles: number,
    doubleCount: number,
    cancel: number,
  ): number;
  matchMembers(
    entries: number,
    count: number,
    members: number,
    memberCount: number,
    inverted: number,
    table: number,
  ): void;
  /** The code of a text in the dictionary of a hot column; all bits set, as i32 -1: none. */
  dictionaryFind(column: number, text: number, length: number): number;
  extremeText(entries: number, count: number, table: number, last: number): number;
  rankTexts(entries: number, count: number, codes: number, other: number, ranks: number): number;
  usedCodes(column: number, words: number, mask: number, table: number, cancel: number): number;
  topTimes(
    column: number,
    rows: number,
    count: number,
    limit: number,
    descending: number,
    afterTime: bigint,
    afterRow: bigint,
    heap: number,
    cancel: number,
  ): number;
}

/** What one query runs with: a thread's instance of the core, its scratch, and the word that stops it. */
export interface QueryRun {
  readonly core: Core;
  readonly kernels: QueryKernels;
  readonly scratch: WorkingMemory;
  /** Texts of the queries before, on threads that keep some. */
  readonly texts?: PathTexts | undefined;
  /** Address of a u32 in the shared memory; any thread may set it to stop this query. */
  readonly cancel: number;
}

/** The caller went away or the time was up. */
export class CancelledError extends MillraceError {
  constructor() {
    super("query_cancelled", "the query was cancelled before it had its answer");
  }
}

export function queryKernels(core: Core): QueryKernels {
  return core.exports as unknown as QueryKernels;
}

/** Passes on what a kernel answered; -1 says that it saw the cancel word. */
export function finished(answer: number): number {
  if (answer < 0) throw new CancelledError();
  return answer;
}

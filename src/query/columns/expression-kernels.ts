import type { Core } from "../../core/core.ts";

/**
 * The kernels of derived columns; addresses and counts are u32. `target` is a column whose pages are made, with clear
 * heads; those that answer say 0, -1 when cancelled, -2 when a number is out of range. See assembly/expression.
 */
export interface ExpressionKernels {
  arithmetic(
    op: number,
    a: number,
    b: number,
    target: number,
    words: number,
    mask: number,
    buffer: number,
    cancel: number,
  ): number;
  unary(
    op: number,
    source: number,
    target: number,
    words: number,
    mask: number,
    scale: number,
    buffer: number,
    cancel: number,
  ): number;
  compareColumns(
    a: number,
    b: number,
    words: number,
    mask: number,
    out: number,
    wanted: number,
    buffer: number,
    cancel: number,
  ): number;
  combineCodes(
    column: number,
    target: number,
    words: number,
    mask: number,
    count: number,
    cancel: number,
  ): number;
  mapCodes(
    column: number,
    target: number,
    words: number,
    mask: number,
    table: number,
    count: number,
    cancel: number,
  ): number;
  mapValues(
    column: number,
    target: number,
    words: number,
    mask: number,
    values: number,
    has: number,
    count: number,
    cancel: number,
  ): number;
  mapSpans(
    column: number,
    target: number,
    words: number,
    mask: number,
    starts: number,
    values: number,
    has: number,
    count: number,
    buffer: number,
    cancel: number,
  ): number;
  mapBuckets(
    column: number,
    target: number,
    words: number,
    mask: number,
    width: bigint,
    origin: bigint,
    least: bigint,
    buffer: number,
    cancel: number,
  ): number;
  mapClock(
    column: number,
    target: number,
    words: number,
    mask: number,
    offset: bigint,
    period: bigint,
    unit: bigint,
    fraction: number,
    buffer: number,
    cancel: number,
  ): number;
  matchLike(
    entries: number,
    from: number,
    count: number,
    bytes: number,
    lengths: number,
    runs: number,
    table: number,
  ): void;
  mapTruths(target: number, words: number, truths: number, falsehoods: number): void;
  mapConstant(target: number, words: number, mask: number, value: number): void;
  mergeNumbers(source: number, target: number, words: number, mask: number, buffer: number): void;
  settleNumbers(target: number, words: number): void;
}

/** Bytes of the 64-bit values of one page. */
export const valuesBytes = 32_768;

export function expressionKernels(core: Core): ExpressionKernels {
  return core.exports as unknown as ExpressionKernels;
}

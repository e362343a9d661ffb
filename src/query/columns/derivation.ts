// What the ways of deriving columns share: the segment at hand, and how they ask for each other's columns.

import { PAGE_ROWS } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import { outOfRange } from "../expression/scalar.ts";
import type { Segment } from "../segments/source.ts";
import type { Cells, LaneColumn } from "./cells.ts";
import type { DerivedWriter } from "./derived-writer.ts";
import type { ExpressionKernels } from "./expression-kernels.ts";
import type { QueryRun } from "./kernels.ts";
import { CancelledError } from "./kernels.ts";

export interface Derivation {
  readonly run: QueryRun;
  readonly kernels: ExpressionKernels;
  readonly cells: Cells;
  readonly writer: DerivedWriter;
  readonly segment: Segment;
  readonly words: number;
  /** A stored or computed column; 0 where there is none. */
  find(path: string, lane: number): number;
  /** The columns of an expression for the rows of `mask`. */
  lanes(expression: Expression, mask: number): readonly LaneColumn[];
  /** Writes to `out` the rows of `mask` for which a boolean expression is `value`; answers how many. */
  test(expression: Expression, value: boolean, mask: number, out: number): number;
}

/** A new column in `lane` with a page wherever `mask` has rows. */
export function derivedColumn(
  { run, writer, words }: Derivation,
  lane: number,
  encoding: number,
  mask: number,
): number {
  const column = writer.column(lane);
  const pageWords = PAGE_ROWS / 64;
  for (let first = 0, index = 0; first < words; first += pageWords, index++) {
    const length = Math.min(pageWords, words - first);
    if (run.kernels.selectionCount(mask + first * 8, length) > 0) {
      writer.page(column, index, encoding);
    }
  }
  return column;
}

/** Passes on what a kernel of expressions answered, in the name of `fn`. */
export function checked(answer: number, fn: string): number {
  if (answer === -1) throw new CancelledError();
  if (answer === -2) throw outOfRange(fn);
  return answer;
}

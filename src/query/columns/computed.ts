// Columns that are not stored as such.
//
// The values of an expression are a derived column: it is written into scratch, for the rows that are asked for, so
// that filters, group keys and aggregates see a column like any other. Those of implied.ts are found here as well.

import { LANE_NUMBER } from "../../core/layout.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression } from "../expression/expression.ts";
import { expressionKey } from "../expression/expression.ts";
import { mapPaths, pathsOf } from "../expression/shape.ts";
import type { Segment } from "../segments/source.ts";
import type { LaneColumn } from "./cells.ts";
import { Cells } from "./cells.ts";
import type { Derivation } from "./derivation.ts";
import { choiceColumn, choiceOf } from "./derive-choices.ts";
import { codedColumns } from "./derive-codes.ts";
import { hasParts, selectBooleans, selectParts, truthColumn } from "./derive-conditions.ts";
import { numberCall } from "./derive-numbers.ts";
import { constantColumn, narrowPath, valuesByRow } from "./derive-rows.ts";
import type { Compiled } from "./derive-texts.ts";
import { selectTexts, textColumns, textResults } from "./derive-texts.ts";
import { bucketColumn, fieldColumn, shiftedTimes } from "./derive-times.ts";
import { DerivedWriter } from "./derived-writer.ts";
import { expressionKernels } from "./expression-kernels.ts";
import { impliedColumn, impliedPaths } from "./implied.ts";
import type { QueryRun } from "./kernels.ts";
import { pathColumns } from "./row-values.ts";
import { selectionSize, selectionWords } from "./selection.ts";

/** The columns of an expression for the rows of a mask. */
interface Derived {
  readonly columns: readonly LaneColumn[];
  /** A copy of the mask, and where in scratch all this ends. */
  readonly mask: number;
  readonly end: number;
}

export class ComputedColumns {
  readonly #run: QueryRun;
  readonly #cells: Cells;
  readonly #writer: DerivedWriter;
  readonly #paths: readonly string[];
  readonly #addresses = new Map<string, number>();
  readonly #compiled = new Map<Expression, Compiled>();
  readonly #byKey = new Map<string, Compiled>();
  readonly #narrowed = new Map<Expression, Expression>();
  readonly #derived = new Map<string, Derived>();
  #segment: Segment | undefined;
  #derivation: Derivation | undefined;

  /** `expressions`: all that the query computes; a string is a path. */
  constructor(run: QueryRun, expressions: Iterable<Expression | string>) {
    this.#run = run;
    this.#cells = new Cells(run.core);
    this.#writer = new DerivedWriter(run.core, run.scratch);
    const wanted = new Set<string>();
    for (const one of expressions) {
      if (typeof one === "string") wanted.add(one);
      else for (const { path } of pathsOf(one)) wanted.add(path);
    }
    this.#paths = impliedPaths.filter((path) => wanted.has(path));
  }

  /** Writes the columns of `segment` into scratch; they are right until the caller releases it. */
  begin(segment: Segment): void {
    this.#enter(segment);
    for (const path of this.#paths)
      this.#addresses.set(path, impliedColumn(this.#run, this.#cells, segment, path));
  }

  #enter(segment: Segment): void {
    this.#segment = segment;
    this.#derivation = undefined;
    this.#addresses.clear();
    this.#narrowed.clear();
    this.#derived.clear();
  }

  /** As `segment.column`, for every path. */
  column(segment: Segment, path: string, lane: number): number {
    if (segment === this.#segment && lane === LANE_NUMBER) {
      const address = this.#addresses.get(path);
      if (address !== undefined) return address;
    }
    if (lane === LANE_NUMBER && impliedPaths.includes(path))
      return impliedColumn(this.#run, this.#cells, segment, path);
    return segment.column(path, lane);
  }

  /**
   * The columns that hold the values of `expression` in the rows of `mask`, at most one of which has a value in a
   * row; other rows of them may hold anything. Timestamps, sequences and intervals (as microseconds) are numbers. They
   * are stored columns, or derived ones in scratch, where they stay until the caller releases a mark taken before.
   *
   * Throws CancelledError, LimitError, and InputError where a row's value can't be told.
   */
  lanes(segment: Segment, expression: Expression, mask: number): readonly LaneColumn[] {
    const of = this.#of(segment);
    const narrowed = this.#narrow(of, expression);
    if (narrowed.kind === "path" && narrowed.path !== "properties") {
      return pathColumns(narrowed.path, narrowed.type, of.find);
    }
    const compiled = this.#compile(narrowed);
    this.#forgetReleased();
    const known = this.#derived.get(compiled.key);
    if (known !== undefined && this.#covers(known, of, mask)) return known.columns;
    const columns = this.#derive(of, compiled, mask);
    const { scratch, core } = this.#run;
    const size = selectionSize(segment.rows);
    const copy = scratch.take(size);
    core.u8.copyWithin(copy, mask, mask + size);
    this.#forgetReleased();
    this.#derived.set(compiled.key, { columns, mask: copy, end: scratch.mark() });
    return columns;
  }

  /**
   * Writes to `out` the rows of `mask` for which a boolean expression is `value`; answers how many they are. What it
   * takes from scratch is given back. `out` may be `mask`. Throws as `lanes` does.
   */
  test(
    segment: Segment,
    expression: Expression,
    value: boolean,
    mask: number,
    out: number,
  ): number {
    const of = this.#of(segment);
    const { scratch } = this.#run;
    const mark = scratch.mark();
    const narrowed = this.#narrow(of, expression);
    const texts = textResults(of, this.#compile(narrowed), mask);
    let count: number;
    if (texts !== null) count = selectTexts(of, texts, value, mask, out);
    else if (hasParts(narrowed)) count = selectParts(of, narrowed, value, mask, out);
    else count = selectBooleans(of, this.lanes(segment, narrowed, mask), value, mask, out);
    scratch.release(mark);
    return count;
  }

  #of(segment: Segment): Derivation {
    if (segment !== this.#segment) this.#enter(segment);
    this.#derivation ??= {
      run: this.#run,
      kernels: expressionKernels(this.#run.core),
      cells: this.#cells,
      writer: this.#writer,
      segment,
      words: selectionWords(segment.rows),
      find: (path, lane) => this.column(segment, path, lane),
      lanes: (expression, mask) => this.lanes(segment, expression, mask),
      test: (expression, value, mask, out) => this.test(segment, expression, value, mask, out),
    };
    return this.#derivation;
  }

  #compile(expression: Expression): Compiled {
    let compiled = this.#compiled.get(expression);
    if (compiled === undefined) {
      const key = expressionKey(expression);
      compiled = this.#byKey.get(key) ?? {
        expression,
        key,
        evaluate: compileExpression(expression),
      };
      this.#byKey.set(key, compiled);
      this.#compiled.set(expression, compiled);
    }
    return compiled;
  }

  /** With paths of any type as of the one type that they have in this segment. */
  #narrow(of: Derivation, expression: Expression): Expression {
    let narrowed = this.#narrowed.get(expression);
    if (narrowed === undefined) {
      narrowed = mapPaths(expression, (path) => narrowPath(path, of.segment));
      this.#narrowed.set(expression, narrowed);
    }
    return narrowed;
  }

  #forgetReleased(): void {
    const lowest = this.#run.scratch.lowest();
    for (const [key, { end }] of this.#derived) if (end > lowest) this.#derived.delete(key);
  }

  /** Whether every row of `mask` was among those that the columns were made for. */
  #covers(known: Derived, { segment, words }: Derivation, mask: number): boolean {
    const { scratch, kernels } = this.#run;
    const mark = scratch.mark();
    const rest = scratch.take(selectionSize(segment.rows));
    const count = kernels.selectionAndNot(mask, known.mask, rest, words);
    scratch.release(mark);
    return count === 0;
  }

  #derive(of: Derivation, compiled: Compiled, mask: number): readonly LaneColumn[] {
    const { expression } = compiled;
    const texts = textResults(of, compiled, mask);
    const columns = texts === null ? undefined : textColumns(of, expression.type, texts, mask);
    return (
      columns ??
      constantColumn(of, compiled, mask) ??
      this.#byKernels(of, expression, mask) ??
      codedColumns(of, compiled, mask) ??
      valuesByRow(of, compiled, mask)
    );
  }

  /** Undefined: no kernel computes it. */
  #byKernels(of: Derivation, expression: Expression, mask: number) {
    if (expression.kind === "bucket") return bucketColumn(of, expression, mask);
    if (expression.kind !== "call") return undefined;
    if (expression.type === "boolean") {
      return hasParts(expression) ? truthColumn(of, expression, mask) : undefined;
    }
    switch (expression.fn) {
      case "extract":
        return fieldColumn(of, expression, mask);
      case "case":
      case "coalesce":
        return choiceColumn(of, expression, mask);
      case "least":
      case "greatest":
      case "nullif": {
        const choice = choiceOf(expression);
        return choice && choiceColumn(of, choice, mask);
      }
      case "add_interval": {
        const shifted = shiftedTimes(of, expression);
        return shifted && numberCall(of, shifted, mask);
      }
      default:
        return numberCall(of, expression, mask);
    }
  }
}

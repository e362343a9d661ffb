// Columns that are not stored as such.
//
// The values of an expression are a derived column: it is written into scratch, for the rows that are asked for, so
// that filters, group keys and aggregates see a column like any other. Sequences count from the segment's first, receipts hold for whole
// journal records, and a lateness that is absent is 0. They are written into scratch where a query needs them
// as values, so that the kernels see columns like any other. (As conditions, sequence and receipt are row ranges.)

import {
  COLUMN_BASE,
  COLUMN_LANE,
  COLUMN_PAGES,
  COLUMN_SIZE,
  LANE_NUMBER,
  PAGE_COUNT,
  PAGE_ENCODING,
  PAGE_I64,
  PAGE_PRESENCE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_U32,
  PAGE_VALUES,
} from "../../core/layout.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression } from "../expression/expression.ts";
import { expressionKey, walkExpression } from "../expression/expression.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Value } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { LaneColumn } from "./cells.ts";
import { Cells } from "./cells.ts";
import { DerivedWriter } from "./derived.ts";
import type { QueryRun } from "./kernels.ts";
import { CancelledError } from "./kernels.ts";
import { pathColumns, RowValues } from "./row-values.ts";

/** Bytes of a selection of `rows` rows. */
export function selectionSize(rows: number): number {
  return ((rows + 127) >>> 7) << 4;
}

/** Words of 64 rows. */
export function selectionWords(rows: number): number {
  return (rows + 63) >>> 6;
}

const computedPaths: readonly string[] = ["sequence", "received_at", "lateness_us"];

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
  readonly #paths: readonly string[];
  readonly #addresses = new Map<string, number>();
  readonly #compiled = new Map<string, (leaf: LeafValue) => Value>();
  readonly #keys = new Map<Expression, string>();
  readonly #derived = new Map<string, Derived>();
  #segment: Segment | undefined;

  /** `expressions`: all that the query computes; a string is a path. */
  constructor(run: QueryRun, expressions: Iterable<Expression | string>) {
    this.#run = run;
    this.#cells = new Cells(run.core);
    const wanted = new Set<string>();
    for (const one of expressions) {
      if (typeof one === "string") wanted.add(one);
      else {
        walkExpression(one, (inner) => {
          if (inner.kind === "path") wanted.add(inner.path);
        });
      }
    }
    this.#paths = computedPaths.filter((path) => wanted.has(path));
  }

  /** Writes the columns of `segment` into scratch; they are right until the caller releases it. */
  begin(segment: Segment): void {
    this.#segment = segment;
    this.#addresses.clear();
    this.#derived.clear();
    for (const path of this.#paths) this.#addresses.set(path, this.#make(segment, path));
  }

  /** As `segment.column`, for every path. */
  column(segment: Segment, path: string, lane: number): number {
    if (segment === this.#segment && lane === LANE_NUMBER) {
      const address = this.#addresses.get(path);
      if (address !== undefined) return address;
      if (computedPaths.includes(path)) return this.#make(segment, path);
    }
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
    if (expression.kind === "path" && expression.path !== "properties") {
      const { path, type } = expression;
      return pathColumns(path, type, (name, lane) => this.column(segment, name, lane));
    }
    const key = this.#key(expression);
    this.#forgetReleased();
    const known = this.#derived.get(key);
    if (known !== undefined && this.#covers(known, segment, mask)) return known.columns;
    const columns = this.#derive(segment, expression, mask);
    const { scratch, core } = this.#run;
    const size = selectionSize(segment.rows);
    const copy = scratch.take(size);
    core.u8.copyWithin(copy, mask, mask + size);
    this.#forgetReleased();
    this.#derived.set(key, { columns, mask: copy, end: scratch.mark() });
    return columns;
  }

  #key(expression: Expression): string {
    let key = this.#keys.get(expression);
    if (key === undefined) {
      key = expressionKey(expression);
      this.#keys.set(expression, key);
    }
    return key;
  }

  #forgetReleased(): void {
    const lowest = this.#run.scratch.lowest();
    for (const [key, { end }] of this.#derived) if (end > lowest) this.#derived.delete(key);
  }

  /** Whether every row of `mask` was among those that the columns were made for. */
  #covers(known: Derived, segment: Segment, mask: number): boolean {
    const { scratch, kernels } = this.#run;
    const mark = scratch.mark();
    const rest = scratch.take(selectionSize(segment.rows));
    const count = kernels.selectionAndNot(mask, known.mask, rest, selectionWords(segment.rows));
    scratch.release(mark);
    return count === 0;
  }

  #derive(segment: Segment, expression: Expression, mask: number): LaneColumn[] {
    return this.#byRow(segment, expression, mask);
  }

  /** Row after row, only those of the mask. */
  #byRow(segment: Segment, expression: Expression, mask: number): LaneColumn[] {
    const { core, kernels, scratch, cancel } = this.#run;
    const words = selectionWords(segment.rows);
    const mark = scratch.mark();
    const list = scratch.take(kernels.selectionCount(mask, words) * 4);
    const count = kernels.selectionRows(mask, words, list);
    const rows = core.u32.slice(list >>> 2, (list >>> 2) + count);
    scratch.release(mark);
    const evaluate = this.#evaluator(expression);
    const source = new RowValues(segment, this.#cells, (path, lane) =>
      this.column(segment, path, lane),
    );
    const values: Value[] = new Array(count);
    for (let i = 0; i < count; i++) {
      if ((i & 4095) === 0 && Atomics.load(core.u32, cancel >>> 2) !== 0)
        throw new CancelledError();
      source.at(rows[i] as number);
      values[i] = evaluate(source.leaf);
    }
    return new DerivedWriter(core, scratch).lanes(rows, values);
  }

  #evaluator(expression: Expression): (leaf: LeafValue) => Value {
    const key = this.#key(expression);
    let evaluate = this.#compiled.get(key);
    if (evaluate === undefined) {
      evaluate = compileExpression(expression);
      this.#compiled.set(key, evaluate);
    }
    return evaluate;
  }

  #make(segment: Segment, path: string): number {
    if (path === "sequence") return this.#sequence(segment);
    if (path === "received_at") return this.#received(segment);
    return this.#lateness(segment);
  }

  #sequence(segment: Segment): number {
    const { core } = this.#run;
    const column = this.#column(segment.rows, PAGE_U32, 4, (address, first, count) => {
      for (let row = 0; row < count; row++) core.u32[(address >>> 2) + row] = first + row;
    });
    core.view.setBigInt64(column + COLUMN_BASE, segment.firstSequence, true);
    return column;
  }

  #received(segment: Segment): number {
    const records = segment.received();
    return this.#column(segment.rows, PAGE_I64, 8, (address, first, count) => {
      const values = new BigInt64Array(this.#run.core.memory.buffer, address, count);
      records.forEach(({ firstRow, receivedAtUs }, i) => {
        const end = records[i + 1]?.firstRow ?? segment.rows;
        if (end <= first || firstRow >= first + count) return;
        values.fill(receivedAtUs, Math.max(0, firstRow - first), Math.max(0, end - first));
      });
    });
  }

  #lateness(segment: Segment): number {
    const { core, kernels, scratch } = this.#run;
    const stored = segment.column("lateness_us", LANE_NUMBER);
    if (stored !== 0) {
      const words = (segment.rows + 63) >>> 6;
      const mark = scratch.mark();
      const rows = scratch.take(words * 8 + 8);
      kernels.selectionRange(rows, words, 0, segment.rows);
      const present = kernels.selectPresent(stored, words, rows, rows);
      scratch.release(mark);
      if (present === segment.rows) return stored;
    }
    const cells = new Cells(core);
    return this.#column(segment.rows, PAGE_I64, 8, (address, first, count) => {
      const values = new BigInt64Array(core.memory.buffer, address, count);
      for (let i = 0; i < count; i++) {
        const page = stored === 0 ? 0 : cells.page(stored, first + i);
        values[i] = page === 0 ? 0n : BigInt(cells.number(stored, page, first + i));
      }
    });
  }

  /** A column of numbers that every row has. `fill` writes the values of rows [first, first + count). */
  #column(
    rows: number,
    encoding: number,
    width: number,
    fill: (address: number, first: number, count: number) => void,
  ): number {
    const { core, scratch } = this.#run;
    const column = scratch.take(COLUMN_SIZE);
    core.u8.fill(0, column, column + COLUMN_SIZE);
    core.view.setUint32(column + COLUMN_LANE, LANE_NUMBER, true);
    for (let first = 0, index = 0; first < rows; first += PAGE_ROWS, index++) {
      // A page is whole even when few of its rows are taken: kernels read values in words of 64 rows.
      const page = scratch.take(PAGE_VALUES + PAGE_ROWS * width);
      const count = Math.min(PAGE_ROWS, rows - first);
      core.u8.fill(0, page, page + PAGE_VALUES);
      core.u8.fill(0xff, page + PAGE_PRESENCE, page + PAGE_PRESENCE + PAGE_PRESENCE_SIZE);
      core.view.setUint32(page + PAGE_ENCODING, encoding, true);
      core.view.setUint32(page + PAGE_COUNT, count, true);
      fill(page + PAGE_VALUES, first, count);
      core.view.setUint32(column + COLUMN_PAGES + index * 4, page, true);
    }
    return column;
  }
}

// The rows of a segment that pass a query's filter, one segment after the other.

import type { Clock } from "../../base/clock.ts";
import type { Filter } from "../plan/filter.ts";
import { mayMatch } from "../plan/prune.ts";
import type { Value } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { Cells } from "./cells.ts";
import { ComputedColumns } from "./computed.ts";
import type { RowList } from "./group-keys.ts";
import type { QueryRun } from "./kernels.ts";
import { FilterRun, selectionSize, selectionWords } from "./select.ts";
import type { FoundCodes } from "./text-codes.ts";
import { TextCodes } from "./text-codes.ts";

/** Figures that a scan collects. */
export interface ScanStats {
  rowsScanned: number;
  rowsMatched: number;
  segmentsScanned: number;
  segmentsPruned: number;
}

function emptyStats(): ScanStats {
  return { rowsScanned: 0, rowsMatched: 0, segmentsScanned: 0, segmentsPruned: 0 };
}

/** What a thread keeps between queries. */
export interface QueryThreadState {
  readonly run: QueryRun;
  readonly cells: Cells;
  readonly found: FoundCodes;
  readonly clock: Clock;
}

/** One filter over many segments. */
export class Scan {
  readonly stats = emptyStats();
  readonly computed: ComputedColumns;
  readonly #state: QueryThreadState;
  readonly #filter: Filter;
  readonly #filters: FilterRun;

  /** `paths`: those whose values are read, so that the computed ones among them are there. */
  constructor(state: QueryThreadState, filter: Filter, paths: Iterable<string>) {
    const codes = new TextCodes(state.run, state.found);
    codes.prepare(filter);
    this.#state = state;
    this.#filter = filter;
    this.computed = new ComputedColumns(state.run, [...paths, ...numberPaths(filter)]);
    this.#filters = new FilterRun(state.run, codes, this.computed);
  }

  /**
   * Calls `visit` with the selection of the rows of `segment` that pass, unless there are none. What is taken
   * from scratch meanwhile is released afterwards. `also` is one more condition, of this segment alone.
   */
  segment(
    segment: Segment,
    visit: (mask: number, selected: number) => void,
    also: Filter = { kind: "all" },
  ): void {
    const { run } = this.#state;
    if (segment.rows === 0) return;
    if (!mayMatch(this.#filter, segment) || !mayMatch(also, segment)) {
      this.stats.segmentsPruned++;
      return;
    }
    this.stats.segmentsScanned++;
    this.stats.rowsScanned += segment.rows;
    const mark = run.scratch.mark();
    segment.enter();
    this.computed.begin(segment);
    const mask = run.scratch.take(selectionSize(segment.rows));
    run.kernels.selectionRange(mask, selectionWords(segment.rows), 0, segment.rows);
    let selected = segment.rows;
    if (also.kind !== "all") selected = this.#filters.select(also, segment, mask, mask);
    if (selected > 0 && this.#filter.kind !== "all") {
      selected = this.#filters.select(this.#filter, segment, mask, mask);
    }
    this.stats.rowsMatched += selected;
    if (selected > 0) visit(mask, selected);
    run.scratch.release(mark);
  }

  /** The selected rows as a list, in scratch. */
  rows(segment: Segment, mask: number, selected: number): RowList {
    const { kernels, scratch } = this.#state.run;
    const rows = scratch.take(selected * 4);
    const count = kernels.selectionRows(mask, selectionWords(segment.rows), rows);
    return { segment, rows, count };
  }
}

function numberPaths(filter: Filter): string[] {
  if (filter.kind === "and" || filter.kind === "or") return filter.of.flatMap(numberPaths);
  return filter.kind === "number" ? [filter.path] : [];
}

/** Rows of a result, and how they were found. */
export interface Answer {
  readonly rows: Value[][];
  readonly stats: ScanStats;
}

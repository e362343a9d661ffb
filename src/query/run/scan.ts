// The rows of a segment that pass a query's filter, one segment after the other.

import type { Clock } from "../../base/clock.ts";
import { TimeoutError } from "../../errors.ts";
import type { Cells } from "../columns/cells.ts";
import { ComputedColumns } from "../columns/computed.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { RowValues } from "../columns/row-values.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import type { Expression } from "../expression/expression.ts";
import type { Filter } from "../plan/filter.ts";
import { mayMatch } from "../plan/prune.ts";
import type { Segment } from "../segments/source.ts";
import { Conditions } from "./conditions.ts";
import type { SequenceRange } from "./execution.ts";
import type { RowList } from "./group-ids.ts";
import { FilterRun } from "./select.ts";
import { StageClock } from "./stages.ts";
import type { FoundCodes } from "./text-codes.ts";
import { TextCodes } from "./text-codes.ts";

/** Figures that a scan collects. */
export interface ScanStats {
  rowsScanned: number;
  rowsMatched: number;
  segmentsScanned: number;
  segmentsPruned: number;
}

/** What a thread keeps between queries. */
export interface QueryThreadState {
  readonly run: QueryRun;
  readonly cells: Cells;
  readonly found: FoundCodes;
  readonly clock: Clock;
}

export interface ScanOptions {
  /** All that is computed for the rows, beside what the filters say. */
  readonly expressions?: readonly Expression[];
  /** Filters that `select` is called with. */
  readonly filters?: readonly Filter[];
  /** In milliseconds of the clock. */
  readonly deadlineMs?: number | undefined;
  /** Told of each segment whose rows are looked at. */
  readonly onScanned?: (segment: Segment) => void;
}

/** One filter over many segments. */
export class Scan {
  readonly stats: ScanStats = {
    rowsScanned: 0,
    rowsMatched: 0,
    segmentsScanned: 0,
    segmentsPruned: 0,
  };
  readonly stages: StageClock;
  readonly computed: ComputedColumns;
  readonly #state: QueryThreadState;
  readonly #filter: Filter;
  readonly #filters: FilterRun;
  readonly #conditions: Conditions;
  readonly #codes: TextCodes;
  readonly #deadlineMs: number;
  readonly #onScanned: ((segment: Segment) => void) | undefined;

  constructor(state: QueryThreadState, filter: Filter, options: ScanOptions = {}) {
    const all = [filter, ...(options.filters ?? [])];
    const codes = new TextCodes(state.run, state.found);
    for (const one of all) codes.prepare(one);
    this.#codes = codes;
    this.#state = state;
    this.#filter = filter;
    this.#deadlineMs = options.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#onScanned = options.onScanned;
    this.stages = new StageClock(state.clock);
    this.computed = new ComputedColumns(state.run, [
      ...(options.expressions ?? []),
      ...all.flatMap(filterExpressions),
    ]);
    this.#filters = new FilterRun(state.run, codes, this.computed);
    this.#conditions = new Conditions(filter, this.#filters, state.clock);
  }

  /**
   * Calls `visit` with the selection of the rows of `segment` that pass, unless there are none. What is taken
   * from scratch meanwhile is released afterwards. `also` is one more condition, of this segment alone.
   * `visit` is given the segment to ask for columns, which counts the time that finding them takes.
   */
  segment(
    segment: Segment,
    visit: (mask: number, selected: number, segment: Segment) => void,
    also: Filter = { kind: "all" },
    range: SequenceRange | null = null,
  ): void {
    const { run } = this.#state;
    const [first, end] = rowsWithin(segment, range);
    if (first >= end) return;
    this.#checkDeadline();
    const isPart = first > 0;
    if (!this.stages.in("prune", () => this.#mayMatch(segment, also))) {
      if (!isPart) this.stats.segmentsPruned++;
      return;
    }
    if (!isPart) this.stats.segmentsScanned++;
    this.#onScanned?.(segment);
    this.stats.rowsScanned += end - first;
    const mark = run.scratch.mark();
    const before = this.stages.enter("columns");
    try {
      const timed = new TimedSegment(segment, this.stages);
      segment.enter();
      this.computed.begin(timed);
      this.stages.enter("filter");
      const mask = run.scratch.take(selectionSize(segment.rows));
      run.kernels.selectionRange(mask, selectionWords(segment.rows), first, end);
      let selected = end - first;
      if (also.kind !== "all") selected = this.selectPlain(also, timed, mask, mask);
      if (selected > 0) selected = this.#conditions.select(timed, mask, selected);
      this.stats.rowsMatched += selected;
      this.stages.enter(before);
      if (selected > 0) visit(mask, selected, timed);
    } finally {
      this.stages.enter(before);
      run.scratch.release(mark);
    }
  }

  #mayMatch(segment: Segment, also: Filter): boolean {
    return mayMatch(this.#filter, segment) && mayMatch(also, segment);
  }

  #checkDeadline(): void {
    if (this.#state.clock.monotonicMs() < this.#deadlineMs) return;
    const { rowsScanned } = this.stats;
    throw new TimeoutError(
      "query_timeout",
      `the query's time is up; ${rowsScanned} rows were read on this thread`,
      { rowsScanned },
    );
  }

  /** Those of the rows in `mask` that pass one of the filters of the options; answers how many. */
  select(filter: Filter, segment: Segment, mask: number, out: number): number {
    return this.stages.in("filter", () => this.#filters.select(filter, segment, mask, out));
  }

  /** As `select`, for a filter that was not announced: its texts are written into scratch, where they are needed. */
  selectPlain(filter: Filter, segment: Segment, mask: number, out: number): number {
    this.#codes.prepare(filter);
    return this.select(filter, segment, mask, out);
  }

  /** Calls `visit` with the values of each row that has a place, segment by segment: one has its columns at a time. */
  values(
    found: readonly { readonly segment?: Segment | undefined; readonly row?: number | undefined }[],
    visit: (values: RowValues, index: number) => void,
  ): void {
    const bySegment = new Map<Segment, number[]>();
    found.forEach(({ segment }, i) => {
      if (segment === undefined) return;
      const indexes = bySegment.get(segment);
      if (indexes) indexes.push(i);
      else bySegment.set(segment, [i]);
    });
    const { run, cells } = this.#state;
    for (const [segment, indexes] of bySegment) {
      const mark = run.scratch.mark();
      segment.enter();
      this.computed.begin(segment);
      const values = new RowValues(segment, cells, (path, lane) =>
        this.computed.column(segment, path, lane),
      );
      for (const i of indexes) {
        values.at(found[i]?.row as number);
        visit(values, i);
      }
      run.scratch.release(mark);
    }
  }

  /** The selected rows as a list, in scratch. */
  rows(segment: Segment, mask: number, selected: number): RowList {
    const { kernels, scratch } = this.#state.run;
    const rows = scratch.take(selected * 4);
    const count = kernels.selectionRows(mask, selectionWords(segment.rows), rows);
    return { segment, mask, rows, count };
  }
}

/** Rows [first, end) of a segment. */
function rowsWithin(segment: Segment, range: SequenceRange | null): [number, number] {
  if (range === null) return [0, segment.rows];
  const first = Number(range.from - segment.firstSequence);
  const end = Number(range.to - segment.firstSequence);
  return [Math.max(0, first), Math.min(segment.rows, end)];
}

/** A segment that counts the time in which its columns are found and decoded. */
class TimedSegment implements Segment {
  readonly id: number;
  readonly hot: boolean;
  readonly rows: number;
  readonly firstSequence: bigint;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly #of: Segment;
  readonly #stages: StageClock;

  constructor(of: Segment, stages: StageClock) {
    this.#of = of;
    this.#stages = stages;
    this.id = of.id;
    this.hot = of.hot;
    this.rows = of.rows;
    this.firstSequence = of.firstSequence;
    this.timeMinUs = of.timeMinUs;
    this.timeMaxUs = of.timeMaxUs;
  }

  enter(): void {
    this.#of.enter();
  }

  column(path: string, lane: number): number {
    return this.#stages.in("columns", () => this.#of.column(path, lane));
  }

  has(path: string, lane: number): boolean {
    return this.#of.has(path, lane);
  }

  zone(path: string, lane: number) {
    return this.#of.zone(path, lane);
  }

  mayHaveText(...asked: Parameters<Segment["mayHaveText"]>) {
    return this.#of.mayHaveText(...asked);
  }

  columns() {
    return this.#stages.in("columns", () => this.#of.columns());
  }

  received() {
    return this.#of.received();
  }
}

/** What a filter computes: expressions, and the paths of numbers, some of which are computed. */
export function filterExpressions(filter: Filter): (Expression | string)[] {
  if (filter.kind === "and" || filter.kind === "or") return filter.of.flatMap(filterExpressions);
  if (filter.kind === "test") return [filter.of];
  return filter.kind === "number" || filter.kind === "numbers" ? [filter.path] : [];
}

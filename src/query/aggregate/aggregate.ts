// Partial aggregates of the selected rows of one segment: all of them together, or by group.

import {
  COLUMN_FLAG_SORTED,
  COLUMN_FLAGS,
  EXTREMES_SIZE,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_NUMBER,
  RANKS_COUNT,
  RANKS_MAX,
  RANKS_MIN,
  RANKS_SIZE,
  SUM_SIZE,
} from "../../core/layout.ts";
import { lanesOf } from "../plan/filter.ts";
import type { Cells } from "../run/cells.ts";
import type { ComputedColumns } from "../run/computed.ts";
import type { RowList } from "../run/group-keys.ts";
import type { QueryRun } from "../run/kernels.ts";
import { finished } from "../run/kernels.ts";
import { selectionSize, selectionWords } from "../run/select.ts";
import type { Segment } from "../segments/source.ts";
import type { Measure, Partial } from "./measure.ts";
import { dictionaryOf, readExtremes, readSum, textLane } from "./measure.ts";
import type { ExtremePartial, SumPartial } from "./partial.ts";
import { widenBoolean, widenText } from "./partial.ts";
import type { Partials } from "./partials.ts";

type ExtremeMeasure = Extract<Measure, { kind: "extreme" }>;

/** Rows of a segment and the groups they belong to: `groups[i]` is the group that the id `used[i]` stands for. */
export interface GroupedRows {
  readonly list: RowList;
  readonly ids: number;
  readonly cardinality: number;
  readonly used: Uint32Array;
  readonly groups: Uint32Array;
}

export class Aggregation {
  readonly #run: QueryRun;
  readonly #cells: Cells;
  readonly #computed: ComputedColumns;

  constructor(run: QueryRun, cells: Cells, computed: ComputedColumns) {
    this.#run = run;
    this.#cells = cells;
    this.#computed = computed;
  }

  /** Adds the `selected` rows of `mask` to `into`. */
  all(measure: Measure, segment: Segment, mask: number, selected: number, into: Partial): void {
    const mark = this.#run.scratch.mark();
    if (measure.kind === "rows") (into as { count: number }).count += selected;
    else if (measure.kind === "count") {
      (into as { count: number }).count += this.#count(measure.path, segment, mask);
    } else if (measure.kind === "sum") {
      this.#sum(measure.path, segment, mask, into as SumPartial);
    } else {
      for (const lane of lanesOf(measure.path)) {
        this.#extreme(measure, lane, segment, mask, into as ExtremePartial);
      }
    }
    this.#run.scratch.release(mark);
  }

  #count(path: string, segment: Segment, mask: number): number {
    const { kernels, scratch } = this.#run;
    const some = scratch.take(selectionSize(segment.rows));
    let count = 0;
    for (const lane of lanesOf(path)) {
      const column = segment.column(path, lane);
      if (column === 0) continue;
      count += kernels.selectPresent(column, selectionWords(segment.rows), mask, some);
    }
    return count;
  }

  #sum(path: string, segment: Segment, mask: number, into: SumPartial): void {
    const { kernels, cancel } = this.#run;
    const column = this.#computed.column(segment, path, LANE_NUMBER);
    if (column === 0) return;
    const block = this.#zeros(SUM_SIZE);
    finished(kernels.sumAll(column, selectionWords(segment.rows), mask, block, cancel));
    readSum(this.#run, column, block, into);
  }

  #extreme(
    measure: ExtremeMeasure,
    lane: number,
    segment: Segment,
    mask: number,
    into: ExtremePartial,
  ): void {
    const { kernels, scratch, cancel, core } = this.#run;
    const { last } = measure;
    const words = selectionWords(segment.rows);
    const column = this.#computed.column(segment, measure.path, lane);
    if (column === 0) return;
    if (lane === LANE_NUMBER) {
      const block = scratch.take(EXTREMES_SIZE);
      kernels.clearExtremes(block, 1);
      finished(kernels.extremesAll(column, words, mask, block, cancel));
      readExtremes(this.#run, column, block, last, into);
    } else if (lane === LANE_ID) {
      const rows = scratch.take(segment.rows * 4);
      const count = kernels.selectionRows(mask, words, rows);
      for (let i = 0; i < count; i++) {
        const row = core.u32[(rows >>> 2) + i] as number;
        const page = this.#cells.page(column, row);
        if (page !== 0) widenText(into, "string", this.#cells.id(page, row), last);
      }
    } else if (lane === LANE_BOOLEAN) {
      const table = this.#zeros(2);
      finished(kernels.usedCodes(column, words, mask, table, cancel));
      if (core.u8[table]) widenBoolean(into, false, last);
      if (core.u8[table + 1]) widenBoolean(into, true, last);
    } else {
      const { entries, count } = dictionaryOf(this.#run, column);
      const table = this.#zeros(count);
      finished(kernels.usedCodes(column, words, mask, table, cancel));
      const code = kernels.extremeText(entries, count, table, last ? 1 : 0);
      if (code >= 0) widenText(into, textLane(lane), this.#cells.text(column, code), last);
    }
  }

  /** Counts of rows by group id, for ids below `cardinality`. */
  counts(list: RowList, ids: number, cardinality: number): Uint32Array {
    const counts = this.#zeros(cardinality * 4);
    this.#run.kernels.countGroups(ids, list.count, counts);
    return this.#run.core.u32.subarray(counts >>> 2, (counts >>> 2) + cardinality);
  }

  /** Adds each group's rows to its partial. Not for "rows", which the counts answer. */
  grouped(measure: Measure, rows: GroupedRows, partials: Partials): void {
    const { scratch } = this.#run;
    const mark = scratch.mark();
    if (measure.kind === "count") {
      this.#countGroups(measure.path, rows, partials);
    } else if (measure.kind === "sum") {
      this.#sumGroups(measure.path, rows, partials);
    } else if (measure.kind === "extreme") {
      for (const lane of lanesOf(measure.path)) {
        this.#extremeGroups(measure, lane, rows, partials);
        scratch.release(mark);
      }
    }
    scratch.release(mark);
  }

  #countGroups(path: string, rows: GroupedRows, partials: Partials): void {
    const { kernels, cancel, core } = this.#run;
    const { list, ids, used } = rows;
    const counts = this.#zeros(rows.cardinality * 4);
    for (const lane of lanesOf(path)) {
      const column = list.segment.column(path, lane);
      if (column === 0) continue;
      finished(kernels.countPresentGroups(column, list.rows, list.count, ids, counts, cancel));
    }
    for (let i = 0; i < used.length; i++) {
      const count = core.u32[(counts >>> 2) + (used[i] as number)] as number;
      partials.increase(rows.groups[i] as number, count);
    }
  }

  #sumGroups(path: string, rows: GroupedRows, partials: Partials): void {
    const { kernels, cancel } = this.#run;
    const { list, ids, used } = rows;
    const column = this.#computed.column(list.segment, path, LANE_NUMBER);
    if (column === 0) return;
    const sums = this.#zeros(rows.cardinality * SUM_SIZE);
    finished(kernels.sumGroups(column, list.rows, list.count, ids, sums, cancel));
    used.forEach((id, i) => {
      const partial = partials.at(rows.groups[i] as number) as SumPartial;
      readSum(this.#run, column, sums + id * SUM_SIZE, partial);
    });
  }

  #extremeGroups(
    measure: ExtremeMeasure,
    lane: number,
    rows: GroupedRows,
    partials: Partials,
  ): void {
    const { kernels, scratch, cancel, core } = this.#run;
    const { list, ids, cardinality, used } = rows;
    const { last } = measure;
    const column = this.#computed.column(list.segment, measure.path, lane);
    if (column === 0) return;
    if (lane === LANE_NUMBER) {
      const blocks = scratch.take(cardinality * EXTREMES_SIZE);
      kernels.clearExtremes(blocks, cardinality);
      finished(kernels.extremesGroups(column, list.rows, list.count, ids, blocks, cancel));
      used.forEach((id, i) => {
        const partial = partials.at(rows.groups[i] as number) as ExtremePartial;
        const block = blocks + id * EXTREMES_SIZE;
        readExtremes(this.#run, column, block, last, partial);
      });
      return;
    }
    if (lane === LANE_ID) {
      this.#idGroups(column, last, rows, partials);
      return;
    }
    const { ranks, codes } = this.#ranks(column, lane);
    const blocks = this.#zeros(cardinality * RANKS_SIZE);
    finished(kernels.rankGroups(column, list.rows, list.count, ids, ranks, blocks, cancel));
    used.forEach((id, i) => {
      const partial = partials.at(rows.groups[i] as number) as ExtremePartial;
      const block = blocks + id * RANKS_SIZE;
      if (core.u32[(block + RANKS_COUNT) >>> 2] === 0) return;
      const rank = core.u32[(block + (last ? RANKS_MAX : RANKS_MIN)) >>> 2] as number;
      if (lane === LANE_BOOLEAN) {
        widenBoolean(partial, rank !== 0, last);
        return;
      }
      const code = codes === 0 ? rank : (core.u32[(codes >>> 2) + rank] as number);
      widenText(partial, textLane(lane), this.#cells.text(column, code), last);
    });
  }

  /** Ranks by code and codes by rank; both 0 where codes are in order already. */
  #ranks(column: number, lane: number): { ranks: number; codes: number } {
    const { kernels, scratch, core } = this.#run;
    const sorted = (core.view.getUint32(column + COLUMN_FLAGS, true) & COLUMN_FLAG_SORTED) !== 0;
    if (sorted || lane === LANE_BOOLEAN) return { ranks: 0, codes: 0 };
    const { entries, count } = dictionaryOf(this.#run, column);
    const ranks = scratch.take(count * 4);
    const codes = scratch.take(count * 4);
    return {
      ranks,
      codes: kernels.rankTexts(entries, count, codes, scratch.take(count * 4), ranks),
    };
  }

  #idGroups(column: number, last: boolean, rows: GroupedRows, partials: Partials): void {
    const { u32 } = this.#run.core;
    const { list, ids, used, groups } = rows;
    const partialOf = new Map<number, ExtremePartial>();
    used.forEach((id, i) => {
      partialOf.set(id, partials.at(groups[i] as number) as ExtremePartial);
    });
    for (let i = 0; i < list.count; i++) {
      const row = u32[(list.rows >>> 2) + i] as number;
      const page = this.#cells.page(column, row);
      const partial = partialOf.get(u32[(ids >>> 2) + i] as number);
      if (page !== 0 && partial) widenText(partial, "string", this.#cells.id(page, row), last);
    }
  }

  #zeros(size: number): number {
    const address = this.#run.scratch.take(size);
    this.#run.core.u8.fill(0, address, address + size);
    return address;
  }
}

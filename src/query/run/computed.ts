// Columns that are not stored as such: sequences count from the segment's first, receipts hold for whole
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
import type { Segment } from "../segments/source.ts";
import { Cells } from "./cells.ts";
import type { QueryRun } from "./kernels.ts";

const computedPaths: readonly string[] = ["sequence", "received_at", "lateness_us"];

export class ComputedColumns {
  readonly #run: QueryRun;
  readonly #paths: readonly string[];
  readonly #addresses = new Map<string, number>();
  #segment: Segment | undefined;

  /** `paths`: those that the query reads as values. */
  constructor(run: QueryRun, paths: Iterable<string>) {
    this.#run = run;
    const wanted = new Set(paths);
    this.#paths = computedPaths.filter((path) => wanted.has(path));
  }

  /** Writes the columns of `segment` into scratch; they are right until the caller releases it. */
  begin(segment: Segment): void {
    this.#segment = segment;
    this.#addresses.clear();
    for (const path of this.#paths) this.#addresses.set(path, this.#make(segment, path));
  }

  /** As `segment.column`, for every path. */
  column(segment: Segment, path: string, lane: number): number {
    if (segment === this.#segment && lane === LANE_NUMBER) {
      const address = this.#addresses.get(path);
      if (address !== undefined) return address;
    }
    return segment.column(path, lane);
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

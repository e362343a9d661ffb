// Columns of numbers that every row has and that need not be stored: sequences count from the segment's first, receipts
// hold for whole journal records, and a lateness that is absent is 0. (As conditions, sequence and receipt are ranges
// of rows and need no column.)

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
import type { Cells } from "./cells.ts";
import type { QueryRun } from "./kernels.ts";
import { selectionSize, selectionWords } from "./selection.ts";

export const impliedPaths: readonly string[] = ["sequence", "received_at", "lateness_us"];

/** Address of the column of one of `impliedPaths`, in scratch where it isn't stored whole. */
export function impliedColumn(run: QueryRun, cells: Cells, segment: Segment, path: string): number {
  if (path === "sequence") return sequences(run, segment);
  if (path === "received_at") return receipts(run, segment);
  return latenesses(run, cells, segment);
}

function sequences(run: QueryRun, segment: Segment): number {
  const { core } = run;
  const column = wholeColumn(run, segment.rows, PAGE_U32, 4, (address, first, count) => {
    for (let row = 0; row < count; row++) core.u32[(address >>> 2) + row] = first + row;
  });
  core.view.setBigInt64(column + COLUMN_BASE, segment.firstSequence, true);
  return column;
}

function receipts(run: QueryRun, segment: Segment): number {
  const records = segment.received();
  return wholeColumn(run, segment.rows, PAGE_I64, 8, (address, first, count) => {
    const values = new BigInt64Array(run.core.memory.buffer, address, count);
    records.forEach(({ firstRow, receivedAtUs }, i) => {
      const end = records[i + 1]?.firstRow ?? segment.rows;
      if (end <= first || firstRow >= first + count) return;
      values.fill(receivedAtUs, Math.max(0, firstRow - first), Math.max(0, end - first));
    });
  });
}

function latenesses(run: QueryRun, cells: Cells, segment: Segment): number {
  const { core, kernels, scratch } = run;
  const stored = segment.column("lateness_us", LANE_NUMBER);
  if (stored !== 0) {
    const words = selectionWords(segment.rows);
    const mark = scratch.mark();
    const rows = scratch.take(selectionSize(segment.rows));
    kernels.selectionRange(rows, words, 0, segment.rows);
    const present = kernels.selectPresent(stored, words, rows, rows);
    scratch.release(mark);
    if (present === segment.rows) return stored;
  }
  return wholeColumn(run, segment.rows, PAGE_I64, 8, (address, first, count) => {
    const values = new BigInt64Array(core.memory.buffer, address, count);
    for (let i = 0; i < count; i++) {
      const page = stored === 0 ? 0 : cells.page(stored, first + i);
      values[i] = page === 0 ? 0n : BigInt(cells.number(stored, page, first + i));
    }
  });
}

/** A column of numbers that every row has. `fill` writes the values of rows [first, first + count). */
function wholeColumn(
  { core, scratch }: QueryRun,
  rows: number,
  encoding: number,
  width: number,
  fill: (address: number, first: number, count: number) => void,
): number {
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

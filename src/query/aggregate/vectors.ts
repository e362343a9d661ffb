// What a kernel reads: the values of one column for the rows of a GroupRows. See assembly/aggregate/vectors.ts.

import {
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_FLAG_SORTED,
  COLUMN_FLAGS,
  VECTOR_BUFFER,
  VECTOR_BUFFERS,
  VECTOR_CANCEL,
  VECTOR_COLUMN,
  VECTOR_LIST,
  VECTOR_LIST_COUNT,
  VECTOR_LIST_GROUPS,
  VECTOR_MASK,
  VECTOR_POSITION,
  VECTOR_SIZE,
  VECTOR_WANTED,
} from "../../core/layout.ts";
import type { QueryRun } from "../columns/kernels.ts";
import type { GroupRows } from "./accumulator.ts";

/** Address of a VECTOR in scratch. `wanted` is a sum of VECTOR_WANT_…. */
export function openVector(run: QueryRun, rows: GroupRows, column: number, wanted = 0): number {
  const { core, scratch, cancel } = run;
  const vector = scratch.take(VECTOR_SIZE);
  const word = vector >>> 2;
  core.u32.fill(0, word, word + VECTOR_SIZE / 4);
  core.u32[word + VECTOR_COLUMN / 4] = column;
  core.u32[word + VECTOR_CANCEL / 4] = cancel;
  core.u32[word + VECTOR_BUFFER / 4] = scratch.take(VECTOR_BUFFERS);
  core.u32[word + VECTOR_WANTED / 4] = wanted;
  if (rows.groups === 0) {
    core.u32[word + VECTOR_MASK / 4] = rows.mask;
    const [first, end] = rows.words ?? [0, (rows.segment.rows + 63) >>> 6];
    core.u32[word + VECTOR_POSITION / 4] = first;
    core.u32[word + VECTOR_LIST_COUNT / 4] = end;
  } else {
    core.u32[word + VECTOR_LIST / 4] = rows.rows();
    core.u32[word + VECTOR_LIST_COUNT / 4] = rows.count;
    core.u32[word + VECTOR_LIST_GROUPS / 4] = rows.groups;
  }
  return vector;
}

/** A column's dictionary as it is now. */
export interface DictionaryView {
  readonly entries: number;
  readonly count: number;
  /** Whether codes are in the order of their texts: 1 or 0. */
  readonly sorted: number;
}

/** The count first, so that the entries are at least as many. */
export function dictionaryView(run: QueryRun, column: number): DictionaryView {
  const { u32 } = run.core;
  const count = Atomics.load(u32, (column + COLUMN_DICT_COUNT) >>> 2);
  const entries = Atomics.load(u32, (column + COLUMN_DICT) >>> 2);
  const flags = u32[(column + COLUMN_FLAGS) >>> 2] as number;
  return { entries, count, sorted: (flags & COLUMN_FLAG_SORTED) !== 0 ? 1 : 0 };
}

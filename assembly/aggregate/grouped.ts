// Aggregates by group id. Neighbouring rows often belong to one group, so the running values of the current
// group stay in registers until another group comes.

import {
  EXTREMES_SIZE, PAGE_ENCODING, PAGE_F64, PAGE_MIXED, PAGE_ROWS, PAGE_U32, PAGE_VALUES, RANKS_COUNT,
  RANKS_MAX, RANKS_MIN, RANKS_SIZE, SUM_F64, SUM_F64_COUNT, SUM_F64_ERROR, SUM_I64_COUNT, SUM_RAW,
  SUM_RAW_COUNT, SUM_SIZE,
} from "../layout";
import { rawAt } from "../filter/select";
import { widenF64, widenI64, widenRaw } from "./extremes";
import { isPresent, pageEnd, pageOf } from "./keys";
import { addF64, addI64 } from "./sum";

const PAGE_MASK: u32 = PAGE_ROWS - 1;

/** counts[ids[i]] += 1; counts are u32. */
export function countGroups(ids: usize, count: u32, counts: usize): void {
  if (!count) return;
  let current = load<u32>(ids);
  let run: u32 = 0;
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    const id = load<u32>(ids + i);
    if (id != current) {
      const address = counts + (<usize>current << 2);
      store<u32>(address, load<u32>(address) + run);
      current = id;
      run = 0;
    }
    run++;
  }
  const address = counts + (<usize>current << 2);
  store<u32>(address, load<u32>(address) + run);
}

/** counts[ids[i]] += 1 for the rows that have a value in `column`. 0, or -1 when cancelled. */
export function countPresentGroups(
  column: usize, rows: usize, count: u32, ids: usize, counts: usize, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (!page) {
      i = end;
      continue;
    }
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      const address = counts + (<usize>load<u32>(ids + (<usize>i << 2)) << 2);
      store<u32>(address, load<u32>(address) + <u32>isPresent(page, row));
    }
  }
  return 0;
}

/** Adds each row's number to the SUM block of its group. 0, or -1 when cancelled. */
export function sumGroups(
  column: usize, rows: usize, count: u32, ids: usize, sums: usize, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (page) {
      const encoding = load<u32>(page, PAGE_ENCODING);
      if (encoding == PAGE_F64) sumGroupsF64(page, rows, i, end, ids, sums);
      else if (encoding <= <u32>PAGE_U32) sumGroupsRaw(page, encoding, rows, i, end, ids, sums);
      else sumGroupsMixed(page, encoding, rows, i, end, ids, sums);
    }
    i = end;
  }
  return 0;
}

function sumGroupsRaw(
  page: usize, encoding: u32, rows: usize, from: u32, to: u32, ids: usize, sums: usize,
): void {
  for (let i = from; i < to; i++) {
    const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
    if (!isPresent(page, row)) continue;
    const sum = sums + <usize>load<u32>(ids + (<usize>i << 2)) * SUM_SIZE;
    store<u32>(sum, load<u32>(sum, SUM_RAW_COUNT) + 1, SUM_RAW_COUNT);
    store<u64>(sum, load<u64>(sum, SUM_RAW) + <u64>rawAt(page, encoding, row), SUM_RAW);
  }
}

function sumGroupsMixed(
  page: usize, encoding: u32, rows: usize, from: u32, to: u32, ids: usize, sums: usize,
): void {
  const kinds = page + PAGE_VALUES + PAGE_ROWS * 8;
  for (let i = from; i < to; i++) {
    const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
    if (!isPresent(page, row)) continue;
    const sum = sums + <usize>load<u32>(ids + (<usize>i << 2)) * SUM_SIZE;
    const address = page + (<usize>row << 3);
    if (encoding == PAGE_MIXED && (load<u8>(kinds + <usize>(row >> 3)) >> (row & 7)) & 1) {
      addF64(sum, load<f64>(address, PAGE_VALUES));
      store<u32>(sum, load<u32>(sum, SUM_F64_COUNT) + 1, SUM_F64_COUNT);
    } else {
      addI64(sum, load<i64>(address, PAGE_VALUES));
      store<u32>(sum, load<u32>(sum, SUM_I64_COUNT) + 1, SUM_I64_COUNT);
    }
  }
}

function sumGroupsF64(
  page: usize, rows: usize, from: u32, to: u32, ids: usize, sums: usize,
): void {
  let current = load<u32>(ids + (<usize>from << 2));
  let sum = sums + <usize>current * SUM_SIZE;
  let total = load<f64>(sum, SUM_F64);
  let error = load<f64>(sum, SUM_F64_ERROR);
  let run: u32 = 0;
  for (let i = from; i < to; i++) {
    const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
    if (!isPresent(page, row)) continue;
    const id = load<u32>(ids + (<usize>i << 2));
    if (id != current) {
      store<f64>(sum, total, SUM_F64);
      store<f64>(sum, error, SUM_F64_ERROR);
      store<u32>(sum, load<u32>(sum, SUM_F64_COUNT) + run, SUM_F64_COUNT);
      current = id;
      sum = sums + <usize>current * SUM_SIZE;
      total = load<f64>(sum, SUM_F64);
      error = load<f64>(sum, SUM_F64_ERROR);
      run = 0;
    }
    const value = load<f64>(page + (<usize>row << 3), PAGE_VALUES);
    const after = total + value;
    const part = after - total;
    error += total - (after - part) + (value - part);
    total = after;
    run++;
  }
  store<f64>(sum, total, SUM_F64);
  store<f64>(sum, error, SUM_F64_ERROR);
  store<u32>(sum, load<u32>(sum, SUM_F64_COUNT) + run, SUM_F64_COUNT);
}

/** Widens the EXTREMES block of each row's group by its number. 0, or -1 when cancelled. */
export function extremesGroups(
  column: usize, rows: usize, count: u32, ids: usize, extremes: usize, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    const kinds = page + PAGE_VALUES + PAGE_ROWS * 8;
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!isPresent(page, row)) continue;
      const block = extremes + <usize>load<u32>(ids + (<usize>i << 2)) * EXTREMES_SIZE;
      const address = page + (<usize>row << 3);
      if (encoding <= <u32>PAGE_U32) widenRaw(block, rawAt(page, encoding, row));
      else if (
        encoding == PAGE_F64 ||
        (encoding == PAGE_MIXED && (load<u8>(kinds + <usize>(row >> 3)) >> (row & 7)) & 1)
      ) {
        widenF64(block, load<f64>(address, PAGE_VALUES));
      } else widenI64(block, load<i64>(address, PAGE_VALUES));
    }
  }
  return 0;
}

/**
 * Smallest and largest rank of each group's codes, in RANKS blocks: { count u32, min u32, max u32, unused }.
 * `ranks` has a u32 for each code; 0 says that codes are ranks already, as in a sorted dictionary.
 */
export function rankGroups(
  column: usize, rows: usize, count: u32, ids: usize, ranks: usize, blocks: usize, cancel: usize,
): i32 {
  for (let i: u32 = 0; i < count; ) {
    if (atomic.load<u32>(cancel)) return -1;
    const end = pageEnd(rows, i, count);
    const page = pageOf(column, load<u32>(rows + (<usize>i << 2)));
    if (!page) {
      i = end;
      continue;
    }
    const encoding = load<u32>(page, PAGE_ENCODING);
    for (; i < end; i++) {
      const row = load<u32>(rows + (<usize>i << 2)) & PAGE_MASK;
      if (!isPresent(page, row)) continue;
      const block = blocks + <usize>load<u32>(ids + (<usize>i << 2)) * RANKS_SIZE;
      const code = rawAt(page, encoding, row);
      const rank = ranks ? load<u32>(ranks + (<usize>code << 2)) : code;
      const seen = load<u32>(block, RANKS_COUNT);
      if (!seen || rank < load<u32>(block, RANKS_MIN)) store<u32>(block, rank, RANKS_MIN);
      if (!seen || rank > load<u32>(block, RANKS_MAX)) store<u32>(block, rank, RANKS_MAX);
      store<u32>(block, seen + 1, RANKS_COUNT);
    }
  }
  return 0;
}

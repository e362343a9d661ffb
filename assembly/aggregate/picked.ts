// first, last and any by group: the value of the row that is first or last by (timestamp, sequence), PICKED in
// layout.ts.
//
// Within a segment a group keeps its best row, a BEST; rows of a segment are in the order of their sequences. When
// all columns are seen, the value of that row is compared with what the segments before had, and taken over.

import {
  BEST_COLUMN, BEST_ROW, BEST_SIZE, BEST_TIME, COLUMN_BASE, COLUMN_DICT, COLUMN_EXPONENT, COLUMN_LANE,
  COLUMN_PAGES, LANE_BOOLEAN, LANE_ID, LANE_JSON, LANE_NUMBER, PAGE_ENCODING, PAGE_F64, PAGE_MIXED, PAGE_ROWS,
  PAGE_U32, PAGE_VALUES, PICKED_BITS, PICKED_BOOLEAN, PICKED_CAPACITY, PICKED_F64, PICKED_I64, PICKED_ID,
  PICKED_JSON, PICKED_KIND, PICKED_LENGTH, PICKED_SEQUENCE, PICKED_SIZE, PICKED_STRING, PICKED_TIME,
  ROOT_POWERS_OF_TEN, VECTOR_COUNT, VECTOR_FIRST_ROW, VECTOR_GROUPS, VECTOR_ROWS,
} from "../layout";
import { rawAt } from "../filter/select";
import { heapTake } from "./heap";
import { nextVector } from "./vectors";

const PAGE_SHIFT: u32 = 12;
const PAGE_MASK: u32 = PAGE_ROWS - 1;
const KINDS: usize = PAGE_VALUES + PAGE_ROWS * 8;

@inline
function pageAt(column: usize, row: u32): usize {
  return <usize>load<u32>(column + (<usize>(row >> PAGE_SHIFT) << 2), COLUMN_PAGES);
}

/**
 * Looks at the rows that have a value in a column, by the times in the column `times`; 0: all times are equal.
 * Answers 0, or -1 when cancelled.
 */
export function pickRows(v: usize, column: usize, times: usize, last: u32, best: usize): i32 {
  const base = times ? load<i64>(times, COLUMN_BASE) : 0;
  let found = nextVector(v);
  for (; found > 0; found = nextVector(v)) {
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const rows = <usize>load<u32>(v, VECTOR_ROWS);
    const first = load<u32>(v, VECTOR_FIRST_ROW);
    const page = times ? pageAt(times, rows ? load<u32>(rows) : first) : 0;
    const encoding = page ? load<u32>(page, PAGE_ENCODING) : 0;
    const count = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < count; i++) {
      const row = rows ? load<u32>(rows + (<usize>i << 2)) : first + i;
      const slot = groups ? best + (<usize>load<u32>(groups + (<usize>i << 2)) << 4) : best;
      let time: i64 = 0;
      if (page) {
        const r = row & PAGE_MASK;
        time = encoding <= <u32>PAGE_U32
          ? base + <i64>rawAt(page, encoding, r)
          : load<i64>(page + (<usize>r << 3), PAGE_VALUES);
      }
      const before = load<u32>(slot, BEST_ROW);
      if (before) {
        const other = load<i64>(slot, BEST_TIME);
        const better = time == other ? (row + 1 > before) == (last != 0) : (time > other) == (last != 0);
        if (!better) continue;
      }
      store<i64>(slot, time, BEST_TIME);
      store<u32>(slot, row + 1, BEST_ROW);
      store<u32>(slot, <u32>column, BEST_COLUMN);
    }
  }
  return found;
}

/** Whether (time, sequence) replaces what is picked. */
@inline
function isBetter(picked: usize, time: i64, sequence: i64, last: u32): bool {
  if (!load<u32>(picked, PICKED_KIND)) return true;
  const other = load<i64>(picked, PICKED_TIME);
  if (time != other) return (time > other) == (last != 0);
  return (sequence > load<i64>(picked, PICKED_SEQUENCE)) == (last != 0);
}

/**
 * Takes the best rows of a segment over, from group `from` on. Answers the group before which the heap was full, or
 * `count` when all are done.
 */
export function keepPicked(
  best: usize, from: u32, count: u32, firstSequence: i64, last: u32, picked: usize, heap: usize,
): u32 {
  for (let group = from; group < count; group++) {
    const slot = best + <usize>group * BEST_SIZE;
    const row = load<u32>(slot, BEST_ROW);
    if (!row) continue;
    const sequence = firstSequence + <i64>(row - 1);
    const time = load<i64>(slot, BEST_TIME);
    const to = picked + <usize>group * PICKED_SIZE;
    if (!isBetter(to, time, sequence, last)) continue;
    if (!keepCell(to, load<u32>(slot, BEST_COLUMN), row - 1, heap)) return group;
    store<i64>(to, time, PICKED_TIME);
    store<i64>(to, sequence, PICKED_SEQUENCE);
  }
  return count;
}

/** The value of a row that has one. False when the heap is full. */
function keepCell(to: usize, column: usize, row: u32, heap: usize): bool {
  const page = pageAt(column, row);
  const r = row & PAGE_MASK;
  const encoding = load<u32>(page, PAGE_ENCODING);
  const lane = load<u32>(column, COLUMN_LANE);
  const wide = page + (<usize>r << 3);
  if (lane == LANE_ID) return keepBytes(to, PICKED_ID, page + PAGE_VALUES + (<usize>r << 4), 16, heap);
  if (lane == LANE_BOOLEAN) return keepBits(to, PICKED_BOOLEAN, rawAt(page, encoding, r));
  if (lane != LANE_NUMBER) {
    const entry = <usize>atomic.load<u32>(column, COLUMN_DICT) + (<usize>rawAt(page, encoding, r) << 3);
    const kind = lane == LANE_JSON ? PICKED_JSON : PICKED_STRING;
    return keepBytes(to, kind, load<u32>(entry), load<u32>(entry, 4), heap);
  }
  if (encoding <= <u32>PAGE_U32) {
    const value = load<i64>(column, COLUMN_BASE) + <i64>rawAt(page, encoding, r);
    const exponent = load<u32>(column, COLUMN_EXPONENT);
    if (!exponent) return keepBits(to, PICKED_I64, value);
    const scale = load<f64>(<usize>ROOT_POWERS_OF_TEN + (<usize>exponent << 3));
    return keepBits(to, PICKED_F64, reinterpret<u64>(<f64>value / scale));
  }
  const double =
    encoding == PAGE_F64 || (encoding == PAGE_MIXED && (<u32>load<u8>(page + (r >> 3), KINDS) >> (r & 7)) & 1);
  return keepBits(to, double ? PICKED_F64 : PICKED_I64, load<u64>(wide, PAGE_VALUES));
}

function keepBits(to: usize, kind: u32, bits: u64): bool {
  store<u64>(to, bits, PICKED_BITS);
  store<u32>(to, 0, PICKED_CAPACITY);
  store<u32>(to, kind, PICKED_KIND);
  return true;
}

/** Room that an earlier text had is used again. */
function keepBytes(to: usize, kind: u32, text: usize, length: u32, heap: usize): bool {
  let address = <usize>load<u32>(to, PICKED_BITS);
  if (load<u32>(to, PICKED_CAPACITY) < max<u32>(length, 1)) {
    const capacity = (max<u32>(length, 1) + 15) & ~15;
    address = heapTake(heap, capacity);
    if (!address) return false;
    store<u32>(to, capacity, PICKED_CAPACITY);
  }
  memory.copy(address, text, length);
  store<u32>(to, <u32>address, PICKED_BITS);
  store<u32>(to, length, PICKED_LENGTH);
  store<u32>(to, kind, PICKED_KIND);
  return true;
}

/**
 * Takes a PICKED of another query over, whose text, if it has one, is at `text`. False when the heap is full.
 */
export function mergePicked(from: usize, text: usize, last: u32, to: usize, heap: usize): bool {
  const kind = load<u32>(from, PICKED_KIND);
  const time = load<i64>(from, PICKED_TIME);
  const sequence = load<i64>(from, PICKED_SEQUENCE);
  if (!kind || !isBetter(to, time, sequence, last)) return true;
  if (kind >= <u32>PICKED_STRING) {
    if (!keepBytes(to, kind, text, load<u32>(from, PICKED_LENGTH), heap)) return false;
  } else keepBits(to, kind, load<u64>(from, PICKED_BITS));
  store<i64>(to, time, PICKED_TIME);
  store<i64>(to, sequence, PICKED_SEQUENCE);
  return true;
}

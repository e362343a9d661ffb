// The first k rows of a selection by (time, row), ascending or descending.

import {
  COLUMN_BASE, PAGE_ENCODING, PAGE_ROWS, PAGE_U32, PAGE_VALUES, TOP_ROW, TOP_SIZE, TOP_TIME,
} from "../layout";
import { rawAt } from "../filter/select";
import { pageOf } from "./keys";

/** Whether (time, row) comes before the entry at `entry`. */
@inline
function before(time: i64, row: u32, entry: usize, descending: bool): bool {
  const other = load<i64>(entry, TOP_TIME);
  if (time != other) return time < other != descending;
  return row < load<u32>(entry, TOP_ROW) != descending;
}

@inline
function put(entry: usize, time: i64, row: u32): void {
  store<i64>(entry, time, TOP_TIME);
  store<u32>(entry, row, TOP_ROW);
}

/**
 * Keeps the `limit` first of the listed rows in a heap whose root is the last of them; the heap is not sorted.
 * Only rows strictly after (`afterTime`, `afterRow`) in this order are taken. Rows are visited from the end that
 * newer rows make the better one. Answers how many entries { time i64, row u32, unused } are at `heap`.
 */
export function topTimes(
  column: usize, rows: usize, count: u32, limit: u32, descending: u32,
  afterTime: i64, afterRow: i64, heap: usize, cancel: usize,
): i32 {
  const base = load<i64>(column, COLUMN_BASE);
  const down = descending != 0;
  let size: u32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    if ((n & 0xfff) == 0 && atomic.load<u32>(cancel)) return -1;
    const row = load<u32>(rows + (<usize>(down ? count - 1 - n : n) << 2));
    const page = pageOf(column, row);
    if (!page) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const inPage = row & (PAGE_ROWS - 1);
    const time =
      encoding <= <u32>PAGE_U32
        ? base + <i64>rawAt(page, encoding, inPage)
        : load<i64>(page + (<usize>inPage << 3), PAGE_VALUES);
    const after =
      time != afterTime ? time > afterTime != down : <i64>row != afterRow && <i64>row > afterRow != down;
    if (!after) continue;
    if (size < limit) siftUp(heap, size++, time, row, down);
    else if (before(time, row, heap, down)) siftDown(heap, size, time, row, down);
  }
  return <i32>size;
}

function siftUp(heap: usize, at: u32, time: i64, row: u32, down: bool): void {
  while (at) {
    const parent = heap + <usize>((at - 1) >> 1) * TOP_SIZE;
    if (before(time, row, parent, down)) break;
    put(heap + <usize>at * TOP_SIZE, load<i64>(parent, TOP_TIME), load<u32>(parent, TOP_ROW));
    at = (at - 1) >> 1;
  }
  put(heap + <usize>at * TOP_SIZE, time, row);
}

/** Replaces the root, which is the last of the order. */
function siftDown(heap: usize, size: u32, time: i64, row: u32, down: bool): void {
  let at: u32 = 0;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= size) break;
    const left = heap + <usize>child * TOP_SIZE;
    if (child + 1 < size) {
      const right = left + TOP_SIZE;
      if (before(load<i64>(left, TOP_TIME), load<u32>(left, TOP_ROW), right, down)) child++;
    }
    const chosen = heap + <usize>child * TOP_SIZE;
    if (!before(time, row, chosen, down)) break;
    put(heap + <usize>at * TOP_SIZE, load<i64>(chosen, TOP_TIME), load<u32>(chosen, TOP_ROW));
    at = child;
  }
  put(heap + <usize>at * TOP_SIZE, time, row);
}

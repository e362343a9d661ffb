// Which rows have a value: from any of its forms to one bitmap, and from that to the pages' own.
import {
  COLUMN_PAGES,
  PAGE_COUNT,
  PAGE_ENCODING,
  PAGE_MIXED,
  PAGE_PRESENCE,
  PAGE_PRESENCE_SIZE,
  PAGE_ROWS,
  PAGE_VALUES,
} from "../layout";
import { bitmapCount, bitmapFill, bitmapSet, bitmapSize } from "../memory/bitmap";
import { CORRUPT_BOUNDS, OK } from "../status";
import { bytesFrom } from "./decoded-shape";
import {
  BLOCK_VALUES,
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_PAGES,
  COLUMN_BYTES_PRESENCE,
  COLUMN_BYTES_PRESENCE_KIND,
  COLUMN_BYTES_ROWS,
  PRESENCE_ALL,
  PRESENCE_BITMAP,
  PRESENCE_NONE,
  PRESENCE_ROWS,
} from "./format";
import { pagesOf } from "./gather";
import { isStream, readBlock } from "./packed-stream";

/** Writes the presence bitmap of a column whose header was checked. `words` has room for one block. */
export function readPresence(bytes: usize, bitmap: usize, words: usize): u32 {
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  const count = load<u32>(bytes, COLUMN_BYTES_COUNT);
  const kind = <u32>load<u8>(bytes, COLUMN_BYTES_PRESENCE_KIND);
  const size = bitmapSize(rows);
  memory.fill(bitmap, 0, size);
  if (kind == PRESENCE_ALL) bitmapFill(bitmap, 0, rows);
  else if (kind == PRESENCE_BITMAP) {
    if (bytesFrom(bytes, COLUMN_BYTES_PRESENCE) < size) return CORRUPT_BOUNDS;
    memory.copy(bitmap, bytes + load<u32>(bytes, COLUMN_BYTES_PRESENCE), size);
  } else if (kind != PRESENCE_NONE) {
    const listed = kind == PRESENCE_ROWS ? count : rows - count;
    if (!readRows(bytes, rows, listed, bitmap, words)) return CORRUPT_BOUNDS;
    if (kind != PRESENCE_ROWS) invert(bitmap, rows);
  }
  // A row listed twice, or a bit beyond the last row, shows in these counts.
  if (bitmapCount(bitmap, rows) != count || bitmapCount(bitmap, size << 3) != count)
    return CORRUPT_BOUNDS;
  return pagesOf(bitmap, rows) == load<u32>(bytes, COLUMN_BYTES_PAGES) ? OK : CORRUPT_BOUNDS;
}

function readRows(bytes: usize, rows: u32, listed: u32, bitmap: usize, words: usize): bool {
  const stream = bytes + load<u32>(bytes, COLUMN_BYTES_PRESENCE);
  if (!isStream(stream, bytesFrom(bytes, COLUMN_BYTES_PRESENCE), listed)) return false;
  for (let from: u32 = 0; from < listed; from += BLOCK_VALUES) {
    const n = min<u32>(BLOCK_VALUES, listed - from);
    readBlock<u64>(stream, from / BLOCK_VALUES, n, 0, words);
    for (let i: usize = 0; i < n; i++) {
      const row = load<u64>(words + (i << 3));
      if (row >= rows) return false;
      bitmapSet(bitmap, <u32>row);
    }
  }
  return true;
}

function invert(bitmap: usize, rows: u32): void {
  for (let row: u32 = 0; row < rows; row += 64) {
    const mask = rows - row >= 64 ? u64.MAX_VALUE : ((<u64>1) << (rows - row)) - 1;
    const at = bitmap + (row >> 3);
    store<u64>(at, ~load<u64>(at) & mask);
  }
}

/** Places the pages after the column's header, with their presence; values of pages that have gaps are zeroed. */
export function layPages(
  bytes: usize,
  bitmap: usize,
  encoding: u32,
  size: u32,
  column: usize,
  first: usize,
): void {
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  let page = first;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const n = min<u32>(PAGE_ROWS, rows - from);
    const count = bitmapCount(bitmap + (from >> 3), n);
    if (count == 0) continue;
    store<u32>(column + ((from / PAGE_ROWS) << 2), <u32>page, COLUMN_PAGES);
    // The kinds of a full page are set bit by bit, its values are all written.
    const whole = count == PAGE_ROWS && encoding != PAGE_MIXED;
    memory.fill(page, 0, whole ? PAGE_VALUES : size);
    store<u32>(page, encoding, PAGE_ENCODING);
    store<u32>(page, count, PAGE_COUNT);
    memory.copy(
      page + PAGE_PRESENCE,
      bitmap + (from >> 3),
      min<u32>(PAGE_PRESENCE_SIZE, bitmapSize(n)),
    );
    page += size;
  }
}

// Ids: from their section to the pages of a column.
import { COLUMN_PAGES, PAGE_COUNT, PAGE_PRESENCE, PAGE_ROWS, PAGE_VALUES } from "../layout";
import { CORRUPT_BOUNDS, OK } from "../status";
import { BLOCK_WORDS, bytesFrom, PAGE_COMPACT, PAGE_WORDS } from "./decoded-shape";
import {
  BLOCK_VALUES,
  COLUMN_BYTES_COUNT,
  COLUMN_BYTES_ROWS,
  COLUMN_BYTES_VALUES,
} from "./format";
import { isIds, readIdWords, writeIdsOf } from "./id-blocks";

/** Fills the pages of an id column from its raw section. */
export function fillIds(bytes: usize, column: usize): u32 {
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  if (bytesFrom(bytes, COLUMN_BYTES_VALUES) >> 4 < load<u32>(bytes, COLUMN_BYTES_COUNT))
    return CORRUPT_BOUNDS;
  let source = bytes + load<u32>(bytes, COLUMN_BYTES_VALUES);
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = <usize>load<u32>(column + ((from / PAGE_ROWS) << 2), COLUMN_PAGES);
    if (page == 0) continue;
    const n = load<u32>(page, PAGE_COUNT);
    if (n == PAGE_ROWS) memory.copy(page + PAGE_VALUES, source, (<usize>n) << 4);
    else spreadIds(page, source);
    source += (<usize>n) << 4;
  }
  return OK;
}

/** Fills the pages of an id column from its blocks, which count present rows where pages count rows. */
export function unpackIds(bytes: usize, column: usize, scratch: usize): u32 {
  const rows = load<u32>(bytes, COLUMN_BYTES_ROWS);
  const count = load<u32>(bytes, COLUMN_BYTES_COUNT);
  const section = bytes + load<u32>(bytes, COLUMN_BYTES_VALUES);
  if (!isIds(section, bytesFrom(bytes, COLUMN_BYTES_VALUES), count)) return CORRUPT_BOUNDS;
  const high = scratch + BLOCK_WORDS;
  const low = scratch + PAGE_WORDS;
  let position: u32 = 0;
  for (let from: u32 = 0; from < rows; from += PAGE_ROWS) {
    const page = <usize>load<u32>(column + ((from / PAGE_ROWS) << 2), COLUMN_PAGES);
    if (page == 0) continue;
    const n = load<u32>(page, PAGE_COUNT);
    const whole = n == PAGE_ROWS;
    const out = whole ? page + PAGE_VALUES : scratch + PAGE_COMPACT;
    for (let taken: u32 = 0; taken < n; ) {
      const at = position + taken;
      const block = at / BLOCK_VALUES;
      const begin = at % BLOCK_VALUES;
      const skipped = (<usize>begin) << 3;
      // A block that an earlier page has begun is still there; the presence bitmap before it is not needed any more.
      if (begin == 0) readIdWords(section, count, block, high, low);
      const part = min<u32>(n - taken, BLOCK_VALUES - begin);
      const to = out + ((<usize>taken) << 4);
      writeIdsOf(section, block, high + skipped, low + skipped, part, scratch, to);
      taken += part;
    }
    if (!whole) spreadIds(page, out);
    position += n;
  }
  return OK;
}

/** Spreads the ids of a page over its present rows. */
function spreadIds(page: usize, compact: usize): void {
  for (let row: u32 = 0; row < <u32>PAGE_ROWS; row += 64) {
    let bits = load<u64>(page + (row >> 3), PAGE_PRESENCE);
    while (bits != 0) {
      const at = <usize>row + <usize>ctz(bits);
      v128.store(page + PAGE_VALUES + (at << 4), v128.load(compact));
      compact += 16;
      bits &= bits - 1;
    }
  }
}

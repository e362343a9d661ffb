// Where the rows of a list are: a row list holds the numbers of selected rows, ascending, so that those of one page
// follow each other.

import { COLUMN_PAGES, PAGE_PRESENCE, PAGE_ROWS } from "../layout";

const PAGE_SHIFT: u32 = 12;

/** Index after the last row of `rows[from, count)` that lies in the page of `rows[from]`. */
@inline
export function pageEnd(rows: usize, from: u32, count: u32): u32 {
  const next = ((load<u32>(rows + (<usize>from << 2)) >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
  let low = from + 1;
  let high = min(count, from + PAGE_ROWS);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(rows + (<usize>middle << 2)) < next) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The page of a row, or 0. */
@inline
export function pageOf(column: usize, row: u32): usize {
  return <usize>load<u32>(column + COLUMN_PAGES + (<usize>(row >> PAGE_SHIFT) << 2));
}

@inline
export function isPresent(page: usize, inPage: u32): bool {
  return <bool>((load<u8>(page + PAGE_PRESENCE + <usize>(inPage >> 3)) >> (inPage & 7)) & 1);
}

import { COLUMN_PAGES, PAGE_ENCODING, PAGE_PRESENCE, PAGE_ROWS } from "../layout";
import { rawAt } from "./select";

const PAGE_WORDS: u32 = PAGE_ROWS / 64;

/** Sets the byte of each code (or boolean) that a selected row has. Answers 0, or -1 when cancelled. */
export function usedCodes(
  column: usize, words: u32, mask: usize, table: usize, cancel: usize,
): i32 {
  for (let w: u32 = 0; w < words; w++) {
    if (w % PAGE_WORDS == 0 && atomic.load<u32>(cancel)) return -1;
    const page = <usize>load<u32>(column + COLUMN_PAGES + (<usize>(w / PAGE_WORDS) << 2));
    if (!page) continue;
    const encoding = load<u32>(page, PAGE_ENCODING);
    const inPage = w % PAGE_WORDS;
    let bits =
      load<u64>(mask + (<usize>w << 3)) & load<u64>(page + PAGE_PRESENCE + (<usize>inPage << 3));
    for (; bits; bits &= bits - 1) {
      store<u8>(table + rawAt(page, encoding, (inPage << 6) + <u32>ctz<u64>(bits)), 1);
    }
  }
  return 0;
}

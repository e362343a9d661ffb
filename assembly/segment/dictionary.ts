// The dictionary of a string or json column in a hot slot: text to code, codes in order of first appearance.
//
// The hash table may be read by other threads: it begins with its own capacity, an entry is stored whole
// after the text that it leads to, and a grown table is a new one.
//
//   0 capacity u32 │ 4 zeros to 16 │ 16 capacity × { hash u32, code + 1 u32 }

import {
  COLUMN_DICT,
  COLUMN_DICT_CAPACITY,
  COLUMN_DICT_COUNT,
  COLUMN_DICT_TABLE,
  COLUMN_DICT_TABLE_CAPACITY,
} from "../layout";
import { hashBytes } from "../memory/hash";
import { aligned, equalBytes, slotTake, slotTakeText } from "./slot";

export const CODE_NONE: u32 = 0xffffffff;

const ENTRY_SIZE: u32 = 8;
const TABLE_HEADER_SIZE: u32 = 16;
const CAPACITY_FIRST: u32 = 16;

/** The capacity that holds `count` entries: a power of two. The table has twice as many places. */
@inline
function capacityFor(count: u32): u32 {
  return count <= CAPACITY_FIRST ? CAPACITY_FIRST : <u32>1 << (32 - clz(count - 1));
}

/** Bytes that `more` new entries may need besides their text; `column` 0 is one that does not exist yet. */
export function dictionaryGrowth(column: usize, more: u32): u32 {
  const count: u32 = column == 0 ? 0 : load<u32>(column, COLUMN_DICT_COUNT);
  const capacity: u32 = column == 0 ? 0 : load<u32>(column, COLUMN_DICT_CAPACITY);
  if (count + more <= capacity) return 0;
  const grown = capacityFor(count + more);
  return aligned(grown * ENTRY_SIZE) + aligned(grown * 2 * ENTRY_SIZE + TABLE_HEADER_SIZE) + 32;
}

/** Makes room for `more` entries, so that interning them never has to look again. */
export function dictionaryReserve(slot: usize, column: usize, more: u32): void {
  const count = load<u32>(column, COLUMN_DICT_COUNT);
  if (count + more <= load<u32>(column, COLUMN_DICT_CAPACITY)) return;
  const capacity = capacityFor(count + more);
  const entries = slotTake(slot, capacity * ENTRY_SIZE);
  memory.copy(entries, load<u32>(column, COLUMN_DICT), count * ENTRY_SIZE);
  const table = slotTake(slot, capacity * 2 * ENTRY_SIZE + TABLE_HEADER_SIZE);
  store<u32>(table, capacity * 2);
  tableCopy(column, table);
  atomic.store<u32>(column, <u32>entries, COLUMN_DICT);
  store<u32>(column, capacity, COLUMN_DICT_CAPACITY);
  atomic.store<u32>(column, <u32>table, COLUMN_DICT_TABLE);
  store<u32>(column, capacity * 2, COLUMN_DICT_TABLE_CAPACITY);
}

/** Enters what the column's table holds into the larger `table`; the hashes are kept, so no text is read. */
function tableCopy(column: usize, table: usize): void {
  const old = <usize>load<u32>(column, COLUMN_DICT_TABLE);
  if (old == 0) return;
  const mask = load<u32>(table) - 1;
  const end = old + TABLE_HEADER_SIZE + load<u32>(old) * ENTRY_SIZE;
  for (let from = old + TABLE_HEADER_SIZE; from < end; from += ENTRY_SIZE) {
    const entry = load<u64>(from);
    if (entry == 0) continue;
    let i = <u32>entry & mask;
    while (load<u64>(table + TABLE_HEADER_SIZE + i * ENTRY_SIZE) != 0) i = (i + 1) & mask;
    store<u64>(table + TABLE_HEADER_SIZE + i * ENTRY_SIZE, entry);
  }
}

/**
 * The code of a text, which is entered if it is new. Room was reserved.
 *
 * Publication: the text, then its entry, then the count, then the table; rows that use the code come later still.
 */
export function dictionaryIntern(slot: usize, column: usize, text: usize, length: u32): u32 {
  const hash = <u32>(hashBytes(text, length) >> 32);
  const table = <usize>load<u32>(column, COLUMN_DICT_TABLE);
  const entries = <usize>load<u32>(column, COLUMN_DICT);
  const mask = load<u32>(table) - 1;
  let place = table + TABLE_HEADER_SIZE + (hash & mask) * ENTRY_SIZE;
  const end = table + TABLE_HEADER_SIZE + (mask + 1) * ENTRY_SIZE;
  for (;;) {
    const next = load<u32>(place, 4);
    if (next == 0) break;
    if (load<u32>(place) == hash) {
      const entry = entries + (next - 1) * ENTRY_SIZE;
      if (load<u32>(entry, 4) == length && equalBytes(load<u32>(entry), text, length)) {
        return next - 1;
      }
    }
    place += ENTRY_SIZE;
    if (place == end) place = table + TABLE_HEADER_SIZE;
  }
  const code = load<u32>(column, COLUMN_DICT_COUNT);
  const copy = slotTakeText(slot, length);
  memory.copy(copy, text, length);
  store<u64>(entries + code * ENTRY_SIZE, <u64>copy | (<u64>length << 32));
  atomic.store<u32>(column, code + 1, COLUMN_DICT_COUNT);
  atomic.store<u64>(place, <u64>hash | (<u64>(code + 1) << 32));
  return code;
}

/**
 * The code of a text in the dictionary of a hot column, or CODE_NONE. Any thread may ask.
 *
 * Exactness: a text of a row that was published before the call is found.
 */
export function dictionaryFind(column: usize, text: usize, length: u32): u32 {
  const table = <usize>atomic.load<u32>(column, COLUMN_DICT_TABLE);
  if (table == 0) return CODE_NONE;
  const hash = <u32>(hashBytes(text, length) >> 32);
  const mask = load<u32>(table) - 1;
  let i = hash & mask;
  for (;;) {
    const entry = atomic.load<u64>(table + TABLE_HEADER_SIZE + i * ENTRY_SIZE);
    if (entry == 0) break;
    i = (i + 1) & mask;
    if (<u32>entry != hash) continue;
    const code = <u32>(entry >> 32) - 1;
    const known = <usize>atomic.load<u32>(column, COLUMN_DICT) + code * ENTRY_SIZE;
    if (load<u32>(known, 4) == length && equalBytes(load<u32>(known), text, length)) return code;
  }
  return CODE_NONE;
}

// A column whose rows lie in several columns, one after another: what compaction makes of adjacent segments. A slot
// that is sealed is one part, so both go the same way and give the same bytes.
//
// A part, 8 bytes: column u32 (0: none of its rows has a value) │ rows u32
import { COLUMN_DICT, COLUMN_DICT_COUNT, COLUMN_LANE } from "../layout";
import { bitmapCount, bitmapSize } from "../memory/bitmap";
import { gatherIds, gatherNumbers, gatherPresence, gatherUnsigned } from "./gather";

export const PART_SIZE: u32 = 8;

@inline
function columnOf(part: usize): usize {
  return load<u32>(part);
}

@inline
function rowsOf(part: usize): u32 {
  return load<u32>(part, 4);
}

/** Rows of all parts. */
export function partsRows(parts: usize, partCount: u32): u64 {
  let rows: u64 = 0;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) rows += rowsOf(part);
  return rows;
}

/** The lane that all columns have; u32.MAX_VALUE when there is none, or more than one. */
export function partsLane(parts: usize, partCount: u32): u32 {
  let lane = u32.MAX_VALUE;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) == 0) continue;
    const own = load<u32>(columnOf(part), COLUMN_LANE);
    if (lane != u32.MAX_VALUE && own != lane) return u32.MAX_VALUE;
    lane = own;
  }
  return lane;
}

/**
 * Writes the presence bitmap of `rows` rows, those of all parts, and answers the number of present rows. `spare` is
 * room for another bitmap.
 */
export function gatherPartsPresence(
  parts: usize,
  partCount: u32,
  rows: u32,
  bitmap: usize,
  spare: usize,
): u32 {
  memory.fill(bitmap, 0, bitmapSize(rows));
  let at: u32 = 0;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) != 0) {
      gatherPresence(columnOf(part), rowsOf(part), spare);
      appendBits(bitmap, at, spare, rowsOf(part));
    }
    at += rowsOf(part);
  }
  return bitmapCount(bitmap, rows);
}

/** Sets the bits from `at` on, which are clear, as the first `count` of `source` are; those after them are clear. */
function appendBits(target: usize, at: u32, source: usize, count: u32): void {
  const shift = <u64>(at & 63);
  let to = target + ((at >> 6) << 3);
  for (let from: u32 = 0; from < count; from += 64, to += 8) {
    const bits = load<u64>(source + (from >> 3));
    store<u64>(to, load<u64>(to) | (bits << shift));
    // Bits that reach into the next word have one: the bitmap ends after the last row.
    const carried = shift == 0 ? 0 : bits >> (64 - shift);
    if (carried != 0) store<u64>(to, load<u64>(to, 8) | carried, 8);
  }
}

/** As gatherNumbers, over all parts. */
export function gatherPartsNumbers(
  parts: usize,
  partCount: u32,
  spare: usize,
  words: usize,
  kinds: usize,
): u32 {
  let found: u32 = 0;
  let at = words;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) == 0) continue;
    const count = gatherPresence(columnOf(part), rowsOf(part), spare);
    found |= gatherNumbers(columnOf(part), rowsOf(part), spare, words, at, kinds);
    at += (<usize>count) << 3;
  }
  return found;
}

/** As gatherUnsigned, over all parts. With `coded` a part's codes follow those of the dictionaries before it. */
export function gatherPartsUnsigned(
  parts: usize,
  partCount: u32,
  coded: bool,
  spare: usize,
  words: usize,
): void {
  let base: u64 = 0;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) == 0) continue;
    gatherPresence(columnOf(part), rowsOf(part), spare);
    words = gatherUnsigned(columnOf(part), rowsOf(part), spare, base, words);
    if (coded) base += load<u32>(columnOf(part), COLUMN_DICT_COUNT);
  }
}

/** As gatherIds, over all parts. */
export function gatherPartsIds(parts: usize, partCount: u32, spare: usize, out: usize): void {
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) == 0) continue;
    gatherPresence(columnOf(part), rowsOf(part), spare);
    out = gatherIds(columnOf(part), rowsOf(part), spare, out);
  }
}

/** Entries of all dictionaries together. */
export function partsEntryCount(parts: usize, partCount: u32): u64 {
  let count: u64 = 0;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) != 0) count += load<u32>(columnOf(part), COLUMN_DICT_COUNT);
  }
  return count;
}

/** The entries of all dictionaries, one after another: written to `entries`, or where the only part has them. */
export function gatherPartsEntries(parts: usize, partCount: u32, entries: usize): usize {
  if (partCount == 1) return load<u32>(columnOf(parts), COLUMN_DICT);
  let at = entries;
  const end = parts + partCount * PART_SIZE;
  for (let part = parts; part < end; part += PART_SIZE) {
    if (columnOf(part) == 0) continue;
    const bytes = (<usize>load<u32>(columnOf(part), COLUMN_DICT_COUNT)) << 3;
    memory.copy(at, load<u32>(columnOf(part), COLUMN_DICT), bytes);
    at += bytes;
  }
  return entries;
}

import {
  BATCH_COLUMN_DICT_BYTES,
  BATCH_COLUMN_DICT_COUNT,
  BATCH_COLUMN_DICT_ENDS,
  BATCH_COLUMN_ENCODING,
  BATCH_COLUMN_KINDS,
  BATCH_COLUMN_VALUES,
  BATCH_F64,
  BATCH_I64,
  BATCH_MIXED,
} from "../layout";
import { bitmapSet, bitmapSize } from "../memory/bitmap";
import {
  CELL_F64,
  CELL_FALSE,
  CELL_I64,
  CELL_TRUE,
  COLUMN_CELLS,
  COLUMN_COUNT,
  COLUMN_FLAG_REMOVED,
  COLUMN_FLAGS,
  COLUMN_KINDS,
} from "./columns";
import { align16 } from "./state";
import { DICT_BYTES, DICT_COUNT, DICT_ENDS, DICT_PLAIN, DICT_USED, textEnd } from "./texts";

// The values of one lane of a column, from its cells to the sections of a batch. `map` is finish.ts's row map, 0
// when no row is dropped. Each function has the room that its caller has checked, and answers the address after
// what it wrote.

const NO_ROW: u32 = 0xffffffff;
const NO_CODE: u32 = 0xffffffff;

@inline
function isKept(cell: usize, map: usize): bool {
  return map == 0 || load<u32>(map + (<usize>load<u32>(cell) << 2)) != NO_ROW;
}

@inline
function cellsEnd(column: usize): usize {
  return <usize>load<u32>(column, COLUMN_CELLS) + (<usize>load<u32>(column, COLUMN_COUNT) << 4);
}

export function writeNumbers(out: usize, p: usize, descriptor: usize, column: usize, present: u32, map: usize): usize {
  store<u32>(descriptor, p - out, BATCH_COLUMN_VALUES);
  const kinds = load<u32>(column, COLUMN_KINDS);
  const end = cellsEnd(column);
  let cell = <usize>load<u32>(column, COLUMN_CELLS);
  let at = p;
  if (map == 0 && (kinds == CELL_I64 || kinds == CELL_F64)) {
    store<u8>(descriptor, kinds == CELL_I64 ? BATCH_I64 : BATCH_F64, BATCH_COLUMN_ENCODING);
    for (; cell < end; cell += 16, at += 8) store<u64>(at, load<u64>(cell, 8));
    return at;
  }
  const bits = align16(p + (<usize>present << 3));
  store<u64>(p + (<usize>present << 3), 0);
  memory.fill(bits, 0, bitmapSize(present));
  let index: u32 = 0;
  let doubles: u32 = 0;
  for (; cell < end; cell += 16) {
    const kind = load<u32>(cell, 4);
    if ((kind & (CELL_I64 | CELL_F64)) == 0 || !isKept(cell, map)) continue;
    store<u64>(at, load<u64>(cell, 8));
    at += 8;
    if (kind == CELL_F64) {
      bitmapSet(bits, index);
      doubles++;
    }
    index++;
  }
  const mixed = doubles != 0 && doubles != present;
  store<u8>(descriptor, mixed ? BATCH_MIXED : doubles == 0 ? BATCH_I64 : BATCH_F64, BATCH_COLUMN_ENCODING);
  if (!mixed) return at;
  store<u32>(descriptor, bits - out, BATCH_COLUMN_KINDS);
  return bits + bitmapSize(present);
}

export function writeBooleans(out: usize, p: usize, descriptor: usize, column: usize, map: usize): usize {
  store<u32>(descriptor, p - out, BATCH_COLUMN_VALUES);
  const end = cellsEnd(column);
  for (let cell = <usize>load<u32>(column, COLUMN_CELLS); cell < end; cell += 16) {
    const kind = load<u32>(cell, 4);
    if ((kind & (CELL_FALSE | CELL_TRUE)) == 0 || !isKept(cell, map)) continue;
    store<u8>(p++, kind == CELL_TRUE ? 1 : 0);
  }
  return p;
}

@inline
function widthFor(entries: u32, present: u32): u32 {
  if (entries == present) return 0; // every text is new, so its code is its place
  return entries <= 256 ? 1 : entries <= 65536 ? 2 : 4;
}

@inline
function storeCode(at: usize, width: u32, code: u32): void {
  if (width == 1) store<u8>(at, code);
  else if (width == 2) store<u16>(at, code);
  else store<u32>(at, code);
}

/** Codes and dictionary; 0 when they do not fit before `limit`. */
export function writeTexts(
  out: usize,
  p: usize,
  limit: usize,
  descriptor: usize,
  column: usize,
  dictionary: usize,
  kinds: u32,
  present: u32,
  map: usize,
): usize {
  const entries = load<u32>(dictionary, DICT_COUNT);
  const used = load<u32>(dictionary, DICT_USED);
  // Codes, ends, bytes, and at the far end the new code of each entry.
  const most = <u64>present * 8 + <u64>entries * 8 + used + 256;
  if (<u64>p + most > <u64>limit) return 0;
  const isWhole = map == 0 && (load<u32>(column, COLUMN_FLAGS) & COLUMN_FLAG_REMOVED) == 0;
  if (!isWhole) return writeKeptTexts(out, p, limit, descriptor, column, dictionary, kinds, present, map);
  const width = load<u32>(dictionary, DICT_PLAIN) != 0 ? 0 : widthFor(entries, present);
  store<u8>(descriptor, width, BATCH_COLUMN_ENCODING);
  if (width != 0) {
    store<u32>(descriptor, p - out, BATCH_COLUMN_VALUES);
    p = writeCodes(p, column, kinds, width);
  }
  store<u32>(descriptor, entries, BATCH_COLUMN_DICT_COUNT);
  store<u32>(descriptor, p - out, BATCH_COLUMN_DICT_ENDS);
  memory.copy(p, load<u32>(dictionary, DICT_ENDS), <usize>entries << 2);
  p = padZeros(p + (<usize>entries << 2));
  store<u32>(descriptor, p - out, BATCH_COLUMN_DICT_BYTES);
  memory.copy(p, load<u32>(dictionary, DICT_BYTES), used);
  return padZeros(p + used);
}

@inline
function padZeros(p: usize): usize {
  v128.store(p, i64x2.splat(0));
  return align16(p);
}

/** The codes of all cells of the lane, as they are. */
function writeCodes(p: usize, column: usize, kinds: u32, width: u32): usize {
  const end = cellsEnd(column);
  let cell = <usize>load<u32>(column, COLUMN_CELLS);
  if (load<u32>(column, COLUMN_KINDS) != kinds) {
    for (; cell < end; cell += 16) {
      if ((load<u32>(cell, 4) & kinds) == 0) continue;
      storeCode(p, width, load<u32>(cell, 8));
      p += width;
    }
  } else if (width == 1) {
    for (; cell < end; cell += 16) store<u8>(p++, load<u32>(cell, 8));
  } else if (width == 2) {
    for (; cell < end; cell += 16, p += 2) store<u16>(p, load<u32>(cell, 8));
  } else {
    for (; cell < end; cell += 16, p += 4) store<u32>(p, load<u32>(cell, 8));
  }
  return padZeros(p);
}

/** Codes and dictionary of the kept cells alone: entries are numbered again in the order of their first use. */
function writeKeptTexts(
  out: usize,
  p: usize,
  limit: usize,
  descriptor: usize,
  column: usize,
  dictionary: usize,
  kinds: u32,
  present: u32,
  map: usize,
): usize {
  const entries = load<u32>(dictionary, DICT_COUNT);
  const codes = (limit - (<usize>entries << 2)) & ~(<usize>15);
  memory.fill(codes, 0xff, <usize>entries << 2);
  const begin = <usize>load<u32>(column, COLUMN_CELLS);
  const end = cellsEnd(column);
  let count: u32 = 0;
  for (let cell = begin; cell < end; cell += 16) {
    if ((load<u32>(cell, 4) & kinds) == 0 || !isKept(cell, map)) continue;
    const code = codes + (<usize>load<u32>(cell, 8) << 2);
    if (load<u32>(code) == NO_CODE) store<u32>(code, count++);
  }
  const width = widthFor(count, present);
  store<u8>(descriptor, width, BATCH_COLUMN_ENCODING);
  if (width != 0) {
    store<u32>(descriptor, p - out, BATCH_COLUMN_VALUES);
    for (let cell = begin; cell < end; cell += 16) {
      if ((load<u32>(cell, 4) & kinds) == 0 || !isKept(cell, map)) continue;
      storeCode(p, width, load<u32>(codes + (<usize>load<u32>(cell, 8) << 2)));
      p += width;
    }
    p = padZeros(p);
  }
  store<u32>(descriptor, count, BATCH_COLUMN_DICT_COUNT);
  store<u32>(descriptor, p - out, BATCH_COLUMN_DICT_ENDS);
  const ends = p;
  const texts = padZeros(p + (<usize>count << 2));
  store<u32>(descriptor, texts - out, BATCH_COLUMN_DICT_BYTES);
  let at = texts;
  let next: u32 = 0;
  for (let cell = begin; cell < end && next < count; cell += 16) {
    if ((load<u32>(cell, 4) & kinds) == 0 || !isKept(cell, map)) continue;
    const code = load<u32>(cell, 8);
    if (load<u32>(codes + (<usize>code << 2)) != next) continue;
    const from = code == 0 ? 0 : textEnd(dictionary, code - 1);
    const length = textEnd(dictionary, code) - from;
    memory.copy(at, <usize>load<u32>(dictionary, DICT_BYTES) + from, length);
    at += length;
    store<u32>(ends + (<usize>next << 2), <u32>(at - texts));
    next++;
  }
  return padZeros(at);
}

// Quantiles: DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
// guarantees", VLDB 2019), with the logarithm interpolated linearly between powers of two.
//
// A double's bin is its sign, its exponent and the first 6 bits of its fraction: 64 bins an octave, so that a bin
// [a, b) has b / a <= 65 / 64, and its value 2ab / (a + b) is off by at most 1/129 of any number in it. Zero and
// numbers below 2^-1022 share the bin 0.
//
// A group's first bins are cells of a table that all groups share. When it has a number of cells (`limit`, at most
// SPARSE_MAX) it gets an array of counts for the 32 octaves around the number that came then; what lies outside goes
// on being cells. Without a limit it gets the array at once.
//
//   array   0 number of its first bin u32 │ 4 zeros to 16 │ 16 ARRAY_BINS × count u32

import { CELL_COUNT, VECTOR_COUNT, VECTOR_GROUPS, VECTOR_VALUES } from "../layout";
import { heapFull, heapTake } from "./heap";
import { cellOf, hasRoom, heldVector } from "./table";

const SPARSE_MAX: u32 = 64;
const OCTAVE: u32 = 64;
const ARRAY_OCTAVES: u32 = 32;
const ARRAY_BINS: u32 = ARRAY_OCTAVES * OCTAVE;
const ARRAY_HEADER: u32 = 16;
/** The first bin of negative numbers. */
const NEGATIVE: u32 = 0x20000;

/**
 * Adds the numbers of a column, as doubles. `arrays` has a u32 a group: the address of its array, or, up to `limit`,
 * how many cells it has. Answers 0, -1 when cancelled, 1 when the table must be larger, 2 when the heap must be.
 */
export function addSketch(v: usize, arrays: usize, limit: u32, table: usize, heap: usize): i32 {
  let found = heldVector(v);
  for (; found > 0; found = heldVector(v)) {
    if (!hasRoom(v, table)) return 1;
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    for (let i: u32 = 0; i < count; i++) {
      const bin = <u32>(load<u64>(values + (<usize>i << 3)) >> 46);
      const group = groups ? load<u32>(groups + (<usize>i << 2)) : 0;
      const array = <usize>load<u32>(arrays + (<usize>group << 2));
      if (array > <usize>SPARSE_MAX) {
        const offset = bin - load<u32>(array);
        if (offset < ARRAY_BINS) {
          const at = array + (<usize>offset << 2);
          store<u32>(at, load<u32>(at, ARRAY_HEADER) + 1, ARRAY_HEADER);
          continue;
        }
      }
      addBin(bin, group, 1, arrays, limit, table, heap);
    }
    if (heapFull(heap)) return 2;
  }
  return found;
}

function addBin(
  bin: u32, group: u32, count: u64, arrays: usize, limit: u32, table: usize, heap: usize,
): void {
  if ((bin & (NEGATIVE - 1)) < OCTAVE) bin = 0;
  const slot = arrays + (<usize>group << 2);
  if (!limit && bin && !load<u32>(slot) && count <= <u64>u32.MAX_VALUE) {
    const array = openArray(bin, slot, heap);
    if (array) {
      store<u32>(array + (<usize>(bin - load<u32>(array)) << 2), <u32>count, ARRAY_HEADER);
      return;
    }
  }
  const cell = cellOf(table, group, bin);
  const before = load<u64>(cell, CELL_COUNT);
  store<u64>(cell, before + count, CELL_COUNT);
  const cells = load<u32>(slot);
  if (cells < limit) {
    if (!before) store<u32>(slot, cells + 1);
  } else if (cells <= SPARSE_MAX && bin) {
    // Of a cell that is known, too: the heap may have been full when the group came to its limit.
    openArray(bin, slot, heap);
  }
}

/** The array of a group, around its bin; 0 when the heap is full. */
function openArray(bin: u32, slot: usize, heap: usize): usize {
  const array = heapTake(heap, ARRAY_HEADER + ARRAY_BINS * 4);
  if (!array) return 0;
  memory.fill(array, 0, ARRAY_HEADER + ARRAY_BINS * 4);
  // Not below the first bin of its sign, which is not that of zero either.
  const lowest = (bin & NEGATIVE) + OCTAVE;
  const octave = bin & ~(OCTAVE - 1);
  const below = (ARRAY_OCTAVES / 2) * OCTAVE;
  store<u32>(array, octave >= lowest + below ? octave - below : lowest);
  store<u32>(slot, <u32>array);
  return array;
}

/** Adds `count` pairs { bin u32, unused u32, count u64 } to a group, in its array where they fit. */
export function mergeBins(bins: usize, count: u32, group: u32, arrays: usize, table: usize, heap: usize): void {
  for (const end = bins + (<usize>count << 4); bins < end; bins += 16) {
    const bin = load<u32>(bins);
    const more = load<u64>(bins, 8);
    const array = <usize>load<u32>(arrays + (<usize>group << 2));
    if (array > <usize>SPARSE_MAX) {
      const offset = bin - load<u32>(array);
      if (offset < ARRAY_BINS) {
        const at = array + (<usize>offset << 2);
        const sum = <u64>load<u32>(at, ARRAY_HEADER) + more;
        if (sum <= <u64>u32.MAX_VALUE) {
          store<u32>(at, <u32>sum, ARRAY_HEADER);
          continue;
        }
      }
    }
    addBin(bin, group, more, arrays, SPARSE_MAX, table, heap);
  }
}

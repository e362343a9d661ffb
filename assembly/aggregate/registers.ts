// HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) of 2^14 registers over 64-bit hashes, as in HyperLogLog++
// (Heule, Nunkesser, Hall 2013): a group's first registers are cells of a table that all groups share; when it has
// a number of them (`limit`, at most SPARSE_MAX) it gets an array of bytes. A register holds the highest rank of
// all hashes that begin with its number, so the registers are the same however the rows are parted.
//
// A PACKED hash is register << 8 | rank. Texts of a dictionary are hashed once a segment, not once a row.

import {
  CELL_COUNT, VECTOR_CODES, VECTOR_COUNT, VECTOR_F64, VECTOR_GROUPS, VECTOR_I64, VECTOR_KIND, VECTOR_VALUES,
} from "../layout";
import { hashBytes, mix64 } from "../memory/hash";
import { heapFull, heapTake } from "./heap";
import { cellOf, hasRoom, heldVector } from "./table";

const PRECISION: u64 = 14;
const REGISTERS: u32 = 1 << 14;
const SPARSE_MAX: u32 = 512;

@inline
function packed(hash: u64): u32 {
  const rank = <u32>clz<u64>((hash << PRECISION) | ((<u64>1 << PRECISION) - 1)) + 1;
  return (<u32>(hash >> (64 - PRECISION)) << 8) | rank;
}

/** `seed` tells lanes apart: the text 1 and the number 1 are two values. */
@inline
function packedText(text: usize, length: u32, seed: u64): u32 {
  return packed(mix64(hashBytes(text, length) ^ seed));
}

/** An integer, or a double that is one, is the same number. */
@inline
function packedNumber(bits: u64, double: bool): u32 {
  if (double) {
    const value = reinterpret<f64>(bits);
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 && Math.trunc(value) == value) {
      return packed(mix64(<u64><i64>value + 1));
    }
    return packed(mix64(mix64(bits ^ 0x6e756d626572)));
  }
  return packed(mix64(bits + 1));
}

/** Packed hashes of the texts of the codes [from, count), u32 each. */
export function hashTexts(entries: usize, from: u32, count: u32, seed: u32, out: usize): void {
  for (let i = from; i < count; i++) {
    const entry = entries + (<usize>i << 3);
    store<u32>(out + (<usize>i << 2), packedText(load<u32>(entry), load<u32>(entry, 4), seed));
  }
}

/**
 * Adds the values of a column. `hashes` has the packed hash of each code, or is 0: the texts of `entries` are hashed
 * row by row then, and where that is 0 too, codes are booleans. `arrays` has a u32 a group: the address of
 * its registers, or, up to `limit`, how many cells it has. Answers 0, -1 when cancelled, 1 when the table
 * must be larger, 2 when the heap must be.
 */
export function addRegisters(
  v: usize, hashes: usize, entries: usize, seed: u32, arrays: usize, limit: u32, table: usize, heap: usize,
): i32 {
  let found = heldVector(v);
  for (; found > 0; found = heldVector(v)) {
    if (!hasRoom(v, table)) return 1;
    const kind = load<u32>(v, VECTOR_KIND);
    const groups = <usize>load<u32>(v, VECTOR_GROUPS);
    const values = <usize>load<u32>(v, VECTOR_VALUES);
    const count = load<u32>(v, VECTOR_COUNT);
    if (kind == VECTOR_CODES && hashes) {
      // Most of the time goes here.
      for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
        const hash = load<u32>(hashes + (<usize>load<u32>(values + i) << 2));
        raise(hash, groups ? load<u32>(groups + i) : 0, arrays, limit, table, heap);
      }
    } else for (let i: u32 = 0; i < count; i++) {
      let hash: u32;
      if (kind == VECTOR_CODES) {
        const code = load<u32>(values + (<usize>i << 2));
        const entry = entries + (<usize>code << 3);
        if (entries) hash = packedText(load<u32>(entry), load<u32>(entry, 4), seed);
        else hash = packed(mix64(<u64>code ^ 0x626f6f6c65616e));
      } else if (kind == VECTOR_I64 || kind == VECTOR_F64) {
        hash = packedNumber(load<u64>(values + (<usize>i << 3)), kind == VECTOR_F64);
      } else hash = packedText(values + (<usize>i << 4), 16, seed);
      raise(hash, groups ? load<u32>(groups + (<usize>i << 2)) : 0, arrays, limit, table, heap);
    }
    if (heapFull(heap)) return 2;
  }
  return found;
}

@inline
function raise(hash: u32, group: u32, arrays: usize, limit: u32, table: usize, heap: usize): void {
  const array = <usize>load<u32>(arrays + (<usize>group << 2));
  if (array > <usize>SPARSE_MAX) {
    const register = array + <usize>(hash >> 8);
    if (<u32>load<u8>(register) < (hash & 0xff)) store<u8>(register, hash);
  } else raiseCell(hash, group, arrays, limit, table, heap);
}

function raiseCell(hash: u32, group: u32, arrays: usize, limit: u32, table: usize, heap: usize): void {
  const slot = arrays + (<usize>group << 2);
  if (!limit && !load<u32>(slot)) {
    const array = openArray(slot, heap);
    if (array) {
      store<u8>(array + <usize>(hash >> 8), hash);
      return;
    }
  }
  const cell = cellOf(table, group, hash >> 8);
  const before = load<u64>(cell, CELL_COUNT);
  const rank = <u64>(hash & 0xff);
  if (rank > before) store<u64>(cell, rank, CELL_COUNT);
  if (before) return;
  const cells = load<u32>(slot);
  if (cells < limit) store<u32>(slot, cells + 1);
  else if (cells <= SPARSE_MAX) openArray(slot, heap);
}

/** The registers of a group; 0 when the heap is full. */
function openArray(slot: usize, heap: usize): usize {
  const array = heapTake(heap, REGISTERS);
  if (!array) return 0;
  memory.fill(array, 0, REGISTERS);
  store<u32>(slot, <u32>array);
  return array;
}

/** Adds `count` packed hashes to a group. The table has room. */
export function mergeRegisters(
  hashes: usize, count: u32, group: u32, arrays: usize, table: usize, heap: usize,
): void {
  for (const end = hashes + (<usize>count << 2); hashes < end; hashes += 4) {
    raise(load<u32>(hashes), group, arrays, SPARSE_MAX, table, heap);
  }
}

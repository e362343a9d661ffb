// Hash tables in working memory, which grow when a kernel says so. See assembly/aggregate/table.ts and texts.ts.

import {
  CELL_COUNT,
  CELL_GROUP,
  CELL_NUMBER,
  CELL_SIZE,
  MEMBER_SIZE,
  TABLE_MASK,
  TABLE_SIZE,
  TABLE_SLOTS,
  TABLE_USED,
  TALLY_SIZE,
  TEXTS_CAPACITY,
  TEXTS_COUNT,
  TEXTS_ENTRIES,
  TEXTS_MASK,
  TEXTS_SIZE,
  TEXTS_SLOTS,
  VECTOR_COUNT,
} from "../../core/layout.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { countAt } from "./states.ts";

const slotsMin = 256;
const smallSlotsMin = 32;

export type Slots = "cells" | "members" | "tallies";

const sizes = { cells: CELL_SIZE, members: MEMBER_SIZE, tallies: TALLY_SIZE } as const;

/** A table of CELLs, MEMBERs or TALLYs, which have `size` bytes each. */
export class HashTable {
  readonly #run: QueryRun;
  readonly #kernels: AggregateKernels;
  readonly size: number;
  #address = 0;

  readonly #slots: Slots;
  readonly #first: number;

  /** `isSmall`: it begins with room for few entries. */
  constructor(run: QueryRun, slots: Slots, isSmall = false) {
    this.#run = run;
    this.#kernels = aggregateKernels(run.core);
    this.#slots = slots;
    this.#first = isSmall ? smallSlotsMin : slotsMin;
    this.size = sizes[slots];
  }

  /** Address of its TABLE. */
  get address(): number {
    if (this.#address === 0) {
      this.#address = this.#run.scratch.keep(TABLE_SIZE);
      this.#set(TABLE_USED, 0);
      this.#fresh(this.#first);
    }
    return this.#address;
  }

  get used(): number {
    return this.#address === 0 ? 0 : this.#word(TABLE_USED);
  }

  get slots(): number {
    return this.#address === 0 ? 0 : this.#word(TABLE_MASK) + 1;
  }

  /** Address of a slot. */
  at(slot: number): number {
    return this.#word(TABLE_SLOTS) + slot * this.size;
  }

  #word(offset: number): number {
    return this.#run.core.u32[(this.#address + offset) >>> 2] as number;
  }

  #set(offset: number, value: number): void {
    this.#run.core.u32[(this.#address + offset) >>> 2] = value;
  }

  #fresh(slots: number): void {
    const { core, scratch } = this.#run;
    const address = scratch.keep(slots * this.size);
    core.u8.fill(0, address, address + slots * this.size);
    this.#set(TABLE_MASK, slots - 1);
    this.#set(TABLE_SLOTS, address);
  }

  /** Makes room for `more` entries, and twice what there is now. */
  grow(more: number): void {
    const [table, used] = [this.address, this.used];
    let slots = this.slots;
    if (used + more <= (slots >>> 3) * 5) return;
    const [from, count] = [this.#word(TABLE_SLOTS), slots];
    while (used + more > (slots >>> 3) * 5) slots *= 2;
    this.#fresh(slots);
    this.#set(TABLE_USED, 0);
    if (this.#slots === "cells") this.#kernels.rehashCells(from, count, table);
    else this.#kernels.rehashMembers(from, count, this.size, table);
  }

  /** As if nothing had ever been in it; its memory stays. */
  clear(): void {
    const first = this.at(0);
    this.#run.core.u8.fill(0, first, first + this.slots * this.size);
    this.#set(TABLE_USED, 0);
  }
}

/**
 * Calls a kernel until it is done. It answers 1 when the table must have room for what waits in the vector, 2 when
 * the heap was full; negative numbers say that it was cancelled.
 */
export function runGrowing(
  run: QueryRun,
  vector: number,
  table: HashTable,
  heap: Heap,
  kernel: () => number,
): void {
  for (let answer = finished(kernel()); answer !== 0; answer = finished(kernel())) {
    if (answer === 1) table.grow(run.core.u32[(vector + VECTOR_COUNT) >>> 2] as number);
    else heap.grow();
  }
}

/** The cells of a table by group: those of group g are the indexes [starts[g], starts[g + 1]). */
export interface CellsByGroup {
  readonly starts: Uint32Array;
  readonly numbers: Uint32Array;
  readonly counts: Float64Array;
}

export function cellsByGroup(run: QueryRun, table: HashTable, groupCount: number): CellsByGroup {
  const { u32 } = run.core;
  const starts = new Uint32Array(groupCount + 2);
  const slots = table.used === 0 ? 0 : table.slots;
  for (let slot = 0; slot < slots; slot++) {
    const cell = table.at(slot) >>> 2;
    if (u32[cell + CELL_COUNT / 4] === 0 && u32[cell + CELL_COUNT / 4 + 1] === 0) continue;
    const group = u32[cell + CELL_GROUP / 4] as number;
    starts[group + 2] = (starts[group + 2] as number) + 1;
  }
  for (let g = 2; g < starts.length; g++) {
    starts[g] = (starts[g] as number) + (starts[g - 1] as number);
  }
  const numbers = new Uint32Array(table.used);
  const counts = new Float64Array(table.used);
  for (let slot = 0; slot < slots; slot++) {
    const address = table.at(slot);
    const count = countAt(run, address + CELL_COUNT);
    if (count === 0) continue;
    // After this loop, starts[g + 1] is where group g ends.
    const group = (u32[(address + CELL_GROUP) >>> 2] as number) + 1;
    const index = starts[group] as number;
    starts[group] = index + 1;
    numbers[index] = u32[(address + CELL_NUMBER) >>> 2] as number;
    counts[index] = count;
  }
  return { starts, numbers, counts };
}

/** Texts of a query, each once. */
export class Texts {
  readonly #run: QueryRun;
  readonly #kernels: AggregateKernels;
  readonly heap: Heap;
  readonly #bytes: Buffer;
  #address = 0;

  constructor(run: QueryRun) {
    this.#run = run;
    this.#kernels = aggregateKernels(run.core);
    this.heap = new Heap(run);
    this.#bytes = Buffer.from(run.core.memory.buffer as unknown as ArrayBuffer);
  }

  /** Address of its TEXTS. */
  get address(): number {
    if (this.#address === 0) this.grow(slotsMin);
    return this.#address;
  }

  #format(): void {
    const { scratch, core } = this.#run;
    this.#address = scratch.keep(TEXTS_SIZE);
    core.u8.fill(0, this.#address, this.#address + TEXTS_SIZE);
  }

  get count(): number {
    return this.#address === 0 ? 0 : this.#word(TEXTS_COUNT);
  }

  #word(offset: number): number {
    return this.#run.core.u32[(this.#address + offset) >>> 2] as number;
  }

  #set(offset: number, value: number): void {
    this.#run.core.u32[(this.#address + offset) >>> 2] = value;
  }

  /** Makes room for `more` texts, and twice what there is now. */
  grow(more: number): void {
    const { scratch, core } = this.#run;
    if (this.#address === 0) this.#format();
    const count = this.#word(TEXTS_COUNT);
    let capacity = Math.max(slotsMin, this.#word(TEXTS_CAPACITY));
    while (capacity < count + more) capacity *= 2;
    if (capacity === this.#word(TEXTS_CAPACITY)) return;
    const entries = scratch.keep(capacity * 16);
    const old = this.#word(TEXTS_ENTRIES);
    core.u8.copyWithin(entries, old, old + count * 16);
    const slots = scratch.keep(capacity * 2 * 4);
    core.u32.fill(0, slots >>> 2, (slots >>> 2) + capacity * 2);
    this.#set(TEXTS_ENTRIES, entries);
    this.#set(TEXTS_CAPACITY, capacity);
    this.#set(TEXTS_SLOTS, slots);
    this.#set(TEXTS_MASK, capacity * 2 - 1);
    this.#kernels.rehashTexts(this.#address);
  }

  /** Writes the index of each code's text to `indexes` where the code's byte in `used` is set. */
  intern(entries: number, count: number, used: number, indexes: number): void {
    const table = this.address;
    const heap = this.heap.address;
    let from = 0;
    while (true) {
      from = this.#kernels.internTexts(entries, from, count, used, indexes, table, heap);
      if (from === count) return;
      if (this.#word(TEXTS_COUNT) === this.#word(TEXTS_CAPACITY)) this.grow(1);
      else this.heap.grow();
    }
  }

  /** Makes room when a kernel found none: for a text, or for its bytes. */
  growOne(): void {
    if (this.count === this.#word(TEXTS_CAPACITY)) this.grow(1);
    else this.heap.grow();
  }

  /** The index of a text that is in scratch. */
  internOne(address: number, length: number): number {
    while (true) {
      const index = this.#kernels.intern(address, length, this.address, this.heap.address);
      if (index >= 0) return index;
      if (this.#word(TEXTS_COUNT) === this.#word(TEXTS_CAPACITY)) this.grow(1);
      else this.heap.grow();
    }
  }

  /** Bytes of a text, in shared memory. */
  bytes(index: number): Buffer {
    const { u32 } = this.#run.core;
    const entry = (this.#word(TEXTS_ENTRIES) + index * 16) >>> 2;
    const address = u32[entry] as number;
    return this.#bytes.subarray(address, address + (u32[entry + 1] as number));
  }
}

// quantile: DDSketch with 64 bins an octave, so that an answer is off by at most 1/129 (0.78 %) of the exact one,
// which is the value at index floor(q (n - 1)) of the n in order. Zero and numbers nearer to it than 2^-1022 are
// one bin, whose value is 0. Of each sign the 2,048 bins farthest from zero are kept, a range of 32 octaves: what
// is nearer is counted in the last of them, so that quantiles which fall there are only bounds. Integers are taken
// as doubles.
//
// A bin is the first 18 bits of a double: sign, exponent, and 6 bits of the fraction. Merging adds counts, so that
// any split of the rows gives the same bytes.
//
// Partial:  0 tag u8 = 0x05 │ then of each group: bins u32, bins × { bin u32, 0 u32, count u64 }, ascending by value

import { LANE_NUMBER, VECTOR_WANT_F64 } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates, groupsEnd } from "./states.ts";
import { type CellsByGroup, cellsByGroup, HashTable, runGrowing } from "./tables.ts";
import { openVector } from "./vectors.ts";

const tag = 0x05;
const sparseMax = 64;
/** So many groups get their arrays at once. */
const fewGroups = 256;
const arrayBins = 2048;
const arrayHeader = 16;
const arraySize = arrayHeader + arrayBins * 4;
const negative = 0x20000;
const binsMax = 2048;

/** Bins of one group, ascending by value; `order` is the bin, or minus its distance from the first negative one. */
interface Bins {
  readonly orders: number[];
  readonly counts: number[];
}

export class QuantileState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  /** By group: the address of its array of counts, or how many cells it has. */
  readonly #arrays: GroupStates;
  readonly #table: HashTable;
  readonly #heap: Heap;
  #cells: CellsByGroup | undefined;
  /** Groups whose arrays the heap was made room for. */
  #reserved = 0;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#arrays = new GroupStates(context.run, 4);
    this.#table = new HashTable(context.run, "cells", context.small);
    this.#heap = context.small
      ? new Heap(context.run, arraySize, 8 * arraySize)
      : new Heap(context.run, 16 * arraySize);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const arrays = this.#arrays.room(rows.groupCount);
    const limit = rows.groupCount <= fewGroups && !this.#context.small ? 0 : sparseMax;
    if (limit === 0 && rows.groupCount > this.#reserved) {
      this.#heap.reserve((rows.groupCount - this.#reserved) * arraySize);
      this.#reserved = rows.groupCount;
    }
    this.#cells = undefined;
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NUMBER) continue;
      const vector = openVector(run, rows, address, VECTOR_WANT_F64);
      const [table, heap] = [this.#table.address, this.#heap.address];
      runGrowing(run, vector, this.#table, this.#heap, () =>
        this.#kernels.addSketch(vector, arrays, limit, table, heap),
      );
    }
    run.scratch.release(mark);
  }

  finish({ parameters }: Aggregate): (group: number) => Value {
    const fraction = parameters[0] as number;
    return (group) => {
      const { array, zeros } = this.#arrayOnly(group);
      if (array !== 0) return quantileOfArray(this.#context.run.core.u32, array, zeros, fraction);
      const { orders, counts } = this.#bins(group);
      if (counts.length === 0) return null;
      let total = 0;
      for (let at = 0; at < counts.length; at++) total += counts[at] as number;
      let left = Math.floor(fraction * (total - 1));
      let i = 0;
      while (i < counts.length - 1 && left >= (counts[i] as number)) left -= counts[i++] as number;
      return binValue(orders[i] as number);
    };
  }

  /** The group's array, or 0 where there is more of it than zeros and numbers of the array, none being negative. */
  #arrayOnly(group: number): { array: number; zeros: number } {
    const { run } = this.#context;
    this.#cells ??= cellsByGroup(run, this.#table, this.#arrays.capacity);
    const { starts, numbers, counts } = this.#cells;
    const slot = this.#arrays.at(group);
    const array = slot === 0 ? 0 : (run.core.u32[slot >>> 2] as number);
    const from = starts[group] ?? 0;
    const cells = (starts[group + 1] ?? from) - from;
    const plain = cells === 0 || (cells === 1 && numbers[from] === 0);
    const positive =
      array > sparseMax && (run.core.u32[array >>> 2] as number) + arrayBins <= negative;
    if (!plain || !positive) return { array: 0, zeros: 0 };
    return { array, zeros: cells === 0 ? 0 : (counts[from] as number) };
  }

  /** What the group's cells and its array have, the bins nearest to zero joined. */
  #bins(group: number): Bins {
    const { run } = this.#context;
    this.#cells ??= cellsByGroup(run, this.#table, this.#arrays.capacity);
    const { starts, numbers, counts } = this.#cells;
    const cells: Bins = { orders: [], counts: [] };
    const from = starts[group] ?? 0;
    const to = starts[group + 1] ?? from;
    if (to > from) {
      const sorted = Array.from({ length: to - from }, (_, i) => from + i).sort(
        (a, b) => orderOf(numbers[a] as number) - orderOf(numbers[b] as number),
      );
      for (const i of sorted) addBin(cells, orderOf(numbers[i] as number), counts[i] as number);
    }
    const slot = this.#arrays.at(group);
    const array = slot === 0 ? 0 : (run.core.u32[slot >>> 2] as number);
    if (array <= sparseMax) return joined(cells);
    return joined(merged(binsOf(run.core.u32, array), cells));
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#arrays.room(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const { orders, counts } = this.#bins(group);
      out.u32(orders.length);
      for (let i = 0; i < orders.length; i++) {
        const order = orders[i] as number;
        const count = counts[i] as number;
        out.u32(order < 0 ? negative - order : order);
        out.u32(0);
        out.u32(count >>> 0);
        out.u32(Math.floor(count / 2 ** 32));
      }
    }
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "quantile");
    const { core, scratch } = this.#context.run;
    const arrays = this.#arrays.room(groupsEnd(groups));
    this.#cells = undefined;
    const mark = scratch.mark();
    for (const group of groups) {
      const count = partials.u32();
      const bytes = partials.raw(count * 16);
      const from = scratch.take(bytes.length);
      core.u8.set(bytes, from);
      this.#table.grow(count);
      const [table, heap] = [this.#table.address, this.#heap.address];
      this.#kernels.mergeBins(from, count, group, arrays, table, heap);
      if (this.#heap.missing) this.#heap.grow();
      scratch.release(mark);
    }
  }
}

function orderOf(bin: number): number {
  return bin >= negative ? negative - bin : bin;
}

/** Adds to the end, or to what is there already. */
function addBin(bins: Bins, order: number, count: number): void {
  const last = bins.orders.length - 1;
  if (last >= 0 && bins.orders[last] === order) {
    bins.counts[last] = (bins.counts[last] as number) + count;
  } else {
    bins.orders.push(order);
    bins.counts.push(count);
  }
}

/** The bins that an array counts, ascending by value: those of negative numbers fall as their bins rise. */
function binsOf(u32: Uint32Array, array: number): Bins {
  const first = u32[array >>> 2] as number;
  const at = (array + arrayHeader) >>> 2;
  const bins: Bins = { orders: [], counts: [] };
  const positives = Math.min(arrayBins, Math.max(0, negative - first));
  for (let i = arrayBins - 1; i >= positives; i--) {
    const count = u32[at + i] as number;
    if (count > 0) addBin(bins, orderOf(first + i), count);
  }
  for (let i = 0; i < positives; i++) {
    const count = u32[at + i] as number;
    if (count > 0) addBin(bins, first + i, count);
  }
  return bins;
}

/** As the bins of the array say, without a list of them. */
function quantileOfArray(u32: Uint32Array, array: number, zeros: number, fraction: number): Value {
  const at = (array + arrayHeader) >>> 2;
  let total = zeros;
  let last = 0;
  for (let i = 0; i < arrayBins; i++) {
    const count = u32[at + i] as number;
    total += count;
    if (count > 0) last = i;
  }
  let left = Math.floor(fraction * (total - 1));
  if (left < zeros) return 0;
  left -= zeros;
  let i = 0;
  while (i < last && left >= (u32[at + i] as number)) left -= u32[at + i++] as number;
  return binValue((u32[array >>> 2] as number) + i);
}

function merged(a: Bins, b: Bins): Bins {
  if (b.orders.length === 0) return a;
  const both: Bins = { orders: [], counts: [] };
  for (let i = 0, k = 0; i < a.orders.length || k < b.orders.length; ) {
    const x = i < a.orders.length ? (a.orders[i] as number) : Infinity;
    const y = k < b.orders.length ? (b.orders[k] as number) : Infinity;
    if (x <= y) addBin(both, x, a.counts[i++] as number);
    else addBin(both, y, b.counts[k++] as number);
  }
  return both;
}

/** Of each sign the `binsMax` bins farthest from zero. */
function joined(all: Bins): Bins {
  const highest = all.orders.at(-1) ?? 0;
  const lowest = all.orders[0] ?? 0;
  if (highest < binsMax && lowest > -binsMax) return all;
  const bins: Bins = { orders: [], counts: [] };
  for (let i = 0; i < all.orders.length; i++) {
    const order = all.orders[i] as number;
    let kept = order;
    if (order > 0) kept = Math.max(order, highest - binsMax + 1);
    else if (order < 0) kept = Math.min(order, lowest + binsMax - 1);
    addBin(bins, kept, all.counts[i] as number);
  }
  return bins;
}

const bits = new DataView(new ArrayBuffer(8));

function edge(bin: number): number {
  bits.setUint32(0, bin << 14);
  return bits.getFloat64(0);
}

/** The number that is off by the same share from both ends of the bin. */
function binValue(order: number): number {
  if (order === 0) return 0;
  const bin = Math.abs(order);
  const [low, high] = [edge(bin), edge(bin + 1)];
  const value =
    high === Infinity ? low + (Number.MAX_VALUE - low) / 2 : low * (2 / (1 + low / high));
  return order < 0 ? -value : value;
}

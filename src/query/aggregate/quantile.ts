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

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#arrays = new GroupStates(context.run, 4);
    this.#table = new HashTable(context.run, "cells");
    this.#heap = new Heap(context.run, 16 * (arrayHeader + arrayBins * 4));
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const arrays = this.#arrays.room(rows.groupCount);
    const limit = rows.groupCount <= fewGroups ? 0 : sparseMax;
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
      const { orders, counts } = this.#bins(group);
      let left = Math.floor(fraction * (counts.reduce((sum, count) => sum + count, 0) - 1));
      if (counts.length === 0) return null;
      let i = 0;
      while (i < counts.length - 1 && left >= (counts[i] as number)) left -= counts[i++] as number;
      return binValue(orders[i] as number);
    };
  }

  /** What the group's cells and its array have, the bins nearest to zero joined. */
  #bins(group: number): Bins {
    const { run } = this.#context;
    this.#cells ??= cellsByGroup(run, this.#table, this.#arrays.capacity);
    const found = new Map<number, number>();
    const { starts, numbers, counts } = this.#cells;
    for (let i = starts[group] ?? 0, end = starts[group + 1] ?? 0; i < end; i++) {
      found.set(orderOf(numbers[i] as number), counts[i] as number);
    }
    const slot = this.#arrays.at(group);
    const array = slot === 0 ? 0 : (run.core.u32[slot >>> 2] as number);
    if (array > sparseMax) {
      const first = run.core.u32[array >>> 2] as number;
      const at = (array + arrayHeader) >>> 2;
      for (let i = 0; i < arrayBins; i++) {
        const count = run.core.u32[at + i] as number;
        if (count === 0) continue;
        const order = orderOf(first + i);
        found.set(order, (found.get(order) ?? 0) + count);
      }
    }
    return joined(found);
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#arrays.room(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const { orders, counts } = this.#bins(group);
      out.u32(orders.length);
      orders.forEach((order, i) => {
        out.u32(order < 0 ? negative - order : order);
        out.u32(0);
        out.i64(BigInt(counts[i] as number));
      });
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

/** Of each sign the `binsMax` bins farthest from zero. */
function joined(found: ReadonlyMap<number, number>): Bins {
  const sorted = [...found.keys()].sort((a, b) => a - b);
  const highest = sorted.at(-1) ?? 0;
  const lowest = sorted[0] ?? 0;
  const bins: Bins = { orders: [], counts: [] };
  for (const order of sorted) {
    let kept = order;
    if (order > 0) kept = Math.max(order, highest - binsMax + 1);
    else if (order < 0) kept = Math.min(order, lowest + binsMax - 1);
    const count = found.get(order) as number;
    const last = bins.orders.length - 1;
    if (bins.orders[last] === kept) bins.counts[last] = (bins.counts[last] as number) + count;
    else {
      bins.orders.push(kept);
      bins.counts.push(count);
    }
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

// approx_count_distinct: HyperLogLog of 2^14 registers, standard error 0.81 % (1.04 / √16384), less for few values;
// the estimate is the corrected one of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches",
// 2017, algorithm 6), which needs no tables of bias. Merging takes the maximum of each register, so that any split
// of the rows gives the same bytes. Texts, JSON, ids, booleans and numbers are different values; 1 and 1.0 are one.
//
// Partial:  0 tag u8 = 0x06 │ then of each group: registers u32
//   up to 4,096: registers × u32, number << 8 | rank, ascending
//   else 0xffffffff, and 16,384 × rank u8

import { LANE_BOOLEAN, LANE_ID, LANE_JSON, LANE_NULL, LANE_NUMBER } from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates, groupsEnd } from "./states.ts";
import { type CellsByGroup, cellsByGroup, HashTable, runGrowing } from "./tables.ts";
import { hashesOfTexts } from "./text-hashes.ts";
import { dictionaryView, openVector } from "./vectors.ts";

const tag = 0x06;
const sparseMax = 512;
/** So many groups get their arrays at once. */
const fewGroups = 64;
const registers = 1 << 14;
/** Ranks are of the 50 bits after those that choose the register. */
const rankMax = 51;
const listedMax = 4096;
const whole = 0xffffffff;
const seeds = { string: 4, json: 5, id: 6 } as const;

export class RegisterState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  /** By group: the address of its registers, or how many cells it has. */
  readonly #arrays: GroupStates;
  readonly #table: HashTable;
  readonly #heap: Heap;
  #cells: CellsByGroup | undefined;
  /** Groups whose registers the heap was made room for. */
  #reserved = 0;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#arrays = new GroupStates(context.run, 4);
    this.#table = new HashTable(context.run, "cells");
    this.#heap = new Heap(context.run, 8 * registers);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const arrays = this.#arrays.room(rows.groupCount);
    this.#cells = undefined;
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NULL) this.#addLane(rows, lane, address, arrays);
      run.scratch.release(mark);
    }
  }

  #addLane(rows: GroupRows, lane: number, column: number, arrays: number): void {
    const { run } = this.#context;
    const vector = openVector(run, rows, column);
    const [table, heap] = [this.#table.address, this.#heap.address];
    const limit = rows.groupCount <= fewGroups ? 0 : sparseMax;
    if (limit === 0 && rows.groupCount > this.#reserved) {
      this.#heap.reserve((rows.groupCount - this.#reserved) * registers);
      this.#reserved = rows.groupCount;
    }
    let [hashes, entries, seed] = [0, 0, 0];
    if (lane === LANE_ID) seed = seeds.id;
    else if (lane !== LANE_NUMBER && lane !== LANE_BOOLEAN) {
      seed = lane === LANE_JSON ? seeds.json : seeds.string;
      const dictionary = dictionaryView(run, column);
      entries = dictionary.entries;
      hashes = hashesOfTexts(run, rows, this.#of, dictionary, seed);
    }
    runGrowing(run, vector, this.#table, this.#heap, () =>
      this.#kernels.addRegisters(vector, hashes, entries, seed, arrays, limit, table, heap),
    );
  }

  finish(): (group: number) => Value {
    return (group) => {
      const ranks = this.#ranks(group);
      return Math.round(ranks === null ? estimate(this.#hashes(group)) : estimateOfRanks(ranks));
    };
  }

  /** The group's registers where all of them are in its array. */
  #ranks(group: number): Uint8Array | null {
    const { run } = this.#context;
    this.#cells ??= cellsByGroup(run, this.#table, this.#arrays.capacity);
    const { starts } = this.#cells;
    const slot = this.#arrays.at(group);
    const array = slot === 0 ? 0 : (run.core.u32[slot >>> 2] as number);
    if (array <= sparseMax || starts[group] !== starts[group + 1]) return null;
    return run.core.u8.subarray(array, array + registers);
  }

  /** The group's registers that are set, number << 8 | rank, ascending. */
  #hashes(group: number): Uint32Array {
    const { run } = this.#context;
    this.#cells ??= cellsByGroup(run, this.#table, this.#arrays.capacity);
    const { starts, numbers, counts } = this.#cells;
    const slot = this.#arrays.at(group);
    const array = slot === 0 ? 0 : (run.core.u32[slot >>> 2] as number);
    // Groups after the last one that a row was added to have no cells.
    const from = starts[group] ?? 0;
    const to = starts[group + 1] ?? from;
    if (array <= sparseMax) {
      const hashes = new Uint32Array(to - from);
      for (let i = from; i < to; i++) {
        hashes[i - from] = ((numbers[i] as number) << 8) | (counts[i] as number);
      }
      return hashes.sort();
    }
    const ranks = run.core.u8.slice(array, array + registers);
    for (let i = from; i < to; i++) {
      const number = numbers[i] as number;
      ranks[number] = Math.max(ranks[number] as number, counts[i] as number);
    }
    return hashesOf(ranks);
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#arrays.room(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const all = this.#ranks(group);
      if (all !== null && setCount(all) > listedMax) {
        out.u32(whole);
        out.raw(all);
        continue;
      }
      const hashes = this.#hashes(group);
      if (hashes.length > listedMax) {
        const ranks = new Uint8Array(registers);
        for (const hash of hashes) ranks[hash >>> 8] = hash & 0xff;
        out.u32(whole);
        out.raw(ranks);
      } else {
        out.u32(hashes.length);
        for (const hash of hashes) out.u32(hash);
      }
    }
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "approx_count_distinct");
    const { core, scratch } = this.#context.run;
    const arrays = this.#arrays.room(groupsEnd(groups));
    this.#cells = undefined;
    const mark = scratch.mark();
    const from = scratch.take(registers * 4);
    for (const group of groups) {
      const ranks = this.#ranks(group);
      const hashes = readHashes(partials, ranks);
      if (hashes === null) continue;
      core.u32.set(hashes, from >>> 2);
      this.#table.grow(hashes.length);
      const [table, heap] = [this.#table.address, this.#heap.address];
      this.#kernels.mergeRegisters(from, hashes.length, group, arrays, table, heap);
      if (this.#heap.missing) this.#heap.grow();
    }
    this.#cells = undefined;
    scratch.release(mark);
  }
}

/** What is to be merged; null when it was raised in `into`, all registers of the group. */
function readHashes(partials: PartialReader, into: Uint8Array | null): Uint32Array | null {
  const count = partials.u32();
  if (count === whole) {
    const ranks = partials.raw(registers);
    if (into === null) return hashesOf(ranks);
    for (let number = 0; number < registers; number++) {
      const rank = ranks[number] as number;
      if (rank > (into[number] as number)) into[number] = rank;
    }
    return null;
  }
  if (count > listedMax) {
    throw new CorruptionError(
      "partial_bounds",
      `a partial of approx_count_distinct lists ${count} registers, want at most ${listedMax}`,
    );
  }
  const hashes = Uint32Array.from({ length: count }, () => partials.u32());
  if (hashes.every((hash) => hash >>> 8 < registers && (hash & 0xff) <= rankMax)) return hashes;
  throw new CorruptionError(
    "partial_bounds",
    "a partial of approx_count_distinct names a register or a rank that there is none of",
  );
}

function hashesOf(ranks: Uint8Array): Uint32Array {
  const hashes = new Uint32Array(registers);
  let count = 0;
  for (let number = 0; number < registers; number++) {
    const rank = ranks[number] as number;
    if (rank > 0) hashes[count++] = (number << 8) | rank;
  }
  return hashes.subarray(0, count);
}

function setCount(ranks: Uint8Array): number {
  let count = 0;
  for (let number = 0; number < registers; number++) count += ranks[number] === 0 ? 0 : 1;
  return count;
}

function estimateOfRanks(ranks: Uint8Array): number {
  const multiplicity = new Uint32Array(256);
  for (let number = 0; number < registers; number++) {
    const rank = ranks[number] as number;
    multiplicity[rank] = (multiplicity[rank] as number) + 1;
  }
  return estimateOf(multiplicity, multiplicity[0] as number);
}

/** How many different values the registers that are set tell of. */
export function estimate(hashes: Uint32Array): number {
  const multiplicity = new Uint32Array(256);
  for (let i = 0; i < hashes.length; i++) {
    const rank = (hashes[i] as number) & 0xff;
    multiplicity[rank] = (multiplicity[rank] as number) + 1;
  }
  return estimateOf(multiplicity, registers - hashes.length);
}

/** From how many registers have each rank, and how many have none. */
function estimateOf(multiplicity: Uint32Array, unset: number): number {
  const count = (rank: number) => multiplicity[rank] as number;
  let z = registers * tau(1 - count(rankMax) / registers);
  for (let rank = rankMax - 1; rank >= 1; rank--) z = 0.5 * (z + count(rank));
  z += registers * sigma(unset / registers);
  return (registers / (2 * Math.LN2)) * (registers / z);
}

/** x + Σ x^(2^k) 2^(k-1), infinite for 1. */
function sigma(x: number): number {
  if (x === 1) return Infinity;
  let [power, weight, sum] = [x, 1, x];
  for (let before = -1; before !== sum; ) {
    before = sum;
    power *= power;
    sum += power * weight;
    weight += weight;
  }
  return sum;
}

/** (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let [root, weight, sum] = [x, 1, 1 - x];
  for (let before = -1; before !== sum; ) {
    before = sum;
    root = Math.sqrt(root);
    weight *= 0.5;
    sum -= (1 - root) ** 2 * weight;
  }
  return sum / 3;
}

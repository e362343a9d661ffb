// Arrays in working memory with one state of fixed size for each group, and how they become partials.

import type { QueryRun } from "../columns/kernels.ts";
import type { MergeKernel } from "./kernels.ts";
import type { PartialReader, PartialWriter } from "./partial-bytes.ts";

/** States that are merged at a time. */
const mergedMax = 4096;

export class GroupStates {
  readonly #run: QueryRun;
  readonly #size: number;
  readonly #clear: ((address: number, count: number) => void) | undefined;
  #address = 0;
  #capacity = 0;

  /** States of `size` bytes. `clear` makes empty ones; without it they are zeros. */
  constructor(run: QueryRun, size: number, clear?: (address: number, count: number) => void) {
    this.#run = run;
    this.#size = size;
    this.#clear = clear;
  }

  /** Where the state of group 0 is; right until there must be room for more groups. */
  get address(): number {
    return this.#address;
  }

  /** Groups that there are states of. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for the groups below `count`; answers where the state of group 0 is. */
  room(count: number): number {
    if (count <= this.#capacity) return this.#address;
    const { core, scratch } = this.#run;
    const capacity = count === 1 ? 1 : Math.max(count, this.#capacity * 2);
    const address = scratch.keep(capacity * this.#size);
    const used = this.#capacity * this.#size;
    core.u8.copyWithin(address, this.#address, this.#address + used);
    if (this.#clear) this.#clear(address + used, capacity - this.#capacity);
    else core.u8.fill(0, address + used, address + capacity * this.#size);
    this.#address = address;
    this.#capacity = capacity;
    return address;
  }

  /** Address of a group's state, or 0 when nothing was ever there. */
  at(group: number): number {
    return group < this.#capacity ? this.#address + group * this.#size : 0;
  }

  /** The states of the groups below `count`, as they are. */
  encode(count: number, out: PartialWriter): void {
    const address = this.room(count);
    out.raw(this.#run.core.u8.subarray(address, address + count * this.#size));
  }

  /** Merges as many encoded states as there are `groups`. */
  merge(partials: PartialReader, groups: Uint32Array, kernel: MergeKernel): void {
    const { core, scratch } = this.#run;
    const states = this.room(groupsEnd(groups));
    const mark = scratch.mark();
    const into = scratch.take(mergedMax * 4);
    const from = scratch.take(mergedMax * this.#size);
    for (let first = 0; first < groups.length; first += mergedMax) {
      const some = groups.subarray(first, first + mergedMax);
      core.u32.set(some, into >>> 2);
      core.u8.set(partials.raw(some.length * this.#size), from);
      kernel(from, into, some.length, states);
    }
    scratch.release(mark);
  }
}

/** The number after the largest of `groups`. */
export function groupsEnd(groups: Uint32Array): number {
  let end = 0;
  for (const group of groups) if (group >= end) end = group + 1;
  return end;
}

/** A u64 that counts rows: exact as far as a number is. */
export function countAt(run: QueryRun, address: number): number {
  const { u32 } = run.core;
  return (u32[address >>> 2] as number) + (u32[(address + 4) >>> 2] as number) * 2 ** 32;
}

export function setCount(run: QueryRun, address: number, count: number): void {
  const { u32 } = run.core;
  u32[address >>> 2] = count % 2 ** 32;
  u32[(address + 4) >>> 2] = Math.floor(count / 2 ** 32);
}

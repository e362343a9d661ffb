import { assert } from "../base/assert.ts";

const ALIGNMENT = 64;

interface Gap {
  readonly address: number;
  readonly size: number;
}

/**
 * Gives out memory of a region: first fit from its low end for what stays, from its high end for what is soon
 * given back, so that the short-lived leave no holes among the others.
 */
export class RegionSpace {
  readonly size: number;
  /** By address; no two touch. */
  #gaps: Gap[];
  #used = 0;

  constructor(base: number, size: number) {
    const first = alignUp(base);
    this.size = Math.max(0, alignDown(base + size) - first);
    this.#gaps = this.size === 0 ? [] : [{ address: first, size: this.size }];
  }

  get used(): number {
    return this.#used;
  }

  /** A 64-byte aligned address with `bytes` bytes, or 0. */
  take(bytes: number, end: "low" | "high"): number {
    const size = alignUp(bytes);
    const fits = (gap: Gap): boolean => gap.size >= size;
    const index = end === "low" ? this.#gaps.findIndex(fits) : this.#gaps.findLastIndex(fits);
    const gap = this.#gaps[index];
    if (gap === undefined) return 0;
    const address = end === "low" ? gap.address : gap.address + gap.size - size;
    const rest = {
      address: end === "low" ? gap.address + size : gap.address,
      size: gap.size - size,
    };
    this.#gaps.splice(index, 1, ...(rest.size === 0 ? [] : [rest]));
    this.#used += size;
    return address;
  }

  /** Gives back the `bytes` bytes at `address`, or the end of what was taken there. */
  give(address: number, bytes: number): void {
    const size = alignUp(bytes);
    const next = this.#gaps.findIndex((gap) => gap.address > address);
    const index = next === -1 ? this.#gaps.length : next;
    const before = this.#gaps[index - 1];
    const after = this.#gaps[index];
    assert(before === undefined || before.address + before.size <= address, "memory is given once");
    assert(after === undefined || address + size <= after.address, "memory is given once");
    const joinsBefore = before !== undefined && before.address + before.size === address;
    const joinsAfter = after !== undefined && address + size === after.address;
    const start = joinsBefore ? before.address : address;
    const end = joinsAfter ? after.address + after.size : address + size;
    const from = joinsBefore ? index - 1 : index;
    const replaced = (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0);
    this.#gaps.splice(from, replaced, { address: start, size: end - start });
    this.#used -= size;
  }

  /** Keeps `to` of the `from` bytes at `address` and gives back the rest. */
  shrink(address: number, from: number, to: number): void {
    const kept = alignUp(to);
    const rest = alignUp(from) - kept;
    if (rest > 0) this.give(address + kept, rest);
  }
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function alignDown(bytes: number): number {
  return Math.floor(bytes / ALIGNMENT) * ALIGNMENT;
}

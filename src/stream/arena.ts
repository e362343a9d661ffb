// Memory of the open windows of all rules: a region, in blocks whose sizes are powers of two (a buddy allocator, after
// Knowlton, "A fast storage allocator", 1965). One thread takes and gives back; which blocks are free is its own
// knowledge and not in the memory.

import { assert } from "../base/assert.ts";
import { LimitError } from "../errors.ts";

/** 512 bytes: what a pane of one group without keys needs. */
const orderMin = 9;
const blockMin = 2 ** orderMin;
/** Kernels may read so many bytes beyond what they were given. */
const overRead = 64;
/** Of the region, this part is for windows that are open already. */
const reservedShare = 1 / 16;
/** With no free block of this part of the region, a rule may find no room for the rows of a chunk. */
const lowShare = 1 / 8;

export interface Block {
  readonly address: number;
  readonly size: number;
}

export class Arena {
  readonly #base: number;
  readonly #size: number;
  /** By order, the offsets of free blocks. */
  readonly #free: Set<number>[] = [];
  #used = 0;

  constructor(base: number, size: number) {
    this.#base = base;
    const blocks = Math.max(0, Math.floor((size - overRead) / blockMin));
    this.#size = blocks * blockMin;
    let offset = 0;
    // The largest first, so that each lies at a multiple of its size.
    for (let order = 31; order >= orderMin; order--) {
      const free = new Set<number>();
      this.#free[order] = free;
      if (this.#size - offset < 2 ** order) continue;
      free.add(offset);
      offset += 2 ** order;
    }
  }

  get used(): number {
    return this.#used;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether what is left is for windows that are open already: no new ones, and no new groups. */
  get isTight(): boolean {
    return this.#size - this.#used < this.#size * reservedShare;
  }

  /** Whether a chunk may want more than is left: whoever takes one keeps what it was before. */
  get isLow(): boolean {
    for (let order = this.#free.length - 1; 2 ** order >= this.#size * lowShare; order--) {
      if (this.#free[order] !== undefined && this.#set(order).size > 0) return false;
    }
    return true;
  }

  /** At least `size` bytes, 16-byte aligned where the region is, with any content. Throws LimitError. */
  take(size: number): Block {
    const order = orderOf(size);
    let from = order;
    while (from < this.#free.length && this.#set(from).size === 0) from++;
    if (from >= this.#free.length) throw this.#exhausted(size);
    const offset = this.#set(from).values().next().value as number;
    this.#set(from).delete(offset);
    while (from > order) {
      from--;
      this.#set(from).add(offset + 2 ** from);
    }
    this.#used += 2 ** order;
    return { address: this.#base + offset, size: 2 ** order };
  }

  give({ address, size }: Block): void {
    this.#used -= size;
    let offset = address - this.#base;
    let order = orderOf(size);
    assert(!this.#set(order).has(offset), "a block is given back once");
    for (; order < 31; order++) {
      const half = 2 ** order;
      const buddy = Math.floor(offset / half) % 2 === 0 ? offset + half : offset - half;
      if (!this.#set(order).delete(buddy)) break;
      offset = Math.min(offset, buddy);
    }
    this.#set(order).add(offset);
  }

  #set(order: number): Set<number> {
    return this.#free[order] as Set<number>;
  }

  #exhausted(size: number): LimitError {
    return new LimitError(
      "stream_memory",
      `the open windows of all rules have ${this.#used} bytes and want ${size} more at once, ` +
        `${this.#size} are allowed`,
      { neededBytes: this.#used + size, limitBytes: this.#size },
    );
  }
}

function orderOf(size: number): number {
  let order = orderMin;
  while (2 ** order < size) order++;
  return order;
}

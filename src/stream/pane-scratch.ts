// Working memory of a fold that outlives the chunk: what it keeps lies in blocks of the arena, which are given back
// together; what it takes is the thread's, and gone when its caller releases it.

import type { WorkingMemory } from "../query/columns/scratch.ts";
import type { Arena, Block } from "./arena.ts";

const blockMax = 256 * 1024;
/** Kernels may read so many bytes beyond what is kept. */
const overRead = 16;

/** Bytes of the blocks of several. */
export interface BlockTally {
  bytes: number;
}

export class PaneScratch implements WorkingMemory {
  readonly #arena: Arena;
  readonly #thread: WorkingMemory;
  readonly #blocks: Block[] = [];
  #top = 0;
  #end = 0;
  #next: number;
  #bytes = 0;
  readonly #tally: BlockTally | undefined;

  /** `first`: bytes of the first block. `tally` is told of all that it has. */
  constructor(arena: Arena, thread: WorkingMemory, first = 1024, tally?: BlockTally) {
    this.#arena = arena;
    this.#tally = tally;
    this.#thread = thread;
    this.#next = first;
  }

  /** Bytes of its blocks. */
  get bytes(): number {
    return this.#bytes;
  }

  keep(size: number): number {
    const whole = Math.ceil(size / 16) * 16 + overRead;
    if (this.#end - this.#top < whole) {
      const block = this.#arena.take(Math.max(whole, this.#next));
      this.#blocks.push(block);
      this.#bytes += block.size;
      if (this.#tally) this.#tally.bytes += block.size;
      this.#next = Math.min(blockMax, this.#next * 2);
      const left = this.#end - this.#top;
      // A large request may leave less of its block than there is of the one before.
      if (block.size - whole < left) return block.address;
      this.#top = block.address;
      this.#end = block.address + block.size;
    }
    const address = this.#top;
    this.#top += whole;
    return address;
  }

  /** Gives back all that was kept. */
  reset(): void {
    for (const block of this.#blocks) this.#arena.give(block);
    this.#blocks.length = 0;
    if (this.#tally) this.#tally.bytes -= this.#bytes;
    this.#top = 0;
    this.#end = 0;
    this.#bytes = 0;
  }

  take(size: number): number {
    return this.#thread.take(size);
  }

  mark(): number {
    return this.#thread.mark();
  }

  release(mark: number): void {
    this.#thread.release(mark);
  }

  lowest(): number {
    return this.#thread.lowest();
  }

  /** Whether it is the thread's, whose content goes with the chunk. */
  holds(address: number): boolean {
    return this.#thread.holds(address);
  }

  get left(): number {
    return this.#thread.left;
  }

  demand(size: number): void {
    this.#thread.demand(size);
  }

  get peak(): number {
    return this.#thread.peak;
  }
}

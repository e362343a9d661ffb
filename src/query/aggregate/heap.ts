import { HEAP_END, HEAP_MISSING, HEAP_SIZE, HEAP_TOP } from "../../core/layout.ts";
import type { QueryRun } from "../columns/kernels.ts";

const blockMin = 4096;
const blockMax = 1024 * 1024;

/** Working memory for texts, in blocks that double: see assembly/aggregate/heap.ts. */
export class Heap {
  readonly #run: QueryRun;
  #address = 0;
  #block: number;
  readonly #most: number;

  /** Bytes of the first block, and of the largest. */
  constructor(run: QueryRun, first = blockMin, most = blockMax) {
    this.#run = run;
    this.#block = first;
    this.#most = most;
  }

  /** Address of its HEAP. */
  get address(): number {
    if (this.#address === 0) {
      const { core, scratch } = this.#run;
      this.#address = scratch.keep(HEAP_SIZE);
      core.u32.fill(0, this.#address >>> 2, (this.#address + HEAP_SIZE) >>> 2);
    }
    return this.#address;
  }

  /** Whether a kernel did without something because the heap was full. */
  get missing(): boolean {
    return this.#run.core.u32[(this.address + HEAP_MISSING) >>> 2] !== 0;
  }

  /** Makes room for `size` bytes that are about to be wanted. */
  reserve(size: number): void {
    const { core, scratch } = this.#run;
    const top = (this.address + HEAP_TOP) >>> 2;
    const end = (this.address + HEAP_END) >>> 2;
    if ((core.u32[end] as number) - (core.u32[top] as number) >= size) return;
    const block = scratch.keep(size);
    core.u32[top] = block;
    core.u32[end] = block + size;
  }

  /** Makes room for what the kernel missed when it last answered that the heap was full. */
  grow(): void {
    const { core, scratch } = this.#run;
    const missing = core.u32[(this.address + HEAP_MISSING) >>> 2] as number;
    const size = Math.max(this.#block, missing);
    const block = scratch.keep(size);
    this.#block = Math.max(Math.min(this.#block * 2, this.#most), this.#block);
    core.u32[(this.address + HEAP_MISSING) >>> 2] = 0;
    core.u32[(this.address + HEAP_TOP) >>> 2] = block;
    core.u32[(this.address + HEAP_END) >>> 2] = block + size;
  }
}

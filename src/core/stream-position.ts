import { ROOT_STREAM_NEXT } from "./layout.ts";

/** How far the stream thread has read, for all threads. Slots that it has not read are kept. */
export class StreamPosition {
  readonly #words: BigInt64Array;

  constructor(memory: WebAssembly.Memory) {
    this.#words = new BigInt64Array(memory.buffer);
  }

  /** The next sequence that it has not taken; null while nobody follows. */
  next(): bigint | null {
    const next = Atomics.load(this.#words, ROOT_STREAM_NEXT >>> 3);
    return next === 0n ? null : next;
  }

  /** For the stream thread: everything below `sequence` is taken. */
  advance(sequence: bigint): void {
    Atomics.store(this.#words, ROOT_STREAM_NEXT >>> 3, sequence);
  }
}

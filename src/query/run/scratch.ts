import { LimitError } from "../../errors.ts";

/**
 * Memory of one reading thread that lives no longer than the query: taken upwards, given back to a mark.
 * Sixteen readable bytes always follow what was taken.
 */
export class Scratch {
  readonly #base: number;
  readonly #end: number;
  #top: number;

  constructor(base: number, size: number) {
    this.#base = base;
    this.#end = base + size - 64;
    this.#top = base;
  }

  /** Address of `size` bytes, 16-byte aligned, whose content is undefined. Throws LimitError when there are no more. */
  take(size: number): number {
    const address = this.#top;
    const top = address + ((size + 15) & ~15);
    if (top > this.#end) {
      throw new LimitError(
        "query_memory",
        `the query needs more than the ${this.#end - this.#base} bytes of working memory that a reader has`,
      );
    }
    this.#top = top;
    return address;
  }

  /** Bytes that can still be taken. */
  get left(): number {
    return this.#end - this.#top;
  }

  mark(): number {
    return this.#top;
  }

  release(mark: number): void {
    this.#top = mark;
  }
}

import { LimitError } from "../../errors.ts";

/** What kernels and those who call them work in. */
export interface WorkingMemory {
  /** Address of `size` bytes, 16-byte aligned, until a mark before it is released. Throws LimitError. */
  take(size: number): number;
  /** As `take`, for as long as the whole lives. */
  keep(size: number): number;
  mark(): number;
  release(mark: number): void;
  /** The lowest mark that was released since this was last asked: what was taken above it is gone. */
  lowest(): number;
  /** Whether what is at the address was taken or kept here. */
  holds(address: number): boolean;
  /** Bytes that can still be taken. */
  readonly left: number;
  /** Throws LimitError where `size` bytes can't be taken. */
  demand(size: number): void;
  /** Most bytes that were taken and kept at once. */
  readonly peak: number;
  /** Nothing is taken or kept any more; the next user may use at most `limit` bytes. */
  reset(limit?: number): void;
}

/**
 * Working memory of one reading thread, no longer than the query. What lives as long as a segment is looked at is
 * taken upwards and given back to a mark; what lives as long as the query is kept, downwards from the end:
 *
 *   base ── take ──▶ top        free        bottom ◀── keep ── end
 *
 * Sixteen readable bytes always follow either.
 */
export class Scratch implements WorkingMemory {
  readonly #base: number;
  readonly #end: number;
  #top: number;
  #bottom: number;
  #lowest: number;
  #limit: number;
  #peak = 0;

  constructor(base: number, size: number) {
    this.#base = base;
    this.#end = base + size - 64;
    this.#top = base;
    this.#lowest = base;
    this.#bottom = this.#end;
    this.#limit = this.#end - base;
  }

  /** Address of `size` bytes, 16-byte aligned, whose content is undefined. Throws LimitError when there are no more. */
  take(size: number): number {
    const address = this.#top;
    const whole = Math.ceil(size / 16) * 16;
    if (whole > this.left) throw this.#exhausted(whole);
    this.#top = address + whole;
    if (this.used > this.#peak) this.#peak = this.used;
    return address;
  }

  /** As `take`, but until `reset`. */
  keep(size: number): number {
    const whole = Math.ceil(size / 16) * 16 + 16;
    if (whole > this.left) throw this.#exhausted(whole);
    // Addresses may be beyond 2^31, which bitwise operators make negative.
    this.#bottom = ((this.#bottom - whole) & ~15) >>> 0;
    if (this.used > this.#peak) this.#peak = this.used;
    return this.#bottom;
  }

  /** Whether what is at the address was taken or kept here. */
  holds(address: number): boolean {
    return address >= this.#base && address < this.#end;
  }

  /** Bytes that can still be taken or kept. */
  get left(): number {
    return Math.min(this.#bottom - this.#top, this.#limit - this.used);
  }

  /** Throws LimitError where `size` bytes can't be taken: before work is done that would have no place. */
  demand(size: number): void {
    if (size > this.left) throw this.#exhausted(size);
  }

  /** Bytes that are taken and kept. */
  get used(): number {
    return this.#top - this.#base + (this.#end - this.#bottom);
  }

  /** Most bytes that were taken and kept at once since the last reset. */
  get peak(): number {
    return this.#peak;
  }

  /** Nothing is taken or kept any more; the next query may use at most `limit` bytes. */
  reset(limit: number = this.#end - this.#base): void {
    this.#top = this.#base;
    this.#lowest = this.#base;
    this.#bottom = this.#end;
    this.#peak = 0;
    this.#limit = Math.min(limit, this.#end - this.#base);
  }

  mark(): number {
    return this.#top;
  }

  release(mark: number): void {
    this.#top = mark;
    if (mark < this.#lowest) this.#lowest = mark;
  }

  /** The lowest mark that was released since this was last asked: what was taken above it is gone. */
  lowest(): number {
    const lowest = this.#lowest;
    this.#lowest = this.#end;
    return lowest;
  }

  #exhausted(size: number): LimitError {
    const needed = this.used + size;
    return new LimitError(
      "query_memory",
      `the query needs at least ${needed} bytes of working memory, ${this.#limit} are allowed`,
      { neededBytes: needed, limitBytes: this.#limit },
    );
  }
}

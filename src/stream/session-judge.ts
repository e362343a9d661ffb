import type { TimedChunk } from "./timed-chunk.ts";

/**
 * Whether W has passed a time, row by row of a chunk. The chunk is asked as little as can be: W never goes back, so an
 * answer holds for later rows, or up to the row that it was asked for.
 */
export class SessionJudge {
  readonly #chunk: Pick<TimedChunk, "crossing" | "watermarkAfterUs">;
  readonly #first: number;
  readonly #firstSequence: number;
  /** W is at least this from the row on that was asked about last. */
  #lowUs: bigint;
  /** W is at most this before row `until`. */
  highUs: bigint;
  until: number;

  /** `firstSequence` is that of row 0 of the segment. */
  constructor(chunk: Omit<TimedChunk, "segment" | "minUs" | "maxUs">, firstSequence: number) {
    this.#chunk = chunk;
    this.#first = chunk.first;
    this.#firstSequence = firstSequence;
    this.#lowUs = chunk.watermarkBeforeUs;
    this.highUs = chunk.watermarkAfterUs;
    this.until = Number.POSITIVE_INFINITY;
  }

  /** Row `row` is the next that is asked about. */
  reach(row: number): void {
    if (row < this.until) return;
    this.highUs = this.#chunk.watermarkAfterUs;
    this.until = Number.POSITIVE_INFINITY;
  }

  /** Whether row `row` of the segment is judged by a W of at least `us`; rows are asked about in their order. */
  passed(us: bigint, row: number): boolean {
    this.reach(row);
    if (us > this.highUs) return false;
    if (us <= this.#lowUs) return true;
    const crossing = this.#chunk.crossing(us, row);
    if (crossing <= row) {
      this.#lowUs = us;
      return true;
    }
    this.highUs = us - 1n;
    this.until = crossing;
    return false;
  }

  /** The sequence after the row before which W has come to `us`, which it has by now. */
  sequenceOf(us: bigint): number {
    return this.#firstSequence + this.#chunk.crossing(us, this.#first) + 1;
  }
}

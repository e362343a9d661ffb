import type { Segment } from "../query/segments/source.ts";

/** Rows [first, end) of a segment with the watermark that each is judged by. Good until the next chunk is made. */
export interface TimedChunk {
  readonly segment: Segment;
  readonly first: number;
  readonly end: number;
  /** Least and greatest timestamp of the rows, µs. */
  readonly minUs: bigint;
  readonly maxUs: bigint;
  /** W before the first row and after the last, µs; `noWatermark` while there is none. It never goes back. */
  readonly watermarkBeforeUs: bigint;
  readonly watermarkAfterUs: bigint;
  /** The first row from `from` on that is judged by a W of at least `us`; `end` when there is none. */
  crossing(us: bigint, from: number): number;
}

export const noWatermark = -(2n ** 63n);

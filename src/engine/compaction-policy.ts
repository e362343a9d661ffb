import { segmentRowsMax } from "../limits.ts";
import { compactionSourcesMax } from "../storage/compact.ts";
import { type SegmentMeta, segmentBytes } from "../storage/segment.ts";

// Which segments are merged. Size-tiered: a row is written again only in a segment that is four times as large as the
// largest that goes into it, or one that is nearly full and twice as large, after which it is never written again. So a
// segment of n rows is written at most log4(131,072 / n) + 1 times again, and of segments of like size at most three
// lie next to each other for long.

/** A run is worth it when it has this many times the rows of its largest segment. */
const GROWTH_MIN = 4;
/** A run of so many rows makes a segment that is not merged again, and has to grow this much only. */
const FULL_ROWS_MIN = (segmentRowsMax * 3) / 4;
const FULL_GROWTH_MIN = 2;
/** Segments with more rows, or more bytes, are left as they are. */
const SOURCE_ROWS_MAX = segmentRowsMax / 2;
const RUN_BYTES_MAX = 24 * 1024 * 1024;

export interface CompactionBounds {
  /** Time that the records of a merged segment may span, µs: retention drops whole segments. null: any. */
  readonly spanUs: bigint | null;
}

/**
 * The adjacent segments to merge next, oldest first: of all runs that are worth it the longest one, as each row is then
 * written the fewest times. null when there is none. `isFree`: the segment may be merged now.
 */
export function nextRun(
  metas: readonly SegmentMeta[],
  { spanUs }: CompactionBounds,
  isFree: (meta: SegmentMeta) => boolean,
): readonly SegmentMeta[] | null {
  const small = metas.map(
    (meta) =>
      meta.rows <= SOURCE_ROWS_MAX && segmentBytes(meta) <= RUN_BYTES_MAX / 2 && isFree(meta),
  );
  let best: { begin: number; end: number; rows: number } | null = null;
  for (const [begin, first] of metas.entries()) {
    if (!small[begin]) continue;
    let { rows } = first;
    let largest = rows;
    let bytes = segmentBytes(first);
    for (let end = begin + 1; end < metas.length && end - begin < compactionSourcesMax; end++) {
      const [before, meta] = [metas[end - 1] as SegmentMeta, metas[end] as SegmentMeta];
      rows += meta.rows;
      bytes += segmentBytes(meta);
      if (!small[end] || !areAdjacent(before, meta) || rows > segmentRowsMax) break;
      if (bytes > RUN_BYTES_MAX || (spanUs !== null && span(first, meta) > spanUs)) break;
      largest = Math.max(largest, meta.rows);
      const growth = rows >= FULL_ROWS_MIN ? FULL_GROWTH_MIN : GROWTH_MIN;
      if (rows < growth * largest) continue;
      const longer = end + 1 - begin - (best ? best.end - best.begin : 0);
      if (longer < 0 || (longer === 0 && best !== null && rows >= best.rows)) continue;
      best = { begin, end: end + 1, rows };
    }
  }
  return best && metas.slice(best.begin, best.end);
}

function areAdjacent(before: SegmentMeta, meta: SegmentMeta): boolean {
  return (
    before.partition === meta.partition &&
    before.firstSequence + BigInt(before.rows) === meta.firstSequence
  );
}

/** Time between the first record of one segment and the last of another, µs. */
function span(first: SegmentMeta, last: SegmentMeta): bigint {
  const from = first.records[0]?.receivedAtUs ?? 0n;
  return (last.records.at(-1)?.receivedAtUs ?? from) - from;
}

// The first rows by (timestamp, sequence), upwards or downwards, from as few segments as their times allow.

import { LANE_NUMBER, TOP_ROW, TOP_SIZE, TOP_TIME } from "../../core/layout.ts";
import { finished } from "../columns/kernels.ts";
import { i64Max, i64Min } from "../plan/bounds.ts";
import type { Filter } from "../plan/filter.ts";
import { timeFilter } from "../plan/filter.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import type { SequenceRange } from "./execution.ts";
import type { QueryThreadState, Scan } from "./scan.ts";

/** A row and its time, µs. */
export interface TimedRow {
  readonly segment: Segment;
  readonly row: number;
  readonly sequence: bigint;
  readonly timeUs: bigint;
}

/** Where a row stands in the order. */
type Place = Pick<TimedRow, "sequence" | "timeUs">;

export interface TopRequest {
  readonly limit: number;
  readonly descending: boolean;
  /** Only rows strictly after this one, in the order asked for. */
  readonly after: { readonly timeUs: bigint; readonly sequence: bigint } | null;
}

/**
 * The first `limit` rows that the scan's filter passes and, of those in `range` where there is one, in order. Rows of
 * `known`, which are in order, are counted among them.
 */
export function topByTime<T extends Place>(
  snapshot: Snapshot,
  scan: Scan,
  state: QueryThreadState,
  request: TopRequest,
  range: SequenceRange | null = null,
  known: readonly T[] = [],
): { rows: (TimedRow | T)[] } {
  const { limit, descending } = request;
  if (limit === 0) return { rows: [] };
  // The segments whose times come first are looked at first: they bound the time that is still of interest.
  const segments = snapshot.segments
    .filter((segment) => segment.rows > 0)
    .sort((a, b) =>
      descending ? order(b.timeMaxUs, a.timeMaxUs) : order(a.timeMinUs, b.timeMinUs),
    );
  let rows: (TimedRow | T)[] = known.slice(0, limit);
  for (const [i, segment] of segments.entries()) {
    const last = rows.length === limit ? rows[limit - 1] : undefined;
    if (last && isBeyond(segment, last.timeUs, descending)) {
      scan.stats.segmentsPruned += segments.slice(i).filter(isWhole(range)).length;
      break;
    }
    rows = merge(rows, topOf(segment, scan, state, request, last, range), request);
  }
  return { rows };
}

/** A segment counts once, for the range that has its first row. */
const isWhole =
  (range: SequenceRange | null) =>
  ({ firstSequence }: Segment): boolean =>
    range === null || (firstSequence >= range.from && firstSequence < range.to);

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whether every row of the segment comes after all rows of that time. */
function isBeyond(segment: Segment, timeUs: bigint, descending: boolean): boolean {
  return descending ? segment.timeMaxUs < timeUs : segment.timeMinUs > timeUs;
}

/** The first rows of one segment, in order; `last` is the last row that is wanted so far. */
function topOf(
  segment: Segment,
  scan: Scan,
  state: QueryThreadState,
  request: TopRequest,
  last: Place | undefined,
  range: SequenceRange | null,
): TimedRow[] {
  const { core, kernels, scratch, cancel } = state.run;
  const { limit, descending, after } = request;
  const found: TimedRow[] = [];
  // Nothing comes before the lowest time of all, nor after the highest.
  const afterTime = after?.timeUs ?? (descending ? i64Max : i64Min);
  const afterRow = after ? after.sequence - segment.firstSequence : descending ? i64Max : -1n;
  scan.segment(
    segment,
    (mask, selected, timed) => {
      const list = scan.rows(timed, mask, selected);
      const column = timed.column("timestamp", LANE_NUMBER);
      const heap = scratch.take(Math.min(limit, list.count) * TOP_SIZE);
      const size = finished(
        kernels.topTimes(
          column,
          list.rows,
          list.count,
          Math.min(limit, list.count),
          descending ? 1 : 0,
          afterTime,
          afterRow,
          heap,
          cancel,
        ),
      );
      for (let i = 0; i < size; i++) {
        const entry = heap + i * TOP_SIZE;
        const row = core.u32[(entry + TOP_ROW) >>> 2] as number;
        found.push({
          segment,
          row,
          sequence: segment.firstSequence + BigInt(row),
          timeUs: core.view.getBigInt64(entry + TOP_TIME, true),
        });
      }
    },
    wantedTimes(request, last),
    range,
  );
  const sign = descending ? -1 : 1;
  return found.sort((a, b) => sign * (order(a.timeUs, b.timeUs) || a.row - b.row));
}

/** Times that can still be among the first. */
function wantedTimes({ descending, after }: TopRequest, last: Place | undefined): Filter {
  if (!last && !after) return { kind: "all" };
  const near = after?.timeUs ?? null;
  const far = last?.timeUs ?? null;
  const [low, high] = descending ? [far, near] : [near, far];
  return timeFilter(low, high === null ? null : high + 1n);
}

function merge<T extends Place>(a: readonly T[], b: readonly T[], request: TopRequest): T[] {
  if (a.length === 0) return b.slice(0, request.limit);
  const sign = request.descending ? -1 : 1;
  const rows: T[] = [];
  for (let i = 0, j = 0; rows.length < request.limit; ) {
    const [x, y] = [a[i], b[j]];
    if (!x && !y) break;
    const takeA = x && (!y || sign * orderOf(x, y) <= 0);
    rows.push((takeA ? x : y) as T);
    if (takeA) i++;
    else j++;
  }
  return rows;
}

function orderOf(x: Place, y: Place): number {
  return order(x.timeUs, y.timeUs) || order(x.sequence, y.sequence);
}

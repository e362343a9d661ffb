// Pages of whole events: by time for `GET /analytics/events`, by sequence for live streams.

import { eventsPageCharsMax } from "../../limits.ts";
import { i64Max, i64Min } from "../plan/bounds.ts";
import { type Filter, joinFilters } from "../plan/filter.ts";
import type { EventsPage, EventsRequest } from "../result.ts";
import type { QueryThreadState } from "../run/scan.ts";
import { Scan } from "../run/scan.ts";
import type { TimedRow } from "../run/top.ts";
import { topByTime } from "../run/top.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import type { Cursor } from "./cursor.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { EventText } from "./event-text.ts";

/** Where a request by sequence begins. */
function firstSequenceOf(request: EventsRequest): bigint {
  if (request.cursor !== undefined) return decodeCursor(request.cursor, "sequence").sequence;
  return request.fromSequence ?? 0n;
}

/** Answers one page. `filter` is that of the request; `snapshot` stays the caller's to release. */
export function readEvents(
  request: EventsRequest,
  filter: Filter,
  snapshot: Snapshot,
  state: QueryThreadState,
): EventsPage {
  const mark = state.run.scratch.mark();
  try {
    return request.order === "sequence"
      ? bySequence(request, filter, snapshot, state)
      : byTime(request, request.order, filter, snapshot, state);
  } finally {
    state.run.scratch.release(mark);
  }
}

interface FoundRow {
  readonly segment: Segment;
  readonly row: number;
}

function byTime(
  request: EventsRequest,
  order: "asc" | "desc",
  wanted: Filter,
  snapshot: Snapshot,
  state: QueryThreadState,
): EventsPage {
  const cursor = request.cursor === undefined ? null : decodeCursor(request.cursor, order);
  // Rows that came after the first page belong to none of those that follow it.
  const asOf = cursor?.asOf ?? snapshot.asOf;
  const filter = joinFilters("and", [{ kind: "sequence", low: i64Min, high: asOf - 1n }, wanted]);
  const { rows } = topByTime<TimedRow>(snapshot, new Scan(state, filter), state, {
    limit: request.limit + 1,
    descending: order === "desc",
    after: cursor,
  });
  const events = writeAll(rows.slice(0, request.limit), request, state);
  const last = rows[events.length - 1];
  let nextCursor: string | null = null;
  if (last && rows.length > events.length) {
    const sequence = last.segment.firstSequence + BigInt(last.row);
    nextCursor = encodeCursor({ order, asOf, timeUs: last.timeUs, sequence });
  }
  return { events, nextCursor, asOf: String(asOf) };
}

/** Live streams go on where the last page ended, so each looks at new rows alone. */
function bySequence(
  request: EventsRequest,
  wanted: Filter,
  snapshot: Snapshot,
  state: QueryThreadState,
): EventsPage {
  const first = firstSequenceOf(request);
  const filter = joinFilters("and", [{ kind: "sequence", low: first, high: i64Max }, wanted]);
  const scan = new Scan(state, filter);
  const found: FoundRow[] = [];
  for (const segment of snapshot.segments) {
    if (found.length >= request.limit) break;
    scan.segment(segment, (mask, selected, timed) => {
      const list = scan.rows(timed, mask, selected);
      const take = Math.min(list.count, request.limit - found.length);
      for (let i = 0; i < take; i++) {
        found.push({ segment, row: state.run.core.u32[(list.rows >>> 2) + i] as number });
      }
    });
  }
  const events = writeAll(found, request, state);
  const last = found[events.length - 1];
  const end = snapshot.asOf > first ? snapshot.asOf : first;
  const isFull = events.length < found.length || found.length >= request.limit;
  const next = isFull && last ? last.segment.firstSequence + BigInt(last.row) + 1n : end;
  const cursor: Cursor = { order: "sequence", asOf: 0n, timeUs: 0n, sequence: next };
  return {
    events,
    nextCursor: encodeCursor(cursor),
    asOf: String(snapshot.asOf),
    nextSequence: next,
    ...(snapshot.oldest !== undefined && { oldestSequence: snapshot.oldest }),
  };
}

/** The first of `rows` as text: all of them, or as many as a page may have characters. */
function writeAll(
  rows: readonly FoundRow[],
  { charsMax = eventsPageCharsMax }: EventsRequest,
  state: QueryThreadState,
): string[] {
  const texts = new Map<Segment, EventText>();
  const events: string[] = [];
  let chars = 0;
  for (const { segment, row } of rows) {
    let text = texts.get(segment);
    if (!text) {
      text = new EventText(segment, state.cells);
      texts.set(segment, text);
    }
    const event = text.write(row);
    events.push(event);
    chars += event.length;
    if (chars >= charsMax) break;
  }
  return events;
}

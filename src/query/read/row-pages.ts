// Rows as text, page after page: what a query answers whose rows can be sent in the order in which they are found.
//
// A page is a job of its own. It begins after the last row of the page before, sees no row that came after the first
// page, and ends after so many characters. So a result of any size needs the memory of one page, its pages may be read
// by different threads, and nothing of it is kept while its client is slow.

import { RowValues } from "../columns/row-values.ts";
import type { LeafValue } from "../expression/scalar.ts";
import { type Filter, planFilter, timeFilter } from "../plan/filter.ts";
import { mayMatch } from "../plan/prune.ts";
import { isGrouped, type Query } from "../query.ts";
import type { ResultColumn, StageTimes, Value } from "../result.ts";
import { piecesOf, type ResultFormat, type ResultWriter, resultWriter } from "../result-text.ts";
import type { SequenceRange } from "../run/execution.ts";
import { isByTime } from "../run/rows.ts";
import { type QueryThreadState, Scan } from "../run/scan.ts";
import { compileResult, shownType, shownValue } from "../run/shown.ts";
import { topByTime } from "../run/top.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import type { ThreadFacts } from "./thread-facts.ts";

/** The order of rows that are sent as they are found. */
export interface RowOrder {
  readonly by: "time" | "sequence";
  readonly descending: boolean;
}

/** Where a row stands in that order. */
export interface RowPlace {
  readonly timeUs: bigint;
  readonly sequence: bigint;
}

export interface RowsRequest {
  /** Its LIMIT and OFFSET are the caller's to keep. */
  readonly query: Query;
  readonly order: RowOrder;
  readonly format: ResultFormat;
  /** Rows behind this one; null: from the first on. */
  readonly after: RowPlace | null;
  /** No row before it is wanted; null: all that is kept. */
  readonly from: bigint | null;
  /** No row from it on; null: all that is published. */
  readonly asOf: bigint | null;
  /** Rows of the page at most, those that are skipped included. */
  readonly rows: number;
  /** So many are only counted. */
  readonly skip: number;
  /** Whether a row of the result was written before. */
  readonly begun: boolean;
}

export interface RowsPage {
  readonly texts: readonly Uint8Array[];
  /** Rows that were written, and those that were skipped. */
  readonly written: number;
  readonly skipped: number;
  /** The last of them, where others may follow. */
  readonly next: RowPlace | null;
  /** For the next page: `from` and `asOf`. */
  readonly from: bigint;
  readonly asOf: bigint;
  readonly rowsScanned: number;
  /** Ids of the segments that were looked at, of how many. */
  readonly scanned: readonly number[];
  readonly segments: number;
  readonly executionUs: number;
  readonly stages: StageTimes;
  readonly facts: ThreadFacts;
}

/** Characters after which a page ends, with the rows that are being written. */
const pageChars = 256 * 1024;
/** Rows that are written before their size is known, and at most at once. */
const firstRows = 64;
const atOnceMax = 4096;

/** The order in which the rows of `query` can be sent as they are found; null: all of them are needed first. */
export function streamOrder(query: Query): RowOrder | null {
  if (isGrouped(query)) return null;
  const [first] = query.orderBy;
  if (first === undefined) return { by: "sequence", descending: false };
  const { of, descending } = first;
  if (isByTime(query.orderBy)) return { by: "time", descending };
  // No two rows have the same sequence: what follows it orders nothing.
  return of.kind === "path" && of.path === "sequence" ? { by: "sequence", descending } : null;
}

/** The columns of a result of rows. */
export function rowColumns({ select }: Query): ResultColumn[] {
  return select.map(({ of, as }) => ({ name: as, type: shownType(of.type) }));
}

interface FoundRow extends RowPlace {
  readonly segment: Segment;
  readonly row: number;
}

/**
 * Answers a page. `part` has the rows of `range` and stays the caller's to release.
 *
 * @throws InputError or LimitError of a value that can't be told, LimitError of memory, CancelledError
 */
export function readRows(
  request: RowsRequest,
  part: Snapshot,
  range: SequenceRange,
  state: QueryThreadState,
): Omit<RowsPage, "facts"> {
  const { clock } = state;
  const startMs = clock.monotonicMs();
  const { query, order, skip } = request;
  const filter = planFilter(query);
  const from = firstWanted(request, filter, part, range);
  const scanned: Segment[] = [];
  const scan = new Scan(state, filter, {
    expressions: query.select.map(({ of }) => of),
    onScanned: (segment) => scanned.push(segment),
  });
  const wanted = { from, to: range.to };
  const found =
    order.by === "time"
      ? foundByTime(request, part, wanted, scan, state)
      : foundBySequence(request, part, wanted, scan, state);
  const skipped = Math.min(skip, found.length);
  const { texts, written } = new RowTexts(request, scan).write(found, skipped);
  const last = found[skipped + written - 1];
  const isEnd = skipped + written === found.length && found.length < request.rows;
  const next = isEnd || !last ? null : { timeUs: last.timeUs, sequence: last.sequence };
  return {
    texts: [...piecesOf(texts)],
    written,
    skipped,
    next,
    from,
    asOf: request.asOf ?? range.to,
    rowsScanned:
      order.by === "time"
        ? scan.stats.rowsScanned
        : rowsUpTo(next, order.descending, scanned, wanted),
    scanned: scanned.map(({ id }) => id),
    segments: part.segments.length,
    executionUs: Math.round((clock.monotonicMs() - startMs) * 1000),
    stages: scan.stages.times(),
  };
}

/**
 * The first sequence that can be wanted still: what is before it may be dropped meanwhile. Rows come in about the order
 * of their times, so it moves with the pages.
 */
function firstWanted(
  { order, after }: RowsRequest,
  filter: Filter,
  { segments }: Snapshot,
  { from, to }: SequenceRange,
): bigint {
  let times: Filter = { kind: "all" };
  if (after !== null && order.by === "time") {
    times = order.descending ? timeFilter(null, after.timeUs + 1n) : timeFilter(after.timeUs, null);
  }
  const first = segments.find((one) => mayMatch(filter, one) && mayMatch(times, one));
  if (first === undefined) return to;
  return first.firstSequence > from ? first.firstSequence : from;
}

function foundByTime(
  { order, after, rows }: RowsRequest,
  part: Snapshot,
  range: SequenceRange,
  scan: Scan,
  state: QueryThreadState,
): FoundRow[] {
  const top = { limit: rows, descending: order.descending, after };
  return topByTime<FoundRow>(part, scan, state, top, range).rows;
}

function foundBySequence(
  { order, rows }: RowsRequest,
  part: Snapshot,
  range: SequenceRange,
  scan: Scan,
  state: QueryThreadState,
): FoundRow[] {
  const { u32 } = state.run.core;
  const { descending } = order;
  const found: FoundRow[] = [];
  for (const segment of descending ? part.segments.toReversed() : part.segments) {
    if (found.length >= rows) break;
    scan.segment(
      segment,
      (mask, selected, timed) => {
        const list = scan.rows(timed, mask, selected);
        const take = Math.min(list.count, rows - found.length);
        for (let i = 0; i < take; i++) {
          const row = u32[(list.rows >>> 2) + (descending ? list.count - 1 - i : i)] as number;
          found.push({ segment, row, sequence: segment.firstSequence + BigInt(row), timeUs: 0n });
        }
      },
      { kind: "all" },
      range,
    );
  }
  return found;
}

/** Rows of the segments that were looked at, from the beginning of the range to the row `next`. */
function rowsUpTo(
  next: RowPlace | null,
  descending: boolean,
  scanned: readonly Segment[],
  range: SequenceRange,
): number {
  let { from, to } = range;
  if (next !== null && descending) from = next.sequence;
  else if (next !== null) to = next.sequence + 1n;
  let rows = 0n;
  for (const { firstSequence, rows: count } of scanned) {
    const end = firstSequence + BigInt(count);
    const size = (end < to ? end : to) - (firstSequence > from ? firstSequence : from);
    if (size > 0n) rows += size;
  }
  return Number(rows);
}

/** Writes the rows of a page. */
class RowTexts {
  readonly #request: RowsRequest;
  readonly #scan: Scan;
  readonly #writer: ResultWriter;
  readonly #select: readonly ((leaf: LeafValue) => Value)[];

  constructor(request: RowsRequest, scan: Scan) {
    this.#request = request;
    this.#scan = scan;
    this.#writer = resultWriter(request.format, rowColumns(request.query));
    this.#select = request.query.select.map(({ of }) => compileResult(of));
  }

  /** Those from `first` on: all of them, or as many as a page may have characters. */
  write(
    found: readonly FoundRow[],
    first: number,
  ): { readonly texts: string[]; readonly written: number } {
    const texts: string[] = [];
    let chars = 0;
    for (let count = firstRows; first + texts.length < found.length && chars < pageChars; ) {
      const at = first + texts.length;
      for (const text of this.#texts(found.slice(at, at + count), texts.length === 0)) {
        texts.push(text);
        chars += text.length;
      }
      const left = (pageChars - chars) / (chars / texts.length);
      count = Math.min(atOnceMax, Math.max(1, Math.ceil(left)));
    }
    return { texts, written: texts.length };
  }

  #texts(rows: readonly FoundRow[], isFirst: boolean): string[] {
    const texts = new Array<string>(rows.length);
    this.#scan.stages.in("finish", () =>
      this.#scan.values(rows, (values, i) => {
        texts[i] = this.#text(values, isFirst && i === 0);
      }),
    );
    return texts;
  }

  #text(values: RowValues, isFirst: boolean): string {
    const { query, begun } = this.#request;
    const row = query.select.map(({ of }, i) =>
      shownValue(this.#select[i]?.(values.leaf) ?? null, of.type),
    );
    return this.#writer.row(row, isFirst && !begun);
  }
}

// The rows of a rule in a chunk, by pane and by what W says of the pane's windows.
//
// Mostly W has not come to the end of a pane when its last row of the chunk comes: then the rows of a pane are one
// batch. Otherwise they are cut where W passes the end of a window of the pane, and where the window becomes final.

import { LANE_NUMBER } from "../core/layout.ts";
import type { Cells } from "../query/columns/cells.ts";
import { selectionSize, selectionWords } from "../query/columns/selection.ts";
import type { BucketSpan } from "../query/expression/bucket.ts";
import type { PaneRows } from "./pane.ts";
import type { PaneKernels } from "./pane-kernels.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows, Selection, SpanRows } from "./rule-filters.ts";
import type { TimedChunk } from "./timed-chunk.ts";
import type { WindowPanes } from "./window-shape.ts";

/** Rows of one pane for which W says the same. */
export interface PaneBatch extends PaneRows {
  readonly pane: BucketSpan;
  /** The first of the rows. */
  readonly first: number;
  /** Windows of the pane that are final, or whose end W has passed, when the rows come. */
  readonly final: readonly BucketSpan[];
  readonly ended: readonly BucketSpan[];
}

export interface BatchParts {
  readonly context: RuleContext;
  readonly kernels: PaneKernels;
  readonly shape: WindowPanes;
  /** Names the shape among those of all rules. */
  readonly shapeKey: string;
  readonly rows: ChunkRows;
}

const nothing: readonly BucketSpan[] = [];

/** Bytes of selections that are there at once where a chunk has many panes. */
const piecesMax = 8 * 1024 * 1024;

/**
 * In the order of their first rows, piece by piece: each has rows after those of the one before, and is gone when the
 * next one is asked for. To be called before anything is taken.
 */
export function* paneBatches(parts: BatchParts, chunk: TimedChunk): Generator<PaneBatch[]> {
  const { rows, shape, shapeKey } = parts;
  const selected = rows.select();
  if (selected.count === 0) return;
  const panes = rows.panes(shapeKey, (us) => shape.paneOf(us));
  const { scratch } = parts.context.run;
  const mark = scratch.mark();
  try {
    if (panes !== null) {
      yield batchesOf(parts, chunk, panesByMask(parts, chunk, selected, panes));
      return;
    }
    const all = rowsOf(parts, chunk, selected);
    const pieceMark = scratch.mark();
    for (let at = 0; at < selected.count; ) {
      const { found, end } = panesByRow(parts, chunk, all, at);
      yield batchesOf(parts, chunk, found);
      scratch.release(pieceMark);
      at = end;
    }
  } finally {
    scratch.release(mark);
  }
}

function batchesOf(
  parts: BatchParts,
  chunk: TimedChunk,
  listed: readonly RowsOfPane[],
): PaneBatch[] {
  const batches: PaneBatch[] = [];
  for (const one of listed) cut(parts, chunk, one.pane, one, batches);
  return batches.length > 1 ? batches.sort((a, b) => a.first - b.first) : batches;
}

type RowsOfPane = PaneRows & { readonly pane: BucketSpan };

function panesByMask(
  { context }: BatchParts,
  { segment }: TimedChunk,
  selected: Selection,
  panes: readonly SpanRows[],
): RowsOfPane[] {
  const { kernels, scratch } = context.run;
  const [only] = panes;
  if (panes.length === 1 && only) {
    return [{ segment, pane: only.span, mask: selected.mask, count: selected.count, list: 0 }];
  }
  const found: RowsOfPane[] = [];
  for (const { span, mask: within } of panes) {
    const mark = scratch.mark();
    const mask = scratch.take(selectionSize(segment.rows));
    const words = selectionWords(segment.rows);
    const count = kernels.selectionAnd(selected.mask, within, mask, words);
    if (count === 0) scratch.release(mark);
    else found.push({ segment, pane: span, mask, count, list: 0 });
  }
  return found;
}

function rowsOf(
  { context: { run } }: BatchParts,
  { segment }: TimedChunk,
  selected: Selection,
): Uint32Array {
  const all = run.scratch.take(selected.count * 4);
  run.kernels.selectionRows(selected.mask, selectionWords(segment.rows), all);
  return run.core.u32.subarray(all >>> 2, (all >>> 2) + selected.count);
}

/**
 * A chunk that spans many panes: as when old records are read that came slowly. Panes of the rows from `at` to `end`,
 * of as many as there is room for selections: each pane has one, and each row of a pane that may be cut at it.
 */
function panesByRow(
  { context, kernels, shape }: BatchParts,
  { segment, watermarkAfterUs }: TimedChunk,
  all: Uint32Array,
  at: number,
): { readonly found: RowsOfPane[]; readonly end: number } {
  const { run, cells } = context;
  const words = selectionWords(segment.rows);
  const size = selectionSize(segment.rows);
  let room = Math.max(1, Math.floor(piecesMax / size));
  const byPane = new Map<bigint, { span: BucketSpan; rows: number[] }>();
  const times = timesOf(cells, segment.column("timestamp", LANE_NUMBER));
  let last: { span: BucketSpan; rows: number[] } | undefined;
  let end = at;
  for (; end < all.length && room > 0; end++) {
    const row = all[end] as number;
    const us = times(row);
    if (last === undefined || us < last.span.startUs || us >= last.span.endUs) {
      const span = shape.paneOf(us);
      const known = byPane.get(span.startUs);
      if (known === undefined) room--;
      last = known ?? { span, rows: [] };
      byPane.set(span.startUs, last);
    }
    if (last.span.endUs <= watermarkAfterUs) room--;
    last.rows.push(row);
  }
  const found = [...byPane.values()].map(({ span, rows }) => {
    const list = run.scratch.take(rows.length * 4);
    run.core.u32.set(rows, list >>> 2);
    const own = run.scratch.take(size);
    kernels.selectionOf(list, rows.length, words, own);
    return { segment, pane: span, mask: own, count: rows.length, list };
  });
  return { found, end };
}

function timesOf(cells: Cells, column: number): (row: number) => bigint {
  return (row) => BigInt(cells.number(column, cells.page(column, row), row));
}

/** Adds the rows of a pane, cut where what W says of its windows changes. */
function cut(
  { context, kernels, shape }: BatchParts,
  chunk: TimedChunk,
  pane: BucketSpan,
  rows: PaneRows,
  out: PaneBatch[],
): void {
  const { segment, mask } = rows;
  const words = selectionWords(segment.rows);
  const { watermarkAfterUs, first, end } = chunk;
  // The first window of a pane to end does so with the pane.
  const isOnTime =
    watermarkAfterUs < pane.endUs ||
    kernels.selectionLast(mask, words) < chunk.crossing(pane.endUs, first);
  if (isOnTime) {
    const at = kernels.selectionFirst(mask, words);
    out.push({ ...rows, pane, first: at, final: nothing, ended: nothing });
    return;
  }
  const lateness = context.rule.allowedLatenessUs;
  const when = (us: bigint): number => (us > watermarkAfterUs ? end : chunk.crossing(us, first));
  const windows = shape.windowsOf(pane.startUs).map((window) => ({
    window,
    ended: when(window.endUs),
    final: when(window.endUs + lateness),
  }));
  const cuts = new Set([first, end, ...windows.flatMap(({ ended, final }) => [ended, final])]);
  const rowsAt = [...cuts].sort((a, b) => a - b);
  for (let i = 0; i + 1 < rowsAt.length; i++) {
    const [from, to] = [rowsAt[i] as number, rowsAt[i + 1] as number];
    const { scratch } = context.run;
    const mark = scratch.mark();
    const part = scratch.take(selectionSize(segment.rows));
    const count = kernels.selectionPart(mask, words, from, to, part);
    if (count === 0) {
      scratch.release(mark);
      continue;
    }
    out.push({
      segment,
      mask: part,
      count,
      list: 0,
      pane,
      first: kernels.selectionFirst(part, words),
      final: windows.filter(({ final }) => final <= from).map(({ window }) => window),
      ended: windows
        .filter(({ ended, final }) => ended <= from && final > from)
        .map(({ window }) => window),
    });
  }
}

/** The part of a batch from a row on. */
export function batchFrom(
  { context, kernels }: BatchParts,
  batch: PaneBatch,
  row: number,
): { readonly before: number; readonly rest: PaneBatch | null } {
  const { segment, mask, count } = batch;
  const words = selectionWords(segment.rows);
  const part = context.run.scratch.take(selectionSize(segment.rows));
  const left = kernels.selectionPart(mask, words, row, segment.rows, part);
  const before = count - left;
  if (left === 0) return { before, rest: null };
  const first = kernels.selectionFirst(part, words);
  return { before, rest: { ...batch, mask: part, count: left, list: 0, first } };
}

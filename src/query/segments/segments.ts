// The segments that queries read: the newest in hot slots, the others stored, column by column.

import { assert, at } from "../../base/assert.ts";
import type { Columns } from "../../core/columns.ts";
import type { Core } from "../../core/core.ts";
import {
  LANE_STRING,
  RECORD_FIRST_ROW,
  RECORD_RECEIVED_AT,
  RECORD_SIZE,
  SLOT_RECORD_COUNT,
  SLOT_RECORDS,
} from "../../core/layout.ts";
import type { SlotReader, SlotView } from "../../core/slots.ts";
import type { ColumnCache } from "../../storage/column-cache.ts";
import type { SegmentMeta } from "../../storage/segment.ts";
import type { PathTexts } from "../columns/path-texts.ts";
import type { Segment, SegmentColumn, SegmentSource, Snapshot, Zone } from "./source.ts";

/** A hot slot, as many rows of it as were published when it was listed. */
export class HotSegment implements Segment {
  readonly id: number;
  readonly hot = true;
  readonly rows: number;
  readonly firstSequence: bigint;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly #core: Core;
  readonly #columns: Columns;
  readonly #slot: number;

  /** The slot stays pinned while this is in use. */
  constructor(core: Core, columns: Columns, slot: SlotView) {
    this.#core = core;
    this.#columns = columns;
    this.#slot = slot.address;
    this.id = slot.segmentId;
    this.rows = slot.rows;
    this.firstSequence = slot.firstSequence;
    this.timeMinUs = slot.timeMinUs;
    this.timeMaxUs = slot.timeMaxUs;
  }

  /** Its columns stay where they are as long as the slot is pinned. */
  enter(): void {}

  column(path: string, lane: number): number {
    return this.#columns.find(this.#slot, path, lane);
  }

  has(path: string, lane: number): boolean {
    return this.#columns.find(this.#slot, path, lane) !== 0;
  }

  zone(): Zone | null {
    return null;
  }

  mayHaveText(): boolean {
    return true;
  }

  columns(): readonly SegmentColumn[] {
    return this.#columns
      .paths(this.#slot)
      .map(({ path, lane, column }) => ({ path, lane, address: column }));
  }

  received(first = 0, end = this.rows): { firstRow: number; receivedAtUs: bigint }[] {
    const { u32, view } = this.#core;
    // The count first: the array that is published then holds that many records at least.
    const count = Atomics.load(u32, (this.#slot + SLOT_RECORD_COUNT) >>> 2);
    const records = Atomics.load(u32, (this.#slot + SLOT_RECORDS) >>> 2);
    const list: { firstRow: number; receivedAtUs: bigint }[] = [];
    const rowOf = (i: number): number =>
      view.getUint32(records + i * RECORD_SIZE + RECORD_FIRST_ROW, true);
    for (let i = first === 0 ? 0 : lastAtMost(rowOf, count, first); i < count; i++) {
      const record = records + i * RECORD_SIZE;
      const firstRow = rowOf(i);
      if (firstRow >= end) break;
      list.push({ firstRow, receivedAtUs: view.getBigInt64(record + RECORD_RECEIVED_AT, true) });
    }
    return list;
  }
}

/** The last of `count` ascending rows that is at most `row`; 0 where none is. */
function lastAtMost(rowOf: (index: number) => number, count: number, row: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rowOf(middle) <= row) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** A stored segment. Its columns are decoded into the reader's cache when they are asked for. */
export class StoredSegment implements Segment {
  readonly id: number;
  readonly hot = false;
  readonly rows: number;
  readonly firstSequence: bigint;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly meta: SegmentMeta;
  readonly #cache: ColumnCache | null;
  #indexes: Map<string, number> | undefined;

  /** Without a cache, as on the HTTP thread, it can be pruned but not read. */
  constructor(meta: SegmentMeta, cache: ColumnCache | null) {
    this.meta = meta;
    this.#cache = cache;
    this.id = meta.id;
    this.rows = meta.rows;
    this.firstSequence = meta.firstSequence;
    this.timeMinUs = meta.timeMinUs;
    this.timeMaxUs = meta.timeMaxUs;
  }

  /** Index of the column in the meta, or -1. */
  #index(path: string, lane: number): number {
    this.#indexes ??= new Map(
      this.meta.columns.map((column, index) => [`${column.lane}${column.path}`, index]),
    );
    return this.#indexes.get(`${lane}${path}`) ?? -1;
  }

  enter(): void {
    this.#cache?.next();
  }

  column(path: string, lane: number): number {
    const index = this.#index(path, lane);
    if (index < 0) return 0;
    assert(this.#cache !== null, "a thread without a column cache reads no stored segment");
    return this.#cache.column(this.meta, index);
  }

  has(path: string, lane: number): boolean {
    return this.#index(path, lane) >= 0;
  }

  texts(path: string, lane: number): { entries: number; count: number } | undefined {
    return this.meta.columns[this.#index(path, lane)];
  }

  zone(path: string, lane: number): Zone | null {
    const zone = this.meta.columns[this.#index(path, lane)]?.zone;
    if (!zone || typeof zone.min === "boolean" || typeof zone.max === "boolean") return null;
    return { min: zone.min, max: zone.max };
  }

  mayHaveText(path: string, text: Uint8Array): boolean {
    const index = this.#index(path, LANE_STRING);
    return index >= 0 && (this.#cache?.mayHaveText(this.meta, index, text) ?? true);
  }

  columns(): readonly SegmentColumn[] {
    return this.meta.columns.map(({ path, lane }) => ({
      path,
      lane,
      address: this.column(path, lane),
    }));
  }

  received(
    first = 0,
    end = this.rows,
  ): readonly { readonly firstRow: number; readonly receivedAtUs: bigint }[] {
    const { records } = this.meta;
    if (first === 0 && end === this.rows) return records;
    const rowOf = (i: number): number => at(records, i).firstRow;
    const from = lastAtMost(rowOf, records.length, first);
    return records.slice(from, lastAtMost(rowOf, records.length, end - 1) + 1);
  }
}

/** The stored segments that a thread knows of; the engine thread tells it which come and go. */
export class StoredSegments {
  readonly #cache: ColumnCache | null;
  readonly #texts: PathTexts | null;
  #segments: StoredSegment[] = [];
  #end = 0n;

  constructor(cache: ColumnCache | null, texts: PathTexts | null = null) {
    this.#cache = cache;
    this.#texts = texts;
  }

  /** In sequence order. */
  list(): readonly StoredSegment[] {
    return this.#segments;
  }

  /** The sequence after the last row that was ever known to be stored; what came before is stored or dropped. */
  get end(): bigint {
    return this.#end;
  }

  add(metas: readonly SegmentMeta[]): void {
    const known = new Set(this.#segments.map(({ id }) => id));
    const added = metas
      .filter(({ id }) => !known.has(id))
      .map((meta) => new StoredSegment(meta, this.#cache));
    if (added.length === 0) return;
    this.#segments = [...this.#segments, ...added].sort(inSequence);
    for (const { firstSequence, rows } of added) this.reach(firstSequence + BigInt(rows));
    this.#dropContained();
  }

  /**
   * Compaction puts a segment in the place of several: they have the same rows, and whichever message comes when, a
   * row must be in one segment of the list. The larger one stays, as what it was made of is never stored again.
   */
  #dropContained(): void {
    const contained: number[] = [];
    let end = -1n;
    for (const { id, firstSequence, rows } of this.#segments) {
      const own = firstSequence + BigInt(rows);
      if (own <= end) contained.push(id);
      else end = own;
    }
    if (contained.length > 0) this.drop(contained);
  }

  /** Nothing more will be stored of the sequences before `end`. */
  reach(end: bigint): void {
    if (end > this.#end) this.#end = end;
  }

  /** Not while a query runs. */
  drop(ids: readonly number[]): void {
    const gone = new Set(ids);
    for (const segment of this.#segments) {
      if (!gone.has(segment.id)) continue;
      this.#cache?.forget(segment.meta);
      this.#texts?.forget(segment.id);
    }
    this.#segments = this.#segments.filter(({ id }) => !gone.has(id));
  }

  /** Makes the list equal to `metas`, and keeps what is known of those that stay. */
  replace(metas: readonly SegmentMeta[]): void {
    const stay = new Set(metas.map(({ id }) => id));
    this.drop(this.#segments.filter(({ id }) => !stay.has(id)).map(({ id }) => id));
    this.add(metas);
  }
}

/** By first sequence; of two with the same one the longer comes first. */
function inSequence(a: StoredSegment, b: StoredSegment): number {
  if (a.firstSequence === b.firstSequence) return b.rows - a.rows;
  return a.firstSequence < b.firstSequence ? -1 : 1;
}

export interface LiveSourceParts {
  readonly core: Core;
  readonly columns: Columns;
  readonly slots: SlotReader;
  readonly stored: StoredSegments;
  /** The cache behind the stored segments, on threads that have one. */
  readonly cache: ColumnCache | null;
  /** Reads the list of stored segments again; undefined where that can't be done. */
  readonly refresh?: () => readonly SegmentMeta[];
}

/** Snapshots of everything that is published: hot slots, and what is stored of the sequences before them. */
export class LiveSource implements SegmentSource {
  readonly #parts: LiveSourceParts;
  /** First hot sequence for which the list of stored segments is known to be complete. */
  #complete = -1n;

  constructor(parts: LiveSourceParts) {
    this.#parts = parts;
  }

  /**
   * With `fresh` the list of stored segments is read again. Columns that are read in the same event-loop turn come from
   * the same view of the store then, so every segment of the snapshot is there.
   */
  snapshot(fresh = false): Snapshot {
    const { slots, cache, core, columns } = this.#parts;
    // The pin comes first: a slot that is freed after it keeps its content, and one that was freed before
    // it is stored.
    slots.pin();
    try {
      const views = slots.list();
      const stored = this.#storedBefore(views[0]?.firstSequence, fresh);
      const newest = stored.at(-1);
      const storedEnd = newest ? newest.firstSequence + BigInt(newest.rows) : 0n;
      // A slot may have been freed and its rows compacted into a larger segment since it was listed.
      const hot = views
        .filter(({ rows, firstSequence }) => rows > 0 && firstSequence >= storedEnd)
        .map((view) => new HotSegment(core, columns, view));
      const segments: Segment[] = [...stored, ...hot];
      const last = views.at(-1);
      const asOf = last ? last.firstSequence + BigInt(last.rows) : this.#parts.stored.end;
      cache?.begin();
      const release = (): void => {
        cache?.end();
        slots.unpin();
      };
      return { segments, asOf, oldest: segments[0]?.firstSequence ?? asOf, release };
    } catch (error) {
      slots.unpin();
      throw error;
    }
  }

  /** Whether the stored segments that this thread knows of reach up to the first hot one. */
  isComplete(firstHot: bigint): boolean {
    return this.#parts.stored.end >= firstHot || this.#complete === firstHot;
  }

  /** Stored segments with sequences before the hot ones; while a slot is both hot and stored, the slot is read. */
  #storedBefore(firstHot: bigint | undefined, fresh: boolean): readonly Segment[] {
    const { stored, refresh } = this.#parts;
    const complete = firstHot === undefined || this.isComplete(firstHot);
    if ((fresh || !complete) && refresh) stored.replace(refresh());
    if (firstHot === undefined) return stored.list();
    if (!complete && refresh) {
      // What is still missing was dropped: retention may have taken all that is stored.
      this.#complete = firstHot;
    }
    return stored.list().filter((segment) => segment.firstSequence < firstHot);
  }
}

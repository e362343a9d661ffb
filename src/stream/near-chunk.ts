// A chunk as rules take it: of a segment that begins with the page of the chunk's first row and ends with its last. All
// that goes through a segment's rows or words then goes through those of the chunk.

import type { Core } from "../core/core.ts";
import {
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_PAGES,
  COLUMN_SIZE,
  PAGE_ROWS,
  PAGES_MAX,
} from "../core/layout.ts";
import type { Segment, SegmentColumn, Zone } from "../query/segments/source.ts";
import type { TimedChunk } from "./timed-chunk.ts";

/** Memory for Columns that are used again for each chunk. */
export class NearColumns {
  readonly #core: Core;
  readonly #keep: (size: number) => number;
  readonly #addresses: number[] = [];
  #used = 0;

  constructor(core: Core, keep: (size: number) => number) {
    this.#core = core;
    this.#keep = keep;
  }

  /** Those that were made are gone. */
  begin(): void {
    this.#used = 0;
  }

  /** A Column as `of`, from page `skipped` on; its count is that of the whole. */
  make(of: number, skipped: number): number {
    const { u32 } = this.#core;
    const address = this.#addresses[this.#used] ?? this.#keep(COLUMN_SIZE);
    this.#addresses[this.#used++] = address;
    const [from, to] = [of >>> 2, address >>> 2];
    // The count first: the entries that are there then are as many at least.
    const count = Atomics.load(u32, (of + COLUMN_DICT_COUNT) >>> 2);
    const entries = Atomics.load(u32, (of + COLUMN_DICT) >>> 2);
    u32.copyWithin(to, from, from + COLUMN_PAGES / 4);
    u32[(address + COLUMN_DICT_COUNT) >>> 2] = count;
    u32[(address + COLUMN_DICT) >>> 2] = entries;
    const pages = to + COLUMN_PAGES / 4;
    u32.copyWithin(pages, from + COLUMN_PAGES / 4 + skipped, from + COLUMN_SIZE / 4);
    u32.fill(0, pages + PAGES_MAX - skipped, pages + PAGES_MAX);
    return address;
  }
}

export class NearChunk implements TimedChunk {
  readonly segment: Segment;
  readonly first: number;
  readonly end: number;
  readonly minUs: bigint;
  readonly maxUs: bigint;
  readonly watermarkBeforeUs: bigint;
  readonly watermarkAfterUs: bigint;
  readonly #of: TimedChunk;
  readonly #skipped: number;

  constructor(columns: NearColumns, of: TimedChunk) {
    this.#of = of;
    this.#skipped = of.first - (of.first % PAGE_ROWS);
    this.segment =
      this.#skipped === 0 && of.end === of.segment.rows
        ? of.segment
        : new NearSegment(columns, of.segment, this.#skipped, of.end - this.#skipped);
    this.first = of.first - this.#skipped;
    this.end = of.end - this.#skipped;
    this.minUs = of.minUs;
    this.maxUs = of.maxUs;
    this.watermarkBeforeUs = of.watermarkBeforeUs;
    this.watermarkAfterUs = of.watermarkAfterUs;
  }

  crossing(us: bigint, from: number): number {
    return this.#of.crossing(us, from + this.#skipped) - this.#skipped;
  }
}

/** Rows [skipped, skipped + rows) of a segment; `skipped` is a whole number of pages. */
class NearSegment implements Segment {
  readonly id: number;
  readonly hot: boolean;
  readonly rows: number;
  readonly firstSequence: bigint;
  readonly timeMinUs: bigint;
  readonly timeMaxUs: bigint;
  readonly #near: NearColumns;
  readonly #of: Segment;
  readonly #skipped: number;
  /** By path and lane. */
  readonly #columns = new Map<string, number>();

  constructor(near: NearColumns, of: Segment, skipped: number, rows: number) {
    this.#near = near;
    this.#of = of;
    this.#skipped = skipped;
    this.rows = rows;
    this.id = of.id;
    this.hot = of.hot;
    this.firstSequence = of.firstSequence + BigInt(skipped);
    this.timeMinUs = of.timeMinUs;
    this.timeMaxUs = of.timeMaxUs;
  }

  enter(): void {
    this.#of.enter();
  }

  column(path: string, lane: number): number {
    const key = `${lane}${path}`;
    let address = this.#columns.get(key);
    if (address === undefined) {
      const of = this.#of.column(path, lane);
      address = of === 0 ? 0 : this.#near.make(of, this.#skipped / PAGE_ROWS);
      this.#columns.set(key, address);
    }
    return address;
  }

  has(path: string, lane: number): boolean {
    return this.#of.has(path, lane);
  }

  zone(path: string, lane: number): Zone | null {
    return this.#of.zone(path, lane);
  }

  mayHaveText(path: string, text: Uint8Array): boolean {
    return this.#of.mayHaveText(path, text);
  }

  columns(): readonly SegmentColumn[] {
    return this.#of.columns().map(({ path, lane }) => ({
      path,
      lane,
      address: this.column(path, lane),
    }));
  }

  received(): readonly { readonly firstRow: number; readonly receivedAtUs: bigint }[] {
    const skipped = this.#skipped;
    const list: { firstRow: number; receivedAtUs: bigint }[] = [];
    for (const { firstRow, receivedAtUs } of this.#of.received()) {
      if (firstRow - skipped >= this.rows) break;
      if (firstRow <= skipped) list.length = 0;
      list.push({ firstRow: Math.max(0, firstRow - skipped), receivedAtUs });
    }
    return list;
  }
}

import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Core } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import type { Region } from "../core/memory.ts";
import * as status from "../core/status.ts";
import { CorruptionError, LimitError } from "../errors.ts";
import { loadColumn } from "./column-bytes.ts";
import { RegionSpace } from "./region-space.ts";
import type { SegmentColumn, SegmentMeta } from "./segment.ts";
import { isTextFilter, mayHaveText } from "./text-filter.ts";

/** Where a segment's columns are read from: their LMDB values, undefined when there is none. */
export interface ColumnSource {
  column(segmentId: number, columnIndex: number): Uint8Array | undefined;
  /** The filter of a column's texts. */
  filter?(segmentId: number, columnIndex: number): Uint8Array | undefined;
}

/** Kernels may read this much beyond the end of bytes. */
const OVER_READ = 64;

interface Cached {
  readonly address: number;
  readonly size: number;
  /** The step of a query that used it last. */
  step: number;
}

const utf8 = new TextEncoder();

const REASONS: Readonly<Record<number, string>> = {
  [status.CORRUPT_MAGIC]: "its magic is not that of a sealed column",
  [status.CORRUPT_VERSION]: "its version is not one that is known",
  [status.CORRUPT_CHECKSUM]: "its checksum is not that of its bytes",
  [status.CORRUPT_BOUNDS]: "a length or an offset points outside of it",
  [status.CORRUPT_ENCODING]: "its encoding is not one that is known",
};

/**
 * Sealed columns decoded into a reader's region, where kernels read them as they read those of hot slots.
 *
 * Lifetime: an address is valid until `next()` or `end()` of the query that asked for it; columns stay, least
 * recently used ones go first when room is needed. One thread owns the region and the cache.
 */
export class ColumnCache {
  readonly #core: Core;
  readonly #space: RegionSpace;
  readonly #source: ColumnSource;
  /** The filter that was asked last, a private copy: a list of texts asks it for each of them. */
  #filter: { readonly key: string; readonly bytes: Uint8Array } | null = null;
  /** Filters whose bytes were found to be right. */
  readonly #soundFilters = new Set<string>();
  /** By segment id and column index, least recently used first. */
  readonly #columns = new Map<string, Cached>();
  #step = 0;
  #running = false;

  constructor(core: Core, region: Region, source: ColumnSource) {
    this.#core = core;
    this.#source = source;
    this.#space = new RegionSpace(region.base, region.size - OVER_READ);
  }

  /** Columns that were asked for and were there, that had to be decoded, and the bytes of these, since the start. */
  hits = 0;
  decoded = 0;
  decodedBytes = 0;

  /** Starts a query: every column that it asks for stays until its next step or its end. */
  begin(): void {
    assert(!this.#running, "one query at a time uses the cache");
    this.#running = true;
    this.#step++;
  }

  /** The query needs no column any more that it has asked for. */
  next(): void {
    assert(this.#running, "a query is running");
    this.#step++;
  }

  end(): void {
    assert(this.#running, "a query is running");
    this.#running = false;
  }

  /** Bytes of the region that hold decoded columns. */
  bytesUsed(): number {
    return this.#space.used;
  }

  /**
   * Address of the segment's column `columnIndex`, decoded when it is not there yet.
   * @throws CorruptionError that names segment and column; LimitError when this step of the query has filled the
   * region.
   */
  column(meta: SegmentMeta, columnIndex: number): number {
    assert(this.#running, "a query is running");
    const key = keyOf(meta.id, columnIndex);
    let cached = this.#columns.get(key);
    if (cached === undefined) {
      cached = this.#decode(meta, columnIndex);
      this.decoded++;
      this.decodedBytes += cached.size;
    } else {
      this.#columns.delete(key);
      this.hits++;
    }
    cached.step = this.#step;
    this.#columns.set(key, cached);
    return cached.address;
  }

  /**
   * False: no row of the segment has this text in its column `columnIndex`. Nothing is decoded. A filter that is
   * damaged says of every text that it may be there: answers stay right, and the column has a checksum of its own.
   */
  mayHaveText(meta: SegmentMeta, columnIndex: number, text: Uint8Array): boolean {
    if (!meta.columns[columnIndex]?.filterBytes) return true;
    const filter = this.#soundFilter(keyOf(meta.id, columnIndex), meta.id, columnIndex);
    return filter === null || mayHaveText(filter, text);
  }

  #soundFilter(key: string, segmentId: number, columnIndex: number): Uint8Array | null {
    if (this.#filter?.key === key) return this.#filter.bytes;
    const stored = this.#source.filter?.(segmentId, columnIndex);
    if (stored === undefined) return null;
    if (!this.#soundFilters.has(key)) {
      if (!isTextFilter(stored, (bytes) => this.#checksum(bytes))) return null;
      this.#soundFilters.add(key);
    }
    const bytes = Uint8Array.from(stored);
    this.#filter = { key, bytes };
    return bytes;
  }

  /** The core's CRC-32C is several times as fast as the one outside, if there is room for the bytes. */
  #checksum(bytes: Uint8Array): number {
    const size = bytes.length + OVER_READ;
    const address = this.#space.take(size, "high");
    if (address === 0) return crc32c(bytes);
    this.#core.u8.set(bytes, address);
    const crc = this.#call("crc32c", address, bytes.length);
    this.#space.give(address, size);
    return crc;
  }

  /** Forgets the columns of a segment that is gone; not while a query is running. */
  forget(meta: SegmentMeta): void {
    assert(!this.#running, "no query is running");
    this.#filter = null;
    for (let index = 0; index < meta.columns.length; index++) {
      const key = keyOf(meta.id, index);
      this.#soundFilters.delete(key);
      const cached = this.#columns.get(key);
      if (cached === undefined) continue;
      this.#columns.delete(key);
      this.#space.give(cached.address, cached.size);
    }
  }

  #decode(meta: SegmentMeta, columnIndex: number): Cached {
    const column = meta.columns[columnIndex];
    assert(column !== undefined, `segment ${meta.id} has a column ${columnIndex}`);
    const stored = this.#source.column(meta.id, columnIndex);
    if (stored === undefined) throw corrupt(meta, column, "it is missing");
    const bytes = loadColumn(stored);
    if (bytes === undefined) throw corrupt(meta, column, "its texts can't be inflated");
    const staging = this.#take(bytes.length + OVER_READ, "high", meta, column);
    try {
      this.#core.u8.set(bytes, staging);
      return this.#decodeAt(staging, bytes.length, meta, column);
    } finally {
      this.#space.give(staging, bytes.length + OVER_READ);
    }
  }

  #decodeAt(bytes: number, length: number, meta: SegmentMeta, column: SegmentColumn): Cached {
    const decoded = this.#call("decodedSize", bytes, length);
    const capacity = this.#call("decodeCapacity", bytes, length);
    if (decoded === 0) throw this.#refused(bytes, length, meta, column);
    const path = utf8.encode(column.path);
    const size = decoded + path.length + OVER_READ;
    const taken = Math.max(size, capacity);
    const address = this.#take(taken, "low", meta, column);
    const code = this.#call("decodeColumn", bytes, length, address, taken);
    const fault =
      code === status.OK ? this.#mismatch(address, bytes, meta, column) : reasonOf(code);
    if (fault !== undefined) {
      this.#space.give(address, taken);
      throw corrupt(meta, column, fault);
    }
    // The decoder's scratch is free again, and the path takes its place.
    this.#core.u8.set(path, address + decoded);
    this.#core.view.setUint32(address + layout.COLUMN_PATH, address + decoded, true);
    this.#core.view.setUint32(address + layout.COLUMN_PATH_LENGTH, path.length, true);
    this.#space.shrink(address, taken, size);
    return { address, size, step: this.#step };
  }

  /** What a decoded column has that its segment says otherwise. */
  #mismatch(
    address: number,
    bytes: number,
    meta: SegmentMeta,
    column: SegmentColumn,
  ): string | undefined {
    const { view } = this.#core;
    const rows = view.getUint32(bytes + 16, true);
    const lane = view.getUint32(address + layout.COLUMN_LANE, true);
    const count = view.getUint32(address + layout.COLUMN_COUNT, true);
    if (rows !== meta.rows) return `got ${rows} rows, want ${meta.rows}`;
    if (lane !== column.lane) return `got lane ${lane}, want ${column.lane}`;
    if (count !== column.count) return `got ${count} values, want ${column.count}`;
    return undefined;
  }

  #refused(bytes: number, length: number, meta: SegmentMeta, column: SegmentColumn): Error {
    return corrupt(meta, column, reasonOf(this.#call("decodeColumn", bytes, length, 0, 0)));
  }

  /** Takes room, at the cost of columns that the running query does not use now. */
  #take(size: number, end: "low" | "high", meta: SegmentMeta, column: SegmentColumn): number {
    for (;;) {
      const address = this.#space.take(size, end);
      if (address !== 0) return address;
      if (!this.#evictOne()) break;
    }
    throw new LimitError(
      "query_memory",
      `segment ${meta.id}: column ${column.path} needs ${size} bytes beside the ` +
        `${this.#space.used} that this query has filled of ${this.#space.size}`,
    );
  }

  /** Drops the least recently used column that this step has not used; false when there is none. */
  #evictOne(): boolean {
    for (const [key, cached] of this.#columns) {
      if (cached.step === this.#step) return false;
      this.#columns.delete(key);
      this.#space.give(cached.address, cached.size);
      return true;
    }
    return false;
  }

  #call(name: string, ...values: number[]): number {
    const kernel = this.#core.exports[name];
    assert(kernel !== undefined, `the core exports ${name}`);
    return Number(kernel(...values)) >>> 0;
  }
}

function keyOf(segmentId: number, columnIndex: number): string {
  return `${segmentId}/${columnIndex}`;
}

function reasonOf(code: number): string {
  return REASONS[code] ?? `status ${code}`;
}

function corrupt(meta: SegmentMeta, column: SegmentColumn, why: string): CorruptionError {
  return new CorruptionError(
    "column_corrupt",
    `segment ${meta.id}: column ${column.path} (lane ${column.lane}): ${why}`,
    { segmentId: meta.id },
  );
}

import { assert, at } from "../base/assert.ts";
import type { Core } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import type { Region } from "../core/memory.ts";
import { LimitError } from "../errors.ts";
import { segmentRowsMax } from "../limits.ts";
import { ColumnCache, type ColumnSource } from "./column-cache.ts";
import * as format from "./column-format.ts";
import { type EncodedColumn, takeEncoded } from "./seal.ts";
import type { SealedSegment, SegmentMeta, SegmentRecord } from "./segment.ts";

/** More than these are not merged at once. */
export const compactionSourcesMax = 64;
/**
 * Bytes that the columns of the merged segment take when they are decoded, all together: less than a hot slot holds, so
 * that no merged segment is larger than those that sealing makes.
 */
const DECODED_BYTES_MAX = 48 * 1024 * 1024;
const PART_SIZE = 8;
const ENTRY_SIZE = 8;

/**
 * Merges adjacent segments into one with the id `id`: what sealing all their rows together would have given. Yields
 * after each column, so that its thread can do something else; `scratch` is the caller's alone only in between.
 *
 * @throws LimitError when what they hold is too large to be one segment; CorruptionError that names a source.
 */
export function* compactSegments(
  core: Core,
  id: number,
  sources: readonly SegmentMeta[],
  store: ColumnSource,
  scratch: Region,
): Generator<void, SealedSegment> {
  assertAdjacent(sources);
  const paths = new Map<string, { readonly path: string; readonly lane: number }>();
  for (const { path, lane } of sources.flatMap(({ columns }) => columns)) {
    if (!paths.has(keyOf(path, lane))) paths.set(keyOf(path, lane), { path, lane });
  }
  const merge = new ColumnMerge(core, sources, store, scratch);
  const columns: EncodedColumn[] = [];
  for (const { path, lane } of paths.values()) {
    columns.push(merge.column(path, lane));
    if (merge.decodedBytes > DECODED_BYTES_MAX) {
      throw new LimitError(
        "compaction_memory",
        `segments ${listed(sources)}: together they take more than ${DECODED_BYTES_MAX} bytes of memory`,
      );
    }
    yield;
  }
  return {
    meta: mergedMeta(id, sources, columns),
    columns: columns.map(({ bytes }) => bytes),
    filters: columns.map(({ filter }) => filter),
  };
}

function listed(sources: readonly SegmentMeta[]): string {
  return sources.map(({ id }) => id).join(", ");
}

function keyOf(path: string, lane: number): string {
  return `${lane}${path}`;
}

function assertAdjacent(sources: readonly SegmentMeta[]): void {
  assert(sources.length >= 2 && sources.length <= compactionSourcesMax, "2 to 64 are merged");
  let next = sources[0]?.firstSequence;
  let rows = 0;
  for (const source of sources) {
    assert(source.firstSequence === next, "the rows of adjacent segments have no gap");
    assert(source.partition === sources[0]?.partition, "adjacent segments are of one partition");
    next = source.firstSequence + BigInt(source.rows);
    rows += source.rows;
  }
  assert(rows > 0 && rows <= segmentRowsMax, "the rows of all sources fit a segment");
}

function mergedMeta(
  id: number,
  sources: readonly SegmentMeta[],
  columns: readonly EncodedColumn[],
): SegmentMeta {
  const first = at(sources, 0);
  const last = at(sources, sources.length - 1);
  const records: SegmentRecord[] = [];
  let rows = 0;
  let { timeMinUs, timeMaxUs } = first;
  for (const source of sources) {
    for (const record of source.records) {
      records.push({ ...record, firstRow: record.firstRow + rows });
    }
    rows += source.rows;
    if (source.timeMinUs < timeMinUs) timeMinUs = source.timeMinUs;
    if (source.timeMaxUs > timeMaxUs) timeMaxUs = source.timeMaxUs;
  }
  return {
    id,
    firstSequence: first.firstSequence,
    rows,
    timeMinUs,
    timeMaxUs,
    partition: first.partition,
    records,
    columns: columns.map(({ column }) => column),
    // How far the sources of events had come after the last row.
    ...(last.watermarks && { watermarks: last.watermarks }),
  };
}

/**
 * Columns of several segments made one. Of the scratch come first the encoder's, then the list of parts and their
 * dictionary entries; one half of the rest takes the decoded parts, the other one the result.
 */
class ColumnMerge {
  /** Bytes of all parts that were decoded so far. */
  decodedBytes = 0;
  readonly #core: Core;
  readonly #sources: readonly SegmentMeta[];
  readonly #store: ColumnSource;
  readonly #scratch: Region;
  readonly #parts: number;
  readonly #entries: number;
  readonly #decoded: Region;
  readonly #out: Region;

  constructor(core: Core, sources: readonly SegmentMeta[], store: ColumnSource, scratch: Region) {
    this.#core = core;
    this.#sources = sources;
    this.#store = store;
    this.#scratch = scratch;
    this.#parts = scratch.base + format.ENCODE_SCRATCH_SIZE;
    this.#entries = this.#parts + compactionSourcesMax * PART_SIZE;
    const rest = this.#entries + segmentRowsMax * ENTRY_SIZE;
    const half = Math.floor((scratch.base + scratch.size - rest) / 128) * 64;
    if (half <= 0) {
      throw new LimitError("compaction_memory", `${scratch.size} bytes are too few for compaction`);
    }
    this.#decoded = { base: rest, size: half };
    this.#out = { base: rest + half, size: half };
  }

  /** The values that the sources have of a path and a lane, as one column. */
  column(path: string, lane: number): EncodedColumn {
    const { view, exports } = this.#core;
    // Decoding verifies what the sources hold; the decoded parts stay until they are encoded.
    const cache = new ColumnCache(this.#core, this.#decoded, this.#store);
    cache.begin();
    let entryCount = 0;
    this.#sources.forEach((source, index) => {
      const own = source.columns.findIndex((one) => one.path === path && one.lane === lane);
      const column = own < 0 ? 0 : cache.column(source, own);
      if (column !== 0) entryCount += view.getUint32(column + layout.COLUMN_DICT_COUNT, true);
      view.setUint32(this.#parts + index * PART_SIZE, column, true);
      view.setUint32(this.#parts + index * PART_SIZE + 4, source.rows, true);
    });
    this.decodedBytes += cache.bytesUsed();
    const encode = exports.encodeColumns;
    assert(encode !== undefined, "the core exports encodeColumns");
    const { base: out, size: capacity } = this.#out;
    const scratch = this.#scratch.base;
    const parts = this.#sources.length;
    const code = encode(
      this.#parts,
      parts,
      this.#entries,
      out,
      capacity,
      scratch,
      format.ENCODE_SCRATCH_SIZE,
    );
    return takeEncoded(this.#core, Number(code) >>> 0, {
      path,
      lane,
      entries: this.#entries,
      entryCount,
      scratch: this.#scratch,
      out,
      capacity,
    });
  }
}

// How far event time has come: the watermark of each row, and each source's part in it. See docs/windows.md.

import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Core } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import { CorruptionError } from "../errors.ts";
import type { Scratch } from "../query/columns/scratch.ts";
import type { Segment } from "../query/segments/source.ts";
import type { SourceTime } from "./messages.ts";
import * as offsets from "./time-table.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";

export interface EventTimeOptions {
  /** Where the table is: `timeTableSize` bytes from a multiple of 16 on, this thread's own. */
  readonly table: number;
  readonly sourcesMax: number;
  readonly maxSkewUs: bigint;
  /** More than 0. */
  readonly idleTimeoutUs: bigint;
}

/** Bytes of the table for so many sources with a mark of their own. */
export function timeTableSize(core: Core, sourcesMax: number): number {
  return call(core, "timeSize", sourcesMax);
}

// What `encode` makes, little-endian:
//   0   magic 'MRET' u32 │ 4 version u32 │ 8 CRC-32C u32 of bytes [16, end) │ 12 sources u32
//   16  watermark i64 µs │ 24 newest received-at i64 µs │ 32 future rows u64 │ 40 zeros to 48
//   48  sources × { hash u64 │ 8 mark i64 │ 16 last received i64 │ 24 future rows u64 │ 32 last of those received i64
//                   40 kind u32 │ 44 name length u32 │ 48 name as UTF-8 }, not aligned
const magic = 0x5445524d;
const version = 1;
const headerSize = 48;
const sourceSize = 48;
/** What the mark that sources beyond the maximum share is shown as. */
const othersName = "(others)";

const fromUtf8 = new TextDecoder();

export class EventTime {
  readonly #core: Core;
  readonly #options: EventTimeOptions;
  /** Names of the entries, in their order, as UTF-8; empty for those without. */
  #names: Uint8Array[] = [];

  constructor(core: Core, options: EventTimeOptions) {
    assert(options.idleTimeoutUs > 0n, "a source is awake for some time at least");
    assert(options.table % 16 === 0, "the table of times is aligned");
    this.#core = core;
    this.#options = options;
    this.#format();
  }

  #format(): void {
    const { table, sourcesMax, maxSkewUs, idleTimeoutUs } = this.#options;
    call(this.#core, "timeFormat", table, sourcesMax, maxSkewUs, idleTimeoutUs);
    this.#names = [];
  }

  /**
   * The rows [first, end) of a segment, which follow those of the chunk before. Memory is taken from `scratch`, whose
   * owner gives it back when it is done with the chunk. Throws LimitError when there isn't enough.
   */
  chunk(segment: Segment, first: number, end: number, scratch: Scratch): TimedChunk {
    assert(first < end && end <= segment.rows, "a chunk has rows");
    const { view } = this.#core;
    const { table } = this.#options;
    const watermarkBeforeUs = this.watermarkUs();
    const times = scratch.take((end - first) * 8);
    const mark = scratch.mark();
    const source = segment.column("source", layout.LANE_STRING);
    const timestamp = segment.column("timestamp", layout.LANE_NUMBER);
    assert(timestamp !== 0, "each row has a timestamp");
    const received = segment.received(first, end);
    const records = scratch.take(received.length * offsets.TIME_RECORD_SIZE);
    received.forEach(({ firstRow, receivedAtUs }, i) => {
      view.setUint32(records + i * offsets.TIME_RECORD_SIZE, firstRow, true);
      view.setBigInt64(records + i * offsets.TIME_RECORD_SIZE + 8, receivedAtUs, true);
    });
    const texts = source === 0 ? 0 : this.#u32(source + layout.COLUMN_DICT_COUNT);
    const known = scratch.take(texts * 4);
    const rows = [first, end, records, received.length, known, texts, times];
    call(this.#core, "timeRows", table, source, timestamp, ...rows);
    this.#readNames();
    scratch.release(mark);
    return new Chunk(this.#core, {
      segment,
      first,
      end,
      times,
      minUs: this.#i64(offsets.TIME_ROWS_MIN),
      maxUs: this.#i64(offsets.TIME_ROWS_MAX),
      watermarkBeforeUs,
      watermarkAfterUs: this.watermarkUs(),
    });
  }

  /** Nothing was received up to this time. */
  tick(receivedAtUs: bigint): void {
    call(this.#core, "timeTick", this.#options.table, receivedAtUs);
  }

  /** `noWatermark` while there is none. Every row that is still to come is judged by it, or a later one. */
  watermarkUs(): bigint {
    return this.#i64(offsets.TIME_WATERMARK);
  }

  /** Sources that were seen, each with a mark of its own; with those that share one counted as one. */
  get sourceCount(): number {
    return this.#u32(this.#options.table + offsets.TIME_COUNT);
  }

  /** Rows beyond `received_at` and the skew, of all sources. */
  get futureRows(): number {
    return Number(this.#i64(offsets.TIME_FUTURE_ROWS));
  }

  /**
   * Up to `limit` sources: those whose clocks are ahead, most rows first, in half of the places at most as long as
   * there are others; then those that are furthest behind. The mark that sources beyond the maximum share is
   * `(others)`.
   */
  sources(limit: number): SourceTime[] {
    const entries = Array.from({ length: this.sourceCount }, (_, index) => ({
      index,
      mark: Number(this.#entryI64(index, offsets.TIME_ENTRY_MARK)),
      future: Number(this.#entryI64(index, offsets.TIME_ENTRY_FUTURE)),
    }));
    const ahead = entries.filter(({ future }) => future > 0).sort((a, b) => b.future - a.future);
    const room = Math.max(Math.ceil(limit / 2), limit - (entries.length - ahead.length));
    const chosen = new Set(ahead.slice(0, room).map(({ index }) => index));
    const behind = entries
      .filter(({ index }) => !chosen.has(index))
      .sort((a, b) => a.mark - b.mark)
      .slice(0, limit - chosen.size);
    return [...chosen, ...behind.map(({ index }) => index)].map((index) => this.#source(index));
  }

  #source(index: number): SourceTime {
    const mark = this.#entryI64(index, offsets.TIME_ENTRY_MARK);
    const last = this.#entryI64(index, offsets.TIME_ENTRY_LAST);
    const futureAt = this.#entryI64(index, offsets.TIME_ENTRY_FUTURE_AT);
    const kind = this.#u32(this.#entry(index) + offsets.TIME_ENTRY_KIND);
    const name = kind === offsets.TIME_OTHERS ? othersName : fromUtf8.decode(this.#names[index]);
    return {
      source: kind === offsets.TIME_UNNAMED ? null : name,
      watermarkUs: mark === noWatermark ? null : mark,
      receivedAtUs: last > futureAt ? last : futureAt,
      idle: this.#u32(this.#entry(index) + offsets.TIME_ENTRY_AWAKE) === 0,
      futureRows: Number(this.#entryI64(index, offsets.TIME_ENTRY_FUTURE)),
    };
  }

  /** All that is known, for a checkpoint. */
  encode(): Uint8Array {
    const count = this.sourceCount;
    const { view, u8 } = this.#core;
    const length = this.#names.reduce((sum, name) => sum + name.length, 0);
    const bytes = new Uint8Array(headerSize + count * sourceSize + length);
    const out = new DataView(bytes.buffer);
    out.setUint32(0, magic, true);
    out.setUint32(4, version, true);
    out.setUint32(12, count, true);
    out.setBigInt64(16, this.watermarkUs(), true);
    out.setBigInt64(24, this.#i64(offsets.TIME_RECEIVED_AT), true);
    out.setBigInt64(32, this.#i64(offsets.TIME_FUTURE_ROWS), true);
    let to = headerSize;
    for (let index = 0; index < count; index++) {
      const entry = this.#entry(index);
      const name = this.#names[index] ?? new Uint8Array(0);
      // An entry begins with what is kept of it.
      bytes.set(u8.subarray(entry, entry + offsets.TIME_ENTRY_BEFORE), to);
      out.setUint32(to + 40, view.getUint32(entry + offsets.TIME_ENTRY_KIND, true), true);
      out.setUint32(to + 44, name.length, true);
      bytes.set(name, to + sourceSize);
      to += sourceSize + name.length;
    }
    out.setUint32(8, crc32c(bytes.subarray(16)), true);
    return bytes;
  }

  /**
   * Goes on from what `encode` has made, also under other limits: sources beyond the maximum share a mark then.
   * Throws CorruptionError.
   */
  restore(bytes: Uint8Array): void {
    const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    check(bytes, from);
    this.#format();
    const { view } = this.#core;
    const { table, idleTimeoutUs } = this.#options;
    const receivedAtUs = from.getBigInt64(24, true);
    const entries = new Set<number>();
    let at = headerSize;
    for (let left = from.getUint32(12, true); left > 0; left--) {
      const kept = [8, 16, 24, 32].map((offset) => from.getBigInt64(at + offset, true));
      const [kind, hash] = [from.getUint32(at + 40, true), from.getBigUint64(at, true)];
      const entry = call(this.#core, "timeEnter", table, kind, hash, ...kept);
      const end = at + sourceSize + from.getUint32(at + 44, true);
      if (!entries.has(entry)) {
        entries.add(entry);
        this.#names.push(
          bytes.slice(at + sourceSize, this.#isNamed(entry) ? end : at + sourceSize),
        );
      }
      at = end;
    }
    view.setBigInt64(table + offsets.TIME_WATERMARK, from.getBigInt64(16, true), true);
    view.setBigInt64(table + offsets.TIME_RECEIVED_AT, receivedAtUs, true);
    view.setBigInt64(table + offsets.TIME_FUTURE_ROWS, from.getBigInt64(32, true), true);
    this.#wake([...entries], receivedAtUs - idleTimeoutUs);
  }

  /** Queues the entries that were last received after `sinceUs`, and finds the greatest of all. */
  #wake(entries: readonly number[], sinceUs: bigint): void {
    const { view } = this.#core;
    const { table } = this.#options;
    const lasts = entries.map((entry) => ({
      entry,
      mark: view.getBigInt64(entry + offsets.TIME_ENTRY_MARK, true),
      last: view.getBigInt64(entry + offsets.TIME_ENTRY_LAST, true),
    }));
    lasts.sort((a, b) => (a.last < b.last ? -1 : a.last > b.last ? 1 : 0));
    let greatest = noWatermark;
    for (const { entry, mark, last } of lasts) {
      if (mark > greatest) greatest = mark;
      if (mark !== noWatermark && last > sinceUs) call(this.#core, "timeAwake", table, entry);
    }
    view.setBigInt64(table + offsets.TIME_GREATEST, greatest, true);
    view.setBigInt64(table + offsets.TIME_NEWEST, lasts.at(-1)?.last ?? noWatermark, true);
  }

  #isNamed(entry: number): boolean {
    return this.#u32(entry + offsets.TIME_ENTRY_KIND) === offsets.TIME_NAMED;
  }

  /** Names of the sources that the last rows brought, while their texts are where they were read. */
  #readNames(): void {
    for (let index = this.#names.length; index < this.sourceCount; index++) {
      const entry = this.#entry(index);
      const text = this.#u32(entry + offsets.TIME_ENTRY_TEXT);
      const length = this.#u32(entry + offsets.TIME_ENTRY_TEXT_LENGTH);
      this.#names.push(this.#core.u8.slice(text, text + length));
    }
  }

  #entry(index: number): number {
    const entries = this.#u32(this.#options.table + offsets.TIME_ENTRIES_AT);
    return entries + index * offsets.TIME_ENTRY_SIZE;
  }

  #entryI64(index: number, offset: number): bigint {
    return this.#core.view.getBigInt64(this.#entry(index) + offset, true);
  }

  #i64(offset: number): bigint {
    return this.#core.view.getBigInt64(this.#options.table + offset, true);
  }

  #u32(address: number): number {
    return this.#core.view.getUint32(address, true);
  }
}

interface ChunkParts extends Omit<TimedChunk, "crossing"> {
  /** Address of the watermark of each row. */
  readonly times: number;
}

class Chunk implements TimedChunk {
  readonly segment: Segment;
  readonly first: number;
  readonly end: number;
  readonly minUs: bigint;
  readonly maxUs: bigint;
  readonly watermarkBeforeUs: bigint;
  readonly watermarkAfterUs: bigint;
  readonly #view: DataView;
  readonly #times: number;

  constructor(core: Core, parts: ChunkParts) {
    this.segment = parts.segment;
    this.first = parts.first;
    this.end = parts.end;
    this.minUs = parts.minUs;
    this.maxUs = parts.maxUs;
    this.watermarkBeforeUs = parts.watermarkBeforeUs;
    this.watermarkAfterUs = parts.watermarkAfterUs;
    this.#view = core.view;
    this.#times = parts.times;
  }

  crossing(us: bigint, from: number): number {
    if (us > this.watermarkAfterUs) return this.end;
    let [low, high] = [from, this.end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#watermarkUs(middle) >= us) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #watermarkUs(row: number): bigint {
    return this.#view.getBigInt64(this.#times + (row - this.first) * 8, true);
  }
}

function check(bytes: Uint8Array, view: DataView): void {
  const fault = (message: string): CorruptionError =>
    new CorruptionError("corrupt_event_time", `stored event time: ${message}`);
  if (bytes.length < headerSize) throw fault(`got ${bytes.length} bytes`);
  if (view.getUint32(0, true) !== magic) throw fault("the magic number is wrong");
  const got = view.getUint32(4, true);
  if (got !== version) throw fault(`got version ${got}, want ${version}`);
  if (crc32c(bytes.subarray(16)) !== view.getUint32(8, true)) throw fault("the checksum is wrong");
}

/** u32 results come back unsigned. */
function call(core: Core, name: string, ...values: (number | bigint)[]): number {
  const kernel = core.exports[name];
  assert(kernel !== undefined, `the core exports ${name}`);
  return Number(kernel(...values)) >>> 0;
}

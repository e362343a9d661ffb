import { assert } from "../base/assert.ts";
import type { Core } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import type { Region } from "../core/memory.ts";
import * as status from "../core/status.ts";
import { LimitError } from "../errors.ts";
import { numberZone, storeColumn } from "./column-bytes.ts";
import * as format from "./column-format.ts";
import type { SealedSegment, SegmentColumn, SegmentRecord } from "./segment.ts";
import { makeTextFilter } from "./text-filter.ts";
import { textZone, type Zone } from "./zone.ts";

/**
 * Encodes a full slot. Only reads the slot, so readers go on with it; `scratch` is the caller's alone.
 *
 * @param scratch 8 MiB for the encoder, and the rest for the largest encoded column: about its texts and
 *   20 bytes a row.
 * @throws LimitError when a column does not fit `scratch`.
 */
export function sealSlot(
  core: Core,
  slotAddress: number,
  scratch: Region,
  partition = 0,
): SealedSegment {
  const { view } = core;
  const u32 = (offset: number): number => view.getUint32(slotAddress + offset, true);
  const rows = u32(layout.SLOT_ROWS);
  assert(rows > 0, "a slot without rows is not sealed");
  const descriptors = u32(layout.SLOT_DESCRIPTORS);
  const sealed = Array.from({ length: u32(layout.SLOT_COLUMNS) }, (_, index) =>
    sealColumn(core, descriptors + index * layout.COLUMN_SIZE, rows, scratch),
  );
  return {
    meta: {
      id: u32(layout.SLOT_SEGMENT_ID),
      firstSequence: view.getBigInt64(slotAddress + layout.SLOT_FIRST_SEQUENCE, true),
      rows,
      timeMinUs: view.getBigInt64(slotAddress + layout.SLOT_TIME_MIN, true),
      timeMaxUs: view.getBigInt64(slotAddress + layout.SLOT_TIME_MAX, true),
      partition,
      records: slotRecords(core, slotAddress),
      columns: sealed.map(({ column }) => column),
    },
    columns: sealed.map(({ bytes }) => bytes),
    filters: sealed.map(({ filter }) => filter),
  };
}

/** The journal records that a slot's rows came in. */
export function slotRecords(core: Core, slotAddress: number): SegmentRecord[] {
  const { view } = core;
  const first = view.getUint32(slotAddress + layout.SLOT_RECORDS, true);
  const count = view.getUint32(slotAddress + layout.SLOT_RECORD_COUNT, true);
  return Array.from({ length: count }, (_, index) =>
    readRecord(core, first + index * layout.RECORD_SIZE),
  );
}

function readRecord({ view }: Core, record: number): SegmentRecord {
  return {
    firstRow: view.getUint32(record + layout.RECORD_FIRST_ROW, true),
    rows: view.getUint32(record + layout.RECORD_ROWS, true),
    receivedAtUs: view.getBigInt64(record + layout.RECORD_RECEIVED_AT, true),
    duplicates: view.getUint32(record + layout.RECORD_DUPLICATES, true),
    rejected: view.getUint32(record + layout.RECORD_REJECTED, true),
  };
}

/** A column as LMDB keeps it. */
export interface EncodedColumn {
  readonly column: SegmentColumn;
  readonly bytes: Uint8Array;
  readonly filter: Uint8Array | null;
}

/** Encodes one column of a slot for LMDB. */
export function sealColumn(
  core: Core,
  column: number,
  rows: number,
  scratch: Region,
): EncodedColumn {
  const { view, exports } = core;
  const path = textAt(core, column + layout.COLUMN_PATH).toString("utf8");
  const { base, size } = scratch;
  if (size <= format.ENCODE_SCRATCH_SIZE) throw tooSmall(path, scratch);
  const out = base + format.ENCODE_SCRATCH_SIZE;
  const capacity = size - format.ENCODE_SCRATCH_SIZE;
  const encode = exports.encodeColumn;
  assert(encode !== undefined, "the core exports encodeColumn");
  const code = Number(encode(column, rows, out, capacity, base, format.ENCODE_SCRATCH_SIZE)) >>> 0;
  return takeEncoded(core, code, {
    path,
    lane: view.getUint32(column + layout.COLUMN_LANE, true),
    entries: view.getUint32(column + layout.COLUMN_DICT, true),
    entryCount: view.getUint32(column + layout.COLUMN_DICT_COUNT, true),
    scratch,
    out,
    capacity,
  });
}

/** What an encoding was made of and where it is. */
export interface Encoding {
  readonly path: string;
  readonly lane: number;
  /** The entries of the dictionary that it was made of, and their number. */
  readonly entries: number;
  readonly entryCount: number;
  /** Its first ENCODE_SCRATCH_SIZE bytes were the encoder's. */
  readonly scratch: Region;
  readonly out: number;
  readonly capacity: number;
}

/**
 * The column that the encoder has just left at `out`, in private memory.
 * @param code the encoder's answer
 * @throws LimitError when it did not fit.
 */
export function takeEncoded(core: Core, code: number, encoding: Encoding): EncodedColumn {
  const { view, u8 } = core;
  const { path, lane, scratch, out, capacity } = encoding;
  if (code === status.OUT_OF_MEMORY) throw tooSmall(path, scratch);
  assert(code === status.OK, `column ${path} of lane ${lane} can be encoded (status ${code})`);
  const bytes = u8.slice(out, out + view.getUint32(out + format.COLUMN_BYTES_LENGTH, true));
  const count = view.getUint32(out + format.COLUMN_BYTES_COUNT, true);
  const entries = view.getUint32(out + format.COLUMN_BYTES_DICT_COUNT, true);
  const stored = storeColumn(bytes);
  const zone = count === 0 ? null : zoneOf(core, lane, bytes, scratch.base);
  const filter =
    lane !== layout.LANE_STRING || count === 0
      ? null
      : makeTextFilter(core, {
          entries: encoding.entries,
          entryCount: encoding.entryCount,
          texts: entries,
          count,
          columnBytes: stored.length,
          scratch: scratch.base,
          out,
          capacity,
        });
  const column = {
    path,
    lane,
    count,
    bytes: stored.length,
    encoding: bytes[format.COLUMN_BYTES_ENCODING] as number,
    entries,
    filterBytes: filter?.length ?? 0,
    zone,
  };
  return { column, bytes: stored, filter };
}

function tooSmall(path: string, scratch: Region): LimitError {
  return new LimitError(
    "seal_memory",
    `column ${path}: its encoded bytes do not fit the ${scratch.size} bytes for sealing`,
  );
}

/** A private copy of the text at { address u32, length u32 }. */
function textAt({ view, u8 }: Core, entry: number): Buffer {
  const address = view.getUint32(entry, true);
  return Buffer.from(u8.slice(address, address + view.getUint32(entry + 4, true)));
}

function zoneOf(core: Core, lane: number, bytes: Uint8Array, result: number): Zone | null {
  if (lane === layout.LANE_NUMBER) return numberZone(bytes);
  if (lane === layout.LANE_BOOLEAN) {
    const zone = numberZone(bytes);
    return { min: zone.min === 1n, max: zone.max === 1n };
  }
  if (lane !== layout.LANE_STRING) return null;
  const min = textAt(core, result + format.ENCODE_RESULT_MIN_ADDRESS);
  return textZone(min, textAt(core, result + format.ENCODE_RESULT_MAX_ADDRESS));
}

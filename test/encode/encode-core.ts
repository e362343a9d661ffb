import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { ColumnBuilder, type PlainColumn } from "../oracle/encode.ts";

const MIB = 1024 * 1024;
export const SCRATCH_SIZE = 8 * MIB;

/** A core with room for columns, encoded bytes, decoded columns and scratch, each in a region of its own. */
export interface EncodeCore {
  readonly core: Core;
  readonly columns: ColumnBuilder;
  readonly bytes: { base: number; size: number };
  readonly decoded: { base: number; size: number };
  readonly scratch: { base: number; size: number };
}

export function encodeCore(megabytes = 32): EncodeCore {
  const size = megabytes * MIB;
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 65_536,
    batches: 65_536,
    dedup: 65_536,
    slots: size,
    readers: [size, size, SCRATCH_SIZE + 65_536, 65_536],
  });
  const core = attachCore(memory);
  return {
    core,
    columns: new ColumnBuilder(core, region(memory, layout.REGION_SLOTS).base),
    bytes: region(memory, layout.REGION_READER_FIRST),
    decoded: region(memory, layout.REGION_READER_FIRST + 1),
    scratch: region(memory, layout.REGION_READER_FIRST + 2),
  };
}

/** Encodes a column that stands in memory and copies the bytes out. */
export function encodeAt(on: EncodeCore, column: number, rows: number): Uint8Array {
  const { core, bytes, scratch } = on;
  const status = core.exports.encodeColumn?.(
    column,
    rows,
    bytes.base,
    bytes.size,
    scratch.base,
    SCRATCH_SIZE,
  );
  if (status !== 0) throw new Error(`encodeColumn: status ${status}`);
  const length = core.view.getUint32(bytes.base + 12, true);
  return core.u8.slice(bytes.base, bytes.base + length);
}

export function encode(on: EncodeCore, column: PlainColumn): Uint8Array {
  on.columns.reset();
  return encodeAt(on, on.columns.build(column), column.cells.length);
}

/** Decodes bytes to the decoded region; answers the status. */
export function decode(on: EncodeCore, encoded: Uint8Array, capacity = on.decoded.size): number {
  const { core, bytes, decoded } = on;
  core.u8.set(encoded, bytes.base);
  core.u8.fill(0xa5, bytes.base + encoded.length, bytes.base + encoded.length + 64);
  return Number(core.exports.decodeColumn?.(bytes.base, encoded.length, decoded.base, capacity));
}

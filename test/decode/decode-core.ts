import { expect } from "vitest";
import { attachCore, type Core } from "../../src/core/core.ts";
import { type DecodedBody, Decoder } from "../../src/core/decoder.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import type { DecoderLimits } from "../../src/core/messages.ts";
import type { BodyFormat, FieldMapping } from "../../src/engine/ingest.ts";
import type { PlainBody } from "../oracle/decode.ts";
import {
  type BatchColumn,
  type Cell,
  type EventObject,
  readColumns,
  readRows,
  rowsAsEvents,
} from "../support/read-batch.ts";

const MIB = 1 << 20;
export const receivedAtUs = 1_795_435_200_000_000n;

/** A decoder over a memory of its own, and what tests do with it. */
export interface DecodeCore {
  readonly core: Core;
  readonly decoder: Decoder;
  /** Address of the memory for bodies, and of that for the finished batch, with its size. */
  readonly ring: number;
  readonly out: number;
  readonly outSize: number;
}

export function decodeCore(custom?: Partial<DecoderLimits>, decoderBytes = 96 * MIB): DecodeCore {
  const memory = createMemory({
    bodies: 0,
    ring: 40 * MIB,
    decoder: decoderBytes,
    batches: 64 * MIB,
    dedup: 65_536,
    slots: 65_536,
    readers: [],
  });
  const core = attachCore(memory);
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1);
  const decoder = new Decoder(core, seed, custom);
  const batches = region(memory, layout.REGION_BATCHES);
  const ring = region(memory, layout.REGION_RING).base;
  return { core, decoder, ring, out: batches.base, outSize: batches.size };
}

/** Decodes a body into the group that is open; `shift` moves it to another byte offset. */
export function decode(
  { core, decoder, ring }: DecodeCore,
  body: string | Uint8Array,
  format: BodyFormat = "json-batch",
  mapping?: FieldMapping,
  shift = 0,
): DecodedBody {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  // What comes after a body is another one: nothing of it may be taken for this one's.
  core.u8.fill(0x22, ring + shift + bytes.length, ring + shift + bytes.length + 64);
  core.u8.set(bytes, ring + shift);
  return decoder.decode(ring + shift, bytes.length, format, mapping);
}

/** The open group's batch, checked, as a private copy. */
export function finish(
  { core, decoder, out, outSize }: DecodeCore,
  firstSequence = 1n,
): Uint8Array {
  // Whatever lies there must not show in the batch.
  core.u8.fill(0xa5, out, out + 4096);
  const length = decoder.finish(out, outSize, firstSequence);
  expect(length).toBeGreaterThan(0);
  expect(length + decoder.keptRows() * 8).toBeLessThanOrEqual(decoder.batchBytesMax());
  core.exports.batchChecksum?.(out);
  expect(core.exports.batchVerify?.(out, length)).toBe(0);
  return core.u8.slice(out, out + length);
}

export interface DecodedEvents {
  readonly body: DecodedBody;
  readonly batch: Uint8Array;
  readonly events: EventObject[];
}

/** One body in a group of its own. */
export function decodeAlone(
  core: DecodeCore,
  body: string | Uint8Array,
  format: BodyFormat = "json-batch",
  mapping?: FieldMapping,
): DecodedEvents {
  core.decoder.begin(receivedAtUs);
  const decoded = decode(core, body, format, mapping);
  const batch = finish(core);
  return { body: decoded, batch, events: rowsAsEvents(batch) };
}

/** The cells of a row by path, as the oracle has them. */
export function cellsOf(columns: readonly BatchColumn[], row: number): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const { path, cells: column } of columns) {
    const cell = column[row];
    if (cell === undefined) continue;
    expect(cells.has(path), `one lane of ${path} in row ${row}`).toBe(false);
    cells.set(path, cell);
  }
  return cells;
}

/** Expects the verdict, the rejections and every cell that the oracle wants. */
export function expectPlain(got: DecodedEvents, want: PlainBody, note: string): void {
  expect(got.body.refusal !== null, `${note}: refused, ${got.body.refusal?.message}`).toBe(
    want.refused,
  );
  const errors = got.body.errors.map(({ index, code }) => ({ index, code }));
  expect(errors, note).toEqual(want.errors);
  const columns = readColumns(got.batch);
  const rows = readRows(got.batch);
  expect(rows.length, note).toBe(want.rows.length);
  rows.forEach((row, index) => {
    const { id, timestampUs, cells } = want.rows[index] as PlainBody["rows"][number];
    expect(row.idMade, note).toBe(id === undefined);
    if (id !== undefined) expect(row.id.replaceAll("-", ""), note).toBe(id);
    expect(row.timestampUs, note).toBe(timestampUs ?? receivedAtUs);
    const sort = (map: ReadonlyMap<string, unknown>) =>
      [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sort(cellsOf(columns, index)), note).toEqual(sort(cells));
  });
}

/** `byte` with one more bit set. */
export function bitOf(byte: number | undefined, bit: number): number {
  return (byte ?? 0) | (1 << bit);
}

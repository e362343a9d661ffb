// The bytes of a part of a query, little-endian:
//
//   0   magic 'MRQP' u32 │ 4 version u16 │ 6 kind u16 │ 8 checksum u32 of bytes [16, length) │ 12 length u32
//   16  as of i64 │ 24 rows scanned f64 │ 32 rows matched f64 │ 40 segments scanned f64 │ 48 segments pruned f64
//   56  stages × f64 milliseconds │ then what the kind has
//
// The checksum is the CRC-32C of the CRC-32Cs of each MiB: kernels take the pieces one after the other.

import { crc32c } from "../../base/crc32c.ts";
import { CorruptionError } from "../../errors.ts";
import { PartialReader, PartialWriter } from "../aggregate/partial-bytes.ts";
import type { QueryRun } from "../columns/kernels.ts";
import type { Scan } from "./scan.ts";
import { stages } from "./stages.ts";

const magic = 0x5051524d;
const version = 1;
const headSize = 16;
const pieceSize = 1024 * 1024;

export const groupsKind = 1;
export const rowsKind = 2;

/** The CRC-32C of the CRC-32Cs of each MiB. */
export function checksum(run: QueryRun, bytes: Uint8Array): number {
  const { core, scratch } = run;
  const mark = scratch.mark();
  const piece = scratch.take(Math.min(pieceSize, bytes.length));
  const sums: number[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize) {
    const some = bytes.subarray(at, at + pieceSize);
    core.u8.set(some, piece);
    sums.push(Number(core.exports.crc32c?.(piece, some.length)) >>> 0);
  }
  scratch.release(mark);
  return crc32c(new Uint8Array(Uint32Array.from(sums).buffer));
}

/** Writes a part whose own content `write` adds. */
export function writePartial(
  run: QueryRun,
  kind: number,
  asOf: bigint,
  scan: Scan,
  write: (out: PartialWriter) => void,
): Uint8Array {
  const out = new PartialWriter();
  const { stats } = scan;
  out.i64(asOf);
  out.f64(stats.rowsScanned);
  out.f64(stats.rowsMatched);
  out.f64(stats.segmentsScanned);
  out.f64(stats.segmentsPruned);
  for (const stage of stages) out.f64(scan.stages.ms(stage));
  write(out);
  const bytes = new Uint8Array(headSize + out.length);
  bytes.set(out.bytes(), headSize);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setUint16(6, kind, true);
  view.setUint32(8, checksum(run, bytes.subarray(headSize)), true);
  view.setUint32(12, bytes.length, true);
  return bytes;
}

/** Checks a part, adds its figures to those of `scan` and answers its sequence and its content. */
export function readPartial(
  run: QueryRun,
  kind: number,
  bytes: Uint8Array,
  scan: Scan,
): { readonly asOf: bigint; readonly content: PartialReader } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (what: string): never => {
    throw new CorruptionError("partial_corrupt", `a part of a query ${what}`);
  };
  if (bytes.length < headSize) fail(`has ${bytes.length} bytes, want ${headSize} at least`);
  if (view.getUint32(0, true) !== magic) fail("has another magic number");
  const got = view.getUint16(4, true);
  if (got !== version) fail(`has version ${got}, want ${version}`);
  if (view.getUint16(6, true) !== kind) fail("belongs to a query of another kind");
  if (view.getUint32(12, true) !== bytes.length) fail(`has ${bytes.length} bytes, and says others`);
  const rest = bytes.subarray(headSize);
  if (view.getUint32(8, true) !== checksum(run, rest)) fail("does not have its checksum");
  const content = new PartialReader(rest);
  const asOf = content.i64();
  scan.stats.rowsScanned += content.f64();
  scan.stats.rowsMatched += content.f64();
  scan.stats.segmentsScanned += content.f64();
  scan.stats.segmentsPruned += content.f64();
  for (const stage of stages) scan.stages.add(stage, content.f64());
  return { asOf, content };
}

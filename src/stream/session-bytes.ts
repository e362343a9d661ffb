// Open sessions of a rule as they are stored: a head, and blocks of slots. Little-endian:
//
//   0   magic 'MRSS' u32 │ 4 version u16 │ 6 zeros u16 │ 8 CRC-32C u32 of bytes [16, length) │ 12 length u32
//   16  head:   watermark i64, then, unless it was written before there were any, rows, too late, dropped,
//               overflowed: f64 each
//       block:  count u32, then of each session
//               start i64 │ end i64 │ changed at f64 │ revised f64 │ final at f64, 0: open │ 1 u8: of `other`
//               key: length u32 and bytes │ states: length u32 and bytes
//               replaced u32 × { start i64, at f64 }

import { crc32c } from "../base/crc32c.ts";
import { CorruptionError } from "../errors.ts";
import { PartialReader, PartialWriter } from "../query/aggregate/partial-bytes.ts";
import type { Replaced } from "./session-intervals.ts";

const magic = 0x5353524d;
const version = 1;
const headSize = 16;

export interface StoredSession {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly changedAt: number;
  readonly revised: number;
  readonly finalAt: number;
  readonly other: boolean;
  readonly key: Uint8Array;
  readonly states: Uint8Array;
  readonly replaced: readonly Replaced[];
}

/** What a rule has counted so far, and up to when. */
export interface SessionHead {
  readonly watermarkUs: bigint;
  readonly rows: number;
  readonly tooLate: number;
  readonly dropped: number;
  readonly overflowed: number;
}

export function writeHead({ watermarkUs, ...counts }: SessionHead): Uint8Array {
  return sealed((out) => {
    out.i64(watermarkUs);
    const { rows, tooLate, dropped, overflowed } = counts;
    for (const count of [rows, tooLate, dropped, overflowed]) out.f64(count);
  });
}

/** Throws CorruptionError. */
export function readHead(bytes: Uint8Array): SessionHead {
  const from = opened(bytes);
  const watermarkUs = from.i64();
  const count = (): number => (from.left > 0 ? from.f64() : 0);
  const [rows, tooLate, dropped, overflowed] = [count(), count(), count(), count()];
  return { watermarkUs, rows, tooLate, dropped, overflowed };
}

export function writeBlock(sessions: readonly StoredSession[]): Uint8Array {
  return sealed((out) => {
    out.u32(sessions.length);
    for (const one of sessions) {
      out.i64(one.startUs);
      out.i64(one.endUs);
      out.f64(one.changedAt);
      out.f64(one.revised);
      out.f64(one.finalAt);
      out.u8(one.other ? 1 : 0);
      for (const bytes of [one.key, one.states]) {
        out.u32(bytes.length);
        out.raw(bytes);
      }
      out.u32(one.replaced.length);
      for (const { startUs, at } of one.replaced) {
        out.i64(startUs);
        out.f64(at);
      }
    }
  });
}

/** Throws CorruptionError. */
export function readBlock(bytes: Uint8Array): StoredSession[] {
  const from = opened(bytes);
  return Array.from({ length: from.u32() }, () => ({
    startUs: from.i64(),
    endUs: from.i64(),
    changedAt: from.f64(),
    revised: from.f64(),
    finalAt: from.f64(),
    other: from.u8() !== 0,
    key: from.raw(from.u32()),
    states: from.raw(from.u32()),
    replaced: Array.from({ length: from.u32() }, () => ({ startUs: from.i64(), at: from.f64() })),
  }));
}

function sealed(write: (out: PartialWriter) => void): Uint8Array {
  const content = new PartialWriter();
  write(content);
  const bytes = new Uint8Array(headSize + content.length);
  bytes.set(content.bytes(), headSize);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setUint32(8, crc32c(bytes.subarray(headSize)), true);
  view.setUint32(12, bytes.length, true);
  return bytes;
}

function opened(bytes: Uint8Array): PartialReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fault = (what: string): CorruptionError =>
    new CorruptionError("corrupt_sessions", `stored sessions ${what}`);
  if (bytes.length < headSize) throw fault(`have ${bytes.length} bytes, want ${headSize} at least`);
  if (view.getUint32(0, true) !== magic) throw fault("have another magic number");
  const got = view.getUint16(4, true);
  if (got !== version) throw fault(`have version ${got}, want ${version}`);
  if (view.getUint32(12, true) !== bytes.length) throw fault("end too soon");
  const content = bytes.subarray(headSize);
  if (crc32c(content) !== view.getUint32(8, true)) throw fault("don't have their checksum");
  return new PartialReader(content);
}

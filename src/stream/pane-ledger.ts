// What a rule with panes knows besides them. As it is stored, little-endian:
//
//   0 magic 'MRPL' u32 │ version u32 │ checksum u32 │ W i64 µs │ rows, too late, dropped, overflowed: f64 each
//     windows u32 × { start i64, end i64, ended at i64 } │ panes u32 × { start i64, duplicates f64 }

import { PartialWriter } from "../query/aggregate/partial-bytes.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import { opened, sealed } from "./pane.ts";

const magic = 0x4c50524d;
const version = 1;

export interface OpenWindow {
  readonly startUs: bigint;
  readonly endUs: bigint;
  endedAt: bigint;
}

export interface PaneLedger {
  readonly watermarkUs: bigint;
  readonly counts: {
    readonly rows: number;
    readonly tooLate: number;
    readonly dropped: number;
    readonly overflowed: number;
  };
  /** By start, ascending. */
  readonly windows: readonly OpenWindow[];
  /** By start of a pane. */
  readonly duplicates: ReadonlyMap<bigint, number>;
}

/** What a rule was before it took a chunk; of panes, those that the chunk changes: null, there was none. */
export interface SavedRule {
  readonly ledger: Uint8Array;
  readonly panes: Map<bigint, { readonly bytes: Uint8Array; readonly rows: number } | null>;
}

export function encodePaneLedger(run: QueryRun, ledger: PaneLedger): Uint8Array {
  const out = new PartialWriter();
  out.u32(magic);
  out.u32(version);
  out.u32(0);
  out.i64(ledger.watermarkUs);
  const { rows, tooLate, dropped, overflowed } = ledger.counts;
  for (const count of [rows, tooLate, dropped, overflowed]) out.f64(count);
  out.u32(ledger.windows.length);
  for (const { startUs, endUs, endedAt } of ledger.windows) {
    for (const value of [startUs, endUs, endedAt]) out.i64(value);
  }
  out.u32(ledger.duplicates.size);
  for (const [startUs, count] of ledger.duplicates) {
    out.i64(startUs);
    out.f64(count);
  }
  return sealed(run, out);
}

/** Throws CorruptionError. */
export function decodePaneLedger(run: QueryRun, bytes: Uint8Array): PaneLedger {
  const from = opened(run, bytes, magic, version);
  const watermarkUs = from.i64();
  const [rows, tooLate, dropped, overflowed] = [from.f64(), from.f64(), from.f64(), from.f64()];
  const windows: OpenWindow[] = [];
  for (let n = from.u32(); n > 0; n--) {
    windows.push({ startUs: from.i64(), endUs: from.i64(), endedAt: from.i64() });
  }
  const duplicates = new Map<bigint, number>();
  for (let n = from.u32(); n > 0; n--) duplicates.set(from.i64(), from.f64());
  return { watermarkUs, counts: { rows, tooLate, dropped, overflowed }, windows, duplicates };
}

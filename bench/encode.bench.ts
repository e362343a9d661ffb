// Sealing: the columns of a full slot to encoded bytes, against the rows as JSON through deflate.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import * as layout from "../src/core/layout.ts";
import { region } from "../src/core/memory.ts";
import type { BenchEvent } from "./events.ts";
import type { Comparison } from "./harness.ts";
import type { Rig } from "./rig.ts";

/** Bytes of scratch that the encoder wants, at most. */
const scratchBytes = 16 * 1024 * 1024;

const compared = ["properties.duration_ms", "user_id", "properties.mobile"];

function cellsOf(event: BenchEvent): unknown[] {
  return [event.properties.duration_ms, event.user_id, event.properties.mobile];
}

export function encodeComparison(rig: Rig): Comparison {
  const { core, columns } = rig;
  const slot = rig.slots[0];
  if (!slot) throw new Error("the rig has no slot");
  const events = Array.from({ length: slot.rows }, (_, i) => {
    return rig.events[i % rig.events.length] as BenchEvent;
  });
  const out = region(core.memory, layout.REGION_READER_FIRST + 1);
  const scratch = region(core.memory, layout.REGION_READER_FIRST + 2);
  const paths = columns.paths(slot.address);
  let encodedBytes = 0;
  let deflatedBytes = 0;

  const encodeOne = (column: number): number => {
    const status = core.exports.encodeColumn?.(
      column,
      slot.rows,
      out.base,
      out.size,
      scratch.base,
      scratchBytes,
    );
    if (status !== 0) throw new Error(`encodeColumn answered ${status}`);
    return core.view.getUint32(out.base + 12, true);
  };
  const encodeAll = (): number => {
    encodedBytes = paths.reduce((sum, { column }) => sum + encodeOne(column), 0);
    return encodedBytes;
  };
  const decoded = (path: string): unknown[] => {
    const source = paths.find((one) => one.path === path);
    const length = encodeOne(source?.column ?? 0);
    const target = scratch.base;
    const status = core.exports.decodeColumn?.(out.base, length, target, scratch.size);
    if (status !== 0) throw new Error(`decodeColumn answered ${status}`);
    return events.map((_, row) => columns.cell(target, row));
  };
  const deflate = (): Buffer => deflateRawSync(JSON.stringify(events), { level: 1 });

  return {
    name: "encode: a segment's columns",
    units: slot.rows,
    unit: "rows",
    reference: {
      name: "JSON.stringify and deflate, level 1",
      run: () => {
        deflatedBytes = deflate().length;
        return deflatedBytes;
      },
      result: () => {
        const stored = JSON.parse(inflateRawSync(deflate()).toString()) as BenchEvent[];
        return compared.map((_, i) => stored.map((event) => cellsOf(event)[i]));
      },
    },
    candidate: { name: "encodeColumn", run: encodeAll, result: () => compared.map(decoded) },
    note: () => {
      const per = (bytes: number): string => (bytes / slot.rows).toFixed(1);
      return `${per(encodedBytes)} B/row against ${per(deflatedBytes)}`;
    },
  };
}

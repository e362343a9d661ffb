// Rows in hot slots, and a reading thread's state over them: what a query worker has, in one thread.

import { systemClock } from "../src/base/clock.ts";
import { Columns } from "../src/core/columns.ts";
import { attachCore, type Core } from "../src/core/core.ts";
import * as layout from "../src/core/layout.ts";
import { createMemory, region } from "../src/core/memory.ts";
import { HotSlots, type SlotView } from "../src/core/slots.ts";
import { Watermarks } from "../src/core/watermarks.ts";
import { Cells } from "../src/query/columns/cells.ts";
import { queryKernels } from "../src/query/columns/kernels.ts";
import { Scratch } from "../src/query/columns/scratch.ts";
import type { QueryThreadState } from "../src/query/run/execute.ts";
import { FoundCodes } from "../src/query/run/text-codes.ts";
import type { Segment, Snapshot } from "../src/query/segments/source.ts";
import { makeBatch, rowOf } from "../test/support/make-batch.ts";
import { type BenchEvent, EventStream } from "./events.ts";

const mib = 1024 * 1024;
const slotBytes = 32 * mib;
const batchRows = 4096;

export interface Rig {
  readonly core: Core;
  readonly columns: Columns;
  readonly state: QueryThreadState;
  readonly snapshot: Snapshot;
  readonly slots: readonly SlotView[];
  /** All rows, in order: `events` again and again, `repeats` times. */
  readonly rows: number;
  readonly events: readonly BenchEvent[];
  readonly repeats: number;
}

/** A segment over a hot slot whose rows don't grow any more. */
function hotSegment(columns: Columns, slot: SlotView): Segment {
  const { address } = slot;
  return {
    id: slot.segmentId,
    hot: true,
    rows: slot.rows,
    firstSequence: slot.firstSequence,
    timeMinUs: slot.timeMinUs,
    timeMaxUs: slot.timeMaxUs,
    enter: () => {},
    column: (path, lane) => columns.find(address, path, lane),
    has: (path, lane) => columns.find(address, path, lane) !== 0,
    zone: () => null,
    mayHaveText: () => true,
    columns: () =>
      columns.paths(address).map(({ path, lane, column }) => ({ path, lane, address: column })),
    received: () => [{ firstRow: 0, receivedAtUs: 0n }],
  };
}

/** Makes `repeats` × `distinct` rows: the same events, but each row with memory of its own. */
export function hotRig(distinct: number, repeats: number): Rig {
  const rows = distinct * repeats;
  const slotCount = Math.ceil(rows / layout.SEGMENT_ROWS_MAX) + 2;
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 65_536,
    batches: 64 * mib,
    dedup: 65_536,
    slots: slotCount * slotBytes,
    readers: [64 * mib, 64 * mib, 64 * mib],
  });
  const core = attachCore(memory);
  const hot = new HotSlots(core, slotBytes);
  const events = new EventStream(11).take(distinct);
  const batches: Uint8Array[] = [];
  for (let i = 0; i < distinct; i += batchRows) {
    batches.push(makeBatch(events.slice(i, i + batchRows).map((event) => rowOf({ ...event }))));
  }
  // The region begins with the watermarks, and with scratch that applying a batch writes.
  const { reserved } = new Watermarks(core, { sourcesMax: 1024, maxSkewUs: 0n });
  const base = region(memory, layout.REGION_BATCHES).base + reserved;
  let sequence = 0n;
  hot.open(0, 0n);
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const batch of batches) {
      core.u8.set(batch, base);
      core.view.setBigInt64(base + layout.BATCH_FIRST_SEQUENCE, sequence, true);
      const applied = hot.apply(base);
      if (!applied.done) throw new Error(`row ${sequence} found no free slot`);
      sequence += BigInt(core.view.getUint32(base + layout.BATCH_ROWS, true));
    }
  }
  return { core, ...readerOf(core, hot), rows, events, repeats };
}

function readerOf(core: Core, hot: HotSlots) {
  const columns = new Columns(core);
  const own = region(core.memory, layout.REGION_READER_FIRST);
  const slots = hot.list();
  const segments = slots.map((slot) => hotSegment(columns, slot));
  const snapshot: Snapshot = {
    segments,
    asOf: segments.reduce((sum, segment) => sum + BigInt(segment.rows), 0n),
    release: () => {},
  };
  const state: QueryThreadState = {
    run: {
      core,
      kernels: queryKernels(core),
      scratch: new Scratch(own.base + 64, own.size - 64),
      cancel: own.base,
    },
    cells: new Cells(core),
    found: new FoundCodes(),
    clock: systemClock,
  };
  return { columns, slots, snapshot, state };
}

import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { HotSlots } from "../../src/core/slots.ts";
import { compileForWorker } from "../support/compiled.ts";
import { makeBatch } from "../support/make-batch.ts";
import { sequenceRows } from "../support/sequence-rows.ts";
import { slotMemory, slotSize } from "../support/slot-memory.ts";

interface Report {
  wrong: string;
  cellsRead: number;
  lists: number;
  rowsSeen: number;
}

let compiled: { path: string; directory: string };
beforeAll(() => {
  compiled = compileForWorker("test/segment/reader-worker.ts");
});
afterAll(() => {
  rmSync(compiled.directory, { recursive: true });
});

const wasm =
  process.env.MILLRACE_WASM ?? fileURLToPath(new URL("../../build/core.wasm", import.meta.url));

it("a reader on its own thread sees only complete rows while slots fill, rotate and are used again", async () => {
  const memory = slotMemory(4);
  const slots = new HotSlots(memory.core, slotSize);
  const batches = memory.put([]);
  const control = new SharedArrayBuffer(4);
  const worker = new Worker(compiled.path, {
    workerData: { memory: memory.core.memory, control, reader: 0 },
    env: { ...process.env, MILLRACE_WASM: wasm },
  });
  await once(worker, "message");
  slots.open(1, 0n);
  const report = once(worker, "message") as Promise<[Report]>;
  let rows = 0;
  let segmentId = 1;
  for (let batch = 0; batch < 400; batch++) {
    const count = 1 + ((batch * 37) % 300);
    const bytes = makeBatch(sequenceRows(rows, count), { firstSequence: BigInt(rows) });
    memory.core.u8.set(bytes, batches);
    expect(slots.apply(batches)).toEqual({ rowEnd: count, done: true, full: [] });
    rows += count;
    // Rotating early makes slots come and go under the reader; one that it pins is not opened again.
    if (batch % 10 !== 9 || !slots.hasFree()) continue;
    slots.sealed(slots.full());
    slots.open(++segmentId, BigInt(rows));
    const sealed = slots.list().filter((slot) => slot.state === layout.SLOT_SEALED);
    if (sealed.length > 1) slots.free(sealed[0]?.address ?? 0);
  }
  Atomics.store(new Int32Array(control), 0, 1);
  const [{ wrong, lists, cellsRead }] = await report;
  expect(wrong).toBe("");
  expect(segmentId).toBeGreaterThan(4);
  expect(lists).toBeGreaterThan(10);
  expect(cellsRead).toBeGreaterThan(1000);
  await worker.terminate();
});

// The sealer: turns full slots into sealed bytes, and merges small segments, beside the engine thread. It only reads
// the slot or the store and writes its own scratch; the engine thread commits what comes back.

import { type MessagePort, workerData } from "node:worker_threads";
import { attachCore } from "../core/core.ts";
import { REGION_READER_FIRST } from "../core/layout.ts";
import { region } from "../core/memory.ts";
import { compactSegments } from "../storage/compact.ts";
import { sealSlot } from "../storage/seal.ts";
import type { SealedSegment } from "../storage/segment.ts";
import { Store } from "../storage/store.ts";
import { packFailure } from "./failure.ts";
import type { FromSealer, ToSealer } from "./messages.ts";

export interface SealerThreadData {
  readonly memory: WebAssembly.Memory;
  readonly reader: number;
  readonly engine: MessagePort;
  /** The data folder, which the engine thread has opened before it asks for a compaction. */
  readonly folder: string;
}

const { memory, reader, engine, folder } = workerData as SealerThreadData;
const core = attachCore(memory);
const scratch = region(memory, REGION_READER_FIRST + reader);
let store: Store | null = null;
let closed = false;

function answer(type: FromSealer["type"], segmentId: number, sealed: SealedSegment): void {
  const buffers = sealed.columns.map(({ buffer }) => buffer as ArrayBuffer);
  for (const filter of sealed.filters ?? []) {
    if (filter !== null) buffers.push(filter.buffer as ArrayBuffer);
  }
  engine.postMessage({ type, segmentId, sealed } satisfies FromSealer, buffers);
}

function fail(type: FromSealer["type"], segmentId: number, error: unknown): void {
  engine.postMessage({ type, segmentId, failure: packFailure(error) } satisfies FromSealer);
}

/** Merges one column, and goes on after whatever has come in meanwhile: a slot to seal never waits for more. */
function step(segmentId: number, steps: Generator<void, SealedSegment>): void {
  if (closed) return;
  try {
    store?.renew();
    const { done, value } = steps.next();
    if (done) return answer("compacted", segmentId, value);
  } catch (error) {
    return fail("compacted", segmentId, error);
  }
  setImmediate(step, segmentId, steps);
}

engine.on("message", (message: ToSealer) => {
  const { type, segmentId } = message;
  if (type === "compact") {
    store ??= new Store(folder);
    return step(segmentId, compactSegments(core, segmentId, message.sources, store, scratch));
  }
  try {
    answer("sealed", segmentId, sealSlot(core, message.slot, scratch));
  } catch (error) {
    fail("sealed", segmentId, error);
  }
});

engine.on("close", () => {
  closed = true;
  void store?.close();
});

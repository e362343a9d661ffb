// The sealer: turns full slots into sealed bytes, one at a time, beside the engine thread. It only reads the
// slot and writes its own scratch; the engine thread commits what comes back.

import { type MessagePort, workerData } from "node:worker_threads";
import { attachCore } from "../core/core.ts";
import { REGION_READER_FIRST } from "../core/layout.ts";
import { region } from "../core/memory.ts";
import { sealSlot } from "../storage/seal.ts";
import { packFailure } from "./failure.ts";
import type { FromSealer, ToSealer } from "./messages.ts";

export interface SealerThreadData {
  readonly memory: WebAssembly.Memory;
  readonly reader: number;
  readonly engine: MessagePort;
}

const { memory, reader, engine } = workerData as SealerThreadData;
const core = attachCore(memory);
const scratch = region(memory, REGION_READER_FIRST + reader);

engine.on("message", ({ slot, segmentId }: ToSealer) => {
  let answer: FromSealer;
  const buffers: ArrayBuffer[] = [];
  try {
    const sealed = sealSlot(core, slot, scratch);
    for (const bytes of sealed.columns) buffers.push(bytes.buffer as ArrayBuffer);
    answer = { segmentId, sealed };
  } catch (error) {
    answer = { segmentId, failure: packFailure(error) };
  }
  engine.postMessage(answer, buffers);
});

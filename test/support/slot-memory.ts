// A small shared memory with hot slots, and batches put where the engine puts them.
import { attachCore, type Core } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { type BatchOptions, type MadeRow, makeBatch } from "./make-batch.ts";

export const slotSize = 8 * 1024 * 1024;

export interface SlotMemory {
  core: Core;
  /** Writes a batch into the region of batches and answers its address. */
  put(rows: readonly MadeRow[], options?: BatchOptions): number;
  /** Calls an export; u32 results come back unsigned. */
  call(name: string, ...values: (number | bigint)[]): number;
}

export function slotMemory(slots: number, size = slotSize): SlotMemory {
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 65_536,
    batches: 32 * 1024 * 1024,
    dedup: 65_536,
    slots: slots * size,
    readers: [65_536, 65_536],
  });
  const core = attachCore(memory);
  const call = (name: string, ...values: (number | bigint)[]) =>
    Number(core.exports[name]?.(...values) ?? Number.NaN) >>> 0;
  const { base } = region(memory, layout.REGION_BATCHES);
  call("watermarkFormat", base, 1024);
  const batches = base + call("watermarkTableSize", 1024);
  const put = (rows: readonly MadeRow[], options: BatchOptions = {}) => {
    core.u8.set(makeBatch(rows, options), batches);
    return batches;
  };
  return { core, put, call };
}

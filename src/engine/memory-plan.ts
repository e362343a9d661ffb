import { Dedup } from "../core/dedup.ts";
import type { RegionSizes } from "../core/memory.ts";
import { anyEventSlotBytes } from "../core/slots.ts";
import type { Config } from "../settings.ts";

const MIB = 1024 * 1024;

/** Reader 0 is the HTTP thread; then come the query workers; the last is the sealer's scratch. */
export const HTTP_READER = 0;

/** Memory that a full slot of ordinary events is reckoned with: so many slots share the setting. */
const SLOT_BYTES_USUAL = 32 * MIB;

/**
 * The sizes of all regions. They are address space: a page costs memory once it is touched, so the generous
 * ones (decoder, batches, the sealer) cost what the largest body or segment so far needed.
 */
export function planMemory(config: Config): RegionSizes {
  const cache = Math.floor(config.queryCacheBytes / config.queryWorkers);
  return {
    bodies: config.ingestQueueBytes,
    ring: config.ingestQueueBytes,
    decoder: 256 * MIB,
    batches: 272 * MIB,
    dedup: Dedup.regionSize(config.dedupIds),
    slots: Math.max(3, Math.floor(config.hotMemoryBytes / SLOT_BYTES_USUAL)) * anyEventSlotBytes,
    readers: [
      32 * MIB,
      ...Array.from({ length: config.queryWorkers }, () => cache + 32 * MIB),
      128 * MIB,
    ],
  };
}

/** Index of the sealer's region among the readers. */
export function sealerReader(config: Config): number {
  return config.queryWorkers + 1;
}

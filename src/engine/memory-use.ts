import type { Core } from "../core/core.ts";
import type { Decoder } from "../core/decoder.ts";
import * as layout from "../core/layout.ts";
import { region } from "../core/memory.ts";
import type { HotSlots } from "../core/slots.ts";
import { readerCacheBytes } from "../query/read/reader.ts";
import type { Config } from "../settings.ts";
import type { MemoryUse } from "./engine.ts";
import { HTTP_READER, sealerReader, streamReader } from "./memory-plan.ts";
import type { RingReader } from "./ring.ts";

/** Bytes of an id in the table and in the ring of ids, reckoned over a full table. */
const DEDUP_ID_BYTES = 32;

interface Parts {
  readonly core: Core;
  readonly config: Config;
  readonly ring: RingReader;
  readonly decoder: Decoder;
  readonly slots: HotSlots;
  readonly dedupIds: number;
}

/** Every region of the shared memory by its use; regions that the engine thread can't look into say no `used`. */
export function memoryUse(parts: Parts): Record<string, MemoryUse> {
  const { core, config, ring, decoder, slots, dedupIds } = parts;
  const reserved = (index: number): number => region(core.memory, index).size;
  const reader = (index: number): number => reserved(layout.REGION_READER_FIRST + index);
  const workers = Array.from({ length: config.queryWorkers }, (_, i) => HTTP_READER + 1 + i);
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  return {
    // The HTTP thread alone knows what is in there, and adds it.
    bodies: { reserved: reserved(layout.REGION_BODIES) },
    ring: { reserved: reserved(layout.REGION_RING), used: ring.used() },
    decoder: { reserved: reserved(layout.REGION_DECODER), used: decoder.memoryUsed() },
    batches: { reserved: reserved(layout.REGION_BATCHES) },
    dedup: { reserved: reserved(layout.REGION_DEDUP), used: dedupIds * DEDUP_ID_BYTES },
    hot_slots: {
      reserved: reserved(layout.REGION_SLOTS),
      used: sum(slots.list().map(({ address }) => slotBytes(core, address))),
    },
    http_scratch: { reserved: reader(HTTP_READER) },
    query_workers: {
      reserved: sum(workers.map(reader)),
      used: sum(workers.map((index) => readerCacheBytes(core, index))),
    },
    stream: { reserved: reserved(layout.REGION_STREAM) },
    stream_reader: {
      reserved: reader(streamReader(config)),
      used: readerCacheBytes(core, streamReader(config)),
    },
    sealer: { reserved: reader(sealerReader(config)) },
  };
}

/** Bytes from the slot's header to the next free one. */
function slotBytes({ view }: Core, slot: number): number {
  return Math.max(0, view.getUint32(slot + layout.SLOT_TOP, true) - slot);
}

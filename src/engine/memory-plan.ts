import { Dedup } from "../core/dedup.ts";
import type { RegionSizes } from "../core/memory.ts";
import { anyEventSlotBytes } from "../core/slots.ts";
import { ConfigError } from "../errors.ts";
import { readerBytes } from "../query/read/reader.ts";
import type { Config } from "../settings.ts";

const MIB = 1024 * 1024;

/** Reader 0 is the HTTP thread; then come the query workers, the sealer's scratch and the stream thread. */
export const HTTP_READER = 0;

/** Working memory of the stream thread, as of a query. */
export const STREAM_SCRATCH_BYTES = 32 * MIB;
/** Its decoded columns of stored segments: for catching up, and for rules that begin with what is stored. */
const STREAM_CACHE_BYTES = 64 * MIB;

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
    stream: config.streamMemoryBytes,
    readers: [
      32 * MIB,
      ...Array.from({ length: config.queryWorkers }, () =>
        readerBytes(config.queryMemoryBytes, cache),
      ),
      128 * MIB,
      readerBytes(STREAM_SCRATCH_BYTES, STREAM_CACHE_BYTES),
    ],
  };
}

/** What WebAssembly can address, less the root block and the rounding of regions to pages. */
const PLAN_BYTES_MAX = 4096 * MIB - 4 * MIB;

/** @throws ConfigError that names the settings whose regions do not fit one memory together */
export function checkMemory(config: Config): void {
  const plan = planMemory(config);
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const total = sum(Object.values(plan).flat());
  if (total <= PLAN_BYTES_MAX) return;
  const shares: [string, number][] = [
    ["--hot-memory", plan.slots],
    ["--dedup-ids", plan.dedup],
    ["--ingest-queue", plan.bodies + plan.ring],
    ["--stream-memory", config.streamMemoryBytes],
    ["--query-cache and --query-memory with --query-workers", sum(plan.readers)],
  ];
  const list = shares.map(([name, bytes]) => {
    return `${name} ${name.includes(" and ") ? "take" : "takes"} ${Math.ceil(bytes / MIB)} MiB`;
  });
  const rest = total - sum(shares.map(([, bytes]) => bytes));
  throw new ConfigError(
    "conflicting_settings",
    `${list.join(", ")}, and ${Math.ceil(rest / MIB)} MiB are fixed: got ${Math.ceil(total / MIB)} MiB of address ` +
      `space in all, want at most ${PLAN_BYTES_MAX / MIB} MiB`,
  );
}

/** Index of the sealer's region among the readers. */
export function sealerReader(config: Config): number {
  return config.queryWorkers + 1;
}

/** Index of the stream thread's region and pin among the readers. */
export function streamReader(config: Config): number {
  return config.queryWorkers + 2;
}

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

type SizeSetting = "queryCacheBytes" | "streamMemoryBytes" | "queryMemoryBytes" | "hotMemoryBytes";

/** Defaults that give way to what was given, in this order, and how far. */
const givingWay: readonly (readonly [key: SizeSetting, name: string, leastBytes: number])[] = [
  ["queryCacheBytes", "--query-cache", 64 * MIB],
  ["streamMemoryBytes", "--stream-memory", 64 * MIB],
  ["queryMemoryBytes", "--query-memory", 32 * MIB],
  ["hotMemoryBytes", "--hot-memory", 96 * MIB],
];

/**
 * The settings with defaults that have given way, as far as it takes, where the regions would not fit one memory
 * otherwise. What is in `given` stays as it is.
 *
 * @throws ConfigError that names the settings whose regions do not fit one memory together, and what would
 */
export function fitMemory(config: Config, given: ReadonlySet<keyof Config>): Config {
  let fitted = config;
  for (const [key, , least] of givingWay) {
    if (given.has(key) || fits(fitted)) continue;
    fitted = { ...fitted, [key]: mostThatFits(fitted, key, least) ?? least };
  }
  if (!fits(fitted)) throw conflict(fitted, given);
  return Object.freeze(fitted);
}

function fits(config: Config): boolean {
  return planBytes(config) <= PLAN_BYTES_MAX;
}

function planBytes(config: Config): number {
  return sum(Object.values(planMemory(config)).flat());
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

/**
 * The most of a setting in whole MiB, or whole slots, up to what it is, with which all fits; null where `least` is too
 * much.
 */
function mostThatFits(config: Config, key: SizeSetting, least: number): number | null {
  if (!fits({ ...config, [key]: least })) return null;
  const step = key === "hotMemoryBytes" ? SLOT_BYTES_USUAL : MIB;
  let low = Math.ceil(least / step);
  let high = Math.ceil(config[key] / step);
  while (low < high - 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits({ ...config, [key]: middle * step })) low = middle;
    else high = middle;
  }
  return low * step;
}

/** `config` has given way as far as it may. */
function conflict(config: Config, given: ReadonlySet<keyof Config>): ConfigError {
  const plan = planMemory(config);
  const total = planBytes(config);
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
  const would = givingWay.flatMap(([key, name, least]) => {
    const most = given.has(key) ? mostThatFits(config, key, Math.min(least, config[key])) : null;
    return most === null ? [] : [`${name} ${most / MIB}MiB`];
  });
  const instead = would.length > 0 ? `; ${would.join(" or ")} would fit` : "";
  return new ConfigError(
    "conflicting_settings",
    `${list.join(", ")}, and ${Math.ceil(rest / MIB)} MiB are fixed: got ${Math.ceil(total / MIB)} MiB of address ` +
      `space in all, want at most ${PLAN_BYTES_MAX / MIB} MiB${instead}`,
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

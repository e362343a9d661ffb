import { availableParallelism } from "node:os";
import { parseSize } from "./base/size.ts";
import { bodyBytesMax } from "./limits.ts";
import { parseDuration } from "./query/duration.ts";

/** One setting: its flag, what it takes and what it is for. The table below drives everything else. */
export interface Setting<T> {
  /** Flag without dashes; the variable is `MILLRACE_` and the same in capitals. */
  readonly name: string;
  /** Text as a user would write it. */
  readonly default: string;
  /** What a value looks like, for help and errors. */
  readonly want: string;
  readonly description: string;
  /** The value of the text, or undefined when the text is not what `want` says. */
  readonly parse: (text: string) => T | undefined;
}

type Row = readonly [name: string, standard: string, description: string];

function text(row: Row, want: string): Setting<string> {
  return setting(row, want, (value) => (value === "" ? undefined : value));
}

function integer(row: Row, min: number, max: number): Setting<number> {
  return setting(row, `a whole number from ${min} to ${max}`, (value) => {
    if (!/^\d+$/.test(value)) return undefined;
    const number = Number(value);
    return number >= min && number <= max ? number : undefined;
  });
}

function size(row: Row, min: string, max: string): Setting<number> {
  const [low, high] = [parseSize(min) as number, parseSize(max) as number];
  return setting(row, `a size from ${min} to ${max}`, (value) => {
    const bytes = parseSize(value);
    return bytes !== undefined && bytes >= low && bytes <= high ? bytes : undefined;
  });
}

/** Milliseconds, or undefined when `value` is no duration. */
function durationMs(value: string): number | undefined {
  try {
    return Number(parseDuration(value) / 1000n);
  } catch {
    return undefined;
  }
}

function duration(row: Row, min: string, max: string): Setting<number> {
  const [low, high] = [durationMs(min) as number, durationMs(max) as number];
  return setting(row, `a duration from ${min} to ${max}`, (value) => {
    const ms = durationMs(value);
    return ms !== undefined && ms >= low && ms <= high ? ms : undefined;
  });
}

function choice<const C extends readonly string[]>(row: Row, choices: C): Setting<C[number]> {
  return setting(row, `one of ${choices.join(", ")}`, (value) =>
    choices.includes(value) ? (value as C[number]) : undefined,
  );
}

function list(row: Row, want: string, item: RegExp): Setting<readonly string[]> {
  return setting(row, want, (value) => {
    const items = value.split(",").filter((part) => part !== "");
    return items.every((part) => item.test(part)) ? Object.freeze(items) : undefined;
  });
}

/** A setting that `none` turns off; its value is null then. */
function optional<T>(inner: Setting<T>): Setting<T | null> {
  return {
    ...inner,
    want: `${inner.want}, or none`,
    parse: (value) => (value === "none" ? null : inner.parse(value)),
  };
}

function setting<T>(
  [name, standard, description]: Row,
  want: string,
  parse: (text: string) => T | undefined,
): Setting<T> {
  return { name, default: standard, want, description, parse };
}

/** The memory has a place for 16 reading threads: the HTTP thread, the sealer and the stream thread take one each. */
const workersMax = 13;
/** So many fit the memory with all other settings as they are. */
const workersUsual = 11;
const workers = String(Math.max(2, Math.min(workersUsual, availableParallelism())));

/** Every setting of `millrace serve`. Keys are the fields of `Config`, units end their names. */
export const settings = {
  port: integer(["port", "8080", "TCP port; 0 takes a free one"], 0, 65_535),
  host: text(["host", "127.0.0.1", "address to listen on"], "a host name or address"),
  data: text(["data", "./data", "folder of the stored events; made when absent"], "a path"),
  logLevel: choice(
    ["log-level", "info", "least severe lines to log; debug adds one line a request"],
    ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
  ),
  logFormat: choice(
    ["log-format", "auto", "lines for people or for machines; auto: pretty on a terminal"],
    ["auto", "json", "pretty"],
  ),
  ingestQueueBytes: size(
    ["ingest-queue", "64MiB", "bodies waiting for the engine; beyond it: 429"],
    "1MiB",
    "1GiB",
  ),
  bodyBytesMax: size(
    ["body-max", `${bodyBytesMax / 1024 ** 2}MiB`, "one body, as sent and decompressed: else 413"],
    "1KiB",
    `${bodyBytesMax / 1024 ** 2}MiB`,
  ),
  bodiesBytesMax: size(
    ["bodies-max", "128MiB", "all bodies being received at once; beyond it: 429"],
    "1MiB",
    "4GiB",
  ),
  connectionsMax: integer(
    ["connections-max", "10000", "open connections; more are closed at once"],
    1,
    1_000_000,
  ),
  requestsMax: integer(
    ["requests-max", "10000", "requests in flight; beyond it: 503"],
    1,
    1_000_000,
  ),
  requestTimeoutMs: duration(
    ["request-timeout", "60s", "time in which a request must have come in: else 408"],
    "100ms",
    "1h",
  ),
  allowedOrigins: list(
    [
      "allowed-origins",
      "",
      "web origins, beside the server's own, that may open WebSockets; * for all",
    ],
    "a list such as https://a.example,https://b.example",
    /^(?:\*|https?:\/\/[^\s/,]+)$/,
  ),
  dedupIds: integer(
    ["dedup-ids", "8388608", "newest client-sent ids that duplicates are found by; 32 bytes each"],
    1024,
    67_108_864,
  ),
  hotMemoryBytes: size(
    ["hot-memory", "384MiB", "newest segments, kept as plain columns"],
    "16MiB",
    "3GiB",
  ),
  queryWorkers: integer(
    ["query-workers", workers, "threads that answer longer queries"],
    1,
    workersMax,
  ),
  queryCacheBytes: size(
    [
      "query-cache",
      "192MiB",
      "decoded columns of older segments, and texts kept between queries, all workers together",
    ],
    "16MiB",
    "3GiB",
  ),
  queryMemoryBytes: size(
    ["query-memory", "128MiB", "working memory of a query on each query worker; beyond it: 413"],
    "4MiB",
    "2GiB",
  ),
  queryTimeoutMs: duration(
    ["query-timeout", "30s", "time that a query may take, waiting included; beyond it: 504"],
    "1ms",
    "24h",
  ),
  queryRowsMax: integer(
    [
      "query-rows-max",
      "1000000",
      "rows of a result that must be whole before it is sent; beyond it: 413",
    ],
    1,
    10_000_000,
  ),
  queryGroupsMax: integer(
    ["query-groups-max", "1000000", "groups of one query; beyond it: 413"],
    1,
    10_000_000,
  ),
  streamMemoryBytes: size(
    ["stream-memory", "256MiB", "open windows of all aggregation rules"],
    "16MiB",
    "2GiB",
  ),
  checkpointIntervalMs: duration(
    ["checkpoint-interval", "1s", "time between two checkpoints of the open windows"],
    "10ms",
    "1h",
  ),
  retentionAgeMs: optional(
    duration(["retention-age", "none", "older segments are dropped"], "1m", "36500d"),
  ),
  retentionBytes: optional(
    size(
      ["retention-bytes", "none", "beyond it the oldest segments are dropped"],
      "16MiB",
      "1024TiB",
    ),
  ),
  diskReserveBytes: size(
    ["disk-reserve", "512MiB", "room to leave free on the disk; below it ingest answers 507"],
    "0B",
    "1024TiB",
  ),
  maxSkewMs: duration(
    ["max-skew", "1h", "timestamps further ahead than this advance no watermark"],
    "0s",
    "365d",
  ),
  idleTimeoutMs: duration(
    ["idle-timeout", "10s", "a source that is silent for so long holds no window back"],
    "1ms",
    "365d",
  ),
  sourcesMax: integer(
    ["sources-max", "10000", "sources with a watermark of their own; the rest share one"],
    1,
    1_000_000,
  ),
  receiptRetentionMs: duration(
    ["receipt-retention", "24h", "how long the answer to an Idempotency-Key is kept"],
    "1m",
    "30d",
  ),
  subscriberBufferBytes: size(
    ["subscriber-buffer", "1MiB", "unsent bytes of one WebSocket before it is fed no more"],
    "16KiB",
    "64MiB",
  ),
  subscriberLagMax: integer(
    ["subscriber-lag-max", "100000", "events a live subscriber may fall behind before it skips"],
    1,
    1_000_000_000,
  ),
  heartbeatMs: duration(
    ["heartbeat", "30s", "time between pings; a WebSocket silent for two of them is closed"],
    "100ms",
    "1h",
  ),
  shutdownTimeoutMs: duration(
    ["shutdown-timeout", "30s", "time to finish what was accepted when asked to stop"],
    "0s",
    "1h",
  ),
} as const;

type Value<S> = S extends Setting<infer T> ? T : never;

/** All settings as values: bytes, milliseconds and counts. Frozen. */
export type Config = { readonly [K in keyof typeof settings]: Value<(typeof settings)[K]> };

import { ConfigError } from "../errors.ts";
import { bodyBytesMax } from "../limits.ts";
import type { BatchLimits } from "./batch-cutter.ts";
import { choiceFlag, countFlag, type FlagKind, parseFlags, textFlag, urlFlag } from "./flags.ts";
import { type FileFormat, fileFormats, formatOf } from "./source.ts";
import type { UploadTarget } from "./upload.ts";

export interface ImportFile {
  /** `-` is standard input. */
  readonly path: string;
  readonly format: FileFormat;
}

export interface ImportOptions {
  readonly files: readonly ImportFile[];
  readonly target: UploadTarget;
  readonly limits: BatchLimits;
  /** Requests in flight at a time. */
  readonly connections: number;
  /** A rejected event makes the exit code 1. */
  readonly strict: boolean;
}

/** Flags of the field mapping and the query parameters that they become. */
const MAPPING: Readonly<Record<string, string>> = {
  id: "id",
  timestamp: "timestamp",
  "event-type": "event_type",
  source: "source",
  "user-id": "user_id",
  "session-id": "session_id",
};

const TIMESTAMP_UNITS = ["s", "ms", "us", "ns"] as const;
const ACKS = ["durable", "memory"] as const;

const FLAGS: Record<string, FlagKind> = {
  ...Object.fromEntries(Object.keys(MAPPING).map((name) => [name, "value" as const])),
  url: "value",
  format: "value",
  "timestamp-unit": "value",
  ack: "value",
  "batch-events": "value",
  "batch-bytes": "value",
  connections: "value",
  "retry-for": "value",
  strict: "switch",
  help: "switch",
};

export const importHelp = `Usage: millrace import [flags] FILE…

Sends the events of files to a running server. A file is NDJSON (.ndjson, .jsonl), JSON (.json: an array,
{"events":[…]}, or objects one after another) or MessagePack (.msgpack, .mpk: an array or a stream of maps),
packed with gzip or not. "-" is standard input.

  --url URL              server, http://127.0.0.1:8080 by default
  --format FORMAT        ndjson, json or msgpack, where the name does not tell; standard input is ndjson

Where the fields of an event are found: a field's dotted path, or a constant in single quotes.
  --timestamp time --event-type "'edit'" --source channel --user-id … --session-id … --id …
  --timestamp-unit UNIT  s, ms, us or ns; by default the size of a number decides

  --ack MODE             durable (default): counted once on disk; memory: once in memory
  --batch-events N       events in one request, 5,000 by default
  --batch-bytes N        bytes in one request, 2,097,152 by default
  --connections N        requests in flight, 4 by default
  --retry-for SECONDS    how long a batch is tried again while the server is away or busy, 300 by default
  --strict               exit code 1 when an event is rejected
`;

/** Undefined when help was asked for. A ConfigError names the flag. */
export function parseImportOptions(argv: readonly string[]): ImportOptions | undefined {
  const flags = parseFlags(argv, FLAGS);
  if (flags.values.help === true) return undefined;
  if (flags.positionals.length === 0) {
    throw new ConfigError("missing_file", "want at least one FILE, or - for standard input");
  }
  const parameters = new URLSearchParams();
  for (const [flag, parameter] of Object.entries(MAPPING)) {
    const value = textFlag(flags, flag);
    if (value !== undefined) parameters.set(parameter, value);
  }
  const unit = choiceFlag(flags, "timestamp-unit", TIMESTAMP_UNITS);
  if (unit !== undefined) parameters.set("timestamp_unit", unit);
  const ack = choiceFlag(flags, "ack", ACKS);
  if (ack !== undefined) parameters.set("ack", ack);
  const format = choiceFlag(flags, "format", fileFormats);
  return {
    files: flags.positionals.map((path) => ({ path, format: format ?? formatOfFile(path) })),
    target: {
      url: urlFlag(flags),
      parameters,
      retrySeconds: countFlag(flags, "retry-for", 300, 0, 86_400),
    },
    limits: {
      events: countFlag(flags, "batch-events", 5_000, 1, 100_000),
      bytes: countFlag(flags, "batch-bytes", 2 * 1024 * 1024, 1_024, bodyBytesMax / 2),
    },
    connections: countFlag(flags, "connections", 4, 1, 64),
    strict: flags.values.strict === true,
  };
}

function formatOfFile(path: string): FileFormat {
  const format = path === "-" ? "ndjson" : formatOf(path);
  if (format === undefined) {
    throw new ConfigError(
      "unknown_format",
      `--format: the name of ${path} does not tell its format, want one of ${fileFormats.join(", ")}`,
    );
  }
  return format;
}

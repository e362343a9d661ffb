import { ConfigError } from "../errors.ts";
import {
  choiceFlag,
  countFlag,
  type FlagKind,
  type Flags,
  parseFlags,
  textFlag,
  urlFlag,
} from "./flags.ts";

export type TailFormat = "json" | "pretty";

/** Windows to watch: those of a rule, or of a question that is one for as long as it is watched. */
export interface TailedWindows {
  readonly rule?: string;
  readonly sql?: string;
  /** A duration. */
  readonly pace?: string;
  readonly states?: readonly string[];
}

export interface TailOptions {
  readonly url: URL;
  /** Null: events are tailed. */
  readonly windows: TailedWindows | null;
  /** SQL expression text, or undefined for every event. */
  readonly where: string | undefined;
  readonly eventType: string | undefined;
  readonly from: "earliest" | "now";
  readonly format: TailFormat;
  /** Lines after which to stop; 0 goes on for ever. */
  readonly limit: number;
}

const FLAGS: Record<string, FlagKind> = {
  url: "value",
  where: "value",
  "event-type": "value",
  from: "value",
  rule: "value",
  sql: "value",
  states: "value",
  pace: "value",
  format: "value",
  limit: "value",
  help: "switch",
};

export const tailHelp = `Usage: millrace tail [flags]

Prints events as they become durable, one a line, until interrupted; with --rule or --sql windows as they change. After
a lost connection it goes on where it was.

  --url URL          server, http://127.0.0.1:8080 by default
  --format FORMAT    json: as the server has it; pretty: for people; by default pretty on a terminal
  --limit N          stop after N lines

Events:
  --where SQL        only events for which this holds, such as "properties.amount > 10"
  --event-type TYPE  only events of this type
  --from POINT       earliest: stored events first; now (default): new ones only

Windows: first the open ones and the last that are final, then each that changes, in its newest state:
  --rule NAME        the windows of a rule
  --sql "SELECT …"   those of a question, as if it were a rule
  --states LIST      only windows in these states, such as on_time,final; also early, revised
  --pace DURATION    time between updates, 100ms by default
`;

/** Undefined when help was asked for. A ConfigError names the flag. */
export function parseTailOptions(
  argv: readonly string[],
  onTerminal: boolean,
): TailOptions | undefined {
  const flags = parseFlags(argv, FLAGS);
  if (flags.values.help === true) return undefined;
  const [stray] = flags.positionals;
  if (stray !== undefined) {
    const advice =
      "want flags only; a condition goes after --where, in quotes, a rule after --rule";
    throw new ConfigError("invalid_flag", `got '${stray}', ${advice}`);
  }
  return {
    url: urlFlag(flags),
    windows: windowsOf(flags),
    where: textFlag(flags, "where"),
    eventType: textFlag(flags, "event-type"),
    from: choiceFlag(flags, "from", ["earliest", "now"] as const) ?? "now",
    format:
      choiceFlag(flags, "format", ["json", "pretty"] as const) ?? (onTerminal ? "pretty" : "json"),
    limit: countFlag(flags, "limit", 0, 0, Number.MAX_SAFE_INTEGER),
  };
}

const ofEvents = ["where", "event-type", "from"];
const ofWindows = ["states", "pace"];
const states = ["early", "on_time", "revised", "final"];

function windowsOf(flags: Flags): TailedWindows | null {
  const [rule, sql, pace] = ["rule", "sql", "pace"].map((name) => textFlag(flags, name));
  if (rule !== undefined && sql !== undefined) {
    throw new ConfigError("invalid_flag", "--sql: got --rule too, want one of the two");
  }
  const isWindows = rule !== undefined || sql !== undefined;
  for (const name of isWindows ? ofEvents : ofWindows) {
    if (textFlag(flags, name) === undefined) continue;
    const [is, want] = isWindows
      ? ["events", "no --rule or --sql"]
      : ["windows", "--rule or --sql"];
    throw new ConfigError("invalid_flag", `--${name}: it is about ${is}, want ${want} with it`);
  }
  if (!isWindows) return null;
  const wanted = textFlag(flags, "states")?.split(",");
  const unknown = wanted?.find((state) => !states.includes(state));
  if (unknown !== undefined) {
    const message = `--states: got '${unknown}', want some of ${states.join(", ")}, with commas`;
    throw new ConfigError("invalid_flag", message);
  }
  return {
    ...(rule !== undefined && { rule }),
    ...(sql !== undefined && { sql }),
    ...(pace !== undefined && { pace }),
    ...(wanted !== undefined && { states: wanted }),
  };
}

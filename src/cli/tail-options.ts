import { ConfigError } from "../errors.ts";
import { choiceFlag, countFlag, type FlagKind, parseFlags, textFlag, urlFlag } from "./flags.ts";

export type TailFormat = "json" | "pretty";

export interface TailOptions {
  readonly url: URL;
  /** SQL expression text, or undefined for every event. */
  readonly where: string | undefined;
  readonly eventType: string | undefined;
  readonly from: "earliest" | "now";
  readonly format: TailFormat;
  /** Events after which to stop; 0 goes on for ever. */
  readonly limit: number;
}

const FLAGS: Record<string, FlagKind> = {
  url: "value",
  where: "value",
  "event-type": "value",
  from: "value",
  format: "value",
  limit: "value",
  help: "switch",
};

export const tailHelp = `Usage: millrace tail [flags]

Prints events as they become durable, one a line, until interrupted. After a lost connection it goes on where
it was.

  --url URL          server, http://127.0.0.1:8080 by default
  --where SQL        only events for which this holds, such as "properties.amount > 10"
  --event-type TYPE  only events of this type
  --from POINT       earliest: stored events first; now (default): new ones only
  --format FORMAT    json: the event as stored; pretty: for people; by default pretty on a terminal
  --limit N          stop after N events
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
    const advice = "want flags only; a condition goes after --where, in quotes";
    throw new ConfigError("invalid_flag", `got '${stray}', ${advice}`);
  }
  return {
    url: urlFlag(flags),
    where: textFlag(flags, "where"),
    eventType: textFlag(flags, "event-type"),
    from: choiceFlag(flags, "from", ["earliest", "now"] as const) ?? "now",
    format:
      choiceFlag(flags, "format", ["json", "pretty"] as const) ?? (onTerminal ? "pretty" : "json"),
    limit: countFlag(flags, "limit", 0, 0, Number.MAX_SAFE_INTEGER),
  };
}

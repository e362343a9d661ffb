import { ConfigError } from "../errors.ts";
import { countFlag, type FlagKind, parseFlags, urlFlag } from "./flags.ts";

export interface StatsOptions {
  readonly url: URL;
  /** The server's whole answer instead of tables. */
  readonly json: boolean;
  /** The newest segments to list. */
  readonly segments: number;
}

const FLAGS: Record<string, FlagKind> = {
  url: "value",
  json: "switch",
  segments: "value",
  help: "switch",
};

const SEGMENTS_DEFAULT = 20;

export const statsHelp = `Usage: millrace stats [flags]

Shows what a running server has stored: bytes per event by column, encodings, dictionaries, segments, the journal,
and what merging small segments has done.

  --url URL     server, http://127.0.0.1:8080 by default
  --segments N  list the N newest segments; ${SEGMENTS_DEFAULT} by default
  --json        print the server's answer as JSON; then all segments are listed unless --segments says otherwise
`;

/** Undefined when help was asked for. A ConfigError names the flag. */
export function parseStatsOptions(argv: readonly string[]): StatsOptions | undefined {
  const flags = parseFlags(argv, FLAGS);
  if (flags.values.help === true) return undefined;
  const [stray] = flags.positionals;
  if (stray !== undefined) throw new ConfigError("invalid_flag", `got '${stray}', want flags only`);
  const json = flags.values.json === true;
  const fallback = json ? 1_000_000 : SEGMENTS_DEFAULT;
  return {
    url: urlFlag(flags),
    json,
    segments: countFlag(flags, "segments", fallback, 0, 1_000_000),
  };
}

import { parseExactJson } from "../base/exact-json.ts";
import { ConfigError } from "../errors.ts";
import {
  choiceFlag,
  countFlag,
  type FlagKind,
  parseFlags,
  textFlag,
  textsFlag,
  urlFlag,
} from "./flags.ts";

export const resultFormats = ["table", "json", "ndjson", "csv"] as const;
export type ResultFormat = (typeof resultFormats)[number];

/** Where the statements come from; a prompt asks for them. */
export type StatementSource =
  | { readonly kind: "text"; readonly text: string }
  /** `-` is standard input. */
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "prompt" };

export interface QueryOptions {
  readonly url: URL;
  readonly source: StatementSource;
  /** Values of `$1`, `$2`, …. */
  readonly params: readonly unknown[];
  readonly format: ResultFormat;
  /** Seconds after which a statement is given up; 0 waits for ever. */
  readonly timeoutSeconds: number;
  /** Rows that a table shows; 0 shows all. */
  readonly rowsMax: number;
}

const FLAGS: Record<string, FlagKind> = {
  url: "value",
  file: "value",
  param: "values",
  format: "value",
  timeout: "value",
  "max-rows": "value",
  help: "switch",
};

export const queryHelp = `Usage: millrace query [flags] ["SELECT …"]

Asks a running server. The statement is the argument, or the text of --file, or that of standard input ("-", or
no statement where input is not a terminal). On a terminal, without a statement, it prompts for them.

  --url URL          server, http://127.0.0.1:8080 by default
  --file PATH        statements, each ended by a semicolon; they run one after the other until one fails
  --param VALUE      the value of $1; once more for $2 and so on. 5, true, null and "5" are what they are in JSON,
                     anything else is text
  --format FORMAT    table: for people; ndjson: one object a row; csv: RFC 4180, with a header; json: the server's
                     whole answer. By default table on a terminal, else ndjson
  --timeout SECONDS  give up a statement after that time; 0 (default) waits
  --max-rows N       rows that a table shows, 1,000 by default; 0 shows all

Ctrl+C ends the query on the server too. NULL is an empty cell in CSV, where an empty text is "".
Exit code: 0; 1 when a statement fails; 2 for wrong flags; 130 after Ctrl+C.

  millrace query "SELECT source, count(*) AS n FROM events GROUP BY source"
  millrace query "SELECT * FROM views_per_minute ORDER BY window_start DESC LIMIT 10"     windows of a rule
  millrace query --format csv --param purchase 'SELECT * FROM events WHERE event_type = $1' > purchases.csv
`;

interface Terminals {
  readonly input: boolean;
  readonly output: boolean;
}

/** Undefined when help was asked for. A ConfigError names the flag. */
export function parseQueryOptions(
  argv: readonly string[],
  terminal: Terminals,
): QueryOptions | undefined {
  // A lone hyphen is a place to read from, which the flags of Node take for a positional as well.
  const flags = parseFlags(argv, FLAGS);
  if (flags.values.help === true) return undefined;
  const [statement, stray] = flags.positionals;
  if (stray !== undefined) {
    throw new ConfigError("invalid_flag", `got '${stray}', want one statement, in quotes`);
  }
  return {
    url: urlFlag(flags),
    source: sourceOf(statement, textFlag(flags, "file"), terminal.input),
    params: textsFlag(flags, "param").map(paramValue),
    format: choiceFlag(flags, "format", resultFormats) ?? (terminal.output ? "table" : "ndjson"),
    timeoutSeconds: countFlag(flags, "timeout", 0, 0, 86_400),
    rowsMax: countFlag(flags, "max-rows", 1_000, 0, 1_000_000_000),
  };
}

function sourceOf(
  statement: string | undefined,
  file: string | undefined,
  onTerminal: boolean,
): StatementSource {
  if (statement !== undefined && file !== undefined) {
    throw new ConfigError("invalid_flag", "--file: got a statement too, want one of the two");
  }
  if (file !== undefined) return { kind: "file", path: file };
  if (statement === "-") return { kind: "file", path: "-" };
  if (statement !== undefined) return { kind: "text", text: statement };
  return onTerminal ? { kind: "prompt" } : { kind: "file", path: "-" };
}

/** JSON scalars are what they say; anything else is text. */
function paramValue(text: string): unknown {
  if (!/^(?:null|true|false|-?\d|")/.test(text)) return text;
  try {
    const value = parseExactJson(text);
    return typeof value === "object" && value !== null ? text : value;
  } catch {
    return text;
  }
}

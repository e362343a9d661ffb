import { didYouMean } from "../base/near.ts";
import { ConfigError } from "../errors.ts";
import { choiceFlag, type FlagKind, type Flags, parseFlags, textFlag, urlFlag } from "./flags.ts";

export type RulesFormat = "table" | "json";

/** Members of a rule that flags set, whatever the text of the rule says. */
export interface RuleMembers {
  readonly name?: string;
  readonly allowed_lateness?: string;
  readonly retention?: string;
  readonly backfill?: true;
}

export type RulesAction =
  | { readonly kind: "list" }
  | { readonly kind: "show" | "pause" | "resume" | "delete"; readonly rule: string }
  /** `source` is SQL, JSON, a file's path or `-`; `replaces` is the rule of which it is a new version. */
  | {
      readonly kind: "create";
      readonly source: string;
      readonly replaces: string | null;
      readonly members: RuleMembers;
    }
  | {
      readonly kind: "recompute";
      readonly rule: string;
      readonly from: string;
      readonly to: string;
    };

export interface RulesOptions {
  readonly url: URL;
  readonly format: RulesFormat;
  readonly action: RulesAction;
}

const FLAGS: Record<string, FlagKind> = {
  url: "value",
  format: "value",
  name: "value",
  "allowed-lateness": "value",
  retention: "value",
  backfill: "switch",
  from: "value",
  to: "value",
  help: "switch",
};

export const rulesHelp = `Usage: millrace rules [flags]
       millrace rules show NAME
       millrace rules create FILE|-|"SELECT …" [--name NAME] [flags]
       millrace rules replace NAME FILE|-|"SELECT …" [flags]
       millrace rules pause|resume|delete NAME
       millrace rules recompute NAME --from TIME --to TIME

Aggregation rules of a running server: questions that are answered for each window of time while events arrive.
Without a word it lists them. NAME may be a version of a rule, name@2, where it is only read.

  --url URL        server, http://127.0.0.1:8080 by default
  --format FORMAT  table: for people; json: a rule a line, as the server has it. By default table on a terminal, else
                   json

create and replace take a file or standard input ("-") with the JSON form of a rule or with SQL, or either as the
argument. Flags come before what the form says:
  --name NAME              the table that its windows can be read from; SQL has none of its own
  --allowed-lateness TIME  how long a window waits for late events: 1m by default
  --retention TIME         how long windows are kept: for ever by default
  --backfill               stored events are taken too

recompute computes the windows that overlap [--from, --to) again, with the events that came too late for them. delete
forgets a rule, all its versions and their windows.

  millrace rules create --name views --backfill "SELECT time_bucket('1 minute', timestamp), source, count(*) AS n
    FROM events WHERE event_type = 'view' GROUP BY 1, source"
  millrace query "SELECT window_start, source, n FROM views ORDER BY 1 DESC LIMIT 10"   windows that there are
  millrace tail --rule views                                                            windows as they change

Exit code: 0; 1 when it fails; 2 for wrong flags.
`;

const words = ["list", "show", "create", "replace", "pause", "resume", "delete", "recompute"];

/** Flags that only some words take. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  create: ["name", "allowed-lateness", "retention", "backfill"],
  replace: ["allowed-lateness", "retention", "backfill"],
  recompute: ["from", "to"],
};

/** Undefined when help was asked for. A ConfigError names the flag. */
export function parseRulesOptions(
  argv: readonly string[],
  onTerminal: boolean,
): RulesOptions | undefined {
  const flags = parseFlags(argv, FLAGS);
  if (flags.values.help === true) return undefined;
  return {
    url: urlFlag(flags),
    format:
      choiceFlag(flags, "format", ["table", "json"] as const) ?? (onTerminal ? "table" : "json"),
    action: actionOf(flags),
  };
}

function actionOf(flags: Flags): RulesAction {
  const [word = "list", ...rest] = flags.positionals;
  if (!words.includes(word)) {
    const hint = didYouMean(word, words) || `; want one of ${words.join(", ")}`;
    throw new ConfigError("invalid_flag", `there is no "rules ${word}"${hint}`);
  }
  refuseOtherFlags(flags, word);
  const take = (what: string): string => {
    const taken = rest.shift();
    if (taken !== undefined && taken !== "") return taken;
    throw new ConfigError("invalid_flag", `rules ${word}: want ${what}`);
  };
  const action = actionFor(word, take, flags);
  const [stray] = rest;
  if (stray === undefined) return action;
  const advice = action.kind === "create" ? "want SQL in quotes" : "want nothing behind it";
  throw new ConfigError("invalid_flag", `rules ${word}: got '${stray}', ${advice}`);
}

function actionFor(word: string, take: (what: string) => string, flags: Flags): RulesAction {
  const name = "the NAME of a rule";
  const text = 'a FILE, - or "SELECT …"';
  switch (word) {
    case "show":
    case "pause":
    case "resume":
    case "delete":
      return { kind: word, rule: take(name) };
    case "create":
      return { kind: "create", source: take(text), replaces: null, members: membersOf(flags) };
    case "replace":
      return {
        kind: "create",
        replaces: take(name),
        source: take(text),
        members: membersOf(flags),
      };
    case "recompute":
      return {
        kind: "recompute",
        rule: take(name),
        from: timeFlag(flags, "from"),
        to: timeFlag(flags, "to"),
      };
    default:
      return { kind: "list" };
  }
}

function refuseOtherFlags(flags: Flags, word: string): void {
  const always = ["url", "format", "help"];
  for (const flag of Object.keys(flags.values)) {
    if (always.includes(flag) || flagsOf[word]?.includes(flag)) continue;
    throw new ConfigError("invalid_flag", `--${flag}: "rules ${word}" has no such flag`);
  }
}

function membersOf(flags: Flags): RuleMembers {
  const name = textFlag(flags, "name");
  const lateness = textFlag(flags, "allowed-lateness");
  const retention = textFlag(flags, "retention");
  return {
    ...(name !== undefined && { name }),
    ...(lateness !== undefined && { allowed_lateness: lateness }),
    ...(retention !== undefined && { retention }),
    ...(flags.values.backfill === true && { backfill: true as const }),
  };
}

function timeFlag(flags: Flags, name: string): string {
  const text = textFlag(flags, name);
  if (text !== undefined) return text;
  throw new ConfigError(
    "invalid_flag",
    `--${name}: want a time such as 2026-11-23T12:00:00Z; the range is [from, to)`,
  );
}

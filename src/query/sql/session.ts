// What tools ask a server about itself before they ask anything else. There are no sessions, so these are constants.

import { didYouMean } from "../../base/near.ts";
import { version } from "../../version.ts";
import { coerce } from "../typing/coerce.ts";
import type { Place, Term } from "../typing/term.ts";

/** The version of PostgreSQL whose grammar is read: tools look at it to know what they may write. */
const grammarVersion = "18.4";

/** Settings as PostgreSQL names them, with what is so here. */
const settings: ReadonlyMap<string, string> = new Map([
  ["client_encoding", "UTF8"],
  ["DateStyle", "ISO, YMD"],
  ["default_transaction_read_only", "on"],
  ["integer_datetimes", "on"],
  ["IntervalStyle", "iso_8601"],
  ["is_superuser", "off"],
  ["max_identifier_length", "63"],
  ["search_path", "public"],
  ["server_encoding", "UTF8"],
  ["server_version", `${grammarVersion} (Millrace ${version})`],
  ["server_version_num", "180004"],
  ["standard_conforming_strings", "on"],
  ["TimeZone", "UTC"],
  ["transaction_isolation", "repeatable read"],
  ["transaction_read_only", "on"],
]);

export const databaseName = "millrace";
const schemaName = "public";
const userName = "millrace";

const functions: ReadonlyMap<string, string> = new Map([
  ["version", `PostgreSQL ${grammarVersion} (Millrace ${version})`],
  ["current_database", databaseName],
  ["current_schema", schemaName],
  ["current_user", userName],
  ["session_user", userName],
]);

/** The names of functions that `sessionCall` knows. */
export const sessionFunctions: readonly string[] = [...functions.keys(), "current_setting"];

/** What `version()` and its like answer; null for another name. */
export function sessionCall(name: string, args: readonly Term[], place: Place): string | null {
  if (name === "current_setting") return currentSetting(args, place);
  const value = functions.get(name);
  if (value === undefined) return null;
  if (args.length > 0) throw place.error("sql_semantics", `${name}() takes no arguments`);
  return value;
}

/** The same without parentheses, by the parser's name of it: `current_user`, `current_catalog`, … */
export function sessionValue(op: string | undefined): string | null {
  switch (op) {
    case "SVFOP_CURRENT_ROLE":
    case "SVFOP_CURRENT_USER":
    case "SVFOP_USER":
    case "SVFOP_SESSION_USER":
      return userName;
    case "SVFOP_CURRENT_CATALOG":
      return databaseName;
    case "SVFOP_CURRENT_SCHEMA":
      return schemaName;
    default:
      return null;
  }
}

function currentSetting(args: readonly Term[], place: Place): string {
  const [name, ...more] = args;
  if (!name || more.length > 0) {
    throw place.error("sql_semantics", `current_setting() wants 1 argument, got ${args.length}`);
  }
  const of = coerce(name, "string", "current_setting()");
  const value = of.kind === "literal" ? setting(String(of.value)) : null;
  if (value !== null) return value[1];
  const problem = "current_setting() of anything but";
  const known = `${problem} ${settingNames.join(", ")}: not supported yet`;
  throw name.place.error("not_implemented", known, 501);
}

const settingNames: readonly string[] = [...settings.keys()];

/** The name of a setting as it is written, and its value; null where there is none. */
export function setting(name: string): readonly [string, string] | null {
  const wanted = name.toLowerCase();
  for (const one of settings) if (one[0].toLowerCase() === wanted) return one;
  return null;
}

/** What may have been meant. */
export function nearSetting(name: string): string {
  return didYouMean(name, settingNames);
}

/** All of them, for SHOW ALL. */
export function allSettings(): readonly (readonly [string, string])[] {
  return [...settings];
}

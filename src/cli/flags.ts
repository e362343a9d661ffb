import { parseArgs } from "node:util";
import { didYouMean } from "../base/near.ts";
import { ConfigError } from "../errors.ts";

/** A flag that takes a value, one that takes a value as often as it is given, or one that is there or not. */
export type FlagKind = "value" | "values" | "switch";

export interface Flags {
  readonly values: Readonly<Record<string, string | readonly string[] | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** Reads `argv` against the flags a command has; anything else is a ConfigError that names the flag. */
export function parseFlags(argv: readonly string[], kinds: Record<string, FlagKind>): Flags {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      {
        type: kind === "switch" ? ("boolean" as const) : ("string" as const),
        multiple: kind === "values",
        ...(name === "help" ? { short: "h" } : {}),
      },
    ]),
  );
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { values: parsed.values as Flags["values"], positionals: parsed.positionals };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw unknownFlag(error as Error, kinds);
    // Node's own sentence names the flag; what follows it is advice about escaping that does not fit here.
    const [sentence = "unknown flag"] = (error as Error).message.split(". ");
    throw new ConfigError("invalid_flag", sentence, {}, { cause: error });
  }
}

function unknownFlag(error: Error, kinds: Record<string, FlagKind>): ConfigError {
  const [, flag = ""] = /'(-+[^' ]*)/.exec(error.message) ?? [];
  const known = Object.keys(kinds).map((name) => `--${name}`);
  const message = `${flag}: no such flag${didYouMean(flag, known) || "; --help lists them"}`;
  return new ConfigError("invalid_flag", message, {}, { cause: error });
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags.values[name];
  return typeof value === "string" ? value : undefined;
}

/** What a flag of kind "values" was given, in order. */
export function textsFlag(flags: Flags, name: string): readonly string[] {
  const value = flags.values[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

/** A whole number within [min, max]. */
export function countFlag(
  flags: Flags,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = textFlag(flags, name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new ConfigError(
      "invalid_flag",
      `--${name}: got '${text}', want a whole number from ${min} to ${max}`,
    );
  }
  return value;
}

export function choiceFlag<T extends string>(
  flags: Flags,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = textFlag(flags, name);
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) {
    throw new ConfigError(
      "invalid_flag",
      `--${name}: got '${text}', want one of ${choices.join(", ")}`,
    );
  }
  return choice;
}

/** The server's address, without a path; `localhost:8080` is one too. */
export function urlFlag(flags: Flags): URL {
  const text = textFlag(flags, "url") ?? "http://127.0.0.1:8080";
  const whole = text === "" || text.includes("://") ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ConfigError(
      "invalid_flag",
      `--url: got '${text}', want an address such as http://127.0.0.1:8080`,
    );
  }
  return url;
}

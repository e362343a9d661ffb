import { didYouMean } from "./base/near.ts";
import { ConfigError } from "./errors.ts";
import { type Config, type Setting, settings } from "./settings.ts";

export type { Config } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const rows = Object.entries(settings) as [keyof Config, Setting<unknown>][];
const keyOfName = new Map(rows.map(([key, setting]) => [setting.name, key]));

/** `MILLRACE_LOG_LEVEL` for `log-level`. */
export function variableOf(name: string): string {
  return `MILLRACE_${name.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * The settings of `millrace serve`: a flag wins over its variable, the variable over the default.
 *
 * Throws ConfigError that names the setting, what it got and what it wants.
 */
export function parseConfig(flags: readonly string[], environment: Environment): Config {
  const given = new Map<keyof Config, { text: string; origin: string }>();
  for (const [key, { name }] of rows) {
    const text = environment[variableOf(name)];
    if (text !== undefined) given.set(key, { text, origin: variableOf(name) });
  }
  refuseUnknownVariables(environment);
  for (const { name, text } of splitFlags(flags)) {
    given.set(keyOfFlag(name), { text, origin: `--${name}` });
  }
  const config: Record<string, unknown> = {};
  for (const [key, setting] of rows) {
    const { text, origin } = given.get(key) ?? { text: setting.default, origin: "default" };
    const value = setting.parse(text);
    if (value === undefined) {
      throw new ConfigError(
        "invalid_setting",
        `${origin}: got ${JSON.stringify(text)}, want ${setting.want}`,
        { setting: setting.name },
      );
    }
    config[key] = value;
  }
  const complete = Object.freeze(config) as Config;
  checkTogether(complete);
  givenOf.set(complete, new Set(given.keys()));
  return complete;
}

const givenOf = new WeakMap<Config, ReadonlySet<keyof Config>>();

/** Which settings of a parsed configuration were given; the others have their defaults. */
export function givenSettings(config: Config): ReadonlySet<keyof Config> {
  return givenOf.get(config) ?? new Set(rows.map(([key]) => key));
}

/** The configuration of this process: its flags and its environment. */
export function processConfig(flags: readonly string[]): Config {
  return parseConfig(flags, process.env);
}

/** Variables that `parseConfig` leaves to others: the path of the WebAssembly core, for development. */
const foreignVariables = new Set(["MILLRACE_WASM"]);

function refuseUnknownVariables(environment: Environment): void {
  const known = rows.map(([, { name }]) => variableOf(name));
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith("MILLRACE_") || foreignVariables.has(variable)) continue;
    if (known.includes(variable)) continue;
    throw new ConfigError(
      "unknown_setting",
      `${variable}: no such setting${didYouMean(variable, known)}`,
    );
  }
}

function splitFlags(flags: readonly string[]): { name: string; text: string }[] {
  const split: { name: string; text: string }[] = [];
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i] as string;
    if (!flag.startsWith("--") || flag === "--") {
      throw new ConfigError("unknown_setting", `got "${flag}", want flags such as --port 8080`);
    }
    const equals = flag.indexOf("=");
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    keyOfFlag(name);
    if (equals >= 0) {
      split.push({ name, text: flag.slice(equals + 1) });
      continue;
    }
    const text = flags[++i];
    if (text === undefined || text.startsWith("--")) {
      throw new ConfigError("invalid_setting", `--${name}: got no value, want one`, {
        setting: name,
      });
    }
    split.push({ name, text });
  }
  return split;
}

function keyOfFlag(name: string): keyof Config {
  const key = keyOfName.get(name);
  if (key === undefined) {
    const known = rows.map(([, setting]) => `--${setting.name}`);
    throw new ConfigError(
      "unknown_setting",
      `--${name}: no such flag${didYouMean(`--${name}`, known)}; millrace serve --help lists them`,
    );
  }
  return key;
}

/** Room in the queue beside a body: for its frame, its mapping and its idempotency key. */
const frameBytesMax = 128 * 1024;

/** What no setting can say alone. */
function checkTogether(config: Config): void {
  if (config.ingestQueueBytes < config.bodyBytesMax + frameBytesMax) {
    throw conflict("ingest-queue", config.ingestQueueBytes, "more than body-max", config);
  }
  if (config.bodiesBytesMax < config.bodyBytesMax) {
    throw conflict("bodies-max", config.bodiesBytesMax, "at least body-max", config);
  }
}

function conflict(name: string, got: number, want: string, config: Config): ConfigError {
  const detail = { setting: name };
  const message = `--${name}: got ${got} bytes, want ${want} (${config.bodyBytesMax} bytes)`;
  return new ConfigError("conflicting_settings", message, detail);
}

/** The text of `millrace serve --help`: each flag, its variable, its default and what it takes. */
export function settingsHelp(): string {
  const lines = rows.map(([, setting]) => {
    const standard = setting.default === "" ? "empty" : setting.default;
    const flag = `  --${setting.name} <${standard}>`.padEnd(34);
    return `${flag}${setting.description}\n${" ".repeat(34)}${setting.want}; ${variableOf(setting.name)}`;
  });
  return lines.join("\n");
}

/** The table of settings as Markdown, for docs/configuration.md. */
export function settingsTable(): string {
  const lines = rows.map(([, setting]) => {
    const standard = setting.default === "" ? "empty" : `\`${setting.default}\``;
    // The number of workers depends on the machine that prints the table.
    const shown = setting.name === "query-workers" ? "cores, from 2 to 11" : standard;
    const names = `\`--${setting.name}\` | \`${variableOf(setting.name)}\``;
    return `| ${names} | ${shown} | ${setting.want} | ${setting.description} |`;
  });
  const header = "| flag | variable | default | takes | what for |\n|---|---|---|---|---|";
  return `${header}\n${lines.join("\n")}`;
}

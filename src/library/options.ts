import { didYouMean } from "../base/near.ts";
import { parseConfig } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { type Config, settings } from "../settings.ts";

/**
 * The settings of `millrace serve` by their names in code: bytes, milliseconds and counts, or text as a flag takes
 * it (`hotMemoryBytes: "256MiB"`, `retentionAgeMs: "7d"`). What is absent has the default of the flag.
 */
export type Settings = { readonly [K in keyof Config]?: Config[K] | string };

/**
 * The configuration that `options` amounts to. The environment of the process is not looked at.
 *
 * @throws ConfigError that names the setting, what it got and what it wants
 */
export function configFrom(options: Settings): Config {
  const known = Object.keys(settings);
  const flags: string[] = [];
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(settings, key)) {
      const message = `${key}: no such setting${didYouMean(key, known)}`;
      throw new ConfigError("unknown_setting", message, { setting: key });
    }
    flags.push(`--${settings[key as keyof Config].name}=${settingText(key, value)}`);
  }
  return parseConfig(flags, {});
}

/** A value as its flag takes it. */
function settingText(key: string, value: unknown): string {
  if (value === null) return "none";
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "number" && key.endsWith("Ms") ? `${value}ms` : String(value);
}

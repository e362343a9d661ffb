import { pino } from "pino";
import type { Config } from "../settings.ts";

/** A structured log: fields first, then a sentence. Each line is one event of the server's life. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
  /** True when lines of this level are written; asked before fields are gathered. */
  isLevelEnabled(level: "debug" | "info"): boolean;
  child(fields: object): Log;
}

interface Output {
  write(text: string): unknown;
}

/** A log that writes to `output` at once, line by line: what was logged before a crash has been seen. */
export function openLog(level: Config["logLevel"], format: "json" | "pretty", output: Output): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const write = (line: string) => output.write(format === "pretty" ? prettyLine(line) : line);
  return pino(options, { write });
}

/** A log that drops everything. */
export const silentLog: Log = pino({ level: "silent" });

/** `12:00:00.123 INFO  listening  url=http://127.0.0.1:8080` */
function prettyLine(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const pairs = Object.entries(fields).map(([key, value]) => {
    return `  ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  const stack = (err as { stack?: string } | undefined)?.stack;
  const trace = stack === undefined ? "" : `\n${stack}`;
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${msg}${pairs.join("")}${trace}\n`;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSize } from "../../src/base/size.ts";
import { parseConfig, settingsHelp, settingsTable, variableOf } from "../../src/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { settings } from "../../src/settings.ts";
import { root } from "../support/sources.ts";

describe("parseConfig", () => {
  it("needs nothing: every setting has a default, and the result is frozen", () => {
    const config = parseConfig([], {});
    expect(Object.keys(config)).toEqual(Object.keys(settings));
    expect(config).toMatchObject({
      port: 8080,
      host: "127.0.0.1",
      data: "./data",
      ingestQueueBytes: 64 * 1024 ** 2,
      dedupIds: 8 * 1024 ** 2,
      diskReserveBytes: 512 * 1024 ** 2,
      retentionAgeMs: null,
      maxSkewMs: 3_600_000,
      allowedOrigins: [],
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it("takes a flag over its variable and the variable over the default", () => {
    const environment = { MILLRACE_PORT: "1", MILLRACE_LOG_LEVEL: "debug", PATH: "/bin" };
    const config = parseConfig(["--port=2", "--retention-age", "7d"], environment);
    expect(config).toMatchObject({ port: 2, logLevel: "debug", retentionAgeMs: 604_800_000 });
  });

  it.each([
    ["--heartbeat", "90s", "heartbeatMs", 90_000],
    ["--heartbeat", "PT1M30S", "heartbeatMs", 90_000],
    ["--retention-age", "1h30m", "retentionAgeMs", 5_400_000],
    ["--retention-age", "none", "retentionAgeMs", null],
    ["--retention-bytes", "1GB", "retentionBytes", 1e9],
    ["--retention-bytes", "1.5GiB", "retentionBytes", 1.5 * 1024 ** 3],
    ["--allowed-origins", "https://a.example,*", "allowedOrigins", ["https://a.example", "*"]],
  ])("%s %s", (flag, text, key, value) => {
    expect(parseConfig([flag, text], {})).toHaveProperty(key, value);
  });

  it.each([
    [["--port", "banana"], {}, '--port: got "banana", want a whole number from 0 to 65535'],
    [[], { MILLRACE_PORT: "-1" }, 'MILLRACE_PORT: got "-1", want a whole number'],
    [["--prt", "1"], {}, '--prt: no such flag; did you mean "--port"?'],
    [[], { MILLRACE_PROT: "1" }, 'MILLRACE_PROT: no such setting; did you mean "MILLRACE_PORT"?'],
    [["--port"], {}, "--port: got no value, want one"],
    [["--port", "--host", "x"], {}, "--port: got no value, want one"],
    [["extra"], {}, 'got "extra", want flags such as --port 8080'],
    [["--log-level", "loud"], {}, "want one of trace, debug, info"],
    [["--heartbeat", "1 month"], {}, 'got "1 month", want a duration from 100ms to 1h'],
    [["--retention-age", "1s"], {}, "want a duration from 1m to 36500d, or none"],
    [["--body-max", "33MiB"], {}, 'got "33MiB", want a size from 1KiB to 32MiB'],
    [
      ["--ingest-queue", "32MiB"],
      {},
      "--ingest-queue: got 33554432 bytes, want more than body-max",
    ],
    [["--bodies-max", "1MiB"], {}, "--bodies-max: got 1048576 bytes, want at least body-max"],
    [["--allowed-origins", "a.example"], {}, "--allowed-origins: got"],
  ])("%j %j is refused", (flags, environment, message) => {
    let error: unknown;
    try {
      parseConfig(flags, environment);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toContain(message);
  });
});

it("the help and the page have every setting", () => {
  const help = settingsHelp();
  for (const { name } of Object.values(settings)) {
    expect(help).toContain(`--${name} `);
    expect(help).toContain(variableOf(name));
  }
  const page = readFileSync(join(root, "docs/configuration.md"), "utf8");
  expect(page, "docs/configuration.md has the table that settingsTable() makes").toContain(
    settingsTable(),
  );
});

it.each([
  ["65536", 65_536],
  ["1kb", 1000],
  ["1 KiB", 1024],
  ["0B", 0],
  ["-1", undefined],
  ["1XB", undefined],
  ["", undefined],
])("parseSize(%j) is %s", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

import { resolve } from "node:path";
import { systemClock } from "./base/clock.ts";
import { endProcess } from "./base/exit.ts";
import { type Log, openLog } from "./base/log.ts";
import { type Config, givenSettings, processConfig } from "./config.ts";
import { fitMemory } from "./engine/memory-plan.ts";
import { ConfigError, MillraceError } from "./errors.ts";
import type { RunningServer } from "./http/server.ts";
import { type Millrace, openWith } from "./library/millrace.ts";
import { version } from "./version.ts";

/** `millrace serve`: the exit code is 0 after a signal and an orderly end, 1 after a failure, 2 for settings. */
export async function serve(flags: readonly string[]): Promise<number> {
  let config: Config;
  try {
    const asked = processConfig(flags);
    config = fitMemory(asked, givenSettings(asked));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`millrace serve: ${error.message}\n`);
    return 2;
  }
  const log = openProcessLog(config);
  failFast(log);
  const stopAsked = stopSignal(log);
  let millrace: Millrace;
  try {
    millrace = await openWith(config, log, systemClock);
  } catch (error) {
    return fail(log, unusable(error, config), "the engine did not start");
  }
  let server: RunningServer;
  try {
    server = await millrace.listen();
  } catch (error) {
    await millrace.close();
    return fail(log, explained(error, config), "the server did not start");
  }
  announce(server, config, millrace, log);
  return stop(await stopAsked, server, millrace, log);
}

function openProcessLog(config: Config): Log {
  // A reader of our lines that goes away must not end the server.
  process.stdout.on("error", () => {});
  const pretty = config.logFormat === "auto" ? process.stdout.isTTY : config.logFormat === "pretty";
  return openLog(config.logLevel, pretty ? "pretty" : "json", process.stdout);
}

/** What nobody expected ends the process: going on could acknowledge what is not on disk. */
function failFast(log: Log): void {
  const die = (error: unknown, origin: string) => {
    if (error instanceof MillraceError && error.cause === undefined) {
      log.fatal({ code: error.code, ...error.detail }, `the process ends: ${error.message}`);
    } else log.fatal({ err: error, origin }, "an unexpected failure ends the process");
    endProcess(1);
  };
  process.on("uncaughtException", (error) => die(error, "exception"));
  process.on("unhandledRejection", (reason) => die(reason, "rejection"));
}

/** Resolves with the first signal to stop; the second one ends the process at once. */
function stopSignal(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolveSignal) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        log.fatal({ signal }, "asked to stop again: ending at once");
        endProcess(1);
      }
      asked = true;
      resolveSignal(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

async function stop(
  signal: NodeJS.Signals,
  server: RunningServer,
  millrace: Millrace,
  log: Log,
): Promise<number> {
  const { shutdownTimeoutMs } = millrace.config;
  log.info({ signal }, "stopping: finishing what was accepted");
  const startedMs = systemClock.monotonicMs();
  const deadline = setTimeout(() => {
    log.fatal({ timeout_ms: shutdownTimeoutMs }, "the engine did not stop in time");
    endProcess(1);
  }, shutdownTimeoutMs + closeGraceMs);
  const inTime = await server.stop(shutdownTimeoutMs);
  if (!inTime) log.warn({}, "connections were cut off at the deadline");
  await millrace.close();
  clearTimeout(deadline);
  log.info({ ms: Math.round(systemClock.monotonicMs() - startedMs) }, "stopped");
  return 0;
}

/** Time for the engine to close after the deadline of the connections: it only writes what it has. */
const closeGraceMs = 10_000;

function fail(log: Log, error: unknown, message: string): number {
  // Errors that we raise on purpose say everything in their message.
  if (error instanceof MillraceError) {
    log.fatal({ code: error.code, ...error.detail }, `${message}: ${error.message}`);
  } else {
    log.fatal({ err: error }, message);
  }
  return 1;
}

/** A data folder that can't be made or written is a setting that is wrong, and no bug. */
function unusable(error: unknown, { data }: Config): unknown {
  const { code = "", message } = error as { code?: string; message: string };
  if (!["EACCES", "EEXIST", "ENOENT", "ENOTDIR", "EPERM", "EROFS"].includes(code)) return error;
  return new ConfigError("data_folder_unusable", `--data: can't keep data in ${data}: ${message}`);
}

function explained(error: unknown, { host, port }: Config): unknown {
  const { code } = error as { code?: string };
  const place = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    return new ConfigError("port_in_use", `--port: ${place} is taken by another process`);
  }
  if (code === "EACCES") {
    return new ConfigError("port_forbidden", `--port: ${place} is not ours to listen on`);
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new ConfigError("host_unknown", `--host: ${host} is no address of this machine`);
  }
  return error;
}

/** Says where to go: in words on a terminal, as one log line otherwise. */
function announce(server: RunningServer, config: Config, millrace: Millrace, log: Log): void {
  const { url } = server;
  const data = resolve(config.data);
  const { storedRows } = millrace.stats();
  if (!["127.0.0.1", "::1", "localhost"].includes(config.host)) {
    log.warn(
      { host: config.host },
      "reachable from other machines, and nobody is asked who they are",
    );
  }
  if (!process.stdout.isTTY || config.logFormat === "json") {
    const { pid, version: node } = process;
    log.info({ url, data, events: storedRows, version, node, pid }, "listening");
    return;
  }
  const stream = `${url.replace("http", "ws")}/api/v1/stream/events`;
  const lines = [
    ["look", `${url}, in a browser`],
    ["send", `POST ${url}/api/v1/events`],
    ["read", `GET  ${url}/api/v1/analytics/events`],
    ["ask", `POST ${url}/api/v1/analytics/custom-query`],
    ["watch", `${stream}, or millrace tail`],
    ["health", `${url}/api/v1/health`],
    ["metrics", `${url}/api/v1/metrics`],
    [
      "data",
      `${data}, ${storedRows.toLocaleString("en")} ${storedRows === 1 ? "event" : "events"}`,
    ],
  ];
  const table = lines.map(([name = "", text]) => `  ${name.padEnd(9)}${text}\n`).join("");
  process.stdout.write(`\nMillrace ${version} is ready\n\n${table}\nCtrl+C stops it.\n\n`);
}

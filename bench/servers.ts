// Starts the servers of the load benchmark, each as a process of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type ServerName = "millrace" | "twin" | "drain" | "hono";

export interface RunningServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** The data folder, for servers that keep one. */
  readonly data: string | null;
  /** SIGTERM, and SIGKILL after ten seconds. */
  stop(): Promise<void>;
  /** SIGKILL at once; the data folder stays. */
  kill(): Promise<void>;
}

/** The project's folder: this file is `bench/servers.ts`, or `build/bench/bench/servers.js` once compiled. */
export const projectRoot = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? ".." : "../../..", import.meta.url),
);

const startMsMax = 60_000;

function portOf(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => {
      reject(new Error(`${name} did not start within ${startMsMax} ms: ${output}`));
    }, startMsMax);
    const look = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-20_000);
      const port = /listening on (\d+)|http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
      if (!port) return;
      clearTimeout(timer);
      resolve(Number(port[1] ?? port[2]));
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`${name} ended with ${code} before it listened: ${output}`));
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + startMsMax;
  while (!(await check().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`waited ${startMsMax} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** `node` with the flags and the program, watched until it says where it listens. */
export async function startProgram(
  name: string,
  program: readonly string[],
  data: string | null,
): Promise<RunningServer> {
  const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "pipe"] });
  const port = await portOf(child, name);
  const kill = (): Promise<void> => {
    child.kill("SIGKILL");
    return ended(child);
  };
  const stop = async (): Promise<void> => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.kill("SIGTERM");
    await ended(child);
    clearTimeout(timer);
    if (data !== null) rmSync(data, { recursive: true, force: true });
  };
  return { name, port, pid: child.pid as number, data, stop, kill };
}

export function dataFolder(): string {
  return mkdtempSync(join(tmpdir(), "millrace-bench-"));
}

/** The built server. Resolves once it answers reads and, with `ingest`, takes bodies. */
export async function startMillrace(
  flags: readonly string[] = [],
  data = dataFolder(),
  ready: "ingest" | "reads" = "ingest",
): Promise<RunningServer> {
  const main = join(projectRoot, "dist/main.js");
  const program = [main, "serve", "--port", "0", "--data", data, ...flags];
  const server = await startProgram("millrace", program, data);
  const api = `http://127.0.0.1:${server.port}/api/v1`;
  if (ready === "ingest") {
    await until("millrace to be ready", async () => (await fetch(`${api}/health/ready`)).ok);
  } else {
    await until("millrace to answer reads", async () => {
      return (await fetch(`${api}/analytics/events?limit=1`)).ok;
    });
  }
  return server;
}

export function startServer(name: ServerName): Promise<RunningServer> {
  if (name === "millrace") return startMillrace();
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  return startProgram(name, [program], null);
}

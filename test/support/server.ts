import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { root } from "./sources.ts";

// The built server as a process of its own, seen only from outside: what the black-box tests share.

export const main = join(root, "dist/main.js");

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Calls `check` until it answers something else than undefined or false; an error says what was waited for. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 20_000,
): Promise<T> {
  const endMs = performance.now() + ms;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await delay(10);
  }
}

/** A folder of its own for one test, removed when the test has ended. */
export function dataFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What the system allows the process. */
export interface Limits {
  /** Size that a file may grow to; writes beyond it fail. */
  readonly filesKiBMax?: number;
}

/** A command that runs its arguments under limits. */
function limited({ filesKiBMax }: Limits): string[] {
  if (filesKiBMax === undefined) return [];
  // POSIX counts in 512 bytes, bash in 1,024 unless it is called sh. The signal's default would be death.
  return ["sh", "-c", `trap '' XFSZ; ulimit -f ${filesKiBMax * 2}; exec "$@"`, "sh"];
}

export class TestServer {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  /** Everything it wrote, to look at when a test fails. */
  output = "";
  url = "";
  private exit: Exit | undefined;

  constructor(data: string, flags: readonly string[], limits: Limits = {}) {
    const port = flags.includes("--port") ? [] : ["--port", "0"];
    const serve = [process.execPath, main, "serve", ...port, "--data", data, ...flags];
    const [command = "", ...rest] = [...limited(limits), ...serve];
    this.process = spawn(command, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: cleanEnvironment(),
    });
    const keep = (chunk: Buffer) => {
      this.output = (this.output + String(chunk)).slice(-200_000);
    };
    this.process.stdout?.on("data", keep);
    this.process.stderr?.on("data", keep);
    this.exited = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Resolves when reads are answered and bodies are taken. */
  async ready(): Promise<this> {
    await until("the server's address", () => {
      this.failIfGone();
      this.url = /http:\/\/127\.0\.0\.1:\d+/.exec(this.output)?.[0] ?? "";
      return this.url !== "";
    });
    await until(`${this.url} to be ready`, async () => {
      this.failIfGone();
      const answer = await fetch(`${this.url}/api/v1/health/ready`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok;
    });
    return this;
  }

  /** Asks it to stop and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.process.kill(signal);
    return this.exited;
  }

  /** Ends it at once, as a power cut would as far as the process can tell. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.exited;
  }

  /** Memory of its own that is not backed by a file: bytes; 0 where the system does not tell. */
  anonymousBytes(): number {
    const path = `/proc/${this.pid}/status`;
    if (!existsSync(path)) return 0;
    const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(path, "utf8"))?.[1] ?? "0";
    return Number(kibibytes) * 1024;
  }

  private failIfGone(): void {
    if (this.exit === undefined) return;
    const { code, signal } = this.exit;
    throw new Error(`the server ended with ${code ?? signal}:\n${this.output}`);
  }
}

/** Starts a server on `data` and waits until it is ready; it is killed when the test has ended, if it runs still. */
export async function startServer(data: string, ...flags: string[]): Promise<TestServer> {
  return spawnServer(data, ...flags).ready();
}

/** The same without waiting, for starts that are meant to fail. */
export function spawnServer(data: string, ...flags: string[]): TestServer {
  return spawnLimited({}, data, ...flags);
}

/** The same under limits of the system. */
export function spawnLimited(limits: Limits, data: string, ...flags: string[]): TestServer {
  if (!existsSync(main)) throw new Error("dist/main.js is absent: run npm run build first");
  const server = new TestServer(data, flags, limits);
  onTestFinished(() => server.kill());
  return server;
}

/** One server for all tests of a file, with a folder of its own. */
export function sharedServer(...flags: string[]): {
  readonly url: string;
  readonly server: TestServer;
} {
  let data: string;
  let server: TestServer;
  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), "millrace-test-"));
    server = await new TestServer(data, flags).ready();
  });
  afterAll(async () => {
    await server?.kill();
    rmSync(data, { recursive: true, force: true });
  });
  return {
    get url() {
      return server.url;
    },
    get server() {
      return server;
    },
  };
}

/** Without our own settings, which would change what is tested. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("MILLRACE_") && !name.startsWith("VITEST"),
  );
  return { ...Object.fromEntries(entries), NODE_ENV: "production" };
}

// `npm run profile -- doctor|flame|heapprofiler`: clinic over the running server while load comes in. The report is
// an HTML page; docs/profiling.md says how to read it.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { generate } from "./generator.ts";
import { isProgram } from "./listener.ts";
import { dataFolder, projectRoot } from "./servers.ts";
import { Wire } from "./stream.ts";

const tools = ["doctor", "flame", "heapprofiler"] as const;
type Tool = (typeof tools)[number];

const portUsed = 18_080;

function clinic(): string {
  const program = join(projectRoot, "bench/node_modules/clinic/bin.js");
  if (!existsSync(program)) {
    throw new Error("clinic is not installed: run `npm ci --prefix bench` once");
  }
  return program;
}

async function untilReady(): Promise<void> {
  const url = `http://127.0.0.1:${portUsed}/api/v1/health/ready`;
  for (let i = 0; i < 600; i++) {
    const isReady = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} did not answer within a minute`);
}

/** Batches for most of the time, single events and questions in between: what a server does all day. */
async function mixedLoad(seconds: number): Promise<void> {
  const common = { port: portUsed, format: "json", seconds } as const;
  const endMs = performance.now() + seconds * 1000;
  const sql = "SELECT source, count(*), avg(properties.duration_ms) FROM events GROUP BY source";
  const ask = async (): Promise<void> => {
    const wire = new Wire(portUsed);
    const body = Buffer.from(JSON.stringify({ sql }));
    while (performance.now() < endMs) {
      await wire.post("/api/v1/analytics/custom-query", "application/json", body);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    wire.close();
  };
  await Promise.all([
    generate({ ...common, path: "/api/v1/events/batch", batch: 1000, connections: 4, seed: 1 }),
    generate({ ...common, path: "/api/v1/events", batch: 1, connections: 8, seed: 2 }),
    ask(),
  ]);
}

/** Clinic keeps the raw samples beside the page; one left over from a run that was cut off confuses doctor. */
function removeTraceLogs(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/^node_trace\..*\.log$/.test(name)) rmSync(join(folder, name));
  }
}

async function profile(tool: Tool, seconds: number): Promise<void> {
  const data = dataFolder();
  const out = join(projectRoot, ".clinic");
  mkdirSync(out, { recursive: true });
  removeTraceLogs(projectRoot);
  const server = [
    join(projectRoot, "dist/main.js"),
    "serve",
    "--port",
    String(portUsed),
    "--data",
    data,
  ];
  const child = spawn(
    process.execPath,
    [clinic(), tool, "--open=false", "--dest", out, "--", process.execPath, ...server],
    // Without NO_INSIGHT clinic asks a question first, and without a terminal it ends there, saying nothing.
    {
      cwd: projectRoot,
      stdio: "inherit",
      env: { ...process.env, NO_INSIGHT: "1" },
      // A process group of its own, which gets the interrupt as a terminal would send it: to clinic and the server.
      detached: true,
    },
  );
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    await untilReady();
    await mixedLoad(seconds);
  } finally {
    // The server shuts down, and clinic writes its page, which takes a minute for a flame graph.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGINT");
    await ended;
    rmSync(data, { recursive: true, force: true });
    removeTraceLogs(projectRoot);
  }
  const pages = readdirSync(out).filter((name) => name.endsWith(".html"));
  console.log(`\n${pages.map((name) => join(".clinic", name)).join("\n")}`);
}

const usage = `npm run profile -- ${tools.join("|")} [--seconds=10]`;

async function main(flags: readonly string[]): Promise<void> {
  const tool = tools.find((name) => flags.includes(name));
  if (!tool) {
    console.log(usage);
    return;
  }
  const seconds = Number(flags.find((flag) => flag.startsWith("--seconds="))?.slice(10) ?? 10);
  await profile(tool, seconds);
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));

// `npm run bench:query`: what a reader sees. One million hot rows while 100,000 events a second stream in; bytes per
// stored event, memory and the time to a first answer after a kill, at ten million events.

import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isProgram } from "./listener.ts";
import { machine, percentile, table } from "./machine.ts";
import { type RunningServer, startMillrace } from "./servers.ts";
import { fill, postHead, streamOutside, Wire } from "./stream.ts";

interface Plan {
  readonly hotRows: number;
  readonly storedRows: number;
  readonly perSecond: number;
  readonly queries: number;
}

interface Answer {
  rows: unknown[][];
  stats: { rows_scanned: number; execution_us: number };
}

const where = "event_type = 'purchase' AND properties.duration_ms > 500";
const path = "/api/v1/analytics/custom-query";

function request(sql: string): Buffer {
  const body = Buffer.from(JSON.stringify({ sql }));
  return Buffer.concat([Buffer.from(postHead(path, "application/json", body.length)), body]);
}

async function ask(wire: Wire, sql: string): Promise<Answer> {
  return JSON.parse(await wire.send(request(sql))) as Answer;
}

async function rowCount(wire: Wire): Promise<number> {
  const { rows } = await ask(wire, "SELECT count(*) FROM events");
  return Number(rows[0]?.[0]);
}

function line(name: string, value: string, goal: string): string[] {
  return [name, value, goal];
}

const pauseMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds in ascending order. */
interface Asked {
  readonly execution: number[];
  readonly overHttp: number[];
}

const ascending = (a: number, b: number): number => a - b;

/** The question over the newest million rows while events stream in. */
async function hotRows(plan: Plan): Promise<string[][]> {
  const server = await startMillrace();
  try {
    await fill(server.port, plan.hotRows, 5);
    const wire = new Wire(server.port);
    const total = await rowCount(wire);
    const streaming = streamOutside(server.port, plan.perSecond);
    await pauseMs(500);
    // A sequence bound keeps the question to one million rows while more arrive.
    const sql = `SELECT count(*) FROM events WHERE ${where} AND sequence < ${total}`;
    const first = await ask(wire, sql);
    const asked = async (waitMs: number): Promise<Asked> => {
      const execution: number[] = [];
      const overHttp: number[] = [];
      for (let i = 0; i < plan.queries; i++) {
        const startMs = performance.now();
        const answer = await ask(wire, sql);
        overHttp.push(performance.now() - startMs);
        execution.push(answer.stats.execution_us / 1000);
        if (answer.rows[0]?.[0] !== first.rows[0]?.[0]) throw new Error("the answer changed");
        if (waitMs > 0) await pauseMs(waitMs);
      }
      return { execution: execution.sort(ascending), overHttp: overHttp.sort(ascending) };
    };
    await asked(0);
    const dense = await asked(0);
    const sparse = await asked(2);
    const rate = await streaming.stop();
    wire.close();
    const size = `${(total / 1e6).toFixed(2)} M rows`;
    const at = `${size}, ${Math.round(rate)} events/s streaming in`;
    const ms = (list: number[], share: number): string =>
      `${percentile(list, share).toFixed(3)} ms`;
    const lines = (name: string, { execution, overHttp }: Asked): string[][] => [
      line(`${name}: execution, median`, ms(execution, 0.5), ""),
      line(`${name}: execution, 99th percentile`, ms(execution, 0.99), "< 1 ms, aim 0.7 ms"),
      line(`${name}: over HTTP, median`, ms(overHttp, 0.5), "< 1 ms, aim 0.5 ms"),
      line(`${name}: over HTTP, 99th percentile`, ms(overHttp, 0.99), ""),
    ];
    return [
      line(`count where code and number, ${at}`, String(first.rows[0]?.[0]), ""),
      ...lines("one after the other", dense),
      ...lines("one every 2 ms", sparse),
    ];
  } finally {
    await server.stop();
  }
}

/** Anonymous memory of a process in bytes, as the kernel counts it; NaN where there is no /proc. */
function anonymousBytes(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Anonymous:\s+(\d+) kB/m.exec(text)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

async function metric(port: number, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/api/v1/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}

/** Bytes of pages with data in them: a compacted copy of the file would have them and no more. */
async function liveBytes(server: RunningServer): Promise<number> {
  const live = await metric(server.port, /^(?:millrace_)?stored_bytes(?:\{[^}]*\})? ([\d.e+]+)/m);
  if (!Number.isNaN(live)) return live;
  return statSync(join(server.data ?? "", "millrace.mdb")).size;
}

/** Waits until the sealer has nothing left to do: the live bytes stand still. */
async function settle(server: RunningServer): Promise<number> {
  let before = -1;
  for (let i = 0; i < 120; i++) {
    const now = await liveBytes(server);
    if (now === before) return now;
    before = now;
    await pauseMs(1000);
  }
  return before;
}

/** Bytes, memory and restart with many stored events. */
async function storedRows(plan: Plan): Promise<string[][]> {
  const server = await startMillrace();
  const data = server.data ?? "";
  const seconds = await fill(server.port, plan.storedRows, 6);
  const bytes = await settle(server);
  const memory = anonymousBytes(server.pid);
  const wire = new Wire(server.port);
  const count = await rowCount(wire);
  wire.close();
  await server.kill();

  const startMs = performance.now();
  const again = await startMillrace([], data, "reads");
  const readyMs = performance.now() - startMs;
  const second = new Wire(again.port);
  const found = await rowCount(second);
  second.close();
  const idle = anonymousBytes(again.pid);
  await again.stop();
  rmSync(data, { recursive: true, force: true });
  if (found !== count) throw new Error(`${count} events before the kill, ${found} after it`);
  const mib = (value: number): string => `${Math.round(value / 1024 / 1024)} MiB`;
  return [
    line("stored events", `${count} in ${seconds.toFixed(1)} s`, ""),
    line("live LMDB bytes per event", (bytes / count).toFixed(1), "≤ 36, aim 31"),
    line("anonymous memory after loading", mib(memory), ""),
    line("anonymous memory, idle, after a restart", mib(idle), "≤ 1024 MiB"),
    line("first answer after a kill", `${(readyMs / 1000).toFixed(2)} s`, "< 2 s, aim 1 s"),
  ];
}

async function main(flags: readonly string[]): Promise<void> {
  const smoke = flags.includes("--smoke");
  const plan: Plan = smoke
    ? { hotRows: 20_000, storedRows: 40_000, perSecond: 10_000, queries: 20 }
    : { hotRows: 1_000_000, storedRows: 10_000_000, perSecond: 100_000, queries: 2000 };
  console.log(`${machine()}\n`);
  const header = ["what", "figure", "goal"];
  console.log(`${table(header, await hotRows(plan))}\n`);
  if (!flags.includes("--hot")) console.log(table(header, await storedRows(plan)));
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));

// `npm run bench:fan-out`: one rule, one update a second, many subscribers, against a bare `ws` server that sends the
// same bytes to as many. What is compared is how soon the last of them has each message, and what a message costs: the
// processor time of the whole server, and what of it the same updates do not need with one subscriber.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket, WebSocketServer } from "ws";
import { isProgram, listen, runServer } from "./listener.ts";
import { machine, median, percentile, table } from "./machine.ts";
import { startMillrace, startProgram } from "./servers.ts";
import { Wire } from "./stream.ts";

interface Plan {
  readonly subscribers: number;
  readonly updates: number;
  readonly rounds: number;
}

/** What as many subscribers as were asked for had of some updates. */
interface Spread {
  /** Milliseconds from a cause until every subscriber has its message, one a cause. */
  readonly lastMs: number[];
  readonly messages: number;
  readonly bytes: number;
  /** Processor time of the server while the updates were sent; NaN where there is no /proc. */
  readonly cpuMs: number;
}

/** The same updates for many subscribers, and for one. */
interface Measured {
  readonly one: Spread;
  readonly many: Spread;
}

interface Round {
  readonly own: Measured;
  readonly bare: Measured;
}

/** Processor time that a process has used, milliseconds. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

async function subscribe(url: string, count: number, hello: string): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  for (let i = 0; i < count; i += 100) {
    const some = Array.from({ length: Math.min(100, count - i) }, () => new WebSocket(url));
    await Promise.all(
      some.map(
        (socket) =>
          new Promise((resolve, reject) => {
            socket.once("open", resolve);
            socket.once("error", reject);
          }),
      ),
    );
    for (const socket of some) socket.send(hello);
    sockets.push(...some);
  }
  return sockets;
}

/** Where updates are caused, and where they are heard. */
interface Station {
  readonly url: string;
  readonly pid: number;
  cause(update: number): Promise<unknown>;
}

async function measure(station: Station, plan: Plan): Promise<Measured> {
  // One afterwards: a server that has just begun has other work to do.
  const many = await spread(station, plan, 0);
  return { many, one: await spread(station, { ...plan, subscribers: 1 }, plan.updates) };
}

/** Causes updates, one after the other, and waits until all have each; `before` have been caused already. */
async function spread({ url, pid, cause }: Station, plan: Plan, before: number): Promise<Spread> {
  const hello = JSON.stringify({ type: "subscribe", id: "m", rule: "fan", pace: "50ms" });
  const sockets = await subscribe(url, plan.subscribers, hello);
  let [messages, bytes, waiting] = [0, 0, 0];
  let done: () => void = () => {};
  let wanted = "nothing yet";
  for (const socket of sockets) {
    socket.on("message", (data: Buffer) => {
      if (!data.includes(wanted)) return;
      messages++;
      bytes += data.length;
      if (--waiting === 0) done();
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const lastMs: number[] = [];
  const cpuMs = cpuMsOf(pid);
  for (let update = before + 1; update <= before + plan.updates; update++) {
    wanted = `"n":${update}}`;
    waiting = sockets.length;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const startMs = performance.now();
    await cause(update);
    await all;
    lastMs.push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 - (lastMs.at(-1) ?? 0))));
  }
  const usedMs = cpuMsOf(pid) - cpuMs;
  for (const socket of sockets) socket.terminate();
  return { lastMs, messages, bytes, cpuMs: usedMs };
}

/** What a subscriber of the rule is sent, with `update` as its count. */
function frameOf(update: number): string {
  const window = {
    start: "2026-11-23T12:00:00.000Z",
    end: "2026-11-23T13:00:00.000Z",
    group: {},
    values: { n: update },
    ...{ count: update, late: 0, revised: 0, too_late: 0, duplicate: 0, revision: 0 },
    ...{ state: "early", final: false },
  };
  const cursor = "MW0xLmUzZDNmM2I1LjQ4LjQ5Lg";
  return JSON.stringify({ type: "metrics", id: "m", windows: [window], cursor });
}

/** The bare server: sends the same bytes to all at a POST. */
async function startBare() {
  const server = createServer((req, res) => {
    req.on("data", (update: Buffer) => {
      const frame = Buffer.from(frameOf(Number(update)));
      for (const socket of sockets.clients) socket.send(frame, { binary: false });
      res.end();
    });
  });
  // As long as Millrace's: the connection that posts rests while subscribers come.
  server.keepAliveTimeout = 65_000;
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => socket.on("message", () => {}));
  return listen(server, 0);
}

async function ofMillrace(plan: Plan): Promise<Measured> {
  const server = await startMillrace();
  try {
    const api = `http://127.0.0.1:${server.port}/api/v1`;
    const window = { type: "tumbling", size: "1h" };
    const rule = { name: "fan", window, aggregations: [{ fn: "count", as: "n" }] };
    const headers = { "content-type": "application/json" };
    await fetch(`${api}/aggregations`, { method: "POST", body: JSON.stringify(rule), headers });
    const wire = new Wire(server.port);
    const event = { timestamp: "2026-11-23T12:00:00Z", event_type: "fan" };
    const body = Buffer.from(JSON.stringify(event));
    const cause = (): Promise<string> => wire.post("/api/v1/events", "application/json", body);
    const url = `ws://127.0.0.1:${server.port}/api/v1/stream/metrics`;
    const found = await measure({ url, pid: server.pid, cause }, plan);
    wire.close();
    return found;
  } finally {
    await server.stop();
  }
}

async function ofBare(plan: Plan): Promise<Measured> {
  const program = fileURLToPath(new URL("./fan-out.js", import.meta.url));
  const server = await startProgram("bare", [program, "--bare"], null);
  try {
    const wire = new Wire(server.port);
    const cause = (update: number): Promise<string> =>
      wire.post("/", "text/plain", Buffer.from(String(update)));
    const url = `ws://127.0.0.1:${server.port}`;
    const found = await measure({ url, pid: server.pid, cause }, plan);
    wire.close();
    return found;
  } finally {
    await server.stop();
  }
}

/** A process of its own for each server's subscribers, so that both begin alike. */
async function outside(which: string, plan: Plan): Promise<Measured> {
  const program = fileURLToPath(new URL("./fan-out.js", import.meta.url));
  const args = [program, `--of=${which}`, JSON.stringify(plan)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 22 });
  return JSON.parse(stdout) as Measured;
}

/** What is compared, of one server in one round: the smaller the better. */
const figures: readonly [name: string, unit: string, of: (found: Measured) => number][] = [
  ["until the last has it, median", "ms", ({ many }) => percentile(sorted(many.lastMs), 0.5)],
  ["99th percentile", "ms", ({ many }) => percentile(sorted(many.lastMs), 0.99)],
  ["processor time a message", "µs", ({ many }) => (many.cpuMs * 1000) / many.messages],
  [
    "of it for subscribers",
    "µs",
    ({ one, many }) => ((many.cpuMs - one.cpuMs) * 1000) / (many.messages - one.messages),
  ],
];

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

export async function fanOut(plan: Plan): Promise<string[][]> {
  const rounds: Round[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    rounds.push({ own: await outside("millrace", plan), bare: await outside("bare", plan) });
  }
  const want = plan.subscribers * plan.updates;
  for (const { own, bare } of rounds) {
    const got = [own.many.messages, bare.many.messages];
    if (got.some((count) => count !== want)) {
      throw new Error(`${got.join(" and ")} messages came, want ${want}`);
    }
  }
  const row = (name: string, pick: (round: Round) => Measured): string[] => [
    name,
    `${median(rounds.map((round) => pick(round).many.bytes / want)).toFixed(0)} B`,
    ...figures.map(([, unit, of]) => {
      const value = median(rounds.map((round) => of(pick(round))));
      return `${value.toFixed(unit === "ms" ? 0 : 1)} ${unit}`;
    }),
  ];
  // Of each round by itself: the machine may be another one in the next.
  const ratios = figures.map(([, , of]) =>
    median(rounds.map(({ own, bare }) => of(bare) / of(own))),
  );
  return [
    row("millrace, from a POST, pace 50 ms", ({ own }) => own),
    row("bare ws, the same bytes", ({ bare }) => bare),
    ["bare ws / millrace", "", ...ratios.map((ratio) => `${ratio.toFixed(2)}×`)],
  ];
}

async function main(flags: readonly string[]): Promise<void> {
  const which = flags.find((flag) => flag.startsWith("--of="))?.slice(5);
  if (which !== undefined) {
    const plan = JSON.parse(flags.at(-1) ?? "{}") as Plan;
    console.log(JSON.stringify(await (which === "bare" ? ofBare(plan) : ofMillrace(plan))));
    return;
  }
  const plan = flags.includes("--smoke")
    ? { subscribers: 20, updates: 2, rounds: 1 }
    : { subscribers: 2000, updates: 12, rounds: 3 };
  console.log(`${machine()}\n${plan.subscribers} subscribers, ${plan.updates} updates a round\n`);
  const header = ["server", "message", ...figures.map(([name]) => name)];
  console.log(table(header, await fanOut(plan)));
}

if (isProgram(import.meta.url)) {
  const flags = process.argv.slice(2);
  await (flags.includes("--bare") ? runServer(startBare) : main(flags));
}

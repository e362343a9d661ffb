// `npm run bench:fan-out`: one rule, one update a second, many subscribers, against a bare `ws` server that sends the
// same bytes to as many. What is compared is how soon the last of them has each message, and what a message costs.

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

/** Milliseconds from a cause until every subscriber has its message, one a cause. */
interface Spread {
  readonly lastMs: number[];
  readonly messages: number;
  readonly bytes: number;
  /** Processor time of the server while the updates were sent; NaN where there is no /proc. */
  readonly cpuMs: number;
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

/** Causes updates, one after the other, and waits until all have each. */
async function spread(
  url: string,
  plan: Plan,
  pid: number,
  cause: (update: number) => Promise<unknown>,
): Promise<Spread> {
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
  for (let update = 1; update <= plan.updates; update++) {
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
    const frame = Buffer.from(frameOf(Number(req.headers["x-update"])));
    for (const socket of sockets.clients) socket.send(frame, { binary: false });
    res.end();
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => socket.on("message", () => {}));
  return listen(server, 0);
}

async function ofMillrace(plan: Plan): Promise<Spread> {
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
    const found = await spread(
      `ws://127.0.0.1:${server.port}/api/v1/stream/metrics`,
      plan,
      server.pid,
      cause,
    );
    wire.close();
    return found;
  } finally {
    await server.stop();
  }
}

async function ofBare(plan: Plan): Promise<Spread> {
  const program = fileURLToPath(new URL("./fan-out.js", import.meta.url));
  const server = await startProgram("bare", [program, "--bare"], null);
  try {
    return await spread(`ws://127.0.0.1:${server.port}`, plan, server.pid, async (update) => {
      await fetch(`http://127.0.0.1:${server.port}`, {
        method: "POST",
        headers: { "x-update": String(update) },
      });
    });
  } finally {
    await server.stop();
  }
}

/** A process of its own for each server's subscribers, so that both begin alike. */
async function outside(which: string, plan: Plan): Promise<Spread> {
  const program = fileURLToPath(new URL("./fan-out.js", import.meta.url));
  const args = [program, `--of=${which}`, JSON.stringify(plan)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 22 });
  return JSON.parse(stdout) as Spread;
}

export async function fanOut(plan: Plan): Promise<string[][]> {
  const rounds: { own: Spread; bare: Spread }[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    rounds.push({ own: await outside("millrace", plan), bare: await outside("bare", plan) });
  }
  for (const { own, bare } of rounds) {
    const want = plan.subscribers * plan.updates;
    if (own.messages !== want || bare.messages !== want) {
      throw new Error(`${own.messages} and ${bare.messages} messages came, want ${want}`);
    }
  }
  const ms = (pick: (one: { own: Spread; bare: Spread }) => Spread, share: number): number =>
    median(
      rounds.map((one) =>
        percentile(
          pick(one).lastMs.sort((a, b) => a - b),
          share,
        ),
      ),
    );
  const row = (name: string, pick: (one: { own: Spread; bare: Spread }) => Spread): string[] => {
    const size = median(rounds.map((one) => pick(one).bytes / pick(one).messages));
    const cpu = median(rounds.map((one) => (pick(one).cpuMs * 1000) / pick(one).messages));
    return [
      name,
      `${ms(pick, 0.5).toFixed(0)} ms`,
      `${ms(pick, 0.99).toFixed(0)} ms`,
      `${size.toFixed(0)} B`,
      `${cpu.toFixed(1)} µs`,
    ];
  };
  return [
    row("millrace, a POST to the last subscriber, pace 50 ms", ({ own }) => own),
    row("bare ws, the same bytes", ({ bare }) => bare),
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
    : { subscribers: 2000, updates: 15, rounds: 3 };
  console.log(`${machine()}\n${plan.subscribers} subscribers, ${plan.updates} updates a round\n`);
  const header = [
    "server",
    "until the last has it, median",
    "99th percentile",
    "message",
    "processor time a message",
  ];
  console.log(table(header, await fanOut(plan)));
}

if (isProgram(import.meta.url)) {
  const flags = process.argv.slice(2);
  await (flags.includes("--bare") ? runServer(startBare) : main(flags));
}

// The load generator: raw HTTP/1.1 over keep-alive connections, with as little work per request as can be, so
// that on a small machine the server has the processor. Runs as a process of its own.

import { connect, type Socket } from "node:net";
import { EventStream, FreshBody, type WireFormat } from "./events.ts";
import { isProgram } from "./listener.ts";
import { percentile } from "./machine.ts";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly format: WireFormat;
  /** Events in a request. */
  readonly batch: number;
  readonly connections: number;
  readonly seconds: number;
  /** At most so many requests in all, for smoke runs; events of different seeds differ. */
  readonly requestsMax?: number;
  readonly seed: number;
}

export interface LoadResult {
  /** Answered with 2xx. */
  readonly requests: number;
  readonly events: number;
  readonly bytes: number;
  /** Answered with something else, by status. */
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Milliseconds from the first byte out to the last byte in. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** What the first answer of each connection said, to see that the server did the work. */
  readonly sample: string;
}

const refusedMs = 5;

const headEnd = Buffer.from("\r\n\r\n");

/** Where the first answer in `bytes` ends and its status, or null while it is incomplete. */
export function readAnswer(bytes: Buffer): { end: number; status: number; head: number } | null {
  const head = bytes.indexOf(headEnd);
  if (head < 0) return null;
  const text = bytes.toString("latin1", 0, head);
  const status = Number(text.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (length !== undefined) {
    const end = head + 4 + Number(length);
    return bytes.length < end ? null : { end, status, head };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(text)) return { end: head + 4, status, head };
  const last = bytes.indexOf("0\r\n\r\n", head + 4);
  return last < 0 ? null : { end: last + 5, status, head };
}

class Figures {
  requests = 0;
  sent = 0;
  bytes = 0;
  readonly refused: Record<string, number> = {};
  sample = "";
  private latencies = new Float64Array(65_536);

  answer(status: number, ms: number, bytes: number): void {
    if (status < 200 || status > 299) {
      this.refused[status] = (this.refused[status] ?? 0) + 1;
      return;
    }
    if (this.requests === this.latencies.length) {
      const grown = new Float64Array(this.latencies.length * 2);
      grown.set(this.latencies);
      this.latencies = grown;
    }
    this.latencies[this.requests++] = ms;
    this.bytes += bytes;
  }

  result(load: Load, seconds: number): LoadResult {
    const sorted = this.latencies.subarray(0, this.requests).sort();
    return {
      requests: this.requests,
      events: this.requests * load.batch,
      bytes: this.bytes,
      refused: this.refused,
      seconds,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      sample: this.sample,
    };
  }
}

class Connection {
  private readonly load: Load;
  private readonly figures: Figures;
  private readonly body: FreshBody;
  private next: number;

  constructor(load: Load, index: number, figures: Figures) {
    this.load = load;
    this.figures = figures;
    const stream = new EventStream(load.seed * 4096 + index);
    const type = load.format === "json" ? "application/json" : "application/msgpack";
    const head = (length: number): string =>
      `POST ${load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${length}\r\n\r\n`;
    this.body = new FreshBody(stream.take(load.batch), load.format, head);
    this.next = 0;
  }

  /** Sends one request after the other until `stop` says so. */
  run(stop: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.load.port, host: "127.0.0.1", noDelay: true });
      let pending: Buffer | null = null;
      let startMs = 0;
      const done = (): void => {
        socket.destroy();
        resolve();
      };
      socket.on("connect", () => {
        if (stop()) return done();
        startMs = this.send(socket);
      });
      socket.on("data", (chunk: Buffer) => {
        pending = pending ? Buffer.concat([pending, chunk]) : chunk;
        const answer = readAnswer(pending);
        if (!answer) return;
        const ms = performance.now() - startMs;
        this.figures.answer(answer.status, ms, this.body.bytes.length);
        this.figures.sample ||= pending.toString("utf8", answer.head + 4, answer.end).slice(0, 300);
        pending = null;
        if (stop()) return done();
        // A server that is behind gets a moment, or refusals would be all that it does.
        if (answer.status >= 400) setTimeout(() => (startMs = this.send(socket)), refusedMs);
        else startMs = this.send(socket);
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed a connection")));
    });
  }

  private send(socket: Socket): number {
    this.body.refresh(this.next);
    this.next += this.load.batch;
    this.figures.sent++;
    const startMs = performance.now();
    socket.write(this.body.bytes);
    return startMs;
  }
}

export async function generate(load: Load): Promise<LoadResult> {
  const figures = new Figures();
  const connections = Array.from({ length: load.connections }, (_, i) => {
    return new Connection(load, i, figures);
  });
  const startMs = performance.now();
  const untilMs = startMs + load.seconds * 1000;
  const requestsMax = load.requestsMax ?? Number.POSITIVE_INFINITY;
  const stop = (): boolean => performance.now() >= untilMs || figures.sent >= requestsMax;
  await Promise.all(connections.map((connection) => connection.run(stop)));
  return figures.result(load, (performance.now() - startMs) / 1000);
}

if (isProgram(import.meta.url)) {
  const load = JSON.parse(process.argv[2] ?? "{}") as Load;
  console.log(JSON.stringify(await generate(load)));
}

// Puts many events into a running server: as fast as it takes them, or at a steady rate.

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { endProcess } from "../src/base/exit.ts";
import { EventStream, encodeBody, FreshBody, type WireFormat } from "./events.ts";
import { readAnswer } from "./generator.ts";
import { isProgram } from "./listener.ts";

/** One keep-alive connection that sends a request and gives the answer back. */
export class Wire {
  private readonly socket;
  private pending: Buffer | null = null;
  private waiting: ((body: string) => void) | null = null;
  private failed: ((error: Error) => void) | null = null;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk: Buffer) => this.read(chunk));
    this.socket.on("error", (error) => this.failed?.(error));
    this.socket.on("close", () => this.failed?.(new Error("the server closed a connection")));
  }

  private read(chunk: Buffer): void {
    this.pending = this.pending ? Buffer.concat([this.pending, chunk]) : chunk;
    const answer = readAnswer(this.pending);
    if (!answer) return;
    const text = this.pending.toString("utf8", answer.head + 4, answer.end);
    this.pending = null;
    const { waiting, failed } = this;
    this.waiting = null;
    this.failed = null;
    if (answer.status >= 200 && answer.status <= 299) waiting?.(text);
    else failed?.(new Error(`got ${answer.status}: ${text.slice(0, 500)}`));
  }

  send(request: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting = resolve;
      this.failed = reject;
      this.socket.write(request);
    });
  }

  post(path: string, type: string, body: Buffer): Promise<string> {
    return this.send(Buffer.concat([Buffer.from(postHead(path, type, body.length)), body]));
  }

  close(): void {
    this.failed = null;
    this.socket.destroy();
  }
}

export function postHead(path: string, type: string, length: number): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\n` +
    `Content-Length: ${length}\r\n\r\n`
  );
}

const batchPath = "/api/v1/events/batch";

/** Sends `count` truly fresh events, ids and times included; answers how long that took, in seconds. */
export async function fill(port: number, count: number, seed: number): Promise<number> {
  const format: WireFormat = "json";
  const stream = new EventStream(seed);
  const startMs = performance.now();
  let left = count;
  const wires = Array.from({ length: 4 }, () => new Wire(port));
  await Promise.all(
    wires.map(async (wire) => {
      while (left > 0) {
        const events = stream.take(Math.min(left, 5000));
        left -= events.length;
        const body = encodeBody(events, format);
        const receipt = await wire.post(batchPath, "application/json", body);
        const { accepted } = JSON.parse(receipt) as { accepted: number };
        if (accepted !== events.length) throw new Error(`of ${events.length}: ${receipt}`);
      }
      wire.close();
    }),
  );
  return (performance.now() - startMs) / 1000;
}

/** Sends `perSecond` events a second, in bodies of 1,000, until `stop` is called; that answers the rate. */
export function steady(port: number, perSecond: number, seed: number): { stop(): Promise<number> } {
  const batch = 1000;
  const head = (length: number): string => postHead(batchPath, "application/json", length);
  const body = new FreshBody(new EventStream(seed).take(batch), "json", head);
  const wire = new Wire(port);
  const startMs = performance.now();
  let sent = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      body.refresh(sent);
      await wire.send(body.bytes);
      sent += batch;
      const aheadMs = (sent / perSecond) * 1000 - (performance.now() - startMs);
      if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
    wire.close();
  })();
  const stop = async (): Promise<number> => {
    running = false;
    await loop;
    return sent / ((performance.now() - startMs) / 1000);
  };
  return { stop };
}

/** A stream of events from a process of its own, so that its work does not delay what is measured. */
export function streamOutside(port: number, perSecond: number): { stop(): Promise<number> } {
  const program = fileURLToPath(new URL("./stream.js", import.meta.url));
  const child = spawn(process.execPath, [program, String(port), String(perSecond), "77"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return {
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => {
          resolve(Number(/"rate":([\d.]+)/.exec(output)?.[1] ?? Number.NaN));
        });
        child.kill("SIGTERM");
      }),
  };
}

// As a program: `stream.js PORT PER_SECOND SEED` streams until SIGTERM, then prints the rate.
if (isProgram(import.meta.url)) {
  const [port = 0, perSecond = 0, seed = 1] = process.argv.slice(2).map(Number);
  const streaming = steady(port, perSecond, seed);
  console.log("streaming");
  process.once("SIGTERM", () => {
    void streaming.stop().then((rate) => {
      console.log(JSON.stringify({ rate }));
      endProcess(0);
    });
  });
}

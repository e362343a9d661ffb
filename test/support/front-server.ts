import { connect, type Socket } from "node:net";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { parseConfig } from "../../src/config.ts";
import { type RunningServer, startServer } from "../../src/http/server.ts";
import { FakeEngine } from "./fake-engine.ts";

export interface FrontServer extends RunningServer {
  readonly engine: FakeEngine;
}

/** A front over a fake engine, listening on a free port. */
export async function startFront(
  flags: readonly string[] = [],
  { clock = systemClock, log = silentLog }: { clock?: Clock; log?: Log } = {},
): Promise<FrontServer> {
  const engine = new FakeEngine();
  const config = parseConfig(["--port", "0", ...flags], {});
  const parts = { config, engine, log, clock, version: "0.0.0-test" };
  const server = await startServer(parts);
  return { ...server, engine };
}

/** A bare TCP connection that keeps what it hears. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  closed = false;
  #changed: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#changed();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.#changed();
    });
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** Resolves when `condition` holds for what was heard so far. */
  async until(condition: (client: RawClient) => boolean): Promise<string> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.text;
  }
}

/** Resolves when `condition` holds, looking once an event-loop turn. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

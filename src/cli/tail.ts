import { WebSocket } from "ws";
import { type Clock, systemClock } from "../base/clock.ts";
import { ConfigError } from "../errors.ts";
import { strangerText, unreachedText } from "./api-client.ts";
import { eventsTail, type Tailed } from "./tail-events.ts";
import { parseTailOptions, type TailOptions, tailHelp } from "./tail-options.ts";
import { windowsTail } from "./tail-windows.ts";

const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 5_000;
/** The server says something at least this often, be it a heartbeat; longer silence is a dead connection. */
const SILENCE_MS_MAX = 90_000;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** `millrace tail`: the exit code is 0 after a signal or --limit, 1 when it can't go on, 2 for flags. */
export async function runTail(argv: string[]): Promise<number> {
  let options: TailOptions | undefined;
  try {
    options = parseTailOptions(argv, process.stdout.isTTY);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`millrace tail: ${error.message}`);
    return 2;
  }
  if (options === undefined) {
    console.log(tailHelp);
    return 0;
  }
  const tail = new Tail(options, systemClock);
  const stop = () => tail.stop(0);
  process.once("SIGINT", stop).once("SIGTERM", stop);
  // A reader that has had enough, such as `head`, closes the pipe: that ends the command in peace.
  process.stdout.on("error", stop);
  const code = await tail.run();
  process.off("SIGINT", stop).off("SIGTERM", stop);
  process.stdout.off("error", stop);
  return code;
}

class Tail {
  private readonly options: TailOptions;
  private readonly tailed: Tailed;
  private readonly clock: Clock;
  private readonly finished: Promise<number>;
  private finish: (code: number) => void = () => {};
  private socket: WebSocket | undefined;
  private cursor: string | undefined;
  private printed = 0;
  private everOpen = false;
  private stopped = false;
  private reconnectMs = RECONNECT_MS_MIN;
  private lastHeardMs = 0;
  private reconnectTimer: NodeJS.Timeout | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;

  constructor(options: TailOptions, clock: Clock) {
    this.options = options;
    this.tailed = options.windows === null ? eventsTail(options) : windowsTail(options);
    this.clock = clock;
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  run(): Promise<number> {
    this.connect();
    this.silenceTimer = setInterval(() => this.checkSilence(), SILENCE_MS_MAX / 3);
    return this.finished;
  }

  stop(code: number): void {
    if (this.stopped) return;
    this.stopped = true;
    clearTimeout(this.reconnectTimer);
    clearInterval(this.silenceTimer);
    // A paused socket would never see the answer to its closing frame.
    if (this.socket?.isPaused) this.socket.resume();
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.close(1000);
    else this.socket?.terminate();
    this.finish(code);
  }

  private connect(): void {
    const address = new URL(this.tailed.path, this.options.url);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, { maxPayload: FRAME_BYTES_MAX });
    this.socket = socket;
    this.heard();
    let reason = "the connection was closed";
    socket.on("unexpected-response", (_, response) => {
      reason = strangerText(this.options.url, response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on("open", () => {
      this.everOpen = true;
      this.subscribe(socket);
    });
    socket.on("message", (data) => {
      if (!this.stopped) this.receive(socket, String(data));
    });
    socket.on("ping", () => this.heard());
    socket.on("error", (error) => {
      // A socket that was ended here has said why already.
      if (!/before the connection was established/.test(error.message)) {
        reason = unreachedText(this.options.url, error);
      }
    });
    socket.on("close", () => this.lost(reason));
  }

  private subscribe(socket: WebSocket): void {
    const subscription = this.tailed.subscription(this.cursor);
    socket.send(JSON.stringify({ type: "subscribe", id: "tail", ...subscription }));
  }

  private receive(socket: WebSocket, frame: string): void {
    this.heard();
    const message = JSON.parse(frame) as Record<string, unknown>;
    if (typeof message.cursor === "string") this.cursor = message.cursor;
    if (message.type === "error") {
      this.refused(socket, (message.error ?? {}) as Record<string, unknown>);
      return;
    }
    const lines = this.tailed.lines(message, frame);
    if (lines !== null) {
      this.reconnectMs = RECONNECT_MS_MIN;
      this.print(socket, lines);
      return;
    }
    const { note, ends = false } = this.tailed.told(message);
    if (note !== undefined) console.error(`millrace tail: ${note}`);
    if (ends) this.stop(1);
  }

  /** A subscription that can't be understood ends the command; a server that is busy is tried again. */
  private refused(socket: WebSocket, problem: Record<string, unknown>): void {
    const status = Number(problem.status);
    console.error(`millrace tail: ${String(problem.detail ?? problem.title ?? "refused")}`);
    if (status === 429 || status >= 500) socket.terminate();
    else this.stop(1);
  }

  private print(socket: WebSocket, all: readonly string[]): void {
    const { limit } = this.options;
    const lines = limit === 0 ? all : all.slice(0, limit - this.printed);
    if (lines.length === 0) return;
    this.printed += lines.length;
    const flushed = process.stdout.write(`${lines.join("\n")}\n`);
    if (limit !== 0 && this.printed >= limit) {
      this.stop(0);
    } else if (!flushed) {
      // Whoever reads our output is slower than the stream: the server is told by not reading on.
      socket.pause();
      process.stdout.once("drain", () => {
        this.heard();
        socket.resume();
      });
    }
  }

  private lost(reason: string): void {
    if (this.stopped) return;
    if (!this.everOpen) {
      console.error(`millrace tail: ${reason}`);
      this.stop(1);
      return;
    }
    console.error(`millrace tail: ${reason}; trying again in ${this.reconnectMs / 1000} s`);
    this.reconnectTimer = setTimeout(() => this.connect(), this.reconnectMs);
    this.reconnectMs = Math.min(this.reconnectMs * 2, RECONNECT_MS_MAX);
  }

  private heard(): void {
    this.lastHeardMs = this.clock.monotonicMs();
  }

  private checkSilence(): void {
    const paused = this.socket?.isPaused === true;
    if (!paused && this.clock.monotonicMs() - this.lastHeardMs > SILENCE_MS_MAX) {
      this.socket?.terminate();
    }
  }
}

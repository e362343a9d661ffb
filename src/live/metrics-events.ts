import type { IncomingMessage, ServerResponse } from "node:http";
import type { Front } from "../api/front.ts";
import { isFault, problemFrom } from "../api/problem.ts";
import type { MetricsHub, Subscribed, Subscriber } from "./metrics-hub.ts";
import type { Page } from "./metrics-page.ts";
import type { MetricsRequest } from "./metrics-protocol.ts";
import { messageFrame, problemDocument } from "./protocol.ts";

/** Milliseconds after which a browser connects again. */
const retryMs = 1000;

/** `GET /stream/metrics`: one subscription to windows as Server-Sent Events. */
export class MetricsEvents implements Subscriber {
  readonly #front: Front;
  readonly #res: ServerResponse;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #over: () => void;
  #subscribed: Subscribed | null = null;
  #behind = false;
  isGone = false;

  /** `over` is called once, when the connection is gone. */
  constructor(
    front: Front,
    res: ServerResponse,
    headers: Readonly<Record<string, string>>,
    over: () => void,
  ) {
    this.#front = front;
    this.#res = res;
    this.#headers = headers;
    this.#over = over;
    front.counters.eventStreams++;
    res.on("close", () => this.#gone());
    res.on("drain", () => this.#drained());
  }

  /** Settles when the stream has begun; rejects when it can't, and nothing is written then. */
  async open(hub: MetricsHub, request: MetricsRequest): Promise<void> {
    try {
      const subscribed = await hub.subscribe(request, this);
      if (this.isGone) subscribed?.close();
      else this.#subscribed = subscribed;
    } catch (error) {
      this.#gone();
      throw error;
    }
  }

  /** A sign of life, for what is in between. */
  beat(): void {
    if (this.#res.headersSent && !this.isGone && !this.isBehind()) this.#res.write(":\n\n");
  }

  /** Ends the stream. */
  end(): void {
    this.#res.end();
  }

  isBehind(): boolean {
    this.#behind ||= this.#res.writableLength > this.#front.config.subscriberBufferBytes;
    return this.#behind;
  }

  begun(about: object): void {
    this.#res.writeHead(200, {
      ...this.#headers,
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      // Proxies that collect answers would hold the windows back.
      "X-Accel-Buffering": "no",
    });
    this.#res.write(`retry: ${retryMs}\n\n`);
    this.tell({ type: "subscribed", ...about });
  }

  page(page: Page): void {
    this.#write(page.event());
  }

  tell(message: object): void {
    const { type } = message as { type: string };
    this.#write(`event: ${type}\ndata: ${messageFrame(message, false)}\n\n`);
  }

  failed(error: unknown): void {
    const problem = problemFrom(error);
    if (isFault(problem)) {
      this.#front.log.error({ code: problem.code, err: error }, "subscription failed");
    }
    // Not "error": that is what a browser calls a lost connection.
    this.tell({ type: "failed", error: problemDocument(problem) });
    this.end();
  }

  ended(): void {
    this.end();
  }

  #write(text: string | Uint8Array): void {
    if (this.isGone) return;
    this.#front.counters.frames.out++;
    this.#res.write(text);
  }

  #drained(): void {
    this.#behind = false;
    this.#subscribed?.resume();
  }

  #gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#front.counters.eventStreams--;
    this.#subscribed?.close();
    this.#over();
  }
}

/** Where the stream resumes: what a browser says after a lost connection comes before the address. */
export function withLastEvent(request: MetricsRequest, req: IncomingMessage): MetricsRequest {
  const last = req.headers["last-event-id"];
  return typeof last === "string" && last !== "" ? { ...request, cursor: last } : request;
}

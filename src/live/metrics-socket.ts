import type { WebSocket } from "ws";
import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";
import type { MetricsHub, Subscribed, Subscriber } from "./metrics-hub.ts";
import type { Encoding, Page } from "./metrics-page.ts";
import { type MetricsMessage, readMetricsMessage } from "./metrics-protocol.ts";
import { decodeFrame, errorMessage, idOf, messageFrame } from "./protocol.ts";

/** Subscriptions of one socket. */
const subscriptionsMax = 100;

/** `WS /stream/metrics`: live windows over one socket. */
export class MetricsSocket {
  readonly #front: Front;
  readonly #hub: MetricsHub;
  readonly #ws: WebSocket;
  readonly #encoding: Encoding;
  readonly #subscriptions = new Map<string, SocketSubscriber>();
  #behind = false;
  /** One for all frames: there are many. */
  readonly #sent = (): void => this.#balance();

  constructor(front: Front, hub: MetricsHub, ws: WebSocket, packed: boolean) {
    this.#front = front;
    this.#hub = hub;
    this.#ws = ws;
    this.#encoding = packed ? "packed" : "json";
    front.counters.metricsSockets++;
    ws.on("close", () => {
      front.counters.metricsSockets--;
      for (const id of [...this.#subscriptions.keys()]) this.#remove(id);
    });
    ws.on("message", (frame: Buffer, isBinary: boolean) => this.#take(frame, isBinary));
  }

  isBehind(): boolean {
    this.#behind ||= this.#ws.bufferedAmount > this.#front.config.subscriberBufferBytes;
    return this.#behind;
  }

  page(id: string, page: Page): void {
    this.#sendFrame(page.frame(id, this.#encoding));
  }

  tell(id: string, message: object): void {
    this.#send({ ...message, id });
  }

  failed(id: string, error: unknown): void {
    this.#remove(id);
    this.#sendError(error, id);
  }

  /** The subscription has ended by itself. */
  ended(id: string): void {
    this.#remove(id);
  }

  #take(frame: Buffer, isBinary: boolean): void {
    this.#front.counters.frames.in++;
    let id: string | undefined;
    try {
      const document = decodeFrame(frame, isBinary);
      id = idOf(document);
      const message = readMetricsMessage(document);
      if (message.type === "subscribe") this.#subscribe(message);
      else this.#unsubscribe(message.id);
    } catch (error) {
      this.#sendError(error, id);
    }
  }

  #subscribe({ id, request }: Extract<MetricsMessage, { type: "subscribe" }>): void {
    if (this.#subscriptions.has(id)) {
      throw new InputError("subscription_exists", `there is a subscription ${id} on this socket`);
    }
    if (this.#subscriptions.size >= subscriptionsMax) {
      const message = `got ${subscriptionsMax + 1} subscriptions, want at most ${subscriptionsMax}`;
      throw new InputError("too_many_subscriptions", message);
    }
    const subscriber = new SocketSubscriber(this, id);
    this.#subscriptions.set(id, subscriber);
    this.#hub.subscribe(request, subscriber).then(
      (subscribed) => subscriber.began(subscribed),
      (error: unknown) => {
        if (!subscriber.isGone) this.failed(id, error);
      },
    );
  }

  #unsubscribe(id: string): void {
    if (!this.#remove(id)) {
      throw new InputError("no_such_subscription", `there is no subscription ${id} on this socket`);
    }
    this.#send({ type: "unsubscribed", id });
  }

  #remove(id: string): boolean {
    const subscriber = this.#subscriptions.get(id);
    if (subscriber === undefined) return false;
    this.#subscriptions.delete(id);
    subscriber.close();
    return true;
  }

  #sendError(error: unknown, id?: string): void {
    this.#send(errorMessage(this.#front.log, error, id));
  }

  #send(message: object): void {
    this.#sendFrame(messageFrame(message, this.#encoding === "packed"));
  }

  #sendFrame(frame: string | Uint8Array): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#front.counters.frames.out++;
    this.#ws.send(frame, { binary: this.#encoding === "packed" }, this.#sent);
  }

  #balance(): void {
    // Half empty before it goes on, so that a slow reader is not woken for every frame.
    if (!this.#behind) return;
    if (this.#ws.bufferedAmount > this.#front.config.subscriberBufferBytes / 2) return;
    this.#behind = false;
    for (const subscriber of this.#subscriptions.values()) subscriber.resume();
  }
}

/** One subscription of a socket. */
class SocketSubscriber implements Subscriber {
  readonly #socket: MetricsSocket;
  readonly #id: string;
  #subscribed: Subscribed | null = null;
  isGone = false;

  constructor(socket: MetricsSocket, id: string) {
    this.#socket = socket;
    this.#id = id;
  }

  began(subscribed: Subscribed | null): void {
    // It may have been ended by its first messages.
    if (this.isGone) subscribed?.close();
    else this.#subscribed = subscribed;
  }

  close(): void {
    this.isGone = true;
    this.#subscribed?.close();
  }

  resume(): void {
    this.#subscribed?.resume();
  }

  isBehind(): boolean {
    return this.#socket.isBehind();
  }

  begun(about: object): void {
    this.#socket.tell(this.#id, { type: "subscribed", ...about });
  }

  page(page: Page): void {
    this.#socket.page(this.#id, page);
  }

  tell(message: object): void {
    this.#socket.tell(this.#id, message);
  }

  failed(error: unknown): void {
    this.#socket.failed(this.#id, error);
  }

  ended(): void {
    this.#socket.ended(this.#id);
  }
}

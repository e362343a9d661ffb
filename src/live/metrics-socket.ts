import type { Front } from "../api/front.ts";
import type { MetricsHub, Subscribed, Subscriber } from "./metrics-hub.ts";
import type { Page } from "./metrics-page.ts";
import { type MetricsSubscribe, readMetricsMessage } from "./metrics-protocol.ts";
import { SubscriberSocket, type Wires } from "./subscriber-socket.ts";

type Socket = SubscriberSocket<MetricsSubscribe, SocketSubscriber>;

/** `WS /stream/metrics`: live windows over one socket. */
export function openMetricsSocket(front: Front, hub: MetricsHub, wires: Wires): void {
  const { counters } = front;
  const socket: Socket = new SubscriberSocket(front, wires, {
    read: readMetricsMessage,
    begin: ({ id, request }) => {
      const subscriber = new SocketSubscriber(socket, id);
      hub.subscribe(request, subscriber).then(
        (subscribed) => subscriber.began(subscribed),
        (error: unknown) => subscriber.failed(error),
      );
      return subscriber;
    },
    end: (subscriber) => subscriber.close(),
    resume: (subscriber) => subscriber.resume(),
  });
  counters.metricsSockets++;
  wires.ws.on("close", () => counters.metricsSockets--);
}

/** One subscription of a socket. */
class SocketSubscriber implements Subscriber {
  readonly #socket: Socket;
  readonly #id: string;
  #subscribed: Subscribed | null = null;
  isGone = false;

  constructor(socket: Socket, id: string) {
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
    this.tell({ type: "subscribed", ...about });
  }

  page(page: Page): void {
    this.#socket.write(page.frame(this.#id, this.#socket.packed));
  }

  tell(message: object): void {
    this.#socket.tell({ ...message, id: this.#id });
  }

  failed(error: unknown): void {
    if (!this.isGone) this.#socket.failed(this.#id, error);
  }

  ended(): void {
    this.#socket.remove(this.#id);
  }
}

import type { WebSocket } from "ws";
import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";
import type { EventsPage } from "../query/result.ts";
import { cursorOf, sequenceOf } from "./cursor.ts";
import type { Feed, Filter } from "./feed.ts";
import {
  decodeFrame,
  errorMessage,
  eventsFrame,
  idOf,
  messageFrame,
  readMessage,
  type Subscribe,
} from "./protocol.ts";
import { type Subscriber, Subscription } from "./subscription.ts";

/** Subscriptions of one socket. */
const subscriptionsMax = 100;

/** `WS /stream/events`: live queries over one socket. */
export class StreamSocket implements Subscriber {
  readonly #front: Front;
  readonly #feed: Feed;
  readonly #ws: WebSocket;
  readonly #packed: boolean;
  readonly #subscriptions = new Map<string, Subscription>();
  #behind = false;

  constructor(front: Front, feed: Feed, ws: WebSocket, packed: boolean) {
    this.#front = front;
    this.#feed = feed;
    this.#ws = ws;
    this.#packed = packed;
    front.counters.streamSockets++;
    ws.on("close", () => {
      front.counters.streamSockets--;
      for (const id of [...this.#subscriptions.keys()]) this.#remove(id);
    });
    ws.on("message", (frame: Buffer, isBinary: boolean) => this.#take(frame, isBinary));
  }

  /** Lets every subscription go on: events were published, or the socket has room again. */
  advance(): void {
    for (const subscription of this.#subscriptions.values()) subscription.advance();
  }

  isBehind(): boolean {
    this.#behind ||= this.#ws.bufferedAmount > this.#front.config.subscriberBufferBytes;
    return this.#behind;
  }

  started(id: string, sequence: bigint): void {
    this.#send({ type: "subscribed", id, cursor: cursorOf(sequence) });
  }

  events(id: string, page: EventsPage, nextSequence: bigint): void {
    this.#sendFrame(eventsFrame(page, id, cursorOf(nextSequence), this.#packed));
  }

  missed(id: string, count: bigint, first: bigint): void {
    this.#front.counters.eventsMissed += Number(count);
    this.#send({ type: "missed", id, count: Number(count), resume: cursorOf(first) });
  }

  failed(id: string, error: unknown): void {
    this.#remove(id);
    this.#sendError(error, id);
  }

  #take(frame: Buffer, isBinary: boolean): void {
    this.#front.counters.frames.in++;
    let id: string | undefined;
    try {
      const document = decodeFrame(frame, isBinary);
      id = idOf(document);
      const message = readMessage(document);
      if (message.type === "subscribe") this.#subscribe(message);
      else this.#unsubscribe(message.id);
    } catch (error) {
      this.#sendError(error, id);
    }
  }

  #subscribe(message: Subscribe): void {
    const { id, cursor, from } = message;
    if (this.#subscriptions.has(id)) {
      throw new InputError("subscription_exists", `there is a subscription ${id} on this socket`);
    }
    if (this.#subscriptions.size >= subscriptionsMax) {
      const message = `got ${subscriptionsMax + 1} subscriptions, want at most ${subscriptionsMax}`;
      throw new InputError("too_many_subscriptions", message);
    }
    if (cursor !== undefined && from !== undefined) {
      throw new InputError("invalid_message", "got both cursor and from, want one of them");
    }
    const next = this.#feed.nextSequence();
    const sequence = cursor !== undefined ? sequenceOf(cursor) : from === "earliest" ? 0n : next;
    if (sequence > next) {
      throw new InputError(
        "invalid_cursor",
        "got a cursor of events that this server never stored",
      );
    }
    const { config, counters } = this.#front;
    const filter = filterOf(message);
    const subscription = new Subscription(
      id,
      this.#feed,
      filter,
      sequence,
      this,
      config.subscriberLagMax,
    );
    this.#subscriptions.set(id, subscription);
    counters.subscriptions++;
  }

  #unsubscribe(id: string): void {
    if (!this.#remove(id)) {
      throw new InputError("no_such_subscription", `there is no subscription ${id} on this socket`);
    }
    this.#send({ type: "unsubscribed", id });
  }

  #remove(id: string): boolean {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return false;
    subscription.close();
    this.#subscriptions.delete(id);
    this.#front.counters.subscriptions--;
    return true;
  }

  #sendError(error: unknown, id?: string): void {
    this.#send(errorMessage(this.#front.log, error, id));
  }

  #send(message: object): void {
    this.#sendFrame(messageFrame(message, this.#packed));
  }

  #sendFrame(frame: string | Uint8Array): void {
    this.#front.counters.frames.out++;
    this.#ws.send(frame, () => {
      // Half empty before it goes on, so that a slow reader is not woken for every frame.
      if (!this.#behind) return;
      if (this.#ws.bufferedAmount > this.#front.config.subscriberBufferBytes / 2) return;
      this.#behind = false;
      this.advance();
    });
  }
}

function filterOf(message: Subscribe): Filter {
  return {
    ...(message.where !== undefined && { where: message.where }),
    ...(message.event_type !== undefined && { eventType: message.event_type }),
    ...(message.source !== undefined && { source: message.source }),
    ...(message.user_id !== undefined && { userId: message.user_id }),
    ...(message.session_id !== undefined && { sessionId: message.session_id }),
  };
}

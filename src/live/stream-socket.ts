import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";
import type { EventsPage } from "../query/result.ts";
import { cursorOf, sequenceOf } from "./cursor.ts";
import type { Feed, Filter } from "./feed.ts";
import { eventsFrame, readMessage, type Subscribe } from "./protocol.ts";
import { SubscriberSocket, type Wires } from "./subscriber-socket.ts";
import { type Subscriber, Subscription } from "./subscription.ts";

/** `WS /stream/events`: live queries over one socket. */
export class StreamSocket implements Subscriber {
  readonly #front: Front;
  readonly #feed: Feed;
  readonly #socket: SubscriberSocket<Subscribe, Subscription>;

  constructor(front: Front, feed: Feed, wires: Wires) {
    const { counters } = front;
    this.#front = front;
    this.#feed = feed;
    this.#socket = new SubscriberSocket(front, wires, {
      read: readMessage,
      begin: (message) => this.#begin(message),
      end: (subscription) => {
        subscription.close();
        counters.subscriptions--;
      },
      resume: (subscription) => subscription.advance(),
    });
    counters.streamSockets++;
    wires.ws.on("close", () => counters.streamSockets--);
  }

  /** Lets every subscription go on: events were published. */
  advance(): void {
    for (const subscription of this.#socket.subscriptions) subscription.advance();
  }

  isBehind(): boolean {
    return this.#socket.isBehind();
  }

  started(id: string, sequence: bigint): void {
    this.#socket.tell({ type: "subscribed", id, cursor: cursorOf(sequence) });
  }

  events(id: string, page: EventsPage, nextSequence: bigint): void {
    this.#socket.send(eventsFrame(page, id, cursorOf(nextSequence), this.#socket.packed));
  }

  missed(id: string, count: bigint, first: bigint): void {
    this.#front.counters.eventsMissed += Number(count);
    this.#socket.tell({ type: "missed", id, count: Number(count), resume: cursorOf(first) });
  }

  failed(id: string, error: unknown): void {
    this.#socket.failed(id, error);
  }

  #begin(message: Subscribe): Subscription {
    const { id, cursor, from } = message;
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
    const { subscriberLagMax } = config;
    counters.subscriptions++;
    return new Subscription(id, this.#feed, filterOf(message), sequence, this, subscriberLagMax);
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

import type { Engine } from "../engine/engine.ts";
import { InputError } from "../errors.ts";
import { cursorOf, sequenceOf } from "../live/cursor.ts";
import { Feed } from "../live/feed.ts";
import { type Subscriber, Subscription } from "../live/subscription.ts";
import type { EventsPage } from "../query/result.ts";
import { type EventsFilter, filterRequest, type StoredEvent, storedEvent } from "./events.ts";

export interface SubscribeOptions extends EventsFilter {
  /** `now` (default): what is stored from here on. `earliest`: what is stored already first. */
  readonly from?: "now" | "earliest";
  /** Where an earlier subscription stood; instead of `from`. */
  readonly cursor?: string;
}

export interface Listener {
  /**
   * Events in the order of their sequences, up to 512 at a time, and the cursor after them. While what it returns
   * is pending no more are read: that is the back-pressure.
   */
  events(events: StoredEvent[], cursor: string): void | Promise<void>;
  /** The listener fell behind, or retention was faster: `count` stored events were passed over. */
  missed?(count: bigint, cursor: string): void;
  /** The subscription has ended: its condition can't be read, or the listener threw. Without it, it is thrown. */
  failed?(error: unknown): void;
}

export interface LiveSubscription {
  /** The place after the events that the listener was given last. */
  readonly cursor: string;
  close(): void;
}

/** The live subscriptions of one engine. */
export class Live {
  readonly #engine: Engine;
  readonly #feed: Feed;
  readonly #lagMax: number;
  readonly #open = new Set<LiveListener>();
  #stop: (() => void) | null = null;

  constructor(engine: Engine, lagMax: number) {
    this.#engine = engine;
    this.#feed = new Feed(engine);
    this.#lagMax = lagMax;
  }

  subscribe(options: SubscribeOptions, listener: Listener): LiveSubscription {
    const { from, cursor } = options;
    const next = this.#feed.nextSequence();
    if (cursor !== undefined && from !== undefined) {
      throw new InputError("invalid_parameter", "got both cursor and from, want one of them");
    }
    const sequence = cursor !== undefined ? sequenceOf(cursor) : from === "earliest" ? 0n : next;
    if (sequence > next) {
      throw new InputError("invalid_cursor", "got a cursor of events that were never stored here");
    }
    this.#stop ??= this.#engine.onPublish(() => {
      for (const one of this.#open) one.advance();
    });
    const live = new LiveListener(sequence, listener, () => this.#open.delete(live));
    this.#open.add(live);
    live.start(
      new Subscription("", this.#feed, filterRequest(options), sequence, live, this.#lagMax),
    );
    return live;
  }

  close(): void {
    for (const one of this.#open) one.close();
    this.#stop?.();
    this.#stop = null;
  }
}

class LiveListener implements Subscriber, LiveSubscription {
  readonly #listener: Listener;
  readonly #ended: () => void;
  #sequence: bigint;
  #busy = false;
  #subscription: Subscription | null = null;

  constructor(sequence: bigint, listener: Listener, ended: () => void) {
    this.#sequence = sequence;
    this.#listener = listener;
    this.#ended = ended;
  }

  start(subscription: Subscription): void {
    this.#subscription = subscription;
  }

  get cursor(): string {
    return cursorOf(this.#sequence);
  }

  close(): void {
    this.#subscription?.close();
    this.#ended();
  }

  advance(): void {
    this.#subscription?.advance();
  }

  isBehind(): boolean {
    return this.#busy;
  }

  started(): void {}

  events(_id: string, page: EventsPage, nextSequence: bigint): void {
    this.#busy = true;
    void this.#give(page.events.map(storedEvent), nextSequence);
  }

  async #give(events: StoredEvent[], nextSequence: bigint): Promise<void> {
    try {
      await this.#listener.events(events, cursorOf(nextSequence));
    } catch (error) {
      this.failed("", error);
      return;
    }
    this.#sequence = nextSequence;
    this.#busy = false;
    this.advance();
  }

  missed(_id: string, count: bigint, first: bigint): void {
    this.#listener.missed?.(count, cursorOf(first));
  }

  failed(_id: string, error: unknown): void {
    this.close();
    if (this.#listener.failed === undefined) {
      queueMicrotask(() => {
        throw error;
      });
    } else this.#listener.failed(error);
  }
}

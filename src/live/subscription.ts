import type { EventsPage } from "../query/result.ts";
import { type Feed, type Filter, filterKey } from "./feed.ts";

/** What a subscription needs from the socket that it belongs to. */
export interface Subscriber {
  /** True while more is waiting to be sent than the socket may hold back. */
  isBehind(): boolean;
  started(id: string, sequence: bigint): void;
  events(id: string, page: EventsPage, nextSequence: bigint): void;
  /** `count` sequences were passed over, whether they matched or not; `first` is the first of them that is kept. */
  missed(id: string, count: bigint, first: bigint): void;
  failed(id: string, error: unknown): void;
}

/**
 * One live query: a place in the log of events that moves on as its socket takes what is read there.
 *
 * Nothing is kept for a slow reader but its place. Until a subscription has caught up once, it goes at its
 * reader's pace; from then on it may fall at most `lagMax` events behind before it skips to the newest.
 */
export class Subscription {
  readonly id: string;
  readonly #feed: Feed;
  readonly #filter: Filter;
  readonly #key: string;
  readonly #subscriber: Subscriber;
  readonly #lagMax: bigint;
  #sequence: bigint;
  #state: "starting" | "idle" | "reading" | "closed" = "starting";
  #caughtUp = false;
  /** What has been passed over and not been told yet. */
  #missed: { first: bigint; count: bigint } | null = null;

  constructor(
    id: string,
    feed: Feed,
    filter: Filter,
    sequence: bigint,
    subscriber: Subscriber,
    lagMax: number,
  ) {
    this.id = id;
    this.#feed = feed;
    this.#filter = filter;
    this.#key = filterKey(filter);
    this.#sequence = sequence;
    this.#subscriber = subscriber;
    this.#lagMax = BigInt(lagMax);
    // The first read also shows whether the filter can be understood at all.
    this.#read();
  }

  close(): void {
    this.#state = "closed";
  }

  /** Goes on if it can: called when events were published and when the socket has room again. */
  advance(): void {
    if (this.#state !== "idle") return;
    const next = this.#feed.nextSequence();
    const behind = next - this.#sequence;
    if (behind <= 0n) this.#caughtUp = true;
    else if (this.#caughtUp && behind > this.#lagMax) this.#skip(behind);
    if (this.#subscriber.isBehind()) return;
    if (this.#missed !== null) {
      const { first, count } = this.#missed;
      this.#missed = null;
      this.#subscriber.missed(this.id, count, first);
    }
    if (this.#sequence < next) {
      this.#state = "reading";
      this.#read();
    }
  }

  #skip(behind: bigint): void {
    const first = this.#missed?.first ?? this.#sequence;
    this.#missed = { first, count: (this.#missed?.count ?? 0n) + behind };
    this.#sequence += behind;
  }

  #read(): void {
    this.#feed.read(this.#filter, this.#key, this.#sequence).then(
      (page) => this.#took(page),
      (error: unknown) => {
        if (this.#state === "closed") return;
        this.#state = "closed";
        this.#subscriber.failed(this.id, error);
      },
    );
  }

  /** Retention may have dropped events that were to be read; who began with the earliest expects none of them. */
  #tellDropped(oldest: bigint): void {
    const isEarliest = this.#sequence === 0n;
    if (oldest <= this.#sequence) return;
    const count = oldest - this.#sequence;
    this.#sequence = oldest;
    if (!isEarliest) this.#subscriber.missed(this.id, count, oldest);
  }

  #took(page: EventsPage): void {
    if (this.#state === "closed") return;
    if (this.#state === "starting") this.#subscriber.started(this.id, this.#sequence);
    this.#state = "idle";
    // Another subscription of the same socket has filled it meanwhile: this page is read again later.
    if (this.#subscriber.isBehind()) return;
    this.#tellDropped(page.oldestSequence ?? 0n);
    const next = page.nextSequence ?? this.#sequence;
    const moved = next > this.#sequence;
    this.#sequence = moved ? next : this.#sequence;
    if (page.events.length > 0) this.#subscriber.events(this.id, page, this.#sequence);
    if (moved) this.advance();
    else this.#caughtUp ||= this.#sequence >= this.#feed.nextSequence();
  }
}

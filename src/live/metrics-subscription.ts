import type { Front } from "../api/front.ts";
import type { Channel } from "./metrics-channel.ts";
import type { Fed } from "./metrics-crowd.ts";
import type { Page, Place } from "./metrics-page.ts";

/** Where the messages of one subscription go. */
export interface Outlet {
  /** True while more is waiting to be sent than may be held back. */
  isBehind(): boolean;
  page(page: Page): void;
  /** A message `{"type",…}`; the outlet adds the subscription's id. */
  tell(message: object): void;
  failed(error: unknown): void;
}

/**
 * A place in a channel that moves on as its outlet takes what is there. Nothing is kept for a slow one but that place:
 * what it finds when it goes on is the newest state of each window that has changed meanwhile.
 */
export class MetricsSubscription implements Fed {
  readonly #outlet: Outlet;
  readonly #counters: Front["counters"];
  #channel: Channel;
  #place: Place;
  #isReading = false;
  #isClosed = false;
  /** Messages that it was not sent. */
  #skipped = 0;

  constructor(channel: Channel, place: Place, outlet: Outlet, counters: Front["counters"]) {
    this.#channel = channel;
    this.#place = place;
    this.#outlet = outlet;
    this.#counters = counters;
    this.#join();
  }

  /** From another channel on, from its start. */
  move(channel: Channel): void {
    this.#leave();
    this.#channel = channel;
    this.#place = channel.start();
    this.#join();
    this.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
  }

  #join(): void {
    this.#channel.crowd.join(this);
    this.#counters.metricSubscribers.add(this.#channel.label, 1);
  }

  #leave(): void {
    this.#counters.metricSubscribers.add(this.#channel.label, -1);
    this.#channel.crowd.leave(this);
  }

  advance(): void {
    if (!this.resume()) this.#skipped++;
  }

  /** Sends what there is; false: the outlet has no room for it. */
  resume(): boolean {
    while (!this.#isClosed && !this.#isReading && this.#hasMore()) {
      if (this.#outlet.isBehind()) return false;
      const page = this.#channel.page(this.#place);
      if (page === null) this.#again();
      else {
        this.#place = page.next;
        if (page.isTelling) this.#send(page);
      }
    }
    return true;
  }

  #hasMore(): boolean {
    const { until } = this.#channel;
    const { log, order, asOf } = this.#place;
    return asOf === null || log !== until.log || order < until.order;
  }

  #send(page: Page): void {
    if (this.#skipped > 0) {
      this.#outlet.tell({ type: "coalesced", updates: this.#skipped });
      this.#counters.metricsCoalesced += this.#skipped;
      this.#skipped = 0;
    }
    this.#outlet.page(page);
  }

  #again(): void {
    const channel = this.#channel;
    this.#isReading = true;
    channel.again(this.#place).then(
      (place) => {
        this.#isReading = false;
        if (this.#isClosed || channel !== this.#channel) return this.resume();
        if (place === null) this.#outlet.tell({ type: "gap", reason: "expired" });
        this.#place = place ?? channel.start();
        return this.resume();
      },
      (error: unknown) => {
        this.#isReading = false;
        if (!this.#isClosed && channel === this.#channel) this.#outlet.failed(error);
      },
    );
  }
}

import type { Engine } from "../engine/engine.ts";
import type { EventsPage, EventsRequest } from "../query/result.ts";

/** What a subscription lets through. */
export type Filter = Pick<EventsRequest, "where" | "eventType" | "source" | "userId" | "sessionId">;

/** Events of one read, and characters of them: what a subscription holds at most, with one event more. */
export const pageEventsMax = 512;
const pageCharsMax = 512 * 1024;

/** Reads the log of events for subscriptions; those with equal filters at the same place share one read. */
export class Feed {
  readonly #engine: Engine;
  readonly #reads = new Map<string, Promise<EventsPage>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  nextSequence(): bigint {
    return this.#engine.nextSequence();
  }

  /** The events from `sequence` on. `key` is `filterKey(filter)`. */
  read(filter: Filter, key: string, sequence: bigint): Promise<EventsPage> {
    const place = `${sequence} ${key}`;
    const shared = this.#reads.get(place);
    if (shared !== undefined) return shared;
    const read = this.#engine
      .events({
        ...filter,
        order: "sequence",
        fromSequence: sequence,
        limit: pageEventsMax,
        charsMax: pageCharsMax,
      })
      .finally(() => this.#reads.delete(place));
    this.#reads.set(place, read);
    return read;
  }
}

/** Equal for filters that are written alike. */
export function filterKey(filter: Filter): string {
  return JSON.stringify(filter, (_key, value: unknown) =>
    typeof value === "bigint" ? { bigint: String(value) } : value,
  );
}

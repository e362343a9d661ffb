import type { EventError } from "../engine/ingest.ts";

/** Upper bounds of request durations, in seconds. */
export const durationBounds = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Durations by bound; the last count is of those beyond every bound. */
export class DurationHistogram {
  readonly counts = new Float64Array(durationBounds.length + 1);
  sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < durationBounds.length && seconds > (durationBounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += seconds;
  }
}

/** Figures of one route. */
export class RouteCounter {
  readonly statuses = new Map<number, number>();
  readonly durations = new DurationHistogram();

  count(status: number, seconds: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    this.durations.observe(seconds);
  }
}

/** How many there are of each kind; a kind without any is not kept. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(kind: string, change: number): void {
    const count = (this.counts.get(kind) ?? 0) + change;
    if (count === 0) this.counts.delete(kind);
    else this.counts.set(kind, count);
  }
}

/**
 * What the front counts itself, as plain numbers: the metrics page reads them when it is asked for.
 * Labels are route patterns and error codes of ours, never text of a caller, so that there are only so many.
 */
export class FrontCounters {
  readonly routes = new Map<string, RouteCounter>();
  readonly ingestErrors = new Map<string, number>();
  readonly eventErrors = new Map<string, number>();
  readonly frames = { in: 0, out: 0 };
  requestsInFlight = 0;
  requestsAborted = 0;
  connectionsRefused = 0;
  ingestSockets = 0;
  streamSockets = 0;
  subscriptions = 0;
  eventsMissed = 0;
  metricsSockets = 0;
  /** Streams of Server-Sent Events. */
  eventStreams = 0;
  /** Subscriptions to windows, by the rule's name; those of questions together. */
  readonly metricSubscribers = new Tally();
  /** Messages of windows that slow subscribers were not sent, since a newer one took their place. */
  metricsCoalesced = 0;

  /** `name` is a method and a route, such as `POST /api/v1/events`. */
  route(name: string): RouteCounter {
    let counter = this.routes.get(name);
    if (counter === undefined) {
      counter = new RouteCounter();
      this.routes.set(name, counter);
    }
    return counter;
  }

  /** A body that was refused. */
  countIngestError(code: string): void {
    this.ingestErrors.set(code, (this.ingestErrors.get(code) ?? 0) + 1);
  }

  /** Events that were rejected alone. */
  countEventErrors(errors: readonly EventError[]): void {
    for (const { code } of errors) {
      this.eventErrors.set(code, (this.eventErrors.get(code) ?? 0) + 1);
    }
  }
}

import { type Clock, systemClock } from "../base/clock.ts";

/** Calls back, once or again and again; what it gives ends that. */
export interface Timers extends Pick<Clock, "monotonicMs"> {
  after(ms: number, call: () => void): () => void;
  every(ms: number, call: () => void): () => void;
}

export const systemTimers: Timers = {
  monotonicMs: systemClock.monotonicMs,
  after(ms, call) {
    if (ms <= 0) {
      const soon = setImmediate(call).unref();
      return () => clearImmediate(soon);
    }
    const timer = setTimeout(call, ms).unref();
    return () => clearTimeout(timer);
  },
  every(ms, call) {
    const timer = setInterval(call, ms).unref();
    return () => clearInterval(timer);
  },
};

/** Ticks when there is news, at least a pace apart: after a quiet time at once, and never for nothing. */
export class Ticker {
  readonly #timers: Timers;
  readonly #paceMs: number;
  readonly #tick: () => void;
  #tickedMs = Number.NEGATIVE_INFINITY;
  #stop: (() => void) | null = null;
  #isClosed = false;

  constructor(timers: Timers, paceMs: number, tick: () => void) {
    this.#timers = timers;
    this.#paceMs = paceMs;
    this.#tick = tick;
  }

  /** What comes before the tick is told with it. */
  news(): void {
    if (this.#stop !== null || this.#isClosed) return;
    const waitMs = this.#tickedMs + this.#paceMs - this.#timers.monotonicMs();
    this.#stop = this.#timers.after(Math.max(0, waitMs), () => {
      this.#stop = null;
      this.#tickedMs = this.#timers.monotonicMs();
      this.#tick();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stop?.();
    this.#stop = null;
  }
}

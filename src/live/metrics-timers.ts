import type { Channel } from "./metrics-channel.ts";

/** Calls back again and again; what it gives ends that. */
export interface Timers {
  every(ms: number, tick: () => void): () => void;
}

export const systemTimers: Timers = {
  every(ms, tick) {
    const timer = setInterval(tick, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};

interface Pace {
  readonly channels: Set<Channel>;
  readonly stop: () => void;
}

/** The ticks of all channels: one timer for those of the same pace. */
export class Paces {
  readonly #timers: Timers;
  readonly #paces = new Map<number, Pace>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(channel: Channel): void {
    const { paceMs } = channel;
    let pace = this.#paces.get(paceMs);
    if (pace === undefined) {
      const channels = new Set<Channel>();
      const tick = (): void => {
        for (const one of channels) one.tick();
      };
      pace = { channels, stop: this.#timers.every(paceMs, tick) };
      this.#paces.set(paceMs, pace);
    }
    pace.channels.add(channel);
  }

  remove(channel: Channel): void {
    const pace = this.#paces.get(channel.paceMs);
    if (pace === undefined || !pace.channels.delete(channel) || pace.channels.size > 0) return;
    pace.stop();
    this.#paces.delete(channel.paceMs);
  }

  close(): void {
    for (const { stop } of this.#paces.values()) stop();
    this.#paces.clear();
  }
}

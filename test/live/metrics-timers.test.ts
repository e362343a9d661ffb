import { describe, expect, it } from "vitest";
import { Ticker, type Timers } from "../../src/live/metrics-timers.ts";

/** Time that goes on when a test says so. */
class HandTimers implements Timers {
  #nowMs = 0;
  #due: { readonly atMs: number; readonly call: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): () => void {
    const one = { atMs: this.#nowMs + ms, call };
    this.#due.push(one);
    return () => {
      this.#due = this.#due.filter((other) => other !== one);
    };
  }

  every(): () => void {
    return () => undefined;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#due.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#due = this.#due.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { call } of due) call();
  }

  get waiting(): number {
    return this.#due.length;
  }
}

describe("a ticker", () => {
  function open(): { timers: HandTimers; ticks: number[]; ticker: Ticker } {
    const timers = new HandTimers();
    const ticks: number[] = [];
    return {
      timers,
      ticks,
      ticker: new Ticker(timers, 100, () => ticks.push(timers.monotonicMs())),
    };
  }

  it("ticks at once after a quiet time, then no more than once a pace", () => {
    const { timers, ticks, ticker } = open();
    timers.pass(20);
    for (let ms = 20; ms < 360; ms += 10) {
      ticker.news();
      timers.pass(10);
    }
    expect(ticks).toEqual([30, 130, 230, 330]);
    // The last news were told with a pace between; the next ones wait for nothing.
    timers.pass(500);
    expect(ticks.splice(0)).toEqual([30, 130, 230, 330, 860]);
    timers.pass(500);
    ticker.news();
    timers.pass(0);
    expect(ticks).toEqual([1360]);
  });

  it("does nothing without news, nor when it is closed", () => {
    const { timers, ticks, ticker } = open();
    timers.pass(1000);
    expect([ticks, timers.waiting]).toEqual([[], 0]);
    ticker.news();
    ticker.news();
    expect(timers.waiting).toBe(1);
    ticker.close();
    ticker.news();
    timers.pass(1000);
    expect([ticks, timers.waiting]).toEqual([[], 0]);
  });
});

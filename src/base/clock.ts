/** Where the time comes from. Everything that needs the time takes a `Clock`, so that tests own it. */
export interface Clock {
  /** Wall clock, microseconds since 1970-01-01T00:00:00Z. */
  nowUs(): bigint;
  /** Monotonic, milliseconds since an arbitrary start. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowUs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)),
  monotonicMs: () => performance.now(),
};

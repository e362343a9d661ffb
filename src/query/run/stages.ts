import type { Clock } from "../../base/clock.ts";
import type { StageTimes } from "../result.ts";

export type Stage = keyof StageTimes;

export const stages: readonly Stage[] = [
  "prune",
  "columns",
  "filter",
  "group",
  "aggregate",
  "merge",
  "finish",
];

/**
 * Where the time of a query goes. The clock is read where a stage begins and ends: a few times a segment. What happens
 * within another stage (a column is decoded for a filter) is taken from it.
 */
export class StageClock {
  readonly #clock: Clock;
  readonly #ms = new Map<Stage, number>();
  #stage: Stage | null = null;
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins a stage, or none; answers the one before, to be entered again. */
  enter(stage: Stage | null): Stage | null {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#stage;
    if (before !== null) this.add(before, nowMs - this.#sinceMs);
    this.#stage = stage;
    this.#sinceMs = nowMs;
    return before;
  }

  /** Runs `work` as a stage. */
  in<T>(stage: Stage, work: () => T): T {
    const before = this.enter(stage);
    try {
      return work();
    } finally {
      this.enter(before);
    }
  }

  add(stage: Stage, ms: number): void {
    this.#ms.set(stage, (this.#ms.get(stage) ?? 0) + ms);
  }

  ms(stage: Stage): number {
    return this.#ms.get(stage) ?? 0;
  }

  /** In whole microseconds. */
  times(): StageTimes {
    const us = (stage: Stage): number => Math.round(this.ms(stage) * 1000);
    return {
      prune: us("prune"),
      columns: us("columns"),
      filter: us("filter"),
      group: us("group"),
      aggregate: us("aggregate"),
      merge: us("merge"),
      finish: us("finish"),
    };
  }
}

// The conditions that all must hold, in the order that gets rid of most rows for least time. In the first segment that
// is guessed from zone maps; from then on it is what the segments before have taken. Conditions on expressions stay
// last: they go row by row, and where one fails a query, those before it may have kept its rows away.

import type { Clock } from "../../base/clock.ts";
import type { Filter } from "../plan/filter.ts";
import { filterCost } from "../plan/filter.ts";
import { selectivity } from "../plan/selectivity.ts";
import type { Segment } from "../segments/source.ts";
import type { FilterRun } from "./select.ts";

interface Condition {
  readonly filter: Filter;
  /** Rows that it was asked about, that it passed, and how long it took for how many rows of segments. */
  asked: number;
  passed: number;
  ms: number;
  rows: number;
}

export class Conditions {
  readonly #filters: FilterRun;
  readonly #clock: Clock;
  #list: Condition[];

  constructor(filter: Filter, filters: FilterRun, clock: Clock) {
    this.#filters = filters;
    this.#clock = clock;
    const all = filter.kind === "and" ? filter.of : filter.kind === "all" ? [] : [filter];
    this.#list = all.map((one) => ({ filter: one, asked: 0, passed: 0, ms: 0, rows: 0 }));
  }

  /** Leaves those of the `selected` rows in `mask` for which all hold; answers how many. */
  select(segment: Segment, mask: number, selected: number): number {
    if (this.#list.length === 0) return selected;
    if (this.#list.length === 1) {
      return this.#filters.select((this.#list[0] as Condition).filter, segment, mask, mask);
    }
    this.#sort(segment);
    let count = selected;
    let sinceMs = this.#clock.monotonicMs();
    for (const one of this.#list) {
      const left = this.#filters.select(one.filter, segment, mask, mask);
      const nowMs = this.#clock.monotonicMs();
      one.asked += count;
      one.passed += left;
      one.ms += nowMs - sinceMs;
      one.rows += segment.rows;
      sinceMs = nowMs;
      count = left;
      if (count === 0) break;
    }
    return count;
  }

  #sort(segment: Segment): void {
    const isMeasured = this.#list.every(({ rows, filter }) => rows > 0 || filter.kind === "test");
    const ranks = new Map(
      this.#list.map((one) => [one, isMeasured ? measured(one) : guessed(one, segment)]),
    );
    const rank = (one: Condition): number => ranks.get(one) as number;
    this.#list = this.#list.toSorted((a, b) => {
      const tests = Number(a.filter.kind === "test") - Number(b.filter.kind === "test");
      if (tests !== 0 || a.filter.kind === "test") return tests;
      return rank(a) - rank(b);
    });
  }
}

/** Time by the part of the rows that goes: the order by it is the best one for independent conditions. */
function measured({ asked, passed, ms, rows }: Condition): number {
  return ms / Math.max(1, rows) / Math.max(0.001, 1 - passed / Math.max(1, asked));
}

function guessed({ filter }: Condition, segment: Segment): number {
  return filterCost(filter) / Math.max(0.001, 1 - selectivity(filter, segment));
}

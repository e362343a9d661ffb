import type { Snapshot } from "../query/segments/source.ts";
import type { Position } from "./duplicates.ts";
import { Follower } from "./follower.ts";
import type { RunningRule } from "./running-rule.ts";

/** Rows of one slice: some milliseconds, so that live rules don't wait. */
const SLICE_ROWS = 32_768;

/** Rules that are behind: they read what is stored, with a time of their own, up to where the live ones are. */
export class Backfill {
  readonly from: bigint;
  readonly follower: Follower;

  constructor(from: bigint, follower: Follower) {
    this.from = from;
    this.follower = follower;
  }

  /** Reads some rows; true when its rules have joined the live ones. */
  step(snapshot: Snapshot, live: Follower): boolean {
    this.follower.advance(snapshot, live.position, SLICE_ROWS);
    this.#note(live.next);
    if (!this.follower.isAt(live.position)) return false;
    const joined = [...this.follower.rules.values()];
    for (const rule of joined) {
      rule.record = { ...rule.record, backfill: null };
      live.rules.set(rule.rule.number, rule);
    }
    // Ticks may have brought the live watermark further than the rows have.
    live.catchUp(joined);
    this.follower.time.close();
    return true;
  }

  #note(until: bigint): void {
    const { next } = this.follower;
    for (const rule of this.follower.rules.values()) {
      rule.record = { ...rule.record, backfill: { from: this.from, next, until } };
    }
  }
}

/** All rules that are behind, those that are equally far together. */
export class Backfills {
  readonly #begin: (position: Position, time: Uint8Array | null) => Follower;
  #list: Backfill[] = [];

  /** `begin` makes a follower, whose event time is that of the beginning, or what was encoded. */
  constructor(begin: (position: Position, time: Uint8Array | null) => Follower) {
    this.#begin = begin;
  }

  get list(): readonly Backfill[] {
    return this.#list;
  }

  /** The oldest row that one of them needs. */
  get oldest(): bigint | null {
    let oldest: bigint | null = null;
    for (const { follower } of this.#list) {
      if (oldest === null || follower.next < oldest) oldest = follower.next;
    }
    return oldest;
  }

  add(rule: RunningRule, from: bigint, position: Position, time: Uint8Array | null): void {
    const known = this.#list.find((one) => one.from === from && one.follower.isAt(position));
    const backfill = known ?? new Backfill(from, this.#begin(position, time));
    if (!known) this.#list.push(backfill);
    backfill.follower.rules.set(rule.rule.number, rule);
  }

  of(rule: number): Backfill | null {
    return this.#list.find(({ follower }) => follower.rules.has(rule)) ?? null;
  }

  remove(rule: number): void {
    for (const { follower } of this.#list) follower.rules.delete(rule);
    this.#list = this.#list.filter(({ follower }) => {
      if (follower.rules.size > 0) return true;
      follower.time.close();
      return false;
    });
  }

  /** A slice for the one that is furthest behind; answers the rules that have joined. */
  step(snapshot: Snapshot, live: Follower): readonly RunningRule[] {
    const [first] = [...this.#list].sort((a, b) => (a.follower.next < b.follower.next ? -1 : 1));
    if (first === undefined || !first.step(snapshot, live)) return [];
    this.#list = this.#list.filter((one) => one !== first);
    return [...first.follower.rules.values()];
  }
}

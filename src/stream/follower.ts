import { LimitError } from "../errors.ts";
import type { Segment, Snapshot } from "../query/segments/source.ts";
import type { TableReader } from "../rollup/store.ts";
import { leftOut, type Position } from "./duplicates.ts";
import type { RunningRule } from "./running-rule.ts";
import type { ChunkScope, FollowedTime } from "./stream-parts.ts";

export interface FollowerParts {
  readonly scope: ChunkScope;
  /** Events that were left out as duplicates. */
  readonly duplicates: TableReader;
  /** Rows that are not there any more. */
  gone(from: bigint, to: bigint): void;
  /** The rule takes nothing more until it is resumed: there is no room for its windows. */
  noRoom(rule: RunningRule, error: LimitError): void;
}

/** Follows the stream from a position on, with the event time that belongs to it, for some rules. */
export class Follower {
  readonly time: FollowedTime;
  readonly rules = new Map<number, RunningRule>();
  readonly #parts: FollowerParts;
  #next: bigint;
  #duplicates: number;

  constructor(position: Position, time: FollowedTime, parts: FollowerParts) {
    this.#next = position.next;
    this.#duplicates = position.duplicates;
    this.time = time;
    this.#parts = parts;
  }

  /** The next row that its rules take. */
  get next(): bigint {
    return this.#next;
  }

  get position(): Position {
    return { next: this.#next, duplicates: this.#duplicates };
  }

  isAt({ next, duplicates }: Position): boolean {
    return this.#next === next && this.#duplicates === duplicates;
  }

  /** Takes at most `rowsMax` rows, none beyond `to`; answers how many. Nothing of the snapshot is needed afterwards. */
  advance(snapshot: Snapshot, to: Position, rowsMax: number): number {
    const near = this.#next + BigInt(rowsMax);
    const end = near < to.next ? { next: near, duplicates: 0 } : to;
    const entries = leftOut(this.#parts.duplicates, this.position, end);
    let taken = 0;
    for (const { sequence, index, receivedAtUs, timestampsUs } of entries) {
      taken += this.#takeTo(snapshot, sequence, rowsMax - taken);
      if (this.#next !== sequence) return taken;
      // As the first row of their record would be judged: so it is the same whether there was a tick before or not.
      this.tick(receivedAtUs);
      for (const rule of this.rules.values()) rule.duplicates(timestampsUs);
      this.#duplicates = index + 1;
    }
    return taken + this.#takeTo(snapshot, end.next, rowsMax - taken);
  }

  /** Rows of one segment after the other, up to sequence `to`. */
  #takeTo(snapshot: Snapshot, to: bigint, rowsMax: number): number {
    let taken = 0;
    while (this.#next < to && taken < rowsMax) {
      const segment = segmentAt(snapshot.segments, this.#next);
      if (segment === undefined) break;
      if (segment.firstSequence > this.#next) this.#skip(segment.firstSequence);
      const first = Number(this.#next - segment.firstSequence);
      const last = Number(to - segment.firstSequence);
      const end = Math.min(segment.rows, first + rowsMax - taken, last);
      if (end <= first) break;
      this.#take(segment, first, end);
      taken += end - first;
    }
    return taken;
  }

  #take(segment: Segment, first: number, end: number): void {
    segment.enter();
    const { scope } = this.#parts;
    scope.begin();
    try {
      const chunk = this.time.take(segment, first, end);
      if (this.rules.size > 0) {
        const near = scope.enter(chunk);
        for (const rule of this.rules.values()) {
          this.#guarded(rule, () => rule.take(near, this.#next + BigInt(end - first)));
        }
      }
    } finally {
      scope.end();
    }
    this.#next += BigInt(end - first);
    this.#duplicates = 0;
  }

  #skip(to: bigint): void {
    this.#parts.gone(this.#next, to);
    for (const rule of this.rules.values()) rule.incomplete();
    this.#next = to;
    this.#duplicates = 0;
  }

  tick(receivedAtUs: bigint): void {
    this.time.tick(receivedAtUs);
    this.catchUp(this.rules.values());
  }

  /** Tells rules the watermark. */
  catchUp(rules: Iterable<RunningRule>): void {
    const watermarkUs = this.time.watermarkUs();
    for (const rule of rules) {
      this.#guarded(rule, () => rule.advance(watermarkUs, this.#next));
    }
  }

  #guarded(rule: RunningRule, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      this.#parts.noRoom(rule, error);
    }
  }
}

/** The segment with the row, or the first one after it. */
function segmentAt(segments: readonly Segment[], sequence: bigint): Segment | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { firstSequence, rows } = segments[middle] as Segment;
    if (firstSequence + BigInt(rows) <= sequence) low = middle + 1;
    else high = middle;
  }
  return segments[low];
}

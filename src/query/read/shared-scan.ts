// A query that several threads read at once: ranges of sequences, about a segment each, that they take from one list
// in shared memory, and how far they have come together.
//
//   0   gate i32: threads that have joined; GATE_SHUT added once no more may
//   4   arrived i32: partials that have been sent to the leading thread, which waits on it
//   8   rows i64: rows of the ranges that are done
//   16  taken i32 per range: 1 once a thread has taken it

import { CancelledError } from "../columns/kernels.ts";
import { isGrouped, type Query } from "../query.ts";
import type { SequenceRange } from "../run/execution.ts";
import type { Segment, Snapshot } from "../segments/source.ts";

/** What threads are told of a scan; messages share the memory and copy the rest. */
export interface SharedScanData {
  readonly memory: SharedArrayBuffer;
  /** First sequence of each range and the end of the last one: ranges follow each other without a gap. */
  readonly bounds: BigInt64Array;
  /** For each range a number that stays from query to query: the thread that has its columns takes it first. */
  readonly homes: Uint32Array;
}

const GATE = 0;
const ARRIVED = 1;
const ROWS = 1;
const TAKEN = 4;
const GATE_SHUT = 1 << 30;
/** How often a waiting thread looks whether it has been cancelled, should nobody wake it. */
const WAKE_MS = 20;

/** Rows below which a range takes the next segment as well. */
const RANGE_ROWS_MIN = 32_768;

/** Whether a query is read range by range: one that needs few rows, in order, is better off looking for them alone. */
export function canSplit(query: Query): boolean {
  if (isGrouped(query)) return true;
  const [first] = query.orderBy;
  return first !== undefined && !(first.of.kind === "path" && first.of.path === "timestamp");
}

/**
 * Cuts what `segments` hold below `asOf` into ranges. They must follow each other without a gap, which is so
 * when the list of stored segments is complete.
 */
export function cutRanges(segments: readonly Segment[], asOf: bigint): SharedScanData {
  const bounds: bigint[] = [];
  const homes: number[] = [];
  let rows = RANGE_ROWS_MIN;
  for (const segment of segments) {
    if (rows >= RANGE_ROWS_MIN) {
      bounds.push(segment.firstSequence);
      homes.push(segment.id);
      rows = 0;
    }
    rows += segment.rows;
  }
  bounds.push(asOf);
  return {
    memory: new SharedArrayBuffer((TAKEN + homes.length) * 4),
    bounds: BigInt64Array.from(bounds),
    homes: Uint32Array.from(homes),
  };
}

export class SharedScan {
  readonly data: SharedScanData;
  readonly #words: Int32Array;
  readonly #rows: BigInt64Array;

  constructor(data: SharedScanData) {
    this.data = data;
    this.#words = new Int32Array(data.memory);
    this.#rows = new BigInt64Array(data.memory, 0, 2);
  }

  /** The sequence that every thread's snapshot ends at. */
  get asOf(): bigint {
    return this.data.bounds.at(-1) ?? 0n;
  }

  get rowsTotal(): number {
    return Number(this.asOf - (this.data.bounds[0] ?? 0n));
  }

  /** Rows of the ranges that are done. */
  get rowsDone(): number {
    return Number(Atomics.load(this.#rows, ROWS));
  }

  /** Ranges that no thread has taken yet. */
  get rangesLeft(): number {
    let left = 0;
    for (let i = 0; i < this.data.homes.length; i++) left += 1 - this.#taken(i);
    return left;
  }

  /** Whether this thread may help: false once the leading thread has all it needs. Who joins sends one partial. */
  join(): boolean {
    if (Atomics.add(this.#words, GATE, 1) < GATE_SHUT) return true;
    Atomics.sub(this.#words, GATE, 1);
    return false;
  }

  /** Lets nobody in any more; answers how many have joined. */
  shut(): number {
    return Atomics.add(this.#words, GATE, GATE_SHUT);
  }

  /** Says, on the thread that passes partials on, that there is one more, or another reason to look up. */
  arrived(): void {
    Atomics.add(this.#words, ARRIVED, 1);
    Atomics.notify(this.#words, ARRIVED);
  }

  /** Calls `take` until it has answered true `count` times; sleeps in between. Throws CancelledError. */
  collect(count: number, take: () => boolean, isCancelled: () => boolean): void {
    for (let got = 0; got < count; ) {
      const seen = Atomics.load(this.#words, ARRIVED);
      if (isCancelled()) throw new CancelledError();
      if (take()) got++;
      else Atomics.wait(this.#words, ARRIVED, seen, WAKE_MS);
    }
  }

  /**
   * Takes range after range, until there are no more or `stop` says so: those of thread `index` below `threads` first.
   * A range counts as done once the next is asked for.
   */
  *ranges(index: number, threads: number, stop: () => boolean): Generator<SequenceRange> {
    const { bounds, homes } = this.data;
    for (const own of [true, false]) {
      for (let i = 0; i < homes.length; i++) {
        if (((homes[i] as number) % threads === index) !== own || !this.#take(i)) continue;
        const range = { from: bounds[i] as bigint, to: bounds[i + 1] as bigint };
        yield range;
        Atomics.add(this.#rows, ROWS, range.to - range.from);
        if (stop()) return;
      }
    }
  }

  #taken(i: number): number {
    return Atomics.load(this.#words, TAKEN + i);
  }

  #take(i: number): boolean {
    return this.#taken(i) === 0 && Atomics.exchange(this.#words, TAKEN + i, 1) === 0;
  }
}

/**
 * The part of `snapshot` that has the rows of `range`; null when some of them are not there: retention has dropped
 * them since the ranges were cut.
 */
export function partOf(snapshot: Snapshot, { from, to }: SequenceRange): Snapshot | null {
  const { segments } = snapshot;
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOf(segments[middle] as Segment) <= from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  let next = from;
  for (; next < to; end++) {
    const segment = segments[end];
    if (segment === undefined || segment.firstSequence > next) return null;
    next = endOf(segment);
  }
  return { ...snapshot, segments: segments.slice(low, end), asOf: to };
}

function endOf({ firstSequence, rows }: Segment): bigint {
  return firstSequence + BigInt(rows);
}

// Buckets of time as runs of rows: events come nearly in the order of their times, so that a segment has a few long
// runs of rows in one bucket. They are added up run by run; only the rows between them get a group each.

import { LANE_NUMBER } from "../../core/layout.ts";
import type { GroupRows } from "../aggregate/accumulator.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { CancelledError } from "../columns/kernels.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import type { Segment } from "../segments/source.ts";
import type { GroupIds } from "./group-ids.ts";

/** Runs of the rows of a mask, and a mask of the rows that are in none. */
export interface FoundRuns {
  readonly runs: readonly GroupRows[];
  readonly rest: number;
  readonly restCount: number;
}

/** Rows of a segment for each of its runs, at least: a run costs as much as a few thousand rows. */
const runRows = 8192;
/** A mask with fewer of a segment's rows is quicker listed than the segment searched for runs. */
const selectedShare = 8;
const bucketsMax = 65_536;
const stopped = -1;

/** The rows of a mask that lie in some of its words, all of one group. */
class RunRows implements GroupRows {
  readonly segment: Segment;
  readonly mask: number;
  readonly words: readonly [first: number, end: number];
  readonly count: number;
  readonly groups = 0;
  readonly group: number;
  readonly groupCount: number;

  constructor(
    { segment, mask }: { readonly segment: Segment; readonly mask: number },
    words: readonly [number, number],
    count: number,
    group: number,
    groupCount: number,
  ) {
    this.segment = segment;
    this.mask = mask;
    this.words = words;
    this.count = count;
    this.group = group;
    this.groupCount = groupCount;
  }

  rows(): number {
    throw new Error("a run of rows is not listed");
  }
}

export class BucketRuns {
  readonly #run: QueryRun;
  readonly #ids: GroupIds;
  readonly #buckets: Buckets;

  private constructor(run: QueryRun, ids: GroupIds, buckets: Buckets) {
    this.#run = run;
    this.#ids = ids;
    this.#buckets = buckets;
  }

  /** Null where the key is not a bucket of fixed width of the events' timestamps. */
  static of(run: QueryRun, ids: GroupIds, key: Expression): BucketRuns | null {
    if (key.kind !== "bucket" || key.of.kind !== "path" || key.of.path !== "timestamp") return null;
    const buckets = new Buckets(key);
    return buckets.fixed === null ? null : new BucketRuns(run, ids, buckets);
  }

  /** Null where the rows are not mostly in long runs. What it takes is the caller's to release. */
  find(segment: Segment, mask: number, selected: number): FoundRuns | null {
    const { core, kernels, scratch, cancel } = this.#run;
    if (selected * selectedShare < segment.rows) return null;
    const column = segment.column("timestamp", LANE_NUMBER);
    const width = this.#buckets.fixed?.widthUs ?? 0n;
    const start = this.#buckets.span(segment.timeMinUs).startUs;
    const cardinality = (segment.timeMaxUs - start) / width + 1n;
    if (column === 0 || cardinality > bucketsMax) return null;
    const most = 2 + Math.floor(segment.rows / runRows);
    const [firsts, ends, ids] = [most, most, most].map((n) => scratch.take(n * 4)) as Addresses;
    const rest = scratch.take(selectionSize(segment.rows));
    const words = selectionWords(segment.rows);
    const found = kernels.groupRuns(
      column,
      words,
      mask,
      start,
      width,
      firsts,
      ends,
      ids,
      most,
      rest,
      cancel,
    );
    if (found === stopped) throw new CancelledError();
    const restCount = found < 0 ? selected : kernels.selectionCount(rest, words);
    if (restCount * 2 > selected) return null;
    this.#ids.translateBuckets(
      { base: start, step: width, cardinality: Number(cardinality) },
      ids,
      found,
    );
    const { u32 } = core;
    const at = (list: number, i: number): number => u32[(list >>> 2) + i] as number;
    const runs: GroupRows[] = [];
    for (let i = 0; i < found; i++) {
      const [first, end] = [at(firsts, i), at(ends, i)];
      const count = kernels.selectionCount(mask + first * 8, end - first);
      const groupCount = this.#ids.groupCount;
      runs.push(new RunRows({ segment, mask }, [first, end], count, at(ids, i), groupCount));
    }
    return { runs, rest, restCount };
  }
}

type Addresses = [firsts: number, ends: number, ids: number];

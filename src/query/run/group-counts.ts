// How many rows each group of a segment has, where a query wants nothing else and the values of its key are codes: the
// codes are counted, and each that some row has is looked up once.

import { COLUMN_DICT_COUNT, LANE_BOOLEAN, LANE_ID, LANE_NUMBER } from "../../core/layout.ts";
import type { LaneColumn } from "../columns/cells.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import { selectionWords } from "../columns/selection.ts";
import type { Segment } from "../segments/source.ts";
import type { GroupIds } from "./group-ids.ts";

/** Groups, u32 each at `groups`, each once, and how many rows they have, u64 each at `times`. */
export interface CountedGroups {
  readonly groups: number;
  readonly times: number;
  readonly count: number;
}

/** Dictionaries up to here are counted in two tables, in turns. */
const twiceMax = 1024;

export class GroupCounts {
  readonly #run: QueryRun;
  readonly #ids: GroupIds;

  constructor(run: QueryRun, ids: GroupIds) {
    this.#run = run;
    this.#ids = ids;
  }

  /** Null where the key has other values than codes, or more codes than rows. The caller releases what it takes. */
  of(segment: Segment, mask: number, selected: number): CountedGroups | null {
    const lanes = this.#ids.lanes(0, segment, mask);
    if (lanes.some(({ lane }) => lane === LANE_NUMBER || lane === LANE_ID)) return null;
    const widths = lanes.map((lane) => this.#width(lane));
    const cardinality = widths.reduce((all, width) => all + width, 1);
    if (cardinality > selected) return null;
    const { core, scratch } = this.#run;
    const ids = scratch.take(cardinality * 4);
    const times = scratch.take(cardinality * 8);
    let [rows, count, first] = [0, 0, 1];
    for (const [i, { address }] of lanes.entries()) {
      const width = widths[i] as number;
      const room = { width, first, ids: ids + count * 4, times: times + count * 8 };
      const { rows: found, codes } = this.#count(address, segment, mask, room);
      rows += found;
      count += codes;
      first += width;
    }
    if (rows < selected) {
      core.u32[(ids >>> 2) + count] = 0;
      core.view.setBigUint64(times + count * 8, BigInt(selected - rows), true);
      count++;
    }
    this.#ids.translateCodes(lanes, widths, segment, selected, ids, count);
    return { groups: ids, times, count };
  }

  #width({ lane, address }: LaneColumn): number {
    if (lane === LANE_BOOLEAN) return 2;
    return Atomics.load(this.#run.core.u32, (address + COLUMN_DICT_COUNT) >>> 2);
  }

  #count(
    column: number,
    segment: Segment,
    mask: number,
    room: { readonly width: number; readonly first: number; ids: number; times: number },
  ): { readonly rows: number; readonly codes: number } {
    const { kernels, scratch, cancel } = this.#run;
    const { width, first, ids, times } = room;
    const mark = scratch.mark();
    const tables = width <= twiceMax ? 2 : 1;
    const counts = scratch.take(width * tables * 4);
    kernels.groupFill(counts, width * tables * 4, 0);
    const other = counts + (tables - 1) * width * 4;
    const words = selectionWords(segment.rows);
    const rows = finished(kernels.groupCounts(column, words, mask, counts, other, cancel));
    const codes = kernels.groupCounted(counts, other, width, first, ids, times);
    scratch.release(mark);
    return { rows, codes };
  }
}

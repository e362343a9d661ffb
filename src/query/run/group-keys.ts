// Group ids within one segment: a small integer a row that names its combination of key values, and the way
// back from the integer to the values. See assembly/aggregate/keys.ts.

import {
  KEYS_COUNT,
  KEYS_ENTRIES,
  KEYS_MASK,
  KEYS_SIZE,
  KEYS_SLOTS,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NUMBER,
} from "../../core/layout.ts";
import { LimitError } from "../../errors.ts";
import { dictionaryOf } from "../aggregate/measure.ts";
import type { LegacyKey as GroupKey } from "../legacy.ts";
import { lanesOf } from "../plan/filter.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import type { Cells } from "./cells.ts";
import { integer } from "./cells.ts";
import type { ComputedColumns } from "./computed.ts";
import type { QueryRun } from "./kernels.ts";
import { finished } from "./kernels.ts";

/** The selected rows of a segment: `count` u32 at `rows`, ascending. */
export interface RowList {
  readonly segment: Segment;
  readonly rows: number;
  readonly count: number;
}

/** One u32 a listed row at `ids`, each below `cardinality`. */
interface LocalKey {
  readonly ids: number;
  readonly cardinality: number;
  /** The key's value, given its id. */
  value(id: number): Value;
}

/** Ids of the combinations of all keys. */
export interface GroupIds {
  readonly ids: number;
  readonly cardinality: number;
  /** The id of each key within the combination `id`. */
  split(id: number): number[];
  readonly keys: readonly LocalKey[];
}

/** Combinations are computed, not interned, up to so many; or twice the rows, when those are more. */
const computedMax = 65_536;

export class GroupKeys {
  readonly #run: QueryRun;
  readonly #cells: Cells;
  readonly #computed: ComputedColumns;

  constructor(run: QueryRun, cells: Cells, computed: ComputedColumns) {
    this.#run = run;
    this.#cells = cells;
    this.#computed = computed;
  }

  /** Group ids of the listed rows; the memory is the caller's to release. */
  assign(keys: readonly GroupKey[], list: RowList): GroupIds {
    const { kernels, scratch, cancel } = this.#run;
    const locals = keys.map((key) =>
      key.kind === "bucket" ? this.#bucket(key, list) : this.#field(key.path, list),
    );
    const first = locals[0] as LocalKey;
    const steps: { cardinality: number; entries: number }[] = [];
    let cardinality = first.cardinality;
    for (const key of locals.slice(1)) {
      const product = cardinality * key.cardinality;
      if (product <= Math.max(computedMax, list.count * 2)) {
        kernels.combineKeys(first.ids, key.ids, list.count, key.cardinality);
        steps.push({ cardinality: key.cardinality, entries: 0 });
        cardinality = product;
        continue;
      }
      const table = this.#table(list.count);
      finished(kernels.internKeys(first.ids, key.ids, list.count, key.cardinality, table, cancel));
      steps.push({ cardinality: key.cardinality, entries: this.#word(table + KEYS_ENTRIES) });
      cardinality = this.#word(table + KEYS_COUNT);
    }
    if (cardinality > scratch.left / 128) {
      throw new LimitError("query_groups", `the query makes too many groups in one segment`);
    }
    return {
      ids: first.ids,
      cardinality,
      keys: locals,
      split: (id) => this.#split(id, steps),
    };
  }

  #word(address: number): number {
    return this.#run.core.u32[address >>> 2] as number;
  }

  #split(id: number, steps: readonly { cardinality: number; entries: number }[]): number[] {
    const ids: number[] = [];
    let rest = id;
    for (const { cardinality, entries } of steps.toReversed()) {
      if (entries !== 0) {
        const entry = entries + rest * 16;
        rest = this.#word(entry) + this.#word(entry + 4) * 2 ** 32;
      }
      ids.push(rest % cardinality);
      rest = Math.floor(rest / cardinality);
    }
    ids.push(rest);
    return ids.reverse();
  }

  /** An empty intern table for at most `count` keys. */
  #table(count: number): number {
    const { core, scratch } = this.#run;
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, count * 2)));
    const table = scratch.take(KEYS_SIZE);
    const slotsAt = scratch.take(slots * 4);
    core.u32.fill(0, slotsAt >>> 2, (slotsAt >>> 2) + slots);
    core.u32[(table + KEYS_MASK) >>> 2] = slots - 1;
    core.u32[(table + KEYS_COUNT) >>> 2] = 0;
    core.u32[(table + KEYS_SLOTS) >>> 2] = slotsAt;
    core.u32[(table + KEYS_ENTRIES) >>> 2] = scratch.take(count * 16);
    return table;
  }

  #bucket(key: Extract<GroupKey, { kind: "bucket" }>, list: RowList): LocalKey {
    const { kernels, scratch, cancel } = this.#run;
    const { widthUs, originUs } = key;
    const { segment } = list;
    const column = this.#computed.column(segment, "timestamp", LANE_NUMBER);
    const first = floorDivide(segment.timeMinUs - originUs, widthUs);
    const span = floorDivide(segment.timeMaxUs - originUs, widthUs) - first + 1n;
    const ids = scratch.take(list.count * 4);
    const start = (bucket: bigint): bigint => originUs + (first + bucket) * widthUs;
    const table = span <= computedMax ? 0 : this.#table(list.count);
    finished(
      kernels.keyBuckets(
        column,
        list.rows,
        list.count,
        ids,
        widthUs,
        originUs,
        first,
        table,
        cancel,
      ),
    );
    if (table === 0) {
      return { ids, cardinality: Number(span), value: (id) => start(BigInt(id)) };
    }
    const entries = this.#word(table + KEYS_ENTRIES);
    const { view } = this.#run.core;
    return {
      ids,
      cardinality: this.#word(table + KEYS_COUNT),
      value: (id) => start(view.getBigInt64(entries + id * 16, true)),
    };
  }

  /** A path is a variant over its lanes: id 0 is NULL, then each lane has a range of ids. */
  #field(path: string, list: RowList): LocalKey {
    const { core, scratch } = this.#run;
    const ids = scratch.take(list.count * 4);
    core.u32.fill(0, ids >>> 2, (ids >>> 2) + list.count);
    const lanes: { offset: number; value: (id: number) => Value }[] = [];
    let cardinality = 1;
    for (const lane of lanesOf(path)) {
      const column = this.#computed.column(list.segment, path, lane);
      if (column === 0) continue;
      const local = this.#lane(column, lane, list, ids, cardinality);
      lanes.push({ offset: cardinality, value: local.value });
      cardinality += local.count;
    }
    lanes.reverse();
    const value = (id: number): Value => {
      const lane = lanes.find((one) => id >= one.offset);
      return lane === undefined ? null : lane.value(id - lane.offset);
    };
    return { ids, cardinality, value };
  }

  /** Gives the rows that have a value in this lane their ids, from `offset` on. */
  #lane(
    column: number,
    lane: number,
    list: RowList,
    ids: number,
    offset: number,
  ): { count: number; value: (id: number) => Value } {
    const { kernels, cancel, core } = this.#run;
    const { rows, count } = list;
    if (lane === LANE_NUMBER) {
      const table = this.#table(count);
      finished(kernels.keyNumbers(column, rows, count, ids, offset, table, cancel));
      const entries = this.#word(table + KEYS_ENTRIES);
      return {
        count: this.#word(table + KEYS_COUNT),
        value: (id) => {
          const entry = entries + id * 16;
          if (this.#word(entry + 8) === 1) return core.view.getFloat64(entry, true);
          return integer(core.view.getBigInt64(entry, true));
        },
      };
    }
    if (lane === LANE_ID) return this.#idLane(column, list, ids, offset);
    finished(kernels.keyCodes(column, rows, count, ids, offset, cancel));
    if (lane === LANE_BOOLEAN) return { count: 2, value: (id) => id !== 0 };
    return {
      count: dictionaryOf(this.#run, column).count,
      value: (code) => {
        const text = this.#cells.text(column, code);
        return lane === LANE_JSON ? new JsonText(text) : text;
      },
    };
  }

  /** Ids are nearly always different: each row is its own group here, and equal ones merge by their text. */
  #idLane(column: number, list: RowList, ids: number, offset: number) {
    const { core } = this.#run;
    for (let i = 0; i < list.count; i++) core.u32[(ids >>> 2) + i] = offset + i;
    const value = (id: number): Value => {
      const row = this.#word(list.rows + id * 4);
      const page = this.#cells.page(column, row);
      return page === 0 ? null : this.#cells.id(page, row);
    };
    return { count: list.count, value };
  }
}

/** Quotient rounded down; `divisor` is positive. */
function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

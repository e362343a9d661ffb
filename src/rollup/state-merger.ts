// Merges the states of groups, many groups at once: each is numbered, and the number is the key of a fold.

import type { LaneSource } from "../query/aggregate/accumulator.ts";
import { PartialReader, PartialWriter } from "../query/aggregate/partial-bytes.ts";
import type { Cells } from "../query/columns/cells.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import { barePath } from "../query/expression/expression.ts";
import type { GroupKey } from "../query/query.ts";
import type { SplitGroup } from "../query/run/fold-bytes.ts";
import { groupKeyValues, joinGroups, splitGroups } from "../query/run/fold-bytes.ts";
import type { FoldFilters, FoldQuery } from "../query/run/group-fold.ts";
import { GroupFold } from "../query/run/group-fold.ts";

/** Bytes of states that are merged at once. */
const mergedMax = 4 * 1024 * 1024;
const integerKind = 2;

/** Nothing is computed: what is merged is computed already. */
const noColumns: LaneSource = { lanes: () => [] };
/** What it is a path of means nothing: no rows are added. */
const numberKey: GroupKey = { of: barePath("event_type"), as: "number" };

export interface StateMergerParts {
  /** Its scratch is empty between calls. */
  readonly run: QueryRun;
  readonly cells: Cells;
  /** What the states are of, whatever its keys. */
  readonly query: FoldQuery;
  readonly filters: FoldFilters;
}

export class StateMerger {
  readonly #parts: StateMergerParts;

  constructor(parts: StateMergerParts) {
    this.#parts = parts;
  }

  /** The states of each group, merged. A group of which there are none, or only empty ones, has empty ones. */
  merge(groups: readonly (readonly Uint8Array[])[]): Uint8Array[] {
    const merged: Uint8Array[] = groups.map(() => new Uint8Array(0));
    let some: SplitGroup[] = [];
    let bytes = 0;
    groups.forEach((states, index) => {
      const own = states.filter(({ length }) => length > 0);
      if (own.length < 2) {
        if (own[0]) merged[index] = own[0];
        return;
      }
      const key = keyOf(index);
      for (const one of own) {
        some.push({ key, states: one });
        bytes += one.length;
      }
      if (bytes < mergedMax) return;
      this.#fold(some, merged);
      some = [];
      bytes = 0;
    });
    if (some.length > 0) this.#fold(some, merged);
    return merged;
  }

  #fold(groups: readonly SplitGroup[], merged: Uint8Array[]): void {
    const { run, cells, query, filters } = this.#parts;
    run.scratch.reset();
    try {
      const fold = new GroupFold({
        query: { ...query, groupBy: [numberKey] },
        run,
        cells,
        computed: noColumns,
        filters,
        select: () => 0,
      });
      fold.merge(new PartialReader(joinGroups(groups, 1)));
      const out = new PartialWriter();
      fold.encode(out);
      for (const { key, states } of splitGroups(out.bytes(), 1)) {
        merged[groupKeyValues(key)[0] as number] = states;
      }
    } finally {
      run.scratch.reset();
    }
  }
}

function keyOf(index: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = integerKind;
  new DataView(key.buffer).setUint32(1, index, true);
  return key;
}

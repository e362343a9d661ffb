import type { LaneSource } from "../query/aggregate/accumulator.ts";
import { PartialReader } from "../query/aggregate/partial-bytes.ts";
import type { Cells } from "../query/columns/cells.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import type { LeafValue } from "../query/expression/scalar.ts";
import type { Value } from "../query/result.ts";
import { joinGroups } from "../query/run/fold-bytes.ts";
import { GroupFold } from "../query/run/group-fold.ts";
import { compileResult } from "../query/run/shown.ts";
import type { Rule } from "./rule.ts";
import { foldOwn, ruleFold, ruleFoldFilters } from "./rule-fold.ts";
import { shownValue } from "./shown-value.ts";

/** Partials that go into one group, which lasts `durationUs`. */
export interface MergedGroup {
  readonly durationUs: bigint;
  readonly group: readonly Value[];
  readonly partials: readonly Uint8Array[];
}

/** Bytes of partials that are merged at a time: in working memory sketches take some times as much. */
const pieceBytes = 1024 * 1024;

/** Groups whose partials have about so many bytes together. */
function* pieces(
  groups: readonly MergedGroup[],
  indexes: readonly number[],
): Generator<readonly number[]> {
  let [first, bytes] = [0, 0];
  for (let i = 0; i < indexes.length; i++) {
    const { partials } = groups[indexes[i] as number] as MergedGroup;
    const own = partials.reduce((sum, { length }) => sum + length, 0);
    if (bytes > 0 && bytes + own > pieceBytes) {
      yield indexes.slice(first, i);
      [first, bytes] = [i, 0];
    }
    bytes += own;
  }
  if (first < indexes.length) yield indexes.slice(first);
}

/** Nothing is computed: what is merged is computed already. */
const noColumns: LaneSource = { lanes: () => [] };
/** The key NULL: which group a partial belongs to is said beside it. */
const nullKey = new Uint8Array(1);
const keyHeadSize = 8;
const keyEntrySize = 16;

/** The values of a rule for groups that are kept as partials. Its scratch is its own and is empty between calls. */
export class WindowValues {
  readonly #run: QueryRun;
  readonly #cells: Cells;

  constructor(run: QueryRun, cells: Cells) {
    this.#run = run;
    this.#cells = cells;
  }

  /** The rule's `values` of each group. Throws LimitError, CorruptionError. */
  of(rule: Rule, groups: readonly MergedGroup[]): Value[][] {
    const hasRate = rule.aggregates.some(({ fn }) => fn === "rate");
    const values = new Array<Value[]>(groups.length);
    const durations = new Map<bigint, number[]>();
    groups.forEach(({ durationUs }, index) => {
      const key = hasRate ? durationUs : 0n;
      const same = durations.get(key);
      if (same) same.push(index);
      else durations.set(key, [index]);
    });
    for (const [durationUs, indexes] of durations) {
      for (const some of pieces(groups, indexes)) {
        this.#fold(rule, durationUs, groups, some, values);
      }
    }
    return values;
  }

  #fold(
    rule: Rule,
    durationUs: bigint,
    groups: readonly MergedGroup[],
    indexes: readonly number[],
    values: Value[][],
  ): void {
    const { scratch } = this.#run;
    scratch.reset();
    try {
      const fold = this.#merged({ ...rule, keys: [] }, durationUs, groups, indexes);
      const own = fold.values().slice(foldOwn);
      const outputs = rule.values.map(({ of }) => compileResult(of));
      indexes.forEach((index, i) => {
        const { group } = groups[index] as MergedGroup;
        const leaf: LeafValue = (one) => {
          if (one.kind === "aggregate") return own[one.aggregate]?.(i) ?? null;
          return one.kind === "key" ? (group[one.key] ?? null) : null;
        };
        values[index] = outputs.map((output) => shownValue(output, leaf));
      });
    } finally {
      scratch.reset();
    }
  }

  /** The i-th of `indexes` is group i. */
  #merged(
    rule: Rule,
    durationUs: bigint,
    groups: readonly MergedGroup[],
    indexes: readonly number[],
  ): GroupFold {
    const fold = new GroupFold({
      query: ruleFold(rule, 0n, durationUs),
      run: this.#run,
      cells: this.#cells,
      computed: noColumns,
      filters: ruleFoldFilters(rule),
      select: () => 0,
    });
    const states: { key: Uint8Array; states: Uint8Array }[] = [];
    const into: number[] = [];
    indexes.forEach((index, i) => {
      for (const partial of (groups[index] as MergedGroup).partials) {
        // A window of which only too late rows are known has no states.
        if (partial.length === 0) continue;
        states.push({ key: nullKey, states: partial });
        into.push(i);
      }
    });
    if (states.length === 0) return fold;
    const content = new PartialReader(joinGroups(states, 1));
    content.raw(keyHeadSize + states.length * keyEntrySize);
    fold.mergeStates(content, Uint32Array.from(into));
    return fold;
  }
}

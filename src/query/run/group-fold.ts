// What grouped rows are folded into: which groups there are, and the state of every aggregate for each of them. A query
// over stored segments has one for each thread, an aggregation rule one for each of its panes.

import type { Accumulator, GroupRows, LaneSource } from "../aggregate/accumulator.ts";
import { CountState } from "../aggregate/count.ts";
import { createAccumulator, sharedStateKey } from "../aggregate/create.ts";
import type { PartialReader, PartialWriter } from "../aggregate/partial-bytes.ts";
import type { Cells } from "../columns/cells.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import type { Filter } from "../plan/filter.ts";
import { bind } from "../plan/filter.ts";
import type { Aggregate, Predicate, Query } from "../query.ts";
import type { Value } from "../result.ts";
import type { Segment } from "../segments/source.ts";
import { BucketRuns } from "./bucket-runs.ts";
import { GroupCounts } from "./group-counts.ts";
import { GroupIds } from "./group-ids.ts";
import { GroupTable } from "./group-table.ts";
import type { StageClock } from "./stages.ts";

export type FoldQuery = Pick<Query, "groupBy" | "aggregates" | "fromUs" | "toUs">;

export interface GroupFoldParts {
  readonly query: FoldQuery;
  /** Memory of the groups and of the states is kept in its scratch. */
  readonly run: QueryRun;
  readonly cells: Cells;
  readonly computed: LaneSource;
  /** As `foldFilters` makes them of the query's aggregates. */
  readonly filters: FoldFilters;
  /** Writes to `out` those of the rows in `mask` that pass one of the `filters`; answers how many. */
  readonly select: (filter: Filter, segment: Segment, mask: number, out: number) => number;
  /** Told where time goes, if it is asked. */
  readonly stages?: StageClock | undefined;
  /** There are many folds with few groups each: they begin small. */
  readonly small?: boolean | undefined;
}

/** The filter of each predicate of an aggregate; the same for equal ones. */
export type FoldFilters = ReadonlyMap<Predicate | null, Filter>;

/** The aggregates of one filter; each state once, whatever the number of aggregates that derive from it. */
interface Measured {
  readonly filter: Filter;
  readonly states: Accumulator[];
}

/** Types of keys whose values are mostly codes. */
const coded: ReadonlySet<ValueType> = new Set(["string", "boolean", "variant", "json"] as const);

export class GroupFold {
  /** Null: all rows are one group. */
  readonly table: GroupTable | null;
  readonly #parts: GroupFoldParts;
  readonly #ids: GroupIds | null;
  /** Where there is nothing but to count the rows of each value of a key. */
  readonly #counts: GroupCounts | null = null;
  /** Where all states take runs, of a bucket. */
  readonly #runs: BucketRuns | null = null;
  readonly #measured: readonly Measured[];
  /** By aggregate. */
  readonly #states: readonly Accumulator[];

  constructor(parts: GroupFoldParts) {
    this.#parts = parts;
    const { query, run, cells, computed, small } = parts;
    const { groupBy } = query;
    this.table = groupBy.length > 0 ? new GroupTable(run, cells, groupBy.length, small) : null;
    this.#ids = this.table && new GroupIds(run, computed, groupBy, this.table);
    const { measured, states } = this.#accumulators();
    this.#measured = measured;
    this.#states = states;
    const [only] = groupBy;
    if (this.#ids === null || groupBy.length !== 1 || !only) return;
    const [{ filter = null, states: all = [] } = {}, ...others] = measured;
    if (filter?.kind !== "all" || others.length > 0) return;
    const [first] = all;
    const isCount = all.length === 1 && first instanceof CountState && first.ofRows;
    if (isCount && coded.has(only.of.type)) this.#counts = new GroupCounts(run, this.#ids);
    if (all.every(({ takesRuns }) => takesRuns)) {
      this.#runs = BucketRuns.of(run, this.#ids, only.of);
    }
  }

  #accumulators(): { measured: Measured[]; states: Accumulator[] } {
    const { query, run, cells, computed, filters, small } = this.#parts;
    const context = {
      run,
      cells,
      computed,
      rateSeconds: rateSeconds(query, this.table),
      small,
    };
    const byFilter = new Map<Filter, Measured>();
    const byKey = new Map<string, Accumulator>();
    const states = query.aggregates.map((aggregate) => {
      const filter = filters.get(aggregate.filter) as Filter;
      const measured = byFilter.get(filter) ?? { filter, states: [] };
      byFilter.set(filter, measured);
      const key = `${[...byFilter.keys()].indexOf(filter)} ${sharedStateKey(aggregate)}`;
      let state = byKey.get(key);
      if (state === undefined) {
        state = createAccumulator(aggregate, context);
        byKey.set(key, state);
        measured.states.push(state);
      }
      return state;
    });
    return { measured: [...byFilter.values()], states };
  }

  /** How many groups there are. */
  get count(): number {
    return this.table?.count ?? 1;
  }

  /** The groups of the `selected` rows in `mask`; new ones are made. What it takes is the caller's to release. */
  assign(segment: Segment, mask: number, selected: number): GroupRows {
    const { run, stages } = this.#parts;
    if (this.#ids === null) return new SelectedRows(run, segment, mask, selected, 0, 0, 1);
    const before = stages?.enter("group") ?? null;
    const rows = run.scratch.take(selected * 4);
    const count = run.kernels.selectionRows(mask, selectionWords(segment.rows), rows);
    const groups = this.#ids.assign({ segment, mask, rows, count });
    stages?.enter(before);
    return new SelectedRows(run, segment, mask, selected, rows, groups, this.count);
  }

  /** As `assign`, of rows that are listed already: `count` u32 at `rows`, ascending. */
  assignListed(segment: Segment, mask: number, rows: number, count: number): GroupRows {
    const { run } = this.#parts;
    const groups = this.#ids?.assign({ segment, mask, rows, count }) ?? 0;
    return new SelectedRows(run, segment, mask, count, rows, groups, this.count);
  }

  /** Adds rows to the states of their groups. What it takes is the caller's to release. */
  addAssigned(all: GroupRows): void {
    const { run, stages } = this.#parts;
    for (const { filter, states } of this.#measured) {
      const mark = run.scratch.mark();
      const rows = filter.kind === "all" ? all : this.#filtered(filter, all);
      if (rows.count > 0) {
        const before = stages?.enter("aggregate") ?? null;
        for (const state of states) state.add(rows);
        stages?.enter(before);
      }
      // What was taken for all rows stays until the segment is left.
      if (filter.kind !== "all") run.scratch.release(mark);
    }
  }

  /** As `assign`, for those who don't ask for the groups of rows: answers what adds them to the states. */
  prepare(segment: Segment, mask: number, selected: number): () => void {
    const { stages } = this.#parts;
    const before = stages?.enter("group") ?? null;
    const counted = this.#counts?.of(segment, mask, selected) ?? null;
    const found = this.#runs?.find(segment, mask, selected) ?? null;
    stages?.enter(before);
    const [{ states = [] } = {}] = this.#measured;
    if (counted !== null) {
      const { groups, times, count } = counted;
      return () => (states[0] as CountState).addTimes(groups, times, count, this.count);
    }
    if (found === null) {
      const rows = this.assign(segment, mask, selected);
      return () => this.addAssigned(rows);
    }
    const { runs, rest, restCount } = found;
    const parts = restCount === 0 ? runs : [...runs, this.assign(segment, rest, restCount)];
    return () => {
      const outer = stages?.enter("aggregate") ?? null;
      for (const part of parts) for (const state of states) state.add(part);
      stages?.enter(outer);
    };
  }

  /** Both; answers the rows and the groups that they were added to. */
  add(segment: Segment, mask: number, selected: number): GroupRows {
    const rows = this.assign(segment, mask, selected);
    this.addAssigned(rows);
    return rows;
  }

  #filtered(filter: Filter, all: GroupRows): GroupRows {
    const { run, select } = this.#parts;
    const { kernels, scratch } = run;
    const { segment } = all;
    const mask = scratch.take(selectionSize(segment.rows));
    const count = select(filter, segment, all.mask, mask);
    if (all.groups === 0 || count === 0) {
      return new SelectedRows(run, segment, mask, count, 0, 0, all.groupCount);
    }
    const rows = scratch.take((count + 1) * 4);
    const groups = scratch.take((count + 1) * 4);
    kernels.groupCompact(all.rows(), all.groups, all.count, mask, rows, groups);
    return new SelectedRows(run, segment, mask, count, rows, groups, all.groupCount);
  }

  /** The content of a partial of groups: them, then their states. See docs/formats/partial.md. */
  encode(out: PartialWriter): void {
    this.table?.encode(out);
    this.encodeStates(this.count, out);
  }

  /** The states alone, of the groups below `groupCount`: of a fold whose groups are numbered by somebody else. */
  encodeStates(groupCount: number, out: PartialWriter): void {
    for (const { states } of this.#measured) {
      for (const state of states) state.encode(groupCount, out);
    }
  }

  /** Adds the groups that `content` begins with; answers which ones they are here. Its states are next. */
  mergeGroups(content: PartialReader): Uint32Array {
    return this.table?.merge(content) ?? new Uint32Array(1);
  }

  /** Merges the states that follow; the i-th group's go to `groups[i]`. Throws CorruptionError. */
  mergeStates(content: PartialReader, groups: Uint32Array): void {
    for (const { states } of this.#measured) {
      for (const state of states) state.merge(content, groups);
    }
  }

  /** Adds what `encode` has written; answers which of the groups here its groups are. */
  merge(content: PartialReader): Uint32Array {
    const groups = this.mergeGroups(content);
    this.mergeStates(content, groups);
    return groups;
  }

  /** By aggregate, the value of a group, when all is added. Memory is taken meanwhile, not kept. */
  values(): readonly ((group: number) => Value)[] {
    return this.#parts.query.aggregates.map((one, i) =>
      (this.#states[i] as Accumulator).finish(one),
    );
  }

  /** The values of all groups of an aggregate as numbers; see Accumulator. */
  numbers(aggregate: number): Float64Array | null {
    const one = this.#parts.query.aggregates[aggregate] as Aggregate;
    return (this.#states[aggregate] as Accumulator).numbers?.(one, this.count) ?? null;
  }
}

/** Selected rows and their groups; the list is made when it is first asked for. */
class SelectedRows implements GroupRows {
  readonly segment: Segment;
  readonly mask: number;
  readonly count: number;
  readonly groups: number;
  readonly groupCount: number;
  readonly #run: QueryRun;
  readonly #rows: number;
  #isListed: boolean;

  constructor(
    run: QueryRun,
    segment: Segment,
    mask: number,
    count: number,
    rows: number,
    groups: number,
    groupCount: number,
  ) {
    this.#run = run;
    this.segment = segment;
    this.mask = mask;
    this.count = count;
    this.#isListed = rows !== 0;
    // Whoever asks first may give back what is taken after that: so the memory is taken now, and filled then.
    this.#rows = rows !== 0 ? rows : run.scratch.take(count * 4);
    this.groups = groups;
    this.groupCount = groupCount;
  }

  rows(): number {
    if (!this.#isListed) {
      const words = selectionWords(this.segment.rows);
      this.#run.kernels.selectionRows(this.mask, words, this.#rows);
      this.#isListed = true;
    }
    return this.#rows;
  }
}

/** One Filter for each distinct predicate, so that it is evaluated once. */
export function foldFilters(aggregates: readonly Aggregate[]): FoldFilters {
  const filters = new Map<Predicate | null, Filter>([[null, { kind: "all" }]]);
  const byText = new Map<string, Filter>();
  for (const { filter } of aggregates) {
    if (filter === null || filters.has(filter)) continue;
    const text = JSON.stringify(filter, (_, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    const known = byText.get(text) ?? bind(filter, false);
    byText.set(text, known);
    filters.set(filter, known);
  }
  return filters;
}

/** Seconds that a group covers: its bucket cut to the query's range, or that range; undefined where neither says. */
function rateSeconds(
  query: FoldQuery,
  table: GroupTable | null,
): ((group: number) => number) | undefined {
  const { fromUs, toUs } = query;
  const key = query.groupBy.findIndex(({ of }) => isTimeBucket(of));
  if (key >= 0 && table !== null) {
    const buckets = new Buckets(query.groupBy[key]?.of as Extract<Expression, { kind: "bucket" }>);
    return (group) => {
      const start = table.valueOf(group, key) as number | bigint;
      const { startUs, endUs } = buckets.span(start);
      const from = fromUs !== null && fromUs > startUs ? fromUs : startUs;
      const to = toUs !== null && toUs < endUs ? toUs : endUs;
      return Number(to - from) / 1e6;
    };
  }
  if (fromUs === null || toUs === null) return undefined;
  return () => Number(toUs - fromUs) / 1e6;
}

function isTimeBucket(of: Expression): boolean {
  return of.kind === "bucket" && of.of.kind === "path" && of.of.path === "timestamp";
}

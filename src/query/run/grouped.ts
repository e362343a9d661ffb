// Queries that answer groups: per segment the group of each selected row, then every aggregate over those groups.

import { LimitError } from "../../errors.ts";
import { resultGroupsMax } from "../../limits.ts";
import type { Accumulator, GroupRows } from "../aggregate/accumulator.ts";
import { createAccumulator, sharedStateKey } from "../aggregate/create.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import type { Filter } from "../plan/filter.ts";
import { bind, planFilter } from "../plan/filter.ts";
import type { Predicate, Query } from "../query.ts";
import type { QueryResult } from "../result.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import type { QueryExecution, QueryLimits, SequenceRange } from "./execution.ts";
import { finishGroups } from "./finish-groups.ts";
import { GroupIds } from "./group-ids.ts";
import { GroupTable } from "./group-table.ts";
import { groupsKind, readPartial, writePartial } from "./partial-query.ts";
import type { QueryThreadState } from "./scan.ts";
import { Scan } from "./scan.ts";
import { shownType } from "./shown.ts";

/** The aggregates of one filter; each state once, whatever the number of aggregates that derive from it. */
interface Measured {
  readonly filter: Filter;
  readonly states: Accumulator[];
}

export class GroupedExecution implements QueryExecution {
  readonly query: Query;
  readonly #state: QueryThreadState;
  readonly #scan: Scan;
  readonly #groupsMax: number;
  readonly #rowsMax: number;
  readonly #startMs: number;
  /** Null: all rows are one group. */
  readonly #table: GroupTable | null;
  readonly #ids: GroupIds | null;
  readonly #measured: readonly Measured[];
  /** By aggregate. */
  readonly #states: readonly Accumulator[];
  #asOf = 0n;

  constructor(query: Query, state: QueryThreadState, limits: QueryLimits) {
    this.query = query;
    this.#state = state;
    this.#startMs = state.clock.monotonicMs();
    this.#groupsMax = limits.groups ?? resultGroupsMax;
    this.#rowsMax = limits.rows ?? this.#groupsMax;
    const filters = aggregateFilters(query);
    this.#scan = new Scan(state, planFilter(query), {
      expressions: [
        ...query.groupBy.map(({ of }) => of),
        ...query.aggregates.flatMap(({ of }) => (of === null ? [] : [of])),
      ],
      filters: [...filters.values()],
      deadlineMs: limits.deadlineMs,
    });
    const grouped = query.groupBy.length > 0;
    this.#table = grouped ? new GroupTable(state.run, state.cells, query.groupBy.length) : null;
    this.#ids =
      this.#table && new GroupIds(state.run, this.#scan.computed, query.groupBy, this.#table);
    const { measured, states } = this.#accumulators(filters);
    this.#measured = measured;
    this.#states = states;
  }

  #accumulators(filters: ReadonlyMap<Predicate | null, Filter>): {
    measured: Measured[];
    states: Accumulator[];
  } {
    const { run, cells } = this.#state;
    const context = {
      run,
      cells,
      computed: this.#scan.computed,
      rateSeconds: rateSeconds(this.query, this.#table),
    };
    const byFilter = new Map<Filter, Measured>();
    const byKey = new Map<string, Accumulator>();
    const states = this.query.aggregates.map((aggregate) => {
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

  run(snapshot: Snapshot, range?: SequenceRange): void {
    for (const segment of snapshot.segments) {
      this.#scan.segment(
        segment,
        (mask, selected, timed) => this.#add(timed, mask, selected),
        { kind: "all" },
        range ?? null,
      );
    }
    this.#reach(range?.to ?? snapshot.asOf);
  }

  #reach(asOf: bigint): void {
    if (asOf > this.#asOf) this.#asOf = asOf;
  }

  #add(segment: Segment, mask: number, selected: number): void {
    const { stages } = this.#scan;
    let all: SelectedRows;
    if (this.#ids !== null) {
      const before = stages.enter("group");
      const list = this.#scan.rows(segment, mask, selected);
      const groups = this.#ids.assign(list);
      stages.enter(before);
      this.#checkGroups();
      all = new SelectedRows(this.#state, segment, mask, selected, list.rows, groups, this.#count);
    } else all = new SelectedRows(this.#state, segment, mask, selected, 0, 0, 1);
    for (const { filter, states } of this.#measured) {
      const mark = this.#state.run.scratch.mark();
      const rows = filter.kind === "all" ? all : this.#filtered(filter, all);
      if (rows.count > 0) {
        const before = stages.enter("aggregate");
        for (const state of states) state.add(rows);
        stages.enter(before);
      }
      // What was taken for all rows stays until the segment is left.
      if (filter.kind !== "all") this.#state.run.scratch.release(mark);
    }
  }

  #filtered(filter: Filter, all: SelectedRows): SelectedRows {
    const { kernels, scratch } = this.#state.run;
    const { segment } = all;
    const mask = scratch.take(selectionSize(segment.rows));
    const count = this.#scan.select(filter, segment, all.mask, mask);
    if (all.groups === 0 || count === 0) {
      return new SelectedRows(this.#state, segment, mask, count, 0, 0, all.groupCount);
    }
    const rows = scratch.take((count + 1) * 4);
    const groups = scratch.take((count + 1) * 4);
    kernels.groupCompact(all.rows(), all.groups, all.count, mask, rows, groups);
    return new SelectedRows(this.#state, segment, mask, count, rows, groups, all.groupCount);
  }

  get #count(): number {
    return this.#table?.count ?? 1;
  }

  #checkGroups(): void {
    const count = this.#count;
    if (count <= this.#groupsMax) return;
    throw new LimitError(
      "query_groups",
      `the query makes at least ${count} groups, ${this.#groupsMax} are allowed; ` +
        "a filter or a wider bucket makes fewer",
      { needed: count, limit: this.#groupsMax },
    );
  }

  partial(): Uint8Array {
    const { run } = this.#state;
    return writePartial(run, groupsKind, this.#asOf, this.#scan, (out) => {
      this.#table?.encode(out);
      for (const { states } of this.#measured) {
        for (const state of states) state.encode(this.#count, out);
      }
    });
  }

  merge(bytes: Uint8Array): void {
    this.#scan.stages.in("merge", () => {
      const { run } = this.#state;
      const { asOf, content } = readPartial(run, groupsKind, bytes, this.#scan);
      const groups = this.#table?.merge(content) ?? new Uint32Array(1);
      this.#checkGroups();
      for (const { states } of this.#measured) {
        for (const state of states) state.merge(content, groups);
      }
      this.#reach(asOf);
    });
  }

  finish(asOf: bigint = this.#asOf): QueryResult {
    const { clock, run } = this.#state;
    const { query } = this;
    const rows = this.#scan.stages.in("finish", () => {
      const mark = run.scratch.mark();
      try {
        return finishGroups({
          query,
          table: this.#table,
          values: query.aggregates.map((one, i) => (this.#states[i] as Accumulator).finish(one)),
          rowsMax: this.#rowsMax,
        });
      } finally {
        run.scratch.release(mark);
      }
    });
    return {
      columns: query.select.map(({ of, as }) => ({ name: as, type: shownType(of.type) })),
      rows,
      asOf: String(asOf),
      stats: {
        ...this.#scan.stats,
        executionUs: Math.round((clock.monotonicMs() - this.#startMs) * 1000),
        stages: this.#scan.stages.times(),
        groups: this.#count,
        memoryBytes: run.scratch.peak,
      },
    };
  }
}

/** Selected rows and their groups; the list is made when it is first asked for. */
class SelectedRows implements GroupRows {
  readonly segment: Segment;
  readonly mask: number;
  readonly count: number;
  readonly groups: number;
  readonly groupCount: number;
  readonly #state: QueryThreadState;
  readonly #rows: number;
  #isListed: boolean;

  constructor(
    state: QueryThreadState,
    segment: Segment,
    mask: number,
    count: number,
    rows: number,
    groups: number,
    groupCount: number,
  ) {
    this.#state = state;
    this.segment = segment;
    this.mask = mask;
    this.count = count;
    this.#isListed = rows !== 0;
    // Whoever asks first may give back what is taken after that: so the memory is taken now, and filled then.
    this.#rows = rows !== 0 ? rows : state.run.scratch.take(count * 4);
    this.groups = groups;
    this.groupCount = groupCount;
  }

  rows(): number {
    if (!this.#isListed) {
      const words = selectionWords(this.segment.rows);
      this.#state.run.kernels.selectionRows(this.mask, words, this.#rows);
      this.#isListed = true;
    }
    return this.#rows;
  }
}

/** One Filter for each distinct predicate, so that it is evaluated once. */
function aggregateFilters(query: Query): Map<Predicate | null, Filter> {
  const filters = new Map<Predicate | null, Filter>([[null, { kind: "all" }]]);
  const byText = new Map<string, Filter>();
  for (const { filter } of query.aggregates) {
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
  query: Query,
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

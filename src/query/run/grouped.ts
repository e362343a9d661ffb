// Queries that answer groups: per segment the group of each selected row, then every aggregate over those groups.

import { LimitError } from "../../errors.ts";
import { resultGroupsMax } from "../../limits.ts";
import { PartialReader } from "../aggregate/partial-bytes.ts";
import { planFilter } from "../plan/filter.ts";
import type { Query } from "../query.ts";
import type { QueryResult } from "../result.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import type { QueryExecution, QueryLimits, SequenceRange } from "./execution.ts";
import { finishGroups } from "./finish-groups.ts";
import { foldFilters, GroupFold } from "./group-fold.ts";
import { groupsKind, readPartial, writePartial } from "./partial-query.ts";
import type { QueryThreadState } from "./scan.ts";
import { Scan } from "./scan.ts";
import { shownType } from "./shown.ts";

export class GroupedExecution implements QueryExecution {
  readonly query: Query;
  readonly #state: QueryThreadState;
  readonly #scan: Scan;
  readonly #groupsMax: number;
  readonly #rowsMax: number;
  readonly #startMs: number;
  readonly #fold: GroupFold;
  #asOf = 0n;

  constructor(query: Query, state: QueryThreadState, limits: QueryLimits) {
    this.query = query;
    this.#state = state;
    this.#startMs = state.clock.monotonicMs();
    this.#groupsMax = limits.groups ?? resultGroupsMax;
    this.#rowsMax = limits.rows ?? this.#groupsMax;
    const filters = foldFilters(query.aggregates);
    this.#scan = new Scan(state, planFilter(query), {
      expressions: [
        ...query.groupBy.map(({ of }) => of),
        ...query.aggregates.flatMap(({ of }) => (of === null ? [] : [of])),
      ],
      filters: [...filters.values()],
      deadlineMs: limits.deadlineMs,
    });
    const { run, cells } = state;
    const { computed, stages } = this.#scan;
    this.#fold = new GroupFold({
      query,
      run,
      cells,
      computed,
      filters,
      select: (filter, segment, mask, out) => this.#scan.select(filter, segment, mask, out),
      stages,
    });
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
    const add = this.#fold.prepare(segment, mask, selected);
    this.#checkGroups();
    add();
  }

  #checkGroups(): void {
    const { count } = this.#fold;
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
      this.#fold.encode(out);
    });
  }

  merge(bytes: Uint8Array): void {
    this.#scan.stages.in("merge", () => {
      const { run } = this.#state;
      const { asOf, content } = readPartial(run, groupsKind, bytes, this.#scan);
      this.#mergeContent(content, asOf);
    });
  }

  /** Adds groups as `joinParts` puts them together, which reflect every row below `asOf`. */
  mergeJoined(content: Uint8Array, asOf: bigint): void {
    this.#scan.stages.in("merge", () => this.#mergeContent(new PartialReader(content), asOf));
  }

  #mergeContent(content: PartialReader, asOf: bigint): void {
    const groups = this.#fold.mergeGroups(content);
    this.#checkGroups();
    this.#fold.mergeStates(content, groups);
    this.#reach(asOf);
  }

  finish(asOf: bigint = this.#asOf): QueryResult {
    const { clock, run } = this.#state;
    const { query } = this;
    const rows = this.#scan.stages.in("finish", () => {
      const mark = run.scratch.mark();
      try {
        return finishGroups({
          query,
          table: this.#fold.table,
          values: this.#fold.values(),
          numbers: (aggregate) => this.#fold.numbers(aggregate),
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
        groups: this.#fold.count,
        memoryBytes: run.scratch.peak,
      },
    };
  }
}

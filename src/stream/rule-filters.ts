// What rules have in common within a chunk is done once: derived columns, the filters of rules, each of their
// conditions that another rule has too, and the rows of a span of time.
//
//   enter(chunk)          all rows of the chunk
//   rows.select()         those that pass the rule's filter; kept until the chunk is left
//   rows.within(…)        the rows of a span of time among all; kept as well
//   rows.filter(…)        those of some rows that pass the filter of an aggregate: what GroupFold asks
//   leave()
//
// Masks that are kept lie in the thread's scratch below all that a rule takes: so a rule selects before it takes.

import { assert } from "../base/assert.ts";
import { COLUMN_BASE, COLUMN_EXPONENT, LANE_NUMBER } from "../core/layout.ts";
import type { LaneSource } from "../query/aggregate/accumulator.ts";
import { Cells } from "../query/columns/cells.ts";
import { ComputedColumns } from "../query/columns/computed.ts";
import type { QueryRun } from "../query/columns/kernels.ts";
import { finished } from "../query/columns/kernels.ts";
import { selectionSize, selectionWords } from "../query/columns/selection.ts";
import type { BucketSpan } from "../query/expression/bucket.ts";
import type { Expression } from "../query/expression/expression.ts";
import type { NumberRange } from "../query/plan/bounds.ts";
import { integerRange, numberRange, rawRange } from "../query/plan/bounds.ts";
import type { Filter } from "../query/plan/filter.ts";
import { bind, planFilter } from "../query/plan/filter.ts";
import type { FoldFilters } from "../query/run/group-fold.ts";
import { filterExpressions } from "../query/run/scan.ts";
import { FilterRun } from "../query/run/select.ts";
import type { FoundCodes } from "../query/run/text-codes.ts";
import { TextCodes } from "../query/run/text-codes.ts";
import type { Segment } from "../query/segments/source.ts";
import type { Arena } from "./arena.ts";
import { NearChunk, NearColumns } from "./near-chunk.ts";
import { paneKernels } from "./pane-kernels.ts";
import { PaneScratch } from "./pane-scratch.ts";
import type { Rule } from "./rule.ts";
import { isLate, ruleFoldFilters } from "./rule-fold.ts";
import type { TimedChunk } from "./timed-chunk.ts";

/** Rows of the chunk's segment: a selection that its reader doesn't write to, and how many there are. */
export interface Selection {
  readonly mask: number;
  readonly count: number;
}

export interface SpanRows extends Selection {
  readonly span: BucketSpan;
}

/** A chunk is parted by masks as long as it has rows in so many spans at most. */
const spansMax = 32;

/** The rows of one rule in the chunk that was entered. */
export interface ChunkRows {
  /** Where the columns of expressions are found; the same for all rules and chunks. */
  readonly computed: LaneSource;
  /** The filters of the aggregates of the rule's fold. */
  readonly filters: FoldFilters;
  /** Rows that pass the rule's filter; to be called before anything is taken from scratch, once a chunk. */
  select(): Selection;
  /** Rows of the chunk, of any rule, with timestamps in [fromUs, toUs); to be called before anything is taken. */
  within(fromUs: bigint, toUs: bigint): Selection;
  /**
   * The spans of time that rows of the chunk lie in, and their rows of any rule; null: they are many. `key` names what
   * `spanOf` does. To be called before anything is taken.
   */
  panes(key: string, spanOf: (us: bigint) => BucketSpan): readonly SpanRows[] | null;
  /** Writes to `out` those of the rows in `mask` that pass one of `filters`; answers how many. */
  filter(filter: Filter, segment: Segment, mask: number, out: number): number;
  /** The rule is gone. */
  close(): void;
}

/** The canonical text of a filter: equal for filters that pass the same rows for the same reason. */
export function filterKey(filter: Filter): string {
  if (filter.kind === "and" || filter.kind === "or") {
    return `${filter.kind}(${filter.of.map(filterKey).sort().join(" ")})`;
  }
  return JSON.stringify(filter, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  });
}

const lateKey = filterKey(bind(isLate, false));

/** Whether evaluating it may fail for a row, so that it is asked only about rows that come to it. */
function mayFail(filter: Filter): boolean {
  if (filter.kind === "and" || filter.kind === "or") return filter.of.some(mayFail);
  return filter.kind === "test";
}

export class RuleFilters {
  readonly run: QueryRun;
  readonly #found: FoundCodes;
  readonly #arena: Arena;
  readonly #near: NearColumns;
  readonly #members = new Set<RuleRows>();
  /** By canonical text, in how many places of rules it stands. */
  readonly #uses = new Map<string, number>();
  /** By canonical text or span, of the chunk that is entered. */
  readonly #kept = new Map<string, Selection>();
  readonly #panes = new Map<string, readonly SpanRows[] | null>();
  readonly #cells: Cells;
  readonly #firstOf: (mask: number, words: number) => number;
  #columns: ComputedColumns | undefined;
  #chunk: TimedChunk | undefined;
  #all: Selection = { mask: 0, count: 0 };
  #mark = 0;

  constructor(run: QueryRun, found: FoundCodes, arena: Arena) {
    this.run = run;
    this.#found = found;
    this.#arena = arena;
    this.#cells = new Cells(run.core);
    this.#firstOf = paneKernels(run.core).selectionFirst;
    const memory = new PaneScratch(arena, run.scratch);
    this.#near = new NearColumns(run.core, (size) => memory.keep(size));
  }

  /** A rule whose rows will be asked for. Not while a chunk is entered. */
  open(rule: Rule): ChunkRows {
    assert(this.#chunk === undefined, "rules come and go between chunks");
    const codes = new PaneScratch(this.#arena, this.run.scratch, 512);
    const rows = new RuleRows(this, rule, codes, this.#found);
    this.#members.add(rows);
    for (const key of rows.keys) this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
    this.#columns = undefined;
    return rows;
  }

  forget(rows: RuleRows): void {
    if (!this.#members.delete(rows)) return;
    for (const key of rows.keys) {
      const uses = (this.#uses.get(key) ?? 1) - 1;
      if (uses === 0) this.#uses.delete(key);
      else this.#uses.set(key, uses);
    }
    if (this.#chunk === undefined) this.#columns = undefined;
  }

  get columns(): ComputedColumns {
    this.#columns ??= new ComputedColumns(
      this.run,
      [...this.#members].flatMap(({ expressions }) => expressions),
    );
    return this.#columns;
  }

  get chunk(): TimedChunk {
    assert(this.#chunk !== undefined, "a chunk is entered before rules take it");
    return this.#chunk;
  }

  /** Words of a selection of the chunk. */
  get words(): number {
    return selectionWords(this.chunk.segment.rows);
  }

  /** All rows of the chunk. */
  get all(): Selection {
    return this.#all;
  }

  /**
   * Answers the chunk that rules are to take: the same rows of a segment that begins not long before them, so that
   * selections are no longer than they must be. Good until it is left.
   */
  enter(chunk: TimedChunk): TimedChunk {
    assert(this.#chunk === undefined, "a chunk is left before the next one is entered");
    const { scratch, kernels } = this.run;
    this.#mark = scratch.mark();
    chunk.segment.enter();
    this.#near.begin();
    const near = new NearChunk(this.#near, chunk);
    this.#chunk = near;
    const { segment, first, end } = near;
    this.columns.begin(segment);
    const mask = scratch.take(selectionSize(segment.rows));
    kernels.selectionRange(mask, this.words, first, end);
    this.#all = { mask, count: end - first };
    return near;
  }

  /** All that was selected of it is gone. */
  leave(): void {
    this.#kept.clear();
    this.#panes.clear();
    this.#chunk = undefined;
    this.run.scratch.release(this.#mark);
  }

  isShared(key: string): boolean {
    return (this.#uses.get(key) ?? 0) > 1;
  }

  known(key: string): Selection | undefined {
    return this.#kept.get(key);
  }

  /** Makes a selection of the chunk unless there is one; `fill` writes it and answers how many rows it has. */
  keep(key: string, fill: (mask: number) => number): Selection {
    let selection = this.#kept.get(key);
    if (selection === undefined) {
      const mask = this.run.scratch.take(selectionSize(this.chunk.segment.rows));
      selection = { mask, count: fill(mask) };
      this.#kept.set(key, selection);
    }
    return selection;
  }

  within(fromUs: bigint, toUs: bigint): Selection {
    const { segment, minUs, maxUs } = this.chunk;
    if (fromUs <= minUs && maxUs < toUs) return this.#all;
    return this.keep(`time ${fromUs} ${toUs}`, (mask) => {
      const column = segment.column("timestamp", LANE_NUMBER);
      return this.#numbers(column, integerRange(fromUs, toUs - 1n), mask);
    });
  }

  panes(key: string, spanOf: (us: bigint) => BucketSpan): readonly SpanRows[] | null {
    let panes = this.#panes.get(key);
    if (panes === undefined) {
      panes = this.#parted(spanOf);
      this.#panes.set(key, panes);
    }
    return panes;
  }

  #parted(spanOf: (us: bigint) => BucketSpan): readonly SpanRows[] | null {
    const { minUs, maxUs, segment } = this.chunk;
    const only = spanOf(minUs);
    if (maxUs < only.endUs) return [{ ...this.#all, span: only }];
    const { kernels, scratch } = this.run;
    const column = segment.column("timestamp", LANE_NUMBER);
    const left = scratch.take(selectionSize(segment.rows));
    let count = kernels.selectionAnd(this.#all.mask, this.#all.mask, left, this.words);
    const panes: SpanRows[] = [];
    while (count > 0) {
      if (panes.length === spansMax) return null;
      const row = this.#firstOf(left, this.words);
      const us = BigInt(this.#cells.number(column, this.#cells.page(column, row), row));
      const { startUs, endUs } = spanOf(us);
      const within = this.within(startUs, endUs);
      panes.push({ ...within, span: { startUs, endUs } });
      count = kernels.selectionAndNot(left, within.mask, left, this.words);
    }
    return panes;
  }

  /** Rows of the chunk whose own source was past them. Absent is 0, so the stored column says it all. */
  late(): Selection {
    return this.keep(lateKey, (mask) => {
      const column = this.chunk.segment.column("lateness_us", LANE_NUMBER);
      if (column !== 0) return this.#numbers(column, numberRange(">", 0), mask);
      this.run.kernels.selectionRange(mask, this.words, 0, 0);
      return 0;
    });
  }

  #numbers(column: number, range: NumberRange, out: number): number {
    const { kernels, core, cancel } = this.run;
    const base = core.view.getBigInt64(column + COLUMN_BASE, true);
    const raw = rawRange(range, base, core.u32[(column + COLUMN_EXPONENT) >>> 2] as number);
    return finished(
      kernels.selectRange(
        column,
        this.words,
        this.#all.mask,
        out,
        0,
        raw?.low ?? 1,
        raw?.high ?? 0,
        range.i64Low,
        range.i64High,
        range.f64Low,
        range.f64High,
        cancel,
      ),
    );
  }
}

/** The filters of one rule. */
class RuleRows implements ChunkRows {
  readonly filters: FoldFilters;
  readonly expressions: readonly (Expression | string)[];
  /** Of all filters and their parts. */
  readonly keys: readonly string[];
  readonly computed: LaneSource;
  readonly #of: RuleFilters;
  readonly #where: Filter;
  readonly #texts = new Map<Filter, string>();
  readonly #codes: TextCodes;
  readonly #memory: PaneScratch;
  #columns: ComputedColumns | undefined;
  #plain: FilterRun | undefined;

  constructor(of: RuleFilters, rule: Rule, memory: PaneScratch, found: FoundCodes) {
    this.#of = of;
    this.#memory = memory;
    this.#where = planFilter({ where: rule.where, fromUs: null, toUs: null });
    this.filters = ruleFoldFilters(rule);
    const own = [this.#where, ...new Set(this.filters.values())];
    this.#codes = new TextCodes(of.run, found, (size) => memory.keep(size));
    for (const filter of own) this.#codes.prepare(filter);
    this.expressions = [
      ...rule.keys.map((key) => key.of),
      ...rule.aggregates.flatMap((one) => (one.of === null ? [] : [one.of])),
      ...own.filter((filter) => this.#key(filter) !== lateKey).flatMap(filterExpressions),
    ];
    this.keys = own.flatMap((filter) => this.#keysOf(filter));
    this.computed = {
      lanes: (segment, expression, mask) => of.columns.lanes(segment, expression, mask),
    };
  }

  #keysOf(filter: Filter): string[] {
    if (filter.kind !== "and" && filter.kind !== "or") return [this.#key(filter)];
    return [this.#key(filter), ...filter.of.flatMap((one) => this.#keysOf(one))];
  }

  #key(filter: Filter): string {
    let key = this.#texts.get(filter);
    if (key === undefined) {
      key = filterKey(filter);
      this.#texts.set(filter, key);
    }
    return key;
  }

  /** Filters of this rule by themselves. They see the derived columns of all rules. */
  get #run(): FilterRun {
    const { columns, run } = this.#of;
    if (this.#plain === undefined || this.#columns !== columns) {
      this.#columns = columns;
      this.#plain = new FilterRun(run, this.#codes, columns);
    }
    return this.#plain;
  }

  select(): Selection {
    const { all } = this.#of;
    const where =
      this.#where.kind === "all"
        ? all
        : this.#of.keep(this.#key(this.#where), (mask) => this.#whole(this.#where, mask));
    if (where.count === 0) return where;
    // What aggregates ask later finds what they share with others done.
    for (const filter of this.filters.values()) this.#prepare(filter);
    return where;
  }

  within(fromUs: bigint, toUs: bigint): Selection {
    return this.#of.within(fromUs, toUs);
  }

  panes(key: string, spanOf: (us: bigint) => BucketSpan): readonly SpanRows[] | null {
    return this.#of.panes(key, spanOf);
  }

  #prepare(filter: Filter): void {
    if (this.#key(filter) === lateKey) this.#of.late();
    else if (filter.kind === "and") for (const one of filter.of) this.#prepare(one);
    else if (filter.kind !== "all") this.#shared(filter);
  }

  /** What another rule asks too, over all rows of the chunk; undefined where it is this rule's alone or may fail. */
  #shared(filter: Filter): Selection | undefined {
    const key = this.#key(filter);
    if (!this.#of.isShared(key) || mayFail(filter)) return undefined;
    return this.#of.keep(key, (mask) => this.#whole(filter, mask));
  }

  /** Over all rows of the chunk. */
  #whole(filter: Filter, out: number): number {
    const { segment } = this.#of.chunk;
    const { all, run, words } = this.#of;
    if (filter.kind !== "and") return this.#run.select(filter, segment, all.mask, out);
    // Those that others have first: they may be there already. A condition that may fail is asked last.
    let from = all.mask;
    let count = all.count;
    const rest: Filter[] = [];
    for (const one of filter.of) {
      const shared = this.#shared(one);
      if (shared === undefined) {
        rest.push(one);
        continue;
      }
      count = run.kernels.selectionAnd(from, shared.mask, out, words);
      from = out;
    }
    for (const one of rest.sort((a, b) => Number(mayFail(a)) - Number(mayFail(b)))) {
      if (count === 0) break;
      count = this.#run.select(one, segment, from, out);
      from = out;
    }
    return count;
  }
  filter(filter: Filter, segment: Segment, mask: number, out: number): number {
    const { run, words } = this.#of;
    const key = this.#key(filter);
    const known = this.#of.known(key);
    if (known !== undefined) return run.kernels.selectionAnd(mask, known.mask, out, words);
    if (filter.kind !== "and") return this.#run.select(filter, segment, mask, out);
    let from = mask;
    let count = 0;
    for (const one of filter.of) {
      count = this.filter(one, segment, from, out);
      if (count === 0) break;
      from = out;
    }
    return count;
  }

  close(): void {
    this.#of.forget(this);
    this.#memory.reset();
  }
}

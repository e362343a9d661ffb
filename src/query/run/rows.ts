// Queries that answer rows: the rows are chosen first, by as few columns as that takes, and only those that
// are chosen are read (late materialisation).
//
// Rows that ORDER BY leaves equal come by their sequence, in the direction of its first key; without ORDER BY all come
// by ascending sequence. So the answer does not depend on how the rows were split.

import { InputError, LimitError, MillraceError } from "../../errors.ts";
import { resultRowsMax } from "../../limits.ts";
import type { PartialReader, PartialWriter } from "../aggregate/partial-bytes.ts";
import { RowValues } from "../columns/row-values.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Filter } from "../plan/filter.ts";
import { planFilter } from "../plan/filter.ts";
import type { Order, Query } from "../query.ts";
import type { QueryResult, Value } from "../result.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import { compareOrdered } from "../value-order.ts";
import type { QueryExecution, QueryLimits, SequenceRange } from "./execution.ts";
import { readPartial, rowsKind, writePartial } from "./partial-query.ts";
import { boundFilter } from "./row-bound.ts";
import type { QueryThreadState } from "./scan.ts";
import { Scan } from "./scan.ts";
import { compileResult, shownType, shownValue } from "./shown.ts";
import { topByTime } from "./top.ts";
import { readError, readValue, writeError, writeValue } from "./value-bytes.ts";

/** A row that is among the first so far. */
interface Found {
  readonly sequence: bigint;
  /** What it is ordered by. */
  readonly keys: readonly Value[];
  /** Its timestamp, where the rows are ordered by time; otherwise 0. */
  readonly timeUs: bigint;
  /** Where it is, until its values are read. */
  readonly segment?: Segment;
  readonly row?: number;
  /** By column of the result; an error where one of them can't be told, which counts if the row is answered. */
  values?: readonly Value[] | MillraceError;
}

/** Rows of a segment that are looked at before the last of the best so far says which others need be. */
const firstLook = 4096;

export class RowsExecution implements QueryExecution {
  readonly query: Query;
  readonly #state: QueryThreadState;
  readonly #scan: Scan;
  readonly #rowsMax: number;
  readonly #startMs: number;
  readonly #byTime: boolean;
  /** Rows that are wanted: those before OFFSET too. */
  readonly #end: number;
  readonly #select: readonly ((leaf: LeafValue) => Value)[];
  /** In order. */
  #found: Found[] = [];
  #asOf = 0n;

  constructor(query: Query, state: QueryThreadState, limits: QueryLimits) {
    this.query = query;
    this.#state = state;
    this.#startMs = state.clock.monotonicMs();
    this.#rowsMax = limits.rows ?? resultRowsMax;
    this.#end = query.offset + (query.limit ?? this.#rowsMax + 1);
    this.#byTime = isByTime(query.orderBy);
    this.#select = query.select.map(({ of }) => compileResult(of));
    this.#scan = new Scan(state, planFilter(query), {
      expressions: [...query.select, ...query.orderBy].map(({ of }) => of),
      deadlineMs: limits.deadlineMs,
    });
  }

  run(snapshot: Snapshot, range?: SequenceRange): void {
    if (this.#end > 0) {
      if (this.#byTime) this.#runByTime(snapshot, range ?? null);
      else if (this.query.orderBy.length === 0) this.#runBySequence(snapshot, range ?? null);
      else this.#runByKeys(snapshot, range ?? null);
    }
    this.#scan.stages.in("columns", () => this.#read());
    this.#checkRows();
    this.#reach(range?.to ?? snapshot.asOf);
  }

  #reach(asOf: bigint): void {
    if (asOf > this.#asOf) this.#asOf = asOf;
  }

  #checkRows(): void {
    const count = this.#found.length - this.query.offset;
    if (count <= this.#rowsMax) return;
    throw new LimitError(
      "query_rows",
      `the result has at least ${count} rows, ${this.#rowsMax} are allowed; a LIMIT makes fewer, and text of rows ` +
        "that are not ordered, or ordered by timestamp or by sequence, is sent as they are found, without this limit",
      { needed: count, limit: this.#rowsMax },
    );
  }

  #runByTime(snapshot: Snapshot, range: SequenceRange | null): void {
    const descending = this.query.orderBy[0]?.descending ?? false;
    const request = { limit: this.#end, descending, after: null };
    const { rows } = topByTime<Found>(
      snapshot,
      this.#scan,
      this.#state,
      request,
      range,
      this.#found,
    );
    this.#found = rows.map((one): Found => ("keys" in one ? one : { ...one, keys: [] }));
  }

  /** No segment is looked at that is not needed. */
  #runBySequence(snapshot: Snapshot, range: SequenceRange | null): void {
    const found: Found[] = [];
    const last = this.#found.length === this.#end ? this.#found.at(-1) : undefined;
    for (const segment of snapshot.segments) {
      if (found.length >= this.#end || (last && segment.firstSequence > last.sequence)) break;
      this.#scan.segment(
        segment,
        (mask, selected, timed) => {
          const list = this.#scan.rows(timed, mask, selected);
          const take = Math.min(list.count, this.#end - found.length);
          for (let i = 0; i < take; i++) {
            const row = this.#state.run.core.u32[(list.rows >>> 2) + i] as number;
            const sequence = segment.firstSequence + BigInt(row);
            found.push({ segment, row, sequence, keys: [], timeUs: 0n });
          }
        },
        { kind: "all" },
        range,
      );
    }
    this.#merge(found);
  }

  /** By any values. */
  #runByKeys(snapshot: Snapshot, range: SequenceRange | null): void {
    for (const segment of snapshot.segments) {
      this.#scan.segment(
        segment,
        (mask, selected, timed) => this.#visit(segment, timed, mask, selected),
        this.#bound(),
        range,
      );
    }
  }

  /** Only rows that can be before the last of the best so far, as far as a filter can tell. */
  #bound(): Filter {
    const last = this.#last();
    const [first] = this.query.orderBy;
    return last && first ? boundFilter(first, last.keys[0] ?? null) : { kind: "all" };
  }

  #last(): Found | undefined {
    return this.#found.length === this.#end ? this.#found[this.#end - 1] : undefined;
  }

  #visit(segment: Segment, timed: Segment, mask: number, selected: number): void {
    const { kernels, scratch } = this.#state.run;
    const wasBound = this.#last() !== undefined;
    if (wasBound || selected <= firstLook * 2) {
      this.#look(segment, timed, mask, selected);
      return;
    }
    const words = selectionWords(segment.rows);
    const part = scratch.take(selectionSize(segment.rows));
    const list = this.#scan.rows(timed, mask, selected);
    const middle = this.#state.run.core.u32[(list.rows >>> 2) + firstLook] as number;
    kernels.selectionRange(part, words, 0, middle);
    const early = kernels.selectionAnd(mask, part, part, words);
    this.#look(segment, timed, part, early);
    kernels.selectionRange(part, words, middle, segment.rows);
    let late = kernels.selectionAnd(mask, part, part, words);
    const bound = this.#bound();
    if (bound.kind !== "all") late = this.#scan.selectPlain(bound, timed, part, part);
    this.#look(segment, timed, part, late);
  }

  /** The best so far are kept, sorted and cut whenever there are many more than wanted. */
  #look(segment: Segment, timed: Segment, mask: number, selected: number): void {
    if (selected === 0) return;
    const { run, cells } = this.#state;
    const list = this.#scan.rows(timed, mask, selected);
    const orders = this.query.orderBy;
    const columns = orders.map(({ of }) => this.#scan.computed.lanes(timed, of, mask));
    let last = this.#last();
    let found: Found[] = [];
    for (let i = 0; i < list.count; i++) {
      const row = run.core.u32[(list.rows >>> 2) + i] as number;
      const keys = columns.map((lanes) => cells.value(lanes, row));
      const sequence = segment.firstSequence + BigInt(row);
      const one = { segment, row, sequence, keys, timeUs: 0n };
      if (last !== undefined && this.#compare(one, last) >= 0) continue;
      found.push(one);
      if (found.length >= this.#end + 1024) {
        this.#merge(found);
        found = [];
        last = this.#last();
      }
    }
    this.#merge(found);
  }

  #compare(a: Found, b: Found): number {
    const orders = this.query.orderBy;
    for (let i = 0; i < orders.length; i++) {
      const result = compareOrdered(a.keys[i] ?? null, b.keys[i] ?? null, orders[i] as Order);
      if (result !== 0) return result;
    }
    const descending = orders[0]?.descending ?? false;
    if (this.#byTime && a.timeUs !== b.timeUs) return a.timeUs < b.timeUs === descending ? 1 : -1;
    if (a.sequence === b.sequence) return 0;
    return a.sequence < b.sequence === descending ? 1 : -1;
  }

  #merge(found: readonly Found[]): void {
    if (found.length === 0) return;
    const all = [...this.#found, ...found].sort((a, b) => this.#compare(a, b));
    this.#found = all.length > this.#end ? all.slice(0, this.#end) : all;
  }

  /** Values of the rows that have none yet, segment by segment. */
  #read(): void {
    this.#scan.values(this.#found, (row, i) => {
      const { sequence, keys, timeUs } = this.#found[i] as Found;
      this.#found[i] = { sequence, keys, timeUs, values: this.#valuesOf(row) };
    });
  }

  #valuesOf(row: RowValues): readonly Value[] | MillraceError {
    try {
      return this.#select.map((value) => value(row.leaf));
    } catch (error) {
      if (error instanceof InputError || error instanceof LimitError) return error;
      throw error;
    }
  }

  partial(): Uint8Array {
    return writePartial(this.#state.run, rowsKind, this.#asOf, this.#scan, (out) => {
      out.u32(this.#found.length);
      for (const one of this.#found) this.#write(one, out);
    });
  }

  /** sequence i64 │ time i64 │ keys │ 0 u8, values; or 1 u8, an error: its kind, code, message and detail */
  #write({ sequence, timeUs, keys, values }: Found, out: PartialWriter): void {
    out.i64(sequence);
    out.i64(timeUs);
    for (const key of keys) writeValue(key, out);
    out.u8(values instanceof MillraceError ? 1 : 0);
    if (values instanceof MillraceError) writeError(values, out);
    else for (const value of values as readonly Value[]) writeValue(value, out);
  }

  merge(bytes: Uint8Array): void {
    this.#scan.stages.in("merge", () => {
      const { asOf, content } = readPartial(this.#state.run, rowsKind, bytes, this.#scan);
      const count = content.u32();
      const found: Found[] = [];
      for (let i = 0; i < count; i++) found.push(this.#parse(content));
      this.#merge(found);
      this.#checkRows();
      this.#reach(asOf);
    });
  }

  #parse(content: PartialReader): Found {
    const sequence = content.i64();
    const timeUs = content.i64();
    const keys = this.#byTime ? [] : this.query.orderBy.map(() => readValue(content));
    const values =
      content.u8() === 1 ? readError(content) : this.query.select.map(() => readValue(content));
    return { sequence, timeUs, keys, values };
  }

  finish(asOf: bigint = this.#asOf): QueryResult {
    const { query } = this;
    const { clock, run } = this.#state;
    const rows = this.#scan.stages.in("finish", () =>
      this.#found.slice(query.offset, this.#end).map(({ values }) => {
        if (values instanceof MillraceError) throw values;
        return (values as readonly Value[]).map((value, i) =>
          shownValue(value, query.select[i]?.of.type ?? "variant"),
        );
      }),
    );
    return {
      columns: query.select.map(({ of, as }) => ({ name: as, type: shownType(of.type) })),
      rows,
      asOf: String(asOf),
      stats: {
        ...this.#scan.stats,
        executionUs: Math.round((clock.monotonicMs() - this.#startMs) * 1000),
        stages: this.#scan.stages.times(),
        memoryBytes: run.scratch.peak,
      },
    };
  }
}

/** Whether segments can be taken by their times: by timestamp, then sequence in the same direction or nothing. */
export function isByTime([first, second]: readonly Order[]): boolean {
  if (first?.of.kind !== "path" || first.of.path !== "timestamp") return false;
  if (second === undefined) return true;
  const isSequence = second.of.kind === "path" && second.of.path === "sequence";
  return isSequence && second.descending === first.descending;
}

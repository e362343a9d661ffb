// Runs accumulators as a query would: rows in segments, some hot, some stored, parted over threads whose partials
// are merged as bytes into one, the groups numbered differently in each.

import * as layout from "../../src/core/layout.ts";
import type {
  AggregateContext,
  GroupRows,
  LaneSource,
} from "../../src/query/aggregate/accumulator.ts";
import { createAccumulator } from "../../src/query/aggregate/create.ts";
import { PartialReader, PartialWriter } from "../../src/query/aggregate/partial-bytes.ts";
import { barePath, typeOfAggregate } from "../../src/query/expression/expression.ts";
import { lanesOf } from "../../src/query/plan/filter.ts";
import type { Aggregate, AggregateFunction } from "../../src/query/query.ts";
import type { Value } from "../../src/query/result.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";
import { QueryBed, writeSegment } from "../support/query-rows.ts";
import type { Random } from "../support/random-queries.ts";

export const path = "properties.x";

/** One row of a test: its value (undefined: none), its group, and whether the filter takes it. */
export interface TestRow {
  readonly cell: OracleCell | undefined;
  readonly group: number;
  readonly selected: boolean;
  readonly timestampUs: bigint;
}

export function aggregateOf(fn: AggregateFunction, parameters: readonly number[] = []): Aggregate {
  return aggregateOfPath(fn, path, parameters);
}

export function aggregateOfPath(
  fn: AggregateFunction,
  of: string | null,
  parameters: readonly number[] = [],
): Aggregate {
  const expression = of === null ? null : barePath(of);
  return {
    fn,
    of: expression,
    filter: null,
    type: typeOfAggregate(fn, expression),
    parameters,
  };
}

const lanes: LaneSource = {
  lanes(segment, expression) {
    if (expression.kind !== "path") throw new Error("want a path");
    return lanesOf(expression.path)
      .map((lane) => ({ lane, address: segment.column(expression.path, lane) }))
      .filter(({ address }) => address !== 0);
  },
};

export interface Part {
  readonly segment: Segment;
  readonly rows: readonly TestRow[];
}

export class AggregateBed {
  readonly bed: QueryBed;
  readonly context: AggregateContext;

  readonly #create: typeof createAccumulator;
  /** Numbers of segments are never used again. */
  #segments = 0;

  constructor(
    rateSeconds?: (group: number) => number,
    bed: QueryBed = new QueryBed(48 * 1024 * 1024, 128 * 1024 * 1024),
    create: typeof createAccumulator = createAccumulator,
  ) {
    this.#create = create;
    this.bed = bed;
    const { run, cells } = this.bed.state;
    this.context = { run, cells, computed: lanes, rateSeconds };
  }

  /** Segments of these rows, cut at `cuts`; `stored` says of each what it is. */
  segments(
    rows: readonly TestRow[],
    cuts: readonly number[],
    stored: (index: number) => boolean,
  ): Part[] {
    const bounds = [0, ...cuts, rows.length];
    return bounds
      .slice(1)
      .map((end, i) => ({ from: bounds[i] as number, rows: rows.slice(bounds[i], end) }))
      .filter((part) => part.rows.length > 0)
      .map((part, i) => ({
        rows: part.rows,
        segment: writeSegment(
          this.bed,
          this.#segments++,
          part.rows.map((row, r) => oracleRow(row, part.from + r)),
          { stored: stored(i) },
        ),
      }));
  }

  /** The rows of one segment as an accumulator takes them. `groupOf` is undefined without groups. */
  rowsOf(
    { segment, rows }: Part,
    groupCount: number,
    groupOf: ((group: number) => number) | undefined,
  ): GroupRows {
    const { scratch, core } = this.context.run;
    const size = ((rows.length + 127) >>> 7) << 4;
    const mask = scratch.take(size);
    core.u8.fill(0, mask, mask + size);
    const list: number[] = [];
    rows.forEach((row, r) => {
      if (!row.selected) return;
      list.push(r);
      const at = mask + (r >> 3);
      core.u8[at] = (core.u8[at] as number) | (1 << (r & 7));
    });
    const listAt = scratch.take(list.length * 4);
    core.u32.set(list, listAt >>> 2);
    let groups = 0;
    if (groupOf) {
      groups = scratch.take(list.length * 4 + 16);
      const numbers = list.map((r) => groupOf((rows[r] as TestRow).group));
      core.u32.set(numbers, groups >>> 2);
    }
    return { segment, mask, count: list.length, rows: () => listAt, groups, groupCount };
  }

  /**
   * Values by group of `aggregate` over the parts, which go to `threads` accumulators by `threadOf`; each numbers the
   * groups in its own way. Without `groupCount` there is one group.
   */
  values(
    aggregate: Aggregate,
    parts: readonly Part[],
    groupCount: number | undefined,
    threads = 1,
    random: Random = () => 0,
  ): Value[] {
    const { run } = this.context;
    run.scratch.reset();
    const count = groupCount ?? 1;
    const partials: { bytes: Uint8Array; numbers: number[] }[] = [];
    for (let thread = 0; thread < threads; thread++) {
      const numbers = shuffled(count, random);
      const accumulator = this.#create(aggregate, this.context);
      parts.forEach((part, i) => {
        if (i % threads !== thread) return;
        const mark = run.scratch.mark();
        const groupOf = groupCount === undefined ? undefined : (g: number) => numbers[g] as number;
        const rows = this.rowsOf(part, count, groupOf);
        if (rows.count > 0) accumulator.add(rows);
        run.scratch.release(mark);
      });
      if (threads === 1) {
        const value = accumulator.finish(aggregate);
        return numbers.map((number) => value(number));
      }
      const out = new PartialWriter();
      accumulator.encode(count, out);
      partials.push({ bytes: out.bytes().slice(), numbers });
    }
    return this.merged(aggregate, partials, count, random);
  }

  /** Merges partials in a random order, in a random numbering. */
  merged(
    aggregate: Aggregate,
    partials: readonly { bytes: Uint8Array; numbers: readonly number[] }[],
    count: number,
    random: Random,
  ): Value[] {
    const target = shuffled(count, random);
    const accumulator = this.#create(aggregate, this.context);
    for (const which of shuffled(partials.length, random)) {
      const { bytes, numbers } = partials[which] as (typeof partials)[number];
      // The i-th partial is of the group whose number on that thread was i.
      const into = new Uint32Array(count);
      numbers.forEach((number, group) => {
        into[number] = target[group] as number;
      });
      const reader = new PartialReader(bytes);
      accumulator.merge(reader, into);
      if (reader.left !== 0) throw new Error(`${reader.left} bytes of a partial are left`);
    }
    const value = accumulator.finish(aggregate);
    return target.map((number) => value(number));
  }

  /** The bytes of the partials of all groups, in the order of their numbers. */
  encoded(
    aggregate: Aggregate,
    parts: readonly Part[],
    groupCount: number | undefined,
  ): Uint8Array {
    const { run } = this.context;
    run.scratch.reset();
    const accumulator = this.#create(aggregate, this.context);
    for (const part of parts) {
      const mark = run.scratch.mark();
      accumulator.add(this.rowsOf(part, groupCount ?? 1, groupCount ? (g) => g : undefined));
      run.scratch.release(mark);
    }
    const out = new PartialWriter();
    accumulator.encode(groupCount ?? 1, out);
    return out.bytes().slice();
  }
}

function oracleRow(row: TestRow, index: number): OracleRow {
  const cells = new Map<string, OracleCell>([["event_type", "e"]]);
  if (row.cell !== undefined) cells.set(path, row.cell);
  return {
    sequence: BigInt(index),
    timestampUs: row.timestampUs,
    receivedAtUs: 0n,
    latenessUs: 0n,
    id: idOf(index),
    cells,
  };
}

export function idOf(index: number): string {
  const hex = (Math.imul(index + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
  return `${hex}-0000-4000-8000-${index.toString(16).padStart(12, "0")}`;
}

/** The numbers below `count` in a random order; in order when `random` is always 0. */
export function shuffled(count: number, random: Random): number[] {
  const list = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(random() * (count - i));
    [list[i], list[other]] = [list[other] as number, list[i] as number];
  }
  return list;
}

/** Ascending cuts of `count` rows into at most `parts`. */
export function cutsOf(count: number, parts: number, random: Random): number[] {
  const cuts = Array.from({ length: parts - 1 }, () => Math.floor(random() * (count + 1)));
  return cuts.sort((a, b) => a - b);
}

/** Encodings of the pages of a number column, for a test that asserts to have met them. */
export function encodingsOf(bed: QueryBed, column: number): Set<number> {
  const { u32 } = bed.core;
  const found = new Set<number>();
  for (let i = 0; i < layout.PAGES_MAX; i++) {
    const page = u32[(column + layout.COLUMN_PAGES + i * 4) >>> 2] as number;
    if (page !== 0) found.add(u32[(page + layout.PAGE_ENCODING) >>> 2] as number);
  }
  return found;
}

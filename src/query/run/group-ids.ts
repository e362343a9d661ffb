// The group of each selected row of a segment. Within the segment a key gives each row a small id: a dictionary code,
// a boolean, the number of a bucket, an integer's distance from the smallest. Each distinct id is then looked up
// once in the query's table. What has no small ids (doubles, far integers, UUIDs) is looked up row by row.

import {
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_EXPONENT,
  GROUP_NONE,
  GROUP_SOURCE_KNOWN,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  SOURCE_BOOLEAN,
  SOURCE_INDEX,
  SOURCE_INTEGER,
  SOURCE_JSON,
  SOURCE_NULL,
  SOURCE_NUMBERED,
  SOURCE_STARTS,
  SOURCE_STRING,
} from "../../core/layout.ts";
import type { LaneSource } from "../aggregate/accumulator.ts";
import type { LaneColumn } from "../columns/cells.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import { isTotal } from "../plan/filter.ts";
import type { GroupKey } from "../query.ts";
import type { Segment } from "../segments/source.ts";
import { filled, type SourceLane, writeSource } from "./group-source.ts";
import type { GroupTable } from "./group-table.ts";

/** The selected rows of a segment: `count` u32 at `rows`, ascending; `mask` is the same as a selection. */
export interface RowList {
  readonly segment: Segment;
  readonly mask: number;
  readonly rows: number;
  readonly count: number;
}

/** Ids are dense up to so many, or as many as there are rows. */
const denseMax = 65_536;
/** From here on ids are looked up in the order of the dictionary rather than in that of the rows. */
const markedMin = 4096;
/** Dictionaries below it are looked up text by text. */
const numberedMin = 1024;
/** What `groupNumbered` works in: three u32 for each of the 512 rows of a block. */
const numberedWork = 3 * 512 * 4;

type Bucket = Extract<Expression, { kind: "bucket" }>;

/** Ids of one key: a GROUP SOURCE, and a u32 a row at `ids`. */
interface LocalIds {
  readonly source: number;
  readonly ids: number;
  readonly cardinality: number;
  /** The source has kept texts, nothing but NULL beside them, and no memory for what its ids are known as. */
  readonly numbered?: boolean;
}

export class GroupIds {
  readonly #run: QueryRun;
  readonly #computed: LaneSource;
  readonly #keys: readonly GroupKey[];
  readonly #buckets: readonly (Buckets | null)[];
  readonly #table: GroupTable;

  constructor(run: QueryRun, computed: LaneSource, keys: readonly GroupKey[], table: GroupTable) {
    this.#run = run;
    this.#computed = computed;
    this.#keys = keys;
    this.#buckets = keys.map(({ of }) => (of.kind === "bucket" ? new Buckets(of) : null));
    this.#table = table;
  }

  /** Address of the group of each listed row, a u32 each. What it takes is the caller's to release. */
  assign(list: RowList): number {
    const locals = this.#keys.map((key, k) => this.#idsOf(key.of, k, list));
    const product = locals.reduce((all, { cardinality }) => all * cardinality, 1);
    const [first] = locals as [LocalIds];
    if (locals.length === 1) this.#translate(first, list.count);
    else if (product <= Math.max(denseMax, list.count * 2)) this.#combine(locals, product, list);
    else this.#pair(locals, list);
    return first.ids;
  }

  /** How many groups there are. */
  get groupCount(): number {
    return this.#table.count;
  }

  /** The columns that hold the values of a key. */
  lanes(key: number, segment: Segment, mask: number): readonly LaneColumn[] {
    const { of } = this.#keys[key] as GroupKey;
    return this.#computed.lanes(segment, of, mask).filter(({ lane }) => lane !== LANE_NULL);
  }

  /**
   * The only key's ids of a segment as groups, in place: 0 is NULL, then come the codes of each of `lanes`, which have
   * so many as `widths` say.
   */
  translateCodes(
    lanes: readonly LaneColumn[],
    widths: readonly number[],
    segment: Segment,
    rows: number,
    ids: number,
    count: number,
  ): void {
    const table = this.#table.keys[0] as number;
    const { of } = this.#keys[0] as GroupKey;
    const ranges: SourceLane[] = [{ first: 0, kind: SOURCE_NULL }];
    let first = 1;
    for (const [i, column] of lanes.entries()) {
      const width = widths[i] as number;
      ranges.push(this.#codeLane(column, first, width, segment, rows, of, table));
      first += width;
    }
    this.#translate(this.#local(table, ranges, ids, first, true), count);
  }

  /** As `translateCodes`, of buckets that have a value at `base` and `step` apart. */
  translateBuckets(
    { base, step, cardinality }: { base: bigint; step: bigint; cardinality: number },
    ids: number,
    count: number,
  ): void {
    const table = this.#table.keys[0] as number;
    const lanes = [{ first: 0, kind: SOURCE_INTEGER, base, step }];
    this.#translate(this.#local(table, lanes, ids, cardinality, false), count);
  }

  #word(address: number): number {
    return this.#run.core.u32[address >>> 2] as number;
  }

  /** From ids to indexes in the table of the key. */
  #translate({ source, ids, cardinality, numbered }: LocalIds, count: number): void {
    const { kernels, scratch, cancel } = this.#run;
    if (numbered) {
      const work = scratch.take(numberedWork);
      this.#table.complete(count, (from) =>
        kernels.groupNumbered(source, ids, from, count, work, cancel),
      );
      return;
    }
    if (this.#word(source + GROUP_SOURCE_KNOWN) === 0) return;
    if (cardinality > markedMin) {
      const flags = scratch.take(cardinality);
      kernels.groupFill(flags, cardinality, 0);
      kernels.groupMark(ids, count, flags);
      this.#table.complete(cardinality, (from) =>
        kernels.groupInternMarked(source, flags, from, cancel),
      );
    }
    this.#table.complete(count, (from) => kernels.groupTranslate(source, ids, from, count, cancel));
  }

  /** Combinations that are few enough to have a number each. */
  #combine(locals: readonly LocalIds[], product: number, list: RowList): void {
    const { kernels, scratch, cancel } = this.#run;
    const { count } = list;
    const [first] = locals as [LocalIds];
    for (const { ids, cardinality } of locals.slice(1)) {
      kernels.groupProduct(first.ids, ids, count, cardinality);
    }
    const sources = this.#addresses(locals.map(({ source }) => source));
    const pairs = this.#addresses(this.#table.pairs);
    const work = scratch.take(locals.length * 4);
    const known = filled(this.#run, product, GROUP_NONE);
    this.#table.complete(count, (from) =>
      kernels.groupCombine(
        sources,
        locals.length,
        pairs,
        work,
        known,
        first.ids,
        from,
        count,
        cancel,
      ),
    );
  }

  #addresses(list: readonly number[]): number {
    const address = this.#run.scratch.take(list.length * 4);
    this.#run.core.u32.set(list, address >>> 2);
    return address;
  }

  #pair(locals: readonly LocalIds[], list: RowList): void {
    const { kernels, cancel } = this.#run;
    const { count } = list;
    for (const local of locals) this.#translate(local, count);
    const [first] = locals as [LocalIds];
    locals.slice(1).forEach(({ ids }, k) => {
      const table = this.#table.pairs[k] as number;
      this.#table.complete(count, (from) =>
        kernels.groupPairs(table, first.ids, ids, from, count, cancel),
      );
    });
  }

  #idsOf(of: Expression, key: number, list: RowList): LocalIds {
    const table = this.#table.keys[key] as number;
    const buckets = this.#buckets[key];
    const bucket = buckets && this.#bucket(of as Bucket, buckets, table, list);
    if (bucket) return bucket;
    const columns = this.#lanes(of, list);
    const [only] = columns;
    if (columns.length === 1 && only) {
      const { lane, address } = only;
      const dense = lane === LANE_NUMBER ? this.#range(address, list) : null;
      if (lane === LANE_ID || (lane === LANE_NUMBER && dense === null)) {
        return this.#indexes(only, table, list);
      }
    }
    return this.#variant(columns, of, table, list);
  }

  #lanes(of: Expression, { segment, mask }: RowList): readonly LaneColumn[] {
    return this.#computed.lanes(segment, of, mask).filter(({ lane }) => lane !== LANE_NULL);
  }

  /** One lane whose values are looked up row by row: ids are indexes at once. */
  #indexes(column: LaneColumn, table: number, list: RowList): LocalIds {
    const ids = filled(this.#run, list.count, GROUP_NONE);
    this.#intern(column, ids, 0, table, list);
    const { kernels } = this.#run;
    this.#table.complete(list.count, (from) => kernels.groupNulls(ids, from, list.count, table));
    const cardinality = this.#indexCount(table);
    return { source: writeSource(this.#run, table, [], cardinality, false), ids, cardinality };
  }

  #indexCount(table: number): number {
    return this.#table.cardinality(this.#table.keys.indexOf(table));
  }

  #intern(column: LaneColumn, ids: number, offset: number, table: number, list: RowList): void {
    const { kernels, cancel } = this.#run;
    const { rows, count } = list;
    const { lane, address } = column;
    const kernel = lane === LANE_ID ? kernels.groupUuids : kernels.groupNumbers;
    this.#table.complete(count, (from) =>
      kernel(address, rows, from, count, ids, offset, table, cancel),
    );
  }

  /** Id 0 is NULL, unless every row has a value; then each lane has a range of ids, the last one without an end. */
  #variant(columns: readonly LaneColumn[], of: Expression, table: number, list: RowList): LocalIds {
    const total = of.kind === "path" && isTotal(of.path) && columns.length > 0;
    const ids = total ? this.#run.scratch.take(list.count * 4) : filled(this.#run, list.count, 0);
    const lanes: SourceLane[] = total ? [] : [{ first: 0, kind: SOURCE_NULL }];
    let first = total ? 0 : 1;
    let last: LaneColumn | undefined;
    for (const column of columns) {
      const lane = this.#denseLane(column, ids, first, list, of, table);
      if (lane === null) {
        last = column;
        continue;
      }
      lanes.push(lane);
      first += lane.count;
    }
    if (last) {
      this.#intern(last, ids, first, table, list);
      lanes.push({ first, kind: SOURCE_INDEX });
      first += this.#indexCount(table);
    }
    // Rows that are fewer than the texts are better looked up one by one than each text once.
    return this.#local(table, lanes, ids, first, this.#keys.length === 1 && list.count < first);
  }

  /** `once`: nobody asks for what an id is known as but `#translate`, and it seldom asks twice. */
  #local(
    table: number,
    lanes: readonly SourceLane[],
    ids: number,
    cardinality: number,
    once: boolean,
  ): LocalIds {
    const numbered =
      once &&
      lanes.at(-1)?.kind === SOURCE_NUMBERED &&
      (lanes.length === 1 || (lanes.length === 2 && lanes[0]?.kind === SOURCE_NULL));
    const source = writeSource(this.#run, table, lanes, cardinality, !numbered);
    return { source, ids, cardinality, numbered };
  }

  /** Gives the rows with a value in a lane their ids, from `first` on; null when its values have no small ids. */
  #denseLane(
    { lane, address }: LaneColumn,
    ids: number,
    first: number,
    list: RowList,
    of: Expression,
    table: number,
  ): (SourceLane & { readonly count: number }) | null {
    const { core, kernels, cancel } = this.#run;
    const { rows, count } = list;
    if (lane === LANE_ID) return null;
    if (lane === LANE_NUMBER) {
      const range = this.#range(address, list);
      if (range === null) return null;
      const { low, count: values } = range;
      if (values > 0) {
        finished(kernels.groupIntegers(address, rows, count, ids, first, low, cancel));
      }
      const exponent = this.#word(address + COLUMN_EXPONENT);
      return { first, kind: SOURCE_INTEGER, exponent, base: low, step: 1n, count: values };
    }
    // The count after the codes: every code that was read is below it, and so are the entries.
    finished(kernels.groupCodes(address, rows, count, ids, first, cancel));
    if (lane === LANE_BOOLEAN) return { first, kind: SOURCE_BOOLEAN, count: 2 };
    const texts = Atomics.load(core.u32, (address + COLUMN_DICT_COUNT) >>> 2);
    const { segment } = list;
    return {
      ...this.#codeLane({ lane, address }, first, texts, segment, count, of, table),
      count: texts,
    };
  }

  /** Ids from `first` on for the `width` codes of a column, which `rows` rows are looked for in. */
  #codeLane(
    { lane, address }: LaneColumn,
    first: number,
    width: number,
    segment: Segment,
    rows: number,
    of: Expression,
    table: number,
  ): SourceLane {
    if (lane === LANE_BOOLEAN) return { first, kind: SOURCE_BOOLEAN };
    if (lane !== LANE_JSON && of.kind === "path") {
      const numbered = this.#numbered(of.path, address, first, width, segment, rows, table);
      if (numbered) return numbered;
    }
    const array = Atomics.load(this.#run.core.u32, (address + COLUMN_DICT) >>> 2);
    return { first, kind: lane === LANE_JSON ? SOURCE_JSON : SOURCE_STRING, array };
  }

  /** Texts that were kept from the queries before, where they are no more than a few times those of the segment. */
  #numbered(
    path: string,
    address: number,
    first: number,
    count: number,
    segment: Segment,
    rows: number,
    table: number,
  ): SourceLane | null {
    const { texts, scratch } = this.#run;
    if (!texts || count < numberedMin || scratch.holds(address)) return null;
    const kept = texts.of(segment, path, address, rows);
    if (kept === null || kept.count > Math.max(denseMax, count * 16)) return null;
    const step = BigInt(this.#table.numbered(table, kept.count));
    return { first, kind: SOURCE_NUMBERED, array: kept.numbers, base: BigInt(kept.entries), step };
  }

  /** The integers of the listed rows, if they are few enough to have an id each. */
  #range(column: number, { rows, count }: RowList): { low: bigint; count: number } | null {
    const { core, kernels, scratch, cancel } = this.#run;
    const mark = scratch.mark();
    const out = scratch.take(16);
    const told = finished(kernels.groupRange(column, rows, count, out, cancel));
    scratch.release(mark);
    if (told === 0) return null;
    const low = core.view.getBigInt64(out, true);
    const high = core.view.getBigInt64(out + 8, true);
    if (low > high) return { low: 0n, count: 0 };
    const values = high - low + 1n;
    return values > BigInt(Math.max(denseMax, count)) ? null : { low, count: Number(values) };
  }

  /** Buckets of a column of times; null when they are too many in this segment to be numbered. */
  #bucket(of: Bucket, buckets: Buckets, table: number, list: RowList): LocalIds | null {
    const { kernels, cancel } = this.#run;
    const { segment, rows, count } = list;
    const columns = this.#lanes(of.of, list);
    const [column] = columns;
    const total = of.of.kind === "path" && isTotal(of.of.path);
    if (columns.length !== 1 || column?.lane !== LANE_NUMBER) return null;
    const { address } = column;
    const range =
      of.of.kind === "path" && of.of.path === "timestamp"
        ? { low: segment.timeMinUs, high: segment.timeMaxUs }
        : this.#times(address, list);
    if (range === null) return null;
    const first = total ? 0 : 1;
    const nulls: SourceLane[] = total ? [] : [{ first: 0, kind: SOURCE_NULL }];
    const { fixed } = buckets;
    const base = buckets.span(range.low).startUs;
    if (fixed !== null) {
      const step = fixed.widthUs;
      const values = (range.high - base) / step + 1n;
      if (values > BigInt(denseMax)) return null;
      const ids = filled(this.#run, count, 0);
      finished(kernels.groupBuckets(address, rows, count, ids, first, base, step, cancel));
      const cardinality = first + Number(values);
      const lanes = [...nulls, { first, kind: SOURCE_INTEGER, base, step }];
      return { source: writeSource(this.#run, table, lanes, cardinality, true), ids, cardinality };
    }
    const starts: bigint[] = [];
    for (let at = range.low; at <= range.high; ) {
      const { startUs, endUs } = buckets.span(at);
      starts.push(startUs);
      if (starts.length > denseMax) return null;
      at = endUs;
    }
    const array = this.#run.scratch.take(starts.length * 8);
    starts.forEach((start, i) => {
      this.#run.core.view.setBigInt64(array + i * 8, start, true);
    });
    const ids = filled(this.#run, count, 0);
    finished(kernels.groupStarts(address, rows, count, ids, first, array, starts.length, cancel));
    const cardinality = first + starts.length;
    const lanes = [...nulls, { first, kind: SOURCE_STARTS, array }];
    return { source: writeSource(this.#run, table, lanes, cardinality, true), ids, cardinality };
  }

  #times(column: number, { rows, count }: RowList): { low: bigint; high: bigint } | null {
    const { core, kernels, scratch, cancel } = this.#run;
    const out = scratch.take(16);
    if (finished(kernels.groupRange(column, rows, count, out, cancel)) === 0) return null;
    const low = core.view.getBigInt64(out, true);
    const high = core.view.getBigInt64(out + 8, true);
    return low > high ? null : { low, high };
  }
}

// Runs a filter over one segment: the rows that pass are the set bits of a selection.

import {
  COLUMN_BASE,
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  COLUMN_DICT_TABLE,
  COLUMN_EXPONENT,
  COLUMN_FLAG_SORTED,
  COLUMN_FLAGS,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_NUMBER,
  LANE_STRING,
} from "../../core/layout.ts";
import type { ComputedColumns } from "../columns/computed.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import { selectionSize, selectionWords } from "../columns/selection.ts";
import type { NumberRange } from "../plan/bounds.ts";
import { rawRange } from "../plan/bounds.ts";
import type { Filter } from "../plan/filter.ts";
import type { Segment } from "../segments/source.ts";
import { membersOf, rawMembers } from "./members.ts";
import type { TextCodes } from "./text-codes.ts";

type Leaf<K extends Filter["kind"]> = Extract<Filter, { kind: K }>;

/** Codes of a dictionary as `TextCodes` finds them; low above high is none. */
interface CodeRange {
  readonly low: number;
  readonly high: number;
}

/** Evaluates filters over the segments of one query. */
export class FilterRun {
  readonly #run: QueryRun;
  readonly #codes: TextCodes;
  readonly #computed: ComputedColumns;

  constructor(run: QueryRun, codes: TextCodes, computed: ComputedColumns) {
    this.#run = run;
    this.#codes = codes;
    this.#computed = computed;
  }

  /**
   * Writes to `out` those of the rows in `mask` for which `filter` is true; `out` may be `mask`. Answers how
   * many they are. Throws CancelledError, and LimitError when scratch runs out.
   */
  select(filter: Filter, segment: Segment, mask: number, out: number): number {
    const { kernels } = this.#run;
    const words = selectionWords(segment.rows);
    switch (filter.kind) {
      case "all":
        return kernels.selectionAnd(mask, mask, out, words);
      case "none":
        return this.#nothing(segment, out);
      case "and": {
        let from = mask;
        let count = 0;
        for (const one of filter.of) {
          count = this.select(one, segment, from, out);
          if (count === 0) break;
          from = out;
        }
        return count;
      }
      case "or":
        return this.#either(filter, segment, mask, out);
      case "number":
        return this.#number(filter, segment, mask, out);
      case "numbers":
        return this.#numbers(filter, segment, mask, out);
      case "boolean":
        return this.#boolean(filter, segment, mask, out);
      case "text":
      case "texts":
      case "prefix":
        return this.#text(filter, segment, mask, out);
      case "id":
        return this.#id(filter, segment, mask, out);
      case "presence":
        return this.#presence(filter, segment, mask, out);
      case "test":
        return this.#computed.test(segment, filter.of, filter.value, mask, out);
      case "sequence":
      case "received":
        return this.#ordered(filter, segment, mask, out);
    }
  }

  #nothing(segment: Segment, out: number): number {
    this.#run.kernels.selectionRange(out, selectionWords(segment.rows), 0, 0);
    return 0;
  }

  /** Each branch looks only at the rows that no branch before it took. */
  #either(filter: Leaf<"and" | "or">, segment: Segment, mask: number, out: number): number {
    const { kernels, scratch } = this.#run;
    const words = selectionWords(segment.rows);
    const mark = scratch.mark();
    const left = scratch.take(selectionSize(segment.rows));
    const taken = scratch.take(selectionSize(segment.rows));
    const some = scratch.take(selectionSize(segment.rows));
    kernels.selectionAnd(mask, mask, left, words);
    this.#nothing(segment, taken);
    for (const one of filter.of) {
      if (this.select(one, segment, left, some) === 0) continue;
      kernels.selectionOr(taken, some, taken, words);
      if (kernels.selectionAndNot(left, some, left, words) === 0) break;
    }
    const count = kernels.selectionAnd(taken, taken, out, words);
    scratch.release(mark);
    return count;
  }

  #number(filter: Leaf<"number">, segment: Segment, mask: number, out: number): number {
    const { path, range } = filter;
    if (path === "timestamp" && !filter.negated) {
      const { i64Low, i64High } = range;
      if (i64Low <= segment.timeMinUs && segment.timeMaxUs <= i64High) {
        return this.select({ kind: "all" }, segment, mask, out);
      }
      if (i64High < segment.timeMinUs || segment.timeMaxUs < i64Low) {
        return this.#nothing(segment, out);
      }
    }
    const column = this.#computed.column(segment, path, LANE_NUMBER);
    if (column === 0) return this.#nothing(segment, out);
    return this.#range(column, range, filter.negated, segment, mask, out);
  }

  #range(
    column: number,
    range: NumberRange,
    negated: boolean,
    segment: Segment,
    mask: number,
    out: number,
  ): number {
    const { kernels, core, cancel } = this.#run;
    const base = core.view.getBigInt64(column + COLUMN_BASE, true);
    const exponent = core.view.getUint32(column + COLUMN_EXPONENT, true);
    const raw = rawRange(range, base, exponent);
    return finished(
      kernels.selectRange(
        column,
        selectionWords(segment.rows),
        mask,
        out,
        negated ? 1 : 0,
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

  #numbers(filter: Leaf<"numbers">, segment: Segment, mask: number, out: number): number {
    const { kernels, scratch, core, cancel } = this.#run;
    const column = this.#computed.column(segment, filter.path, LANE_NUMBER);
    if (column === 0) return this.#nothing(segment, out);
    const base = core.view.getBigInt64(column + COLUMN_BASE, true);
    const exponent = core.view.getUint32(column + COLUMN_EXPONENT, true);
    const raws = rawMembers(filter.ranges, base, exponent);
    const { integers, doubles } = membersOf(filter);
    const mark = scratch.mark();
    const lists = [raws, integers, doubles].flatMap((list) => {
      const address = scratch.take(list.byteLength);
      core.u8.set(new Uint8Array(list.buffer, list.byteOffset, list.byteLength), address);
      return [address, list.length];
    }) as [number, number, number, number, number, number];
    const words = selectionWords(segment.rows);
    const negated = filter.negated ? 1 : 0;
    const selected = finished(
      kernels.selectNumbers(column, words, mask, out, negated, ...lists, cancel),
    );
    scratch.release(mark);
    return selected;
  }

  /** Codes or booleans in a closed range. */
  #rawRange(
    column: number,
    range: CodeRange,
    negated: boolean,
    segment: Segment,
    mask: number,
    out: number,
  ): number {
    return finished(
      this.#run.kernels.selectRange(
        column,
        selectionWords(segment.rows),
        mask,
        out,
        negated ? 1 : 0,
        range.low,
        range.high,
        0n,
        0n,
        0,
        0,
        this.#run.cancel,
      ),
    );
  }

  #boolean(filter: Leaf<"boolean">, segment: Segment, mask: number, out: number): number {
    const column = segment.column(filter.path, LANE_BOOLEAN);
    if (column === 0) return this.#nothing(segment, out);
    const low = filter.values.includes(false) ? 0 : 1;
    const high = filter.values.includes(true) ? 1 : 0;
    return this.#rawRange(column, { low, high }, false, segment, mask, out);
  }

  #text(
    filter: Leaf<"text" | "texts" | "prefix">,
    segment: Segment,
    mask: number,
    out: number,
  ): number {
    const { core, kernels, scratch } = this.#run;
    const column = segment.column(filter.path, LANE_STRING);
    if (column === 0) return this.#nothing(segment, out);
    // The count first: entries that are published later are more than these.
    const count = Atomics.load(core.u32, (column + COLUMN_DICT_COUNT) >>> 2);
    const entries = Atomics.load(core.u32, (column + COLUMN_DICT) >>> 2);
    const sorted = (core.view.getUint32(column + COLUMN_FLAGS, true) & COLUMN_FLAG_SORTED) !== 0;
    const dictionary = { name: segment.hot ? segment.id : -1 - segment.id, entries, count };
    const { negated } = filter;
    if (filter.kind === "text" && filter.op === "=") {
      const code = sorted
        ? this.#codes.findSorted(dictionary, filter.text)
        : this.#codes.find(dictionary, filter.path, filter.text);
      return this.#rawRange(column, codeRange(code), negated, segment, mask, out);
    }
    if (sorted && filter.kind !== "texts") {
      const range =
        filter.kind === "prefix"
          ? this.#codes.prefixRange(dictionary, filter.text)
          : this.#codes.orderRange(dictionary, filter.op, filter.text);
      return this.#rawRange(column, range, negated, segment, mask, out);
    }
    const mark = scratch.mark();
    const table = scratch.take(count + 1);
    if (filter.kind === "texts") {
      const hasTable = segment.hot && core.u32[(column + COLUMN_DICT_TABLE) >>> 2] !== 0;
      const hot = hasTable ? column : 0;
      this.#codes.members(
        filter.texts,
        { ...dictionary, sorted, hot },
        filter.path,
        negated,
        table,
      );
    } else if (filter.kind === "prefix") {
      const text = this.#codes.literal(filter.text);
      kernels.matchPrefix(entries, count, text, filter.text.length, negated ? 1 : 0, table);
    } else {
      const text = this.#codes.literal(filter.text);
      kernels.matchTexts(entries, count, text, filter.text.length, orders[filter.op], table);
    }
    const selected = this.#table(column, table, count, segment, mask, out);
    scratch.release(mark);
    return selected;
  }

  /** A table whose set codes are one run is a range, which the fast kernel takes. */
  #table(
    column: number,
    table: number,
    count: number,
    segment: Segment,
    mask: number,
    out: number,
  ): number {
    const { core, kernels, cancel } = this.#run;
    const codes = core.u8.subarray(table, table + count);
    const low = codes.indexOf(1);
    if (low < 0) return this.#nothing(segment, out);
    const high = codes.lastIndexOf(1);
    const gap = codes.indexOf(0, low);
    if (gap < 0 || gap > high) {
      return this.#rawRange(column, { low, high }, false, segment, mask, out);
    }
    const words = selectionWords(segment.rows);
    return finished(kernels.selectCodes(column, words, mask, out, table, cancel));
  }

  #id(filter: Leaf<"id">, segment: Segment, mask: number, out: number): number {
    const column = segment.column("id", LANE_ID);
    if (column === 0) return this.#nothing(segment, out);
    return finished(
      this.#run.kernels.selectIds(
        column,
        selectionWords(segment.rows),
        mask,
        out,
        filter.negated ? 1 : 0,
        this.#codes.literal(filter.low),
        this.#codes.literal(filter.high),
        this.#run.cancel,
      ),
    );
  }

  #presence(filter: Leaf<"presence">, segment: Segment, mask: number, out: number): number {
    const { kernels, scratch } = this.#run;
    const words = selectionWords(segment.rows);
    const mark = scratch.mark();
    const having = scratch.take(selectionSize(segment.rows));
    const some = scratch.take(selectionSize(segment.rows));
    this.#nothing(segment, having);
    for (const lane of filter.lanes) {
      const column = segment.column(filter.path, lane);
      if (column === 0) continue;
      kernels.selectPresent(column, words, mask, some);
      kernels.selectionOr(having, some, having, words);
    }
    const count = filter.present
      ? kernels.selectionAnd(having, mask, out, words)
      : kernels.selectionAndNot(mask, having, out, words);
    scratch.release(mark);
    return count;
  }

  #ordered(filter: Leaf<"sequence" | "received">, segment: Segment, mask: number, out: number) {
    const { kernels, scratch } = this.#run;
    const words = selectionWords(segment.rows);
    const [from, to] = rowRange(filter, segment);
    if (from >= to) return this.#nothing(segment, out);
    const mark = scratch.mark();
    const some = scratch.take(selectionSize(segment.rows));
    kernels.selectionRange(some, words, from, to);
    const count = kernels.selectionAnd(mask, some, out, words);
    scratch.release(mark);
    return count;
  }
}

/** Orders relative to a text, as matchTexts takes them: 1 before, 2 equal, 4 after. */
const orders = { "=": 2, "<": 1, "<=": 3, ">": 4, ">=": 6 } as const;

function codeRange(code: number): CodeRange {
  return code < 0 ? { low: 1, high: 0 } : { low: code, high: code };
}

/** Rows [from, to) whose sequence or receipt lies in the filter's closed range. */
export function rowRange(
  filter: Leaf<"sequence" | "received">,
  segment: Segment,
): [number, number] {
  if (filter.kind === "sequence") {
    const clamp = (row: bigint): number =>
      row < 0n ? 0 : row > BigInt(segment.rows) ? segment.rows : Number(row);
    return [
      clamp(filter.low - segment.firstSequence),
      clamp(filter.high - segment.firstSequence + 1n),
    ];
  }
  let from = segment.rows;
  let to = segment.rows;
  for (const { firstRow, receivedAtUs } of segment.received()) {
    if (receivedAtUs >= filter.low) from = Math.min(from, firstRow);
    if (receivedAtUs > filter.high) to = Math.min(to, firstRow);
  }
  return [from, to];
}

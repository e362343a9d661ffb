// Which values each group has, exactly, in a hash table of MEMBERs or TALLYs and a table of texts: what
// count_distinct and topk have in common.
//
// In partials:
//   0 texts u32 │ texts × { length u32, UTF-8, or 16 bytes of an id }
//   then members u32 │ members × { bits u64, group u32, kind u32, and for tallies count u64, error u64 }
// Kinds are those of MEMBER in layout.ts: 1 i64, 2 f64, 3 boolean, 4 string, 5 json, 6 id; the bits of a text are its
// index among the partial's texts.

import { integer } from "../../base/integer.ts";
import {
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NULL,
  LANE_NUMBER,
  MEMBER_BITS,
  MEMBER_BOOLEAN,
  MEMBER_F64,
  MEMBER_GROUP,
  MEMBER_I64,
  MEMBER_ID,
  MEMBER_JSON,
  MEMBER_KIND,
  MEMBER_STRING,
  VECTOR_COUNT,
} from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { JsonText, type Value } from "../result.ts";
import type { AggregateContext, GroupRows } from "./accumulator.ts";
import { idText } from "./extremes.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import type { PartialReader, PartialWriter } from "./partial-bytes.ts";
import { HashTable, runGrowing, Texts } from "./tables.ts";
import { dictionaryView, openVector } from "./vectors.ts";

/** Codes are counted by group before they are looked up where so many rows or more come to each such pair. */
const countedRows = 2;

export class Members {
  readonly table: HashTable;
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly texts: Texts;
  readonly #heap: Heap;

  constructor(context: AggregateContext, slots: "members" | "tallies") {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.table = new HashTable(context.run, slots);
    this.texts = new Texts(context.run);
    this.#heap = new Heap(context.run);
  }

  /** `counts`: a u64 a group, which counts its values. */
  add(rows: GroupRows, of: Expression, counts: number): void {
    const { run, computed } = this.#context;
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, of, rows.mask)) {
      if (lane !== LANE_NULL) this.#addLane(rows, lane, address, counts);
      run.scratch.release(mark);
    }
  }

  #addLane(rows: GroupRows, lane: number, column: number, counts: number): void {
    const { run } = this.#context;
    const vector = openVector(run, rows, column);
    const [table, size] = [this.table.address, this.table.size];
    if (lane === LANE_ID) {
      this.#addIds(vector, counts);
      return;
    }
    const kind = kindOf(lane);
    let indexes = 0;
    if (lane !== LANE_NUMBER && lane !== LANE_BOOLEAN) {
      const { entries, count } = dictionaryView(run, column);
      const groups = rows.groups === 0 ? 1 : rows.groupCount;
      if (groups * count * countedRows <= rows.count) {
        this.#addCounted(vector, kind, entries, count, groups, counts);
        return;
      }
      const used = this.#zeros(count);
      finished(this.#kernels.markCodes(openVector(run, rows, column), used));
      indexes = run.scratch.take(count * 4);
      this.texts.intern(entries, count, used, indexes);
    }
    runGrowing(run, vector, this.table, this.#heap, () =>
      this.#kernels.addMembers(vector, kind, indexes, table, size, counts),
    );
  }

  /** Each text is looked up once, and each pair of a group and a text, whatever the number of rows. */
  #addCounted(
    vector: number,
    kind: number,
    entries: number,
    width: number,
    groups: number,
    members: number,
  ): void {
    const { run } = this.#context;
    const counts = this.#zeros(groups * width * 4);
    finished(this.#kernels.countCodes(vector, width, counts));
    const used = this.#zeros(width);
    const pairs = this.#kernels.usedCounts(counts, groups, width, used) >>> 0;
    const indexes = run.scratch.take(width * 4);
    this.texts.intern(entries, width, used, indexes);
    this.table.grow(pairs);
    const [table, size] = [this.table.address, this.table.size];
    this.#kernels.addCounted(counts, groups, width, kind, indexes, table, size, members);
  }

  #zeros(size: number): number {
    const { core, scratch } = this.#context.run;
    const address = scratch.take(size);
    core.u8.fill(0, address, address + size);
    return address;
  }

  #addIds(vector: number, counts: number): void {
    const { core } = this.#context.run;
    const [table, size] = [this.table.address, this.table.size];
    const [texts, heap] = [this.texts.address, this.texts.heap];
    const kernel = () =>
      finished(this.#kernels.addIdMembers(vector, table, size, counts, texts, heap.address));
    for (let answer = kernel(); answer !== 0; answer = kernel()) {
      const waiting = core.u32[(vector + VECTOR_COUNT) >>> 2] as number;
      if (answer === 1) this.table.grow(waiting);
      else if (answer === 2) this.texts.grow(waiting);
      else heap.grow();
    }
  }

  /** Calls `visit` with the address of each member or tally. */
  each(visit: (address: number, group: number) => void): void {
    const { u32 } = this.#context.run.core;
    for (let slot = 0; slot < this.table.slots; slot++) {
      const address = this.table.at(slot);
      if (u32[(address + MEMBER_KIND) >>> 2] === 0) continue;
      visit(address, u32[(address + MEMBER_GROUP) >>> 2] as number);
    }
  }

  value(address: number): Value {
    const { view, u32 } = this.#context.run.core;
    const kind = u32[(address + MEMBER_KIND) >>> 2] as number;
    const low = u32[(address + MEMBER_BITS) >>> 2] as number;
    if (kind === MEMBER_I64) return integer(view.getBigInt64(address + MEMBER_BITS, true));
    if (kind === MEMBER_F64) return view.getFloat64(address + MEMBER_BITS, true);
    if (kind === MEMBER_BOOLEAN) return low !== 0;
    const bytes = this.texts.bytes(low);
    if (kind === MEMBER_ID) return idText(Uint8Array.from(bytes));
    const text = bytes.toString("utf8");
    return kind === MEMBER_JSON ? new JsonText(text) : text;
  }

  /** Members of the groups below `groupCount`, whose tallies are read as `tally` says. */
  encode(
    groupCount: number,
    out: PartialWriter,
    tally?: (address: number) => { count: bigint; error: bigint },
  ): void {
    const { view, u32 } = this.#context.run.core;
    const count = this.texts.count;
    out.u32(count);
    for (let i = 0; i < count; i++) {
      const bytes = this.texts.bytes(i);
      out.u32(bytes.length);
      out.raw(bytes);
    }
    let members = 0;
    this.each((_, group) => {
      if (group < groupCount) members++;
    });
    out.u32(members);
    this.each((address, group) => {
      if (group >= groupCount) return;
      out.i64(view.getBigInt64(address + MEMBER_BITS, true));
      out.u32(group);
      out.u32(u32[(address + MEMBER_KIND) >>> 2] as number);
      if (!tally) return;
      const { count: times, error } = tally(address);
      out.i64(times);
      out.i64(error);
    });
  }

  /** Calls `visit` with each encoded member, its group and text those of this query. */
  decode(
    partials: PartialReader,
    groups: Uint32Array,
    visit: (bits: bigint, group: number, kind: number) => void,
  ): void {
    const { core, scratch } = this.#context.run;
    const mark = scratch.mark();
    const indexes = Array.from({ length: partials.u32() }, () => {
      const bytes = partials.raw(partials.u32());
      const text = scratch.take(bytes.length);
      core.u8.set(bytes, text);
      const index = this.texts.internOne(text, bytes.length);
      scratch.release(mark);
      return index;
    });
    for (let left = partials.u32(); left > 0; left--) {
      let bits = partials.i64();
      const group = groups[partials.u32()];
      const kind = partials.u32();
      if (kind >= MEMBER_STRING) bits = BigInt(indexes[Number(bits)] ?? -1);
      if (
        group === undefined ||
        kind < MEMBER_I64 ||
        kind > MEMBER_ID ||
        (kind >= MEMBER_STRING && bits < 0n)
      ) {
        throw new CorruptionError(
          "partial_bounds",
          `a partial of distinct values has no such group or text`,
        );
      }
      visit(bits, group, kind);
    }
  }
}

function kindOf(lane: number): number {
  if (lane === LANE_NUMBER) return MEMBER_I64;
  if (lane === LANE_BOOLEAN) return MEMBER_BOOLEAN;
  return lane === LANE_JSON ? MEMBER_JSON : MEMBER_STRING;
}

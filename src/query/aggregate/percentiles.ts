// median, percentile_cont, percentile_disc, exact: every number of every group is kept, 16 bytes each, in the query's
// working memory (beyond its limit it ends with `query_memory`), and the wanted ones are selected when all are there.
//
// percentile_disc is the first value whose share of the values up to it is at least the fraction: index ceil(q n) -
// 1 of the n in order. percentile_cont is at q (n - 1), between two neighbours in proportion, as a double; the
// median is that of 0.5.
//
// Partial:  0 tag u8 = 0x0a │ 1 count u32 │ count × VALUE, 16 bytes:
//   0 the nearest double f64 │ 8 group u32 │ 12 i32: of an integer 2 × (it - the double) + 1, of a double 0

import { integer } from "../../base/integer.ts";
import {
  LANE_NUMBER,
  LIST_CAPACITY,
  LIST_CHUNKS,
  LIST_COUNT,
  LIST_SIZE,
  VALUE_CHUNK,
  VALUE_GROUP,
  VALUE_NUMBER,
  VALUE_REST,
  VALUE_SIZE,
  VECTOR_COUNT,
} from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates, groupsEnd } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x0a;
const chunkBytes = VALUE_CHUNK * VALUE_SIZE;

export class PercentileState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #chunks: GroupStates;
  #list = 0;
  #chunkCount = 0;
  #groupCount = 0;
  /** Where the values of each group begin, once they are parted. */
  #starts: Uint32Array | undefined;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#chunks = new GroupStates(context.run, 4);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    this.#begin(rows.groupCount);
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NUMBER) continue;
      const vector = openVector(run, rows, address);
      const list = this.#list;
      while (finished(this.#kernels.addValues(vector, list)) !== 0) {
        this.#room(run.core.u32[(vector + VECTOR_COUNT) >>> 2] as number);
      }
    }
    run.scratch.release(mark);
  }

  #begin(groupCount: number): void {
    const { core, scratch } = this.#context.run;
    this.#groupCount = Math.max(this.#groupCount, groupCount);
    this.#starts = undefined;
    if (this.#list !== 0) return;
    this.#list = scratch.keep(LIST_SIZE);
    core.u8.fill(0, this.#list, this.#list + LIST_SIZE);
  }

  #word(offset: number): number {
    return this.#context.run.core.u32[(this.#list + offset) >>> 2] as number;
  }

  /** Makes room for `more` values. */
  #room(more: number): void {
    const { core, scratch } = this.#context.run;
    while (this.#word(LIST_CAPACITY) < this.#word(LIST_COUNT) + more) {
      const chunks = this.#chunks.room(this.#chunkCount + 1);
      core.u32[(chunks >>> 2) + this.#chunkCount] = scratch.keep(chunkBytes);
      this.#chunkCount++;
      core.u32[(this.#list + LIST_CAPACITY) >>> 2] = this.#chunkCount * VALUE_CHUNK;
      core.u32[(this.#list + LIST_CHUNKS) >>> 2] = chunks;
    }
  }

  finish(aggregate: Aggregate): (group: number) => Value {
    const fraction = aggregate.fn === "median" ? 0.5 : (aggregate.parameters[0] as number);
    return (group) => {
      if (this.#list === 0 || group >= this.#groupCount) return null;
      this.#starts ??= this.#parted();
      const [from, to] = [this.#starts[group] as number, this.#starts[group + 1] as number];
      const count = to - from;
      if (count === 0) return null;
      if (aggregate.fn === "percentile_disc") {
        return this.#select(from, to, Math.max(0, Math.ceil(fraction * count) - 1));
      }
      const at = fraction * (count - 1);
      const low = Math.floor(at);
      const below = Number(this.#select(from, to, low));
      if (low === at) return below;
      const above = Number(this.#select(from, to, low + 1));
      return between(below, above, at - low);
    };
  }

  #parted(): Uint32Array {
    const { core, scratch } = this.#context.run;
    const mark = scratch.mark();
    const size = (this.#groupCount + 1) * 4;
    const [starts, nexts] = [scratch.take(size), scratch.take(size)];
    this.#kernels.partValues(this.#list, this.#groupCount, starts, nexts);
    const parted = core.u32.slice(starts >>> 2, (starts >>> 2) + this.#groupCount + 1);
    scratch.release(mark);
    return parted;
  }

  /** The k-th of the values [from, to) in order. */
  #select(from: number, to: number, k: number): number | bigint {
    const { view } = this.#context.run.core;
    const value = this.#kernels.selectValue(this.#list, from, to, k) >>> 0;
    const near = view.getFloat64(value + VALUE_NUMBER, true);
    const rest = view.getInt32(value + VALUE_REST, true);
    if (rest === 0) return near + 0;
    return rest === 1 && Number.isSafeInteger(near)
      ? near + 0
      : integer(BigInt(near) + BigInt(rest >> 1));
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#begin(groupCount);
    const { u8, u32 } = this.#context.run.core;
    const count = this.#word(LIST_COUNT);
    out.u32(count);
    const chunks = this.#word(LIST_CHUNKS) >>> 2;
    for (let first = 0, i = 0; first < count; first += VALUE_CHUNK, i++) {
      const chunk = u32[chunks + i] as number;
      out.raw(u8.subarray(chunk, chunk + Math.min(VALUE_CHUNK, count - first) * VALUE_SIZE));
    }
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "percentiles");
    this.#begin(groupsEnd(groups));
    const { u8, u32 } = this.#context.run.core;
    for (let left = partials.u32(); left > 0; ) {
      this.#room(1);
      const count = this.#word(LIST_COUNT);
      const within = count % VALUE_CHUNK;
      const some = Math.min(left, VALUE_CHUNK - within);
      const chunk = u32[(this.#word(LIST_CHUNKS) >>> 2) + (count - within) / VALUE_CHUNK] as number;
      const to = chunk + within * VALUE_SIZE;
      u8.set(partials.raw(some * VALUE_SIZE), to);
      for (let i = 0; i < some; i++) {
        const at = (to + i * VALUE_SIZE + VALUE_GROUP) >>> 2;
        const group = groups[u32[at] as number];
        if (group === undefined) {
          throw new CorruptionError("partial_bounds", "a partial of percentiles has no such group");
        }
        u32[at] = group;
      }
      u32[(this.#list + LIST_COUNT) >>> 2] = count + some;
      left -= some;
    }
  }
}

/** Between two numbers in proportion, never outside them, whose difference may be more than a double holds. */
function between(low: number, high: number, share: number): number {
  const value = Number.isFinite(high - low)
    ? low + (high - low) * share
    : low * (1 - share) + high * share;
  return Math.min(Math.max(value, low), high);
}

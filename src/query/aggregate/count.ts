// count: of rows, or of those where an expression is not NULL. Merging adds.
//
// Partial:  0 tag u8 = 0x01 │ 1 groups × count u64

import { LANE_NULL } from "../../core/layout.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { isTotal } from "../plan/filter.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates, setCount } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x01;

export class CountState implements Accumulator {
  readonly takesRuns = true;
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  /** Null: every row counts. */
  readonly #of: Expression | null;
  readonly #counts: GroupStates;

  constructor(of: Expression | null, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = countsRows(of) ? null : of;
    this.#counts = new GroupStates(context.run, 8);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const { group = 0 } = rows;
    const counts = this.#counts.room(rows.groupCount) + group * 8;
    if (this.#of === null) {
      if (rows.groups !== 0) this.#kernels.addCounts(rows.groups, rows.count, counts);
      else setCount(run, counts, countAt(run, counts) + rows.count);
      return;
    }
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane === LANE_NULL) continue;
      finished(this.#kernels.countVectors(openVector(run, rows, address), counts));
    }
    run.scratch.release(mark);
  }

  /** Whether every row counts. */
  get ofRows(): boolean {
    return this.#of === null;
  }

  /** Adds u64 counts at `times` to those of `count` groups, u32 each at `groups`. */
  addTimes(groups: number, times: number, count: number, groupCount: number): void {
    this.#kernels.mergeCounts(times, groups, count, this.#counts.room(groupCount));
  }

  finish(): (group: number) => Value {
    return (group) => this.at(group);
  }

  numbers(_: Aggregate, count: number): Float64Array {
    const { u32 } = this.#context.run.core;
    const numbers = new Float64Array(count);
    const known = Math.min(count, this.#counts.capacity);
    for (let i = 0, at = this.#counts.address >>> 2; i < known; i++, at += 2) {
      numbers[i] = (u32[at] as number) + (u32[at + 1] as number) * 2 ** 32;
    }
    return numbers;
  }

  at(group: number): number {
    const address = this.#counts.at(group);
    return address === 0 ? 0 : countAt(this.#context.run, address);
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#counts.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "count");
    this.#counts.merge(partials, groups, this.#kernels.mergeCounts);
  }
}

/** Whether no row's value of `of` is NULL. */
export function countsRows(of: Expression | null): boolean {
  return of === null || (of.kind === "path" && isTotal(of.path));
}

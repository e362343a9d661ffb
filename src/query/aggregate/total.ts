// sum and avg. Integers are exact, whatever their number; for n doubles with the exact sum S, the answer is off by at
// most 2^-52 |S| + (n 2^-53)² Σ|x|, in whatever order and parts they were added (see assembly/aggregate/total.ts).
//
// Partial:  0 tag u8 = 0x02 │ 1 groups × TOTAL, 48 bytes:
//   0 sum of the integers: low u64 │ 8 high i64 │ 16 sum of the doubles f64 │ 24 its error f64
//   32 integers u64 │ 40 doubles u64

import { integer } from "../../base/integer.ts";
import {
  LANE_NUMBER,
  TOTAL_DOUBLES,
  TOTAL_ERROR,
  TOTAL_F64,
  TOTAL_HIGH,
  TOTAL_INTEGERS,
  TOTAL_LOW,
  TOTAL_SIZE,
  VECTOR_WANT_RAW,
} from "../../core/layout.ts";
import { InputError } from "../../errors.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { i64Max, i64Min } from "../plan/bounds.ts";
import { describeAggregate } from "../plan/describe.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x02;

export class TotalState implements Accumulator {
  readonly takesRuns = true;
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #totals: GroupStates;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#totals = new GroupStates(context.run, TOTAL_SIZE);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const { group = 0 } = rows;
    const totals = this.#totals.room(rows.groupCount) + group * TOTAL_SIZE;
    const wanted = rows.groups === 0 ? VECTOR_WANT_RAW : 0;
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NUMBER) continue;
      finished(this.#kernels.addTotals(openVector(run, rows, address, wanted), totals));
    }
    run.scratch.release(mark);
  }

  finish(aggregate: Aggregate): (group: number) => Value {
    if (aggregate.fn === "avg") return (group) => this.#mean(group, aggregate);
    return (group) => this.sum(group, aggregate);
  }

  /** NULL without numbers; an integer when all are. Throws `sum_overflow`, which names `aggregate`. */
  sum(group: number, aggregate: Aggregate): number | bigint | null {
    const { view } = this.#context.run.core;
    const total = this.#totals.at(group);
    if (total === 0) return null;
    const { integers, doubles } = this.#counts(total);
    if (integers + doubles === 0) return null;
    if (doubles > 0) return this.#double(total, aggregate);
    const low = view.getBigInt64(total + TOTAL_LOW, true);
    // Mostly the sum is within 64 bits, and often within 53.
    if (view.getBigInt64(total + TOTAL_HIGH, true) === low >> 63n) return integer(low);
    throw new InputError(
      "sum_overflow",
      `${describeAggregate(aggregate)} adds up to ${this.#wide(total)}, want ${i64Min} to ${i64Max}`,
    );
  }

  /** Of the integers, all 128 bits. */
  #wide(total: number): bigint {
    const { view } = this.#context.run.core;
    const high = view.getBigInt64(total + TOTAL_HIGH, true);
    return (high << 64n) + view.getBigUint64(total + TOTAL_LOW, true);
  }

  #counts(total: number): { integers: number; doubles: number } {
    const { run } = this.#context;
    return {
      integers: countAt(run, total + TOTAL_INTEGERS),
      doubles: countAt(run, total + TOTAL_DOUBLES),
    };
  }

  /** Sum of integers and doubles. */
  #double(total: number, aggregate: Aggregate): number {
    const { view } = this.#context.run.core;
    const sum = view.getFloat64(total + TOTAL_F64, true);
    let error = view.getFloat64(total + TOTAL_ERROR, true);
    // The integers as two doubles: what the first can't hold is in the second.
    const wide = this.#wide(total);
    const first = Number(wide);
    error += Number(wide - BigInt(first));
    const after = sum + first;
    const part = after - sum;
    error += sum - (after - part) + (first - part);
    const value = after + error;
    if (Number.isFinite(value)) return value;
    throw new InputError(
      "sum_overflow",
      `${describeAggregate(aggregate)} adds up to more than a double holds`,
    );
  }

  #mean(group: number, aggregate: Aggregate): Value {
    const total = this.#totals.at(group);
    if (total === 0) return null;
    const { integers, doubles } = this.#counts(total);
    if (integers + doubles === 0) return null;
    const sum = doubles > 0 ? this.#double(total, aggregate) : Number(this.#wide(total));
    return sum / (integers + doubles);
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#totals.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "sum");
    this.#totals.merge(partials, groups, this.#kernels.mergeTotals);
  }
}

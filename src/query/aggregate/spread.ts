// stddev_samp, stddev_pop, var_samp, var_pop. Numbers are taken as doubles, from a shift on; the relative error of a
// variance over n numbers is at most about n 2^-53 κ with κ² = 1 + (mean - shift)² / variance, in whatever order and
// parts they were added (see assembly/aggregate/spread.ts). Merging is that of Chan, Golub and LeVeque.
//
// Partial:  0 tag u8 = 0x04 │ 1 groups × SPREAD, 32 bytes:
//   0 count f64 │ 8 shift f64 │ 16 mean - shift f64 │ 24 sum of squared deviations from the mean f64

import {
  LANE_NUMBER,
  SPREAD_COUNT,
  SPREAD_SIZE,
  SPREAD_SQUARES,
  VECTOR_WANT_F64,
} from "../../core/layout.ts";
import { InputError } from "../../errors.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { describeAggregate } from "../plan/describe.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x04;

export class SpreadState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #spreads: GroupStates;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#spreads = new GroupStates(context.run, SPREAD_SIZE);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const spreads = this.#spreads.room(rows.groupCount);
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NUMBER) continue;
      const vector = openVector(run, rows, address, VECTOR_WANT_F64);
      finished(this.#kernels.addSpreads(vector, spreads));
    }
    run.scratch.release(mark);
  }

  finish(aggregate: Aggregate): (group: number) => Value {
    const { view } = this.#context.run.core;
    const sample = aggregate.fn === "stddev_samp" || aggregate.fn === "var_samp";
    const root = aggregate.fn === "stddev_samp" || aggregate.fn === "stddev_pop";
    return (group) => {
      const spread = this.#spreads.at(group);
      if (spread === 0) return null;
      const count = view.getFloat64(spread + SPREAD_COUNT, true);
      const divisor = sample ? count - 1 : count;
      if (divisor < 1) return null;
      const variance = view.getFloat64(spread + SPREAD_SQUARES, true) / divisor;
      if (!Number.isFinite(variance)) {
        const text = describeAggregate(aggregate);
        throw new InputError("sum_overflow", `${text} squares more than a double holds`);
      }
      return root ? Math.sqrt(variance) : variance;
    };
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#spreads.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "variance");
    this.#spreads.merge(partials, groups, this.#kernels.mergeSpreads);
  }
}

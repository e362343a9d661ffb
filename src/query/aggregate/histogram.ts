// histogram: how many numbers lie between bounds, as JSON [{"from", "to", "count"}, …]: from is in the bucket, to
// is not; the first bucket has no from and the last no to (null). Exact: integers are compared with bounds without
// rounding. NULL without numbers. Merging adds.
//
// Partial:  0 tag u8 = 0x0b │ 1 bounds u32 │ 5 bounds × f64 │ then groups × (bounds + 1) × count u64

import { LANE_NUMBER } from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { i64Max, i64Min } from "../plan/bounds.ts";
import { JsonText, type Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x0b;

export class HistogramState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #bounds: readonly number[];
  readonly #counts: GroupStates;

  constructor(of: Expression, bounds: readonly number[], context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#bounds = bounds;
    this.#counts = new GroupStates(context.run, (bounds.length + 1) * 8);
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const { core, scratch } = run;
    const counts = this.#counts.room(rows.groupCount);
    const mark = scratch.mark();
    const size = this.#bounds.length * 8;
    const [doubles, integers] = [scratch.take(size), scratch.take(size)];
    let reachable = 0;
    this.#bounds.forEach((bound, i) => {
      core.view.setFloat64(doubles + i * 8, bound, true);
      const whole = lowestInteger(bound);
      if (whole === null) return;
      core.view.setBigInt64(integers + i * 8, whole, true);
      reachable = i + 1;
    });
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      if (lane !== LANE_NUMBER) continue;
      const vector = openVector(run, rows, address);
      const count = this.#bounds.length;
      finished(this.#kernels.addHistogram(vector, doubles, count, integers, reachable, counts));
    }
    scratch.release(mark);
  }

  finish(): (group: number) => Value {
    return (group) => {
      const address = this.#counts.at(group);
      if (address === 0) return null;
      const edges = [null, ...this.#bounds, null];
      let total = 0;
      const buckets = edges.slice(1).map((to, i) => {
        const count = countAt(this.#context.run, address + i * 8);
        total += count;
        return `{"from":${edges[i] ?? null},"to":${to},"count":${count}}`;
      });
      return total === 0 ? null : new JsonText(`[${buckets.join(",")}]`);
    };
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    out.u32(this.#bounds.length);
    for (const bound of this.#bounds) out.f64(bound);
    this.#counts.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "histogram");
    const bounds = Array.from({ length: partials.u32() }, () => partials.f64());
    if (bounds.length !== this.#bounds.length || bounds.some((one, i) => one !== this.#bounds[i])) {
      throw new CorruptionError(
        "partial_bounds",
        `a partial histogram has bounds ${bounds.join(", ")}, want ${this.#bounds.join(", ")}`,
      );
    }
    const width = bounds.length + 1;
    this.#counts.merge(partials, groups, (from, into, count, states) => {
      const { u32, view } = this.#context.run.core;
      for (let i = 0; i < count; i++) {
        const state = states + (u32[(into >>> 2) + i] as number) * width * 8;
        for (let b = 0; b < width; b++) {
          const sum =
            view.getBigUint64(state + b * 8, true) +
            view.getBigUint64(from + (i * width + b) * 8, true);
          view.setBigUint64(state + b * 8, sum, true);
        }
      }
    });
  }
}

/** The lowest integer of 64 bits that is not below the bound, or null when all are. */
function lowestInteger(bound: number): bigint | null {
  if (bound <= -(2 ** 63)) return i64Min;
  if (bound >= 2 ** 63) return null;
  const whole = BigInt(Math.ceil(bound));
  return whole > i64Max ? null : whole;
}

// percentile_disc of what is no number: values are counted by a hash table, and put in order when all are there.
// Exact; memory as that of topk, of which nothing is cut here.
//
// Partial:  0 tag u8 = 0x0d │ 1 members with counts, as members.ts says; errors are 0

import { TALLY_COUNT, TALLY_ERROR } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import { compareOrdered } from "../value-order.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { aggregateKernels } from "./kernels.ts";
import { Members } from "./members.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates, groupsEnd, setCount } from "./states.ts";

const tag = 0x0d;
const ascending = { descending: false, nullsFirst: false };

export class OrderedState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #of: Expression;
  readonly #members: Members;
  readonly #counts: GroupStates;
  #byGroup: Map<number, { value: Value; count: number }[]> | undefined;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#of = of;
    this.#members = new Members(context, "tallies");
    this.#counts = new GroupStates(context.run, 8);
  }

  add(rows: GroupRows): void {
    this.#byGroup = undefined;
    this.#members.add(rows, this.#of, this.#counts.room(rows.groupCount));
  }

  finish({ parameters }: Aggregate): (group: number) => Value {
    const fraction = parameters[0] as number;
    return (group) => {
      this.#byGroup ??= this.#sorted();
      const values = this.#byGroup.get(group) ?? [];
      const total = values.reduce((sum, { count }) => sum + count, 0);
      let left = Math.max(1, Math.ceil(fraction * total));
      for (const { value, count } of values) {
        left -= count;
        if (left <= 0) return value;
      }
      return null;
    };
  }

  #sorted(): Map<number, { value: Value; count: number }[]> {
    const byGroup = new Map<number, { value: Value; count: number }[]>();
    this.#members.each((address, group) => {
      const values = byGroup.get(group) ?? [];
      byGroup.set(group, values);
      const count = countAt(this.#context.run, address + TALLY_COUNT);
      values.push({ value: this.#members.value(address), count });
    });
    for (const values of byGroup.values()) {
      values.sort((a, b) => compareOrdered(a.value, b.value, ascending));
    }
    return byGroup;
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#members.encode(groupCount, out, (address) => ({
      count: BigInt(countAt(this.#context.run, address + TALLY_COUNT)),
      error: 0n,
    }));
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "percentile_disc");
    this.#byGroup = undefined;
    this.#counts.room(groupsEnd(groups));
    const { run } = this.#context;
    const { tallyOf } = aggregateKernels(run.core);
    const { table } = this.#members;
    this.#members.decode(partials, groups, (bits, group, kind) => {
      const count = Number(partials.i64());
      partials.i64();
      table.grow(1);
      const at = tallyOf(table.address, bits, group, kind) >>> 0;
      setCount(run, at + TALLY_COUNT, countAt(run, at + TALLY_COUNT) + count);
      setCount(run, at + TALLY_ERROR, 0);
    });
  }
}

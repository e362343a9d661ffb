// count_distinct, exact: 1 and 1.0 are one value; values of different lanes of a variant are different. Memory: 26
// bytes at least for each value of each group, and each text once; beyond the query's limit it ends with
// `query_memory`.
//
// Partial:  0 tag u8 = 0x07 │ 1 members, as members.ts says

import { MEMBER_GROUP, MEMBER_KIND, MEMBER_SIZE } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { aggregateKernels } from "./kernels.ts";
import { Members } from "./members.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates, groupsEnd } from "./states.ts";

const tag = 0x07;
/** Members that are merged at a time. */
const mergedMax = 4096;

export class DistinctState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #of: Expression;
  readonly #members: Members;
  readonly #counts: GroupStates;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#of = of;
    this.#members = new Members(context, "members");
    this.#counts = new GroupStates(context.run, 8);
  }

  add(rows: GroupRows): void {
    this.#members.add(rows, this.#of, this.#counts.room(rows.groupCount));
  }

  finish(): (group: number) => Value {
    return (group) => {
      const count = this.#counts.at(group);
      return count === 0 ? 0 : countAt(this.#context.run, count);
    };
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    this.#members.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "count_distinct");
    const { core, scratch } = this.#context.run;
    const counts = this.#counts.room(groupsEnd(groups));
    const kernels = aggregateKernels(core);
    const mark = scratch.mark();
    const from = scratch.take(mergedMax * MEMBER_SIZE);
    let held = 0;
    const flush = () => {
      this.#members.table.grow(held);
      kernels.mergeMembers(from, held, this.#members.table.address, counts);
      held = 0;
    };
    this.#members.decode(partials, groups, (bits, group, kind) => {
      const at = from + held * MEMBER_SIZE;
      core.view.setBigInt64(at, bits, true);
      core.u32[(at + MEMBER_GROUP) >>> 2] = group;
      core.u32[(at + MEMBER_KIND) >>> 2] = kind;
      if (++held === mergedMax) flush();
    });
    flush();
    scratch.release(mark);
  }
}

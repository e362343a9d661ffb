// count_distinct, exact: 1 and 1.0 are one value; values of different lanes of a variant are different. Memory: 26
// bytes at least for each value of each group, and each text once, or a bit for each text that PathTexts keeps; beyond
// the query's limit it ends with `query_memory`.
//
// Partial:  0 tag u8 = 0x07 │ 1 members, as members.ts says

import {
  LANE_NULL,
  LANE_STRING,
  MEMBER_GROUP,
  MEMBER_KIND,
  MEMBER_SIZE,
} from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { aggregateKernels } from "./kernels.ts";
import { Members } from "./members.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates, groupsEnd } from "./states.ts";
import { TextSets } from "./text-sets.ts";

const tag = 0x07;
/** Members that are merged at a time. */
const mergedMax = 4096;

export class DistinctState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #of: Expression;
  readonly #members: Members;
  readonly #sets: TextSets;
  readonly #counts: GroupStates;

  constructor(of: Expression, context: AggregateContext) {
    this.#context = context;
    this.#of = of;
    this.#members = new Members(context, "members");
    this.#sets = new TextSets(context.run);
    this.#counts = new GroupStates(context.run, 8);
  }

  add(rows: GroupRows): void {
    const counts = this.#counts.room(rows.groupCount);
    if (this.#addTexts(rows, counts)) return;
    this.#members.add(rows, this.#of, counts);
  }

  /** Whether all values of the rows were texts whose numbers are kept: then their bits are set. */
  #addTexts(rows: GroupRows, counts: number): boolean {
    const { computed, run } = this.#context;
    if (run.texts === undefined || this.#of.kind !== "path") return false;
    const mark = run.scratch.mark();
    const lanes = computed
      .lanes(rows.segment, this.#of, rows.mask)
      .filter(({ lane }) => lane !== LANE_NULL);
    const [only] = lanes;
    const isText = lanes.length === 1 && only?.lane === LANE_STRING;
    const added = isText && this.#sets.add(rows, this.#of.path, only.address, counts);
    run.scratch.release(mark);
    if (isText && !added) this.#settle();
    return lanes.length === 0 || added;
  }

  /** From bits to members, for what is to be put together with other texts. */
  #settle(): void {
    const { table, texts } = this.#members;
    this.#sets.take(
      this.#counts.address,
      () => ({ address: texts.address, heap: texts.heap.address }),
      () => texts.growOne(),
      (members, count) => {
        table.grow(count);
        const { mergeMembers } = aggregateKernels(this.#context.run.core);
        mergeMembers(members, count, table.address, this.#counts.address);
      },
    );
  }

  finish(): (group: number) => Value {
    return (group) => {
      const count = this.#counts.at(group);
      return count === 0 ? 0 : countAt(this.#context.run, count);
    };
  }

  encode(groupCount: number, out: PartialWriter): void {
    this.#settle();
    out.u8(tag);
    this.#members.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "count_distinct");
    this.#settle();
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

// first and last: the value of the first or last row that has one, by timestamp, then sequence. any: that of the
// row with the lowest sequence. Of any type. Merging takes the better of two.
//
// Partial:  0 tag u8 = 0x09 │ 1 which u8: 0 first, 1 last, 2 any │ then of each group
//   PICKED, 32 bytes: 0 time i64 (any: 0) │ 8 sequence i64 │ 16 bits u64 │ 24 zeros │ 28 kind u32: 0 none, 1 i64, 2
//   f64, 3 boolean, 4 string, 5 json, 6 id; for the last three the bits are 0 and a length u32, and the bytes follow

import { integer } from "../../base/integer.ts";
import {
  BEST_SIZE,
  LANE_NULL,
  LANE_NUMBER,
  PICKED_BITS,
  PICKED_BOOLEAN,
  PICKED_CAPACITY,
  PICKED_F64,
  PICKED_I64,
  PICKED_ID,
  PICKED_JSON,
  PICKED_KIND,
  PICKED_LENGTH,
  PICKED_NONE,
  PICKED_SIZE,
  PICKED_STRING,
} from "../../core/layout.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { JsonText, type Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { idText } from "./extremes.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates, groupsEnd } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x09;
const whichByte = { first: 0, last: 1, any: 2 } as const;

export class PickedState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #which: "first" | "last" | "any";
  readonly #picked: GroupStates;
  readonly #heap: Heap;
  readonly #bytes: Buffer;

  constructor(of: Expression, which: "first" | "last" | "any", context: AggregateContext) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#which = which;
    this.#picked = new GroupStates(context.run, PICKED_SIZE);
    this.#heap = new Heap(context.run);
    this.#bytes = Buffer.from(context.run.core.memory.buffer as unknown as ArrayBuffer);
  }

  get #last(): number {
    return this.#which === "last" ? 1 : 0;
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const { segment, groupCount } = rows;
    const picked = this.#picked.room(groupCount);
    const mark = run.scratch.mark();
    const times = this.#which === "any" ? 0 : segment.column("timestamp", LANE_NUMBER);
    const best = run.scratch.take(groupCount * BEST_SIZE);
    run.core.u8.fill(0, best, best + groupCount * BEST_SIZE);
    for (const { lane, address } of computed.lanes(segment, this.#of, rows.mask)) {
      if (lane === LANE_NULL) continue;
      const vector = openVector(run, rows, address);
      finished(this.#kernels.pickRows(vector, address, times, this.#last, best));
    }
    const { firstSequence } = segment;
    const heap = this.#heap.address;
    for (let from = 0; ; this.#heap.grow()) {
      from = this.#kernels.keepPicked(
        best,
        from,
        groupCount,
        firstSequence,
        this.#last,
        picked,
        heap,
      );
      if (from === groupCount) break;
    }
    run.scratch.release(mark);
  }

  finish(): (group: number) => Value {
    const { view, u32 } = this.#context.run.core;
    return (group) => {
      const picked = this.#picked.at(group);
      if (picked === 0) return null;
      switch (u32[(picked + PICKED_KIND) >>> 2]) {
        case PICKED_NONE:
          return null;
        case PICKED_I64:
          return integer(view.getBigInt64(picked + PICKED_BITS, true));
        case PICKED_F64:
          // -0 is written as 0.
          return view.getFloat64(picked + PICKED_BITS, true) + 0;
        case PICKED_BOOLEAN:
          return u32[(picked + PICKED_BITS) >>> 2] !== 0;
        case PICKED_JSON:
          return new JsonText(this.#text(picked).toString("utf8"));
        case PICKED_ID:
          return idText(Uint8Array.from(this.#text(picked)));
        default:
          return this.#text(picked).toString("utf8");
      }
    };
  }

  #text(picked: number): Buffer {
    const { u32 } = this.#context.run.core;
    const address = u32[(picked + PICKED_BITS) >>> 2] as number;
    return this.#bytes.subarray(address, address + (u32[(picked + PICKED_LENGTH) >>> 2] as number));
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    out.u8(whichByte[this.#which]);
    const { u8, u32 } = this.#context.run.core;
    this.#picked.room(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const picked = this.#picked.at(group);
      out.raw(u8.subarray(picked, picked + PICKED_BITS));
      const isText = (u32[(picked + PICKED_KIND) >>> 2] as number) >= PICKED_STRING;
      // Where a text lies in this memory is nobody else's matter.
      out.u32(isText ? 0 : (u32[(picked + PICKED_BITS) >>> 2] as number));
      out.u32(u32[(picked + PICKED_LENGTH) >>> 2] as number);
      out.u32(0);
      out.u32(u32[(picked + PICKED_KIND) >>> 2] as number);
      if (isText) out.raw(this.#text(picked));
    }
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "first, last and any");
    expectTag(partials, whichByte[this.#which], this.#which);
    const { core, scratch } = this.#context.run;
    const states = this.#picked.room(groupsEnd(groups));
    const mark = scratch.mark();
    const from = scratch.take(PICKED_SIZE);
    for (const group of groups) {
      core.u8.set(partials.raw(PICKED_SIZE), from);
      core.u32[(from + PICKED_CAPACITY) >>> 2] = 0;
      let text = 0;
      if ((core.u32[(from + PICKED_KIND) >>> 2] as number) >= PICKED_STRING) {
        const bytes = partials.raw(core.u32[(from + PICKED_LENGTH) >>> 2] as number);
        text = scratch.take(bytes.length);
        core.u8.set(bytes, text);
      }
      const to = states + group * PICKED_SIZE;
      const heap = this.#heap.address;
      while (!this.#kernels.mergePicked(from, text, this.#last, to, heap)) this.#heap.grow();
      scratch.release(mark);
      scratch.take(PICKED_SIZE);
    }
    scratch.release(mark);
  }
}

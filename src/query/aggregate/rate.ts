// rate: rows, or the sum of an argument, per second of the time that a group covers. Where neither its bucket nor the
// query's range says how long that is, it is the time from its first to its last row; NULL when that is none.
//
// Partial:  0 tag u8 = 0x0c │ 1 of u8: 0 rows, 1 a sum │ 2 times u8: 1 if they are there
//   then that of count or of sum, then, with times, that of min and max of the timestamps

import { barePath, type Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import type { Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { CountState } from "./count.ts";
import { ExtremeState } from "./extremes.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { TotalState } from "./total.ts";

const tag = 0x0c;

export class RateState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #counted: CountState | TotalState;
  readonly #times: ExtremeState | null;

  constructor(of: Expression | null, context: AggregateContext) {
    this.#context = context;
    this.#counted = of === null ? new CountState(null, context) : new TotalState(of, context);
    const timed = context.rateSeconds !== undefined;
    this.#times = timed ? null : new ExtremeState(barePath("timestamp"), "both", context);
  }

  add(rows: GroupRows): void {
    this.#counted.add(rows);
    this.#times?.add(rows);
  }

  finish(aggregate: Aggregate): (group: number) => Value {
    const counted = this.#counted;
    const amount =
      counted instanceof CountState
        ? (group: number) => counted.at(group)
        : (group: number) => counted.sum(group, aggregate);
    const seconds = this.#context.rateSeconds ?? this.#span();
    return (group) => {
      const [sum, length] = [amount(group), seconds(group)];
      return sum === null || length <= 0 ? null : Number(sum) / length;
    };
  }

  #span(): (group: number) => number {
    const aggregate = (fn: "min" | "max"): Aggregate => {
      const of = barePath("timestamp");
      return { fn, of, filter: null, type: of.type, parameters: [] };
    };
    const first = this.#times?.finish(aggregate("min"));
    const last = this.#times?.finish(aggregate("max"));
    // Timestamps are within 2^59, their differences mostly within 2^53.
    return (group) =>
      Number(BigInt(asInteger(last?.(group))) - BigInt(asInteger(first?.(group)))) / 1e6;
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    out.u8(this.#ofByte);
    out.u8(this.#times ? 1 : 0);
    this.#counted.encode(groupCount, out);
    this.#times?.encode(groupCount, out);
  }

  get #ofByte(): number {
    return this.#counted instanceof CountState ? 0 : 1;
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "rate");
    expectTag(partials, this.#ofByte, "rate, what it is of,");
    expectTag(partials, this.#times ? 1 : 0, "rate, its times,");
    this.#counted.merge(partials, groups);
    this.#times?.merge(partials, groups);
  }
}

function asInteger(value: Value | undefined): number | bigint {
  return typeof value === "number" || typeof value === "bigint" ? value : 0;
}

// min and max of any type. Exact: numbers are compared without rounding, texts by their bytes; a variant's values are
// ordered boolean < number < string < json. Merging takes the better of two.
//
// Partial:  0 tag u8 = 0x03 │ 1 lanes u8: 1 numbers, 2 booleans, 4 strings, 8 json, 16 ids │ 2 sides u8: 1 min, 2 max
//   then of each lane that is there, in this order:
//   numbers   groups × RANGE, 32 bytes: least i64, most i64, least f64, most f64; least above most: none
//   booleans  groups × u8: bit 0 is set when there is a false, bit 1 when there is a true
//   strings   for min, then for max: groups × { 0 or 1 + length u32, UTF-8 }
//   json      the same
//   ids       for min, then for max: groups × ID, 32 bytes: the id, u32 1 when there is one, zeros

import { integer } from "../../base/integer.ts";
import {
  ID_PRESENT,
  ID_SIZE,
  LANE_BOOLEAN,
  LANE_ID,
  LANE_JSON,
  LANE_NUMBER,
  LANE_STRING,
  RANGE_F64_LEAST,
  RANGE_F64_MOST,
  RANGE_I64_LEAST,
  RANGE_I64_MOST,
  RANGE_SIZE,
} from "../../core/layout.ts";
import { finished } from "../columns/kernels.ts";
import type { Expression } from "../expression/expression.ts";
import { compareNumbers } from "../plan/bounds.ts";
import type { Aggregate } from "../query.ts";
import { JsonText, type Value } from "../result.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { ExtremeTexts } from "./extreme-texts.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { GroupStates } from "./states.ts";
import { openVector } from "./vectors.ts";

const tag = 0x03;
const numbersBit = 1;
const booleansBit = 2;
const stringsBit = 4;
const jsonBit = 8;
const idsBit = 16;

/** What is kept of texts and ids: the first, the last, or both. Of numbers and booleans both always are. */
export type Sides = "min" | "max" | "both";

export class ExtremeState implements Accumulator {
  readonly takesRuns = true;
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #sides: readonly ("min" | "max")[];
  readonly #numbers: GroupStates;
  readonly #booleans: GroupStates;
  readonly #strings: readonly ExtremeTexts[];
  readonly #json: readonly ExtremeTexts[];
  readonly #ids: readonly GroupStates[];
  #lanes = 0;

  constructor(of: Expression, sides: Sides, context: AggregateContext) {
    const { run } = context;
    this.#context = context;
    this.#kernels = aggregateKernels(run.core);
    this.#of = of;
    this.#sides = sides === "both" ? ["min", "max"] : [sides];
    this.#numbers = new GroupStates(run, RANGE_SIZE, this.#kernels.clearRanges);
    this.#booleans = new GroupStates(run, 1);
    const texts = () => this.#sides.map((side) => new ExtremeTexts(run, side === "max"));
    this.#strings = texts();
    this.#json = texts();
    this.#ids = this.#sides.map(() => new GroupStates(run, ID_SIZE));
  }

  add(rows: GroupRows): void {
    const { run, computed } = this.#context;
    const mark = run.scratch.mark();
    for (const { lane, address } of computed.lanes(rows.segment, this.#of, rows.mask)) {
      this.#addLane(rows, lane, address);
      run.scratch.release(mark);
    }
  }

  #addLane(rows: GroupRows, lane: number, column: number): void {
    const { run } = this.#context;
    const { groupCount, group = 0 } = rows;
    if (lane === LANE_NUMBER) {
      this.#lanes |= numbersBit;
      const ranges = this.#numbers.room(groupCount) + group * RANGE_SIZE;
      finished(this.#kernels.widenRanges(openVector(run, rows, column), ranges));
    } else if (lane === LANE_BOOLEAN) {
      this.#lanes |= booleansBit;
      const seen = this.#booleans.room(groupCount) + group;
      finished(this.#kernels.seeBooleans(openVector(run, rows, column), seen));
    } else if (lane === LANE_STRING || lane === LANE_JSON) {
      this.#lanes |= lane === LANE_STRING ? stringsBit : jsonBit;
      for (const texts of lane === LANE_STRING ? this.#strings : this.#json) {
        texts.add(rows, column);
      }
    } else if (lane === LANE_ID) {
      this.#lanes |= idsBit;
      this.#ids.forEach((states, i) => {
        const ids = states.room(groupCount) + group * ID_SIZE;
        const last = this.#last(i);
        finished(this.#kernels.extremeIds(openVector(run, rows, column), last, ids));
      });
    }
  }

  /** Whether side `i` is that of the last values: 1 or 0. */
  #last(i: number): number {
    return this.#sides[i] === "max" ? 1 : 0;
  }

  finish({ fn }: Aggregate): (group: number) => Value {
    const last = fn === "max";
    const side = this.#sides.indexOf(last ? "max" : "min");
    const inOrder: ((group: number) => Value)[] = [
      (group) => this.#boolean(group, last),
      (group) => this.#number(group, last),
      (group) => this.#strings[side]?.text(group) ?? null,
      (group) => this.#id(group, side),
      (group) => {
        const text = this.#json[side]?.text(group) ?? null;
        return text === null ? null : new JsonText(text);
      },
    ];
    if (last) inOrder.reverse();
    return (group) => {
      for (const lane of inOrder) {
        const value = lane(group);
        if (value !== null) return value;
      }
      return null;
    };
  }

  /** Of integers, where there is nothing else: timestamps are. */
  numbers({ fn }: Aggregate, count: number): Float64Array | null {
    if (this.#lanes !== numbersBit || this.#numbers.capacity < count) return null;
    const { core } = this.#context.run;
    const size = RANGE_SIZE / 4;
    const halves = new Int32Array(core.memory.buffer, this.#numbers.address, count * size);
    const doubles = new Float64Array(core.memory.buffer, this.#numbers.address, (count * size) / 2);
    const integerAt = (at: number): number =>
      (halves[at + 1] as number) * 2 ** 32 + ((halves[at] as number) >>> 0);
    const side = (fn === "max" ? RANGE_I64_MOST : RANGE_I64_LEAST) / 4;
    const numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const value = integerAt(i * size + side);
      const hasDoubles = Number.isFinite(doubles[(i * size + RANGE_F64_LEAST / 4) / 2]);
      // What no integer has changed is beyond what a double holds.
      if (hasDoubles || !Number.isSafeInteger(value)) return null;
      numbers[i] = value;
    }
    return numbers;
  }

  #boolean(group: number, last: boolean): boolean | null {
    const seen = this.#context.run.core.u8[this.#booleans.at(group)];
    if (this.#booleans.at(group) === 0 || seen === 0) return null;
    return last ? seen !== 1 : seen === 2;
  }

  #number(group: number, last: boolean): number | bigint | null {
    const { view } = this.#context.run.core;
    const range = this.#numbers.at(group);
    if (range === 0) return null;
    const least = view.getBigInt64(range + RANGE_I64_LEAST, true);
    const most = view.getBigInt64(range + RANGE_I64_MOST, true);
    const whole = least > most ? null : integer(last ? most : least);
    // Of -0 and 0 whichever came first may be there: adding 0 makes them one.
    const double = view.getFloat64(range + (last ? RANGE_F64_MOST : RANGE_F64_LEAST), true) + 0;
    if (!Number.isFinite(double)) return whole;
    if (whole === null) return double;
    const order = compareNumbers(whole, double);
    return (last ? order >= 0 : order <= 0) ? whole : double;
  }

  #id(group: number, side: number): string | null {
    const { core } = this.#context.run;
    const address = this.#ids[side]?.at(group) ?? 0;
    if (address === 0 || core.u32[(address + ID_PRESENT) >>> 2] === 0) return null;
    return idText(core.u8.slice(address, address + 16));
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    out.u8(this.#lanes);
    out.u8(sidesByte(this.#sides));
    if (this.#lanes & numbersBit) this.#numbers.encode(groupCount, out);
    if (this.#lanes & booleansBit) this.#booleans.encode(groupCount, out);
    if (this.#lanes & stringsBit) for (const one of this.#strings) one.encode(groupCount, out);
    if (this.#lanes & jsonBit) for (const one of this.#json) one.encode(groupCount, out);
    if (this.#lanes & idsBit) for (const one of this.#ids) one.encode(groupCount, out);
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "min and max");
    const lanes = partials.u8();
    expectTag(partials, sidesByte(this.#sides), "min and max, their sides,");
    this.#lanes |= lanes;
    const { mergeRanges } = this.#kernels;
    if (lanes & numbersBit) this.#numbers.merge(partials, groups, mergeRanges);
    if (lanes & booleansBit) this.#mergeBooleans(partials, groups);
    if (lanes & stringsBit) for (const one of this.#strings) one.merge(partials, groups);
    if (lanes & jsonBit) for (const one of this.#json) one.merge(partials, groups);
    if (lanes & idsBit) {
      this.#ids.forEach((ids, i) => {
        ids.merge(partials, groups, (from, into, count, states) => {
          this.#kernels.mergeIds(from, into, count, this.#last(i), states);
        });
      });
    }
  }

  #mergeBooleans(partials: PartialReader, groups: Uint32Array): void {
    const { u8 } = this.#context.run.core;
    this.#booleans.merge(partials, groups, (from, into, count, states) => {
      const { u32 } = this.#context.run.core;
      for (let i = 0; i < count; i++) {
        const at = states + (u32[(into >>> 2) + i] as number);
        u8[at] = (u8[at] as number) | (u8[from + i] as number);
      }
    });
  }
}

/** Text of a UUID. */
export function idText(id: Uint8Array): string {
  const hex = Buffer.from(id.buffer, id.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function sidesByte(sides: readonly string[]): number {
  return (sides.includes("min") ? 1 : 0) + (sides.includes("max") ? 2 : 0);
}

// topk: the k values that most rows have, as JSON [{"value", "count", "error"}, …], most first, equal counts in the
// order of values. Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k
// elements in data streams", ICDT 2005) with at least max(1000, 100 k) counters a group; as long as all groups
// together have no more than 2^18 values, nothing is cut and counts are exact, with an error of 0.
//
// A cut keeps each group's counters with the highest counts; its floor is then the highest count that a value which
// has none may have. A value that comes (back) begins at the floor, which is its error: the true count is between
// count - error and count. Merging adds counts, and floors for values that one side doesn't have ("Mergeable
// summaries", Agarwal et al., 2012). Without a cut any split of the rows gives the same answer; with one, an answer
// within its errors.
//
// Partial:  0 tag u8 = 0x08 │ 1 members with counts and errors, as members.ts says │ groups × floor u64

import { MEMBER_GROUP, TALLY_COUNT, TALLY_ERROR } from "../../core/layout.ts";
import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";
import { JsonText, type Value } from "../result.ts";
import { compareOrdered } from "../value-order.ts";
import type { Accumulator, AggregateContext, GroupRows } from "./accumulator.ts";
import { jsonValue } from "./json-value.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import { Members } from "./members.ts";
import { expectTag, type PartialReader, type PartialWriter } from "./partial-bytes.ts";
import { countAt, GroupStates, groupsEnd } from "./states.ts";

const tag = 0x08;
const countersMin = 1000;
const countersEach = 100;
/** Values of all groups that are counted before any is cut. */
export const uncutMax = 2 ** 18;

interface Tally {
  readonly address: number;
  readonly count: number;
  readonly error: number;
}

export class TopState implements Accumulator {
  readonly #context: AggregateContext;
  readonly #kernels: AggregateKernels;
  readonly #of: Expression;
  readonly #counters: number;
  #uncut: number;
  readonly #members: Members;
  readonly #counts: GroupStates;
  #floors = new Float64Array(0);
  #byGroup: Map<number, Tally[]> | undefined;

  constructor(of: Expression, k: number, context: AggregateContext, uncut = uncutMax) {
    this.#context = context;
    this.#kernels = aggregateKernels(context.run.core);
    this.#of = of;
    this.#counters = Math.max(countersMin, countersEach * k);
    this.#uncut = uncut;
    this.#members = new Members(context, "tallies");
    this.#counts = new GroupStates(context.run, 8);
  }

  add(rows: GroupRows): void {
    this.#byGroup = undefined;
    this.#members.add(rows, this.#of, this.#counts.room(rows.groupCount));
    this.#cutIfLarge();
  }

  #floor(group: number): number {
    return this.#floors[group] ?? 0;
  }

  /** One that is young has its group's floor as its error, and above it what was counted. */
  #tally(address: number, group: number): Tally {
    const { run } = this.#context;
    const { u32 } = run.core;
    const count = countAt(run, address + TALLY_COUNT);
    const at = (address + TALLY_ERROR) >>> 2;
    if (u32[at] !== 0xffffffff || u32[at + 1] !== 0xffffffff) {
      return { address, count, error: countAt(run, address + TALLY_ERROR) };
    }
    const floor = this.#floor(group);
    return { address, count: count + floor, error: floor };
  }

  #tallies(): Map<number, Tally[]> {
    const byGroup = new Map<number, Tally[]>();
    this.#members.each((address, group) => {
      const tallies = byGroup.get(group);
      const tally = this.#tally(address, group);
      if (tallies) tallies.push(tally);
      else byGroup.set(group, [tally]);
    });
    return byGroup;
  }

  finish({ parameters }: Aggregate): (group: number) => Value {
    const k = parameters[0] as number;
    return (group) => {
      this.#byGroup ??= this.#tallies();
      const tallies = this.#byGroup.get(group);
      if (tallies === undefined) return null;
      // Values are read only of those that may be among the first.
      const bound = tallies.map(({ count }) => count).sort((a, b) => b - a)[k - 1] ?? 0;
      const shown = tallies
        .filter(({ count }) => count >= bound)
        .map((tally) => ({ ...tally, value: this.#members.value(tally.address) }))
        .sort((a, b) => b.count - a.count || compareOrdered(a.value, b.value, ascending))
        .slice(0, k);
      const items = shown.map(
        ({ value, count, error }) =>
          `{"value":${jsonValue(value, this.#of.type)},"count":${count},"error":${error}}`,
      );
      return new JsonText(`[${items.join(",")}]`);
    };
  }

  #cutIfLarge(): void {
    if (this.#members.table.used <= this.#uncut) return;
    this.#cut();
    // Where many groups have few values each, there is nothing to cut for long.
    this.#uncut = Math.max(this.#uncut, this.#members.table.used * 2);
  }

  /** Keeps of each group the counters with the highest counts; what is cut raises its floor. */
  #cut(): void {
    const { core } = this.#context.run;
    const kept: { bits: bigint; group: number; kind: number; count: number; error: number }[] = [];
    const byGroup = this.#tallies();
    if ([...byGroup.values()].every((tallies) => tallies.length <= this.#counters)) return;
    this.#floors = grown(this.#floors, this.#counts.capacity);
    for (const [group, tallies] of byGroup) {
      tallies.sort((a, b) => b.count - a.count);
      const first = tallies[this.#counters];
      if (first) this.#floors[group] = Math.max(this.#floor(group), first.count);
      for (const { address, count, error } of tallies.slice(0, this.#counters)) {
        const bits = core.view.getBigInt64(address, true);
        const kind = core.u32[(address + MEMBER_GROUP + 4) >>> 2] as number;
        kept.push({ bits, group, kind, count, error });
      }
    }
    this.#members.table.clear();
    for (const { bits, group, kind, count, error } of kept) {
      this.#put(bits, group, kind, count, error);
    }
  }

  /** Adds to the tally of a value, whose count and error are 0 when it is new. */
  #put(bits: bigint, group: number, kind: number, count: number, error: number): void {
    const { run } = this.#context;
    const { view } = run.core;
    const { table } = this.#members;
    table.grow(1);
    const address = this.#kernels.tallyOf(table.address, bits, group, kind) >>> 0;
    const before = countAt(run, address + TALLY_COUNT);
    const errorBefore = countAt(run, address + TALLY_ERROR);
    view.setBigUint64(address + TALLY_COUNT, BigInt(before + count), true);
    view.setBigUint64(address + TALLY_ERROR, BigInt(errorBefore + error), true);
  }

  encode(groupCount: number, out: PartialWriter): void {
    out.u8(tag);
    const { u32 } = this.#context.run.core;
    this.#members.encode(groupCount, out, (address) => {
      const group = u32[(address + MEMBER_GROUP) >>> 2] as number;
      const { count, error } = this.#tally(address, group);
      return { count: BigInt(count), error: BigInt(error) };
    });
    for (let group = 0; group < groupCount; group++) out.i64(BigInt(this.#floor(group)));
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    expectTag(partials, tag, "topk");
    this.#byGroup = undefined;
    this.#counts.room(groupsEnd(groups));
    this.#settle();
    const incoming: Incoming[] = [];
    const indexes = groups.map((_, i) => i);
    this.#members.decode(partials, indexes, (bits, index, kind) => {
      const [count, error] = [Number(partials.i64()), Number(partials.i64())];
      incoming.push({ bits, index, kind, count, error });
    });
    const floors = Float64Array.from(groups, () => Number(partials.i64()));
    for (const round of rounds(groups, incoming, floors)) this.#mergeRound(round, groups, floors);
    this.#cutIfLarge();
  }

  /** Own values may be as often on the other side as its floor; what is on both sides is not, so it is taken off. */
  #mergeRound({ tallies, indexes }: Round, groups: Uint32Array, floorOf: Float64Array): void {
    const { run } = this.#context;
    const end = groupsEnd(groups);
    const floors = new Float64Array(end);
    for (const i of indexes) floors[groups[i] as number] = floorOf[i] as number;
    this.#floors = grown(this.#floors, end);
    if (floors.some((floor) => floor > 0)) this.#raise(floors);
    for (const { bits, index, kind, count, error } of tallies) {
      const group = groups[index] as number;
      const { table } = this.#members;
      table.grow(1);
      const address = this.#kernels.tallyOf(table.address, bits, group, kind) >>> 0;
      const known = countAt(run, address + TALLY_COUNT) > 0;
      const shift = known ? -(floors[group] as number) : this.#floor(group);
      this.#put(bits, group, kind, count + shift, error + shift);
    }
    floors.forEach((floor, group) => {
      this.#floors[group] = this.#floor(group) + floor;
    });
  }

  /** Young tallies get the floor of their group, which is about to rise. */
  #settle(): void {
    const { view } = this.#context.run.core;
    this.#members.each((address, group) => {
      const { count, error } = this.#tally(address, group);
      view.setBigUint64(address + TALLY_COUNT, BigInt(count), true);
      view.setBigUint64(address + TALLY_ERROR, BigInt(error), true);
    });
  }

  #raise(floors: Float64Array): void {
    const { run } = this.#context;
    this.#members.each((address, group) => {
      const floor = floors[group] ?? 0;
      if (floor === 0) return;
      const { view } = run.core;
      const count = countAt(run, address + TALLY_COUNT) + floor;
      const error = countAt(run, address + TALLY_ERROR) + floor;
      view.setBigUint64(address + TALLY_COUNT, BigInt(count), true);
      view.setBigUint64(address + TALLY_ERROR, BigInt(error), true);
    });
  }
}

/** A tally of a partial, of the group that the partial has at `index`. */
interface Incoming {
  readonly bits: bigint;
  readonly index: number;
  readonly kind: number;
  readonly count: number;
  readonly error: number;
}

/** What is merged at once: a part of a partial in which no group with a floor comes twice. */
interface Round {
  readonly tallies: Incoming[];
  readonly indexes: number[];
}

/** Floors tell what a whole group does not list, so a group that comes again is merged after what came before it. */
function rounds(
  groups: Uint32Array,
  incoming: readonly Incoming[],
  floors: Float64Array,
): readonly Round[] {
  const all: Round[] = [{ tallies: [], indexes: [] }];
  const seen = new Map<number, number>();
  const single = !floors.some((floor) => floor > 0);
  const roundOf = Array.from(groups, (group, i) => {
    const round = single ? 0 : (seen.get(group) ?? 0);
    seen.set(group, round + 1);
    if (round === all.length) all.push({ tallies: [], indexes: [] });
    all[round]?.indexes.push(i);
    return round;
  });
  for (const one of incoming) all[roundOf[one.index] as number]?.tallies.push(one);
  return all;
}

const ascending = { descending: false, nullsFirst: false };

function grown(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (array.length >= length) return array;
  const larger = new Float64Array(length);
  larger.set(array);
  return larger;
}

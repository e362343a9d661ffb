// Which session each row is in. Sessions of a group are spans of time that don't overlap, in a list from the newest to
// the oldest. A row at t overlaps two of them at most, as none is shorter than the gap: it is in the one, joins both,
// or opens a new one. What is final before a row is not seen by it, so the rows may come in pieces of any size.
//
// A session has the number of the slot where its aggregates are. When two are joined, the older slot goes on as a part
// of the newer (`parent`) until its aggregates are merged.

import { SessionEnds } from "./session-ends.ts";
import type { SessionJudge } from "./session-judge.ts";

export interface SessionLimits {
  readonly gapUs: bigint;
  readonly latenessUs: bigint;
  readonly sessionsMax: number;
  readonly groupsMax: number;
}

/** Selected rows: all arrays have `count` elements. */
export interface SessionRows {
  readonly count: number;
  /** Rows of the segment, ascending. */
  readonly rows: Uint32Array;
  /** From 1 on; 0 is the group of all that are beyond the limit. */
  readonly groups: Uint32Array;
  readonly timesUs: BigInt64Array;
  /** Sequence of row 0 of the segment. */
  readonly firstSequence: number;
}

export interface Replaced {
  readonly startUs: bigint;
  readonly at: number;
}

/** In the place of a slot: the row is in no session. */
export const noSlot = 0xffff_ffff;

const firstCapacity = 64;
/** Starts that are kept of one session. */
const replacedMax = 64;

export class SessionIntervals {
  readonly #limits: SessionLimits;
  /** No session is opened while there is no memory for one. */
  isFull = false;
  /** By slot. */
  start = new BigInt64Array(firstCapacity);
  end = new BigInt64Array(firstCapacity);
  group = new Uint32Array(firstCapacity);
  /** The slot that it is a part of; its own when it is of none. */
  parent = new Uint32Array(firstCapacity);
  /** The sequence after the last row that changed it. */
  changedAt = new Float64Array(firstCapacity);
  /** The sequence of the first row of the chunk that opened it. */
  openedAt = new Float64Array(firstCapacity);
  revised = new Float64Array(firstCapacity);
  /** The sequence at which it became final; 0 while it is open. */
  finalAt = new Float64Array(firstCapacity);
  /** The next older session of the group, plus 1; 0: none. */
  #older = new Uint32Array(firstCapacity);
  /** By group: its newest session, plus 1; 0: none. */
  #newest = new Uint32Array(firstCapacity);
  readonly #ends: SessionEnds;
  /** The first sequence of the chunk. */
  #from = 0;
  /** Slots that were ever taken. */
  slots = 0;
  open = 0;
  /** Groups with an open session, without group 0. */
  openGroups = 0;
  joined = 0;
  dropped = 0;
  overflowed = 0;
  /** Sessions that became final since this was last emptied, by their ends. */
  final: number[] = [];
  /** Slots whose aggregates are to be merged into those of their session, since this was last emptied. */
  parts: number[] = [];
  /** By slot: starts that the session, or one that went into it, had before, and after which sequence no more. */
  replaced = new Map<number, readonly Replaced[]>();
  /** Rows that came too late since this was last emptied. */
  tooLate: { readonly group: number; readonly timeUs: bigint }[] = [];

  constructor(limits: SessionLimits) {
    this.#limits = limits;
    this.#ends = new SessionEnds((slot) =>
      this.#isOpen(slot) ? (this.end[slot] as bigint) : null,
    );
  }

  #isOpen(slot: number): boolean {
    return this.parent[slot] === slot && this.finalAt[slot] === 0;
  }

  get gapUs(): bigint {
    return this.#limits.gapUs;
  }

  /** Open sessions by slot. */
  *openSlots(): Generator<number> {
    for (let slot = 0; slot < this.slots; slot++) if (this.#isOpen(slot)) yield slot;
  }

  /** A chunk begins: what was there before it may have been told. */
  begin(sequence: number): void {
    this.#from = sequence;
  }

  /** Writes the slot of each row, or `noSlot`; answers how many rows have one. */
  assign(
    list: SessionRows,
    from: number,
    to: number,
    judge: SessionJudge,
    out: Uint32Array,
  ): number {
    const { rows, groups, timesUs, firstSequence } = list;
    const { gapUs, latenessUs } = this.#limits;
    let { highUs, until: known } = judge;
    let openHigh = highUs - latenessUs;
    let { start, end, changedAt } = this;
    let taken = 0;
    for (let i = from; i < to; i++) {
      const t = timesUs[i] as bigint;
      const group = groups[i] as number;
      const row = rows[i] as number;
      if (row >= known) {
        judge.reach(row);
        ({ highUs, until: known } = judge);
        openHigh = highUs - latenessUs;
      }
      const slot = group < this.#newest.length ? (this.#newest[group] as number) - 1 : -1;
      if (slot >= 0) {
        const until = end[slot] as bigint;
        // Mostly a row is in the newest session of its group, which is far from being final.
        if (t >= (start[slot] as bigint) && t < until && until > openHigh) {
          const own = BigInt.asIntN(64, t + gapUs);
          if (own > until) end[slot] = own;
          if (until <= highUs) this.#revise(slot, row, judge);
          changedAt[slot] = firstSequence + row + 1;
          out[i] = slot;
          taken++;
          continue;
        }
      }
      const found = this.#find(group, t, row, judge);
      // What W was asked for is known more closely now.
      ({ highUs, until: known } = judge);
      openHigh = highUs - latenessUs;
      out[i] = found;
      if (found === noSlot) continue;
      taken++;
      // Opening one may have moved the arrays.
      ({ start, end, changedAt } = this);
      changedAt[found] = firstSequence + row + 1;
    }
    return taken;
  }

  /** W as of the row is at least the session's end. */
  #revise(slot: number, row: number, judge: SessionJudge): void {
    const end = this.end[slot] as bigint;
    if (judge.passed(end, row)) {
      this.revised[slot] = (this.revised[slot] as number) + 1;
    }
  }

  #isFinal(end: bigint, row: number, judge: SessionJudge): boolean {
    return judge.passed(end + this.#limits.latenessUs, row);
  }

  /** The session of a row at t: one that there is, two that become one, or a new one. */
  #find(group: number, t: bigint, row: number, judge: SessionJudge): number {
    const own = t + this.#limits.gapUs;
    let newer = -1;
    let slot = this.#newestOf(group);
    while (slot >= 0 && (this.start[slot] as bigint) >= own) {
      newer = slot;
      slot = (this.#older[slot] as number) - 1;
    }
    if (slot >= 0 && (this.end[slot] as bigint) > t) {
      if (this.#isFinal(this.end[slot] as bigint, row, judge)) {
        this.sweep(row, judge);
        return this.#find(group, t, row, judge);
      }
      const older = (this.#older[slot] as number) - 1;
      if (older >= 0 && (this.end[older] as bigint) > t) {
        if (this.#isFinal(this.end[older] as bigint, row, judge)) this.sweep(row, judge);
        else this.#join(slot, older);
      }
      if (t < (this.start[slot] as bigint)) {
        this.#replace(slot);
        this.start[slot] = t;
      }
      if (own > (this.end[slot] as bigint)) this.end[slot] = own;
      this.#revise(slot, row, judge);
      return slot;
    }
    if (this.#isFinal(own, row, judge)) {
      this.tooLate.push({ group, timeUs: t });
      return noSlot;
    }
    return this.#open(group, newer, slot, t, row, judge);
  }

  #newestOf(group: number): number {
    return group < this.#newest.length ? (this.#newest[group] as number) - 1 : -1;
  }

  #open(
    group: number,
    newer: number,
    older: number,
    t: bigint,
    row: number,
    judge: SessionJudge,
  ): number {
    const { sessionsMax, groupsMax, gapUs } = this.#limits;
    const isNew = newer < 0 && older < 0;
    const overflows = group !== 0 && isNew && this.openGroups >= groupsMax;
    if ((overflows || this.open >= sessionsMax) && this.sweep(row, judge) > 0) {
      return this.#find(group, t, row, judge);
    }
    if (overflows) {
      this.overflowed++;
      return this.#find(0, t, row, judge);
    }
    if (this.isFull || this.open >= sessionsMax) {
      this.dropped++;
      return noSlot;
    }
    const slot = this.take(group, t, t + gapUs);
    this.#older[slot] = older + 1;
    if (newer >= 0) this.#older[newer] = slot + 1;
    else this.#setNewest(group, slot);
    if (isNew && group !== 0) this.openGroups++;
    this.#revise(slot, row, judge);
    return slot;
  }

  /** A slot for an open session, in no list yet. */
  take(group: number, startUs: bigint, endUs: bigint): number {
    const slot = this.slots++;
    if (slot >= this.start.length) this.#grow(slot * 2);
    this.start[slot] = startUs;
    this.end[slot] = endUs;
    this.group[slot] = group;
    this.parent[slot] = slot;
    this.openedAt[slot] = this.#from;
    this.#ends.push(slot, endUs);
    this.open++;
    return slot;
  }

  /** Puts back a session of an earlier state. Of one group they come from the oldest to the newest. */
  restore(group: number, startUs: bigint, endUs: bigint): number {
    const slot = this.take(group, startUs, endUs);
    const newest = this.#newestOf(group);
    if (newest < 0 && group !== 0) this.openGroups++;
    this.#older[slot] = newest + 1;
    this.#setNewest(group, slot);
    return slot;
  }

  #setNewest(group: number, slot: number): void {
    if (group >= this.#newest.length) {
      const all = new Uint32Array(Math.max(group + 1, this.#newest.length * 2));
      all.set(this.#newest);
      this.#newest = all;
    }
    this.#newest[group] = slot + 1;
  }

  /** `older` becomes a part of `slot`, the next newer of its group. */
  #join(slot: number, older: number): void {
    this.#replace(slot);
    const others = this.replaced.get(older) ?? [];
    if (others.length > 0) {
      this.replaced.set(slot, [...(this.replaced.get(slot) ?? []), ...others]);
      this.replaced.delete(older);
    }
    this.start[slot] = this.start[older] as bigint;
    this.revised[slot] = (this.revised[slot] as number) + (this.revised[older] as number);
    this.#older[slot] = this.#older[older] as number;
    this.parent[older] = slot;
    this.parts.push(older);
    this.open--;
    this.joined++;
  }

  /** The session gets another start: whoever was told of it is to know. */
  #replace(slot: number): void {
    if ((this.openedAt[slot] as number) >= this.#from) return;
    const list = this.replaced.get(slot) ?? [];
    const startUs = this.start[slot] as bigint;
    if (list.some((one) => one.startUs === startUs && one.at > this.#from)) return;
    const known = list.length < replacedMax ? list : list.slice(1);
    this.replaced.set(slot, [...known, { startUs, at: this.#from + 1 }]);
  }

  /**
   * The same sessions, whose parts are merged, without those that are gone, by group and start; `groupOf` says which
   * group each one is from now on. Answers which slot each slot became, `noSlot` for those that are gone.
   */
  rebuilt(groupOf: (group: number) => number): { next: SessionIntervals; slotOf: Uint32Array } {
    const next = new SessionIntervals(this.#limits);
    const slotOf = new Uint32Array(this.slots).fill(noSlot);
    const open = [...this.openSlots()].sort((a, b) => {
      const order = (this.group[a] as number) - (this.group[b] as number);
      return order !== 0 ? order : compare(this.start[a] as bigint, this.start[b] as bigint);
    });
    for (const slot of [...open, ...this.final]) {
      const group = groupOf(this.group[slot] as number);
      const finalAt = this.finalAt[slot] as number;
      const start = this.start[slot] as bigint;
      const end = this.end[slot] as bigint;
      const to =
        finalAt > 0
          ? next.restoreFinal(group, start, end, finalAt)
          : next.restore(group, start, end);
      next.changedAt[to] = this.changedAt[slot] as number;
      next.openedAt[to] = this.openedAt[slot] as number;
      next.revised[to] = this.revised[slot] as number;
      const replaced = this.replaced.get(slot);
      if (replaced) next.replaced.set(to, replaced);
      slotOf[slot] = to;
    }
    next.joined = this.joined;
    next.dropped = this.dropped;
    next.overflowed = this.overflowed;
    next.tooLate = this.tooLate;
    next.begin(this.#from);
    return { next, slotOf };
  }

  /** Puts back a session that is final and was not handed on yet; they come in their order. */
  restoreFinal(group: number, startUs: bigint, endUs: bigint, finalAt: number): number {
    const slot = this.take(group, startUs, endUs);
    this.finalAt[slot] = finalAt;
    this.final.push(slot);
    this.open--;
    return slot;
  }

  /** The session that a slot is a part of. */
  rootOf(slot: number): number {
    let root = slot;
    while (this.parent[root] !== root) root = this.parent[root] as number;
    return root;
  }

  /** Takes sessions that are final before row `row` out of the lists; answers how many. */
  sweep(row: number, judge: SessionJudge): number {
    let count = 0;
    for (;;) {
      const slot = this.#ends.first();
      if (slot < 0) break;
      const end = this.end[slot] as bigint;
      if (!this.#isFinal(end, row, judge)) break;
      this.#ends.shift();
      this.#close(slot, judge.sequenceOf(end + this.#limits.latenessUs));
      count++;
    }
    return count;
  }

  #close(slot: number, finalAt: number): void {
    this.finalAt[slot] = finalAt;
    this.final.push(slot);
    this.open--;
    const group = this.group[slot] as number;
    // It is the oldest of its group, as those that are older ended before it.
    let newer = this.#newestOf(group);
    if (newer === slot) {
      this.#newest[group] = 0;
      if (group !== 0) this.openGroups--;
      return;
    }
    while (this.#older[newer] !== slot + 1) newer = (this.#older[newer] as number) - 1;
    this.#older[newer] = 0;
  }

  #grow(capacity: number): void {
    const wider = <A extends Float64Array | Uint32Array | BigInt64Array>(old: A, to: A): A => {
      to.set(old as never);
      return to;
    };
    this.start = wider(this.start, new BigInt64Array(capacity));
    this.end = wider(this.end, new BigInt64Array(capacity));
    this.group = wider(this.group, new Uint32Array(capacity));
    this.parent = wider(this.parent, new Uint32Array(capacity));
    this.changedAt = wider(this.changedAt, new Float64Array(capacity));
    this.openedAt = wider(this.openedAt, new Float64Array(capacity));
    this.revised = wider(this.revised, new Float64Array(capacity));
    this.finalAt = wider(this.finalAt, new Float64Array(capacity));
    this.#older = wider(this.#older, new Uint32Array(capacity));
  }
}

export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

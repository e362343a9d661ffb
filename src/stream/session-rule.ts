// The open sessions of a rule. The rows of a chunk get their groups, then each one its session's slot, and the slots
// are the groups of one fold. See docs/windows.md.

import { assert } from "../base/assert.ts";
import { LANE_NUMBER } from "../core/layout.ts";
import { selectionSize, selectionWords } from "../query/columns/selection.ts";
import type { LeafValue } from "../query/expression/scalar.ts";
import type { Value } from "../query/result.ts";
import { compileResult } from "../query/run/shown.ts";
import type { Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows, Selection } from "./rule-filters.ts";
import { foldCount, foldLate, foldOwn } from "./rule-fold.ts";
import type { RuleState, RuleStateStats, StatePart } from "./rule-state.ts";
import { SessionFold } from "./session-fold.ts";
import { compare, noSlot, SessionIntervals } from "./session-intervals.ts";
import { SessionJudge } from "./session-judge.ts";
import { SessionStore } from "./session-store.ts";
import { SessionTimes } from "./session-times.ts";
import { shownValue } from "./shown-value.ts";
import { noWatermark, type TimedChunk } from "./timed-chunk.ts";
import type { FinalWindow, PartialGroup, WindowRow, WindowState } from "./window-row.ts";

/** With so many slots final sessions are handed on at once; with more it pays to wait for others. */
const fewSlots = 4096;
/** But no longer than for so many chunks. */
const chunksMax = 16;
/** Chunks of which it is known what W was after them. */
const reachedMax = 1024;
/** So many slots, and half of them dead, are made fewer; keys the same. */
const rebuiltMin = 128;

export class SessionRule implements RuleState {
  readonly rule: Rule;
  readonly #context: RuleContext;
  readonly #rows: ChunkRows;
  readonly #times: SessionTimes;
  readonly #values: readonly ((leaf: LeafValue) => Value)[];
  readonly #store = new SessionStore();
  #fold: SessionFold;
  #intervals: SessionIntervals;
  /** By group, its number in the directory. */
  #directory = new Map<number, number>();
  #timesUs = new BigInt64Array(0);
  #watermarkUs = noWatermark;
  /** What W had come to before the sequence `next`, of late. */
  readonly #reached: { readonly next: number; readonly watermarkUs: bigint }[] = [];
  #waited = 0;
  /** Rows that have passed the filter. */
  #rowCount = 0;
  #tooLate = 0;

  constructor(context: RuleContext) {
    const { rule, filters, run } = context;
    assert(rule.window.kind === "session", "a session rule has a gap");
    this.rule = rule;
    this.#context = context;
    this.#rows = filters.open(rule);
    this.#times = new SessionTimes(run.core);
    this.#values = rule.values.map(({ of }) => compileResult(of));
    this.#fold = new SessionFold(context, this.#rows);
    this.#intervals = new SessionIntervals({
      gapUs: rule.window.gapUs,
      latenessUs: rule.allowedLatenessUs,
      sessionsMax: rule.windowsMax,
      groupsMax: rule.groupsMax,
    });
  }

  add(chunk: TimedChunk): void {
    const { run } = this.#context;
    const selection = this.#rows.select();
    const mark = run.scratch.mark();
    const firstSequence = Number(chunk.segment.firstSequence);
    const judge = new SessionJudge(chunk, firstSequence);
    this.#intervals.begin(firstSequence + chunk.first);
    this.#rowCount += selection.count;
    if (selection.count > 0) this.#take(chunk, selection, judge, firstSequence);
    run.scratch.release(mark);
    this.#intervals.sweep(chunk.end - 1, judge);
    this.#reach(chunk.watermarkAfterUs, firstSequence + chunk.end);
    this.#tellTooLate();
    this.#waited++;
    const waiting = this.#intervals.final.length;
    const { slots } = this.#intervals;
    if (slots <= fewSlots || waiting * 16 >= slots || this.#waited >= chunksMax) this.#handOn();
  }

  advance(watermarkUs: bigint, sequence: bigint): void {
    const next = Number(sequence);
    // As the next row would find it: who knows all that was before that row may not know this.
    this.#reach(watermarkUs, next + 1);
    // A chunk without rows: whatever W has passed it has passed before the next row.
    const judge = new SessionJudge(
      {
        first: 0,
        end: 0,
        watermarkBeforeUs: this.#watermarkUs,
        watermarkAfterUs: this.#watermarkUs,
        crossing: () => 0,
      },
      next,
    );
    this.#intervals.begin(next);
    this.#intervals.sweep(0, judge);
    this.#handOn();
  }

  #reach(watermarkUs: bigint, next: number): void {
    if (watermarkUs <= this.#watermarkUs) return;
    this.#watermarkUs = watermarkUs;
    const { length } = this.#reached;
    if (length > 0 && this.#reached[length - 1]?.next === next) this.#reached.pop();
    else if (length >= reachedMax) this.#reached.splice(0, reachedMax / 2);
    this.#reached.push({ next, watermarkUs });
  }

  /** W when rows below `sequence` were all that was known; earlier where that isn't known any more. */
  #watermarkAt(sequence: number): bigint {
    const at = this.#reached.findLast(({ next }) => next <= sequence);
    return at?.watermarkUs ?? noWatermark;
  }

  /** Sessions have no such count. */
  duplicates(): void {}

  #take(chunk: TimedChunk, selection: Selection, judge: SessionJudge, firstSequence: number): void {
    const { run, arena } = this.#context;
    const { kernels, scratch, core } = run;
    const { segment } = chunk;
    const { mask, count } = selection;
    const words = selectionWords(segment.rows);
    const list = scratch.take(count * 4);
    kernels.selectionRows(mask, words, list);
    const rows = core.u32.subarray(list >>> 2, (list >>> 2) + count);
    const groups = this.#fold.assign({ segment, mask, rows: list, count });
    if (this.#timesUs.length < count) this.#timesUs = new BigInt64Array(count * 2);
    const timesUs = this.#timesUs.subarray(0, count);
    this.#times.read(segment.column("timestamp", LANE_NUMBER), rows, timesUs);
    const out = scratch.take(count * 4);
    const slots = core.u32.subarray(out >>> 2, (out >>> 2) + count);
    const intervals = this.#intervals;
    intervals.isFull = arena.isTight;
    const taken = intervals.assign(
      { count, rows, groups, timesUs, firstSequence },
      0,
      count,
      judge,
      slots,
    );
    if (taken === 0) return;
    const all = { segment, groups: out, groupCount: intervals.slots, rows: () => list };
    const full = taken === count;
    this.#fold.add({
      ...all,
      mask: full ? mask : this.#cut(mask, selectionSize(segment.rows), rows, slots),
      count: taken,
    });
  }

  /** Leaves out the rows without a slot, from the lists in their place; answers a mask without them. */
  #cut(mask: number, size: number, rows: Uint32Array, slots: Uint32Array): number {
    const { u8 } = this.#context.run.core;
    const cut = this.#context.run.scratch.take(size);
    u8.copyWithin(cut, mask, mask + size);
    let to = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const slot = slots[i] as number;
      if (slot === noSlot) {
        u8[cut + (row >>> 3)] = (u8[cut + (row >>> 3)] as number) & ~(1 << (row & 7));
        continue;
      }
      rows[to] = row;
      slots[to++] = slot;
    }
    return cut;
  }

  #groupId(group: number): number {
    if (group === 0) return 0;
    let id = this.#directory.get(group);
    if (id === undefined) {
      id = this.#context.directory.idOf(this.#fold.keyBytes(group));
      this.#directory.set(group, id);
    }
    return id;
  }

  #tellTooLate(): void {
    const late = this.#intervals.tooLate;
    if (late.length === 0) return;
    this.#tooLate += late.length;
    this.#intervals.tooLate = [];
    late.sort((a, b) => a.group - b.group || compare(a.timeUs, b.timeUs));
    const { gapUs } = this.#intervals;
    for (let i = 0; i < late.length; ) {
      const { group, timeUs } = late[i] as (typeof late)[number];
      const from = i;
      while (i < late.length && late[i]?.group === group && late[i]?.timeUs === timeUs) i++;
      const [startUs, endUs] = [timeUs, timeUs + gapUs];
      const groupId = this.#groupId(group);
      this.#context.sink.tooLate(this.rule, { startUs, endUs, groupId, count: i - from });
    }
  }

  /** Final sessions go to the sink. */
  #handOn(): void {
    this.#waited = 0;
    if (this.#intervals.final.length > 0) {
      this.#makeWhole();
      const intervals = this.#intervals;
      const final = intervals.final.toSorted(
        (a, b) =>
          compare(intervals.end[a] as bigint, intervals.end[b] as bigint) ||
          compare(intervals.start[a] as bigint, intervals.start[b] as bigint) ||
          (intervals.finalAt[a] as number) - (intervals.finalAt[b] as number),
      );
      for (const window of this.#windows(final)) this.#context.sink.final(this.rule, window);
      for (const slot of final) intervals.replaced.delete(slot);
      intervals.final = [];
    }
    const { slots, open, openGroups } = this.#intervals;
    if (slots > rebuiltMin && open * 2 < slots) this.#rebuild();
    const { keyCount } = this.#fold;
    if (keyCount > rebuiltMin && openGroups * 2 < keyCount) this.#rebuildKeys();
  }

  /** Sessions that have several slots have all in one. */
  #makeWhole(): void {
    const intervals = this.#intervals;
    const { parts } = intervals;
    if (parts.length === 0) return;
    const states = this.#fold.split(intervals.slots);
    this.#fold.merge(
      parts.map((slot) => states[slot] as Uint8Array),
      Uint32Array.from(parts, (slot) => intervals.rootOf(slot)),
    );
    intervals.parts = [];
  }

  #rebuild(groupOf: (group: number) => number = (group) => group): void {
    this.#makeWhole();
    const { next, slotOf } = this.#intervals.rebuilt(groupOf);
    this.#fold.rebuildSlots(slotOf);
    this.#intervals = next;
    this.#store.forget();
  }

  #rebuildKeys(): void {
    const intervals = this.#intervals;
    const slots = [...intervals.openSlots(), ...intervals.final];
    const groups = [...new Set(slots.map((slot) => intervals.group[slot] as number))];
    const numbers = this.#fold.rebuildKeys(groups.filter((group) => group !== 0));
    this.#directory.clear();
    this.#rebuild((group) => numbers.get(group) ?? 0);
  }

  /** Windows of whole sessions; those of one span that follow each other are one window. */
  #windows(slots: readonly number[]): FinalWindow[] {
    const intervals = this.#intervals;
    if (slots.length === 0) return [];
    const states = this.#fold.split(intervals.slots);
    const values = this.#fold.values();
    const windows: (FinalWindow & { groups: PartialGroup[] })[] = [];
    for (const slot of slots) {
      const startUs = intervals.start[slot] as bigint;
      const endUs = intervals.end[slot] as bigint;
      const finalAt = BigInt(intervals.finalAt[slot] || (intervals.changedAt[slot] as number));
      const group = this.#partial(slot, values, states[slot] as Uint8Array);
      const replaces = intervals.replaced.get(slot)?.map((one) => one.startUs);
      const last = windows.at(-1);
      const joins = last && !replaces && !last.replaces && last.finalAt === finalAt;
      if (joins && last.startUs === startUs && last.endUs === endUs) last.groups.push(group);
      else
        windows.push({ startUs, endUs, finalAt, groups: [group], ...(replaces && { replaces }) });
    }
    return windows;
  }

  #partial(
    slot: number,
    values: readonly ((slot: number) => Value)[],
    partial: Uint8Array,
  ): PartialGroup {
    const revised = this.#intervals.revised[slot] as number;
    return {
      groupId: this.#groupId(this.#intervals.group[slot] as number),
      count: Number(values[foldCount]?.(slot)),
      late: Number(values[foldLate]?.(slot)),
      revised,
      tooLate: 0,
      duplicate: 0,
      revision: revised,
      partial,
    };
  }

  open(since: bigint): WindowRow[] {
    const from = Number(since);
    const intervals = this.#intervals;
    const beforeUs = this.#watermarkAt(from);
    const slots = [...intervals.openSlots(), ...intervals.final].filter((slot) => {
      const endUs = intervals.end[slot] as bigint;
      const ended = endUs > beforeUs && endUs <= this.#watermarkUs;
      return ended || (intervals.changedAt[slot] as number) > from;
    });
    if (slots.length === 0) return [];
    this.#makeWhole();
    slots.sort(
      (a, b) =>
        compare(intervals.start[a] as bigint, intervals.start[b] as bigint) ||
        (intervals.group[a] as number) - (intervals.group[b] as number),
    );
    const mark = this.#context.run.scratch.mark();
    const values = this.#fold.values();
    const rows = slots.map((slot) => this.#row(slot, values, from));
    this.#context.run.scratch.release(mark);
    return rows;
  }

  #row(slot: number, values: readonly ((slot: number) => Value)[], since: number): WindowRow {
    const intervals = this.#intervals;
    const group = intervals.group[slot] as number;
    const startUs = intervals.start[slot] as bigint;
    const endUs = intervals.end[slot] as bigint;
    const revised = intervals.revised[slot] as number;
    const keys = this.#fold.groupValues(group);
    const seconds = Number(endUs - startUs) / 1e6;
    const leaf: LeafValue = (one) => {
      if (one.kind === "key") return keys[one.key] ?? null;
      if (one.kind !== "aggregate") return null;
      const value = values[foldOwn + one.aggregate]?.(slot) ?? null;
      const isRate = this.rule.aggregates[one.aggregate]?.fn === "rate";
      return isRate && typeof value === "number" ? value / seconds : value;
    };
    const replaces = (intervals.replaced.get(slot) ?? [])
      .filter(({ at, startUs: old }) => at > since && old !== startUs)
      .map((one) => one.startUs);
    return {
      startUs,
      endUs,
      group: keys,
      other: group === 0,
      values: this.#values.map((value) => shownValue(value, leaf)),
      count: Number(values[foldCount]?.(slot)),
      late: Number(values[foldLate]?.(slot)),
      revised,
      tooLate: 0,
      duplicate: 0,
      revision: revised,
      state: this.#stateOf(endUs, revised),
      changedAt: BigInt(intervals.changedAt[slot] as number),
      ...(replaces.length > 0 && { replaces }),
    };
  }

  #stateOf(endUs: bigint, revised: number): WindowState {
    if (this.#watermarkUs < endUs) return "early";
    return revised > 0 ? "revised" : "on_time";
  }

  openPartials(fromUs: bigint | null, toUs: bigint | null): FinalWindow[] {
    this.#makeWhole();
    const { start, end, final } = this.#intervals;
    const slots = [...this.#intervals.openSlots(), ...final].filter(
      (slot) =>
        (toUs === null || (start[slot] as bigint) < toUs) &&
        (fromUs === null || (end[slot] as bigint) > fromUs),
    );
    slots.sort(
      (a, b) =>
        compare(start[a] as bigint, start[b] as bigint) ||
        compare(end[a] as bigint, end[b] as bigint),
    );
    return this.#windows(slots);
  }

  dirtyParts(): StatePart[] {
    this.#makeWhole();
    const { rows, tooLate, dropped, overflowed } = this.stats;
    const head = { watermarkUs: this.#watermarkUs, rows, tooLate, dropped, overflowed };
    return this.#store.dirtyParts(this.#intervals, this.#fold, head);
  }

  restore(parts: readonly StatePart[]): void {
    const head = this.#store.restore(parts, this.#intervals, this.#fold);
    if (head === null) return;
    this.#watermarkUs = head.watermarkUs;
    this.#rowCount = head.rows;
    this.#tooLate = head.tooLate;
    this.#intervals.dropped = head.dropped;
    this.#intervals.overflowed = head.overflowed;
  }

  get dropped(): number {
    return this.#intervals.dropped;
  }

  get stats(): RuleStateStats {
    const { open, openGroups, dropped, overflowed } = this.#intervals;
    return {
      openWindows: open,
      openGroups,
      memoryBytes: this.#fold.memoryBytes,
      rows: this.#rowCount,
      tooLate: this.#tooLate,
      dropped,
      overflowed,
    };
  }

  close(): void {
    this.#fold.free();
    this.#rows.close();
  }
}

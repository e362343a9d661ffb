// The aggregates of a rule's sessions, by slot, and the keys of its groups. A fold gives nothing back while it lives:
// so the slots and the groups that are still needed are put into new ones from time to time.

import {
  GROUP_ENTRIES,
  GROUP_KEY_KIND,
  GROUP_KEY_SIZE,
  KEY_BOOLEAN,
  KEY_NULL,
  KEY_STRING,
} from "../core/layout.ts";
import type { GroupRows } from "../query/aggregate/accumulator.ts";
import { PartialReader, PartialWriter } from "../query/aggregate/partial-bytes.ts";
import type { Value } from "../query/result.ts";
import { joinGroups, splitGroups } from "../query/run/fold-bytes.ts";
import { GroupFold } from "../query/run/group-fold.ts";
import type { RowList } from "../query/run/group-ids.ts";
import { GroupIds } from "../query/run/group-ids.ts";
import { GroupTable } from "../query/run/group-table.ts";
import { joinKeys } from "../query/states/group-keys.ts";
import { GrowingBytes } from "../query/states/state-bytes.ts";
import { PaneScratch } from "./pane-scratch.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";
import { ruleFold } from "./rule-fold.ts";
import { noSlot } from "./session-intervals.ts";

/** A rate is told per second of this, and divided by the seconds of its session where it is read. */
const second = 1_000_000n;
/** Where keys don't matter: one key, which is NULL. */
const noKey = Uint8Array.of(KEY_NULL);

interface Keys {
  readonly scratch: PaneScratch;
  readonly table: GroupTable;
  readonly ids: GroupIds;
}

interface Slots {
  readonly scratch: PaneScratch;
  readonly fold: GroupFold;
}

export class SessionFold {
  readonly #context: RuleContext;
  readonly #rows: ChunkRows;
  /** Null: a rule without keys has one group. */
  #keys: Keys | null;
  #slots: Slots;

  constructor(context: RuleContext, rows: ChunkRows) {
    this.#context = context;
    this.#rows = rows;
    this.#keys = context.rule.keys.length > 0 ? this.#newKeys() : null;
    this.#slots = this.#newSlots();
  }

  #newKeys(): Keys {
    const { rule, run, cells, arena } = this.#context;
    const scratch = new PaneScratch(arena, run.scratch);
    const own = { ...run, scratch };
    const table = new GroupTable(own, cells, rule.keys.length, true);
    return { scratch, table, ids: new GroupIds(own, this.#rows.computed, rule.keys, table) };
  }

  #newSlots(): Slots {
    const { rule, run, cells, arena } = this.#context;
    const { computed, filters } = this.#rows;
    const scratch = new PaneScratch(arena, run.scratch);
    const fold = new GroupFold({
      query: { ...ruleFold(rule, 0n, second), groupBy: [] },
      run: { ...run, scratch },
      cells,
      computed,
      filters,
      select: (filter, segment, mask, out) => this.#rows.filter(filter, segment, mask, out),
      small: true,
    });
    return { scratch, fold };
  }

  get memoryBytes(): number {
    return (this.#keys?.scratch.bytes ?? 0) + this.#slots.scratch.bytes;
  }

  /** Groups that there are keys of. */
  get keyCount(): number {
    return this.#keys?.table.count ?? 0;
  }

  /** Writes the group of each listed row, from 1 on. */
  assign(list: RowList): Uint32Array {
    const { u32 } = this.#context.run.core;
    const address = this.#keys?.ids.assign(list) ?? 0;
    if (address === 0) return new Uint32Array(list.count).fill(1);
    const groups = u32.subarray(address >>> 2, (address >>> 2) + list.count);
    for (let i = 0; i < groups.length; i++) groups[i] = (groups[i] as number) + 1;
    return groups;
  }

  /** The groups of the rows are slots. */
  add(rows: GroupRows): void {
    this.#slots.fold.addAssigned(rows);
  }

  /** By aggregate of the fold, the value of a slot. */
  values(): readonly ((slot: number) => Value)[] {
    return this.#slots.fold.values();
  }

  /** Values of the rule's keys; `other` has none. */
  groupValues(group: number): Value[] {
    const { rule } = this.#context;
    const table = this.#keys?.table;
    return rule.keys.map((_, key) =>
      group === 0 || !table ? null : table.valueOf(group - 1, key),
    );
  }

  /** The key of a group as `splitGroups` tells it. */
  keyBytes(group: number): Uint8Array {
    const table = this.#keys?.table;
    if (!table || group === 0) return new Uint8Array(0);
    const { u8, u32 } = this.#context.run.core;
    const out = new PartialWriter();
    table.keys.forEach((address, key) => {
      const entries = u32[(address + GROUP_ENTRIES) >>> 2] as number;
      const entry = entries + table.index(group - 1, key) * GROUP_KEY_SIZE;
      const kind = u32[(entry + GROUP_KEY_KIND) >>> 2] as number;
      out.u8(kind);
      if (kind === KEY_NULL) return;
      if (kind === KEY_BOOLEAN) out.u8(u8[entry] as number);
      else if (kind < KEY_STRING) out.raw(u8.subarray(entry, entry + 8));
      else {
        const text = u32[entry >>> 2] as number;
        const length = u32[(entry + 4) >>> 2] as number;
        out.u32(length);
        out.raw(u8.subarray(text, text + length));
      }
    });
    return out.bytes().slice();
  }

  /** The states of each slot below `slots`. */
  split(slots: number): Uint8Array[] {
    if (slots === 0) return [];
    const out = new PartialWriter();
    out.u32(slots);
    out.u32(0);
    out.raw(new Uint8Array(slots * GROUP_KEY_SIZE));
    this.#slots.fold.encodeStates(slots, out);
    return splitGroups(out.bytes(), 1).map(({ states }) => states);
  }

  /** Merges states into slots. */
  merge(states: readonly Uint8Array[], slots: Uint32Array): void {
    if (states.length === 0) return;
    const { run } = this.#context;
    const mark = run.scratch.mark();
    const groups = states.map((one) => ({ key: noKey, states: one }));
    const content = new PartialReader(joinGroups(groups, 1));
    content.raw(content.u32() * GROUP_KEY_SIZE + content.u32());
    this.#slots.fold.mergeStates(content, slots);
    run.scratch.release(mark);
  }

  /** Slots become those that `slotOf` says, `noSlot` are gone. */
  rebuildSlots(slotOf: Uint32Array): void {
    const states = this.split(slotOf.length);
    const kept = states.filter((_, slot) => slotOf[slot] !== noSlot);
    this.#slots.scratch.reset();
    this.#slots = this.#newSlots();
    this.merge(
      kept,
      slotOf.filter((slot) => slot !== noSlot),
    );
  }

  /** Only `groups` stay; answers what each is from now on. */
  rebuildKeys(groups: readonly number[]): ReadonlyMap<number, number> {
    const keys = groups.map((group) => this.keyBytes(group));
    this.#keys?.scratch.reset();
    if (this.#keys) this.#keys = this.#newKeys();
    const numbers = this.groupsOf(keys);
    return new Map(groups.map((group, i) => [group, numbers[i] as number]));
  }

  /** The groups with these keys, which are made. */
  groupsOf(keys: readonly Uint8Array[]): number[] {
    if (!this.#keys || keys.length === 0) return keys.map(() => 1);
    const { rule, run } = this.#context;
    const out = new GrowingBytes(1024);
    joinKeys(keys, rule.keys.length, out);
    const mark = run.scratch.mark();
    const groups = this.#keys.table.merge(new PartialReader(out.bytes()));
    run.scratch.release(mark);
    return Array.from(groups, (group) => group + 1);
  }

  free(): void {
    this.#keys?.scratch.reset();
    this.#slots.scratch.reset();
  }
}

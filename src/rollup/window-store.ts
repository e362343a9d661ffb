// The windows of all rules: blocks by group, and which became final when.

import type { StreamWrite } from "../stream/messages.ts";
import type { Rule } from "../stream/rule.ts";
import type { FinalPlace, FinalWindow, PartialGroup, TooLate } from "../stream/window-row.ts";
import { FinalList } from "./final-list.ts";
import { dropRule } from "./group-directories.ts";
import { timeMax, timeMin } from "./keys.ts";
import { PendingTable } from "./pending-table.ts";
import type {
  FinalGroups,
  StoredGroup,
  TableReader,
  WindowGroupBlock,
  WindowRange,
  WindowStore,
} from "./store.ts";
import { WindowBlock } from "./window-block.ts";
import { WindowBlocks } from "./window-blocks.ts";
import { mergeGroups } from "./window-order.ts";

const memoryMaxUsual = 32 * 1024 * 1024;

export interface WindowTables {
  readonly windows: TableReader;
  readonly finals: TableReader;
}

/** `memoryMax` is what blocks that are on disk already may take. */
export function openWindowStore(tables: WindowTables, memoryMax = memoryMaxUsual): WindowStore {
  return new StoredWindows(tables, memoryMax);
}

class StoredWindows implements WindowStore {
  readonly #blocks: WindowBlocks;
  readonly #finals: FinalList;
  readonly #finalTable: PendingTable;
  /** By rule and tier: the group that expiry goes on from. */
  readonly #swept = new Map<string, number>();

  constructor({ windows, finals }: WindowTables, memoryMax: number) {
    this.#blocks = new WindowBlocks(windows, memoryMax);
    this.#finalTable = new PendingTable("finals", finals);
    this.#finals = new FinalList(this.#finalTable);
  }

  get memoryBytes(): number {
    return this.#blocks.memoryBytes;
  }

  put(rule: Rule, tier: number, window: FinalWindow): void {
    for (const group of window.groups) {
      const stored = storedGroup(window, group);
      const tail = this.#blocks.tail(rule.number, tier, group.groupId);
      if (tail === undefined || tail.isAfter(window.startUs, window.endUs)) {
        this.#append(rule.number, tier, tail, stored);
        continue;
      }
      const block = this.#blockOf(rule.number, tier, stored);
      const tooLate = block?.find(stored.startUs, stored.endUs)?.tooLate ?? 0;
      this.#insert(rule.number, tier, { ...stored, tooLate: stored.tooLate + tooLate });
    }
    this.#final(rule.number, tier, window);
  }

  #final(rule: number, tier: number, window: FinalWindow): void {
    const { finalAt, startUs, endUs, groups } = window;
    const groupIds = Uint32Array.from(groups, ({ groupId }) => groupId);
    this.#finals.add(rule, tier, { finalAt, startUs, endUs, groupIds });
  }

  #append(rule: number, tier: number, tail: WindowBlock | undefined, window: StoredGroup): void {
    // Windows of one start stay in one block, which is found by it.
    const goesOn = tail !== undefined && window.startUs === tail.lastStartUs;
    if (tail !== undefined && (goesOn || !tail.isFull(window.partial.length))) {
      tail.append(window);
      this.#blocks.changed(tail);
      return;
    }
    const { groupId, startUs } = window;
    const block = new WindowBlock({ rule, tier, groupId, startUs });
    block.append(window);
    this.#blocks.add(block, true);
  }

  #blockOf(rule: number, tier: number, window: StoredGroup): WindowBlock | undefined {
    return this.#blocks.at(rule, tier, window.groupId, window.startUs);
  }

  /** Puts a window anywhere, in the place of the same one. */
  #insert(rule: number, tier: number, window: StoredGroup): void {
    const { groupId, startUs, partial } = window;
    const block = this.#blockOf(rule, tier, window);
    if (block === undefined) {
      const first = new WindowBlock({ rule, tier, groupId, startUs });
      first.append(window);
      this.#blocks.add(first, this.#blocks.tail(rule, tier, groupId) === undefined);
      return;
    }
    const isFull = block.isFull(partial.length);
    block.put(window);
    const later = isFull ? block.split() : undefined;
    this.#blocks.changed(block);
    if (later) this.#blocks.add(later, false);
  }

  tooLate({ number }: Rule, late: TooLate, tier = 0): void {
    const { groupId, startUs, endUs, count } = late;
    const known = this.#blocks.at(number, tier, groupId, startUs)?.find(startUs, endUs);
    const none = { count: 0, late: 0, revised: 0, tooLate: 0, duplicate: 0, revision: 0 };
    const window = known ?? { ...none, ...late, finalAt: 0n, partial: new Uint8Array(0), count: 0 };
    this.#insert(number, tier, { ...window, tooLate: window.tooLate + count });
  }

  replace({ number }: Rule, tier: number, window: FinalWindow): void {
    for (const group of window.groups) this.#insert(number, tier, storedGroup(window, group));
    this.#final(number, tier, window);
  }

  remove(rule: number, tier: number, groupId: number, startUs: bigint, endUs: bigint): boolean {
    const block = this.#blocks.at(rule, tier, groupId, startUs);
    if (!block?.remove(startUs, endUs)) return false;
    this.#blocks.changed(block);
    return true;
  }

  blocks(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint | null,
    toUs: bigint | null,
  ): Iterable<WindowGroupBlock> {
    const first = this.#firstBlock(rule, tier, groupId, fromUs ?? timeMin);
    return this.#blocks.ascending(rule, tier, groupId, first, toUs ?? timeMax);
  }

  *read(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint | null,
    toUs: bigint | null,
    descending = false,
  ): Generator<StoredGroup> {
    const from = fromUs ?? timeMin;
    const to = toUs ?? timeMax;
    const first = this.#firstBlock(rule, tier, groupId, from);
    const blocks = descending
      ? this.#blocks.descending(rule, tier, groupId, first, to)
      : this.#blocks.ascending(rule, tier, groupId, first, to);
    for (const block of blocks) {
      const windows = block.overlapping(from, to);
      yield* descending ? windows.reverse() : windows;
    }
  }

  groupVersion(rule: number, tier: number, groupId: number): number {
    return this.#blocks.version(rule, tier, groupId);
  }

  /**
   * The start of the first block that has a window that ends after `from`. Within a group windows end in the order in
   * which they start, so blocks before one of which none does have none either.
   */
  #firstBlock(rule: number, tier: number, groupId: number, from: bigint): bigint {
    if (from === timeMin) return timeMin;
    let block = this.#blocks.at(rule, tier, groupId, from);
    if (block === undefined) return from;
    for (;;) {
      const { startUs } = block.place;
      if (startUs === timeMin) return startUs;
      const before = this.#blocks.at(rule, tier, groupId, startUs - 1n);
      if (before === undefined || before.endsBy(from)) return startUs;
      block = before;
    }
  }

  windows(range: WindowRange): Iterable<StoredGroup> {
    const { rule, tier, groupIds, fromUs, toUs, descending } = range;
    const ids = groupIds ?? [...this.#blocks.groups(rule, tier)];
    const lists = ids.map((id) => this.read(rule, tier, id, fromUs, toUs, descending));
    return lists.length === 1
      ? (lists[0] as Iterable<StoredGroup>)
      : mergeGroups(lists, descending);
  }

  groups(rule: number, tier: number): Iterable<number> {
    return this.#blocks.groups(rule, tier);
  }

  finalSince(rule: number, since: bigint, tier = 0): Iterable<FinalGroups> {
    return this.#finals.since(rule, tier, since);
  }

  dropped(rule: number, tier: number): FinalPlace | null {
    return this.#finals.dropped(rule, tier);
  }

  newest(rule: number, tier: number, before: bigint | null = null): FinalGroups | null {
    return this.#finals.newest(rule, tier, before);
  }

  expire(rule: number, tier: number, endUs: bigint, limit: number): boolean {
    let left = limit - this.#finals.expire(rule, tier, endUs, limit);
    const at = `${rule} ${tier}`;
    for (const groupId of this.#blocks.groups(rule, tier, this.#swept.get(at) ?? 0)) {
      if (left <= 0) {
        this.#swept.set(at, groupId);
        return true;
      }
      left -= 1 + this.#expireGroup(rule, tier, groupId, endUs, left);
    }
    this.#swept.delete(at);
    return left <= 0;
  }

  /** Answers how many blocks are gone. */
  #expireGroup(rule: number, tier: number, groupId: number, endUs: bigint, limit: number): number {
    const gone: WindowBlock[] = [];
    for (const block of this.#blocks.ascending(rule, tier, groupId, timeMin, timeMax)) {
      if (gone.length === limit || !block.endsBy(endUs)) break;
      gone.push(block);
    }
    for (const block of gone) this.#blocks.remove(block);
    return gone.length;
  }

  drop(rule: number, limit: number): number {
    const dropped = dropRule(this.#finalTable, rule, limit);
    return dropped < limit ? dropped + this.#blocks.drop(rule, limit - dropped) : dropped;
  }

  writes(): StreamWrite[] {
    return [...this.#blocks.writes(), ...this.#finalTable.writes()];
  }

  committed(): void {
    this.#blocks.committed();
    this.#finalTable.committed();
  }
}

function storedGroup(window: FinalWindow, group: PartialGroup): StoredGroup {
  const { startUs, endUs, finalAt } = window;
  const { groupId, count, late, revised, tooLate, duplicate, revision, partial } = group;
  return {
    groupId,
    count,
    late,
    revised,
    tooLate,
    duplicate,
    revision,
    partial,
    startUs,
    endUs,
    finalAt,
  };
}

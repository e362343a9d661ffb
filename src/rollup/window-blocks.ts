// Blocks of windows in memory: those that no commit has yet, and the ones that were touched last, so that appending
// and reading mostly leave the table alone.

import type { StreamWrite } from "../stream/messages.ts";
import { BlockLists } from "./block-lists.ts";
import {
  groupPrefixSize,
  keysOf,
  ruleRange,
  timeMax,
  timeMin,
  windowKey,
  windowKeyParts,
} from "./keys.ts";
import type { TableReader } from "./store.ts";
import { WindowBlock } from "./window-block.ts";

/** Groups whose versions are known. */
const versionsMax = 65_536;

interface Held {
  readonly key: Buffer;
  readonly text: string;
  /** Null: it is removed. */
  block: WindowBlock | null;
  dirty: boolean;
  /** Commits on their way that have it. */
  commits: number;
  memory: number;
}

export class WindowBlocks {
  readonly #table: TableReader;
  readonly #memoryMax: number;
  /** By key, the one touched longest ago first. */
  readonly #held = new Map<string, Held>();
  /** What no commit on disk has, by group, by start. */
  readonly #pending = new Map<string, Held[]>();
  /** The last block of a group, by rule and tier, then group. */
  readonly #tails = new Map<number, Map<number, Held>>();
  readonly #lists = new BlockLists();
  /** Of groups that somebody asked about since they last changed. */
  readonly #versions = new Map<string, number>();
  #version = 0;
  readonly #heldOf = new WeakMap<WindowBlock, Held>();
  readonly #dirty = new Set<Held>();
  readonly #commits: Held[][] = [];
  #memory = 0;

  constructor(table: TableReader, memoryMax: number) {
    this.#table = table;
    this.#memoryMax = memoryMax;
  }

  get memoryBytes(): number {
    return this.#memory;
  }

  #touch(held: Held): void {
    this.#held.delete(held.text);
    this.#held.set(held.text, held);
  }

  #hold(key: Buffer, block: WindowBlock | null): Held {
    const text = key.toString("latin1");
    const held: Held = { key, text, block, dirty: false, commits: 0, memory: block?.memory ?? 0 };
    this.#held.set(text, held);
    this.#memory += held.memory;
    if (block) this.#heldOf.set(block, held);
    return held;
  }

  #tailsOf(rule: number, tier: number): Map<number, Held> {
    const at = rule * 256 + tier;
    let tails = this.#tails.get(at);
    if (tails === undefined) {
      tails = new Map();
      this.#tails.set(at, tails);
    }
    return tails;
  }

  /** Which one is a group's last block is not known any more, if it was this one. */
  #loosen({ key }: Held, only: Held | null): void {
    const tails = this.#tailsOf(key.readUInt32BE(0), key[4] as number);
    const { groupId } = windowKeyParts(key);
    if (only === null || tails.get(groupId) === only) tails.delete(groupId);
  }

  /** Forgets the blocks that were touched longest ago and are on disk, but not `kept`. */
  #trim(kept?: Held): void {
    if (this.#memory <= this.#memoryMax) return;
    for (const held of this.#held.values()) {
      if (held.dirty || held.commits > 0 || held === kept) continue;
      this.#forget(held);
      if (this.#memory <= this.#memoryMax * 0.9) return;
    }
  }

  #forget(held: Held): void {
    this.#held.delete(held.text);
    this.#memory -= held.memory;
    this.#loosen(held, held);
  }

  /** A new block, not written yet; `isLast` where the group has none that starts later. */
  add(block: WindowBlock, isLast: boolean): void {
    const { rule, tier, groupId, startUs } = block.place;
    const key = windowKey(rule, tier, groupId, startUs);
    const known = this.#held.get(key.toString("latin1"));
    const held = known ?? this.#hold(key, block);
    held.block = block;
    this.#heldOf.set(block, held);
    this.#lists.add(groupOf(held.text), held.text);
    if (isLast) this.#tailsOf(rule, tier).set(groupId, held);
    else this.#loosen(held, null);
    this.#changed(held);
  }

  /** Its windows have changed. A block without any is removed. */
  changed(block: WindowBlock): void {
    const known = this.#heldOf.get(block);
    if (known && block.count > 0 && this.#held.get(known.text) === known) {
      this.#changed(known);
      return;
    }
    const { rule, tier, groupId, startUs } = block.place;
    const key = windowKey(rule, tier, groupId, startUs);
    if (block.count === 0) {
      this.#gone(key);
      return;
    }
    const held = this.#held.get(key.toString("latin1")) ?? this.#hold(key, block);
    held.block = block;
    this.#heldOf.set(block, held);
    this.#lists.add(groupOf(held.text), held.text);
    this.#changed(held);
  }

  remove(block: WindowBlock): void {
    const { rule, tier, groupId, startUs } = block.place;
    this.#gone(windowKey(rule, tier, groupId, startUs));
  }

  #gone(key: Buffer): void {
    const known = this.#held.get(key.toString("latin1"));
    const held = known ?? this.#hold(key, null);
    held.block = null;
    this.#lists.remove(groupOf(held.text), held.text);
    this.#loosen(held, null);
    this.#changed(held);
  }

  /** Removes at most `limit` blocks of a rule; answers how many. */
  drop(rule: number, limit: number): number {
    const { from, to } = ruleRange(rule);
    const prefix = from.toString("latin1");
    const gone: Buffer[] = [];
    for (const list of this.#pending.values()) {
      if (!list[0]?.text.startsWith(prefix)) continue;
      for (const { key, block } of list) {
        if (gone.length < limit && block !== null) gone.push(key);
      }
    }
    for (const key of keysOf(this.#table, from, to)) {
      if (gone.length >= limit) break;
      const own = Buffer.from(key);
      const held = this.#held.get(own.toString("latin1"));
      // What no commit has yet was looked at already.
      if (held === undefined || (held.block !== null && !isPending(held))) gone.push(own);
    }
    for (const key of gone) this.#gone(key);
    return gone.length;
  }

  /** Another one as soon as any of a group's blocks are. */
  version(rule: number, tier: number, groupId: number): number {
    const group = groupOf(windowKey(rule, tier, groupId, timeMin).toString("latin1"));
    let version = this.#versions.get(group);
    if (version === undefined) {
      if (this.#versions.size >= versionsMax) this.#versions.clear();
      version = ++this.#version;
      this.#versions.set(group, version);
    }
    return version;
  }

  #changed(held: Held): void {
    this.#versions.delete(groupOf(held.text));
    const memory = held.block?.memory ?? 200;
    this.#memory += memory - held.memory;
    held.memory = memory;
    if (!held.dirty && held.commits === 0) this.#addPending(held);
    held.dirty = true;
    this.#dirty.add(held);
    this.#touch(held);
  }

  #addPending(held: Held): void {
    const group = groupOf(held.text);
    const list = this.#pending.get(group);
    if (list === undefined) this.#pending.set(group, [held]);
    else {
      let at = list.length;
      while (at > 0 && (list[at - 1] as Held).text > held.text) at--;
      list.splice(at, 0, held);
    }
  }

  /** The block of a group that starts last, of those that start at `startUs` or before. */
  at(rule: number, tier: number, groupId: number, startUs: bigint): WindowBlock | undefined {
    const tail = this.#tails.get(rule * 256 + tier)?.get(groupId);
    if (tail?.block && tail.block.place.startUs <= startUs) {
      this.#touch(tail);
      return tail.block;
    }
    const to = windowKey(rule, tier, groupId, startUs);
    return this.#before(windowKey(rule, tier, groupId, timeMin), to, true)?.block ?? undefined;
  }

  /** The last block of a group. */
  tail(rule: number, tier: number, groupId: number): WindowBlock | undefined {
    const tails = this.#tailsOf(rule, tier);
    const known = tails.get(groupId);
    if (known?.block) return known.block;
    const from = windowKey(rule, tier, groupId, timeMin);
    const held = this.#before(from, windowKey(rule, tier, groupId, timeMax), true);
    if (held === undefined) return undefined;
    tails.set(groupId, held);
    return held.block ?? undefined;
  }

  /** The last block whose key is from `from` to before `to`, or `to` itself where it is `included`. */
  #before(from: Buffer, to: Buffer, included: boolean): Held | undefined {
    const end = included ? Buffer.concat([to, Buffer.of(0)]) : to;
    let best: Held | undefined;
    const endText = end.toString("latin1");
    const fromText = from.toString("latin1");
    const listed = this.#lists.last(groupOf(fromText), fromText, endText);
    if (listed !== undefined) return listed === null ? undefined : this.#listed(listed);
    for (const held of this.#pending.get(groupOf(fromText)) ?? []) {
      if (held.block !== null && held.text >= fromText && held.text < endText) best = held;
    }
    for (let before = end; ; ) {
      const stored = this.#table.last(from, before);
      if (stored === undefined) return best;
      const key = Buffer.from(stored.key);
      const text = key.toString("latin1");
      if (best !== undefined && best.text >= text) return best;
      const held = this.#held.get(text);
      if (held === undefined) return this.#load(key, stored.value);
      if (held.block !== null) {
        this.#touch(held);
        return held;
      }
      before = key;
    }
  }

  /** One that is listed. */
  #listed(text: string): Held {
    const held = this.#held.get(text);
    if (held === undefined) {
      const key = Buffer.from(text, "latin1");
      return this.#load(key, this.#table.get(key) as Uint8Array);
    }
    this.#touch(held);
    return held;
  }

  #load(key: Buffer, value: Uint8Array): Held {
    const own = Buffer.allocUnsafeSlow(key.length);
    own.set(key);
    const rule = own.readUInt32BE(0);
    const place = { rule, tier: own[4] as number, ...windowKeyParts(own) };
    const held = this.#hold(own, WindowBlock.read(place, value));
    this.#trim(held);
    return held;
  }

  /** A group's blocks from that of `fromUs` on, as far as they start before `toUs`, by start. */
  *ascending(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint,
    toUs: bigint,
  ): Generator<WindowBlock> {
    const from = windowKey(rule, tier, groupId, fromUs);
    const to = windowKey(rule, tier, groupId, toUs);
    const [fromText, toText] = [from.toString("latin1"), to.toString("latin1")];
    const group = groupOf(fromText);
    const listed = this.#lists.within(group, fromText, toText);
    if (listed !== undefined) {
      for (const text of listed) yield this.#listed(text).block as WindowBlock;
      return;
    }
    const texts: string[] = [];
    for (const held of this.#looked(from, to)) {
      if (held.block === null) continue;
      texts.push(held.text);
      yield held.block;
    }
    const last = toUs === timeMax ? undefined : this.tail(rule, tier, groupId);
    if (last === undefined || last.place.startUs < toUs) this.#lists.set(group, fromText, texts);
  }

  /** What is held or stored under keys of a group, ascending, removed ones among them. */
  *#looked(from: Buffer, to: Buffer): Generator<Held> {
    const [fromText, toText] = [from.toString("latin1"), to.toString("latin1")];
    const pending = (this.#pending.get(groupOf(fromText)) ?? []).filter(
      ({ text }) => text >= fromText && text < toText,
    );
    let next = 0;
    for (const stored of keysOf(this.#table, from, to)) {
      // Reading a value may reuse the memory of the key.
      const key = Buffer.from(stored);
      const text = key.toString("latin1");
      for (; next < pending.length && (pending[next] as Held).text < text; next++) {
        yield pending[next] as Held;
      }
      let held = this.#held.get(text);
      if (held !== undefined) this.#touch(held);
      else held = this.#load(key, this.#table.get(key) as Uint8Array);
      if (pending[next] === held) next++;
      yield held;
    }
    for (; next < pending.length; next++) yield pending[next] as Held;
  }

  /** The same, the last first: one block is looked for at a time. */
  *descending(
    rule: number,
    tier: number,
    groupId: number,
    fromUs: bigint,
    toUs: bigint,
  ): Generator<WindowBlock> {
    const from = windowKey(rule, tier, groupId, fromUs);
    let to = windowKey(rule, tier, groupId, toUs);
    for (;;) {
      const held = this.#before(from, to, false);
      if (held === undefined) return;
      if (held.block !== null) yield held.block;
      to = held.key;
    }
  }

  /** The groups that have blocks, ascending. */
  *groups(rule: number, tier: number, first = 0): Generator<number> {
    const pending = new Set<number>();
    const prefix = windowKey(rule, tier, 0, 0n).toString("latin1", 0, 5);
    for (const list of this.#pending.values()) {
      for (const { key, text, block } of list) {
        if (block !== null && text.startsWith(prefix)) pending.add(windowKeyParts(key).groupId);
      }
    }
    const waiting = [...pending].filter((id) => id >= first).sort((a, b) => a - b);
    let next = 0;
    for (let from = first; from <= 0xffffffff; ) {
      const id = this.#storedGroup(rule, tier, from);
      const own = waiting[next];
      if (id === undefined && own === undefined) return;
      const least = Math.min(id ?? Infinity, own ?? Infinity);
      if (least === own) next++;
      // Of a group in the table all blocks may be removed.
      if (least === own || this.#hasBlocks(rule, tier, least)) yield least;
      from = least + 1;
    }
  }

  #storedGroup(rule: number, tier: number, from: number): number | undefined {
    const end = windowKey(rule, tier, 0xffffffff, timeMax);
    for (const key of keysOf(this.#table, windowKey(rule, tier, from, timeMin), end)) {
      return windowKeyParts(key).groupId;
    }
    return undefined;
  }

  #hasBlocks(rule: number, tier: number, groupId: number): boolean {
    const from = windowKey(rule, tier, groupId, timeMin);
    if (!this.#pending.has(groupOf(from.toString("latin1")))) return true;
    for (const _ of this.ascending(rule, tier, groupId, timeMin, timeMax)) return true;
    return false;
  }

  writes(): StreamWrite[] {
    const written = [...this.#dirty];
    this.#dirty.clear();
    this.#commits.push(written);
    return written.map((held) => {
      held.dirty = false;
      held.commits++;
      return { table: "windows", key: held.key, value: held.block?.encode() ?? null };
    });
  }

  committed(): void {
    for (const held of this.#commits.shift() ?? []) {
      held.commits--;
      if (held.commits > 0 || held.dirty) continue;
      const group = groupOf(held.text);
      const list = this.#pending.get(group)?.filter((one) => one !== held) ?? [];
      if (list.length > 0) this.#pending.set(group, list);
      else this.#pending.delete(group);
      if (held.block === null) this.#forget(held);
    }
    this.#trim();
  }
}

/** Whether it is not on disk as it is. */
function isPending({ dirty, commits }: Held): boolean {
  return dirty || commits > 0;
}

/** Of a key's text: whose group it is. */
function groupOf(text: string): string {
  return text.slice(0, groupPrefixSize);
}

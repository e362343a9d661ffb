// The groups of a query over all its segments: the distinct values of each key, and which of them are together in a
// group. Both lie in kept scratch, where kernels look them up; see GROUP TABLE in assembly/layout.ts.
//
//   one key      a group's number is the index of its value
//   n keys       pairs of pairs: ((value 0, value 1), value 2), …; a group's number is the index of the last pair
//
// Partial (little-endian):  keys × { count u32 │ text bytes u32 │ count × entry of 16 bytes │ texts }, then
// (keys - 1) × { count u32 │ count × { first u32, second u32 } }

import { assert } from "../../base/assert.ts";
import { integer } from "../../base/integer.ts";
import {
  GROUP_CAPACITY,
  GROUP_COUNT,
  GROUP_ENTERED,
  GROUP_ENTRIES,
  GROUP_KEY_KIND,
  GROUP_KEY_SIZE,
  GROUP_MASK,
  GROUP_PAIR_SIZE,
  GROUP_SLOTS,
  GROUP_TABLE_SIZE,
  GROUP_TEXT_END,
  GROUP_TEXT_TOP,
  GROUP_TEXT_WANTED,
  KEY_BOOLEAN,
  KEY_F64,
  KEY_I64,
  KEY_ID,
  KEY_NULL,
  KEY_STRING,
} from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import type { PartialReader, PartialWriter } from "../aggregate/partial-bytes.ts";
import type { Cells } from "../columns/cells.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import type { Value } from "../result.ts";
import { JsonText } from "../result.ts";

const firstCapacity = 512;
/** Tables grow by four until they are this large, then by two. */
const smallCapacity = 65_536;
const firstTextBytes = 16_384;
/** Where there are many tables with few groups each. */
const small = { capacity: 16, textBytes: 512 } as const;
const textBytesMax = 4 * 1024 * 1024;

/** How many entries each table has, the keys' before the pairs', and how far the texts of each key go. */
export interface TableMark {
  readonly counts: readonly number[];
  readonly texts: readonly { readonly block: number; readonly top: number }[];
}

export class GroupTable {
  readonly #run: QueryRun;
  readonly #cells: Cells;
  /** Addresses of the tables: one a key. */
  readonly keys: readonly number[];
  /** One for each key after the first. */
  readonly pairs: readonly number[];
  /** By key and index, those that were asked for. */
  readonly #values: readonly Map<number, Value>[];
  /** By table of a key: the indexes of texts by their numbers in PathTexts. */
  readonly #numbered = new Map<number, { address: number; capacity: number }>();
  /** By table of a key, where its newest block of texts begins. */
  readonly #textBlocks = new Map<number, number>();
  readonly #firstCapacity: number;
  #textBytes: number;

  /** `isSmall`: it begins with room for few groups. */
  constructor(run: QueryRun, cells: Cells, keyCount: number, isSmall = false) {
    this.#run = run;
    this.#cells = cells;
    this.#firstCapacity = isSmall ? small.capacity : firstCapacity;
    this.#textBytes = isSmall ? small.textBytes : firstTextBytes;
    this.#values = Array.from({ length: keyCount }, () => new Map());
    this.keys = Array.from({ length: keyCount }, () => this.#make(GROUP_KEY_SIZE));
    this.pairs = Array.from({ length: keyCount - 1 }, () => this.#make(GROUP_PAIR_SIZE));
  }

  get #last(): number {
    return (this.pairs.at(-1) ?? this.keys[0]) as number;
  }

  /** How many groups there are. */
  get count(): number {
    return this.#word(this.#last + GROUP_COUNT);
  }

  /** How many distinct values a key has. */
  cardinality(key: number): number {
    return this.#word((this.keys[key] as number) + GROUP_COUNT);
  }

  #word(address: number): number {
    return this.#run.core.u32[address >>> 2] as number;
  }

  #set(address: number, value: number): void {
    this.#run.core.u32[address >>> 2] = value;
  }

  #make(entrySize: number): number {
    const table = this.#run.scratch.keep(GROUP_TABLE_SIZE);
    this.#run.core.u8.fill(0, table, table + GROUP_TABLE_SIZE);
    this.#resize(table, this.#firstCapacity, entrySize);
    return table;
  }

  /** Moves a table to memory for `capacity` entries, of whose slots at most half are taken. */
  #resize(table: number, capacity: number, entrySize: number): void {
    const { core, scratch, kernels } = this.#run;
    const slotCount = capacity * 2;
    const entries = scratch.keep(capacity * entrySize);
    const slots = scratch.keep(slotCount * 8);
    const oldEntries = this.#word(table + GROUP_ENTRIES);
    core.u8.copyWithin(
      entries,
      oldEntries,
      oldEntries + this.#word(table + GROUP_COUNT) * entrySize,
    );
    kernels.groupFill(slots, slotCount * 8, 0);
    const oldSlots = this.#word(table + GROUP_SLOTS);
    if (oldSlots !== 0) {
      kernels.groupRehash(oldSlots, this.#word(table + GROUP_MASK) + 1, slots, slotCount - 1);
    }
    this.#set(table + GROUP_MASK, slotCount - 1);
    this.#set(table + GROUP_SLOTS, slots);
    this.#set(table + GROUP_ENTRIES, entries);
    this.#set(table + GROUP_CAPACITY, capacity);
  }

  /**
   * Calls a kernel that goes from row to row, and answers how far it came when a table was full, until it has done
   * `count`. Makes room in between.
   */
  complete(count: number, kernel: (from: number) => number): void {
    for (let from = 0; from < count; ) {
      const at = finished(kernel(from));
      if (at < count) this.#makeRoom();
      from = at;
    }
  }

  #makeRoom(): void {
    let made = false;
    for (const table of this.keys) {
      const wanted = this.#word(table + GROUP_TEXT_WANTED);
      if (wanted > 0) {
        const size = Math.max(wanted, this.#textBytes);
        this.#textBytes = Math.min(textBytesMax, this.#textBytes * 2);
        const texts = this.#run.scratch.keep(size);
        this.#textBlocks.set(table, texts);
        this.#set(table + GROUP_TEXT_TOP, texts);
        this.#set(table + GROUP_TEXT_END, texts + size);
        this.#set(table + GROUP_TEXT_WANTED, 0);
        made = true;
      }
      made = this.#grow(table, GROUP_KEY_SIZE) || made;
    }
    for (const table of this.pairs) made = this.#grow(table, GROUP_PAIR_SIZE) || made;
    assert(made, "a kernel that stops lacks room in some table");
  }

  #grow(table: number, entrySize: number): boolean {
    const capacity = this.#word(table + GROUP_CAPACITY);
    if (this.#word(table + GROUP_COUNT) < capacity) return false;
    this.#resize(table, capacity * (capacity < smallCapacity ? 4 : 2), entrySize);
    return true;
  }

  /** What there is now, for `cut`. */
  mark(): TableMark {
    return {
      counts: [...this.keys, ...this.pairs].map((table) => this.#word(table + GROUP_COUNT)),
      texts: this.keys.map((table) => ({
        block: this.#textBlocks.get(table) ?? 0,
        top: this.#word(table + GROUP_TEXT_TOP),
      })),
    };
  }

  /**
   * Forgets the groups from `groups` on, and of the values that came after `mark` those that no other group has. None
   * of them was asked for, and no texts of earlier queries were looked up.
   */
  cut({ counts: before, texts }: TableMark, groups: number): void {
    const { keys, pairs } = this;
    const counts = before.slice();
    counts[counts.length - 1] = groups;
    for (let p = pairs.length - 1; p >= 0; p--) {
      const entries = this.#word((pairs[p] as number) + GROUP_ENTRIES);
      const [first, second] = [p === 0 ? 0 : keys.length + p - 1, p + 1];
      const own = keys.length + p;
      for (let i = before[own] as number; i < (counts[own] as number); i++) {
        const pair = entries + i * GROUP_PAIR_SIZE;
        counts[first] = Math.max(counts[first] as number, this.#word(pair) + 1);
        counts[second] = Math.max(counts[second] as number, this.#word(pair + 4) + 1);
      }
    }
    for (const [i, table] of [...keys, ...pairs].entries()) {
      if (this.#word(table + GROUP_COUNT) <= (counts[i] as number)) continue;
      this.#forget(table, counts[i] as number);
      const text = texts[i];
      if (text) this.#cutTexts(table, before[i] as number, text);
    }
  }

  #forget(table: number, count: number): void {
    const { core, scratch, kernels } = this.#run;
    const slots = this.#word(table + GROUP_SLOTS);
    const slotCount = this.#word(table + GROUP_MASK) + 1;
    const mark = scratch.mark();
    const held = scratch.take(slotCount * 8);
    core.u8.copyWithin(held, slots, slots + slotCount * 8);
    kernels.slotsBelow(held, slotCount, count);
    kernels.groupFill(slots, slotCount * 8, 0);
    kernels.groupRehash(held, slotCount, slots, slotCount - 1);
    scratch.release(mark);
    this.#set(table + GROUP_COUNT, count);
    this.#set(table + GROUP_ENTERED, count);
  }

  /** The newest block of texts goes on after the last text in it that is still there. */
  #cutTexts(table: number, before: number, mark: { readonly block: number; top: number }): void {
    const block = this.#textBlocks.get(table) ?? 0;
    const end = this.#word(table + GROUP_TEXT_END);
    let top = block === mark.block ? mark.top : block;
    for (let i = before; i < this.#word(table + GROUP_COUNT); i++) {
      const entry = this.#word(table + GROUP_ENTRIES) + i * GROUP_KEY_SIZE;
      if (this.#word(entry + GROUP_KEY_KIND) < KEY_STRING) continue;
      const address = this.#word(entry);
      if (address >= block && address < end) {
        top = Math.max(top, address + this.#word(entry + 4));
      }
    }
    this.#set(table + GROUP_TEXT_TOP, top);
  }

  /** Where the indexes are of kept texts whose numbers are below `count`, u32 each, GROUP_NONE where not known yet. */
  numbered(table: number, count: number): number {
    const { core, scratch, kernels } = this.#run;
    const old = this.#numbered.get(table);
    if (old && count <= old.capacity) return old.address;
    const capacity = old ? Math.max(count, old.capacity * 2) : count;
    const address = scratch.keep(capacity * 4);
    kernels.groupFill(address, capacity * 4, 0xff);
    if (old) core.u8.copyWithin(address, old.address, old.address + old.capacity * 4);
    this.#numbered.set(table, { address, capacity });
    return address;
  }

  /** Which of its key's values a group has. */
  index(group: number, key: number): number {
    let index = group;
    for (let k = this.keys.length - 1; k > 0; k--) {
      const pair = this.#word((this.pairs[k - 1] as number) + GROUP_ENTRIES) + index * 8;
      if (k === key) return this.#word(pair + 4);
      index = this.#word(pair);
    }
    return index;
  }

  /** A value of a key. Integers that a number doesn't hold are bigints. */
  value(key: number, index: number): Value {
    const { view } = this.#run.core;
    const entry = this.#word((this.keys[key] as number) + GROUP_ENTRIES) + index * GROUP_KEY_SIZE;
    const kind = this.#word(entry + GROUP_KEY_KIND);
    if (kind === KEY_NULL) return null;
    if (kind === KEY_I64) return integer(view.getBigInt64(entry, true));
    if (kind === KEY_F64) return view.getFloat64(entry, true);
    const low = this.#word(entry);
    if (kind === KEY_BOOLEAN) return low !== 0;
    if (kind === KEY_ID) return this.#cells.uuid(low);
    const text = this.#cells.utf8(low, this.#word(entry + 4));
    return kind === KEY_STRING ? text : new JsonText(text);
  }

  /** The value that a group has for a key. */
  valueOf(group: number, key: number): Value {
    return this.keyValue(key, this.index(group, key));
  }

  /** As `value`, made once: many groups may have the same. */
  keyValue(key: number, index: number): Value {
    const values = this.#values[key] as Map<number, Value>;
    let value = values.get(index);
    if (value === undefined) {
      value = this.value(key, index);
      values.set(index, value);
    }
    return value;
  }

  /** Negative, 0 or positive as value a of a key is before, equal to or after value b; NULL is last. */
  compare(key: number, a: number, b: number): number {
    return this.#run.kernels.groupCompareKeys(this.keys[key] as number, a, b);
  }

  /** For each value of a key how many come before it. Memory is taken, not kept. */
  ranks(key: number): Uint32Array {
    const { core, kernels, scratch } = this.#run;
    const count = this.cardinality(key);
    const work = scratch.take(count * 8);
    const ranks = scratch.take(count * 4);
    kernels.groupRanks(this.keys[key] as number, work, ranks);
    return core.u32.subarray(ranks >>> 2, (ranks >>> 2) + count);
  }

  encode(out: PartialWriter): void {
    const { core, kernels, scratch } = this.#run;
    for (const table of this.keys) {
      const count = this.#word(table + GROUP_COUNT);
      const textBytes = kernels.groupTextBytes(table) >>> 0;
      const mark = scratch.mark();
      const packed = scratch.take(count * GROUP_KEY_SIZE);
      const texts = scratch.take(textBytes);
      kernels.groupPackKeys(table, packed, texts);
      out.u32(count);
      out.u32(textBytes);
      out.raw(core.u8.subarray(packed, packed + count * GROUP_KEY_SIZE));
      out.raw(core.u8.subarray(texts, texts + textBytes));
      scratch.release(mark);
    }
    for (const table of this.pairs) {
      const count = this.#word(table + GROUP_COUNT);
      const entries = this.#word(table + GROUP_ENTRIES);
      out.u32(count);
      out.raw(core.u8.subarray(entries, entries + count * GROUP_PAIR_SIZE));
    }
  }

  /** Adds the groups that `encode` has written; answers which groups they are here. Throws CorruptionError. */
  merge(partials: PartialReader): Uint32Array {
    const { core, kernels, scratch } = this.#run;
    const mark = scratch.mark();
    const lists = this.keys.map((table) => this.#mergeKeys(table, partials));
    let firsts = lists[0] as IndexList;
    this.pairs.forEach((table, p) => {
      const seconds = lists[p + 1] as IndexList;
      const count = partials.u32();
      const packed = this.#put(partials.raw(count * GROUP_PAIR_SIZE));
      const indexes = scratch.take(count * 4);
      const { address, count: firstCount } = firsts;
      this.#unpack(count, (from) =>
        kernels.groupUnpackPairs(
          table,
          packed,
          from,
          count,
          address,
          firstCount,
          seconds.address,
          seconds.count,
          indexes,
        ),
      );
      firsts = { address: indexes, count };
    });
    const groups = core.u32.slice(firsts.address >>> 2, (firsts.address >>> 2) + firsts.count);
    scratch.release(mark);
    return groups;
  }

  #mergeKeys(table: number, partials: PartialReader): IndexList {
    const { kernels, scratch } = this.#run;
    const count = partials.u32();
    const textBytes = partials.u32();
    const packed = this.#put(partials.raw(count * GROUP_KEY_SIZE));
    const texts = this.#put(partials.raw(textBytes));
    const address = scratch.take(count * 4);
    this.#unpack(count, (from) =>
      kernels.groupUnpackKeys(table, packed, from, count, texts, textBytes, address),
    );
    return { address, count };
  }

  #put(bytes: Uint8Array): number {
    const address = this.#run.scratch.take(bytes.length);
    this.#run.core.u8.set(bytes, address);
    return address;
  }

  #unpack(count: number, kernel: (from: number) => number): void {
    this.complete(count, (from) => {
      const at = kernel(from);
      if (at < 0)
        throw new CorruptionError("partial_groups", `group ${from} or one after it is none`);
      return at;
    });
  }
}

/** Where the translations of a partial's indexes are. */
interface IndexList {
  readonly address: number;
  readonly count: number;
}

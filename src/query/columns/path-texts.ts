// The texts of paths, kept between the queries of a thread: each distinct text of a path has a number that stays, and
// each dictionary that was met an array from its codes to these numbers. A query that groups by texts which were seen
// before, or counts how many there are, neither hashes nor compares any.
//
// Memory is a part of the thread's own. When it is full, the path that was used longest ago goes as a whole; a path
// that the running query uses stays, and what finds no room is read as if nothing were kept.

import type { Core } from "../../core/core.ts";
import {
  COLUMN_DICT,
  COLUMN_DICT_COUNT,
  HEAP_END,
  HEAP_MISSING,
  HEAP_SIZE,
  HEAP_TOP,
  TEXTS_CAPACITY,
  TEXTS_COUNT,
  TEXTS_ENTRIES,
  TEXTS_MASK,
  TEXTS_SIZE,
  TEXTS_SLOTS,
} from "../../core/layout.ts";
import { RegionSpace } from "../../storage/region-space.ts";
import type { Segment } from "../segments/source.ts";

const capacityMin = 1024;
const entrySize = 16;
const blockMin = 16 * 1024;
const blockMax = 1024 * 1024;
/** Hot slots of which a path keeps codes. */
const hotMax = 8;
/** A dictionary is looked up as a whole once so many of its entries a row, or fewer, have been asked for. */
const entriesEach = 4;
/** Dictionaries of which it is known how many rows were asked for. */
const askedMax = 4096;
const overRead = 64;

interface Block {
  readonly address: number;
  readonly size: number;
}

/** Numbers of the first `count` codes of a dictionary, u32 each. */
interface CodeNumbers extends Block {
  readonly count: number;
}

interface PathState {
  /** Address of its TEXTS, with a HEAP after it. */
  readonly address: number;
  readonly blocks: Block[];
  entries: Block;
  slots: Block;
  block: number;
  readonly stored: Map<number, CodeNumbers>;
  readonly hot: Map<number, CodeNumbers>;
  /** The query that used it last. */
  query: number;
  isFull: boolean;
  /** A segment that had some of its texts is gone. */
  isStale: boolean;
}

/** Where the numbers of a dictionary's codes are, and the texts by number: { address u32, length u32, hash u64 }. */
export interface NumberedTexts {
  readonly numbers: number;
  readonly entries: number;
  readonly count: number;
}

interface TextKernels {
  internTexts(
    entries: number,
    from: number,
    count: number,
    used: number,
    indexes: number,
    texts: number,
    heap: number,
  ): number;
  rehashTexts(texts: number): void;
}

export class PathTexts {
  readonly #core: Core;
  readonly #kernels: TextKernels;
  readonly #space: RegionSpace;
  /** Least recently used first. */
  readonly #paths = new Map<string, PathState>();
  /** Rows that were asked for of dictionaries that are not looked up yet. */
  readonly #asked = new Map<string, number>();
  #query = 0;

  constructor(core: Core, base: number, size: number) {
    this.#core = core;
    this.#kernels = core.exports as unknown as TextKernels;
    this.#space = new RegionSpace(base, size - overRead);
  }

  /** Another query begins: what the one before has used may go. */
  begin(): void {
    this.#query++;
  }

  /** A stored segment is gone; not while a query runs. */
  forget(segmentId: number): void {
    for (const state of this.#paths.values()) {
      const codes = state.stored.get(segmentId);
      if (codes === undefined) continue;
      this.#give(codes);
      state.stored.delete(segmentId);
      state.isStale = true;
    }
  }

  /**
   * The numbers of the codes of a text column, of which `rows` rows are wanted; null where they are not kept: there is
   * no room, or too few rows to look up a whole dictionary.
   */
  of(segment: Segment, path: string, column: number, rows: number): NumberedTexts | null {
    const { u32 } = this.#core;
    const count = Atomics.load(u32, (column + COLUMN_DICT_COUNT) >>> 2);
    const dictionary = Atomics.load(u32, (column + COLUMN_DICT) >>> 2);
    const known = this.#usable(path);
    const kept = known && (segment.hot ? known.hot : known.stored).get(segment.id);
    if (!this.#isWorth(segment, path, rows, count - (kept?.count ?? 0))) return null;
    const state = known ?? this.#open(path);
    if (state === null) return null;
    this.#paths.delete(path);
    this.#paths.set(path, state);
    state.query = this.#query;
    const codes = this.#complete(state, segment, dictionary, count);
    if (codes === null) return null;
    const entries = this.#word(state.address + TEXTS_ENTRIES);
    return { numbers: codes.address, entries, count: this.#word(state.address + TEXTS_COUNT) };
  }

  /** A query for few rows leaves a large dictionary alone; the tenth one has better looked it up. */
  #isWorth(segment: Segment, path: string, rows: number, missing: number): boolean {
    if (missing <= rows * entriesEach) return true;
    const key = `${segment.hot ? "h" : "s"}${segment.id} ${path}`;
    const asked = (this.#asked.get(key) ?? 0) + rows;
    if (this.#asked.size >= askedMax) this.#asked.clear();
    if (asked * entriesEach < missing) {
      this.#asked.set(key, asked);
      return false;
    }
    this.#asked.delete(key);
    return true;
  }

  #word(address: number): number {
    return this.#core.u32[address >>> 2] as number;
  }

  #set(address: number, value: number): void {
    this.#core.u32[address >>> 2] = value;
  }

  /** A path that is full, and has texts that may be no segment's any more, begins anew. */
  #usable(path: string): PathState | undefined {
    const state = this.#paths.get(path);
    if (state?.isFull && state.isStale && state.query !== this.#query) {
      this.#drop(path, state);
      return undefined;
    }
    return state;
  }

  #take(size: number): Block | null {
    for (;;) {
      const address = this.#space.take(size, "low");
      if (address !== 0) return { address, size };
      if (!this.#evictOne()) return null;
    }
  }

  #give({ address, size }: Block): void {
    this.#space.give(address, size);
  }

  #evictOne(): boolean {
    for (const [path, state] of this.#paths) {
      if (state.query === this.#query) continue;
      this.#drop(path, state);
      return true;
    }
    return false;
  }

  #drop(path: string, state: PathState): void {
    this.#paths.delete(path);
    for (const block of state.blocks) this.#give(block);
    this.#give(state.entries);
    this.#give(state.slots);
    for (const codes of state.stored.values()) this.#give(codes);
    for (const codes of state.hot.values()) this.#give(codes);
  }

  #open(path: string): PathState | null {
    const head = this.#take(TEXTS_SIZE + HEAP_SIZE);
    const entries = head && this.#take(capacityMin * entrySize);
    const slots = entries && this.#take(capacityMin * 2 * 4);
    if (!head || !entries || !slots) {
      if (entries) this.#give(entries);
      if (head) this.#give(head);
      return null;
    }
    const { u32 } = this.#core;
    u32.fill(0, head.address >>> 2, (head.address + TEXTS_SIZE + HEAP_SIZE) >>> 2);
    const state: PathState = {
      address: head.address,
      blocks: [head],
      entries,
      slots,
      block: blockMin,
      stored: new Map(),
      hot: new Map(),
      query: this.#query,
      isFull: false,
      isStale: false,
    };
    this.#paths.set(path, state);
    this.#format(state, capacityMin);
    return state;
  }

  #format({ address, entries, slots }: PathState, capacity: number): void {
    this.#core.u32.fill(0, slots.address >>> 2, (slots.address >>> 2) + capacity * 2);
    this.#set(address + TEXTS_ENTRIES, entries.address);
    this.#set(address + TEXTS_CAPACITY, capacity);
    this.#set(address + TEXTS_SLOTS, slots.address);
    this.#set(address + TEXTS_MASK, capacity * 2 - 1);
    this.#kernels.rehashTexts(address);
  }

  /** Room for twice as many texts. */
  #grow(state: PathState): boolean {
    const count = this.#word(state.address + TEXTS_COUNT);
    const capacity = this.#word(state.address + TEXTS_CAPACITY) * 2;
    const entries = this.#take(capacity * entrySize);
    const slots = entries && this.#take(capacity * 2 * 4);
    if (!entries || !slots) {
      if (entries) this.#give(entries);
      return false;
    }
    const old = state.entries;
    this.#core.u8.copyWithin(entries.address, old.address, old.address + count * entrySize);
    this.#give(old);
    this.#give(state.slots);
    state.entries = entries;
    state.slots = slots;
    this.#format(state, capacity);
    return true;
  }

  #growHeap(state: PathState): boolean {
    const heap = state.address + TEXTS_SIZE;
    const block = this.#take(Math.max(state.block, this.#word(heap + HEAP_MISSING)));
    if (block === null) return false;
    state.blocks.push(block);
    state.block = Math.min(blockMax, state.block * 2);
    this.#set(heap + HEAP_MISSING, 0);
    this.#set(heap + HEAP_TOP, block.address);
    this.#set(heap + HEAP_END, block.address + block.size);
    return true;
  }

  /** The numbers of all codes: a hot slot's dictionary only grows, so those that are known stay. */
  #complete(
    state: PathState,
    segment: Segment,
    dictionary: number,
    count: number,
  ): CodeNumbers | null {
    const kept = segment.hot ? state.hot : state.stored;
    let codes = kept.get(segment.id);
    if (codes !== undefined && codes.count >= count) return codes;
    const from = codes?.count ?? 0;
    if (codes === undefined || codes.size < count * 4) {
      const room = this.#take((segment.hot ? count * 2 : Math.max(count, 1)) * 4);
      if (room === null) return this.#full(state);
      if (codes) {
        const { address } = codes;
        this.#core.u8.copyWithin(room.address, address, address + from * 4);
        this.#give(codes);
      }
      codes = { ...room, count: from };
      kept.set(segment.id, codes);
      this.#forgetHot(state);
    }
    for (let at = from; at < count; ) {
      const heap = state.address + TEXTS_SIZE;
      at = this.#kernels.internTexts(dictionary, at, count, 0, codes.address, state.address, heap);
      if (at === count) break;
      const lacksHeap = this.#word(heap + HEAP_MISSING) !== 0;
      if (!(lacksHeap ? this.#growHeap(state) : this.#grow(state))) {
        this.#give(codes);
        kept.delete(segment.id);
        return this.#full(state);
      }
    }
    codes = { ...codes, count };
    kept.set(segment.id, codes);
    return codes;
  }

  #full(state: PathState): null {
    state.isFull = true;
    return null;
  }

  /** Of slots that were freed since nothing is needed. */
  #forgetHot({ hot }: PathState): void {
    for (const [id, codes] of hot) {
      if (hot.size <= hotMax) return;
      this.#give(codes);
      hot.delete(id);
    }
  }
}

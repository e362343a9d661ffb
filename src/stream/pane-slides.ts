// Open windows that share panes, one after the other: what they have in common is merged once, and not once for each.
//
// Of the panes of a window the first ones come from a stack, in which each pane is merged with all after it up to where
// the stack began; the others are added to one merge as they are reached. When the stack is used up it is made anew, of
// all panes of the window. So each pane is merged three times, in how many windows it may be: the "two stacks" of
// Tangwongsan, Hirzel, Schneider, "Low-latency sliding-window aggregation in worst-case constant time", 2017. Panes are
// merged in the order of time, as always.

import type { Pane } from "./pane.ts";
import { type GroupsPart, MergedGroups, partOfPane } from "./pane-window.ts";
import type { RuleContext } from "./rule-context.ts";
import type { ChunkRows } from "./rule-filters.ts";

/** Bytes of merged groups that the stack may have: where they are more it is made more often. */
const STACK_BYTES = 32 * 1024 * 1024;
/** For fewer windows it is less work to merge the panes of each. */
const WINDOWS_MIN = 4;

interface Span {
  readonly startUs: bigint;
  readonly endUs: bigint;
}

export class PaneSlides {
  readonly #context: RuleContext;
  readonly #rows: ChunkRows;
  /** By start. */
  readonly #panes: readonly Pane[];
  readonly #isShared: boolean;
  readonly #stackBytes: number;
  /** Merged from the pane of that index up to `#middle`. */
  #stack = new Map<number, GroupsPart>();
  #stackMax = Number.POSITIVE_INFINITY;
  #middle = 0;
  /** Of panes from `#middle` to before `#end`. */
  #rest: MergedGroups | null = null;
  #restPart: GroupsPart | null = null;
  #end = 0;

  /** To read `windows` windows, the first one first. Nothing may change meanwhile. */
  constructor(
    context: RuleContext,
    rows: ChunkRows,
    panes: Iterable<Pane>,
    windows: number,
    stackBytes = STACK_BYTES,
  ) {
    this.#context = context;
    this.#rows = rows;
    this.#panes = [...panes].sort((a, b) => (a.startUs < b.startUs ? -1 : 1));
    this.#isShared = windows >= WINDOWS_MIN;
    this.#stackBytes = stackBytes;
  }

  /** The index of the first pane that starts at `us` or later. */
  #at(us: bigint): number {
    let [low, high] = [0, this.#panes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#panes[middle] as Pane).startUs < us) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  panes({ startUs, endUs }: Span): readonly Pane[] {
    return this.#panes.slice(this.#at(startUs), this.#at(endUs));
  }

  /** The groups of a window, with memory of their own until `free`. */
  groups(window: Span): MergedGroups {
    const [first, end] = [this.#at(window.startUs), this.#at(window.endUs)];
    const panes = this.#panes.slice(first, end);
    const parts = this.#isShared ? this.#parts(first, end) : panes.map(partOfPane);
    return new MergedGroups(this.#context, this.#rows, window, panes, parts);
  }

  #parts(first: number, end: number): GroupsPart[] {
    if (first >= end) return [];
    if (first >= this.#middle || end < this.#end || !this.#stack.has(first)) this.#turn(first, end);
    for (; this.#end < end; this.#end++) {
      this.#rest ??= this.#merged([]);
      this.#rest.add(partOfPane(this.#panes[this.#end] as Pane));
      this.#restPart = null;
    }
    const part = this.#stack.get(first) as GroupsPart;
    if (this.#rest === null) return [part];
    this.#restPart ??= this.#rest.part();
    return [part, this.#restPart];
  }

  #merged(parts: readonly GroupsPart[]): MergedGroups {
    return new MergedGroups(this.#context, this.#rows, this.#panes[0] as Pane, [], parts, false);
  }

  /** The stack of panes from `first` on, as far as there is room for it. */
  #turn(first: number, end: number): void {
    this.free();
    let middle = Math.min(end, first + this.#stackMax);
    while (!this.#fill(first, middle)) {
      this.#stackMax = Math.max(1, (middle - first) >> 1);
      middle = first + this.#stackMax;
    }
    this.#middle = middle;
    this.#end = middle;
  }

  #fill(first: number, middle: number): boolean {
    const stack = new Map<number, GroupsPart>();
    let bytes = 0;
    let after: GroupsPart | null = null;
    for (let i = middle - 1; i >= first; i--) {
      const own = partOfPane(this.#panes[i] as Pane);
      if (after === null) after = own;
      else {
        const merged = this.#merged([own, after]);
        try {
          after = merged.part();
        } finally {
          merged.free();
        }
        bytes += after.content.length + (after.other?.length ?? 0);
        if (bytes > this.#stackBytes && middle - first > 1) return false;
      }
      stack.set(i, after);
    }
    this.#stack = stack;
    return true;
  }

  /** Gives back its memory. */
  free(): void {
    this.#stack.clear();
    this.#rest?.free();
    this.#rest = null;
    this.#restPart = null;
  }
}

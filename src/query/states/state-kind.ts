// What cutting and joining needs to know of a kind of state. Its layouts are in docs/formats/partial.md.

import { CorruptionError } from "../../errors.ts";
import type { GrowingBytes, StateBytes } from "./state-bytes.ts";
import { copyBytes } from "./state-bytes.ts";

/** A part of a state of many groups, of which each group gets its own. */
export interface StateSection {
  /** Adds to each group's size what this adds to its bytes. */
  measure(sizes: Uint32Array): void;
  /** Writes each group's bytes where `at` says, and moves that on. */
  write(to: StateBytes, at: Uint32Array): void;
}

export interface StateKind {
  /** Steps over the state of `groups` groups at `from.at`, and adds its sections. */
  split(from: StateBytes, groups: number, sections: StateSection[]): void;
  /** Writes as one the states of single groups that begin where `at` says, and moves that on. */
  join(from: StateBytes, at: Uint32Array, out: GrowingBytes): void;
}

/** Bytes that every group has, as a state's tag. */
export class SharedSection implements StateSection {
  readonly #from: StateBytes;
  readonly #at: number;
  readonly #size: number;

  constructor(from: StateBytes, size: number) {
    this.#from = from;
    this.#size = size;
    this.#at = from.skip(size);
  }

  measure(sizes: Uint32Array): void {
    for (let g = 0; g < sizes.length; g++) sizes[g] = (sizes[g] as number) + this.#size;
  }

  write(to: StateBytes, at: Uint32Array): void {
    const size = this.#size;
    if (size === 1) {
      const byte = this.#from.u8[this.#at] as number;
      for (let g = 0; g < at.length; g++) {
        to.u8[at[g] as number] = byte;
        at[g] = (at[g] as number) + 1;
      }
      return;
    }
    for (let g = 0; g < at.length; g++) {
      copyBytes(this.#from, this.#at, to, at[g] as number, size);
      at[g] = (at[g] as number) + size;
    }
  }
}

/** So many bytes of each group. */
export class EqualSection implements StateSection {
  readonly #from: StateBytes;
  readonly #at: number;
  readonly #size: number;

  constructor(from: StateBytes, groups: number, size: number) {
    this.#from = from;
    this.#size = size;
    this.#at = from.skip(groups * size);
  }

  measure(sizes: Uint32Array): void {
    for (let g = 0; g < sizes.length; g++) sizes[g] = (sizes[g] as number) + this.#size;
  }

  write(to: StateBytes, at: Uint32Array): void {
    const size = this.#size;
    for (let g = 0, from = this.#at; g < at.length; g++, from += size) {
      copyBytes(this.#from, from, to, at[g] as number, size);
      at[g] = (at[g] as number) + size;
    }
  }
}

/** One group's bytes after the other's, as many as they say themselves. */
export class SizedSection implements StateSection {
  readonly #from: StateBytes;
  /** Where each group's bytes begin, and where the last end. */
  readonly #starts: Float64Array;

  constructor(from: StateBytes, groups: number, sizeAt: SizeAt) {
    this.#from = from;
    // Each group has a word at least: so a number of groups that isn't true asks for no memory.
    from.check(from.at, groups * 4);
    this.#starts = new Float64Array(groups + 1);
    for (let g = 0; g < groups; g++) this.#starts[g] = from.skip(sizeAt(from, from.at));
    this.#starts[groups] = from.at;
  }

  #size(group: number): number {
    return (this.#starts[group + 1] as number) - (this.#starts[group] as number);
  }

  measure(sizes: Uint32Array): void {
    for (let g = 0; g < sizes.length; g++) sizes[g] = (sizes[g] as number) + this.#size(g);
  }

  write(to: StateBytes, at: Uint32Array): void {
    for (let g = 0; g < at.length; g++) {
      const size = this.#size(g);
      copyBytes(this.#from, this.#starts[g] as number, to, at[g] as number, size);
      at[g] = (at[g] as number) + size;
    }
  }
}

/** How many bytes one group has at `at`. */
export type SizeAt = (from: StateBytes, at: number) => number;

/** Writes the first `size` bytes once; they must be the same of all. */
export function joinShared(
  from: StateBytes,
  at: Uint32Array,
  size: number,
  out: GrowingBytes,
): void {
  const first = at[0] as number;
  out.copy(from, first, size);
  for (let g = 0; g < at.length; g++) {
    const own = at[g] as number;
    from.check(own, size);
    for (let i = 0; i < size; i++) {
      if (from.u8[own + i] !== from.u8[first + i]) throw unequal(own + i);
    }
    at[g] = own + size;
  }
}

export function joinEqual(
  from: StateBytes,
  at: Uint32Array,
  size: number,
  out: GrowingBytes,
): void {
  let to = out.room(at.length * size);
  for (let g = 0; g < at.length; g++, to += size) {
    const own = at[g] as number;
    from.check(own, size);
    copyBytes(from, own, out, to, size);
    at[g] = own + size;
  }
}

export function joinSized(
  from: StateBytes,
  at: Uint32Array,
  sizeAt: SizeAt,
  out: GrowingBytes,
): void {
  for (let g = 0; g < at.length; g++) {
    const own = at[g] as number;
    const size = sizeAt(from, own);
    out.copy(from, own, size);
    at[g] = own + size;
  }
}

function unequal(at: number): CorruptionError {
  return new CorruptionError(
    "partial_tag",
    `states of other aggregates are joined: they differ at byte ${at}`,
  );
}

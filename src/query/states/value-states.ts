// Exact percentiles of numbers: one list of values, each with its group.

import { CorruptionError } from "../../errors.ts";
import type { ByGroup } from "./grouped-lists.ts";
import { byGroup } from "./grouped-lists.ts";
import type { GrowingBytes, StateBytes } from "./state-bytes.ts";
import { copyBytes } from "./state-bytes.ts";
import type { StateKind, StateSection } from "./state-kind.ts";

const valueSize = 16;
const valueGroup = 8;
/** The tag and a count. */
const headSize = 5;

export const values: StateKind = {
  split(from, groups, sections) {
    sections.push(new ValueSection(from, groups));
  },

  join(from, at, out) {
    let count = 0;
    for (let g = 0; g < at.length; g++) count += countAt(from, at[g] as number);
    out.byte(from.byte(at[0] as number));
    out.u32(count);
    for (let g = 0; g < at.length; g++) at[g] = joinOne(from, at[g] as number, g, out);
  },
};

function countAt(from: StateBytes, at: number): number {
  const count = from.word(at + 1);
  from.check(at + headSize, count * valueSize);
  return count;
}

/** Answers where the state of group `g` ends. */
function joinOne(from: StateBytes, at: number, g: number, out: GrowingBytes): number {
  const size = countAt(from, at) * valueSize;
  const to = out.room(size);
  copyBytes(from, at + headSize, out, to, size);
  for (let i = 0; i < size; i += valueSize) {
    if (out.view.getUint32(to + i + valueGroup, true) !== 0) {
      throw new CorruptionError("partial_bounds", "a state of one group has another");
    }
    out.view.setUint32(to + i + valueGroup, g, true);
  }
  return at + headSize + size;
}

class ValueSection implements StateSection {
  readonly #from: StateBytes;
  readonly #tag: number;
  readonly #at: number;
  readonly #sorted: ByGroup;

  constructor(from: StateBytes, groups: number) {
    this.#from = from;
    const start = from.at;
    const count = countAt(from, start);
    this.#tag = from.byte(start);
    from.skip(headSize);
    this.#at = from.skip(count * valueSize);
    this.#sorted = byGroup(from, this.#at, count, valueSize, valueGroup, groups);
  }

  measure(sizes: Uint32Array): void {
    const { starts } = this.#sorted;
    for (let g = 0; g < sizes.length; g++) {
      const count = (starts[g + 1] as number) - (starts[g] as number);
      sizes[g] = (sizes[g] as number) + headSize + count * valueSize;
    }
  }

  write(to: StateBytes, at: Uint32Array): void {
    const { starts, entries } = this.#sorted;
    for (let g = 0; g < at.length; g++) {
      let own = at[g] as number;
      const end = starts[g + 1] as number;
      to.u8[own] = this.#tag;
      to.view.setUint32(own + 1, end - (starts[g] as number), true);
      own += headSize;
      for (let i = starts[g] as number; i < end; i++, own += valueSize) {
        copyBytes(this.#from, this.#at + (entries[i] as number) * valueSize, to, own, valueSize);
        to.view.setUint32(own + valueGroup, 0, true);
      }
      at[g] = own;
    }
  }
}

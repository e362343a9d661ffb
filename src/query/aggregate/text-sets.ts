// Distinct texts of a path by group: a bit a text, by the numbers that PathTexts keeps. What can't be said so (texts
// of another thread, of other lanes and expressions, sets that would be too large) is held by Members.

import { MEMBER_SIZE } from "../../core/layout.ts";
import { finished, type QueryRun } from "../columns/kernels.ts";
import type { GroupRows } from "./accumulator.ts";
import { aggregateKernels } from "./kernels.ts";
import { openVector } from "./vectors.ts";

/** Bytes that sets may have, and what part of the memory that is left. */
const setsMax = 8 * 1024 * 1024;
const setsPart = 4;
const strideMin = 512;
/** Texts that are taken at a time. */
export const takenMax = 4096;
const none = 0xffffffff;

export class TextSets {
  readonly #run: QueryRun;
  /** Where the set of group 0 is; `stride` bytes a group. */
  #address = 0;
  #stride = 0;
  #groups = 0;
  #entries = 0;
  #isOver = false;

  constructor(run: QueryRun) {
    this.#run = run;
  }

  /** Whether there are sets at all. */
  get isEmpty(): boolean {
    return this.#address === 0;
  }

  /** Adds the texts of a column of a path; false: it has not, and never will again. `counts`: a u64 a group. */
  add(rows: GroupRows, path: string, column: number, counts: number): boolean {
    const { core, scratch, texts } = this.#run;
    if (this.#isOver) return false;
    const kept =
      texts && !scratch.holds(column) ? texts.of(rows.segment, path, column, rows.count) : null;
    if (kept === null || !this.#room(rows.groupCount, kept.count)) {
      this.#isOver = true;
      return false;
    }
    this.#entries = kept.entries;
    const vector = openVector(this.#run, rows, column);
    const { addNumbered } = aggregateKernels(core);
    finished(addNumbered(vector, kept.numbers, this.#address, this.#stride, counts));
    return true;
  }

  #room(groups: number, count: number): boolean {
    const wanted = Math.ceil(count / 8);
    if (groups <= this.#groups && wanted <= this.#stride) return true;
    const { core, scratch, kernels } = this.#run;
    const stride =
      wanted <= this.#stride ? this.#stride : Math.max(strideMin, wanted + (wanted >> 2));
    const capacity = groups <= this.#groups ? this.#groups : groups + (groups >> 2);
    const size = stride * capacity;
    if (size > Math.min(setsMax, scratch.left / setsPart)) return false;
    const address = scratch.keep(size);
    kernels.groupFill(address, size, 0);
    for (let group = 0; group < this.#groups; group++) {
      const from = this.#address + group * this.#stride;
      core.u8.copyWithin(address + group * stride, from, from + this.#stride);
    }
    this.#address = address;
    this.#stride = stride;
    this.#groups = capacity;
    return true;
  }

  /**
   * Empties the sets: calls `visit` with the address and the number of MEMBERs whose texts `texts` has got, and `grow`
   * when that or its heap is full.
   */
  take(
    counts: number,
    texts: () => { readonly address: number; readonly heap: number },
    grow: () => void,
    visit: (members: number, count: number) => void,
  ): void {
    this.#isOver = true;
    if (this.isEmpty) return;
    const { core, scratch } = this.#run;
    const { takeNumbered } = aggregateKernels(core);
    const mark = scratch.mark();
    const out = scratch.take(takenMax * MEMBER_SIZE);
    for (let group = 0; group < this.#groups; group++) {
      const set = this.#address + group * this.#stride;
      for (;;) {
        const { address, heap } = texts();
        const stride = this.#stride;
        const entries = this.#entries;
        const taken = takeNumbered(set, stride, group, entries, address, heap, out, takenMax) >>> 0;
        if (taken === none) grow();
        else if (taken === 0) break;
        else {
          // They are counted again as members.
          const count = (counts + group * 8) >>> 2;
          core.u32[count] = (core.u32[count] as number) - taken;
          visit(out, taken);
        }
      }
    }
    scratch.release(mark);
    this.#address = 0;
  }
}

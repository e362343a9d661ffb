import { TEXT_ADDRESS, TEXT_LENGTH, TEXT_SIZE } from "../../core/layout.ts";
import type { QueryRun } from "../columns/kernels.ts";
import { finished } from "../columns/kernels.ts";
import type { GroupRows } from "./accumulator.ts";
import { Heap } from "./heap.ts";
import { type AggregateKernels, aggregateKernels } from "./kernels.ts";
import type { PartialReader, PartialWriter } from "./partial-bytes.ts";
import { GroupStates, groupsEnd } from "./states.ts";
import { dictionaryView, openVector } from "./vectors.ts";

/** The first or last text of each group, in the order of their bytes. */
export class ExtremeTexts {
  readonly #run: QueryRun;
  readonly #kernels: AggregateKernels;
  readonly #last: number;
  readonly #texts: GroupStates;
  readonly #heap: Heap;
  readonly #bytes: Buffer;

  constructor(run: QueryRun, last: boolean) {
    this.#run = run;
    this.#kernels = aggregateKernels(run.core);
    this.#last = last ? 1 : 0;
    this.#texts = new GroupStates(run, TEXT_SIZE);
    this.#heap = new Heap(run);
    this.#bytes = Buffer.from(run.core.memory.buffer as unknown as ArrayBuffer);
  }

  /** Scratch is the caller's to release. */
  add(rows: GroupRows, column: number): void {
    const { scratch, core } = this.#run;
    const { groupCount, group = 0 } = rows;
    const texts = this.#texts.room(groupCount);
    const { entries, sorted } = dictionaryView(this.#run, column);
    const best = scratch.take(groupCount * 4);
    core.u32.fill(0, best >>> 2, (best >>> 2) + groupCount);
    const vector = openVector(this.#run, rows, column);
    finished(this.#kernels.extremeCodes(vector, entries, sorted, this.#last, best + group * 4));
    const heap = this.#heap.address;
    for (let from = 0; ; this.#heap.grow()) {
      from = this.#kernels.keepExtremes(best, from, groupCount, entries, this.#last, texts, heap);
      if (from === groupCount) break;
    }
  }

  text(group: number): string | null {
    const bytes = this.#at(group);
    return bytes === null ? null : bytes.toString("utf8");
  }

  #at(group: number): Buffer | null {
    const { u32 } = this.#run.core;
    const slot = this.#texts.at(group);
    if (slot === 0) return null;
    const address = u32[(slot + TEXT_ADDRESS) >>> 2] as number;
    if (address === 0) return null;
    return this.#bytes.subarray(address, address + (u32[(slot + TEXT_LENGTH) >>> 2] as number));
  }

  /** Of each group 0, or 1 + length and the text. */
  encode(groupCount: number, out: PartialWriter): void {
    for (let group = 0; group < groupCount; group++) {
      const bytes = this.#at(group);
      out.u32(bytes === null ? 0 : bytes.length + 1);
      if (bytes !== null) out.raw(bytes);
    }
  }

  merge(partials: PartialReader, groups: Uint32Array): void {
    const { scratch, core } = this.#run;
    const texts = this.#texts.room(groupsEnd(groups));
    const mark = scratch.mark();
    for (const group of groups) {
      const length = partials.u32() - 1;
      if (length < 0) continue;
      const from = scratch.take(length);
      core.u8.set(partials.raw(length), from);
      const slot = texts + group * TEXT_SIZE;
      const heap = this.#heap.address;
      while (!this.#kernels.keepExtreme(slot, from, length, this.#last, heap)) this.#heap.grow();
      scratch.release(mark);
    }
  }
}

// The windows of one group as columns, block by block. Blocks rarely change once they are full, so that what is shown
// of them is kept, and shared with the thread that answers: a day of minutes is then some twenty pieces.

import type { WindowGroupBlock } from "../rollup/store.ts";
import type { PackedRows } from "./packed-rows.ts";

/** Windows that are kept as columns: about a hundred bytes each. */
const keptMax = 262_144;

interface Kept {
  readonly version: number;
  readonly packed: PackedRows;
}

export class ShownBlocks {
  /** By block, the one that was read longest ago first. */
  readonly #kept = new Map<WindowGroupBlock, Kept>();
  #windows = 0;

  /** All windows of each block; `show` makes those of the blocks that are not kept. */
  of(
    blocks: readonly WindowGroupBlock[],
    show: (blocks: readonly WindowGroupBlock[]) => readonly PackedRows[],
  ): PackedRows[] {
    const shown = blocks.map((block) => {
      const known = this.#kept.get(block);
      if (known === undefined) return null;
      this.#kept.delete(block);
      if (known.version === block.version) {
        this.#kept.set(block, known);
        return known.packed;
      }
      this.#windows -= known.packed.count;
      return null;
    });
    const missing = blocks.filter((_, i) => shown[i] === null);
    if (missing.length > 0) {
      const made = show(missing);
      missing.forEach((block, i) => {
        const packed = made[i] as PackedRows;
        this.#kept.set(block, { version: block.version, packed });
        this.#windows += packed.count;
      });
      this.#trim();
      let next = 0;
      return shown.map((packed) => packed ?? (made[next++] as PackedRows));
    }
    return shown as PackedRows[];
  }

  #trim(): void {
    for (const [oldest, { packed }] of this.#kept) {
      if (this.#windows <= keptMax) return;
      this.#kept.delete(oldest);
      this.#windows -= packed.count;
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#windows = 0;
  }
}

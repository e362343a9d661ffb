// The windows of one group as columns, block by block. Blocks rarely change once they are full, so that what is shown
// of them is kept: a day of minutes is then put together from some twenty pieces.

import type { WindowGroupBlock } from "../rollup/store.ts";
import { type PackedRows, packRows } from "./packed-rows.ts";
import type { WindowRow } from "./window-row.ts";

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

  /** All windows of a block; `show` makes them where they are not kept. */
  of(block: WindowGroupBlock, show: (block: WindowGroupBlock) => readonly WindowRow[]): PackedRows {
    const known = this.#kept.get(block);
    if (known?.version === block.version) return known.packed;
    if (known) this.#windows -= known.packed.count;
    this.#kept.delete(block);
    const packed = packRows(show(block));
    this.#kept.set(block, { version: block.version, packed });
    this.#windows += packed.count;
    for (const [oldest, { packed: gone }] of this.#kept) {
      if (this.#windows <= keptMax || oldest === block) break;
      this.#kept.delete(oldest);
      this.#windows -= gone.count;
    }
    return packed;
  }

  clear(): void {
    this.#kept.clear();
    this.#windows = 0;
  }
}

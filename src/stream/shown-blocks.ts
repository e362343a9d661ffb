// The windows of one group as columns, block by block. Blocks rarely change once they are full, so that what is shown
// of them is kept, and shared with the thread that answers: a day of minutes is then some twenty pieces. While nothing
// of the group changes not even its blocks are looked at.

import type { WindowGroupBlock } from "../rollup/store.ts";
import { endOf, type PackedPiece, type PackedRows, pieceWithin, startOf } from "./packed-rows.ts";

/** Windows that are kept as columns: about a hundred bytes each. */
const keptMax = 262_144;
/** Lists of a group's blocks that are kept. */
const seriesMax = 4096;

interface Kept {
  readonly version: number;
  readonly packed: PackedRows;
}

/** The windows of a group that overlap [fromUs, toUs), and others of their blocks. */
interface Series {
  readonly version: number;
  readonly fromUs: bigint;
  readonly toUs: bigint;
  readonly shown: readonly PackedRows[];
}

/** What is asked: windows of a group, which follow each other, that overlap [fromUs, toUs). */
export interface SeriesRequest {
  readonly key: string;
  /** Another one as soon as anything of the group is. */
  readonly version: number;
  readonly fromUs: bigint;
  readonly toUs: bigint;
  /** Reads the blocks; whether those are all. */
  read(): { readonly blocks: readonly WindowGroupBlock[]; readonly isAll: boolean };
  /** Makes what is shown of blocks. */
  show(blocks: readonly WindowGroupBlock[]): readonly PackedRows[];
}

export class ShownBlocks {
  /** By block, the one that was read longest ago first. */
  readonly #kept = new Map<WindowGroupBlock, Kept>();
  /** By group, the one that was read longest ago first. */
  readonly #series = new Map<string, Series>();
  #windows = 0;

  pieces(request: SeriesRequest): PackedPiece[] {
    const { key, version, fromUs, toUs } = request;
    const known = this.#series.get(key);
    if (known?.version === version && known.fromUs <= fromUs && toUs <= known.toUs) {
      return piecesOf(known.shown, fromUs, toUs);
    }
    const { blocks, isAll } = request.read();
    const shown = this.#of(blocks, request);
    this.#series.delete(key);
    if (isAll) this.#series.set(key, { version, fromUs, toUs, shown });
    for (const oldest of this.#series.keys()) {
      if (this.#series.size <= seriesMax) break;
      this.#series.delete(oldest);
    }
    return piecesOf(shown, fromUs, toUs);
  }

  #of(blocks: readonly WindowGroupBlock[], { show }: SeriesRequest): PackedRows[] {
    const shown = blocks.map((block) => this.#known(block));
    const missing = blocks.filter((_, i) => shown[i] === null);
    const made = missing.length > 0 ? show(missing) : [];
    missing.forEach((block, i) => {
      const packed = made[i] as PackedRows;
      this.#kept.set(block, { version: block.version, packed });
      this.#windows += packed.count;
    });
    this.#trim();
    let next = 0;
    return shown.map((packed) => packed ?? (made[next++] as PackedRows));
  }

  #known(block: WindowGroupBlock): PackedRows | null {
    const known = this.#kept.get(block);
    if (known === undefined) return null;
    this.#kept.delete(block);
    if (known.version === block.version) {
      this.#kept.set(block, known);
      return known.packed;
    }
    this.#windows -= known.packed.count;
    return null;
  }

  #trim(): void {
    if (this.#windows <= keptMax) return;
    // They have the same columns.
    this.#series.clear();
    for (const [oldest, { packed }] of this.#kept) {
      if (this.#windows <= keptMax * 0.9) return;
      this.#kept.delete(oldest);
      this.#windows -= packed.count;
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#series.clear();
    this.#windows = 0;
  }
}

/** Of windows that follow each other, those that overlap [fromUs, toUs). */
function piecesOf(shown: readonly PackedRows[], fromUs: bigint, toUs: bigint): PackedPiece[] {
  let first = 0;
  let end = shown.length;
  for (let low = 0, high = end; low < high; first = low) {
    const middle = (low + high) >>> 1;
    const rows = shown[middle] as PackedRows;
    if (endOf(rows, rows.count - 1) <= fromUs) low = middle + 1;
    else high = middle;
  }
  while (end > first && startOf(shown[end - 1] as PackedRows, 0) >= toUs) end--;
  const pieces: PackedPiece[] = [];
  for (let i = first; i < end; i++) {
    const rows = shown[i] as PackedRows;
    const isWhole = i > first && i < end - 1;
    const piece = isWhole ? { rows, first: 0, end: rows.count } : pieceWithin(rows, fromUs, toUs);
    if (piece.first < piece.end) pieces.push(piece);
  }
  return pieces;
}

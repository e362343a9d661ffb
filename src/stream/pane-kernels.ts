import type { Core } from "../core/core.ts";

/** The kernels of panes; addresses, rows and counts are u32. See assembly/stream/panes.ts. */
export interface PaneKernels {
  paneStamp(
    rows: number,
    groups: number,
    count: number,
    before: bigint,
    stamps: number,
    groupCount: number,
  ): void;
  /** -1 when there is none. */
  selectionFirst(mask: number, words: number): number;
  selectionLast(mask: number, words: number): number;
  selectionPart(mask: number, words: number, from: number, to: number, out: number): number;
  selectionOf(rows: number, count: number, words: number, out: number): void;
  groupsBelow(
    rows: number,
    groups: number,
    count: number,
    limit: number,
    keptRows: number,
    keptGroups: number,
    restRows: number,
  ): number;
}

export function paneKernels(core: Core): PaneKernels {
  return core.exports as unknown as PaneKernels;
}

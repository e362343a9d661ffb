// What is known of windows before they are computed again, by group.

import type { FinalWindow, PartialGroup } from "./window-row.ts";

/** A group of a window as it is stored. */
export interface KnownPart {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly own: PartialGroup;
}

interface Span {
  readonly startUs: bigint;
  readonly endUs: bigint;
}

export class KnownWindows {
  /** Those of a group by their start: sessions of one start may be several. */
  readonly #parts = new Map<number, Map<bigint, KnownPart[]>>();
  readonly #duplicates = new Map<bigint, number>();

  constructor(windows: readonly FinalWindow[]) {
    for (const { startUs, endUs, groups } of windows) {
      for (const own of groups) this.#add({ startUs, endUs, own });
    }
  }

  #add(part: KnownPart): void {
    const { startUs, own } = part;
    const byStart = this.#parts.get(own.groupId) ?? new Map<bigint, KnownPart[]>();
    this.#parts.set(own.groupId, byStart);
    const parts = byStart.get(startUs);
    if (parts) parts.push(part);
    else byStart.set(startUs, [part]);
    const most = this.#duplicates.get(startUs) ?? 0;
    this.#duplicates.set(startUs, Math.max(most, own.duplicate));
  }

  /** Of a group, what begins there. */
  at(groupId: number, startUs: bigint): readonly KnownPart[] {
    return this.#parts.get(groupId)?.get(startUs) ?? [];
  }

  /** Of a group, what overlaps a span. */
  overlapping(groupId: number, { startUs, endUs }: Span): readonly KnownPart[] {
    const found: KnownPart[] = [];
    for (const parts of this.#parts.get(groupId)?.values() ?? []) {
      for (const one of parts) {
        if (one.startUs < endUs && startUs < one.endUs) found.push(one);
      }
    }
    return found;
  }

  /** Duplicates of the window that begins there: they are the same for all groups that have rows in it. */
  duplicates(startUs: bigint): number {
    return this.#duplicates.get(startUs) ?? 0;
  }
}

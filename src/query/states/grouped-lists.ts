// Lists whose entries say their group, in no order: sorted by group first, without moving them.

import { CorruptionError } from "../../errors.ts";
import type { StateBytes } from "./state-bytes.ts";

/** Which entries each group has: `entries[starts[g]]` to before `entries[starts[g + 1]]`. */
export interface ByGroup {
  readonly starts: Uint32Array;
  readonly entries: Uint32Array;
}

/** Of `count` entries of `size` bytes at `at`, whose groups are at `groupAt` in them. The bytes are there. */
export function byGroup(
  from: StateBytes,
  at: number,
  count: number,
  size: number,
  groupAt: number,
  groups: number,
): ByGroup {
  const starts = new Uint32Array(groups + 1);
  const { view } = from;
  for (let i = 0, e = at + groupAt; i < count; i++, e += size) {
    const group = view.getUint32(e, true);
    if (group >= groups) {
      throw new CorruptionError(
        "partial_bounds",
        `a partial of ${groups} groups has an entry of group ${group}`,
      );
    }
    starts[group + 1] = (starts[group + 1] as number) + 1;
  }
  for (let g = 0; g < groups; g++)
    starts[g + 1] = (starts[g + 1] as number) + (starts[g] as number);
  const next = starts.slice();
  const entries = new Uint32Array(count);
  for (let i = 0, e = at + groupAt; i < count; i++, e += size) {
    const group = view.getUint32(e, true);
    const to = next[group] as number;
    entries[to] = i;
    next[group] = to + 1;
  }
  return { starts, entries };
}

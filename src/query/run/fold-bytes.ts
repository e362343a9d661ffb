// The content of a partial of groups, cut into its groups and put together again: each group with its key and its
// states as bytes of its own, so that it can be stored, and merged with any others, alone. See
// docs/formats/partial.md.

import { assert } from "../../base/assert.ts";
import { CorruptionError } from "../../errors.ts";
import { joinKeys, splitKeys } from "../states/group-keys.ts";
import { kindAt } from "../states/kinds.ts";
import { GrowingBytes, StateBytes } from "../states/state-bytes.ts";
import type { StateSection } from "../states/state-kind.ts";

export { groupKeyValues } from "../states/group-keys.ts";

/** One group: the values of its keys, and its states one after the other, each with its tag. */
export interface SplitGroup {
  /** Empty without keys. Equal for equal values, whatever thread wrote them. */
  readonly key: Uint8Array;
  readonly states: Uint8Array;
}

/**
 * The groups of a partial's content, in the order of their numbers: what `GroupFold.encode` writes for `keys` keys. All
 * of them share memory, which none of it shares with `content`. Throws CorruptionError.
 */
export function splitGroups(content: Uint8Array, keys: number): SplitGroup[] {
  const from = new StateBytes(content);
  const groupKeys = splitKeys(from, keys);
  const groups = groupKeys.length;
  const sections: StateSection[] = [];
  while (from.at < from.length) kindAt(from, from.at).split(from, groups, sections);
  const ends = new Uint32Array(groups);
  for (const section of sections) section.measure(ends);
  let total = 0;
  const at = new Uint32Array(groups);
  for (let g = 0; g < groups; g++) {
    at[g] = total;
    total += ends[g] as number;
    ends[g] = total;
  }
  const to = new StateBytes(new Uint8Array(total));
  for (const section of sections) section.write(to, at);
  const split: SplitGroup[] = [];
  for (let g = 0, start = 0; g < groups; g++) {
    const end = ends[g] as number;
    split.push({ key: groupKeys[g] as Uint8Array, states: to.u8.subarray(start, end) });
    start = end;
  }
  return split;
}

/**
 * The content of a partial of these groups, at least one, as a fold of the same aggregates reads it. Groups of equal
 * keys may be among them: merging makes them one. Without keys there is one group; see `joinParts`. Throws
 * CorruptionError, also for states of other aggregates.
 */
export function joinGroups(groups: readonly SplitGroup[], keys: number): Uint8Array {
  assert(groups.length > 0, "groups are joined, not none");
  assert(keys > 0 || groups.length === 1, "without keys there is one group");
  let total = 0;
  for (const { states } of groups) total += states.length;
  const from = new StateBytes(new Uint8Array(total));
  const out = new GrowingBytes(total + groups.length * keys * 32);
  if (keys > 0) {
    joinKeys(
      groups.map(({ key }) => key),
      keys,
      out,
    );
  }
  const at = new Uint32Array(groups.length);
  const ends = new Uint32Array(groups.length);
  for (let g = 0, end = 0; g < groups.length; g++) {
    const { states } = groups[g] as SplitGroup;
    from.u8.set(states, end);
    at[g] = end;
    end += states.length;
    ends[g] = end;
  }
  while ((at[0] as number) < (ends[0] as number)) kindAt(from, at[0] as number).join(from, at, out);
  for (let g = 0; g < groups.length; g++) {
    if (at[g] === ends[g]) continue;
    throw new CorruptionError(
      "partial_bounds",
      `the states of group ${g} of ${groups.length} end at byte ${at[g]} of all, want ${ends[g]}`,
    );
  }
  return out.bytes();
}

/** What is to be merged one after the other to have all of these groups merged, equal keys or none among them. */
export function joinParts(groups: readonly SplitGroup[], keys: number): Uint8Array[] {
  if (groups.length === 0) return [];
  return keys > 0 ? [joinGroups(groups, keys)] : groups.map((one) => joinGroups([one], 0));
}

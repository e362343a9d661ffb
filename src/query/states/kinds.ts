// Every kind of state by its tag.

import { TOTAL_SIZE } from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import { extremes } from "./extreme-states.ts";
import { counted, members, tallies } from "./member-states.ts";
import { bins, buckets, equalState, picked, rateState, registers } from "./plain-states.ts";
import type { StateBytes } from "./state-bytes.ts";
import type { StateKind } from "./state-kind.ts";
import { values } from "./value-states.ts";

const countSize = 8;
const spreadSize = 32;

const kinds: readonly (StateKind | undefined)[] = [
  undefined,
  equalState(countSize),
  equalState(TOTAL_SIZE),
  extremes,
  equalState(spreadSize),
  bins,
  registers,
  members,
  tallies,
  picked,
  values,
  buckets,
  rateState(kindAt),
  counted,
];

/** The kind of the state that begins at `at`. Throws CorruptionError. */
export function kindAt(from: StateBytes, at: number): StateKind {
  const tag = from.byte(at);
  const kind = kinds[tag];
  if (kind !== undefined) return kind;
  throw new CorruptionError("partial_tag", `a state begins with byte ${tag}, want 1 to 13`);
}

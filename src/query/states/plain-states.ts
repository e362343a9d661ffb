// States that have their groups one after the other.

import { CorruptionError } from "../../errors.ts";
import type { StateBytes } from "./state-bytes.ts";
import type { SizeAt, StateKind } from "./state-kind.ts";
import {
  EqualSection,
  joinEqual,
  joinShared,
  joinSized,
  SharedSection,
  SizedSection,
} from "./state-kind.ts";

/** A tag, then `size` bytes of each group. */
export function equalState(size: number): StateKind {
  return {
    split(from, groups, sections) {
      sections.push(new SharedSection(from, 1), new EqualSection(from, groups, size));
    },
    join(from, at, out) {
      joinShared(from, at, 1, out);
      joinEqual(from, at, size, out);
    },
  };
}

/** `head` bytes that all have, then of each group as many as it says. */
export function sizedState(head: number, sizeAt: SizeAt): StateKind {
  return {
    split(from, groups, sections) {
      sections.push(new SharedSection(from, head), new SizedSection(from, groups, sizeAt));
    },
    join(from, at, out) {
      joinShared(from, at, head, out);
      joinSized(from, at, sizeAt, out);
    },
  };
}

const binSize = 16;

/** quantile: a count of bins, and the bins. */
export const bins = sizedState(1, (from, at) => 4 + from.word(at) * binSize);

const allRegisters = 0xffffffff;
const registerCount = 16_384;

/** approx_count_distinct: a list of registers, or all of them. */
export const registers = sizedState(1, (from, at) => {
  const count = from.word(at);
  return 4 + (count === allRegisters ? registerCount : count * 4);
});

const pickedSize = 32;
const pickedLength = 20;
const pickedKind = 28;
const pickedText = 4;

/** first, last and any: of a text its bytes follow. */
export const picked = sizedState(2, (from, at) => {
  const isText = from.word(at + pickedKind) >= pickedText;
  return pickedSize + (isText ? from.word(at + pickedLength) : 0);
});

/** histogram: bounds, then counts of each group. */
export const buckets: StateKind = {
  split(from, groups, sections) {
    const bounds = from.word(from.at + 1);
    sections.push(new SharedSection(from, bucketsHead(bounds)));
    sections.push(new EqualSection(from, groups, (bounds + 1) * 8));
  },
  join(from, at, out) {
    const bounds = from.word((at[0] as number) + 1);
    joinShared(from, at, bucketsHead(bounds), out);
    joinEqual(from, at, (bounds + 1) * 8, out);
  },
};

function bucketsHead(bounds: number): number {
  return 5 + bounds * 8;
}

const rateHead = 3;
const rateTimes = 2;

/** rate: what it is of, whether there are times, then whole states of other kinds, which `kindAt` tells. */
export function rateState(kindAt: (from: StateBytes, at: number) => StateKind): StateKind {
  return {
    split(from, groups, sections) {
      const times = from.byte(from.at + rateTimes);
      checkTimes(times);
      sections.push(new SharedSection(from, rateHead));
      for (let i = 0; i <= times; i++) kindAt(from, from.at).split(from, groups, sections);
    },
    join(from, at, out) {
      const times = from.byte((at[0] as number) + rateTimes);
      checkTimes(times);
      joinShared(from, at, rateHead, out);
      for (let i = 0; i <= times; i++) kindAt(from, at[0] as number).join(from, at, out);
    },
  };
}

function checkTimes(times: number): void {
  if (times > 1) {
    throw new CorruptionError("partial_tag", `a partial of rate has times ${times}, want 0 or 1`);
  }
}

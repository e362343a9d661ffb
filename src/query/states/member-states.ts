// Distinct values and tallies: texts that groups share, and one list of members, each with its group. A group alone
// has only its own texts.

import {
  MEMBER_GROUP,
  MEMBER_KIND,
  MEMBER_SIZE,
  MEMBER_STRING,
  TALLY_SIZE,
} from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import type { ByGroup } from "./grouped-lists.ts";
import { byGroup } from "./grouped-lists.ts";
import type { GrowingBytes, StateBytes } from "./state-bytes.ts";
import { copyBytes } from "./state-bytes.ts";
import type { StateKind, StateSection } from "./state-kind.ts";
import { EqualSection, joinEqual } from "./state-kind.ts";

const floorSize = 8;
/** The tag, and how many texts there are. */
const headSize = 5;

/** `memberSize` says whether counts and errors follow a member; `floors` whether each group has one. */
function memberState(memberSize: number, floors: boolean): StateKind {
  return {
    split(from, groups, sections) {
      sections.push(new MemberSection(listsAt(from, from.skip(0), memberSize), from, groups));
      if (floors) sections.push(new EqualSection(from, groups, floorSize));
    },

    join(from, at, out) {
      const lists: Lists[] = [];
      for (let g = 0; g < at.length; g++) {
        from.at = at[g] as number;
        lists.push(listsAt(from, from.at, memberSize));
        at[g] = from.at;
      }
      joinLists(from, lists, out);
      if (floors) joinEqual(from, at, floorSize, out);
    },
  };
}

export const members = memberState(MEMBER_SIZE, false);
export const tallies = memberState(TALLY_SIZE, true);
/** Of each value how often it is there: tallies without floors. */
export const counted = memberState(TALLY_SIZE, false);

/** Where the texts and the members of a state are. */
interface Lists {
  readonly tag: number;
  readonly textCount: number;
  readonly textsAt: number;
  readonly textsEnd: number;
  readonly memberSize: number;
  readonly count: number;
  readonly membersAt: number;
}

/** Reads at `at`, and leaves `from.at` behind the members. */
function listsAt(from: StateBytes, at: number, memberSize: number): Lists {
  const tag = from.byte(at);
  from.at = at + 1;
  const textCount = from.u32();
  const textsAt = from.at;
  for (let i = 0; i < textCount; i++) from.skip(from.u32());
  const textsEnd = from.at;
  const count = from.u32();
  const membersAt = from.skip(count * memberSize);
  return { tag, textCount, textsAt, textsEnd, memberSize, count, membersAt };
}

function joinLists(from: StateBytes, lists: readonly Lists[], out: GrowingBytes): void {
  let textCount = 0;
  let count = 0;
  for (const one of lists) {
    textCount += one.textCount;
    count += one.count;
  }
  out.byte((lists[0] as Lists).tag);
  out.u32(textCount);
  for (const { textsAt, textsEnd } of lists) out.copy(from, textsAt, textsEnd - textsAt);
  out.u32(count);
  let base = 0;
  for (let g = 0; g < lists.length; g++) {
    const one = lists[g] as Lists;
    const size = one.count * one.memberSize;
    const to = out.room(size);
    copyBytes(from, one.membersAt, out, to, size);
    for (let m = to; m < to + size; m += one.memberSize) {
      if (out.view.getUint32(m + MEMBER_GROUP, true) !== 0) {
        throw new CorruptionError("partial_bounds", "a state of one group has another");
      }
      out.view.setUint32(m + MEMBER_GROUP, g, true);
      if (out.view.getUint32(m + MEMBER_KIND, true) < MEMBER_STRING) continue;
      const text = textOf(out, m, one.textCount);
      out.view.setUint32(m, base + text, true);
    }
    base += one.textCount;
  }
}

/** Which text a member is. */
function textOf(from: { readonly view: DataView }, member: number, textCount: number): number {
  const text = from.view.getUint32(member, true);
  if (text < textCount && from.view.getUint32(member + 4, true) === 0) return text;
  throw new CorruptionError("partial_bounds", `a member is text ${text} of ${textCount}`);
}

class MemberSection implements StateSection {
  readonly #from: StateBytes;
  readonly #lists: Lists;
  readonly #sorted: ByGroup;
  /** Where each text begins with its length, and where the last ends. */
  readonly #texts: Float64Array;
  /** The group that each text was last met in, plus 1, and its number there. */
  readonly #metIn: Uint32Array;
  readonly #numbers: Uint32Array;

  constructor(lists: Lists, from: StateBytes, groups: number) {
    this.#from = from;
    this.#lists = lists;
    const { textCount, memberSize, count, membersAt } = lists;
    this.#sorted = byGroup(from, membersAt, count, memberSize, MEMBER_GROUP, groups);
    this.#texts = new Float64Array(textCount + 1);
    let at = lists.textsAt;
    for (let i = 0; i < textCount; i++) {
      this.#texts[i] = at;
      at += 4 + from.view.getUint32(at, true);
    }
    this.#texts[textCount] = at;
    this.#metIn = new Uint32Array(textCount);
    this.#numbers = new Uint32Array(textCount);
  }

  /** Calls `visit` with each text of a group, once; numbers them in that order. Answers how many. */
  #eachText(group: number, visit: (at: number, size: number) => void): number {
    const { starts, entries } = this.#sorted;
    const { membersAt, memberSize, textCount } = this.#lists;
    const { view } = this.#from;
    let found = 0;
    for (let i = starts[group] as number; i < (starts[group + 1] as number); i++) {
      const member = membersAt + (entries[i] as number) * memberSize;
      if (view.getUint32(member + MEMBER_KIND, true) < MEMBER_STRING) continue;
      const text = textOf(this.#from, member, textCount);
      if (this.#metIn[text] === group + 1) continue;
      this.#metIn[text] = group + 1;
      this.#numbers[text] = found++;
      const at = this.#texts[text] as number;
      visit(at, (this.#texts[text + 1] as number) - at);
    }
    return found;
  }

  measure(sizes: Uint32Array): void {
    const { starts } = this.#sorted;
    for (let g = 0; g < sizes.length; g++) {
      const count = (starts[g + 1] as number) - (starts[g] as number);
      let size = headSize + 4 + count * this.#lists.memberSize;
      this.#eachText(g, (_, textSize) => {
        size += textSize;
      });
      sizes[g] = (sizes[g] as number) + size;
    }
    this.#metIn.fill(0);
  }

  write(to: StateBytes, at: Uint32Array): void {
    for (let g = 0; g < at.length; g++) {
      const start = at[g] as number;
      let own = start + headSize;
      const found = this.#eachText(g, (text, size) => {
        copyBytes(this.#from, text, to, own, size);
        own += size;
      });
      to.u8[start] = this.#lists.tag;
      to.view.setUint32(start + 1, found, true);
      at[g] = this.#writeMembers(to, own, g);
    }
  }

  /** Answers where they end. */
  #writeMembers(to: StateBytes, at: number, group: number): number {
    const { starts, entries } = this.#sorted;
    const { membersAt, memberSize } = this.#lists;
    const [first, end] = [starts[group] as number, starts[group + 1] as number];
    to.view.setUint32(at, end - first, true);
    let own = at + 4;
    for (let i = first; i < end; i++, own += memberSize) {
      copyBytes(this.#from, membersAt + (entries[i] as number) * memberSize, to, own, memberSize);
      to.view.setUint32(own + MEMBER_GROUP, 0, true);
      if (to.view.getUint32(own + MEMBER_KIND, true) < MEMBER_STRING) continue;
      to.view.setUint32(own, this.#numbers[to.view.getUint32(own, true)] as number, true);
    }
    return own;
  }
}

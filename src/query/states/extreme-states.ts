// min and max: the lanes that are there, each with all groups. A group alone keeps the lanes of all; joined groups have
// all lanes that any of them has, those of others with nothing in them.

import { RANGE_SIZE } from "../../core/layout.ts";
import { CorruptionError } from "../../errors.ts";
import type { GrowingBytes, StateBytes } from "./state-bytes.ts";
import { copyBytes } from "./state-bytes.ts";
import type { SizeAt, StateKind } from "./state-kind.ts";
import { EqualSection, SharedSection, SizedSection } from "./state-kind.ts";

const headSize = 3;
const idSize = 32;

interface Lane {
  readonly bit: number;
  /** Once for min and once for max, where both are kept. */
  readonly sided: boolean;
  readonly size: number | SizeAt;
  writeNone(out: GrowingBytes): void;
}

const textSize: SizeAt = (from, at) => 4 + Math.max(0, from.word(at) - 1);

const lanes: readonly Lane[] = [
  {
    bit: 1,
    sided: false,
    size: RANGE_SIZE,
    writeNone(out) {
      const at = out.room(RANGE_SIZE);
      out.view.setBigInt64(at, 2n ** 63n - 1n, true);
      out.view.setBigInt64(at + 8, -(2n ** 63n), true);
      out.view.setFloat64(at + 16, Infinity, true);
      out.view.setFloat64(at + 24, -Infinity, true);
    },
  },
  { bit: 2, sided: false, size: 1, writeNone: (out) => out.byte(0) },
  { bit: 4, sided: true, size: textSize, writeNone: (out) => out.u32(0) },
  { bit: 8, sided: true, size: textSize, writeNone: (out) => out.u32(0) },
  { bit: 16, sided: true, size: idSize, writeNone: (out) => void out.room(idSize) },
];

export const extremes: StateKind = {
  split(from, groups, sections) {
    const { present, sides } = headAt(from, from.at);
    sections.push(new SharedSection(from, headSize));
    for (const lane of lanes) {
      if ((present & lane.bit) === 0) continue;
      for (let i = lane.sided ? sides : 1; i > 0; i--) {
        const { size } = lane;
        sections.push(
          typeof size === "number"
            ? new EqualSection(from, groups, size)
            : new SizedSection(from, groups, size),
        );
      }
    }
  },

  join(from, at, out) {
    const first = headAt(from, at[0] as number);
    const present = new Uint8Array(at.length);
    let all = 0;
    for (let g = 0; g < at.length; g++) {
      const own = headAt(from, at[g] as number);
      if (own.sidesByte !== first.sidesByte || own.tag !== first.tag) {
        throw new CorruptionError("partial_tag", "states of min and of max are joined");
      }
      present[g] = own.present;
      all |= own.present;
      at[g] = (at[g] as number) + headSize;
    }
    out.byte(first.tag);
    out.byte(all);
    out.byte(first.sidesByte);
    for (const lane of lanes) {
      if ((all & lane.bit) === 0) continue;
      for (let i = lane.sided ? first.sides : 1; i > 0; i--) joinLane(from, at, present, lane, out);
    }
  },
};

function joinLane(
  from: StateBytes,
  at: Uint32Array,
  present: Uint8Array,
  lane: Lane,
  out: GrowingBytes,
): void {
  const { bit, size } = lane;
  for (let g = 0; g < at.length; g++) {
    if (((present[g] as number) & bit) === 0) {
      lane.writeNone(out);
      continue;
    }
    const own = at[g] as number;
    const bytes = typeof size === "number" ? size : size(from, own);
    from.check(own, bytes);
    const to = out.room(bytes);
    copyBytes(from, own, out, to, bytes);
    at[g] = own + bytes;
  }
}

function headAt(
  from: StateBytes,
  at: number,
): { tag: number; present: number; sidesByte: number; sides: number } {
  const [tag, present, sidesByte] = [from.byte(at), from.byte(at + 1), from.byte(at + 2)];
  if (present > 31 || sidesByte < 1 || sidesByte > 3) {
    throw new CorruptionError(
      "partial_bounds",
      `a partial of min and max has lanes ${present} and sides ${sidesByte}`,
    );
  }
  return { tag, present, sidesByte, sides: sidesByte === 3 ? 2 : 1 };
}

import type { StatePart } from "./rule-state.ts";
import {
  readBlock,
  readHead,
  type SessionHead,
  type StoredSession,
  writeBlock,
  writeHead,
} from "./session-bytes.ts";
import type { SessionFold } from "./session-fold.ts";
import type { SessionIntervals } from "./session-intervals.ts";
import { compare } from "./session-intervals.ts";

/** Slots of a block. */
const blockSlots = 1024;
const headKey = Uint8Array.of(0);

/** A block as it was written last: a slot is never taken twice, so these say whether it is still right. */
interface Written {
  readonly open: number;
  readonly final: number;
  readonly changedAt: number;
}

/** Which parts of a rule's sessions are written, and what they were then. */
export class SessionStore {
  readonly #written = new Map<number, Written>();
  /** Blocks that are stored, with whatever content. */
  readonly #stored = new Set<number>();
  #head: SessionHead | null = null;

  /** The slots have other numbers now. */
  forget(): void {
    this.#written.clear();
  }

  /** Sessions must be whole. */
  dirtyParts(intervals: SessionIntervals, fold: SessionFold, head: SessionHead): StatePart[] {
    const parts: StatePart[] = [];
    if (this.#head === null || !isSameHead(head, this.#head)) {
      parts.push({ key: headKey, bytes: writeHead(head) });
      this.#head = head;
    }
    let states: readonly Uint8Array[] | undefined;
    for (const [block, slots] of blocksOf(intervals)) {
      const now = writtenOf(intervals, slots);
      const before = this.#written.get(block);
      if (before && isSame(before, now)) continue;
      states ??= fold.split(intervals.slots);
      const all = states;
      const sessions = slots.map((slot) => stored(intervals, fold, slot, all[slot] as Uint8Array));
      parts.push({ key: blockKey(block), bytes: writeBlock(sessions) });
      this.#written.set(block, now);
      this.#stored.add(block);
    }
    const known = blocksOf(intervals);
    for (const block of this.#stored) {
      if (known.has(block)) continue;
      parts.push({ key: blockKey(block), bytes: null });
      this.#stored.delete(block);
      this.#written.delete(block);
    }
    return parts;
  }

  /** Into empty ones; answers the head. Throws CorruptionError. */
  restore(
    parts: readonly StatePart[],
    intervals: SessionIntervals,
    fold: SessionFold,
  ): SessionHead | null {
    let head: SessionHead | null = null;
    const sessions: StoredSession[] = [];
    for (const { key, bytes } of parts) {
      if (bytes === null) continue;
      if (key.length === headKey.length) head = readHead(bytes);
      else {
        this.#stored.add(new DataView(key.buffer, key.byteOffset).getUint32(1, true));
        sessions.push(...readBlock(bytes));
      }
    }
    const open = sessions.filter(({ finalAt }) => finalAt === 0);
    open.sort((a, b) => compare(a.startUs, b.startUs));
    const final = sessions.filter(({ finalAt }) => finalAt > 0);
    final.sort((a, b) => compare(a.endUs, b.endUs) || compare(a.startUs, b.startUs));
    const all = [...open, ...final];
    const named = all.filter(({ other }) => !other);
    const groups = fold.groupsOf(named.map(({ key }) => key));
    const groupOf = new Map(named.map((one, i) => [one, groups[i] as number]));
    const slots = all.map((one) => {
      const group = groupOf.get(one) ?? 0;
      const { startUs, endUs, finalAt } = one;
      const slot =
        finalAt > 0
          ? intervals.restoreFinal(group, startUs, endUs, finalAt)
          : intervals.restore(group, startUs, endUs);
      intervals.changedAt[slot] = one.changedAt;
      intervals.revised[slot] = one.revised;
      if (one.replaced.length > 0) intervals.replaced.set(slot, one.replaced);
      return slot;
    });
    fold.merge(
      all.map(({ states }) => states),
      Uint32Array.from(slots),
    );
    return head;
  }
}

function isSameHead(a: SessionHead, b: SessionHead): boolean {
  return (
    a.watermarkUs === b.watermarkUs &&
    a.rows === b.rows &&
    a.tooLate === b.tooLate &&
    a.dropped === b.dropped &&
    a.overflowed === b.overflowed
  );
}

/** Open sessions, and final ones that were not handed on, by block. */
function blocksOf(intervals: SessionIntervals): Map<number, number[]> {
  const blocks = new Map<number, number[]>();
  for (const slot of [...intervals.openSlots(), ...intervals.final]) {
    const block = Math.floor(slot / blockSlots);
    const slots = blocks.get(block);
    if (slots) slots.push(slot);
    else blocks.set(block, [slot]);
  }
  return blocks;
}

function writtenOf(intervals: SessionIntervals, slots: readonly number[]): Written {
  let changedAt = 0;
  let open = 0;
  for (const slot of slots) {
    if (intervals.finalAt[slot] === 0) open++;
    changedAt = Math.max(changedAt, intervals.changedAt[slot] as number);
  }
  return { open, final: slots.length - open, changedAt };
}

function isSame(a: Written, b: Written): boolean {
  return a.open === b.open && a.final === b.final && a.changedAt === b.changedAt;
}

function stored(
  intervals: SessionIntervals,
  fold: SessionFold,
  slot: number,
  states: Uint8Array,
): StoredSession {
  const group = intervals.group[slot] as number;
  return {
    startUs: intervals.start[slot] as bigint,
    endUs: intervals.end[slot] as bigint,
    changedAt: intervals.changedAt[slot] as number,
    revised: intervals.revised[slot] as number,
    finalAt: intervals.finalAt[slot] as number,
    other: group === 0,
    key: fold.keyBytes(group),
    states,
    replaced: intervals.replaced.get(slot) ?? [],
  };
}

function blockKey(block: number): Uint8Array {
  const key = new Uint8Array(5);
  key[0] = 1;
  new DataView(key.buffer).setUint32(1, block, true);
  return key;
}

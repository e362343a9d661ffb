import { describe, expect, it } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { Watermarks } from "../../src/core/watermarks.ts";
import { OracleWatermarks } from "../oracle/segment.ts";
import { pick } from "../support/made-rows.ts";
import type { MadeCell, MadeRow } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { type SlotMemory, slotMemory } from "../support/slot-memory.ts";

const maxSkewUs = 1000n;

function randomBatch(random: () => number, sources: number, around: number): MadeRow[] {
  const always = random() < 0.5;
  return Array.from({ length: 1 + pick(random, 600) }, () => {
    const cells = new Map<string, MadeCell>([["event_type", "x"]]);
    const kind = random();
    if (always || kind < 0.8) cells.set("source", `source ${pick(random, sources)}`);
    else if (kind < 0.9) cells.set("source", null);
    const timestampUs = BigInt(around + pick(random, 4000) - 2000);
    return { id: new Uint8Array(16), timestampUs, cells };
  });
}

/** The lateness section of a batch; zeros where it has none. */
function latenessIn(memory: SlotMemory, batch: number, rows: number): bigint[] {
  const { view } = memory.core;
  const section = view.getUint32(batch + layout.BATCH_LATENESS, true);
  return Array.from({ length: rows }, (_, row) =>
    section === 0 ? 0n : view.getBigInt64(batch + section + row * 8, true),
  );
}

/** The sources of a snapshot and how far they are, in the order of their hashes. */
function marksOf(snapshot: Uint8Array): [bigint, bigint][] {
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  const marks: [bigint, bigint][] = [];
  for (let at = 64; at < snapshot.length; at += 16) {
    marks.push([view.getBigUint64(at, true), view.getBigInt64(at + 8, true)]);
  }
  return marks.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

describe("watermarks", () => {
  it.each([
    [1, 3],
    [2, 8],
    [3, 40],
    [4, 300],
  ])("give the lateness that the plain rules give, seed %i, %i sources", (seed, sources) => {
    const random = mulberry32(seed);
    const memory = slotMemory(2);
    const watermarks = new Watermarks(memory.core, { sourcesMax: 8, maxSkewUs });
    const oracle = new OracleWatermarks(8, maxSkewUs);
    for (let round = 0; round < 30; round++) {
      const rows = randomBatch(random, sources, round * 500);
      const receivedAtUs = BigInt(round * 500);
      const batch = memory.put(rows, { receivedAtUs });
      const { view } = memory.core;
      const length = view.getUint32(batch + layout.BATCH_LENGTH, true);
      watermarks.lateness(batch);
      const want = oracle.lateness(rows, receivedAtUs);
      expect(latenessIn(memory, batch, rows.length)).toEqual(want);
      const grown = view.getUint32(batch + layout.BATCH_LENGTH, true) - length;
      const late = want.some((lateness) => lateness !== 0n);
      expect(grown).toBe(late ? Math.ceil(rows.length / 2) * 16 : 0);
    }
    expect(watermarks.lateRows).toBe(BigInt(oracle.lateRows));
    expect(watermarks.futureRows).toBe(BigInt(oracle.futureRows));
    expect(oracle.lateRows).toBeGreaterThan(0);
    expect(oracle.futureRows).toBeGreaterThan(0);
  });

  it("advance in recovery as they did at first, from a snapshot too", () => {
    const random = mulberry32(5);
    const options = { sourcesMax: 16, maxSkewUs };
    const first = slotMemory(2);
    const live = new Watermarks(first.core, options);
    const second = slotMemory(2);
    const replayed = new Watermarks(second.core, options);
    for (let round = 0; round < 20; round++) {
      if (round === 10) replayed.restore(live.snapshot());
      const rows = randomBatch(random, 30, round * 500);
      const receivedAtUs = BigInt(round * 500);
      const batch = first.put(rows, { receivedAtUs });
      live.lateness(batch);
      if (round < 10) continue;
      // What was journalled has its lateness; advancing leaves it as it is.
      const latenessUs = latenessIn(first, batch, rows.length);
      const again = second.put(rows, { receivedAtUs, latenessUs });
      const before = second.core.u8.slice(again, again + 4096);
      replayed.advance(again);
      expect(Buffer.compare(before, second.core.u8.slice(again, again + 4096))).toBe(0);
    }
    expect(marksOf(replayed.snapshot())).toEqual(marksOf(live.snapshot()));
    expect(() => replayed.restore(new Uint8Array(3))).toThrow(/snapshot/);
  });

  it("are kept from a snapshot in a table of another size; what does not fit shares one", () => {
    const memory = slotMemory(2);
    const live = new Watermarks(memory.core, { sourcesMax: 64, maxSkewUs });
    live.lateness(memory.put(randomBatch(mulberry32(7), 30, 0), { receivedAtUs: 0n }));
    const marks = marksOf(live.snapshot());
    expect(marks.length).toBeGreaterThan(4);
    for (const sourcesMax of [256, 64, 4]) {
      const other = new Watermarks(slotMemory(2).core, { sourcesMax, maxSkewUs });
      other.restore(live.snapshot());
      const kept = marksOf(other.snapshot());
      expect(kept.length).toBe(Math.min(marks.length, sourcesMax));
      for (const mark of kept) expect(marks).toContainEqual(mark);
      expect(other.lateRows).toBe(live.lateRows);
    }
  });

  it("a batch that has its lateness already keeps it", () => {
    const memory = slotMemory(2);
    const watermarks = new Watermarks(memory.core, { sourcesMax: 8, maxSkewUs });
    const rows = randomBatch(mulberry32(6), 3, 0);
    const latenessUs = rows.map(() => 5n);
    const batch = memory.put(rows, { latenessUs });
    watermarks.lateness(batch);
    expect(latenessIn(memory, batch, rows.length)).toEqual(latenessUs);
  });
});

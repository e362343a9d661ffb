import { describe, expect, it } from "vitest";
import { Columns } from "../../src/core/columns.ts";
import * as layout from "../../src/core/layout.ts";
import { anyEventSlotBytes, clearPin, HotSlots, SlotReader } from "../../src/core/slots.ts";
import { MillraceError } from "../../src/errors.ts";
import { eventColumnsMax, pathBytesMax } from "../../src/limits.ts";
import { OracleSegment } from "../oracle/segment.ts";
import { pick, randomRows, randomShapes } from "../support/made-rows.ts";
import type { MadeCell, MadeRow } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { type SlotMemory, slotMemory, slotSize } from "../support/slot-memory.ts";

function narrowRows(count: number, first: number): MadeRow[] {
  return Array.from({ length: count }, (_, i) => ({
    id: new Uint8Array(16),
    timestampUs: BigInt(first + i),
    cells: new Map<string, MadeCell>([["properties.n", BigInt(first + i)]]),
  }));
}

/** Applies all of a batch, sealing and freeing the oldest slots whenever none is free. */
function applyAll(slots: HotSlots, batch: number, seal: (slot: number) => void): void {
  for (let rowBegin = 0; ; ) {
    const applied = slots.apply(batch, rowBegin);
    for (const slot of applied.full) seal(slot);
    if (applied.done) return;
    rowBegin = applied.rowEnd;
    const oldest = slots.list()[0];
    if (oldest === undefined) throw new Error("a slot is in use");
    if (oldest.state === layout.SLOT_OPEN) seal(slots.full());
    slots.free(oldest.address);
  }
}

describe("hot slots", () => {
  it.each([1, 2, 3])("split batches over segments without losing a cell, seed %i", (seed) => {
    const random = mulberry32(seed);
    const memory = slotMemory(3, 1024 * 1024);
    const slots = new HotSlots(memory.core, 1024 * 1024);
    const columns = new Columns(memory.core);
    const oracle = new OracleSegment();
    let checked = 0;
    const seal = (slot: number) => {
      const view = slots.list().find((each) => each.address === slot);
      const segment = new OracleSegment();
      const from = Number(view?.firstSequence) - 50;
      expect(from).toBe(checked);
      segment.rows.push(...oracle.rows.slice(from, from + (view?.rows ?? 0)));
      segment.latenessUs.push(...segment.rows.map(() => 0n));
      expect(segment.difference(columns, slot)).toBe("");
      checked += segment.rows.length;
      slots.sealed(slot);
    };
    expect(slots.open(7, 50n)).not.toBe(0);
    while (oracle.rows.length < 15_000) {
      const rows = randomRows(random, pick(random, 4000), randomShapes(random));
      const firstSequence = BigInt(50 + oracle.rows.length);
      oracle.apply(rows, {});
      applyAll(slots, memory.put(rows, { firstSequence }), seal);
    }
    seal(slots.full());
    expect(checked).toBe(oracle.rows.length);
  });

  it("fill a segment to its last row and go on in the next", () => {
    const memory = slotMemory(3, 16 * 1024 * 1024);
    const slots = new HotSlots(memory.core, 16 * 1024 * 1024);
    slots.open(1, 0n);
    const first = slots.apply(memory.put(narrowRows(100_000, 0)));
    expect(first).toEqual({ rowEnd: 100_000, done: true, full: [] });
    const open = slots.openSlot;
    const batch = memory.put(narrowRows(100_000, 100_000), { firstSequence: 100_000n });
    const second = slots.apply(batch);
    expect(second.full).toEqual([open]);
    const list = slots.list();
    expect(list.map((slot) => [slot.segmentId, slot.firstSequence, slot.state])).toEqual([
      [1, 0n, layout.SLOT_FULL],
      [2, BigInt(list[0]?.rows ?? 0), layout.SLOT_OPEN],
    ]);
    expect(list.reduce((sum, slot) => sum + slot.rows, 0)).toBe(200_000);
    const columns = new Columns(memory.core);
    const last = list[1];
    const n = columns.find(last?.address ?? 0, "properties.n", layout.LANE_NUMBER);
    expect(columns.cell(n, (last?.rows ?? 0) - 1)).toBe(199_999);
  });

  it("answer that a slot is needed, and go on when there is one", () => {
    const memory = slotMemory(2, 1024 * 1024);
    const slots = new HotSlots(memory.core, 1024 * 1024);
    slots.open(1, 0n);
    const batch = memory.put(narrowRows(100_000, 0));
    const part = slots.apply(batch);
    expect(part.done).toBe(false);
    expect(part.full).toHaveLength(1);
    expect(slots.apply(batch, part.rowEnd).done).toBe(false);
    slots.sealed(part.full[0] ?? 0);
    slots.free(part.full[0] ?? 0);
    const rest = slots.apply(batch, part.rowEnd);
    expect(rest.rowEnd).toBeGreaterThan(part.rowEnd);
  });

  it("refuse an event whose columns are more than an empty slot holds, and change nothing", () => {
    const memory = slotMemory(2, 1024 * 1024);
    const slots = new HotSlots(memory.core, 1024 * 1024);
    slots.open(1, 0n);
    const cells = new Map<string, MadeCell>();
    for (let i = 0; i < 60; i++) cells.set(`properties.n${i}`, BigInt(i));
    const wide = { id: new Uint8Array(16), timestampUs: 0n, cells };
    const batch = memory.put([wide, wide]);
    expect(() => slots.apply(batch)).toThrow(MillraceError);
    expect(slots.list()[0]?.rows).toBe(0);
    const narrow = narrowRows(5, 0);
    expect(slots.apply(memory.put(narrow)).done).toBe(true);
  });

  it("take the widest event where they are large enough for any", () => {
    const memory = slotMemory(2, anyEventSlotBytes);
    const slots = new HotSlots(memory.core, anyEventSlotBytes);
    const slot = slots.open(1, 0n);
    const cells = new Map<string, MadeCell>();
    const prefix = "p".repeat(pathBytesMax - 5);
    for (let i = 0; i < eventColumnsMax; i++) cells.set(`${prefix}.${i}`, i + 0.5);
    const rows = [{ id: new Uint8Array(16), timestampUs: 0n, cells }];
    expect(slots.apply(memory.put(rows))).toEqual({ rowEnd: 1, done: true, full: [] });
    const oracle = new OracleSegment();
    oracle.apply(rows, {});
    expect(oracle.difference(new Columns(memory.core), slot)).toBe("");
  });

  it("keep a record of a batch without rows", () => {
    const memory = slotMemory(2);
    const slots = new HotSlots(memory.core, slotSize);
    const slot = slots.open(1, 0n);
    for (let i = 0; i < 200; i++) slots.apply(memory.put([], { duplicates: i, rejected: 1 }));
    const { view } = memory.core;
    expect(view.getUint32(slot + layout.SLOT_RECORD_COUNT, true)).toBe(200);
    const records = view.getUint32(slot + layout.SLOT_RECORDS, true);
    const last = records + 199 * layout.RECORD_SIZE;
    expect(view.getUint32(last + layout.RECORD_DUPLICATES, true)).toBe(199);
    expect(view.getUint32(last + layout.RECORD_ROWS, true)).toBe(0);
  });
});

describe("pins", () => {
  function freedSlot(memory: SlotMemory, pinBefore: SlotReader | undefined) {
    const slots = new HotSlots(memory.core, slotSize);
    const slot = slots.open(1, 0n);
    slots.apply(memory.put(narrowRows(10, 0)));
    pinBefore?.pin();
    slots.sealed(slots.full());
    slots.open(2, 10n);
    slots.free(slot);
    return { slots, slot };
  }

  it("keep a freed slot from being opened until they are gone", () => {
    const memory = slotMemory(2);
    const reader = new SlotReader(memory.core, 0);
    const { slots } = freedSlot(memory, reader);
    expect(slots.hasFree()).toBe(false);
    reader.pin();
    reader.unpin();
    expect(slots.hasFree()).toBe(false);
    reader.unpin();
    expect(slots.hasFree()).toBe(true);
  });

  it("of a later epoch keep nothing that was freed before", () => {
    const memory = slotMemory(2);
    const { slots, slot } = freedSlot(memory, undefined);
    const reader = new SlotReader(memory.core, 15);
    reader.pin();
    expect(reader.list().map((each) => each.segmentId)).toEqual([2]);
    expect(slots.hasFree()).toBe(true);
    slots.full();
    expect(slots.open(3, 10n)).toBe(slot);
  });

  it("of a dead thread are cleared by another", () => {
    const memory = slotMemory(2);
    const { slots } = freedSlot(memory, new SlotReader(memory.core, 3));
    expect(slots.hasFree()).toBe(false);
    clearPin(memory.core, 3);
    expect(slots.hasFree()).toBe(true);
  });

  it("are asked for before slots are listed", () => {
    const memory = slotMemory(2);
    const reader = new SlotReader(memory.core, 0);
    expect(() => reader.list()).toThrow("under a pin");
    expect(reader.pinned((slots) => slots)).toEqual([]);
    expect(() => reader.unpin()).toThrow("a pin is held");
  });
});

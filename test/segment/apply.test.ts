import { describe, expect, it } from "vitest";
import { Columns } from "../../src/core/columns.ts";
import { attachCore } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { region } from "../../src/core/memory.ts";
import * as status from "../../src/core/status.ts";
import { OracleSegment } from "../oracle/segment.ts";
import { pick, randomRows, randomShapes } from "../support/made-rows.ts";
import { type MadeCell, type MadeRow, rowOf } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { type SlotMemory, slotMemory } from "../support/slot-memory.ts";

function openSlot(memory: SlotMemory, size: number): number {
  expect(memory.call("slotsFormat", size)).toBeGreaterThan(0);
  const slot = region(memory.core.memory, layout.REGION_SLOTS).base;
  expect(memory.call("slotOpen", slot, 1, 100n)).toBe(status.OK);
  return slot;
}

function recordsOf(memory: SlotMemory, slot: number) {
  const { view } = memory.core;
  const records = view.getUint32(slot + layout.SLOT_RECORDS, true);
  const count = view.getUint32(slot + layout.SLOT_RECORD_COUNT, true);
  return Array.from({ length: count }, (_, i) => {
    const record = records + i * layout.RECORD_SIZE;
    return {
      firstRow: view.getUint32(record + layout.RECORD_FIRST_ROW, true),
      rows: view.getUint32(record + layout.RECORD_ROWS, true),
      receivedAtUs: view.getBigInt64(record + layout.RECORD_RECEIVED_AT, true),
      duplicates: view.getUint32(record + layout.RECORD_DUPLICATES, true),
      rejected: view.getUint32(record + layout.RECORD_REJECTED, true),
    };
  });
}

function publishedRows(memory: SlotMemory, slot: number): number {
  return memory.core.view.getUint32(slot + layout.SLOT_ROWS, true);
}

const size = 64 * 1024 * 1024;

/** Rows with one cell each, `value(i)` under the path `properties.x`. */
function plainRows(count: number, value: (i: number) => MadeCell | undefined): MadeRow[] {
  return Array.from({ length: count }, (_, i) => {
    const cell = value(i);
    const cells = new Map<string, MadeCell>(cell === undefined ? [] : [["properties.x", cell]]);
    return { id: new Uint8Array(16).fill(i), timestampUs: BigInt(i), cells };
  });
}

function check(batches: readonly MadeRow[][]): { memory: SlotMemory; slot: number } {
  const memory = slotMemory(1, size);
  const slot = openSlot(memory, size);
  const oracle = new OracleSegment();
  for (const rows of batches) {
    expect(memory.call("slotApply", slot, memory.put(rows), 0, rows.length)).toBe(status.OK);
    oracle.apply(rows, {});
  }
  expect(oracle.difference(new Columns(memory.core), slot)).toBe("");
  return { memory, slot };
}

describe("applying batches to a slot", () => {
  it.each([1, 2, 3, 4, 5, 6])("keeps every cell of changing schemas, seed %i", (seed) => {
    const random = mulberry32(seed);
    const memory = slotMemory(1, size);
    const slot = openSlot(memory, size);
    const oracle = new OracleSegment();
    while (oracle.rows.length < 13_000) {
      const rows = randomRows(
        random,
        pick(random, random() < 0.5 ? 40 : 5000),
        randomShapes(random),
      );
      const options = {
        receivedAtUs: BigInt(oracle.rows.length),
        duplicates: pick(random, 3),
        rejected: pick(random, 3),
        latenessUs: rows.map(() => (random() < 0.01 ? BigInt(pick(random, 1000)) : 0n)),
      };
      const batch = memory.put(rows, options);
      const cut = random() < 0.5 ? rows.length : pick(random, rows.length + 1);
      expect(memory.call("slotApply", slot, batch, 0, cut)).toBe(status.OK);
      oracle.apply(rows, options, 0, cut);
      if (cut < rows.length) {
        expect(memory.call("slotApply", slot, batch, cut, rows.length)).toBe(status.OK);
        oracle.apply(rows, options, cut, rows.length);
      }
      expect(publishedRows(memory, slot)).toBe(oracle.rows.length);
    }
    expect(oracle.difference(new Columns(memory.core), slot)).toBe("");
    expect(recordsOf(memory, slot)).toEqual(oracle.records);
    const times = oracle.rows.map((row) => row.timestampUs).sort((a, b) => (a < b ? -1 : 1));
    const { view } = memory.core;
    expect(view.getBigInt64(slot + layout.SLOT_TIME_MIN, true)).toBe(times[0]);
    expect(view.getBigInt64(slot + layout.SLOT_TIME_MAX, true)).toBe(times.at(-1));
    const top = view.getUint32(slot + layout.SLOT_TOP, true);
    expect(top).toBeLessThanOrEqual(view.getUint32(slot + layout.SLOT_LIMIT, true));
  });

  it("widens codes at 256 and at 65,536 texts, dense and sparse", () => {
    const dense = (from: number, count: number) =>
      plainRows(count, (i) => `text ${(from + i) % 70_000}`);
    check([dense(0, 250), dense(250, 20), dense(270, 5000)]);
    const wide = check([
      dense(0, 40_000),
      dense(40_000, 25_530),
      dense(65_530, 20),
      dense(65_550, 3000),
    ]);
    const columns = new Columns(wide.memory.core);
    const column = columns.find(wide.slot, "properties.x", layout.LANE_STRING);
    expect(columns.textCount(column)).toBe(68_550);
    const sparse = (from: number, count: number) =>
      plainRows(count, (i) => (i % 3 === 0 ? `text ${from + i}` : undefined));
    check([sparse(0, 700), sparse(700, 200), sparse(900, 5000)]);
  });

  it("keeps integers until a page gets doubles, and both where a double can't hold an integer", () => {
    const integers = plainRows(100, (i) => BigInt(i - 50));
    const doubles = plainRows(100, (i) => i + 0.5);
    const large = plainRows(100, (i) => 2n ** 53n + BigInt(i));
    const encodingAfter = (batches: MadeRow[][]) => {
      const { memory, slot } = check(batches);
      const column = new Columns(memory.core).find(slot, "properties.x", layout.LANE_NUMBER);
      const page = memory.core.view.getUint32(column + layout.COLUMN_PAGES, true);
      return memory.core.view.getUint32(page + layout.PAGE_ENCODING, true);
    };
    const within = plainRows(2, (i) => (i === 0 ? 2n ** 53n : -(2n ** 53n)));
    expect(encodingAfter([integers])).toBe(layout.PAGE_I64);
    expect(encodingAfter([doubles])).toBe(layout.PAGE_F64);
    expect(encodingAfter([integers, doubles])).toBe(layout.PAGE_F64);
    expect(encodingAfter([doubles, integers])).toBe(layout.PAGE_F64);
    expect(encodingAfter([within, doubles])).toBe(layout.PAGE_F64);
    expect(encodingAfter([[...integers, ...doubles]])).toBe(layout.PAGE_F64);
    expect(encodingAfter([large, doubles])).toBe(layout.PAGE_MIXED);
    expect(encodingAfter([doubles, large, integers, doubles])).toBe(layout.PAGE_MIXED);
    expect(encodingAfter([[...large, ...doubles, ...integers]])).toBe(layout.PAGE_MIXED);
  });

  it("finds the code of a text, and none for a text that is not there", () => {
    const { memory, slot } = check([plainRows(5000, (i) => `text ${i}`)]);
    const column = new Columns(memory.core).find(slot, "properties.x", layout.LANE_STRING);
    const reader = region(memory.core.memory, layout.REGION_READER_FIRST).base;
    const find = (text: string) => {
      const bytes = Buffer.from(text);
      memory.core.u8.set(bytes, reader);
      return memory.call("dictionaryFind", column, reader, bytes.length);
    };
    expect(find("text 0")).toBe(0);
    expect(find("text 4999")).toBe(4999);
    expect(find("text 5000")).toBe(0xffffffff);
    expect(find("")).toBe(0xffffffff);
  });

  it("applies rows of events as they are sent, ids and all", () => {
    const event = (i: number) =>
      rowOf({
        id: `018f0000-0000-7000-8000-${i.toString(16).padStart(12, "0")}`,
        timestamp: "2026-11-23T12:00:00Z",
        event_type: "purchase",
        source: i % 2 === 0 ? null : "web",
        properties: { "a.b": { c: i, d: [i], e: {} }, f: i / 2 },
      });
    check([Array.from({ length: 10 }, (_, i) => event(i))]);
  });

  it("changes nothing when the rows do not fit", () => {
    const small = 1024 * 1024;
    const memory = slotMemory(1, small);
    const slot = openSlot(memory, small);
    const rows = plainRows(3000, (i) => `a text that is longer than most ${i}`.repeat(3));
    const before = memory.core.u8.slice(slot, slot + small);
    expect(memory.call("slotApply", slot, memory.put(rows), 0, 3000)).toBe(status.OK);
    const after = memory.core.u8.slice(slot, slot + small);
    expect(Buffer.compare(before, after)).not.toBe(0);
    const batch = memory.put(rows);
    while (memory.call("slotFits", slot, batch, 0, 3000) === status.OK) {
      expect(memory.call("slotApply", slot, batch, 0, 3000)).toBe(status.OK);
    }
    const full = memory.core.u8.slice(slot, slot + small);
    expect(memory.call("slotApply", slot, batch, 0, 3000)).toBe(status.SLOT_IS_FULL);
    expect(Buffer.compare(full, memory.core.u8.slice(slot, slot + small))).toBe(0);
    expect(memory.call("slotApply", slot, batch, 2, 1)).toBe(status.CORRUPT_BOUNDS);
    expect(memory.call("slotApply", slot, batch, 0, 3001)).toBe(status.CORRUPT_BOUNDS);
    memory.call("slotSetState", slot, layout.SLOT_FULL);
    expect(memory.call("slotFits", slot, memory.put([]), 0, 0)).toBe(status.SLOT_IS_FULL);
  });

  it("uses a slot again as if it were new", () => {
    const memory = slotMemory(1, size);
    const slot = openSlot(memory, size);
    const random = mulberry32(9);
    for (let segment = 2; segment < 5; segment++) {
      const rows = randomRows(random, 6000, randomShapes(random));
      const oracle = new OracleSegment();
      expect(memory.call("slotApply", slot, memory.put(rows), 0, 6000)).toBe(status.OK);
      oracle.apply(rows, {});
      expect(oracle.difference(new Columns(memory.core), slot)).toBe("");
      memory.call("slotSetState", slot, layout.SLOT_FREE);
      expect(memory.call("slotOpen", slot, segment, 0n)).toBe(status.OK);
      expect(publishedRows(memory, slot)).toBe(0);
    }
  });

  it("reads the same through a second instance, which changes no byte", () => {
    const random = mulberry32(10);
    const memory = slotMemory(1, size);
    const slot = openSlot(memory, size);
    const rows = randomRows(random, 5000, randomShapes(random));
    const oracle = new OracleSegment();
    expect(memory.call("slotApply", slot, memory.put(rows), 0, 5000)).toBe(status.OK);
    oracle.apply(rows, {});
    const before = Buffer.from(memory.core.u8);
    const other = attachCore(memory.core.memory);
    expect(oracle.difference(new Columns(other), slot)).toBe("");
    expect(Buffer.compare(before, memory.core.u8)).toBe(0);
  });
});

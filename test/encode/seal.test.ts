import { expect, test } from "vitest";
import { Columns } from "../../src/core/columns.ts";
import { attachCore } from "../../src/core/core.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { LimitError } from "../../src/errors.ts";
import { ColumnCache } from "../../src/storage/column-cache.ts";
import { sealSlot } from "../../src/storage/seal.ts";
import { decodeSegmentMeta, encodeSegmentMeta } from "../../src/storage/segment.ts";
import type { Zone } from "../../src/storage/zone.ts";
import { randomRows, randomShapes } from "../support/made-rows.ts";
import { makeBatch } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";

const MIB = 1024 * 1024;

/** A hot slot with batches whose columns come, go and change their type; regions to seal and to read. */
function filledSlot(seed: number, rowsWanted: number) {
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 65_536,
    batches: 16 * MIB,
    dedup: 65_536,
    slots: 64 * MIB,
    readers: [24 * MIB, 64 * MIB],
  });
  const core = attachCore(memory);
  const slot = region(memory, layout.REGION_SLOTS).base;
  const { base } = region(memory, layout.REGION_BATCHES);
  core.exports.watermarkFormat?.(base, 1024);
  const batch = base + Number(core.exports.watermarkTableSize?.(1024));
  expect(core.exports.slotsFormat?.(32 * MIB)).toBe(2);
  expect(core.exports.slotOpen?.(slot, 17, 1000n)).toBe(0);
  const random = mulberry32(seed);
  let count = 0;
  while (count < rowsWanted) {
    const rows = randomRows(random, 1 + Math.floor(random() * 4000), randomShapes(random));
    const options = { receivedAtUs: BigInt(count), duplicates: 2, rejected: 1 };
    core.u8.set(makeBatch(rows, options), batch);
    expect(core.exports.slotApply?.(slot, batch, 0, rows.length)).toBe(0);
    count += rows.length;
  }
  return { core, memory, slot, rows: count };
}

/** Every cell within the zone; the zone's ends are cells, unless they are long texts. */
function expectZone(zone: Zone | null, cells: unknown[], what: string): void {
  const values = cells.filter((cell) => cell !== null) as (number | bigint | string | boolean)[];
  if (zone === null) return;
  expect(values.length, what).toBeGreaterThan(0);
  if (typeof zone.min === "string") {
    const [min, max] = [Buffer.from(zone.min), Buffer.from(zone.max as string)];
    for (const value of values) {
      const bytes = Buffer.from(value as string);
      if (Buffer.compare(bytes, min) < 0 || Buffer.compare(bytes, max) > 0) throw new Error(what);
    }
    return;
  }
  let [least, most] = [values[0], values[0]] as [bigint, bigint];
  for (const value of values as bigint[]) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  // Loose equality compares an i64 and an f64 without rounding.
  if (zone.min != least || zone.max != most) {
    throw new Error(`${what}: got ${zone.min} to ${zone.max}, want ${least} to ${most}`);
  }
}

test.each([1, 2, 3])("a sealed slot reads as the hot one did, seed %i", (seed) => {
  const { core, memory, slot, rows } = filledSlot(seed, 14_000);
  const scratch = region(memory, layout.REGION_READER_FIRST);
  const sealed = sealSlot(core, slot, scratch);
  const meta = decodeSegmentMeta(encodeSegmentMeta(sealed.meta));
  expect(meta).toEqual(sealed.meta);
  expect(meta).toMatchObject({ id: 17, firstSequence: 1000n, rows, partition: 0 });
  expect(meta.timeMinUs).toBe(core.view.getBigInt64(slot + layout.SLOT_TIME_MIN, true));
  expect(meta.timeMaxUs).toBe(core.view.getBigInt64(slot + layout.SLOT_TIME_MAX, true));
  expect(meta.records.reduce((sum, record) => sum + record.rows, 0)).toBe(rows);
  expect(meta.records.every((record) => record.receivedAtUs === BigInt(record.firstRow))).toBe(
    true,
  );
  for (const bytes of sealed.columns) expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
  const columns = new Columns(core);
  const cache = new ColumnCache(core, region(memory, layout.REGION_READER_FIRST + 1), {
    column: (_, index) => sealed.columns[index],
  });
  const hot = columns.paths(slot);
  expect(meta.columns.map(({ path, lane }) => ({ path, lane }))).toEqual(
    hot.map(({ path, lane }) => ({ path, lane })),
  );
  cache.begin();
  hot.forEach(({ path, lane, column }, index) => {
    const what = `seed ${seed}, ${path}, lane ${lane}`;
    const cold = cache.column(meta, index);
    expect(columns.path(cold), what).toBe(path);
    const cells = Array.from({ length: rows }, (_, row) => columns.cell(column, row));
    let present = 0;
    cells.forEach((cell, row) => {
      const got = columns.cell(cold, row);
      const has = columns.has(column, row);
      if (has) present++;
      if (!Object.is(got, cell) || columns.has(cold, row) !== has) {
        throw new Error(`${what}, row ${row}: got ${String(got)}, want ${String(cell)}`);
      }
    });
    expect(meta.columns[index]?.count, what).toBe(present);
    expectZone(meta.columns[index]?.zone ?? null, cells, what);
  });
  cache.end();
});

test("scratch that is too small is a LimitError that names the column", () => {
  const { core, memory, slot } = filledSlot(4, 3000);
  const { base } = region(memory, layout.REGION_READER_FIRST);
  expect(() => sealSlot(core, slot, { base, size: 8 * MIB + 4096 })).toThrow(LimitError);
  expect(() => sealSlot(core, slot, { base, size: MIB })).toThrow(/column .* 1048576 bytes/);
});

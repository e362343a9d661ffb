import { expect, test } from "vitest";
import { attachCore } from "../../src/core/core.ts";
import { Dedup } from "../../src/core/dedup.ts";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { DedupOracle } from "../oracle/dedup.ts";
import { mulberry32 } from "../support/random.ts";

function dedupCore(capacity: number) {
  const memory = createMemory({
    bodies: 0,
    ring: 65_536,
    decoder: 1 << 20,
    batches: 65_536,
    dedup: Dedup.regionSize(capacity),
    slots: 65_536,
    readers: [],
  });
  const core = attachCore(memory);
  return { core, ids: region(memory, layout.REGION_DECODER).base };
}

/** 16 bytes for a small number: 0 is the all-zero id. Only `lane` of its four words differs. */
function idBytes(value: number, lane: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(lane * 4, value, true);
  return bytes;
}

for (const capacity of [1, 2, 3, 7, 64, 100, 1000]) {
  test(`capacity ${capacity}: the same verdicts as a map with FIFO eviction`, () => {
    const { core, ids } = dedupCore(capacity);
    const made = ids + 65_536;
    const dropped = made + 4096;
    for (const seed of [1, 2, 3]) {
      const dedup = new Dedup(core, capacity);
      const oracle = new DedupOracle(capacity);
      const random = mulberry32(seed * 1000 + capacity);
      expect(dedup.held()).toBe(0);
      for (let body = 0; body < 60; body++) {
        const rows = Math.floor(random() * 300);
        const begin = Math.floor(random() * 3);
        core.u8.fill(0, made, dropped + 4096);
        const want: boolean[] = [];
        let duplicates = 0;
        for (let row = 0; row < rows; row++) {
          const value = Math.floor(random() * capacity * (random() < 0.5 ? 1.2 : 4));
          const bytes = idBytes(value, seed % 4);
          core.u8.set(bytes, ids + row * 16);
          const isMade = random() < 0.1;
          const isDropped = random() < 0.1;
          const mask = 1 << (row & 7);
          if (isMade) core.u8[made + (row >> 3)] = (core.u8[made + (row >> 3)] as number) | mask;
          if (isDropped) {
            core.u8[dropped + (row >> 3)] = (core.u8[dropped + (row >> 3)] as number) | mask;
          }
          if (row < begin || isMade || isDropped) {
            want.push(isDropped);
            continue;
          }
          const known = oracle.seen(String(value));
          if (known) duplicates++;
          want.push(known);
        }
        const label = `seed ${seed}, body ${body}`;
        expect(dedup.rows(ids, made, dropped, begin, rows), label).toBe(
          begin < rows ? duplicates : 0,
        );
        const got = want.map(
          (_, row) => (((core.u8[dropped + (row >> 3)] as number) >> (row & 7)) & 1) === 1,
        );
        expect(got, label).toEqual(want);
        expect(dedup.held(), label).toBe(oracle.held);
        expect(dedup.evicted(), label).toBe(BigInt(oracle.evicted));
      }
    }
  });
}

test("ids from storage are known afterwards, those that the engine made are not", () => {
  const { core, ids } = dedupCore(1000);
  const dedup = new Dedup(core, 1000);
  for (let row = 0; row < 500; row++) core.u8.set(idBytes(row, 0), ids + row * 16);
  const made = ids + 65_536;
  core.u8[made] = 0b10;
  expect(dedup.insertMany(ids, made, 500)).toBe(0);
  expect(dedup.held()).toBe(499);
  expect(dedup.insertMany(ids, 0, 500)).toBe(499);
  expect(dedup.held()).toBe(500);
});

test("a region that is too small is refused", () => {
  const { core } = dedupCore(1000);
  expect(() => new Dedup(core, 100_000)).toThrow(/too small/);
  expect(Dedup.regionSize(8 << 20)).toBe((256 << 20) + 576);
});

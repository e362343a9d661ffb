import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import * as status from "../../src/core/status.ts";
import { crc32c, laneOf, makeBatch, rowOf } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { type Cell, readColumns, readRows, splitPath } from "../support/read-batch.ts";
import { decodeAlone, decodeCore } from "./decode-core.ts";

const core = decodeCore();

const events = Array.from({ length: 40 }, (_, i) => ({
  id: `0190a0a0-1111-7222-8333-${String(i).padStart(12, "0")}`,
  timestamp: "2026-11-23T12:00:00.000Z",
  event_type: i % 3 === 0 ? "view" : "click",
  ...(i % 5 !== 0 && { source: `source ${i % 4}` }),
  properties: {
    number: i % 2 === 0 ? i : i + 0.5,
    ...(i % 7 === 0 && { rare: null, list: [i] }),
    flag: i > 20,
    name: `unique ${i}`,
  },
}));

function verify(batch: Uint8Array, available = batch.length): number {
  core.core.u8.set(batch, core.out);
  return Number(core.core.exports.batchVerify?.(core.out, available));
}

describe("a finished batch", () => {
  const { batch } = decodeAlone(core, JSON.stringify(events));

  test("says the same as the plain writer's", () => {
    const made = makeBatch(events.map((event) => rowOf(event)));
    expect(verify(made)).toBe(status.OK);
    const sorted = (bytes: Uint8Array) =>
      readColumns(bytes).sort((a, b) =>
        a.path < b.path ? -1 : a.path > b.path ? 1 : a.lane - b.lane,
      );
    expect(sorted(batch)).toEqual(sorted(made));
    expect(readRows(batch)).toEqual(readRows(made));
  });

  test("has its columns in order and its checksum right", () => {
    const order = readColumns(batch).map(({ path, lane }) => `${path} ${lane}`);
    expect(order).toEqual([...order].sort());
    expect(new DataView(batch.buffer).getUint32(layout.BATCH_CRC, true)).toBe(
      crc32c(batch.subarray(16)),
    );
  });

  test("reads in lanes that its cells belong to", () => {
    for (const { lane, cells } of readColumns(batch)) {
      for (const cell of cells as (Cell | undefined)[]) {
        if (cell !== undefined) expect(laneOf(cell)).toBe(lane);
      }
    }
  });
});

describe("batchVerify", () => {
  const { batch } = decodeAlone(core, JSON.stringify(events));

  test("knows magic, version, length and checksum", () => {
    const change = (offset: number, value: number) => {
      const copy = batch.slice();
      copy[offset] = value;
      return copy;
    };
    expect(verify(batch)).toBe(status.OK);
    expect(verify(change(0, 0))).toBe(status.CORRUPT_MAGIC);
    expect(verify(change(4, 9))).toBe(status.CORRUPT_VERSION);
    expect(verify(change(40, 9))).toBe(status.CORRUPT_CHECKSUM);
    expect(verify(batch, batch.length - 1)).toBe(status.CORRUPT_BOUNDS);
    expect(verify(batch, 50)).toBe(status.CORRUPT_BOUNDS);
  });

  test("lets no batch through that a reader would leave, even with a good checksum", () => {
    const random = mulberry32(7);
    let passed = 0;
    for (let i = 0; i < 3000; i++) {
      const copy = batch.slice();
      const view = new DataView(copy.buffer);
      const offset = 16 + Math.floor(random() * (i % 2 === 0 ? 1100 : copy.length - 20));
      if (i % 3 === 0) copy[offset] = Math.floor(random() * 256);
      else
        view.setUint32(
          offset & ~3,
          Math.floor(random() * (i % 3 === 1 ? 2 ** 32 : copy.length)),
          true,
        );
      // The length itself stays, so that the checksum is over what is there.
      view.setUint32(layout.BATCH_LENGTH, copy.length, true);
      view.setUint32(layout.BATCH_CRC, crc32c(copy.subarray(16)), true);
      if (verify(copy) !== status.OK) continue;
      passed++;
      // A DataView throws beyond its end, and readColumns asserts counts and codes; text may be any bytes.
      const run = () => [readRows(copy), readColumns(copy)];
      try {
        run();
      } catch (error) {
        expect(error, `change at ${offset}, round ${i}`).toBeInstanceOf(TypeError);
      }
    }
    expect(passed).toBeGreaterThan(100);
    expect(passed).toBeLessThan(3000);
  });

  test("a path splits at its dots, but not at escaped ones", () => {
    expect(splitPath("properties.a\\.b.c\\\\")).toEqual(["properties", "a.b", "c\\"]);
  });
});

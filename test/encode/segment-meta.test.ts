import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { CorruptionError } from "../../src/errors.ts";
import * as columnFormat from "../../src/storage/column-format.ts";
import {
  decodeSegmentMeta,
  encodeSegmentMeta,
  type SegmentMeta,
} from "../../src/storage/segment.ts";
import { textZone } from "../../src/storage/zone.ts";
import { mulberry32 } from "../support/random.ts";

const meta: SegmentMeta = {
  id: 42,
  firstSequence: 2n ** 60n,
  rows: 131_072,
  timeMinUs: -62_135_596_800_000_000n,
  timeMaxUs: 253_402_300_799_999_999n,
  partition: 3,
  records: [
    {
      firstRow: 0,
      rows: 131_000,
      receivedAtUs: 1_795_435_200_000_000n,
      duplicates: 4,
      rejected: 5,
    },
    {
      firstRow: 131_000,
      rows: 0,
      receivedAtUs: 1_795_435_200_000_001n,
      duplicates: 0,
      rejected: 0,
    },
    {
      firstRow: 131_000,
      rows: 72,
      receivedAtUs: 1_795_435_200_000_001n,
      duplicates: 0,
      rejected: 9,
    },
  ],
  columns: [
    column("timestamp", layout.LANE_NUMBER, { min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    column("properties.größe", layout.LANE_NUMBER, { min: -0.5, max: 2n ** 53n + 1n }),
    column("properties.größe", layout.LANE_STRING, { min: "", max: "zürich 🛒" }),
    column("properties.mobile", layout.LANE_BOOLEAN, { min: false, max: true }),
    column("properties.list", layout.LANE_JSON, null),
    { ...column("user_id", layout.LANE_STRING, null), entries: 90, filterBytes: 128 },
  ],
  watermarks: Uint8Array.of(1, 2, 3, 4, 5),
};

function column(path: string, lane: number, zone: SegmentMeta["columns"][number]["zone"]) {
  return { path, lane, count: 100, bytes: 4096, encoding: 1, entries: 0, filterBytes: 0, zone };
}

describe("segment meta", () => {
  test("comes back equal", () => {
    expect(decodeSegmentMeta(encodeSegmentMeta(meta))).toEqual(meta);
  });

  test("may lack watermarks, records and columns", () => {
    const { watermarks: _, ...rest } = meta;
    const bare = { ...rest, records: [], columns: [] };
    expect(decodeSegmentMeta(encodeSegmentMeta(bare))).toEqual(bare);
  });

  test("is read at any offset of a buffer, and shares nothing with it", () => {
    const bytes = encodeSegmentMeta(meta);
    const buffer = Buffer.alloc(bytes.length + 13);
    buffer.set(bytes, 7);
    const got = decodeSegmentMeta(buffer.subarray(7, 7 + bytes.length));
    buffer.fill(0);
    expect(got).toEqual(meta);
  });

  test("each flipped bit and each strict prefix is a CorruptionError", () => {
    const bytes = encodeSegmentMeta(meta);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => decodeSegmentMeta(damaged)).toThrow(CorruptionError);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSegmentMeta(bytes.subarray(0, length))).toThrow(CorruptionError);
    }
  });

  test("errors name the segment, what was got and what was wanted", () => {
    const bytes = encodeSegmentMeta(meta);
    bytes[4] = 9;
    expect(() => decodeSegmentMeta(bytes)).toThrow("segment 42: got version 9, want 1 to 2");
  });
});

describe("zones of texts", () => {
  const zone = (min: string, max: string) => textZone(Buffer.from(min), Buffer.from(max));

  test("short texts are kept whole", () => {
    expect(zone("a", "é🛒")).toEqual({ min: "a", max: "é🛒" });
    expect(zone("", "")).toEqual({ min: "", max: "" });
  });

  test("a long upper bound is cut and raised", () => {
    expect(zone("a".repeat(70), "b".repeat(70))).toEqual({
      min: "a".repeat(64),
      max: `${"b".repeat(63)}c`,
    });
  });

  test("surrogates are skipped, the last code point is passed over", () => {
    const last = "\u{10ffff}";
    expect(zone("", `x${last.repeat(30)}`)?.max).toBe("y");
    expect(zone("", last.repeat(30))).toBeNull();
    expect(zone("", `${"\ud7ff".repeat(30)}`)?.max).toBe(`${"\ud7ff".repeat(20)}\ue000`);
  });

  test("bounds hold for random texts, seed 5", () => {
    const random = mulberry32(5);
    for (let round = 0; round < 2000; round++) {
      const characters = Array.from({ length: Math.floor(random() * 90) }, () => {
        const point = Math.floor(random() ** 3 * 0x10ffff);
        return point >= 0xd800 && point < 0xe000 ? "\ue000" : String.fromCodePoint(point);
      });
      const bytes = Buffer.from(characters.join(""));
      const got = textZone(bytes, bytes);
      if (got === null) continue;
      const [min, max] = [Buffer.from(got.min as string), Buffer.from(got.max as string)];
      expect(Buffer.compare(min, bytes)).toBeLessThanOrEqual(0);
      expect(Buffer.compare(max, bytes)).toBeGreaterThanOrEqual(0);
      expect(Math.max(min.length, max.length)).toBeLessThanOrEqual(64);
    }
  });
});

test("the constants that TypeScript repeats are those of assembly/encode/format.ts", () => {
  const url = new URL("../../assembly/encode/format.ts", import.meta.url);
  const owned = new Map(
    [...readFileSync(url, "utf8").matchAll(/^export const (\w+) = (\w+);/gm)].map(
      ([, name, value]) => [name, Number(value)],
    ),
  );
  for (const [name, value] of Object.entries(columnFormat))
    expect(owned.get(name), name).toBe(value);
});

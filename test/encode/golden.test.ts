import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { loadColumn, storeColumn } from "../../src/storage/column-bytes.ts";
import {
  decodeSegmentMeta,
  encodeSegmentMeta,
  type SegmentColumn,
  type SegmentMeta,
} from "../../src/storage/segment.ts";
import type { Zone } from "../../src/storage/zone.ts";
import { type Cell, type PlainColumn, readColumn } from "../oracle/encode.ts";
import { readSealedColumn } from "../oracle/sealed-column.ts";
import { mulberry32 } from "../support/random.ts";
import { decode, encode, encodeCore } from "./encode-core.ts";
import { makeColumn, numberShapes, otherShapes, presences, textShapes } from "./shapes.ts";

// Frozen bytes: what a version wrote once must open for ever and give the frozen cells. The encoder may learn
// better encodings; these files stay. MILLRACE_UPDATE_GOLDEN=1 writes those that are missing, never over one: then
// with the present version, so a file of version 1 can't be made any more.

const on = encodeCore();
const folder = new URL("../golden/", import.meta.url);
const update = process.env.MILLRACE_UPDATE_GOLDEN === "1";

const files: readonly (readonly [file: string, shape: string, presence: string, rows: number])[] = [
  ["i64-direct", "bytes", "all", 5000],
  ["i64-delta", "timestamps", "half", 5000],
  ["i64-step", "wide steps", "all", 600],
  ["i64-wide", "any i64", "most", 300],
  ["i64-dictionary", "few distinct", "all", 4500],
  ["decimal", "cents, some whole", "one row is absent", 900],
  ["f64-xor", "sensor", "all", 700],
  ["f64-raw", "any f64", "half", 120],
  ["mixed", "any number", "half", 200],
  ["text-sorted", "users", "most", 5000],
  ["text-plain", "unlike each other", "most", 500],
  ["text-deflated", "large", "all", 700],
  ["boolean", "booleans", "half", 500],
  ["id", "ids", "rare", 3000],
  ["null", "nulls", "rare", 9000],
  ["absent", "bytes", "none", 100],
];

// What version 2 has that version 1 had not, and one file of what both have.
const files2: typeof files = [
  ["id-bits", "ids of a row number", "half", 9000],
  ["id-raw", "ids", "all", 100],
  ["i64-runs", "long runs", "half", 5000],
  ["text-lengths", "equally long", "all", 3000],
  ["text-runs", "runs of texts", "all", 9000],
  ["text-sorted", "users", "most", 5000],
];

const meta: SegmentMeta = {
  id: 7,
  firstSequence: 9_007_199_254_740_993n,
  rows: 1000,
  timeMinUs: -1n,
  timeMaxUs: 1_795_435_200_000_000n,
  partition: 0,
  records: [{ firstRow: 0, rows: 1000, receivedAtUs: 5n, duplicates: 1, rejected: 2 }],
  columns: [
    zoned("timestamp", layout.LANE_NUMBER, { min: -1n, max: 1_795_435_200_000_000n }),
    zoned("properties.amount", layout.LANE_NUMBER, { min: 0.25, max: 99.5 }),
    zoned("event_type", layout.LANE_STRING, { min: "click", max: "é" }),
    zoned("properties.mobile", layout.LANE_BOOLEAN, { min: false, max: true }),
    zoned("properties.tags", layout.LANE_JSON, null),
  ],
  watermarks: Uint8Array.of(9, 8, 7),
};

function zoned(path: string, lane: number, zone: Zone | null): SegmentColumn {
  return { path, lane, count: 1000, bytes: 10, encoding: 1, entries: 0, filterBytes: 0, zone };
}

function shapeColumn(shape: string, presence: string, rows: number): PlainColumn {
  const number = numberShapes[shape];
  const text = textShapes[shape];
  const other = otherShapes[shape];
  const cells = number ?? text ?? other?.cells;
  const isPresent = presences[presence];
  if (cells === undefined || isPresent === undefined) throw new Error(`no shape ${shape}`);
  const lane = other?.lane ?? (number ? layout.LANE_NUMBER : layout.LANE_STRING);
  return makeColumn(lane, cells, isPresent, rows, mulberry32(2026));
}

/** A cell as JSON keeps it exactly: an f64 as its 16 hex digits, an absent cell as null. */
function freeze(cell: Cell | undefined): string | boolean | null {
  if (cell === undefined) return null;
  if (cell === null) return "null";
  if (typeof cell === "boolean") return cell;
  if (typeof cell === "string") return `s${cell}`;
  if (typeof cell === "bigint") return `i${cell}`;
  const bits = new BigUint64Array(Float64Array.of(cell).buffer)[0] ?? 0n;
  return `f${bits.toString(16).padStart(16, "0")}`;
}

describe("golden columns", () => {
  const versions = [
    ...files.map((one) => [1, ...one] as const),
    ...files2.map((one) => [2, ...one] as const),
  ];
  test.each(versions)("segment-v%i-%s", (version, file, shape, presence, rows) => {
    const bytesFile = new URL(`segment-v${version}-${file}.bin`, folder);
    const cellsFile = new URL(`segment-v${version}-${file}.json`, folder);
    if (update && !existsSync(bytesFile)) {
      const stored = storeColumn(encode(on, shapeColumn(shape, presence, rows)));
      const inflated = loadColumn(stored);
      expect(inflated).toBeDefined();
      const cells = readSealedColumn(inflated ?? stored).cells.map(freeze);
      writeFileSync(bytesFile, stored);
      writeFileSync(cellsFile, `${JSON.stringify(cells)}\n`);
    }
    const bytes = loadColumn(readFileSync(bytesFile));
    expect(bytes).toBeDefined();
    if (bytes === undefined) return;
    expect(bytes[4], "version").toBe(version);
    expect(decode(on, bytes)).toBe(0);
    const frozen = JSON.parse(readFileSync(cellsFile, "utf8"));
    expect(readColumn(on.core, on.decoded.base, rows).cells.map(freeze)).toEqual(frozen);
    expect(readSealedColumn(bytes).cells.map(freeze)).toEqual(frozen);
  });

  test("cover every form, encoding and presence", () => {
    const seen = { form: new Set(), encoding: new Set(), presence: new Set(), flags: new Set() };
    const names = [
      ...files.map(([file]) => `segment-v1-${file}.bin`),
      ...files2.map(([file]) => `segment-v2-${file}.bin`),
    ];
    for (const name of names) {
      const bytes = readFileSync(new URL(name, folder));
      seen.flags.add(bytes[6]);
      seen.form.add(bytes[25]);
      seen.encoding.add(bytes[26]);
      seen.presence.add(bytes[27]);
    }
    expect([...seen.form].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...seen.encoding].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...seen.presence].sort()).toEqual([0, 1, 2, 3, 4]);
    expect([...seen.flags].sort()).toEqual([0, 1]);
  });
});

const meta2: SegmentMeta = {
  ...meta,
  columns: [
    ...meta.columns,
    { ...zoned("user_id", layout.LANE_STRING, null), entries: 900, filterBytes: 960 },
  ],
};

test.each([
  ["segment-v1-meta.bin", 1, meta],
  ["segment-v2-meta.bin", 2, meta2],
] as const)("golden meta: %s", (name, version, want) => {
  const file = new URL(name, folder);
  if (update && !existsSync(file)) writeFileSync(file, encodeSegmentMeta(want));
  const bytes = readFileSync(file);
  expect(bytes[4]).toBe(version);
  expect(decodeSegmentMeta(bytes)).toEqual(want);
});

import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import * as layout from "../../src/core/layout.ts";
import { type PlainColumn, readColumn } from "../oracle/encode.ts";
import { mulberry32 } from "../support/random.ts";
import { decode, encode, encodeCore } from "./encode-core.ts";
import { below, makeColumn, numberShapes, otherShapes, presences, textShapes } from "./shapes.ts";

// Damaged bytes are refused. Bytes that carry a right checksum over wrong content, which only a forger or a bug
// can make, may decode to anything or be refused; they never make the core write outside of what it was given.

const on = encodeCore(8);
const SEED = 41;

function column(name: string, presence: string, rows: number): PlainColumn {
  const number = numberShapes[name];
  const text = textShapes[name];
  const other = otherShapes[name];
  const cells = number ?? text ?? other?.cells;
  const isPresent = presences[presence];
  if (cells === undefined || isPresent === undefined) throw new Error(`no shape ${name}`);
  const lane = number ? layout.LANE_NUMBER : text ? layout.LANE_STRING : (other?.lane ?? 0);
  return makeColumn(lane, cells, isPresent, rows, mulberry32(SEED));
}

const samples = [
  ["timestamps", "half", 150],
  ["status codes", "all", 400],
  ["any f64", "rare", 4500],
  ["sensor", "most", 70],
  ["any number", "half", 60],
  ["cents, some whole", "one row is absent", 200],
  ["users", "half", 300],
  ["unique", "all", 40],
  ["booleans", "half", 500],
  ["ids", "half", 20],
  ["ids of a row number", "most", 90],
  ["ids, every second bit", "all", 90],
  ["long runs", "half", 900],
  ["runs of texts", "all", 3000],
  ["equally long", "most", 60],
  ["nulls", "rare", 4200],
] as const;

function withChecksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(8, crc32c(bytes.subarray(16)), true);
  return bytes;
}

describe.each(samples)("%s, present: %s, %i rows", (name, presence, rows) => {
  const bytes = encode(on, column(name, presence, rows));

  test("each flipped bit is refused", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      if (decode(on, damaged) === 0) throw new Error(`bit ${bit} was flipped and not noticed`);
    }
  });

  test("each strict prefix is refused, and more bytes than there were too", () => {
    for (let length = 0; length < bytes.length; length++) {
      if (decode(on, bytes.slice(0, length)) === 0) throw new Error(`prefix of ${length} bytes`);
    }
    expect(decode(on, Uint8Array.of(...bytes, 0))).not.toBe(0);
  });

  test("forged bytes write nowhere else", () => {
    const random = mulberry32(SEED);
    const { core, decoded, bytes: source } = on;
    let accepted = 0;
    for (let round = 0; round < 1500; round++) {
      const forged = bytes.slice();
      for (let change = 0; change <= below(random, 3); change++) {
        const at = 16 + below(random, Math.min(forged.length, 400) - 16);
        forged[at] = random() < 0.3 ? (random() < 0.5 ? 0 : 255) : below(random, 256);
      }
      core.u8.set(withChecksum(forged), source.base);
      const size = Number(core.exports.decodeCapacity?.(source.base, forged.length)) >>> 0;
      if (size === 0 || size > decoded.size - 4096) continue;
      const end = decoded.base + size;
      core.u8.fill(0x5a, end, end + 4096);
      core.u8.fill(0x5a, decoded.base - 256, decoded.base);
      if (decode(on, forged, size) === 0) {
        accepted++;
        expectReadable(rows);
      }
      expectUntouched(decoded.base - 256, decoded.base, round);
      expectUntouched(end, end + 4096, round);
      const kept = core.u8.subarray(source.base, source.base + forged.length);
      expect(Buffer.compare(kept, forged), `round ${round}, seed ${SEED}`).toBe(0);
    }
    expect(accepted).toBeGreaterThan(0);
  });
});

function expectUntouched(from: number, to: number, round: number): void {
  const bytes = on.core.u8.subarray(from, to);
  if (!bytes.every((byte) => byte === 0x5a)) throw new Error(`round ${round}, seed ${SEED}`);
}

/** Whatever was accepted, kernels may follow every page, code and dictionary entry of it. */
function expectReadable(rows: number): void {
  const { core, decoded } = on;
  const { view } = core;
  const end = decoded.base + decoded.size;
  const dictionary = view.getUint32(decoded.base + layout.COLUMN_DICT, true);
  const count = view.getUint32(decoded.base + layout.COLUMN_DICT_COUNT, true);
  for (let code = 0; code < count; code++) {
    const address = view.getUint32(dictionary + code * 8, true);
    const length = view.getUint32(dictionary + code * 8 + 4, true);
    if (address < decoded.base || address + length > end) throw new Error(`entry ${code}`);
  }
  if (count === 0) return;
  for (let row = 0; row < rows; row++) {
    const page = view.getUint32(decoded.base + layout.COLUMN_PAGES + (row >> 12) * 4, true);
    if (page === 0) continue;
    const encoding = view.getUint32(page, true);
    const at = page + layout.PAGE_VALUES;
    const code = encoding === 0 ? view.getUint8(at + row) : view.getUint16(at + row * 2, true);
    if (code >= count) throw new Error(`code ${code} of ${count}`);
  }
}

test("statuses name what is wrong", () => {
  const bytes = encode(on, column("timestamps", "all", 100));
  const changed = (offset: number, value: number): number => {
    const copy = bytes.slice();
    copy[offset] = value;
    return decode(on, copy);
  };
  expect(changed(0, 0)).toBe(66);
  expect(changed(4, 0)).toBe(67);
  expect(changed(4, 3)).toBe(67);
  expect(changed(4, 1), "what version 1 had is the same").toBe(0);
  expect(changed(100, 0xee)).toBe(68);
  expect(changed(12, 0xee)).toBe(69);
  expect(changed(6, 1)).toBe(70);
  const ids = encode(on, column("ids of a row number", "all", 100));
  ids[4] = 1;
  expect(decode(on, ids), "version 1 had no ID blocks").toBe(70);
  expect(decode(on, bytes, 100)).toBe(64);
  expect(decode(on, bytes)).toBe(0);
  expect(readColumn(on.core, on.decoded.base, 100).cells.length).toBe(100);
});

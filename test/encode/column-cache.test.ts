import { describe, expect, test } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { CorruptionError, LimitError } from "../../src/errors.ts";
import { loadColumn, storeColumn } from "../../src/storage/column-bytes.ts";
import { ColumnCache } from "../../src/storage/column-cache.ts";
import { RegionSpace } from "../../src/storage/region-space.ts";
import type { SegmentMeta } from "../../src/storage/segment.ts";
import { type PlainColumn, readColumn } from "../oracle/encode.ts";
import { mulberry32 } from "../support/random.ts";
import { encode, encodeCore } from "./encode-core.ts";

const rows = 6000;
const on = encodeCore();

/** Segments of two columns: numbers above the segment's id, and texts. */
function segments(count: number) {
  const stored = new Map<string, Uint8Array>();
  const metas: SegmentMeta[] = [];
  const plain: PlainColumn[][] = [];
  for (let id = 1; id <= count; id++) {
    const columns: PlainColumn[] = [
      {
        lane: layout.LANE_NUMBER,
        cells: Array.from({ length: rows }, (_, row) => BigInt(id * 1_000_000 + row * 37)),
      },
      {
        lane: layout.LANE_STRING,
        cells: Array.from({ length: rows }, (_, row) => `segment ${id}, text ${row * 11}`),
      },
    ];
    plain.push(columns);
    const bytes = columns.map((column) => storeColumn(encode(on, column)));
    bytes.forEach((column, index) => stored.set(`${id} ${index}`, column));
    metas.push({
      id,
      firstSequence: BigInt(id * rows),
      rows,
      timeMinUs: 0n,
      timeMaxUs: 1n,
      partition: 0,
      records: [],
      columns: columns.map(({ lane }, index) => ({
        path: `properties.c${index}`,
        lane,
        count: rows,
        bytes: bytes[index]?.length ?? 0,
        encoding: 1,
        entries: 0,
        filterBytes: 0,
        zone: null,
      })),
    });
  }
  let loads = 0;
  const load = (segmentId: number, columnIndex: number) => {
    loads++;
    return stored.get(`${segmentId} ${columnIndex}`);
  };
  return { metas, plain, stored, load, loads: () => loads };
}

function metaOf(metas: readonly SegmentMeta[], id: number): SegmentMeta {
  const meta = metas.find((candidate) => candidate.id === id);
  if (meta === undefined) throw new Error(`no segment ${id}`);
  return meta;
}

function cache(size: number, made: ReturnType<typeof segments>): ColumnCache {
  return new ColumnCache(on.core, { base: on.decoded.base, size }, { column: made.load });
}

const MIB = 1024 * 1024;

describe("column cache", () => {
  test("decodes a column once and gives the same address until it is evicted", () => {
    const made = segments(2);
    const columns = cache(16 * MIB, made);
    const addresses = [0, 1].map(() => {
      columns.begin();
      const address = columns.column(metaOf(made.metas, 1), 0);
      columns.end();
      return address;
    });
    expect(addresses[0]).toBe(addresses[1]);
    expect(made.loads()).toBe(1);
    expect(columns.bytesUsed()).toBeGreaterThan(rows * 2);
    columns.begin();
    const text = columns.column(metaOf(made.metas, 2), 1);
    const number = columns.column(metaOf(made.metas, 1), 0);
    expect(readColumn(on.core, text, rows)).toEqual(made.plain[1]?.[1]);
    expect(readColumn(on.core, number, rows)).toEqual(made.plain[0]?.[0]);
    const { view, u8 } = on.core;
    const path = view.getUint32(text + layout.COLUMN_PATH, true);
    const length = view.getUint32(text + layout.COLUMN_PATH_LENGTH, true);
    expect(Buffer.from(u8.slice(path, path + length)).toString()).toBe("properties.c1");
    columns.end();
  });

  test("evicts the least recently used, never what the running query uses", () => {
    const made = segments(24);
    const columns = cache(2 * MIB, made);
    const random = mulberry32(3);
    for (let query = 0; query < 60; query++) {
      columns.begin();
      const used = Array.from({ length: 4 }, () => {
        const id = 1 + Math.floor(random() * 24);
        const index = Math.floor(random() * 2);
        return { id, index, address: columns.column(metaOf(made.metas, id), index) };
      });
      for (const { id, index, address } of used) {
        expect(readColumn(on.core, address, rows), `query ${query}`).toEqual(
          made.plain[id - 1]?.[index],
        );
      }
      columns.end();
      expect(columns.bytesUsed()).toBeLessThanOrEqual(2 * MIB);
    }
    expect(made.loads()).toBeGreaterThan(24);
  });

  test("a query that goes from segment to segment needs room for one at a time", () => {
    const made = segments(24);
    const columns = cache(MIB, made);
    columns.begin();
    made.metas.forEach((meta, segment) => {
      columns.next();
      const addresses = [0, 1].map((index) => columns.column(meta, index));
      addresses.forEach((address, index) => {
        expect(readColumn(on.core, address, rows)).toEqual(made.plain[segment]?.[index]);
      });
    });
    columns.end();
  });

  test("a query that needs more than the cache is refused, and the next one is answered", () => {
    const made = segments(24);
    const columns = cache(MIB, made);
    columns.begin();
    expect(() => {
      for (const meta of made.metas) columns.column(meta, 1);
    }).toThrow(LimitError);
    columns.end();
    columns.begin();
    const address = columns.column(metaOf(made.metas, 24), 1);
    expect(readColumn(on.core, address, rows)).toEqual(made.plain[23]?.[1]);
    columns.end();
  });

  test("all room comes back when the segments are forgotten", () => {
    const made = segments(6);
    const columns = cache(16 * MIB, made);
    columns.begin();
    for (const meta of made.metas) [1, 0].map((index) => columns.column(meta, index));
    columns.end();
    for (const meta of made.metas) columns.forget(meta);
    expect(columns.bytesUsed()).toBe(0);
  });

  test("names segment and column of what is missing, damaged or another's", () => {
    const made = segments(2);
    const columns = cache(16 * MIB, made);
    const good = made.stored.get("1 0") as Uint8Array;
    const refusal = (bytes: Uint8Array | undefined, expected: RegExp, meta?: SegmentMeta) => {
      if (bytes === undefined) made.stored.delete("1 0");
      else made.stored.set("1 0", bytes);
      columns.begin();
      const ask = () => columns.column(meta ?? metaOf(made.metas, 1), 0);
      expect(ask).toThrow(CorruptionError);
      expect(ask).toThrow(expected);
      columns.end();
      expect(columns.bytesUsed()).toBe(0);
    };
    refusal(undefined, /segment 1: column properties\.c0 .*missing/);
    refusal(good.slice(0, 50), /outside/);
    refusal(
      good.map((byte, i) => (i === 2 ? byte ^ 1 : byte)),
      /magic/,
    );
    refusal(
      good.map((byte, i) => (i === 90 ? byte ^ 1 : byte)),
      /checksum/,
    );
    refusal(made.stored.get("1 1"), /got lane 1, want 0/);
    refusal(good, /got 6000 rows, want 5000/, { ...metaOf(made.metas, 1), rows: 5000 });
  });
});

describe("deflated texts", () => {
  const cells = Array.from({ length: 3000 }, (_, row) => `{"order":${row * 7},"state":"shipped"}`);
  const bytes = encode(on, { lane: layout.LANE_JSON, cells });
  const stored = storeColumn(bytes);

  test("come back to the same bytes, and take less", () => {
    expect(stored.length).toBeLessThan(bytes.length * 0.85);
    expect(loadColumn(stored)).toEqual(bytes);
  });

  test("texts that do not shrink, and small ones, are stored as they are", () => {
    const random = mulberry32(9);
    const noise = Array.from({ length: 3000 }, () =>
      String.fromCharCode(...Array.from({ length: 12 }, () => Math.floor(random() * 128))),
    );
    for (const texts of [noise, ["a", "b"]]) {
      const plain = encode(on, { lane: layout.LANE_STRING, cells: texts });
      expect(storeColumn(plain) === plain).toBe(true);
      expect(loadColumn(plain) === plain).toBe(true);
    }
  });

  test("damage is refused: before the core, or by the checksum over the inflated bytes", () => {
    for (let bit = 0; bit < stored.length * 8; bit += 5) {
      const damaged = stored.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const inflated = loadColumn(damaged);
      if (inflated === undefined) continue;
      on.core.u8.set(inflated, on.bytes.base);
      const { base, size } = on.decoded;
      const status = on.core.exports.decodeColumn?.(on.bytes.base, inflated.length, base, size);
      // The end of a deflate stream has bits that mean nothing: then the bytes are the same ones.
      if (status === 0) expect(inflated).toEqual(bytes);
    }
    for (let length = 0; length < stored.length; length += 7) {
      const inflated = loadColumn(stored.subarray(0, length));
      if (inflated !== undefined) expect(inflated.length).toBeLessThan(bytes.length);
    }
  });
});

describe("region space", () => {
  test("gives, joins and never overlaps, seed 11", () => {
    const random = mulberry32(11);
    const space = new RegionSpace(100, 100_000);
    const taken: { address: number; bytes: number }[] = [];
    for (let step = 0; step < 4000; step++) {
      if (random() < 0.55) {
        const bytes = 1 + Math.floor(random() * 4000);
        const address = space.take(bytes, random() < 0.5 ? "low" : "high");
        if (address === 0) continue;
        const overlaps = taken.some(
          (t) => address < t.address + t.bytes && t.address < address + bytes,
        );
        expect(overlaps, `step ${step}`).toBe(false);
        expect(address >= 100 && address + bytes <= 100_100).toBe(true);
        taken.push({ address, bytes });
      } else if (taken.length > 0) {
        const [block] = taken.splice(Math.floor(random() * taken.length), 1);
        if (block === undefined) continue;
        const kept = Math.ceil(block.bytes / 2);
        space.shrink(block.address, block.bytes, kept);
        space.give(block.address, kept);
      }
    }
    for (const block of taken) space.give(block.address, block.bytes);
    expect(space.used).toBe(0);
    expect(space.take(space.size, "low")).toBe(128);
  });
});

import { describe, expect, test } from "vitest";
import { Columns } from "../../src/core/columns.ts";
import * as layout from "../../src/core/layout.ts";
import { CorruptionError, LimitError } from "../../src/errors.ts";
import { ColumnCache } from "../../src/storage/column-cache.ts";
import { compactSegments } from "../../src/storage/compact.ts";
import type { SealedSegment, SegmentMeta } from "../../src/storage/segment.ts";
import { pick, type Random, randomRows, randomShapes } from "../support/made-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { type PlainBatch, Sealing } from "../support/sealed-segments.ts";

// Compacting any split of rows gives what sealing them together gives: columns, records, ids, watermarks.

const sealing = new Sealing();
const SEEDS = Number(process.env.MILLRACE_COMPACT_SEEDS ?? 12);
const SEED = Number(process.env.MILLRACE_COMPACT_SEED ?? 20_261_123);

function randomBatches(random: Random): PlainBatch[] {
  const sizes = [1, 63, 64, 65, 200, 1000, 4095, 4096, 4097];
  return Array.from({ length: 2 + pick(random, 6) }, (_, i) => {
    const size = sizes[pick(random, sizes.length)] as number;
    return {
      rows: randomRows(random, 1 + pick(random, size), randomShapes(random)),
      options: { receivedAtUs: BigInt(1000 * i), duplicates: pick(random, 3), rejected: i },
    };
  });
}

/** The batches cut into two groups at least, each with one batch at least. */
function randomSplit(random: Random, batches: readonly PlainBatch[]): PlainBatch[][] {
  const groups: PlainBatch[][] = [];
  const sure = 1 + pick(random, batches.length - 1);
  batches.forEach((batch, i) => {
    if (i === 0 || i === sure || random() < 0.5) groups.push([]);
    groups.at(-1)?.push(batch);
  });
  return groups;
}

function compact(sources: readonly SealedSegment[], id: number, scratch = sealing.scratch) {
  const store = {
    column: (segmentId: number, index: number) =>
      sources.find(({ meta }) => meta.id === segmentId)?.columns[index],
  };
  const steps = compactSegments(
    sealing.core,
    id,
    sources.map(({ meta }) => meta),
    store,
    scratch,
  );
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done) return { segment: step.value, count };
    // Somebody else seals in between.
    sealing.core.u8.fill(0xa5, sealing.scratch.base, sealing.scratch.base + 65_536);
  }
}

function sealSplit(groups: readonly PlainBatch[][]): SealedSegment[] {
  let sequence = 1000n;
  return groups.map((group, i) => {
    const { meta, ...rest } = sealing.seal(10 + i, sequence, group);
    sequence += BigInt(meta.rows);
    return { meta: { ...meta, watermarks: Uint8Array.of(i, i, i) }, ...rest };
  });
}

/** Every cell of every column, by path and lane; a number as itself, whatever kind it is of. */
function cellsOf(segment: SealedSegment): Map<string, unknown[]> {
  const columns = new Columns(sealing.core);
  const cache = new ColumnCache(sealing.core, sealing.cache, {
    column: (_, i) => segment.columns[i],
  });
  const { meta } = segment;
  cache.begin();
  const all = meta.columns.map(({ path, lane }, index) => {
    cache.next();
    const column = cache.column(meta, index);
    const cells = Array.from({ length: meta.rows }, (_, row) =>
      columns.has(column, row) ? columns.cell(column, row) : "absent",
    );
    return [`${path} ${lane}`, cells] as const;
  });
  cache.end();
  return new Map(all);
}

/** Equal, or an i64 and the f64 of the same value: sealing allows that, see FORM_DECIMAL. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  return typeof a !== typeof b && typeof a !== "string" && typeof b !== "string" && a == b;
}

function expectSame(got: SealedSegment, want: SealedSegment, what: string): void {
  const bare = ({ columns: _, ...meta }: SegmentMeta) => meta;
  expect(bare(got.meta), what).toEqual(bare(want.meta));
  expect(got.meta.columns.map(({ path, lane, count }) => [path, lane, count])).toEqual(
    want.meta.columns.map(({ path, lane, count }) => [path, lane, count]),
  );
  want.meta.columns.forEach((column, i) => {
    if (column.lane === layout.LANE_NUMBER) return;
    expect(got.meta.columns[i], what).toEqual(column);
    if (!Buffer.from(got.columns[i] ?? []).equals(want.columns[i] as Uint8Array)) {
      throw new Error(`${what}: column ${column.path} has other bytes`);
    }
    expect(got.filters?.[i], what).toEqual(want.filters?.[i]);
  });
  const wanted = cellsOf(want);
  for (const [name, cells] of cellsOf(got)) {
    cells.forEach((cell, row) => {
      const other = wanted.get(name)?.[row];
      if (same(cell, other)) return;
      throw new Error(`${what}: ${name}, row ${row}: got ${String(cell)}, want ${String(other)}`);
    });
  }
}

describe("compacting", () => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => SEED + i);
  test.each(seeds)("a split is sealing together, seed %i", (seed) => {
    const random = mulberry32(seed);
    const batches = randomBatches(random);
    const groups = randomSplit(random, batches);
    const sources = sealSplit(groups);
    const together = sealing.seal(99, 1000n, batches);
    const { segment, count } = compact(sources, 99);
    const watermarks = sources.at(-1)?.meta.watermarks ?? new Uint8Array(0);
    const want = { ...together, meta: { ...together.meta, watermarks } };
    expectSame(segment, want, `seed ${seed}`);
    expect(count).toBe(segment.columns.length);
    // Once more: what was compacted is compacted with what follows.
    const more = sealing.seal(77, 1000n + BigInt(together.meta.rows), batches.slice(0, 1));
    const twice = compact([segment, more], 100).segment;
    const all = sealing.seal(100, 1000n, [...batches, ...batches.slice(0, 1)]);
    expectSame(twice, all, `seed ${seed}, twice`);
  });

  test("a full segment of one-row segments' worth: texts that few rows have get one dictionary", () => {
    const random = mulberry32(SEED);
    const batch = (from: number, count: number): PlainBatch => ({
      rows: Array.from({ length: count }, (_, i) => ({
        id: Uint8Array.from({ length: 16 }, () => pick(random, 256)),
        timestampUs: BigInt(from + i),
        cells: new Map([
          ["event_type", "a"],
          ["session_id", `s${pick(random, 1e9)}`],
        ]),
      })),
    });
    const batches = Array.from({ length: 8 }, (_, i) => batch(i * 2000, 2000));
    const { segment } = compact(sealSplit(batches.map((one) => [one])), 99);
    const together = sealing.seal(99, 1000n, batches);
    const sessions = segment.meta.columns.find(({ path }) => path === "session_id");
    expect(sessions?.filterBytes, "near-unique texts have a filter").toBeGreaterThan(0);
    expectSame(
      segment,
      { ...together, meta: { ...together.meta, watermarks: Uint8Array.of(7, 7, 7) } },
      "eight",
    );
  });

  test("a damaged source is refused by name, and nothing comes of it", () => {
    const random = mulberry32(5);
    const sources = sealSplit([randomBatches(random), randomBatches(random)]);
    const column = sources[1]?.columns[0] as Uint8Array;
    const index = Math.floor(column.length / 2);
    column[index] = (column[index] as number) ^ 4;
    expect(() => compact(sources, 99)).toThrow(CorruptionError);
    expect(() => compact(sources, 99)).toThrow(/segment 11: column id .*checksum/);
  });

  test("a source that retention has dropped meanwhile is missing, by name", () => {
    const [first, second] = sealSplit([
      randomBatches(mulberry32(6)),
      randomBatches(mulberry32(7)),
    ]) as [SealedSegment, SealedSegment];
    expect(() => compact([{ ...first, columns: [] }, second], 99)).toThrow(
      /segment 10: .* it is missing/,
    );
  });

  test("scratch that is too small is a LimitError", () => {
    const sources = sealSplit([randomBatches(mulberry32(8)), randomBatches(mulberry32(9))]);
    const { base } = sealing.scratch;
    for (const mib of [1, 8.5, 9.05]) {
      expect(() => compact(sources, 99, { base, size: mib * 1024 * 1024 })).toThrow(LimitError);
    }
  });
});

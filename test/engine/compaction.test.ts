import { setImmediate as nextTurn } from "node:timers/promises";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Compaction } from "../../src/engine/compaction.ts";
import { nextRun } from "../../src/engine/compaction-policy.ts";
import { packFailure } from "../../src/engine/failure.ts";
import type { FromSealer, ToSealer } from "../../src/engine/messages.ts";
import type { Segments } from "../../src/engine/segments.ts";
import { CorruptionError, LimitError, type MillraceError } from "../../src/errors.ts";
import { segmentRowsMax } from "../../src/limits.ts";
import type { SegmentMeta } from "../../src/storage/segment.ts";
import type { CompactedSegment } from "../../src/storage/store.ts";
import { mulberry32 } from "../support/random.ts";

/** Metas of so many rows each, one after another; each came in at once, a second after the one before. */
function metasOf(rows: readonly number[], firstId = 1): SegmentMeta[] {
  let next = 1n;
  return rows.map((count, i) => {
    const meta = metaOf(firstId + i, next, count, BigInt(i) * 1_000_000n);
    next += BigInt(count);
    return meta;
  });
}

function metaOf(
  id: number,
  firstSequence: bigint,
  rows: number,
  receivedAtUs: bigint,
): SegmentMeta {
  return {
    id,
    firstSequence,
    rows,
    timeMinUs: 0n,
    timeMaxUs: 0n,
    partition: 0,
    records: [{ firstRow: 0, rows, receivedAtUs, duplicates: 0, rejected: 0 }],
    columns: [
      {
        path: "id",
        lane: 5,
        count: rows,
        bytes: rows * 16,
        encoding: 4,
        entries: 0,
        filterBytes: 0,
        zone: null,
      },
    ],
  };
}

type Merging = Extract<ToSealer, { type: "compact" }>;

const idsOf = (run: readonly SegmentMeta[] | null) => run?.map(({ id }) => id) ?? null;
const anySpan = { spanUs: null };
const free = () => true;

describe("policy", () => {
  test("four of like size are merged, three are not", () => {
    expect(nextRun(metasOf([100, 100, 100]), anySpan, free)).toBeNull();
    expect(idsOf(nextRun(metasOf([100, 100, 100, 100]), anySpan, free))).toEqual([1, 2, 3, 4]);
    expect(nextRun(metasOf([1000, 100, 100, 100]), anySpan, free)).toBeNull();
  });

  test("two halves of a segment are merged, full segments are left alone", () => {
    expect(idsOf(nextRun(metasOf([60_000, 60_000]), anySpan, free))).toEqual([1, 2]);
    expect(nextRun(metasOf([65_537, 65_535]), anySpan, free)).toBeNull();
    expect(nextRun(metasOf([131_072, 131_072, 5, 131_072, 5]), anySpan, free)).toBeNull();
  });

  test("a run ends at a gap, at another partition, at a segment that is taken, and at a full one", () => {
    const [a, b, c, d, e, f, g, h] = metasOf([9, 9, 9, 9, 9, 9, 9, 9]) as [
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
      SegmentMeta,
    ];
    expect(idsOf(nextRun([a, c, d, e, f], anySpan, free))).toEqual([3, 4, 5, 6]);
    const other = { ...b, partition: 1 };
    expect(idsOf(nextRun([a, other, c, d, e, f, g, h], anySpan, free))).toEqual([3, 4, 5, 6, 7, 8]);
    expect(nextRun([a, b, c, d, e, f, g], anySpan, ({ id }) => id !== 4)).toBeNull();
    expect(nextRun(metasOf([9, 9, 131_000, 9, 9, 100_000]), anySpan, free)).toBeNull();
  });

  test("the merged segment spans no more time than it may", () => {
    const metas = metasOf(Array.from({ length: 20 }, () => 100));
    expect(idsOf(nextRun(metas, { spanUs: 4_000_000n }, free))?.length).toBe(5);
    expect(nextRun(metas, { spanUs: 2_000_000n }, free)).toBeNull();
  });

  test.each([1, 2, 3])(
    "every row is rewritten a few times and few segments stay, seed %i",
    (seed) => {
      const random = mulberry32(seed);
      let metas: SegmentMeta[] = [];
      let [next, id, rows, written] = [1n, 1, 0, 0];
      for (let round = 0; round < 2000; round++) {
        const count = 1 + Math.floor(random() * 2000);
        metas.push(metaOf(id++, next, count, 0n));
        next += BigInt(count);
        rows += count;
        for (let run = nextRun(metas, anySpan, free); run; run = nextRun(metas, anySpan, free)) {
          const [first] = run as [SegmentMeta];
          const sum = run.reduce((total, meta) => total + meta.rows, 0);
          expect(sum).toBeLessThanOrEqual(segmentRowsMax);
          const at = metas.indexOf(first);
          metas = [
            ...metas.slice(0, at),
            metaOf(id++, first.firstSequence, sum, 0n),
            ...metas.slice(at + run.length),
          ];
          written += sum;
        }
      }
      // Rows of 1,000 a segment: 131 of them make a full one.
      expect(written / rows, "write amplification").toBeLessThan(5);
      expect(metas.length).toBeLessThan(rows / segmentRowsMax + 45);
      expect(metas.reduce((sum, meta) => sum + meta.rows, 0)).toBe(rows);
    },
  );
});

describe("compaction", () => {
  const ports: MessagePort[] = [];
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const port of ports.splice(0)) port.close();
  });

  function bed(rows: readonly number[]) {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const asked: ToSealer[] = [];
    port2.on("message", (message: ToSealer) => asked.push(message));
    const committed: CompactedSegment[] = [];
    const warnings: string[] = [];
    const state = {
      hot: new Set<number>(),
      isSealing: false,
      full: false,
      metas: metasOf(rows),
      nextId: 100,
      ms: 0,
    };
    const segments = {
      get metas() {
        return state.metas;
      },
      get isSealing() {
        return state.isSealing;
      },
      hotIds: () => state.hot,
      takeId: () => state.nextId++,
    } as unknown as Segments;
    const compaction = new Compaction({
      clock: { nowUs: () => 0n, monotonicMs: () => state.ms },
      segments,
      sealer: port1,
      bounds: anySpan,
      isDiskFull: () => state.full,
      warn: (message) => warnings.push(message),
    });
    const { leaving } = compaction;
    compaction.onMerged = (segment) => committed.push(segment);
    /** Lets messages through. */
    const settle = async () => {
      for (let turn = 0; turn < 20; turn++) await nextTurn();
    };
    const answer = async (failure: MillraceError | null = null) => {
      await settle();
      const asking = asked.at(-1) as Merging;
      const { segmentId, sources } = asking;
      const meta = metaOf(segmentId, sources[0]?.firstSequence ?? 0n, 400, 0n);
      const message: FromSealer = failure
        ? { type: "compacted", segmentId, failure: packFailure(failure) }
        : { type: "compacted", segmentId, sealed: { meta, columns: [] } };
      port2.postMessage(message);
      await settle();
    };
    const pass = async (ms: number) => {
      vi.advanceTimersByTime(ms);
      await settle();
    };
    return { state, compaction, leaving, asked, committed, warnings, settle, answer, pass };
  }

  test("asks the sealer, commits what comes back, and counts", async () => {
    const { compaction, asked, committed, leaving, settle, answer } = bed([100, 100, 100, 100]);
    compaction.look();
    compaction.look();
    await settle();
    expect(asked.length, "one at a time").toBe(1);
    expect(compaction.stats().running).toEqual([1, 2, 3, 4]);
    await answer();
    expect(committed[0]?.sources.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect([...leaving]).toEqual([1, 2, 3, 4]);
    expect([1, 4, 5, 100].map((id) => compaction.replaces(id))).toEqual([true, true, false, false]);
    compaction.committed(committed[0] as CompactedSegment);
    expect(compaction.replaces(1)).toBe(false);
    expect(compaction.stats()).toEqual({
      compactions: 1,
      segments: 4,
      rows: 400,
      bytesBefore: 6400,
      bytesAfter: 6400,
      failures: 0,
      running: [],
    });
    compaction.stop();
  });

  test("what retention drops meanwhile does not come back", async () => {
    const { state, compaction, committed, leaving, answer } = bed([100, 100, 100, 100]);
    compaction.look();
    leaving.add(1);
    await answer();
    expect(committed, "the drop is on its way").toEqual([]);
    leaving.clear();
    compaction.stop();

    const second = bed([100, 100, 100, 100, 100]);
    second.compaction.look();
    second.state.metas = second.state.metas.slice(1);
    await second.answer(new CorruptionError("column_corrupt", "segment 1: it is missing"));
    expect(second.committed, "the drop is done").toEqual([]);
    expect(second.warnings, "a missing source is no damage then").toEqual([]);
    expect(second.compaction.stats().failures).toBe(0);
    second.compaction.stop();
    expect(state.nextId, "ids are not used twice").toBe(101);
  });

  test("waits for slots that are being sealed, for room on the disk, and leaves hot segments alone", async () => {
    const { state, compaction, asked, settle } = bed([100, 100, 100, 100]);
    state.isSealing = true;
    compaction.look();
    state.isSealing = false;
    state.full = true;
    compaction.look();
    state.full = false;
    state.hot.add(4);
    compaction.look();
    await settle();
    expect(asked).toEqual([]);
    state.hot.clear();
    compaction.look();
    await settle();
    expect(asked.length).toBe(1);
    compaction.stop();
  });

  test("a damaged source is told once and not tried again, the others are", async () => {
    const { compaction, asked, committed, warnings, settle, answer, pass } = bed([9, 9, 9, 9, 9]);
    compaction.look();
    await answer(
      new CorruptionError("column_corrupt", "segment 1: its checksum is wrong", { segmentId: 1 }),
    );
    expect(committed).toEqual([]);
    expect(warnings).toEqual(["5 segments could not be merged: segment 1: its checksum is wrong"]);
    compaction.look();
    await settle();
    expect(asked.length, "it rests").toBe(1);
    expect(compaction.stats().failures).toBe(1);
    await pass(1000);
    expect(idsOf((asked.at(-1) as Merging).sources)).toEqual([2, 3, 4, 5]);
    await answer(new LimitError("compaction_memory", "too large together"));
    await pass(2000);
    expect(asked.length, "none of them is tried again").toBe(2);
    compaction.stop();
  });
});

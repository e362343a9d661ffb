import { describe, expect, it } from "vitest";
import { Scratch } from "../../src/query/columns/scratch.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import { EventTime, timeTableSize } from "../../src/stream/event-time.ts";
import { noWatermark, type TimedChunk } from "../../src/stream/timed-chunk.ts";
import { OracleTime, type TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { QueryBed, writeSegment } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import {
  makeStream,
  rowsOf,
  type StreamShape,
  type StreamStep,
} from "../support/random-streams.ts";

const rules: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 150,
  rows: 60,
  sources: 6,
  paceUs: 3_000_000,
  disorderUs: 8_000_000,
  rules,
};
const mib = 1024 * 1024;

/** The watermark of each row, and the last one, the plain way. */
function plain(steps: readonly StreamStep[], timeRules: TimeRules) {
  const time = new OracleTime(timeRules);
  const watermarks: bigint[] = [];
  for (const step of steps) {
    if (step.kind === "tick") time.tick(step.receivedAtUs);
    else for (const row of step.rows) watermarks.push(judge(time, row));
  }
  return { watermarks, time };
}

function judge(time: OracleTime, row: OracleRow): bigint {
  const source = row.cells.get("source");
  const name = typeof source === "string" ? source : null;
  return time.row(name, row.timestampUs, row.receivedAtUs).watermarkUs ?? noWatermark;
}

class TimeBed {
  readonly bed = new QueryBed(64 * mib, 16 * mib);
  readonly scratch: Scratch;
  readonly #table: number;

  constructor(sourcesMax = 2048) {
    this.#table = this.bed.take(timeTableSize(this.bed.core, sourcesMax) + 64);
    const memory = this.bed.take(8 * mib);
    this.scratch = new Scratch(memory, 8 * mib);
  }

  open(timeRules: TimeRules): EventTime {
    return new EventTime(this.bed.core, { table: this.#table, ...timeRules });
  }

  /** The rows of all steps in segments of random lengths, as a hot slot or as stored ones. */
  segments(random: () => number, rows: readonly OracleRow[]): Segment[] {
    const segments: Segment[] = [];
    for (let from = 0; from < rows.length; ) {
      const to = Math.min(rows.length, from + 1 + Math.floor(random() * 9000));
      const stored = random() < 0.5;
      segments.push(writeSegment(this.bed, segments.length, rows.slice(from, to), { stored }));
      from = to;
    }
    return segments;
  }
}

/** W of each row of a chunk, which `crossing` knows. */
function watermarksOf(bed: TimeBed, chunk: TimedChunk): bigint[] {
  const out: bigint[] = [];
  for (let row = chunk.first; row < chunk.end; ) {
    // The greatest watermark that has come at this row: rows up to the next crossing have the same.
    let [low, high] = [noWatermark, chunk.watermarkAfterUs];
    while (low < high) {
      const middle = low + (high - low + 1n) / 2n;
      if (chunk.crossing(middle, row) === row) low = middle;
      else high = middle - 1n;
    }
    const next = chunk.crossing(low + 1n, row);
    for (; row < next; row++) out.push(low);
  }
  bed.scratch.reset();
  return out;
}

interface Play {
  readonly timeRules: TimeRules;
  readonly seed: number;
  /** Chance of a restart between two chunks. */
  readonly restarts: number;
  readonly chunk: number;
}

/** Plays all steps in chunks of random lengths; ticks are where they are among the rows. */
function play(bed: TimeBed, steps: readonly StreamStep[], options: Play) {
  const random = mulberry32(options.seed);
  const rows = rowsOf(steps);
  const segments = bed.segments(random, rows);
  const ticks = new Map<number, bigint>();
  let count = 0;
  for (const step of steps) {
    if (step.kind === "tick") ticks.set(count, step.receivedAtUs);
    else count += step.rows.length;
  }
  let time = bed.open(options.timeRules);
  const watermarks: bigint[] = [];
  const bounds: [bigint, bigint][] = [];
  let before = 0;
  for (const segment of segments) {
    for (let first = 0; first < segment.rows; ) {
      const at = before + first;
      const tick = ticks.get(at);
      if (tick !== undefined) time.tick(tick);
      let end = Math.min(segment.rows, first + 1 + Math.floor(random() * options.chunk));
      for (const other of ticks.keys()) {
        if (other > at && other - before < end) end = other - before;
      }
      const chunk = time.chunk(segment, first, end, bed.scratch);
      bounds.push([chunk.minUs, chunk.maxUs]);
      const times = rows.slice(at, before + end).map(({ timestampUs }) => timestampUs);
      expect(chunk.minUs).toBe(times.reduce((a, b) => (b < a ? b : a)));
      expect(chunk.maxUs).toBe(times.reduce((a, b) => (b > a ? b : a)));
      watermarks.push(...watermarksOf(bed, chunk));
      if (random() < options.restarts) {
        const bytes = time.encode();
        time = bed.open(options.timeRules);
        time.restore(bytes);
        expect(Buffer.compare(time.encode(), bytes)).toBe(0);
      }
      first = end;
    }
    before += segment.rows;
  }
  return { watermarks, time };
}

describe("event time", () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    "gives the watermarks of the plain way, seed %i",
    (seed) => {
      const random = mulberry32(seed);
      const sources = [1, 2, 6, 40][seed % 4] as number;
      const sourcesMax = seed % 3 === 0 ? 3 : 64;
      const timeRules = { ...rules, sourcesMax };
      const steps = makeStream(random, { ...usual, sources, rules: timeRules });
      const want = plain(steps, timeRules);
      const bed = new TimeBed();
      for (const [chunk, restarts] of [
        [20_000, 0],
        [200, 0.3],
        [3, 0.02],
      ] as const) {
        const got = play(bed, steps, { timeRules, seed, restarts, chunk });
        expect(got.watermarks).toEqual(want.watermarks);
        const last = rowsOf(steps).at(-1)?.receivedAtUs ?? 0n;
        for (const later of [0n, 5_000_000n, 10_000_000n, 10_000_001n, 60_000_000n]) {
          got.time.tick(last + later);
          want.time.tick(last + later);
          expect(got.time.watermarkUs()).toBe(want.time.watermarkUs);
        }
        want.time.watermarkUs = plain(steps, timeRules).time.watermarkUs;
      }
    },
  );

  it("keeps up with many sources", () => {
    const timeRules = { ...rules, sourcesMax: 1500 };
    const shape = { ...usual, records: 60, rows: 200, sources: 2000, rules: timeRules };
    const steps = makeStream(mulberry32(99), shape);
    const want = plain(steps, timeRules);
    const got = play(new TimeBed(), steps, { timeRules, seed: 5, restarts: 0.1, chunk: 500 });
    expect(got.watermarks).toEqual(want.watermarks);
    expect(got.time.sourceCount).toBeGreaterThan(1000);
  });

  it("tells of its sources: those ahead, then those furthest behind", () => {
    const bed = new TimeBed();
    const time = bed.open({ ...rules, sourcesMax: 3 });
    const at = 1_790_000_000_000_000n;
    const send = (source: string | null, timestampUs: bigint, receivedAtUs: bigint): void => {
      const cells = new Map(source === null ? [] : [["source", source]]);
      const id = "00000000-0000-4000-8000-000000000000";
      const row = { sequence: 0n, timestampUs, receivedAtUs, latenessUs: 0n, id, cells };
      const segment = writeSegment(bed.bed, 0, [row], { stored: false });
      time.chunk(segment, 0, 1, bed.scratch);
    };
    send("behind", at - 5_000_000n, at);
    send("ahead", at + 60_000_002n, at + 1n);
    send("ahead", at + 60_000_000n, at + 2n);
    send("usual ü", at, at + 3n);
    send(null, at - 1n, at + 4n);
    send("beyond", at - 7_000_000n, at + 5n);
    time.tick(at + 10_000_000n);
    const others = {
      watermarkUs: at - 7_000_000n,
      receivedAtUs: at + 5n,
      idle: false,
      futureRows: 0,
    };
    const behind = { watermarkUs: at - 5_000_000n, receivedAtUs: at, idle: true, futureRows: 0 };
    const ahead = {
      watermarkUs: at + 60_000_000n,
      receivedAtUs: at + 2n,
      idle: false,
      futureRows: 1,
    };
    const check = (): void => {
      expect(time.sources(3)).toEqual([
        { source: "ahead", ...ahead },
        { source: "(others)", ...others },
        { source: "behind", ...behind },
      ]);
      expect(time.sources(10).map(({ source }) => source)).toEqual([
        "ahead",
        "(others)",
        "behind",
        null,
        "usual ü",
      ]);
      expect(time.sourceCount).toBe(5);
      expect(time.futureRows).toBe(1);
    };
    check();
    const bytes = time.encode();
    time.restore(bytes);
    check();
    // With fewer sources the others share a mark, which is that of the latest.
    const fewer = bed.open({ ...rules, sourcesMax: 1 });
    fewer.restore(bytes);
    expect(fewer.sources(10).map(({ source }) => source)).toEqual(["(others)", "behind", null]);
    expect(fewer.sources(1)).toEqual([{ source: "(others)", ...ahead, receivedAtUs: at + 5n }]);
  });

  it("refuses what it has not written", () => {
    const time = new TimeBed().open(rules);
    const bytes = time.encode();
    expect(() => time.restore(bytes.slice(0, 20))).toThrow(/got 20 bytes/);
    for (const [at, message] of [
      [0, /magic/],
      [4, /version 2, want 1/],
      [20, /checksum/],
    ] as const) {
      const other = bytes.slice();
      other[at] = (other[at] ?? 0) ^ 3;
      expect(() => time.restore(other)).toThrow(message);
    }
    expect(time.watermarkUs()).toBe(noWatermark);
    time.restore(bytes);
  });
});

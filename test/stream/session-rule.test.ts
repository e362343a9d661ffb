import { describe, expect, it } from "vitest";
import { Scratch } from "../../src/query/columns/scratch.ts";
import type { Aggregate } from "../../src/query/query.ts";
import type { Segment } from "../../src/query/segments/source.ts";
import { Arena } from "../../src/stream/arena.ts";
import { EventTime, timeTableSize } from "../../src/stream/event-time.ts";
import type { Rule } from "../../src/stream/rule.ts";
import { RuleFilters } from "../../src/stream/rule-filters.ts";
import { SessionRule } from "../../src/stream/session-rule.ts";
import { noWatermark } from "../../src/stream/timed-chunk.ts";
import type { FinalWindow, TooLate, WindowRow } from "../../src/stream/window-row.ts";
import { OracleTime, type TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { QueryBed, writeSegment } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { makeStream, rowsOf, type StreamStep } from "../support/random-streams.ts";
import { type SlowSession, slowSessions } from "../support/slow-sessions.ts";

const mib = 1024 * 1024;
const timeRules: TimeRules = {
  sourcesMax: 64,
  maxSkewUs: 60_000_000n,
  idleTimeoutUs: 10_000_000n,
};
const second = 1_000_000n;

const path = (of: string, type: "number" | "string") => ({ kind: "path", path: of, type }) as const;
const aggregate = (fn: Aggregate["fn"], of: Aggregate["of"]): Aggregate => ({
  fn,
  of,
  filter: null,
  type: "number",
  parameters: [],
});

function makeRule(over: Partial<Rule> = {}): Rule {
  return {
    number: 1,
    id: "0199aaaa-0000-7000-8000-000000000001",
    name: "visits",
    version: 1,
    where: null,
    window: { kind: "session", gapUs: 4n * second },
    keys: [{ of: path("user_id", "string"), as: "user" }],
    aggregates: [
      aggregate("sum", path("properties.small", "number")),
      aggregate("count_distinct", path("event_type", "string")),
    ],
    values: [
      { of: { kind: "aggregate", aggregate: 0, type: "number" }, as: "total" },
      { of: { kind: "aggregate", aggregate: 1, type: "number" }, as: "kinds" },
    ],
    allowedLatenessUs: 3n * second,
    retentionUs: null,
    tiers: [],
    groupsMax: 1000,
    windowsMax: 1000,
    ...over,
  };
}

class RuleBed {
  readonly bed = new QueryBed(64 * mib, 32 * mib);
  readonly #table = this.bed.take(timeTableSize(this.bed.core, 2048) + 64);
  readonly #timeScratch = new Scratch(this.bed.take(4 * mib), 4 * mib);
  readonly arena = new Arena(this.bed.take(16 * mib), 16 * mib);
  readonly filters = new RuleFilters(this.bed.state.run, this.bed.state.found, this.arena);
  readonly directory = new Map<string, number>();
  finals: FinalWindow[] = [];
  late: TooLate[] = [];

  time(): EventTime {
    return new EventTime(this.bed.core, { table: this.#table, ...timeRules });
  }

  open(rule: Rule): SessionRule {
    const { directory } = this;
    const idOf = (key: Uint8Array): number => {
      const text = Buffer.from(key).toString("latin1");
      const id = directory.get(text) ?? directory.size + 1;
      directory.set(text, id);
      return id;
    };
    return new SessionRule({
      rule,
      run: this.bed.state.run,
      cells: this.bed.state.cells,
      arena: this.arena,
      filters: this.filters,
      directory: {
        idOf,
        find: () => 0,
        all: () => [],
        keyOf: () => new Uint8Array(0),
        count: 0,
      },
      sink: {
        final: (_, window) => this.finals.push(window),
        tooLate: (_, late) => this.late.push(late),
      },
    });
  }

  /** Rows [first, end) of a segment. */
  take(rule: SessionRule, time: EventTime, segment: Segment, first: number, end: number): void {
    const chunk = time.chunk(segment, first, end, this.#timeScratch);
    const near = this.filters.enter(chunk);
    rule.add(near);
    this.filters.leave();
    this.#timeScratch.reset();
  }
}

interface Play {
  readonly seed: number;
  readonly chunk: number;
  /** Chance of a restart after a chunk. */
  readonly restarts: number;
}

/** Everything in chunks of random lengths. */
function play(steps: readonly StreamStep[], definition: Rule, { seed, chunk, restarts }: Play) {
  const bed = new RuleBed();
  const random = mulberry32(seed);
  const rows = rowsOf(steps);
  const ticks = new Map<number, bigint>();
  let count = 0;
  for (const step of steps) {
    if (step.kind === "tick") ticks.set(count, step.receivedAtUs);
    else count += step.rows.length;
  }
  let time = bed.time();
  let rule = bed.open(definition);
  let parts = new Map<string, { key: Uint8Array; bytes: Uint8Array }>();
  for (let from = 0, id = 0; from < rows.length; id++) {
    const to = Math.min(rows.length, from + 1 + Math.floor(random() * 3000));
    const segment = writeSegment(bed.bed, id, rows.slice(from, to), { stored: random() < 0.5 });
    for (let first = 0; first < segment.rows; ) {
      const tick = ticks.get(from + first);
      if (tick !== undefined) {
        time.tick(tick);
        rule.advance(time.watermarkUs(), BigInt(from + first));
      }
      let end = Math.min(segment.rows, first + 1 + Math.floor(random() * chunk));
      for (const at of ticks.keys()) if (at > from + first && at - from < end) end = at - from;
      bed.take(rule, time, segment, first, end);
      first = end;
      if (random() < restarts * 3) {
        for (const { key, bytes } of rule.dirtyParts()) {
          const text = Buffer.from(key).toString("hex");
          if (bytes === null) parts.delete(text);
          else parts.set(text, { key, bytes });
        }
        if (random() < 0.3) {
          const bytes = time.encode();
          time = bed.time();
          time.restore(bytes);
          rule.close();
          expect(bed.arena.used).toBeLessThan(64 * 1024);
          rule = bed.open(definition);
          rule.restore([...parts.values()]);
          if (random() < 0.5) parts = new Map([...parts]);
        }
      }
    }
    from = to;
  }
  rule.advance(time.watermarkUs(), BigInt(rows.length));
  return { bed, rule, finals: bed.finals, late: bed.late, open: rule.open(0n), stats: rule.stats };
}

/** What each row is judged by, and the last of all. */
function watermarks(steps: readonly StreamStep[]): { of: bigint[]; last: bigint } {
  const time = new OracleTime(timeRules);
  const of: bigint[] = [];
  for (const step of steps) {
    if (step.kind === "tick") time.tick(step.receivedAtUs);
    else
      for (const { cells, timestampUs, receivedAtUs } of step.rows) {
        const source = cells.get("source");
        const name = typeof source === "string" ? source : null;
        of.push(time.row(name, timestampUs, receivedAtUs).watermarkUs ?? noWatermark);
      }
  }
  return { of, last: time.watermarkUs ?? noWatermark };
}

/** The same from the slow twin. */
function expected(steps: readonly StreamStep[], rule: Rule) {
  const rows = rowsOf(steps);
  const keys = [...new Set(rows.map(userOf))];
  const { of, last } = watermarks(steps);
  const twin = slowSessions(
    rows.map((row, i) => ({
      group: keys.indexOf(userOf(row)) + 1,
      t: row.timestampUs,
      w: of[i] as bigint,
    })),
    {
      gapUs: (rule.window as { gapUs: bigint }).gapUs,
      latenessUs: rule.allowedLatenessUs,
      sessionsMax: rule.windowsMax,
      groupsMax: rule.groupsMax,
    },
    last,
  );
  const shown = (session: SlowSession): string => {
    const own = session.rows.map((r) => rows[r] as OracleRow);
    const sum = own.reduce((all, { cells }) => all + Number(cells.get("properties.small")), 0);
    const kinds = new Set(own.map(({ cells }) => cells.get("event_type"))).size;
    const late = own.filter(({ latenessUs }) => latenessUs > 0n).length;
    const user = session.group === 0 ? "other" : keys[session.group - 1];
    return `${session.start} ${session.end} ${user} ${own.length} ${late} ${session.revised} ${sum} ${kinds}`;
  };
  return {
    open: twin.open.map(shown).sort(),
    final: twin.final.map((one) => `${one.finalAt} ${shown(one)}`).sort(),
    tooLate: twin.tooLate.length,
    dropped: twin.dropped,
  };
}

function userOf({ cells }: OracleRow): string {
  return String(cells.get("user_id") ?? null);
}

function shownRow(row: WindowRow): string {
  const user = row.other ? "other" : String(row.group[0]);
  const { startUs, endUs, count, late, revised, values } = row;
  return `${startUs} ${endUs} ${user} ${count} ${late} ${revised} ${values.join(" ")}`;
}

/** Final sessions, with what the bytes of their states say. */
function shownFinals(finals: readonly FinalWindow[], directory: ReadonlyMap<string, number>) {
  const users = new Map([...directory].map(([key, id]) => [id, userOfKey(key)]));
  return finals.flatMap(({ startUs, endUs, finalAt, groups }) =>
    groups.map(({ groupId, count, late, revised, partial }) => {
      const view = new DataView(partial.buffer, partial.byteOffset, partial.byteLength);
      const user = groupId === 0 ? "other" : users.get(groupId);
      // The count's 9 bytes are before the sum, whose 49 are before the distinct texts. Late rows come last.
      const sum = view.getBigInt64(9 + 1, true);
      const kinds = view.getUint32(9 + 49 + 1, true);
      return `${finalAt} ${startUs} ${endUs} ${user} ${count} ${late} ${revised} ${sum} ${kinds}`;
    }),
  );
}

function userOfKey(key: string): string {
  return key.charCodeAt(0) === 0 ? "null" : key.slice(5);
}

describe("a session rule", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("has the sessions of the slow twin, seed %i", (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, {
      records: 60,
      rows: 40,
      sources: [1, 3, 8][seed % 3] as number,
      paceUs: 3_000_000,
      disorderUs: seed % 2 === 0 ? 12_000_000 : 3_000_000,
      rules: timeRules,
    });
    const tight = seed % 4 === 3;
    const rule = makeRule(tight ? { groupsMax: 4, windowsMax: 7 } : {});
    const want = expected(steps, rule);
    for (const [chunk, restarts] of [
      [5000, 0],
      [100, 0.3],
      [4, 0.05],
    ] as const) {
      const got = play(steps, rule, { seed: seed + chunk, chunk, restarts });
      const where = `seed ${seed}, chunks of ${chunk}`;
      expect(got.open.map(shownRow).sort(), where).toEqual(want.open);
      expect(shownFinals(got.finals, got.bed.directory).sort(), where).toEqual(want.final);
      const ends = got.finals.map(({ endUs }) => endUs);
      expect(ends).toEqual(ends.toSorted((a, b) => Number(a - b)));
      expect(got.late.reduce((sum, { count }) => sum + count, 0)).toBe(want.tooLate);
      expect(got.stats.dropped).toBe(want.dropped);
      got.rule.close();
      expect(got.bed.arena.used).toBeLessThan(64 * 1024);
    }
  });

  it("forgets keys and slots that have no session any more", () => {
    const random = mulberry32(99);
    const steps = makeStream(random, {
      records: 150,
      rows: 30,
      sources: 2,
      paceUs: 3_000_000,
      disorderUs: 3_000_000,
      rules: timeRules,
    }).map((step, n) =>
      step.kind === "tick"
        ? step
        : {
            ...step,
            rows: step.rows.map((row, i) => {
              const user = `user ${random() < 0.2 ? i % 3 : `${n} ${i % 8}`}`;
              return { ...row, cells: new Map(row.cells).set("user_id", user) };
            }),
          },
    );
    const rule = makeRule();
    const want = expected(steps, rule);
    const got = play(steps, rule, { seed: 7, chunk: 60, restarts: 0 });
    expect(got.bed.directory.size).toBeGreaterThan(500);
    expect(got.open.map(shownRow).sort()).toEqual(want.open);
    expect(shownFinals(got.finals, got.bed.directory).sort()).toEqual(want.final);
    expect(got.rule.stats.memoryBytes).toBeLessThan(256 * 1024);
  });
});

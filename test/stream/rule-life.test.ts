// What becomes of a rule besides its rows: it is watched, paused, replaced, recomputed, forgotten, asked for more.
import { describe, expect, it } from "vitest";
import { parseSql } from "../../src/query/sql/statement.ts";
import type { FromStream } from "../../src/stream/messages.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRow } from "../oracle/query.ts";
import { exampleRule } from "../support/example-rule.ts";
import { asRecord, type BedOptions, StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000n;
const time: TimeRules = {
  sourcesMax: 64,
  maxSkewUs: 3600n * second,
  idleTimeoutUs: 10n * second,
};
/** A minute's begin. */
const startUs = 1_790_000_040n * second;
const sql =
  "select user_id, count(*) as n, sum(properties.price) as total from events group by user_id";

function rule(more: Partial<Rule> = {}): Rule {
  return exampleRule(sql, more);
}

/** Events by seconds after the start, received then. */
class Story {
  readonly bed: StreamBed;
  #received = startUs;

  constructor(options: Partial<BedOptions> = {}) {
    this.bed = new StreamBed({ rules: time, ...options });
  }

  row(atSeconds: number, user: string, price = 1n): OracleRow {
    const timestampUs = startUs + BigInt(Math.round(atSeconds * 1e6));
    return {
      sequence: 0n,
      timestampUs,
      receivedAtUs: 0n,
      latenessUs: 0n,
      id: "018f3c5e-0000-7000-8000-000000000001",
      cells: new Map<string, string | bigint>([
        ["event_type", "x"],
        ["user_id", user],
        ["properties.price", price],
      ]),
    };
  }

  /** Rows of one record. */
  send(...rows: readonly [number, string, bigint?][]): this {
    const made = rows.map(([at, user, price]) => this.row(at, user, price));
    for (const { timestampUs } of made) {
      if (timestampUs > this.#received) this.#received = timestampUs;
    }
    this.bed.publish(made, this.#received);
    this.bed.take();
    return this;
  }
}

const brief = ({ startUs: from, group, values, count, state }: WindowRow): string =>
  `${Number(from - startUs) / 1e6} ${group.join()} ${values.join()} ${count} ${state}`;

function updates(told: readonly FromStream[]): string[] {
  return told.flatMap((one) => (one.type === "updates" ? one.rows.map(brief) : []));
}

describe("watchers", () => {
  it("get a snapshot, early results at their pace, and final ones when they are on disk", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"], [2, "b"]);
    const { rows } = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    expect(rows.map(brief).sort()).toEqual(["0 a 1,1 1 early", "0 b 1,1 1 early"]);
    story.send([3, "a"]);
    bed.told.length = 0;
    bed.pass(60);
    expect(updates(bed.told)).toEqual(["0 a 2,2 2 early"]);
    bed.told.length = 0;
    bed.pass(60);
    expect(updates(bed.told)).toEqual([]);
    story.send([61, "a"], [62, "a"]);
    bed.nowMs += 2000;
    bed.processor.attend();
    expect(updates(bed.told)).toEqual(["60 a 2,2 2 early"]);
    bed.told.length = 0;
    bed.flush();
    expect(updates(bed.told).sort()).toEqual(["0 a 2,2 2 final", "0 b 1,1 1 final"]);
    bed.ask({ type: "unwatch", rule: 1 });
    story.send([121, "a"]);
    bed.told.length = 0;
    bed.pass(2000);
    expect(updates(bed.told)).toEqual([]);
  });

  it("who resumes from any point is told all that is final since, and what is open", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"], [2, "b"]);
    const first = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    bed.ask({ type: "unwatch", rule: 1 });
    story.send([61, "a"], [121, "c"], [122, "d"]);
    bed.pass(2000);
    bed.restart();
    const { rows, asOf } = bed.ask({ type: "watch", watch: { rule: 1, since: first.asOf } });
    expect(rows.map(brief).sort()).toEqual([
      "0 a 1,1 1 final",
      "0 b 1,1 1 final",
      "120 c 1,1 1 early",
      "120 d 1,1 1 early",
      "60 a 1,1 1 final",
    ]);
    expect(asOf).toBe(bed.next);
    bed.ask({ type: "unwatch", rule: 1 });
    expect(bed.ask({ type: "watch", watch: { rule: 1, since: asOf } }).rows).toEqual([]);
  });

  it("who comes before a final window is on disk is told of it afterwards", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"], [61, "b"]);
    bed.pass(2000);
    story.send([62, "b"], [121, "c"], [122, "c"]);
    // Nobody has watched so far; the first minute is on disk, the second one final in memory alone.
    const first = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    expect(first.rows.map(brief)).toEqual(["0 a 1,1 1 final", "120 c 2,2 2 early"]);
    bed.ask({ type: "watch", watch: { rule: 1, since: first.asOf } });
    bed.told.length = 0;
    bed.pass(2000);
    expect(updates(bed.told)).toEqual(["60 b 2,2 2 final"]);
    const last = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    expect(last.rows.map(brief)).toEqual(["60 b 2,2 2 final", "120 c 2,2 2 early"]);
  });

  it("who resumes from before what retention has dropped is told what that was", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule({ retentionUs: 120n * second }));
    story.send([1, "a"], [61, "a"]);
    const { asOf } = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    bed.ask({ type: "unwatch", rule: 1 });
    const since = (sequence: bigint) => {
      const answer = bed.ask({ type: "watch", watch: { rule: 1, since: sequence } });
      bed.ask({ type: "unwatch", rule: 1 });
      return answer.lost;
    };
    story.send([121, "a"], [122, "a"]);
    bed.pass(2000);
    expect(since(asOf)).toBe(null);
    story.send([200, "b"], [300, "b"]);
    bed.pass(2000);
    bed.checkpoint();
    bed.restart();
    expect(since(asOf)).toMatchObject({ endUs: startUs + 180n * second });
    expect(since(bed.next)).toBe(null);
  });

  it("of a passing rule get final windows at once, and nothing of it is stored", () => {
    const story = new Story();
    const { bed } = story;
    bed.put({ ...asRecord(rule()), state: "passing" });
    bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    story.send([1, "a"], [61, "b"], [62, "b"]);
    bed.told.length = 0;
    bed.nowMs += 60;
    bed.processor.attend();
    expect(updates(bed.told).sort()).toEqual(["0 a 1,1 1 final", "60 b 2,2 2 early"]);
    bed.checkpoint();
    expect([bed.tables.values("rules"), bed.tables.values("windows")]).toEqual([[], []]);
    bed.restart();
    expect(() => bed.windows(1)).toThrow("there is no rule");
  });
});

describe("the life of a rule", () => {
  it("a paused one takes no rows, its windows end, and it is not complete any more", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"]);
    bed.put({ ...asRecord(rule()), paused: true });
    expect(bed.record(1)?.complete).toBe(true);
    story.send([2, "a"], [61, "a"]);
    bed.checkpoint();
    bed.restart();
    bed.put(asRecord(rule()));
    story.send([62, "b"]);
    expect(bed.windows(1).map(brief)).toEqual(["0 a 1,1 1 final", "60 b 1,1 1 early"]);
    expect(bed.record(1)?.complete).toBe(false);
  });

  it("a replaced version keeps its windows, open ones as they were", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"]);
    bed.put({ ...asRecord(rule()), state: "replaced" }, rule({ number: 2, version: 2 }));
    story.send([2, "b"], [61, "c"], [62, "c"]);
    bed.restart();
    bed.take();
    expect(bed.windows(1).map(brief)).toEqual(["0 a 1,1 1 final"]);
    expect(bed.windows(2).map(brief)).toEqual(["0 b 1,1 1 final", "60 c 2,2 2 early"]);
    bed.ask({ type: "rules", put: [], gone: [1] });
    bed.checkpoint();
    bed.restart();
    expect(() => bed.windows(1)).toThrow("there is no rule");
    const ready = bed.told.findLast((one) => one.type === "ready");
    expect(ready).toMatchObject({ nextNumber: 3 });
  });

  it("a rule without backfill begins where it is made", () => {
    const story = new Story();
    const { bed } = story;
    story.send([1, "a"]);
    bed.put(rule());
    story.send([2, "b"]);
    expect(bed.windows(1).map(brief)).toEqual(["0 b 1,1 1 early"]);
    expect(bed.record(1)?.fromSequence).toBe(1n);
  });

  it("one that is behind is told of and read as far as it is, and goes on after a restart", () => {
    const story = new Story({ chunkRows: 1 });
    const { bed } = story;
    for (let i = 0; i < 8; i++) story.send([i * 30, "a"]);
    const made = { ...asRecord(rule()), backfill: { from: 0n, next: 0n, until: 0n } };
    bed.processor.request(99, { type: "rules", put: [made], gone: [] });
    bed.checkpoint();
    bed.restart();
    const { rows } = bed.ask({ type: "watch", watch: { rule: 1, since: null } });
    expect(rows).toEqual([]);
    bed.told.length = 0;
    bed.take();
    bed.pass(2000);
    bed.pass(2000);
    expect(updates(bed.told).sort()).toEqual([
      "0 a 2,2 2 final",
      "120 a 2,2 2 final",
      "180 a 2,2 2 early",
      "60 a 2,2 2 final",
    ]);
    expect(bed.record(1)).toMatchObject({ backfill: null, complete: true, fromSequence: 0n });
  });

  it("what was too late is in a window that is computed again, and in those merged from it", () => {
    const story = new Story();
    const { bed } = story;
    const hour = { size: { months: 0, days: 0, us: 3600n * second }, retentionUs: null };
    bed.put(rule({ tiers: [hour] }));
    story.send([1, "a"], [2, "b"], [61, "a"], [3, "a", 5n], [4, "c", 7n]);
    const [late] = bed.windows(1, { limit: 1 });
    expect(late).toMatchObject({ count: 1, tooLate: 1, state: "final" });
    const answer = bed.ask({ type: "recompute", rule: 1, fromUs: startUs, toUs: startUs + 1n });
    expect(answer).toMatchObject({ windows: 1, folded: 2 });
    const rows = bed.windows(1);
    expect(rows.map(brief)).toEqual([
      "0 a 2,6 2 final",
      "0 b 1,1 1 final",
      "0 c 1,7 1 final",
      "60 a 1,1 1 early",
    ]);
    expect(rows.map(({ tooLate, revision }) => [tooLate, revision])).toEqual([
      [0, 1],
      [0, 0],
      [0, 1],
      [0, 0],
    ]);
    const hours = bed.windows(1, { tier: 1 });
    expect(hours.map(({ group, values }) => `${group} ${values}`).sort()).toEqual([
      "a 3,7",
      "b 1,1",
      "c 1,7",
    ]);
    bed.checkpoint();
    bed.restart();
    expect(bed.windows(1, { tier: 1 }).map(({ count }) => count)).toEqual(
      hours.map(({ count }) => count),
    );
  });

  it("windows are kept as long as they are to be", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule({ retentionUs: 3600n * second }));
    for (let minute = 0; minute < 300; minute++) story.send([minute * 60, "a"]);
    for (let i = 0; i < 10; i++) bed.checkpoint();
    const kept = bed.windows(1).length;
    // Whole blocks of 64 windows go.
    expect(kept).toBeGreaterThanOrEqual(60);
    expect(kept).toBeLessThanOrEqual(60 + 64 + 1);
  });
});

describe("reads", () => {
  it("by group, range, order and width", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    for (let i = 0; i < 12; i++) story.send([i * 30, i % 2 === 0 ? "a" : "b"]);
    const of = (group: string) => [{ key: 0, value: group }];
    expect(bed.windows(1, { groups: of("a"), limit: 2 }).map(brief)).toEqual([
      "0 a 1,1 1 final",
      "60 a 1,1 1 final",
    ]);
    expect(bed.windows(1, { groups: of("b"), descending: true, limit: 2 }).map(brief)).toEqual([
      "300 b 1,1 1 early",
      "240 b 1,1 1 final",
    ]);
    expect(bed.windows(1, { groups: of("z") })).toEqual([]);
    const from = startUs + 60n * second;
    const range = { fromUs: from, toUs: from + 60n * second };
    expect(bed.windows(1, range).map(({ startUs: at }) => at)).toEqual([from, from]);
    const wide = bed.windows(1, { widthUs: 180n * second });
    expect(wide.reduce((sum, { count }) => sum + count, 0)).toBe(12);
    expect(wide.at(-1)?.state).toBe("early");
  });

  it("of open windows look at no more of them than are asked for", () => {
    const story = new Story();
    const { bed } = story;
    const window = { kind: "hopping", originUs: null, zone: "UTC" } as const;
    const us = (seconds: number) => ({ months: 0, days: 0, us: BigInt(seconds) * second });
    bed.put(rule({ window: { ...window, size: us(60), slide: us(1) } }));
    for (let i = 0; i < 90; i++) story.send([i, i % 2 === 0 ? "a" : "b"]);
    const all = bed.windows(1);
    const back = all.toSorted((a, b) => Number(b.startUs - a.startUs));
    const starts = (rows: readonly WindowRow[]): bigint[] => rows.map(({ startUs: at }) => at);
    for (const limit of [1, 2, 7, 50, 150]) {
      expect(starts(bed.windows(1, { limit }))).toEqual(starts(all.slice(0, limit)));
      const last = bed.windows(1, { limit, descending: true });
      expect(starts(last)).toEqual(starts(back.slice(0, limit)));
    }
  });

  it("answers a query from windows as scanning does, or says why not", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    for (let i = 0; i < 12; i++) story.send([i * 30, i % 3 === 0 ? "a" : "b", BigInt(i)]);
    const ask = (text: string) =>
      bed.ask({ type: "rollup", question: { query: parseSql(text), rule: 1 } });
    const byUser = "select user_id, sum(properties.price) as total, count(*) as n from events";
    const { result, why } = ask(`${byUser} group by user_id order by 1`);
    expect(result?.rows, why).toEqual([
      ["a", 18, 4],
      ["b", 48, 8],
    ]);
    expect(ask("select count(*) from events").result?.rows).toEqual([[12]]);
    const minutes =
      "select time_bucket('2 minutes', timestamp) as t, count(*) as n from events group by 1 order by 1";
    expect(
      ask(minutes)
        .result?.rows.map(([, n]) => n)
        .reduce((a, b) => Number(a) + Number(b), 0),
    ).toBe(12);
    story.send([1, "a"]);
    const late = ask("select count(*) from events");
    expect(late).toMatchObject({ result: null, part: { asOf: 13n, rest: [{}] } });
    expect(late.why).toContain("too late");
    bed.ask({ type: "rules", put: [], gone: [1] });
    const removed = { result: null, part: null, why: "the rule was removed" };
    expect(ask("select count(*) from events")).toMatchObject(removed);
  });
});

describe("limits and trouble", () => {
  it("a clock that is ahead, windows and groups beyond the limits are told, once a minute", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule({ groupsMax: 1, windowsMax: 2, allowedLatenessUs: 3600n * second }));
    story.send([1, "a"], [2, "b"], [61, "a"], [121, "a"]);
    bed.publish([story.row(9000, "a")], startUs);
    bed.take();
    for (let i = 0; i < 8; i++) bed.pass(250);
    const said = bed.told.flatMap((one) => (one.type === "warning" ? [one.message] : []));
    expect(said.filter((message) => message.includes("clock is ahead"))).toHaveLength(1);
    expect(said.filter((message) => message.includes("open windows"))).toHaveLength(1);
    expect(said.filter((message) => message.includes('group "other"'))).toHaveLength(1);
    const stats = bed.told.findLast((one) => one.type === "stats");
    expect(stats?.stats.rules[0]).toMatchObject({ dropped: 2, overflowed: 1 });
    expect(bed.record(1)?.complete).toBe(false);
  });

  it("a damaged checkpoint is named and not used", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"]);
    bed.checkpoint();
    for (const value of bed.tables.values("stream")) value[value.length - 1] = 255;
    expect(() => bed.restart()).toThrow("checkpoint key 01");
  });

  it("counts what was left out as a duplicate once, whenever it ends", () => {
    const story = new Story();
    const { bed } = story;
    bed.put(rule());
    story.send([1, "a"], [2, "a"]);
    bed.leaveOut([startUs + second], startUs + 2n * second);
    bed.take();
    bed.checkpoint();
    bed.restart();
    bed.leaveOut([startUs + 2n * second, startUs + second], startUs + 2n * second);
    bed.take();
    bed.restart();
    bed.take();
    story.send([3, "a"]);
    expect(bed.windows(1)[0]).toMatchObject({ count: 3, duplicate: 3 });
  });

  it("says how far it is, and commits no more often than it must", () => {
    const story = new Story({ checkpointIntervalMs: 1000 });
    const { bed } = story;
    bed.put(rule());
    for (let i = 0; i < 20; i++) {
      story.send([i, "a"]);
      bed.pass(250);
    }
    expect(bed.reflected.length).toBeLessThanOrEqual(8);
    for (let i = 0; i < 20; i++) bed.pass(250);
    const committed = bed.reflected.length;
    for (let i = 0; i < 20; i++) bed.pass(250);
    expect(bed.reflected.length).toBe(committed);
    expect(bed.reflected.at(-1)).toBe(bed.next);
    const stats = bed.told.findLast((one) => one.type === "stats");
    expect(stats?.stats).toMatchObject({ next: "20", checkpoint: "20", sourceCount: 1 });
  });
});

it("more states than are merged at a time are read piece by piece", () => {
  const story = new Story();
  story.bed.put(exampleRule("select max(user_id) as most, count(*) as n from events"));
  const texts = Array.from({ length: 30 }, (_, i) => `${i}${"x".repeat(60_000)}`);
  for (const [i, text] of texts.entries()) story.send([i * 60, text]);
  story.send([7200, "last"]);
  const rows = story.bed.windows(1);
  expect(rows.map(({ values }) => values)).toEqual([...texts, "last"].map((text) => [text, 1]));
  expect(rows.filter(({ state }) => state === "final").length).toBeGreaterThan(25);
});

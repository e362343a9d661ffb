// What random-windows.test.ts doesn't reach: limits, what is open since a sequence, and chunks of many panes.

import { describe, expect, it } from "vitest";
import { LimitError } from "../../src/errors.ts";
import { Arena } from "../../src/stream/arena.ts";
import { PaneRule } from "../../src/stream/pane-rule.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { FinalWindow, TooLate } from "../../src/stream/window-row.ts";
import type { OracleRow } from "../oracle/query.ts";
import { exampleRule } from "../support/example-rule.ts";
import { writeSegment } from "../support/query-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { MadeDirectory, RuleBed } from "../support/rule-bed.ts";

const second = 1_000_000n;
const startUs = 1_790_000_040_000_000n;
const timeRules = { sourcesMax: 8, maxSkewUs: 1_000_000n * second, idleTimeoutUs: 3600n * second };

const bed = new RuleBed();
let segmentId = 100_000;

/** A rule that takes rows in chunks, and what left it. */
class Taken {
  readonly finals: FinalWindow[] = [];
  readonly tooLate: TooLate[] = [];
  readonly directory = new MadeDirectory();
  readonly state: PaneRule;
  readonly #time = bed.time(timeRules);
  readonly #context;
  #next = 0;

  /** `room`: bytes of an arena of its own. */
  constructor(rule: Rule, room = 0) {
    const context = bed.context(rule, this.directory, {
      final: (_, window) => this.finals.push(window),
      tooLate: (_, late) => this.tooLate.push(late),
    });
    this.#context = room > 0 ? { ...context, arena: new Arena(bed.bed.take(room), room) } : context;
    this.state = new PaneRule(this.#context);
  }

  /** Rows at so many seconds, of one source, each with its user, in one chunk. */
  take(rows: readonly (readonly [number, string])[]): void {
    const made = rows.map(([seconds, user]): OracleRow => {
      const timestampUs = startUs + BigInt(Math.round(seconds * 1e6));
      const cells = new Map([
        ["source", "s"],
        ["user_id", user],
      ]);
      const sequence = BigInt(this.#next++);
      const id = "00000000-0000-4000-8000-000000000000";
      return { sequence, timestampUs, receivedAtUs: startUs, latenessUs: 0n, id, cells };
    });
    const segment = writeSegment(bed.bed, segmentId++, made, { stored: false });
    const { scratch } = bed.bed.state.run;
    const mark = scratch.mark();
    const { filters } = this.#context;
    const chunk = this.#time.chunk(segment, 0, made.length, scratch as never);
    try {
      this.state.add(filters.enter(chunk));
    } finally {
      filters.leave();
      scratch.release(mark);
    }
  }

  get used(): number {
    return this.#context.arena.used;
  }

  /** start of each final window in seconds, and its counts by group number. */
  counts(): string[] {
    return this.finals.map(({ startUs: at, groups }) => {
      const shown = groups.map(({ groupId, count, revised }) => `${groupId}:${count}/${revised}`);
      return `${(at - startUs) / second}s ${shown.sort().join(" ")}`;
    });
  }
}

const us = (seconds: number) => ({ months: 0, days: 0, us: BigInt(seconds) * second });
const tens = { originUs: null, zone: "UTC" } as const;
const tumbling: Rule["window"] = { ...tens, kind: "tumbling", size: us(10) };
const hopping: Rule["window"] = { ...tens, kind: "hopping", size: us(20), slide: us(10) };

function rule(more: Partial<Rule> = {}): Rule {
  const sql = "SELECT user_id, count(*) AS n FROM events GROUP BY user_id";
  return exampleRule(sql, { window: tumbling, ...more });
}

describe("limits of a rule", () => {
  it("puts groups beyond the limit into other, and forgets their keys", () => {
    const taken = new Taken(rule({ groupsMax: 3 }));
    taken.take([
      [1, "a"],
      [2, "b"],
    ]);
    for (let n = 0; n < 40; n++) {
      taken.take(Array.from({ length: 200 }, (_, i) => [3, i === 0 ? "a" : `user ${n} ${i}`]));
    }
    const { memoryBytes } = taken.state.stats;
    for (let n = 0; n < 200; n++) {
      taken.take(Array.from({ length: 200 }, (_, i) => [4, i === 1 ? "b" : `more ${n} ${i}`]));
    }
    expect(taken.state.stats.memoryBytes).toBe(memoryBytes);
    expect(taken.state.stats.openGroups).toBe(4);
    expect(taken.state.stats.overflowed).toBe(240 * 199 - 1);
    const rows = taken.state.open(0n);
    expect(rows.filter(({ other }) => !other).map(({ group }) => group[0])).toEqual([
      "a",
      "b",
      "user 0 1",
    ]);
    expect(rows.map(({ count }) => count)).toEqual([41, 201, 1, 240 * 199 - 1]);
    taken.take([[30, "a"]]);
    taken.take([[31, "a"]]);
    expect(taken.counts()).toEqual([`0s 0:${240 * 199 - 1}/0 1:41/0 2:201/0 3:1/0`]);
    taken.state.close();
  });

  it.each([1, 2, 3])("keeps the groups that came first, in chunks of any size, seed %i", (seed) => {
    const random = mulberry32(seed);
    const users = seed === 1 ? 40 : 9000;
    const groupsMax = seed === 1 ? 7 : 3000;
    const user = (): string => `user ${Math.floor(random() * users)}`;
    // Beginning with one that a dictionary has last, and in two windows at once.
    const count = seed === 1 ? 600 : 12_000;
    const rows = Array.from({ length: count }, (_, i): [number, string] => [
      random() < 0.5 ? 1 : 11,
      i < 2 ? "zz" : user(),
    ]);
    const firsts = [0, 10].map((at) => {
      const seen = new Set<string>();
      const counts = new Map<string | null, number>();
      for (const [seconds, name] of rows) {
        if (Math.floor(seconds / 10) * 10 !== at) continue;
        if (seen.size < groupsMax) seen.add(name);
        const key = seen.has(name) ? name : null;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    });
    const sizes = [1 + Math.floor(random() * 30), 2500, rows.length];
    for (const keys of [["user_id"], ["source", "user_id"]]) {
      for (const size of sizes.slice(seed === 1 ? 0 : 1)) {
        const sql = `SELECT ${keys.join()}, count(*) AS n FROM events GROUP BY ${keys.join()}`;
        const mark = bed.bed.mark();
        const taken = new Taken(
          exampleRule(sql, { window: tumbling, groupsMax, allowedLatenessUs: 60n * second }),
        );
        for (let from = 0; from < rows.length; from += size) {
          taken.take(rows.slice(from, from + size));
        }
        const open = taken.state.open(0n);
        for (const [i, want] of firsts.entries()) {
          const own = open.filter(({ startUs: at }) => at === startUs + BigInt(i * 10) * second);
          const got = own.map(({ group, count }) => [group.at(-1) ?? null, count] as const);
          const context = `${keys.join()}, chunks of ${size}`;
          expect(new Map(got), context).toEqual(want);
          expect(got.length, context).toBe(want.size);
        }
        taken.state.close();
        bed.bed.release(mark);
      }
    }
  });

  it("keeps to the limit where panes of a hopping window have other groups", () => {
    const taken = new Taken(rule({ groupsMax: 2, window: hopping }));
    taken.take([
      [1, "a"],
      [2, "b"],
      [11, "c"],
      [12, "d"],
      [13, "e"],
      [40, "z"],
      [40, "z"],
    ]);
    expect(taken.counts()).toEqual([
      "-10s 1:1/0 2:1/0",
      "0s 0:3/0 1:1/0 2:1/0",
      "10s 0:1/0 3:1/0 4:1/0",
    ]);
    taken.state.close();
  });

  it("drops and counts rows of windows beyond the limit, until one is final", () => {
    const made = rule({ windowsMax: 2, allowedLatenessUs: 15n * second });
    // W before a row is the greatest time before it. Windows 0 and 10 are open until it is 25 and 35.
    const times = [0, 9, 10, 20, 21, 26, 27, 11, 36, 37, 60, 61];
    const rows = times.map((at): [number, string] => [at, "a"]);
    for (const size of [1, 2, 5, rows.length]) {
      const taken = new Taken(made);
      for (let from = 0; from < rows.length; from += size) {
        taken.take(rows.slice(from, from + size));
      }
      expect(taken.counts()).toEqual(["0s 1:2/0", "10s 1:2/1", "20s 1:1/0", "30s 1:1/0"]);
      // 20, 21, 26, 36 and 60.
      const want = { rows: rows.length, dropped: 5, tooLate: 0, openWindows: 1 };
      expect(taken.state.stats).toMatchObject(want);
      taken.state.close();
    }
  });
});

describe("open windows", () => {
  it("are told as of a sequence, those whose end W has passed as a whole", () => {
    const taken = new Taken(rule({ allowedLatenessUs: 5n * second }));
    const told = (since: bigint): string[] =>
      taken.state.open(since).map(({ group, count, state, changedAt, revision }) => {
        return `${group[0]} ${count} ${state} ${changedAt} ${revision}`;
      });
    taken.take([
      [1, "a"],
      [2, "b"],
      [3, "a"],
    ]);
    expect(told(0n)).toEqual(["a 2 early 3 0", "b 1 early 2 0"]);
    taken.take([[4, "b"]]);
    expect(told(3n)).toEqual(["b 2 early 4 0"]);
    taken.take([
      [10, "c"],
      [10, "c"],
    ]);
    expect(told(4n)).toEqual(["a 2 on_time 6 0", "b 2 on_time 6 0", "c 2 early 6 0"]);
    taken.take([[5, "a"]]);
    expect(told(6n)).toEqual(["a 3 revised 7 1"]);
    expect(told(7n)).toEqual([]);
    taken.state.close();
  });
});

describe("a chunk that there is no room for", () => {
  it.each([2, 3, 4, 6])("leaves the rule as it was before it, seed %i", (seed) => {
    const random = mulberry32(seed);
    const sql = "SELECT user_id, approx_count_distinct(source) AS n FROM events GROUP BY user_id";
    const window = seed % 2 === 0 ? hopping : tumbling;
    const memory = bed.bed.mark();
    const taken = new Taken(
      exampleRule(sql, { window, allowedLatenessUs: 100n * second }),
      (seed % 2 === 0 ? 6 : 3) * 1024 * 1024,
    );
    const now = () => {
      const { stats } = taken.state;
      const known = { finals: [...taken.finals], late: [...taken.tooLate], stats };
      try {
        return { ...known, open: taken.state.open(0n) };
      } catch (error) {
        // Panes are merged in the same room.
        if (!(error instanceof LimitError)) throw error;
        return known;
      }
    };
    let refused = 0;
    let at = 1;
    for (let n = 0; n < 150; n++) {
      const before = now();
      const made = Array.from(
        { length: 1 + Math.floor(random() * (seed % 2 === 0 ? 40 : 14)) },
        (): [number, string] => {
          at += random() * 0.4;
          return [
            Math.max(0, at - random() * (seed % 2 === 0 ? 20 : 1)),
            `user ${Math.floor(random() * 60)}`,
          ];
        },
      );
      try {
        taken.take(made);
        expect(taken.state.stats.rows).toBe(before.stats.rows + made.length);
      } catch (error) {
        if (!(error instanceof LimitError)) throw error;
        refused++;
        const { memoryBytes: _, ...stats } = before.stats;
        expect(now()).toMatchObject({ ...before, stats });
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(taken.finals.length).toBeGreaterThan(0);
    taken.state.close();
    expect(taken.used).toBe(0);
    bed.bed.release(memory);
  });
});

describe("chunks", () => {
  it("of very many panes hold few of them at once, and give the same", () => {
    const random = mulberry32(11);
    const rows = Array.from({ length: 4000 }, (_, i): [number, string] => {
      return [i * 3 - Math.floor(random() * 40), `user ${i % 3}`];
    });
    const used = bed.arenaUsed;
    // One after the other: they share the table of times.
    const whole = new Taken(rule());
    whole.take(rows);
    const parts = new Taken(rule());
    for (let from = 0; from < rows.length; from += 37) parts.take(rows.slice(from, from + 37));
    expect(whole.finals.length).toBeGreaterThan(900);
    expect(whole.counts()).toEqual(parts.counts());
    const late = ({ tooLate }: Taken) => {
      const sums = new Map<string, number>();
      for (const { startUs: at, groupId, count } of tooLate) {
        const key = `${at} ${groupId}`;
        sums.set(key, (sums.get(key) ?? 0) + count);
      }
      return [...sums].sort();
    };
    expect(late(whole).length).toBeGreaterThan(100);
    expect(whole.state.stats).toEqual(parts.state.stats);
    whole.state.close();
    parts.state.close();
    expect(bed.arenaUsed).toBe(used);
  });

  it("of more panes than there is room for selections are taken in pieces", () => {
    const random = mulberry32(12);
    // Each row in a pane of its own, most of them final already or open beyond the limit.
    const rows = Array.from({ length: 12_000 }, (): [number, string] => {
      return [Math.floor(random() * 1e5) * 10, "a"];
    });
    const used = bed.arenaUsed;
    for (const [window, allowedLatenessUs] of [
      [tumbling, 0n],
      [tumbling, 10_000_000n * second],
      [hopping, 10_000_000n * second],
    ] as const) {
      const taken = new Taken(rule({ window, allowedLatenessUs, windowsMax: 500 }));
      taken.take(rows);
      const { rows: count, tooLate, dropped, openWindows } = taken.state.stats;
      expect(count).toBe(rows.length);
      expect(openWindows).toBeLessThanOrEqual(500);
      if (allowedLatenessUs === 0n) expect([tooLate > 9000, dropped]).toEqual([true, 0]);
      else expect([tooLate, dropped > 9000]).toEqual([0, true]);
      taken.state.close();
    }
    expect(bed.arenaUsed).toBe(used);
  });
});

// Rules with much stored are forgotten piece by piece, whenever the process ends in between.

import { describe, expect, test } from "vitest";
import { ruleRange } from "../../src/rollup/keys.ts";
import { forgottenRange, partRange } from "../../src/stream/checkpoint-bytes.ts";
import type { StreamTable } from "../../src/stream/messages.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { OracleRow } from "../oracle/query.ts";
import { exampleRule } from "../support/example-rule.ts";
import { mulberry32 } from "../support/random.ts";
import { asRecord, StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000n;
const startUs = 1_790_000_040n * second;
const groups = 1300;
const byUser = "select user_id, count(*) as n from events group by user_id";
const overall = "select count(*) as n from events";

function rowAt(us: bigint, user: string): OracleRow {
  return {
    sequence: 0n,
    timestampUs: us,
    receivedAtUs: 0n,
    latenessUs: 0n,
    id: "018f3c5e-0000-7000-8000-000000000001",
    cells: new Map<string, string | bigint>([
      ["event_type", "x"],
      ["user_id", user],
    ]),
  };
}

function bed(): StreamBed {
  return new StreamBed({
    rules: { sourcesMax: 64, maxSkewUs: 86_400n * second, idleTimeoutUs: 10n * second },
  });
}

function put(on: StreamBed, rules: readonly Rule[]): void {
  on.ask({ type: "rules", put: rules.map(asRecord), gone: [] });
}

/** A row of each of many groups in each of two windows, final ones but the last. */
function fill(on: StreamBed): void {
  for (const minute of [0n, 1n, 2n]) {
    const us = startUs + minute * 60n * second;
    const rows = Array.from({ length: groups }, (_, g) => rowAt(us, `u${g}`));
    on.publish(rows, us);
    on.take();
  }
  on.checkpoint();
}

/** How many keys a rule has, by table. */
function keysOf(on: StreamBed, rule: number): Record<string, number> {
  const own: ReturnType<typeof partRange> = ruleRange(rule);
  const count = (name: StreamTable, { from, to } = own): number =>
    [...on.table(name).range(from, to)].length;
  return {
    windows: count("windows"),
    finals: count("finals"),
    groups: count("groups"),
    rules: count("rules"),
    parts: count("stream", partRange(rule)),
  };
}

const total = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((sum, one) => sum + one, 0);
const none = { windows: 0, finals: 0, groups: 0, rules: 0, parts: 0 };

function marks(on: StreamBed): number {
  const { from, to } = forgottenRange();
  return [...on.table("stream").range(from, to)].length;
}

describe("a rule that is deleted", () => {
  test.each([1, 2, 3, 4, 5])("goes in pieces, and nothing of it comes back, seed %i", (seed) => {
    const random = mulberry32(seed);
    const on = bed();
    put(on, [exampleRule(byUser, { number: 1 }), exampleRule(overall, { number: 2 })]);
    fill(on);
    const kept = on.windows(2);
    const before = total(keysOf(on, 1));
    expect(before).toBeGreaterThan(3000);
    on.ask({ type: "rules", put: [], gone: [1] });
    let left = total(keysOf(on, 1));
    expect(keysOf(on, 1)).toMatchObject({ rules: 0 });
    expect(left).toBeGreaterThan(before - 1100);
    expect(marks(on)).toBe(1);
    for (let turn = 0; marks(on) > 0 && turn < 200; turn++) {
      if (random() < 0.3) {
        // With a commit on its way, or none.
        on.nowMs += 200 * random();
        on.processor.attend();
        on.restart();
      }
      if (random() < 0.3) on.publish([rowAt(startUs + 200n * second, "late")], startUs);
      on.take();
      on.pass(100);
      const now = total(keysOf(on, 1));
      expect(now, `seed ${seed}, turn ${turn}`).toBeLessThanOrEqual(left);
      expect(left - now, `seed ${seed}, turn ${turn}`).toBeLessThan(1100 * 2);
      left = now;
    }
    expect(keysOf(on, 1)).toEqual(none);
    on.restart();
    expect(() => on.windows(1)).toThrow("there is no rule of number 1");
    expect(on.windows(2).slice(0, kept.length - 1)).toEqual(kept.slice(0, -1));
    put(on, [exampleRule(byUser, { number: 3 })]);
    expect(on.windows(3)).toEqual([]);
    expect(keysOf(on, 1)).toEqual(none);
  });

  test("goes with one commit where it has little", () => {
    const on = bed();
    put(on, [exampleRule(overall, { number: 1 })]);
    fill(on);
    expect(total(keysOf(on, 1))).toBeGreaterThan(3);
    on.ask({ type: "rules", put: [], gone: [1] });
    expect(keysOf(on, 1)).toEqual(none);
    expect(marks(on)).toBe(0);
  });

  test("is there as before where the process ends before the first commit", () => {
    const on = bed();
    put(on, [exampleRule(byUser, { number: 1 })]);
    fill(on);
    const before = keysOf(on, 1);
    const rows = on.windows(1);
    on.processor.request(1_000_000, { type: "rules", put: [], gone: [1] });
    on.processor.attend();
    on.restart();
    expect(keysOf(on, 1)).toEqual(before);
    expect(on.windows(1)).toEqual(rows);
    expect(marks(on)).toBe(0);
  });
});

describe("a version that is replaced", () => {
  test.each([1, 2, 3])(
    "loses its open windows in pieces, and keeps its windows, seed %i",
    (seed) => {
      const random = mulberry32(seed);
      const on = bed();
      const minutes = 2000;
      const lateness = { allowedLatenessUs: 86_400n * 7n * second };
      const old = exampleRule(overall, { number: 1, ...lateness });
      put(on, [old]);
      for (let minute = 0; minute < minutes; minute++) {
        const us = startUs + BigInt(minute * 60) * second;
        on.publish([rowAt(us, "u")], us);
      }
      on.take();
      on.checkpoint();
      expect(keysOf(on, 1)["parts"]).toBeGreaterThan(minutes);
      on.ask({
        type: "rules",
        put: [
          { ...asRecord(old), state: "replaced" },
          asRecord(exampleRule(overall, { number: 2 })),
        ],
        gone: [],
      });
      const want = on.windows(1).map(({ startUs, count }) => [startUs, count]);
      expect(want).toHaveLength(minutes);
      expect(keysOf(on, 1)["parts"]).toBeGreaterThan(minutes - 1100);
      expect(marks(on)).toBe(1);
      const isDeleted = seed === 3;
      for (let turn = 0; marks(on) > 0 && turn < 100; turn++) {
        if (random() < 0.5) on.restart();
        if (isDeleted && turn === 0) on.ask({ type: "rules", put: [], gone: [1] });
        else {
          const got = isDeleted
            ? want
            : on.windows(1).map(({ startUs, count }) => [startUs, count]);
          expect(got).toEqual(want);
        }
        on.pass(100);
      }
      on.restart();
      expect(keysOf(on, 1)["parts"]).toBe(0);
      if (isDeleted) expect(keysOf(on, 1)).toEqual(none);
      else expect(on.windows(1).map(({ startUs, count }) => [startUs, count])).toEqual(want);
    },
  );
});

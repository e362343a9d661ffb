// Backfills from stored segments that are sealed, merged and dropped meanwhile, with restarts anywhere, against the
// plain way; and what rules do where events are gone.

import { expect, it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { compareTiered } from "../support/compare-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeRule, makeShapes } from "../support/random-rules.ts";
import { makeStream, type StreamShape, type StreamStep } from "../support/random-streams.ts";
import { asRecord, StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000;
const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 60,
  rows: 25,
  sources: 5,
  paceUs: 3 * second,
  disorderUs: 20 * second,
  rules: time,
};

const below = (random: Random, end: number): number => Math.floor(random() * end);

function makeRules(random: Random): Rule[] {
  const unitUs = second * pick(random, [1, 5, 30]);
  const shapes = makeShapes(random, unitUs);
  return shapes.map(({ window, tiers }, i) => ({
    ...makeRule(random, i + 1, window, unitUs),
    tiers,
  }));
}

function behind(rule: Rule) {
  return { ...asRecord(rule), backfill: { from: 0n, next: 0n, until: 0n } };
}

/** What happens to segments between two records. */
function upkeep(bed: StreamBed, random: Random): void {
  if (random() < 0.4) {
    bed.take();
    bed.seal();
  }
  const segments = bed.storedSegments;
  if (random() < 0.3 && segments > 1) {
    const from = below(random, segments - 1);
    bed.compact(from, from + 2 + below(random, segments - from - 1));
  }
  if (random() < 0.6) bed.tell();
}

function end(bed: StreamBed, steps: readonly StreamStep[]): void {
  bed.tell();
  bed.end(steps);
}

function compareAll(bed: StreamBed, rules: readonly Rule[], steps: readonly StreamStep[]): void {
  for (const rule of rules) compareTiered(bed, rule, steps, time);
}

it.each(Array.from({ length: 8 }, (_, i) => i + 1))(
  "a backfill of stored segments, while they are merged and events come, seed %i",
  (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const rules = makeRules(random);
    const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 60) });
    const made = below(random, steps.length);
    for (const [i, step] of steps.entries()) {
      bed.play(step);
      upkeep(bed, random);
      if (i === made) bed.put(...rules.map(behind));
      if (random() < 0.5) bed.processor.step();
      if (random() < 0.2) bed.pass(1000);
      if (random() < 0.1) bed.checkpoint();
      if (random() < 0.1) bed.restart();
    }
    end(bed, steps);
    bed.checkpoint();
    for (const { number } of rules) {
      expect(bed.record(number)).toMatchObject({ backfill: null, complete: true });
    }
    compareAll(bed, rules, steps);
  },
);

/** What was said of events that rules never saw. */
function gone(bed: StreamBed): string[] {
  const said = bed.told.flatMap((one) => (one.type === "warning" ? [one.message] : []));
  return said.filter((message) => message.includes("were dropped before"));
}

it.each(Array.from({ length: 6 }, (_, i) => i + 1))(
  "events that are dropped once they are in a checkpoint are in the windows, seed %i",
  (seed) => {
    const random = mulberry32(500 + seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const rules = makeRules(random);
    const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 200) });
    bed.put(...rules);
    for (const step of steps) {
      bed.play(step);
      upkeep(bed, random);
      if (random() < 0.5) bed.take();
      if (random() < 0.3) bed.checkpoint();
      if (random() < 0.3) bed.drop(1 + below(random, 3));
      if (random() < 0.1) bed.restart();
    }
    end(bed, steps);
    compareAll(bed, rules, steps);
    for (const { number } of rules) expect(bed.record(number)?.complete ?? true).toBe(true);
    expect(gone(bed)).toEqual([]);
  },
);

/** The stream from a sequence on, at which a record begins. */
function stepsFrom(steps: readonly StreamStep[], sequence: bigint): StreamStep[] {
  let next = 0n;
  return steps.filter((step) => {
    if (step.kind === "tick") return true;
    const first = step.rows[0]?.sequence ?? next;
    next = first + BigInt(step.rows.length);
    return first >= sequence;
  });
}

const placeOf = ({ startUs, endUs, group }: WindowRow): string => `${startUs} ${endUs} ${group}`;

it.each(Array.from({ length: 6 }, (_, i) => i + 1))(
  "a backfill begins with what is left, and computing again takes nothing away, seed %i",
  (seed) => {
    const random = mulberry32(700 + seed);
    const steps = makeStream(random, { ...usual, disorderUs: 60 * second });
    const rules = makeRules(random);
    const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 200) });
    bed.put(...rules);
    const middle = Math.floor(steps.length / 2);
    let oldest = 0n;
    for (const [i, step] of steps.entries()) {
      bed.play(step);
      upkeep(bed, random);
      if (i > middle) continue;
      bed.take();
      bed.checkpoint();
      oldest = bed.drop(1);
    }
    end(bed, steps);
    for (const { number } of rules) {
      const before = new Map(bed.windows(number).map((one) => [placeOf(one), one]));
      const counted = (all: Iterable<WindowRow>): number =>
        [...all].reduce((sum, { count, tooLate }) => sum + count + tooLate, 0);
      const range = { fromUs: 0n, toUs: 4_000_000_000_000_000n };
      bed.ask({ type: "recompute", rule: number, ...range });
      const after = bed.windows(number);
      expect(counted(after), `rule ${number}`).toBe(counted(before.values()));
      for (const one of after) {
        expect(one.count).toBeGreaterThanOrEqual(before.get(placeOf(one))?.count ?? 0);
      }
    }
    const late = rules.map((rule) => ({ ...rule, number: rule.number + 10 }));
    bed.put(...late.map(behind));
    end(bed, steps);
    compareAll(bed, late, stepsFrom(steps, oldest));
    for (const { number } of late) {
      expect(bed.record(number)).toMatchObject({ fromSequence: oldest, complete: true });
    }
  },
);

it("a backfill whose events are dropped before it has read them says so", () => {
  const random = mulberry32(9);
  const steps = makeStream(random, usual);
  const bed = new StreamBed({ rules: time, chunkRows: 20 });
  for (const step of steps) {
    bed.play(step);
    bed.take();
    bed.seal();
  }
  bed.tell();
  const [rule] = makeRules(random) as [Rule];
  bed.processor.request(100_000, { type: "rules", put: [behind(rule)], gone: [] });
  bed.checkpoint();
  const oldest = bed.drop(10);
  expect(oldest).toBeGreaterThan(0n);
  end(bed, steps);
  bed.checkpoint();
  expect(bed.record(1)).toMatchObject({ backfill: null, complete: false, fromSequence: 0n });
  expect(gone(bed)).toEqual([`events 0 to ${oldest - 1n} were dropped before rules took them`]);
  compareAll(bed, [rule], stepsFrom(steps, oldest));
});

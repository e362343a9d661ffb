// Windows that are computed again at random moments, with the rows that came too late for them, against the plain way.

import { expect, it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleRecompute } from "../oracle/windows.ts";
import { compareTiered } from "../support/compare-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeRule, makeShapes } from "../support/random-rules.ts";
import { makeStream, type StreamShape, type StreamStep } from "../support/random-streams.ts";
import { StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000;
const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 60,
  rows: 25,
  sources: 5,
  paceUs: 3 * second,
  // Much of it is too late.
  disorderUs: 60 * second,
  rules: time,
};

const below = (random: Random, end: number): number => Math.floor(random() * end);

function recomputeOf(random: Random, steps: readonly StreamStep[]): OracleRecompute {
  const after = below(random, steps.length);
  const { receivedAtUs } = steps[after] as StreamStep;
  if (random() < 0.2) return { after, fromUs: 0n, toUs: receivedAtUs * 2n };
  const fromUs = receivedAtUs - BigInt(below(random, 120 * second));
  return { after, fromUs, toUs: fromUs + 1n + BigInt(below(random, 60 * second)) };
}

function play(
  bed: StreamBed,
  random: Random,
  steps: readonly StreamStep[],
  rules: readonly Rule[],
  recomputes: readonly OracleRecompute[],
): void {
  for (const [i, step] of steps.entries()) {
    bed.play(step);
    const due = recomputes.filter(({ after }) => after === i);
    if (random() < 0.5 || due.length > 0) bed.take();
    if (random() < 0.2) bed.pass(1000);
    if (random() < 0.1) bed.restart();
    for (const { fromUs, toUs } of due) {
      // Time has come as far as the next row would find it.
      bed.take();
      bed.processor.tick(bed.next, step.receivedAtUs);
      bed.take();
      for (const { number } of rules) {
        const { kept } = bed.ask({ type: "recompute", rule: number, fromUs, toUs });
        expect(kept).toBe(0);
      }
    }
  }
  bed.end(steps);
}

it.each(Array.from({ length: 16 }, (_, i) => i + 1))(
  "windows and sessions that are computed again, seed %i",
  (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const unitUs = second * pick(random, [1, 5, 10]);
    const shapes = makeShapes(random, unitUs);
    const rules = shapes.map(({ window, tiers }, i): Rule => {
      const rule = makeRule(random, i + 1, window, unitUs);
      return { ...rule, tiers, allowedLatenessUs: BigInt(below(random, unitUs)) };
    });
    const recomputes = Array.from({ length: 4 }, () => recomputeOf(random, steps));
    const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 200) });
    bed.put(...rules);
    play(bed, random, steps, rules, recomputes);
    for (const rule of rules) compareTiered(bed, rule, steps, time, recomputes);
  },
);

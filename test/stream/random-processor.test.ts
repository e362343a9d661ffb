// Random rules over random streams through the whole processor, with other chunks, checkpoints and restarts anywhere,
// against the plain way.

import { it } from "vitest";
import type { Rule } from "../../src/stream/rule.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";
import { OracleTime, type TimeRules } from "../oracle/event-time.ts";
import { coarserOf, type OracleWindow, windowsOf } from "../oracle/windows.ts";
import { compareRows, toldOf } from "../support/compare-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeRule, makeShape, makeTieredShape } from "../support/random-rules.ts";
import { makeStream, type StreamShape, type StreamStep } from "../support/random-streams.ts";
import { StreamBed } from "../support/stream-bed.ts";

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

/** W after all steps. */
function watermarkOf(steps: readonly StreamStep[]): bigint {
  const own = new OracleTime(time);
  for (const step of steps) {
    own.tick(step.receivedAtUs);
    for (const row of step.kind === "record" ? step.rows : []) {
      const source = row.cells.get("source");
      own.row(typeof source === "string" ? source : null, row.timestampUs, row.receivedAtUs);
    }
    own.tick(step.receivedAtUs);
  }
  return own.watermarkUs ?? 0n;
}

function play(
  random: Random,
  bed: StreamBed,
  steps: readonly StreamStep[],
  restarts: number,
): void {
  for (const step of steps) {
    bed.play(step);
    if (random() < 0.5) bed.processor.step();
    if (random() < 0.5) bed.take();
    if (random() < 0.2) bed.pass(1000);
    if (random() < 0.1) bed.processor.checkpoint();
    if (random() < restarts) bed.restart();
  }
  bed.end(steps);
}

it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  "rules through the processor, seed %i",
  (seed) => {
    const random = mulberry32(seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const rules = [1, 2, 3, 4].map((number) => {
      const unitUs = second * pick(random, [1, 5, 30]);
      return makeRule(random, number, makeShape(random, unitUs), unitUs);
    });
    for (const restarts of [0, 0.1]) {
      const bed = new StreamBed({ rules: time, chunkRows: 1 + Math.floor(random() * 200) });
      bed.put(...rules);
      play(random, bed, steps, restarts);
      for (const rule of rules) {
        const { windows } = windowsOf(rule, steps, time);
        toldOf(rule, `restarts ${restarts}`, () =>
          compareRows(rule, bed.windows(rule.number), windows),
        );
      }
    }
  },
);

/** What is kept of a rule's windows, as of the end of the stream; null: all of them. */
function isKept(one: WindowRow | OracleWindow, retentionUs: bigint | null, endUs: bigint): boolean {
  return retentionUs === null || one.endUs > endUs - retentionUs;
}

it.each(Array.from({ length: 10 }, (_, i) => i + 1))(
  "tiers, some over windows that are not kept as long as theirs are, seed %i",
  (seed) => {
    const random = mulberry32(1000 + seed);
    const steps = makeStream(random, { ...usual, sources: pick(random, [1, 3, 8]) });
    const rules = [1, 2, 3].map((number): Rule => {
      const unitUs = second * pick(random, [1, 5]);
      const { window, tiers } = makeTieredShape(random, unitUs);
      const rule = makeRule(random, number, window, unitUs);
      const kept = (): bigint | null =>
        random() < 0.5 ? null : BigInt(below(random, 60)) * 1_000_000n;
      const own = tiers.map((tier) => ({ ...tier, retentionUs: kept() }));
      return { ...rule, retentionUs: kept(), tiers: own };
    });
    for (const restarts of [0, 0.1]) {
      const bed = new StreamBed({ rules: time, chunkRows: 1 + below(random, 200) });
      bed.put(...rules);
      play(random, bed, steps, restarts);
      const atUs = watermarkOf(steps);
      for (const rule of rules) {
        const { window } = rule;
        if (window.kind !== "tumbling") throw new Error("only tumbling windows have tiers");
        for (const [tier, { size, retentionUs }] of [
          { size: window.size, retentionUs: rule.retentionUs },
          ...rule.tiers,
        ].entries()) {
          const want = coarserOf(rule, steps, time, { ...window, width: size });
          const all = bed.windows(rule.number, { tier });
          const got = all.filter((one) => isKept(one, retentionUs, atUs));
          const wanted = want.filter((one) => isKept(one, retentionUs, atUs));
          toldOf(rule, `restarts ${restarts}, tier ${tier}`, () => compareRows(rule, got, wanted));
        }
      }
    }
  },
);

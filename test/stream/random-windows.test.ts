import { describe, expect, it } from "vitest";
import { PaneRule } from "../../src/stream/pane-rule.ts";
import type { Rule } from "../../src/stream/rule.ts";
import { SessionRule } from "../../src/stream/session-rule.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { windowsOf } from "../oracle/windows.ts";
import { comparePlayed } from "../support/compare-windows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick } from "../support/random-queries.ts";
import { makeRule, makeShape } from "../support/random-rules.ts";
import { makeStream, type StreamShape } from "../support/random-streams.ts";
import { type PlayOptions, RuleBed } from "../support/rule-bed.ts";

const second = 1_000_000;
const hour = 3600 * second;

const rules: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const usual: StreamShape = {
  records: 60,
  rows: 30,
  sources: 5,
  paceUs: 3 * second,
  disorderUs: 20 * second,
  rules,
};
/** Days around the ends of summer time, in Berlin and New York. */
const days: StreamShape = {
  ...usual,
  paceUs: 20 * hour,
  disorderUs: 40 * hour,
  rules: { sourcesMax: 64, maxSkewUs: BigInt(100 * hour), idleTimeoutUs: BigInt(70 * hour) },
  startUs: 1_792_600_000_000_000n,
};

const make: PlayOptions["make"] = (context) =>
  context.rule.window.kind === "session" ? new SessionRule(context) : new PaneRule(context);

const bed = new RuleBed();

/** What fails names the rule. */
function told(rule: Rule, check: () => void, how: string): void {
  try {
    check();
  } catch (error) {
    const text = JSON.stringify(rule, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
    throw new Error(`${how}: ${text}\n${(error as Error).message}`, { cause: error });
  }
}

describe("windows of random rules over random streams are those of the plain way", () => {
  it.each(Array.from({ length: 90 }, (_, i) => i + 1))("seed %i", (seed) => {
    const random = mulberry32(seed);
    const calendar = seed % 6 === 0;
    const shape = calendar ? days : { ...usual, sources: pick(random, [1, 3, 8]) };
    const steps = makeStream(random, shape);
    const unitUs = calendar ? 24 * hour : second * pick(random, [1, 5, 30]);
    const rule = makeRule(random, seed, makeShape(random, unitUs, calendar), unitUs);
    const want = windowsOf(rule, steps, shape.rules);
    const used = bed.arenaUsed;
    const common = { timeRules: shape.rules, make };
    for (const [chunk, checkpoints, crashes] of [
      [10_000, 0, 0],
      [50, 0.3, 0.2],
      [3, 0.05, 0.02],
    ] as const) {
      const options = { ...common, chunk, checkpoints, crashes };
      const played = bed.play(random, rule, steps, options);
      told(
        rule,
        () => comparePlayed(rule, played, want),
        `chunk ${chunk} crashes ${played.crashes}`,
      );
      expect(bed.arenaUsed).toBe(used);
    }
  });
});

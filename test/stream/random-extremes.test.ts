// Values at the ends of what there is, in stored windows and those merged from them, against the plain way.

import { expect, it } from "vitest";
import { barePath, type Expression } from "../../src/query/expression/expression.ts";
import type { Aggregate, AggregateFunction } from "../../src/query/query.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import type { OracleCell } from "../oracle/query.ts";
import { compareTiered } from "../support/compare-rows.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeStream, type StreamStep } from "../support/random-streams.ts";
import { StreamBed } from "../support/stream-bed.ts";

const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const shape = {
  records: 50,
  rows: 12,
  sources: 3,
  paceUs: 3_000_000,
  disorderUs: 10_000_000,
  rules: time,
};
const most = 2n ** 63n - 1n;
const integers: readonly OracleCell[] = [
  most,
  -most - 1n,
  most - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 62n,
  -(2n ** 62n),
  0n,
  -1n,
];
const doubles: readonly OracleCell[] = [-0, 5e-324, -2.5e-310, 2.2e-308, 0.1, 1e16, -1e16, 3.5];
const texts: readonly OracleCell[] = [
  "",
  "ü",
  "\u{10ffff}",
  "x".repeat(300),
  "9223372036854775808",
];

/** Of each row: integers alone, doubles alone, either, and anything. */
function extreme(random: Random, steps: readonly StreamStep[]): StreamStep[] {
  const all = [...integers, ...doubles];
  return steps.map((step) => {
    if (step.kind === "tick") return step;
    const rows = step.rows.map((row) => {
      const cells = new Map<string, OracleCell>(row.cells);
      cells.set("properties.integer", pick(random, integers));
      cells.set("properties.double", pick(random, doubles));
      cells.set("properties.number", pick(random, all));
      cells.set("properties.any", pick(random, [...all, ...texts, true, null]));
      return { ...row, cells };
    });
    return { ...step, rows };
  });
}

function aggregate(fn: AggregateFunction, name: string, isNumber: boolean): Aggregate {
  const path = `properties.${name}`;
  const of: Expression = isNumber ? { kind: "path", type: "number", path } : barePath(path);
  return { fn, of, filter: null, type: of.type, parameters: [] };
}

function ruleOf(number: number, keyed: boolean): Rule {
  const us = (seconds: number) => ({ months: 0, days: 0, us: BigInt(seconds) * 1_000_000n });
  const aggregates = [
    ...["integer", "double"].flatMap((name) =>
      (["sum", "avg", "min", "max", "median"] as const).map((fn) => aggregate(fn, name, true)),
    ),
    // The sum of integers and doubles is a double; how it was rounded is the engine's own.
    ...(["min", "max", "count_distinct"] as const).map((fn) => aggregate(fn, "number", true)),
    ...(["count_distinct", "min", "max", "last", "count"] as const).map((fn) =>
      aggregate(fn, "any", false),
    ),
  ];
  return {
    number,
    id: `00000000-0000-4000-8000-00000000000${number}`,
    name: `rule_${number}`,
    version: 1,
    where: null,
    window:
      number === 3
        ? { kind: "session", gapUs: 2_000_000n }
        : { kind: "tumbling", size: us(number * 2), originUs: null, zone: "UTC" },
    keys: keyed ? [{ of: barePath("properties.any"), as: "any" }] : [],
    aggregates,
    values: aggregates.map(({ type }, i) => ({
      of: { kind: "aggregate", type, aggregate: i },
      as: `a${i}`,
    })),
    allowedLatenessUs: 3_000_000n,
    retentionUs: null,
    tiers: number === 3 ? [] : [8, 40].map((s) => ({ size: us(s), retentionUs: null })),
    groupsMax: 10_000,
    windowsMax: 10_000,
  };
}

it.each([1, 2, 3, 4])("values at their ends, in windows and tiers, seed %i", (seed) => {
  const random = mulberry32(seed);
  const steps = extreme(random, makeStream(random, shape));
  const rules = [ruleOf(1, false), ruleOf(2, true), ruleOf(3, true)];
  const bed = new StreamBed({ rules: time, chunkRows: 1 + Math.floor(random() * 100) });
  bed.put(...rules);
  for (const step of steps) {
    bed.play(step);
    bed.take();
    if (random() < 0.2) bed.checkpoint();
    if (random() < 0.1) bed.restart();
  }
  bed.end(steps);
  for (const rule of rules) compareTiered(bed, rule, steps, time);
});

it("sums that no number holds are null; of integers only where the whole sum is one", () => {
  const huge = [1.7e308, 1.7e308, -1.7e308, -1.7e308];
  const whole = [most, 1n, -1n, -1n];
  const rule = ruleOf(1, false);
  const own = [aggregate("sum", "double", true), aggregate("sum", "integer", true)];
  const bed = new StreamBed({ rules: time });
  bed.put({ ...rule, aggregates: own, values: rule.values.slice(0, 2) });
  const startUs = 1_790_000_040_000_000n;
  // Two rows in each window of two seconds, both windows in one of eight.
  for (const [i, double] of [...huge, 1].entries()) {
    const timestampUs = startUs + BigInt(i === 4 ? 60 : i) * 1_000_000n;
    const cells = new Map<string, OracleCell>([
      ["event_type", "x"],
      ["properties.double", double],
      ["properties.integer", whole[i] ?? 0n],
    ]);
    const id = "018f3c5e-0000-7000-8000-000000000001";
    const row = { sequence: 0n, timestampUs, receivedAtUs: 0n, latenessUs: 0n, id, cells };
    bed.publish([row], timestampUs);
    bed.take();
  }
  const read = (tier: number) => bed.windows(1, { tier }).map(({ values }) => values.map(String));
  expect(read(0).slice(0, 2)).toEqual([
    ["null", "null"],
    ["null", "-2"],
  ]);
  expect(read(1)[0]).toEqual(["null", String(most - 1n)]);
  bed.checkpoint();
  bed.restart();
  expect(read(1)[0]).toEqual(["null", String(most - 1n)]);
});

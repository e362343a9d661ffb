// Questions that windows answer, whole or in part with a scan of the rest, against a scan of everything.

import { expect, it } from "vitest";
import { chooseRollup, restQuery } from "../../src/query/plan/rollup.ts";
import type { GroupKey, Output, Query } from "../../src/query/query.ts";
import type { Reader } from "../../src/query/read/reader.ts";
import type { QueryResult, Value } from "../../src/query/result.ts";
import type { Rule } from "../../src/stream/rule.ts";
import type { TimeRules } from "../oracle/event-time.ts";
import { roundedText } from "../support/compare-answers.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import { makeRule, makeShape } from "../support/random-rules.ts";
import { makeStream, rowsOf, type StreamShape } from "../support/random-streams.ts";
import { StreamBed } from "../support/stream-bed.ts";

const second = 1_000_000;
const time: TimeRules = { sourcesMax: 64, maxSkewUs: 60_000_000n, idleTimeoutUs: 10_000_000n };
const shape: StreamShape = {
  records: 50,
  rows: 40,
  sources: 4,
  paceUs: 3 * second,
  disorderUs: 25 * second,
  rules: time,
};

/** Tumbling, of aggregates that have one answer whatever the order of rows. */
function ruleOf(random: Random, number: number): Rule {
  const unitUs = second * pick(random, [1, 5, 20]);
  for (;;) {
    const window = makeShape(random, unitUs);
    if (window.kind !== "tumbling") continue;
    const rule = makeRule(random, number, window, unitUs);
    if (rule.aggregates.some(({ fn }) => fn === "any" || fn === "rate")) continue;
    const kept = () => (random() < 0.5 ? null : BigInt(unitUs * (1 + Math.floor(random() * 30))));
    const times = (count: bigint) => ({ months: 0, days: 0, us: window.size.us * count });
    const sizes = pick(random, [[], [3n], [2n, 6n]]);
    const tiers = sizes.map((count) => ({ size: times(count), retentionUs: kept() }));
    return { ...rule, retentionUs: kept(), tiers };
  }
}

/** A question that the rule has the states and the groups for. */
function questionOf(random: Random, rule: Rule, [fromUs, toUs]: readonly [bigint, bigint]): Query {
  const keys: GroupKey[] = rule.keys.filter(() => random() < 0.6);
  const { window } = rule;
  if (window.kind === "tumbling" && random() < 0.4) {
    const { size, originUs, zone } = window;
    const width = pick(random, [size, ...rule.tiers.map((tier) => tier.size)]);
    const timestamp = { kind: "path", type: "timestamp", path: "timestamp" } as const;
    const of = { kind: "bucket", type: "timestamp", of: timestamp, width, originUs, zone } as const;
    keys.push({ of, as: "t" });
  }
  const groups = keys.map(
    ({ of, as }, key): Output => ({ of: { kind: "key", type: of.type, key }, as }),
  );
  const some = rule.aggregates.filter(() => random() < 0.7);
  const aggregates = keys.length + some.length > 0 ? some : rule.aggregates;
  const values = aggregates.map(
    ({ type }, aggregate): Output => ({
      of: { kind: "aggregate", type, aggregate },
      as: `a${aggregate}`,
    }),
  );
  const literal: Output = { of: { kind: "literal", type: "number", value: 1 }, as: "one" };
  const span = Number(toUs - fromUs);
  const instant = () => fromUs + BigInt(Math.floor(random() * span));
  const [a, b] = [instant(), instant()].sort((x, y) => (x < y ? -1 : 1));
  return {
    select: [...groups, ...values, literal],
    where: rule.where,
    fromUs: random() < 0.5 ? null : (a as bigint),
    toUs: random() < 0.5 ? null : (b as bigint),
    groupBy: keys,
    aggregates,
    having: null,
    orderBy: [],
    limit: null,
    offset: 0,
    fill: null,
  };
}

type Row = readonly Value[];

/** Groups by their keys, the first columns. */
function byKeys(rows: readonly Row[], keys: number): [string, Row][] {
  const named = rows.map((row): [string, Row] => [
    row.slice(0, keys).map(roundedText).join(" "),
    row,
  ]);
  return named.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Sums of doubles differ in the last bits with the order of merging. */
function isSame(a: Value, b: Value | undefined): boolean {
  if (typeof a !== "number" || typeof b !== "number") return roundedText(a) === roundedText(b);
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
}

function compareRows(got: readonly Row[], want: readonly Row[], keys: number): void {
  const [ours, scanned] = [byKeys(got, keys), byKeys(want, keys)];
  expect(ours.map(([key]) => key)).toEqual(scanned.map(([key]) => key));
  for (const [i, [key, row]] of ours.entries()) {
    const wanted = scanned[i]?.[1] ?? [];
    if (!row.every((value, c) => isSame(value, wanted[c]))) {
      throw new Error(`${key}: ${row.map(roundedText)}, want ${wanted.map(roundedText)}`);
    }
  }
}

const seen = { whole: 0, part: 0, none: 0, late: 0, tiers: 0 };

function check(bed: StreamBed, reader: Reader, rule: Rule, query: Query): void {
  const scan = reader.run({ type: "query", query }) as QueryResult;
  const { result, part, why } = bed.ask({
    type: "rollup",
    question: { query, rule: rule.number },
  });
  if (result === null && part === null) {
    seen.none++;
    return;
  }
  if (/windows: \d+ of \S+, \d+ of/.test(why)) seen.tiers++;
  if (part) {
    seen.part++;
    if (why.includes("too late")) seen.late++;
    expect(part.rest.length).toBeGreaterThan(0);
  } else seen.whole++;
  const got =
    result ??
    (reader.run({
      type: "query",
      query: restQuery(query, part?.rest ?? []),
      ...(part && { part }),
    }) as QueryResult);
  compareRows(got.rows, scan.rows, query.groupBy.length);
  expect(got.asOf).toBe(scan.asOf);
}

it.each(Array.from({ length: 10 }, (_, i) => i + 1))(
  "windows and a scan of the rest equal a scan of all, seed %i",
  (seed) => {
    const random = mulberry32(seed);
    const disorderUs = second * pick(random, [1, 25]);
    const steps = makeStream(random, { ...shape, disorderUs });
    const times = rowsOf(steps).map(({ timestampUs }) => timestampUs);
    const ends = [
      times.reduce((a, b) => (a < b ? a : b)),
      times.reduce((a, b) => (a > b ? a : b)),
    ] as const;
    const bed = new StreamBed({ rules: time, chunkRows: 100 });
    const reader = bed.reader();
    const rules = [1, 2, 3].map((number) => ruleOf(random, number));
    // The last rule begins when some events are stored already.
    bed.put(...rules.slice(0, 2));
    for (const [index, step] of steps.entries()) {
      if (index === 12) bed.put(rules[2] as Rule);
      bed.play(step);
      if (random() < 0.5) bed.take();
      if (random() < 0.2) bed.pass(1000);
      if (random() < 0.05) bed.restart();
      if (index < 13 || index % 6 !== 0) continue;
      for (const rule of rules) {
        const query = questionOf(random, rule, ends);
        const choice = chooseRollup(query, [rule]);
        if (choice.rule === null) {
          expect(choice.why).toContain("no whole window");
          continue;
        }
        try {
          check(bed, reader, rule, query);
        } catch (error) {
          const text = JSON.stringify({ rule, query }, (_, one) =>
            typeof one === "bigint" ? `${one}n` : one,
          );
          throw new Error(`seed ${seed}, step ${index}: ${text}\n${(error as Error).message}`, {
            cause: error,
          });
        }
      }
    }
  },
);

it("all outcomes were seen", () => {
  for (const count of Object.values(seen)) expect(count, JSON.stringify(seen)).toBeGreaterThan(2);
});

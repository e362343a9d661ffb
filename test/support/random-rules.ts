// Random aggregation rules over what random-streams.ts makes.

import {
  barePath,
  type Expression,
  type Interval,
  typeOfAggregate,
} from "../../src/query/expression/expression.ts";
import type { Aggregate, AggregateFunction, Output, Predicate } from "../../src/query/query.ts";
import type { Rule, WindowShape } from "../../src/stream/rule.ts";
import { tiersOf } from "../../src/stream/rule-window.ts";
import { pick, type Random } from "./random-queries.ts";

const below = (random: Random, end: number): number => Math.floor(random() * end);

function clock(us: number): Interval {
  return { months: 0, days: 0, us: BigInt(us) };
}

const second = 1_000_000;
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"];

/** Windows of `unitUs` and some more; `calendar` ones are of days and months. */
export function makeShape(random: Random, unitUs: number, calendar = false): WindowShape {
  const originUs = random() < 0.6 ? null : BigInt(below(random, 100 * second));
  const zone = pick(random, zones);
  const kind = random();
  if (calendar) {
    const units: Interval[] = [
      { months: 1, days: 0, us: 0n },
      { months: 0, days: 1, us: 0n },
    ];
    const slide = pick(random, units);
    const times = 1 + below(random, 3);
    const size = { months: slide.months * times, days: slide.days * times, us: 0n };
    return kind < 0.5
      ? { kind: "tumbling", size, originUs, zone }
      : { kind: "hopping", size, slide, originUs, zone };
  }
  const slide = unitUs * (1 + below(random, 4)) + (random() < 0.2 ? 1 : 0);
  if (kind < 0.4) return { kind: "tumbling", size: clock(slide), originUs, zone };
  const size = clock(slide * (1 + below(random, 5)));
  if (kind < 0.7) return { kind: "hopping", size, slide: clock(slide), originUs, zone };
  return { kind: "session", gapUs: BigInt(slide) };
}

/** A tumbling window, and one to three tiers over it, some of days and months in a time zone. */
export function makeTieredShape(
  random: Random,
  unitUs: number,
): { readonly window: WindowShape; readonly tiers: Rule["tiers"] } {
  const calendar = random() < 0.3;
  const zone = pick(random, zones);
  const us = calendar ? pick(random, [60, 300, 900]) * second : unitUs * (1 + below(random, 4));
  const originUs = calendar || random() < 0.6 ? null : BigInt(below(random, 100 * second));
  const window: WindowShape = { kind: "tumbling", size: clock(us), originUs, zone };
  const sizes: Interval[] = calendar
    ? [
        { months: 0, days: 1, us: 0n },
        { months: 1, days: 0, us: 0n },
      ]
    : [clock(us * (2 + below(random, 5)))];
  const last = sizes[0] as Interval;
  if (!calendar && random() < 0.6) sizes.push(clock(Number(last.us) * (2 + below(random, 4))));
  const tiers = sizes.map((size) => ({ size, retentionUs: null }));
  const blame = (): never => {
    throw new Error("the sizes are no tiers");
  };
  return { window, tiers: tiersOf(window, tiers, () => blame) };
}

const conditions: readonly Predicate[] = [
  { kind: "compare", path: "event_type", op: "=", value: "view" },
  { kind: "compare", path: "properties.small", op: ">", value: 0 },
  { kind: "compare", path: "properties.price", op: "<=", value: 150.5 },
  { kind: "in", path: "properties.word", values: ["a", "ü", "none"] },
  { kind: "exists", path: "user_id" },
  { kind: "is-null", path: "properties.word" },
  { kind: "compare", path: "properties.flag", op: "=", value: true },
  { kind: "prefix", path: "source", prefix: "source 1" },
  { kind: "compare", path: "lateness_us", op: ">", value: 0 },
  { kind: "compare", path: "properties.nowhere", op: "=", value: 1 },
];

function makeCondition(random: Random, depth = 2): Predicate {
  if (depth > 0 && random() < 0.3) {
    const of = [makeCondition(random, depth - 1), makeCondition(random, depth - 1)];
    return { kind: random() < 0.5 ? "and" : "or", of };
  }
  if (depth > 0 && random() < 0.2) return { kind: "not", of: makeCondition(random, depth - 1) };
  return pick(random, conditions);
}

const numeric: readonly AggregateFunction[] = [
  "sum",
  "avg",
  "var_pop",
  "stddev_samp",
  "median",
  "percentile_cont",
  "rate",
];
const general: readonly AggregateFunction[] = [
  "count",
  "count_distinct",
  "min",
  "max",
  "first",
  "last",
  "any",
  "percentile_disc",
];
const paths = [
  "event_type",
  "source",
  "user_id",
  "timestamp",
  "sequence",
  "received_at",
  "lateness_us",
  "properties.small",
  "properties.price",
  "properties.word",
  "properties.flag",
  "properties.any",
  "properties.nowhere",
];

function makeAggregate(random: Random): Aggregate {
  const filter = random() < 0.3 ? makeCondition(random, 1) : null;
  if (random() < 0.25) {
    const fn = random() < 0.7 ? "count" : "rate";
    return { fn, of: null, filter, type: "number", parameters: [] };
  }
  const isNumeric = random() < 0.5;
  const fn = pick(random, isNumeric ? numeric : general);
  const path = `properties.${pick(random, ["small", "price", "any", "nowhere"])}`;
  const of: Expression = isNumeric
    ? { kind: "path", type: "number", path }
    : barePath(pick(random, paths));
  const parameters = fn.startsWith("percentile") ? [pick(random, [0, 0.25, 0.9, 1])] : [];
  return { fn, of, filter, type: typeOfAggregate(fn, of), parameters };
}

function makeKey(random: Random): Expression {
  const path = pick(random, [
    "source",
    "event_type",
    "user_id",
    "properties.word",
    "properties.flag",
    "properties.any",
    "properties.small",
  ]);
  if (random() < 0.8) return barePath(path);
  const text: Expression = { kind: "path", type: "string", path: "source" };
  return { kind: "call", type: "string", fn: "upper", args: [text] };
}

export function makeRule(random: Random, number: number, shape: WindowShape, unitUs: number): Rule {
  const keys = Array.from({ length: below(random, 3) }, (_, i) => ({
    of: makeKey(random),
    as: `k${i}`,
  }));
  const aggregates = Array.from({ length: 1 + below(random, 4) }, () => makeAggregate(random));
  const values: Output[] = [
    ...aggregates.map(
      ({ type }, aggregate): Output => ({
        of: { kind: "aggregate", type, aggregate },
        as: `a${aggregate}`,
      }),
    ),
    { of: { kind: "literal", type: "number", value: number }, as: "number" },
  ];
  return {
    number,
    id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    name: `rule_${number}`,
    version: 1,
    where: random() < 0.4 ? null : makeCondition(random),
    window: shape,
    keys,
    aggregates,
    values,
    allowedLatenessUs: BigInt(random() < 0.3 ? 0 : below(random, 4 * unitUs)),
    retentionUs: null,
    tiers: [],
    groupsMax: 10_000,
    windowsMax: 100_000,
  };
}

/** Of each kind one: tiered, any, sessions. */
export function makeShapes(
  random: Random,
  unitUs: number,
): readonly { readonly window: WindowShape; readonly tiers: Rule["tiers"] }[] {
  return [
    makeTieredShape(random, unitUs),
    { window: makeShape(random, unitUs), tiers: [] },
    { window: { kind: "session", gapUs: BigInt(unitUs * (1 + below(random, 4))) }, tiers: [] },
  ];
}

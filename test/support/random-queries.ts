// Random rows and random queries over them, for comparing the engine with the plain way.

import type { Expression } from "../../src/query/expression/expression.ts";
import { barePath, typeOfAggregate } from "../../src/query/expression/expression.ts";
import type {
  Aggregate,
  AggregateFunction,
  Literal,
  Order,
  Predicate,
  Query,
} from "../../src/query/query.ts";
import type { OracleCell, OracleRow } from "../oracle/query.ts";

export type Random = () => number;

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

const integer = (random: Random, below: number): number => Math.floor(random() * below);

const words = [
  "",
  "a",
  "ab",
  "abc",
  "b",
  "zebra",
  "ü",
  "日本",
  "\u{10000}",
  "\uffff",
  "purchase",
  "view",
];
const extremes: readonly (number | bigint)[] = [
  0n,
  -1n,
  9007199254740993n,
  9007199254740992,
  -9007199254740993n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  9223372036854775807,
  -9223372036854775808,
  0.1,
  -0.1,
  -0,
  5e-324,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  1e19,
];

/** How the values of a property are made; `extreme` mixes i64 and f64 at the edges of both. */
type Kind =
  | "small"
  | "wide"
  | "decimal"
  | "float"
  | "extreme"
  | "word"
  | "text"
  | "boolean"
  | "any";

export const schema: Readonly<Record<string, { kind: Kind; absent: number }>> = {
  event_type: { kind: "word", absent: 0 },
  source: { kind: "word", absent: 0.1 },
  user_id: { kind: "text", absent: 0.2 },
  "properties.small": { kind: "small", absent: 0 },
  "properties.wide": { kind: "wide", absent: 0.3 },
  "properties.price": { kind: "decimal", absent: 0.1 },
  "properties.float": { kind: "float", absent: 0.5 },
  "properties.edge": { kind: "extreme", absent: 0.2 },
  "properties.flag": { kind: "boolean", absent: 0.3 },
  "properties.any": { kind: "any", absent: 0.3 },
  "properties.rare": { kind: "small", absent: 0.998 },
};

export const paths: readonly string[] = [
  ...Object.keys(schema),
  "timestamp",
  "sequence",
  "received_at",
  "lateness_us",
  "id",
  "properties.nowhere",
];

function cellOf(random: Random, kind: Kind): OracleCell {
  if (kind === "small") return BigInt(integer(random, 7) - 2);
  if (kind === "wide") return BigInt(integer(random, 100_000)) * 1000n;
  if (kind === "decimal") return integer(random, 20_000) / 100;
  if (kind === "float") return (random() - 0.5) * 10 ** integer(random, 20);
  if (kind === "extreme") return pick(random, extremes);
  if (kind === "word") return pick(random, words);
  if (kind === "text") return `user_${integer(random, 300)}`;
  if (kind === "boolean") return random() < 0.5;
  const lane = integer(random, 6);
  if (lane === 0) return null;
  if (lane === 1) return { json: pick(random, ["[]", "{}", "[1]"]) };
  return cellOf(random, pick(random, ["small", "float", "word", "boolean"] as const));
}

/** Times lie around 1970, so that buckets on both sides of it are made. */
export function makeRows(random: Random, count: number, firstSequence = 0n): OracleRow[] {
  const rows: OracleRow[] = [];
  let receivedAtUs = 1_700_000_000_000_000n;
  for (let i = 0; i < count; i++) {
    if (random() < 0.02) receivedAtUs += BigInt(integer(random, 1000));
    const cells = new Map<string, OracleCell>();
    for (const [path, { kind, absent }] of Object.entries(schema)) {
      if (random() >= absent) cells.set(path, cellOf(random, kind));
    }
    const hex = Array.from({ length: 32 }, () => integer(random, 16).toString(16)).join("");
    rows.push({
      sequence: firstSequence + BigInt(i),
      timestampUs: BigInt(i) * 1000n + BigInt(integer(random, 400_000) - 300_000),
      receivedAtUs,
      latenessUs: random() < 0.7 ? 0n : BigInt(integer(random, 1000)),
      id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
      cells,
    });
  }
  return rows;
}

function literalFor(random: Random, path: string, rows: readonly OracleRow[]): Literal {
  const row = pick(random, rows);
  if (path === "timestamp") return row.timestampUs;
  if (path === "received_at") return row.receivedAtUs;
  if (path === "sequence") return row.sequence;
  if (path === "id") return row.id;
  if (path === "lateness_us") return integer(random, 1000);
  const cell = row.cells.get(path);
  if (cell != null && typeof cell !== "object" && random() < 0.7) {
    return typeof cell === "bigint" && BigInt(Number(cell)) === cell && random() < 0.5
      ? Number(cell)
      : cell;
  }
  const { kind } = schema[path] ?? { kind: "any" };
  if (kind === "word" || kind === "text") return pick(random, words);
  return pick<Literal>(random, [...extremes, true, false, "ab", 3, 2.5, 1e6, -1e300]);
}

export function makePredicate(random: Random, rows: readonly OracleRow[], depth = 3): Predicate {
  const choice = random();
  if (depth > 0 && choice < 0.35) {
    const of = Array.from({ length: 1 + integer(random, 3) }, () =>
      makePredicate(random, rows, depth - 1),
    );
    return { kind: random() < 0.5 ? "and" : "or", of };
  }
  if (depth > 0 && choice < 0.45)
    return { kind: "not", of: makePredicate(random, rows, depth - 1) };
  const path = pick(random, paths);
  if (choice < 0.5) return { kind: "exists", path };
  if (choice < 0.55) return { kind: "is-null", path };
  if (choice < 0.58) return { kind: "constant", value: pick(random, [true, false, null]) };
  if (choice < 0.66) {
    const texts = ["event_type", "source", "user_id", "properties.any"];
    const prefix = pick(random, ["", "a", "ab", "user_1", "ü", "\u{10000}"]);
    return { kind: "prefix", path: pick(random, texts), prefix };
  }
  if (choice < 0.75) {
    const values = Array.from({ length: integer(random, 5) }, () => literalFor(random, path, rows));
    return { kind: "in", path, values };
  }
  const op = pick(random, ["=", "!=", "<", "<=", ">", ">="] as const);
  return { kind: "compare", path, op, value: literalFor(random, path, rows) };
}

function some<T>(random: Random, list: readonly T[], most: number): T[] {
  return Array.from({ length: 1 + integer(random, most) }, () => pick(random, list));
}

const numeric: readonly AggregateFunction[] = [
  "sum",
  "avg",
  "var_pop",
  "var_samp",
  "stddev_pop",
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
];
/** Paths whose sums neither overflow nor lose what the oracle keeps. */
const summed: readonly string[] = ["small", "wide", "price", "any", "rare", "nowhere"];

function makeAggregate(
  random: Random,
  rows: readonly OracleRow[],
  make: (type: Expression["type"]) => Expression,
): Aggregate {
  const filter = random() < 0.25 ? makePredicate(random, rows, 1) : null;
  if (random() < 0.2) {
    const fn = random() < 0.8 ? "count" : "rate";
    return { fn, of: null, filter, type: "number", parameters: [] };
  }
  const isNumeric = random() < 0.5;
  const fn = pick(random, isNumeric ? numeric : general);
  const path = `properties.${pick(random, summed)}`;
  const numbers: Expression = { kind: "path", type: "number", path };
  const any =
    random() < 0.7 ? barePath(pick(random, paths)) : make(pick(random, ["number", "string"]));
  const of = isNumeric ? numbers : any;
  const parameters = fn === "percentile_cont" ? [pick(random, [0, 0.25, 0.9, 1])] : [];
  return { fn, of, filter, type: typeOfAggregate(fn, of), parameters };
}

/**
 * A query with aggregates, grouped or not. `make` gives expressions of a type, for keys and arguments: they come from
 * where the functions are known.
 */
export function makeAggregateQuery(
  random: Random,
  rows: readonly OracleRow[],
  make: (type: Expression["type"]) => Expression,
): Query {
  const times = makeTimes(random, rows);
  const fill = random() < 0.15 ? pick(random, ["null", "zero", "previous"] as const) : null;
  const groupBy = random() < 0.35 && fill === null ? [] : makeKeys(random, make, fill !== null);
  const aggregates = Array.from({ length: 1 + integer(random, 3) }, () =>
    makeAggregate(random, rows, make),
  );
  const leaves: Expression[] = [
    ...groupBy.map(({ of }, key): Expression => ({ kind: "key", type: of.type, key })),
    ...aggregates.map(
      ({ type }, aggregate): Expression => ({ kind: "aggregate", type, aggregate }),
    ),
  ];
  const orderBy = random() < 0.4 ? [] : makeOrders(random, leaves);
  return {
    select: leaves.map((of, i) => ({ of, as: `c${i}` })),
    where: random() < 0.2 ? null : makePredicate(random, rows),
    ...times,
    groupBy,
    aggregates,
    having: random() < 0.8 ? null : makeHaving(random, leaves),
    orderBy: orderBy.filter(({ of }) => {
      // The value of `any` is one of many, and sums of doubles differ in their last bits.
      const own = of.kind === "aggregate" ? aggregates[of.aggregate] : undefined;
      return own === undefined || (general.includes(own.fn) && own.fn !== "any");
    }),
    limit: random() < 0.6 ? null : integer(random, 12),
    offset: random() < 0.8 ? 0 : integer(random, 5),
    fill,
  };
}

function makeHaving(random: Random, leaves: readonly Expression[]): Expression {
  const of = pick(random, leaves);
  const isNull: Expression = { kind: "call", type: "boolean", fn: "is_null", args: [of] };
  return random() < 0.5 ? isNull : { kind: "call", type: "boolean", fn: "not", args: [isNull] };
}

function makeOrders(random: Random, leaves: readonly Expression[]): Order[] {
  return some(random, leaves, 2).map((of) => {
    const descending = random() < 0.5;
    return { of, descending, nullsFirst: random() < 0.5 };
  });
}

function makeTimes(random: Random, rows: readonly OracleRow[]) {
  return {
    fromUs: random() < 0.7 ? null : pick(random, rows).timestampUs,
    toUs: random() < 0.7 ? null : pick(random, rows).timestampUs,
  };
}

function makeKeys(
  random: Random,
  make: (type: Expression["type"]) => Expression,
  filled: boolean,
): Query["groupBy"] {
  const keys = some(random, paths, filled ? 2 : 3).map((path, i): Expression => {
    if (filled && i === 0) return makeBucket(random, [100_000n, 1_000_000n]);
    const choice = random();
    if (!filled && choice < 0.25) return makeBucket(random, [1n, 1000n, 7_777n, 60_000_000n]);
    if (choice < 0.45) return make(pick(random, ["number", "string", "boolean"] as const));
    if (filled) return barePath(pick(random, ["event_type", "source", "properties.small"]));
    return barePath(path);
  });
  return keys.map((of, i) => ({ of, as: `k${i}` }));
}

function makeBucket(random: Random, widths: readonly bigint[]): Expression {
  const isCalendar = random() < 0.25;
  const us = pick(random, widths);
  return {
    kind: "bucket",
    type: "timestamp",
    of: barePath("timestamp"),
    width: isCalendar
      ? pick(random, [
          { months: 1, days: 0, us: 0n },
          { months: 0, days: 1, us: 0n },
        ])
      : { months: 0, days: 0, us },
    originUs: random() < 0.5 ? null : pick(random, [0n, 3n]),
    zone: pick(random, ["UTC", "Europe/Berlin", "America/New_York"]),
  };
}

/** A query for rows. */
export function makeRowQuery(
  random: Random,
  rows: readonly OracleRow[],
  make: (type: Expression["type"]) => Expression = () => barePath("properties.any"),
): Query {
  const one = (): Expression =>
    random() < 0.85 ? barePath(pick(random, [...paths, "timestamp"])) : make("number");
  const select = Array.from({ length: 1 + integer(random, 4) }, one);
  const orders = random() < 0.2 ? [] : Array.from({ length: 1 + integer(random, 2) }, one);
  return {
    select: select.map((of, i) => ({ of, as: `c${i}` })),
    where: random() < 0.2 ? null : makePredicate(random, rows),
    ...makeTimes(random, rows),
    groupBy: [],
    aggregates: [],
    having: null,
    orderBy: orders.map((of) => {
      return { of, descending: random() < 0.5, nullsFirst: random() < 0.5 };
    }),
    limit: random() < 0.3 ? null : integer(random, 50),
    offset: random() < 0.7 ? 0 : integer(random, 20),
    fill: null,
  };
}

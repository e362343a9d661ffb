// Random rows and random queries over them, for comparing the engine with the plain way.

import type { LegacyQuery as Query, LegacyItem as SelectItem } from "../../src/query/legacy.ts";
import type { Literal, Predicate } from "../../src/query/query.ts";
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

const aggregates: readonly SelectItem[] = [
  { kind: "aggregate", fn: "count", path: null, as: "n" },
  ...["properties.small", "properties.wide", "properties.price", "properties.float"].flatMap(
    (path): SelectItem[] => [
      { kind: "aggregate", fn: "sum", path, as: `sum ${path}` },
      { kind: "aggregate", fn: "avg", path, as: `avg ${path}` },
    ],
  ),
  { kind: "aggregate", fn: "sum", path: "properties.any", as: "sum any" },
  { kind: "aggregate", fn: "sum", path: "lateness_us", as: "sum late" },
  ...paths.flatMap((path): SelectItem[] => [
    { kind: "aggregate", fn: "count", path, as: `count ${path}` },
    { kind: "aggregate", fn: "min", path, as: `min ${path}` },
    { kind: "aggregate", fn: "max", path, as: `max ${path}` },
  ]),
];

function some<T>(random: Random, list: readonly T[], most: number): T[] {
  return Array.from({ length: 1 + integer(random, most) }, () => pick(random, list));
}

/** A query with aggregates, grouped or not. */
export function makeAggregateQuery(random: Random, rows: readonly OracleRow[]): Query {
  const groupBy = random() < 0.4 ? [] : makeKeys(random);
  return {
    select: [
      ...groupBy.map((_, key): SelectItem => ({ kind: "key", key, as: `k${key}` })),
      ...some(random, aggregates, 4),
    ],
    where: random() < 0.2 ? null : makePredicate(random, rows),
    ...makeTimes(random, rows),
    groupBy,
    orderBy: [],
    limit: null,
    offset: 0,
  };
}

function makeTimes(random: Random, rows: readonly OracleRow[]) {
  return {
    fromUs: random() < 0.7 ? null : pick(random, rows).timestampUs,
    toUs: random() < 0.7 ? null : pick(random, rows).timestampUs,
  };
}

function makeKeys(random: Random): Query["groupBy"] {
  return some(random, paths, 3).map((path, i) =>
    random() < 0.3
      ? {
          kind: "bucket",
          widthUs: pick(random, [1n, 1000n, 7_777n, 60_000_000n]),
          originUs: pick(random, [0n, 3n]),
          as: `k${i}`,
        }
      : { kind: "field", path, as: `k${i}` },
  );
}

/** A query for rows. */
export function makeRowQuery(random: Random, rows: readonly OracleRow[]): Query {
  const select = some(random, paths, 4).map(
    (path): SelectItem => ({ kind: "field", path, as: path }),
  );
  const orders = some(random, [...paths, "timestamp", "timestamp"], 2);
  const descending = random() < 0.5;
  return {
    select,
    where: random() < 0.2 ? null : makePredicate(random, rows),
    ...makeTimes(random, rows),
    groupBy: [],
    // The sequence ends every order, so that there is one right answer.
    orderBy:
      random() < 0.2
        ? []
        : [...orders.slice(0, random() < 0.5 ? 1 : 2), "sequence"].map((path) => ({
            path,
            descending,
            nullsFirst: random() < 0.5,
          })),
    limit: random() < 0.3 ? null : integer(random, 50),
    offset: random() < 0.7 ? 0 : integer(random, 20),
  };
}

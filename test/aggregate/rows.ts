// Random rows of many kinds of values, and the plain answers about them.

import { JsonText, type Value } from "../../src/query/result.ts";
import { compareBytes, type OracleCell } from "../oracle/query.ts";
import { mulberry32 } from "../support/random.ts";
import { pick, type Random } from "../support/random-queries.ts";
import type { TestRow } from "./aggregate-bed.ts";

/** Values whose pages have each of the encodings, and mixtures of lanes. */
export const makers: Readonly<Record<string, (random: Random) => OracleCell>> = {
  small: (random) => BigInt(Math.floor(random() * 200)) - 50n,
  medium: (random) => BigInt(Math.floor(random() * 60_000)) - 7n,
  large: (random) => BigInt(Math.floor(random() * 2 ** 32)),
  decimal: (random) => Math.floor(random() * 50_000) / 100,
  cents: (random) => Math.floor(random() * 200) / 10,
  wide: (random) => BigInt(Math.floor((random() - 0.5) * 1e15)) * 4096n,
  double: (random) => (random() - 0.5) * 1e6,
  mixed: (random) => (random() < 0.5 ? random() * 100 : BigInt(Math.floor(random() * 100))),
  edges: (random) =>
    pick(random, [
      0n,
      0,
      -0,
      1n,
      1,
      -1n,
      2n ** 53n,
      2n ** 53n + 1n,
      2 ** 53,
      -(2n ** 53n) - 1n,
      5e-324,
      -5e-324,
      2.2250738585072014e-308,
      0.5,
      1e300,
      -1e300,
      2n ** 62n,
      -(2n ** 62n),
      1e-300,
    ]),
  texts: (random) =>
    pick(random, ["", "a", "ä", "zz", "\u{1f600}", `u${Math.floor(random() * 500)}`]),
  booleans: (random) => random() < 0.5,
  json: (random) => ({ json: `[${Math.floor(random() * 30)}]` }),
  variant: (random) =>
    pick<(random: Random) => OracleCell>(random, [
      (r) => r() < 0.5,
      (r) => BigInt(Math.floor(r() * 20)),
      (r) => Math.floor(r() * 40) / 2,
      (r) => String(Math.floor(r() * 20)),
      (r) => ({ json: `{"a":${Math.floor(r() * 5)}}` }),
      () => null,
    ])(random),
};

export const numberMakers = [
  "small",
  "medium",
  "large",
  "decimal",
  "cents",
  "wide",
  "double",
  "mixed",
  "edges",
] as const;

export type GroupShape = "runs" | "random" | "many";

/** How groups follow each other: runs as of minutes, any, or nearly one a row. */
export function makeRows(
  seed: number,
  count: number,
  make: (random: Random) => OracleCell,
  shape: GroupShape = "random",
): { rows: TestRow[]; groupCount: number } {
  const random = mulberry32(seed);
  const present = pick(random, [1, 1, 0.9, 0.05]);
  const kept = pick(random, [1, 1, 0.5, 0.02]);
  const groupCount = shape === "many" ? Math.max(1, count >> 1) : 1 + Math.floor(random() * 40);
  let group = 0;
  const rows = Array.from({ length: count }, (_, i): TestRow => {
    if (shape === "runs") {
      if (random() < 0.005) group = Math.floor(random() * groupCount);
    } else group = Math.floor(random() * groupCount);
    // One whole page without a value.
    const cell =
      i >> 12 === 1 && present < 1 ? undefined : random() < present ? make(random) : undefined;
    return {
      cell,
      group,
      selected: random() < kept,
      timestampUs: 1_700_000_000_000_000n + BigInt(Math.floor(random() * 50)) * 1_000_000n,
    };
  });
  return { rows, groupCount };
}

type Present = Exclude<OracleCell, null>;

/** Values of the selected rows by group; without groups, all of them. */
export function byGroup(
  rows: readonly TestRow[],
  groupCount: number | undefined,
): { cell: Present; row: TestRow; index: number }[][] {
  const groups: { cell: Present; row: TestRow; index: number }[][] = Array.from(
    { length: groupCount ?? 1 },
    () => [],
  );
  rows.forEach((row, index) => {
    if (!row.selected || row.cell === undefined || row.cell === null) return;
    groups[groupCount === undefined ? 0 : row.group]?.push({ cell: row.cell, row, index });
  });
  return groups;
}

export function isNumber(cell: OracleCell): cell is number | bigint {
  return typeof cell === "number" || typeof cell === "bigint";
}

function laneRank(cell: Present): number {
  if (typeof cell === "boolean") return 0;
  if (isNumber(cell)) return 1;
  return typeof cell === "string" ? 2 : 3;
}

export function compareCells(a: Present, b: Present): number {
  const ranks = laneRank(a) - laneRank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "object") return compareBytes(a.json, (b as { json: string }).json);
  if (typeof a === "string") return compareBytes(a, b as string);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A cell as results hold it: integers as numbers where they fit, -0 as 0. */
export function shownCell(cell: OracleCell | undefined): Value {
  if (cell === undefined || cell === null) return null;
  if (typeof cell === "bigint") return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  if (typeof cell === "number") return cell + 0;
  return typeof cell === "object" ? new JsonText(cell.json) : cell;
}

/** A double as the fraction that it is: numerator over 2^1074. */
export function exactly(value: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const exponent = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & ((1n << 52n) - 1n);
  const magnitude = exponent === 0 ? fraction : (fraction | (1n << 52n)) << BigInt(exponent - 1);
  return raw >> 63n ? -magnitude : magnitude;
}

export const exactUnit = 1n << 1074n;

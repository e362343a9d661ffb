// What a query answers, computed the plain way over JavaScript objects.

import type { LegacyQuery as Query, LegacyItem as SelectItem } from "../../src/query/legacy.ts";
import type { Predicate } from "../../src/query/query.ts";

/** bigint: an i64; number: an f64; null: an explicit JSON null; absent fields are not in the map. */
export type OracleCell = null | boolean | number | bigint | string | { readonly json: string };

export interface OracleRow {
  readonly sequence: bigint;
  readonly timestampUs: bigint;
  readonly receivedAtUs: bigint;
  readonly latenessUs: bigint;
  readonly id: string;
  readonly cells: ReadonlyMap<string, OracleCell>;
}

export function cellAt(row: OracleRow, path: string): OracleCell | undefined {
  if (path === "sequence") return row.sequence;
  if (path === "timestamp") return row.timestampUs;
  if (path === "received_at") return row.receivedAtUs;
  if (path === "lateness_us") return row.latenessUs;
  if (path === "id") return row.id;
  return row.cells.get(path);
}

export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function lane(cell: NonNullable<OracleCell>): number {
  if (typeof cell === "boolean") return 0;
  if (typeof cell === "string") return 2;
  return typeof cell === "object" ? 3 : 1;
}

function compareCells(a: NonNullable<OracleCell>, b: NonNullable<OracleCell>): number {
  if (lane(a) !== lane(b)) return lane(a) - lane(b);
  if (typeof a === "string") return compareBytes(a, b as string);
  if (typeof a === "object") return compareBytes(a.json, (b as { json: string }).json);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** true, false, or null for SQL's unknown. */
export function evaluate(predicate: Predicate, row: OracleRow): boolean | null {
  switch (predicate.kind) {
    case "and":
    case "or": {
      const values = predicate.of.map((one) => evaluate(one, row));
      const final = predicate.kind === "or";
      if (values.includes(final)) return final;
      return values.includes(null) ? null : !final;
    }
    case "not": {
      const value = evaluate(predicate.of, row);
      return value === null ? null : !value;
    }
    case "constant":
      return predicate.value;
    case "exists":
      return cellAt(row, predicate.path) !== undefined;
    case "test":
      throw new Error("the oracle knows no expressions");
    case "is-null":
      return cellAt(row, predicate.path) == null;
    case "compare":
      return compare(cellAt(row, predicate.path), predicate.op, predicate.value);
    case "in": {
      const cell = cellAt(row, predicate.path);
      const values = predicate.values.map((value) => compare(cell, "=", value));
      if (values.includes(true)) return true;
      return values.includes(null) ? null : false;
    }
    case "prefix": {
      const cell = cellAt(row, predicate.path);
      return typeof cell === "string" ? cell.startsWith(predicate.prefix) : null;
    }
  }
}

function compare(
  cell: OracleCell | undefined,
  op: string,
  value: boolean | number | bigint | string,
): boolean | null {
  if (cell == null || typeof cell === "object" || lane(cell) !== lane(value)) return null;
  const order = compareCells(cell, value);
  if (op === "=") return order === 0;
  if (op === "!=") return order !== 0;
  if (op === "<") return order < 0;
  if (op === "<=") return order <= 0;
  return op === ">" ? order > 0 : order >= 0;
}

export function passes(query: Pick<Query, "where" | "fromUs" | "toUs">, row: OracleRow): boolean {
  if (query.fromUs !== null && row.timestampUs < query.fromUs) return false;
  if (query.toUs !== null && row.timestampUs >= query.toUs) return false;
  return query.where === null || evaluate(query.where, row) === true;
}

/** Equal keys have equal text; numbers that are equal are one key, whatever their kind. */
export function keyText(cell: OracleCell | undefined): string {
  if (cell == null) return "null";
  if (typeof cell === "object") return `json ${cell.json}`;
  if (typeof cell === "number" && Number.isInteger(cell)) return `number ${BigInt(cell)}`;
  if (typeof cell === "number" || typeof cell === "bigint") return `number ${cell}`;
  return `${typeof cell} ${cell}`;
}

function bucket(row: OracleRow, widthUs: bigint, originUs: bigint): bigint {
  const offset = row.timestampUs - originUs;
  const rest = ((offset % widthUs) + widthUs) % widthUs;
  return row.timestampUs - rest;
}

export interface OracleGroup {
  readonly keys: readonly (OracleCell | undefined)[];
  readonly rows: OracleRow[];
}

export function groupsOf(query: Query, rows: readonly OracleRow[]): Map<string, OracleGroup> {
  const groups = new Map<string, OracleGroup>();
  if (query.groupBy.length === 0) groups.set("", { keys: [], rows: [] });
  for (const row of rows.filter((one) => passes(query, one))) {
    const keys = query.groupBy.map((key) =>
      key.kind === "bucket" ? bucket(row, key.widthUs, key.originUs) : cellAt(row, key.path),
    );
    const text = keys.map(keyText).join("\0");
    const group = groups.get(text) ?? { keys, rows: [] };
    group.rows.push(row);
    groups.set(text, group);
  }
  return groups;
}

export type OracleValue = OracleCell | "overflow";

/** An aggregate of rows; sums of doubles are exact to the last bits because they are added as integers of 2^-1074. */
export function aggregate(
  item: Extract<SelectItem, { kind: "aggregate" }>,
  rows: readonly OracleRow[],
): OracleValue {
  const { fn, path } = item;
  if (path === null) return rows.length;
  const cells = rows
    .map((row) => cellAt(row, path))
    .filter((cell): cell is NonNullable<OracleCell> => cell != null);
  if (fn === "count") return cells.length;
  if (fn === "min" || fn === "max") {
    const sorted = cells.toSorted(compareCells);
    return (fn === "min" ? sorted[0] : sorted.at(-1)) ?? null;
  }
  const numbers = cells.filter((cell) => typeof cell === "number" || typeof cell === "bigint");
  if (numbers.length === 0) return null;
  const integers = numbers.filter((cell) => typeof cell === "bigint");
  const integerSum = integers.reduce((sum, cell) => sum + cell, 0n);
  if (integers.length === numbers.length) {
    if (fn === "avg") return Number(integerSum) / numbers.length;
    return BigInt.asIntN(64, integerSum) === integerSum ? integerSum : "overflow";
  }
  const floats = numbers.filter((cell) => typeof cell === "number");
  const sum = exactSum([...floats, Number(integerSum)]);
  return fn === "avg" ? sum / numbers.length : sum;
}

/** Shewchuk's partials: the sum without any rounding, rounded once at the end. */
function exactSum(values: readonly number[]): number {
  const partials: number[] = [];
  for (const value of values) {
    let x = value;
    let kept = 0;
    for (const partial of [...partials]) {
      const [big, small] = Math.abs(x) < Math.abs(partial) ? [partial, x] : [x, partial];
      const high = big + small;
      const low = small - (high - big);
      if (low !== 0) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  return partials.reduce((sum, partial) => sum + partial, 0);
}

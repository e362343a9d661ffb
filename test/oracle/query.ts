// What a query answers, computed the plain way over JavaScript objects. Scalar functions are those of the engine, which
// have tests of their own; here they are called row by row, and everything around them is written again.

import { Buckets } from "../../src/query/expression/bucket.ts";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { Expression, ValueType } from "../../src/query/expression/expression.ts";
import type { LeafValue } from "../../src/query/expression/scalar.ts";
import type { Aggregate, Order, Predicate, Query } from "../../src/query/query.ts";
import { isGrouped } from "../../src/query/query.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { formatTime } from "../../src/query/time.ts";

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
      return valueOf(predicate.of, row) as boolean | null;
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

/** A cell as a value: integers are numbers where they fit, a zero has no sign. */
function valueOfCell(cell: OracleCell | undefined): Value {
  if (cell === undefined || cell === null) return null;
  if (typeof cell === "bigint") return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  if (typeof cell === "number") return cell + 0;
  return typeof cell === "object" ? new JsonText(cell.json) : cell;
}

function isOfType(value: Value, type: ValueType): boolean {
  if (type === "variant" || value === null) return true;
  if (type === "string" || type === "boolean") return typeof value === type;
  if (type === "json") return value instanceof JsonText;
  return typeof value === "number" || typeof value === "bigint";
}

function leafOf(row: OracleRow): LeafValue {
  return (leaf) => {
    if (leaf.kind === "call") {
      const of = leaf.args[0];
      return of?.kind === "path" && cellAt(row, of.path) !== undefined;
    }
    if (leaf.kind !== "path") throw new Error("a row has neither keys nor aggregates");
    const value = valueOfCell(cellAt(row, leaf.path));
    return isOfType(value, leaf.type) ? value : null;
  };
}

const compiled = new WeakMap<Expression, (leaf: LeafValue) => Value>();

function compile(of: Expression): (leaf: LeafValue) => Value {
  const known = compiled.get(of) ?? compileExpression(of);
  compiled.set(of, known);
  return known;
}

export function valueOf(of: Expression, row: OracleRow): Value {
  return compile(of)(leafOf(row));
}

/** Equal values have equal text. */
export function valueText(value: Value): string {
  if (value === null) return "null";
  if (value instanceof JsonText) return `json ${value.text}`;
  if (typeof value === "number" && Number.isInteger(value)) return `number ${BigInt(value)}`;
  if (typeof value === "number" || typeof value === "bigint") return `number ${value}`;
  return `${typeof value} ${value}`;
}

function rank(value: NonNullable<Value>): number {
  if (typeof value === "boolean") return 0;
  if (typeof value === "string") return 2;
  return typeof value === "object" ? 3 : 1;
}

/** boolean < number < string < json, NULL last. */
export function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "string") return compareBytes(a, b as string);
  if (a instanceof JsonText) return compareBytes(a.text, (b as JsonText).text);
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareOrdered(a: Value, b: Value, { descending, nullsFirst }: Order): number {
  if (a === null || b === null) {
    if (a === b) return 0;
    return (a === null) === nullsFirst ? -1 : 1;
  }
  return descending ? -compareValues(a, b) : compareValues(a, b);
}

interface OracleGroup {
  readonly keys: readonly Value[];
  readonly rows: OracleRow[];
  /** By aggregate; made where the group has none of its own rows. */
  values?: readonly OracleValue[];
}

function groupsOf(query: Query, rows: readonly OracleRow[]): OracleGroup[] {
  const groups = new Map<string, OracleGroup>();
  if (query.groupBy.length === 0) groups.set("", { keys: [], rows: [] });
  for (const row of rows.filter((one) => passes(query, one))) {
    const keys = query.groupBy.map(({ of }) => valueOf(of, row));
    const text = keys.map(valueText).join("\0");
    const group = groups.get(text) ?? { keys, rows: [] };
    group.rows.push(row);
    groups.set(text, group);
  }
  return [...groups.values()];
}

/** "overflow": an error is to come. A list: one of these. */
export type OracleValue = Value | "overflow" | { readonly anyOf: readonly Value[] };

/** An aggregate of a group's rows. `seconds`: the time that the group covers, for rates. */
export function aggregateOf(
  aggregate: Aggregate,
  rows: readonly OracleRow[],
  seconds: number | null,
): OracleValue {
  const { fn, of, filter, parameters } = aggregate;
  const passed = rows.filter((row) => filter === null || evaluate(filter, row) === true);
  if (of === null) {
    if (fn === "rate") return rateOf(passed.length, passed, seconds);
    return passed.length;
  }
  const pairs = passed.map((row) => ({ row, value: valueOf(of, row) }));
  const present = pairs.filter((one): one is { row: OracleRow; value: NonNullable<Value> } => {
    return one.value !== null;
  });
  const values = present.map(({ value }) => value);
  const distinct = [...new Map(values.map((value) => [valueText(value), value])).values()];
  const sorted = values.toSorted(compareValues);
  const numbers = sorted.filter((one) => typeof one === "number" || typeof one === "bigint");
  switch (fn) {
    case "count":
      return values.length;
    case "count_distinct":
      return distinct.length;
    case "min":
      return sorted[0] ?? null;
    case "max":
      return sorted.at(-1) ?? null;
    case "first":
    case "last": {
      const byTime = present.toSorted((a, b) => compareTimes(a.row, b.row));
      return (fn === "first" ? byTime[0] : byTime.at(-1))?.value ?? null;
    }
    case "any":
      return values.length === 0 ? null : { anyOf: values };
    case "sum":
      return sumOf(numbers);
    case "avg": {
      const sum = sumOf(numbers);
      if (sum === "overflow")
        return Number(numbers.reduce<bigint>((a, b) => a + BigInt(b), 0n)) / numbers.length;
      return sum === null ? null : Number(sum) / numbers.length;
    }
    case "var_pop":
    case "var_samp":
    case "stddev_pop":
    case "stddev_samp":
      return spreadOf(fn, numbers.map(Number));
    case "percentile_disc":
      return sorted[Math.max(0, Math.ceil((parameters[0] as number) * sorted.length) - 1)] ?? null;
    case "median":
    case "percentile_cont":
      return between(numbers.map(Number), fn === "median" ? 0.5 : (parameters[0] as number));
    case "rate": {
      const sum = sumOf(numbers);
      return sum === null || typeof sum === "object" || sum === "overflow"
        ? null
        : rateOf(Number(sum), passed, seconds);
    }
    default:
      throw new Error(`the oracle knows no ${fn}`);
  }
}

function compareTimes(a: OracleRow, b: OracleRow): number {
  if (a.timestampUs !== b.timestampUs) return a.timestampUs < b.timestampUs ? -1 : 1;
  return a.sequence < b.sequence ? -1 : 1;
}

function rateOf(amount: number, rows: readonly OracleRow[], seconds: number | null): Value {
  const times = rows.map(({ timestampUs }) => Number(timestampUs));
  const length = seconds ?? (Math.max(...times) - Math.min(...times)) / 1e6;
  return rows.length === 0 && seconds === null ? null : length <= 0 ? null : amount / length;
}

function between(sorted: readonly number[], fraction: number): Value {
  if (sorted.length === 0) return null;
  const at = fraction * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return low + (high - low) * (at - Math.floor(at));
}

function spreadOf(fn: string, numbers: readonly number[]): Value {
  const count = numbers.length - (fn.endsWith("samp") ? 1 : 0);
  if (count <= 0) return null;
  const mean = exactSum(numbers) / numbers.length;
  const variance = exactSum(numbers.map((one) => (one - mean) ** 2)) / count;
  return fn.startsWith("var") ? variance : Math.sqrt(variance);
}

/** Integers exactly; with a fraction among them, a double. */
function sumOf(numbers: readonly (number | bigint)[]): Value | "overflow" {
  if (numbers.length === 0) return null;
  const isInteger = (one: number | bigint): boolean =>
    typeof one === "bigint" || Number.isSafeInteger(one);
  if (numbers.every(isInteger)) {
    const sum = numbers.reduce<bigint>((total, one) => total + BigInt(one), 0n);
    return BigInt.asIntN(64, sum) === sum ? valueOfCell(sum) : "overflow";
  }
  return exactSum(numbers.map(Number));
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

/** What the whole query answers, as results show it; "overflow" where it is to fail. */
export function answerOf(query: Query, rows: readonly OracleRow[]): OracleValue[][] | "overflow" {
  return isGrouped(query) ? groupedAnswer(query, rows) : rowsAnswer(query, rows);
}

function rowsAnswer(query: Query, rows: readonly OracleRow[]): Value[][] {
  const sign = query.orderBy[0]?.descending ? -1n : 1n;
  const sorted = rows
    .filter((row) => passes(query, row))
    .map((row) => ({ row, keys: query.orderBy.map(({ of }) => valueOf(of, row)) }))
    .sort((a, b) => {
      for (const [i, order] of query.orderBy.entries()) {
        const result = compareOrdered(a.keys[i] ?? null, b.keys[i] ?? null, order);
        if (result !== 0) return result;
      }
      return Number(sign * (a.row.sequence - b.row.sequence));
    });
  return cut(query, sorted).map(({ row }) =>
    query.select.map(({ of }) => shown(valueOf(of, row), of.type)),
  );
}

function cut<T>(query: Query, list: readonly T[]): readonly T[] {
  return list.slice(query.offset, query.limit === null ? list.length : query.offset + query.limit);
}

function groupedAnswer(query: Query, rows: readonly OracleRow[]): OracleValue[][] | "overflow" {
  let groups = groupsOf(query, rows);
  for (const group of groups) {
    group.values = query.aggregates.map((one) =>
      aggregateOf(one, group.rows, secondsOf(query, group)),
    );
    if (group.values.includes("overflow")) return "overflow";
  }
  const { having } = query;
  if (having !== null) {
    groups = groups.filter((group) => compile(having)(groupLeaf(group)) === true);
  }
  if (query.fill !== null) groups = filled(query, groups);
  const sorted = groups
    .map((group) => ({
      group,
      keys: query.orderBy.map(({ of }) => compile(of)(groupLeaf(group))),
    }))
    .sort((a, b) => {
      for (const [i, order] of query.orderBy.entries()) {
        const result = compareOrdered(a.keys[i] ?? null, b.keys[i] ?? null, order);
        if (result !== 0) return result;
      }
      for (const [i, key] of a.group.keys.entries()) {
        const result = compareValues(key, b.group.keys[i] ?? null);
        if (result !== 0) return result;
      }
      return 0;
    });
  return cut(query, sorted).map(({ group }) =>
    query.select.map(({ of }): OracleValue => {
      const value = of.kind === "aggregate" ? group.values?.[of.aggregate] : undefined;
      if (typeof value === "object" && value !== null && "anyOf" in value) {
        return { anyOf: value.anyOf.map((one) => shown(one, of.type)) };
      }
      return shown(compile(of)(groupLeaf(group)), of.type);
    }),
  );
}

function groupLeaf({ keys, values }: OracleGroup): LeafValue {
  return (leaf) => {
    if (leaf.kind === "key") return keys[leaf.key] ?? null;
    return leaf.kind === "aggregate" ? ((values?.[leaf.aggregate] as Value) ?? null) : null;
  };
}

function bucketKey(query: Query): { index: number; buckets: Buckets } | null {
  const index = query.groupBy.findIndex(({ of }) => of.kind === "bucket");
  const of = query.groupBy[index]?.of;
  return of?.kind === "bucket" ? { index, buckets: new Buckets(of) } : null;
}

function secondsOf(query: Query, group: OracleGroup): number | null {
  const { fromUs, toUs } = query;
  const key = bucketKey(query);
  if (key) {
    const { startUs, endUs } = key.buckets.span(group.keys[key.index] as number | bigint);
    const from = fromUs !== null && fromUs > startUs ? fromUs : startUs;
    const to = toUs !== null && toUs < endUs ? toUs : endUs;
    return Number(to - from) / 1e6;
  }
  return fromUs === null || toUs === null ? null : Number(toUs - fromUs) / 1e6;
}

/** One line of buckets for each combination of the other keys. */
function filled(query: Query, groups: readonly OracleGroup[]): OracleGroup[] {
  const key = bucketKey(query);
  if (!key) return [...groups];
  const { index, buckets } = key;
  const startOf = (group: OracleGroup): bigint => BigInt(group.keys[index] as number | bigint);
  const starts = groups.map(startOf).sort((a, b) => (a < b ? -1 : 1));
  const first = query.fromUs ?? starts[0];
  const last = query.toUs === null ? starts.at(-1) : query.toUs - 1n;
  if (first === undefined || last === undefined) return [];
  const lines = new Map<string, { keys: readonly Value[]; groups: OracleGroup[] }>();
  if (query.groupBy.length === 1) lines.set("", { keys: [null], groups: [] });
  for (const group of groups) {
    const name = group.keys.map((one, i) => (i === index ? "" : valueText(one))).join("\0");
    const line = lines.get(name) ?? { keys: group.keys, groups: [] };
    line.groups.push(group);
    lines.set(name, line);
  }
  const out: OracleGroup[] = [];
  const zero = query.fill === "zero";
  const none = query.aggregates.map(({ type }) => (zero && type === "number" ? 0 : null));
  for (const line of lines.values()) {
    let before: readonly OracleValue[] = none;
    for (let at = first; at <= last; ) {
      const { startUs, endUs } = buckets.span(at);
      const own = line.groups.find((group) => startOf(group) === startUs);
      if (own) before = own.values ?? none;
      const keys = line.keys.map((one, i) => (i === index ? valueOfCell(startUs) : one));
      out.push(own ?? { keys, rows: [], values: query.fill === "previous" ? before : none });
      at = endUs;
    }
  }
  return out;
}

function shown(value: Value, type: ValueType): Value {
  if (typeof value !== "number" && typeof value !== "bigint") return value;
  if (type === "timestamp") return formatTime(BigInt(value));
  return type === "sequence" ? String(value) : value;
}

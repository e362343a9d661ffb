// Buckets without rows, for every combination of the other keys that has rows in some bucket. HAVING chooses among
// the groups that have rows; what it leaves out is a gap like any other.

import { LimitError } from "../../errors.ts";
import { Buckets } from "../expression/bucket.ts";
import type { Expression } from "../expression/expression.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Fill, Query } from "../query.ts";
import type { Value } from "../result.ts";
import { compareOrdered } from "../value-order.ts";
import type { FinishParts, ResultRows } from "./finish-groups.ts";
import type { GroupTable } from "./group-table.ts";

type Us = number | bigint;

/** Key values and aggregates of a row. */
interface FilledRow {
  readonly keys: readonly Value[];
  readonly aggregates: readonly Value[];
}

/** The groups of one combination of the keys other than the bucket, by the start of their bucket. */
interface Line {
  readonly keys: readonly Value[];
  readonly groups: Map<bigint, number>;
}

class FilledRows implements ResultRows {
  readonly #rows: readonly FilledRow[];

  constructor(rows: readonly FilledRow[]) {
    this.#rows = rows;
  }

  get count(): number {
    return this.#rows.length;
  }

  leaf(row: number): LeafValue {
    const { keys, aggregates } = this.#rows[row] as FilledRow;
    return (one) => {
      if (one.kind === "aggregate") return aggregates[one.aggregate] ?? null;
      return one.kind === "key" ? (keys[one.key] ?? null) : null;
    };
  }

  compareKey(key: number, a: number, b: number): number {
    const [x, y] = [this.#rows[a]?.keys[key] ?? null, this.#rows[b]?.keys[key] ?? null];
    return compareOrdered(x, y, { descending: false, nullsFirst: false });
  }
}

/** The groups, and a row for each bucket between the first and the last that has no group. */
export function fillGaps(parts: FinishParts, groups: Uint32Array, fill: Fill): ResultRows {
  const { query, values } = parts;
  const table = parts.table as GroupTable;
  const key = query.groupBy.findIndex(({ of }) => of.kind === "bucket");
  if (key < 0) return rowsOf(parts, groups);
  const of = query.groupBy[key]?.of as Extract<Expression, { kind: "bucket" }>;
  const buckets = new Buckets(of);
  const rows: FilledRow[] = [];
  const lines = new Map<string, Line>();
  for (const group of groups) {
    const start = table.valueOf(group, key) as Us | null;
    if (start === null) {
      rows.push(rowOf(parts, group));
      continue;
    }
    const name = query.groupBy.map((_, k) => (k === key ? "" : table.index(group, k))).join();
    let line = lines.get(name);
    if (line === undefined) {
      const keys = query.groupBy.map((_, k) => (k === key ? null : table.valueOf(group, k)));
      line = { keys, groups: new Map() };
      lines.set(name, line);
    }
    line.groups.set(BigInt(start), group);
  }
  // Without other keys there is one combination of them, whether it has rows or not.
  if (query.groupBy.length === 1 && lines.size === 0) {
    lines.set("", { keys: [null], groups: new Map() });
  }
  const starts = startsOf(query, of, buckets, [...lines.values()], parts.rowsMax);
  const empty = query.aggregates.map(({ type }) =>
    fill === "zero" && type === "number" ? 0 : null,
  );
  for (const { keys, groups: byStart } of lines.values()) {
    let before: readonly Value[] = empty;
    for (const start of starts) {
      const group = byStart.get(start);
      if (group !== undefined) before = values.map((value) => value(group));
      const aggregates = group !== undefined || fill === "previous" ? before : empty;
      rows.push({ keys: keys.map((one, k) => (k === key ? asUs(start) : one)), aggregates });
    }
  }
  return new FilledRows(rows);
}

const asUs = (us: bigint): Us => (Number.isSafeInteger(Number(us)) ? Number(us) : us);

function rowOf({ query, table, values }: FinishParts, group: number): FilledRow {
  return {
    keys: query.groupBy.map((_, k) => (table as GroupTable).valueOf(group, k)),
    aggregates: values.map((value) => value(group)),
  };
}

function rowsOf(parts: FinishParts, groups: Uint32Array): ResultRows {
  return new FilledRows(Array.from(groups, (group) => rowOf(parts, group)));
}

/** Starts of all buckets of the query's range, or from the first to the last bucket that has rows. */
function startsOf(
  query: Query,
  of: Extract<Expression, { kind: "bucket" }>,
  buckets: Buckets,
  lines: readonly Line[],
  rowsMax: number,
): bigint[] {
  const isTime = of.of.kind === "path" && of.of.path === "timestamp";
  let first = isTime ? query.fromUs : null;
  let last = isTime && query.toUs !== null ? query.toUs - 1n : null;
  if (first === null || last === null) {
    const taken = lines.flatMap(({ groups }) => [...groups.keys()]);
    if (taken.length === 0) return [];
    first ??= taken.reduce((a, b) => (b < a ? b : a));
    last ??= taken.reduce((a, b) => (b > a ? b : a));
  }
  const starts: bigint[] = [];
  const most = Math.floor(rowsMax / Math.max(1, lines.length));
  for (let at = first; at <= last; ) {
    const { startUs, endUs } = buckets.span(at);
    if (starts.length === most) throw tooMany(first, last, endUs - startUs, lines.length, rowsMax);
    starts.push(startUs);
    at = endUs;
  }
  return starts;
}

function tooMany(
  first: bigint,
  last: bigint,
  widthUs: bigint,
  lines: number,
  rowsMax: number,
): LimitError {
  const needed = ((last - first) / widthUs + 1n) * BigInt(lines);
  return new LimitError(
    "query_rows",
    `filling the gaps makes about ${needed} rows, ${rowsMax} are allowed; a shorter range or wider buckets make fewer`,
    { needed: Number(needed), limit: rowsMax },
  );
}

// From groups to the rows of a result: HAVING, gaps filled, ORDER BY, LIMIT, select. Only what is answered becomes
// values of JavaScript, and what orders it.
//
// Groups that ORDER BY leaves equal, and all of them without it, come in the order of their keys, the first key first,
// each ascending with NULL last: so the answer does not depend on which thread met which group first.

import { LimitError } from "../../errors.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Query } from "../query.ts";
import type { Value } from "../result.ts";
import { compareOrdered } from "../values.ts";
import { fillGaps } from "./fill.ts";
import { byKeys, type Compare, firstOf } from "./group-order.ts";
import type { GroupTable } from "./group-table.ts";
import { shownValue } from "./shown.ts";

export interface FinishParts {
  readonly query: Query;
  /** Null: there is one group, without keys. */
  readonly table: GroupTable | null;
  /** By aggregate, the value of a group. */
  readonly values: readonly ((group: number) => Value)[];
  readonly rowsMax: number;
}

export function finishGroups(parts: FinishParts): Value[][] {
  const { query, table } = parts;
  const rows =
    query.fill === null || table === null
      ? new GroupRowsOfTable(parts)
      : fillGaps(parts, havingGroups(parts), query.fill);
  const candidates =
    query.fill === null || table === null ? havingGroups(parts) : allOf(rows.count);
  const chosen = choose(query, rows, candidates);
  if (chosen.length > parts.rowsMax) {
    throw new LimitError(
      "query_rows",
      `the result has ${chosen.length} rows, ${parts.rowsMax} are allowed; a LIMIT makes fewer`,
      { needed: chosen.length, limit: parts.rowsMax },
    );
  }
  const select = query.select.map(({ of }) => ({ value: compileExpression(of), type: of.type }));
  return Array.from(chosen, (row) => {
    const leaf = rows.leaf(row);
    return select.map(({ value, type }) => shownValue(value(leaf), type));
  });
}

/** What HAVING, ORDER BY and select look at: a group, or a bucket without rows. */
export interface ResultRows {
  readonly count: number;
  /** The leaves of a row; good until the next call. */
  leaf(row: number): LeafValue;
  /** Orders two rows by one of their keys, ascending, NULL last. */
  compareKey(key: number, a: number, b: number): number;
  /** All rows in the order of their keys, where that is quicker than comparing; the rows are those of `candidates`. */
  sortByKeys?(candidates: Uint32Array): Uint32Array;
}

function allOf(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

class GroupRowsOfTable implements ResultRows {
  readonly count: number;
  readonly #table: GroupTable | null;
  readonly #values: FinishParts["values"];
  #group = 0;

  constructor({ table, values }: FinishParts) {
    this.#table = table;
    this.#values = values;
    this.count = table?.count ?? 1;
  }

  leaf(row: number): LeafValue {
    this.#group = row;
    return this.#leaf;
  }

  readonly #leaf: LeafValue = (one) => {
    if (one.kind === "aggregate") {
      return (this.#values[one.aggregate] as (group: number) => Value)(this.#group);
    }
    return one.kind === "key" && this.#table ? this.#table.valueOf(this.#group, one.key) : null;
  };

  compareKey(key: number, a: number, b: number): number {
    const table = this.#table as GroupTable;
    return table.compare(key, table.index(a, key), table.index(b, key));
  }

  sortByKeys(candidates: Uint32Array): Uint32Array {
    return this.#table ? byKeys(this.#table, candidates) : candidates;
  }
}

/** The groups that HAVING takes. */
function havingGroups(parts: FinishParts): Uint32Array {
  const rows = new GroupRowsOfTable(parts);
  const { having } = parts.query;
  if (having === null) return allOf(rows.count);
  const test = compileExpression(having);
  const kept = new Uint32Array(rows.count);
  let count = 0;
  for (let group = 0; group < rows.count; group++) {
    if (test(rows.leaf(group)) === true) kept[count++] = group;
  }
  return kept.subarray(0, count);
}

/** The rows of the result in order, between OFFSET and LIMIT. */
function choose(query: Query, rows: ResultRows, candidates: Uint32Array): Uint32Array {
  const { limit, offset } = query;
  const end = limit === null ? candidates.length : Math.min(candidates.length, offset + limit);
  if (offset >= end) return candidates.subarray(0, 0);
  const isAll = end >= candidates.length;
  if (query.orderBy.length === 0 && isAll && rows.sortByKeys) {
    return rows.sortByKeys(candidates).subarray(offset, end);
  }
  const compare = orderOf(query, rows, candidates);
  const sorted = isAll
    ? (rows.sortByKeys?.(candidates) ?? candidates.slice()).sort(compare)
    : firstOf(candidates, end, compare);
  return sorted.subarray(offset, end);
}

function orderOf(query: Query, rows: ResultRows, candidates: Uint32Array): Compare {
  const orders = query.orderBy.map((order): Compare => {
    const { of, descending, nullsFirst } = order;
    if (of.kind === "key" && nullsFirst === descending) {
      const { key } = of;
      const sign = descending ? -1 : 1;
      return (a, b) => sign * rows.compareKey(key, a, b);
    }
    const evaluate = compileExpression(of);
    const values: Value[] = new Array(rows.count);
    for (const row of candidates) values[row] = evaluate(rows.leaf(row));
    return (a, b) => {
      const x = values[a] as Value;
      const y = values[b] as Value;
      if (typeof x === "number" && typeof y === "number") return descending ? y - x : x - y;
      return compareOrdered(x, y, order);
    };
  });
  const keys = query.groupBy.length;
  return (a, b) => {
    for (const compare of orders) {
      const result = compare(a, b);
      if (result !== 0) return result;
    }
    for (let key = 0; key < keys; key++) {
      const result = rows.compareKey(key, a, b);
      if (result !== 0) return result;
    }
    return 0;
  };
}

// From groups to the rows of a result: HAVING, gaps filled, ORDER BY, LIMIT, select. Only what is answered becomes
// values of JavaScript, and what orders it.
//
// Groups that ORDER BY leaves equal, and all of them without it, come in the order of their keys, the first key first,
// each ascending with NULL last: so the answer does not depend on which thread met which group first.

import { LimitError } from "../../errors.ts";
import { compileExpression } from "../expression/evaluate.ts";
import type { Expression } from "../expression/expression.ts";
import type { LeafValue } from "../expression/scalar.ts";
import type { Order, Query } from "../query.ts";
import type { Value } from "../result.ts";
import { compareOrdered } from "../value-order.ts";
import { fillGaps } from "./fill.ts";
import { type AggregateNumbers, groupNumbers } from "./group-numbers.ts";
import { byKeys, type Compare, firstOf } from "./group-order.ts";
import type { GroupTable } from "./group-table.ts";
import { compileResult, shownValue } from "./shown.ts";

export interface FinishParts {
  readonly query: Query;
  /** Null: there is one group, without keys. */
  readonly table: GroupTable | null;
  /** By aggregate, the value of a group. */
  readonly values: readonly ((group: number) => Value)[];
  /** All at once, where that is quicker. */
  readonly numbers?: AggregateNumbers;
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
  const chosen = choose(parts, rows, candidates);
  if (chosen.length > parts.rowsMax) {
    throw new LimitError(
      "query_rows",
      `the result has ${chosen.length} rows, ${parts.rowsMax} are allowed; a LIMIT makes fewer`,
      { needed: chosen.length, limit: parts.rowsMax },
    );
  }
  const select = query.select.map(({ of }) => ({ value: compileResult(of), type: of.type }));
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
  /** Reads an expression without asking for leaves, where it is but one of them. */
  reader?(of: Expression): ((row: number) => Value) | undefined;
  /** By row, the numbers that an expression yields; null where it must be evaluated row by row. */
  numbers?(of: Expression): Float64Array | null;
  /** All rows in the order of their keys, where that is quicker than comparing; the rows are those of `candidates`. */
  sortByKeys?(candidates: Uint32Array): Uint32Array;
}

function allOf(count: number): Uint32Array {
  const all = new Uint32Array(count);
  for (let i = 0; i < count; i++) all[i] = i;
  return all;
}

class GroupRowsOfTable implements ResultRows {
  readonly count: number;
  readonly #table: GroupTable | null;
  readonly #values: FinishParts["values"];
  readonly #numbers: AggregateNumbers | undefined;
  #group = 0;

  constructor({ table, values, numbers }: FinishParts) {
    this.#table = table;
    this.#values = values;
    this.#numbers = numbers;
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

  reader(of: Expression): ((row: number) => Value) | undefined {
    return of.kind === "aggregate" ? this.#values[of.aggregate] : undefined;
  }

  numbers(of: Expression): Float64Array | null {
    return this.#numbers ? groupNumbers(of, this.#numbers) : null;
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
function choose(parts: FinishParts, rows: ResultRows, candidates: Uint32Array): Uint32Array {
  const { query } = parts;
  const { limit, offset } = query;
  const end = limit === null ? candidates.length : Math.min(candidates.length, offset + limit);
  if (offset >= end) return candidates.subarray(0, 0);
  const isAll = end >= candidates.length;
  if (query.orderBy.length === 0 && isAll && rows.sortByKeys) {
    return rows.sortByKeys(candidates).subarray(offset, end);
  }
  const { compare, numbers } = orderOf(parts, rows, candidates);
  const sorted = isAll
    ? (rows.sortByKeys?.(candidates) ?? candidates.slice()).sort(compare)
    : firstOf(candidates, end, compare, numbers);
  return sorted.subarray(offset, end);
}

/** What one key of ORDER BY says: how two rows compare and, where all its values are numbers, those numbers. */
interface OrderTerm {
  readonly compare: Compare;
  /** By row; less is earlier. */
  readonly numbers?: Float64Array;
}

function orderTerm(order: Order, rows: ResultRows, candidates: Uint32Array): OrderTerm {
  const { of, descending, nullsFirst } = order;
  if (of.kind === "key" && nullsFirst === descending) {
    const { key } = of;
    const sign = descending ? -1 : 1;
    return { compare: (a, b) => sign * rows.compareKey(key, a, b) };
  }
  const sign = descending ? -1 : 1;
  const known = rows.numbers?.(of);
  if (known) {
    if (descending) for (let i = 0; i < known.length; i++) known[i] = -(known[i] as number);
    return { compare: (a, b) => (known[a] as number) - (known[b] as number), numbers: known };
  }
  const read = rows.reader?.(of) ?? evaluator(of, rows);
  const numbers = new Float64Array(rows.count);
  for (let i = 0; i < candidates.length; i++) {
    const row = candidates[i] as number;
    const value = read(row);
    if (typeof value !== "number" || Number.isNaN(value)) {
      return { compare: compareValues(order, rows.count, candidates, read) };
    }
    numbers[row] = sign * value;
  }
  return { compare: (a, b) => (numbers[a] as number) - (numbers[b] as number), numbers };
}

function evaluator(of: Expression, rows: ResultRows): (row: number) => Value {
  const evaluate = compileExpression(of);
  return (row) => evaluate(rows.leaf(row));
}

function compareValues(
  order: Order,
  count: number,
  candidates: Uint32Array,
  read: (row: number) => Value,
): Compare {
  const values: Value[] = new Array(count);
  for (const row of candidates) values[row] = read(row);
  return (a, b) => compareOrdered(values[a] as Value, values[b] as Value, order);
}

/** The order of all rows, and the numbers that it begins with, if it does. */
function orderOf(parts: FinishParts, rows: ResultRows, candidates: Uint32Array): OrderTerm {
  const { orderBy, groupBy } = parts.query;
  const terms = orderBy.map((order) => orderTerm(order, rows, candidates));
  const keys = groupBy.length;
  const compare: Compare = (a, b) => {
    for (let i = 0; i < terms.length; i++) {
      const result = (terms[i] as OrderTerm).compare(a, b);
      if (result !== 0) return result;
    }
    for (let key = 0; key < keys; key++) {
      const result = rows.compareKey(key, a, b);
      if (result !== 0) return result;
    }
    return 0;
  };
  const numbers = terms[0]?.numbers;
  return numbers ? { compare, numbers } : { compare };
}

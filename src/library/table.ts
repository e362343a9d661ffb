import { parseExactJson } from "../base/exact-json.ts";
import { JsonText, type QueryResult, type QueryStats, type ResultColumn } from "../query/result.ts";
import { intervalText, type ResultValue, uniqueNames } from "../query/result-text.ts";

/**
 * A value of a result. Integers beyond 2^53 are bigints; timestamps are RFC 3339 text in UTC, because a `Date` has no
 * microseconds; intervals are ISO 8601 text; JSON is parsed.
 */
export type Cell = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The answer to a query: `rows` by place, or objects by name through iteration. */
export class Table<Row = Record<string, Cell>> implements Iterable<Row> {
  readonly columns: readonly ResultColumn[];
  /** In the order of the columns. */
  readonly rows: readonly (readonly Cell[])[];
  /** The sequence that the answer reflects: every event below it, none from it on. */
  readonly asOf: bigint;
  readonly stats: QueryStats;
  readonly #keys: readonly string[];

  constructor(result: QueryResult) {
    this.columns = result.columns;
    this.rows = cellsOf(result);
    this.asOf = BigInt(result.asOf);
    this.stats = result.stats;
    this.#keys = uniqueNames(result.columns);
  }

  /** The rows as objects; of two columns with one name the later one is `name_2`. */
  objects(): Row[] {
    return [...this];
  }

  *[Symbol.iterator](): Generator<Row, void> {
    for (const row of this.rows) {
      const object: Record<string, Cell> = {};
      for (const [i, key] of this.#keys.entries()) object[key] = row[i] as Cell;
      yield object as Row;
    }
  }
}

/** Only columns that may hold JSON or intervals have values that are not cells as they are. */
function cellsOf({ columns, rows }: QueryResult): readonly (readonly Cell[])[] {
  const places = columns.flatMap(({ type }, i) =>
    type === "json" || type === "variant" || type === "interval" ? [i] : [],
  );
  if (places.length === 0) return rows as readonly (readonly Cell[])[];
  return rows.map((row) => {
    const cells = [...row] as ResultValue[];
    for (const i of places) cells[i] = cellOf(cells[i] as ResultValue) as ResultValue;
    return cells as unknown as Cell[];
  });
}

function cellOf(value: ResultValue): Cell {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof JsonText) return parseExactJson(value.text) as Cell;
  return intervalText(value);
}

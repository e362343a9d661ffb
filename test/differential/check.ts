// One case: a dataset and a query, asked of Millrace and of DuckDB.

import { DuckDb, type DuckValue } from "../oracle/duckdb.ts";
import { DuckSql } from "../oracle/duckdb-sql.ts";
import { Bed } from "./bed.ts";
import { difference } from "./compare.ts";
import type { Dataset } from "./dataset.ts";
import { querySql } from "./render.ts";
import type { QueryTree } from "./tree.ts";

/**
 * `same`: the answers agree. `range`: both say that a number or time is beyond its range, or only one of them met it,
 * since which rows and which side of an AND are computed is left open. `refused`: Millrace says that it doesn't do
 * this yet. `differs` is a bug of one of the two.
 */
export interface Outcome {
  readonly kind: "same" | "range" | "refused" | "differs";
  readonly message: string;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

function failureOf(error: unknown): Failure {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  return { code: String(code), message };
}

/** What DuckDB says of values beyond a range; the oracle's other errors are faults of the tests. */
const duckRange = /Out of Range|Overflow|Conversion Error|out of range|division by zero/i;
/** Codes of Millrace for the same. */
const ownRange = /overflow|range|division|out_of/;

const bigMin = -(2n ** 63n);
const bigMax = 2n ** 63n - 1n;

/** Sums of DuckDB have 128 bits, those of Millrace 64. */
function hasWideInteger(rows: readonly (readonly DuckValue[])[]): boolean {
  return rows.some((row) =>
    row.some((value) => typeof value === "bigint" && (value < bigMin || value > bigMax)),
  );
}

/** Both engines over one dataset. */
export class Pair {
  readonly #duck: DuckDb;
  readonly #sql: DuckSql;
  readonly bed: Bed;

  private constructor(duck: DuckDb, dataset: Dataset, bed: Bed) {
    this.#duck = duck;
    this.#sql = new DuckSql(dataset.fields);
    this.bed = bed;
  }

  static async of(dataset: Dataset, duck: DuckDb): Promise<Pair> {
    await duck.load(dataset);
    return new Pair(duck, dataset, await Bed.of(dataset));
  }

  async check(query: QueryTree): Promise<Outcome> {
    const own = this.#own(query);
    if ("code" in own && own.code === "not_implemented") {
      return { kind: "refused", message: own.message };
    }
    const want = await this.#wanted(query);
    if ("message" in want) {
      const kind = duckRange.test(want.message) ? "range" : "differs";
      return { kind, message: `DuckDB: ${want.message}` };
    }
    if ("code" in own) {
      const isRange =
        ownRange.test(own.code) || (/beyond|range/.test(own.message) && hasWideInteger(want));
      return { kind: isRange ? "range" : "differs", message: `${own.code}: ${own.message}` };
    }
    if (hasWideInteger(want)) return { kind: "differs", message: "an integer beyond 64 bits" };
    const message = difference(query, own, want);
    return message === null ? { kind: "same", message: "" } : { kind: "differs", message };
  }

  #own(query: QueryTree) {
    try {
      return this.bed.query(querySql(query)).rows;
    } catch (error) {
      return failureOf(error);
    }
  }

  async #wanted(query: QueryTree): Promise<DuckValue[][] | { message: string }> {
    try {
      return await this.#duck.rows(this.#sql.query(query));
    } catch (error) {
      return { message: failureOf(error).message };
    }
  }

  /** Both texts of a query, for messages. */
  texts(query: QueryTree): string {
    return `Millrace: ${querySql(query)}\nDuckDB:   ${this.#sql.query(query)}`;
  }

  close(): Promise<void> {
    return this.bed.close();
  }
}

/** Checks a query over a dataset of its own. */
export async function checkOnce(
  dataset: Dataset,
  query: QueryTree,
  duck: DuckDb,
): Promise<Outcome> {
  const pair = await Pair.of(dataset, duck);
  try {
    return await pair.check(query);
  } finally {
    await pair.close();
  }
}

// DuckDB as the oracle: one database in memory, and a table with a column for each lane of each path, so that paths
// whose values have several types mean there exactly what they mean in Millrace.

import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Dataset, Field } from "../differential/dataset.ts";
import type { OracleRow } from "./query.ts";

/**
 * Columns of a path by lane: `i` integers and doubles that equal one, `f` each number as a double, `s`, `b`, `j`
 * (text of a JSON cell), and `v`, the value whatever its type, ordered boolean < number < string < json.
 */
const lanes = [
  ["i", "BIGINT"],
  ["f", "DOUBLE"],
  ["s", "VARCHAR"],
  ["b", "BOOLEAN"],
  ["j", "VARCHAR"],
  ["x", "BOOLEAN"],
] as const;

export type Lane = (typeof lanes)[number][0] | "v";

const fixed = [
  ["sequence", "BIGINT"],
  ["timestamp", "TIMESTAMP"],
  ["received_at", "TIMESTAMP"],
  ["lateness_us", "BIGINT"],
  ["id", "VARCHAR"],
] as const;

export const fixedColumns: ReadonlySet<string> = new Set(fixed.map(([name]) => name));

/** The name of the column that has this lane of the field at `index`. */
export function laneColumn(index: number, lane: Lane): string {
  return `p${index}_${lane}`;
}

/** What a row of an answer holds: as DuckDB gives it. */
export type DuckValue = null | boolean | number | bigint | string | object;

export class DuckDb {
  readonly #connection: DuckDBConnection;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(): Promise<DuckDb> {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const duck = new DuckDb(await instance.connect());
    await duck.#connection.run("SET TimeZone = 'UTC'");
    return duck;
  }

  close(): void {
    this.#connection.closeSync();
  }

  async rows(sql: string): Promise<DuckValue[][]> {
    const reader = await this.#connection.runAndReadAll(sql);
    return reader.getRowsJS() as DuckValue[][];
  }

  /** Rows with the driver's own values: times keep their microseconds. */
  async raw(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.#connection.runAndReadAll(sql)).getRows();
  }

  /** Makes the table `events` anew from the dataset. */
  async load({ fields, rows }: Dataset): Promise<void> {
    const columns = [
      ...fixed.map(([name, type]) => `${name} ${type}`),
      ...fields.flatMap((_, i) => lanes.map(([lane, type]) => `${laneColumn(i, lane)} ${type}`)),
    ];
    await this.#connection.run(`CREATE OR REPLACE TABLE staged (${columns.join(", ")})`);
    const appender = await this.#connection.createAppender("staged");
    for (const row of rows) appendRow(appender, row, fields);
    appender.closeSync();
    const variants = fields.map((_, i) => `${variantOf(i)} AS ${laneColumn(i, "v")}`);
    await this.#connection.run(
      `CREATE OR REPLACE TABLE events AS SELECT *, ${variants.join(", ")} FROM staged`,
    );
  }
}

/** Structs are compared field by field: first by what the type is, then by the value of that type. */
function variantOf(index: number): string {
  const [i, f, s, b, j] = (["i", "f", "s", "b", "j"] as const).map((l) => laneColumn(index, l));
  const rank = `CASE WHEN ${b} IS NOT NULL THEN 0 WHEN ${f} IS NOT NULL THEN 1
    WHEN ${s} IS NOT NULL THEN 2 WHEN ${j} IS NOT NULL THEN 3 END`;
  return `CASE WHEN ${rank} IS NOT NULL THEN
    struct_pack(r := ${rank}, b := ${b}, f := ${f}, i := ${i}, s := ${s}, j := ${j}) END`;
}

/** The integer that a number is, if it is one of 64 bits. */
function integerOf(cell: number | bigint): bigint | null {
  if (typeof cell === "bigint") return cell;
  if (!Number.isInteger(cell)) return null;
  const integer = BigInt(cell);
  return BigInt.asIntN(64, integer) === integer ? integer : null;
}

function appendRow(appender: DuckDBAppender, row: OracleRow, fields: readonly Field[]): void {
  const bigint = (value: bigint | null): void =>
    value === null ? appender.appendNull() : appender.appendBigInt(value);
  const text = (value: string | null): void =>
    value === null ? appender.appendNull() : appender.appendVarchar(value);
  appender.appendBigInt(row.sequence);
  appender.appendTimestamp({ micros: row.timestampUs } as never);
  appender.appendTimestamp({ micros: row.receivedAtUs } as never);
  appender.appendBigInt(row.latenessUs);
  appender.appendVarchar(row.id);
  for (const { path } of fields) {
    const cell = row.cells.get(path);
    const isNumber = typeof cell === "number" || typeof cell === "bigint";
    bigint(isNumber ? integerOf(cell) : null);
    if (isNumber) appender.appendDouble(Number(cell));
    else appender.appendNull();
    text(typeof cell === "string" ? cell : null);
    if (typeof cell === "boolean") appender.appendBoolean(cell);
    else appender.appendNull();
    text(typeof cell === "object" && cell !== null ? cell.json : null);
    appender.appendBoolean(cell !== undefined);
  }
  appender.endRow();
}

/** Text in which equal numbers are equal: 3 and 3.0, 0 and -0. */
function numberKey(value: number | bigint): string {
  if (typeof value === "bigint") return `n${value}`;
  return Number.isInteger(value) ? `n${BigInt(value)}` : `n${value}`;
}

export function scalarKey(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "bigint") return numberKey(value);
  if (typeof value === "string") return `s${value}`;
  return typeof value === "boolean" ? `b${value}` : `?${JSON.stringify(value)}`;
}

interface Variant {
  readonly r: number;
  readonly b: boolean | null;
  readonly f: number | null;
  readonly i: bigint | null;
  readonly s: string | null;
  readonly j: string | null;
}

/** The key of a value that DuckDB answered; times are microseconds, or dates within lists. */
export function duckKey(value: DuckValue | undefined): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof Date) return `n${BigInt(value.getTime()) * 1000n}`;
  if (typeof value === "object" && "r" in value) {
    const { r, b, f, i, s, j } = value as Variant;
    if (r === 3) return `j${j}`;
    return scalarKey(r === 0 ? b : r === 1 ? (i ?? f) : s);
  }
  return scalarKey(value);
}

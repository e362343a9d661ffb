// The slow twin of the hot segment: rows as JavaScript values, and the rules of lateness row by row.
import type { Cell, Columns } from "../../src/core/columns.ts";
import * as layout from "../../src/core/layout.ts";
import { type BatchOptions, laneOf, type MadeCell, type MadeRow } from "../support/make-batch.ts";

export interface SegmentRecord {
  firstRow: number;
  rows: number;
  receivedAtUs: bigint;
  duplicates: number;
  rejected: number;
}

export class OracleSegment {
  readonly rows: MadeRow[] = [];
  readonly latenessUs: bigint[] = [];
  readonly records: SegmentRecord[] = [];

  apply(rows: readonly MadeRow[], options: BatchOptions, rowBegin = 0, rowEnd = rows.length): void {
    this.records.push({
      firstRow: this.rows.length,
      rows: rowEnd - rowBegin,
      receivedAtUs: options.receivedAtUs ?? 0n,
      duplicates: rowBegin === 0 ? (options.duplicates ?? 0) : 0,
      rejected: rowBegin === 0 ? (options.rejected ?? 0) : 0,
    });
    for (let i = rowBegin; i < rowEnd; i++) {
      this.rows.push(rows[i] as MadeRow);
      this.latenessUs.push(options.latenessUs?.[i] ?? 0n);
    }
  }

  /** The names of all columns as `lane path`, in any order. */
  columnKeys(): Set<string> {
    const keys = new Set([`${layout.LANE_ID} id`, `${layout.LANE_NUMBER} timestamp`]);
    this.rows.forEach((row, i) => {
      if (row.made) keys.add(`${layout.LANE_NULL} id_made`);
      if (this.latenessUs[i] !== 0n) keys.add(`${layout.LANE_NUMBER} lateness_us`);
      for (const [path, cell] of row.cells) keys.add(`${laneOf(cell)} ${path}`);
    });
    return keys;
  }

  /** The value of a cell, undefined where the row has none in that lane. */
  cell(row: number, path: string, lane: number): MadeCell | undefined {
    const made = this.rows[row] as MadeRow;
    if (path === "id") return uuidText(made.id);
    if (path === "timestamp") return made.timestampUs;
    if (path === "id_made") return made.made ? null : undefined;
    if (path === "lateness_us")
      return this.latenessUs[row] === 0n ? undefined : this.latenessUs[row];
    const cell = made.cells.get(path);
    return cell !== undefined && laneOf(cell) === lane ? cell : undefined;
  }

  /** The first difference between this segment and a slot, or "" when there is none. */
  difference(columns: Columns, slot: number): string {
    const names = columns.paths(slot);
    const keys = this.columnKeys();
    const got = names.map((name) => `${name.lane} ${name.path}`);
    for (const key of got) if (!keys.has(key)) return `column ${key} is too many`;
    for (const key of keys) if (!got.includes(key)) return `column ${key} is missing`;
    if (new Set(got).size !== got.length) return "a column is there twice";
    for (const { path, lane, column } of names) {
      for (let row = 0; row < this.rows.length; row++) {
        const want = this.cell(row, path, lane);
        if (columns.has(column, row) !== (want !== undefined)) {
          return `${path} lane ${lane} row ${row}: presence, want ${String(want)}`;
        }
        const cell = columns.cell(column, row);
        if (!equalCells(cell, want)) {
          return `${path} lane ${lane} row ${row}: got ${String(cell)}, want ${String(want)}`;
        }
      }
    }
    return "";
  }
}

function uuidText(id: Uint8Array): string {
  const hex = Buffer.from(id).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function equalCells(got: Cell, want: MadeCell | undefined): boolean {
  if (want === undefined || want === null) return got === null;
  if (typeof want === "object") return got === want.json;
  if (typeof want === "bigint") {
    if (typeof got === "bigint") return got === want;
    return typeof got === "number" && Number.isInteger(got) && BigInt(got) === want;
  }
  return Object.is(got, want);
}

/** Watermarks per source in a map; `sourcesMax` sources have their own, the rest share one. */
export class OracleWatermarks {
  lateRows = 0;
  futureRows = 0;
  readonly #sourcesMax: number;
  readonly #maxSkewUs: bigint;
  readonly #marks = new Map<string, bigint>();
  readonly #own = new Set<string>();

  constructor(sourcesMax: number, maxSkewUs: bigint) {
    this.#sourcesMax = sourcesMax;
    this.#maxSkewUs = maxSkewUs;
  }

  lateness(rows: readonly MadeRow[], receivedAtUs: bigint): bigint[] {
    return rows.map((row) => {
      const key = this.#key(row.cells.get("source"));
      const mark = this.#marks.get(key);
      const late = mark !== undefined && mark > row.timestampUs ? mark - row.timestampUs : 0n;
      if (late !== 0n) this.lateRows++;
      if (row.timestampUs > receivedAtUs + this.#maxSkewUs) this.futureRows++;
      else if (mark === undefined || row.timestampUs > mark) this.#marks.set(key, row.timestampUs);
      return late;
    });
  }

  #key(source: MadeCell | undefined): string {
    if (typeof source !== "string") return "absent";
    if (this.#own.size < this.#sourcesMax) this.#own.add(source);
    return this.#own.has(source) ? `own ${source}` : "shared";
  }
}

// Windows on their way between threads. A message of many objects with bigints costs several times what reading them
// does, so that rows travel as columns; and a message keeps no classes, so that JSON is made JSON again.
//
// The columns of a piece lie one after the other in one buffer:
//
//   start, end, changed at: i64 each │ the counts: f64 each │ values that are numbers: f64 each │ flags u8 │ to 8 bytes

import { JsonText, type QueryResult, type Value } from "../query/result.ts";
import type { StoredGroup } from "../rollup/store.ts";
import type { FromStream } from "./messages.ts";
import type { WindowRow, WindowState } from "./window-row.ts";

/** Rows as columns. Where threads share the buffer, a message only says where it is. */
export interface PackedRows {
  readonly count: number;
  readonly columns: ArrayBuffer | SharedArrayBuffer;
  /** Neighbours mostly have the same group: each list once, and how many rows have it. */
  readonly groups: readonly (readonly Value[])[];
  readonly groupRows: readonly number[];
  /** By value; null: all are numbers, and are among the columns. */
  readonly values: readonly (readonly Value[] | null)[];
  /** Of the few rows that have some, by row. */
  readonly replaces: ReadonlyMap<number, readonly bigint[]> | null;
}

/** Rows [first, end) of some. */
export interface PackedPiece {
  readonly rows: PackedRows;
  readonly first: number;
  readonly end: number;
}

const counts = ["count", "late", "revised", "tooLate", "duplicate", "revision"] as const;
const states: readonly WindowState[] = ["early", "on_time", "revised", "final"];
const OTHER = 16;

/** A piece's columns: of column c, row i is at `c * count + i` of times or doubles; flags begin at `flags`. */
interface Columns {
  readonly times: BigInt64Array;
  readonly doubles: Float64Array;
  readonly bytes: Uint8Array;
  readonly flags: number;
}

const timeColumns = 3;
const fixedColumns = timeColumns + counts.length;

function columnsOf(buffer: PackedRows["columns"], count: number, numbers: number): Columns {
  return {
    times: new BigInt64Array(buffer),
    doubles: new Float64Array(buffer),
    bytes: new Uint8Array(buffer),
    flags: count * 8 * (fixedColumns + numbers),
  };
}

function bufferFor(count: number, numbers: number, shared: boolean): PackedRows["columns"] {
  const size = (count * (fixedColumns + numbers) + Math.ceil(count / 8)) * 8;
  return shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
}

type Counted = Pick<WindowRow, "startUs" | "endUs" | (typeof counts)[number]>;

function writeFixed(to: Columns, i: number, count: number, row: Counted, changedAt: bigint): void {
  const { times, doubles } = to;
  times[i] = row.startUs;
  times[count + i] = row.endUs;
  times[2 * count + i] = changedAt;
  const at = timeColumns * count + i;
  doubles[at] = row.count;
  doubles[at + count] = row.late;
  doubles[at + 2 * count] = row.revised;
  doubles[at + 3 * count] = row.tooLate;
  doubles[at + 4 * count] = row.duplicate;
  doubles[at + 5 * count] = row.revision;
}

/** The values [first, end) of rows: as columns where all are numbers, else as lists. */
function packValues(
  values: readonly (readonly Value[])[],
  [first, end]: readonly [number, number],
  shared: boolean,
): Pick<PackedRows, "columns" | "values"> & { readonly to: Columns } {
  const count = end - first;
  const width = values[first]?.length ?? 0;
  const isNumber = (v: number): boolean => {
    for (let i = first; i < end; i++) if (typeof values[i]?.[v] !== "number") return false;
    return true;
  };
  const lists: (readonly Value[] | null)[] = [];
  const numbers: number[] = [];
  for (let v = 0; v < width; v++) {
    if (isNumber(v)) numbers.push(v);
    lists.push(numbers.at(-1) === v ? null : values.slice(first, end).map((row) => row[v] ?? null));
  }
  const columns = bufferFor(count, numbers.length, shared);
  const to = columnsOf(columns, count, numbers.length);
  let at = fixedColumns * count;
  for (const v of numbers) {
    for (let i = first; i < end; i++)
      to.doubles[at++] = (values[i] as readonly number[])[v] as number;
  }
  return { columns, values: lists, to };
}

export function packRows(rows: readonly WindowRow[]): PackedRows {
  const count = rows.length;
  const own = rows.map((row) => row.values);
  const { columns, values, to } = packValues(own, [0, count], false);
  const groups: (readonly Value[])[] = [];
  const groupRows: number[] = [];
  let replaces: Map<number, readonly bigint[]> | null = null;
  for (let i = 0; i < count; i++) {
    const row = rows[i] as WindowRow;
    writeFixed(to, i, count, row, row.changedAt);
    to.bytes[to.flags + i] = states.indexOf(row.state) + (row.other ? OTHER : 0);
    if (row.group === groups.at(-1)) groupRows[groups.length - 1] = (groupRows.at(-1) ?? 0) + 1;
    else {
      groups.push(row.group);
      groupRows.push(1);
    }
    if (row.replaces) {
      replaces ??= new Map();
      replaces.set(i, row.replaces);
    }
  }
  return { count, columns, groups, groupRows, values, replaces };
}

/** Final windows [first, end) of one group with their values, in memory that threads share: they are kept. */
export function packFinal(
  windows: readonly StoredGroup[],
  values: readonly (readonly Value[])[],
  [first, end]: readonly [number, number],
  group: readonly Value[],
  other: boolean,
): PackedRows {
  const count = end - first;
  const packed = packValues(values, [first, end], true);
  const { columns, to } = packed;
  for (let i = 0; i < count; i++) {
    const window = windows[first + i] as StoredGroup;
    writeFixed(to, i, count, window, window.finalAt);
  }
  to.bytes.fill(states.indexOf("final") + (other ? OTHER : 0), to.flags, to.flags + count);
  return {
    count,
    columns,
    groups: [group],
    groupRows: [count],
    values: packed.values,
    replaces: null,
  };
}

/** Those of the rows that overlap [fromUs, toUs): windows of one group that follow each other. */
export function pieceWithin(rows: PackedRows, fromUs: bigint, toUs: bigint): PackedPiece {
  const { count, columns } = rows;
  const times = new BigInt64Array(columns, 0, count * 2);
  let first = 0;
  let end = count;
  while (first < end && (times[count + first] as bigint) <= fromUs) first++;
  while (end > first && (times[end - 1] as bigint) >= toUs) end--;
  return { rows, first, end };
}

/** When a row's window begins. */
export function startOf({ columns }: PackedRows, row: number): bigint {
  return new BigInt64Array(columns, row * 8, 1)[0] as bigint;
}

/** When a row's window ends. */
export function endOf({ columns, count }: PackedRows, row: number): bigint {
  return new BigInt64Array(columns, (count + row) * 8, 1)[0] as bigint;
}

export function unpackRows(pieces: readonly PackedPiece[]): WindowRow[] {
  const rows: WindowRow[] = new Array(pieces.reduce((sum, { first, end }) => sum + end - first, 0));
  let at = 0;
  for (const piece of pieces) {
    unpackPiece(piece, rows, at);
    at += piece.end - piece.first;
  }
  return rows;
}

function unpackPiece(
  { rows: packed, first, end }: PackedPiece,
  rows: WindowRow[],
  at: number,
): void {
  const { count, columns, replaces } = packed;
  const numbers = packed.values.reduce((sum, one) => (one === null ? sum + 1 : sum), 0);
  const { times, doubles, bytes, flags } = columnsOf(columns, count, numbers);
  let number = fixedColumns;
  const values = packed.values.map((one) => {
    if (one !== null) return one.map(revived);
    return doubles.subarray(number * count, ++number * count);
  });
  const groups = packed.groups.map((group) => group.map(revived));
  let [group, left] = [-1, 0];
  for (let i = 0; i < end; i++) {
    while (left === 0) left = packed.groupRows[++group] as number;
    left--;
    if (i < first) continue;
    const flag = bytes[flags + i] as number;
    const replaced = replaces?.get(i);
    const counted = timeColumns * count + i;
    rows[at + i - first] = {
      startUs: times[i] as bigint,
      endUs: times[count + i] as bigint,
      group: groups[group] as Value[],
      other: flag >= OTHER,
      values: values.map((column) => column[i] as Value),
      count: doubles[counted] as number,
      late: doubles[counted + count] as number,
      revised: doubles[counted + 2 * count] as number,
      tooLate: doubles[counted + 3 * count] as number,
      duplicate: doubles[counted + 4 * count] as number,
      revision: doubles[counted + 5 * count] as number,
      state: states[flag % OTHER] as WindowState,
      changedAt: times[2 * count + i] as bigint,
      ...(replaced && { replaces: replaced }),
    };
  }
}

/** JSON cells are the only objects among values. */
function revived(value: Value): Value {
  return typeof value === "object" && value !== null ? new JsonText(value.text) : value;
}

/** A message in the form in which it is sent: its rows, if it has any, beside it. */
export interface PackedMessage {
  readonly message: FromStream;
  readonly pieces: readonly PackedPiece[] | null;
}

export function packMessage(message: FromStream): PackedMessage {
  if (message.type === "answer" && message.answer.type === "windows") {
    const { packed } = message.answer.answer;
    if (packed) return { message: withRows(message, []), pieces: packed };
  }
  const rows = rowsOf(message);
  if (rows === null) return { message, pieces: null };
  return {
    message: withRows(message, []),
    pieces: [{ rows: packRows(rows), first: 0, end: rows.length }],
  };
}

export function unpackMessage({ message, pieces }: PackedMessage): FromStream {
  return pieces === null ? withJson(message) : withRows(message, unpackRows(pieces));
}

function rowsOf(message: FromStream): readonly WindowRow[] | null {
  if (message.type === "updates") return message.rows;
  if (message.type !== "answer") return null;
  const { answer } = message;
  if (answer.type === "watch") return answer.rows;
  return answer.type === "windows" ? answer.answer.rows : null;
}

function withRows(message: FromStream, rows: readonly WindowRow[]): FromStream {
  if (message.type === "updates") return { ...message, rows };
  if (message.type !== "answer") return message;
  const { answer } = message;
  if (answer.type === "watch") return { ...message, answer: { ...answer, rows } };
  if (answer.type !== "windows") return message;
  const { packed: _, ...rest } = answer.answer;
  return { ...message, answer: { ...answer, answer: { ...rest, rows } } };
}

function withJson(message: FromStream): FromStream {
  if (message.type !== "answer" || message.answer.type !== "rollup") return message;
  const { answer } = message;
  if (answer.result === null) return message;
  const result: QueryResult = {
    ...answer.result,
    rows: answer.result.rows.map((row) => row.map(revived)),
  };
  return { ...message, answer: { ...answer, result } };
}

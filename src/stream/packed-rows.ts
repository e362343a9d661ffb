// Windows on their way between threads. A message of many objects with bigints costs several times what reading them
// does, so that rows travel as columns; and a message keeps no classes, so that JSON is made JSON again.

import { JsonText, type QueryResult, type Value } from "../query/result.ts";
import type { FromStream } from "./messages.ts";
import type { WindowRow, WindowState } from "./window-row.ts";

/** Rows as columns. */
export interface PackedRows {
  readonly count: number;
  /** start, end and changedAt of each row. */
  readonly times: BigInt64Array;
  /** The counts of each row, in the order of `counts`. */
  readonly counts: Float64Array;
  /** Index in `states` of each row, and `OTHER`. */
  readonly flags: Uint8Array;
  /** Neighbours mostly have the same group: each list once, and how many rows have it. */
  readonly groups: readonly (readonly Value[])[];
  readonly groupRows: readonly number[];
  /** By value: numbers as doubles where all are. */
  readonly values: readonly (Float64Array | readonly Value[])[];
  /** Of the few rows that have some, by row. */
  readonly replaces: ReadonlyMap<number, readonly bigint[]>;
}

const counts = ["count", "late", "revised", "tooLate", "duplicate", "revision"] as const;
const states: readonly WindowState[] = ["early", "on_time", "revised", "final"];
const OTHER = 16;

export function packRows(rows: readonly WindowRow[]): PackedRows {
  const count = rows.length;
  const times = new BigInt64Array(count * 3);
  const numbers = new Float64Array(count * counts.length);
  const flags = new Uint8Array(count);
  const groups: (readonly Value[])[] = [];
  const groupRows: number[] = [];
  const replaces = new Map<number, readonly bigint[]>();
  for (let i = 0; i < count; i++) {
    const row = rows[i] as WindowRow;
    times[i * 3] = row.startUs;
    times[i * 3 + 1] = row.endUs;
    times[i * 3 + 2] = row.changedAt;
    for (let n = 0; n < counts.length; n++) {
      numbers[i * counts.length + n] = row[counts[n] as (typeof counts)[number]];
    }
    flags[i] = states.indexOf(row.state) + (row.other ? OTHER : 0);
    if (row.group === groups.at(-1)) groupRows[groups.length - 1] = (groupRows.at(-1) ?? 0) + 1;
    else {
      groups.push(row.group);
      groupRows.push(1);
    }
    if (row.replaces) replaces.set(i, row.replaces);
  }
  const width = rows[0]?.values.length ?? 0;
  const values = Array.from({ length: width }, (_, v) => packValues(rows, v));
  return { count, times, counts: numbers, flags, groups, groupRows, values, replaces };
}

/** Rows [first, end) of each part, one part after the other. */
export function joinRows(
  parts: readonly { readonly rows: PackedRows; readonly first: number; readonly end: number }[],
): PackedRows {
  const some = parts.filter(({ first, end }) => first < end);
  const count = some.reduce((sum, { first, end }) => sum + end - first, 0);
  const times = new BigInt64Array(count * 3);
  const numbers = new Float64Array(count * counts.length);
  const flags = new Uint8Array(count);
  const groups: (readonly Value[])[] = [];
  const groupRows: number[] = [];
  const replaces = new Map<number, readonly bigint[]>();
  const width = some[0]?.rows.values.length ?? 0;
  const values = Array.from({ length: width }, (_, v) => {
    const isNumber = some.every(({ rows }) => rows.values[v] instanceof Float64Array);
    return isNumber ? new Float64Array(count) : new Array<Value>(count);
  });
  let at = 0;
  for (const { rows, first, end } of some) {
    times.set(rows.times.subarray(first * 3, end * 3), at * 3);
    numbers.set(
      rows.counts.subarray(first * counts.length, end * counts.length),
      at * counts.length,
    );
    flags.set(rows.flags.subarray(first, end), at);
    values.forEach((column, v) => {
      const from = rows.values[v] as Float64Array | readonly Value[];
      if (column instanceof Float64Array)
        column.set((from as Float64Array).subarray(first, end), at);
      else for (let i = first; i < end; i++) column[at + i - first] = from[i] as Value;
    });
    let begin = 0;
    rows.groups.forEach((group, g) => {
      const next = begin + (rows.groupRows[g] as number);
      const own = Math.min(next, end) - Math.max(begin, first);
      begin = next;
      if (own <= 0) return;
      if (group === groups.at(-1)) groupRows[groups.length - 1] = (groupRows.at(-1) ?? 0) + own;
      else {
        groups.push(group);
        groupRows.push(own);
      }
    });
    for (const [i, starts] of rows.replaces)
      if (i >= first && i < end) replaces.set(at + i - first, starts);
    at += end - first;
  }
  return { count, times, counts: numbers, flags, groups, groupRows, values, replaces };
}

function packValues(rows: readonly WindowRow[], v: number): Float64Array | Value[] {
  const packed = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i]?.values[v];
    if (typeof value !== "number") return rows.map(({ values }) => values[v] ?? null);
    packed[i] = value;
  }
  return packed;
}

export function unpackRows(packed: PackedRows): WindowRow[] {
  const { count, times, flags, values } = packed;
  const rows: WindowRow[] = new Array(count);
  const columns = values.map((one) => (one instanceof Float64Array ? one : one.map(revived)));
  const groups = packed.groups.map((group) => group.map(revived));
  let [group, left] = [-1, 0];
  for (let i = 0; i < count; i++) {
    if (left === 0) left = packed.groupRows[++group] as number;
    left--;
    const number = (n: number): number => packed.counts[i * counts.length + n] as number;
    const flag = flags[i] as number;
    const replaces = packed.replaces.get(i);
    rows[i] = {
      startUs: times[i * 3] as bigint,
      endUs: times[i * 3 + 1] as bigint,
      group: groups[group] as Value[],
      other: flag >= OTHER,
      values: columns.map((column) => column[i] as Value),
      count: number(0),
      late: number(1),
      revised: number(2),
      tooLate: number(3),
      duplicate: number(4),
      revision: number(5),
      state: states[flag % OTHER] as WindowState,
      changedAt: times[i * 3 + 2] as bigint,
      ...(replaces && { replaces }),
    };
  }
  return rows;
}

/** JSON cells are the only objects among values. */
function revived(value: Value): Value {
  return typeof value === "object" && value !== null ? new JsonText(value.text) : value;
}

/** A message in the form in which it is sent: its rows, if it has any, beside it. */
export interface PackedMessage {
  readonly message: FromStream;
  readonly rows: PackedRows | null;
}

export function packMessage(message: FromStream): PackedMessage {
  if (message.type === "answer" && message.answer.type === "windows") {
    const { packed } = message.answer.answer;
    if (packed) return { message: withRows(message, []), rows: packed };
  }
  const rows = rowsOf(message);
  return rows === null
    ? { message, rows }
    : { message: withRows(message, []), rows: packRows(rows) };
}

export function unpackMessage({ message, rows }: PackedMessage): FromStream {
  return rows === null ? withJson(message) : withRows(message, unpackRows(rows));
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

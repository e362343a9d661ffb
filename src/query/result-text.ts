// Results as bytes of JSON, NDJSON and CSV, in pieces, so that a large one is sent while it is written. Nothing here
// depends on a thread: whoever holds the rows writes them.

import type { Interval } from "./expression/expression.ts";
import {
  type EventsPage,
  JsonText,
  type QueryStats,
  type ResultColumn,
  type Value,
} from "./result.ts";

export type ResultFormat = "json" | "ndjson" | "csv";

/** What is written; rows may be made while they are read, and `asOf` and `stats` are looked at after the last. */
export interface ResultSource {
  readonly columns: readonly ResultColumn[];
  readonly rows: Iterable<readonly ResultValue[]>;
  readonly asOf: string;
  readonly stats: QueryStats;
}

export type ResultValue = Value | Interval;

/** Characters of a piece: large enough that its own cost does not count. */
const pieceLength = 64 * 1024;
const encoder = new TextEncoder();

/** The whole result in pieces of about 64 KiB, each in memory of its own. */
export function* resultBytes(format: ResultFormat, source: ResultSource): Generator<Uint8Array> {
  const { head, row: rowText, tail } = resultWriter(format, source.columns);
  let text = head;
  let isFirst = true;
  for (const row of source.rows) {
    text += rowText(row, isFirst);
    isFirst = false;
    if (text.length < pieceLength) continue;
    yield encoder.encode(text);
    text = "";
  }
  text += tail(source);
  if (text !== "") yield encoder.encode(text);
}

/** Texts as bytes, in pieces of about 64 KiB. */
export function* piecesOf(texts: Iterable<string>): Generator<Uint8Array> {
  let text = "";
  for (const one of texts) {
    text += one;
    if (text.length < pieceLength) continue;
    yield encoder.encode(text);
    text = "";
  }
  if (text !== "") yield encoder.encode(text);
}

/** What is written before, for and after the rows of a result. */
export interface ResultWriter {
  readonly head: string;
  readonly row: (row: readonly ResultValue[], isFirst: boolean) => string;
  readonly tail: (end: Pick<ResultSource, "asOf" | "stats">) => string;
}

export function resultWriter(format: ResultFormat, columns: readonly ResultColumn[]): ResultWriter {
  return writers[format](columns);
}

const writers: Readonly<Record<ResultFormat, (columns: readonly ResultColumn[]) => ResultWriter>> =
  { json: jsonWriter, ndjson: ndjsonWriter, csv: csvWriter };

/** `{"columns":[{"name","type"}],"rows":[[…]],"as_of","stats"}` */
function jsonWriter(columns: readonly ResultColumn[]): ResultWriter {
  return {
    head: `{"columns":${JSON.stringify(columns)},"rows":[`,
    row: (row, isFirst) => {
      let text = isFirst ? "[" : ",[";
      for (let i = 0; i < row.length; i++) {
        if (i > 0) text += ",";
        text += valueText(row[i] as ResultValue);
      }
      return `${text}]`;
    },
    tail: ({ asOf, stats }) =>
      `],"as_of":"${asOf}","stats":${JSON.stringify(statsDocument(stats))}}`,
  };
}

/** One object a row. */
function ndjsonWriter(columns: readonly ResultColumn[]): ResultWriter {
  const keys = uniqueNames(columns).map(
    (name, i) => `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`,
  );
  return {
    head: "",
    row: (row) => {
      let text = "";
      for (let i = 0; i < row.length; i++) text += keys[i] + valueText(row[i] as ResultValue);
      return `${text}}\n`;
    },
    tail: () => "",
  };
}

/** RFC 4180, with a header. A NULL is an empty cell, an empty text is `""`. */
function csvWriter(columns: readonly ResultColumn[]): ResultWriter {
  return {
    head: `${columns.map(({ name }) => csvText(name)).join(",")}\r\n`,
    row: (row) => {
      let text = "";
      for (let i = 0; i < row.length; i++) {
        if (i > 0) text += ",";
        text += csvCell(row[i] as ResultValue);
      }
      return `${text}\r\n`;
    },
    tail: () => "",
  };
}

/** A value as JSON: integers with all their digits, stored JSON as it is, intervals as text. */
export function valueText(value: ResultValue): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Number.isFinite(value) ? String(value) : "null";
    case "object":
      if (value === null) return "null";
      return value instanceof JsonText ? value.text : `"${intervalText(value)}"`;
    default:
      return String(value);
  }
}

function csvCell(value: ResultValue): string {
  switch (typeof value) {
    case "string":
      return csvText(value);
    case "number":
      return Number.isFinite(value) ? String(value) : "";
    case "object":
      if (value === null) return "";
      return value instanceof JsonText ? csvText(value.text) : intervalText(value);
    default:
      return String(value);
  }
}

function csvText(text: string): string {
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A span of the calendar as ISO 8601 writes it, such as `P1Y2M3DT4H5M6.5S`. A part may be negative, as PostgreSQL has
 * it too: a month back and a day on is `P-1M1D`.
 */
export function intervalText({ months, days, us }: Interval): string {
  const part = (value: number, unit: string) => (value === 0 ? "" : `${value}${unit}`);
  const date = part(Math.trunc(months / 12), "Y") + part(months % 12, "M") + part(days, "D");
  const size = us < 0n ? -us : us;
  const sign = us < 0n ? "-" : "";
  const hours = size / 3_600_000_000n;
  const minutes = (size / 60_000_000n) % 60n;
  const seconds = (size / 1_000_000n) % 60n;
  const fraction = String(size % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  let time = "";
  if (hours > 0n) time += `${sign}${hours}H`;
  if (minutes > 0n) time += `${sign}${minutes}M`;
  if (seconds > 0n || fraction !== "") {
    time += `${sign}${seconds}${fraction === "" ? "" : `.${fraction}`}S`;
  }
  if (time !== "") return `P${date}T${time}`;
  return date === "" ? "PT0S" : `P${date}`;
}

/** The names of columns as keys of an object: of two that are equal the later one gets a number, `count_2`. */
export function uniqueNames(columns: readonly { readonly name: string }[]): string[] {
  const taken = new Set<string>();
  return columns.map(({ name }) => {
    let key = name;
    for (let i = 2; taken.has(key); i++) key = `${name}_${i}`;
    taken.add(key);
    return key;
  });
}

/** What the query did, in the words of the API: counts, bytes, and microseconds by stage. */
export function statsDocument(stats: QueryStats): object {
  const { groups, memoryBytes, stages, threads } = stats;
  return {
    rows_scanned: stats.rowsScanned,
    rows_matched: stats.rowsMatched,
    segments_scanned: stats.segmentsScanned,
    segments_pruned: stats.segmentsPruned,
    execution_us: stats.executionUs,
    ...(groups !== undefined && { groups }),
    ...(threads !== undefined && {
      threads,
      columns_cached: stats.columnsCached,
      columns_decoded: stats.columnsDecoded,
      bytes_decoded: stats.bytesDecoded,
    }),
    ...(memoryBytes !== undefined && { memory_bytes: memoryBytes }),
    ...(stages !== undefined && { stages_us: stages }),
  };
}

/** `{"events","next_cursor","as_of"}`, or one event a line. */
export function* pageBytes(format: "json" | "ndjson", page: EventsPage): Generator<Uint8Array> {
  const isJson = format === "json";
  let text = isJson ? '{"events":[' : "";
  let separator = "";
  for (const event of page.events) {
    text += isJson ? separator + event : `${event}\n`;
    separator = ",";
    if (text.length < pieceLength) continue;
    yield encoder.encode(text);
    text = "";
  }
  if (isJson) {
    text += `],"next_cursor":${JSON.stringify(page.nextCursor)},"as_of":"${page.asOf}"}`;
  }
  if (text !== "") yield encoder.encode(text);
}

import { type EventsPage, JsonText, type QueryResult, type Value } from "../query/result.ts";

// Results as text, in pieces of about `pieceLength` characters, so that a large one is sent while it is written.

const pieceLength = 64 * 1024;

/** A value as JSON: integers with all their digits, stored JSON as it is. */
export function valueText(value: Value): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Number.isFinite(value) ? String(value) : "null";
    case "object":
      return value instanceof JsonText ? value.text : "null";
    default:
      return String(value);
  }
}

/** `{"columns","rows","as_of","stats"}` */
export function* resultJson(result: QueryResult): Generator<string> {
  const { stats } = result;
  let piece = `{"columns":${JSON.stringify(result.columns)},"rows":[`;
  let separator = "";
  for (const row of result.rows) {
    piece += `${separator}[${row.map(valueText).join(",")}]`;
    separator = ",";
    if (piece.length > pieceLength) {
      yield piece;
      piece = "";
    }
  }
  const document = {
    rows_scanned: stats.rowsScanned,
    rows_matched: stats.rowsMatched,
    segments_scanned: stats.segmentsScanned,
    segments_pruned: stats.segmentsPruned,
    execution_us: stats.executionUs,
  };
  yield `${piece}],"as_of":"${result.asOf}","stats":${JSON.stringify(document)}}`;
}

/** One object a row. */
export function* resultNdjson(result: QueryResult): Generator<string> {
  const keys = result.columns.map(({ name }) => `${JSON.stringify(name)}:`);
  let piece = "";
  for (const row of result.rows) {
    piece += `{${row.map((value, i) => `${keys[i]}${valueText(value)}`).join(",")}}\n`;
    if (piece.length > pieceLength) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}

/** RFC 4180, with a header. A NULL is an empty cell, an empty string is `""`. */
export function* resultCsv(result: QueryResult): Generator<string> {
  let piece = `${result.columns.map(({ name }) => csvText(name)).join(",")}\r\n`;
  for (const row of result.rows) {
    piece += `${row.map(csvCell).join(",")}\r\n`;
    if (piece.length > pieceLength) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}

function csvCell(value: Value): string {
  if (typeof value === "string") return csvText(value);
  if (value instanceof JsonText) return csvText(value.text);
  const isNull = value === null || (typeof value === "number" && !Number.isFinite(value));
  return isNull ? "" : valueText(value);
}

function csvText(text: string): string {
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `{"events","next_cursor","as_of"}` */
export function* pageJson(page: EventsPage): Generator<string> {
  let piece = '{"events":[';
  let separator = "";
  for (const event of page.events) {
    piece += separator + event;
    separator = ",";
    if (piece.length > pieceLength) {
      yield piece;
      piece = "";
    }
  }
  yield `${piece}],"next_cursor":${JSON.stringify(page.nextCursor)},"as_of":"${page.asOf}"}`;
}

/** One event a line. */
export function* pageNdjson(page: EventsPage): Generator<string> {
  let piece = "";
  for (const event of page.events) {
    piece += `${event}\n`;
    if (piece.length > pieceLength) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}

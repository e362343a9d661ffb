import Table from "cli-table3";
import { exactJsonText } from "../base/exact-json.ts";
import { cutText, textWidth, visibleText } from "./text-width.ts";

/** A result as the server sends it, parsed exactly: integers beyond 2^53 are bigints. */
export interface TableResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface TableStyle {
  /** Columns that a line may have; Infinity where nobody looks. */
  readonly width: number;
  /** Whether NULL may be written dim. */
  readonly colors: boolean;
}

/** What a column keeps at least before the rows are shown one below the other. */
const columnWidthMin = 8;

/** Columns between two cells: a space, a line, a space. */
const gap = 3;

const chars = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  right: "",
  "right-mid": "",
  mid: "─",
  "mid-mid": "┼",
  middle: "│",
};

/** A value as people read it: text as it is, everything else as JSON writes it. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  const text = typeof value === "string" ? value : (exactJsonText(value) ?? "");
  return visibleText(text);
}

/**
 * The rows as a table: numbers to the right, long cells cut so that a line fits. Where even short cells do not fit
 * beside each other, each row is shown as a list.
 */
export function tableText({ columns, rows }: TableResult, style: TableStyle): string {
  const names = columns.map(({ name }) => visibleText(name));
  const cells = rows.map((row) => columns.map((_, i) => cellText(row[i])));
  const widths = names.map((name, i) =>
    cells.reduce((width, row) => Math.max(width, textWidth(row[i] as string)), textWidth(name)),
  );
  // A space before the first cell and one after the last one. A column that is alone, as a plan is, has no other
  // that its lines could push away: the terminal may break them.
  const room = style.width - 2 - gap * (columns.length - 1);
  const cap = columns.length === 1 ? Infinity : widestCell(widths, room);
  if (cap < columnWidthMin) return listText(names, rows, cells, style);
  const isNumber = (value: unknown) => typeof value === "number" || typeof value === "bigint";
  const table = new Table({
    head: names.map((name) => cutText(name, cap)),
    chars,
    colAligns: columns.map(({ type }) => (type === "number" ? "right" : "left")),
    style: { head: [], border: [], compact: true, "padding-left": 1, "padding-right": 1 },
  });
  rows.forEach((row, r) => {
    const line = (cells[r] as string[]).map((text, i) => {
      const content = styled(cutText(text, cap), row[i], style);
      return isNumber(row[i]) ? { content, hAlign: "right" as const } : content;
    });
    table.push(line);
  });
  const text = trimLines(table.toString());
  if (rows.length > 0) return text;
  const rule = names.map((name) => "─".repeat(Math.min(textWidth(name), cap) + 2)).join("┼");
  return `${text}\n${rule}`;
}

function styled(text: string, value: unknown, { colors }: TableStyle): string {
  const isNull = value === null || value === undefined;
  return isNull && colors ? `\u001b[2m${text}\u001b[22m` : text;
}

/** The width to which cells are cut so that all columns together have at most `room`. */
function widestCell(widths: readonly number[], room: number): number {
  const ascending = [...widths].sort((a, b) => a - b);
  let left = room;
  for (const [i, width] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - i));
    if (width > share) return share;
    left -= width;
  }
  return Infinity;
}

function listText(
  names: readonly string[],
  rows: TableResult["rows"],
  cells: readonly (readonly string[])[],
  style: TableStyle,
): string {
  const nameWidth = Math.min(30, Math.max(...names.map(textWidth)));
  const valueWidth = Math.max(columnWidthMin, style.width - nameWidth - gap);
  const lines: string[] = [];
  cells.forEach((row, r) => {
    const head = `─[ ${r + 1} ]`;
    lines.push(head.padEnd(nameWidth + 1, "─"));
    row.forEach((text, i) => {
      const name = cutText(names[i] as string, nameWidth);
      const value = styled(cutText(text, valueWidth), rows[r]?.[i], style);
      lines.push(`${name}${" ".repeat(nameWidth - textWidth(name))} │ ${value}`);
    });
  });
  return lines.join("\n");
}

function trimLines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** `3 rows in 1.2 ms` */
export function footerText(rows: number, executionUs: number): string {
  const count = `${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
  return `${count} in ${timeText(executionUs)}`;
}

function timeText(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  const ms = us / 1000;
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

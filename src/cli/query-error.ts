import { textWidth, visibleText } from "./text-width.ts";

/** Columns of a line of SQL that are shown around the place of an error. */
const shownMax = 100;

/**
 * The line of `sql` that an error is about, with a caret below the character, as psql shows it:
 *
 *     LINE 2: WHERE amount > 10
 *                   ^
 *
 * `position` counts characters (code points) from 1; empty where it lies outside the text.
 */
export function caretLines(sql: string, position: number): string[] {
  const characters = [...sql];
  if (!Number.isInteger(position) || position < 1 || position > characters.length + 1) return [];
  const before = characters.slice(0, position - 1).join("");
  const lineStart = before.lastIndexOf("\n") + 1;
  const lineNumber = before.split("\n").length;
  const head = visibleText(before.slice(lineStart));
  const [rest = ""] = characters
    .slice(position - 1)
    .join("")
    .split("\n");
  const tail = visibleText(rest);
  // A long line keeps what stands around the place.
  const from = head.length > shownMax / 2 ? head.length - shownMax / 2 : 0;
  const shownHead = from > 0 ? `…${head.slice(from)}` : head;
  const room = Math.max(10, shownMax - shownHead.length);
  const shownTail = tail.length > room ? `${tail.slice(0, room)}…` : tail;
  const label = `LINE ${lineNumber}: `;
  const caret = " ".repeat(label.length + textWidth(shownHead));
  return [`${label}${shownHead}${shownTail}`.trimEnd(), `${caret}^`];
}

/** What a person is told about a refused statement: the words, then the place. */
export function refusalText(message: string, sql: string, position: unknown): string {
  const lines = typeof position === "number" ? caretLines(sql, position) : [];
  // The caret shows what the end of the sentence says.
  const sentence = lines.length > 0 ? message.replace(/, at character \d+$/, "") : message;
  return [`ERROR: ${sentence}`, ...lines].join("\n");
}

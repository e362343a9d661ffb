// The fenced blocks of a page: which are examples, and which block shows an example's answer.

export interface Block {
  /** The first word of the info string: `sql`, `sh`, `json`, …; empty where there is none. */
  readonly language: string;
  /** The other words. */
  readonly words: readonly string[];
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly endLine: number;
}

export interface Example extends Block {
  readonly answer: Block | undefined;
}

const runnable = new Set(["sql", "sh", "console", "js", "ts"]);
const answers = new Set(["text", "json", "csv"]);

export function blocksOf(page: string): Block[] {
  const lines = page.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = /^(\s*)(`{3,})(.*)$/.exec(lines[i] ?? "");
    if (opening === null) continue;
    const [, indent = "", fence = "", info = ""] = opening;
    const end = lines.findIndex((line, j) => j > i && line.trim() === fence);
    if (end < 0) throw new Error(`line ${i + 1}: a block that never ends`);
    const [language = "", ...words] = info.trim().split(/\s+/);
    const text = lines
      .slice(i + 1, end)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
      .join("\n");
    blocks.push({ language, words, text, line: i + 1, endLine: end + 1 });
    i = end;
  }
  return blocks;
}

/** What is run of a page, in its order. */
export function examplesOf(page: string): Example[] {
  const lines = page.split("\n");
  const blocks = blocksOf(page);
  return blocks.flatMap((block, i): Example[] => {
    const isQuery = block.language === "json" && block.words[0] === "query";
    if (!runnable.has(block.language) && !isQuery) return [];
    if (block.words[0] === "no-run") return [];
    const next = blocks[i + 1];
    const isAnswer =
      next !== undefined &&
      answers.has(next.language) &&
      next.words.length === 0 &&
      adjoins(lines.slice(block.endLine, next.line - 1));
    return [{ ...block, answer: isAnswer ? next : undefined }];
  });
}

/** Between an example and its answer there is nothing, or one short line that leads over to it. */
function adjoins(between: readonly string[]): boolean {
  const written = between.filter((line) => line.trim() !== "");
  return written.length === 0 || (written.length === 1 && /^.{1,120}:$/.test(written[0] ?? ""));
}

/** Blocks that are not run have to say why. */
export function unexplained(page: string): number[] {
  return blocksOf(page)
    .filter(({ words }) => words[0] === "no-run" && words.length < 3)
    .map(({ line }) => line);
}

/**
 * Whether `got` is what a page shows. `…` stands for anything, in text for anything within its line, alone on a line
 * for any lines; a duration such as `1.2 ms` for any other.
 * White space of JSON does not matter, nor that at the ends of lines.
 */
export function isShown(shown: string, got: string, kind: "json" | "text"): boolean {
  const pattern = kind === "json" ? jsonPattern(shown) : textPattern(shown);
  return pattern.test(kind === "json" ? squeezed(got) : `${tidied(got)}\n`);
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, "");
}

function tidied(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/^\n+|\n+$/g, "");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

function jsonPattern(shown: string): RegExp {
  return new RegExp(`^${escaped(squeezed(shown)).replaceAll("…", ".*")}$`, "s");
}

function textPattern(shown: string): RegExp {
  const lines = tidied(shown).split("\n");
  const parts = lines.map((line) => (line.trim() === "…" ? "(?:.*\n)*" : `${linePattern(line)}\n`));
  return new RegExp(`^${parts.join("")}$`);
}

/** Of a duration only the form is compared. */
function linePattern(line: string): string {
  return escaped(line)
    .replaceAll("…", ".*")
    .replace(/\d+(?:\\\.\d+)? (?:µs|ms|s)\b/g, "[\\d.]+ (?:µs|ms|s)");
}

/** The commands of a session and what it shows below each. */
export function commandsOf(session: string): { command: string; shown: string }[] {
  const commands: { command: string; shown: string }[] = [];
  const lines = session.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (!line.startsWith("$ ")) {
      const last = commands.at(-1);
      if (last === undefined) throw new Error(`a session begins with "$ ", not with ${line}`);
      last.shown += `${line}\n`;
      continue;
    }
    let command = line.slice(2);
    while (/\\$/.test(command) || hasOpenQuote(command)) command += `\n${lines[++i] ?? ""}`;
    commands.push({ command, shown: "" });
  }
  return commands;
}

function hasOpenQuote(command: string): boolean {
  const rest = command.replace(/\\.|"(?:\\[\s\S]|[^"\\])*"|'[^']*'/g, "");
  return /["']/.test(rest);
}

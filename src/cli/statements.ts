// Where SQL statements end, as PostgreSQL's own reader sees it.

export interface Cut {
  /** Complete statements, without their semicolons. */
  readonly statements: readonly string[];
  /** What follows the last semicolon. */
  readonly rest: string;
}

/**
 * What a statement can't end within: a comment, a text with doubled quotes (or, after E, escaped ones), a quoted
 * name, or a text between dollar signs. What is not closed reaches to the end.
 */
const token = new RegExp(
  [
    /--[^\n]*/,
    /\/\*[\s\S]*?(?:\*\/|$)/,
    /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/,
    /'(?:[^']|'')*(?:'|$)/,
    /"(?:[^"]|"")*(?:"|$)/,
    /\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)/,
    /;/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

/** Cuts a text at the semicolons that end statements; comments alone are no statement. */
export function cutStatements(text: string): Cut {
  const statements: string[] = [];
  let start = 0;
  let open = false;
  for (const match of text.matchAll(token)) {
    if (match[0] !== ";") {
      open = !isClosed(match[0]);
      continue;
    }
    const statement = text.slice(start, match.index);
    if (!isBlank(statement)) statements.push(statement.trim());
    start = match.index + 1;
    open = false;
  }
  const rest = text.slice(start);
  // A line comment at the end is open for nothing but its line.
  return { statements, rest: isBlank(rest) && !open ? "" : rest };
}

function isClosed(text: string): boolean {
  if (text.startsWith("/*")) return text.length >= 4 && text.endsWith("*/");
  if (text.startsWith("--")) return true;
  const last = text.at(-1);
  return text.length > 1 && (last === "'" || last === '"' || last === "$");
}

/** Whether nothing but white space and comments is there. */
export function isBlank(text: string): boolean {
  return text.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, "").trim() === "";
}

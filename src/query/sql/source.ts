import type { Node } from "libpg-query";
import { hasSqlDetails, loadModule, parseSync, scanSync } from "libpg-query";
import { InputError } from "../../errors.ts";
import { sqlBytesMax } from "../../limits.ts";

// The parser is itself a WebAssembly module; it is compiled once, when this file is first imported.
await loadModule();

const identifierPattern = /[\p{L}_\u0080-\uffff][\p{L}\p{N}_$\u0080-\uffff]*/uy;
const blankPattern = /(?:\s+|--[^\n\r]*)/y;

/**
 * SQL text and the places in it.
 *
 * The parser's locations are 0-based UTF-8 byte offsets into `prefix + text`; ours are 1-based characters
 * (code points) of `text`, as PostgreSQL counts them.
 */
export class SqlSource {
  readonly text: string;
  private readonly prefix: string;
  /** The JSON pointer of a text that stands in a JSON form. */
  private readonly pointer: string | undefined;
  private indexOfByte: Uint32Array | null = null;

  constructor(text: string, prefix = "", pointer?: string) {
    this.text = text;
    this.prefix = prefix;
    this.pointer = pointer;
  }

  /** Index into `text`, in UTF-16 units, of a byte offset that the parser gave. */
  private index(location: number): number {
    const offset = Math.max(0, location - this.prefix.length);
    if (this.indexOfByte === null) {
      const table = new Uint32Array(Buffer.byteLength(this.text) + 1);
      let byte = 0;
      let unit = 0;
      for (const char of this.text) {
        const bytes = Buffer.byteLength(char);
        table.fill(unit, byte, byte + bytes);
        byte += bytes;
        unit += char.length;
      }
      table[byte] = unit;
      this.indexOfByte = table;
    }
    return this.indexOfByte[offset] ?? this.text.length;
  }

  position(location: number): number {
    return [...this.text.slice(0, this.index(location))].length + 1;
  }

  /** An error at a place that the parser gave. */
  error(code: string, problem: string, location: number, status = 400): InputError {
    return this.errorAt(code, problem, this.position(location), status);
  }

  errorAt(code: string, problem: string, position: number, status = 400): InputError {
    const last = [...this.text].length + 1;
    const at = Math.min(Math.max(1, position), last);
    const pointer = this.pointer === undefined ? {} : { pointer: this.pointer };
    const problemAt = `${problem}, at character ${at}`;
    return new InputError(code, problemAt, { position: at, ...pointer }, status);
  }

  notImplemented(feature: string, location: number): InputError {
    return this.error("not_implemented", `${feature}: not supported yet`, location, 501);
  }

  /** What isn't supported, at the first token that is this word. */
  notImplementedAtWord(feature: string, word: string): InputError {
    const token = scanSync(this.text).tokens.find((one) => one.text.toLowerCase() === word);
    return this.notImplemented(feature, (token?.start ?? 0) + this.prefix.length);
  }

  /** A syntax error at a character, counted from 0 in the whole parsed text. */
  syntaxError(message: string, cursor: number): InputError {
    const position = cursor - this.prefix.length + 1;
    // Past the end the parser met the parenthesis that we put there.
    const past = this.prefix !== "" && position > [...this.text].length;
    const said = past ? message.replace(/at or near ".*"$/s, "at end of input") : message;
    return this.errorAt("sql_syntax", said, position);
  }

  private skipBlank(from: number): number {
    let i = from;
    for (;;) {
      blankPattern.lastIndex = i;
      if (blankPattern.test(this.text)) i = blankPattern.lastIndex;
      else if (this.text.startsWith("/*", i)) i = this.commentEnd(i);
      else return i;
    }
  }

  /** PostgreSQL's comments nest. */
  private commentEnd(from: number): number {
    let depth = 0;
    for (let i = from; i < this.text.length; i++) {
      const pair = this.text.slice(i, i + 2);
      if (pair === "/*") depth++;
      if (pair === "*/" && --depth === 0) return i + 2;
      if (pair === "/*" || pair === "*/") i++;
    }
    return this.text.length;
  }

  /**
   * The dotted name at `location` as it was written: the parser folds names to lower case and cuts them at
   * 63 bytes. Null for the rare spellings that only the parser can read (`U&"…"`).
   */
  nameAt(location: number): string[] | null {
    const names: string[] = [];
    let i = this.index(location);
    for (;;) {
      if (this.text[i] === '"') {
        const quoted = /"((?:[^"]|"")*)"/y;
        quoted.lastIndex = i;
        const found = quoted.exec(this.text);
        if (!found) return null;
        names.push((found[1] ?? "").replaceAll('""', '"'));
        i = quoted.lastIndex;
      } else {
        identifierPattern.lastIndex = i;
        const found = identifierPattern.exec(this.text);
        if (!found || this.text[identifierPattern.lastIndex] === "&") return null;
        names.push(found[0]);
        i = identifierPattern.lastIndex;
      }
      i = this.skipBlank(i);
      if (this.text[i] !== ".") return names;
      i = this.skipBlank(i + 1);
    }
  }
}

function checkText(source: SqlSource): void {
  const bytes = Buffer.byteLength(source.text);
  if (bytes > sqlBytesMax) {
    throw new InputError("sql_too_long", `got ${bytes} bytes of SQL, want at most ${sqlBytesMax}`);
  }
  const nul = source.text.indexOf("\0");
  if (nul >= 0) {
    throw source.errorAt("sql_syntax", "SQL has no NUL characters", nul + 1);
  }
  if (source.text.trim() === "") throw source.errorAt("sql_syntax", "got no SQL", 1);
}

function parseStatements(source: SqlSource, text: string): Node[] {
  try {
    return (parseSync(text).stmts ?? []).flatMap(({ stmt }) => (stmt ? [stmt] : []));
  } catch (error) {
    if (hasSqlDetails(error) && error.sqlDetails) {
      throw source.syntaxError(error.sqlDetails.message, error.sqlDetails.cursorPosition);
    }
    // A tree that is too deep to be turned into objects ends the stack, not the process.
    if (error instanceof RangeError) {
      throw source.errorAt("sql_syntax", "the expression is nested too deeply", 1);
    }
    throw error;
  }
}

/** The one statement of a text. */
export function parseOne(text: string): { source: SqlSource; statement: Node } {
  const source = new SqlSource(text);
  checkText(source);
  const statements = parseStatements(source, text);
  const [statement] = statements;
  if (!statement) throw source.errorAt("sql_syntax", "got no statement", 1);
  if (statements.length > 1) {
    throw source.errorAt("sql_semantics", `got ${statements.length} statements, want one`, 1);
  }
  return { source, statement };
}

/** Where `text` closes a parenthesis that it did not open, it is more than an expression. */
function checkBalance(source: SqlSource): void {
  let depth = 0;
  for (const token of scanSync(source.text).tokens) {
    if (token.text === "(") depth++;
    if (token.text === ")" && --depth < 0) {
      throw source.error("sql_syntax", 'syntax error at or near ")"', token.start);
    }
  }
}

const expressionPrefix = "SELECT 1 FROM events WHERE (\n";

/** The tree of an expression text, which stands alone as a condition. */
export function parseExpression(
  text: string,
  pointer?: string,
): { source: SqlSource; expression: Node } {
  const source = new SqlSource(text, expressionPrefix, pointer);
  checkText(source);
  const [statement] = parseStatements(source, `${expressionPrefix}${text}\n)`);
  checkBalance(new SqlSource(text, "", pointer));
  const expression =
    statement && "SelectStmt" in statement ? statement.SelectStmt.whereClause : undefined;
  if (!expression) throw source.errorAt("sql_syntax", "want one expression", 1);
  return { source, expression };
}

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text as readAll } from "node:stream/consumers";
import { parseExactJson } from "../base/exact-json.ts";
import { ConfigError, MillraceError } from "../errors.ts";
import { ConnectionError, RefusedError, readText } from "./api-client.ts";
import { acceptOf, ask, type Question } from "./query-client.ts";
import { refusalText } from "./query-error.ts";
import { parseQueryOptions, type QueryOptions, queryHelp } from "./query-options.ts";
import { runPrompt } from "./query-prompt.ts";
import { footerText, type TableResult, tableText } from "./query-table.ts";
import { cutStatements, isBlank } from "./statements.ts";

/** `millrace query`: exit code 0, 1 after a failure, 2 for flags, 130 after Ctrl+C. */
export async function runQuery(argv: string[]): Promise<number> {
  let options: QueryOptions | undefined;
  try {
    const terminal = { input: process.stdin.isTTY, output: process.stdout.isTTY };
    options = parseQueryOptions(argv, terminal);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`millrace query: ${error.message}`);
    return 2;
  }
  if (options === undefined) {
    console.log(queryHelp);
    return 0;
  }
  const asking = new Asking(options, process.stdout);
  if (options.source.kind === "prompt") {
    const { stdin, stdout } = process;
    return runPrompt(options.url.host, stdin, stdout, asking);
  }
  let statements: string[];
  try {
    statements = await statementsOf(options.source);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    console.error(`millrace query: ${error.message}`);
    return 1;
  }
  const interrupt = () => asking.cancel();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  // A reader that has had enough, such as `head`, closes the pipe: that ends the command in peace.
  const gone = () => asking.readerGone();
  process.stdout.on("error", gone);
  try {
    for (const sql of statements) {
      const code = await asking.run(sql);
      if (asking.isUnread) return 0;
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    process.stdout.off("error", gone);
  }
}

async function statementsOf(
  source: Exclude<QueryOptions["source"], { kind: "prompt" }>,
): Promise<string[]> {
  const text =
    source.kind === "text"
      ? source.text
      : source.path === "-"
        ? await readAll(process.stdin)
        : readFileSync(source.path, "utf8");
  const { statements, rest } = cutStatements(text);
  const all = isBlank(rest) ? [...statements] : [...statements, rest.trim()];
  if (all.length > 0) return all;
  throw new MillraceError("missing_statement", "want a statement, got none; --help shows examples");
}

const interrupted = Symbol("interrupted");
const timedOut = Symbol("timed out");

/** Runs statements one after the other and prints their answers. */
export class Asking {
  readonly #options: QueryOptions;
  readonly #output: NodeJS.WriteStream;
  #controller: AbortController | null = null;
  /** Whether tables are followed by their count and time. */
  timing = true;
  isUnread = false;

  constructor(options: QueryOptions, output: NodeJS.WriteStream) {
    this.#options = options;
    this.#output = output;
  }

  /** Ends the statement that runs, here and on the server; false when none does. */
  cancel(): boolean {
    this.#controller?.abort(interrupted);
    return this.#controller !== null;
  }

  /** Nobody reads what is printed any more. */
  readerGone(): void {
    this.isUnread = true;
    this.cancel();
  }

  /** The exit code: 0, 1 for a failure that has been told, 130 when it was cancelled. */
  async run(sql: string): Promise<number> {
    const { params, timeoutSeconds } = this.#options;
    const controller = new AbortController();
    this.#controller = controller;
    const timer =
      timeoutSeconds === 0
        ? undefined
        : setTimeout(() => controller.abort(timedOut), timeoutSeconds * 1000);
    try {
      await this.#print({ sql, params }, controller.signal);
      return 0;
    } catch (error) {
      return this.#failed(controller.signal.aborted ? controller.signal.reason : error, sql);
    } finally {
      clearTimeout(timer);
      this.#controller = null;
    }
  }

  async #print(question: Question, signal: AbortSignal): Promise<void> {
    const { url, format } = this.#options;
    const accept = acceptOf[format === "table" ? "json" : format];
    const response = await ask(url, question, accept, signal);
    if (format === "table") {
      this.#printTable(parseExactJson(await readText(response)) as TableAnswer);
      return;
    }
    for await (const chunk of response) {
      // What the reader of our output does not take is not read from the server either.
      if (!this.#output.write(chunk as Buffer)) await once(this.#output, "drain", { signal });
    }
    if (format === "json") this.#output.write("\n");
  }

  #printTable(answer: TableAnswer): void {
    const { rowsMax } = this.#options;
    const { columns, rows, stats } = answer;
    const shown = rowsMax === 0 ? rows : rows.slice(0, rowsMax);
    const onTerminal = this.#output.isTTY === true;
    const style = {
      // A terminal that does not tell its width is taken for one of old.
      width: onTerminal ? this.#output.columns || 80 : Infinity,
      colors: onTerminal && this.#output.hasColors(),
    };
    const lines = [tableText({ columns, rows: shown }, style)];
    if (shown.length < rows.length) {
      lines.push(`… ${shown.length.toLocaleString("en")} of them shown; --max-rows 0 shows all`);
    }
    if (this.timing) lines.push(footerText(rows.length, Number(stats?.execution_us ?? 0)));
    this.#output.write(`${lines.join("\n")}\n`);
  }

  #failed(error: unknown, sql: string): number {
    if (this.isUnread) return 0;
    if (error === interrupted) {
      console.error("cancelled");
      return 130;
    }
    const { timeoutSeconds } = this.#options;
    if (error === timedOut) {
      console.error(
        `millrace query: no answer within ${timeoutSeconds} s; the query was cancelled`,
      );
    } else if (error instanceof RefusedError) {
      console.error(refusalText(error.message, sql, error.position));
    } else if (error instanceof ConnectionError) {
      console.error(`millrace query: ${error.message}`);
    } else {
      const { code, message } = error as { code?: string; message: string };
      // Whatever else has a code has happened to the connection.
      if (code === undefined && !(error instanceof SyntaxError)) throw error;
      console.error(`millrace query: the answer was cut off: ${message}`);
    }
    return 1;
  }
}

interface TableAnswer extends TableResult {
  readonly stats?: { readonly execution_us?: number };
}

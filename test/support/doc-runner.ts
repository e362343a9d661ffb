import { execFile } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import ts from "typescript";
import { expect } from "vitest";
import { exactJsonText, parseExactJson } from "../../src/base/exact-json.ts";
import { refusalText } from "../../src/cli/query-error.ts";
import { cellText, type TableResult, tableText } from "../../src/cli/query-table.ts";
import { cutStatements } from "../../src/cli/statements.ts";
import { type Answer, type Problem, post } from "./api.ts";
import { commandsOf, type Example, isShown } from "./doc-blocks.ts";
import { main, TestServer } from "./server.ts";
import { root } from "./sources.ts";

const shownAlways = process.env.DOCS_SHOW !== undefined;

/** Runs the examples of one page against a server of its own. */
export class DocRunner {
  readonly #page: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-docs-"));
  #server: TestServer | undefined;
  #scripts = 0;

  constructor(page: string) {
    this.#page = page;
  }

  /** Starts the server; `events` is a file of docs/examples or null for none. */
  async start(events: string | null): Promise<void> {
    const examples = join(root, "docs/examples");
    for (const name of readdirSync(examples)) {
      copyFileSync(join(examples, name), join(this.#folder, name));
    }
    this.#server = await new TestServer(join(this.#folder, "data"), []).ready();
    const bin = join(this.#folder, "bin");
    mkdirSync(bin);
    // A client's address follows its command, so that an example need not name it.
    const wrapper = `#!/bin/sh
case "$1" in
  query|tail|import|stats|rules)
    command=$1; shift
    case "$DOCS_TERMINAL $command $*" in
      *--format*) ;;
      "1 query "*) set -- --format table "$@" ;;
      "1 rules "*) set -- --format table "$@" ;;
      "1 tail "*) set -- --format pretty "$@" ;;
    esac
    exec "${process.execPath}" "${main}" "$command" --url "${this.#url}" "$@" ;;
  *) exec "${process.execPath}" "${main}" "$@" ;;
esac
`;
    writeFileSync(join(bin, "millrace"), wrapper, { mode: 0o755 });
    const modules = join(this.#folder, "node_modules");
    mkdirSync(modules);
    symlinkSync(root, join(modules, "millrace"));
    symlinkSync(join(root, "node_modules/ws"), join(modules, "ws"));
    if (events !== null) await this.#shell(`millrace import ${events}`);
  }

  async stop(): Promise<void> {
    await this.#server?.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async run(example: Example): Promise<void> {
    const { language, words } = example;
    if (language === "sql") return this.#sql(example, words[0] ?? "");
    if (language === "json") return this.#query(example);
    if (language === "console") return this.#session(example);
    if (language === "sh") {
      const output = await this.#shell(example.text);
      return this.#compare(example, output);
    }
    return this.#compare(example, await this.#script(example));
  }

  get #url(): string {
    return this.#server?.url ?? "";
  }

  async #sql(example: Example, mode: string): Promise<void> {
    switch (mode) {
      case "":
        return this.#compareAnswer(example, { sql: example.text.trim().replace(/;$/, "") });
      case "each": {
        const { statements, rest } = cutStatements(example.text);
        for (const sql of [...statements, rest]) if (sql.trim() !== "") await this.#succeeds(sql);
        return;
      }
      case "where":
        return this.#lines(example, (text) => `SELECT count(*) FROM events WHERE ${text}`);
      case "values":
        return this.#lines(example, (text) => `SELECT ${text} FROM events LIMIT 1`);
      case "grouped":
        return this.#lines(example, (text) => `SELECT ${text} FROM events`);
      default:
        throw new Error(`${this.#page}:${example.line}: there is no block "sql ${mode}"`);
    }
  }

  async #lines({ text, line }: Example, statement: (text: string) => string): Promise<void> {
    for (const [i, whole] of text.split("\n").entries()) {
      const [, expression = "", remark] = /^(.*?)\s*(?:\s--\s+(\S.*))?$/.exec(whole) ?? [];
      if (expression.trim() === "" || expression.startsWith("--")) continue;
      const sql = statement(expression);
      const answer = await this.#ask({ sql });
      const place = `${this.#page}:${line + 1 + i}: ${expression}`;
      const isWhere = sql.includes("WHERE");
      // Beside a condition stands its count, or a remark.
      const shown = isWhere && !/^\d+$/.test(remark ?? "") ? undefined : remark?.trim();
      if (answer.status !== 200) {
        const words = `ERROR: ${(answer.body as unknown as Problem).detail}`;
        expect(
          shown?.startsWith("ERROR") && isShown(shown, words, "text"),
          `${place}: ${words}`,
        ).toBe(true);
        continue;
      }
      const { rows } = parseExactJson(answer.text) as TableResult;
      const got = cellText(rows[0]?.[0]);
      if (shownAlways) process.stdout.write(`${expression}  -- ${got}\n`);
      if (shown === undefined || isShown(shown, got, "text") || shown === `'${got}'`) continue;
      expect(got, place).toBe(shown);
    }
  }

  async #query(example: Example): Promise<void> {
    return this.#compareAnswer(example, { query: parseExactJson(example.text) });
  }

  async #compareAnswer(example: Example, body: object): Promise<void> {
    const { answer: shown } = example;
    const isRefusal = shown?.text.trimStart().startsWith("ERROR") === true;
    const accept = shown?.language === "csv" ? "text/csv" : "application/json";
    const answer = await this.#ask(body, accept);
    const sql = "sql" in body ? String(body.sql) : "";
    if (answer.status !== 200) {
      const { detail, position } = answer.body as unknown as Problem & { position?: number };
      const words = refusalText(detail, sql, position);
      if (!isRefusal) throw new Error(`${this.#page}:${example.line}: ${words}`);
      return this.#compare(example, words);
    }
    if (shown?.language === "csv") return this.#compare(example, answer.text);
    const result = parseExactJson(answer.text) as TableResult;
    if (shown?.language === "json") {
      const isRows = shown.text.trimStart().startsWith("[");
      return this.#compare(example, isRows ? (exactJsonText(result.rows) ?? "") : answer.text);
    }
    return this.#compare(example, tableText(result, { width: Infinity, colors: false }));
  }

  async #succeeds(sql: string): Promise<void> {
    const answer = await this.#ask({ sql });
    if (answer.status === 200) return;
    throw new Error(`${sql}: ${(answer.body as unknown as Problem).detail}`);
  }

  #ask(body: object, accept = "application/json"): Promise<Answer<unknown>> {
    const text = exactJsonText(body) ?? "";
    return post(this.#url, "/api/v1/analytics/custom-query", text, { accept });
  }

  async #session({ text, line }: Example): Promise<void> {
    for (const { command, shown } of commandsOf(text)) {
      const output = await this.#shell(command, true);
      if (shownAlways) process.stdout.write(`$ ${command}\n${output}`);
      if (shown.trim() !== "")
        this.#expectShown(shown, output, `${this.#page}:${line}: ${command}`);
    }
  }

  #compare({ answer, line, text }: Example, got: string): void {
    if (shownAlways) process.stdout.write(`${this.#page}:${line}\n${text}\n──\n${got}\n\n`);
    if (answer === undefined) return;
    this.#expectShown(answer.text, got, `${this.#page}:${answer.line}`);
  }

  #expectShown(shown: string, got: string, place: string): void {
    const kind = /^\s*[[{]/.test(got) ? "json" : "text";
    if (!isShown(shown, got, kind)) expect(got.trim(), place).toBe(shown.trim());
  }

  /** What a program of the page prints. */
  async #script({ language, text }: Example): Promise<string> {
    const target = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    const code =
      language === "ts" ? ts.transpileModule(text, { compilerOptions: target }).outputText : text;
    const path = join(this.#folder, `example-${++this.#scripts}.mjs`);
    writeFileSync(path, this.#local(code));
    return this.#shell(`"${process.execPath}" "${path}"`);
  }

  /** Examples speak of the address that a server has by default. */
  #local(text: string): string {
    return text.replaceAll(/(?:localhost|127\.0\.0\.1):8080/g, new URL(this.#url).host);
  }

  /** What a command writes, both streams together; in a session it writes as it would on a terminal. */
  #shell(command: string, onTerminal = false): Promise<string> {
    const options = {
      cwd: this.#folder,
      encoding: "utf8" as const,
      timeout: 30_000,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        ...process.env,
        DOCS_TERMINAL: onTerminal ? "1" : "",
        PATH: `${join(this.#folder, "bin")}${delimiter}${process.env.PATH}`,
      },
    };
    const script = `exec 2>&1\n${this.#local(command)}`;
    return new Promise((resolve, reject) => {
      execFile("bash", ["-c", script], options, (error, stdout) => {
        // A command that fails on purpose shows so in what it writes.
        if (error !== null && error.code === undefined) reject(error);
        else if (error !== null && stdout === "") reject(error);
        else resolve(this.#public(stdout));
      });
    });
  }

  /** What is particular to this run, as a page would show it. */
  #public(output: string): string {
    return output
      .replaceAll(new URL(this.#url).host, "127.0.0.1:8080")
      .replaceAll(this.#folder, "…");
  }
}

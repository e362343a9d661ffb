import { createInterface } from "node:readline";
import { cutStatements, isBlank } from "./statements.ts";

/** What runs the statements of a prompt. */
export interface StatementRunner {
  run(sql: string): Promise<number>;
  /** Ends what runs; false when nothing does. */
  cancel(): boolean;
  timing: boolean;
}

const help = `Statements end with a semicolon and may have several lines.
  \\d        the columns of events
  \\timing   count and time below tables, on or off
  \\q        quit; Ctrl+D does it too
Ctrl+C ends the query that runs, or clears the line.`;

const first = "millrace> ";
const more = "       -> ";

/** Asks for statements until \\q or the end of the input; the exit code is 0. History is kept while it runs. */
export async function runPrompt(
  host: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  runner: StatementRunner,
): Promise<number> {
  const lines = createInterface({ input, output, prompt: first, historySize: 1000 });
  const prompt = new Prompt(runner, (text) => output.write(`${text}\n`));
  output.write(`Asking ${host}. \\? is help, \\q quits.\n`);
  lines.on("SIGINT", () => {
    if (runner.cancel()) return;
    prompt.clear();
    output.write("\n");
    lines.setPrompt(first);
    lines.prompt();
  });
  const closed = new Promise<void>((resolve) => lines.once("close", resolve));
  // Lines that are pasted come while a statement still runs: they wait for their turn.
  let turn: Promise<void> = Promise.resolve();
  lines.on("line", (line) => {
    turn = turn.then(async () => {
      if (prompt.ended) return;
      await prompt.take(line);
      if (prompt.ended) return lines.close();
      lines.setPrompt(prompt.isOpen ? more : first);
      lines.prompt();
    });
  });
  lines.prompt();
  await closed;
  await turn;
  if (!prompt.ended) output.write("\n");
  return 0;
}

class Prompt {
  readonly #runner: StatementRunner;
  readonly #print: (text: string) => void;
  #pending = "";
  ended = false;

  constructor(runner: StatementRunner, print: (text: string) => void) {
    this.#runner = runner;
    this.#print = print;
  }

  /** Whether a statement has begun that has no end yet. */
  get isOpen(): boolean {
    return !isBlank(this.#pending);
  }

  clear(): void {
    this.#pending = "";
  }

  async take(line: string): Promise<void> {
    if (!this.isOpen && line.trim().startsWith("\\")) {
      this.#pending = "";
      return this.#command(line.trim());
    }
    const { statements, rest } = cutStatements(`${this.#pending}${line}\n`);
    this.#pending = rest;
    for (const sql of statements) {
      // What was pasted behind a statement that fails would not be what was meant.
      if ((await this.#runner.run(sql)) !== 0) return;
    }
  }

  async #command(line: string): Promise<void> {
    const [name] = line.split(/\s/);
    if (name === "\\q") this.ended = true;
    else if (name === "\\d") await this.#runner.run("DESCRIBE events");
    else if (name === "\\timing") {
      this.#runner.timing = !this.#runner.timing;
      this.#print(`timing is ${this.#runner.timing ? "on" : "off"}`);
    } else this.#print(name === "\\?" ? help : `no command ${name}; \\? lists them`);
  }
}

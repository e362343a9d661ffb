#!/usr/bin/env node
import { endProcess } from "./base/exit.ts";
import { didYouMean } from "./base/near.ts";
import { settingsHelp } from "./config.ts";
import { version } from "./version.ts";

/** What a command does with its arguments; the answer is the exit code. Commands are loaded when called. */
const commands: Readonly<Record<string, (argv: string[]) => Promise<number>>> = {
  serve: async (argv) => {
    if (argv.includes("--help") || argv.includes("-h")) return print(serveHelp);
    return (await import("./serve.ts")).serve(argv);
  },
  import: async (argv) => (await import("./cli/import.ts")).runImport(argv),
  query: async (argv) => (await import("./cli/query.ts")).runQuery(argv),
  rules: async (argv) => (await import("./cli/rules.ts")).runRules(argv),
  stats: async (argv) => (await import("./cli/stats.ts")).runStats(argv),
  tail: async (argv) => (await import("./cli/tail.ts")).runTail(argv),
  version: async () => print(version),
  help: async ([topic = "help"]) => {
    if (topic === "help" || topic === "version") return print(help);
    return Object.hasOwn(commands, topic) ? run(topic, ["--help"]) : unknown(topic);
  },
};

const help = `Millrace ${version}: real-time event analytics in one process

  millrace serve [flags]     take events, keep them, answer questions about them
  millrace import FILE...    send the events of files to a running server
  millrace query ["SELECT"]  ask a running server, in SQL
  millrace rules [WORD]      questions that are answered window by window as events arrive: list, make, pause
  millrace stats [flags]     what a running server has stored: bytes per event, columns, segments
  millrace tail [flags]      watch events as they are stored, or windows as they change
  millrace version           the version
  millrace help [command]    this text, or that of a command

\`millrace serve\` needs no flags: it listens on 127.0.0.1:8080 and keeps its data in ./data.`;

const serveHelp = `Usage: millrace serve [flags]

Every flag can also be given as a variable; a flag wins. Sizes are text such as 64MiB or 1GB, durations
such as 90s, 5m, 1h30m, 7d or PT1H.

${settingsHelp()}`;

function print(text: string): number {
  console.log(text);
  return 0;
}

async function main(argv: string[]): Promise<number> {
  const [name = "help", ...rest] = argv;
  if (name === "--version" || name === "-v") return print(version);
  if (name === "--help" || name === "-h") return print(help);
  return run(name, rest);
}

async function run(name: string, argv: string[]): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return command === undefined ? unknown(name) : command(argv);
}

function unknown(name: string): number {
  const hint = didYouMean(name, Object.keys(commands));
  console.error(`millrace: no command "${name}"${hint}; millrace help lists them`);
  return 2;
}

// A reader that has had enough, such as `head`, closes the pipe, and may do so when all has been written.
for (const output of [process.stdout, process.stderr]) {
  output.on("error", (error: Error & { code?: string }) => {
    if (error.code !== "EPIPE") throw error;
  });
}
const exitCode = await main(process.argv.slice(2));
process.exitCode = exitCode;
// Connections and threads that a failed command has left open must not keep the process.
if (exitCode !== 0) endProcess(exitCode);

// `npm run bench:peers`: every question of the table, asked of Millrace, DuckDB and chDB over the same events in one
// run. Answers are compared before anything is timed; then the engines take turns.

import { once } from "node:events";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess } from "../src/base/exit.ts";
import { isProgram } from "./listener.ts";
import { machine, percentile, table } from "./machine.ts";
import { compareAnswers } from "./peers-answers.ts";
import { isInstalled, openChDb, openDuckDb, type Peer } from "./peers-engines.ts";
import { NestedStream, PeerStream } from "./peers-events.ts";
import { type OwnPeer, openMillrace } from "./peers-millrace.ts";
import { type Dataset, type EngineName, type Question, questionsOf } from "./peers-questions.ts";
import { projectRoot } from "./servers.ts";

export interface PeerPlan {
  readonly events: number;
  /** Keys of questions; empty: all. */
  readonly only: readonly string[];
  readonly engines: readonly EngineName[];
  /** A question is asked until this much time or this many rounds are over. */
  readonly seconds: number;
  readonly rounds: number;
  /** Where events and data are kept for the next run; null: a temporary folder. */
  readonly folder: string | null;
  /** Settings of Millrace, such as `queryWorkers=2`. */
  readonly settings: readonly string[];
}

/** What one question came to, milliseconds at the median. */
export interface PeerRow {
  readonly question: Question;
  readonly ms: Readonly<Partial<Record<EngineName | "http", number>>>;
  /** How many times slower the peer is that counts; NaN without an answer of both. */
  readonly ratio: number;
  /** Why there is no figure, or how answers differ. */
  readonly note: string;
}

export interface PeerBytes {
  readonly dataset: Dataset;
  readonly engine: EngineName | "sealed";
  readonly perEvent: number;
}

export interface PeerReport {
  readonly rows: readonly PeerRow[];
  readonly bytes: readonly PeerBytes[];
  readonly versions: readonly string[];
  readonly missing: readonly EngineName[];
}

const fileEvents = 100_000;
/** Below it an error is that of sums of doubles, not of a sketch. */
const roundingMax = 1e-6;

/** Files of newline-delimited JSON, written unless they are there already. */
async function eventFiles(folder: string, dataset: Dataset, count: number): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const stream = dataset === "events" ? new PeerStream(11) : new NestedStream(12);
  const files: string[] = [];
  for (let made = 0; made < count; made += fileEvents) {
    const events = Math.min(fileEvents, count - made);
    const path = join(folder, `${dataset}-${made}-${events}.ndjson`);
    files.push(path);
    // The stream has to go on even where the file is there.
    const lines = Array.from({ length: events }, () => stream.next());
    if (existsSync(path)) continue;
    const out = createWriteStream(path);
    for (let i = 0; i < lines.length; i += 1000) {
      const part = lines.slice(i, i + 1000).map((line) => JSON.stringify(line));
      if (!out.write(`${part.join("\n")}\n`)) await once(out, "drain");
    }
    out.end();
    await once(out, "finish");
  }
  return files;
}

function open(name: EngineName, folder: string, settings: readonly string[]): Promise<Peer> {
  if (name === "millrace") return openMillrace(folder, settings);
  return name === "duckdb" ? openDuckDb(folder) : openChDb(folder);
}

/** Opens the engine over a folder of its own, and loads it unless that was done by a run before. */
async function loaded(
  name: EngineName,
  dataset: Dataset,
  folder: string,
  plan: PeerPlan,
  files: () => Promise<string[]>,
): Promise<Peer> {
  const own = join(folder, `${dataset}-${plan.events}-${name}`);
  const marker = join(own, "loaded");
  if (existsSync(own) && !existsSync(marker)) rmSync(own, { recursive: true });
  mkdirSync(own, { recursive: true });
  const peer = await open(name, own, plan.settings);
  if (existsSync(marker)) return peer;
  const startMs = performance.now();
  await peer.load(dataset, await files());
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${name}: ${plan.events} ${dataset} loaded in ${seconds.toFixed(1)} s`);
  writeFileSync(marker, peer.version);
  return peer;
}

type Asker = () => Promise<readonly (readonly unknown[])[]>;

async function millisecondsOf(ask: Asker): Promise<number> {
  const startMs = performance.now();
  await ask();
  return performance.now() - startMs;
}

/** How long one asker asks before the next has its turn, and before anything counts. */
const TURN_MS = 50;
const WARM_MS = 500;

/**
 * The askers in turns, so that a slow phase of the machine hits all of them; medians. A turn is several questions:
 * each of them is warm then, as one of a dashboard's is, and not what the engine before it has left in the caches.
 */
async function timed(
  askers: ReadonlyMap<string, Asker>,
  plan: PeerPlan,
): Promise<Map<string, number>> {
  const times = new Map([...askers.keys()].map((name) => [name, [] as number[]]));
  for (const ask of askers.values()) {
    const warmMs = performance.now() + Math.min(WARM_MS, plan.seconds * 250);
    for (let i = 0; i < 3 || performance.now() < warmMs; i++) await ask();
  }
  const endMs = performance.now() + plan.seconds * 1000;
  for (let round = 0; round < plan.rounds && (round < 3 || performance.now() < endMs); round++) {
    for (const [name, ask] of askers) {
      const turnMs = performance.now() + Math.min(TURN_MS, plan.seconds * 50);
      await ask();
      do times.get(name)?.push(await millisecondsOf(ask));
      while (performance.now() < turnMs);
    }
  }
  return new Map(
    [...times].map(([name, list]) => [
      name,
      percentile(
        list.sort((a, b) => a - b),
        0.5,
      ),
    ]),
  );
}

/** Sketches of peers may be as rough as they are; DuckDB's count of distinct values is off by up to a half. */
function withinOf({ within = {} }: Question, engine: EngineName): Readonly<Record<number, number>> {
  if (engine === "millrace") return within;
  const columns = Object.entries(within).map(([column, error]) => {
    return [column, error < roundingMax ? error : 0.5] as const;
  });
  return Object.fromEntries(columns);
}

/** Asks each engine once and compares; what is wrong, or nothing. */
async function checked(question: Question, peers: ReadonlyMap<EngineName, Peer>) {
  const answers = new Map<EngineName, readonly (readonly unknown[])[]>();
  const notes: string[] = [];
  for (const [name, peer] of peers) {
    try {
      answers.set(name, await peer.ask(question.sql[name]));
    } catch (error) {
      notes.push(`${name}: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  const duckdb = peers.get("duckdb");
  const exact = question.exact && duckdb ? await duckdb.ask(question.exact) : answers.get("duckdb");
  for (const [name, answer] of answers) {
    const wanted = exact ?? answers.get("chdb");
    const problem = wanted && compareAnswers(answer, wanted, withinOf(question, name));
    if (problem) notes.push(`${name} differs: ${problem}`);
    if (problem && name === "millrace") answers.delete(name);
  }
  return { answers, notes };
}

async function asked(
  question: Question,
  peers: ReadonlyMap<EngineName, Peer>,
  plan: PeerPlan,
): Promise<PeerRow> {
  const { answers, notes } = await checked(question, peers);
  const askers = new Map<EngineName | "http", Asker>();
  for (const name of answers.keys()) {
    const peer = peers.get(name) as Peer;
    askers.set(name, () => peer.ask(question.sql[name]));
    if (name === "millrace") {
      askers.set("http", () => (peer as OwnPeer).askHttp(question.sql.millrace));
    }
  }
  const ms = Object.fromEntries(await timed(askers, plan)) as PeerRow["ms"];
  const others = question.against === "chdb" ? [ms.chdb] : [ms.duckdb, ms.chdb];
  const quicker = Math.min(...others.map((one) => one ?? Number.POSITIVE_INFINITY));
  const ratio = Number.isFinite(quicker) ? quicker / (ms.millrace ?? Number.NaN) : Number.NaN;
  return { question, ms, ratio, note: notes.join("; ") };
}

/** Runs the plan. Engines that are not installed are named in `missing`. */
export async function comparePeers(plan: PeerPlan): Promise<PeerReport> {
  const folder = plan.folder ?? mkdtempSync(join(tmpdir(), "millrace-peers-"));
  const packages = { duckdb: "@duckdb/node-api", chdb: "chdb" } as const;
  const missing = plan.engines.filter(
    (name) => name !== "millrace" && !isInstalled(packages[name]),
  );
  const engines = plan.engines.filter((name) => !missing.includes(name));
  const questions = questionsOf(plan.events).filter(
    ({ key }) => plan.only.length === 0 || plan.only.includes(key),
  );
  const rows: PeerRow[] = [];
  const bytes: PeerBytes[] = [];
  const versions: string[] = [];
  try {
    for (const dataset of ["events", "nested"] as const) {
      const own = questions.filter((question) => question.dataset === dataset);
      if (own.length === 0) continue;
      const files = (): Promise<string[]> =>
        eventFiles(join(folder, "files"), dataset, plan.events);
      const peers = new Map<EngineName, Peer>();
      for (const name of engines) {
        const peer = await loaded(name, dataset, folder, plan, files);
        peers.set(name, peer);
        bytes.push({ dataset, engine: name, perEvent: (await peer.bytes()) / plan.events });
        if (name === "millrace") {
          bytes.push({ dataset, engine: "sealed", perEvent: (peer as OwnPeer).sealedBytes() });
        }
        if (versions.length < engines.length) versions.push(`${name} ${peer.version}`);
      }
      for (const question of own) rows.push(await asked(question, peers, plan));
      for (const peer of peers.values()) await peer.close();
    }
  } finally {
    if (plan.folder === null) rmSync(folder, { recursive: true, force: true });
  }
  return { rows, bytes, versions, missing };
}

function figure(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "–" : value.toPrecision(3);
}

const header = [
  "question",
  "Millrace ms",
  "over HTTP",
  "DuckDB ms",
  "chDB ms",
  "ratio",
  "must",
  "aim",
];

const sizeHeader = [
  "bytes per event",
  "Millrace",
  "once sealed",
  "DuckDB",
  "chDB",
  "÷ DuckDB",
  "once sealed",
];

/** The report as Markdown: what goes into docs/benchmarks.md. */
export function peerTables({ rows, bytes, versions, missing }: PeerReport, events: number): string {
  const lines = rows.map(({ question: { name, must, aim }, ms, ratio }) => {
    const times = `${figure(ratio)}×`;
    const shown = Number.isNaN(ratio) ? "–" : ratio < must ? `**${times}**` : times;
    const cells = [ms.millrace, ms.http, ms.duckdb, ms.chdb].map(figure);
    return [name, ...cells, shown, `≥ ${must}×`, `${aim}×`];
  });
  const sizes = (["events", "nested"] as const).flatMap((dataset) => {
    const own = bytes.filter((one) => one.dataset === dataset);
    if (own.length === 0) return [];
    const of = (engine: PeerBytes["engine"]) => own.find((one) => one.engine === engine)?.perEvent;
    const ratio = (of("millrace") ?? Number.NaN) / (of("duckdb") ?? Number.NaN);
    const sealed = (of("sealed") ?? Number.NaN) / (of("duckdb") ?? Number.NaN);
    const cells = [of("millrace"), of("sealed"), of("duckdb"), of("chdb")].map(figure);
    return [[dataset, ...cells, `${figure(ratio)}×`, `${figure(sealed)}×`]];
  });
  const notes = rows
    .filter(({ note }) => note !== "")
    .map((row) => `- ${row.question.key}: ${row.note}`);
  const absent = missing.map((name) => `- ${name} is not installed: \`npm ci --prefix bench\``);
  return [
    `${events} events of each kind; ${versions.join(", ")}; ${machine()}`,
    table(header, lines),
    table(sizeHeader, sizes),
    ...(notes.length + absent.length > 0 ? [[...notes, ...absent].join("\n")] : []),
  ].join("\n\n");
}

const docsPath = join(projectRoot, "docs/benchmarks.md");
const marks = [
  "<!-- peers: written by npm run bench:peers -- --write -->",
  "<!-- /peers -->",
] as const;

function writeDocs(text: string): void {
  const page = readFileSync(docsPath, "utf8");
  const [from, to] = marks.map((mark) => page.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${marks.join(" … ")}`);
  writeFileSync(docsPath, `${page.slice(0, from)}${marks[0]}\n\n${text}\n\n${page.slice(to)}`);
}

function valueOf(flags: readonly string[], name: string): string | undefined {
  const start = `--${name}=`;
  return flags.find((flag) => flag.startsWith(start))?.slice(start.length);
}

async function main(flags: readonly string[]): Promise<void> {
  const smoke = flags.includes("--smoke");
  const list = (text: string | undefined): string[] => text?.split(",").filter(Boolean) ?? [];
  const engines = list(valueOf(flags, "engines")) as EngineName[];
  const plan: PeerPlan = {
    events: Number(valueOf(flags, "events") ?? (smoke ? 20_000 : 1_000_000)),
    only: list(valueOf(flags, "only")),
    engines: engines.length > 0 ? engines : ["millrace", "duckdb", "chdb"],
    seconds: Number(valueOf(flags, "seconds") ?? (smoke ? 0.2 : 8)),
    rounds: Number(valueOf(flags, "rounds") ?? (smoke ? 5 : 101)),
    folder: valueOf(flags, "folder") ?? null,
    settings: valueOf(flags, "millrace")?.split(" ") ?? [],
  };
  const text = peerTables(await comparePeers(plan), plan.events);
  console.log(`\n${text}`);
  if (flags.includes("--write")) writeDocs(text);
}

// chDB keeps threads that would hold the process.
if (isProgram(import.meta.url)) await main(process.argv.slice(2)).then(() => endProcess(0));

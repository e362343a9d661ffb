// `npm run bench:load`: the whole server, from another process, against the naive twin, a bare Hono handler and a
// bare node:http drain, in one run. Slow phases of a machine last longer than a round, so only the ratios
// between servers that ran right after each other are compared.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { WireFormat } from "./events.ts";
import type { Load, LoadResult } from "./generator.ts";
import { isProgram } from "./listener.ts";
import { machine, median, scaled, table } from "./machine.ts";
import { type RunningServer, type ServerName, startServer } from "./servers.ts";

export interface Scenario {
  readonly batch: number;
  readonly format: WireFormat;
  readonly durable: boolean;
  readonly connections: number;
}

interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly servers: readonly ServerName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly requestsMax?: number;
}

/** Enough connections that the server always has the next body waiting. */
const connectionsOf: Readonly<Record<number, number>> = { 1: 64, 100: 64, 1000: 32, 10000: 8 };

function allScenarios(): Scenario[] {
  const scenarios: Scenario[] = [];
  for (const durable of [true, false]) {
    for (const format of ["json", "msgpack"] as const) {
      for (const batch of [1, 100, 1000, 10_000]) {
        scenarios.push({ batch, format, durable, connections: connectionsOf[batch] ?? 16 });
      }
    }
  }
  return scenarios;
}

export function nameOf({ batch, format, durable, connections }: Scenario): string {
  return `${batch} × ${format}, ${durable ? "durable" : "memory"}, ${connections} connections`;
}

export function pathOf(scenario: Scenario): string {
  const path = scenario.batch === 1 ? "/api/v1/events" : "/api/v1/events/batch";
  return scenario.durable ? path : `${path}?ack=memory`;
}

const generator = fileURLToPath(new URL("./generator.js", import.meta.url));

export async function generateOutside(load: Load): Promise<LoadResult> {
  const program = [generator, JSON.stringify(load)];
  const { stdout } = await promisify(execFile)(process.execPath, program, { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as LoadResult;
}

type Results = Map<string, LoadResult[]>;

/** Every server in turn, `rounds` times; the order turns too, so that nobody always comes first. */
async function runScenario(scenario: Scenario, plan: Plan): Promise<Results> {
  const servers: RunningServer[] = [];
  const results: Results = new Map(plan.servers.map((name) => [name, []]));
  try {
    for (const name of plan.servers) servers.push(await startServer(name));
    for (let round = 0; round < plan.rounds; round++) {
      for (let i = 0; i < servers.length; i++) {
        const server = servers[(i + round) % servers.length] as RunningServer;
        const load: Load = {
          port: server.port,
          path: pathOf(scenario),
          format: scenario.format,
          batch: scenario.batch,
          connections: scenario.connections,
          seconds: plan.seconds,
          ...(plan.requestsMax !== undefined && { requestsMax: plan.requestsMax }),
          seed: round + 1,
        };
        results.get(server.name)?.push(await generateOutside(load));
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  return results;
}

const eventsPerSecond = (result: LoadResult): number => result.events / result.seconds;

/** One row per server; `ratio` is the median over rounds of millrace's events a second by that server's. */
export function scenarioRows(scenario: Scenario, results: Results): string[][] {
  const own = results.get("millrace") ?? [];
  return [...results].map(([name, rounds]) => {
    const pairs = rounds.flatMap((round, i) => {
      const mine = own[i];
      return mine ? [eventsPerSecond(mine) / eventsPerSecond(round)] : [];
    });
    const figure = (pick: (one: LoadResult) => number): number => median(rounds.map(pick));
    const refused = rounds.flatMap((round) => Object.entries(round.refused));
    const ms = (value: number): string => value.toFixed(2);
    return [
      nameOf(scenario),
      name,
      scaled(figure(eventsPerSecond)),
      scaled(figure((one) => one.requests / one.seconds)),
      scaled(figure((one) => one.bytes / one.seconds)),
      ms(figure((one) => one.p50)),
      ms(figure((one) => one.p99)),
      ms(figure((one) => one.p999)),
      name === "millrace" || pairs.length === 0 ? "" : `${median(pairs).toPrecision(3)}×`,
      refused.map(([status, count]) => `${count} × ${status}`).join(", "),
    ];
  });
}

export const loadHeader = [
  "requests",
  "server",
  "events/s",
  "req/s",
  "B/s",
  "p50 ms",
  "p99 ms",
  "p999 ms",
  "millrace ÷ it",
  "refused",
];

function planOf(flags: readonly string[]): Plan {
  const value = (name: string): string | undefined => {
    return flags.find((flag) => flag.startsWith(`--${name}=`))?.slice(name.length + 3);
  };
  const servers = (value("servers")?.split(",") ?? [
    "millrace",
    "twin",
    "drain",
    "hono",
  ]) as ServerName[];
  const wanted = value("only");
  const scenarios = allScenarios().filter((one) => !wanted || nameOf(one).includes(wanted));
  if (flags.includes("--smoke")) {
    const small = scenarios.filter((one) => one.batch <= 100);
    return { scenarios: small, servers, rounds: 1, seconds: 2, requestsMax: 20 };
  }
  const rounds = Number(value("rounds") ?? 3);
  return { scenarios, servers, rounds, seconds: Number(value("seconds") ?? 5) };
}

async function main(flags: readonly string[]): Promise<void> {
  if (flags.includes("--help")) {
    console.log(
      "bench:load [--smoke] [--rounds=3] [--seconds=5] [--servers=millrace,twin,drain,hono] [--only=TEXT]",
    );
    return;
  }
  const plan = planOf(flags);
  console.log(`${machine()}\n${plan.rounds} rounds of ${plan.seconds} s, servers in turn\n`);
  const rows: string[][] = [];
  for (const scenario of plan.scenarios) {
    const results = await runScenario(scenario, plan);
    const found = scenarioRows(scenario, results);
    rows.push(...found);
    console.log(`${table(loadHeader, found)}\n`);
    for (const [name, [first]] of results) {
      if (first?.requests === 0) console.log(`${name} took nothing: ${first.sample}\n`);
    }
  }
  console.log(table(loadHeader, rows));
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));

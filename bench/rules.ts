// `npm run bench:rules`: what aggregation rules cost and how soon their windows are known. Ingest with 0, 10 and 100
// rules in turn, reading a day of minutes and the way from a POST to a subscriber while events stream in, and the time
// until rules are there again after a kill; and what one more rule costs the stream thread.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { LoadResult } from "./generator.ts";
import { isProgram } from "./listener.ts";
import { generateOutside, pathOf, type Scenario } from "./load.ts";
import { machine, median, percentile, scaled, table } from "./machine.ts";
import { projectRoot, type RunningServer, startMillrace } from "./servers.ts";
import { fill, streamOutside, Wire } from "./stream.ts";
import { type RuleBody, StreamRig, type Taken } from "./stream-rig.ts";

interface Plan {
  readonly counts: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly requestsMax?: number;
  readonly reads: number;
  readonly probes: number;
  readonly perSecond: number;
  readonly storedRows: number;
  /** Events of the rig, each so many times. */
  readonly rigEvents: number;
  readonly rigRepeats: number;
}

type Body = Readonly<Record<string, unknown>>;

const filters = [
  undefined,
  "event_type = 'purchase'",
  "event_type = 'page_view' AND properties.duration_ms > 500",
  "source = 'web'",
  "properties.status >= 400",
];

/** Ten kinds of rules; three of them have a p95 by two fields. All count, so that totals can be compared. */
const kinds: readonly Body[] = [
  {
    group_by: ["event_type", "source"],
    of: { fn: "quantile", field: "properties.duration_ms", q: 0.95, as: "v" },
  },
  {
    group_by: ["source", "properties.country"],
    of: { fn: "quantile", field: "properties.amount", q: 0.95, as: "v" },
  },
  {
    group_by: ["event_type", "properties.status"],
    of: { fn: "quantile", field: "properties.duration_ms", q: 0.95, as: "v" },
  },
  { group_by: [], of: { fn: "sum", field: "properties.amount", as: "v" } },
  { group_by: ["source"], of: { fn: "avg", field: "properties.duration_ms", as: "v" } },
  { group_by: ["event_type"], of: { fn: "max", field: "properties.amount", as: "v" } },
  { group_by: ["properties.path"], of: { fn: "sum", field: "properties.amount", as: "v" } },
  { group_by: ["properties.country"], of: { fn: "count", as: "v" } },
  { group_by: [], of: { fn: "approx_count_distinct", field: "user_id", as: "v" } },
  { group_by: ["source"], of: { fn: "min", field: "properties.duration_ms", as: "v" } },
];

/** The i-th rule; every further ten have other filters and other sizes of windows. */
function ruleBody(i: number): Body {
  const kind = kinds[i % kinds.length] as Body;
  const turn = Math.floor(i / kinds.length);
  const filter = filters[turn % filters.length];
  return {
    name: `rule_${i}`,
    ...(filter !== undefined && { event_filter: filter }),
    window: { type: "tumbling", size: turn < filters.length ? "1m" : "10s" },
    aggregations: [{ fn: "count", as: "n" }, kind.of],
    group_by: kind.group_by,
    allowed_lateness: "1m",
  };
}

const api = (port: number): string => `http://127.0.0.1:${port}/api/v1`;

async function call(method: string, url: string, body?: Body): Promise<Body> {
  const response = await fetch(url, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${method} ${url}: got ${response.status}: ${text.slice(0, 500)}`);
  return text === "" ? {} : (JSON.parse(text) as Body);
}

async function addRules(server: RunningServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await call("POST", `${api(server.port)}/aggregations`, ruleBody(i));
}

async function scalar(server: RunningServer, sql: string): Promise<number> {
  const { rows } = await call("POST", `${api(server.port)}/analytics/custom-query`, { sql });
  return Number((rows as unknown[][])[0]?.[0]);
}

/** Every event is counted once by each rule without a filter, too late ones among them. */
async function checkTotals(server: RunningServer, rules: number): Promise<void> {
  const stored = await scalar(server, "SELECT count(*) FROM events WHERE sequence > 0");
  for (let i = 0; i < Math.min(rules, kinds.length); i++) {
    const counted = await scalar(server, `SELECT sum(events) + sum(too_late) FROM rule_${i}`);
    if (counted !== stored)
      throw new Error(`rule_${i} counts ${counted} events, ${stored} are stored`);
  }
}

/** Ingest of batches of 1,000 with so many rules, in turn, so that all meet the same phases of the machine. */
async function ingest(plan: Plan): Promise<string[][]> {
  const scenario: Scenario = { batch: 1000, format: "json", durable: true, connections: 32 };
  const servers: RunningServer[] = [];
  const results = plan.counts.map((): LoadResult[] => []);
  try {
    for (const count of plan.counts) {
      const server = await startMillrace();
      servers.push(server);
      await addRules(server, count);
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (let i = 0; i < servers.length; i++) {
        const at = (i + round) % servers.length;
        const server = servers[at] as RunningServer;
        const load = {
          ...{ port: server.port, path: pathOf(scenario), format: scenario.format, batch: 1000 },
          ...{ connections: scenario.connections, seconds: plan.seconds, seed: round + 1 },
          ...(plan.requestsMax !== undefined && { requestsMax: plan.requestsMax }),
        };
        results[at]?.push(await generateOutside(load));
      }
    }
    for (const [i, server] of servers.entries()) await checkTotals(server, plan.counts[i] ?? 0);
  } finally {
    for (const server of servers) await server.stop();
  }
  const rate = ({ events, seconds }: LoadResult): number => events / seconds;
  const none = results[0] ?? [];
  return results.map((rounds, i) => {
    const ratio = median(rounds.map((one, r) => rate(one) / rate(none[r] as LoadResult)));
    const refused = rounds.reduce(
      (sum, one) => sum + Object.values(one.refused).reduce((a, b) => a + b, 0),
      0,
    );
    const refusals = refused > 0 ? `, ${refused} refused` : "";
    const goal =
      plan.counts[i] === 10
        ? "≥ 0.6×, aim 0.85×"
        : plan.counts[i] === 100
          ? "≥ 0.2×, aim 0.5×"
          : "";
    return [
      `ingest with ${plan.counts[i]} rules, batches of 1,000`,
      `${scaled(median(rounds.map(rate)))} events/s, ${ratio.toPrecision(3)}×${refusals}`,
      goal,
    ];
  });
}

const dayMinutes = 1440;
const dayGroups = 100;
const dayStartMs = Date.UTC(2026, 10, 22);

/** An event a minute and group for a day, in order. */
async function fillDay(wire: Wire): Promise<void> {
  for (let minute = 0; minute < dayMinutes; minute += 10) {
    const events = [];
    for (let m = minute; m < minute + 10; m++) {
      const timestamp = new Date(dayStartMs + m * 60_000).toISOString();
      for (let group = 0; group < dayGroups; group++) {
        events.push({
          timestamp,
          event_type: "day",
          source: "sensor",
          user_id: `g${group}`,
          properties: { v: m },
        });
      }
    }
    await wire.post(
      "/api/v1/events/batch",
      "application/json",
      Buffer.from(JSON.stringify(events)),
    );
  }
}

/** A day of minutes of one group, again and again, while events stream in. */
async function readDay(plan: Plan): Promise<string[][]> {
  const server = await startMillrace();
  try {
    const wire = new Wire(server.port);
    await call("POST", `${api(server.port)}/aggregations`, {
      name: "day",
      event_filter: "event_type = 'day'",
      window: { type: "tumbling", size: "1m" },
      aggregations: [
        { fn: "count", as: "n" },
        { fn: "sum", field: "properties.v", as: "v" },
      ],
      group_by: ["user_id"],
      allowed_lateness: "0s",
    });
    await addRules(server, 10);
    await fillDay(wire);
    const streaming = streamOutside(server.port, plan.perSecond);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [cold, execution, overHttp]: [number[], number[], number[]] = [[], [], []];
    // Each group once first: what is shown of its blocks is made then.
    for (let i = -dayGroups; i < plan.reads; i++) {
      const user = `g${((i + dayGroups) * 37) % dayGroups}`;
      const body = JSON.stringify({
        sql: `SELECT window_start, n, v FROM day WHERE user_id = '${user}' ORDER BY window_start`,
      });
      const startMs = performance.now();
      const text = await wire.post(
        "/api/v1/analytics/custom-query",
        "application/json",
        Buffer.from(body),
      );
      if (i >= 0) overHttp.push(performance.now() - startMs);
      const { rows, stats } = JSON.parse(text) as {
        rows: unknown[][];
        stats: { execution_us: number };
      };
      if (rows.length !== dayMinutes || rows[7]?.[2] !== 7)
        throw new Error(`got ${rows.length} windows`);
      (i < 0 ? cold : execution).push(stats.execution_us / 1000);
    }
    const rate = await streaming.stop();
    wire.close();
    const ms = (list: number[], share: number): string =>
      `${percentile(
        list.sort((a, b) => a - b),
        share,
      ).toFixed(3)} ms`;
    const name = `a day of minutes of one group of ${dayGroups}, ${scaled(rate)} events/s streaming in, 11 rules`;
    return [
      [`${name}: execution, median`, ms(execution, 0.5), ""],
      [`${name}: the first time, median`, ms(cold, 0.5), ""],
      [`${name}: the first time, 99th percentile`, ms(cold, 0.99), ""],
      [`${name}: execution, 99th percentile`, ms(execution, 0.99), "< 1 ms, aim 0.3 ms"],
      [`${name}: over HTTP as SQL, median`, ms(overHttp, 0.5), ""],
    ];
  } finally {
    await server.stop();
  }
}

/** From a POST's arrival to the early result at a subscriber that has a pace of 100 ms. */
async function latency(plan: Plan): Promise<string[][]> {
  const server = await startMillrace();
  try {
    const wire = new Wire(server.port);
    await addRules(server, 10);
    await call("POST", `${api(server.port)}/aggregations`, {
      name: "probe",
      event_filter: "event_type = 'probe'",
      window: { type: "tumbling", size: "1h" },
      aggregations: [{ fn: "count", as: "n" }],
    });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api/v1/stream/metrics`);
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    let seen: (n: number) => void = () => {};
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { windows?: { values: { n: number } }[] };
      for (const window of message.windows ?? []) seen(window.values.n);
    });
    socket.send(JSON.stringify({ type: "subscribe", id: "p", rule: "probe", pace: "100ms" }));
    const streaming = streamOutside(server.port, plan.perSecond);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const times: number[] = [];
    const event = { timestamp: "2026-11-23T12:00:00Z", event_type: "probe", source: "probe" };
    for (let i = 1; i <= plan.probes; i++) {
      // Not in step with the pace.
      await new Promise((resolve) => setTimeout(resolve, 20 + ((i * 53) % 150)));
      const arrived = new Promise<void>((resolve) => {
        seen = (n) => n >= i && resolve();
      });
      const startMs = performance.now();
      await wire.post("/api/v1/events", "application/json", Buffer.from(JSON.stringify(event)));
      await arrived;
      times.push(performance.now() - startMs);
    }
    const rate = await streaming.stop();
    socket.terminate();
    wire.close();
    times.sort((a, b) => a - b);
    const name = `from a POST to its early result at a pace of 100 ms, ${scaled(rate)} events/s, 11 rules`;
    return [
      [`${name}: median`, `${percentile(times, 0.5).toFixed(0)} ms`, ""],
      [
        `${name}: 99th percentile`,
        `${percentile(times, 0.99).toFixed(0)} ms`,
        "< 150 ms, aim 110 ms",
      ],
    ];
  } finally {
    await server.stop();
  }
}

/** Reads and rules after a kill. */
async function restart(plan: Plan): Promise<string[][]> {
  const server = await startMillrace();
  const data = server.data ?? "";
  await addRules(server, 10);
  const seconds = await fill(server.port, plan.storedRows, 6);
  const before = await scalar(server, "SELECT sum(events) + sum(too_late) FROM rule_0");
  await server.kill();
  const startMs = performance.now();
  const again = await startMillrace([], data, "reads");
  const readyMs = performance.now() - startMs;
  const after = await scalar(again, "SELECT sum(events) + sum(too_late) FROM rule_0");
  const rulesMs = performance.now() - startMs;
  await checkTotals(again, 10);
  await again.stop();
  rmSync(data, { recursive: true, force: true });
  if (after !== before)
    throw new Error(`rule_0 counts ${before} events before the kill, ${after} after it`);
  const size = `${scaled(plan.storedRows)} events in ${seconds.toFixed(1)} s, 10 rules`;
  return [
    [`${size}: first answer after a kill`, `${(readyMs / 1000).toFixed(2)} s`, "< 2 s, aim 1 s"],
    [
      `${size}: first answer of a rule, all rows taken`,
      `${(rulesMs / 1000).toFixed(2)} s`,
      "< 2 s, aim 1 s",
    ],
  ];
}

const sharers = 50;
/** Near enough to each other that about as many events pass each. */
const bound = (i: number): number => 500 + i / 10;

/** The i-th rule of those with a filter on the same field. */
function sharer(i: number, isSame: boolean): RuleBody {
  return {
    event_filter: `source != 'api' AND properties.duration_ms > ${bound(isSame ? 0 : i)}`,
    window: { type: "tumbling", size: "1m" },
    aggregations: [{ fn: "count", as: "n" }],
    allowed_lateness: "1m",
  };
}

/** Rules with one filter against as many with filters of their own: what the stream thread spends on each row. */
function shared(plan: Plan): string[][] {
  // Compiled, the core module is two folders further away than it thinks.
  process.env.MILLRACE_WASM ??= join(projectRoot, "build/core.wasm");
  const rig = new StreamRig(plan.rigEvents, plan.rigRepeats);
  const list = (count: number, isSame: boolean): RuleBody[] =>
    Array.from({ length: count }, (_, i) => sharer(i, isSame));
  const passes = (i: number): number =>
    plan.rigRepeats *
    rig.events.filter(({ source, properties }) => {
      return source !== "api" && properties.duration_ms > bound(i);
    }).length;
  const check = (taken: Taken, isSame: boolean): void => {
    for (let i = 0; i < sharers; i++) {
      const [got, want] = [taken.rowsOf(i), passes(isSame ? 0 : i)];
      if (got !== want) throw new Error(`rule ${i} counts ${got} events, want ${want}`);
    }
  };
  check(rig.take(list(sharers, true)), true);
  check(rig.take(list(sharers, false)), false);
  const times: Record<"one" | "same" | "other", number[]> = { one: [], same: [], other: [] };
  for (let round = 0; round < plan.rounds; round++) {
    times.one.push(rig.take(list(1, true)).nsPerRow);
    times.same.push(rig.take(list(sharers, true)).nsPerRow);
    times.other.push(rig.take(list(sharers, false)).nsPerRow);
  }
  const more = (own: number[]): number =>
    median(own.map((ns, i) => (ns - (times.one[i] as number)) / (sharers - 1)));
  const [same, other] = [more(times.same), more(times.other)];
  const ratio = median(times.same.map((ns, i) => ns / (times.other[i] as number)));
  const ns = (value: number): string => `${value.toFixed(2)} ns a row`;
  return [
    [
      `one more rule, of ${sharers} that filter on the same fields: with the same filter`,
      `${ns(same)}, ${ratio.toFixed(2)}×`,
      "shared work is done once",
    ],
    [`the same with filters of their own`, `${ns(other)}, 1.00×`, ""],
  ];
}

const parts = { ingest, read: readDay, latency, restart, shared };

async function main(flags: readonly string[]): Promise<void> {
  const value = (name: string): string | undefined =>
    flags.find((flag) => flag.startsWith(`--${name}=`))?.slice(name.length + 3);
  const plan: Plan = flags.includes("--smoke")
    ? {
        counts: [0, 2],
        rounds: 1,
        seconds: 2,
        requestsMax: 20,
        reads: 5,
        probes: 3,
        perSecond: 5000,
        storedRows: 20_000,
        rigEvents: 2000,
        rigRepeats: 2,
      }
    : {
        counts: (value("rules") ?? "0,10,100").split(",").map(Number),
        rounds: Number(value("rounds") ?? 3),
        seconds: Number(value("seconds") ?? 5),
        reads: 2000,
        probes: 200,
        perSecond: 100_000,
        storedRows: Number(value("events") ?? 10_000_000),
        rigEvents: 20_000,
        rigRepeats: 20,
      };
  console.log(`${machine()}\n`);
  const only = value("only")?.split(",");
  const rows: string[][] = [];
  for (const [name, run] of Object.entries(parts)) {
    if (only && !only.includes(name)) continue;
    const found = await run(plan);
    rows.push(...found);
    for (const [what, figure, goal] of found) console.log(`${what}: ${figure} (${goal})`);
  }
  console.log(`\n${table(["what", "figure", "goal"], rows)}`);
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));

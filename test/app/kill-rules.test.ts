import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { allEvents, get, post, postBatch, type StoredEvent, sql } from "../support/api.ts";
import { mulberry32 } from "../support/random.ts";
import { dataFolder, startServer, type TestServer, until } from "../support/server.ts";

// The built server is killed at random moments while events stream into rules. The windows are then those that the
// stored events make, each event in them once: what an uninterrupted run would have given.

const ROUNDS = Number(process.env.MILLRACE_RULE_KILL_ROUNDS ?? 5);
const SEED = Number(process.env.MILLRACE_RULE_KILL_SEED ?? 20261123);
const SOURCES = 3;
/** All of it is well behind the machine's clock, so that no timestamp is in the future. */
const BASE_MS = Date.parse("2026-01-05T00:00:00Z");
const SECOND = 1000;

interface WindowText {
  readonly start: string;
  readonly end: string;
  readonly group: Record<string, unknown>;
  readonly values: Record<string, unknown>;
  readonly count: number;
  readonly too_late: number;
  readonly final: boolean;
}

const rules = [
  {
    name: "by_source",
    window: { type: "tumbling", size: "10s" },
    aggregations: [
      { fn: "count", as: "n" },
      { fn: "sum", field: "properties.n", as: "total" },
      { fn: "max", field: "properties.n", as: "most" },
    ],
    group_by: ["source"],
    allowed_lateness: "30m",
  },
  {
    name: "odd_hops",
    event_filter: "properties.odd = true",
    window: { type: "hopping", size: "30s", slide: "10s" },
    aggregations: [{ fn: "sum", field: "properties.n", as: "total" }],
    allowed_lateness: "30m",
  },
];

function eventOf(n: number, random: () => number): object {
  // About 40 events a second of event time, up to 20 s out of order.
  const timestamp = BASE_MS + n * 25 - Math.floor(random() * 20 * SECOND);
  const id = `018f2f6e-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
  const properties = { n, odd: n % 2 === 1 };
  return { id, timestamp, event_type: "t", source: `source_${n % SOURCES}`, properties };
}

/** Sends body after body, some of them twice, until the server is gone. What had no answer is in `unanswered`. */
async function sendUntilGone(
  server: TestServer,
  make: () => object[],
  random: () => number,
  unanswered: object[][],
): Promise<void> {
  for (;;) {
    const body = make();
    try {
      for (const _ of random() < 0.2 ? [1, 2] : [1]) {
        const { status, text } = await postBatch(server.url, body);
        if (status !== 200) throw new Error(`unexpected answer ${status} ${text}`);
      }
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("unexpected")) throw error;
      unanswered.push(body);
      return;
    }
  }
}

async function windowsOf(url: string, rule: string): Promise<WindowText[]> {
  const path = `/api/v1/analytics/aggregations?rule=${rule}&limit=100000`;
  const answer = await get<{ windows: WindowText[]; more: boolean }>(url, path);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.more).toBe(false);
  return answer.body.windows;
}

/** Window start, source or "", count, sum and greatest of n: as text, sorted. */
function expected(events: readonly StoredEvent[], rule: "by_source" | "odd_hops"): string[] {
  const sums = new Map<string, { count: number; total: number; most: number }>();
  for (const { timestamp, source, properties } of events) {
    const { n, odd } = properties as { n: number; odd: boolean };
    if (rule === "odd_hops" && !odd) continue;
    const last = Math.floor(Date.parse(timestamp) / (10 * SECOND)) * 10 * SECOND;
    for (let hop = 0; hop < (rule === "odd_hops" ? 3 : 1); hop++) {
      const start = new Date(last - hop * 10 * SECOND).toISOString();
      const key = `${start} ${rule === "by_source" ? source : ""}`;
      const sum = sums.get(key) ?? { count: 0, total: 0, most: 0 };
      sum.count++;
      sum.total += n;
      sum.most = Math.max(sum.most, n);
      sums.set(key, sum);
    }
  }
  const lines = [...sums].map(([key, { count, total, most }]) =>
    rule === "by_source" ? `${key} ${count} ${total} ${most}` : `${key} ${count} ${total}`,
  );
  return lines.sort();
}

function shown(windows: readonly WindowText[]): string[] {
  const lines = windows.map(({ start, group, values, count }) => {
    const { total, most } = values;
    const at = new Date(start).toISOString();
    return `${at} ${group.source ?? ""} ${count} ${total}${most === undefined ? "" : ` ${most}`}`;
  });
  return lines.sort();
}

test(`${ROUNDS} kills while rules run: windows are those of the stored events, seed ${SEED}`, {
  timeout: 60_000 + ROUNDS * 10_000,
}, async () => {
  const data = dataFolder();
  const random = mulberry32(SEED);
  const flags = ["--idle-timeout", "1h", "--checkpoint-interval", "100ms"];
  let n = 0;
  const make = () =>
    Array.from({ length: 1 + Math.floor(random() * 200) }, () => eventOf(n++, random));
  let unanswered: object[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startServer(data, ...flags);
    for (const rule of round === 0 ? rules : []) {
      const answer = await post(server.url, "/api/v1/aggregations", JSON.stringify(rule));
      expect(answer.status, answer.text).toBe(201);
    }
    for (const body of unanswered) expect((await postBatch(server.url, body)).status).toBe(200);
    unanswered = [];
    const senders = Array.from({ length: 4 }, () =>
      sendUntilGone(server, make, random, unanswered),
    );
    await delay(200 + random() * 800);
    await server.kill();
    await Promise.all(senders);
  }
  const server = await startServer(data, ...flags);
  for (const body of unanswered) await postBatch(server.url, body);
  const events = await allEvents(server.url);
  expect(events.length).toBeGreaterThan(ROUNDS * 100);
  for (const rule of ["by_source", "odd_hops"] as const) {
    const want = expected(events, rule);
    await until(`windows of ${rule}`, async () => {
      const windows = await windowsOf(server.url, rule);
      return windows.reduce((sum, { count }) => sum + count, 0) === sumOf(want);
    });
    const windows = await windowsOf(server.url, rule);
    expect(shown(windows)).toEqual(want);
    expect(windows.every(({ too_late }) => too_late === 0)).toBe(true);
  }
  // An hour later in event time all of them are final, and still the same.
  const later = Array.from({ length: SOURCES }, (_, i) => ({
    timestamp: BASE_MS + n * 25 + 3_600_000,
    event_type: "end",
    source: `source_${i}`,
    properties: { n: 0, odd: false },
  }));
  expect((await postBatch(server.url, later)).status).toBe(200);
  for (const rule of ["by_source", "odd_hops"] as const) {
    const want = expected(events, rule);
    const final = await until(`final windows of ${rule}`, async () => {
      const all = await windowsOf(server.url, rule);
      const done = all.filter((window) => window.final);
      return done.length === want.length && done;
    });
    expect(shown(final)).toEqual(want);
  }
  expect((await sql(server.url, "SELECT count(*) FROM events")).rows).toEqual([
    [events.length + SOURCES],
  ]);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

/** Of the counts in the lines. */
function sumOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[2]), 0);
}

import { expect, test } from "vitest";
import { get, post, postBatch, sql } from "../support/api.ts";
import { mulberry32 } from "../support/random.ts";
import { dataFolder, startServer, type TestServer, until } from "../support/server.ts";

// Rules of the built server that are made late: they read stored segments while these are merged, while events keep
// coming, and over a kill. And rules whose events are dropped by retention once they are in their windows.

const SEED = 20261124;
const START_MS = Date.parse("2026-03-01T00:00:00Z");
/** About 850 bytes of text that no encoding makes small: 16 MiB of it are sealed. */
const pool = Buffer.from(
  Uint32Array.from(
    { length: 65_536 },
    (
      (random) => () =>
        random() * 2 ** 32
    )(mulberry32(SEED)),
  ).buffer,
).toString("base64");

interface Rule {
  readonly backfill: unknown;
  readonly complete: boolean;
  readonly from_sequence: string;
}

function eventOf(n: number, text: boolean): object {
  const at = (n * 7919) % (pool.length - 900);
  return {
    timestamp: START_MS + n * 5 - ((n * 31) % 4000),
    event_type: "t",
    source: `s${n % 5}`,
    properties: { n, ...(text && { text: pool.slice(at, at + 850) }) },
  };
}

class Sender {
  sent = 0;
  readonly #text: boolean;

  constructor(text: boolean) {
    this.#text = text;
  }

  /** False: the server is gone. */
  async send(server: TestServer): Promise<boolean> {
    const events = Array.from({ length: 2000 }, (_, i) => eventOf(this.sent + i, this.#text));
    const key = { "idempotency-key": `batch-${this.sent}` };
    try {
      const { status, text } = await postBatch(server.url, events, key);
      if (status === 429) return true;
      expect(status, text).toBe(200);
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
    this.sent += 2000;
    return true;
  }
}

const ruleOf = (name: string, backfill: boolean) => ({
  name,
  window: { type: "tumbling", size: "1s" },
  tiers: [{ size: "1m" }],
  aggregations: [
    { fn: "count", as: "n" },
    { fn: "sum", field: "properties.n", as: "total" },
  ],
  group_by: ["source"],
  allowed_lateness: "1s",
  backfill,
});

async function make(server: TestServer, rule: object): Promise<void> {
  const { status, text } = await post(server.url, "/api/v1/aggregations", JSON.stringify(rule));
  expect(status, text).toBe(201);
}

async function ruleNow(server: TestServer, name: string): Promise<Rule> {
  return (await get<Rule>(server.url, `/api/v1/aggregations/${name}`)).body;
}

async function windowsOf(server: TestServer, rule: string, more = ""): Promise<string> {
  const path = `/api/v1/analytics/aggregations?rule=${rule}&limit=100000${more}`;
  const { status, text } = await get(server.url, path);
  expect(status, text).toBe(200);
  return text;
}

test("a backfill of stored segments, under load and over a kill, is a rule that was there from the start", {
  timeout: 90_000,
}, async () => {
  const data = dataFolder();
  // Small memory: what is older than some segments is only on disk.
  const flags = ["--hot-memory", "96MiB", "--checkpoint-interval", "50ms", "--idle-timeout", "1h"];
  const sender = new Sender(true);
  let server = await startServer(data, ...flags);
  await make(server, ruleOf("first", false));
  while (sender.sent < 60_000) expect(await sender.send(server)).toBe(true);
  await make(server, ruleOf("late", true));
  for (let i = 0; i < 3; i++) await sender.send(server);
  await server.kill();
  server = await startServer(data, ...flags);
  for (let i = 0; i < 3; i++) expect(await sender.send(server)).toBe(true);
  await until("the end of the backfill", async () => {
    return (await ruleNow(server, "late")).backfill === null;
  });
  expect(await ruleNow(server, "late")).toMatchObject({ complete: true, from_sequence: "1" });
  for (const more of ["", "&window=1m", "&order=desc"]) {
    expect(await windowsOf(server, "late", more)).toBe(await windowsOf(server, "first", more));
  }
  const { rows } = await sql(server.url, "SELECT sum(n) + sum(too_late) FROM late");
  const { rows: stored } = await sql(server.url, "SELECT count(*) FROM events");
  expect(rows).toEqual(stored);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

test("events that retention drops are in the windows of rules; who comes later says where it begins", {
  timeout: 90_000,
}, async () => {
  const data = dataFolder();
  const flags = ["--hot-memory", "96MiB", "--checkpoint-interval", "50ms", "--idle-timeout", "1h"];
  const sender = new Sender(true);
  const bound = ["--retention-bytes", "16MiB"];
  const server = await startServer(data, ...flags, ...bound);
  await make(server, ruleOf("first", false));
  const stored = async (): Promise<number> => {
    return Number((await sql(server.url, "SELECT count(*) FROM events")).rows[0]?.[0]);
  };
  await until("events to be dropped", async () => {
    for (let i = 0; i < 10; i++) expect(await sender.send(server)).toBe(true);
    return (await stored()) < sender.sent;
  });
  const counted = async (rule: string): Promise<number> => {
    const { rows } = await sql(server.url, `SELECT sum(n) + sum(too_late) FROM ${rule}`);
    return Number(rows[0]?.[0]);
  };
  expect(await counted("first")).toBe(sender.sent);
  expect((await ruleNow(server, "first")).complete).toBe(true);
  const range = JSON.stringify({ from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z" });
  const path = "/api/v1/aggregations/first/recompute";
  const { body } = await post<{ kept: number }>(server.url, path, range);
  // Of the windows that were cut by what was dropped none is the worse for it.
  expect(body.kept).toBeGreaterThan(0);
  expect(await counted("first")).toBe(sender.sent);
  await make(server, ruleOf("late", true));
  await until("the end of the backfill", async () => {
    return (await ruleNow(server, "late")).backfill === null;
  });
  const kept = await stored();
  expect(await counted("late")).toBe(kept);
  const { from_sequence } = await ruleNow(server, "late");
  expect(Number(from_sequence)).toBe(sender.sent - kept + 1);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

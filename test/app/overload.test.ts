import { expect, test } from "vitest";
import { allEvents, get, type Problem, postBatch, sql } from "../support/api.ts";
import { dataFolder, startServer, type TestServer, until } from "../support/server.ts";
import { openSocket } from "../support/socket.ts";

// More than the engine can take, and bodies that are hard on it: what is refused is refused in words, what is
// acknowledged is there, and the memory stays where it is.

const MIB = 1024 * 1024;
// The cache: a page of events needs all columns of its segments at once, here 67 MB on each query worker.
const SMALL = ["--hot-memory", "16MiB", "--dedup-ids", "4096", "--query-cache", "512MiB"];

async function count(url: string, where = ""): Promise<number> {
  return Number((await sql(url, `SELECT count(*) FROM events ${where}`)).rows[0]?.[0]);
}

interface WideEvent {
  readonly event_type: string;
  readonly properties: Record<string, number>;
}

/** Events of `columns` properties each, under names of their own. */
function wideEvents(body: number, rows: number, columns: number): WideEvent[] {
  const names = Array.from({ length: columns }, (_, i) => `key_${body}_${i}`);
  return Array.from({ length: rows }, (_, row) => ({
    event_type: `wide_${body}`,
    properties: Object.fromEntries(names.map((name, i) => [name, row * i])),
  }));
}

/** Sends until it is taken. Returns how often it was refused before. */
async function sendPatiently(server: TestServer, events: readonly object[], key: string) {
  for (let refused = 0; ; refused++) {
    const answer = await postBatch(server.url, events, { "idempotency-key": key });
    if (answer.status === 200) {
      expect(answer.body.accepted).toBe(events.length);
      return refused;
    }
    expect([429, 503], answer.text).toContain(answer.status);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect((answer.body as unknown as Problem).code).toMatch(/queue_full|too_many/);
    await until(
      "a little time",
      async () => (await get(server.url, "/api/v1/health")).status === 200,
    );
  }
}

test("an engine that is behind refuses with Retry-After, and loses nothing that it took", async () => {
  const data = dataFolder();
  const flags = [...SMALL, "--ingest-queue", "1MiB", "--body-max", "512KiB"];
  const server = await startServer(data, ...flags);
  // Each body opens columns of its own: few rows fill a slot, and every slot waits for the sealer.
  const bodies = Array.from({ length: 24 }, (_, body) => wideEvents(body, 12, 1000));
  const before = server.anonymousBytes();
  const refused = await Promise.all(
    bodies.map((events, body) => sendPatiently(server, events, `wide-${body}`)),
  );
  expect(Math.max(...refused)).toBeGreaterThan(0);
  expect(server.anonymousBytes() - before).toBeLessThan(600 * MIB);
  expect(await count(server.url)).toBe(24 * 12);
  const { text } = await get(server.url, "/api/v1/metrics");
  expect(text).toMatch(/queue_full\S* [1-9]/);
  await server.kill();
  const again = await startServer(data, ...flags);
  expect(await count(again.url)).toBe(24 * 12);
  for (const body of [0, 11, 23]) {
    // Columns beyond the limit of a group lie in its overflow column: the events are whole all the same.
    const stored = await allEvents(again.url, { event_type: `wide_${body}`, order: "asc" });
    expect(stored.map(({ properties }) => properties)).toEqual(
      bodies[body]?.map(({ properties }) => properties),
    );
  }
}, 60_000);

test("bodies that are refused leave room for those after them", async () => {
  const server = await startServer(dataFolder(), ...SMALL);
  const tooMany = `[${'{"event_type":"t"},'.repeat(131_072)}{"event_type":"t"}]`;
  const cutOff = `[${'{"event_type":"t","properties":{"n":1}},'.repeat(100_000)}`;
  for (let i = 0; i < 12; i++) {
    for (const [body, status] of [
      [tooMany, 413],
      [cutOff, 400],
    ] as const) {
      const answer = await fetch(`${server.url}/api/v1/events/batch`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await answer.arrayBuffer();
      expect(answer.status).toBe(status);
    }
  }
  const columns = Array.from({ length: 20_000 }, (_, i) => ({
    event_type: "kept",
    properties: { [`column_${i % 1500}`]: i },
  }));
  expect((await postBatch(server.url, columns)).body.accepted).toBe(20_000);
  expect(await count(server.url)).toBe(20_000);
}, 60_000);

test("wide, large and drifting events are stored, sealed and there again after a kill", async () => {
  const data = dataFolder();
  const server = await startServer(data, ...SMALL);
  let stored = 0;
  const send = async (events: readonly unknown[], accepted = events.length) => {
    const { status, text, body } = await postBatch(server.url, events);
    expect(status, text.slice(0, 500)).toBe(200);
    expect(body.accepted).toBe(accepted);
    stored += accepted;
  };
  const large = `${"é".repeat(131_000)}!`;
  await send(
    [
      ...wideEvents(1, 1, 2000),
      ...wideEvents(2, 1, 3000),
      { event_type: "large", properties: { text: large } },
      { event_type: "large", properties: { text: "x".repeat(MIB) } },
      {
        event_type: "large",
        properties: { list: Array.from({ length: 90_000 }, (_, i) => i * 7) },
      },
    ],
    3,
  );
  const drifting = [1, "a", true, null, [1], 1.5, {}, { deep: 1 }];
  await send(
    Array.from({ length: 100_000 }, (_, i) => ({
      event_type: "drift",
      properties: { value: drifting[i % drifting.length], n: i },
    })),
  );
  // About 31 MiB in one body, between many small ones.
  const texts = Array.from({ length: 155 }, (_, i) => ({
    event_type: "text",
    properties: { n: i, text: `${i} ${"lorem ipsum ".repeat(17_000)}` },
  }));
  const small = Array.from({ length: 60 }, (_, i) =>
    send([{ event_type: "small", properties: { n: i } }]),
  );
  await Promise.all([send(texts), ...small]);
  await send(
    Array.from({ length: 131_072 }, (_, i) => ({ event_type: "row", properties: { n: i } })),
  );
  await until("a sealed segment", async () => {
    const { body } = await get<{ segments: number }>(server.url, "/api/v1/health");
    return body.segments >= 1;
  });
  const question =
    "SELECT event_type, count(*) AS n, sum(properties.n) AS total, min(timestamp) FROM events" +
    " GROUP BY event_type ORDER BY event_type";
  const before = (await sql(server.url, question)).rows;
  const drift = await get(
    server.url,
    "/api/v1/analytics/events?event_type=drift&limit=16&order=asc",
  );
  await server.kill();
  const again = await startServer(data, ...SMALL);
  expect((await sql(again.url, question)).rows).toEqual(before);
  expect(before.map(([type, n]) => [type, n])).toEqual([
    ["drift", 100_000],
    ["large", 2],
    ["row", 131_072],
    ["small", 60],
    ["text", 155],
    ["wide_1", 1],
  ]);
  expect(await count(again.url)).toBe(stored);
  type Page = { events: { properties: Record<string, unknown> }[]; next_cursor: string | null };
  const page = (search: string) => get<Page>(again.url, `/api/v1/analytics/events?${search}`);
  expect((await page("event_type=drift&limit=16&order=asc")).body.events).toEqual(
    (drift.body as Page).events,
  );
  expect(
    (await page("event_type=large")).body.events.map((event) => event.properties.text),
  ).toContain(large);
  // A page ends when it has enough text, and says where the next one begins.
  const answer = await page("event_type=text&limit=1000");
  expect(answer.status, JSON.stringify(answer.body).slice(0, 500)).toBe(200);
  const first = answer.body;
  expect(first.events.length).toBeLessThan(155);
  const cursor = encodeURIComponent(String(first.next_cursor));
  const rest = (await page(`event_type=text&limit=1000&cursor=${cursor}`)).body;
  expect(first.events.length + rest.events.length).toBe(155);
}, 60_000);

test("a WebSocket that sends faster than the engine gets one receipt a frame, and nothing grows", async () => {
  const server = await startServer(
    dataFolder(),
    ...SMALL,
    "--ingest-queue",
    "1MiB",
    "--body-max",
    "512KiB",
  );
  const socket = await openSocket(server.url, "/api/v1/events");
  const before = server.anonymousBytes();
  const frames = 600;
  const padding = "x".repeat(150);
  for (let frame = 0; frame < frames; frame++) {
    const rows = Array.from({ length: 500 }, (_, i) => ({
      event_type: `f${frame}`,
      properties: { n: frame * 500 + i, padding },
    }));
    socket.send(JSON.stringify(rows));
  }
  await until("a receipt for every frame", () => socket.messages.length === frames);
  expect(server.anonymousBytes() - before).toBeLessThan(300 * MIB);
  let accepted = 0;
  for (const [frame, message] of socket.messages.entries()) {
    const { accepted: rows, error } = message as { accepted?: number; error?: Problem };
    if (error) expect(error.status, error.detail).toBe(429);
    else expect(rows).toBe(500);
    accepted += rows ?? 0;
    // Receipts come in the order of the frames: what is stored under a frame's name is what its receipt says.
    if (frame % 60 === 0) {
      expect(await count(server.url, `WHERE event_type = 'f${frame}'`)).toBe(rows ?? 0);
    }
  }
  expect(accepted).toBeGreaterThan(0);
  expect(await count(server.url)).toBe(accepted);
}, 60_000);

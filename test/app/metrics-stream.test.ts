import { describe, expect, test } from "vitest";
import { postBatch } from "../support/api.ts";
import { dataFolder, sharedServer, startServer, until } from "../support/server.ts";
import { type Message, openSocket, type TestSocket } from "../support/socket.ts";

// What `WS /stream/metrics` promises, asked of the built server.

const server = sharedServer();
const path = "/api/v1/stream/metrics";

let names = 0;
const freshName = (): string => `live_rule_${names++}`;

interface Window {
  readonly start: string;
  readonly group: Record<string, unknown>;
  readonly values: Record<string, unknown>;
  readonly state: string;
}

async function makeRule(url: string, name: string, more: object = {}): Promise<void> {
  const rule = {
    name,
    event_filter: `event_type = '${name}'`,
    window: { type: "tumbling", size: "1m" },
    aggregations: [{ fn: "count", as: "n" }],
    group_by: ["source"],
    allowed_lateness: "0s",
    ...more,
  };
  const response = await fetch(`${url}/api/v1/aggregations`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(rule),
  });
  expect([response.status, await response.text()]).toMatchObject([201, expect.any(String)]);
}

const at = (event_type: string, source: string, timestamp: string): object => ({
  event_type,
  source,
  timestamp,
});

function windows(socket: TestSocket, id = "m1"): Window[] {
  return socket.messages.flatMap((message: Message) =>
    message.type === "metrics" && message.id === id ? (message.windows as Window[]) : [],
  );
}

async function window(socket: TestSocket, want: Partial<Window>, id = "m1"): Promise<Window> {
  const found = () => windows(socket, id).findLast((one) => matches(one, want));
  return until(`a window ${JSON.stringify(want)}`, found);
}

function matches(window: Window, want: Partial<Window>): boolean {
  return Object.entries(want).every(
    ([name, value]) => JSON.stringify(window[name as keyof Window]) === JSON.stringify(value),
  );
}

const noon = "2026-11-23T12:00:00.000Z";

describe("WS /stream/metrics", () => {
  test("has a rule's windows as they are, as they change, and when they are final", async () => {
    const name = freshName();
    await makeRule(server.url, name);
    await postBatch(server.url, [at(name, "web", "2026-11-23T12:00:10Z")]);
    const socket = await openSocket(server.url, path);
    socket.send({ type: "subscribe", id: "m1", rule: name, pace: "50ms" });
    const group = { source: "web" };
    await window(socket, { start: noon, group, values: { n: 1 }, state: "early" });
    await postBatch(server.url, [at(name, "web", "2026-11-23T12:00:20Z")]);
    await window(socket, { start: noon, group, values: { n: 2 }, state: "early" });
    await postBatch(server.url, [at(name, "web", "2026-11-23T12:01:20Z")]);
    // The next record is judged by it.
    await postBatch(server.url, [at(name, "web", "2026-11-23T12:01:21Z")]);
    await window(socket, { start: noon, group, values: { n: 2 }, state: "final" });
    const states = windows(socket).filter(({ start }) => start === noon);
    expect(states.map(({ values }) => values.n)).toEqual([1, 2, 2]);
  });

  test("has the windows of a question, with what is stored of them already", async () => {
    const name = freshName();
    const start = new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString();
    await postBatch(server.url, [at(name, "web", start), at(name, "web", start)]);
    const socket = await openSocket(server.url, path);
    const sql = `SELECT time_bucket('1 minute', timestamp) AS minute, count(*) AS n FROM events
      WHERE event_type = '${name}' GROUP BY 1`;
    socket.send({ type: "subscribe", id: "m1", sql, pace: "50ms" });
    await window(socket, { start, group: {}, values: { n: 2 } });
    await postBatch(server.url, [at(name, "app", start)]);
    await window(socket, { start, group: {}, values: { n: 3 } });
  });

  test("has what was stored of a question long ago, asked right after it came", async () => {
    const { url } = await startServer(dataFolder());
    const start = "2024-05-01T10:00:00.000Z";
    const socket = await openSocket(url, path);
    await postBatch(url, [at("old", "web", start), at("old", "app", start)]);
    const sql =
      "SELECT time_bucket('1 minute', timestamp) AS t, count(*) AS n FROM events GROUP BY 1";
    socket.send({ type: "subscribe", id: "m1", sql, pace: "50ms" });
    await window(socket, { start, group: {}, values: { n: 2 } });
  });

  test("asks a question without windows again", async () => {
    const name = freshName();
    const socket = await openSocket(server.url, path);
    const query = { select: [{ fn: "count", as: "n" }], where: `event_type = '${name}'` };
    socket.send({ type: "subscribe", id: "m1", query, pace: "50ms" });
    await until("the first result", () => windows(socket).length === 1);
    await postBatch(server.url, [at(name, "web", noon)]);
    await until("the second result", () => windows(socket).length === 2);
    expect(windows(socket).map(({ values }) => values.n)).toEqual([0, 1]);
  });

  test("goes on where it was after a kill: no final window is missed", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    await makeRule(first.url, "counts", { event_filter: "source = 'web'" });
    await postBatch(first.url, [at("a", "web", "2026-11-23T12:00:10Z")]);
    const socket = await openSocket(first.url, path);
    socket.send({ type: "subscribe", id: "m1", rule: "counts", pace: "50ms" });
    await window(socket, { start: noon, values: { n: 1 } });
    const { cursor } = socket.messages.findLast(({ type }) => type === "metrics") as Message;
    socket.ws.terminate();
    await postBatch(first.url, [at("a", "web", "2026-11-23T12:01:30Z")]);
    await postBatch(first.url, [at("a", "web", "2026-11-23T12:02:30Z")]);
    first.process.kill("SIGKILL");
    await first.exited;
    const second = await startServer(data);
    const again = await openSocket(second.url, path);
    again.send({ type: "subscribe", id: "m1", rule: "counts", pace: "50ms", cursor });
    await postBatch(second.url, [at("a", "web", "2026-11-23T12:02:40Z")]);
    await window(again, { start: noon, values: { n: 1 }, state: "final" });
    await window(again, { start: "2026-11-23T12:01:00.000Z", values: { n: 1 }, state: "final" });
    await window(again, { start: "2026-11-23T12:02:00.000Z", values: { n: 2 } });
    expect(again.messages.map(({ type }) => type)).not.toContain("gap");
    expect(again.messages.filter(({ snapshot }) => snapshot)).toEqual([]);
  });
});

import { decode } from "@msgpack/msgpack";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { metricsCursorOf } from "../../src/live/metrics-cursor.ts";
import type { RuleRecord } from "../../src/stream/rule-record.ts";
import { eventually, type FrontServer, startFront } from "../support/front-server.ts";
import { countRecord, countRow, noonUs } from "../support/window-rows.ts";

interface Window {
  start: string;
  group: Record<string, unknown>;
  values: Record<string, unknown>;
  state: string;
  final: boolean;
}
type Message = Record<string, unknown> & { type: string; windows?: Window[]; cursor?: string };

const path = "/api/v1/stream/metrics";

/** A subscriber that keeps what it hears. */
class Listener {
  readonly ws: WebSocket;
  readonly messages: Message[] = [];

  constructor(server: FrontServer, protocol?: string) {
    this.ws = new WebSocket(server.url.replace("http", "ws") + path, protocol);
    this.ws.on("message", (frame: Buffer, isBinary: boolean) => {
      const message = isBinary ? decode(frame) : JSON.parse(frame.toString("utf8"));
      this.messages.push(message as Message);
    });
    this.ws.on("error", () => {});
  }

  async subscribe(more: object, id = "m1"): Promise<this> {
    await eventually(() => this.ws.readyState !== WebSocket.CONNECTING);
    this.ws.send(JSON.stringify({ type: "subscribe", id, pace: "50ms", ...more }));
    return this;
  }

  async heard(count: number): Promise<Message[]> {
    await eventually(() => this.messages.length >= count);
    return this.messages;
  }

  types(): string[] {
    return this.messages.map(({ type }) => type);
  }

  windows(): Window[] {
    return this.messages.flatMap(({ windows = [] }) => windows);
  }
}

const servers: FrontServer[] = [];
const listeners: Listener[] = [];

async function start(records: readonly RuleRecord[], ...flags: string[]): Promise<FrontServer> {
  const server = await startFront(flags);
  servers.push(server);
  await server.engine.streams.change(records, []);
  // Cursors of sequences that were never stored are refused.
  server.engine.publish(Array.from({ length: 1000 }, () => ({ event_type: "a" })));
  return server;
}

function listen(server: FrontServer, protocol?: string): Listener {
  const listener = new Listener(server, protocol);
  listeners.push(listener);
  return listener;
}

afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.ws.terminate();
  for (const server of servers.splice(0)) await server.stop(0);
});

const shown = {
  start: "2026-11-23T12:00:00.000Z",
  end: "2026-11-23T12:01:00.000Z",
  group: { source: "web" },
  values: { n: 1 },
  count: 1,
  late: 0,
  revised: 0,
  too_late: 0,
  duplicate: 0,
  revision: 0,
  state: "early",
  final: false,
};

describe("a subscription to a rule", () => {
  it("has a snapshot, then what changed, the newest state of each window", async () => {
    const server = await start([countRecord(1)]);
    const { streams } = server.engine;
    streams.snapshot = { rows: [countRow(0, "web", 1, 5)], asOf: 5n };
    const listener = await listen(server).subscribe({ rule: "counts" });
    await listener.heard(2);
    expect(listener.messages).toEqual([
      { type: "subscribed", id: "m1", rule: "counts@1" },
      { type: "metrics", id: "m1", snapshot: true, windows: [shown], cursor: expect.any(String) },
    ]);
    streams.update(1, { rows: [countRow(0, "web", 2, 6)], asOf: 6n });
    streams.update(1, { rows: [countRow(0, "web", 3, 7), countRow(0, "app", 1, 8)], asOf: 8n });
    await listener.heard(3);
    const [, , third] = listener.messages;
    expect(third?.snapshot).toBeUndefined();
    expect(third?.windows?.map(({ group, values }) => [group.source, values.n])).toEqual([
      ["web", 3],
      ["app", 1],
    ]);
    expect([...server.front.counters.metricSubscribers.counts]).toEqual([["counts", 1]]);
    listener.ws.close();
    await eventually(() => server.front.counters.metricsSockets === 0);
    expect(server.front.counters.metricSubscribers.counts.size).toBe(0);
  });

  it("with nothing to show begins with an empty snapshot", async () => {
    const server = await start([countRecord(1)]);
    const listener = await listen(server).subscribe({ rule: "counts" });
    await listener.heard(2);
    expect(listener.messages[1]).toMatchObject({ snapshot: true, windows: [] });
  });

  it("resumes where it stood, on this server and after another has started", async () => {
    const server = await start([countRecord(1)]);
    const { streams } = server.engine;
    streams.snapshot = { rows: [countRow(0, "web", 1, 5)], asOf: 5n };
    const first = await listen(server).subscribe({ rule: "counts" });
    await first.heard(2);
    const cursor = first.messages[1]?.cursor;
    first.ws.terminate();
    await eventually(() => server.front.counters.metricsSockets === 0);
    streams.update(1, { rows: [countRow(0, "app", 1, 6)], asOf: 6n });
    const second = await listen(server).subscribe({ rule: "counts", cursor });
    await second.heard(2);
    expect(second.windows().map(({ group }) => group.source)).toEqual(["app"]);
    // Nothing was read again for it.
    expect(streams.watches).toEqual([{ rule: 1, since: null }]);

    const other = await start([countRecord(1)]);
    other.engine.streams.snapshot = { rows: [countRow(0, "tv", 1, 7)], asOf: 7n };
    const third = await listen(other).subscribe({ rule: "counts", cursor });
    await third.heard(2);
    expect(third.windows().map(({ group }) => group.source)).toEqual(["tv"]);
    expect(other.engine.streams.watches).toEqual([
      { rule: 1, since: null },
      { rule: 1, since: 5n },
    ]);
    expect(third.messages[1]?.snapshot).toBeUndefined();
  });

  it("is told of a new version and goes on with it, of a pause, and of the end", async () => {
    const first = countRecord(1);
    const server = await start([first]);
    const { streams } = server.engine;
    const [plain, old] = [listen(server), listen(server)];
    await plain.subscribe({ rule: "counts" });
    await old.subscribe({ rule: "counts@1" });
    await Promise.all([plain.heard(2), old.heard(2)]);
    await streams.change([{ ...first, state: "replaced" }, countRecord(2, { version: 2 })], []);
    await plain.heard(4);
    expect(plain.types().slice(2)).toEqual(["version", "metrics"]);
    expect(plain.messages[2]).toEqual({ type: "version", id: "m1", rule: "counts@2" });
    expect(plain.messages[3]?.snapshot).toBe(true);
    streams.update(2, { rows: [countRow(0, "web", 1, 9)], asOf: 9n });
    await plain.heard(5);
    await streams.change([countRecord(2, { version: 2, paused: true })], []);
    await plain.heard(6);
    await streams.change([], [1, 2]);
    await plain.heard(7);
    expect(plain.messages.slice(5)).toEqual([
      { type: "paused", id: "m1" },
      { type: "ended", id: "m1", reason: "deleted" },
    ]);
    expect(old.types()).toEqual(["subscribed", "metrics", "ended"]);
    expect(server.front.counters.metricSubscribers.counts.size).toBe(0);
  });

  it("with the cursor of another version is told that it can't go on", async () => {
    const first = countRecord(1);
    const server = await start([first]);
    const listener = await listen(server).subscribe({ rule: "counts" });
    await listener.heard(2);
    const { cursor } = listener.messages[1] as Message;
    const { streams } = server.engine;
    await streams.change([{ ...first, state: "replaced" }, countRecord(2, { version: 2 })], []);
    const again = await listen(server).subscribe({ rule: "counts", cursor });
    await again.heard(3);
    expect(again.messages[1]).toEqual({ type: "gap", id: "m1", reason: "other_version" });
    expect(again.messages[2]?.snapshot).toBe(true);
  });

  it("with a cursor after which windows were dropped is told so, and begins anew", async () => {
    const server = await start([countRecord(1)]);
    const { streams } = server.engine;
    streams.snapshot = { rows: [countRow(9, "web", 1, 5)], asOf: 5n };
    const cursor = metricsCursorOf({ rule: 1, run: "0", order: 0, asOf: 3n, finalUs: noonUs });
    // The window ended at noon and became final by time alone: it is known to who has this cursor.
    streams.lost = { finalAt: 4n, endUs: noonUs };
    const knowing = await listen(server).subscribe({ rule: "counts", cursor });
    await knowing.heard(2);
    expect(knowing.types()).toEqual(["subscribed", "metrics"]);
    expect(knowing.messages[1]?.snapshot).toBeUndefined();
    streams.lost = { finalAt: 4n, endUs: noonUs + 1n };
    const lacking = await listen(server).subscribe({ rule: "counts", cursor });
    await lacking.heard(3);
    expect(lacking.messages[1]).toEqual({ type: "gap", id: "m1", reason: "expired" });
    expect(lacking.messages[2]).toMatchObject({ snapshot: true, windows: [{ values: { n: 1 } }] });
  });

  it("has the groups, the states and as many of each window as it asked for", async () => {
    const server = await start([countRecord(1)]);
    const { streams } = server.engine;
    const names = ["web", "app", "tv"];
    streams.snapshot = { rows: names.map((name) => countRow(0, name, 1, 5)), asOf: 5n };
    const listener = listen(server);
    await listener.subscribe({ rule: "counts", group: { source: "app" } }, "group");
    await listener.subscribe({ rule: "counts", groups: 2 }, "few");
    await listener.subscribe({ rule: "counts", states: ["final"] }, "final");
    await listener.heard(6);
    const of = (id: string) =>
      listener.messages.filter((one) => one.type === "metrics" && one.id === id);
    const sources = (id: string) =>
      of(id).flatMap(({ windows = [] }) => windows.map(({ group }) => group.source));
    expect([sources("group"), sources("few"), sources("final")]).toEqual([
      ["app"],
      ["web", "app"],
      [],
    ]);
    expect(of("few")[0]?.groups_left_off).toBe(1);
    const rows = [countRow(0, "tv", 2, 7, { state: "final" }), countRow(0, "app", 3, 6)];
    streams.update(1, { rows, asOf: 7n });
    await listener.heard(9);
    expect([sources("group"), sources("few"), sources("final")]).toEqual([
      ["app", "app"],
      ["web", "app", "app"],
      ["tv"],
    ]);
  });

  it("speaks MessagePack under its subprotocol", async () => {
    const server = await start([countRecord(1)]);
    const { streams } = server.engine;
    const rows = Array.from({ length: 20 }, (_, i) => countRow(0, `s${i}`, 1, 5));
    streams.snapshot = { rows: [countRow(0, "web", 1, 5), ...rows], asOf: 5n };
    const listener = await listen(server, "millrace.msgpack.v1").subscribe({
      rule: "counts",
      groups: 15,
    });
    await listener.heard(2);
    const [, message] = listener.messages;
    expect(message).toMatchObject({ type: "metrics", id: "m1", snapshot: true });
    expect(message?.groups_left_off).toBe(6);
    expect(message?.windows).toHaveLength(15);
    expect(message?.windows?.[0]).toEqual(shown);
  });

  it.each([
    [{ type: "shout", id: "m1" }, "invalid_message"],
    [{ type: "subscribe", id: "m1" }, "invalid_message"],
    [{ type: "subscribe", id: "m1", rule: "counts", sql: "SELECT 1" }, "invalid_message"],
    [{ type: "subscribe", id: "m1", rule: "count" }, "rule_not_found"],
    [{ type: "subscribe", id: "m1", rule: "counts@7" }, "rule_not_found"],
    [{ type: "subscribe", id: "m1", rule: "counts", pace: "1ms" }, "invalid_message"],
    [{ type: "subscribe", id: "m1", rule: "counts", cursor: "x" }, "invalid_cursor"],
    [{ type: "subscribe", id: "m1", rule: "counts", group: { src: "web" } }, "unknown_group"],
    [{ type: "subscribe", id: "m1", sql: "SELECT id FROM events" }, "invalid_query"],
    [{ type: "unsubscribe", id: "m1" }, "no_such_subscription"],
  ])("%j is answered with an error, and the socket goes on", async (message, code) => {
    const server = await start([countRecord(1)]);
    const listener = listen(server);
    await eventually(() => listener.ws.readyState === WebSocket.OPEN);
    listener.ws.send(JSON.stringify(message));
    await listener.heard(1);
    expect(listener.messages[0]).toMatchObject({ type: "error", id: "m1", error: { code } });
    await listener.subscribe({ rule: "counts" });
    await listener.heard(3);
    expect(listener.types()).toEqual(["error", "subscribed", "metrics"]);
    listener.ws.send('{"type":"unsubscribe","id":"m1"}');
    await listener.heard(4);
    expect(listener.messages[3]).toEqual({ type: "unsubscribed", id: "m1" });
    expect(server.front.counters.metricSubscribers.counts.size).toBe(0);
  });
});

describe("a slow subscriber", () => {
  it("is sent the newest states when it reads again, is told, and costs no more than its buffer", async () => {
    const server = await start([countRecord(1)], "--subscriber-buffer", "64KiB");
    const { streams } = server.engine;
    const { counters } = server.front;
    const listener = await listen(server).subscribe({ rule: "counts" });
    const quick = await listen(server).subscribe({ rule: "counts" });
    await Promise.all([listener.heard(2), quick.heard(2)]);
    listener.ws.pause();
    const wide = "x".repeat(3000);
    let at = 10;
    let skipped = 0;
    // More than the buffers of both kernels take; that a quick one has heard it is how a tick is seen.
    for (let round = 0; skipped < 3; round++) {
      const [sent, heard] = [counters.frames.out, quick.messages.length];
      const rows = Array.from({ length: 100 }, (_, i) => countRow(0, `${wide}${i}`, round, ++at));
      streams.update(1, { rows, asOf: BigInt(at) });
      await quick.heard(heard + 1);
      skipped = counters.frames.out - sent === 1 ? skipped + 1 : 0;
    }
    for (let i = 0; i < 3; i++) {
      const heard = quick.messages.length;
      const rows = [countRow(1, "last", i, ++at, { state: i === 2 ? "final" : "early" })];
      streams.update(1, { rows, asOf: BigInt(at) });
      await quick.heard(heard + 1);
    }
    listener.ws.resume();
    await eventually(() => listener.types().includes("coalesced"));
    await eventually(() => listener.windows().at(-1)?.final === true);
    const coalesced = listener.messages.find(({ type }) => type === "coalesced");
    expect(coalesced).toMatchObject({ id: "m1" });
    expect(coalesced?.updates).toBeGreaterThanOrEqual(3);
    const last = listener.windows().filter(({ group }) => group.source === "last");
    expect(last.map(({ values }) => values.n)).toEqual([2]);
    expect(counters.metricsCoalesced).toBe(coalesced?.updates);
  });
});

describe("a subscription to a question", () => {
  const sql = "SELECT time_bucket('1 minute', timestamp), count(*) AS n FROM events GROUP BY 1";

  it("is a rule that those who ask the same share, and that goes with the last", async () => {
    const server = await start([]);
    const { streams } = server.engine;
    const [first, second] = [listen(server), listen(server)];
    await first.subscribe({ sql });
    await first.heard(2);
    await second.subscribe({ sql: sql.replace("FROM", "from") });
    await second.heard(2);
    expect(streams.watches).toEqual([{ rule: 1, since: null }]);
    expect([...server.front.counters.metricSubscribers.counts]).toEqual([["question", 2]]);
    const row = { ...countRow(0, "", 4, 1001), group: [] };
    // What began before the rule was made would lack events.
    const now = BigInt(Date.parse("2999-01-01T00:00:00Z")) * 1000n;
    const later = { ...row, startUs: now, endUs: now + 60_000_000n };
    streams.update(1, { rows: [later], asOf: 1001n });
    await Promise.all([first.heard(3), second.heard(3)]);
    expect(first.messages[2]).toEqual(second.messages[2]);
    expect(first.messages[2]?.windows?.[0]).toMatchObject({ group: {}, values: { n: 4 } });
  });

  it("without windows is asked again when there are new events, and sent when it changed", async () => {
    const server = await start([]);
    const { engine } = server;
    const answer = (n: number) => {
      engine.result = {
        ...engine.result,
        columns: [
          { name: "source", type: "string" },
          { name: "n", type: "number" },
        ],
        rows: [["web", n]],
        asOf: String(engine.stored.length),
      };
    };
    answer(1);
    const question = { sql: "SELECT source, count(*) AS n FROM events GROUP BY 1" };
    const [first, second] = [listen(server), listen(server)];
    await first.subscribe(question);
    await first.heard(2);
    await second.subscribe(question);
    await second.heard(2);
    expect(first.messages[1]).toMatchObject({
      snapshot: true,
      windows: [{ start: null, end: null, group: { source: "web" }, values: { n: 1 } }],
    });
    expect(engine.asked).toHaveLength(1);
    answer(2);
    engine.publish([{ event_type: "a" }]);
    await Promise.all([first.heard(3), second.heard(3)]);
    expect(engine.asked).toHaveLength(2);
    expect(second.messages[2]).toMatchObject({ windows: [{ values: { n: 2 } }] });
  });
});

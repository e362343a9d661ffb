import { get, type IncomingMessage } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { eventually, type FrontServer, startFront } from "../support/front-server.ts";
import { countRecord, countRow } from "../support/window-rows.ts";

interface ServerEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: Record<string, unknown>;
}

/** A reader of Server-Sent Events, as a browser reads them. */
class EventReader {
  response: IncomingMessage | null = null;
  text = "";
  ended = false;

  constructor(url: string, headers: Record<string, string>) {
    const request = get(url, { headers }, (response) => {
      this.response = response;
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        this.text += chunk;
      });
      response.on("error", () => {});
      response.on("close", () => {
        this.ended = true;
      });
    });
    request.on("error", () => {});
    this.close = () => request.destroy();
  }

  close: () => void;

  events(): ServerEvent[] {
    return this.text
      .split("\n\n")
      .slice(0, -1)
      .filter((block) => block.startsWith("event:"))
      .map((block) => {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? null;
        const data = JSON.parse(field("data") as string) as Record<string, unknown>;
        return { event: field("event") as string, id: field("id"), data };
      });
  }

  async heard(count: number): Promise<ServerEvent[]> {
    await eventually(() => this.events().length >= count);
    return this.events();
  }
}

const servers: FrontServer[] = [];
const readers: EventReader[] = [];

async function start(...flags: string[]): Promise<FrontServer> {
  const server = await startFront(flags);
  servers.push(server);
  await server.engine.streams.change([countRecord(1)], []);
  server.engine.streams.snapshot = { rows: [countRow(0, "web", 1, 5)], asOf: 5n };
  server.engine.publish(Array.from({ length: 100 }, () => ({ event_type: "a" })));
  return server;
}

function read(
  server: FrontServer,
  parameters: Record<string, string>,
  headers: Record<string, string> = {},
): EventReader {
  const search = new URLSearchParams({ pace: "50ms", ...parameters });
  const reader = new EventReader(`${server.url}/api/v1/stream/metrics?${search}`, headers);
  readers.push(reader);
  return reader;
}

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  for (const server of servers.splice(0)) await server.stop(0);
});

describe("Server-Sent Events", () => {
  it("are windows with their cursors, and go on after Last-Event-ID", async () => {
    const server = await start();
    const { streams } = server.engine;
    const first = read(server, { rule: "counts" });
    const [begun, snapshot] = await first.heard(2);
    expect(first.response?.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
    });
    expect(begun).toEqual({
      event: "subscribed",
      id: null,
      data: { type: "subscribed", rule: "counts@1" },
    });
    expect(snapshot).toMatchObject({
      event: "metrics",
      data: { type: "metrics", snapshot: true, windows: [{ values: { n: 1 } }] },
    });
    expect(snapshot?.id).toBe(snapshot?.data.cursor);
    expect(server.front.counters.eventStreams).toBe(1);
    first.close();
    await eventually(() => server.front.counters.eventStreams === 0);
    expect(server.front.counters.metricSubscribers.counts.size).toBe(0);
    streams.update(1, { rows: [countRow(0, "app", 2, 6)], asOf: 6n });
    const second = read(server, { rule: "counts" }, { "Last-Event-ID": snapshot?.id as string });
    const [, next] = await second.heard(2);
    expect(next?.data.windows).toMatchObject([{ group: { source: "app" } }]);
  });

  it("take the same options as subscriptions", async () => {
    const server = await start();
    const rows = ["web", "app", "tv"].map((name) => countRow(0, name, 1, 5));
    server.engine.streams.snapshot = { rows, asOf: 5n };
    const few = read(server, { rule: "counts", groups: "1", states: "early,final" });
    const [, first] = await few.heard(2);
    expect(first?.data).toMatchObject({ windows: [{}], groups_left_off: 2 });
    const one = read(server, { rule: "counts", group: '{"source":"tv"}' });
    const [, second] = await one.heard(2);
    expect(second?.data.windows).toMatchObject([{ group: { source: "tv" } }]);
    const query = {
      select: [{ fn: "count", as: "n" }],
      group_by: [{ time_bucket: "1m", as: "m" }],
    };
    const asked = read(server, { query: JSON.stringify(query) });
    expect((await asked.heard(2))[1]?.data).toMatchObject({ snapshot: true });
  });

  it.each([
    [{}, 400, "invalid_parameter"],
    [{ rule: "nothing" }, 404, "rule_not_found"],
    [{ rule: "counts", pace: "7h" }, 400, "invalid_parameter"],
    [{ rule: "counts", group: "{" }, 400, "invalid_parameter"],
    [{ rule: "counts", cursor: "x" }, 400, "invalid_cursor"],
  ])("of %j are refused with %i", async (parameters, status, code) => {
    const server = await start();
    const response = await fetch(
      `${server.url}/api/v1/stream/metrics?${new URLSearchParams(parameters)}`,
    );
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
    expect(server.front.counters.eventStreams).toBe(0);
  });

  it("are for pages of this server and of allowed origins", async () => {
    const server = await start("--allowed-origins", "https://app.example");
    const evil = await fetch(`${server.url}/api/v1/stream/metrics?rule=counts`, {
      headers: { Origin: "https://evil.example" },
    });
    expect(evil.status).toBe(403);
    await evil.arrayBuffer();
    const good = read(server, { rule: "counts" }, { Origin: "https://app.example" });
    await good.heard(1);
    expect(good.response?.headers["access-control-allow-origin"]).toBe("https://app.example");
  });

  it("show signs of life, and end when the rule or the server does", async () => {
    const server = await start("--heartbeat", "100ms");
    const [first, second] = [read(server, { rule: "counts" }), read(server, { rule: "counts" })];
    await Promise.all([first.heard(2), second.heard(2)]);
    await eventually(() => first.text.endsWith(":\n\n"));
    second.close();
    await server.engine.streams.change([], [1]);
    await eventually(() => first.ended);
    expect(first.events().at(-1)?.data).toEqual({ type: "ended", reason: "deleted" });
    await server.engine.streams.change([countRecord(2)], []);
    const third = read(server, { rule: "counts" });
    await third.heard(2);
    expect(await server.stop(5000)).toBe(true);
    await eventually(() => third.ended);
  });
});

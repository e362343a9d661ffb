import { decode } from "@msgpack/msgpack";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { cursorOf, sequenceOf } from "../../src/live/cursor.ts";
import { eventually, type FrontServer, startFront } from "../support/front-server.ts";

type Message = Record<string, unknown> & { events?: Record<string, unknown>[] };

/** A subscriber that keeps what it hears. */
class Listener {
  readonly ws: WebSocket;
  readonly messages: Message[] = [];
  closeCode: number | null = null;

  constructor(server: FrontServer, protocol?: string, origin?: string) {
    const url = `${server.url.replace("http", "ws")}/api/v1/stream/events`;
    this.ws = new WebSocket(url, protocol, origin === undefined ? {} : { origin });
    this.ws.on("message", (frame: Buffer, isBinary: boolean) => {
      const message = isBinary
        ? decode(frame, { useBigInt64: false })
        : JSON.parse(frame.toString("utf8"));
      this.messages.push(message as Message);
    });
    this.ws.on("error", () => {});
    this.ws.on("close", (code) => {
      this.closeCode = code;
    });
  }

  async open(): Promise<this> {
    await eventually(() => this.ws.readyState !== WebSocket.CONNECTING);
    return this;
  }

  send(message: object): this {
    this.ws.send(JSON.stringify(message));
    return this;
  }

  async heard(count: number): Promise<Message[]> {
    await eventually(() => this.messages.length >= count);
    return this.messages;
  }

  types(): string[] {
    return this.messages.map((message) => String(message.type));
  }

  events(id = "s1"): Record<string, unknown>[] {
    return this.messages.flatMap((m) =>
      m.type === "events" && m.id === id ? (m.events ?? []) : [],
    );
  }
}

const servers: FrontServer[] = [];
const listeners: Listener[] = [];

async function start(...flags: string[]): Promise<FrontServer> {
  const server = await startFront(flags);
  servers.push(server);
  return server;
}

async function listen(server: FrontServer, protocol?: string): Promise<Listener> {
  const listener = new Listener(server, protocol);
  listeners.push(listener);
  return listener.open();
}

afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.ws.terminate();
  for (const server of servers.splice(0)) await server.stop(0);
});

const subscribe = (more: object = {}) => ({ type: "subscribe", id: "s1", ...more });

describe("a subscription", () => {
  it("hears of matching events as they are stored", async () => {
    const server = await start();
    server.engine.publish([{ event_type: "old" }]);
    const listener = await listen(server);
    listener.send(subscribe({ event_type: "a" }));
    expect(await listener.heard(1)).toEqual([
      { type: "subscribed", id: "s1", cursor: cursorOf(1n) },
    ]);
    server.engine.publish([{ event_type: "a", n: 1 }, { event_type: "b" }]);
    await listener.heard(2);
    expect(listener.messages[1]).toEqual({
      type: "events",
      id: "s1",
      events: [{ event_type: "a", n: 1, sequence: "1" }],
      cursor: cursorOf(3n),
    });
    expect(server.front.counters.subscriptions).toBe(1);
  });

  it("begins at the earliest event when asked to, and reads page by page", async () => {
    const server = await start();
    server.engine.publish(Array.from({ length: 1500 }, (_, n) => ({ event_type: "a", n })));
    const listener = await listen(server);
    listener.send(subscribe({ from: "earliest" }));
    await eventually(() => listener.events().length === 1500);
    expect(listener.events().map(({ n }) => n)).toEqual(Array.from({ length: 1500 }, (_, n) => n));
    expect(listener.messages.length).toBe(1 + 3);
  });

  it("resumes from a cursor without a gap and without a repetition", async () => {
    const server = await start();
    const first = await listen(server);
    first.send(subscribe());
    await first.heard(1);
    server.engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    await first.heard(2);
    const { cursor } = first.messages[1] as { cursor: string };
    first.ws.terminate();
    server.engine.publish([{ event_type: "c" }]);
    const second = await listen(server);
    second.send(subscribe({ cursor }));
    await eventually(() => second.events().length === 1);
    expect(second.events()).toEqual([{ event_type: "c", sequence: "2" }]);
  });

  it("ends when asked to, and many live on one socket", async () => {
    const server = await start();
    const listener = await listen(server);
    for (const id of ["x", "y"]) listener.send({ type: "subscribe", id });
    await listener.heard(2);
    listener.send({ type: "unsubscribe", id: "x" });
    await listener.heard(3);
    server.engine.publish([{ event_type: "a" }]);
    await eventually(() => listener.events("y").length === 1);
    expect(listener.events("x")).toEqual([]);
    expect(server.front.counters.subscriptions).toBe(1);
    listener.ws.close();
    await eventually(() => server.front.counters.subscriptions === 0);
    expect(server.front.counters.streamSockets).toBe(0);
  });

  it("shares its reads with those that ask the same at the same place", async () => {
    const server = await start();
    const group = await Promise.all([1, 2, 3, 4].map(() => listen(server)));
    for (const listener of group) {
      listener.send(subscribe({ event_type: "a" }));
      await listener.heard(1);
    }
    server.engine.eventsRequests.length = 0;
    server.engine.publish([{ event_type: "a" }]);
    for (const listener of group) await eventually(() => listener.events().length === 1);
    expect(server.engine.eventsRequests).toHaveLength(1);
  });

  it("speaks MessagePack under its subprotocol, integers whole", async () => {
    const server = await start();
    const listener = await listen(server, "millrace.msgpack.v1");
    expect(listener.ws.protocol).toBe("millrace.msgpack.v1");
    listener.send(subscribe());
    await listener.heard(1);
    const big =
      '{"event_type":"a","big":9007199254740993,"huge":1e300,"text":"12345678901234567890"}';
    server.engine.stored.push(big);
    server.engine.publish([]);
    await listener.heard(2);
    expect(listener.messages[1]).toEqual({
      type: "events",
      id: "s1",
      events: [
        // The decoder of this test rounds; that the bytes are an int64 is what gives this value.
        { event_type: "a", big: 9007199254740992, huge: 1e300, text: "12345678901234567890" },
      ],
      cursor: cursorOf(1n),
    });
  });

  it.each([
    ["not json", "invalid_message", undefined],
    ['{"type":"shout"}', "invalid_message", undefined],
    ['{"type":"subscribe"}', "invalid_message", undefined],
    ['{"type":"shout","id":"s1"}', "invalid_message", "s1"],
    ['{"type":"subscribe","id":7}', "invalid_message", undefined],
    ['{"type":"subscribe","id":"s1","wher":"x"}', "invalid_message", "s1"],
    ['{"type":"subscribe","id":"s1","where":"nonsense"}', "sql_syntax", "s1"],
    ['{"type":"subscribe","id":"s1","cursor":"x"}', "invalid_cursor", "s1"],
    [`{"type":"subscribe","id":"s1","cursor":"${cursorOf(99n)}"}`, "invalid_cursor", "s1"],
    [
      `{"type":"subscribe","id":"s1","from":"now","cursor":"${cursorOf(0n)}"}`,
      "invalid_message",
      "s1",
    ],
    ['{"type":"unsubscribe","id":"s1"}', "no_such_subscription", "s1"],
  ])("%s is answered with an error, and the socket goes on", async (frame, code, id) => {
    const server = await start();
    const listener = await listen(server);
    listener.ws.send(frame);
    const [message] = await listener.heard(1);
    expect(message).toMatchObject({ type: "error", error: { code, status: 400 } });
    expect(message?.id).toBe(id);
    expect(server.front.counters.subscriptions).toBe(0);
    listener.send(subscribe());
    await listener.heard(2);
    expect(listener.types()).toEqual(["error", "subscribed"]);
    listener.send(subscribe());
    await listener.heard(3);
    expect(listener.messages[2]).toMatchObject({ error: { code: "subscription_exists" } });
  });
});

describe("a slow reader", () => {
  const wide = Array.from({ length: 200 }, (_, n) => ({
    event_type: "a",
    n,
    text: "x".repeat(5000),
  }));

  it("is told what it missed, costs one page, and can read it after all", async () => {
    const server = await start("--subscriber-buffer", "64KiB", "--subscriber-lag-max", "1000");
    const listener = await listen(server);
    listener.send(subscribe());
    await listener.heard(1);
    listener.ws.pause();
    // More than the buffers of both kernels take.
    for (let i = 0; i < 60; i++) {
      server.engine.publish(wide);
      await new Promise((resolve) => setImmediate(resolve));
    }
    listener.ws.resume();
    await eventually(() => listener.types().includes("missed"));
    server.engine.publish([{ event_type: "last" }]);
    await eventually(() => listener.events().at(-1)?.event_type === "last");
    const missed = listener.messages.find(({ type }) => type === "missed") as unknown as {
      count: number;
      resume: string;
    };
    expect(missed.count).toBeGreaterThan(1000);
    // What was sent and what was missed is everything: nothing is lost without being counted.
    const all = server.engine.stored.length;
    const counted = listener.messages
      .filter(({ type }) => type === "missed")
      .reduce((sum, { count }) => sum + Number(count), 0);
    expect(listener.events().length + counted).toBe(all);
    const again = await listen(server);
    again.send(subscribe({ cursor: missed.resume }));
    const first = sequenceOf(missed.resume);
    await eventually(() => again.events().length === all - Number(first));
    expect(again.events()[0]?.sequence).toBe(String(first));
    expect(again.types()).not.toContain("missed");
  });

  it("that catches up is given everything at its own pace", async () => {
    const server = await start("--subscriber-buffer", "16KiB", "--subscriber-lag-max", "10");
    for (let i = 0; i < 20; i++) server.engine.publish(wide);
    const listener = await listen(server);
    listener.send(subscribe({ from: "earliest" }));
    await eventually(() => listener.events().length === 4000);
    expect(listener.types()).not.toContain("missed");
  });
});

describe("an upgrade", () => {
  async function refused(server: FrontServer, path: string, origin?: string): Promise<number> {
    const url = server.url.replace("http", "ws") + path;
    const ws = new WebSocket(url, origin === undefined ? {} : { origin });
    return new Promise((resolve) => {
      ws.on("error", () => {});
      ws.on("unexpected-response", (_request, response) => {
        resolve(response.statusCode as number);
        response.destroy();
      });
      ws.on("open", () => {
        resolve(101);
        ws.terminate();
      });
    });
  }

  it.each([
    ["/api/v1/nothing", 404],
    ["/api/v1/events?ack=never", 400],
    ["/api/v1/stream/events", 101],
  ])("of %s is answered %i", async (path, status) => {
    expect(await refused(await start(), path)).toBe(status);
  });

  it("is refused to pages of other origins, unless they are allowed", async () => {
    const server = await start("--allowed-origins", "https://app.example");
    const path = "/api/v1/stream/events";
    expect(await refused(server, path, "https://evil.example")).toBe(403);
    expect(await refused(server, path, "https://app.example")).toBe(101);
    expect(await refused(server, path, server.url)).toBe(101);
  });

  it("is refused while the server stops, and open sockets are closed with 1001", async () => {
    const server = await start();
    const listener = await listen(server);
    server.front.stopping = true;
    expect(await refused(server, "/api/v1/stream/events")).toBe(503);
    expect(await server.stop(5000)).toBe(true);
    await eventually(() => listener.closeCode !== null);
    expect(listener.closeCode).toBe(1001);
  });
});

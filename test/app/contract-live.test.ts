import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { allEvents, postBatch, type StoredEvent } from "../support/api.ts";
import { dataFolder, sharedServer, startServer, until } from "../support/server.ts";
import { type Message, openSocket, type TestSocket } from "../support/socket.ts";

// What the two WebSocket routes promise, asked of the built server.

const server = sharedServer();

let names = 0;
function freshType(): string {
  return `live_${names++}`;
}

function events(event_type: string, from: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({ event_type, properties: { n: from + i } }));
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

async function storedNumbers(event_type: string): Promise<unknown[]> {
  const stored = await allEvents(server.url, { event_type });
  return stored.map((event) => event.properties.n).sort((a, b) => Number(a) - Number(b));
}

/** Numbers of the events that a subscription was sent, in the order they came. */
function received(socket: TestSocket, id: string): unknown[] {
  return socket.messages
    .filter((message) => message.type === "events" && message.id === id)
    .flatMap((message) => (message.events as StoredEvent[]).map((event) => event.properties.n));
}

function lastCursor(socket: TestSocket): unknown {
  return socket.messages.findLast((message) => message.cursor !== undefined)?.cursor;
}

async function subscribe(socket: TestSocket, message: Message): Promise<void> {
  socket.send({ type: "subscribe", ...message });
  await until("the subscription", () =>
    socket.messages.some((got) => got.type === "subscribed" && got.id === message.id),
  );
}

describe("WS /events", () => {
  test("each frame is a batch and gets its receipt, in order; JSON and MessagePack", async () => {
    const type = freshType();
    const socket = await openSocket(server.url, "/api/v1/events");
    for (let i = 0; i < 20; i++) {
      const batch = events(type, i * 10, i % 10);
      socket.send(i % 2 === 0 ? JSON.stringify(batch) : encode(batch));
    }
    for (let i = 0; i < 20; i++) expect(await socket.next()).toMatchObject({ accepted: i % 10 });
    expect(await storedNumbers(type)).toEqual(range(0, 20).flatMap((i) => range(i * 10, i % 10)));
  });

  test("a bad frame gets its problem in its place, and the next one goes on", async () => {
    const type = freshType();
    const socket = await openSocket(server.url, "/api/v1/events");
    socket.send(JSON.stringify(events(type, 0, 1)));
    socket.send("[{");
    socket.send(JSON.stringify([...events(type, 1, 1), {}]));
    expect(await socket.next()).toMatchObject({ accepted: 1 });
    expect(await socket.next()).toMatchObject({ error: { status: 400, byte_offset: 2 } });
    expect(await socket.next()).toMatchObject({ accepted: 1, rejected: 1, errors: [{ index: 1 }] });
    expect(await storedNumbers(type)).toEqual([0, 1]);
  });
});

describe("WS /stream/events", () => {
  test("sends what is stored from now on, by sequence, once", async () => {
    const type = freshType();
    await postBatch(server.url, events(type, 0, 5));
    const socket = await openSocket(server.url, "/api/v1/stream/events");
    await subscribe(socket, { id: "s1", event_type: type });
    for (let i = 5; i < 105; i += 10) await postBatch(server.url, events(type, i, 10));
    await until("100 events", () => received(socket, "s1").length >= 100);
    expect(received(socket, "s1")).toEqual(range(5, 100));
  });

  test("filters by an expression; subscriptions of one socket are told apart", async () => {
    const type = freshType();
    const socket = await openSocket(server.url, "/api/v1/stream/events");
    await subscribe(socket, {
      id: "even",
      where: `event_type = '${type}' AND properties.n IN (2, 4)`,
    });
    await subscribe(socket, {
      id: "high",
      where: {
        and: [
          { field: "event_type", op: "=", value: type },
          { field: "properties.n", op: ">=", value: 8 },
        ],
      },
    });
    await postBatch(server.url, events(type, 0, 10));
    await until(
      "both",
      () => received(socket, "even").length + received(socket, "high").length >= 4,
    );
    expect(received(socket, "even")).toEqual([2, 4]);
    expect(received(socket, "high")).toEqual([8, 9]);
  });

  test("from earliest: what is stored first, then what comes", async () => {
    const type = freshType();
    await postBatch(server.url, events(type, 0, 1500));
    const socket = await openSocket(server.url, "/api/v1/stream/events");
    await subscribe(socket, { id: "all", event_type: type, from: "earliest" });
    await postBatch(server.url, events(type, 1500, 500));
    await until("all of them", () => received(socket, "all").length >= 2000);
    expect(received(socket, "all")).toEqual(range(0, 2000));
  });

  test("speaks MessagePack under its subprotocol", async () => {
    const type = freshType();
    const socket = await openSocket(server.url, "/api/v1/stream/events", "millrace.msgpack.v1");
    socket.send(encode({ type: "subscribe", id: "m", event_type: type }));
    expect(await socket.next()).toMatchObject({ type: "subscribed", id: "m" });
    await postBatch(server.url, events(type, 0, 3));
    expect(await socket.next()).toMatchObject({ type: "events", id: "m" });
    expect(received(socket, "m")).toEqual([0, 1, 2]);
  });

  test("refuses what it can't understand and stays open", async () => {
    const socket = await openSocket(server.url, "/api/v1/stream/events");
    socket.send("{");
    expect(await socket.next()).toMatchObject({ type: "error", error: { status: 400 } });
    socket.send({ type: "subscribe", id: "x", where: "event_type = " });
    expect(await socket.next()).toMatchObject({ type: "error", id: "x", error: { status: 400 } });
    socket.send({ type: "subscribe", id: "y", cursor: "nonsense" });
    expect(await socket.next()).toMatchObject({
      type: "error",
      id: "y",
      error: { code: "invalid_cursor" },
    });
    await subscribe(socket, { id: "z" });
  });

  test("resumes at a cursor without a gap and without a repetition, after a kill too", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    const socket = await openSocket(first.url, "/api/v1/stream/events");
    await subscribe(socket, { id: "s", event_type: "t" });
    await postBatch(first.url, events("t", 0, 10));
    await until("ten events", () => received(socket, "s").length >= 10);
    const cursor = lastCursor(socket);
    socket.ws.terminate();
    await postBatch(first.url, events("t", 10, 10));
    await first.kill();
    const second = await startServer(data);
    await postBatch(second.url, events("t", 20, 10));
    const again = await openSocket(second.url, "/api/v1/stream/events");
    await subscribe(again, { id: "s", event_type: "t", cursor });
    await until("twenty events", () => received(again, "s").length >= 20);
    expect(received(again, "s")).toEqual(range(10, 20));
  });

  test("counts its connections", async () => {
    const socket = await openSocket(server.url, "/api/v1/stream/events");
    const gauge = async () =>
      /^active_websocket_connections(?:\{[^}]*stream[^}]*\})? (\d+)$/m.exec(
        await (await fetch(`${server.url}/api/v1/metrics`)).text(),
      )?.[1];
    expect(Number(await gauge())).toBeGreaterThanOrEqual(1);
    socket.ws.close();
    await socket.closed;
  });
});

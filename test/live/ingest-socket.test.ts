import { decode, encode } from "@msgpack/msgpack";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { OverloadError } from "../../src/errors.ts";
import { eventually, type FrontServer, startFront } from "../support/front-server.ts";

const servers: FrontServer[] = [];
const sockets: WebSocket[] = [];

async function start(...flags: string[]): Promise<FrontServer> {
  const server = await startFront(flags);
  servers.push(server);
  return server;
}

interface Sender {
  readonly ws: WebSocket;
  readonly receipts: Record<string, unknown>[];
  closeCode: number | null;
}

async function open(server: FrontServer, search = "", protocol?: string): Promise<Sender> {
  const ws = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/events${search}`, protocol);
  sockets.push(ws);
  const sender: Sender = { ws, receipts: [], closeCode: null };
  ws.on("message", (frame: Buffer, isBinary: boolean) => {
    const receipt = isBinary ? decode(frame) : JSON.parse(frame.toString("utf8"));
    sender.receipts.push(receipt as Record<string, unknown>);
  });
  ws.on("error", () => {});
  ws.on("close", (code) => {
    sender.closeCode = code;
  });
  await eventually(() => ws.readyState === WebSocket.OPEN);
  return sender;
}

afterEach(async () => {
  for (const ws of sockets.splice(0)) ws.terminate();
  for (const server of servers.splice(0)) {
    server.engine.release();
    await server.stop(0);
  }
});

const batch = (n: number) => JSON.stringify([{ event_type: `n${n}` }]);

describe("WS /events", () => {
  it("answers each frame with one receipt, in order, whatever is ready first", async () => {
    const server = await start();
    server.engine.hold();
    const { ws, receipts } = await open(server);
    for (let i = 0; i < 4; i++) ws.send(batch(i));
    ws.send("[");
    await eventually(() => server.engine.heldCount() === 5);
    server.engine.answerHeld(4);
    server.engine.answerHeld(2);
    server.engine.answerHeld(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(receipts).toEqual([]);
    server.engine.release();
    await eventually(() => receipts.length === 5);
    // Sequences show the order in which the engine took them: 2, 1, 0, 3.
    const firsts = receipts.map(({ sequences }) => (sequences as { first: string }[])?.[0]?.first);
    expect(firsts).toEqual(["2", "1", "0", "3", undefined]);
    expect(receipts[4]).toMatchObject({ error: { code: "body_cut_off", byte_offset: 1 } });
  });

  it("reads text frames as JSON and binary ones as MessagePack, with the URL's parameters", async () => {
    const server = await start();
    const { ws, receipts } = await open(server, "?ack=memory&timestamp=time");
    ws.send('{"events":[{"event_type":"a"},{}]}');
    ws.send(encode([{ event_type: "a" }]));
    await eventually(() => receipts.length === 2);
    expect(receipts[0]).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: 1,
      errors: [{ index: 1, code: "event_type_missing", message: "got no event_type, want text" }],
    });
    const [text, binary] = server.engine.requests;
    expect([text?.format, binary?.format]).toEqual(["json-batch", "msgpack-batch"]);
    expect(text).toMatchObject({ durable: false, mapping: { timestamp: "time" } });
  });

  it("sends receipts as MessagePack under the subprotocol", async () => {
    const server = await start();
    const { ws, receipts } = await open(server, "", "millrace.msgpack.v1");
    ws.send(batch(1));
    await eventually(() => receipts.length === 1);
    expect(receipts[0]).toMatchObject({ accepted: 1, sequences: [{ partition: 0, first: "0" }] });
  });

  it("says when the engine is behind", async () => {
    const server = await start();
    const { ws, receipts } = await open(server);
    server.engine.failNext = new OverloadError("ingest_queue_full", "the engine is behind", 2);
    ws.send(batch(1));
    await eventually(() => receipts.length === 1);
    expect(receipts[0]).toMatchObject({ error: { status: 429, retry_after_seconds: 2 } });
    expect(server.front.counters.ingestErrors.get("ingest_queue_full")).toBe(1);
  });

  it("reads no more while many frames wait, and goes on later", async () => {
    const server = await start();
    server.engine.hold();
    const { ws, receipts } = await open(server);
    const filler = "x".repeat(100_000);
    for (let i = 0; i < 200; i++) ws.send(`[{"event_type":"${filler}"}]`);
    await eventually(() => server.engine.heldCount() >= 64);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(server.engine.heldCount()).toBeLessThan(70);
    server.engine.release();
    await eventually(() => receipts.length === 200);
    expect(server.front.bodyBudget.bytes).toBe(0);
  });

  it("closes with 1009 after a frame that is too long", async () => {
    const server = await start("--body-max", "1KiB");
    const sender = await open(server);
    sender.ws.send("x".repeat(2000));
    await eventually(() => sender.closeCode !== null);
    expect(sender.closeCode).toBe(1009);
  });

  it("counts unfinished frames among the bodies that are being received", async () => {
    const server = await start(
      "--bodies-max",
      "1MiB",
      "--body-max",
      "1MiB",
      "--ingest-queue",
      "2MiB",
    );
    const slow = await open(server);
    slow.ws.send("x".repeat(600_000), { fin: false });
    await eventually(() => server.front.bodyBudget.bytes > 590_000);
    const greedy = await open(server);
    greedy.ws.send("x".repeat(900_000), { fin: false });
    await eventually(() => greedy.closeCode !== null);
    expect(greedy.closeCode).toBe(1013);
    slow.ws.terminate();
    await eventually(() => server.front.bodyBudget.bytes === 0);
  });

  it("sends the receipts that are due before it closes with 1001", async () => {
    const server = await start();
    server.engine.hold();
    const sender = await open(server);
    sender.ws.send(batch(1));
    await eventually(() => server.engine.heldCount() === 1);
    const stopped = server.stop(5000);
    sender.ws.send(batch(2));
    await new Promise((resolve) => setImmediate(resolve));
    expect(sender.closeCode).toBeNull();
    server.engine.release();
    expect(await stopped).toBe(true);
    await eventually(() => sender.closeCode !== null);
    expect(sender.closeCode).toBe(1001);
    expect(sender.receipts).toHaveLength(1);
    expect(server.engine.requests).toHaveLength(1);
  });
});

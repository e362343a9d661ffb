import { expect, test } from "vitest";
import { postBatch, sql } from "../support/api.ts";
import { stalledBody, stalledSubscriber } from "../support/misbehaving.ts";
import { dataFolder, spawnServer, startServer, until } from "../support/server.ts";
import { openSocket } from "../support/socket.ts";

// How the built server ends when it is told to: at any moment, with any number of connections.

function withIds(from: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `018f2f6e-0000-7000-8000-${(from + i).toString(16).padStart(12, "0")}`,
    event_type: "t",
    properties: { n: from + i },
  }));
}

async function count(url: string): Promise<number> {
  return Number((await sql(url, "SELECT count(*) FROM events")).rows[0]?.[0]);
}

test("SIGTERM while it recovers: it ends in order, and nothing is lost or doubled", async () => {
  const data = dataFolder();
  const flags = ["--hot-memory", "16MiB"];
  const first = await startServer(data, ...flags);
  for (let i = 0; i < 20; i++) await postBatch(first.url, withIds(i * 15_000, 15_000));
  await first.kill();
  // Ids are loaded after reads are ready, so the address is there before ingest is.
  const second = spawnServer(data, ...flags);
  await until("the server's address", () => second.output.includes("http://127.0.0.1:"));
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  // Before anything is ready, too.
  const third = spawnServer(data, ...flags);
  await until("the process", () => third.pid > 0);
  const early = await third.stop();
  expect(early.code === 0 || early.signal === "SIGTERM", third.output).toBe(true);
  const last = await startServer(data, ...flags);
  expect(await count(last.url)).toBe(300_000);
  expect((await postBatch(last.url, withIds(285_000, 15_000))).body.duplicates).toBe(15_000);
  expect((await postBatch(last.url, withIds(0, 15_000))).body.duplicates).toBe(15_000);
}, 60_000);

test("SIGTERM with many connections of every kind ends all of them, and keeps what was acknowledged", async () => {
  const data = dataFolder();
  const server = await startServer(data, "--shutdown-timeout", "1s");
  const sockets = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      openSocket(server.url, `/api/v1/${i % 2 === 0 ? "events" : "stream/events"}`),
    ),
  );
  await Promise.all(Array.from({ length: 5 }, () => stalledSubscriber(server.url)));
  const stalled = Array.from({ length: 5 }, () => stalledBody(server.url, 1_000_000, 1000));
  const gone = stalled.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  let acknowledged = 0;
  let sent = 0;
  const sender = async (): Promise<void> => {
    for (;;) {
      const from = sent;
      sent += 50;
      const answer = await postBatch(server.url, withIds(from, 50)).catch(() => undefined);
      if (answer?.status !== 200) return;
      acknowledged += answer.body.accepted;
    }
  };
  const senders = Array.from({ length: 60 }, sender);
  for (const [i, socket] of sockets.entries()) {
    if (i % 2 === 0) socket.send([{ event_type: "ws", properties: { i } }]);
  }
  await until("some load", () => acknowledged > 5000);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  await Promise.all([...senders, ...gone, ...sockets.map((socket) => socket.closed)]);
  // A frame that was taken has its receipt before the socket closes.
  const receipts = sockets.flatMap(({ messages }) => messages).filter((one) => one.accepted === 1);
  const again = await startServer(data);
  expect(await count(again.url)).toBeGreaterThanOrEqual(acknowledged + receipts.length);
  expect(receipts).toHaveLength(20);
}, 60_000);

test("a body that stops coming does not hold the stop, and what is being answered is answered", async () => {
  const data = dataFolder();
  const server = await startServer(data, "--shutdown-timeout", "1h");
  expect((await postBatch(server.url, withIds(0, 1000))).status).toBe(200);
  const socket = stalledBody(server.url, 1_000_000, 1000);
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  const gone = new Promise((resolve) => socket.once("close", resolve));
  // Only the beginning of a head.
  const half = stalledBody(server.url, 10, 0, "POST /api/v1/ev");
  await until("the connections", async () => (await count(server.url)) === 1000);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  await gone;
  expect(text).toMatch(/^HTTP\/1\.1 503 /);
  expect(text).toContain('"code":"stopping"');
  half.destroy();
}, 60_000);

test("a second signal ends it at once, and what was acknowledged is there", async () => {
  const data = dataFolder();
  const server = await startServer(data, "--shutdown-timeout", "1h");
  expect((await postBatch(server.url, withIds(0, 1000))).status).toBe(200);
  // A request that never ends: the first signal waits for it.
  stalledBody(server.url, 1_000_000, 1000);
  await until("its connection", async () => (await count(server.url)) === 1000);
  server.process.kill("SIGTERM");
  await until("the first signal to be told", () => server.output.includes("stopping"));
  expect(await server.stop(), server.output).toEqual({ code: 1, signal: null });
  expect(server.output).toMatch(/asked to stop again/);
  expect(await count((await startServer(data)).url)).toBe(1000);
}, 60_000);

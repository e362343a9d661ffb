import { expect, test } from "vitest";
import { get, postBatch, sql } from "../support/api.ts";
import { stalledBody, stalledSubscriber } from "../support/misbehaving.ts";
import { dataFolder, startServer, type TestServer, until } from "../support/server.ts";

// Clients that read slowly or stop in the middle cost a bounded amount of memory, and others do not notice.

const MIB = 1024 * 1024;

let n = 0;
/** Batches with fresh text in every event, so that nothing repeats. */
async function send(server: TestServer, batches: number, size: number): Promise<void> {
  for (let i = 0; i < batches; i++) {
    const events = Array.from({ length: size }, () => {
      n++;
      return {
        event_type: `t${n % 4}`,
        properties: { n, text: `fresh text number ${n} ${"x".repeat(100)}` },
      };
    });
    expect((await postBatch(server.url, events)).body.accepted).toBe(size);
  }
}

test("subscribers that do not read make nothing grow, and are told what they missed", async () => {
  const server = await startServer(
    dataFolder(),
    "--hot-memory",
    "64MiB",
    "--subscriber-lag-max",
    "1000",
  );
  await send(server, 30, 5000);
  const before = server.anonymousBytes();
  const subscribers = await Promise.all(
    Array.from({ length: 20 }, () => stalledSubscriber(server.url)),
  );
  await send(server, 40, 5000);
  const grown = server.anonymousBytes() - before;
  // 20 subscribers with a buffer of 1 MiB each, and what the garbage collector has not taken yet. What the
  // subscribers have not read is 20 times 40 MB.
  expect(grown).toBeLessThan(160 * MIB);
  const [first] = subscribers;
  const messages: Record<string, unknown>[] = [];
  first?.on("message", (data) => messages.push(JSON.parse(String(data))));
  first?.resume();
  await until("the newest event", async () => {
    if (messages.some((message) => message.type === "missed")) return true;
    await send(server, 1, 10);
    return false;
  });
  const missed = messages.find((message) => message.type === "missed");
  expect(missed).toMatchObject({
    id: "slow",
    count: expect.any(Number),
    resume: expect.any(String),
  });
  expect(Number(missed?.count)).toBeGreaterThan(1000);
  const { text } = await get(server.url, "/api/v1/metrics");
  expect(text).toMatch(/missed\S* [1-9]/);
}, 60_000);

test("bodies that stop in the middle are given up, and nothing of them is kept", async () => {
  const server = await startServer(
    dataFolder(),
    "--request-timeout",
    "1s",
    "--bodies-max",
    "64MiB",
  );
  await send(server, 2, 100);
  const before = server.anonymousBytes();
  const sockets = Array.from({ length: 40 }, () => stalledBody(server.url, 4 * MIB, MIB));
  const answers = sockets.map(
    (socket) =>
      new Promise<string>((resolve) => {
        let text = "";
        socket.on("data", (chunk) => {
          text += String(chunk);
        });
        socket.on("close", () => resolve(text));
      }),
  );
  // Others are served meanwhile.
  await send(server, 5, 100);
  for (const text of await Promise.all(answers)) expect(text).toMatch(/^HTTP\/1\.1 (?:408|429) /);
  expect(server.anonymousBytes() - before).toBeLessThan(128 * MIB);
  expect((await sql(server.url, "SELECT count(*) FROM events")).rows).toEqual([[700]]);
}, 60_000);

import { cpSync } from "node:fs";
import { join } from "node:path";
import { open } from "lmdb";
import { describe, expect, test } from "vitest";
import { decodeSegmentMeta, type SegmentMeta } from "../../src/storage/segment.ts";
import { allEvents, get, postBatch, sql } from "../support/api.ts";
import { dataFolder, spawnServer, startServer, until } from "../support/server.ts";

// What the built server does when something is wrong, and what a restart keeps.

function events(from: number, count: number, type = "t"): object[] {
  return Array.from({ length: count }, (_, i) => ({
    event_type: type,
    timestamp: new Date(Date.UTC(2026, 10, 23) + from + i).toISOString(),
    properties: { n: from + i, word: `w${(from + i) % 50}` },
  }));
}

async function count(url: string): Promise<unknown> {
  return (await sql(url, "SELECT count(*) FROM events")).rows[0]?.[0];
}

type Stored = { key: Buffer; value: Buffer };

/** Opens one table of a data folder that no server has open, and changes its values. */
async function rewrite(
  data: string,
  table: string,
  change: (entry: Stored, i: number) => Buffer | undefined,
): Promise<number> {
  const root = open<Buffer, Buffer>({
    path: join(data, "millrace.mdb"),
    noSubdir: true,
    maxDbs: 8,
    encoding: "binary",
    keyEncoding: "binary",
  });
  const db = root.openDB<Buffer, Buffer>(table, { encoding: "binary", keyEncoding: "binary" });
  const entries = [...db.getRange()].map(({ key, value }) => ({
    key: Buffer.from(key),
    value: Buffer.from(value),
  }));
  let changed = 0;
  for (const [i, entry] of entries.entries()) {
    const value = change(entry, i);
    if (value === undefined) continue;
    await db.put(entry.key, value);
    changed++;
  }
  await root.flushed;
  await root.close();
  return changed;
}

/** The same bytes with one bit of the byte at `at` turned over. */
function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 0x10;
  return copy;
}

describe("restart", () => {
  test("keeps events, ids and receipts", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    const withIds = events(0, 100).map((event, i) => ({
      id: `018f2f6e-0000-7000-8000-${i.toString(16).padStart(12, "0")}`,
      ...event,
    }));
    await postBatch(first.url, withIds);
    const keyed = await postBatch(first.url, events(100, 50), { "idempotency-key": "k1" });
    const before = await allEvents(first.url);
    await first.kill();
    const second = await startServer(data);
    expect(second.output).toContain('"events":150');
    expect(await allEvents(second.url)).toEqual(before);
    expect((await postBatch(second.url, withIds)).body).toMatchObject({
      accepted: 0,
      duplicates: 100,
    });
    const again = await postBatch(second.url, events(100, 50), { "idempotency-key": "k1" });
    expect(again.body).toEqual(keyed.body);
    expect((await postBatch(second.url, events(0, 1), { "idempotency-key": "k1" })).status).toBe(
      422,
    );
    const [range] = (await postBatch(second.url, events(200, 1))).body.sequences ?? [];
    expect(Number(range?.first)).toBe(Number(keyed.body.sequences?.[0]?.last) + 1);
  });

  test("keeps sealed segments as they were, and answers the same over them", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    for (let i = 0; i < 14; i++) await postBatch(first.url, events(i * 10_000, 10_000));
    const question = `SELECT properties.word, count(*) AS n, sum(properties.n) AS total, min(timestamp) AS first
                      FROM events WHERE properties.n >= 1234 GROUP BY properties.word ORDER BY properties.word`;
    const hot = await sql(first.url, question);
    await until("a sealed segment", async () => {
      const health = await get<{ segments: number; stored_events: number }>(
        first.url,
        "/api/v1/health",
      );
      return health.body.segments >= 1 && health.body.stored_events === 140_000;
    });
    const page = await get(first.url, "/api/v1/analytics/events?limit=1000&order=desc");
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    const second = await startServer(data);
    expect((await sql(second.url, question)).rows).toEqual(hot.rows);
    const cold = await get(second.url, "/api/v1/analytics/events?limit=1000&order=desc");
    expect(JSON.parse(cold.text).events).toEqual(JSON.parse(page.text).events);
    expect(await count(second.url)).toBe(140_000);
  }, 60_000);
});

describe("SIGTERM and SIGINT", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s under load loses nothing that was acknowledged",
    async (signal) => {
      const data = dataFolder();
      const server = await startServer(data);
      let acknowledged = 0;
      let stopped = false;
      const sender = async (lane: number) => {
        for (let i = 0; !stopped; i++) {
          const from = lane * 1_000_000 + i * 20;
          const answer = await postBatch(server.url, events(from, 20)).catch(() => undefined);
          if (answer === undefined || answer.status === 503) return;
          expect(answer.status, answer.text).toBe(200);
          acknowledged += answer.body.accepted;
        }
      };
      const senders = Array.from({ length: 8 }, (_, lane) => sender(lane));
      await until("some load", () => acknowledged > 2000);
      const exit = await server.stop(signal);
      stopped = true;
      await Promise.all(senders);
      expect(exit).toEqual({ code: 0, signal: null });
      const again = await startServer(data);
      const stored = Number(await count(again.url));
      expect(stored).toBeGreaterThanOrEqual(acknowledged);
      expect(stored % 20).toBe(0);
    },
  );

  test("ack=memory: what was taken is on disk after a graceful stop", async () => {
    const data = dataFolder();
    const server = await startServer(data);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        postBatch(server.url, events(i * 100, 100), {}, "?ack=memory"),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(202));
    await server.stop();
    const again = await startServer(data);
    expect(await count(again.url)).toBe(2000);
  });
});

describe("a second process", () => {
  test("on the same folder ends with a clear error, and the first goes on", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    await postBatch(first.url, events(0, 10));
    const second = spawnServer(data);
    const exit = await second.exited;
    expect(exit.code).toBeGreaterThan(0);
    expect(second.output).toContain(data);
    expect(second.output).toMatch(/another process/);
    expect(second.output).not.toMatch(/^\s+at /m);
    await postBatch(first.url, events(10, 10));
    expect(await count(first.url)).toBe(20);
  });
});

describe("bytes that are not what was written", () => {
  test.each([
    ["in its middle", (bytes: Buffer) => flipped(bytes, bytes.length >> 1)],
    ["in its head", (bytes: Buffer) => flipped(bytes, 16)],
    ["in its magic", (bytes: Buffer) => flipped(bytes, 0)],
    ["by its end", (bytes: Buffer) => bytes.subarray(0, bytes.length - 16)],
    ["to nothing", () => Buffer.alloc(0)],
  ])(
    "a journal record that was changed %s stops the start; nothing is lost when it is mended",
    async (_name, change) => {
      const data = dataFolder();
      const first = await startServer(data);
      for (let i = 0; i < 3; i++) await postBatch(first.url, events(i * 10, 10));
      await first.kill();
      const copy = dataFolder();
      cpSync(data, copy, { recursive: true });
      expect(
        await rewrite(copy, "journal", ({ value }, i) => (i === 1 ? change(value) : undefined)),
      ).toBe(1);
      const broken = spawnServer(copy);
      const exit = await broken.exited;
      expect(exit.code, broken.output).toBeGreaterThan(0);
      expect(broken.output).toMatch(/journal record/i);
      expect(broken.output).toMatch(/corrupt|checksum|magic|version|bounds|length/i);
      const whole = await startServer(data);
      expect(await count(whole.url)).toBe(30);
    },
  );

  test("a sealed column that was changed fails the queries that need it, and no others", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    for (let i = 0; i < 14; i++) await postBatch(first.url, events(i * 10_000, 10_000));
    // Sealed rows leave the journal: then the column is the only place where they are.
    const metas: SegmentMeta[] = [];
    await until("a sealed segment", async () => {
      const { text } = await get(first.url, "/api/v1/metrics");
      return /segments?\S* [1-9]/.test(text);
    });
    await first.stop();
    await rewrite(data, "segments", ({ value }) => {
      metas.push(decodeSegmentMeta(value));
      return undefined;
    });
    expect(metas).toHaveLength(1);
    const column = metas[0]?.columns.findIndex(({ path }) => path === "properties.n") ?? -1;
    const changed = await rewrite(data, "columns", ({ key, value }) =>
      key.readUInt16BE(4) === column ? flipped(value, value.length >> 1) : undefined,
    );
    expect(changed).toBe(1);
    const second = await startServer(data);
    await expect(sql(second.url, "SELECT sum(properties.n) FROM events")).rejects.toThrow(
      /segment 1.*properties\.n.*checksum/,
    );
    const words = await sql(
      second.url,
      "SELECT count(*), min(properties.word), max(properties.word) FROM events",
    );
    expect(words.rows).toEqual([[140_000, "w0", "w9"]]);
    // Rows that are not sealed yet are answered, and new ones are taken.
    expect((await postBatch(second.url, events(500_000, 10, "new"))).body.accepted).toBe(10);
    expect(await allEvents(second.url, { event_type: "new" })).toHaveLength(10);
  }, 60_000);

  test("a sealed column of ids that was changed is told at the start, and costs only its ids", async () => {
    const data = dataFolder();
    const first = await startServer(data);
    const withIds = (from: number) =>
      events(from, 10_000).map((event, i) => ({
        id: `018f2f6e-0000-7000-8000-${(from + i).toString(16).padStart(12, "0")}`,
        ...event,
      }));
    for (let i = 0; i < 14; i++) await postBatch(first.url, withIds(i * 10_000));
    await until("a sealed segment", async () => {
      const { text } = await get(first.url, "/api/v1/metrics");
      return /segments?\S* [1-9]/.test(text);
    });
    await first.stop();
    const changed = await rewrite(data, "columns", ({ key, value }) =>
      key.readUInt16BE(4) === 0 ? flipped(value, value.length >> 1) : undefined,
    );
    expect(changed).toBe(1);
    const second = await startServer(data);
    expect(second.output).toMatch(/segment 1: column id .*checksum.*duplicates/);
    expect(await count(second.url)).toBe(140_000);
    // Ids that are not sealed yet are still known.
    const again = await postBatch(second.url, withIds(130_000));
    expect(again.body).toMatchObject({ accepted: 0, duplicates: 10_000 });
  }, 60_000);
});

describe("a wrong start", () => {
  test.each([
    [["--port", "99999"], /--port/],
    [["--no-such-flag"], /--no-such-flag/],
    [["--hot-memory", "lots"], /--hot-memory/],
  ])("%j is refused by name", async (flags, message) => {
    const server = spawnServer(dataFolder(), ...flags);
    expect((await server.exited).code).toBeGreaterThan(0);
    expect(server.output).toMatch(message);
  });
});

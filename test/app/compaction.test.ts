import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { open } from "lmdb";
import { describe, expect, test } from "vitest";
import { Store } from "../../src/storage/store.ts";
import { get, sql } from "../support/api.ts";
import { pick } from "../support/made-rows.ts";
import type { MadeRow } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { Sealing } from "../support/sealed-segments.ts";
import { dataFolder, spawnServer, startServer, type TestServer, until } from "../support/server.ts";

// The built server merges small segments that it finds in its data folder: killed at any moment, asked all the
// while, and with damage in what it merges or has merged.

const SEED = Number(process.env.MILLRACE_COMPACTION_SEED ?? 20_261_123);
const ROUNDS = Number(process.env.MILLRACE_COMPACTION_KILL_ROUNDS ?? 8);

/** Every cell follows from the row's sequence. */
function row(sequence: number): MadeRow {
  const id = Buffer.alloc(16, sequence % 7);
  id.writeUInt32BE(sequence, 12);
  return {
    id,
    timestampUs: 1_795_435_200_000_000n + BigInt(sequence * 1000),
    cells: new Map<string, string | bigint | number>([
      ["event_type", `type ${sequence % 5}`],
      ["user_id", `user ${(sequence * 7919) % 5000}`],
      ["properties.n", BigInt(sequence)],
      ["properties.ratio", sequence / 8],
      ...(sequence % 3 === 0 ? [["properties.sparse", `s${sequence % 40}`] as const] : []),
    ]),
  };
}

/** Stores small segments, as a server with a short age of retention would, and answers how many rows they have. */
async function storeSegments(data: string, count: number, seed: number): Promise<number> {
  const sealing = new Sealing(16, 32);
  const random = mulberry32(seed);
  const store = new Store(data);
  let next = 1;
  for (let id = 1; id <= count; id++) {
    const rows = Array.from({ length: 100 + pick(random, 100) }, (_, i) => row(next + i));
    const options = { receivedAtUs: BigInt(next), duplicates: 1, rejected: 2 };
    await store.commit({ sealed: [sealing.seal(id, BigInt(next), [{ rows, options }])] });
    next += rows.length;
  }
  await store.close();
  return next - 1;
}

const QUESTIONS = [
  "SELECT count(*) FROM events",
  "SELECT count(*), sum(properties.n), min(properties.n), max(properties.n) FROM events",
  "SELECT event_type, count(*), sum(properties.n) FROM events GROUP BY event_type ORDER BY event_type",
  "SELECT count(*) FROM events WHERE user_id = 'user 7'",
  "SELECT count(properties.sparse), sum(properties.ratio) FROM events",
];

function rightAnswers(rows: number): unknown[][][] {
  const numbers = Array.from({ length: rows }, (_, i) => i + 1);
  const sum = (list: readonly number[]) => list.reduce((total, n) => total + n, 0);
  const types = [0, 1, 2, 3, 4].map((type) => numbers.filter((n) => n % 5 === type));
  return [
    [[rows]],
    [[rows, sum(numbers), 1, rows]],
    types.map((list, type) => [`type ${type}`, list.length, sum(list)]),
    [[numbers.filter((n) => (n * 7919) % 5000 === 7).length]],
    [[numbers.filter((n) => n % 3 === 0).length, sum(numbers) / 8]],
  ];
}

async function metric(server: TestServer, name: string): Promise<number> {
  const { text } = await get(server.url, "/metrics");
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** What lies in the folder: gapless segments, each with all its columns, and nothing besides. */
async function checkFolder(data: string, rows: number): Promise<number> {
  const store = new Store(data);
  const metas = store.segments();
  await store.close();
  let next = 1n;
  const expected = new Set<string>();
  for (const { id, firstSequence, rows: count, columns } of metas) {
    expect(firstSequence, `segment ${id} begins where the one before ends`).toBe(next);
    next += BigInt(count);
    columns.forEach((_, index) => {
      const key = Buffer.alloc(6);
      key.writeUInt32BE(id);
      key.writeUInt16BE(index, 4);
      expected.add(key.toString("hex"));
    });
  }
  expect(next).toBe(BigInt(rows + 1));
  const options = { encoding: "binary", keyEncoding: "binary" } as const;
  const root = open<Buffer, Buffer>({
    path: join(data, "millrace.mdb"),
    noSubdir: true,
    maxDbs: 8,
    ...options,
  });
  const columns = root.openDB<Buffer, Buffer>("columns", options);
  const keys = [...columns.getKeys()].map((key) => Buffer.from(key).toString("hex"));
  await root.close();
  expect(new Set(keys.filter((key) => key.length === 12))).toEqual(expected);
  for (const key of keys) expect(expected.has(key.slice(0, 12)), `orphan ${key}`).toBe(true);
  return metas.length;
}

test(`${ROUNDS} kills while segments are merged leave the old or the new, seed ${SEED}`, {
  timeout: 90_000 + ROUNDS * 5000,
}, async () => {
  const data = dataFolder();
  const rows = await storeSegments(data, 200, SEED);
  const answers = rightAnswers(rows);
  const random = mulberry32(SEED);
  const counts: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = spawnServer(data);
    await delay(250 + random() * 450);
    await server.kill();
    counts.push(await checkFolder(data, rows));
  }
  const server = await startServer(data);
  for (const [i, question] of QUESTIONS.entries()) {
    expect((await sql(server.url, question)).rows, `${question} ${counts}`).toEqual(answers[i]);
  }
  await until(
    "the rest to be merged",
    async () => {
      const { body } = await get<{ segments: number }>(server.url, "/api/v1/health");
      return body.segments < 12;
    },
    60_000,
  );
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(await checkFolder(data, rows)).toBeLessThan(12);
});

test("a query that runs while segments are merged sees every row once", {
  timeout: 120_000,
}, async () => {
  const data = dataFolder();
  const rows = await storeSegments(data, 200, SEED + 1);
  const answers = rightAnswers(rows);
  const server = await startServer(data, "--query-workers", "2");
  let merged = false;
  let asked = 0;
  const ask = async (first: number): Promise<void> => {
    for (let i = first; !merged; i++) {
      const question = QUESTIONS[i % QUESTIONS.length] as string;
      const got = (await sql(server.url, question)).rows;
      expect(got, `${question}, asked as number ${asked}`).toEqual(answers[i % QUESTIONS.length]);
      asked++;
    }
  };
  const asking = Promise.all([ask(0), ask(1), ask(3)]);
  try {
    await until(
      "all to be merged",
      async () => {
        const { body } = await get<{ segments: number }>(server.url, "/api/v1/health");
        return body.segments < 12;
      },
      60_000,
    );
    await delay(50);
  } finally {
    merged = true;
  }
  await asking;
  expect(asked).toBeGreaterThan(20);
  expect(await metric(server, "compactions_total")).toBeGreaterThanOrEqual(3);
  expect(await metric(server, "compaction_rows_total")).toBeLessThan(rows * 3);
  expect(await metric(server, "stored_rows")).toBe(rows);
  expect(await metric(server, "segments")).toBeLessThan(12);
  // Ids were loaded from small segments or merged ones: duplicates are found either way.
  const known = row(rows - 5).id;
  const hex = Buffer.from(known).toString("hex");
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const answer = await fetch(`${server.url}/api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, event_type: "again" }),
  });
  expect(await answer.json()).toMatchObject({ accepted: 0, duplicates: 1 });
});

describe("damage", () => {
  /** Turns one bit of a column of a segment over. */
  async function flip(data: string, segmentId: number, column: number): Promise<void> {
    const options = { encoding: "binary", keyEncoding: "binary" } as const;
    const path = join(data, "millrace.mdb");
    const root = open<Buffer, Buffer>({ path, noSubdir: true, maxDbs: 8, ...options });
    const columns = root.openDB<Buffer, Buffer>("columns", options);
    const key = Buffer.alloc(6);
    key.writeUInt32BE(segmentId);
    key.writeUInt16BE(column, 4);
    const value = Buffer.from(columns.get(key) as Buffer);
    value[value.length >> 1] = (value[value.length >> 1] as number) ^ 8;
    await columns.put(key, value);
    await root.flushed;
    await root.close();
  }

  async function columnIndex(data: string, segmentId: number, path: string): Promise<number> {
    const store = new Store(data);
    const meta = store.segments().find(({ id }) => id === segmentId);
    await store.close();
    return meta?.columns.findIndex((one) => one.path === path) ?? -1;
  }

  test("in a merged segment is refused with an error that names it", async () => {
    const data = dataFolder();
    await storeSegments(data, 20, SEED + 2);
    const first = await startServer(data);
    await until("a merge", async () => (await metric(first, "compactions_total")) > 0);
    await first.stop();
    const store = new Store(data);
    const merged = store.segments().find(({ id }) => id > 20);
    await store.close();
    const id = merged?.id ?? 0;
    await flip(data, id, await columnIndex(data, id, "properties.n"));
    const second = await startServer(data);
    await expect(sql(second.url, "SELECT sum(properties.n) FROM events")).rejects.toThrow(
      new RegExp(`segment ${id}: column properties\\.n .*checksum`),
    );
    expect((await sql(second.url, "SELECT sum(properties.ratio) FROM events")).rows.length).toBe(1);
  });

  test("in a small segment leaves it as it is, the log says so, and others are merged", async () => {
    const data = dataFolder();
    const rows = await storeSegments(data, 16, SEED + 3);
    await flip(data, 4, await columnIndex(data, 4, "properties.ratio"));
    const server = await startServer(data);
    await until("the log to tell", () => server.output.includes("could not be merged"));
    expect(server.output).toMatch(
      /could not be merged: segment 4: column properties\.ratio .*checksum/,
    );
    await until("the others", async () => (await metric(server, "compactions_total")) > 0);
    expect((await sql(server.url, "SELECT count(properties.n) FROM events")).rows).toEqual([
      [rows],
    ]);
    await expect(sql(server.url, "SELECT sum(properties.ratio) FROM events")).rejects.toThrow(
      /segment 4: column properties\.ratio .*checksum/,
    );
    await server.stop();
    expect(await checkFolder(data, rows), "1 to 4 and few others").toBeLessThan(9);
  });
});

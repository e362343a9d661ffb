import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Millrace, OpenOptions, StoredEvent } from "../../src/index.ts";
import { sql } from "../support/api.ts";
import { dataFolder, until } from "../support/server.ts";
import { root } from "../support/sources.ts";

// The built package as a program uses it in its own process.

type Library = typeof import("../../src/index.ts");

let library: Library;
beforeAll(async () => {
  library = (await import(join(root, "dist/index.js"))) as Library;
});

const small: OpenOptions = { hotMemoryBytes: "16MiB", dedupIds: 1024, queryWorkers: 1 };

async function open(data = dataFolder(), options: OpenOptions = {}): Promise<Millrace> {
  const db = await library.openMillrace({ ...small, data, ...options });
  onTestFinished(() => db.close());
  return db;
}

const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 12, 0, second));
const purchase = (n: number) => ({
  event_type: "purchase",
  timestamp: at(n),
  user_id: `u${n % 3}`,
  properties: { n, big: 9007199254740993n, tags: [n, { deep: 2n ** 60n }] },
});

describe("one engine", () => {
  let data: string;
  let db: Millrace;
  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), "millrace-test-"));
    db = await library.openMillrace({ ...small, data });
    await db.ingest(Array.from({ length: 10 }, (_, n) => purchase(n)));
  });
  afterAll(async () => {
    await db.close();
    rmSync(data, { recursive: true, force: true });
  });

  test("keeps integers, dates and JSON on their way in and out", async () => {
    const table = await db.query(
      "SELECT timestamp, properties.n, properties.big, properties.tags FROM events WHERE properties.n = $1",
      [7],
    );
    expect(table.rows).toEqual([
      ["2026-11-23T12:00:07.000Z", 7, 9007199254740993n, [7, { deep: 2n ** 60n }]],
    ]);
    expect(table.columns.map(({ name }) => name)).toEqual(["timestamp", "n", "big", "tags"]);
    expect(table.asOf).toBe(11n);
    expect(table.stats.rowsMatched).toBe(1);
  });

  test("rows are objects by name", async () => {
    const table = await db.query<{ user_id: string; n: number }>(
      "SELECT user_id, count(*) AS n FROM events GROUP BY user_id ORDER BY user_id",
    );
    expect(table.objects()).toEqual([
      { user_id: "u0", n: 4 },
      { user_id: "u1", n: 3 },
      { user_id: "u2", n: 3 },
    ]);
    let sum = 0;
    for (const { n } of table) sum += n;
    expect(sum).toBe(10);
  });

  test("a result as text", async () => {
    const pieces: Uint8Array[] = [];
    const query = "SELECT properties.n FROM events WHERE properties.n < $1 ORDER BY n";
    for await (const piece of db.text("csv", query, [2])) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe("n\r\n0\r\n1\r\n");
  });

  test("takes the JSON form", async () => {
    const table = await db.query({ select: [{ fn: "sum", field: "properties.n", as: "s" }] });
    expect(table.rows).toEqual([[45]]);
  });

  test("answers what looks around, and explains", async () => {
    const described = await db.query<{ column: string; type: string }>("DESCRIBE events");
    expect(described.objects()).toContainEqual(
      expect.objectContaining({ column: "properties.big", type: "numeric" }),
    );
    expect((await db.query("SHOW TABLES")).rows).toContainEqual(["public", "events"]);
    const plan = await db.query("EXPLAIN SELECT count(*) FROM events");
    expect(plan.columns[0]?.name).toBe("QUERY PLAN");
    let text = "";
    for await (const piece of db.text("csv", "SHOW TABLES")) text += Buffer.from(piece).toString();
    expect(text).toBe("schema,name\r\npublic,events\r\n");
    const timed = await db.query(
      "SELECT now() AS at, interval '26 hours' AS span FROM events LIMIT 1",
    );
    expect(timed.rows[0]).toEqual([expect.stringMatching(/^2\d{3}-.*Z$/), "PT26H"]);
  });

  test("says where a statement is wrong", async () => {
    await expect(db.query("SELECT nonsense FROM events")).rejects.toMatchObject({
      name: "InputError",
      detail: { position: 8 },
    });
  });

  test("a query that is given up is rejected", async () => {
    await expect(
      db.query("SELECT count(*) FROM events", [], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "query_cancelled" });
  });

  test("pages of events, and all of them", async () => {
    const page = await db.events({ from: at(2), to: "2026-11-23T12:00:08Z", limit: 4 });
    expect(page.events.map(({ sequence }) => sequence)).toEqual(["3", "4", "5", "6"]);
    expect(page.events[0]?.properties?.big).toBe(9007199254740993n);
    const rest = await db.events({
      from: at(2),
      to: "2026-11-23T12:00:08Z",
      limit: 4,
      cursor: page.nextCursor as string,
    });
    expect([rest.events.length, rest.nextCursor]).toEqual([2, null]);
    const numbers: unknown[] = [];
    for await (const event of db.eachEvent({
      where: "properties.n >= 5",
      limit: 2,
      order: "desc",
    })) {
      numbers.push(event.properties?.n);
    }
    expect(numbers).toEqual([9, 8, 7, 6, 5]);
    await expect(db.events({ from: "yesterday" })).rejects.toThrow(/from: got yesterday/);
    await expect(db.events({ where: "x >" })).rejects.toMatchObject({ name: "InputError" });
  });

  test("bytes go in as they are: NDJSON, JSON, MessagePack", async () => {
    const bytes = (text: string) => Buffer.from(text);
    const one = await db.ingest(bytes('{"event_type":"raw","properties":{"n":100}}\nnonsense\n'));
    expect(one).toMatchObject({ accepted: 1, rejected: 1 });
    expect(one.errors[0]?.index).toBe(1);
    const two = await db.ingest(bytes('{"events":[{"event_type":"raw"}]}'), { format: "json" });
    expect(two.accepted).toBe(1);
    const map = Buffer.concat([
      Buffer.from([0x91, 0x81, 0xa4]),
      bytes("kind"),
      Buffer.from([0xa1, 0x78]),
    ]);
    const three = await db.ingest(map, { format: "msgpack", mapping: { event_type: "kind" } });
    expect(three.accepted).toBe(1);
    await expect(db.ingest(bytes("[1"), { format: "json" })).rejects.toMatchObject({
      name: "InputError",
    });
  });

  test("an event that JSON has no text for is rejected alone", async () => {
    const events = [{ event_type: "odd" }, undefined as never, { event_type: "odd" }];
    const receipt = await db.ingest(events, { ack: "memory" });
    expect(receipt).toMatchObject({ accepted: 2, rejected: 1, errors: [{ index: 1 }] });
    expect(receipt.sequences).toBeUndefined();
    await expect(db.ingest(purchase(1), { format: "ndjson" })).rejects.toThrow(/format/);
    expect((await db.ingest([])).accepted).toBe(0);
  });

  test("many objects are several bodies and one receipt", async () => {
    const many = Array.from({ length: 50_000 }, (_, n) => ({
      event_type: n === 45_000 ? "" : "many",
      properties: { n },
    }));
    const receipt = await db.ingest(many);
    expect(receipt).toMatchObject({ accepted: 49_999, rejected: 1, errors: [{ index: 45_000 }] });
    expect(receipt.sequences).toHaveLength(1);
    const { rows } = await db.query(
      "SELECT count(*), sum(properties.n) FROM events WHERE event_type = 'many'",
    );
    expect(rows).toEqual([[49_999, (50_000 * 49_999) / 2 - 45_000]]);
    let sum = 0;
    for await (const { n } of db.rows<{ n: number }>(
      "SELECT properties.n AS n FROM events WHERE event_type = 'many'",
    )) {
      sum += n;
    }
    expect(sum).toBe(rows[0]?.[1]);
    let taken = 0;
    for await (const _ of db.rows("SELECT id FROM events")) if (++taken === 10) break;
    expect(taken).toBe(10);
    await expect(db.ingest(many, { idempotencyKey: "k" })).rejects.toThrow(/idempotencyKey/);
  });

  test("live: what is stored next, at the listener's pace", async () => {
    const seen: StoredEvent[] = [];
    let release = () => {};
    const live = db.subscribe({ where: "event_type = 'live'" }, (events) => {
      seen.push(...events);
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    await db.ingest([{ event_type: "live", properties: { n: 1 } }, { event_type: "other" }]);
    await until("the first event", () => seen.length === 1);
    await db.ingest({ event_type: "live", properties: { n: 2 } });
    expect(seen).toHaveLength(1);
    const before = live.cursor;
    release();
    await until("the second event", () => seen.length === 2);
    release();
    await until("the place after it", () => live.cursor !== before);
    const { cursor } = live;
    live.close();
    await db.ingest({ event_type: "live", properties: { n: 3 } });
    const resumed: unknown[] = [];
    const again = db.subscribe({ cursor, where: "event_type = 'live'" }, (events) => {
      resumed.push(...events.map(({ properties }) => properties?.n));
    });
    await until("what came meanwhile", () => resumed.length > 0);
    expect(resumed).toEqual([3]);
    again.close();
  });

  test("live: a condition that can't be read ends in `failed`", async () => {
    const error = await new Promise((resolve) => {
      db.subscribe({ where: "nonsense >" }, { events: () => {}, failed: resolve });
    });
    expect(error).toMatchObject({ name: "InputError" });
    const thrown = await new Promise((resolve) => {
      const events = () => {
        throw new Error("mine");
      };
      db.subscribe({ from: "earliest" }, { events, failed: resolve });
    });
    expect(thrown).toMatchObject({ message: "mine" });
  });

  test("listens, over the same events", async () => {
    const server = await db.listen({ port: 0 });
    const { rows } = await sql(
      server.url,
      "SELECT count(*) FROM events WHERE event_type = 'purchase'",
    );
    expect(rows).toEqual([[10]]);
    expect(await server.stop(1000)).toBe(true);
  });
});

test("what was stored is there when it is opened again; closing twice is closing once", async () => {
  const data = dataFolder();
  const first = await open(data);
  await first.ingest(purchase(1));
  const last = first.ingest(purchase(2), { ack: "memory" });
  await last;
  await Promise.all([first.close(), first.close()]);
  await expect(first.query("SELECT count(*) FROM events")).rejects.toMatchObject({
    code: "closed",
  });
  await expect(first.ingest(purchase(3))).rejects.toMatchObject({ code: "closed" });
  expect(() => first.subscribe({}, () => {})).toThrow(/closed/);
  const second = await open(data);
  expect((await second.query("SELECT count(*) FROM events")).rows).toEqual([[2]]);
});

test("a folder is one engine's; another folder is another's", async () => {
  const data = dataFolder();
  const first = await open(data);
  await expect(library.openMillrace({ ...small, data })).rejects.toMatchObject({
    code: "data_folder_in_use",
  });
  const other = await open();
  await other.ingest(purchase(1));
  expect((await first.query("SELECT count(*) FROM events")).rows).toEqual([[0]]);
  await first[Symbol.asyncDispose]();
  await open(data);
});

test("settings are values or text, and are checked by name", async () => {
  const { openMillrace } = library;
  const data = dataFolder();
  await expect(openMillrace({ data, hotMemoryBytes: 5 })).rejects.toThrow(/--hot-memory: got "5"/);
  const odd = { data, hotMemoryByte: "1GiB" } as OpenOptions;
  await expect(openMillrace(odd)).rejects.toThrow(/hotMemoryByte: no such setting; did you mean/);
  const db = await open(data, { heartbeatMs: 1500, retentionAgeMs: null, allowedOrigins: ["*"] });
  expect(db.config).toMatchObject({
    heartbeatMs: 1500,
    retentionAgeMs: null,
    allowedOrigins: ["*"],
  });
});

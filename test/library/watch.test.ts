import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { LiveWindow, Millrace, WatchMessage, WindowsUpdate } from "../../src/index.ts";
import { dataFolder, until } from "../support/server.ts";
import { root } from "../support/sources.ts";

// Live windows in one's own process, with the built package.

type Library = typeof import("../../src/index.ts");

let library: Library;
beforeAll(async () => {
  library = (await import(join(root, "dist/index.js"))) as Library;
});

async function open(): Promise<Millrace> {
  const db = await library.openMillrace({
    hotMemoryBytes: "16MiB",
    dedupIds: 1024,
    queryWorkers: 1,
    data: dataFolder(),
  });
  onTestFinished(() => db.close());
  return db;
}

const sums = {
  name: "sums",
  sql: "SELECT time_bucket('1 minute', timestamp), source, sum(properties.n) AS n FROM events GROUP BY 1, source",
};

const add = (db: Millrace, minute: number, n: number | bigint) =>
  db.ingest({
    event_type: "e",
    source: "web",
    timestamp: new Date(Date.UTC(2026, 10, 23, 12, minute)),
    properties: { n },
  });

/** Takes updates until a window holds. */
async function seek(
  updates: AsyncIterator<WindowsUpdate>,
  holds: (window: LiveWindow) => boolean,
): Promise<WindowsUpdate> {
  for (;;) {
    const { done, value } = await updates.next();
    if (done) throw new Error("it has ended");
    if (value.windows.some(holds)) return value;
  }
}

test("windows of a rule are taken as they change, and end with it", async () => {
  const db = await open();
  await db.aggregations.create(sums);
  const updates = db.watch({ rule: "sums", pace: 50 });
  expect((await updates.next()).value).toMatchObject({
    rule: "sums@1",
    windows: [],
    snapshot: true,
    more: false,
    groupsLeftOff: 0,
  });
  expect(updates.cursor).toBeNull();
  await add(db, 0, 9007199254740993n);
  const early = await seek(updates, ({ count }) => count === 1);
  expect(early).toMatchObject({ snapshot: false });
  expect(early.windows).toMatchObject([
    {
      start: "2026-11-23T12:00:00.000Z",
      group: { source: "web" },
      values: { n: 9007199254740993n },
      late: 0,
      state: "early",
      final: false,
    },
  ]);
  await add(db, 5, 1);
  const last = await seek(updates, ({ final }) => final);
  expect(updates.cursor).not.toBe(last.cursor);
  const waiting = updates.next();
  await db.aggregations.delete("sums");
  // What was still to be told comes first.
  while (!(await updates.next()).done);
  await waiting;
  expect(await updates.next()).toEqual({ done: true, value: undefined });
});

test("a slow reader finds each window once, in its newest state, and is told", async () => {
  const db = await open();
  await db.aggregations.create(sums);
  const told: WatchMessage[] = [];
  const updates = db.watch({ rule: "sums", pace: 50, told: (message) => void told.push(message) });
  await updates.next();
  const figures = db.watch({ rule: "sums", pace: 50 });
  for (const n of [1, 2, 3]) {
    await add(db, 0, n);
    await seek(figures, ({ count }) => count === n);
  }
  const { value } = await updates.next();
  expect(value?.windows).toMatchObject([{ count: 3, values: { n: 6 } }]);
  expect(told).toEqual([{ type: "coalesced", updates: expect.any(Number) }]);
  await db.aggregations.pause("sums");
  await db.aggregations.resume("sums");
  await db.aggregations.replace("sums", { sql: sums.sql, allowed_lateness: "0s" });
  // The windows of the first version may become final before.
  let next = await updates.next();
  while (next.value?.rule === "sums@1") next = await updates.next();
  expect(next.value).toMatchObject({ rule: "sums@2", snapshot: true, windows: [] });
  expect(told.filter(({ type }) => type !== "coalesced")).toEqual([
    { type: "paused" },
    { type: "resumed" },
    { type: "version", rule: "sums@2" },
  ]);
  figures.close();
  updates.close();
  expect((await updates.next()).done).toBe(true);
});

test("a listener of a question has its updates one after the other, until it is closed", async () => {
  const db = await open();
  // By the clock: windows that the watermark passed before it was asked are not shown.
  const addNow = (n: number) => db.ingest({ event_type: "e", source: "web", properties: { n } });
  await addNow(1);
  const seen: WindowsUpdate[] = [];
  let busy = 0;
  const live = db.watch(
    { sql: sums.sql.replace("minute", "year"), pace: "50ms" },
    async (update) => {
      busy++;
      await new Promise((resolve) => setImmediate(resolve));
      expect(busy--).toBe(1);
      seen.push(update);
    },
  );
  await until("the window", () => seen.at(-1)?.windows.length === 1);
  expect(seen[0]).toMatchObject({ rule: null, snapshot: true });
  expect(seen.at(-1)?.windows).toMatchObject([{ count: 1, group: { source: "web" } }]);
  await addNow(41);
  await until("a change", () => seen.at(-1)?.windows[0]?.values.n === 42);
  await until("the cursor", () => live.cursor === seen.at(-1)?.cursor);
  live.close();
  const whole = db.watch({ query: { select: [{ fn: "count", as: "n" }] } });
  expect((await whole.next()).value?.windows).toEqual([
    { start: null, end: null, group: {}, values: { n: 2 }, state: "early", final: false },
  ]);
});

test("one that comes back goes on at its cursor", async () => {
  const db = await open();
  await db.aggregations.create(sums);
  await add(db, 0, 1);
  const first = db.watch({ rule: "sums", pace: 50 });
  const { cursor } = await seek(first, ({ count }) => count === 1);
  first.close();
  const second = db.watch({ rule: "sums", pace: 50, cursor });
  await add(db, 0, 41);
  const { value } = await second.next();
  expect(value).toMatchObject({ snapshot: false, windows: [{ count: 2, values: { n: 42 } }] });
  // Leaving a loop closes what it went through.
  await add(db, 0, 1);
  for await (const { windows } of second) if (windows[0]?.count === 3) break;
  expect((await second.next()).done).toBe(true);
});

test("what can't be watched is refused, and what is watched ends with the engine", async () => {
  const db = await open();
  expect(() => db.watch({})).toThrow(/got none of rule, sql and query/);
  expect(() => db.watch({ rule: "a", pace: 1 })).toThrow(/#\/pace/);
  await expect(db.watch({ rule: "nothing" }).next()).rejects.toMatchObject({
    code: "rule_not_found",
  });
  const failed = await new Promise((resolve) => {
    db.watch({ sql: "SELECT nothing FROM events" }, { windows: () => {}, failed: resolve });
  });
  expect(failed).toMatchObject({ code: "unknown_column" });
  const thrown = await new Promise((resolve) => {
    const windows = () => Promise.reject(new Error("no more"));
    db.watch({ sql: sums.sql }, { windows, failed: resolve });
  });
  expect(thrown).toMatchObject({ message: "no more" });
  const updates = db.watch({ sql: sums.sql });
  await updates.next();
  const waiting = updates.next();
  const ended = new Promise<void>((resolve) => {
    db.watch({ sql: sums.sql }, { windows: () => {}, ended: resolve });
  });
  await db.close();
  expect((await waiting).done).toBe(true);
  await ended;
  expect(() => db.watch({ sql: sums.sql })).toThrow(/closed/);
});

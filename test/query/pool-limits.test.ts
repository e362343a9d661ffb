// What keeps one query from harming the others: time, memory, kills, workers that die, clients that read slowly.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResultText } from "../../src/engine/engine.ts";
import type { QueryPool } from "../../src/engine/query-pool.ts";
import { barePath } from "../../src/query/expression/expression.ts";
import type { Query } from "../../src/query/query.ts";
import type { QueryResult } from "../../src/query/result.ts";
import { resultBytes } from "../../src/query/result-text.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { batchOf, PoolStand } from "../support/pool-bed.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";
import { until } from "../support/server.ts";

const all = parseSql("SELECT count(*) AS n FROM events");
const byId = parseSql("SELECT id, count(*) AS n FROM events GROUP BY id ORDER BY id LIMIT 3");
/** Every row is a group of its own, and its key is computed. */
const slow: Query = {
  ...byId,
  groupBy: byId.groupBy.map(({ of, as }) => {
    const args = [of, barePath("user_id"), barePath("sequence")];
    return { of: { kind: "call", type: "string", fn: "concat", args }, as };
  }),
};
/** Its rows go out as they are found. */
const rows = parseSql("SELECT sequence, user_id, properties.price FROM events");
/** All of its rows are needed before the first can go out. */
const sorted = parseSql(
  "SELECT sequence, user_id, properties.price FROM events ORDER BY properties.price, sequence",
);
const total = 60_000;

describe("guard rails", () => {
  let stand: PoolStand;
  let pool: QueryPool;
  const metas: Uint8Array[] = [];

  beforeAll(async () => {
    stand = new PoolStand();
    const batch = batchOf(makeRows(mulberry32(5), 5000));
    for (let segment = 0; segment < 3; segment++) {
      stand.bed.repeat(batch, 4);
      metas.push(await stand.bed.seal(true));
    }
    pool = stand.open();
    pool.segments(metas, []);
  });

  afterAll(() => stand.close());

  async function isFine(): Promise<void> {
    expect((await pool.query(all)).rows).toEqual([[total]]);
    await until("the workers to be idle", () => pool.queries().length === 0);
  }

  test("a query that takes too long ends, and says how far it came", async () => {
    const late = pool.query(slow, { timeoutMs: 20 });
    await expect(late).rejects.toMatchObject({
      name: "TimeoutError",
      code: "query_timeout",
      status: 504,
      detail: { timeoutMs: 20 },
    });
    await isFine();
    expect(pool.figures().timeouts).toBe(1);
  });

  test("a query may have less memory than the others", async () => {
    const hungry = pool.query(slow, { memoryBytes: 65_536 });
    await expect(hungry).rejects.toMatchObject({
      name: "LimitError",
      code: "query_memory",
      detail: { limitBytes: 65_536 },
    });
    await isFine();
    expect(pool.figures().overLimit).toBe(1);
    expect(pool.figures().memoryPeak).toBeGreaterThan(65_536);
  });

  test("the list shows what waits and runs, and a kill ends it", async () => {
    const outcomes = ["a", "b", "c"].map((id) =>
      pool.query(slow, { id, text: `slow ${id}`, requestId: `r-${id}` }).catch((error) => error),
    );
    const listed = pool.queries();
    expect(listed.map(({ id }) => id).sort()).toEqual(["a", "b", "c"]);
    expect(listed.find(({ id }) => id === "c")).toMatchObject({
      state: "waiting",
      text: "slow c",
      requestId: "r-c",
      workers: 0,
    });
    expect(pool.kill("c", "a test")).toBe(true);
    expect(pool.kill("a", "a test")).toBe(true);
    expect(pool.kill("nothing", "a test")).toBe(false);
    const [a, b, c] = await Promise.all(outcomes);
    for (const killed of [a, c]) {
      expect(killed).toMatchObject({
        code: "query_cancelled",
        status: 409,
        message: "the query was ended by a test",
      });
    }
    expect((b as QueryResult).rows).toHaveLength(3);
    await isFine();
  });

  test("limits, kills and aborts at random moments leave nothing behind", async () => {
    const seed = 11;
    const random = mulberry32(seed);
    const outcomes = Array.from({ length: 24 }, async (_, i) => {
      const stop = new AbortController();
      const id = `q${i}`;
      const what = Math.floor(random() * 5);
      const delayMs = Math.floor(random() * 200);
      if (what === 0) setTimeout(() => stop.abort(), delayMs);
      if (what === 1) setTimeout(() => pool.kill(id, "chance"), delayMs);
      const options = {
        id,
        signal: stop.signal,
        ...(what === 2 && { timeoutMs: delayMs + 1 }),
        ...(what === 3 && { memoryBytes: 1024 * delayMs + 4096 }),
      };
      const query = random() < 0.5 ? slow : all;
      return pool.query(query, options).then(
        (result) => (query === all ? result.rows : [[total]]),
        (error: { code: string }) => error.code,
      );
    });
    const expected = ["query_cancelled", "query_timeout", "query_memory"];
    for (const outcome of await Promise.all(outcomes)) {
      if (typeof outcome === "string") expect(expected, `seed ${seed}`).toContain(outcome);
      else expect(outcome).toEqual([[total]]);
    }
    await isFine();
  });

  test("short queries go before the end of long ones", async () => {
    // Workers of two pools would decode columns into the same parts of the memory.
    await pool.close();
    const leaving = stand.open({ ownCells: 0, longCells: 200_000 });
    leaving.segments(metas, []);
    const order: string[] = [];
    const long = ["l1", "l2", "l3"].map((id) =>
      leaving.query(slow, { id }).then(() => order.push(id)),
    );
    const short = leaving.query(all, { id: "s" }).then(() => order.push("s"));
    await Promise.all([...long, short]);
    expect(order.indexOf("s")).toBeLessThan(3);
    await leaving.close();
    pool = stand.open();
    pool.segments(metas, []);
  });

  describe.each([
    ["rows as they are found", rows],
    ["rows that are sorted", sorted],
  ])("large results: %s", (_, rows) => {
    let whole: Buffer;

    beforeAll(async () => {
      whole = Buffer.concat([...resultBytes("ndjson", await pool.query(rows))]);
    });

    async function readAll(text: ResultText, pause: () => Promise<unknown>): Promise<Buffer> {
      const pieces = [...text.pieces];
      for (;;) {
        await pause();
        const next = (await text.rest?.next()) ?? [];
        if (next.length === 0) return Buffer.concat(pieces);
        pieces.push(...next);
      }
    }

    test("come in chunks, while the worker answers others", async () => {
      const text = await pool.answer(rows, "ndjson", { id: "large" });
      expect(text.rest).not.toBeNull();
      expect(Buffer.concat(text.pieces).length).toBeLessThan(512 * 1024);
      expect(pool.queries()).toMatchObject([{ id: "large", state: "sending" }]);
      const read = await readAll(text, () => pool.query(all));
      expect(read.equals(whole)).toBe(true);
      expect(pool.queries()).toEqual([]);
    });

    test("come while the worker is at something long", async () => {
      const text = await pool.answer(rows, "ndjson");
      const long = [pool.query(slow), pool.query(slow), pool.query(slow)];
      const read = await readAll(text, async () => {});
      expect(read.equals(whole)).toBe(true);
      await Promise.all(long);
    });

    test("end when nobody wants them, and when they are killed", async () => {
      const text = await pool.answer(rows, "json", { id: "unwanted" });
      text.rest?.cancel();
      expect(pool.queries()).toEqual([]);
      const killed = await pool.answer(rows, "csv", { id: "killed" });
      const told = new Promise((resolve) => killed.rest?.onFailure(resolve));
      expect(pool.kill("killed", "a test")).toBe(true);
      expect(await told).toMatchObject({ code: "query_cancelled" });
      await expect(killed.rest?.next()).rejects.toMatchObject({ code: "query_cancelled" });
      await isFine();
    });
  });

  describe("workers that die", () => {
    let dying: QueryPool;

    beforeAll(() => {
      // Before the worker sees a task it looks whether it is to die of it: by an error, or by its heap.
      const path = join(fileURLToPath(new URL(".", stand.code.url)), "dying-thread.js");
      writeFileSync(
        path,
        `import { parentPort } from "node:worker_threads";
        const early = [];
        let keep = (message) => early.push(message);
        parentPort.on("message", (message) => {
          const limit = message.job?.query?.limit;
          if (limit === 666) process.exit(1);
          if (limit === 667) for (const all = []; ; ) all.push(new Array(100_000).fill(limit));
          keep(message);
        });
        await import("./query-thread.js");
        keep = () => {};
        for (const message of early) parentPort.emit("message", message);`,
      );
      dying = stand.open({ threadUrl: pathToFileURL(path), heapMib: 48 });
      dying.segments(metas, []);
    });

    const deadly = (limit: number): Query => ({ ...all, limit });

    test("are replaced; their queries fail, the others don't", async () => {
      const others = [dying.query(all), dying.query(all)];
      const bug = dying.query(deadly(666));
      const heap = dying.query(deadly(667));
      await expect(bug).rejects.toMatchObject({ code: "query_thread_failed" });
      await expect(heap).rejects.toMatchObject({ code: "query_memory", status: 413 });
      for (const other of others) expect((await other).rows).toEqual([[total]]);
      expect((await dying.query(all)).rows).toEqual([[total]]);
      expect(dying.figures().workersFailed).toBe(2);
    });

    test("take the results that they keep with them", async () => {
      const text = await dying.answer(sorted, "ndjson");
      const failed = new Promise((resolve) => text.rest?.onFailure(resolve));
      await Promise.allSettled([dying.query(deadly(666)), dying.query(deadly(666))]);
      expect(await failed).toMatchObject({ code: "query_thread_failed" });
      expect((await dying.query(all)).rows).toEqual([[total]]);
    });
  });
});

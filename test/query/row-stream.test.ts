// Rows that go out as they are found: page by page, they are the rows of the whole result.

import { setMaxListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResultText } from "../../src/engine/engine.ts";
import type { QueryPool } from "../../src/engine/query-pool.ts";
import type { Query } from "../../src/query/query.ts";
import { type ResultFormat, resultBytes } from "../../src/query/result-text.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { batchOf, PoolStand } from "../support/pool-bed.ts";
import { mulberry32 } from "../support/random.ts";
import { makeRows } from "../support/random-queries.ts";

const batchRows = 800;
const seed = 23;
const wide = "SELECT *, sequence % 3 AS third FROM events";

describe("rows page by page", () => {
  let stand: PoolStand;
  let pool: QueryPool;
  const metas: Uint8Array[] = [];

  beforeAll(async () => {
    stand = new PoolStand();
    const batch = batchOf(makeRows(mulberry32(seed), batchRows));
    // The same times in every segment: pages by time take rows of all of them.
    for (let segment = 0; segment < 4; segment++) {
      stand.bed.repeat(batch, 1);
      metas.push(await stand.bed.seal(true));
    }
    stand.bed.repeat(batch, 1);
  }, 60_000);

  afterAll(() => stand.close());

  async function readAll(text: ResultText, between = async () => {}): Promise<[string, number]> {
    const pieces = [...text.pieces];
    for (let pages = 1; ; pages++) {
      await between();
      const next = (await text.rest?.next()) ?? [];
      if (next.length === 0) return [Buffer.concat(pieces).toString(), pages];
      pieces.push(...next);
    }
  }

  async function whole(query: Query, format: ResultFormat): Promise<string> {
    return Buffer.concat([...resultBytes(format, await pool.query(query))]).toString();
  }

  test("more rows than one result may have are no error, unless the request says so", async () => {
    const few = stand.open({ ownCells: 0, bounds: { rows: 1000 } });
    few.segments(metas, [], 4n * BigInt(batchRows));
    const query = parseSql("SELECT sequence FROM events");
    const [text] = await readAll(await few.answer(query, "csv"));
    expect(text.split("\r\n").length).toBe(5 * batchRows + 2);
    await expect(few.answer(query, "csv", { rowsMax: 10 })).rejects.toMatchObject({
      code: "query_rows",
    });
    const sorted = parseSql("SELECT sequence FROM events ORDER BY source");
    await expect(few.answer(sorted, "csv")).rejects.toMatchObject({
      code: "query_rows",
      message: expect.stringContaining("ordered by timestamp or by sequence"),
    });
    // The pool of the other tests has the same parts of the memory.
    await few.close();
    pool = stand.open({ ownCells: 0 });
    pool.segments(metas, [], 4n * BigInt(batchRows));
  });

  test.each([
    "",
    "ORDER BY timestamp",
    "ORDER BY timestamp DESC",
    "ORDER BY timestamp DESC, sequence DESC",
    "ORDER BY sequence",
    "ORDER BY sequence DESC, source",
    "WHERE source IS NOT NULL AND sequence > 500 ORDER BY timestamp DESC",
    "WHERE source IS NOT NULL AND sequence < 3000",
    "WHERE source = 'none at all'",
    "LIMIT 2600",
    "ORDER BY timestamp LIMIT 2400 OFFSET 900",
    "ORDER BY sequence DESC LIMIT 3000 OFFSET 3",
    "LIMIT 100000 OFFSET 3900",
    "LIMIT 10 OFFSET 9000",
    "LIMIT 0",
  ])("%s", async (rest) => {
    const query = parseSql(`${wide} ${rest}`);
    const [text, pages] = await readAll(await pool.answer(query, "ndjson"));
    expect(text === (await whole(query, "ndjson")), `seed ${seed}`).toBe(true);
    if (text.length > 512 * 1024) expect(pages).toBeGreaterThan(2);
    expect(pool.queries()).toEqual([]);
  });

  test("every format has its head and its end, and says what was read", async () => {
    const query = parseSql(`${wide} WHERE sequence >= 100`);
    const [csv] = await readAll(await pool.answer(query, "csv"));
    expect(csv === (await whole(query, "csv"))).toBe(true);
    const [text] = await readAll(await pool.answer(query, "json"));
    const [got, want] = [JSON.parse(text), JSON.parse(await whole(query, "json"))];
    expect(got.rows.length).toBe(5 * batchRows - 100);
    expect({ ...got, stats: null }).toEqual({ ...want, stats: null });
    expect(Object.keys(got.stats).sort()).toEqual(Object.keys(want.stats).sort());
    const { rows_scanned, rows_matched, segments_scanned, segments_pruned } = want.stats;
    expect(got.stats).toMatchObject({
      rows_scanned,
      rows_matched,
      segments_scanned,
      segments_pruned,
    });
  });

  test("an error of a value comes when its row does", async () => {
    const bad = "SELECT *, 9223372036854775807 - 3500 + sequence AS n FROM events";
    const text = await pool.answer(parseSql(`${bad} WHERE sequence > 1`), "ndjson");
    await expect(readAll(text)).rejects.toMatchObject({
      code: expect.stringMatching(/range|over/),
    });
    expect(pool.queries()).toEqual([]);
    await expect(
      pool.answer(parseSql(`${bad} ORDER BY sequence DESC`), "ndjson"),
    ).rejects.toThrow();
  });

  test("a result that has begun goes on while so many wait that others are turned away", async () => {
    const text = await pool.answer(parseSql(wide), "ndjson");
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const count = parseSql("SELECT count(*) FROM events");
    const others = Array.from({ length: 1100 }, () =>
      pool.query(count, { signal: stop.signal }).catch((error: { code: string }) => error.code),
    );
    const page = text.rest?.next();
    stop.abort();
    expect(await Promise.all(others)).toContain("query_queue_full");
    expect((await page)?.length).toBeGreaterThan(0);
    await readAll(text);
    expect(pool.queries()).toEqual([]);
  });

  test("segments may be merged meanwhile, and rows that come later are not seen", async () => {
    const query = parseSql(`${wide} ORDER BY timestamp`);
    const want = await whole(query, "ndjson");
    const text = await pool.answer(query, "ndjson");
    const { added, dropped } = await stand.bed.compact(1, 3);
    pool.segments([added], dropped);
    stand.bed.repeat(batchOf(makeRows(mulberry32(seed + 1), 50)), 1);
    const [got] = await readAll(text);
    expect(got === want).toBe(true);
  });

  test("rows that are dropped before they were read end it; those that were read don't", async () => {
    const late = await pool.answer(parseSql(`${wide} ORDER BY sequence DESC`), "ndjson");
    const early = await pool.answer(parseSql(wide), "ndjson");
    const first = await early.rest?.next();
    expect(first?.length).toBeGreaterThan(0);
    // Reads on until the first segment is behind.
    const id = await stand.bed.dropOldest(() => {});
    pool.segments([], [id]);
    await expect(readAll(late)).rejects.toMatchObject({ code: "snapshot_changed" });
  });
});

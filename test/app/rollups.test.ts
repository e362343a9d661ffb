import { expect, test } from "vitest";
import { post, postBatch, sql } from "../support/api.ts";
import { sharedServer } from "../support/server.ts";

// Questions that a rule's windows answer, as clients see them: the same rows as a scan, and EXPLAIN says who answered.

const shared = sharedServer();
const startMs = Date.parse("2026-01-01T00:00:00Z");

const sales = (seconds: readonly number[]) =>
  seconds.map((second) => ({
    event_type: "sale",
    source: second % 2 === 0 ? "web" : "shop",
    timestamp: new Date(startMs + second * 1000).toISOString(),
    properties: { amount: second },
  }));

const range = "timestamp >= '2026-01-01T00:00:30Z' AND timestamp < '2026-01-01T00:09:30Z'";
const question = (where: string) =>
  `SELECT source, count(*) AS n, sum(properties.amount) AS s FROM events
    WHERE event_type = 'sale' AND ${where} GROUP BY source`;

async function planOf(text: string): Promise<string> {
  const { rows } = await sql(shared.url, `EXPLAIN ANALYZE ${text}`);
  return rows.map(([line]) => line).join("\n");
}

test("an unaligned range and a late event are scanned, the rest comes from windows", async () => {
  const { url } = shared;
  const rule = {
    name: "sold",
    sql: `SELECT time_bucket('1 minute', timestamp) AS t, source, count(*) AS n, sum(properties.amount) AS s
      FROM events WHERE event_type = 'sale' GROUP BY t, source`,
  };
  const made = await post(url, "/api/v1/aggregations", JSON.stringify(rule));
  expect(made.status, made.text).toBe(201);
  await postBatch(url, sales(Array.from({ length: 600 }, (_, i) => i)));
  const wanted = (seconds: number[]) =>
    [1, 0].map((odd) => {
      const own = seconds.filter((second) => second % 2 === odd);
      return [odd ? "shop" : "web", own.length, own.reduce((a, b) => a + b, 0)];
    });
  const within = Array.from({ length: 540 }, (_, i) => 30 + i);
  const before = await sql(url, question(range));
  expect(before.rows).toEqual(wanted(within));
  const plan = await planOf(question(range));
  expect(plan).toContain(
    "Rollup: sold; groups in windows: 16 of 00:01:00; events are scanned of 2026-01-01T00:00:30.000Z",
  );
  expect(plan).toMatch(/Done: \d+ rows read, 60 passed/);
  // Minutes ago by now: its window is final.
  await postBatch(url, sales([125]));
  expect((await sql(url, question(range))).rows).toEqual(wanted([...within, 125]));
  const late = await planOf(question(range));
  expect(late).toContain("2026-01-01T00:02:00.000Z–2026-01-01T00:03:00.000Z");
  expect(late).toContain("were too late");
  expect(late).toMatch(/Done: \d+ rows read, 121 passed/);
  const all = question("timestamp >= '2026-01-01T00:00:00Z'");
  expect((await sql(url, all)).rows).toEqual(
    wanted([...Array.from({ length: 600 }, (_, i) => i), 125]),
  );
  const asked = JSON.stringify({ sql: question(range) });
  const csv = await post(url, "/api/v1/analytics/custom-query", asked, { accept: "text/csv" });
  expect(csv.text.split("\r\n")[0]).toBe("source,n,s");
});

test("a result has no more groups and rows than the question allows, whoever answers", async () => {
  const { url } = shared;
  const text = question("timestamp >= '2026-01-01T00:03:00Z'");
  expect(await planOf(text)).toMatch(/Rollup: sold; groups in windows: \d+ of 00:01:00$/m);
  for (const [limits, code] of [
    [{ max_groups: 1 }, "query_groups"],
    [{ max_rows: 1 }, "query_rows"],
  ] as const) {
    const body = JSON.stringify({ sql: text, ...limits });
    const answer = await post(url, "/api/v1/analytics/custom-query", body);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([413, code]);
  }
});

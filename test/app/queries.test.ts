import { connect } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { get, type Problem, post, postBatch, sql, type Table } from "../support/api.ts";
import { dataFolder, sharedServer, startServer, until } from "../support/server.ts";

// What one query may do to a built server, and what may be done to a query.

const total = 200_000;
/** Every row is a group, whose key is computed. */
const groups = `SELECT concat(id, properties.word, properties.n) AS k, count(*) AS n, max(properties.n) AS m
                FROM events GROUP BY 1 ORDER BY n DESC, m LIMIT 3`;

interface Running {
  readonly id: string;
  readonly state: string;
  readonly text: string;
  readonly request_id: string;
  readonly rows_scanned: number | null;
  readonly workers: number;
}

const queryPath = "/api/v1/analytics/custom-query";

describe("queries", () => {
  const shared = sharedServer("--query-memory", "64MiB", "--query-workers", "2");

  beforeAll(async () => {
    for (let from = 0; from < total; from += 10_000) {
      const events = Array.from({ length: 10_000 }, (_, i) => ({
        event_type: "t",
        timestamp: new Date(Date.UTC(2026, 10, 23) + from + i).toISOString(),
        properties: { n: from + i, word: `w${(from + i) % 50}` },
      }));
      expect((await postBatch(shared.url, events)).status).toBe(200);
    }
  }, 60_000);

  const ask = (body: object, headers: Record<string, string> = {}) =>
    post<Problem & Table & Record<string, unknown>>(
      shared.url,
      queryPath,
      JSON.stringify(body),
      headers,
    );
  const running = async (): Promise<Running[]> =>
    (await get<{ queries: Running[] }>(shared.url, "/api/v1/queries")).body.queries;

  async function isFine(): Promise<void> {
    expect((await sql(shared.url, "SELECT count(*) FROM events")).rows).toEqual([[total]]);
    await until("no query to run", async () => (await running()).length === 0);
  }

  test("more memory than allowed is refused with what would be needed", async () => {
    const answer = await ask({ sql: groups, max_memory: "256KiB" });
    expect(answer.status, answer.text).toBe(413);
    expect(answer.body).toMatchObject({ code: "query_memory", limit_bytes: 262_144 });
    expect(answer.body.needed_bytes).toBeGreaterThan(262_144);
    await isFine();
  });

  test("more groups and more rows than allowed are refused", async () => {
    const many = await ask({ sql: groups, max_groups: 1000 });
    expect(many.status, many.text).toBe(413);
    expect(many.body.code).toBe("query_groups");
    const rows = await ask({ sql: "SELECT id FROM events", max_rows: 10 });
    expect(rows.status, rows.text).toBe(413);
    expect(rows.body.code).toBe("query_rows");
    await isFine();
  });

  test("more time than allowed is refused with how far it came", async () => {
    const answer = await ask({ sql: groups, timeout_ms: 5 });
    expect(answer.status, answer.text).toBe(504);
    expect(answer.body).toMatchObject({ code: "query_timeout", timeout_ms: 5 });
    await isFine();
  });

  test("a running query is listed, and is killed through the API", async () => {
    const many = Array.from({ length: 5 }, (_, i) =>
      ask({ sql: groups }, { "x-request-id": `many-${i}` }),
    );
    const listed = await until("queries in the list", async () => {
      const list = await running();
      return list.length > 2 && list;
    });
    expect(listed.some(({ state }) => state === "running")).toBe(true);
    const one = listed.at(-1) as Running;
    expect(one.text).toBe(groups);
    expect(one.request_id).toMatch(/^many-\d$/);
    const killed = await fetch(`${shared.url}/api/v1/queries/${one.id}`, { method: "DELETE" });
    expect(killed.status).toBe(200);
    expect(await killed.json()).toEqual({ id: one.id, state: "ending" });
    const answers = await Promise.all(many);
    const ended = answers.find(({ headers }) => headers.get("millrace-query-id") === one.id);
    expect(ended?.status).toBe(409);
    expect(ended?.body).toMatchObject({ code: "query_cancelled" });
    expect(String(ended?.body.cancelled_by)).toContain(`DELETE /api/v1/queries/${one.id}`);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    const again = await fetch(`${shared.url}/api/v1/queries/${one.id}`, { method: "DELETE" });
    expect(again.status).toBe(404);
    await isFine();
    const metrics = await get(shared.url, "/metrics");
    expect(metrics.text).toMatch(/^queries_killed_total 1$/m);
    expect(metrics.text).toMatch(/^queries_timeouts_total 1$/m);
  });

  test("the work of a client that goes away stops", async () => {
    const gone = new AbortController();
    const many = Array.from({ length: 8 }, () =>
      fetch(`${shared.url}${queryPath}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sql: groups }),
        signal: gone.signal,
      }).catch(() => undefined),
    );
    await until("queries in the list", async () => (await running()).length > 3);
    const startedMs = performance.now();
    gone.abort();
    await Promise.all(many);
    await until("no query to run", async () => (await running()).length === 0);
    const stoppedMs = performance.now() - startedMs;
    const metrics = await get(shared.url, "/metrics");
    expect(metrics.text).toMatch(/^queries_cancelled_total [1-9]\d*$/m);
    expect(stoppedMs).toBeLessThan(5000);
    await isFine();
  });

  test("a large result waits for a client that reads slowly, and memory does not grow with it", async () => {
    const before = shared.server.anonymousBytes();
    const body = JSON.stringify({
      sql: "SELECT id, timestamp, properties.n, properties.word FROM events",
    });
    const { port } = new URL(shared.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.pause();
    socket.write(
      `POST ${queryPath} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: application/x-ndjson\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until("a result to be sent", async () =>
      (await running()).some(({ state }) => state === "sending"),
    );
    // The client reads nothing: others are answered all the same.
    await Promise.all([sql(shared.url, groups), sql(shared.url, groups)]);
    expect(shared.server.anonymousBytes() - before).toBeLessThan(400 * 1024 * 1024);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text.match(/^\{"id":/gm)).toHaveLength(total);
    await isFine();
  });

  test("EXPLAIN ANALYZE runs the query and says where the time went", async () => {
    const { columns, rows } = await sql(shared.url, `EXPLAIN ANALYZE ${groups}`);
    expect(columns).toEqual([{ name: "QUERY PLAN", type: "string" }]);
    const text = rows.map(([line]) => line).join("\n");
    expect(text).toContain("Limit 3");
    expect(text).toContain("Group by concat(id, properties.word, properties.n)");
    expect(text).toMatch(/Done: 200000 rows read/);
    expect(text).toMatch(/Threads: [12];/);
    const json = await sql(shared.url, `EXPLAIN (FORMAT JSON) ${groups}`);
    expect(json.rows[0]?.[0]).toMatchObject({ limit: 3, rows: { total } });
  });

  test("statements about the tables are answered", async () => {
    const described = await sql(shared.url, "DESCRIBE events");
    expect(described.rows).toContainEqual(["properties.n", "numeric", true]);
    const { rows } = await sql(
      shared.url,
      "SELECT column_name FROM information_schema.columns WHERE column_name LIKE 'properties._%' ORDER BY 1",
    );
    expect(rows).toEqual([["properties.n"], ["properties.word"]]);
    expect((await sql(shared.url, "SHOW TABLES")).rows).toEqual([["public", "events"]]);
  });
});

test("queries that a crash cuts off are answered by the next start", async () => {
  const data = dataFolder();
  const first = await startServer(data);
  const events = Array.from({ length: 20_000 }, (_, i) => ({
    event_type: "t",
    timestamp: new Date(Date.UTC(2026, 10, 23) + i).toISOString(),
    properties: { n: i, word: `w${i % 50}` },
  }));
  await postBatch(first.url, events);
  const asked = Array.from({ length: 6 }, () => sql(first.url, groups).catch(() => undefined));
  await first.kill();
  await Promise.all(asked);
  const second = await startServer(data);
  const { rows } = await sql(second.url, groups);
  expect(rows.map(([, n, m]) => [n, m])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
});

test("rows by time or by sequence are sent however many they are, and no longer than they are read", async () => {
  const flags = ["--query-rows-max", "1000", "--query-workers", "1"];
  const { url } = await startServer(dataFolder(), ...flags);
  const count = 60_000;
  for (let from = 0; from < count; from += 10_000) {
    const events = Array.from({ length: 10_000 }, (_, i) => ({
      event_type: "t",
      timestamp: new Date(Date.UTC(2026, 10, 23) + from + i).toISOString(),
      properties: { n: from + i, word: "w".repeat(200) },
    }));
    expect((await postBatch(url, events)).status).toBe(200);
  }
  const ask = (text: string, accept: string, signal: AbortSignal | null = null) =>
    fetch(`${url}${queryPath}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept },
      body: JSON.stringify({ sql: text }),
      signal,
    });
  const all = "SELECT * FROM events ORDER BY timestamp DESC";
  const lines = (await (await ask(all, "application/x-ndjson")).text()).trimEnd().split("\n");
  expect(lines.length).toBe(count);
  const numbers = lines.map((line) => JSON.parse(line).properties.n);
  expect(numbers).toEqual(Array.from({ length: count }, (_, i) => count - 1 - i));
  const sorted = await ask("SELECT id FROM events ORDER BY properties.n", "text/csv");
  expect(sorted.status).toBe(413);
  expect(await sorted.text()).toContain("ordered by timestamp or by sequence");
  // The rest of what is not read is not made, and what is given up is not listed any more.
  const gone = new AbortController();
  const response = await ask("SELECT *, properties.word FROM events", "text/csv", gone.signal);
  const reader = response.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  const listed = async () =>
    (await get<{ queries: Running[] }>(url, "/api/v1/queries")).body.queries;
  const waits = await until("a client that is waited for", async () => {
    const [one] = await listed();
    return one?.state === "sending" && one;
  });
  expect(waits.rows_scanned).toBeLessThan(count);
  gone.abort();
  await until("nothing to run", async () => (await listed()).length === 0);
}, 60_000);

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LimitError } from "../../src/errors.ts";
import { JsonText } from "../../src/query/result.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

let server: FrontServer;
beforeAll(async () => {
  server = await startFront();
});
afterAll(() => server.stop(1000));
beforeEach(() => {
  server.engine.stored.length = 0;
  server.engine.eventsRequests.length = 0;
  server.engine.asked.length = 0;
});

const get = (search: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/api/v1/analytics/events${search}`, { headers });

function ask(body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${server.url}/api/v1/analytics/custom-query`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

describe("GET /analytics/events", () => {
  it("answers a page with a cursor", async () => {
    server.engine.publish([{ event_type: "a" }, { event_type: "b" }, { event_type: "a" }]);
    const response = await get("?limit=2");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      events: [
        { event_type: "a", sequence: "0" },
        { event_type: "b", sequence: "1" },
      ],
      next_cursor: "after-2",
      as_of: "3",
    });
  });

  it("passes every filter on", async () => {
    await get(
      "?from=2026-11-23T12:00:00Z&to=1795435200&event_type=a&source=b&user_id=c&session_id=d" +
        "&where=properties.amount%20%3E%203&limit=7&order=desc&cursor=x",
    );
    expect(server.engine.eventsRequests).toEqual([
      {
        fromUs: 1_795_435_200_000_000n,
        toUs: 1_795_435_200_000_000n,
        eventType: "a",
        source: "b",
        userId: "c",
        sessionId: "d",
        where: "properties.amount > 3",
        limit: 7,
        order: "desc",
        cursor: "x",
      },
    ]);
  });

  it("has defaults", async () => {
    await get("");
    expect(server.engine.eventsRequests).toEqual([{ limit: 100, order: "asc" }]);
  });

  it.each([
    ["?limit=0", "/limit"],
    ["?limit=10001", "/limit"],
    ["?from=yesterday", "/from"],
    ["?from=2026-11-23T12:00:00", "/from"],
    ["?order=up", "/order"],
    ["?type=a", "type"],
    ["?limit=1&limit=2", "/limit"],
  ])("answers 400 to %s", async (search, part) => {
    const response = await get(search);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toContain(part);
  });

  it("answers 400 with the character of SQL text that is wrong", async () => {
    const response = await get("?where=event_type%20%3D");
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ position: expect.any(Number) });
  });

  it("writes one event a line when asked to", async () => {
    server.engine.publish([{ event_type: "a" }, { event_type: "b" }]);
    const response = await get("?limit=1", { accept: "application/x-ndjson" });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(response.headers.get("millrace-next-cursor")).toBe("after-1");
    expect(response.headers.get("millrace-as-of")).toBe("2");
    expect(await response.text()).toBe('{"event_type":"a","sequence":"0"}\n');
  });

  it("sends a page of many pieces whole", async () => {
    const events = Array.from({ length: 3000 }, (_, i) => ({
      event_type: "a",
      text: `${i}é`.repeat(20),
    }));
    server.engine.publish(events);
    const page = (await (await get("?limit=3000")).json()) as { events: object[] };
    expect(page.events).toHaveLength(3000);
    expect(page.events[2999]).toMatchObject({ text: "2999é".repeat(20) });
  });

  it("answers 406 when nothing that it has is accepted", async () => {
    const response = await get("", { accept: "image/png" });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({ code: "not_acceptable" });
  });
});

describe("POST /analytics/custom-query", () => {
  beforeEach(() => {
    server.engine.result = {
      columns: [
        { name: "n", type: "number" },
        { name: 'te"xt', type: "string" },
        { name: "any", type: "variant" },
      ],
      rows: [
        [9_223_372_036_854_775_807n, 'a,"b"', null],
        [0.5, "", new JsonText('{"x":[1,2]}')],
        [Number.NaN, "line\r\nbreak", true],
      ],
      asOf: "42",
      stats: {
        rowsScanned: 1,
        rowsMatched: 2,
        segmentsScanned: 3,
        segmentsPruned: 4,
        executionUs: 5.5,
      },
    };
  });

  it("answers the JSON form, integers with all their digits", async () => {
    const query = {
      select: [{ fn: "count", as: "n" }],
      where: { field: "properties.big", op: "=", value: 1 },
    };
    const body = JSON.stringify({ query }).replace('"value":1', '"value":9007199254740993');
    const response = await ask(body);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(
      '{"columns":[{"name":"n","type":"number"},{"name":"te\\"xt","type":"string"},' +
        '{"name":"any","type":"variant"}],' +
        '"rows":[[9223372036854775807,"a,\\"b\\"",null],[0.5,"",{"x":[1,2]}],[null,"line\\r\\nbreak",true]],' +
        '"as_of":"42",' +
        '"stats":{"rows_scanned":1,"rows_matched":2,"segments_scanned":3,' +
        '"segments_pruned":4,"execution_us":5.5}}',
    );
    expect(server.engine.asked[0]?.where).toMatchObject({ value: 9_007_199_254_740_993n });
  });

  it("answers SQL with parameters", async () => {
    const sql = "SELECT count(*) AS n FROM events WHERE event_type = $1";
    expect((await ask({ sql, params: ["a"] })).status).toBe(200);
    expect(server.engine.asked[0]?.where).toMatchObject({ path: "event_type", value: "a" });
  });

  it("writes NDJSON and CSV", async () => {
    const query = { query: { select: [{ fn: "count" }] } };
    const ndjson = await ask(query, { accept: "application/x-ndjson" });
    expect(await ndjson.text()).toBe(
      '{"n":9223372036854775807,"te\\"xt":"a,\\"b\\"","any":null}\n' +
        '{"n":0.5,"te\\"xt":"","any":{"x":[1,2]}}\n' +
        '{"n":null,"te\\"xt":"line\\r\\nbreak","any":true}\n',
    );
    const csv = await ask(query, { accept: "text/csv;q=0.9, application/json;q=0.1" });
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(await csv.text()).toBe(
      'n,"te""xt",any\r\n9223372036854775807,"a,""b""",\r\n0.5,"","{""x"":[1,2]}"\r\n,"line\r\nbreak",true\r\n',
    );
  });

  it.each([
    ["not json", 400, "invalid_json"],
    ["{}", 400, "invalid_query"],
    ['{"sql":"SELECT 1","query":{}}', 400, "invalid_query"],
    ['{"query":{"selekt":[]}}', 400, "invalid_query"],
    ['{"sql":"SELEC 1"}', 400, "sql_syntax"],
  ])("answers %s with %i", async (body, status, code) => {
    const response = await ask(body);
    expect([response.status, await response.json()]).toMatchObject([status, { code }]);
  });

  it.each([
    [{ quer: {} }, '#: got neither "sql" nor "query", want one'],
    [{ sql: "SELECT 1", query: {} }, '#: got both "sql" and "query", want one'],
    [{ query: {}, limit: 1 }, '#: got the unknown key "limit"'],
    [[], "#: got an array"],
  ])("says of %j what it wants", async (body, detail) => {
    const response = await ask(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toContain(detail);
  });

  it("answers 501 to statements that are valid and not supported yet", async () => {
    const response = await ask({ sql: "WITH a AS (SELECT 1) SELECT * FROM a" });
    expect(response.status).toBe(501);
  });

  it("answers 413 to a query that needs too much, and to a body that is too long", async () => {
    server.engine.failNextQuery = new LimitError("too_many_groups", "got many, want fewer");
    const response = await ask({ query: { select: [{ fn: "count" }] } });
    expect(response.status).toBe(413);
    const long = await ask({ sql: `SELECT ${" ".repeat(1_100_000)}` });
    expect([long.status, await long.json()]).toMatchObject([413, { code: "body_too_large" }]);
  });

  it("answers 415 to what is not JSON and 400 to what is not UTF-8", async () => {
    expect((await ask("x", { "content-type": "text/plain" })).status).toBe(415);
    const response = await fetch(`${server.url}/api/v1/analytics/custom-query`, {
      method: "POST",
      body: Uint8Array.of(0x22, 0xff, 0x22),
      headers: { "content-type": "application/json" },
    });
    expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_utf8" }]);
  });
});

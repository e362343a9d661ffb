import { beforeAll, describe, expect, test } from "vitest";
import {
  allEvents,
  get,
  type Problem,
  post,
  postBatch,
  type StoredEvent,
  sql,
  type Table,
} from "../support/api.ts";
import { mulberry32 } from "../support/random.ts";
import { sharedServer } from "../support/server.ts";

// What the reading routes promise. The expected answers are computed from the events by plain JavaScript.

const server = sharedServer();

interface Sent {
  readonly id: string;
  readonly timestamp: string;
  readonly event_type: string;
  readonly source: string;
  readonly user_id?: string;
  readonly properties: { n: number; ms?: number | null; tag?: string; ok?: boolean };
}

const TYPES = ["view", "click", "purchase"];
const SOURCES = ["web", "ios", "android"];

/** Events in disorder, with gaps, nulls and values that change their type. */
function makeEvents(count: number): Sent[] {
  const random = mulberry32(2026);
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const start = Date.UTC(2026, 10, 23, 12);
  return Array.from({ length: count }, (_, n) => ({
    id: `018f2f6e-0000-7000-8000-${n.toString(16).padStart(12, "0")}`,
    timestamp: new Date(start + Math.floor(random() * 600_000)).toISOString(),
    event_type: pick(TYPES),
    source: pick(SOURCES),
    ...(random() < 0.7 ? { user_id: `u${Math.floor(random() * 20)}` } : {}),
    properties: {
      n,
      ...(random() < 0.8 ? { ms: random() < 0.1 ? null : Math.floor(random() * 1000) / 4 } : {}),
      ...(random() < 0.5 ? { tag: pick(["a", "b", "ключ"]) } : {}),
      ...(random() < 0.3 ? { ok: random() < 0.5 } : {}),
    },
  }));
}

const events = makeEvents(3000);

/** By timestamp, then in the order they were sent. */
const ordered = events
  .map((event, i) => ({ event, i }))
  .sort((a, b) =>
    a.event.timestamp < b.event.timestamp
      ? -1
      : a.event.timestamp > b.event.timestamp
        ? 1
        : a.i - b.i,
  )
  .map(({ event }) => event);

beforeAll(async () => {
  for (let i = 0; i < events.length; i += 500) {
    const answer = await postBatch(server.url, events.slice(i, i + 500));
    expect(answer.body.accepted).toBe(500);
  }
});

function numbers(list: readonly (Sent | StoredEvent)[]): unknown[] {
  return list.map((event) => event.properties.n);
}

describe("GET /analytics/events", () => {
  test("gives every event back as it was sent, by timestamp and then sequence", async () => {
    const stored = await allEvents(server.url);
    expect(stored).toHaveLength(events.length);
    stored.forEach((event, i) => {
      const sent = ordered[i] as Sent;
      expect(new Date(event.timestamp).toISOString()).toBe(sent.timestamp);
      expect({ ...event, timestamp: sent.timestamp }).toMatchObject(sent);
      expect(event.properties).toEqual(sent.properties);
    });
  });

  test("pages: no event twice, none left out, in both directions", async () => {
    const up = await allEvents(server.url, { limit: "617" });
    expect(numbers(up)).toEqual(numbers(ordered));
    const down = await allEvents(server.url, { limit: "617", order: "desc" });
    expect(numbers(down)).toEqual(numbers([...ordered].reverse()));
  });

  const middle = "2026-11-23T12:03:00Z";
  const end = "2026-11-23T12:07:00Z";
  const filters: [search: Record<string, string>, keep: (event: Sent) => boolean][] = [
    [{ event_type: "purchase" }, (e) => e.event_type === "purchase"],
    [{ source: "ios" }, (e) => e.source === "ios"],
    [{ user_id: "u3" }, (e) => e.user_id === "u3"],
    [{ event_type: "no such type" }, () => false],
    [
      { from: middle, to: end },
      (e) => e.timestamp >= "2026-11-23T12:03:00.000Z" && e.timestamp < "2026-11-23T12:07:00.000Z",
    ],
    [{ where: "properties.ms > 100.5" }, (e) => (e.properties.ms ?? 0) > 100.5],
    [
      { where: "properties.tag = 'ключ' AND source IN ('web', 'ios')" },
      (e) => e.properties.tag === "ключ" && ["web", "ios"].includes(e.source),
    ],
    [{ where: "properties.ms IS NULL" }, (e) => e.properties.ms == null],
    [{ where: "NOT (properties.ok = true)" }, (e) => e.properties.ok === false],
    [{ where: "properties->>'tag' LIKE 'к%'" }, (e) => e.properties.tag === "ключ"],
    [
      {
        where:
          '{"or":[{"field":"properties.n","op":"<","value":5},{"field":"user_id","op":"in","value":["u1","u2"]}]}',
      },
      (e) => e.properties.n < 5 || ["u1", "u2"].includes(e.user_id ?? ""),
    ],
  ];

  test.each(filters)("filters: %j", async (search, keep) => {
    expect(numbers(await allEvents(server.url, search))).toEqual(numbers(ordered.filter(keep)));
  });

  test.each([
    { limit: "0" },
    { from: "yesterday" },
    { from: "2026-11-23T12:00:00" },
    { cursor: "nonsense" },
    { colour: "red" },
  ])("refuses %j by name", async (search) => {
    const answer = await get<Problem>(
      server.url,
      `/api/v1/analytics/events?${new URLSearchParams(search)}`,
    );
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain(Object.keys(search)[0]);
  });

  test("answers NDJSON when asked to", async () => {
    const answer = await get(server.url, "/api/v1/analytics/events?limit=3", {
      accept: "application/x-ndjson",
    });
    const lines = answer.text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).properties.n)).toEqual(
      numbers(ordered.slice(0, 3)),
    );
  });
});

describe("POST /analytics/custom-query", () => {
  test("SQL: counts, sums, averages and extremes by group, ordered and cut", async () => {
    const table = await sql(
      server.url,
      `SELECT event_type, count(*) AS n, count(properties.ms) AS timed, sum(properties.n) AS total,
              avg(properties.ms) AS mean, min(properties.ms) AS low, max(properties.ms) AS high
       FROM events WHERE properties.n >= 100 GROUP BY event_type ORDER BY n DESC LIMIT 2`,
    );
    const groups = TYPES.map((type) => {
      const rows = events.filter((e) => e.event_type === type && e.properties.n >= 100);
      const times = rows.map((e) => e.properties.ms).filter((ms) => ms != null);
      const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
      const total = rows.reduce((sum, e) => sum + e.properties.n, 0);
      return [
        type,
        rows.length,
        times.length,
        total,
        mean,
        Math.min(...times),
        Math.max(...times),
      ] as const;
    }).sort((a, b) => b[1] - a[1]);
    expect(table.columns.map((column) => column.name)).toEqual([
      "event_type",
      "n",
      "timed",
      "total",
      "mean",
      "low",
      "high",
    ]);
    expect(table.rows).toHaveLength(2);
    table.rows.forEach((row, i) => {
      const expected = groups[i] as (typeof groups)[number];
      expect(row.filter((_, k) => k !== 4)).toEqual(expected.filter((_, k) => k !== 4));
      expect(row[4]).toBeCloseTo(expected[4], 9);
    });
    expect(table.as_of).toMatch(/^\d+$/);
    expect(table.stats.rows_matched).toBe(2900);
  });

  test("JSON: the same question has the same answer", async () => {
    const query = {
      select: [
        { fn: "count", as: "n" },
        { fn: "avg", field: "properties.ms", as: "mean" },
      ],
      where: {
        and: [
          { field: "event_type", op: "=", value: "view" },
          { field: "properties.ms", op: ">", value: 10 },
        ],
      },
      from: "2026-11-23T12:00:00Z",
      to: "2026-11-23T12:05:00Z",
      group_by: ["source", { time_bucket: "1m", as: "minute" }],
      order_by: [{ by: "minute" }, { by: "source" }],
    };
    const asJson = await post<Table>(
      server.url,
      "/api/v1/analytics/custom-query",
      JSON.stringify({ query }),
    );
    expect(asJson.status).toBe(200);
    const asSql = await sql(
      server.url,
      `SELECT source, time_bucket('1 minute', timestamp) AS minute, count(*) AS n, avg(properties.ms) AS mean
       FROM events WHERE event_type = 'view' AND properties.ms > 10
         AND timestamp >= $1 AND timestamp < $2
       GROUP BY source, minute ORDER BY minute, source`,
      ["2026-11-23T12:00:00Z", "2026-11-23T12:05:00Z"],
    );
    const rows = (table: Table) => {
      const places = ["source", "minute", "n", "mean"].map((name) =>
        table.columns.findIndex((c) => c.name === name),
      );
      return table.rows.map((row) => places.map((place) => row[place]));
    };
    expect(rows(asJson.body)).toEqual(rows(asSql));
    const expected = events.filter(
      (e) =>
        e.event_type === "view" &&
        (e.properties.ms ?? 0) > 10 &&
        e.timestamp < "2026-11-23T12:05:00.000Z",
    );
    expect(rows(asSql).reduce((sum, row) => sum + Number(row[2]), 0)).toBe(expected.length);
    expect(rows(asSql)[0]?.[1]).toMatch(/^2026-11-23T12:00:00(?:\.0+)?Z$/);
  });

  test("integers keep all their digits; sums of them are exact", async () => {
    const big = [
      "9007199254740993",
      "9223372036854775807",
      "-9223372036854775808",
      "9007199254740995",
    ];
    const body = big.map((n) => `{"event_type":"big","properties":{"big":${n}}}`).join("\n");
    const sent = await post(server.url, "/api/v1/events/batch", body, {
      "content-type": "application/x-ndjson",
    });
    expect(sent.body.accepted).toBe(4);
    const ask = (text: string) =>
      post(server.url, "/api/v1/analytics/custom-query", JSON.stringify({ sql: text }));
    const largest = await ask(
      "SELECT max(properties.big), min(properties.big) FROM events WHERE event_type = 'big'",
    );
    expect(largest.text).toContain("[[9223372036854775807,-9223372036854775808]]");
    const sum = await ask(
      `SELECT sum(properties.big) FROM events
       WHERE event_type = 'big' AND properties.big < 9007199254740999 AND properties.big > 0`,
    );
    expect(sum.text).toContain("[[18014398509481988]]");
    const rows = await get(server.url, "/api/v1/analytics/events?event_type=big");
    for (const n of big) expect(rows.text).toContain(`{"big":${n}}`);
  });

  test("answers CSV and NDJSON when asked to", async () => {
    const text =
      "SELECT source, count(*) AS n FROM events WHERE event_type <> 'big' GROUP BY source ORDER BY source";
    const body = JSON.stringify({ sql: text });
    const counts = SOURCES.toSorted().map(
      (s) => [s, events.filter((e) => e.source === s).length] as const,
    );
    const csv = await post(server.url, "/api/v1/analytics/custom-query", body, {
      accept: "text/csv",
    });
    expect(csv.text.trimEnd().split(/\r?\n/)).toEqual([
      "source,n",
      ...counts.map(([s, n]) => `${s},${n}`),
    ]);
    const ndjson = await post(server.url, "/api/v1/analytics/custom-query", body, {
      accept: "application/x-ndjson",
    });
    expect(
      ndjson.text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(counts.map(([source, n]) => ({ source, n })));
  });

  test.each([
    ["SELECT count(*) FROM events JOIN users ON true", 501],
    ["SELECT * FROM elsewhere", 400],
    ["SELECT count(* FROM events", 400],
    ["DELETE FROM events", 400],
    ["SELECT nothing FROM events", 400],
  ])("refuses %j with %i and the place of the fault", async (text, status) => {
    const answer = await post<Problem & { position?: number }>(
      server.url,
      "/api/v1/analytics/custom-query",
      JSON.stringify({ sql: text }),
    );
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
    expect(answer.body.detail).toBeTruthy();
  });

  test("an empty answer is an answer", async () => {
    const empty = await sql(
      server.url,
      "SELECT count(*) AS n, sum(properties.ms) AS s FROM events WHERE event_type = 'none'",
    );
    expect(empty.rows).toEqual([[0, null]]);
    const groups = await sql(
      server.url,
      "SELECT source, count(*) FROM events WHERE event_type = 'none' GROUP BY source",
    );
    expect(groups.rows).toEqual([]);
  });
});

describe("monitoring", () => {
  test.each(["/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready"])(
    "%s is well",
    async (path) => {
      expect((await get(server.url, path)).status).toBe(200);
    },
  );

  test("metrics tell what happened", async () => {
    const { text, headers } = await get(server.url, "/api/v1/metrics");
    expect(headers.get("content-type")).toContain("text/plain");
    const value = (name: string) =>
      text
        .split("\n")
        .filter((line) => line.startsWith(name) && /^[\w]+(?:\{[^}]*\})? /.test(line))
        .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    expect(value("events_processed_total")).toBeGreaterThanOrEqual(events.length);
    expect(value("query_duration_seconds_count")).toBeGreaterThan(0);
    expect(value("active_websocket_connections")).toBe(0);
    expect(/^active_websocket_connections/m.test(text)).toBe(true);
    expect(value("ingest_bytes_total")).toBeGreaterThan(0);
    expect(value("dedup_window_seconds")).toBeGreaterThan(0);
    const commits = [...text.matchAll(/^commit_duration_seconds_(?:bucket\{.*\}|count) (\d+)$/gm)];
    const counts = commits.map(([, count]) => Number(count));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBe(value("commits_total"));
    for (const [, region, used] of text.matchAll(/^memory_used_bytes\{(.*)\} (\d+)$/gm)) {
      expect(Number(used)).toBeLessThanOrEqual(value(`memory_reserved_bytes{${region}}`));
    }
    expect(value("memory_used_bytes")).toBeGreaterThan(0);
    const types = text.split("\n").filter((line) => line.startsWith("# TYPE"));
    for (const name of ["commit", "queue", "memory", "eventloop_lag"]) {
      expect(types.filter((line) => line.includes(name))).not.toEqual([]);
    }
  });

  test("the OpenAPI document is of version 3.1 and has every path", async () => {
    const { body } = await get<{ openapi: string; paths: object }>(
      server.url,
      "/api/v1/openapi.json",
    );
    expect(body.openapi).toMatch(/^3\.1\./);
    expect(Object.keys(body.paths).join(" ")).toMatch(/events\/batch.*analytics/s);
  });
});

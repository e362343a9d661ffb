import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import type {
  Expression,
  ScalarFunction,
  ValueType,
} from "../../src/query/expression/expression.ts";
import { barePath } from "../../src/query/expression/expression.ts";
import type { Predicate } from "../../src/query/query.ts";
import { parseSql } from "../../src/query/sql/statement.ts";

function failure(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const compare = (path: string, op: string, value: unknown): Predicate =>
  ({ kind: "compare", path, op, value }) as Predicate;
const path = (name: string, type: ValueType): Expression => ({ kind: "path", type, path: name });
const literal = (type: ValueType, value: never): Expression => ({ kind: "literal", type, value });
const number = (value: number): Expression => literal("number", value as never);
const call = (type: ValueType, fn: ScalarFunction, ...args: Expression[]): Expression => ({
  kind: "call",
  type,
  fn,
  args,
});

describe("statements", () => {
  test("name, group, order and cut", () => {
    const query = parseSql(
      `SELECT e.source, date_trunc('hour', timestamp) h, count(*), sum(properties.amount) AS "Sum"
       FROM events e WHERE timestamp >= '2026-11-23T12:00:00Z' AND timestamp <= $1
       GROUP BY 1, h ORDER BY sum(properties.amount) DESC NULLS LAST, SUM, 2 LIMIT 10 OFFSET $2;`,
      ["2026-11-23T13:00:00Z", 20],
    );
    const aggregate = (index: number): Expression => ({
      kind: "aggregate",
      type: "number",
      aggregate: index,
    });
    const hour = {
      kind: "bucket",
      type: "timestamp",
      of: barePath("timestamp"),
      width: { months: 0, days: 0, us: 3_600_000_000n },
      originUs: null,
      zone: "UTC",
    };
    expect(query).toEqual({
      select: [
        { of: { kind: "key", type: "string", key: 0 }, as: "source" },
        { of: { kind: "key", type: "timestamp", key: 1 }, as: "h" },
        { of: aggregate(0), as: "count" },
        { of: aggregate(1), as: "Sum" },
      ],
      where: null,
      fromUs: 1_795_435_200_000_000n,
      toUs: 1_795_438_800_000_001n,
      groupBy: [
        { of: barePath("source"), as: "source" },
        { of: hour, as: "h" },
      ],
      aggregates: [
        { fn: "count", of: null, filter: null, type: "number", parameters: [] },
        {
          fn: "sum",
          of: path("properties.amount", "number"),
          filter: null,
          type: "number",
          parameters: [],
        },
      ],
      having: null,
      orderBy: [
        { of: aggregate(1), descending: true, nullsFirst: false },
        { of: aggregate(1), descending: false, nullsFirst: false },
        { of: { kind: "key", type: "timestamp", key: 1 }, descending: false, nullsFirst: false },
      ],
      limit: 10,
      offset: 20,
      fill: null,
    });
  });

  test("compute with aggregates, of which equal ones are one", () => {
    const query = parseSql(
      `SELECT sum(properties.a) / count(*) AS mean, min(properties.a) + 1 FROM events
       HAVING count(*) > 3 ORDER BY avg(properties.b), sum(properties.a)`,
    );
    expect(query.aggregates.map((one) => one.fn)).toEqual(["sum", "count", "min", "avg"]);
    // The sum wants numbers of a minimum that without it is one of all lanes.
    expect(query.aggregates[2]?.of).toEqual(path("properties.a", "number"));
    expect(query.having).toEqual(
      call("boolean", ">", { kind: "aggregate", type: "number", aggregate: 1 }, number(3)),
    );
  });

  test("weeks start on Mondays, and an origin moves buckets", () => {
    const bucket = (one: string): unknown =>
      parseSql(`SELECT ${one} AS b, count(*) FROM events GROUP BY b`).groupBy[0]?.of;
    const week = { width: { months: 0, days: 0, us: 604_800_000_000n }, originUs: null };
    expect(bucket("date_trunc('week', timestamp)")).toMatchObject(week);
    expect(bucket("time_bucket('7 days', timestamp)")).toMatchObject(week);
    expect(bucket("time_bucket('7d', timestamp, '2026-11-23T00:00:00Z')")).toMatchObject(week);
    expect(bucket("time_bucket(interval '1h', timestamp, '1970-01-01T00:30:00Z')")).toMatchObject({
      originUs: 1_800_000_000n,
    });
    expect(bucket("time_bucket('1 month', timestamp, 'europe/berlin')")).toMatchObject({
      width: { months: 1, days: 0, us: 0n },
      zone: "Europe/Berlin",
    });
    expect(bucket("time_bucket('1 day', timestamp, zone => 'Europe/Berlin')")).toMatchObject({
      width: { months: 0, days: 1, us: 0n },
    });
    expect(
      bucket("date_trunc('day', timestamp AT TIME ZONE 'Asia/Tokyo') AT TIME ZONE 'Asia/Tokyo'"),
    ).toEqual(bucket("date_trunc('day', timestamp, 'Asia/Tokyo')"));
    expect(bucket("date_bin('15 min', timestamp, '2001-01-01T00:00:00Z')")).toEqual(
      bucket("time_bucket('15m', timestamp)"),
    );
  });

  test("a group key need not be selected, and one of all lanes serves each of them", () => {
    const query = parseSql("SELECT count(*) FROM events GROUP BY properties.country");
    expect(query.groupBy).toEqual([{ of: barePath("properties.country"), as: "country" }]);
    expect(query.select).toHaveLength(1);
    const lowered = parseSql("SELECT lower(properties.a) FROM events GROUP BY properties.a");
    expect(lowered.select[0]?.of).toEqual(
      call("string", "lower", { kind: "key", type: "string", key: 0 }),
    );
  });

  test("DISTINCT is a grouping of what is selected", () => {
    expect(parseSql("SELECT DISTINCT source, lower(user_id) FROM events")).toEqual(
      parseSql("SELECT source, lower(user_id) FROM events GROUP BY 1, 2"),
    );
  });

  test("* is every column, the properties as one JSON", () => {
    const query = parseSql(
      "SELECT * FROM events e WHERE e.source = 'a' ORDER BY timestamp LIMIT 3",
    );
    const names = query.select.map((one) => one.as);
    expect(names.slice(0, 3)).toEqual(["id", "timestamp", "event_type"]);
    expect(query.select.at(-1)).toEqual({ of: path("properties", "json"), as: "properties" });
  });

  test.each([
    ["count(DISTINCT user_id)", { fn: "count_distinct" }],
    ["count(1)", { fn: "count", of: null }],
    ["sum(properties.a) FILTER (WHERE source = 'x')", { filter: compare("source", "=", "x") }],
    ["min(DISTINCT properties.a)", { fn: "min", type: "variant" }],
    ["max(timestamp)", { fn: "max", type: "timestamp" }],
    ["first(properties.a, timestamp)", { fn: "first", parameters: [] }],
    ["last(properties.a ORDER BY timestamp)", { fn: "last", parameters: [] }],
    ["percentile(properties.a, 95)", { fn: "quantile", parameters: [0.95] }],
    [
      "percentile_cont(0.25) WITHIN GROUP (ORDER BY properties.a DESC)",
      { fn: "percentile_cont", of: path("properties.a", "number"), parameters: [0.75] },
    ],
    ["topk(source, 3)", { fn: "topk", type: "json", parameters: [3] }],
    ["histogram(properties.a, ARRAY[1, 2.5])", { fn: "histogram", parameters: [1, 2.5] }],
    ["histogram(properties.a, 0, 10, 2)", { fn: "histogram", parameters: [0, 5, 10] }],
    ["rate(*)", { fn: "rate", of: null }],
    ["bool_or(properties.ok)", { fn: "max", of: path("properties.ok", "boolean") }],
    ["sum(lateness_us % 7)", { fn: "sum", type: "number" }],
  ])("SELECT %s", (aggregate, expected) => {
    const query = parseSql(`SELECT ${aggregate} FROM events`);
    expect(query.aggregates).toHaveLength(1);
    expect(query.aggregates[0]).toMatchObject(expected);
  });

  test.each([
    ["SELECT time_bucket_gapfill('1m', timestamp) m, count(*) FROM events GROUP BY m", "null"],
    [
      "SELECT time_bucket_gapfill('1m', timestamp) m, coalesce(count(*), 0) FROM events GROUP BY m",
      "null",
    ],
    [
      "SELECT time_bucket_gapfill('1m', timestamp) m, locf(avg(properties.a)) FROM events GROUP BY 1",
      "previous",
    ],
    ["SELECT time_bucket('1m', timestamp) m, count(*) FROM events GROUP BY m", null],
  ])("%s", (sql, fill) => {
    expect(parseSql(sql).fill).toBe(fill);
  });

  test.each([
    ["SELECT count(*) FROM event", 400, "unknown_table", 22],
    ["SELECT source, count(*) FROM events", 400, "sql_semantics", 8],
    ["SELECT lower(source), count(*) FROM events", 400, "sql_semantics", 14],
    ["SELECT count(*) FROM events GROUP BY source ORDER BY user_id", 400, "sql_semantics", 54],
    ["SELECT sum(event_type) FROM events", 400, "sql_type", 12],
    ["SELECT avg(properties->>'a') FROM events", 400, "sql_type", 22],
    ["SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY source) FROM events", 400, "sql_type", 52],
    ["SELECT sum(count(*)) FROM events", 400, "sql_semantics", 12],
    ["SELECT count(*) FROM events GROUP BY count(*)", 400, "sql_semantics", 38],
    ["SELECT 1 FROM events WHERE count(*) > 1", 400, "sql_semantics", 28],
    ["SELECT quantile(properties.a, 95) FROM events", 400, "sql_type", 31],
    ["SELECT histogram(properties.a, ARRAY[2, 1]) FROM events", 400, "sql_type", 8],
    ["SELECT percentile_cont(0.5) FROM events", 400, "sql_semantics", 8],
    ["SELECT source FROM events LIMIT -1", 400, "sql_type", 33],
    ["SELECT source FROM events ORDER BY 3", 400, "sql_semantics", 36],
    ["SELECT source FROM events ORDER BY 'x'", 400, "sql_semantics", 36],
    ["SELECT source AS a, user_id AS a FROM events ORDER BY a", 400, "sql_semantics", 55],
    ["SELECT time_bucket('1 parsec', timestamp) FROM events", 400, "invalid_duration", 20],
    ["SELECT locf(count(*)) FROM events", 400, "sql_semantics", 8],
    ["SELECT 1; SELECT 2", 400, "sql_semantics", 1],
    ["INSERT INTO events VALUES (1)", 400, "sql_semantics", 1],
    ["SELECT FROM WHERE", 400, "sql_syntax", 13],
    ["SELECT FROM events", 400, "sql_semantics", 1],
    ["SELECT 1", 501, "not_implemented", 1],
    ["SELECT rank() OVER () FROM events", 501, "not_implemented", 8],
    ["SELECT string_agg(source, ',') FROM events", 501, "not_implemented", 8],
    ["SELECT sum(DISTINCT properties.a) FROM events", 501, "not_implemented", 8],
    ["SELECT first(source, received_at) FROM events", 501, "not_implemented", 22],
    ["SELECT count(properties) FROM events", 501, "not_implemented", 14],
    ["SELECT DISTINCT ON (source) source FROM events", 501, "not_implemented", 8],
    ["SELECT count(*) FROM ONLY events", 501, "not_implemented", 22],
    ["SELECT count(*) FROM events TABLESAMPLE system (1)", 501, "not_implemented", 29],
    ["SELECT count(*) FROM events a JOIN b ON true", 501, "not_implemented", 22],
    ["SELECT count(*) FROM events a, events b", 501, "not_implemented", 32],
    ["SELECT count(*) FROM (SELECT 1) x", 501, "not_implemented", 30],
    ["SELECT count(*) FROM generate_series(1, 2)", 501, "not_implemented", 17],
    ["WITH x AS (SELECT 1) SELECT count(*) FROM events", 501, "not_implemented", 1],
    ["SELECT count(*) FROM events UNION SELECT 2", 501, "not_implemented", 29],
    ["VALUES (1)", 501, "not_implemented", 1],
    ["SELECT source FROM events FOR UPDATE", 501, "not_implemented", 27],
    ["SELECT source INTO x FROM events", 501, "not_implemented", 15],
    ["SELECT date_trunc('century', timestamp) FROM events GROUP BY 1", 501, "not_implemented", 19],
    ["EXPLAIN SELECT 1", 501, "not_implemented", 1],
    ["SELECT source FROM events LIMIT 1.5", 400, "sql_type", 33],
    ["SELECT source FROM events OFFSET source", 400, "sql_type", 34],
    [
      `SELECT time_bucket('1 day', timestamp) d, time_bucket_gapfill('1 hour', timestamp) h, count(*)
       FROM events GROUP BY d, h`,
      501,
      "not_implemented",
      43,
    ],
    ["SELECT count(*) FROM events GROUP BY CUBE (source)", 501, "not_implemented", 38],
    [
      "SELECT source FROM events ORDER BY source FETCH FIRST 1 ROW WITH TIES",
      501,
      "not_implemented",
      66,
    ],
  ])("refuses %j with %d", (sql, status, code, position) => {
    const error = failure(() => parseSql(sql));
    expect([error.status, error.code, error.detail.position]).toEqual([status, code, position]);
  });
});

test("LIMIT and OFFSET may be larger than any table", () => {
  for (const text of ["9007199254740993", "9223372036854775807", "99999999999999999999"]) {
    const query = parseSql(`SELECT source FROM events LIMIT ${text} OFFSET ${text}`);
    expect(query).toMatchObject({
      limit: Number.MAX_SAFE_INTEGER,
      offset: Number.MAX_SAFE_INTEGER,
    });
  }
});

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { InputError } from "../../src/errors.ts";
import { barePath } from "../../src/query/expression/expression.ts";
import * as schema from "../../src/query/form/schema.ts";
import { parseSql, parseWhere } from "../../src/query/sql/statement.ts";
import { mulberry32 } from "../support/random.ts";

const { parseEventsParams, parsePredicate, parseQuery } = schema;

function failure(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("the JSON form", () => {
  test("means the same as the SQL text", () => {
    const form = {
      select: [
        { fn: "count", as: "n" },
        { fn: "avg", field: "properties.duration_ms", as: "mean_ms" },
      ],
      where: {
        and: [
          { field: "event_type", op: "=", value: "purchase" },
          { field: "properties.amount", op: ">", value: 10 },
        ],
      },
      from: "2026-11-23T12:00:00Z",
      to: "2026-11-23T13:00:00Z",
      group_by: ["source", { time_bucket: "1m", as: "minute" }],
      order_by: [{ by: "n", direction: "desc" }],
      limit: 10,
    };
    const sql = `SELECT source, time_bucket('1 minute', timestamp) AS minute, count(*) AS n,
      avg(properties.duration_ms) AS mean_ms FROM events
      WHERE event_type = 'purchase' AND properties.amount > 10
        AND timestamp >= '2026-11-23T12:00:00Z' AND timestamp < '2026-11-23T13:00:00Z'
      GROUP BY source, minute ORDER BY n DESC LIMIT 10`;
    expect(parseQuery(form)).toEqual(parseSql(sql));
    const where = "event_type = 'purchase' AND properties.amount > 10";
    expect(parseQuery({ ...form, where })).toEqual(parseSql(sql));
  });

  test.each<[unknown, string]>([
    [
      {
        select: [
          { fn: "count_distinct", field: "user_id", as: "users" },
          { fn: "quantile", field: "properties.ms", q: 0.95, as: "p95" },
          { fn: "topk", field: "properties.page", k: 3, as: "top" },
          { fn: "histogram", field: "properties.ms", bounds: [1, 10], as: "h" },
          { fn: "rate", as: "per_second" },
          { fn: "percentile_cont", expr: "properties.ms * 2", q: 0.5, as: "mid" },
        ],
        group_by: [{ expr: "lower(source)", as: "s" }],
      },
      `SELECT lower(source) AS s, count(DISTINCT user_id) AS users, quantile(properties.ms, 0.95) AS p95,
        topk(properties.page, 3) AS top, histogram(properties.ms, ARRAY[1, 10]) AS h, rate(*) AS per_second,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY properties.ms * 2) AS mid
       FROM events GROUP BY lower(source)`,
    ],
    [
      {
        select: [
          { fn: "sum", field: "properties.a", filter: "source = 'x'", as: "a" },
          { expr: "sum(properties.a) / count(*)", as: "mean" },
        ],
        having: { field: "a", op: ">", value: 5 },
        order_by: [{ expr: "avg(properties.b)", direction: "desc" }],
      },
      `SELECT sum(properties.a) FILTER (WHERE source = 'x') AS a, sum(properties.a) / count(*) AS mean FROM events
       HAVING sum(properties.a) FILTER (WHERE source = 'x') > 5 ORDER BY avg(properties.b) DESC`,
    ],
    [
      {
        select: [{ fn: "count", as: "n" }],
        group_by: [{ time_bucket: "1 month", time_zone: "Europe/Berlin", as: "month" }],
        having: "n > 1 AND month > '2026-01-01T00:00:00Z'",
        fill: "null",
      },
      `SELECT time_bucket_gapfill('1 month', timestamp, 'Europe/Berlin') AS month, count(*) AS n FROM events
       GROUP BY month HAVING count(*) > 1
         AND time_bucket_gapfill('1 month', timestamp, 'Europe/Berlin') > '2026-01-01T00:00:00Z'`,
    ],
    [
      {
        select: ["properties", { expr: "upper(source)", as: "S" }],
        where: {
          or: [
            { field: "source", op: "ilike", value: "%x" },
            { field: "user_id", op: "matches", value: "^a" },
          ],
        },
        order_by: [{ expr: "length(source)" }],
      },
      `SELECT properties, upper(source) AS "S" FROM events WHERE source ILIKE '%x' OR user_id ~ '^a'
       ORDER BY length(source)`,
    ],
    [
      {
        select: [{ fn: "max", field: "properties.t", as: "last" }],
        group_by: [
          { time_bucket: "1h", field: "received_at", origin: "2026-01-01T00:30:00Z", as: "hour" },
        ],
      },
      `SELECT time_bucket('1 hour', received_at, '2026-01-01T00:30:00Z') AS hour, max(properties.t) AS last
       FROM events GROUP BY hour`,
    ],
  ])("%j", (form, sql) => {
    expect(parseQuery(form)).toEqual(parseSql(sql));
  });

  test("puts keys that select leaves out first", () => {
    const query = parseQuery({
      select: [{ fn: "count" }, "source"],
      group_by: ["user_id", "source"],
    });
    expect(query.select).toEqual([
      { of: { kind: "key", type: "string", key: 0 }, as: "user_id" },
      { of: { kind: "aggregate", type: "number", aggregate: 0 }, as: "count" },
      { of: { kind: "key", type: "string", key: 1 }, as: "source" },
    ]);
  });

  test("selects and orders plain rows", () => {
    const query = parseQuery({
      select: ["timestamp", { field: "properties.path", as: "page" }],
      order_by: ["page", { by: "sequence", direction: "desc", nulls: "last" }],
      offset: 5,
    });
    expect(query.orderBy).toEqual([
      { of: barePath("properties.path"), descending: false, nullsFirst: false },
      { of: barePath("sequence"), descending: true, nullsFirst: false },
    ]);
    expect(query).toMatchObject({ limit: null, offset: 5, where: null, groupBy: [] });
  });

  test.each([
    [{ selct: [] }, "#", 'unknown key "selct"; did you mean "select"?'],
    [{ select: ["sorce"] }, "#/select/0", 'did you mean "source"?'],
    [{ select: [{ fn: "cont" }] }, "#/select/0/fn", 'want one of "count", "sum"'],
    [{ select: [{ fn: "sum" }] }, "#/select/0/field", '"sum" wants a field'],
    [{ select: [{ fn: "sum", field: "source" }] }, "#/select/0/field", "wants numbers"],
    [{ select: [{ fn: "count" }, "source"] }, "#/select/1", "neither in group_by"],
    [{ select: ["source", "source"] }, "#/select", "two columns"],
    [{}, "#/select", "nothing to select"],
    [{ select: ["id"], limit: -1 }, "#/limit", "at least 0"],
    [{ select: ["id"], limit: 1.5 }, "#/limit", "got 1.5"],
    [{ select: ["id"], from: "2026-01-01" }, "#/from", "no time zone"],
    [{ select: ["id"], from: 2e9, to: 1e9 }, "#/from", "after"],
    [{ group_by: [{ time_bucket: "1 moon" }] }, "#/group_by/0/time_bucket", "numbers and units"],
    [
      { group_by: [{ time_bucket: "1d", time_zone: "x/y" }] },
      "#/group_by/0/time_zone",
      "no time zone",
    ],
    [{ select: [{ fn: "quantile", field: "properties.a" }] }, "#/select/0/q", 'wants "q"'],
    [{ select: [{ fn: "sum", field: "properties.a", k: 2 }] }, "#/select/0/k", 'takes no "k"'],
    [{ select: [{ fn: "sum", field: "source", expr: "1" }] }, "#/select/0", "got both"],
    [{ select: [{ expr: "lower(5)" }] }, "#/select/0/expr", "at character 7"],
    [
      { select: [{ expr: "lower(source)" }, { fn: "count" }] },
      "#/select/0/expr",
      "must appear in GROUP BY",
    ],
    [{ group_by: [{ expr: "count(*)" }] }, "#/group_by/0/expr", "not allowed in group_by"],
    [
      { select: [{ fn: "count", as: "n" }], having: { field: "m", op: ">", value: 1 } },
      "#/having/field",
      'no field "m"',
    ],
    [
      { select: [{ fn: "count", as: "n" }], having: { field: "n", op: ">", value: "x" } },
      "#/having/value",
      "want a finite number",
    ],
    [{ select: [{ fn: "count" }], fill: "zero" }, "#/fill", "wants a time_bucket"],
    [
      { select: [{ fn: "count", filter: { field: "user_id", op: "=", value: 5 } }] },
      "#/select/0/filter/value",
      "want text",
    ],
    [{ group_by: [{ time_bucket: "0s" }] }, "#/group_by/0/time_bucket", "longer than nothing"],
    [{ group_by: [{ time_buckt: "1m" }] }, "#/group_by/0", 'did you mean "time_bucket"'],
    [{ select: [{ fn: "count" }], order_by: ["cont"] }, "#/order_by/0", 'did you mean "count"?'],
    ["select 1", "#", "want object"],
  ])("refuses %j", (form, pointer, why) => {
    const error = failure(() => parseQuery(form));
    expect(error.detail.pointer).toBe(pointer);
    expect(error.message).toContain(why);
    expect(error.status).toBe(400);
  });
});

describe("predicates as JSON", () => {
  test.each([
    [{ field: "source", op: "in", value: ["a", "b"] }, "source IN ('a', 'b')"],
    [{ field: "source", op: "not_in", value: ["a", null] }, "source NOT IN ('a', NULL)"],
    [{ field: "source", op: "prefix", value: "we" }, "source LIKE 'we%'"],
    [{ field: "source", op: "=", value: null }, "source = NULL"],
    [{ field: "user_id", op: "is_null" }, "user_id IS NULL"],
    [{ field: "user_id", op: "is_not_null" }, "user_id IS NOT NULL"],
    [{ field: "properties.a\\.b", op: "exists" }, "properties ? 'a.b'"],
    [{ not: { field: "properties.x", op: "<=", value: 1.5 } }, "NOT properties.x <= 1.5"],
    [
      { or: ["source = 'a'", { field: "sequence", op: ">", value: 9 }] },
      "source='a' OR sequence>9",
    ],
    [{ and: [{ and: ["source='a'", "user_id='b'"] }] }, "source='a' AND user_id='b'"],
    [{ field: "timestamp", op: "<", value: 1e9 }, "timestamp < '2001-09-09T01:46:40Z'"],
  ])("%j", (form, sql) => {
    expect(parsePredicate(form)).toEqual(parseWhere(sql));
  });

  test("nothing is in an empty list", () => {
    const empty = { field: "source", op: "in", value: [] };
    expect(parsePredicate(empty)).toEqual({ kind: "constant", value: false });
  });

  test.each([
    [{ field: "source", opp: "=", value: 1 }, "#", 'did you mean "op"?'],
    [{ and: [{ field: "x", op: "=", value: 1 }] }, "#/and/0/field", 'no field "x"'],
    [
      { and: [{ field: "user_id", op: "=", value: 5 }] },
      "#/and/0/value",
      "got 5 for user_id, want text",
    ],
    [{ field: "source", op: "~", value: "x" }, "#/op", 'got "~", want one of'],
    [{ field: "source", op: "in", value: "x" }, "#/value", "wants an array"],
    [{ field: "source", op: "=" }, "#/value", "got nothing"],
    [{ field: "source", op: "exists", value: 1 }, "#/value", "takes no value"],
    [{ field: "timestamp", op: "prefix", value: "2" }, "#/value", "compares text"],
    [{ not: "source =" }, "#/not", "end of input"],
    [{ and: [] }, "#/and", "at least 1"],
    [5, "#", "want string or object"],
    [
      { field: "source", op: "in", value: Array.from({ length: 10_001 }, String) },
      "#/value",
      "want at most 10000 items",
    ],
  ])("refuses %j", (form, pointer, why) => {
    const error = failure(() => parsePredicate(form));
    expect(error.detail.pointer).toBe(pointer);
    expect(error.message).toContain(why);
  });

  test("nesting is bounded", () => {
    let form: unknown = "source = 'a'";
    for (let i = 0; i < 100_000; i++) form = { not: form };
    expect(failure(() => parsePredicate(form)).message).toContain("64 levels");
  });

  test("SQL below a NOT is read as what stands below a NOT", () => {
    const found = parsePredicate({ not: "properties.x IS NOT TRUE" });
    expect(found).toEqual(parseWhere("NOT (properties.x IS NOT TRUE)"));
    expect(parsePredicate({ not: "properties.x IS TRUE" })).toEqual(
      parseWhere("NOT properties.x IS TRUE"),
    );
  });
});

describe("the parameters of GET /analytics/events", () => {
  test("become a request", () => {
    const request = parseEventsParams({
      from: "2026-01-01T00:00:00Z",
      to: "1795435200",
      event_type: "click",
      where: '{"field":"source","op":"=","value":"x"}',
      limit: "5",
      order: "desc",
    });
    expect(request).toEqual({
      fromUs: 1_767_225_600_000_000n,
      toUs: 1_795_435_200_000_000n,
      eventType: "click",
      where: { field: "source", op: "=", value: "x" },
      limit: 5,
      order: "desc",
    });
    expect(parseEventsParams({})).toEqual({ order: "asc", limit: 100 });
  });

  test("an integer beyond 2^53 in a JSON condition keeps its digits", () => {
    const where = '{"field":"properties.n","op":"=","value":9007199254740993}';
    expect(parseEventsParams({ where }).where).toMatchObject({ value: 9_007_199_254_740_993n });
  });

  test.each([
    [{ fro: "x" }, 'did you mean "from"?'],
    [{ limit: "many" }, "want number"],
    [{ limit: "0" }, "at least 1"],
    [{ order: "up" }, 'want one of "asc", "desc"'],
    [{ where: "source =" }, "end of input"],
    [{ where: "{" }, "begins like JSON"],
  ])("refuse %j", (params, why) => {
    expect(failure(() => parseEventsParams(params as Record<string, string>)).message).toContain(
      why,
    );
  });
});

test("any form gives a query, or an InputError that says where", () => {
  const seed = 7;
  const random = mulberry32(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const values = [1, 2.5, "x", "2026-11-23T12:00:00Z", null, true, [1, "a"], [], {}, 2n ** 60n];
  const fields = [
    "source",
    "timestamp",
    "properties.a",
    "properties",
    "n",
    "sequence",
    "id",
    "x",
    "",
  ];
  const texts = [
    "lower(source)",
    "count(*) > 1",
    "n + 1",
    "source =",
    "properties.a",
    "1",
    "sum(n)",
  ];
  const condition = (depth: number): unknown => {
    if (depth <= 0 || random() < 0.2)
      return pick([...texts, "source = 'x'", "NOT properties.ok", 5]);
    if (random() < 0.3)
      return { [pick(["and", "or"])]: [condition(depth - 1), condition(depth - 1)] };
    if (random() < 0.2) return { not: condition(depth - 1) };
    const op = pick(["=", "<", "in", "prefix", "like", "matches", "exists", "is_null", "?"]);
    return { field: pick(fields), op, ...(random() < 0.8 && { value: pick(values) }) };
  };
  const item = (): unknown =>
    pick<() => unknown>([
      () => pick(fields),
      () => ({
        fn: pick(["count", "sum", "min", "quantile", "topk", "histogram", "rate", "no"]),
        ...(random() < 0.7 && { field: pick(fields) }),
        ...(random() < 0.3 && { q: pick([0.5, 2]) }),
        ...(random() < 0.3 && { k: 3 }),
        ...(random() < 0.3 && {
          bounds: pick([
            [1, 2],
            [2, 1],
          ]),
        }),
        ...(random() < 0.2 && { filter: condition(1) }),
        ...(random() < 0.5 && { as: "n" }),
      }),
      () => ({ expr: pick(texts), as: pick(["n", "m"]) }),
      () => ({
        time_bucket: pick(["1m", "1 month", "x"]),
        ...(random() < 0.3 && { time_zone: "Europe/Berlin" }),
      }),
      () => ({ by: pick(fields), direction: "desc" }),
    ])();
  let made = 0;
  for (let i = 0; i < 1000; i++) {
    const form = {
      select: Array.from({ length: 1 + Math.floor(random() * 2) }, item),
      ...(random() < 0.5 && { where: condition(3) }),
      ...(random() < 0.5 && { group_by: [item()] }),
      ...(random() < 0.3 && { having: condition(2) }),
      ...(random() < 0.3 && { order_by: [item()] }),
      ...(random() < 0.1 && { fill: "zero" }),
    };
    try {
      parseQuery(form);
      made++;
    } catch (error) {
      const shown = `seed ${seed}, form ${i}`;
      expect(error, shown).toBeInstanceOf(InputError);
      expect((error as InputError).detail.pointer, `${shown}: ${error}`).toMatch(/^#/);
    }
  }
  expect(made).toBeGreaterThan(15);
});

test("the schemas convert to JSON Schema", () => {
  for (const one of [schema.querySchema, schema.predicateSchema, schema.eventsParamsSchema]) {
    expect(z.toJSONSchema(one, { io: "input", unrepresentable: "any" })).toHaveProperty("$schema");
  }
});

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { InputError } from "../../src/errors.ts";
import * as schema from "../../src/query/form/schema.ts";
import { parseSql, parseWhere } from "../../src/query/sql/statement.ts";

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

  test("puts keys that select leaves out first", () => {
    const query = parseQuery({
      select: [{ fn: "count" }, "source"],
      group_by: ["user_id", "source"],
    });
    expect(query.select).toEqual([
      { kind: "key", key: 0, as: "user_id" },
      { kind: "aggregate", fn: "count", path: null, as: "count" },
      { kind: "key", key: 1, as: "source" },
    ]);
  });

  test("selects and orders plain rows", () => {
    const query = parseQuery({
      select: ["timestamp", { field: "properties.path", as: "page" }],
      order_by: ["page", { by: "sequence", direction: "desc", nulls: "last" }],
      offset: 5,
    });
    expect(query.orderBy).toEqual([
      { item: 1, descending: false, nullsFirst: false },
      { path: "sequence", descending: true, nullsFirst: false },
    ]);
    expect(query).toMatchObject({ limit: null, offset: 5, where: null, groupBy: [] });
  });

  test.each([
    [{ selct: [] }, "#", 'unknown key "selct"; did you mean "select"?'],
    [{ select: ["sorce"] }, "#/select/0", 'did you mean "source"?'],
    [{ select: [{ fn: "cont" }] }, "#/select/0/fn", 'want one of "count", "sum"'],
    [{ select: [{ fn: "sum" }] }, "#/select/0/field", '"sum" wants a field'],
    [{ select: [{ fn: "sum", field: "source" }] }, "#/select/0/field", "holds no numbers"],
    [{ select: [{ fn: "count" }, "source"] }, "#/select/1", "neither in group_by"],
    [{ select: ["source", "source"] }, "#/select", "two columns"],
    [{}, "#/select", "nothing to select"],
    [{ select: ["id"], limit: -1 }, "#/limit", "at least 0"],
    [{ select: ["id"], limit: 1.5 }, "#/limit", "got 1.5"],
    [{ select: ["id"], from: "2026-01-01" }, "#/from", "no time zone"],
    [{ select: ["id"], from: 2e9, to: 1e9 }, "#/from", "after"],
    [{ group_by: [{ time_bucket: "1 month" }] }, "#/group_by/0/time_bucket", "no fixed length"],
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
    expect(failure(() => parsePredicate({ not: "properties.x IS TRUE" })).status).toBe(501);
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

test("the schemas convert to JSON Schema", () => {
  for (const one of [schema.querySchema, schema.predicateSchema, schema.eventsParamsSchema]) {
    expect(z.toJSONSchema(one, { io: "input", unrepresentable: "any" })).toHaveProperty("$schema");
  }
});

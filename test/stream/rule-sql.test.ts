import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { parseQuery } from "../../src/query/form/schema.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { readRuleSql, ruleOfQuery, ruleOfSql } from "../../src/stream/rule-sql.ts";

const us = (value: bigint) => ({ months: 0, days: 0, us: value });
const minute = { kind: "tumbling", size: us(60_000_000n), originUs: null, zone: "UTC" };

function refusal(sql: string): InputError {
  try {
    readRuleSql(sql);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error(`${sql} was taken`);
}

describe("windows", () => {
  test.each([
    ["time_bucket('1 minute', timestamp)", minute],
    ["date_trunc('minute', timestamp)", minute],
    ["TUMBLE(timestamp, INTERVAL '1 minute')", minute],
    ["tumble(timestamp, INTERVAL '1' MINUTE)", minute],
    [
      "TUMBLE(timestamp, INTERVAL '1 hour', INTERVAL '15 minutes')",
      { ...minute, size: us(3_600_000_000n), originUs: 900_000_000n },
    ],
    [
      "time_bucket('1 day', timestamp, 'Europe/Berlin')",
      { ...minute, size: { months: 0, days: 1, us: 0n }, zone: "Europe/Berlin" },
    ],
    [
      "TUMBLE(timestamp, INTERVAL '1 day', 'Europe/Berlin')",
      { ...minute, size: { months: 0, days: 1, us: 0n }, zone: "Europe/Berlin" },
    ],
    [
      "HOP(timestamp, INTERVAL '1 minute', INTERVAL '1 hour')",
      {
        kind: "hopping",
        size: us(3_600_000_000n),
        slide: us(60_000_000n),
        originUs: null,
        zone: "UTC",
      },
    ],
    ["SESSION(timestamp, INTERVAL '30' MINUTE)", { kind: "session", gapUs: 1_800_000_000n }],
    ["SESSION(timestamp, '30m')", { kind: "session", gapUs: 1_800_000_000n }],
  ])("GROUP BY %s", (call, window) => {
    const sql = `SELECT ${call} AS w, source, count(*) AS n FROM events GROUP BY w, source`;
    const made = readRuleSql(sql);
    expect(made.window).toEqual(window);
    expect(made.parts.keys.map(({ as }) => as)).toEqual(["source"]);
    expect(made.parts.values.map(({ as }) => as)).toEqual(["n"]);
    expect(readRuleSql(`SELECT count(*) AS n FROM events GROUP BY ${call}`).window).toEqual(window);
  });

  test("starts and ends are columns of their own", () => {
    const made = readRuleSql(
      `SELECT HOP_START(timestamp, INTERVAL '1m', INTERVAL '5m') AS a,
              HOP_END(timestamp, INTERVAL '1m', INTERVAL '5m') AS b, max(properties.ms) / 1000 AS s
       FROM events WHERE event_type = 'x' GROUP BY HOP(timestamp, INTERVAL '1m', INTERVAL '5m')`,
    );
    expect(made.parts).toMatchObject({
      where: { kind: "compare", path: "event_type" },
      keys: [],
      values: [{ as: "s", of: { kind: "call", fn: "/" } }],
    });
  });

  test("a bucket of another time is a group", () => {
    const made = readRuleSql(
      `SELECT time_bucket('1 day', received_at) AS day, count(*) FROM events
       GROUP BY day, TUMBLE(timestamp, INTERVAL '1 minute')`,
    );
    expect(made.window).toEqual(minute);
    expect(made.parts.keys.map(({ as }) => as)).toEqual(["day"]);
  });
});

const grouped = "SELECT count(*) FROM events GROUP BY time_bucket('1m', timestamp)";

describe("what is refused, where the ¦ stands", () => {
  test.each<[string, RegExp]>([
    [`${grouped} HAVING ¦count(*) > 1`, /^HAVING has no place/],
    [`${grouped} ORDER BY ¦1`, /^ORDER BY has no place/],
    [`${grouped} LIMIT ¦10`, /^LIMIT has no place/],
    [`${grouped} OFFSET ¦20`, /^OFFSET has no place/],
    ["SELECT count(*) FROM events GROUP BY ¦time_bucket_gapfill('1m', timestamp)", /gapfill/],
    ["SELECT count(*) FROM events¦", /a rule has windows/],
    ["SELECT ¦DISTINCT source FROM events", /DISTINCT/],
    ["¦SELECT source FROM events GROUP BY 1, TUMBLE(timestamp, '1m')", /an aggregate/],
    ["¦SELECT TUMBLE(timestamp, '1m'), count(*) FROM events", /appear in GROUP BY/],
    [
      "SELECT count(*) FROM events WHERE ¦TUMBLE(timestamp, '1m') > now() GROUP BY source",
      /in WHERE/,
    ],
    [
      "SELECT HOP(timestamp, '1m', '5m'), count(*) FROM events GROUP BY ¦TUMBLE(timestamp, '1m')",
      /another window/,
    ],
    ["SELECT count(*) FROM events GROUP BY ¦HOP(timestamp, '1m')", /wants hop\(timestamp/],
    ["SELECT count(*) FROM events GROUP BY TUMBLE(¦received_at, '1m')", /go by timestamp/],
    ["SELECT count(*) FROM events GROUP BY SESSION(timestamp, '1m', ¦'1s')", /a gap/],
    ["SELECT count(*) FROM events GROUP BY SESSION(timestamp, ¦'1 month')", /months/],
    ["SELECT count(*) FROM events GROUP BY TUMBLE(timestamp, ¦'1 fortnight')", /fortnight/],
    [
      "SELECT ¦extract(hour FROM TUMBLE(timestamp, '1m')), count(*) FROM events GROUP BY TUMBLE(timestamp, '1m')",
      /alone/,
    ],
    [
      "SELECT count(*) FROM events GROUP BY time_bucket('1m', timestamp), ¦time_bucket('5m', timestamp)",
      /one window/,
    ],
    ["SELECT count(*) FROM ¦orders GROUP BY TUMBLE(timestamp, '1m')", /no table "orders"/],
    ["SELECT max(¦now()) FROM events GROUP BY TUMBLE(timestamp, '1m')", /now\(\) in a rule/],
    [
      "SELECT ¦max(source) AS window_start, count(*) FROM events GROUP BY TUMBLE(timestamp, '1m')",
      /column of every window/,
    ],
    ["¦DELETE FROM events", /want a SELECT/],
  ])("%s", (marked, message) => {
    const error = refusal(marked.replace("¦", ""));
    expect(error.message).toMatch(message);
    expect(error.detail.position).toBe(marked.indexOf("¦") + 1);
  });

  test.each(["TUMBLE(timestamp, '1m')", "HOP(timestamp, '1m', '5m')", "SESSION(timestamp, '1m')"])(
    "%s in a query over events",
    (call) => {
      const run = () => parseSql(`SELECT count(*) FROM events GROUP BY ${call}`);
      expect(run).toThrow(/makes the windows of aggregation rules.*at character 38/);
    },
  );
});

describe("live subscriptions", () => {
  const form = { select: [{ fn: "count", as: "n" }], group_by: ["source", { time_bucket: "1m" }] };

  test("a query's bucket is the window, and its other keys are the groups", () => {
    const rule = ruleOfQuery(parseQuery({ ...form, where: "event_type = 'x'" }), { groupsMax: 7 });
    expect(rule).toMatchObject({
      name: "",
      window: minute,
      keys: [{ as: "source" }],
      values: [{ as: "n" }],
      groupsMax: 7,
      allowedLatenessUs: 60_000_000n,
      tiers: [],
    });
  });

  test("keys after the bucket move up", () => {
    const query = parseSql(
      `SELECT time_bucket('1m', timestamp), source, concat(source, '!') AS loud, count(*)
       FROM events GROUP BY 1, 2`,
    );
    const { keys, values } = ruleOfQuery(query);
    expect(keys.map(({ as }) => as)).toEqual(["source"]);
    expect(values[0]).toMatchObject({ as: "loud", of: { args: [{ kind: "key", key: 0 }, {}] } });
  });

  test("a statement with parameters", () => {
    const sql = "SELECT count(*) FROM events WHERE source = $1 GROUP BY HOP(timestamp, '1m', '5m')";
    expect(ruleOfSql(sql, ["web"])).toMatchObject({
      window: { kind: "hopping" },
      where: { path: "source", value: "web" },
    });
  });

  test.each([
    [{ ...form, limit: 3 }, /#\/limit/],
    [{ ...form, order_by: ["n"] }, /#\/order_by/],
    [{ ...form, group_by: ["source"] }, /want a time_bucket/],
    [{ ...form, having: "n > 1" }, /#\/having/],
    [{ ...form, fill: "zero" }, /#\/fill/],
  ])("%j is refused", (query, message) => {
    expect(() => ruleOfQuery(parseQuery(query))).toThrow(message);
  });
});

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import type { Predicate } from "../../src/query/query.ts";
import { parseSql, parseWhere } from "../../src/query/sql/statement.ts";
import { mulberry32 } from "../support/random.ts";

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
const not = (of: Predicate): Predicate => ({ kind: "not", of });

describe("conditions", () => {
  test.each<[string, Predicate]>([
    ["event_type = 'purchase'", compare("event_type", "=", "purchase")],
    ["5 < properties.n", compare("properties.n", ">", 5)],
    ["properties.n <> -1.50", compare("properties.n", "!=", -1.5)],
    ["properties.n = 9223372036854775807", compare("properties.n", "=", 9223372036854775807n)],
    ["properties.n = -9223372036854775808", compare("properties.n", "=", -9223372036854775808n)],
    ["properties.n = 9007199254740991", compare("properties.n", "=", 9007199254740991)],
    ["properties.n = 0x1F", compare("properties.n", "=", 31)],
    ["properties.n = 10_000_000_000", compare("properties.n", "=", 10_000_000_000)],
    ["properties.n = +'12'::int", compare("properties.n", "=", 12)],
    ["properties.ok", compare("properties.ok", "=", true)],
    ["NOT properties.ok", not(compare("properties.ok", "=", true))],
    ["properties.ok IS FALSE", not(compare("properties.ok", "=", true))],
    ["source LIKE 'we\\%b%'", { kind: "prefix", path: "source", prefix: "we%b" }],
    ["source LIKE 'web'", compare("source", "=", "web")],
    ["source NOT LIKE 'w%'", not({ kind: "prefix", path: "source", prefix: "w" })],
    ["starts_with(source, 'w')", { kind: "prefix", path: "source", prefix: "w" }],
    ["source IN ('a','b')", { kind: "in", path: "source", values: ["a", "b"] }],
    ["user_id IS NOT NULL", not({ kind: "is-null", path: "user_id" })],
    ["1 = 1 AND source = 'a'", compare("source", "=", "a")],
    ["1 = 2 AND source = 'a'", { kind: "constant", value: false }],
    ["source = NULL", { kind: "constant", value: null }],
    ["sequence >= 12", compare("sequence", ">=", 12n)],
    ["lateness_us > 1000", compare("lateness_us", ">", 1000)],
    [
      "id = 'ABCDEF00-0000-4000-8000-000000000000'",
      compare("id", "=", "abcdef00-0000-4000-8000-000000000000"),
    ],
    [
      "received_at > timestamptz '2026-11-23 12:00:00+00'",
      compare("received_at", ">", 1_795_435_200_000_000n),
    ],
  ])("%s", (text, predicate) => {
    expect(parseWhere(text)).toEqual(predicate);
  });

  test.each([
    ["properties.a.b", "properties.a.b"],
    ["properties.userId", "properties.userId"],
    ['PROPERTIES."a.b" /* x */ . "C""d"', 'properties.a\\.b.C"d'],
    ["properties->>'a.b'", "properties.a\\.b"],
    ["properties->'a'->>'b'", "properties.a.b"],
    ["properties.a->>'b'", "properties.a.b"],
    ["properties #>> '{a,\"b c\"}'", "properties.a.b c"],
    ["events.Event_Type", "event_type"],
    ["properties.été", "properties.été"],
    [`properties.${"x".repeat(100)}`, `properties.${"x".repeat(100)}`],
  ])("%s is a path", (text, path) => {
    expect(parseWhere(`${text} = 'v'`)).toEqual(compare(path, "=", "v"));
  });

  test("take parameters", () => {
    const where = "source = $1 AND properties.n > $2 AND user_id = ANY($3)";
    expect(parseWhere(where, ["web", 5, ["a", "b"]])).toEqual({
      kind: "and",
      of: [
        compare("source", "=", "web"),
        compare("properties.n", ">", 5),
        { kind: "in", path: "user_id", values: ["a", "b"] },
      ],
    });
    expect(failure(() => parseWhere("source = $2", ["x"])).message).toContain("no $2: got 1");
    expect(failure(() => parseWhere("source = $1", [{}])).code).toBe("sql_parameter");
  });

  test("keep only what decides when a test for truth is left out", () => {
    expect(parseWhere("NOT (properties.x IS NOT TRUE)")).toEqual(
      not(not(compare("properties.x", "=", true))),
    );
    expect(parseWhere("source IS NOT DISTINCT FROM 'x'")).toEqual(compare("source", "=", "x"));
    expect(failure(() => parseWhere("NOT properties.x IS TRUE")).status).toBe(501);
    expect(failure(() => parseWhere("properties.x IS NOT TRUE")).status).toBe(501);
    expect(failure(() => parseWhere("source IS DISTINCT FROM 'x'")).status).toBe(501);
  });

  test.each([
    ["source = 'é' AND", 400, "sql_syntax", 17],
    ["source = 'a') OR (source = 'b'", 400, "sql_syntax", 13],
    ["source = 'a'; DROP TABLE x", 400, "sql_syntax", 13],
    ["  ", 400, "sql_syntax", 1],
    ["source = 'a\0'", 400, "sql_syntax", 12],
    ["source = 'é' AND evnt_type = 'x'", 400, "unknown_column", 18],
    ["source.x = 'a'", 400, "unknown_column", 1],
    ["user_id = 5", 400, "sql_type", 11],
    ["user_id IN ('a', 5)", 400, "sql_type", 18],
    ["timestamp > '2026-11-23'", 400, "sql_type", 13],
    ["id = 'x'", 400, "sql_type", 6],
    ["properties.t > timestamptz '2026-11-23T12:00:00Z'", 400, "sql_type", 28],
    ["properties->>'a' > 3", 400, "sql_type", 20],
    ["properties.n = 1e400", 400, "sql_type", 16],
    ["count(*) > 1", 400, "sql_semantics", 1],
    ["now() > timestamp", 501, "not_implemented", 1],
    ["properties.a + 1 > 2", 501, "not_implemented", 14],
    ["properties.a = properties.b", 501, "not_implemented", 14],
    ["properties.a::int = 5", 501, "not_implemented", 1],
    ["source LIKE '%x'", 501, "not_implemented", 13],
    ["source ILIKE 'x%'", 501, "not_implemented", 8],
    ["source IN (SELECT 1)", 501, "not_implemented", 8],
    ["CASE WHEN true THEN true END", 501, "not_implemented", 1],
    ["properties->'a' = 'x'", 501, "not_implemented", 11],
    ["properties IS NULL", 501, "not_implemented", 1],
  ])("refuses %j with %d", (text, status, code, position) => {
    const error = failure(() => parseWhere(text));
    expect([error.status, error.code, error.detail.position]).toEqual([status, code, position]);
  });

  test("are bounded in length and nesting", () => {
    expect(failure(() => parseWhere(`source = '${"x".repeat(70_000)}'`)).code).toBe("sql_too_long");
    for (const deep of [
      `${"NOT ".repeat(15_000)}true`,
      `${"(".repeat(30_000)}true${")".repeat(30_000)}`,
      `${"NOT ".repeat(500)}true`,
      `properties.a = 1${"+1".repeat(20_000)}`,
      `properties.a = 1${"::int".repeat(12_000)}`,
    ]) {
      expect(failure(() => parseWhere(deep))).toBeInstanceOf(InputError);
    }
    expect(parseWhere("source = 'a'")).toEqual(compare("source", "=", "a"));
  });

  test("many terms are one flat condition", () => {
    const text = Array.from({ length: 2000 }, (_, i) => `properties.é = ${i}`).join(" OR ");
    expect(parseWhere(text)).toMatchObject({ kind: "or", of: { length: 2000 } });
  });
});

describe("statements", () => {
  test("name, group, order and cut", () => {
    const query = parseSql(
      `SELECT e.source, date_trunc('hour', timestamp) h, count(*), sum(properties.amount) AS "Sum"
       FROM events e WHERE timestamp >= '2026-11-23T12:00:00Z' AND timestamp <= $1
       GROUP BY 1, h ORDER BY sum(properties.amount) DESC NULLS LAST, SUM, 2 LIMIT 10 OFFSET $2;`,
      ["2026-11-23T13:00:00Z", 20],
    );
    expect(query).toEqual({
      select: [
        { kind: "key", key: 0, as: "source" },
        { kind: "key", key: 1, as: "h" },
        { kind: "aggregate", fn: "count", path: null, as: "count" },
        { kind: "aggregate", fn: "sum", path: "properties.amount", as: "Sum" },
      ],
      where: null,
      fromUs: 1_795_435_200_000_000n,
      toUs: 1_795_438_800_000_001n,
      groupBy: [
        { kind: "field", path: "source", as: "source" },
        { kind: "bucket", widthUs: 3_600_000_000n, originUs: 0n, as: "h" },
      ],
      orderBy: [
        { item: 3, descending: true, nullsFirst: false },
        { item: 3, descending: false, nullsFirst: false },
        { item: 1, descending: false, nullsFirst: false },
      ],
      limit: 10,
      offset: 20,
    });
  });

  test("weeks start on Mondays, and an origin moves buckets", () => {
    const bucket = (text: string): unknown =>
      parseSql(`SELECT ${text} AS b, count(*) FROM events GROUP BY b`).groupBy[0];
    const monday = 345_600_000_000n; // 1970-01-05
    const week = { kind: "bucket", widthUs: 604_800_000_000n, originUs: monday, as: "b" };
    expect(bucket("date_trunc('week', timestamp)")).toEqual(week);
    expect(bucket("time_bucket('7 days', timestamp)")).toEqual(week);
    expect(bucket("time_bucket(interval '1h', timestamp, '1970-01-01T00:30:00Z')")).toMatchObject({
      originUs: 1_800_000_000n,
    });
  });

  test("a group key need not be selected", () => {
    const query = parseSql("SELECT count(*) FROM events GROUP BY properties.country");
    expect(query.groupBy).toEqual([{ kind: "field", path: "properties.country", as: "country" }]);
    expect(query.select).toHaveLength(1);
  });

  test.each([
    ["SELECT count(*) FROM event", 400, "unknown_table", 22],
    ["SELECT source, count(*) FROM events", 400, "sql_semantics", 8],
    ["SELECT sum(event_type) FROM events", 400, "sql_type", 12],
    ["SELECT source FROM events LIMIT -1", 400, "sql_type", 33],
    ["SELECT source FROM events ORDER BY 3", 400, "sql_semantics", 36],
    ["SELECT source AS a, user_id AS a FROM events ORDER BY a", 400, "sql_semantics", 55],
    [
      "SELECT time_bucket('1 month', timestamp) FROM events GROUP BY 1",
      400,
      "invalid_duration",
      20,
    ],
    ["SELECT 1; SELECT 2", 400, "sql_semantics", 1],
    ["INSERT INTO events VALUES (1)", 400, "sql_semantics", 1],
    ["SELECT FROM WHERE", 400, "sql_syntax", 13],
    ["SELECT * FROM events", 501, "not_implemented", 8],
    ["SELECT DISTINCT source FROM events", 501, "not_implemented", 17],
    ["SELECT count(DISTINCT user_id) FROM events", 501, "not_implemented", 8],
    ["SELECT count(*) FILTER (WHERE true) FROM events", 501, "not_implemented", 8],
    ["SELECT rank() OVER () FROM events", 501, "not_implemented", 8],
    ["SELECT source FROM events GROUP BY source HAVING count(*) > 1", 501, "not_implemented", 59],
    ["SELECT count(*) FROM events a JOIN b ON true", 501, "not_implemented", 22],
    ["SELECT count(*) FROM events a, events b", 501, "not_implemented", 32],
    ["SELECT count(*) FROM (SELECT 1) x", 501, "not_implemented", 30],
    ["WITH x AS (SELECT 1) SELECT count(*) FROM events", 501, "not_implemented", 1],
    ["SELECT count(*) FROM events UNION SELECT 2", 501, "not_implemented", 1],
    ["SELECT date_trunc('month', timestamp) FROM events GROUP BY 1", 501, "not_implemented", 19],
    ["SELECT upper(source) FROM events", 501, "not_implemented", 8],
    ["SELECT CASE WHEN true THEN 1 END FROM events", 501, "not_implemented", 8],
    ["EXPLAIN SELECT 1", 501, "not_implemented", 1],
    ["SELECT count(*) FROM events GROUP BY source ORDER BY user_id", 501, "not_implemented", 54],
    ["SELECT count(*) FROM events GROUP BY CUBE (source)", 501, "not_implemented", 38],
  ])("refuses %j with %d", (text, status, code, position) => {
    const error = failure(() => parseSql(text));
    expect([error.status, error.code, error.detail.position]).toEqual([status, code, position]);
  });
});

describe("any text", () => {
  const words =
    `SELECT FROM events WHERE ( ) , source properties . a -> ->> 'x' '{a,b}' #>> = <> IN LIKE 'p%'
    BETWEEN 1 AND OR NOT IS NULL TRUE DISTINCT count * GROUP BY ORDER LIMIT $1 :: int timestamptz CASE WHEN THEN END
    time_bucket '1m' timestamp ANY ARRAY [ ] "q" é interval AS n HAVING ? || + - FILTER OVER ROW AT ZONE cast coalesce
    extract x'1f' VALUES ; /*c*/ now()`.split(/\s+/);

  test("gives a value, or an InputError that says where", () => {
    const seed = 42;
    const random = mulberry32(seed);
    const pick = (): string => words[Math.floor(random() * words.length)] ?? "";
    for (let i = 0; i < 9000; i++) {
      const text = Array.from({ length: 1 + Math.floor(random() * 14) }, pick).join(" ");
      try {
        if (i % 3 === 0) parseWhere(text, ["v"]);
        else parseSql(`SELECT ${i % 3 === 1 ? "source FROM events WHERE " : ""}${text}`, ["v"]);
      } catch (error) {
        expect(error, `seed ${seed}: ${text}`).toBeInstanceOf(InputError);
        expect((error as InputError).detail.position, text).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

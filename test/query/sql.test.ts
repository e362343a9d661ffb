import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import type {
  Expression,
  ScalarFunction,
  ValueType,
} from "../../src/query/expression/expression.ts";
import { resolveNow } from "../../src/query/expression/now.ts";
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
const path = (name: string, type: ValueType): Expression => ({ kind: "path", type, path: name });
const literal = (type: ValueType, value: never): Expression => ({ kind: "literal", type, value });
const number = (value: number): Expression => literal("number", value as never);
const text = (value: string): Expression => literal("string", value as never);
const call = (type: ValueType, fn: ScalarFunction, ...args: Expression[]): Expression => ({
  kind: "call",
  type,
  fn,
  args,
});
const tested = (fn: ScalarFunction, ...args: Expression[]): Predicate => ({
  kind: "test",
  of: call("boolean", fn, ...args),
});

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

  test("are leaves where a test for truth doesn't change what decides", () => {
    const isX = compare("properties.x", "=", true);
    expect(parseWhere("NOT (properties.x IS NOT TRUE)")).toEqual(not(not(isX)));
    expect(parseWhere("source IS NOT DISTINCT FROM 'x'")).toEqual(
      not(compare("source", "!=", "x")),
    );
    expect(parseWhere("source IS DISTINCT FROM NULL")).toEqual(
      not({ kind: "is-null", path: "source" }),
    );
    const x = path("properties.x", "boolean");
    expect(parseWhere("properties.x IS NOT TRUE")).toEqual(not(tested("is_true", x)));
    expect(parseWhere("NOT properties.x IS TRUE")).toEqual(not(tested("is_true", x)));
    expect(parseWhere("properties.x IS UNKNOWN")).toEqual(tested("is_null", x));
    expect(parseWhere("source IS DISTINCT FROM 'x'")).toEqual(
      tested("is_distinct", path("source", "string"), text("x")),
    );
  });

  test.each<[string, Predicate]>([
    [
      "properties.a + 1 > 2",
      tested(">", call("number", "+", path("properties.a", "number"), number(1)), number(2)),
    ],
    [
      "properties.a = properties.b",
      tested("=", path("properties.a", "variant"), path("properties.b", "variant")),
    ],
    [
      "properties.a > lateness_us",
      tested(">", path("properties.a", "number"), path("lateness_us", "number")),
    ],
    [
      "(properties->>'a')::int = 5",
      tested(
        "=",
        call("number", "integer", call("number", "cast", path("properties.a", "variant"))),
        number(5),
      ),
    ],
    ["source LIKE '%x'", tested("like", path("source", "string"), text("%x"))],
    ["source LIKE 'a!%b%' ESCAPE '!'", { kind: "prefix", path: "source", prefix: "a%b" }],
    ["source NOT ILIKE 'x%'", not(tested("ilike", path("source", "string"), text("x%")))],
    ["source !~* 'x.*y'", not(tested("imatches", path("source", "string"), text("x.*y")))],
    ["2 + 3 * 4 = 14 AND source = 'a'", compare("source", "=", "a")],
    ["lower('ABC') = source", compare("source", "=", "abc")],
    [
      "properties.x IN (1, 'a', NULL)",
      {
        kind: "or",
        of: [
          { kind: "in", path: "properties.x", values: [1, "a"] },
          { kind: "constant", value: null },
        ],
      },
    ],
    [
      "lower(source) IN ('a', 'b')",
      tested("in", call("string", "lower", path("source", "string")), text("a"), text("b")),
    ],
    ["source <> ALL (ARRAY['a', 'b'])", not({ kind: "in", path: "source", values: ["a", "b"] })],
    [
      "properties.n BETWEEN SYMMETRIC 5 AND 1",
      {
        kind: "or",
        of: [
          {
            kind: "and",
            of: [compare("properties.n", ">=", 5), compare("properties.n", "<=", 1)],
          },
          {
            kind: "and",
            of: [compare("properties.n", ">=", 1), compare("properties.n", "<=", 5)],
          },
        ],
      },
    ],
    ["timestamp <= timestamptz '1970-01-01T00:00:00.069591Z'", compare("timestamp", "<=", 69_591n)],
    [
      "timestamp = timestamp '2026-11-23 12:00:00Z' - interval '12 hours'",
      compare("timestamp", "=", 1_795_392_000_000_000n),
    ],
  ])("%s is typed", (where, predicate) => {
    expect(parseWhere(where)).toEqual(predicate);
  });

  test.each([
    [
      "date_trunc('day', timestamp) = '2026-11-23T00:00:00Z'",
      "2026-11-23T00:00",
      "2026-11-24T00:00",
    ],
    ["timestamp::date = date '2026-11-23'", "2026-11-23T00:00", "2026-11-24T00:00"],
    ["time_bucket('1h', timestamp) > '2026-11-23T00:00:00Z'", "2026-11-23T01:00", null],
    ["time_bucket('1h', timestamp) >= '2026-11-23T00:00:01Z'", "2026-11-23T01:00", null],
    ["time_bucket('1h', timestamp) < '2026-11-23T00:00:01Z'", null, "2026-11-23T01:00"],
    ["time_bucket('1h', timestamp) <= '2026-11-23T00:00:00Z'", null, "2026-11-23T01:00"],
    [
      "date_trunc('month', timestamp, 'Europe/Berlin') = '2026-10-31T23:00:00Z'",
      "2026-10-31T23:00",
      "2026-11-30T23:00",
    ],
  ])("%s is a time range", (where, from, to) => {
    const us = (time: string | null) =>
      time === null ? null : BigInt(Date.parse(`${time}Z`)) * 1000n;
    const query = parseSql(`SELECT count(*) FROM events WHERE ${where}`);
    expect([query.where, query.fromUs, query.toUs]).toEqual([null, us(from), us(to)]);
  });

  test("of now() become leaves when the instant is known, and the time range is lifted", () => {
    const query = parseSql(
      `SELECT count(*) FILTER (WHERE received_at > now()) FROM events
       WHERE timestamp >= now() - interval '1 hour' AND source = 'a'`,
    );
    expect(query.fromUs).toBe(null);
    const resolved = resolveNow(query, 7_200_000_000n);
    expect(resolved).toMatchObject({
      fromUs: 3_600_000_000n,
      where: compare("source", "=", "a"),
      aggregates: [{ filter: compare("received_at", ">", 7_200_000_000n) }],
    });
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
    ["properties.n + 'x' > 1", 400, "sql_type", 16],
    ["lower(properties.a) > 7", 400, "sql_type", 23],
    ["lower(5) = 'a'", 400, "sql_type", 7],
    ["left(source, 'x') = 'a'", 400, "sql_type", 14],
    ["substr(source) = 'a'", 400, "sql_semantics", 1],
    ["event_type", 400, "sql_type", 1],
    ["5", 400, "sql_type", 1],
    ["extract(hour FROM properties.t) = 5", 400, "sql_type", 19],
    ["timestamp + 5 > now()", 400, "sql_type", 13],
    ["source ~ '['", 400, "invalid_regex", 10],
    ["source LIKE 'x\\'", 400, "invalid_pattern", 13],
    ["date_trunc('day', timestamp, 'Mars/Base') = timestamp", 400, "unknown_time_zone", 30],
    ["time_bucket('0s', timestamp) = timestamp", 400, "invalid_duration", 13],
    ["9223372036854775807 + 1 > 0", 400, "number_out_of_range", 21],
    ["properties.a::timestamptz > 5 + now()", 400, "sql_type", 29],
    ["CASE WHEN properties.a THEN 1 ELSE lower(source) END = 1", 400, "sql_type", 36],
    ["count(*) > 1", 400, "sql_semantics", 1],
    ["lower(DISTINCT source) = 'a'", 400, "sql_semantics", 1],
    ["source IN (SELECT 1)", 501, "not_implemented", 8],
    ["source SIMILAR TO 'x'", 501, "not_implemented", 8],
    ["uper(source) = 'X'", 501, "not_implemented", 1],
    ["other.lower(source) = 'X'", 501, "not_implemented", 1],
    ["properties->'a' = 'x'", 501, "not_implemented", 11],
    ["properties IS NULL", 501, "not_implemented", 1],
    ["source COLLATE \"C\" = 'x'", 501, "not_implemented", 8],
    ["properties.a::inet = 'x'", 501, "not_implemented", 15],
    ["properties.a::varchar(3) = 'x'", 501, "not_implemented", 1],
    ["date_trunc('fortnight', timestamp) = timestamp", 501, "not_implemented", 12],
    ["timestamp AT TIME ZONE 'Europe/Berlin' = timestamp", 501, "not_implemented", 11],
    ["(properties.a)[1] = 5", 501, "not_implemented", 2],
  ])("refuses %j with %d", (where, status, code, position) => {
    const error = failure(() => parseWhere(where));
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
    const text = Array.from({ length: 2000 }, (_, i) => `properties.é > ${i}`).join(" OR ");
    expect(parseWhere(text)).toMatchObject({ kind: "or", of: { length: 2000 } });
  });

  test("equalities of one path are one list", () => {
    expect(parseWhere("source = 'a' OR user_id = 'x' OR source IN ('b', 'c')")).toEqual({
      kind: "or",
      of: [{ kind: "in", path: "source", values: ["a", "b", "c"] }, compare("user_id", "=", "x")],
    });
    // Numbers and texts are in lanes of their own.
    expect(parseWhere("properties.n = 1 OR properties.n = '1'")).toEqual({
      kind: "or",
      of: [compare("properties.n", "=", 1), compare("properties.n", "=", "1")],
    });
  });
});

describe("any text", () => {
  const words =
    `SELECT FROM events WHERE ( ) , source properties . a -> ->> 'x' '{a,b}' #>> = <> IN LIKE 'p%'
    BETWEEN 1 AND OR NOT IS NULL TRUE DISTINCT count * GROUP BY ORDER LIMIT $1 :: int timestamptz CASE WHEN THEN END
    time_bucket '1m' timestamp ANY ARRAY [ ] "q" é interval AS n HAVING ? || + - FILTER OVER ROW AT ZONE cast coalesce
    extract x'1f' VALUES ; /*c*/ now() lower( sum( count(*) quantile( topk( locf( date_trunc( 'day' ELSE FILTER (WHERE
    DISTINCT NOT ILIKE ~
    '[a' SIMILAR interval '1 month' timestamp::date properties.a::numeric percentile_cont(0.5) WITHIN
    to_char( 'YYYY' HAVING nullif( greatest( concat( substring( FOR repeat( 99999999 ^ % IS TRUE UNKNOWN 1e300`.split(
      /\s+/,
    );

  test("gives a value, or an InputError that says where", () => {
    const seed = 42;
    const random = mulberry32(seed);
    const pick = (): string => words[Math.floor(random() * words.length)] ?? "";
    for (let i = 0; i < 5000; i++) {
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

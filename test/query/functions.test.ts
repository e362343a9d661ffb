import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type { Expression } from "../../src/query/expression/expression.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { parseStatement, type StatementContext } from "../../src/query/sql/prepare.ts";
import { parseSql } from "../../src/query/sql/statement.ts";
import { aggregateNames } from "../../src/query/typing/aggregates.ts";
import { signatures, specialFunctions } from "../../src/query/typing/signatures.ts";

const context: StatementContext = {
  catalog: () => [],
  rules: () => [],
  nowUs: () => 1_795_435_200_000_000n,
};

function valueOf(expression: string): unknown {
  const statement = parseStatement(`SELECT ${expression}`, [], context);
  if (statement.kind !== "rows") throw new Error("want rows");
  const value = statement.rows[0]?.[0];
  return value instanceof JsonText ? JSON.parse(value.text) : value;
}

/** What is written, and what it gives. Each function and operator has a row. */
const rows: [string, unknown][] = [
  ["lower('ÀB')", "àb"],
  ["upper('àb')", "ÀB"],
  ["length('𝄞a')", 2],
  ["char_length('ab')", 2],
  ["character_length('ab')", 2],
  ["octet_length('é')", 2],
  ["substring('abcdef', 2, 3)", "bcd"],
  ["substring('abcdef' FROM 2 FOR 3)", "bcd"],
  ["substring('abcdef' FROM 'c(d)e')", "d"],
  ["substr('abcdef', 4)", "def"],
  ["left('abc', 2)", "ab"],
  ["right('abc', 2)", "bc"],
  ["split_part('a,b,c', ',', 2)", "b"],
  ["concat('a', NULL, 1, true)", "a1true"],
  ["concat_ws('-', 'a', NULL, 'b')", "a-b"],
  ["'a' || 'b' || 1", "ab1"],
  ["'a' || NULL", null],
  ["replace('aba', 'a', 'x')", "xbx"],
  ["trim('  a ')", "a"],
  ["trim(BOTH 'x' FROM 'xax')", "a"],
  ["trim(LEADING 'x' FROM 'xax')", "ax"],
  ["trim(TRAILING 'x' FROM 'xax')", "xa"],
  ["btrim('xax', 'x')", "a"],
  ["ltrim('  a')", "a"],
  ["rtrim('a  ')", "a"],
  ["lpad('7', 3, '0')", "007"],
  ["rpad('7', 3)", "7  "],
  ["reverse('abc')", "cba"],
  ["repeat('ab', 2)", "abab"],
  ["strpos('hello', 'l')", 3],
  ["position('l' IN 'hello')", 3],
  ["starts_with('hello', 'he')", true],
  ["'hello' ^@ 'he'", true],
  ["ends_with('hello', 'lo')", true],
  ["contains('hello', 'ell')", true],
  ["regexp_replace('a1b2', '[0-9]', '#', 'g')", "a#b#"],
  ["regexp_extract('a1b2', '[0-9]b')", "1b"],
  ["regexp_extract('a1b2', 'a([0-9])', 1)", "1"],
  ["regexp_substr('a1b2', '[0-9]b')", "1b"],
  ["(regexp_match('a1b2', 'a([0-9])'))[1]", "1"],
  ["regexp_like('abc', '^a')", true],
  ["regexp_matches('abc', 'z')", false],
  ["'abc' ~ 'B'", false],
  ["'abc' ~* 'B'", true],
  ["'abc' !~ 'B'", true],
  ["'abc' !~* 'B'", false],
  ["'abc' LIKE 'a_c'", true],
  ["'abc' NOT LIKE 'a%'", false],
  ["'ABC' ILIKE 'a%'", true],
  ["'a%c' LIKE 'a!%c' ESCAPE '!'", true],
  ["'a' LIKE NULL ESCAPE '!'", null],
  ["'a' NOT ILIKE 'a' ESCAPE NULL", null],
  ["1 + 2 * 3 - 4", 3],
  ["7 / 2", 3.5],
  ["7 / 0", null],
  ["-7 % 3", -1],
  ["2 ^ 10", 1024],
  ["-(3)", -3],
  ["+(3)", 3],
  ["@ (-3)", 3],
  ["|/ 16", 4],
  ["mod(7, 4)", 3],
  ["div(7, 2)", 3],
  ["abs(-2.5)", 2.5],
  ["ceil(1.2)", 2],
  ["ceiling(1.2)", 2],
  ["floor(-1.2)", -2],
  ["round(2.5)", 3],
  ["round(2.345, 2)", 2.35],
  ["trunc(-2.7)", -2],
  ["trunc(2.789, 1)", 2.7],
  ["sign(-3)", -1],
  ["sqrt(9)", 3],
  ["exp(0)", 1],
  ["ln(1)", 0],
  ["log(100)", 2],
  ["round(log(2, 8), 9)", 3],
  ["log10(1000)", 3],
  ["log2(8)", 3],
  ["power(2, 3)", 8],
  ["pow(2, 3)", 8],
  ["greatest(1, 3, 2)", 3],
  ["least('b', 'a', NULL)", "a"],
  ["coalesce(NULL, 2)", 2],
  ["nullif(2, 2)", null],
  ["CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END", "b"],
  ["CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"],
  ["CASE 3 WHEN 1 THEN 'a' END", null],
  ["CASE WHEN 1 > 2 THEN date_trunc('month', NULL) END < now()", null],
  ["1 = 1 AND NULL", null],
  ["1 = 2 AND NULL", false],
  ["NULL OR true", true],
  ["NOT (1 = 2)", true],
  ["NULL IS NULL", true],
  ["1 IS NOT NULL", true],
  ["NULL = 1", null],
  ["(1 = 1) IS TRUE", true],
  ["(NULL = 1) IS UNKNOWN", true],
  ["(1 = 2) IS NOT FALSE", false],
  ["1 IS DISTINCT FROM NULL", true],
  ["NULL IS NOT DISTINCT FROM NULL", true],
  ["2 BETWEEN 1 AND 3", true],
  ["2 NOT BETWEEN SYMMETRIC 3 AND 1", false],
  ["2 IN (1, 2)", true],
  ["2 NOT IN (1, NULL)", null],
  ["2 = ANY (ARRAY[1, 2])", true],
  ["2 > ALL (ARRAY[1, 2])", false],
  ["'x' LIKE ANY (ARRAY['a%', 'x%'])", true],
  ["'12'::int + 1", 13],
  ["CAST('1.5' AS double precision)", 1.5],
  ["2.5::int", 3],
  ["5::text || 'x'", "5x"],
  ["'yes'::boolean", true],
  ["1::boolean", true],
  ["'2026-11-23T12:00:00Z'::timestamptz", "2026-11-23T12:00:00.000Z"],
  ["date '2026-11-23'", "2026-11-23T00:00:00.000Z"],
  ["'{\"a\": 1}'::jsonb", { a: 1 }],
  ["lower('5')::int", 5],
  ["now()", "2026-11-23T12:00:00.000Z"],
  ["statement_timestamp() = transaction_timestamp()", true],
  ["current_timestamp = now()", true],
  ["current_date", "2026-11-23T00:00:00.000Z"],
  ["localtimestamp - interval '1 day 02:00'", "2026-11-22T10:00:00.000Z"],
  ["now() + interval '1 month'", "2026-12-23T12:00:00.000Z"],
  ["now() - INTERVAL '2' HOUR", "2026-11-23T10:00:00.000Z"],
  ["now() - '1 hour'", "2026-11-23T11:00:00.000Z"],
  ["extract(epoch FROM now() - timestamptz '2026-11-23T11:00:00Z')", 3600],
  ["now() - interval '1 hour' * 2", "2026-11-23T10:00:00.000Z"],
  ["now() - interval '1 hour' / 2", "2026-11-23T11:30:00.000Z"],
  ["now() - make_interval(days => 1, hours => 2)", "2026-11-22T10:00:00.000Z"],
  ["now() - (interval '1 hour' + interval '30 minutes')", "2026-11-23T10:30:00.000Z"],
  ["now() + -interval '1 hour'", "2026-11-23T11:00:00.000Z"],
  ["now() - timestamptz '2026-11-23T11:00:00Z' > interval '59 minutes'", true],
  ["date_trunc('month', now())", "2026-11-01T00:00:00.000Z"],
  ["date_trunc('day', now(), 'Asia/Tokyo')", "2026-11-22T15:00:00.000Z"],
  ["time_bucket('5 minutes', now() + interval '7 minutes')", "2026-11-23T12:05:00.000Z"],
  ["time_bucket_gapfill('1 week', now())", "2026-11-23T00:00:00.000Z"],
  ["date_bin('15 minutes', now(), timestamptz '2026-01-01T00:05:00Z')", "2026-11-23T11:50:00.000Z"],
  ["extract(dow FROM now())", 1],
  ["extract(hour FROM now() AT TIME ZONE 'Europe/Berlin')", 13],
  ["date_part('year', now())", 2026],
  ["extract(epoch FROM interval '1 hour')", 3600],
  ["now() AT TIME ZONE 'UTC'", "2026-11-23T12:00:00.000Z"],
  ["to_timestamp(1795435200.5)", "2026-11-23T12:00:00.500Z"],
  ["to_char(now(), 'YYYY-MM-DD HH24:MI')", "2026-11-23 12:00"],
  ["to_char(now() AT TIME ZONE 'Europe/Berlin', 'HH24')", "13"],
];

describe("functions of one row", () => {
  test.each(rows)("%s", (expression, expected) => {
    expect(valueOf(expression)).toEqual(expected);
  });

  test("each has a row", () => {
    const written = rows.map(([expression]) => expression).join(" ");
    const missing = [...signatures.keys(), ...specialFunctions].filter(
      (name) => name !== "locf" && !new RegExp(`\\b${name}\\(`).test(written),
    );
    // Those that the grammar turns into them stand in rows of their own.
    expect(missing).toEqual([]);
  });
});

test("a key of all lanes is NULL where an expression wants another lane than its value's", () => {
  const { select, having } = parseSql(
    "SELECT lower(properties.a) FROM events GROUP BY properties.a HAVING properties.a > 3",
  );
  const lower = compileExpression(select[0]?.of as Expression);
  const above = compileExpression(having as Expression);
  const of = (value: Value) => [lower(() => value), above(() => value)];
  expect([of("Five"), of(5), of(true), of(null)]).toEqual([
    ["five", null],
    [null, true],
    [null, null],
    [null, null],
  ]);
});

describe("aggregates", () => {
  const calls: Record<string, string> = {
    quantile: "quantile(properties.a, 0.9)",
    approx_quantile: "approx_quantile(properties.a, 0.9)",
    approx_percentile: "approx_percentile(properties.a, 0.9)",
    percentile: "percentile(properties.a, 90)",
    percentile_cont: "percentile_cont(0.9) WITHIN GROUP (ORDER BY properties.a)",
    percentile_disc: "percentile_disc(0.9) WITHIN GROUP (ORDER BY properties.a)",
    topk: "topk(properties.a, 5)",
    approx_top_k: "approx_top_k(properties.a, 5)",
    histogram: "histogram(properties.a, ARRAY[1, 2])",
    any: '"any"(properties.a)',
  };
  const plain = (name: string): string => calls[name] ?? `${name}(properties.a)`;

  test.each(aggregateNames)("%s()", (name) => {
    const sql = `SELECT ${plain(name)} FILTER (WHERE source = 'x') FROM events GROUP BY user_id`;
    expect(parseSql(sql).aggregates).toMatchObject([{ filter: { kind: "compare" } }]);
    const distinct = plain(name).replace("(properties", "(DISTINCT properties");
    try {
      parseSql(`SELECT ${distinct} FROM events`);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
    }
  });
});

// Every function against what PostgreSQL's documentation says of it, in tables.

import { describe, expect, test } from "vitest";
import { compileExpression } from "../../src/query/expression/evaluate.ts";
import type {
  Expression,
  ScalarFunction,
  ValueType,
} from "../../src/query/expression/expression.ts";
import {
  formatInterval,
  intervalOfUs,
  parseInterval,
} from "../../src/query/expression/interval.ts";
import { JsonText, type Value } from "../../src/query/result.ts";
import { formatTime, parseTime } from "../../src/query/time.ts";
import { call, literal } from "../support/random-expressions.ts";

type Given =
  | string
  | number
  | bigint
  | boolean
  | null
  | { interval: string }
  | { time: string }
  | { json: string };

const us = (text: string): bigint => parseTime(text) as bigint;

function given(value: Given): Expression {
  if (value === null) return literal("string", null);
  if (typeof value === "string") return literal("string", value);
  if (typeof value === "boolean") return literal("boolean", value);
  if (typeof value !== "object") return literal("number", value);
  if ("time" in value) return literal("timestamp", us(value.time));
  if ("json" in value) return literal("json", value.json);
  const interval = parseInterval(value.interval);
  if (interval === null) throw new Error(`${value.interval} is no interval`);
  return literal("interval", interval);
}

const time = (text: string): Given => ({ time: text });
const interval = (text: string): Given => ({ interval: text });

function evaluate(fn: ScalarFunction, type: ValueType, args: readonly Given[]): Value {
  return compileExpression(call(fn, type, ...args.map(given)))(() => null);
}

/** As a result shows it. */
function shown(fn: ScalarFunction, type: ValueType, args: readonly Given[]): unknown {
  const value = evaluate(fn, type, args);
  if (value instanceof JsonText) return value.text;
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (type === "timestamp") return formatTime(BigInt(value));
  return type === "interval" ? formatInterval(intervalOfUs(value)) : value;
}

type Row = readonly [fn: ScalarFunction, args: readonly Given[], want: unknown];

function table(name: string, type: ValueType, rows: readonly Row[]): void {
  describe(name, () => {
    test.each(rows.map(([fn, args, want]) => ({ fn, args, want })))(
      "$fn($args) is $want",
      ({ fn, args, want }) => {
        expect(shown(fn, type, args)).toEqual(want);
      },
    );
  });
}

const max = 2n ** 63n - 1n;
const min = -(2n ** 63n);

table("numbers", "number", [
  ["+", [2, 3], 5],
  ["+", [9007199254740991, 2], 9007199254740993n],
  ["+", [max, min], -1],
  ["-", [2, 3], -1],
  ["-", [min, 0], min],
  ["*", [2, 3], 6],
  ["*", [3037000499, 3037000499], 9223372030926249001n],
  ["*", [0.1, 3], 0.30000000000000004],
  ["/", [5, 2], 2.5],
  ["/", [5, 0], null],
  ["/", [0.5, 0], null],
  ["/", [max, 1], 9223372036854775807],
  ["%", [5, 4], 1],
  ["%", [-5, 4], -1],
  ["%", [5, -4], 1],
  ["%", [5.5, 2], 1.5],
  ["%", [5, 0], null],
  ["%", [min, -1], 0],
  ["div", [9, 4], 2],
  ["div", [-9, 4], -2],
  ["div", [9, 0], null],
  ["negate", [5], -5],
  ["negate", [0], 0],
  ["power", [9, 3], 729],
  ["power", [2, 62], 4611686018427387904n],
  ["power", [2, 0.5], Math.SQRT2],
  ["power", [-8, 0.5], null],
  ["power", [0, -1], null],
  ["abs", [-17.4], 17.4],
  ["abs", [-3], 3],
  ["ceil", [42.2], 43],
  ["ceil", [-42.8], -42],
  ["floor", [42.8], 42],
  ["floor", [-42.8], -43],
  ["round", [42.4], 42],
  ["round", [2.5], 3],
  ["round", [-2.5], -3],
  ["round", [0.49999999999999994], 0],
  ["round", [42.4382, 2], 42.44],
  ["round", [1234.56, -1], 1230],
  ["round", [1235, -1], 1240],
  ["round", [1.005, 2], 1.01],
  ["round", [-0.4], 0],
  ["trunc", [42.8], 42],
  ["trunc", [-42.8], -42],
  ["trunc", [42.4382, 2], 42.43],
  ["sign", [-8.4], -1],
  ["sign", [0], 0],
  ["sqrt", [2], Math.SQRT2],
  ["sqrt", [-1], null],
  ["exp", [1], Math.E],
  ["ln", [2], Math.LN2],
  ["ln", [0], null],
  ["ln", [-1], null],
  ["log10", [1000], 3],
  ["log2", [8], 3],
  ["integer", [2.5], 3],
  ["integer", [-2.5], -3],
  ["integer", [2.4], 2],
  ["integer", [1e19], null],
  ["+", [1, null], null],
  ["greatest", [1, null, 3], 3],
  ["least", [1, null, 3], 1],
  ["least", [null, null], null],
  ["coalesce", [null, 2, 3], 2],
  ["nullif", [1, 1], null],
  ["nullif", [1, 2], 1],
  ["nullif", [1, null], 1],
  ["case", [false, 1, true, 2, 3], 2],
  ["case", [null, 1, 3], 3],
  ["case", [false, 1], null],
]);

describe("numbers out of range", () => {
  const rows: readonly (readonly [ScalarFunction, readonly Given[]])[] = [
    ["+", [max, 1]],
    ["-", [min, 1]],
    ["*", [max, 2]],
    ["*", [min, -1]],
    ["negate", [min]],
    ["abs", [min]],
    ["div", [min, -1]],
    ["*", [1e300, 1e300]],
    ["/", [1e300, 1e-300]],
    ["exp", [1000]],
    ["power", [10, 400]],
  ];
  test.each(rows)("%s(%s) names the function", (fn, args) => {
    expect(() => evaluate(fn, "number", args)).toThrow(
      expect.objectContaining({
        code: "number_out_of_range",
        message: expect.stringContaining(` ${fn} `),
      }),
    );
  });
});

table("text", "string", [
  ["lower", ["TOM"], "tom"],
  ["lower", ["ΑΣ ÄÖ İ"], "ας äö i̇".replace("ς", "σ").replace("i̇", "İ")],
  ["upper", ["tom straße"], "TOM STRAßE"],
  ["substring", ["Thomas", 2, 3], "hom"],
  ["substring", ["Thomas", 3], "omas"],
  ["substring", ["Thomas", -1, 4], "Th"],
  ["substring", ["Thomas", 2, -1], null],
  ["substring", ["a\u{10000}b", 2, 1], "\u{10000}"],
  ["left", ["abcde", 2], "ab"],
  ["left", ["abcde", -2], "abc"],
  ["right", ["abcde", 2], "de"],
  ["right", ["abcde", -2], "cde"],
  ["split_part", ["abc~@~def~@~ghi", "~@~", 2], "def"],
  ["split_part", ["abc,def,ghi,jkl", ",", -2], "ghi"],
  ["split_part", ["abc", ",", 5], ""],
  ["split_part", ["abc", "", 1], "abc"],
  ["concat", ["abcde", 2, null, 22], "abcde222"],
  ["concat", [true, " ", 1.5], "true 1.5"],
  ["concat_ws", [",", "abcde", 2, null, 22], "abcde,2,22"],
  ["concat_ws", [null, "a"], null],
  ["replace", ["abcdefabcdef", "cd", "XX"], "abXXefabXXef"],
  ["replace", ["abc", "", "x"], "abc"],
  ["replace", ["a$b", "$", "$&"], "a$&b"],
  ["trim", ["  x "], "x"],
  ["trim", ["yxTomxx", "xyz"], "Tom"],
  ["ltrim", ["zzzytest", "xyz"], "test"],
  ["rtrim", ["testxxzx", "xyz"], "test"],
  ["lpad", ["hi", 5, "xy"], "xyxhi"],
  ["lpad", ["hello", 3], "hel"],
  ["lpad", ["hi", 4], "  hi"],
  ["rpad", ["hi", 5, "xy"], "hixyx"],
  ["rpad", ["hi", -1, "xy"], ""],
  ["reverse", ["ab\u{10000}"], "\u{10000}ba"],
  ["repeat", ["Pg", 4], "PgPgPgPg"],
  ["repeat", ["Pg", 0], ""],
  ["regexp_replace", ["Thomas", ".[mN]a.", "M"], "ThM"],
  ["regexp_replace", ["foobarbaz", "b..", "X"], "fooXbaz"],
  ["regexp_replace", ["foobarbaz", "b..", "X", "g"], "fooXX"],
  ["regexp_replace", ["foobarbaz", "b(..)", "X\\1Y", "g"], "fooXarYXazY"],
  ["regexp_replace", ["FooBar", "b", "x", "i"], "Fooxar"],
  ["regexp_extract", ["foobarbaz", "b(.)(.)"], "bar"],
  ["regexp_extract", ["foobarbaz", "b(.)(.)", 2], "r"],
  ["regexp_extract", ["foo", "b"], null],
  ["lower", [null], null],
  ["cast", [1], "1"],
  ["cast", [1.5], "1.5"],
  ["cast", [9007199254740993n], "9007199254740993"],
  ["cast", [true], "true"],
  ["cast", [time("2026-02-03T04:05:06Z")], "2026-02-03T04:05:06.000Z"],
  ["cast", [interval("1 year 2 months 3 days 04:05:06.7")], "1 year 2 mons 3 days 04:05:06.7"],
  ["cast", [{ json: '{"a":1}' }], '{"a":1}'],
]);

table("lengths and positions", "number", [
  ["length", ["jose"], 4],
  ["length", ["a\u{10000}ü"], 3],
  ["octet_length", ["jose"], 4],
  ["octet_length", ["ü\u{10000}"], 6],
  ["strpos", ["high", "ig"], 2],
  ["strpos", ["\u{10000}b", "b"], 2],
  ["strpos", ["high", "x"], 0],
  ["strpos", ["high", ""], 1],
  ["cast", ["42"], 42],
  ["cast", [" -1.5e3 "], -1500],
  ["cast", ["9007199254740993"], 9007199254740993n],
  ["cast", ["9223372036854775808"], 9223372036854775807],
  ["cast", ["12x"], null],
  ["cast", ["NaN"], null],
  ["cast", ["Infinity"], null],
  ["cast", [""], null],
  ["cast", ["0x10"], null],
  ["cast", [true], 1],
]);

table("conditions", "boolean", [
  ["=", [1, 1.0], true],
  ["=", [9007199254740993n, 9007199254740992], false],
  ["<", [9007199254740992, 9007199254740993n], true],
  ["=", ["a", "A"], false],
  ["<", ["\uffff", "\u{10000}"], true],
  ["<", [false, true], true],
  ["=", [1, null], null],
  ["!=", [null, null], null],
  ["and", [true, null], null],
  ["and", [false, null], false],
  ["and", [null, false], false],
  ["or", [true, null], true],
  ["or", [false, null], null],
  ["not", [null], null],
  ["not", [true], false],
  ["is_null", [null], true],
  ["is_null", [0], false],
  ["is_true", [null], false],
  ["is_true", [true], true],
  ["is_false", [null], false],
  ["is_false", [false], true],
  ["is_distinct", [null, null], false],
  ["is_distinct", [1, null], true],
  ["is_distinct", [1, 1], false],
  ["in", [1, 2, 1], true],
  ["in", [1, 2, null], null],
  ["in", [null, 1], null],
  ["in", [1, 2], false],
  ["like", ["abc", "abc"], true],
  ["like", ["abc", "a%"], true],
  ["like", ["abc", "_b_"], true],
  ["like", ["abc", "c"], false],
  ["like", ["abc", "%b%"], true],
  ["like", ["a%c", "a\\%c"], true],
  ["like", ["abc", "a\\%c"], false],
  ["like", ["a%c", "a#%c", "#"], true],
  ["like", ["a\\c", "a\\c", ""], true],
  ["like", ["\u{10000}b", "_b"], true],
  ["like", ["aXbYbc", "a%b_"], true],
  ["like", ["ab", "a%b%b"], false],
  ["like", ["", "%"], true],
  ["like", ["mississippi", "%iss%ip%i"], true],
  ["like", ["mississippi", "m_s%s__p%"], true],
  ["like", ["mississippi", "m_s%s__ip%"], false],
  ["ilike", ["ÄBC", "äb%"], true],
  ["like", [null, "a"], null],
  ["matches", ["thomas", "t.*ma"], true],
  ["matches", ["thomas", "^om"], false],
  ["imatches", ["thomas", "T.*ma"], true],
  ["starts_with", ["alphabet", "alph"], true],
  ["ends_with", ["alphabet", "bet"], true],
  ["contains", ["alphabet", "hab"], true],
  ["cast", ["yes"], true],
  ["cast", ["of"], false],
  ["cast", ["o"], null],
  ["cast", [" T "], true],
  ["cast", ["maybe"], null],
  ["cast", [0], false],
  ["cast", [2], true],
  ["=", [interval("1 month"), interval("30 days")], true],
  ["<", [interval("1 day"), interval("25 hours")], true],
  ["<", [time("2026-01-01T00:00:00Z"), time("2026-01-01T00:00:00.000001Z")], true],
]);

const at = time("2001-02-16T20:38:40.12Z");

table("fields", "number", [
  ["extract", ["century", time("2000-12-16T12:21:13Z")], 20],
  ["extract", ["century", at], 21],
  ["extract", ["century", time("0001-01-01T00:00:00Z")], 1],
  ["extract", ["millennium", at], 3],
  ["extract", ["decade", at], 200],
  ["extract", ["day", at], 16],
  ["extract", ["dow", at], 5],
  ["extract", ["dow", time("2026-11-22T00:00:00Z")], 0],
  ["extract", ["isodow", time("2001-02-18T20:38:40Z")], 7],
  ["extract", ["doy", at], 47],
  ["extract", ["doy", time("2024-12-31T00:00:00Z")], 366],
  ["extract", ["epoch", at], 982355920.12],
  ["extract", ["epoch", time("1969-12-31T23:59:59.5Z")], -0.5],
  ["extract", ["hour", at], 20],
  ["extract", ["isoyear", time("2006-01-01T00:00:00Z")], 2005],
  ["extract", ["isoyear", time("2006-01-02T00:00:00Z")], 2006],
  ["extract", ["julian", time("2006-01-01T00:00:00Z")], 2453737],
  ["extract", ["microseconds", time("2001-01-01T17:12:28.5Z")], 28500000],
  ["extract", ["milliseconds", time("2001-01-01T17:12:28.5Z")], 28500],
  ["extract", ["minute", at], 38],
  ["extract", ["month", at], 2],
  ["extract", ["quarter", at], 1],
  ["extract", ["second", at], 40.12],
  ["extract", ["week", at], 7],
  ["extract", ["week", time("2005-01-01T00:00:00Z")], 53],
  ["extract", ["week", time("2012-12-31T00:00:00Z")], 1],
  ["extract", ["year", at], 2001],
  ["extract", ["hour", at, "America/Denver"], 13],
  ["extract", ["day", time("2026-03-28T23:30:00Z"), "Europe/Berlin"], 29],
  ["extract", ["timezone", at, "America/Denver"], -25200],
  ["extract", ["timezone_hour", at, "Asia/Kolkata"], 5],
  ["extract", ["timezone_minute", at, "Asia/Kolkata"], 30],
  ["extract", ["hour", at, "Australia/Lord_Howe"], 7],
  ["extract", ["month", interval("2 years 3 months")], 3],
  ["extract", ["month", interval("2 years 13 months")], 1],
  ["extract", ["year", interval("2 years 13 months")], 3],
  ["extract", ["day", interval("40 days 1 minute")], 40],
  ["extract", ["epoch", interval("5 days 3 hours")], 442800],
  [
    "extract",
    ["epoch", interval("-91 days -23 hours -59 minutes -59.801982 seconds")],
    -7948799.801982,
  ],
  ["extract", ["minute", interval("90 minutes")], 30],
  ["extract", ["hour", interval("80 hours")], 80],
]);

table("times", "timestamp", [
  [
    "add_interval",
    [time("2001-09-28T01:00:00Z"), interval("23 hours")],
    "2001-09-29T00:00:00.000Z",
  ],
  ["add_interval", [time("2026-01-31T00:00:00Z"), interval("1 month")], "2026-02-28T00:00:00.000Z"],
  ["add_interval", [time("2024-01-31T12:00:00Z"), interval("1 month")], "2024-02-29T12:00:00.000Z"],
  ["add_interval", [time("2024-02-29T00:00:00Z"), interval("1 year")], "2025-02-28T00:00:00.000Z"],
  ["add_interval", [time("2024-02-29T00:00:00Z"), interval("4 years")], "2028-02-29T00:00:00.000Z"],
  [
    "add_interval",
    [time("2026-03-31T00:00:00Z"), interval("-1 month")],
    "2026-02-28T00:00:00.000Z",
  ],
  [
    "add_interval",
    [time("2026-01-31T00:00:00Z"), interval("1 month 1 day")],
    "2026-03-01T00:00:00.000Z",
  ],
  [
    "add_interval",
    [time("2025-12-31T23:59:59.999999Z"), interval("1 us")],
    "2026-01-01T00:00:00.000Z",
  ],
  ["add_interval", [time("9999-12-31T23:00:00Z"), interval("1 hour")], null],
  ["add_interval", [time("0001-01-01T00:00:00Z"), interval("-1 us")], null],
  ["epoch", [1284352323], "2010-09-13T04:32:03.000Z"],
  ["epoch", [1284352323.5], "2010-09-13T04:32:03.500Z"],
  ["epoch", [-0.5], "1969-12-31T23:59:59.500Z"],
  ["epoch", [1e18], null],
  ["cast", ["2026-01-01T01:00:00+01:00"], "2026-01-01T00:00:00.000Z"],
  ["cast", ["2026-01-01 10:00"], "2026-01-01T10:00:00.000Z"],
  ["cast", ["2026-01-01"], "2026-01-01T00:00:00.000Z"],
  ["cast", ["2026-02-30"], null],
  ["cast", ["soon"], null],
  ["cast", [1_700_000_000], "2023-11-14T22:13:20.000Z"],
]);

table("spans", "interval", [
  [
    "time_difference",
    [time("2001-09-29T03:00:00Z"), time("2001-07-27T12:00:00Z")],
    "63 days 15:00:00",
  ],
  [
    "time_difference",
    [time("2001-07-27T12:00:00Z"), time("2001-07-27T12:00:00.5Z")],
    "-00:00:00.5",
  ],
  ["+", [interval("1 day"), interval("1 hour")], "1 day 01:00:00"],
  ["-", [interval("1 day"), interval("1 hour")], "23:00:00"],
  ["*", [interval("1 hour"), 3.5], "03:30:00"],
  ["*", [interval("1 day"), 0.5], "12:00:00"],
  ["negate", [interval("1 hour")], "-01:00:00"],
  ["cast", ["90 minutes"], "01:30:00"],
  ["cast", ["1 day 02:03:04.5 ago"], "-1 days -02:03:04.5"],
  ["cast", ["now and then"], null],
]);

table("to_char", "string", [
  ["to_char", [time("2002-04-20T17:31:12.66Z"), "HH12:MI:SS"], "05:31:12"],
  ["to_char", [at, "YYYY-MM-DD HH24:MI:SS.MS"], "2001-02-16 20:38:40.120"],
  ["to_char", [at, "Day, DD  HH12:MI:SS"], "Friday   , 16  08:38:40"],
  ["to_char", [at, "FMDay, FMDD  HH12:MI:SS"], "Friday, 16  08:38:40"],
  ["to_char", [at, "FMMonth FMDDth, YYYY AM"], "February 16th, 2001 PM"],
  ["to_char", [at, 'IYYY-"W"IW-ID DDD Q US'], "2001-W07-5 047 1 120000"],
  ["to_char", [at, "Mon DY d cc", "UTC"], "Feb FRI 6 21"],
  ["to_char", [at, "HH24:MI OF TZ", "America/Denver"], "13:38 -07 -07"],
  ["to_char", [125, "999"], " 125"],
  ["to_char", [-125.8, "999D99"], "-125.80"],
  ["to_char", [1485, "9,999"], " 1,485"],
  ["to_char", [485, "9,999"], "   485"],
  ["to_char", [0.1, "0.9"], " 0.1"],
  ["to_char", [12, "9990999.9"], "    0012.0"],
  ["to_char", [485, "FM999"], "485"],
  ["to_char", [485, "999MI"], "485 "],
  ["to_char", [-485, "999MI"], "485-"],
  ["to_char", [485, "SG999".replace("SG", "S")], "+485"],
  ["to_char", [-485, "999PR"], "<485>"],
  ["to_char", [148.5, "999.999"], " 148.500"],
  ["to_char", [148.5, "FM999.999"], "148.5"],
  ["to_char", [48, "9"], " #"],
]);

describe("what a constant gets wrong", () => {
  const wrong: readonly (readonly [ScalarFunction, readonly Given[], string])[] = [
    ["matches", ["a", "a(b"], "invalid_regex"],
    ["regexp_replace", ["a", "[", "x"], "invalid_regex"],
    ["matches", ["a", "x".repeat(5000)], "invalid_regex"],
    ["like", ["a", "a\\"], "invalid_pattern"],
    ["extract", ["fortnight", at], "unknown_field"],
    ["extract", ["day", at, "Mars/Olympus"], "unknown_time_zone"],
    ["repeat", ["abc", 1_000_000], "string_too_long"],
    ["lpad", ["abc", 1_000_000], "string_too_long"],
    ["replace", ["a".repeat(100_000), "a", "xxxx"], "string_too_long"],
  ];
  test.each(wrong)("%s", (fn, args, code) => {
    expect(() => evaluate(fn, "string", args)).toThrow(expect.objectContaining({ code }));
  });

  test("a regular expression says where it goes wrong", () => {
    expect(() => evaluate("matches", "boolean", ["a", "ab[z-a]"])).toThrow(
      expect.objectContaining({ detail: { regexPosition: 4 } }),
    );
  });
});

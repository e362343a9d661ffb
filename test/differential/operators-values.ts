// Numbers, texts, times and casts.

import { type Operator, operator } from "./operator.ts";

const divisors = { d: ["1", "2", "3", "7", "-4"] };
const digits = { n: ["0", "1", "2", "3"] };

const arithmetic: Operator[] = (["int", "float"] as const).flatMap((t) => [
  ...["+", "-", "*"].map((sign) =>
    operator(`${t}${sign}`, t, `${t}~ ${t}~`, `($1 ${sign} $2)`, { weight: 1.5 }),
  ),
  operator(`${t} negative`, t, `${t}~`, "(- $1)"),
  operator(`abs ${t}`, t, `${t}~`, "abs($1)"),
]);

const numbers: Operator[] = [
  ...arithmetic,
  operator("int+float", "float", "int float", "($1 + $2)", { weight: 0.5 }),
  operator("int/int", "float", "int int=d", "($1 / $2)", { among: divisors }),
  operator("float/int", "float", "float~ int=d", "($1 / $2)", { among: divisors }),
  // A zero divisor makes NULL; DuckDB makes an infinity.
  operator("int/any int", "float", "int int", "($1 / $2)", {
    duckdb: "($1 / nullif($2, 0))",
    weight: 0.5,
  }),
  operator("int%int", "int", "int int=d", "($1 % $2)", { among: divisors }),
  operator("mod", "int", "int int", "mod($1, $2)", { weight: 0.5 }),
  operator("div", "int", "int int=d", "div($1, $2)", { duckdb: "($1 // $2)", among: divisors }),
  operator("floor", "float", "float~", "floor($1)"),
  operator("ceil", "float", "float~", "ceil($1)"),
  operator("round", "float", "float~", "round($1)"),
  operator("trunc", "float", "float~", "trunc($1)"),
  operator("round digits", "float", "float~ int=n", "round($1, $2)", {
    duckdb: "round($1, CAST($2 AS INT))",
    among: digits,
    weight: 0.5,
  }),
  operator("round int", "int", "int", "round($1)", { weight: 0.3 }),
  operator("sign", "int", "float~", "sign($1)"),
  operator("sqrt", "float", "float", "sqrt(abs($1))", { weight: 0.5 }),
  // The logarithm of what has none is NULL.
  operator("ln", "float", "float~", "round(ln($1), 9)", {
    duckdb: "round(ln(CASE WHEN $1 > 0 THEN $1 END), 9)",
    weight: 0.4,
  }),
  operator("log10", "float", "float~", "round(log10($1), 9)", {
    duckdb: "round(log10(CASE WHEN $1 > 0 THEN $1 END), 9)",
    weight: 0.4,
  }),
  operator("exp", "float", "int", "round(exp($1 % 10), 6)", { weight: 0.3 }),
  operator("^", "float", "int int=n", "(($1 % 100) ^ $2)", {
    duckdb: "power($1 % 100, $2)",
    among: digits,
    weight: 0.3,
  }),
  operator("@", "int", "int~", "(@ $1)", { duckdb: "abs($1)", weight: 0.3 }),
  operator("power", "float", "int int=n", "power($1 % 100, $2)", { among: digits, weight: 0.5 }),
];

const places = ["1", "2", "3", "5"];
const among = {
  p: places,
  z: ["0", ...places],
  m: ["-1", "0", ...places],
  s: ["-", "/", " ", "ab"],
  f: ["1", "2", "3", "-1"],
  r: ["a", "ab", "é", "-", ""],
  w: ["0", "2", "6"],
  x: ["*", "ab", "\u{1f44d}"],
  c: ["ax", " ", "-/"],
  E: ["[0-9]+", "a.?", "^/([a-z]+)", "b$", "é|ü"],
  T: ["", "X", "<\\1>", "\\&\\&"],
};

const texts: Operator[] = [
  operator("lower", "text", "text~", "lower($1)"),
  operator("upper", "text", "text~", "upper($1)"),
  operator("length", "int", "text~", "length($1)", { weight: 2 }),
  operator("octet_length", "int", "text~", "octet_length($1)", {
    duckdb: "strlen($1)",
    weight: 0.5,
  }),
  // PostgreSQL counts characters before the first too; DuckDB counts from the end for a start below 1.
  operator("substring 2", "text", "text~ int=m", "substring($1, $2)", {
    duckdb: "substring($1, greatest($2, 1))",
    among,
  }),
  operator("substring 3", "text", "text~ int=m int=z", "substring($1, $2, $3)", {
    duckdb: "substring($1, greatest($2, 1), greatest($3 + least($2 - 1, 0), 0))",
    among,
  }),
  operator("substring from for", "text", "text~ int=p int=p", "substring($1 FROM $2 FOR $3)", {
    among,
    weight: 0.5,
  }),
  operator("split_part", "text", "text~ text=s int=f", "split_part($1, $2, $3)", { among }),
  operator("concat", "text", "text text", "concat($1, $2)"),
  operator("concat number", "text", "text int", "concat($1, $2)", { weight: 0.5 }),
  operator("concat_ws", "text", "text text", "concat_ws('-', $1, $2)", { weight: 0.5 }),
  operator("||", "text", "text text", "($1 || $2)"),
  operator("trim", "text", "text~", "trim($1)"),
  operator("btrim", "text", "text~ text=c", "btrim($1, $2)", {
    duckdb: "trim($1, $2)",
    among,
    weight: 0.5,
  }),
  operator("trim both", "text", "text~", "trim(BOTH 'a' FROM $1)", {
    duckdb: "trim($1, 'a')",
    weight: 0.3,
  }),
  operator("regexp_match", "text", "text~ text=G", "(regexp_match($1, $2))[1]", {
    duckdb: "(CASE WHEN regexp_matches($1, $2, 's') THEN regexp_extract($1, $2, 1, 's') END)",
    among: { G: ["([0-9]+)", "^/([a-z]+)", "(a)(b)", "(.)b"] },
    weight: 0.3,
  }),
  operator("ltrim", "text", "text~", "ltrim($1)", { weight: 0.5 }),
  operator("rtrim", "text", "text~ text=c", "rtrim($1, $2)", { among, weight: 0.5 }),
  operator("replace", "text", "text~ text=r text=", "replace($1, $2, $3)", { among }),
  operator("left", "text", "text~ int=m", "left($1, $2)", { among }),
  operator("right", "text", "text~ int=m", "right($1, $2)", { among }),
  operator("lpad", "text", "text~ int=w text=x", "lpad($1, $2, $3)", {
    duckdb: "lpad($1, CAST($2 AS INT), $3)",
    among,
    weight: 0.5,
  }),
  operator("rpad", "text", "text~ int=w text=x", "rpad($1, $2, $3)", {
    duckdb: "rpad($1, CAST($2 AS INT), $3)",
    among,
    weight: 0.5,
  }),
  // DuckDB's own keeps what is one character to a reader together.
  operator("reverse", "text", "text~", "reverse($1)", {
    duckdb: "array_to_string(list_reverse(string_split($1, '')), '')",
    weight: 0.5,
  }),
  operator("repeat", "text", "text~ int=z", "repeat($1, $2)", { among, weight: 0.4 }),
  operator("strpos", "int", "text~ text=", "strpos($1, $2)"),
  operator("position", "int", "text= text~", "position($1 IN $2)", { weight: 0.4 }),
  operator("regexp_replace", "text", "text~ text=E text=T", "regexp_replace($1, $2, $3)", {
    duckdb: "regexp_replace($1, $2, replace($3, '\\&', '\\0'), 's')",
    among: { ...among, E: ["([0-9]+)", "(a.?)", "(b)$", "(é|ü)"] },
    weight: 0.5,
  }),
  operator("regexp_replace all", "text", "text~ text=E text=T", "regexp_replace($1, $2, $3, 'g')", {
    duckdb: "regexp_replace($1, $2, replace($3, '\\&', '\\0'), 'gs')",
    among: { ...among, E: ["([0-9])", "(a)", "([^a])", "(é|ü)"] },
    weight: 0.5,
  }),
  // What doesn't match is NULL in PostgreSQL and empty in DuckDB.
  operator("regexp_substr", "text", "text~ text=E", "regexp_substr($1, $2)", {
    duckdb: "(CASE WHEN regexp_matches($1, $2, 's') THEN regexp_extract($1, $2, 0, 's') END)",
    among,
    weight: 0.5,
  }),
];

const units = "microsecond millisecond second minute hour day week month quarter year".split(" ");
const fields =
  "year month day hour minute quarter week dow isodow doy isoyear decade century".split(" ");
const intervals = [
  "1 second",
  "90 seconds",
  "5 minutes",
  "1 hour",
  "7 hours",
  "1 day",
  "3 days",
  "1 month",
  "1 year",
];
const widths = [
  "1 second",
  "7 seconds",
  "1 minute",
  "5 minutes",
  "1 hour",
  "6 hours",
  "1 day",
  "1 week",
  "10 days",
];
const timeAmong = {
  u: units,
  f: fields,
  i: intervals,
  w: widths,
  m: ["1 month", "3 months", "1 year"],
  v: ["day", "week", "month", "year"],
  z: ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"],
  // Of hours, but for the one zone whose summer time is half an hour: see docs/sql.md.
  h: ["Europe/Berlin", "America/New_York", "Asia/Kolkata"],
  o: ["2026-11-23 00:30:00", "2000-01-01 00:00:07"],
  b: ["1 day", "1 week", "1 month"],
  g: ["year", "day", "hour", "dow", "minute"],
  x: ["2026-11-23T12:00:00Z", "2026-11-23 12:00:01.5Z"],
};

function time(op: string, args: string, millrace: string, duckdb?: string, weight = 1): Operator {
  return operator(op, "time", args, millrace, {
    ...(duckdb && { duckdb }),
    weight,
    among: timeAmong,
  });
}

/** Times of the table are UTC without saying so; what a zone does to them is done by way of what does. */
const inZone = (zone: string, inner: string): string =>
  `timezone('UTC', timezone('${zone}', ${inner.replace("@", `timezone('${zone}', timezone('UTC', $2))`)}))`;

const times: Operator[] = [
  time("date_trunc", "raw=u time", "date_trunc('$1', $2)", undefined, 2),
  // An hour that comes twice is the one that the time is in; by way of the local time DuckDB would take the later one.
  time(
    "date_trunc hour zone",
    "time raw=h",
    "date_trunc('hour', $1, '$2')",
    "($1 - (timezone('$2', timezone('UTC', $1)) - date_trunc('hour', timezone('$2', timezone('UTC', $1)))))",
  ),
  time(
    "date_trunc zone",
    "raw=v time raw=z",
    "date_trunc('$1', $2, '$3')",
    inZone("$3", "date_trunc('$1', @)"),
  ),
  time("time_bucket", "raw=w time", "time_bucket(INTERVAL '$1', $2)", undefined, 2),
  time(
    "time_bucket months",
    "raw=m time",
    "time_bucket('$1', $2)",
    "time_bucket(INTERVAL '$1', $2)",
  ),
  time(
    "time_bucket origin",
    "raw=w time raw=o",
    "time_bucket('$1', $2, timestamptz '$3+00')",
    "time_bucket(INTERVAL '$1', $2, TIMESTAMP '$3')",
  ),
  time(
    "date_bin",
    "raw=w time raw=o",
    "date_bin('$1', $2, '$3Z')",
    "time_bucket(INTERVAL '$1', $2, TIMESTAMP '$3')",
    0.5,
  ),
  time(
    "time_bucket zone",
    "raw=b time raw=z",
    "time_bucket('$1', $2, '$3')",
    inZone("$3", "time_bucket(INTERVAL '$1', @)"),
  ),
  time("time + interval", "time raw=i", "($1 + INTERVAL '$2')"),
  time("time - interval", "time raw=i", "($1 - INTERVAL '$2')"),
  time(
    "to_timestamp",
    "int",
    "to_timestamp($1 % 1000000)",
    "make_timestamp(CAST(($1 % 1000000) * 1000000 AS BIGINT))",
    0.5,
  ),
  time(
    "text to time",
    "raw=x",
    "'$1'::timestamptz",
    "CAST(replace('$1', 'Z', '') AS TIMESTAMP)",
    0.3,
  ),
];

const timeParts: Operator[] = [
  operator("extract", "int", "raw=f time", "extract($1 FROM $2)", { among: timeAmong, weight: 2 }),
  operator("date_part", "int", "raw=f time", "date_part('$1', $2)", {
    among: timeAmong,
    weight: 0.5,
  }),
  operator("extract second", "float", "time", "extract(second FROM $1)", {
    duckdb: "(extract(microseconds FROM $1) / 1e6)",
    weight: 0.5,
  }),
  operator("epoch", "float", "time", "extract(epoch FROM $1)", { duckdb: "epoch($1)" }),
  operator("epoch of difference", "float", "time time", "extract(epoch FROM ($1 - $2))", {
    duckdb: "((epoch_us($1) - epoch_us($2)) / 1e6)",
    weight: 0.5,
  }),
  operator("extract zone", "int", "raw=g time raw=z", "extract($1 FROM $2 AT TIME ZONE '$3')", {
    duckdb: "extract($1 FROM timezone('$3', timezone('UTC', $2)))",
    among: timeAmong,
    weight: 0.5,
  }),
  operator("to_char zone", "text", "time", "to_char($1, 'YYYY-MM-DD HH24:MI:SS')", {
    duckdb: "strftime($1, '%Y-%m-%d %H:%M:%S')",
    weight: 0.5,
  }),
  operator("now", "bool", "time", "($1 < now() + INTERVAL '1000 years')", {
    duckdb: "($1 < TIMESTAMP '3000-01-01 00:00:00')",
    weight: 0.2,
  }),
];

const casts: Operator[] = [
  operator("int to text", "text", "int", "CAST($1 AS text)"),
  operator("int to float", "float", "int", "CAST($1 AS double precision)"),
  // Halves go away from zero; DuckDB takes the even one.
  operator("float to int", "int", "float!", "CAST($1 AS bigint)", {
    duckdb: "CAST(CASE WHEN abs($1) < 1e15 THEN round($1) ELSE $1 END AS BIGINT)",
    weight: 0.5,
  }),
  operator("bool to int", "int", "bool", "CAST($1 AS int)", { weight: 0.5 }),
  operator("bool to text", "text", "bool", "CAST($1 AS text)", { weight: 0.5 }),
  operator("text::text", "text", "text", "($1)::text", { weight: 0.3 }),
  // What is no number is NULL.
  operator("text to int", "int", "int", "((($1)::text)::bigint)", { duckdb: "$1", weight: 0.3 }),
  operator("text to float", "float", "text!", "($1)::double precision", {
    duckdb:
      "(CASE WHEN regexp_matches($1, '^\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)\\s*$') THEN CAST(trim($1) AS DOUBLE) END)",
    weight: 0.5,
  }),
  operator("text to bool", "bool", "text!", "($1)::boolean", {
    duckdb: "(CASE WHEN $1 IN ('true') THEN TRUE WHEN $1 IN ('0') THEN FALSE END)",
    weight: 0.2,
  }),
];

export const values: readonly Operator[] = [...numbers, ...texts, ...times, ...timeParts, ...casts];

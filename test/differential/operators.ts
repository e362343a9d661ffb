// What expressions are made of: each operator and function with its arguments, and how it is written for Millrace
// and for DuckDB. Where the two differ in meaning, the DuckDB text says in DuckDB's words what Millrace promises.

import type { Type } from "./tree.ts";

/**
 * An argument of an operator. "literal": a constant of that type, not an expression. `lane`: the operator says which
 * type it wants, so a path with values of several types shows those of this type here.
 */
export interface Argument {
  readonly type: Type;
  readonly literal?: boolean;
  readonly lane?: boolean;
  /** For "raw" and for literals that are not any: what to choose from. */
  readonly among?: readonly string[];
}

export interface Operator {
  readonly op: string;
  readonly type: Type;
  readonly args: readonly Argument[];
  readonly millrace: (...args: string[]) => string;
  readonly duckdb: (...args: string[]) => string;
  /** How often it is taken, 1 by default. */
  readonly weight?: number;
  /** Arguments from this one on may come again, up to three times. */
  readonly repeats?: number;
  /** How doubles differ in their last bits. */
  readonly inexact?: boolean;
}

type Write = (...args: string[]) => string;

const lane = (type: Type): Argument => ({ type, lane: true });
const plain = (type: Type): Argument => ({ type });
const literal = (type: Type, among?: readonly string[]): Argument => ({
  type,
  literal: true,
  ...(among && { among }),
});
const raw = (...among: string[]): Argument => ({ type: "raw", literal: true, among });

function same(op: string, type: Type, args: readonly Argument[], write: Write, weight = 1) {
  return { op, type, args, millrace: write, duckdb: write, weight } satisfies Operator;
}

const call =
  (name: string): Write =>
  (...args) =>
    `${name}(${args.join(", ")})`;
const infix =
  (sign: string): Write =>
  (a, b) =>
    `(${a} ${sign} ${b})`;

const comparisons = ["=", "<>", "<", "<=", ">", ">="];
const scalars: readonly Type[] = ["int", "float", "text", "bool", "time"];

const comparing: Operator[] = scalars.flatMap((type) => [
  ...comparisons.map((sign) =>
    same(`${type}${sign}`, "bool", [plain(type), plain(type)], infix(sign), 0.4),
  ),
  ...comparisons.map((sign) =>
    same(`${type}${sign}literal`, "bool", [lane(type), literal(type)], infix(sign), 0.6),
  ),
  same(
    `${type} between`,
    "bool",
    [lane(type), literal(type), literal(type)],
    (a, b, c) => `(${a} BETWEEN ${b} AND ${c})`,
  ),
  same(
    `${type} not between`,
    "bool",
    [plain(type), plain(type), plain(type)],
    (a, b, c) => `(${a} NOT BETWEEN ${b} AND ${c})`,
    0.5,
  ),
  {
    ...same(
      `${type} in`,
      "bool",
      [lane(type), literal(type)],
      (a, ...list) => `(${a} IN (${list.join(", ")}))`,
    ),
    repeats: 1,
  },
  {
    ...same(
      `${type} not in`,
      "bool",
      [lane(type), literal(type)],
      (a, ...list) => `(${a} NOT IN (${list.join(", ")}))`,
      0.5,
    ),
    repeats: 1,
  },
  same(
    `${type} is distinct from`,
    "bool",
    [plain(type), plain(type)],
    infix("IS DISTINCT FROM"),
    0.3,
  ),
  same(
    `${type} is not distinct from`,
    "bool",
    [plain(type), plain(type)],
    infix("IS NOT DISTINCT FROM"),
    0.3,
  ),
]);

const tested: readonly Type[] = [...scalars, "variant", "number", "sequence"];
const testing: Operator[] = tested.flatMap((type) => [
  same(`${type} is null`, "bool", [plain(type)], (a) => `(${a} IS NULL)`, 0.5),
  same(`${type} is not null`, "bool", [plain(type)], (a) => `(${a} IS NOT NULL)`, 0.5),
]);

const logic: Operator[] = [
  same("and", "bool", [plain("bool"), plain("bool")], infix("AND"), 5),
  same("or", "bool", [plain("bool"), plain("bool")], infix("OR"), 5),
  same("not", "bool", [plain("bool")], (a) => `(NOT ${a})`, 4),
  ...["TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT FALSE", "NOT UNKNOWN"].map((word) =>
    same(
      `is ${word.toLowerCase()}`,
      "bool",
      [plain("bool")],
      // DuckDB has no IS UNKNOWN; a boolean that is NULL is what is unknown.
      (a) => `(${a} IS ${word})`,
      0.4,
    ),
  ),
].map((operator) =>
  operator.op.endsWith("unknown")
    ? {
        ...operator,
        duckdb: (a = "") => `(${a} IS ${operator.op.includes("not") ? "NOT NULL" : "NULL"})`,
      }
    : operator,
);

const matching: Operator[] = [
  ...["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"].map((word) => ({
    ...same(
      word.toLowerCase(),
      "bool",
      [
        lane("text"),
        literal("text", [
          "a%",
          "%b",
          "%",
          "_",
          "a_b",
          "%a%",
          "",
          "A%",
          "a\\%b",
          "/products/%",
          "%日%",
          "__",
          "ü%",
          "%\u{1f44d}%",
        ]),
      ],
      infix(word),
    ),
    duckdb: (a = "", b = "") => `(${a} ${word} ${b} ESCAPE '\\')`,
  })),
  {
    ...same("starts with", "bool", [lane("text"), literal("text")], call("starts_with")),
  },
  ...(
    [
      ["~", "", ""],
      ["~*", "", "i"],
      ["!~", "NOT ", ""],
      ["!~*", "NOT ", "i"],
    ] as const
  ).map(([sign, not, flags]) => ({
    ...same(
      sign,
      "bool",
      [
        lane("text"),
        literal("text", [
          "^a",
          "b$",
          "a.*b",
          "[0-9]+",
          "^$",
          "(a|b)c?",
          "^/products/\\d+$",
          "\\.",
          "^.$",
          "é|ü",
          "p{0,1}urchase",
        ]),
      ],
      infix(sign),
    ),
    duckdb: (a = "", b = "") => `(${not}regexp_matches(${a}, ${b}, 's${flags}'))`,
  })),
];

/** Numbers at the ends of 64 bits, compared with constants: DuckDB needs a text made for the constant, see duckdb-sql. */
const numbers: Operator[] = comparisons.flatMap((sign) => [
  same(`number${sign}int`, "bool", [lane("number"), literal("int")], infix(sign), 0.5),
  same(`sequence ${sign}`, "bool", [plain("sequence"), literal("int")], infix(sign), 0.3),
  same(`number${sign}float`, "bool", [lane("number"), literal("float")], infix(sign), 0.5),
]);

const arithmetic: Operator[] = (["int", "float"] as const).flatMap((type) => [
  ...["+", "-", "*"].map((sign) =>
    same(`${type}${sign}`, type, [lane(type), lane(type)], infix(sign), 1.5),
  ),
  same(`${type} negative`, type, [lane(type)], (a) => `(- ${a})`),
  same(`abs ${type}`, type, [lane(type)], call("abs")),
]);

const divisors = ["1", "2", "3", "7", "-4"];
const dividing: Operator[] = [
  { ...same("int/int", "float", [lane("int"), literal("int", divisors)], infix("/")) },
  { ...same("float/int", "float", [lane("float"), literal("int", divisors)], infix("/")) },
  {
    ...same(
      "int/nullif",
      "float",
      [lane("int"), lane("int")],
      (a, b) => `(${a} / nullif(${b}, 0))`,
      0.5,
    ),
  },
  same("int%int", "int", [lane("int"), literal("int", divisors)], infix("%")),
  same("floor", "float", [lane("float")], call("floor")),
  same("ceil", "float", [lane("float")], call("ceil")),
];

const choosing: Operator[] = scalars.flatMap((type) => [
  same(
    `case ${type}`,
    type,
    [plain("bool"), plain(type), plain(type)],
    (a, b, c) => `(CASE WHEN ${a} THEN ${b} ELSE ${c} END)`,
  ),
  same(
    `case no else ${type}`,
    type,
    [plain("bool"), plain(type)],
    (a, b) => `(CASE WHEN ${a} THEN ${b} END)`,
    0.5,
  ),
  same(
    `case two ${type}`,
    type,
    [plain("bool"), plain(type), plain("bool"), plain(type), plain(type)],
    (a, b, c, d, e) => `(CASE WHEN ${a} THEN ${b} WHEN ${c} THEN ${d} ELSE ${e} END)`,
    0.3,
  ),
  same(
    `case of ${type}`,
    type,
    [lane("text"), literal("text"), plain(type), plain(type)],
    (a, b, c, d) => `(CASE ${a} WHEN ${b} THEN ${c} ELSE ${d} END)`,
    0.3,
  ),
  same(`coalesce ${type}`, type, [plain(type), plain(type)], call("coalesce")),
  same(`coalesce3 ${type}`, type, [plain(type), plain(type), literal(type)], call("coalesce"), 0.5),
  same(`nullif ${type}`, type, [plain(type), literal(type)], call("nullif"), 0.5),
]);

const extremes: Operator[] = (["int", "float", "text", "time"] as const).flatMap((type) => [
  same(`greatest ${type}`, type, [plain(type), plain(type)], call("greatest"), 0.3),
  same(`least ${type}`, type, [plain(type), plain(type)], call("least"), 0.3),
]);

const places = ["1", "2", "3", "5"];
const texts: Operator[] = [
  same("lower", "text", [lane("text")], call("lower")),
  same("upper", "text", [lane("text")], call("upper")),
  same("length", "int", [lane("text")], call("length"), 2),
  same(
    "substring 2",
    "text",
    [lane("text"), literal("int", ["-1", "0", ...places])],
    (a, b) => `substring(${a}, ${b})`,
  ),
  same(
    "substring 3",
    "text",
    [lane("text"), literal("int", ["0", ...places]), literal("int", ["0", ...places])],
    call("substring"),
  ),
  same(
    "substring from for",
    "text",
    [lane("text"), literal("int", places), literal("int", places)],
    (a, b, c) => `substring(${a} FROM ${b} FOR ${c})`,
    0.5,
  ),
  same(
    "split_part",
    "text",
    [lane("text"), literal("text", ["-", "/", " ", "ab"]), literal("int", ["1", "2", "3", "-1"])],
    call("split_part"),
  ),
  same("concat", "text", [plain("text"), plain("text")], call("concat")),
  same("||", "text", [lane("text"), lane("text")], infix("||")),
  same("trim", "text", [lane("text")], call("trim")),
  same(
    "replace",
    "text",
    [lane("text"), literal("text", ["a", "ab", "é", "-"]), literal("text")],
    call("replace"),
  ),
  same("left", "text", [lane("text"), literal("int", places)], call("left")),
  same("right", "text", [lane("text"), literal("int", places)], call("right")),
].map((operator) => {
  // PostgreSQL counts characters before the first, too; DuckDB counts from the end for a start below 1.
  if (operator.op === "substring 2") {
    return { ...operator, duckdb: (a = "", b = "") => `substring(${a}, greatest(${b}, 1))` };
  }
  if (operator.op === "substring 3") {
    const write = (a = "", b = "", c = "") =>
      `substring(${a}, greatest(${b}, 1), greatest(${c} + least(${b} - 1, 0), 0))`;
    return { ...operator, duckdb: write };
  }
  return operator;
});

const units = [
  "microsecond",
  "millisecond",
  "second",
  "minute",
  "hour",
  "day",
  "week",
  "month",
  "quarter",
  "year",
];
const fields = [
  "year",
  "month",
  "day",
  "hour",
  "minute",
  "quarter",
  "week",
  "dow",
  "isodow",
  "doy",
  "isoyear",
];
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
const months = ["1 month", "3 months", "1 year"];
const zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"];
const origin = "2026-11-23T00:30:00Z";

const bucket: Write = (a, b) => `time_bucket(INTERVAL '${a}', ${b})`;

const times: Operator[] = [
  same(
    "date_trunc",
    "time",
    [raw(...units), plain("time")],
    (a, b) => `date_trunc('${a}', ${b})`,
    2,
  ),
  same("extract", "int", [raw(...fields), plain("time")], (a, b) => `extract(${a} FROM ${b})`, 2),
  same("epoch", "float", [plain("time")], (a) => `extract(epoch FROM ${a})`),
  same(
    "time_bucket",
    "time",
    [raw(...widths), plain("time")],
    (a, b) => `time_bucket(INTERVAL '${a}', ${b})`,
    2,
  ),
  {
    ...same(
      "time_bucket origin",
      "time",
      [raw(...widths), plain("time")],
      (a, b) => `time_bucket('${a}', ${b}, '${origin}')`,
    ),
    duckdb: (a = "", b = "") =>
      `time_bucket(INTERVAL '${a}', ${b}, TIMESTAMP '${origin.slice(0, -1).replace("T", " ")}')`,
  },
  same(
    "time + interval",
    "time",
    [plain("time"), raw(...intervals)],
    (a, b) => `(${a} + INTERVAL '${b}')`,
  ),
  same(
    "time - interval",
    "time",
    [plain("time"), raw(...intervals)],
    (a, b) => `(${a} - INTERVAL '${b}')`,
  ),
  {
    ...same(
      "date_trunc zone",
      "time",
      [raw("hour", "day", "week", "month", "year"), plain("time"), raw(...zones)],
      (a, b, zone) => `date_trunc('${a}', ${b}, '${zone}')`,
    ),
    // The times of the table are UTC without saying so.
    duckdb: (a = "", b = "", zone = "") =>
      `timezone('UTC', timezone('${zone}', date_trunc('${a}', timezone('${zone}', timezone('UTC', ${b})))))`,
  },
  {
    ...same(
      "time_bucket zone",
      "time",
      [raw("1 hour", "1 day", "1 week", "1 month"), plain("time"), raw(...zones)],
      (a, b, zone) => `time_bucket('${a}', ${b}, '${zone}')`,
    ),
    duckdb: (a = "", b = "", zone = "") =>
      `timezone('UTC', timezone('${zone}', time_bucket(INTERVAL '${a}', timezone('${zone}', timezone('UTC', ${b})))))`,
  },
];

times.push(same("time_bucket months", "time", [raw(...months), plain("time")], bucket));

const casts: Operator[] = [
  same("int to text", "text", [plain("int")], (a) => `CAST(${a} AS text)`),
  same("int to float", "float", [plain("int")], (a) => `CAST(${a} AS double precision)`),
  same("float to int", "int", [plain("float")], (a) => `CAST(${a} AS bigint)`, 0.5),
  same("bool to int", "int", [plain("bool")], (a) => `CAST(${a} AS int)`, 0.5),
  same("bool to text", "text", [plain("bool")], (a) => `CAST(${a} AS text)`, 0.5),
  same("text::text", "text", [plain("text")], (a) => `(${a})::text`, 0.3),
];

export const operators: readonly Operator[] = [
  ...comparing,
  ...testing,
  ...logic,
  ...matching,
  ...numbers,
  ...arithmetic,
  ...dividing,
  ...choosing,
  ...extremes,
  ...texts,
  ...times,
  ...casts,
];

const byName = new Map(operators.map((operator) => [operator.op, operator]));

export function operatorOf(op: string): Operator {
  const operator = byName.get(op);
  if (!operator) throw new Error(`no operator "${op}"`);
  return operator;
}

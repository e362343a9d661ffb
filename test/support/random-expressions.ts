// Random expressions of every type, over the rows of random-queries.ts.

import type {
  Expression,
  Interval,
  ScalarFunction,
  ValueType,
} from "../../src/query/expression/expression.ts";
import { pick, type Random } from "./random-queries.ts";

export function call(fn: ScalarFunction, type: ValueType, ...args: Expression[]): Expression {
  return { kind: "call", type, fn, args };
}

export function path(name: string, type: ValueType): Expression {
  return { kind: "path", type, path: name };
}

export function literal(
  type: ValueType,
  value: string | number | bigint | boolean | null | Interval,
): Expression {
  return { kind: "literal", type, value };
}

export const number = (value: number | bigint | null): Expression => literal("number", value);
export const text = (value: string | null): Expression => literal("string", value);

const numberPaths = ["small", "wide", "price", "float", "edge", "any", "rare", "nowhere"];
const textPaths = ["event_type", "source", "user_id", "properties.any", "properties.nowhere"];
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
const fields = [
  "year",
  "month",
  "day",
  "dow",
  "isodow",
  "doy",
  "week",
  "isoyear",
  "quarter",
  "hour",
  "minute",
  "second",
  "milliseconds",
  "microseconds",
  "epoch",
  "century",
  "timezone",
];
const numberLiterals: readonly (number | bigint | null)[] = [
  0,
  1,
  -1,
  2,
  3,
  10,
  1000,
  0.5,
  -2.5,
  1e15,
  2n ** 62n,
  -(2n ** 63n),
  9007199254740991,
  9007199254740993n,
  1e300,
  null,
];
const textLiterals = ["", "a", "ab", "view", "%", "a%", "%e%", "_", "%b_", "zebra", "ü", "日本"];
const intervals: readonly Interval[] = [
  { months: 0, days: 1, us: 0n },
  { months: 1, days: 0, us: 0n },
  { months: 0, days: 0, us: 3_600_000_000n },
  { months: -14, days: 3, us: -1n },
  { months: 0, days: 0, us: 100_000n },
];
const widths: readonly Interval[] = [
  { months: 0, days: 0, us: 1000n },
  { months: 0, days: 0, us: 60_000_000n },
  { months: 0, days: 0, us: 7_200_000_000n },
  { months: 0, days: 1, us: 0n },
  { months: 0, days: 7, us: 0n },
  { months: 1, days: 0, us: 0n },
  { months: 3, days: 0, us: 0n },
  { months: 12, days: 0, us: 0n },
];

export function makeExpression(random: Random, type: ValueType, depth: number): Expression {
  const make = (one: ValueType): Expression => makeExpression(random, one, depth - 1);
  if (depth > 0 && random() < 0.12) return choice(random, type, make);
  switch (type) {
    case "number":
      return makeNumber(random, depth, make);
    case "string":
      return makeText(random, depth, make);
    case "boolean":
      return makeBoolean(random, depth, make);
    case "timestamp":
      return makeTime(random, depth, make);
    case "interval":
      return depth <= 0 || random() < 0.3
        ? literal("interval", pick(random, intervals))
        : pick(random, [
            () => call("time_difference", "interval", make("timestamp"), make("timestamp")),
            () => call("+", "interval", make("interval"), make("interval")),
            () => call("*", "interval", make("interval"), number(pick(random, [2, 0.5, -1]))),
          ])();
    case "json":
      return path("properties.any", "json");
    case "sequence":
      return path("sequence", "sequence");
    case "variant":
      return path(
        pick(random, ["properties.any", "properties.edge", "properties.flag"]),
        "variant",
      );
  }
}

type Make = (type: ValueType) => Expression;

function choice(random: Random, type: ValueType, make: Make): Expression {
  return pick(random, [
    () => call("case", type, make("boolean"), make(type), make(type)),
    () => call("case", type, make("boolean"), make(type), make("boolean"), make(type), make(type)),
    () => call("coalesce", type, make(type), make(type)),
    () => call("nullif", type, make(type), make(type)),
    () => call("least", type, make(type), make(type)),
    () => call("greatest", type, make(type), make(type)),
  ])();
}

function makeNumber(random: Random, depth: number, make: Make): Expression {
  if (depth <= 0 || random() < 0.15) {
    if (random() < 0.3) return number(pick(random, numberLiterals));
    if (random() < 0.15) return path("lateness_us", "number");
    return path(`properties.${pick(random, numberPaths)}`, "number");
  }
  const unary = ["negate", "abs", "ceil", "floor", "round", "trunc", "sign", "sqrt", "integer"];
  return pick(random, [
    () =>
      call(
        pick<ScalarFunction>(random, ["+", "-", "*", "/", "%"]),
        "number",
        make("number"),
        make("number"),
      ),
    () => call(pick(random, ["+", "-", "*"]), "number", make("number"), make("number")),
    () => call(pick(random, unary) as ScalarFunction, "number", make("number")),
    () => call("length", "number", make("string")),
    () => call("strpos", "number", make("string"), make("string")),
    () => call("div", "number", make("number"), make("number")),
    () => call("round", "number", make("number"), number(pick(random, [-2, 0, 1, 3]))),
    () => call("cast", "number", make("string")),
    () => call("cast", "number", path("properties.any", "variant")),
    () => call("cast", "number", make("boolean")),
    () =>
      call(
        "extract",
        "number",
        text(pick(random, fields)),
        make("timestamp"),
        text(pick(random, zones)),
      ),
    () => call("extract", "number", text(pick(random, fields)), path("timestamp", "timestamp")),
  ])();
}

function makeText(random: Random, depth: number, make: Make): Expression {
  if (depth <= 0 || random() < 0.25) {
    if (random() < 0.3) return text(pick(random, textLiterals));
    if (random() < 0.1) return path("id", "string");
    return path(pick(random, textPaths), "string");
  }
  return pick(random, [
    () => call(pick(random, ["lower", "upper", "reverse", "trim"]), "string", make("string")),
    () => call("substring", "string", make("string"), number(2), number(3)),
    () => call("split_part", "string", make("string"), text("_"), number(pick(random, [1, 2, -1]))),
    () => call("concat", "string", make("string"), make("string")),
    () => call("concat_ws", "string", text("-"), make("string"), make("number")),
    () => call("replace", "string", make("string"), text("a"), text("xy")),
    () => call("lpad", "string", make("string"), number(5), text("*")),
    () => call("cast", "string", make(pick(random, ["number", "boolean", "timestamp"]))),
    () =>
      call("regexp_replace", "string", make("string"), text("[a-c]+"), text("<\\&>"), text("g")),
    () => call("regexp_extract", "string", make("string"), text("(\\w)(\\w)"), number(1)),
    () => call("left", "string", make("string"), number(pick(random, [1, -1]))),
    () => call("to_char", "string", make("timestamp"), text("YYYY-MM-DD HH24")),
  ])();
}

const compareOps = ["=", "!=", "<", "<=", ">", ">="] as const;

function makeBoolean(random: Random, depth: number, make: Make): Expression {
  if (depth <= 0 || random() < 0.1) {
    if (random() < 0.2) return literal("boolean", pick(random, [true, false, null]));
    return path(pick(random, ["properties.flag", "properties.any"]), "boolean");
  }
  const compare = (type: ValueType): Expression =>
    call(pick(random, compareOps), "boolean", make(type), make(type));
  return pick(random, [
    () => compare("number"),
    () =>
      call(pick(random, compareOps), "boolean", make("number"), number(pick(random, [0, 1, 0.5]))),
    () => compare("string"),
    () => compare(pick(random, ["timestamp", "boolean", "variant", "interval"])),
    () => call("and", "boolean", make("boolean"), make("boolean")),
    () => call("or", "boolean", make("boolean"), make("boolean"), make("boolean")),
    () => call("not", "boolean", make("boolean")),
    () =>
      call(pick(random, ["is_true", "is_false", "is_null"] as const), "boolean", make("boolean")),
    () => call("is_null", "boolean", make(pick(random, ["number", "string", "variant"]))),
    () => call("is_distinct", "boolean", make("number"), make("number")),
    () =>
      call(
        "exists",
        "boolean",
        path(pick(random, ["properties.any", "source", "timestamp"]), "variant"),
      ),
    () =>
      call(
        pick(random, ["like", "ilike"] as const),
        "boolean",
        make("string"),
        text(pick(random, textLiterals)),
      ),
    () => call("matches", "boolean", make("string"), text(pick(random, ["^a", "e.*e", "[0-9]7$"]))),
    () => call("in", "boolean", make("string"), text("ab"), text(random() < 0.3 ? null : "view")),
    () => call("in", "boolean", make("number"), number(1), number(2.5), number(3)),
    () => call("starts_with", "boolean", make("string"), text("a")),
  ])();
}

function makeTime(random: Random, depth: number, make: Make): Expression {
  if (depth <= 0 || random() < 0.4) {
    return path(pick(random, ["timestamp", "timestamp", "received_at"]), "timestamp");
  }
  return pick(random, [
    (): Expression => ({
      kind: "bucket",
      type: "timestamp",
      of: random() < 0.7 ? path("timestamp", "timestamp") : make("timestamp"),
      width: pick(random, widths),
      originUs: random() < 0.7 ? null : 12_345_678_901n,
      zone: pick(random, zones),
    }),
    () =>
      call(
        "add_interval",
        "timestamp",
        make("timestamp"),
        literal("interval", pick(random, intervals)),
      ),
    () => call("add_interval", "timestamp", make("timestamp"), make("interval")),
    () => call("epoch", "timestamp", make("number")),
    () => call("cast", "timestamp", make("string")),
  ])();
}

// The functions of one row: by which names they are called, which arguments they take and what they give. SQL and
// the JSON form read the same table.

import type { ScalarFunction, ValueType } from "../expression/expression.ts";

/** `text`: anything, as text. */
export type Argument = "number" | "string" | "boolean" | "timestamp" | "text" | "pattern";

export interface Signature {
  readonly fn: ScalarFunction;
  readonly type: ValueType;
  readonly args: readonly Argument[];
  /** How many of `args` must be there. */
  readonly required: number;
  /** What every argument beyond `args` is; null: there is none. */
  readonly rest: Argument | null;
}

/** Names; function; type; arguments, optional ones with `?`, repeated ones with `…`. A pattern is checked. */
const rows: readonly (readonly [string, ScalarFunction, ValueType, string])[] = [
  ["lower", "lower", "string", "string"],
  ["upper", "upper", "string", "string"],
  ["length char_length character_length", "length", "number", "string"],
  ["octet_length", "octet_length", "number", "string"],
  ["substring substr", "substring", "string", "string number number?"],
  ["left", "left", "string", "string number"],
  ["right", "right", "string", "string number"],
  ["split_part", "split_part", "string", "string string number"],
  ["concat", "concat", "string", "text…"],
  ["concat_ws", "concat_ws", "string", "string text…"],
  ["replace", "replace", "string", "string string string"],
  ["btrim trim", "trim", "string", "string string?"],
  ["ltrim", "ltrim", "string", "string string?"],
  ["rtrim", "rtrim", "string", "string string?"],
  ["lpad", "lpad", "string", "string number string?"],
  ["rpad", "rpad", "string", "string number string?"],
  ["reverse", "reverse", "string", "string"],
  ["repeat", "repeat", "string", "string number"],
  ["strpos position", "strpos", "number", "string string"],
  ["starts_with", "starts_with", "boolean", "string string"],
  ["ends_with", "ends_with", "boolean", "string string"],
  ["contains", "contains", "boolean", "string string"],
  ["regexp_replace", "regexp_replace", "string", "string pattern string string?"],
  ["regexp_extract", "regexp_extract", "string", "string pattern number?"],
  ["regexp_substr", "regexp_extract", "string", "string pattern"],
  ["regexp_like regexp_matches", "matches", "boolean", "string pattern"],
  ["abs", "abs", "number", "number"],
  ["ceil ceiling", "ceil", "number", "number"],
  ["floor", "floor", "number", "number"],
  ["round", "round", "number", "number number?"],
  ["trunc", "trunc", "number", "number number?"],
  ["sign", "sign", "number", "number"],
  ["sqrt", "sqrt", "number", "number"],
  ["exp", "exp", "number", "number"],
  ["ln", "ln", "number", "number"],
  ["log10 log", "log10", "number", "number"],
  ["log2", "log2", "number", "number"],
  ["power pow", "power", "number", "number number"],
  ["mod", "%", "number", "number number"],
  ["div", "div", "number", "number number"],
  ["to_timestamp", "epoch", "timestamp", "number"],
];

function readRow([, fn, type, text]: (typeof rows)[number]): Signature {
  const words = text.split(" ");
  const args = words.filter((word) => !word.endsWith("…")).map((word) => word.replace("?", ""));
  const rest = words.find((word) => word.endsWith("…"))?.replace("…", "") ?? null;
  return {
    fn,
    type,
    args: args as Argument[],
    required: words.filter((word) => !word.endsWith("?")).length,
    rest: rest as Argument | null,
  };
}

/** By name, in lower case. */
export const signatures: ReadonlyMap<string, Signature> = new Map(
  rows.flatMap((row) => row[0].split(" ").map((name) => [name, readRow(row)] as const)),
);

/** Functions that are written like any other and compiled on their own. */
export const specialFunctions: readonly string[] = [
  "now",
  "statement_timestamp",
  "transaction_timestamp",
  "time_bucket",
  "time_bucket_gapfill",
  "date_bin",
  "date_trunc",
  "date_part",
  "extract",
  "to_char",
  "make_interval",
  "locf",
];

/** The fields of `extract` and `date_part`, and what they are called besides. */
export const extractFields: ReadonlyMap<string, string> = new Map(
  [
    "epoch",
    "microseconds microsecond us",
    "milliseconds millisecond ms",
    "second seconds s sec",
    "minute minutes m min",
    "hour hours h hr",
    "day days d",
    "dow",
    "isodow",
    "doy",
    "week weeks w",
    "month months mon",
    "quarter quarters",
    "year years y",
    "isoyear",
    "decade decades",
    "century centuries",
    "millennium millennia",
  ].flatMap((line) => {
    const [field = "", ...others] = line.split(" ");
    return [field, ...others].map((name) => [name, field] as const);
  }),
);

/** Units of `date_trunc`: months, or days, or microseconds. Buckets are counted from 2000 but for these. */
export const truncations: ReadonlyMap<string, readonly [number, number, bigint]> = new Map(
  (
    [
      ["microsecond microseconds", 0, 0, 1n],
      ["millisecond milliseconds", 0, 0, 1000n],
      ["second seconds", 0, 0, 1_000_000n],
      ["minute minutes", 0, 0, 60_000_000n],
      ["hour hours", 0, 0, 3_600_000_000n],
      ["day days", 0, 1, 0n],
      ["week weeks", 0, 7, 0n],
      ["month months", 1, 0, 0n],
      ["quarter quarters", 3, 0, 0n],
      ["year years", 12, 0, 0n],
      ["decade decades", 120, 0, 0n],
    ] as const
  ).flatMap(([names, months, days, us]) =>
    names.split(" ").map((name) => [name, [months, days, us] as const] as const),
  ),
);

// Conditions: comparisons, three-valued logic, patterns, choices.

import { type Operator, operator, scalars } from "./operator.ts";
import type { Type } from "./tree.ts";

const signs = ["=", "<>", "<", "<=", ">", ">="];

const comparing: Operator[] = scalars.flatMap((t) => [
  ...signs.map((sign) =>
    operator(`${t}${sign}`, "bool", `${t} ${t}`, `($1 ${sign} $2)`, { weight: 0.4 }),
  ),
  ...signs.map((sign) =>
    operator(`${t}${sign}literal`, "bool", `${t}~ ${t}=`, `($1 ${sign} $2)`, { weight: 0.6 }),
  ),
  operator(`${t} literal first`, "bool", `${t}= ${t}~`, "($1 < $2)", { weight: 0.3 }),
  operator(`${t} between`, "bool", `${t}~ ${t}= ${t}=`, "($1 BETWEEN $2 AND $3)"),
  operator(`${t} not between`, "bool", `${t} ${t} ${t}`, "($1 NOT BETWEEN $2 AND $3)", {
    weight: 0.5,
  }),
  operator(`${t} in`, "bool", `${t}~ ${t}=…`, "($1 IN ($*))"),
  operator(`${t} not in`, "bool", `${t}~ ${t}=…`, "($1 NOT IN ($*))", { weight: 0.5 }),
  operator(`${t} in expressions`, "bool", `${t} ${t} ${t}`, "($1 IN ($2, $3))", { weight: 0.3 }),
  operator(`${t} is distinct from`, "bool", `${t} ${t}`, "($1 IS DISTINCT FROM $2)", {
    weight: 0.3,
  }),
  operator(`${t} is not distinct from`, "bool", `${t} ${t}`, "($1 IS NOT DISTINCT FROM $2)", {
    weight: 0.3,
  }),
]);

/** Other ways to write the same. */
const synonyms: Operator[] = [
  ...(["int", "text"] as const).flatMap((t) => [
    operator(`${t} any`, "bool", `${t}~ ${t}=…`, "($1 = ANY (ARRAY[$*]))", {
      duckdb: "($1 IN ($*))",
      weight: 0.3,
    }),
    operator(`${t} all`, "bool", `${t}~ ${t}=…`, "($1 <> ALL (ARRAY[$*]))", {
      duckdb: "($1 NOT IN ($*))",
      weight: 0.3,
    }),
  ]),
  operator("between symmetric", "bool", "int~ int= int=", "($1 BETWEEN SYMMETRIC $2 AND $3)", {
    // A NULL bound makes NULL or false, which DuckDB's least() would leave out.
    duckdb: "(($1 BETWEEN $2 AND $3) OR ($1 BETWEEN $3 AND $2))",
    weight: 0.3,
  }),
];

/** Values of several types against each other, ordered boolean < number < string < json. */
const variants: Operator[] = signs.map((sign) =>
  operator(`variant${sign}`, "bool", "variant variant", `($1 ${sign} $2)`, { weight: 0.2 }),
);

/** Numbers at the ends of 64 bits against constants: DuckDB needs a text made for the constant, see duckdb-sql. */
const numbers: Operator[] = signs.flatMap((sign) => [
  operator(`number${sign}int`, "bool", "number int=", `($1 ${sign} $2)`, { weight: 0.5 }),
  operator(`number${sign}float`, "bool", "number float=", `($1 ${sign} $2)`, { weight: 0.5 }),
  operator(`sequence ${sign}`, "bool", "sequence int=", `($1 ${sign} $2)`, { weight: 0.3 }),
]);

const tested: readonly Type[] = [...scalars, "variant", "number", "sequence"];
const testing: Operator[] = tested.flatMap((t) => [
  operator(`${t} is null`, "bool", t, "($1 IS NULL)", { weight: 0.5 }),
  operator(`${t} is not null`, "bool", t, "($1 IS NOT NULL)", { weight: 0.5 }),
]);

const logic: Operator[] = [
  operator("and", "bool", "bool~ bool~", "($1 AND $2)", { weight: 5 }),
  operator("or", "bool", "bool~ bool~", "($1 OR $2)", { weight: 5 }),
  operator("not", "bool", "bool~", "(NOT $1)", { weight: 4 }),
  ...["TRUE", "FALSE", "NOT TRUE", "NOT FALSE"].map((word) =>
    operator(`is ${word.toLowerCase()}`, "bool", "bool~", `($1 IS ${word})`, { weight: 0.4 }),
  ),
  // DuckDB has no UNKNOWN.
  operator("is unknown", "bool", "bool~", "($1 IS UNKNOWN)", {
    duckdb: "($1 IS NULL)",
    weight: 0.4,
  }),
  operator("is not unknown", "bool", "bool~", "($1 IS NOT UNKNOWN)", {
    duckdb: "($1 IS NOT NULL)",
    weight: 0.4,
  }),
  operator("exists", "bool", "exists", "$1"),
];

const patterns =
  "a%|%b|%|_|a_b|%a%||A%|a\\%b|/products/%|%日%|__|ü%|%\u{1f44d}%|%a_b%|_%_|%É%|a\\_b|%\\\\%".split(
    "|",
  );
const regexes =
  "^a;b$;a.*b;[0-9]+;^$;(a|b)c?;^/products/\\d+$;\\.;^.$;é|ü;p{0,1}urchase;(?i)abc;[^a-z];^.{2,3}$;a+b?;日".split(
    ";",
  );

const matching: Operator[] = [
  ...["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"].map((word) =>
    operator(word.toLowerCase(), "bool", "text~ text=p", `($1 ${word} $2)`, {
      duckdb: `($1 ${word} $2 ESCAPE '\\')`,
      among: { p: patterns },
    }),
  ),
  operator("like escape", "bool", "text~ text=P", "($1 LIKE $2 ESCAPE '!')", {
    among: { P: ["a!%b", "a!_b", "%!!%", "a%"] },
    weight: 0.4,
  }),
  ...(
    [
      ["~", "", ""],
      ["~*", "", "i"],
      ["!~", "NOT ", ""],
      ["!~*", "NOT ", "i"],
    ] as const
  ).map(([sign, not, flags]) =>
    operator(sign, "bool", "text~ text=r", `($1 ${sign} $2)`, {
      duckdb: `(${not}regexp_matches($1, $2, 's${flags}'))`,
      among: { r: regexes },
    }),
  ),
  operator("like any", "bool", "text~ text=p text=p", "($1 LIKE ANY (ARRAY[$2, $3]))", {
    duckdb: "(($1 LIKE $2 ESCAPE '\\') OR ($1 LIKE $3 ESCAPE '\\'))",
    among: { p: patterns },
    weight: 0.4,
  }),
  operator("starts_with", "bool", "text~ text=", "starts_with($1, $2)"),
  operator("^@", "bool", "text~ text=", "($1 ^@ $2)", {
    duckdb: "starts_with($1, $2)",
    weight: 0.4,
  }),
  operator("ends_with", "bool", "text~ text=", "ends_with($1, $2)"),
  operator("contains", "bool", "text~ text=", "contains($1, $2)"),
];

const choosing: Operator[] = scalars.flatMap((t) => [
  operator(`case ${t}`, t, `bool~ ${t} ${t}`, "(CASE WHEN $1 THEN $2 ELSE $3 END)"),
  operator(`case no else ${t}`, t, `bool~ ${t}`, "(CASE WHEN $1 THEN $2 END)", { weight: 0.5 }),
  operator(
    `case two ${t}`,
    t,
    `bool~ ${t} bool~ ${t} ${t}`,
    "(CASE WHEN $1 THEN $2 WHEN $3 THEN $4 ELSE $5 END)",
    {
      weight: 0.3,
    },
  ),
  operator(`case of ${t}`, t, `text~ text= ${t} ${t}`, "(CASE $1 WHEN $2 THEN $3 ELSE $4 END)", {
    weight: 0.3,
  }),
  operator(`coalesce ${t}`, t, `${t} ${t}`, "coalesce($1, $2)"),
  operator(`coalesce three ${t}`, t, `${t} ${t} ${t}=`, "coalesce($1, $2, $3)", { weight: 0.5 }),
  operator(`nullif ${t}`, t, `${t} ${t}=`, "nullif($1, $2)", { weight: 0.5 }),
]);

const extremes: Operator[] = scalars.flatMap((t) => [
  operator(`greatest ${t}`, t, `${t} ${t}`, "greatest($1, $2)", { weight: 0.3 }),
  operator(`least ${t}`, t, `${t} ${t} ${t}=`, "least($1, $2, $3)", { weight: 0.3 }),
]);

export const conditions: readonly Operator[] = [
  ...comparing,
  ...synonyms,
  ...variants,
  ...numbers,
  ...testing,
  ...logic,
  ...matching,
  ...choosing,
  ...extremes,
];

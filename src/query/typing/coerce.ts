// Types that bend: a bare property path takes the lane that its context wants, a text constant what its text can
// be read as. Everything else must fit, or the error says which cast would make it.

import { intervalOfText } from "../duration.ts";
import type { Expression, ValueType } from "../expression/expression.ts";
import { booleanOfText, numberOfText, showLiteral } from "../literal.ts";
import { pathType } from "../paths.ts";
import { parseTime } from "../time.ts";
import type { LiteralExpression, Term } from "./term.ts";
import { aggregateListOf, call, inPlaceOf, isNull, literal, nullOf } from "./term.ts";

const typeNames: Readonly<Record<ValueType, string>> = {
  number: "a number",
  string: "text",
  boolean: "a boolean",
  json: "json",
  timestamp: "a timestamp",
  sequence: "a sequence",
  interval: "an interval",
  variant: "a value of any type",
};

const castNames: Readonly<Record<ValueType, string>> = {
  number: "numeric",
  string: "text",
  boolean: "boolean",
  json: "json",
  timestamp: "timestamptz",
  sequence: "bigint",
  interval: "interval",
  variant: "text",
};

export function nameOfType(type: ValueType): string {
  return typeNames[type];
}

/** What an error says was got. */
export function describeTerm({ of }: Pick<Term, "of">): string {
  if (of.kind === "literal" && (of.value === null || typeof of.value !== "object")) {
    if (of.type === "timestamp" || of.value === null) return typeNames[of.type];
    return showLiteral(of.value);
  }
  return of.kind === "path" ? `${of.path}, ${typeNames[of.type]}` : typeNames[of.type];
}

const laneTypes: ReadonlySet<ValueType> = new Set(["number", "string", "boolean", "json"]);

/** Calls whose value is one of their arguments, and which of them. */
function choices(fn: string, index: number, count: number): boolean {
  if (fn === "case") return index % 2 === 1 || index === count - 1;
  return fn === "coalesce" || fn === "nullif" || fn === "greatest" || fn === "least";
}

/** The same expression seen as values of type `want`, or null where it can't be without a cast. */
export function narrow(of: Expression, want: ValueType): Expression | null {
  if (of.type === want || want === "variant") return of;
  if (isNull(of)) return inPlaceOf(of, nullOf(want));
  if (of.type === "sequence" && want === "number") return of;
  if (of.type !== "variant" || !laneTypes.has(want)) return null;
  if (of.kind === "path") return inPlaceOf(of, { ...of, type: want });
  if (of.kind === "aggregate") {
    const list = aggregateListOf(of);
    const one = list?.all[of.aggregate];
    const inner = one?.of ? narrow(one.of, want) : null;
    if (!list || !one || inner === null) return null;
    return inPlaceOf(of, list.add({ ...one, of: inner, type: want }));
  }
  if (of.kind !== "call") return null;
  const args: Expression[] = [];
  for (const [i, arg] of of.args.entries()) {
    const taken = choices(of.fn, i, of.args.length) ? narrow(arg, want) : arg;
    if (taken === null) return null;
    args.push(taken);
  }
  return inPlaceOf(of, call(want, of.fn, args));
}

/** The expression before `narrow`: seen in all lanes. */
export function widen(of: Expression): Expression {
  if (of.kind === "literal" && of.value === null) return { ...of, type: "variant" };
  if (of.kind === "path" && pathType(of.path) === "property") return { ...of, type: "variant" };
  if (of.kind !== "call" || !of.args.some((_, i) => choices(of.fn, i, of.args.length))) return of;
  const args = of.args.map((arg, i) => (choices(of.fn, i, of.args.length) ? widen(arg) : arg));
  return { ...of, type: "variant", args };
}

/** What the text of a constant says as a `want`; a text says what was wanted instead. */
export function readText(
  text: string,
  want: ValueType,
): LiteralExpression["value"] | { want: string } {
  switch (want) {
    case "number": {
      const value = numberOfText(text);
      return value ?? { want: "a finite number" };
    }
    case "boolean":
      return booleanOfText(text) ?? { want: "true or false" };
    case "timestamp": {
      const us = parseTime(text);
      if (typeof us === "bigint") return us;
      return { want: `a time with its zone, such as '2026-11-23T12:00:00Z' (${us})` };
    }
    case "interval":
      try {
        return intervalOfText(text);
      } catch (error) {
        return { want: `an interval, such as '1 hour' (${(error as Error).message})` };
      }
    default:
      return text;
  }
}

/** `one` as a value of type `want`; `whose` begins the error: "lower() wants text". */
export function coerce(one: Term, want: ValueType, whose: string): Expression {
  const { of, place, spelling } = one;
  if (spelling === "text" && of.kind === "literal" && typeof of.value === "string") {
    const value = readText(of.value, want);
    if (typeof value === "object" && value !== null && "want" in value) {
      throw place.error("sql_type", `${whose}: got ${showLiteral(of.value)}, want ${value.want}`);
    }
    return inPlaceOf(of, literal(want === "variant" ? "string" : want, value));
  }
  if (spelling === "arrow-json" && want !== "variant" && want !== "json") {
    throw place.error(
      "sql_type",
      `${whose}: got what -> gives; use ->> for text, properties.a for a value`,
    );
  }
  const found = narrow(of, want);
  if (found !== null) return found;
  throw place.error(
    "sql_type",
    `${whose}: got ${describeTerm(one)}, want ${typeNames[want]}${castHint(of, want)}`,
  );
}

/** The cast that would make it fit, where there is one. */
export function castHint(of: Expression, want: ValueType): string {
  if (want === "interval" || of.type === "interval" || of.type === "json") return "";
  if (of.type === "timestamp" && want === "number") return "; extract(epoch FROM …) makes one";
  if (of.type === "number" && want === "timestamp") return "; to_timestamp(…) makes one";
  return `; cast it: ${of.kind === "path" ? of.path : "(…)"}::${castNames[want]}`;
}

/**
 * The one type that all terms can have: that of those whose type is fixed; text where only text constants say
 * something; a variant where nothing does. `whose` begins the error.
 */
export function unify(terms: readonly Term[], whose: string): ValueType {
  let found: Term | null = null;
  for (const one of terms) {
    if (one.spelling === "text" || one.of.type === "variant") continue;
    if (found === null || found.of.type === one.of.type) found = one;
    else if (isNumeric(found.of.type) && isNumeric(one.of.type)) continue;
    else {
      const types = `${describeTerm(found)} and ${describeTerm(one)}`;
      const hint = castHint(one.of, found.of.type);
      throw one.place.error("sql_type", `${whose}: got ${types}, want one type${hint}`);
    }
  }
  if (found !== null) return isNumeric(found.of.type) ? "number" : found.of.type;
  return terms.some((one) => one.spelling === "text") ? "string" : "variant";
}

function isNumeric(type: ValueType): boolean {
  return type === "number" || type === "sequence";
}

/** One of the parts of what is joined to a text: whatever it is, its text is meant. */
export function textOf({ of, place, spelling }: Term): Expression {
  if (of.kind === "path" && of.path === "properties") {
    throw place.error("not_implemented", "properties as a whole: not supported yet here", 501);
  }
  if (isNull(of)) return nullOf("string");
  // `->>` and `->` mean the value's text, whatever the value is.
  const isArrow = spelling === "arrow-text" && of.kind === "path";
  return isArrow ? inPlaceOf(of, { ...of, type: "variant" }) : of;
}

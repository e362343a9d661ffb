// Arithmetic of times: what is added to a timestamp, and what lies between two.

import type { Expression } from "../expression/expression.ts";
import { parseTime } from "../time.ts";
import { coerce, describeTerm } from "./coerce.ts";
import { foldConstant } from "./fold.ts";
import type { Place, Term } from "./term.ts";
import { call, literal } from "./term.ts";

/** `a op b` where a time or an interval is among them, else null. */
export function addTimes(op: string, a: Term, b: Term, place: Place): Expression | null {
  const types = [a.of.type, b.of.type];
  if (!types.includes("timestamp") && !types.includes("interval")) return null;
  if (op === "+" || op === "-") return plusOrMinus(op, a, b);
  if ((op === "*" || op === "/") && types.includes("interval")) return times(op, a, b, place);
  throw place.error(
    "sql_type",
    `the operator ${op}: got ${describeTerm(a)} and ${describeTerm(b)}`,
  );
}

function plusOrMinus(op: "+" | "-", a: Term, b: Term): Expression {
  const whose = `the operator ${op}`;
  if (a.of.type === "timestamp") {
    if (op === "-" && (b.of.type === "timestamp" || isTimeText(b))) {
      return call("interval", "time_difference", [a.of, coerce(b, "timestamp", whose)]);
    }
    const interval = coerce(b, "interval", whose);
    return call("timestamp", "add_interval", [a.of, op === "-" ? minus(interval) : interval]);
  }
  if (b.of.type === "timestamp") {
    if (op === "-")
      return call("interval", "time_difference", [coerce(a, "timestamp", whose), b.of]);
    return call("timestamp", "add_interval", [b.of, coerce(a, "interval", whose)]);
  }
  return call("interval", op, [coerce(a, "interval", whose), coerce(b, "interval", whose)]);
}

function isTimeText({ of, spelling }: Term): boolean {
  if (spelling !== "text" || of.kind !== "literal" || typeof of.value !== "string") return false;
  return typeof parseTime(of.value) === "bigint";
}

export function minus(interval: Expression): Expression {
  return foldConstant(call("interval", "negate", [interval]));
}

function times(op: "*" | "/", a: Term, b: Term, place: Place): Expression {
  const [interval, factor] = a.of.type === "interval" ? [a, b] : [b, a];
  if (factor.of.type === "interval" || (op === "/" && interval !== a)) {
    throw place.error(
      "sql_type",
      `the operator ${op}: got ${describeTerm(a)} and ${describeTerm(b)}`,
    );
  }
  const number = coerce(factor, "number", `the operator ${op}`);
  const by =
    op === "*" ? number : foldConstant(call("number", "/", [literal("number", 1), number]));
  return call("interval", "*", [interval.of, by]);
}

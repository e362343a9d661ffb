import type { Node } from "libpg-query";
import { numberOfText, showLiteral } from "../literal.ts";
import type { Literal } from "../query.ts";
import type { Place, Spelling, Term } from "../typing/term.ts";
import { literal, term, typeOfLiteral } from "../typing/term.ts";
import type { SqlScope } from "./scope.ts";
import { locationOf, placeAt } from "./scope.ts";

function termOf(value: Literal | null, place: Place): Term {
  const spelling: Spelling = typeof value === "string" ? "text" : "plain";
  return term(literal(typeOfLiteral(value), value), place, spelling);
}

/** The constant or parameter that a node is, or null when it is neither. */
export function constantTerm(node: Node, scope: SqlScope): Term | null {
  const location = locationOf(node);
  if ("ParamRef" in node) return parameterTerm(node.ParamRef.number ?? 0, location, scope);
  if (!("A_Const" in node)) return null;
  const place = placeAt(scope.source, location);
  const { isnull, ival, fval, sval, boolval, bsval } = node.A_Const;
  if (isnull) return termOf(null, place);
  if (boolval) return termOf(boolval.boolval ?? false, place);
  if (sval) return termOf(sval.sval ?? "", place);
  if (fval) return termOf(numberIn(fval.fval ?? "", place), place);
  if (bsval) throw scope.source.notImplemented("bit strings", location);
  return termOf(ival?.ival ?? 0, place);
}

function numberIn(text: string, place: Place): number | bigint {
  const number = numberOfText(text);
  if (number !== null) return number;
  throw place.error("sql_type", `got ${showLiteral(text)}, want a finite number`);
}

function parameterTerm(index: number, location: number, scope: SqlScope): Term {
  const { params, source } = scope;
  const place = placeAt(source, location);
  if (index < 1 || index > params.length) {
    throw place.error("sql_parameter", `there is no $${index}: got ${params.length} params`);
  }
  return valueTerm(params[index - 1], `$${index}`, place);
}

/** A value from outside; `name` says which in errors. */
export function valueTerm(value: unknown, name: string, place: Place): Term {
  if (value === null) return termOf(null, place);
  const type = typeof value;
  if (type === "number" && !Number.isFinite(value)) {
    throw place.error("sql_parameter", `${name} is not a finite number`);
  }
  if (type === "string" || type === "number" || type === "boolean" || type === "bigint") {
    return termOf(value as Literal, place);
  }
  const problem = `${name}: got ${showLiteral(value)}, want text, a number, a boolean or null`;
  throw place.error("sql_parameter", problem);
}

/** The array of a parameter, or null when the node is none. */
export function arrayOfParameter(node: Node | undefined, scope: SqlScope): Term[] | null {
  if (!node || !("ParamRef" in node)) return null;
  const values = scope.params[(node.ParamRef.number ?? 0) - 1];
  if (!Array.isArray(values)) return null;
  const place = placeAt(scope.source, locationOf(node));
  return values.map((value: unknown, i) => {
    return valueTerm(value, `$${node.ParamRef.number}[${i + 1}]`, place);
  });
}

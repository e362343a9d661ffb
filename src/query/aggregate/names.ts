// Aggregates as a reader of an error would write them.

import type { Expression } from "../expression/expression.ts";
import type { Aggregate } from "../query.ts";

/** Such as `sum(properties.amount)`. */
export function aggregateText({ fn, of, parameters }: Aggregate): string {
  const args = [of === null ? "*" : expressionText(of), ...parameters.map(String)];
  return `${fn}(${args.join(", ")})`;
}

function expressionText(of: Expression): string {
  switch (of.kind) {
    case "path":
      return of.path;
    case "literal":
      return typeof of.value === "string" ? `'${of.value}'` : String(of.value);
    case "call":
      return `${of.fn}(${of.args.map(expressionText).join(", ")})`;
    case "bucket":
      return `time_bucket(${expressionText(of.of)})`;
    default:
      return of.kind;
  }
}

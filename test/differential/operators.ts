// What expressions are made of. Where the two engines differ in meaning, the DuckDB text says in DuckDB's words what
// Millrace promises.

import type { Operator } from "./operator.ts";
import { conditions } from "./operators-conditions.ts";
import { values } from "./operators-values.ts";

export const operators: readonly Operator[] = [...conditions, ...values];

const byName = new Map(operators.map((one) => [one.op, one]));

export function operatorOf(op: string): Operator {
  const found = byName.get(op);
  if (!found) throw new Error(`no operator "${op}"`);
  return found;
}

import { InputError } from "../errors.ts";
import type { LeafValue } from "../query/expression/scalar.ts";
import type { Value } from "../query/result.ts";

/** NULL where the value can't be told, as of a sum beyond 64 bits: other windows are none the worse for it. */
export function shownValue(output: (leaf: LeafValue) => Value, leaf: LeafValue): Value {
  try {
    return output(leaf);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

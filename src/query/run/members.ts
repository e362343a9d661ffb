// The numbers of a list as pages hold them, for selectNumbers: ascending, each once.

import type { NumberRange } from "../plan/bounds.ts";
import { rawRange } from "../plan/bounds.ts";
import type { Filter } from "../plan/filter.ts";

type Numbers = Extract<Filter, { kind: "numbers" }>;

interface Members {
  readonly integers: BigInt64Array;
  readonly doubles: Float64Array;
}

const known = new WeakMap<Numbers, Members>();

/** The integers and the doubles that a filter looks for. */
export function membersOf(filter: Numbers): Members {
  let members = known.get(filter);
  if (members === undefined) {
    const ranges = filter.ranges.filter(({ i64Low, i64High }) => i64Low <= i64High);
    const doubles = filter.ranges.filter(({ f64Low, f64High }) => f64Low <= f64High);
    members = {
      integers: BigInt64Array.from(new Set(ranges.map(({ i64Low }) => i64Low))).sort(),
      doubles: Float64Array.from(new Set(doubles.map(({ f64Low }) => f64Low + 0))).sort(),
    };
    known.set(filter, members);
  }
  return members;
}

/** The same as raw integers of a column; a double may be that of more than one of them. */
export function rawMembers(
  ranges: readonly NumberRange[],
  base: bigint,
  exponent: number,
): Uint32Array {
  const raws = new Set<number>();
  for (const range of ranges) {
    const raw = rawRange(range, base, exponent);
    for (let i = raw?.low ?? 1; i <= (raw?.high ?? 0); i++) raws.add(i);
  }
  return Uint32Array.from(raws).sort();
}

// Every aggregate: its name, what it is, and the state that it derives from. Lists for errors and documents are made
// from this table.

import { assert } from "../../base/assert.ts";
import { InputError } from "../../errors.ts";
import { type Expression, expressionKey } from "../expression/expression.ts";
import type { Aggregate, AggregateFunction } from "../query.ts";
import type { Accumulator, AggregateContext } from "./accumulator.ts";
import { CountState, countsRows } from "./count.ts";
import { ExtremeState, type Sides } from "./extremes.ts";
import { TotalState } from "./total.ts";

/** One aggregate function. */
export interface AggregateKind {
  readonly fn: AggregateFunction;
  /** One line for documents. */
  readonly says: string;
  /** Names the state among those of the same expression; aggregates with the same one share it. */
  readonly state: (aggregate: Aggregate) => string;
  readonly create: (aggregate: Aggregate, context: AggregateContext) => Accumulator;
}

/** What the aggregate is of; the compilers of queries have seen to it that it is there. */
function operand({ fn, of }: Aggregate): Expression {
  assert(of !== null, `${fn} has an argument`);
  return of;
}

/** Both ends of what is cheap to keep; of texts only the one that is asked for. */
function sides({ fn, of }: Aggregate): Sides {
  const type = operand({ fn, of } as Aggregate).type;
  if (type === "number" || type === "timestamp" || type === "sequence") return "both";
  return fn === "max" ? "max" : "min";
}

const kinds: readonly AggregateKind[] = [
  {
    fn: "count",
    says: "rows, or those where the argument is not NULL",
    state: () => "count",
    create: ({ of }, context) => new CountState(of, context),
  },
  {
    fn: "sum",
    says: "sum; exact for integers",
    state: () => "total",
    create: (aggregate, context) => new TotalState(operand(aggregate), context),
  },
  {
    fn: "avg",
    says: "mean",
    state: () => "total",
    create: (aggregate, context) => new TotalState(operand(aggregate), context),
  },
  ...(["min", "max"] as const).map(
    (fn): AggregateKind => ({
      fn,
      says: fn === "min" ? "the first value in order" : "the last value in order",
      state: (aggregate) => `extremes ${sides(aggregate)}`,
      create: (aggregate, context) =>
        new ExtremeState(operand(aggregate), sides(aggregate), context),
    }),
  ),
];

const byName: ReadonlyMap<string, AggregateKind> = new Map(kinds.map((kind) => [kind.fn, kind]));

/** Names of all aggregates, in the order of the documents. */
export const aggregateNames: readonly AggregateFunction[] = kinds.map(({ fn }) => fn);

export function aggregateKinds(): readonly AggregateKind[] {
  return kinds;
}

function kindOf(fn: AggregateFunction): AggregateKind {
  const kind = byName.get(fn);
  if (kind) return kind;
  throw new InputError(
    "unknown_aggregate",
    `there is no aggregate "${fn}", want ${aggregateNames.join(", ")}`,
  );
}

/**
 * Equal for aggregates that read the same state, filters aside: one accumulator answers them all, if their filters
 * are the same too.
 */
export function sharedStateKey(aggregate: Aggregate): string {
  const { of } = aggregate;
  const state = kindOf(aggregate.fn).state(aggregate);
  if (of === null || (state === "count" && countsRows(of))) return state;
  return `${state} ${expressionKey(of)}`;
}

/** An empty state for `aggregate` and for all others with its `sharedStateKey`. */
export function createAccumulator(aggregate: Aggregate, context: AggregateContext): Accumulator {
  return kindOf(aggregate.fn).create(aggregate, context);
}

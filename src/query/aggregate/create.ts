// Every aggregate: its name, what it is, and the state that it derives from. Lists for errors and documents are made
// from this table.

import { assert } from "../../base/assert.ts";
import { InputError } from "../../errors.ts";
import { type Expression, expressionKey } from "../expression/expression.ts";
import type { Aggregate, AggregateFunction } from "../query.ts";
import type { Accumulator, AggregateContext } from "./accumulator.ts";
import { CountState, countsRows } from "./count.ts";
import { DistinctState } from "./distinct.ts";
import { ExtremeState, type Sides } from "./extremes.ts";
import { HistogramState } from "./histogram.ts";
import { OrderedState } from "./ordered.ts";
import { PercentileState } from "./percentiles.ts";
import { PickedState } from "./picked.ts";
import { QuantileState } from "./quantile.ts";
import { RateState } from "./rate.ts";
import { RegisterState } from "./registers.ts";
import { SpreadState } from "./spread.ts";
import { TopState } from "./topk.ts";
import { TotalState } from "./total.ts";

/** One aggregate function. */
interface AggregateKind {
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

function isNumeric({ type }: Expression): boolean {
  return type === "number" || type === "timestamp" || type === "sequence";
}

/** Both ends of what is cheap to keep; of texts only the one that is asked for. */
function sides(aggregate: Aggregate): Sides {
  if (isNumeric(operand(aggregate))) return "both";
  return aggregate.fn === "max" ? "max" : "min";
}

/** A state of the aggregate's own. */
function of(
  fn: AggregateFunction,
  says: string,
  state: string,
  create: (of: Expression, aggregate: Aggregate, context: AggregateContext) => Accumulator,
  key: (aggregate: Aggregate) => string = () => state,
): AggregateKind {
  return {
    fn,
    says,
    state: key,
    create: (aggregate, context) => create(operand(aggregate), aggregate, context),
  };
}

const total = (one: Expression, _: Aggregate, context: AggregateContext) =>
  new TotalState(one, context);
const spread = (one: Expression, _: Aggregate, context: AggregateContext) =>
  new SpreadState(one, context);
const percentiles = (one: Expression, _: Aggregate, context: AggregateContext) =>
  new PercentileState(one, context);

function extreme(fn: "min" | "max", says: string): AggregateKind {
  const key = (aggregate: Aggregate) => `extremes ${sides(aggregate)}`;
  return of(
    fn,
    says,
    "extremes",
    (one, aggregate, context) => new ExtremeState(one, sides(aggregate), context),
    key,
  );
}

function picked(fn: "first" | "last" | "any", says: string): AggregateKind {
  return of(fn, says, fn, (one, _, context) => new PickedState(one, fn, context));
}

const kinds: readonly AggregateKind[] = [
  {
    fn: "count",
    says: "rows, or those where the argument is not NULL",
    state: () => "count",
    create: (aggregate, context) => new CountState(aggregate.of, context),
  },
  of(
    "count_distinct",
    "different values, exactly",
    "members",
    (one, _, context) => new DistinctState(one, context),
  ),
  of(
    "approx_count_distinct",
    "different values, with a standard error of 0.81 %",
    "registers",
    (one, _, context) => new RegisterState(one, context),
  ),
  of("sum", "sum; exact for integers", "total", total),
  of("avg", "mean", "total", total),
  extreme("min", "the first value in order"),
  extreme("max", "the last value in order"),
  of("stddev_samp", "standard deviation of a sample", "spread", spread),
  of("stddev_pop", "standard deviation of all there is", "spread", spread),
  of("var_samp", "variance of a sample", "spread", spread),
  of("var_pop", "variance of all there is", "spread", spread),
  picked("first", "the value of the first row by timestamp, then sequence"),
  picked("last", "the value of the last row by timestamp, then sequence"),
  picked("any", "the value of some row"),
  of(
    "quantile",
    "the value at a fraction of all in order, within 0.78 %",
    "bins",
    (one, _, context) => new QuantileState(one, context),
  ),
  of("median", "the middle value, exactly", "values", percentiles),
  of("percentile_cont", "the value at a fraction, between neighbours", "values", percentiles),
  of(
    "percentile_disc",
    "the value at a fraction, one of those there are",
    "values",
    (one, _, context) =>
      isNumeric(one) ? new PercentileState(one, context) : new OrderedState(one, context),
    (aggregate) => (isNumeric(operand(aggregate)) ? "values" : "ordered"),
  ),
  of(
    "topk",
    "the k most frequent values",
    "tallies",
    (one, { parameters }, context) => new TopState(one, parameters[0] as number, context),
    ({ parameters }) => `tallies ${parameters[0]}`,
  ),
  of(
    "histogram",
    "counts between bounds",
    "buckets",
    (one, { parameters }, context) => new HistogramState(one, parameters, context),
    ({ parameters }) => `buckets ${parameters.join(" ")}`,
  ),
  {
    fn: "rate",
    says: "rows, or the sum of the argument, per second",
    state: () => "rate",
    create: (aggregate, context) => new RateState(aggregate.of, context),
  },
];

const byName: ReadonlyMap<string, AggregateKind> = new Map(kinds.map((kind) => [kind.fn, kind]));

function kindOf(fn: AggregateFunction): AggregateKind {
  const kind = byName.get(fn);
  if (kind) return kind;
  throw new InputError(
    "unknown_aggregate",
    `there is no aggregate "${fn}", want ${[...byName.keys()].join(", ")}`,
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

// From compiled parts to a `Query`: which outputs are keys of groups, and which aggregates are left.

import { InputError } from "../../errors.ts";
import type { Expression } from "../expression/expression.ts";
import { expressionKey, walkExpression } from "../expression/expression.ts";
import { lastKey } from "../paths.ts";
import { liftTimeRange } from "../predicate.ts";
import type { Fill, GroupKey, Order, Output, Predicate, Query } from "../query.ts";
import { widen } from "./coerce.ts";
import type { AggregateList } from "./term.ts";
import { inPlaceOf, placeOf } from "./term.ts";

export interface Parts {
  readonly select: readonly Output[];
  readonly where: Predicate | null;
  readonly fromUs: bigint | null;
  readonly toUs: bigint | null;
  readonly groupBy: readonly GroupKey[];
  readonly having: Expression | null;
  readonly orderBy: readonly Order[];
  readonly limit: number | null;
  readonly offset: number;
  readonly fill: Fill | null;
  readonly aggregates: AggregateList;
}

/** The names of the aggregates that expressions hold, in order. */
function usedAggregates(expressions: readonly Expression[]): number[] {
  const used = new Set<number>();
  for (const one of expressions) {
    walkExpression(one, (part) => {
      if (part.kind === "aggregate") used.add(part.aggregate);
    });
  }
  return [...used];
}

export function assembleQuery(parts: Parts): Query {
  const { select, groupBy, having, orderBy, aggregates } = parts;
  const used = usedAggregates([
    ...select.map((one) => one.of),
    ...(having ? [having] : []),
    ...orderBy.map((one) => one.of),
  ]);
  const lifted = liftTimeRange({ where: parts.where, fromUs: parts.fromUs, toUs: parts.toUs });
  const { limit, offset, fill } = parts;
  const grouped = groupBy.length > 0 || used.length > 0 || having !== null;
  if (!grouped) {
    return {
      select,
      ...lifted,
      groupBy,
      aggregates: [],
      having: null,
      orderBy,
      limit,
      offset,
      fill,
    };
  }
  // HAVING alone makes one group of all rows, too.
  if (groupBy.length === 0 && used.length === 0) {
    const rows = { fn: "count", of: null, filter: null, type: "number", parameters: [] } as const;
    used.push(aggregates.add(rows).aggregate);
  }
  const grouping = new Grouping(groupBy, used);
  return {
    select: select.map((one) => ({ of: grouping.seen(one.of), as: one.as })),
    ...lifted,
    groupBy,
    aggregates: aggregates.pick(used),
    having: having ? grouping.seen(having) : null,
    orderBy: orderBy.map((one) => ({ ...one, of: grouping.seen(one.of) })),
    limit,
    offset,
    fill,
  };
}

/** How an expression of rows looks from a group. */
class Grouping {
  readonly #keys: readonly { readonly text: string; readonly of: Expression }[];
  readonly #aggregates: ReadonlyMap<number, number>;

  constructor(groupBy: readonly GroupKey[], used: readonly number[]) {
    this.#keys = groupBy.map(({ of }) => ({ text: expressionKey(of), of }));
    this.#aggregates = new Map(used.map((index, i) => [index, i]));
  }

  seen(of: Expression): Expression {
    if (of.kind === "literal" || of.kind === "key") return of;
    if (of.kind === "aggregate") {
      return { ...of, aggregate: this.#aggregates.get(of.aggregate) ?? 0 };
    }
    const key = this.#keyOf(of);
    if (key >= 0) return { kind: "key", type: of.type, key };
    if (of.kind === "call")
      return inPlaceOf(of, { ...of, args: of.args.map((arg) => this.seen(arg)) });
    if (of.kind === "bucket" && of.of.kind === "path" && this.#keyOf(of.of) < 0) {
      throw refusal(of, "this bucket must appear in GROUP BY");
    }
    if (of.kind === "bucket") return inPlaceOf(of, { ...of, of: this.seen(of.of) });
    const name = of.path === "properties" ? of.path : lastKey(of.path);
    throw refusal(of, `"${name}" must appear in GROUP BY or in an aggregate function`);
  }

  /** A key of all lanes is also a key of one of them. */
  #keyOf(of: Expression): number {
    const text = expressionKey(of);
    const exact = this.#keys.findIndex((key) => key.text === text);
    if (exact >= 0 || (of.kind !== "path" && of.kind !== "call")) return exact;
    const wide = expressionKey(widen(of));
    return this.#keys.findIndex((key) => key.of.type === "variant" && key.text === wide);
  }
}

function refusal(of: Expression, problem: string): InputError {
  return placeOf(of)?.error("sql_semantics", problem) ?? new InputError("sql_semantics", problem);
}

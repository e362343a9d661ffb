// Random queries from a typed grammar: what stands somewhere has the type that is wanted there.

import { type AggregateForm, aggregateOf, aggregates } from "./aggregates.ts";
import type { Dataset, Field, Kind, Random } from "./dataset.ts";
import { chance, int, pick, words } from "./dataset.ts";
import type { Argument, Operator } from "./operator.ts";
import { operators } from "./operators.ts";
import type { Aggregate, Expr, Order, QueryTree, Type } from "./tree.ts";
import { groupedBy, hasAggregate, sameExpr, some } from "./tree.ts";

/** What is left out: operators by `op`, aggregates by `fn`, clauses by name. Empty when all of it works. */
export type Pending = ReadonlySet<string>;

const kindTypes: Readonly<Record<Kind, readonly Type[]>> = {
  int: ["int"],
  wide: ["int"],
  quarter: ["float"],
  float: ["float"],
  mixed: ["float", "number"],
  edge: ["number"],
  text: ["text"],
  bool: ["bool"],
  any: ["variant"],
};

/** Types of which there are paths and nothing else. */
const pathTypes: ReadonlySet<Type> = new Set(["variant", "number", "sequence", "exists"]);

/** What a path with values of several types shows to an operator that says which it wants. */
const anyLanes: readonly Type[] = ["float", "text", "bool"];

const fixedFields: readonly { path: string; type: Type }[] = [
  { path: "timestamp", type: "time" },
  { path: "timestamp", type: "time" },
  { path: "received_at", type: "time" },
  { path: "sequence", type: "sequence" },
  { path: "lateness_us", type: "int" },
];

export class Grammar {
  readonly #random: Random;
  readonly #dataset: Dataset;
  readonly #pending: Pending;
  readonly #operators: ReadonlyMap<Type, readonly Operator[]>;
  readonly #aggregates: readonly AggregateForm[];
  /** While set, leaves are these and not columns: what HAVING and items over groups are made of. */
  #leaves: readonly Expr[] | null = null;

  constructor(random: Random, dataset: Dataset, pending: Pending) {
    this.#random = random;
    this.#dataset = dataset;
    this.#pending = pending;
    const far = dataset.rows.some(({ timestampUs: us }) => us < 0n || us > 4_000_000_000_000_000n);
    const usable = operators.filter(
      ({ op }) => !pending.has(op) && !(far && /interval|zone|to_char|bucket|bin/.test(op)),
    );
    this.#operators = groupedBy(usable, ({ type }) => type);
    this.#aggregates = aggregates.filter(({ fn }) => !pending.has(fn));
  }

  #has(clause: string): boolean {
    return !this.#pending.has(clause);
  }

  #paths(type: Type, lane: boolean): Expr[] {
    if (type === "exists") {
      const properties = this.#dataset.fields.filter(({ path }) => path.startsWith("properties."));
      return properties.map(({ path }) => ({ k: "path", type, path }));
    }
    const fits = ({ kind }: Field): boolean =>
      kindTypes[kind].includes(type) || (lane && kind === "any" && anyLanes.includes(type));
    return [
      ...fixedFields.filter((field) => field.type === type).map(({ path }) => path),
      ...this.#dataset.fields.filter(fits).map(({ path }) => path),
    ].map((path) => ({ k: "path", type, path }));
  }

  #literal({ type, among, strict }: Argument): Expr {
    const random = this.#random;
    if (among && !(type === "text" && !strict && chance(random, 0.15))) {
      return { k: "literal", type, value: pick(random, among) };
    }
    if (type !== "raw" && type !== "time" && chance(random, 0.03))
      return { k: "literal", type, value: null };
    return { k: "literal", type, value: this.#constant(type) };
  }

  /** A constant of the type: half of the time one that is there. */
  #constant(type: Type): string | boolean {
    const random = this.#random;
    const row = pick(random, this.#dataset.rows);
    if (type === "bool") return chance(random, 0.5);
    if (type === "time") {
      const us = chance(random, 0.8) ? row?.timestampUs : row?.receivedAtUs;
      return String(us ?? 0n);
    }
    if (chance(random, 0.6)) {
      for (const cell of row?.cells.values() ?? []) {
        if (!chance(random, 0.5)) continue;
        if (type === "text" && typeof cell === "string") return cell;
        if (type === "int" && typeof cell === "bigint") return String(cell);
        if (type === "float" && typeof cell === "number") return numberText(cell);
      }
    }
    if (type === "text") return pick(random, words);
    if (type === "int") return pick(random, ["0", "1", "2", "5", "-3", "100", "1000000"]);
    return pick(random, ["0.0", "0.5", "-1.25", "2.0", "100.75", "1e10"]);
  }

  #leaf({ type, lane = false, path = false }: Argument): Expr {
    if (this.#leaves) {
      const fitting = this.#leaves.filter((leaf) => leaf.type === type);
      return fitting.length > 0 && (path || pathTypes.has(type) || chance(this.#random, 0.8))
        ? pick(this.#random, fitting)
        : this.#literal({ type });
    }
    const paths = this.#paths(type, lane);
    if (paths.length > 0 && (path || chance(this.#random, 0.9))) return pick(this.#random, paths);
    if (type === "sequence") return { k: "path", type, path: type };
    return path || pathTypes.has(type)
      ? { k: "path", type, path: "properties.nowhere" }
      : this.#literal({ type });
  }

  #weighted<T extends { readonly weight?: number }>(list: readonly T[]): T {
    const total = list.reduce((sum, { weight = 1 }) => sum + weight, 0);
    let left = this.#random() * total;
    return list.find(({ weight = 1 }) => (left -= weight) < 0) ?? (list.at(-1) as T);
  }

  /** Over groups there are paths only where one is a key. */
  #isUsable({ args }: Operator): boolean {
    const leaves = this.#leaves;
    return (
      leaves === null ||
      args.every(
        ({ type, path }) =>
          !(path || pathTypes.has(type)) || leaves.some((leaf) => leaf.type === type),
      )
    );
  }

  expr(type: Type, depth: number, lane = false): Expr {
    const choices = (this.#operators.get(type) ?? []).filter((one) => this.#isUsable(one));
    if (depth <= 0 || choices.length === 0 || (type !== "bool" && chance(this.#random, 0.4))) {
      if (type !== "bool" || choices.length === 0 || chance(this.#random, 0.5)) {
        return this.#leaf({ type, lane });
      }
    }
    const operator = this.#weighted(choices);
    const forms = [...operator.args];
    if (operator.repeats) {
      const again = forms.at(-1) as Argument;
      for (let more = int(this.#random, 4); more > 0; more--) forms.push(again);
    }
    const args = forms.map((form) => this.#argument(form, depth - 1));
    return { k: "call", type, op: operator.op, args };
  }

  #argument(form: Argument, depth: number): Expr {
    if (form.literal) return this.#literal(form);
    if (form.path || pathTypes.has(form.type)) return this.#leaf(form);
    return this.expr(form.type, depth, form.lane);
  }

  aggregate(type?: Type): Expr {
    const fitting = this.#aggregates.filter(
      (form) =>
        !type || form.type === type || (form.type === "argument" && form.argument.includes(type)),
    );
    if (fitting.length === 0) return this.#literal({ type: type ?? "int" });
    const form = this.#weighted(fitting);
    const of = form.argument.length === 0 ? null : pick(this.#random, form.argument);
    const argument = form.type === "argument" && type ? type : of;
    const made: Aggregate = {
      k: "aggregate",
      type: form.type === "argument" ? (argument as Type) : form.type,
      fn: form.fn,
      args: argument
        ? [this.expr(argument, this.#has("expressions") && chance(this.#random, 0.3) ? 2 : 0)]
        : [],
    };
    // An aggregate of a constant says little and is written in the same way.
    if (made.args.some((arg) => arg.k === "literal")) return this.aggregate(type);
    if (this.#has("filter") && chance(this.#random, 0.2)) made.filter = this.expr("bool", 2);
    return made;
  }

  #where(): Expr | null {
    return chance(this.#random, 0.25) ? null : this.expr("bool", 1 + int(this.#random, 4));
  }

  query(): QueryTree {
    this.#leaves = null;
    const grouping = this.#random();
    if (grouping < 0.3) return this.#rows();
    return this.#grouped(grouping < 0.45 ? 0 : 1 + int(this.#random, 3));
  }

  #selected(): Expr {
    const type = pick(this.#random, [
      "int",
      "float",
      "text",
      "bool",
      "time",
      "variant",
      "number",
      "sequence",
    ] as const);
    const deep = this.#has("expressions") && !pathTypes.has(type);
    const made = this.expr(type, deep ? int(this.#random, 4) : 0);
    return hasPath(made) ? made : { k: "path", type: "time", path: "timestamp" };
  }

  #rows(): QueryTree {
    const random = this.#random;
    const select = Array.from({ length: 1 + int(random, 4) }, () => this.#selected());
    const orderBy: Order[] = [];
    const distinct = this.#has("distinct") && chance(random, 0.15);
    for (let keys = int(random, 4); keys > 0; keys--) {
      const own = distinct || chance(random, 0.5);
      const key: Pick<Order, "item" | "expr"> = own
        ? { item: int(random, select.length) }
        : { expr: this.#selected() };
      orderBy.push(this.#direction(key));
    }
    return {
      select,
      ...(distinct && { distinct }),
      where: this.#where(),
      groupBy: [],
      having: null,
      orderBy: orderBy.map((order) => plainOrder(order, select)),
      ...this.#window(),
    };
  }

  #direction(key: Pick<Order, "item" | "expr">): Order {
    const random = this.#random;
    const nulls = chance(random, 0.5) ? pick(random, ["first", "last"] as const) : undefined;
    return { ...key, descending: chance(random, 0.5), ...(nulls && { nulls }) };
  }

  #window(): Pick<QueryTree, "limit" | "offset"> {
    const random = this.#random;
    return {
      limit: chance(random, 0.5) ? pick(random, [0, 1, 3, 10, 50, 10_000]) : null,
      offset: chance(random, 0.2) ? int(random, 20) : 0,
    };
  }

  #keys(count: number): Expr[] {
    const keys: Expr[] = [];
    for (let i = 0; i < count; i++) {
      const key =
        this.#has("expressions") || chance(this.#random, 0.8) ? this.#selected() : this.#bucket();
      // The parser makes one AND of nested ones, and a key within it isn't there any more.
      if (key.k === "call" && (key.op === "and" || key.op === "or")) continue;
      // Places of GROUP BY are compared by their text, so one expression is one key.
      if (!keys.some((other) => sameExpr(key, other))) keys.push(key);
    }
    return keys;
  }

  #bucket(): Expr {
    const bucket = this.#operators.get("time")?.filter(({ op }) => op.startsWith("time_bucket"));
    const operator = pick(this.#random, bucket ?? []);
    if (!operator) return { k: "path", type: "time", path: "timestamp" };
    const args = operator.args.map((form) =>
      form.literal ? this.#literal(form) : this.#leaf(form),
    );
    return { k: "call", type: "time", op: operator.op, args };
  }

  #grouped(keyCount: number): QueryTree {
    const random = this.#random;
    const groupBy = this.#keys(keyCount);
    const where = this.#where();
    const measures = Array.from({ length: int(random, 4) + (keyCount === 0 ? 1 : 0) }, () =>
      this.aggregate(),
    );
    const select = [...groupBy.filter(() => chance(random, 0.85)), ...measures];
    let having: Expr | null = null;
    if (this.#has("expressions")) {
      this.#leaves = [...groupBy, ...measures, this.aggregate("int"), this.aggregate("int")].filter(
        (leaf) => isExact(leaf),
      );
      if (chance(random, 0.3)) {
        const over = this.expr(pick(random, ["int", "float", "text"] as const), 2);
        if (hasPath(over) || hasAggregate(over)) select.push(over);
      }
      if (this.#has("having") && chance(random, 0.3)) having = this.expr("bool", 2);
      this.#leaves = null;
    }
    if (select.length === 0) select.push(this.#aggregateOr());
    const orderBy = this.#groupedOrder(select);
    return { select, where, groupBy, having, orderBy, ...this.#window() };
  }

  #aggregateOr(): Expr {
    return { k: "aggregate", type: "int", fn: "count", args: [] };
  }

  #groupedOrder(select: readonly Expr[]): Order[] {
    const orderBy: Order[] = [];
    for (let keys = int(this.#random, 4); keys > 0; keys--) {
      const item = int(this.#random, select.length);
      // What DuckDB answers for a sketch is no key.
      if (isJudged(select[item] as Expr)) continue;
      orderBy.push(this.#direction({ item }));
      // Doubles that differ in their last bits order what follows differently.
      if (!isExact(select[item] as Expr)) break;
    }
    return orderBy;
  }
}

/** A bare path that is selected too is ordered by as the item that it is: aliases go first in ORDER BY. */
function plainOrder(order: Order, select: readonly Expr[]): Order {
  const { expr } = order;
  const item = expr ? select.findIndex((one) => sameExpr(one, expr)) : -1;
  if (item < 0) return order;
  const { expr: _, ...rest } = order;
  return { ...rest, item };
}

function numberText(value: number): string {
  const text = Object.is(value, -0) ? "-0.0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function hasPath(expr: Expr): boolean {
  return some(expr, (part) => part.k === "path");
}

/** Whether two engines must answer the same bits. */
export function isExact(expr: Expr): boolean {
  return !some(expr, (part) => {
    if (part.k !== "aggregate") return false;
    return aggregateOf(part.fn).rule.kind !== "exact";
  });
}

export function isJudged(expr: Expr): boolean {
  return some(
    expr,
    (part) => part.k === "aggregate" && aggregateOf(part.fn).rule.kind === "judged",
  );
}

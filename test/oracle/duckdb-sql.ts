// A query tree as DuckDB SQL over the table that duckdb.ts makes.

import { aggregateOf } from "../differential/aggregates.ts";
import type { Field } from "../differential/dataset.ts";
import { isJudged } from "../differential/grammar.ts";
import { operatorOf } from "../differential/operators.ts";
import type { Expr, Order, QueryTree, Type } from "../differential/tree.ts";
import { fixedColumns, type Lane, laneColumn } from "./duckdb.ts";

const sqlTypes: Readonly<Record<string, string>> = {
  int: "BIGINT",
  float: "DOUBLE",
  text: "VARCHAR",
  bool: "BOOLEAN",
  time: "TIMESTAMP",
  sequence: "BIGINT",
  number: "STRUCT(i BIGINT, f DOUBLE)",
  variant: "STRUCT(r INTEGER, b BOOLEAN, f DOUBLE, i BIGINT, s VARCHAR, j VARCHAR)",
};

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function literalSql(type: Type, value: string | boolean | null): string {
  if (type === "raw") return String(value);
  if (value === null) return `CAST(NULL AS ${sqlTypes[type] ?? "VARCHAR"})`;
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (type === "time") return `make_timestamp(${value})`;
  return `CAST(${quoted(value)} AS ${sqlTypes[type]})`;
}

const lanesOf: Readonly<Record<string, Lane>> = {
  int: "i",
  float: "f",
  text: "s",
  bool: "b",
  number: "v",
  variant: "v",
  exists: "x",
};

export class DuckSql {
  readonly #indexes: ReadonlyMap<string, number>;
  /** While a query's groups are written: the columns of its keys, by what they are of. */
  #keys: ReadonlyMap<string, string> = new Map();

  constructor(fields: readonly Field[]) {
    this.#indexes = new Map(fields.map(({ path }, i) => [path, i]));
  }

  #path(path: string, type: Type): string {
    if (fixedColumns.has(path)) return `events.${path}`;
    const index = this.#indexes.get(path);
    const lane = lanesOf[type];
    if (index === undefined || lane === undefined) {
      if (type === "exists") return "FALSE";
      return `CAST(NULL AS ${sqlTypes[type] ?? "VARCHAR"})`;
    }
    return laneColumn(index, lane);
  }

  expr(expr: Expr): string {
    const key = this.#keys.get(JSON.stringify(expr));
    if (key !== undefined) return key;
    switch (expr.k) {
      case "path":
        return this.#path(expr.path, expr.type);
      case "literal":
        return literalSql(expr.type, expr.value);
      case "call": {
        if (expr.op.startsWith("number") && !expr.op.includes(" ")) return this.#number(expr);
        return operatorOf(expr.op).duckdb(expr.args.map((arg) => this.expr(arg)));
      }
      case "aggregate": {
        const form = aggregateOf(expr.fn);
        const filter = expr.filter ? ` FILTER (WHERE ${this.expr(expr.filter)})` : "";
        // Times within a list leave as microseconds too.
        const judged = form.rule.kind === "judged";
        const args = expr.args.map((arg) =>
          judged ? shownSql(arg.type, this.expr(arg)) : this.expr(arg),
        );
        return form.duckdb(args.join(", "), filter);
      }
    }
  }

  /** A path with integers and doubles side by side against a constant, without rounding either. */
  #number(expr: Extract<Expr, { k: "call" }>): string {
    const [path, constant] = expr.args as [Expr, Extract<Expr, { k: "literal" }>];
    const [, sign = "=", type] = /^number([<>=]+)(int|float)$/.exec(expr.op) ?? [];
    const value = this.expr(path);
    if (constant.value === null) return "CAST(NULL AS BOOLEAN)";
    const [whole, double] =
      type === "int"
        ? integerTests(sign, BigInt(String(constant.value)))
        : doubleTests(sign, Number(constant.value));
    return `(CASE WHEN ${value} IS NULL THEN NULL WHEN (${value}).i IS NOT NULL
      THEN (${value}).i ${whole} ELSE (${value}).f ${double} END)`;
  }

  /**
   * The whole query without LIMIT and OFFSET, in order: a column for each of SELECT, then one for each key of ORDER BY.
   */
  query(query: QueryTree): string {
    const where = query.where ? ` WHERE ${this.expr(query.where)}` : "";
    // DuckDB rearranges conditions and does not find a key in them again, so keys are columns first.
    const keys = query.groupBy.map((expr, i) => `${this.expr(expr)} AS k${i}`);
    const rows = `(SELECT ${["*", ...keys].join(", ")} FROM events${where}) AS events`;
    this.#keys = new Map(query.groupBy.map((expr, i) => [JSON.stringify(expr), `k${i}`]));
    try {
      return this.#over(query, rows);
    } finally {
      this.#keys = new Map();
    }
  }

  #over(query: QueryTree, rows: string): string {
    const items = query.select.map((expr, i) => `${this.expr(expr)} AS c${i}`);
    const hidden = query.orderBy.map(({ item, expr }, i) =>
      item === undefined && expr ? `${this.expr(expr)} AS o${i}` : `NULL AS o${i}`,
    );
    const outer = query.select.map((expr, i) =>
      isJudged(expr) ? `c${i}` : shownSql(expr.type, `c${i}`),
    );
    const shown = query.orderBy.map((order, i) =>
      shownSql(orderType(query, order), keyName(order, i)),
    );
    const group =
      query.groupBy.length > 0
        ? ` GROUP BY ${query.groupBy.map((_, i) => `k${i}`).join(", ")}`
        : "";
    const having = query.having ? ` HAVING ${this.expr(query.having)}` : "";
    const distinct = query.distinct ? "DISTINCT " : "";
    const order = query.orderBy.map((one, i) => `${keyName(one, i)}${directionSql(one)}`);
    return (
      `SELECT ${[...outer, ...shown].join(", ")} FROM (SELECT ${distinct}${[...items, ...hidden].join(", ")} ` +
      `FROM ${rows}${group}${having})` +
      (order.length > 0 ? ` ORDER BY ${order.join(", ")}` : "")
    );
  }
}

function keyName({ item }: Order, index: number): string {
  return item === undefined ? `o${index}` : `c${item}`;
}

export function orderType(query: QueryTree, { item, expr }: Order): Type {
  return (item === undefined ? expr?.type : query.select[item]?.type) ?? "int";
}

/** Times leave as microseconds: what a Date loses, an integer keeps. */
function shownSql(type: Type, name: string): string {
  return type === "time" ? `epoch_us(${name})` : name;
}

export function directionSql({ descending, nulls }: Order): string {
  const place = nulls ?? (descending ? "first" : "last");
  return `${descending ? " DESC" : " ASC"} NULLS ${place.toUpperCase()}`;
}

function doubleSql(value: number): string {
  return `CAST('${Object.is(value, -0) ? "-0" : value}' AS DOUBLE)`;
}

function integerSql(value: bigint): string {
  return `CAST('${value}' AS BIGINT)`;
}

type Tests = readonly [whole: string, double: string];

/** How an integer and how a double that is no integer of 64 bits compare with an integer. */
function integerTests(sign: string, value: bigint): Tests {
  const near = Number(value);
  const above = BigInt(near) > value;
  const below = BigInt(near) < value;
  const whole = `${sign} ${integerSql(value)}`;
  // No such double equals an integer of 64 bits.
  if (sign === "=") return [whole, "IS NULL"];
  if (sign === "<>") return [whole, "IS NOT NULL"];
  if (sign.startsWith("<")) return [whole, `${below ? "<=" : "<"} ${doubleSql(near)}`];
  return [whole, `${above ? ">=" : ">"} ${doubleSql(near)}`];
}

function doubleTests(sign: string, value: number): Tests {
  const double = `${sign} ${doubleSql(value)}`;
  const [least, most] = [-(2 ** 63), 2 ** 63];
  const never = "IS NULL";
  const always = "IS NOT NULL";
  if (value >= most) return [sign.startsWith("<") ? always : never, double];
  if (value < least) return [sign.startsWith(">") || sign === "<>" ? always : never, double];
  const [floor, ceil] = [BigInt(Math.floor(value)), BigInt(Math.ceil(value))];
  if (sign === "=" || sign === "<>") {
    if (floor !== ceil) return [sign === "=" ? never : always, double];
    return [`${sign} ${integerSql(floor)}`, double];
  }
  const bound = sign === "<" || sign === ">=" ? ceil : floor;
  // Math.ceil may reach 2^63, which no integer does.
  if (BigInt.asIntN(64, bound) !== bound) return [sign === "<" ? always : never, double];
  return [`${sign} ${integerSql(bound)}`, double];
}

// The former shape of a query, while its makers and its runner move to expressions one after the other.

import { InputError } from "../errors.ts";
import type { Expression } from "./expression/expression.ts";
import { barePath, expressionKey, typeOfAggregate } from "./expression/expression.ts";
import type { Aggregate, GroupKey, Order, Output, Query } from "./query.ts";

export type LegacyFunction = "count" | "sum" | "avg" | "min" | "max";
export type LegacyItem =
  | { kind: "aggregate"; fn: LegacyFunction; path: string | null; as: string }
  | { kind: "key"; key: number; as: string }
  | { kind: "field"; path: string; as: string };
export type LegacyKey =
  | { kind: "field"; path: string; as: string }
  | { kind: "bucket"; widthUs: bigint; originUs: bigint; as: string };
export type LegacyOrder =
  | { item: number; descending: boolean; nullsFirst: boolean }
  | { path: string; descending: boolean; nullsFirst: boolean };
export interface LegacyQuery extends Pick<Query, "where" | "fromUs" | "toUs" | "limit" | "offset"> {
  select: LegacyItem[];
  groupBy: LegacyKey[];
  orderBy: LegacyOrder[];
}

export function fromLegacy(old: LegacyQuery): Query {
  const groupBy = old.groupBy.map((key): GroupKey => {
    if (key.kind === "field") return { of: barePath(key.path), as: key.as };
    const width = { months: 0, days: 0, us: key.widthUs };
    const of = barePath("timestamp");
    return {
      of: { kind: "bucket", type: "timestamp", of, width, originUs: key.originUs, zone: "UTC" },
      as: key.as,
    };
  });
  const aggregates: Aggregate[] = [];
  const select = old.select.map((item): Output => {
    if (item.kind === "field") return { of: barePath(item.path), as: item.as };
    if (item.kind === "key") {
      const type = groupBy[item.key]?.of.type ?? "variant";
      return { of: { kind: "key", type, key: item.key }, as: item.as };
    }
    const of = item.path === null ? null : barePath(item.path);
    const one: Aggregate = {
      fn: item.fn,
      of,
      filter: null,
      type: typeOfAggregate(item.fn, of),
      parameters: [],
    };
    const key = aggregateKey(one);
    let aggregate = aggregates.findIndex((other) => aggregateKey(other) === key);
    if (aggregate < 0) aggregate = aggregates.push(one) - 1;
    return { of: { kind: "aggregate", type: one.type, aggregate }, as: item.as };
  });
  const orderBy = old.orderBy.map((order): Order => {
    const { descending, nullsFirst } = order;
    const of = "path" in order ? barePath(order.path) : (select[order.item] as Output).of;
    return { of, descending, nullsFirst };
  });
  const { where, fromUs, toUs, limit, offset } = old;
  return {
    select,
    where,
    fromUs,
    toUs,
    groupBy,
    aggregates,
    having: null,
    orderBy,
    limit,
    offset,
    fill: null,
  };
}

function aggregateKey({ fn, of }: Aggregate): string {
  return `${fn} ${of === null ? "" : expressionKey(of)}`;
}

function unknown(what: string): never {
  throw new InputError("not_implemented", `${what} is not implemented`, {}, 501);
}

export function toLegacy(query: Query): LegacyQuery {
  const { where, fromUs, toUs, limit, offset } = query;
  const groupBy = query.groupBy.map(({ of, as }): LegacyKey => {
    if (of.kind === "path") return { kind: "field", path: of.path, as };
    if (of.kind === "bucket" && of.of.kind === "path" && of.of.path === "timestamp") {
      return { kind: "bucket", widthUs: of.width.us, originUs: of.originUs ?? 0n, as };
    }
    return unknown("grouping by an expression");
  });
  const item = (of: Expression, as: string): LegacyItem => {
    if (of.kind === "key") return { kind: "key", key: of.key, as };
    if (of.kind === "path") return { kind: "field", path: of.path, as };
    if (of.kind !== "aggregate") return unknown("an expression as a column");
    const one = query.aggregates[of.aggregate] as Aggregate;
    if (one.of !== null && one.of.kind !== "path") return unknown("an aggregate of an expression");
    return { kind: "aggregate", fn: one.fn as LegacyFunction, path: one.of?.path ?? null, as };
  };
  const select = query.select.map(({ of, as }) => item(of, as));
  const orderBy = query.orderBy.map((order): LegacyOrder => {
    const { of, descending, nullsFirst } = order;
    const index = query.select.findIndex((one) => expressionKey(one.of) === expressionKey(of));
    if (index >= 0) return { item: index, descending, nullsFirst };
    if (of.kind !== "path") return unknown("this order");
    return { path: of.path, descending, nullsFirst };
  });
  if (query.having !== null || query.fill !== null) unknown("HAVING");
  return { where, fromUs, toUs, limit, offset, select, groupBy, orderBy };
}

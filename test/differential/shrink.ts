// Makes a failing case small: fewer rows, fewer chunks, fewer columns, fewer clauses, smaller expressions, as long as
// it still fails.

import type { OracleRow } from "../oracle/query.ts";
import type { Chunk, Dataset } from "./dataset.ts";
import type { Expr, QueryTree } from "./tree.ts";
import { childrenOf, pathsOf } from "./tree.ts";

export interface Case {
  dataset: Dataset;
  query: QueryTree;
}

export type Fails = (one: Case) => Promise<boolean>;

/** Attempts after which the case is taken as it is. */
const attemptsMax = 600;

export async function shrink(found: Case, fails: Fails): Promise<Case> {
  let best = found;
  let attempts = 0;
  const better = async (candidate: Case): Promise<boolean> => {
    if (attempts++ >= attemptsMax) return false;
    if (!(await fails(candidate).catch(() => false))) return false;
    best = candidate;
    return true;
  };
  for (let before = -1; before !== size(best) && attempts < attemptsMax; ) {
    before = size(best);
    await shrinkRows(() => best, better);
    await first(chunkings(best.dataset), (dataset) => better({ ...best, dataset }));
    while (await first(smallerQueries(best.query), (query) => better({ ...best, query }))) {
      // Until none of the smaller ones fails.
    }
    await better({ ...best, dataset: onlyPaths(best.dataset, pathsOf(best.query)) });
  }
  return best;
}

function size({ dataset, query }: Case): number {
  return dataset.rows.length * 1000 + dataset.fields.length + JSON.stringify(query).length;
}

async function first<T>(list: Iterable<T>, take: (one: T) => Promise<boolean>): Promise<boolean> {
  for (const one of list) {
    if (await take(one)) return true;
  }
  return false;
}

/** Leaves out runs of rows, from half of them down to single ones. */
async function shrinkRows(
  best: () => Case,
  better: (one: Case) => Promise<boolean>,
): Promise<void> {
  for (let length = Math.ceil(best().dataset.rows.length / 2); length >= 1; length >>= 1) {
    for (let from = 0; from < best().dataset.rows.length; ) {
      const { dataset, query } = best();
      if (!(await better({ query, dataset: without(dataset, from, from + length) })))
        from += length;
    }
    if (length === 1) break;
  }
}

/** The dataset without the rows in [from, to), which leave their chunks smaller. */
function without({ fields, rows, chunks }: Dataset, from: number, to: number): Dataset {
  let next = 0;
  const left: Chunk[] = [];
  for (const chunk of chunks) {
    const gone = Math.max(0, Math.min(to, next + chunk.rows) - Math.max(from, next));
    if (chunk.rows > gone) left.push({ ...chunk, rows: chunk.rows - gone });
    next += chunk.rows;
  }
  const kept = [...rows.slice(0, from), ...rows.slice(to)];
  return { fields, rows: renumbered(kept), chunks: left };
}

function renumbered(rows: readonly OracleRow[]): OracleRow[] {
  return rows.map((row, i) => ({ ...row, sequence: BigInt(i) }));
}

function* chunkings(dataset: Dataset): Generator<Dataset> {
  const rows = dataset.rows.length;
  if (dataset.chunks.length <= 1 && dataset.chunks[0]?.then === "hot") return;
  for (const then of ["hot", "free"] as const) {
    if (dataset.chunks.length > 1) yield { ...dataset, chunks: [{ rows, then }] };
  }
}

function onlyPaths(dataset: Dataset, paths: ReadonlySet<string>): Dataset {
  const kept = (path: string): boolean => paths.has(path) || path === "event_type";
  return {
    ...dataset,
    fields: dataset.fields.filter(({ path }) => kept(path)),
    rows: dataset.rows.map((row) => ({
      ...row,
      cells: new Map([...row.cells].filter(([path]) => kept(path))),
    })),
  };
}

function* smallerQueries(query: QueryTree): Generator<QueryTree> {
  const { distinct, ...plain } = query;
  if (distinct) yield plain;
  if (query.where) yield { ...query, where: null };
  if (query.having) yield { ...query, having: null };
  if (query.offset > 0) yield { ...query, offset: 0 };
  if (query.limit !== null) yield { ...query, limit: null };
  for (let i = 0; i < query.orderBy.length; i++) {
    yield { ...query, orderBy: query.orderBy.toSpliced(i, 1) };
  }
  for (let i = 0; i < query.select.length && query.select.length > 1; i++) {
    if (query.orderBy.some(({ item }) => item === i)) continue;
    const orderBy = query.orderBy.map((order) =>
      order.item !== undefined && order.item > i ? { ...order, item: order.item - 1 } : order,
    );
    yield { ...query, select: query.select.toSpliced(i, 1), orderBy };
  }
  for (let i = 0; i < query.groupBy.length; i++) {
    yield { ...query, groupBy: query.groupBy.toSpliced(i, 1) };
  }
  if (query.where) for (const where of smaller(query.where)) yield { ...query, where };
  if (query.having) for (const having of smaller(query.having)) yield { ...query, having };
  for (let i = 0; i < query.select.length; i++) {
    const item = query.select[i] as Expr;
    for (const expr of smaller(item)) {
      // An expression that is a key too changes in both places.
      const text = JSON.stringify(item);
      const groupBy = query.groupBy.map((key) => (JSON.stringify(key) === text ? expr : key));
      yield { ...query, groupBy, select: query.select.with(i, expr) };
    }
  }
  for (let i = 0; i < query.orderBy.length; i++) {
    const { expr, ...rest } = query.orderBy[i] ?? { descending: false };
    if (!expr) continue;
    for (const less of smaller(expr)) {
      yield { ...query, orderBy: query.orderBy.with(i, { ...rest, expr: less }) };
    }
  }
}

/** Expressions of the same type that are a part of this one, or this one with a smaller part. */
function* smaller(expr: Expr): Generator<Expr> {
  for (const child of childrenOf(expr)) {
    if (child.type === expr.type && child.k !== "literal") yield child;
  }
  if (expr.k === "aggregate" && expr.filter) {
    const { filter, ...rest } = expr;
    yield rest;
    for (const less of smaller(filter)) yield { ...rest, filter: less };
  }
  if (expr.k === "call" || expr.k === "aggregate") {
    for (let i = 0; i < expr.args.length; i++) {
      for (const less of smaller(expr.args[i] as Expr)) {
        yield { ...expr, args: expr.args.with(i, less) };
      }
    }
  }
  if (expr.k === "call" && expr.type === "bool") {
    for (const value of [true, null]) yield { k: "literal", type: "bool", value };
  }
}

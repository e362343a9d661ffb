// Runs a Query over a snapshot: per segment prune, filter, aggregate; then merge, order, cut.

import { InputError, LimitError } from "../../errors.ts";
import { resultGroupsMax } from "../../limits.ts";
import type { GroupedRows } from "../aggregate/aggregate.ts";
import { Aggregation } from "../aggregate/aggregate.ts";
import type { Measure, Partial } from "../aggregate/measure.ts";
import { aggregateValue, emptyPartial, measureKey, measureOf } from "../aggregate/measure.ts";
import type { LegacyQuery, LegacyOrder as OrderKey, LegacyItem as SelectItem } from "../legacy.ts";
import { toLegacy } from "../legacy.ts";
import { planFilter } from "../plan/filter.ts";
import type { Query as FullQuery } from "../query.ts";
import type { QueryResult, ResultColumn, Value } from "../result.ts";
import type { Snapshot } from "../segments/source.ts";
import { compareOrdered, resultType, shown } from "../values.ts";
import type { QueryExecution, QueryLimits } from "./execution.ts";
import type { GroupIds, RowList } from "./group-keys.ts";
import { GroupKeys } from "./group-keys.ts";
import type { Group } from "./groups.ts";
import { Groups } from "./groups.ts";
import { selectRows } from "./rows.ts";
import type { Answer, QueryThreadState } from "./scan.ts";
import { Scan } from "./scan.ts";

export type { QueryExecution, QueryLimits, SequenceRange } from "./execution.ts";
export type { QueryThreadState } from "./scan.ts";

/** Starts a query on this thread; see QueryExecution. For now it runs whole, once. */
export function startQuery(
  query: FullQuery,
  state: QueryThreadState,
  _limits: QueryLimits = {},
): QueryExecution {
  let result: QueryResult | undefined;
  const unsplit = (): never => {
    throw new InputError("not_implemented", "queries in parts are not implemented", {}, 501);
  };
  return {
    query,
    run: (snapshot, range) => {
      if (range || result) unsplit();
      result = executeQuery(query, snapshot, state);
    },
    partial: unsplit,
    merge: unsplit,
    finish: () => result ?? unsplit(),
  };
}

/** Runs `query` over `snapshot`, which stays the caller's to release. Scratch is as before afterwards. */
export function executeQuery(
  full: FullQuery,
  snapshot: Snapshot,
  state: QueryThreadState,
): QueryResult {
  const query = toLegacy(full);
  const start = state.clock.monotonicMs();
  const mark = state.run.scratch.mark();
  try {
    const isRows =
      query.groupBy.length === 0 && query.select.every((item) => item.kind === "field");
    const answer = isRows
      ? selectRows(query, snapshot, state)
      : aggregateRows(query, snapshot, state);
    return {
      columns: query.select.map((item) => resultColumn(item, query)),
      rows: answer.rows,
      asOf: String(snapshot.asOf),
      stats: {
        ...answer.stats,
        executionUs: Math.round((state.clock.monotonicMs() - start) * 1000),
      },
    };
  } finally {
    state.run.scratch.release(mark);
  }
}

function aggregateRows(query: LegacyQuery, snapshot: Snapshot, state: QueryThreadState): Answer {
  const measures = new Map<string, Measure>();
  for (const item of query.select) {
    if (item.kind !== "aggregate") continue;
    const measure = measureOf(item);
    measures.set(measureKey(measure), measure);
  }
  const list = [...measures.values()];
  const paths = [
    ...list.flatMap((measure) => (measure.kind === "rows" ? [] : [measure.path])),
    ...query.groupBy.flatMap((key) => (key.kind === "field" ? [key.path] : [])),
  ];
  const scan = new Scan(state, planFilter(query), paths);
  const groups =
    query.groupBy.length === 0
      ? everything(list, snapshot, state, scan)
      : byKeys(query, list, snapshot, state, scan);
  const indexes = new Map([...measures.keys()].map((key, i) => [key, i]));
  const rows = groups.map(({ keys, partials }) =>
    query.select.map((item): Value => {
      if (item.kind === "key") return keys[item.key] ?? null;
      if (item.kind === "field") return null;
      const index = indexes.get(measureKey(measureOf(item))) as number;
      return aggregateValue(item, partials[index] as Partial);
    }),
  );
  return { rows: finishRows(rows, query), stats: scan.stats };
}

function everything(
  measures: readonly Measure[],
  snapshot: Snapshot,
  state: QueryThreadState,
  scan: Scan,
): Group[] {
  const partials = measures.map(emptyPartial);
  const aggregation = new Aggregation(state.run, state.cells, scan.computed);
  for (const segment of snapshot.segments) {
    scan.segment(segment, (mask, selected) => {
      measures.forEach((measure, i) => {
        aggregation.all(measure, segment, mask, selected, partials[i] as Partial);
      });
    });
  }
  return [{ keys: [], partials }];
}

function byKeys(
  query: LegacyQuery,
  measures: readonly Measure[],
  snapshot: Snapshot,
  state: QueryThreadState,
  scan: Scan,
): Group[] {
  const aggregation = new Aggregation(state.run, state.cells, scan.computed);
  const keys = new GroupKeys(state.run, state.cells, scan.computed);
  const groups = new Groups(query.groupBy.length, measures);
  for (const segment of snapshot.segments) {
    scan.segment(segment, (mask, selected) => {
      const list = scan.rows(segment, mask, selected);
      const ids = keys.assign(query.groupBy, list);
      addSegment(groups, measures, aggregation, list, ids);
      if (groups.count > resultGroupsMax) {
        throw new LimitError(
          "query_groups",
          `the query makes more than ${resultGroupsMax} groups; a filter or a wider bucket makes fewer`,
        );
      }
    });
  }
  return groups.list();
}

function addSegment(
  groups: Groups,
  measures: readonly Measure[],
  aggregation: Aggregation,
  list: RowList,
  ids: GroupIds,
): void {
  const counts = aggregation.counts(list, ids.ids, ids.cardinality);
  const used = usedIds(counts);
  const found = groups.enter(ids, used);
  const rows: GroupedRows = {
    list,
    ids: ids.ids,
    cardinality: ids.cardinality,
    used,
    groups: found,
  };
  measures.forEach((measure, i) => {
    const partials = groups.partials(i);
    if (measure.kind !== "rows") {
      aggregation.grouped(measure, rows, partials);
      return;
    }
    for (let u = 0; u < used.length; u++) {
      partials.increase(found[u] as number, counts[used[u] as number] as number);
    }
  });
}

/** The ids that have rows. */
function usedIds(counts: Uint32Array): Uint32Array {
  const used = new Uint32Array(counts.length);
  let length = 0;
  for (let id = 0; id < counts.length; id++) {
    if (counts[id] !== 0) used[length++] = id;
  }
  return used.subarray(0, length);
}

/** Orders, cuts and writes the rows of an aggregate query. */
function finishRows(rows: Value[][], query: LegacyQuery): Value[][] {
  const orders = query.orderBy.filter(
    (key): key is Extract<OrderKey, { item: number }> => "item" in key,
  );
  if (orders.length > 0) {
    rows.sort((a, b) => {
      for (const order of orders) {
        const result = compareOrdered(a[order.item] ?? null, b[order.item] ?? null, order);
        if (result !== 0) return result;
      }
      return 0;
    });
  }
  const end = query.limit === null ? rows.length : query.offset + query.limit;
  const paths = query.select.map((item) => valuePath(item, query));
  return rows
    .slice(query.offset, end)
    .map((row) => row.map((value, i) => shown(value, paths[i] ?? null)));
}

/** The path whose values an item shows; null where it shows plain numbers. */
function valuePath(item: SelectItem, query: LegacyQuery): string | null {
  if (item.kind === "field") return item.path;
  if (item.kind === "aggregate") return item.fn === "min" || item.fn === "max" ? item.path : null;
  const key = query.groupBy[item.key];
  return key?.kind === "field" ? key.path : "timestamp";
}

function resultColumn(item: SelectItem, query: LegacyQuery): ResultColumn {
  const path = valuePath(item, query);
  return { name: item.as, type: path === null ? "number" : resultType(path) };
}

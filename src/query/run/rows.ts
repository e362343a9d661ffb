// Queries that answer rows: the rows are chosen first, by as few columns as that takes, and only those that
// are answered are read (late materialisation).

import { LimitError } from "../../errors.ts";
import { resultRowsMax } from "../../limits.ts";
import type { LegacyQuery as Query } from "../legacy.ts";
import { lanesOf, planFilter } from "../plan/filter.ts";
import type { Value } from "../result.ts";
import type { Segment, Snapshot } from "../segments/source.ts";
import { compareOrdered, shown } from "../values.ts";
import type { LaneColumn } from "./cells.ts";
import type { Answer, QueryThreadState } from "./scan.ts";
import { Scan } from "./scan.ts";
import { topByTime } from "./top.ts";

/** A row of the snapshot; `keys` are what it is ordered by. */
interface Found {
  readonly segment: Segment;
  readonly row: number;
  readonly keys: readonly Value[];
}

interface Order {
  readonly path: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export function selectRows(query: Query, snapshot: Snapshot, state: QueryThreadState): Answer {
  const paths = query.select.map((item) => (item.kind === "field" ? item.path : ""));
  const orders = query.orderBy.map((key): Order => {
    const { descending, nullsFirst } = key;
    return { path: "path" in key ? key.path : (paths[key.item] ?? ""), descending, nullsFirst };
  });
  const scan = new Scan(state, planFilter(query), [...paths, ...orders.map(({ path }) => path)]);
  const end = query.offset + (query.limit ?? resultRowsMax + 1);
  const found = choose(orders, end, snapshot, scan, state);
  const chosen = found.slice(query.offset, end);
  if (chosen.length > resultRowsMax) {
    throw new LimitError(
      "query_rows",
      `the result has more than ${resultRowsMax} rows; a LIMIT makes fewer`,
    );
  }
  return { rows: readRows(chosen, paths, scan, state), stats: scan.stats };
}

function choose(
  orders: readonly Order[],
  end: number,
  snapshot: Snapshot,
  scan: Scan,
  state: QueryThreadState,
): Found[] {
  const [first, second] = orders;
  if (first === undefined) return firstRows(end, snapshot, scan, state);
  // Among rows of one time any order is right, unless the sequence is asked for as well.
  const byTime =
    first.path === "timestamp" &&
    (second === undefined ||
      (second.path === "sequence" && second.descending === first.descending));
  if (!byTime) return orderedRows(orders, end, snapshot, scan, state);
  const { rows } = topByTime(snapshot, scan, state, {
    limit: end,
    descending: first.descending,
    after: null,
  });
  return rows.map(({ segment, row }) => ({ segment, row, keys: [] }));
}

/** In the order of the sequences; no segment is looked at that is not needed. */
function firstRows(end: number, snapshot: Snapshot, scan: Scan, state: QueryThreadState): Found[] {
  const found: Found[] = [];
  for (const segment of snapshot.segments) {
    if (found.length >= end) break;
    scan.segment(segment, (mask, selected) => {
      const list = scan.rows(segment, mask, selected);
      const take = Math.min(list.count, end - found.length);
      for (let i = 0; i < take; i++) {
        const row = state.run.core.u32[(list.rows >>> 2) + i] as number;
        found.push({ segment, row, keys: [] });
      }
    });
  }
  return found;
}

/** By any values: the best so far are kept, sorted and cut whenever they are twice as many as wanted. */
function orderedRows(
  orders: readonly Order[],
  end: number,
  snapshot: Snapshot,
  scan: Scan,
  state: QueryThreadState,
): Found[] {
  const { u32 } = state.run.core;
  const compare = (a: Found, b: Found): number => {
    for (let i = 0; i < orders.length; i++) {
      const result = compareOrdered(a.keys[i] ?? null, b.keys[i] ?? null, orders[i] as Order);
      if (result !== 0) return result;
    }
    return 0;
  };
  let found: Found[] = [];
  let last: Found | undefined;
  const cut = (): void => {
    found.sort(compare);
    found = found.slice(0, end);
    last = found.length === end ? found[end - 1] : undefined;
  };
  if (end === 0) return [];
  for (const segment of snapshot.segments) {
    scan.segment(segment, (mask, selected) => {
      const list = scan.rows(segment, mask, selected);
      const columns = orders.map(({ path }) => laneColumns(segment, path, scan));
      for (let i = 0; i < list.count; i++) {
        const row = u32[(list.rows >>> 2) + i] as number;
        const keys = columns.map((lanes) => state.cells.value(lanes, row));
        const one = { segment, row, keys };
        // Later rows come after earlier ones that are equal, so an equal one is not among the first.
        if (last !== undefined && compare(one, last) >= 0) continue;
        found.push(one);
        if (found.length >= end * 2 + 1024) cut();
      }
    });
  }
  cut();
  return found;
}

/** The columns of a path in one segment, in which a row has at most one value. */
function laneColumns(segment: Segment, path: string, scan: Scan): LaneColumn[] {
  return lanesOf(path)
    .map((lane) => ({ lane, address: scan.computed.column(segment, path, lane) }))
    .filter(({ address }) => address !== 0);
}

/** Values of `paths` for each row, segment by segment, in the order of `chosen`. */
function readRows(
  chosen: readonly Found[],
  paths: readonly string[],
  scan: Scan,
  state: QueryThreadState,
): Value[][] {
  const rows: Value[][] = new Array(chosen.length);
  const bySegment = new Map<Segment, number[]>();
  chosen.forEach(({ segment }, i) => {
    const indexes = bySegment.get(segment);
    if (indexes) indexes.push(i);
    else bySegment.set(segment, [i]);
  });
  const { scratch } = state.run;
  for (const [segment, indexes] of bySegment) {
    const mark = scratch.mark();
    segment.enter();
    scan.computed.begin(segment);
    const columns = paths.map((path) => laneColumns(segment, path, scan));
    for (const i of indexes) {
      const { row } = chosen[i] as Found;
      rows[i] = columns.map((lanes, p) => shown(state.cells.value(lanes, row), paths[p] as string));
    }
    scratch.release(mark);
  }
  return rows;
}

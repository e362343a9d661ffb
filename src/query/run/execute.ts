// Runs a Query over a snapshot, whole or in parts: per segment prune, filter, group, aggregate; then merge, order, cut.

import type { Query } from "../query.ts";
import { isGrouped } from "../query.ts";
import type { QueryResult } from "../result.ts";
import type { Snapshot } from "../segments/source.ts";
import type { QueryExecution, QueryLimits } from "./execution.ts";
import { GroupedExecution } from "./grouped.ts";
import { RowsExecution } from "./rows.ts";
import type { QueryThreadState } from "./scan.ts";

export type { QueryExecution, QueryLimits, SequenceRange } from "./execution.ts";
export type { QueryThreadState } from "./scan.ts";

/** Starts a query on this thread; see QueryExecution. */
export function startQuery(
  query: Query,
  state: QueryThreadState,
  limits: QueryLimits = {},
): QueryExecution {
  return isGrouped(query)
    ? new GroupedExecution(query, state, limits)
    : new RowsExecution(query, state, limits);
}

/** Runs `query` over `snapshot`, which stays the caller's to release, with all of the thread's scratch. */
export function executeQuery(
  query: Query,
  snapshot: Snapshot,
  state: QueryThreadState,
  limits: QueryLimits = {},
): QueryResult {
  const { scratch } = state.run;
  scratch.reset();
  try {
    const execution = startQuery(query, state, limits);
    execution.run(snapshot);
    return execution.finish(snapshot.asOf);
  } finally {
    scratch.reset();
  }
}

import type { Filter } from "../plan/filter.ts";
import type { RollupPart } from "../plan/rollup.ts";
import type { Query } from "../query.ts";
import type { EventsPage, EventsRequest, QueryResult } from "../result.ts";
import type { QueryLimits } from "../run/execution.ts";
import type { RowsPage, RowsRequest } from "./row-pages.ts";

/** A question about events; with a part of the answer, about what that leaves to be read. */
export interface QueryJob {
  readonly type: "query";
  readonly query: Query;
  readonly part?: RollupPart;
}

/** What a reader is asked: `filter` is the request's, compiled. */
export type ReadJob =
  | QueryJob
  /** A page of the rows of a query, as text. */
  | { readonly type: "rows"; readonly request: RowsRequest }
  | { readonly type: "events"; readonly request: EventsRequest; readonly filter: Filter };

export type ReadAnswer = QueryResult | RowsPage | EventsPage;

/** What one job may take on each thread that runs it. */
export interface ReadLimits {
  /** Bytes of working memory; all that the thread has by default. */
  readonly memoryBytes?: number;
  readonly query?: QueryLimits;
}

import { resolveNow } from "../expression/now.ts";
import { parsePredicate } from "../form/schema.ts";
import { bind, type Filter, joinFilters, planFilter, timeFilter } from "../plan/filter.ts";
import type { Query } from "../query.ts";
import type { EventsRequest } from "../result.ts";

/** A condition as text or JSON, compiled: streams ask with the same one for every page. */
interface Compiled {
  readonly query: Query;
  readonly filter: Filter;
}

const compiled = new Map<string, Compiled>();
const compiledMax = 1024;

function conditionOf(where: unknown, nowUs: bigint): Filter {
  const key = JSON.stringify(where);
  let known = compiled.get(key);
  if (!known) {
    const query = { ...everything, where: parsePredicate(where) };
    known = { query, filter: planFilter(query) };
    if (compiled.size >= compiledMax) compiled.clear();
    compiled.set(key, known);
  }
  const query = resolveNow(known.query, nowUs);
  return query === known.query ? known.filter : planFilter(query);
}

const everything: Query = {
  select: [],
  where: null,
  fromUs: null,
  toUs: null,
  groupBy: [],
  aggregates: [],
  having: null,
  orderBy: [],
  limit: null,
  offset: 0,
  fill: null,
};

/** The filter of a request, all but its cursor; `nowUs` is now. @throws InputError where its condition can't be read */
export function eventsFilter(request: EventsRequest, nowUs: bigint): Filter {
  const { fromUs, toUs } = request;
  const filters: Filter[] = [];
  if (fromUs !== undefined || toUs !== undefined) {
    filters.push(timeFilter(fromUs ?? null, toUs ?? null));
  }
  const fields = [
    ["event_type", request.eventType],
    ["source", request.source],
    ["user_id", request.userId],
    ["session_id", request.sessionId],
  ] as const;
  for (const [path, value] of fields) {
    if (value !== undefined) filters.push(bind({ kind: "compare", path, op: "=", value }, false));
  }
  if (request.where !== undefined) filters.push(conditionOf(request.where, nowUs));
  return joinFilters("and", filters);
}

import { parsePredicate } from "../form/schema.ts";
import { bind, type Filter, joinFilters, timeFilter } from "../plan/filter.ts";
import type { EventsRequest } from "../result.ts";

/** Conditions as text or JSON, compiled: streams ask with the same one for every page. */
const compiled = new Map<string, Filter>();
const compiledMax = 1024;

function conditionOf(where: unknown): Filter {
  const key = JSON.stringify(where);
  let filter = compiled.get(key);
  if (!filter) {
    filter = bind(parsePredicate(where), false);
    if (compiled.size >= compiledMax) compiled.clear();
    compiled.set(key, filter);
  }
  return filter;
}

/** The filter of a request, all but its cursor. @throws InputError where its condition can't be read. */
export function eventsFilter(request: EventsRequest): Filter {
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
  if (request.where !== undefined) filters.push(conditionOf(request.where));
  return joinFilters("and", filters);
}

// The JSON form of a `Query` and the parameters of the events route: what others use of it.

export { parsePredicate } from "./condition.ts";
export { eventsParamsSchema, parseEventsParams } from "./events-form.ts";
export { parseQuery } from "./query-form.ts";
export type { PredicateForm, QueryForm } from "./query-schema.ts";
export { predicateSchema, querySchema } from "./query-schema.ts";

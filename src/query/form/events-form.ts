// The parameters of `GET /analytics/events`.

import { z } from "zod";
import { parseExactJson } from "../../base/exact-json.ts";
import { eventsPageDefault, eventsPageMax } from "../../limits.ts";
import type { EventsRequest } from "../result.ts";
import { parsePredicate, refuse } from "./condition.ts";
import { checkRange, timeAt } from "./query-form.ts";
import { parseShape, strictShape } from "./shape.ts";

/** The query parameters, as the text that they arrive as. */
export const eventsParamsSchema = strictShape({
  from: z.string().optional().meta({ description: "First timestamp, RFC 3339 or a number" }),
  to: z.string().optional().meta({ description: "Timestamps before this one" }),
  event_type: z.string().optional(),
  source: z.string().optional(),
  user_id: z.string().optional(),
  session_id: z.string().optional(),
  where: z.string().optional().meta({ description: "SQL expression text, or a condition as JSON" }),
  limit: z.coerce.number().int().min(1).max(eventsPageMax).optional(),
  order: z.enum(["asc", "desc"]).optional(),
  cursor: z.string().max(1024).optional(),
});

/** A time in a parameter: RFC 3339, or a number. */
export function textTime(at: string, text: string): bigint {
  const number = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return timeAt([at], Number.isNaN(number) ? text : number);
}

function textCondition(text: string): unknown {
  if (!text.trimStart().startsWith("{")) return text;
  try {
    return parseExactJson(text);
  } catch (error) {
    return refuse(["where"], `it begins like JSON, but ${(error as Error).message}`);
  }
}

/** The request behind the query parameters; `where` has been checked. */
export function parseEventsParams(params: Readonly<Record<string, string>>): EventsRequest {
  const form = parseShape(eventsParamsSchema, params, "invalid_parameter");
  const fromUs = form.from === undefined ? null : textTime("from", form.from);
  const toUs = form.to === undefined ? null : textTime("to", form.to);
  checkRange(fromUs, toUs);
  const where = form.where === undefined ? undefined : textCondition(form.where);
  if (where !== undefined) parsePredicate(where);
  return {
    order: form.order ?? "asc",
    limit: form.limit ?? eventsPageDefault,
    ...(fromUs !== null && { fromUs }),
    ...(toUs !== null && { toUs }),
    ...(form.event_type !== undefined && { eventType: form.event_type }),
    ...(form.source !== undefined && { source: form.source }),
    ...(form.user_id !== undefined && { userId: form.user_id }),
    ...(form.session_id !== undefined && { sessionId: form.session_id }),
    ...(where !== undefined && { where }),
    ...(form.cursor !== undefined && { cursor: form.cursor }),
  };
}

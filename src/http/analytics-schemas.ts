import { z } from "zod";
import { parseTime, timeFromNumber } from "../query/time.ts";

/** Microseconds of RFC 3339 text with a zone, or of a number whose size says its unit. */
const time = z.string().transform((text, context) => {
  const number = /^-?\d{1,19}$/.test(text)
    ? BigInt(text)
    : /^-?\d{1,19}\.\d+$/.test(text)
      ? Number(text)
      : undefined;
  const us = number === undefined ? parseTime(text) : timeFromNumber(number);
  if (typeof us === "bigint") return us;
  const why = us === null ? "it is outside the years 0001 to 9999" : us;
  context.addIssue({
    code: "custom",
    message: `want a time such as 2026-11-23T12:00:00Z or a number: ${why}`,
    input: text,
  });
  return z.NEVER;
});

/** The parameters of `GET /analytics/events`. */
export const eventsParametersSchema = z.strictObject({
  from: time.optional().describe("earliest timestamp: RFC 3339 with a zone, or a number"),
  to: time.optional().describe("first timestamp that is too late"),
  event_type: z.string().optional().describe("only events of this type"),
  source: z.string().optional().describe("only events from this source"),
  user_id: z.string().optional().describe("only events of this user"),
  session_id: z.string().optional().describe("only events of this session"),
  where: z
    .string()
    .min(1)
    .max(65_536)
    .optional()
    .describe("SQL expression, or the JSON form of a predicate"),
  limit: z.coerce.number().int().min(1).max(10_000).default(100).describe("events on one page"),
  order: z.enum(["asc", "desc"]).default("asc").describe("by timestamp, then sequence"),
  cursor: z.string().min(1).max(4096).optional().describe("next_cursor of the page before"),
});

const literal = z.union([z.null(), z.boolean(), z.number(), z.bigint(), z.string()]);

/** The bodies of `POST /analytics/custom-query`. */
export const sqlQuerySchema = z.strictObject({
  sql: z.string().min(1).max(65_536).describe("SELECT … FROM events …"),
  params: z.array(literal).max(1000).default([]).describe("values of $1, $2, …"),
});
export const jsonQuerySchema = z.strictObject({
  query: z.looseObject({}).describe("the JSON form of a query"),
});

export const resultSchema = z.object({
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["number", "string", "boolean", "json", "timestamp", "variant"]),
    }),
  ),
  rows: z.array(z.array(z.unknown())),
  as_of: z.string().describe("the sequence that the answer reflects: every event below it"),
  stats: z.object({
    rows_scanned: z.int(),
    rows_matched: z.int(),
    segments_scanned: z.int(),
    segments_pruned: z.int(),
    execution_us: z.number(),
  }),
});

export const pageSchema = z.object({
  events: z.array(z.looseObject({ id: z.string(), timestamp: z.string(), event_type: z.string() })),
  next_cursor: z.string().nullable().describe("the cursor of the next page, null on the last"),
  as_of: z.string().describe("the sequence that the page reflects: every event below it"),
});

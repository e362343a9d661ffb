import { z } from "zod";
import { querySchema } from "../query/form/schema.ts";
import { strictShape } from "../query/form/shape.ts";

const literal = z.union([
  z.null(),
  z.boolean(),
  z.number(),
  z.bigint().meta({ type: "integer" }),
  z.string(),
]);

/** The bodies of `POST /analytics/custom-query`. */
export const sqlBodySchema = strictShape({
  sql: z.string().min(1).describe("SELECT … FROM events …"),
  params: z.array(literal).max(1000).default([]).describe("values of $1, $2, …"),
});
export const queryBodySchema = strictShape({ query: querySchema });

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

/** The problem document of every refusal. */
export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("what was got, what was wanted and where"),
  code: z.string().describe("stable; to branch on"),
  request_id: z.string().optional(),
  byte_offset: z.int().optional().describe("where in the body"),
  event_index: z.int().optional().describe("which event of the batch"),
  position: z.int().optional().describe("which character of the SQL text, from 1"),
  pointer: z.string().optional().describe("which parameter, or which member of the query"),
  retry_after_seconds: z.number().optional(),
});

/** The answer to a body of events. */
export const receiptSchema = z.object({
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.int(),
  errors: z.array(z.object({ index: z.int(), code: z.string(), message: z.string() })),
  sequences: z
    .array(z.object({ partition: z.int(), first: z.string(), last: z.string() }))
    .optional()
    .describe("absent for ack=memory"),
});

/** An event as callers send it. Everything else at the top level becomes a property. */
export const eventSchema = z.looseObject({
  id: z.string().optional().describe("a UUID; made when absent, and other text is hashed into one"),
  timestamp: z
    .union([z.string(), z.number()])
    .optional()
    .describe("RFC 3339 with a zone, or a number of seconds, milli-, micro- or nanoseconds"),
  event_type: z.string().min(1),
  source: z.string().optional(),
  user_id: z.string().optional(),
  session_id: z.string().optional(),
  properties: z.looseObject({}).optional(),
});

export const healthSchema = z.looseObject({ status: z.string() });

import { z } from "zod";
import { parseSize } from "../base/size.ts";
import { querySchema } from "../query/form/schema.ts";
import { strictShape } from "../query/form/shape.ts";

const literal = z.union([
  z.null(),
  z.boolean(),
  z.number(),
  z.bigint().meta({ type: "integer" }),
  z.string(),
]);

const bytes = z
  .union([z.int().min(1), z.string()])
  .transform((value, context) => {
    const size = typeof value === "number" ? value : parseSize(value);
    if (size !== undefined && size >= 1) return size;
    context.addIssue(`got ${JSON.stringify(value)}, want a size such as "16MiB"`);
    return z.NEVER;
  })
  .meta({ type: ["integer", "string"] });

/** What one query may take: less than the settings say, more has no effect. */
export const limitFields = {
  timeout_ms: z.int().min(1).optional().describe("milliseconds, waiting included"),
  max_memory: bytes.optional().describe('working memory on each thread: bytes, or "16MiB"'),
  max_rows: z.int().min(1).optional().describe("rows of the result"),
  max_groups: z.int().min(1).optional().describe("groups before HAVING and LIMIT"),
};
export type LimitFields = z.output<z.ZodObject<typeof limitFields>>;

/** The bodies of `POST /analytics/custom-query`. */
export const sqlBodySchema = strictShape({
  sql: z.string().min(1).describe("SELECT … FROM events …"),
  params: z
    .array(z.union([literal, z.array(literal).max(10_000)]))
    .max(1000)
    .default([])
    .describe("values of $1, $2, …; lists for = ANY($1)"),
  ...limitFields,
});
export const queryBodySchema = strictShape({ query: querySchema, ...limitFields });

export const resultSchema = z.object({
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["number", "string", "boolean", "json", "timestamp", "interval", "variant"]),
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
    threads: z.int().optional().describe("threads that have read rows"),
    columns_cached: z.int().optional().describe("stored columns that were decoded already"),
    columns_decoded: z.int().optional(),
    bytes_decoded: z.int().optional(),
    groups: z.int().optional().describe("groups before HAVING and LIMIT"),
    memory_bytes: z.int().optional().describe("working memory that one thread used at most"),
    stages_us: z.record(z.string(), z.number()).optional().describe("time by stage, all threads"),
  }),
});

export const runningQuerySchema = z.object({
  id: z.string().describe("as in Millrace-Query-Id of its answer"),
  kind: z.enum(["query", "events"]),
  state: z.enum(["waiting", "running", "sending", "ending"]),
  text: z.string().nullable().describe("SQL text, the JSON form or the parameters, as they came"),
  request_id: z.string().nullable(),
  started: z.string(),
  elapsed_ms: z.int(),
  rows_scanned: z.int().nullable().describe("null where it is not read range by range"),
  rows_total: z.int().nullable(),
  workers: z.int(),
  timeout_ms: z.int(),
  memory_bytes: z.int().describe("working memory that it may use on each worker"),
});
export const queriesSchema = z.object({ queries: z.array(runningQuerySchema) });
export const killedSchema = z.object({ id: z.string(), state: z.literal("ending") });

export const pageSchema = z.object({
  events: z.array(z.looseObject({ id: z.string(), timestamp: z.string(), event_type: z.string() })),
  next_cursor: z.string().nullable().describe("the cursor of the next page, null on the last"),
  as_of: z.string().describe("the sequence that the page reflects: every event below it"),
});

/** A group of a window. */
export const windowSchema = z.object({
  start: z.string().nullable().describe("null: there is no window in the question"),
  end: z.string().nullable(),
  group: z.looseObject({}).describe("values by the names of the groups"),
  other: z.literal(true).optional().describe("all groups beyond the rule's limit"),
  values: z.looseObject({}).describe("results by their names"),
  count: z.int().describe("events in it"),
  late: z.int().describe("of those, later than their own source"),
  revised: z.int().describe("of those, after the watermark had passed the window's end"),
  too_late: z.int().describe("events that came after it was final, and are not in it"),
  duplicate: z.int().describe("events that were left out as duplicates"),
  revision: z.int(),
  state: z.enum(["early", "on_time", "revised", "final", "scan"]),
  final: z.boolean(),
});
export const windowsSchema = z.object({
  windows: z.array(windowSchema),
  more: z.boolean().describe("there are more than limit"),
  as_of: z.string().describe("the sequence that the answer reflects: every event below it"),
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

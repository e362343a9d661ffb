// The JSON forms of an aggregation rule: what validates them makes the OpenAPI document and the types.

import { z } from "zod";
import { aggregationSchema, groupSchema, predicateSchema } from "../query/form/query-schema.ts";
import { strictShape } from "../query/form/shape.ts";

/** Windows become final this long after the watermark has passed their end, where a rule doesn't say. */
export const allowedLatenessDefault = "1m";
export const maxGroupsDefault = 10_000;
export const maxWindowsDefault = 10_000;
export const maxSessionsDefault = 100_000;
/** What a rule may ask for. */
export const maxGroupsMost = 1_000_000;
export const maxWindowsMost = 1_000_000;
export const aggregationsMost = 64;
export const groupKeysMost = 16;
export const tiersMost = 8;
export const ruleNameCharsMax = 63;

const duration = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: "A duration: `90s`, `5m`, `1 hour`, ISO 8601 `PT5M`" });
const interval = z.string().min(1).max(64).meta({
  description: "A duration, or days and months of the calendar: `5m`, `1 day`, `1 month`",
});
const keep = z.union([duration, z.null()]).optional().meta({
  description: "How long windows are kept after their end, by event time; null: for ever",
});

export const ruleNameSchema = z
  .string()
  .regex(/^[a-z_][a-z0-9_]*$/, {
    error: ({ input }) =>
      `got ${JSON.stringify(input)}, want a lower-case letter or _, then letters, digits and _`,
  })
  .max(ruleNameCharsMax)
  .meta({
    description: "The table that SQL reads; it never changes",
    examples: ["purchases_per_minute"],
  });

const zoned = {
  offset: interval.optional().meta({ description: "How much later than usual windows begin" }),
  time_zone: z
    .string()
    .optional()
    .meta({ description: "An IANA name; UTC where it isn't said", examples: ["Europe/Berlin"] }),
};

export const windowTypes = ["tumbling", "hopping", "session"] as const;

export const ruleWindowSchema = z
  .union([
    strictShape({ type: z.literal("tumbling"), size: interval, ...zoned }),
    strictShape({ type: z.literal("hopping"), size: interval, slide: interval, ...zoned }),
    strictShape({ type: z.literal("session"), gap: duration }),
  ])
  .meta({ id: "RuleWindow" });

/** What every form has besides what it computes. */
const common = {
  name: ruleNameSchema,
  allowed_lateness: duration.optional().meta({
    description: `How long windows wait for late events, by the watermark; ${allowedLatenessDefault} by default`,
  }),
  retention: keep,
  tiers: z
    .array(strictShape({ size: interval, retention: keep }))
    .max(tiersMost)
    .optional()
    .meta({
      description: "Coarser windows, made by merging; each size a multiple of the one before",
    }),
  backfill: z
    .boolean()
    .optional()
    .meta({ description: "Reads what is stored already too; false where it isn't said" }),
  max_groups: z.int().min(1).max(maxGroupsMost).optional(),
  max_windows: z.int().min(1).max(maxWindowsMost).optional(),
  paused: z.boolean().optional(),
};

const event_filter = predicateSchema.optional().meta({ description: "Which events it takes" });
const group_by = z.array(groupSchema).max(groupKeysMost).optional();

export const ruleSchema = strictShape({
  ...common,
  event_filter,
  window: ruleWindowSchema,
  aggregations: z.array(aggregationSchema).min(1).max(aggregationsMost),
  group_by,
}).meta({ id: "Rule" });

export const shortRuleSchema = strictShape({
  ...common,
  event_filter,
  aggregation_type: aggregationSchema,
  time_window: interval,
  group_by,
}).meta({ id: "ShortRule" });

export const sqlRuleSchema = strictShape({
  ...common,
  sql: z
    .string()
    .min(1)
    .meta({
      description: "SELECT … FROM events … GROUP BY a window",
      examples: ["SELECT time_bucket('1 minute', timestamp), count(*) AS n FROM events GROUP BY 1"],
    }),
}).meta({ id: "SqlRule" });

export type RuleForm = z.infer<typeof ruleSchema>;
export type ShortRuleForm = z.infer<typeof shortRuleSchema>;
export type SqlRuleForm = z.infer<typeof sqlRuleSchema>;
export type WindowForm = z.infer<typeof ruleWindowSchema>;
export type CommonForm = Omit<SqlRuleForm, "sql">;

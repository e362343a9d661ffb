// The JSON form of a `Query`: what validates it makes the OpenAPI document and the type.

import { z } from "zod";
import { strictShape } from "./shape.ts";

const field = z
  .string()
  .min(1)
  .max(4096)
  .meta({
    description:
      "A fixed column or `properties.` and a dotted path; a dot inside a key is written `\\.`",
    examples: ["event_type", "properties.amount"],
  });
const name = z.string().min(1).max(256).meta({ description: "The name of the result column" });
const expr = z
  .string()
  .min(1)
  .meta({
    description: "SQL expression text",
    examples: ["lower(properties.country)", "sum(properties.amount) / count(*)"],
  });
// Integers beyond 2^53 arrive as bigints when the JSON was read exactly.
const integer = z.bigint().meta({ type: "integer" });
const literal = z.union([z.string(), z.number(), integer, z.boolean(), z.null()]);
export const timeSchema = z.union([z.string(), z.number()]).meta({
  description: "RFC 3339 with a zone, or a number whose size says its unit",
  examples: ["2026-11-23T12:00:00Z"],
});

const compareOps = ["=", "!=", "<", "<=", ">", ">="] as const;
const listOps = ["in", "not_in"] as const;
const textOps = ["prefix", "like", "ilike", "matches"] as const;
const bareOps = ["exists", "is_null", "is_not_null"] as const;

type LiteralForm = string | number | bigint | boolean | null;

type PredicateOp =
  | (typeof compareOps)[number]
  | (typeof listOps)[number]
  | (typeof textOps)[number]
  | (typeof bareOps)[number];

/** A condition as JSON, or SQL expression text. */
export type PredicateForm =
  | string
  | { and: PredicateForm[] }
  | { or: PredicateForm[] }
  | { not: PredicateForm }
  | {
      field: string;
      op: PredicateOp;
      value?: LiteralForm | LiteralForm[] | undefined;
    };

const predicates = z
  .array(z.lazy((): z.ZodType<PredicateForm> => predicateSchema))
  .min(1)
  .max(1000);

export const predicateSchema: z.ZodType<PredicateForm> = z
  .union([
    z.string().min(1).meta({ description: "SQL expression text" }),
    strictShape({
      field,
      op: z.enum([...compareOps, ...listOps, ...textOps, ...bareOps]),
      value: z.union([literal, z.array(literal).max(10_000)]).optional(),
    }),
    strictShape({ and: predicates }),
    strictShape({ or: predicates }),
    strictShape({ not: z.lazy((): z.ZodType<PredicateForm> => predicateSchema) }),
  ])
  .meta({ id: "Predicate" });

export const aggregateNames = [
  "count",
  "sum",
  "avg",
  "min",
  "max",
  "count_distinct",
  "approx_count_distinct",
  "stddev_samp",
  "stddev_pop",
  "var_samp",
  "var_pop",
  "first",
  "last",
  "any",
  "quantile",
  "median",
  "percentile_cont",
  "percentile_disc",
  "topk",
  "histogram",
  "rate",
] as const;

const aggregateSchema = strictShape({
  fn: z.enum(aggregateNames),
  field: field.optional(),
  expr: expr.optional(),
  q: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .meta({ description: "quantile, percentile_cont, percentile_disc" }),
  k: z.int().min(1).max(10_000).optional().meta({ description: "topk: how many" }),
  bounds: z
    .array(z.number())
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: "histogram: ascending" }),
  filter: predicateSchema.optional().meta({ description: "Which rows it takes" }),
  as: name.optional(),
});

const computed = strictShape({ expr, as: name.optional() });

const selectSchema = z.union([
  field,
  aggregateSchema,
  strictShape({ field, as: name.optional() }),
  computed,
]);

/** What a rule computes: an aggregate, or an expression of aggregates. */
export const aggregationSchema = z.union([aggregateSchema, computed]);

export const groupSchema = z.union([
  field,
  strictShape({
    time_bucket: z
      .string()
      .meta({ description: "A duration or an interval", examples: ["1m", "1 hour", "1 month"] }),
    field: field
      .optional()
      .meta({ description: "Which timestamp; `timestamp` where it isn't said" }),
    time_zone: z
      .string()
      .optional()
      .meta({ description: "An IANA name; UTC where it isn't said", examples: ["Europe/Berlin"] }),
    origin: timeSchema.optional(),
    as: name.optional(),
  }),
  strictShape({ field, as: name.optional() }),
  computed,
]);

const direction = z.enum(["asc", "desc"]).optional();
const nulls = z.enum(["first", "last"]).optional();

const orderSchema = z.union([
  name,
  strictShape({ by: name, direction, nulls }),
  strictShape({ expr, direction, nulls }),
]);

export const querySchema = strictShape({
  select: z.array(selectSchema).max(64).optional(),
  where: predicateSchema.optional(),
  from: timeSchema.optional(),
  to: timeSchema.optional(),
  group_by: z.array(groupSchema).max(16).optional(),
  having: predicateSchema
    .optional()
    .meta({ description: "A condition of the groups: its fields are names of result columns" }),
  order_by: z.array(orderSchema).max(16).optional(),
  limit: z.int().min(0).optional(),
  offset: z.int().min(0).optional(),
  fill: z.enum(["null", "zero", "previous"]).optional().meta({
    description:
      "What the aggregates of a bucket without rows are; without it there is no such bucket",
  }),
}).meta({ id: "Query" });

export type QueryForm = z.infer<typeof querySchema>;
export type GroupForm = z.infer<typeof groupSchema>;
export type SelectForm = z.infer<typeof selectSchema>;

// The JSON form of a `Query` and the parameters of the events route: what validates them makes the OpenAPI document.

import { z } from "zod";
import { parseExactJson } from "../../base/exact-json.ts";
import { didYouMean } from "../../base/near.ts";
import { InputError } from "../../errors.ts";
import { eventsPageDefault, eventsPageMax } from "../../limits.ts";
import { bucketKey } from "../bucket.ts";
import { parseDuration } from "../duration.ts";
import type {
  LegacyKey as GroupKey,
  LegacyOrder as OrderKey,
  LegacyItem as SelectItem,
} from "../legacy.ts";
import { fromLegacy } from "../legacy.ts";
import { holdsNumbers, holdsText, showLiteral } from "../literal.ts";
import { lastKey, pathProblem } from "../paths.ts";
import type { Built } from "../predicate.ts";
import { both, comparison, either, liftTimeRange, membership } from "../predicate.ts";
import type { Predicate, Query } from "../query.ts";
import type { EventsRequest } from "../result.ts";
import type { Deciding } from "../sql/condition.ts";
import { parseWhere } from "../sql/statement.ts";
import { parseTime, timeFromNumber } from "../time.ts";
import { jsonPointer, parseShape, strictShape } from "./shape.ts";

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
// Integers beyond 2^53 arrive as bigints when the JSON was read exactly.
const integer = z.bigint().meta({ type: "integer" });
const literal = z.union([z.string(), z.number(), integer, z.boolean(), z.null()]);
const time = z.union([z.string(), z.number()]).meta({
  description: "RFC 3339 with a zone, or a number whose size says its unit",
  examples: ["2026-11-23T12:00:00Z"],
});

const compareOps = ["=", "!=", "<", "<=", ">", ">="] as const;
const listOps = ["in", "not_in"] as const;
const bareOps = ["exists", "is_null", "is_not_null"] as const;

type LiteralForm = string | number | bigint | boolean | null;

/** A condition as JSON, or SQL expression text. */
export type PredicateForm =
  | string
  | { and: PredicateForm[] }
  | { or: PredicateForm[] }
  | { not: PredicateForm }
  | {
      field: string;
      op: (typeof compareOps)[number] | "in" | "not_in" | "prefix" | (typeof bareOps)[number];
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
      op: z.enum([...compareOps, ...listOps, "prefix", ...bareOps]),
      value: z.union([literal, z.array(literal).max(10_000)]).optional(),
    }),
    strictShape({ and: predicates }),
    strictShape({ or: predicates }),
    strictShape({ not: z.lazy((): z.ZodType<PredicateForm> => predicateSchema) }),
  ])
  .meta({ id: "Predicate" });

const selectSchema = z.union([
  field,
  strictShape({
    fn: z.enum(["count", "sum", "avg", "min", "max"]),
    field: field.optional(),
    as: name.optional(),
  }),
  strictShape({ field, as: name.optional() }),
]);

const groupSchema = z.union([
  field,
  strictShape({
    time_bucket: z.string().meta({ description: "A duration", examples: ["1m", "1 hour"] }),
    as: name.optional(),
    origin: time.optional(),
  }),
  strictShape({ field, as: name.optional() }),
]);

const orderSchema = z.union([
  name,
  strictShape({
    by: name,
    direction: z.enum(["asc", "desc"]).optional(),
    nulls: z.enum(["first", "last"]).optional(),
  }),
]);

export const querySchema = strictShape({
  select: z.array(selectSchema).max(64).optional(),
  where: predicateSchema.optional(),
  from: time.optional(),
  to: time.optional(),
  group_by: z.array(groupSchema).max(16).optional(),
  order_by: z.array(orderSchema).max(16).optional(),
  limit: z.int().min(0).optional(),
  offset: z.int().min(0).optional(),
}).meta({ id: "Query" });

export type QueryForm = z.infer<typeof querySchema>;

type Pointer = readonly (string | number)[];

function refuse(at: Pointer, problem: string, code = "invalid_query"): never {
  const pointer = jsonPointer(at);
  throw new InputError(code, `${pointer}: ${problem}`, { pointer });
}

function pathAt(at: Pointer, path: string): string {
  const problem = pathProblem(path);
  return problem === null ? path : refuse(at, problem, "unknown_field");
}

function timeAt(at: Pointer, value: string | number): bigint {
  const us = typeof value === "number" ? timeFromNumber(value) : parseTime(value);
  if (typeof us === "bigint") return us;
  const why = us === null ? "it is outside the years 0001 to 9999" : us;
  return refuse(at, `got ${showLiteral(value)}, want RFC 3339 with a zone; ${why}`);
}

function builtAt(at: Pointer, path: string, built: Built): Predicate {
  if ("predicate" in built) return built.predicate;
  return refuse(at, `got ${showLiteral(built.got)} for ${path}, want ${built.want}`);
}

function comparePredicate(form: Extract<PredicateForm, { field: string }>, at: Pointer): Predicate {
  const path = pathAt([...at, "field"], form.field);
  const { op, value } = form;
  const here = [...at, "value"];
  if (op === "exists" || op === "is_null" || op === "is_not_null") {
    if (value !== undefined) refuse(here, `"${op}" takes no value`);
    if (op === "exists") return { kind: "exists", path };
    const isNull: Predicate = { kind: "is-null", path };
    return op === "is_null" ? isNull : { kind: "not", of: isNull };
  }
  if (value === undefined) return refuse(here, `got nothing, "${op}" wants a value`);
  if (op === "in" || op === "not_in") {
    if (!Array.isArray(value)) {
      return refuse(here, `got ${showLiteral(value)}, "${op}" wants an array`);
    }
    const found = builtAt(here, path, membership(path, value));
    return op === "in" ? found : { kind: "not", of: found };
  }
  if (Array.isArray(value)) return refuse(here, `got an array, "${op}" wants one value`);
  if (op !== "prefix") return builtAt(here, path, comparison(path, op, value));
  if (typeof value !== "string" || !holdsText(path)) {
    return refuse(here, `got ${showLiteral(value)} for ${path}, "prefix" compares text with text`);
  }
  return { kind: "prefix", path, prefix: value };
}

function sqlAt(at: Pointer, text: string, deciding: Deciding): Predicate {
  try {
    return parseWhere(text, [], deciding);
  } catch (error) {
    if (!(error instanceof InputError) || at.length === 0) throw error;
    const detail = { ...error.detail, pointer: jsonPointer(at) };
    throw new InputError(error.code, error.message, detail, error.status);
  }
}

function compilePredicate(form: PredicateForm, at: Pointer, deciding: Deciding): Predicate {
  if (typeof form === "string") return sqlAt(at, form, deciding);
  if ("and" in form) {
    return both(form.and.map((one, i) => compilePredicate(one, [...at, "and", i], deciding)));
  }
  if ("or" in form) {
    return either(form.or.map((one, i) => compilePredicate(one, [...at, "or", i], deciding)));
  }
  if (!("not" in form)) return comparePredicate(form, at);
  const inner = deciding === "true" ? "false" : "true";
  return { kind: "not", of: compilePredicate(form.not, [...at, "not"], inner) };
}

/**
 * A condition from its JSON form or from SQL expression text.
 * Throws InputError with `detail.pointer` (JSON) or `detail.position` (SQL).
 */
export function parsePredicate(value: unknown): Predicate {
  if (typeof value === "string") return parseWhere(value);
  return compilePredicate(parseShape(predicateSchema, value), [], "true");
}

function groupKey(form: NonNullable<QueryForm["group_by"]>[number], at: Pointer): GroupKey {
  if (typeof form === "string") return { kind: "field", path: pathAt(at, form), as: form };
  if ("field" in form) {
    return { kind: "field", path: pathAt([...at, "field"], form.field), as: form.as ?? form.field };
  }
  let widthUs = 0n;
  try {
    widthUs = parseDuration(form.time_bucket);
  } catch (error) {
    refuse([...at, "time_bucket"], error instanceof Error ? error.message : String(error));
  }
  if (widthUs === 0n) refuse([...at, "time_bucket"], "a bucket must be longer than nothing");
  const origin = form.origin === undefined ? null : timeAt([...at, "origin"], form.origin);
  return bucketKey(widthUs, origin, form.as ?? "time_bucket");
}

function selectItem(
  form: NonNullable<QueryForm["select"]>[number],
  groupBy: readonly GroupKey[],
  at: Pointer,
): SelectItem {
  if (typeof form === "object" && "fn" in form) {
    const { fn } = form;
    if (form.field === undefined) {
      if (fn !== "count") refuse([...at, "field"], `got nothing, "${fn}" wants a field`);
      return { kind: "aggregate", fn, path: null, as: form.as ?? "count" };
    }
    const path = pathAt([...at, "field"], form.field);
    if ((fn === "sum" || fn === "avg") && !holdsNumbers(path)) {
      refuse([...at, "field"], `${path} holds no numbers for "${fn}"`);
    }
    return { kind: "aggregate", fn, path, as: form.as ?? `${fn}_${lastKey(path)}` };
  }
  const [wanted, as, where] =
    typeof form === "string" ? [form, form, at] : [form.field, form.as, [...at, "field"]];
  const named = groupBy.findIndex((key) => key.as === wanted);
  const key = named >= 0 ? named : groupBy.findIndex((one) => "path" in one && one.path === wanted);
  if (key >= 0) return { kind: "key", key, as: as ?? wanted };
  return { kind: "field", path: pathAt(where, wanted), as: as ?? wanted };
}

function orderKey(
  form: NonNullable<QueryForm["order_by"]>[number],
  select: readonly SelectItem[],
  grouped: boolean,
  at: Pointer,
): OrderKey {
  const { by, direction, nulls } =
    typeof form === "string" ? { by: form, direction: undefined, nulls: undefined } : form;
  const descending = direction === "desc";
  const nullsFirst = nulls === undefined ? descending : nulls === "first";
  const item = select.findIndex((one) => one.as === by);
  if (item >= 0) return { item, descending, nullsFirst };
  const names = select.map((one) => one.as);
  const where = typeof form === "string" ? at : [...at, "by"];
  if (grouped) refuse(where, `there is no column "${by}"${didYouMean(by, names)}`);
  return { path: pathAt(where, by), descending, nullsFirst };
}

/**
 * Where every row makes one group, each plain field must be a group key; keys that `select` leaves out come
 * first in the result, in their order.
 */
function selectItems(form: QueryForm, groupBy: readonly GroupKey[]): SelectItem[] {
  const select = (form.select ?? []).map((one, i) => selectItem(one, groupBy, ["select", i]));
  const grouped = groupBy.length > 0 || select.some((one) => one.kind === "aggregate");
  const loose = select.findIndex((one) => one.kind === "field");
  if (grouped && loose >= 0) {
    refuse(["select", loose], `"${select[loose]?.as}" is neither in group_by nor in a function`);
  }
  const missing = groupBy.flatMap((key, index): SelectItem[] => {
    const selected = select.some((one) => one.kind === "key" && one.key === index);
    return selected ? [] : [{ kind: "key", key: index, as: key.as }];
  });
  const items = [...missing, ...select];
  if (items.length === 0) refuse(["select"], "got nothing to select");
  const double = items.findIndex((one, i) => items.findIndex((other) => other.as === one.as) < i);
  if (double >= 0) refuse(["select"], `two columns are named "${items[double]?.as}"; use "as"`);
  return items;
}

function checkRange(fromUs: bigint | null, toUs: bigint | null): void {
  if (fromUs !== null && toUs !== null && fromUs > toUs) refuse(["from"], '"from" is after "to"');
}

/** A query from its JSON form; InputError with `detail.pointer` says where it isn't one. */
export function parseQuery(value: unknown): Query {
  const form = parseShape(querySchema, value);
  const groupBy = (form.group_by ?? []).map((one, i) => groupKey(one, ["group_by", i]));
  const select = selectItems(form, groupBy);
  const grouped = groupBy.length > 0 || select.some((one) => one.kind === "aggregate");
  const fromUs = form.from === undefined ? null : timeAt(["from"], form.from);
  const toUs = form.to === undefined ? null : timeAt(["to"], form.to);
  checkRange(fromUs, toUs);
  const where = form.where === undefined ? null : compilePredicate(form.where, ["where"], "true");
  return fromLegacy({
    select,
    ...liftTimeRange({ where, fromUs, toUs }),
    groupBy,
    orderBy: (form.order_by ?? []).map((one, i) => orderKey(one, select, grouped, ["order_by", i])),
    limit: form.limit ?? null,
    offset: form.offset ?? 0,
  });
}

// ── GET /analytics/events ────────────────────────────────────────────────────────────────────────────

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

function textTime(at: string, text: string): bigint {
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

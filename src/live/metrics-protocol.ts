import { z } from "zod";
import { parseExactJson } from "../base/exact-json.ts";
import { InputError } from "../errors.ts";
import { parseDuration } from "../query/duration.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { showLiteral } from "../query/literal.ts";
import type { WindowState } from "../stream/window-row.ts";

/** Between messages, milliseconds; paces are multiples of the shortest. */
const paceMinMs = 50;
const paceMaxMs = 3_600_000;
const paceDefault = "100ms";
const groupsDefault = 1000;
const groupsMax = 10_000;

const id = z.string().min(1).max(128);
const literal = z.union([z.null(), z.boolean(), z.number(), z.bigint(), z.string().max(4096)]);
const states = ["early", "on_time", "revised", "final"] as const;

const fields = {
  rule: z.string().min(1).max(256).optional().describe("a rule's name, or a version of it: name@2"),
  sql: z.string().min(1).max(65_536).optional().describe("SELECT … FROM events … GROUP BY …"),
  query: z.looseObject({}).optional().describe("the JSON form of a query"),
  cursor: z.string().min(1).max(256).optional().describe("where an earlier subscription stood"),
  pace: z.string().max(64).default(paceDefault).describe("time between messages, from 50ms to 1h"),
  groups: z
    .int()
    .min(1)
    .max(groupsMax)
    .default(groupsDefault)
    .describe("groups of each window; others are counted in groups_left_off"),
  group: z.record(z.string(), literal).optional().describe("only groups with these values"),
  states: z.array(z.enum(states)).min(1).optional().describe("only windows in these states"),
};
const subscribeSchema = strictShape({ type: z.literal("subscribe"), id, ...fields });
const unsubscribeSchema = strictShape({ type: z.literal("unsubscribe"), id });

/** What is subscribed to, and how it is to be told. */
export interface MetricsRequest {
  readonly rule: string | null;
  readonly sql: string | null;
  readonly query: unknown;
  readonly cursor: string | null;
  readonly paceMs: number;
  readonly groupsMax: number;
  readonly group: Readonly<Record<string, z.output<typeof literal>>>;
  readonly states: ReadonlySet<WindowState> | null;
}

export interface MetricsSubscribe {
  readonly type: "subscribe";
  readonly id: string;
  readonly request: MetricsRequest;
}
export type MetricsMessage =
  | MetricsSubscribe
  | { readonly type: "unsubscribe"; readonly id: string };

/** Checks what a frame of a subscriber holds. */
export function readMetricsMessage(message: unknown): MetricsMessage {
  const type = (message as { type?: unknown } | null)?.type;
  if (type === "unsubscribe") return parseShape(unsubscribeSchema, message, "invalid_message");
  if (type === "subscribe") {
    const parsed = parseShape(subscribeSchema, message, "invalid_message");
    return { type, id: parsed.id, request: requestOf(parsed, "invalid_message") };
  }
  const got = type === undefined ? "nothing" : showLiteral(type);
  const problem = `#/type: got ${got}, want "subscribe" or "unsubscribe"`;
  throw new InputError("invalid_message", problem, { pointer: "#/type" });
}

const text = z.string().min(1).max(65_536).optional();

/** The parameters of `GET /stream/metrics`. */
export const metricsParamsSchema = strictShape({
  rule: fields.rule,
  sql: fields.sql,
  query: text.describe("the JSON form of a query"),
  cursor: fields.cursor.describe("where an earlier stream stood; Last-Event-ID comes first"),
  pace: fields.pace,
  groups: z.string().regex(/^\d+$/).optional().describe("groups of each window, 1000 by default"),
  group: text.describe('only groups with these values: {"source":"web"}'),
  states: text.describe("only windows in these states: on_time,final"),
});

/** @throws InputError `invalid_parameter` */
export function readMetricsParams(parameters: Readonly<Record<string, string>>): MetricsRequest {
  const code = "invalid_parameter";
  const {
    groups,
    query,
    group,
    states: stateList,
    ...same
  } = parseShape(metricsParamsSchema, parameters, code);
  const form = {
    ...same,
    ...(groups !== undefined && { groups: Number(groups) }),
    ...(query !== undefined && { query: jsonOf(query, "query") }),
    ...(group !== undefined && { group: jsonOf(group, "group") }),
    ...(stateList !== undefined && { states: stateList.split(",") }),
  };
  return requestOf(parseShape(strictShape(fields), form, code), code);
}

function jsonOf(value: string, name: string): unknown {
  try {
    return parseExactJson(value);
  } catch (error) {
    const reason = (error as Error).message.slice(0, 200);
    throw new InputError("invalid_parameter", `#/${name}: got no JSON: ${reason}`, {
      pointer: `#/${name}`,
    });
  }
}

type Fields = z.output<z.ZodObject<typeof fields>>;

function requestOf(parsed: Fields, code: string): MetricsRequest {
  const { rule, sql, query } = parsed;
  const given = [rule, sql, query].filter((one) => one !== undefined).length;
  if (given !== 1) {
    const got = given === 0 ? "none" : "several";
    throw new InputError(code, `#: got ${got} of rule, sql and query, want one of them`, {
      pointer: "#",
    });
  }
  return {
    rule: rule ?? null,
    sql: sql ?? null,
    query: query ?? null,
    cursor: parsed.cursor ?? null,
    paceMs: paceOf(parsed.pace, code),
    groupsMax: parsed.groups,
    group: parsed.group ?? {},
    states: parsed.states === undefined ? null : new Set(parsed.states),
  };
}

/** Up to the next multiple of the shortest one, so that there are only so many. */
function paceOf(pace: string, code: string): number {
  const ms = Number(parseDuration(pace)) / 1000;
  if (ms < paceMinMs || ms > paceMaxMs) {
    throw new InputError(code, `#/pace: got "${pace}", want a duration from 50ms to 1h`, {
      pointer: "#/pace",
    });
  }
  return Math.ceil(ms / paceMinMs) * paceMinMs;
}

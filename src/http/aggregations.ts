import { type Context, Hono } from "hono";
import { z } from "zod";
import { refuseWhenBusy } from "../api/admission.ts";
import type { Front } from "../api/front.ts";
import { aggregationsPath } from "../api/routes.ts";
import { shownRule } from "../api/rule-text.ts";
import { exactJsonText } from "../base/exact-json.ts";
import { refuse } from "../query/form/condition.ts";
import { timeAt } from "../query/form/query-form.ts";
import { timeSchema } from "../query/form/query-schema.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { ruleSchema, shortRuleSchema, sqlRuleSchema, windowTypes } from "../stream/rule-schema.ts";
import type { AppEnv } from "./analytics.ts";
import { openBodyRules } from "./body.ts";
import { jsonRules, readJson } from "./json-body.ts";

export const recomputeSchema = strictShape({ from: timeSchema, to: timeSchema });

/** `/aggregations`: the rules. */
export function aggregationsRoutes(front: Front): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const rules = jsonRules(openBodyRules(front));
  const { ruleBook } = front;
  const send = (c: Context<AppEnv>, value: unknown, status: 200 | 201 = 200): Response =>
    c.body(exactJsonText(value) ?? "", status, { "Content-Type": "application/json" });
  const said = (message: string, name: string, c: Context<AppEnv>) =>
    front.log.info({ request_id: c.get("requestId"), rule: name }, message);

  app.use(async (_c, next) => {
    refuseWhenBusy(front);
    await next();
  });
  app.get("/", (c) => {
    const list = ruleBook.list().map((record) => shownRule(ruleBook, record));
    return send(c, { aggregations: list });
  });
  app.post("/", async (c) => {
    const record = await ruleBook.create(await readJson(rules, c));
    said("a rule was created", record.rule.name, c);
    c.header("Location", `${aggregationsPath}/${record.rule.id}`);
    const warnings = await ruleBook.warnings(record);
    return send(c, { ...shownRule(ruleBook, record), warnings }, 201);
  });
  app.get("/:id", async (c) => {
    const record = ruleBook.get(c.req.param("id"));
    const warnings = await ruleBook.warnings(record);
    return send(c, { ...shownRule(ruleBook, record), warnings });
  });
  app.put("/:id", async (c) => {
    const record = await ruleBook.replace(c.req.param("id"), await readJson(rules, c));
    said("a rule was replaced", record.rule.name, c);
    const warnings = await ruleBook.warnings(record);
    return send(c, { ...shownRule(ruleBook, record), warnings });
  });
  app.delete("/:id", async (c) => {
    const record = await ruleBook.delete(c.req.param("id"));
    said("a rule was deleted", record.rule.name, c);
    return c.body(null, 204);
  });
  for (const paused of [true, false]) {
    app.post(`/:id/${paused ? "pause" : "resume"}`, async (c) => {
      const record = await ruleBook.setPaused(c.req.param("id"), paused);
      said(paused ? "a rule was paused" : "a rule was resumed", record.rule.name, c);
      return send(c, shownRule(ruleBook, record));
    });
  }
  app.post("/:id/recompute", async (c) => {
    const form = parseShape(recomputeSchema, await readJson(rules, c), "invalid_parameter");
    const [fromUs, toUs] = [timeAt(["from"], form.from), timeAt(["to"], form.to)];
    if (fromUs >= toUs) refuse(["to"], '"to" must be after "from"', "invalid_parameter");
    const { windows, folded, kept } = await ruleBook.recompute(c.req.param("id"), fromUs, toUs);
    return send(c, { windows, folded, kept });
  });
  return app;
}

const warning = z.object({
  code: z.enum(["no_events", "unknown_field", "wrong_type", "unseen_value", "no_match"]),
  message: z.string(),
  field: z.string().optional(),
  near: z.string().optional().describe("what was perhaps meant"),
});

/** A rule as it is answered. */
export const storedRuleSchema = z.object({
  id: z.string().describe("of all versions"),
  name: z.string(),
  version: z.int(),
  versions: z.array(z.int()).describe("whose windows can be read, as name@version"),
  state: z.enum(["live", "replaced"]),
  paused: z.boolean(),
  created_at: z.string(),
  from_sequence: z.string().describe("the first event that it takes"),
  complete: z.boolean().describe("it has left out no event since: false once it was paused"),
  window: z
    .object({
      type: z.enum(windowTypes),
      size: z.string().optional(),
      slide: z.string().optional(),
      gap: z.string().optional(),
      time_zone: z.string().optional().describe("left out for UTC"),
    })
    .describe("of which kind its windows are, however it was written"),
  definition: z.union([ruleSchema, shortRuleSchema, sqlRuleSchema]).describe("as PUT takes it"),
  backfill: z
    .object({ from: z.string(), next: z.string(), until: z.string(), events_left: z.int() })
    .nullable()
    .describe("stored events that are still to be read; null: none"),
  stats: z
    .object({
      events: z.int(),
      too_late: z.int(),
      dropped: z.int().describe("beyond max_windows"),
      overflowed: z.int().describe("in groups other, beyond max_groups"),
      open_windows: z.int(),
      open_groups: z.int(),
      final_windows: z.int(),
      memory_bytes: z.int(),
      busy_ms: z.number(),
      batches: z.int(),
      subscribers: z.int(),
    })
    .nullable()
    .describe("events are counted since the rule was made, the rest since the process started"),
  warnings: z.array(warning).optional().describe("why it may not match; not in lists"),
});
export const storedRulesSchema = z.object({ aggregations: z.array(storedRuleSchema) });
export const recomputedSchema = z.object({
  windows: z.int().describe("windows that were computed again"),
  folded: z.int().describe("events that had been too late and are in them now"),
  kept: z.int().describe("windows left as they were, some of whose events are not stored any more"),
});

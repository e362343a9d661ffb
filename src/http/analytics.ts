import { randomUUID } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Question } from "../api/ask.ts";
import type { Front } from "../api/front.ts";
import { queryParameters } from "../api/query-string.ts";
import type { Log } from "../base/log.ts";
import type { QueryOptions, ResultText } from "../engine/engine.ts";
import { InputError } from "../errors.ts";
import { parseEventsParams } from "../query/form/schema.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { pageBytes, type ResultFormat } from "../query/result-text.ts";
import { type LimitFields, limitFields, sqlBodySchema } from "./answers.ts";
import { openBodyRules } from "./body.ts";
import { jsonRules, readJson } from "./json-body.ts";
import { negotiate } from "./media-type.ts";
import { answerWindows } from "./windows.ts";

export type AppEnv = {
  Bindings: HttpBindings;
  Variables: { requestId: string; queryId?: string };
};
type AppContext = Context<AppEnv>;

const json = "application/json";
const ndjson = "application/x-ndjson";
const csv = "text/csv";
const formatOf: Readonly<Record<string, ResultFormat>> = {
  [json]: "json",
  [ndjson]: "ndjson",
  [csv]: "csv",
};

/** `/analytics/events` and `/analytics/custom-query`. */
export function analyticsRoutes(
  front: Front,
  observeQuery: (kind: string, seconds: number) => void,
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const rules = jsonRules(openBodyRules(front));

  app.get("/events", async (c) => {
    const type = negotiate(c.req.header("accept"), [json, ndjson]);
    const request = parseEventsParams(queryParameters(searchOf(c.req.url)));
    const startedMs = front.clock.monotonicMs();
    const text = searchOf(c.req.url).slice(0, textCharsMax);
    const page = await front.engine.events(request, { ...optionsOf(c), text });
    observeQuery("events", (front.clock.monotonicMs() - startedMs) / 1000);
    c.header("Millrace-As-Of", page.asOf);
    if (page.nextCursor !== null) c.header("Millrace-Next-Cursor", page.nextCursor);
    return sendText(front.log, c, type, {
      pieces: [...pageBytes(type === json ? "json" : "ndjson", page)],
      rest: null,
    });
  });

  app.get("/aggregations", async (c) => {
    const startedMs = front.clock.monotonicMs();
    const text = searchOf(c.req.url).slice(0, textCharsMax);
    const response = await answerWindows(front, c, { ...optionsOf(c), text });
    observeQuery("aggregations", (front.clock.monotonicMs() - startedMs) / 1000);
    return response;
  });

  app.post("/custom-query", async (c) => {
    const type = negotiate(c.req.header("accept"), [json, ndjson, csv]);
    const { question, limits } = questionOf(await readJson(rules, c));
    const startedMs = front.clock.monotonicMs();
    const format = formatOf[type] as ResultFormat;
    const options = { ...optionsOf(c), ...limits };
    const result = await front.questions.text(question, format, options);
    observeQuery("custom_query", (front.clock.monotonicMs() - startedMs) / 1000);
    c.header("Millrace-As-Of", result.asOf);
    return sendText(
      front.log,
      c,
      type === csv ? `${csv}; charset=utf-8; header=present` : type,
      result,
    );
  });
  return app;
}

/** Characters of a request's parameters that the list of running queries shows. */
const textCharsMax = 4096;

/** How the engine is to run it. The id is in the answer's head, and in the log where the request fails. */
function optionsOf(c: AppContext): QueryOptions {
  const id = randomUUID();
  c.header("Millrace-Query-Id", id);
  c.set("queryId", id);
  const { signal } = c.req.raw;
  return { id, signal, requestId: c.get("requestId") };
}

/** The query itself is checked by its parser, which explains more. */
const queryBodyShape = strictShape({ query: z.unknown(), ...limitFields });

interface Asked {
  readonly question: Question;
  /** What it may take, where the caller says less than the settings. */
  readonly limits: QueryOptions;
}

function limitsOf(body: LimitFields): QueryOptions {
  return {
    ...(body.timeout_ms !== undefined && { timeoutMs: body.timeout_ms }),
    ...(body.max_memory !== undefined && { memoryBytes: body.max_memory }),
    ...(body.max_rows !== undefined && { rowsMax: body.max_rows }),
    ...(body.max_groups !== undefined && { groupsMax: body.max_groups }),
  };
}

function questionOf(body: unknown): Asked {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    const [hasSql, hasQuery] = [Object.hasOwn(body, "sql"), Object.hasOwn(body, "query")];
    if (hasSql === hasQuery) {
      const message = `#: got ${hasSql ? "both" : "neither"} "sql" ${hasSql ? "and" : "nor"} "query", want one`;
      throw new InputError("invalid_query", message, { pointer: "#" });
    }
    if (hasQuery) {
      const { query, ...limits } = parseShape(queryBodyShape, body);
      return { question: { query }, limits: limitsOf(limits) };
    }
  }
  const { sql, params, ...limits } = parseShape(sqlBodySchema, body);
  return { question: { sql, params }, limits: limitsOf(limits) };
}

function searchOf(url: string): string {
  const question = url.indexOf("?");
  return question < 0 ? "" : url.slice(question + 1);
}

/** One piece is sent at once; more are sent as fast as the client reads them. */
function sendText(
  log: Log,
  c: AppContext,
  type: string,
  { pieces, rest }: Omit<ResultText, "asOf">,
): Response {
  c.header("Content-Type", type);
  if (rest === null) {
    const [first] = pieces;
    if (first === undefined) return c.body(null);
    const whole = pieces.length === 1 ? first : Buffer.concat(pieces);
    return c.body(whole as Uint8Array<ArrayBuffer>);
  }
  // What was sent can't be taken back: the client sees that it ends too soon.
  const cutOff = (error: Error): undefined => {
    const fields = { request_id: c.get("requestId"), query_id: c.get("queryId") };
    log.warn({ ...fields, reason: error.message }, "a result was cut off");
    c.env.outgoing.destroy();
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      rest.onFailure(cutOff);
      for (const piece of pieces) controller.enqueue(piece);
    },
    async pull(controller) {
      const next = await rest.next().catch(cutOff);
      if (next === undefined) return;
      if (next.length === 0) return controller.close();
      for (const piece of next) controller.enqueue(piece);
    },
    cancel: () => rest.cancel(),
  });
  return c.body(stream);
}

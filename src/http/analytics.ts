import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { parseExactJson } from "../base/exact-json.ts";
import { InputError } from "../errors.ts";
import type { Query } from "../query/schema.ts";
import { eventsParametersSchema, jsonQuerySchema, sqlQuerySchema } from "./analytics-schemas.ts";
import { type BodyDone, readBody, refuseByLength } from "./body.ts";
import { refuseEncoding } from "./compression.ts";
import type { Front } from "./front.ts";
import { negotiate } from "./media-type.ts";
import { pageJson, pageNdjson, resultCsv, resultJson, resultNdjson } from "./result-text.ts";
import { queryParameters, validated } from "./validation.ts";

export type AppEnv = { Bindings: HttpBindings; Variables: { requestId: string } };
type AppContext = Context<AppEnv>;

/** Bytes of a query's body. */
const queryBytesMax = 1024 * 1024;

const json = "application/json";
const ndjson = "application/x-ndjson";
const csv = "text/csv";

/** `/analytics/events` and `/analytics/custom-query`. */
export function analyticsRoutes(
  front: Front,
  observeQuery: (kind: string, seconds: number) => void,
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.get("/events", async (c) => {
    const type = negotiate(c.req.header("accept"), [json, ndjson]);
    const given = validated(
      eventsParametersSchema,
      queryParameters(searchOf(c.req.url)),
      "invalid_parameter",
    );
    const startedMs = front.clock.monotonicMs();
    const page = await front.engine.events(
      {
        order: given.order,
        limit: given.limit,
        ...(given.from !== undefined && { fromUs: given.from }),
        ...(given.to !== undefined && { toUs: given.to }),
        ...(given.event_type !== undefined && { eventType: given.event_type }),
        ...(given.source !== undefined && { source: given.source }),
        ...(given.user_id !== undefined && { userId: given.user_id }),
        ...(given.session_id !== undefined && { sessionId: given.session_id }),
        ...(given.where !== undefined && { where: predicateOf(given.where) }),
        ...(given.cursor !== undefined && { cursor: given.cursor }),
      },
      c.req.raw.signal,
    );
    observeQuery("events", (front.clock.monotonicMs() - startedMs) / 1000);
    c.header("Millrace-As-Of", page.asOf);
    if (page.nextCursor !== null) c.header("Millrace-Next-Cursor", page.nextCursor);
    return sendPieces(c, type, type === json ? pageJson(page) : pageNdjson(page));
  });

  app.post("/custom-query", async (c) => {
    const type = negotiate(c.req.header("accept"), [json, ndjson, csv]);
    const query = await compile(front, await readJson(front, c));
    const startedMs = front.clock.monotonicMs();
    const result = await front.engine.query(query, c.req.raw.signal);
    observeQuery("custom_query", (front.clock.monotonicMs() - startedMs) / 1000);
    c.header("Millrace-As-Of", result.asOf);
    if (type === csv)
      return sendPieces(c, `${csv}; charset=utf-8; header=present`, resultCsv(result));
    return sendPieces(c, type, type === json ? resultJson(result) : resultNdjson(result));
  });
  return app;
}

/** SQL text goes on as it is; what begins like an object is the JSON form. */
function predicateOf(where: string): unknown {
  if (!where.trimStart().startsWith("{")) return where;
  return parseJson(where, "where");
}

async function compile(front: Front, body: unknown): Promise<Query> {
  if (typeof body === "object" && body !== null && "query" in body && !("sql" in body)) {
    const { query } = validated(jsonQuerySchema, body, "invalid_query");
    return front.language.parseQuery(query);
  }
  const { sql, params } = validated(sqlQuerySchema, body, "invalid_query");
  return front.language.parseSql(sql, params);
}

/** The JSON body of a request; integers beyond 2^53 come as bigints. */
async function readJson(front: Front, c: AppContext): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== json) {
    const message = `got ${type ?? "no Content-Type"}, want ${json}`;
    throw new InputError("unsupported_media_type", message, { supported: [json] }, 415);
  }
  const rules = { ...front.bodyRules, bytesMax: Math.min(queryBytesMax, front.bodyRules.bytesMax) };
  const { incoming } = c.env;
  const refusal =
    refuseEncoding(incoming.headers["content-encoding"]) ?? refuseByLength(incoming, rules);
  if (refusal !== null) throw refusal;
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const gone = () => reject(new InputError("client_gone", "the client went away", {}, 499));
    const done: BodyDone = (failure, body) => {
      if (body === null) return reject(failure);
      resolve(Buffer.concat(body.chunks));
      body.release();
    };
    readBody(incoming, rules, done, gone);
  });
  return parseJson(decodeUtf8(bytes), "body");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError("invalid_utf8", "body: got bytes that are not UTF-8");
  }
}

function parseJson(text: string, name: string): unknown {
  try {
    return parseExactJson(text);
  } catch (error) {
    const message = `${name}: got text that is not JSON: ${(error as Error).message.slice(0, 200)}`;
    throw new InputError("invalid_json", message, { parameter: name });
  }
}

function searchOf(url: string): string {
  const question = url.indexOf("?");
  return question < 0 ? "" : url.slice(question + 1);
}

const encoder = new TextEncoder();

/** One piece is sent at once; more are written as fast as the client reads them. */
function sendPieces(c: AppContext, type: string, pieces: Generator<string>): Response {
  c.header("Content-Type", type);
  const first = pieces.next();
  if (first.done) return c.body(null);
  const second = pieces.next();
  if (second.done) return c.body(first.value);
  let next: IteratorResult<string> = second;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(first.value)),
    pull(controller) {
      if (next.done) return controller.close();
      controller.enqueue(encoder.encode(next.value));
      next = pieces.next();
    },
  });
  return c.body(stream);
}

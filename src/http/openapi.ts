import { z } from "zod";
import { ingestParametersSchema } from "../api/ingest-parameters.ts";
import { metricsParamsSchema } from "../live/metrics-protocol.ts";
import { eventsParamsSchema, predicateSchema, querySchema } from "../query/form/schema.ts";
import { adHocWindowsSchema, ruleWindowsSchema } from "../query/form/windows-form.ts";
import {
  ruleSchema,
  ruleWindowSchema,
  shortRuleSchema,
  sqlRuleSchema,
} from "../stream/rule-schema.ts";
import {
  recomputedSchema,
  recomputeSchema,
  storedRuleSchema,
  storedRulesSchema,
} from "./aggregations.ts";
import {
  eventSchema,
  healthSchema,
  killedSchema,
  pageSchema,
  problemSchema,
  queriesSchema,
  queryBodySchema,
  receiptSchema,
  resultSchema,
  runningQuerySchema,
  sqlBodySchema,
  windowSchema,
  windowsSchema,
} from "./answers.ts";
import { aggregationsPaths } from "./openapi-aggregations.ts";
import { storageParamsSchema, storageSchema } from "./storage.ts";

type Json = Record<string, unknown>;

const components = {
  Event: eventSchema,
  Receipt: receiptSchema,
  Problem: problemSchema,
  EventsPage: pageSchema,
  QueryResult: resultSchema,
  SqlBody: sqlBodySchema,
  QueryBody: queryBodySchema,
  Query: querySchema,
  Predicate: predicateSchema,
  Health: healthSchema,
  Storage: storageSchema,
  RunningQuery: runningQuerySchema,
  RunningQueries: queriesSchema,
  KilledQuery: killedSchema,
  Window: windowSchema,
  Windows: windowsSchema,
  Rule: ruleSchema,
  ShortRule: shortRuleSchema,
  SqlRule: sqlRuleSchema,
  RuleWindow: ruleWindowSchema,
  StoredRule: storedRuleSchema,
  StoredRules: storedRulesSchema,
  Recompute: recomputeSchema,
  Recomputed: recomputedSchema,
} as const;

// Bigints and transformed values have no JSON Schema of their own: their input has.
const conversion = { target: "draft-2020-12", io: "input", unrepresentable: "any" } as const;

/** Every component, with references to the others where they contain them. */
function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  const uri = (id: string) => `#/components/schemas/${id}`;
  const { schemas } = z.toJSONSchema(registry, { ...conversion, uri });
  const plain = Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...rest }]) => [
    name,
    rest,
  ]);
  return Object.fromEntries(plain) as Json;
}

function reference(name: keyof typeof components): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function content(type: string, schema: Json): Json {
  return { [type]: { schema } };
}

/** The members of a parameter schema as OpenAPI parameters. */
function parameters(schema: z.ZodObject): Json[] {
  const { properties = {} } = z.toJSONSchema(schema, conversion) as {
    properties?: Record<string, Json>;
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: "query",
    required: false,
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}

/** Each parameter once, as where it comes first. */
function distinct(list: readonly Json[]): Json[] {
  const byName = new Map([...list].reverse().map((one) => [one.name, one]));
  return [...byName.values()].reverse();
}

function problems(...statuses: number[]): Json {
  const entries = statuses.map((status) => [
    String(status),
    {
      description: problemDescriptions[status],
      content: content("application/problem+json", reference("Problem")),
    },
  ]);
  return Object.fromEntries(entries) as Json;
}

const problemDescriptions: Readonly<Record<number, string>> = {
  400: "The request can't be understood; for a body, byte_offset says where",
  403: "The page is of another origin",
  404: "There is no such path, no such query or no such rule",
  406: "No offered media type is accepted",
  408: "The request did not come in in time",
  409: "A request with the same Idempotency-Key is in flight; the query was killed; the rule's name is taken",
  413: "The body or the query is too large",
  415: "The media type, its charset or the content encoding is not supported",
  422: "The event is rejected, or the Idempotency-Key was used with another body",
  426: "The path speaks WebSocket",
  429: "The engine is behind: try again after Retry-After",
  501: "The statement is valid SQL and not supported yet",
  504: "The query takes longer than it may",
  503: "Not ready, or too many requests: try again after Retry-After",
  507: "The disk has less room than the reserve",
};

const ingestHeaders: Json[] = [
  {
    name: "Idempotency-Key",
    in: "header",
    required: false,
    description: "same key and body, same answer, for as long as receipts are kept",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  },
  {
    name: "Content-Encoding",
    in: "header",
    required: false,
    schema: { type: "string", enum: ["gzip", "br", "deflate", "identity"] },
  },
];

const binary: Json = { description: "MessagePack" };

function ingestOperation(summary: string, operationId: string, bodies: Json): Json {
  return {
    summary,
    operationId,
    tags: ["events"],
    parameters: [...parameters(ingestParametersSchema), ...ingestHeaders],
    requestBody: { required: true, content: bodies },
    responses: {
      200: {
        description: "Taken, and on disk",
        content: content("application/json", reference("Receipt")),
      },
      202: {
        description: "Taken (ack=memory)",
        content: content("application/json", reference("Receipt")),
      },
      ...problems(400, 408, 409, 413, 415, 422, 429, 503, 507),
    },
  };
}

function monitoringOperation(summary: string, operationId: string, responses: Json): Json {
  return { get: { summary, operationId, tags: ["monitoring"], responses } };
}

const healthContent = content("application/json", reference("Health"));

function eventPaths(): Json {
  return {
    "/api/v1/events": {
      description: "Takes a WebSocket too: each frame is a batch and gets a receipt, in order.",
      post: ingestOperation("Send one event", "sendEvent", {
        ...content("application/json", reference("Event")),
        ...content("application/msgpack", binary),
      }),
    },
    "/api/v1/events/batch": {
      post: ingestOperation("Send many events", "sendEvents", {
        ...content("application/json", {
          anyOf: [
            { type: "array", items: reference("Event") },
            {
              type: "object",
              required: ["events"],
              properties: { events: { type: "array", items: reference("Event") } },
            },
          ],
        }),
        ...content("application/x-ndjson", { type: "string" }),
        ...content("application/msgpack", binary),
      }),
    },
  };
}

function analyticsPaths(): Json {
  return {
    "/api/v1/analytics/events": {
      get: {
        summary: "Read events, by timestamp",
        operationId: "readEvents",
        tags: ["analytics"],
        parameters: parameters(eventsParamsSchema),
        responses: {
          200: {
            description: "One page",
            content: {
              ...content("application/json", reference("EventsPage")),
              ...content("application/x-ndjson", { type: "string" }),
            },
          },
          ...problems(400, 406, 409, 413, 503, 504),
        },
      },
    },
    "/api/v1/analytics/aggregations": {
      get: {
        summary: "Read windows: of a rule, or of a question that no rule was made for",
        description:
          "Either rule or aggregate. With rule, group.NAME=value takes only that value of a group.",
        operationId: "readWindows",
        tags: ["analytics"],
        parameters: distinct([...parameters(ruleWindowsSchema), ...parameters(adHocWindowsSchema)]),
        responses: {
          200: {
            description: "Windows in the order of their start",
            content: content("application/json", reference("Windows")),
          },
          ...problems(400, 404, 409, 413, 503, 504),
        },
      },
    },
    "/api/v1/analytics/custom-query": {
      post: {
        summary: "Ask a question, in SQL or as JSON",
        operationId: "runQuery",
        tags: ["analytics"],
        requestBody: {
          required: true,
          content: content("application/json", {
            oneOf: [reference("SqlBody"), reference("QueryBody")],
          }),
        },
        responses: {
          200: {
            description: "The result",
            content: {
              ...content("application/json", reference("QueryResult")),
              ...content("application/x-ndjson", { type: "string" }),
              ...content("text/csv", { type: "string" }),
            },
          },
          ...problems(400, 406, 409, 413, 415, 501, 503, 504),
        },
      },
    },
  };
}

function queriesPaths(): Json {
  const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
  return {
    "/api/v1/queries": {
      get: {
        summary: "The queries that wait or run, oldest first",
        operationId: "listQueries",
        tags: ["analytics"],
        responses: {
          200: {
            description: "Those that the HTTP thread does not answer itself",
            content: content("application/json", reference("RunningQueries")),
          },
        },
      },
    },
    "/api/v1/queries/{id}": {
      delete: {
        summary: "End a query; its caller gets query_cancelled",
        operationId: "killQuery",
        tags: ["analytics"],
        parameters: [id],
        responses: {
          200: {
            description: "It is being ended",
            content: content("application/json", reference("KilledQuery")),
          },
          ...problems(404),
        },
      },
    },
  };
}

function storagePaths(): Json {
  return {
    "/api/v1/storage": {
      get: {
        summary: "What is stored: segments, columns, encodings, bytes per event",
        operationId: "readStorage",
        tags: ["monitoring"],
        parameters: parameters(storageParamsSchema),
        responses: {
          200: {
            description: "As it was a moment ago",
            content: content("application/json", reference("Storage")),
          },
          ...problems(400),
        },
      },
    },
  };
}

function livePaths(): Json {
  return {
    "/api/v1/stream/events": {
      get: {
        summary: "Subscribe to events as they are stored (WebSocket)",
        operationId: "streamEvents",
        tags: ["live"],
        responses: { 101: { description: "The connection speaks WebSocket" }, ...problems(426) },
      },
    },
    "/api/v1/stream/metrics": {
      description: "Takes a WebSocket too: any number of subscriptions on one connection.",
      get: {
        summary: "Windows of a rule or a question as they change (Server-Sent Events)",
        operationId: "streamMetrics",
        tags: ["live"],
        parameters: [...parameters(metricsParamsSchema), lastEventId],
        responses: {
          101: { description: "The connection speaks WebSocket" },
          200: {
            description: "A snapshot, then what changed, until the client goes",
            content: content("text/event-stream", { type: "string" }),
          },
          ...problems(400, 403, 404, 501, 503),
        },
      },
    },
  };
}

const lastEventId: Json = {
  name: "Last-Event-ID",
  in: "header",
  required: false,
  description: "a cursor: the id of the last event, which browsers send when they connect again",
  schema: { type: "string" },
};

function monitoringPaths(): Json {
  return {
    "/api/v1/health": monitoringOperation("State and first figures", "health", {
      200: { description: "The process answers", content: healthContent },
    }),
    "/api/v1/health/live": monitoringOperation("Is the process alive?", "live", {
      200: { description: "Yes", content: healthContent },
    }),
    "/api/v1/health/ready": monitoringOperation("Should traffic come here?", "ready", {
      200: { description: "Yes", content: healthContent },
      503: { description: "No; the reason says why", content: healthContent },
    }),
    "/api/v1/metrics": monitoringOperation("Prometheus metrics", "metrics", {
      200: {
        description: "Text exposition format",
        content: content("text/plain", { type: "string" }),
      },
    }),
  };
}

/** The OpenAPI 3.1 document, made of the schemas that validate requests. */
export function openApiDocument(version: string): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Millrace",
      version,
      description: "Real-time event analytics: take events, query them, stream them.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths: {
      ...eventPaths(),
      ...analyticsPaths(),
      ...aggregationsPaths({ reference, problems }),
      ...queriesPaths(),
      ...storagePaths(),
      ...livePaths(),
      ...monitoringPaths(),
    },
    components: { schemas: componentSchemas() },
  };
}
